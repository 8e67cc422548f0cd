//! A run as people read it: a text table, a page with plots, a file to keep, and two runs side by side.

mod compare;
mod format;
mod headline;
mod page;
mod plot;
mod sheet;
mod table;
#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::result::Run;

pub(crate) use compare::{Comparison, compare};

/// Where the files of a run were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) json: PathBuf,
    pub(crate) html: PathBuf,
}

/// The run as aligned text, at most 120 columns wide.
pub(crate) fn table(run: &Run) -> String {
    table::run(run)
}

/// The run as one page that needs nothing from elsewhere.
pub(crate) fn html(run: &Run) -> String {
    page::run(run).into_string()
}

/// Two runs as aligned text.
pub(crate) fn compare_table(comparison: &Comparison) -> String {
    table::comparison(comparison)
}

/// Two runs as one page.
pub(crate) fn compare_html(comparison: &Comparison) -> String {
    page::comparison(comparison).into_string()
}

/// Writes `<date>-<name>.json` and `.html` into `folder`, which is made if it is missing. Files of that
/// name are not replaced: a number is put behind the name.
pub(crate) fn write(run: &Run, folder: &Path) -> io::Result<Written> {
    fs::create_dir_all(folder)?;
    let name = file_name(run);
    let mut numbers = 1_u32..;
    let json = loop {
        let stem = match numbers.next() {
            None => return Err(io::Error::from(io::ErrorKind::AlreadyExists)),
            Some(1) => name.clone(),
            Some(number) => format!("{name}-{number}"),
        };
        let path = folder.join(format!("{stem}.json"));
        match fs::OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(_) => break path,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    };
    let html_path = json.with_extension("html");
    fs::write(&json, run.to_json().map_err(io::Error::other)?)?;
    fs::write(&html_path, html(run))?;
    Ok(Written { json, html: html_path })
}

/// The date and the name, with what does not belong into a file name replaced.
fn file_name(run: &Run) -> String {
    let date = run.started_at.split('T').next().unwrap_or_default();
    let plain = |name: &str| -> String {
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
        name.chars().map(|letter| if is_plain(letter) { letter } else { '-' }).collect()
    };
    format!("{}-{}", plain(date), plain(&run.name))
}
