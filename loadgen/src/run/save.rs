//! What becomes of a result: the table or the JSON on the output, and files where they are asked for.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::report;
use crate::result::Run;

/// Flags of every subcommand that measures.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct OutputFlags {
    /// Folder that the result is written to, as JSON and as a page to look at
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print the result as JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

impl OutputFlags {
    /// Prints and writes a result.
    pub(crate) fn deliver(&self, run: &Run) -> io::Result<()> {
        let mut output = io::stdout().lock();
        if self.json {
            output.write_all(&run.to_json()?)?;
            writeln!(output)?;
        } else {
            writeln!(output, "{}", report::table(run).trim_end())?;
        }
        output.flush()?;
        match &self.out {
            Some(folder) => write_files(run, folder),
            None => Ok(()),
        }
    }
}

fn write_files(run: &Run, folder: &Path) -> io::Result<()> {
    let written = report::write(run, folder).map_err(|error| {
        io::Error::new(error.kind(), format!("writing to {}: {error}", folder.display()))
    })?;
    let mut output = io::stderr().lock();
    writeln!(output, "written: {}", written.json.display())?;
    writeln!(output, "written: {}", written.html.display())
}
