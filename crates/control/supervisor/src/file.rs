//! The configuration file: reading it, and noticing that it changed.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use config::{Config, Problems, Profile};

/// A little more than the parser takes, so that it sees files that are too long.
const READ_BYTES_MAX: u64 = (32 << 20) + 1;

/// Where the configuration comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFile {
    /// `config.json`.
    pub path: PathBuf,
    /// Whether it must exist. Else the environment alone configures the gateway without it.
    pub is_required: bool,
    /// What counts where it says nothing.
    pub profile: Option<Arc<Profile>>,
}

/// A configuration with the state of the file it was read from.
#[derive(Debug)]
pub struct Loaded {
    /// As checked.
    pub config: Config,
    /// For noticing changes.
    pub(crate) stamp: Stamp,
}

/// Why there is no configuration.
#[derive(Debug)]
pub enum LoadError {
    /// The file cannot be read.
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Its content is wrong.
    Invalid {
        /// Which file.
        path: PathBuf,
        /// The profile below it, whose values may be part of a mistake.
        profile: Option<String>,
        /// Every mistake.
        problems: Problems,
    },
}

impl std::fmt::Display for LoadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreadable { path, error } => {
                write!(f, "cannot read {}: {error}", path.display())
            }
            Self::Invalid { path, profile: None, problems } => {
                write!(f, "{} has mistakes:\n{problems}", path.display())
            }
            Self::Invalid { path, profile: Some(profile), problems } => {
                let path = path.display();
                write!(f, "{path} (over profile {profile}) has mistakes:\n{problems}")
            }
        }
    }
}

impl std::error::Error for LoadError {}

/// What tells one state of a file from another; absent when there is none. Editors that write in
/// place change the times, those that rename a new file over the old one the inode as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp(Option<Identity>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self(Some(Identity {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }))
    }
}

impl ConfigFile {
    /// Reads and checks it; environment variables are looked up in the process's own.
    ///
    /// # Errors
    /// When it cannot be read or has mistakes.
    pub fn load(&self) -> Result<Loaded, LoadError> {
        let env = |name: &str| std::env::var(name).ok();
        match read(&self.path) {
            Ok((text, stamp)) => self.check(&text, stamp, &env),
            Err(error) if is_absent(&error) && !self.is_required => {
                let config = config::without_file_over(self.profile.as_deref(), &env);
                Ok(Loaded { config, stamp: Stamp(None) })
            }
            Err(error) => Err(LoadError::Unreadable { path: self.path.clone(), error }),
        }
    }

    fn check(
        &self,
        text: &[u8],
        stamp: Stamp,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Loaded, LoadError> {
        match config::parse_over(self.profile.as_deref(), text, env) {
            Ok(config) => Ok(Loaded { config, stamp }),
            Err(problems) => Err(LoadError::Invalid {
                path: self.path.clone(),
                profile: self.profile.as_ref().map(|profile| profile.name().to_owned()),
                problems,
            }),
        }
    }

    /// The state it is in now.
    pub(crate) fn stamp(&self) -> Stamp {
        fs::metadata(&self.path).map_or(Stamp(None), |metadata| Stamp::of(&metadata))
    }

    /// Whether there is one now.
    pub(crate) fn exists(&self) -> bool {
        self.stamp().0.is_some()
    }
}

/// There is no file, or not even a directory for it.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Text and stamp of the same open file.
fn read(path: &Path) -> io::Result<(Vec<u8>, Stamp)> {
    let file = File::open(path)?;
    let stamp = Stamp::of(&file.metadata()?);
    let mut text = Vec::new();
    file.take(READ_BYTES_MAX).read_to_end(&mut text)?;
    Ok((text, stamp))
}
