//! Tuning profiles: those that are part of the product, and those in a file of one's own.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use config::{Problems, Profile};

/// The profiles of the product: names and texts. They work wherever the binary does.
const PROFILES: &[(&str, &str)] = &[
    ("default", include_str!("../../../tuning/default.toml")),
    ("latency", include_str!("../../../tuning/latency.toml")),
    ("throughput", include_str!("../../../tuning/throughput.toml")),
    ("memory", include_str!("../../../tuning/memory.toml")),
    ("t3.medium", include_str!("../../../tuning/t3.medium.toml")),
    ("t3.xlarge", include_str!("../../../tuning/t3.xlarge.toml")),
];

/// Longest file that is read as a profile.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Why a profile cannot be used.
#[derive(Debug)]
pub enum ProfileError {
    /// There is none of that name.
    Unknown(String),
    /// The file cannot be read.
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It has mistakes.
    Invalid {
        /// Its name or file.
        name: String,
        /// Every mistake.
        problems: Problems,
    },
}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => {
                let known: Vec<&str> = PROFILES.iter().map(|(name, _)| *name).collect();
                write!(
                    f,
                    "there is no profile {name:?}: choose one of {}, or name a file like \
                     ./NAME.toml",
                    known.join(", ")
                )
            }
            Self::Unreadable { path, error } => {
                write!(f, "cannot read profile {}: {error}", path.display())
            }
            Self::Invalid { name, problems } => {
                write!(f, "profile {name} has mistakes:\n{problems}")
            }
        }
    }
}

impl std::error::Error for ProfileError {}

/// The profile of that name; what ends in `.toml` or has a slash is a file.
///
/// # Errors
/// When there is none, or it cannot be read, or it has mistakes.
pub fn find_profile(name: &str) -> Result<Profile, ProfileError> {
    let text = match is_path(name) {
        true => read(Path::new(name))
            .map_err(|error| ProfileError::Unreadable { path: name.into(), error })?,
        false => built_in(name).ok_or_else(|| ProfileError::Unknown(name.to_owned()))?.to_owned(),
    };
    Profile::parse(name, &text)
        .map_err(|problems| ProfileError::Invalid { name: name.to_owned(), problems })
}

fn is_path(name: &str) -> bool {
    name.contains('/') || name.ends_with(".toml")
}

fn built_in(name: &str) -> Option<&'static str> {
    PROFILES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    // One byte more than allowed, to tell a file that is too long from one that just fits.
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        let message = format!("it has more than {FILE_BYTES_MAX} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_over(name: &str, text: &str) -> config::Config {
        let profile = find_profile(name).unwrap_or_else(|error| panic!("{error}"));
        config::parse_over(Some(&profile), text.as_bytes(), &|_| None)
            .unwrap_or_else(|problems| panic!("{name}: {problems}"))
    }

    #[test]
    fn every_profile_of_the_product_is_sound_and_sets_something() {
        for (name, _) in PROFILES {
            let config = parse_over(name, r#"{"providers":{"mock":{}}}"#);
            let from = config.profile.expect("a profile was given");
            assert_eq!(from.name, *name);
            assert!(from.settings.len() >= 5, "{name}");
            assert_eq!((config.warnings.len(), config.inactive.len()), (0, 0), "{name}");
        }
    }

    #[test]
    fn the_profile_default_says_what_is_built_in_and_leaves_out_only_what_depends_on_the_machine() {
        let config = parse_over("default", r#"{"providers":{"mock":{}}}"#);
        let without = config::parse(br#"{"providers":{"mock":{}}}"#, &|_| None).expect("sound");
        assert_eq!(config.server, without.server);
        assert_eq!(config.client, without.client);
        assert_eq!(config.providers, without.providers);
        let from = config.profile.expect("a profile was given").settings;
        let schema: serde_json::Value =
            serde_json::from_str(&config::schema()).expect("the schema is JSON");
        let members = schema["properties"]["server"]["properties"].as_object().expect("members");
        for name in members.keys().filter(|name| !["workers", "tls"].contains(&name.as_str())) {
            let path = format!("server.{name}");
            assert!(from.iter().any(|filled| filled.path == path), "{path} is missing");
        }
    }

    #[test]
    fn unknown_names_are_answered_with_the_known_ones() {
        let message = find_profile("latncy").expect_err("a slip").to_string();
        for (name, _) in PROFILES {
            assert!(message.contains(name), "{message}");
        }
    }

    #[test]
    fn files_are_read_and_named_in_messages() {
        let missing = find_profile("./no/such.toml").expect_err("no file").to_string();
        assert!(missing.contains("./no/such.toml"), "{missing}");
        let folder = env!("CARGO_MANIFEST_DIR");
        let manifest = find_profile(&format!("{folder}/Cargo.toml")).expect_err("no profile");
        assert!(manifest.to_string().contains("package: unknown member"), "{manifest}");
        let file = format!("{folder}/../../tuning/memory.toml");
        let from_file = find_profile(&file).expect("a good file");
        assert_eq!(from_file.name(), file);
    }
}
