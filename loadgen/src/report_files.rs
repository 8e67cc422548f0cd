//! `loadgen report`: shows a result again, or two side by side.

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::report;
use crate::result::Run;

/// Flags of `loadgen report`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Result that `loadgen run` wrote
    first: PathBuf,
    /// Later result, to compare with the first
    second: Option<PathBuf>,
    /// Write a page to look at
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// Prints a table, and writes a page where that is asked for.
pub(crate) fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let first = read(&args.first)?;
    let (table, page) = match &args.second {
        None => (report::table(&first), report::html(&first)),
        Some(second) => {
            let comparison = report::compare(&first, &read(second)?);
            (report::compare_table(&comparison), report::compare_html(&comparison))
        }
    };
    io::stdout().lock().write_all(table.as_bytes())?;
    if let Some(path) = &args.html {
        fs::write(path, page).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<Run, String> {
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Run::from_json(&bytes).map_err(|error| format!("{}: {error}", path.display()))
}
