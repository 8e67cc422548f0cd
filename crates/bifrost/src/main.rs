//! The `bifrost` command.
#![forbid(unsafe_code)]

mod banner;
mod check;
mod command_line;
mod logs;

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Instant;

use bifrost::{Gateway, Options};

use command_line::{Command, CommandLine};

/// Small and fast for many threads; gives memory back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let began = Instant::now();
    let command_line = CommandLine::read();
    match command_line.command() {
        Command::Serve(options) => {
            logs::start(command_line.log_level(), command_line.log_style());
            serve(options, began)
        }
        Command::Check { file, profile } => check::check(&file, profile.as_deref()),
        Command::Schema => print(&config::schema()),
        Command::Routes => print(&routes()),
    }
}

fn serve(options: Options, began: Instant) -> ExitCode {
    match Gateway::start(options) {
        Ok(gateway) => {
            // A closed stdout is no reason to stop serving.
            let _ = print(&banner::render(gateway.overview(), began.elapsed()));
            match gateway.wait() {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => fail(&format!("a worker cannot go on: {error}")),
            }
        }
        Err(error) => fail(&error),
    }
}

/// A line for each route.
fn routes() -> String {
    proxy::served().map(|(method, path)| format!("{method} {path}\n")).collect()
}

fn fail(reason: &dyn Display) -> ExitCode {
    // Nothing is left to be done if stderr is closed as well.
    let _ = writeln!(io::stderr(), "bifrost: {reason}");
    ExitCode::FAILURE
}

fn print(text: &str) -> ExitCode {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
