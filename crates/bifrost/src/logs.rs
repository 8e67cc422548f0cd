//! Where log lines go: stderr, as JSON or for people.

use std::io::{self, IsTerminal};

use clap::ValueEnum;
use tracing_subscriber::filter::LevelFilter;

/// Which lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogLevel {
    /// Everything.
    Debug,
    /// What happens, without every step.
    Info,
    /// What should be looked at.
    Warn,
    /// What went wrong.
    Error,
}

/// How they look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogStyle {
    /// One JSON object per line.
    Json,
    /// For people.
    Pretty,
}

/// From here on `tracing` events of the whole process are written.
pub(crate) fn start(level: LogLevel, style: LogStyle) {
    let level = match level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
    };
    let lines = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    match style {
        LogStyle::Json => lines.json().flatten_event(true).init(),
        LogStyle::Pretty => lines.init(),
    }
}
