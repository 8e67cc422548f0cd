//! `bifrost check FILE`: every mistake of a configuration and its profile, or what they configure.

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use bifrost::find_profile;
use supervisor::{ConfigFile, LoadError};

/// Prints and says with the exit code whether the file can be used.
pub(crate) fn check(path: &Path, profile: Option<&str>) -> ExitCode {
    let profile = match profile.map(find_profile).transpose() {
        Ok(profile) => profile.map(Arc::new),
        Err(error) => return fail(&error),
    };
    let file = ConfigFile { path: path.to_owned(), is_required: true, profile };
    match file.load() {
        Ok(loaded) => crate::print(&summary(&loaded.config)),
        Err(LoadError::Invalid { profile: None, problems, .. }) => fail(&problems),
        Err(error @ (LoadError::Invalid { .. } | LoadError::Unreadable { .. })) => fail(&error),
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
    // Writing to a string cannot fail.
    if let Some(from) = &config.profile {
        let _ = writeln!(text, "profile: {}", from.name);
        for filled in &from.settings {
            let _ = writeln!(text, "from the profile: {filled}");
        }
    }
    for warning in &config.warnings {
        let _ = writeln!(text, "warning: {warning}");
    }
    for note in &config.inactive {
        let _ = writeln!(text, "accepted, not active yet: {note}");
    }
    text
}
