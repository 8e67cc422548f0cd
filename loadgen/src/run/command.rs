//! The command line of a run as its result tells it: files by their place in the project or by their names
//! alone, so that a result that is passed on says nothing of the machine's folders.

use std::env;
use std::path::{Component, Path};

/// The command line of this process.
pub(crate) fn told() -> Vec<String> {
    env::args().map(|word| told_word(&word)).collect()
}

/// A word that may name a file, or a flag with its value behind `=`: a file below the current folder by the way
/// to it from there, another one by its name alone.
pub(crate) fn told_word(word: &str) -> String {
    let folder = env::current_dir().unwrap_or_default();
    match word.split_once('=') {
        Some((flag, value)) if flag.starts_with('-') => {
            format!("{flag}={}", told_value(value, &folder))
        }
        _ => told_value(word, &folder),
    }
}

fn told_value(word: &str, folder: &Path) -> String {
    let path = Path::new(word);
    if !is_file_of_the_machine(path) {
        return word.to_owned();
    }
    match path.strip_prefix(folder) {
        Ok(within) if within != Path::new("") => within.display().to_string(),
        _ => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
    }
}

/// Whether this is an absolute path, or one that leaves the current folder. Paths of requests begin with a slash
/// too, but not with a folder that exists.
fn is_file_of_the_machine(path: &Path) -> bool {
    let mut components = path.components();
    match (components.next(), components.next()) {
        (Some(Component::RootDir), Some(Component::Normal(first))) => {
            Path::new("/").join(first).exists()
        }
        (Some(Component::ParentDir), _) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_by_their_names() {
        let temporary = env::temp_dir().join("built/loadgen").display().to_string();
        let within = env::current_dir().unwrap().join("targets/nginx.toml").display().to_string();
        for (word, expected) in [
            (temporary.as_str(), "loadgen"),
            (&format!("--gateway={temporary}"), "--gateway=loadgen"),
            (&within, "targets/nginx.toml"),
            ("../elsewhere/loadgen", "loadgen"),
        ] {
            assert_eq!(told_word(word), expected);
        }
    }

    #[test]
    fn what_names_no_file_of_the_machine_stays() {
        for word in [
            "run",
            "--rate",
            "direct,l4,gateway",
            "bench/scenarios/headline.toml",
            "/v1/chat/completions",
            "--gateway-path=/anthropic/v1/messages",
            "--gateway-upstream=https://127.0.0.1:9443",
        ] {
            assert_eq!(told_word(word), word);
        }
    }
}
