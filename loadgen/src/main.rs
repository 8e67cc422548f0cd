//! `loadgen`: the other side of the gateway in tests and benchmarks. `loadgen mock` is a scripted
//! world of model providers.

mod mock;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

fn main() -> ExitCode {
    let outcome = match CommandLine::parse().command {
        Command::Mock(args) => mock::run(args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to tell if even the error stream is gone.
            let _ = writeln!(std::io::stderr(), "loadgen: {error}");
            ExitCode::FAILURE
        }
    }
}

#[derive(Parser)]
#[command(about = "Mock providers and load for the gateway")]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Answer like OpenAI and Anthropic do, with latency, faults and a record of every request
    Mock(mock::Args),
}
