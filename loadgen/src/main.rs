//! `loadgen`: the other side of the gateway in tests and benchmarks. `loadgen mock` is a scripted world of model
//! providers; `loadgen run` and its relatives measure what a gateway, or anything else that forwards, adds.

mod compare;
mod host;
mod l4;
mod launch;
mod mock;
mod profile;
mod report;
mod report_files;
mod result;
mod rig;
mod run;
mod stats;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

fn main() -> ExitCode {
    let outcome = match CommandLine::parse().command {
        Command::Mock(args) => mock::run(args),
        Command::L4(args) => l4::run(&args),
        Command::Run(args) => run::run(*args),
        Command::Profile(args) => profile::run(*args),
        Command::Compare(args) => compare::run(*args),
        Command::Report(args) => report_files::run(&args),
        Command::Upstream(args) => run::upstream::run(&args),
        Command::Child(args) => launch::child::run(&args),
        Command::KeepAwake(args) => host::awake::run(&args),
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
#[command(about = "Mock providers, load, and the measuring of what stands between")]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Answer like OpenAI and Anthropic do, with latency, faults and a record of every request
    Mock(mock::Args),
    /// Forward TCP bytes: the floor that gateways are compared with
    L4(l4::Args),
    /// Measure what targets add to a request or a stream, and what that costs them
    Run(Box<run::Args>),
    /// Repeat the runs the original published, and print its table with our column beside it
    Profile(Box<profile::Args>),
    /// Measure two tuning profiles of the gateway against each other
    Compare(Box<compare::Args>),
    /// Show a result again, or two side by side
    Report(report_files::Args),
    /// Answer as the rig does, in a process of its own
    #[command(hide = true)]
    Upstream(run::upstream::Args),
    /// Become a program that ends with its parent
    #[command(hide = true)]
    Child(launch::child::Args),
    /// Keep cores from halting
    #[command(hide = true)]
    KeepAwake(host::awake::Args),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }
}
