//! `bifrost check FILE`: every mistake of a configuration, or what it configures.

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

use supervisor::{ConfigFile, LoadError};

/// Prints and says with the exit code whether the file can be used.
pub(crate) fn check(path: &Path) -> ExitCode {
    let file = ConfigFile { path: path.to_owned(), is_required: true };
    match file.load() {
        Ok(loaded) => crate::print(&summary(&loaded.config)),
        Err(LoadError::Invalid { problems, .. }) => fail(&problems),
        Err(error @ LoadError::Unreadable { .. }) => fail(&error),
    }
}

fn fail(problems: &impl std::fmt::Display) -> ExitCode {
    // Whether it could be printed or not, the file is wrong.
    let _ = crate::print(&format!("{problems}\n"));
    ExitCode::FAILURE
}

fn summary(config: &config::Config) -> String {
    let keys: usize = config.providers.iter().map(|provider| provider.keys.len()).sum();
    let (providers, virtual_keys) = (config.providers.len(), config.virtual_keys.len());
    let mut text = format!("ok: {providers} providers, {keys} keys, {virtual_keys} virtual keys\n");
    for warning in &config.warnings {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "warning: {warning}");
    }
    for note in &config.inactive {
        let _ = writeln!(text, "accepted, not active yet: {note}");
    }
    text
}
