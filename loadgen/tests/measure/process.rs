//! Runs `loadgen` as a user would.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Output, Stdio};

/// `loadgen` with these arguments.
pub(crate) fn loadgen(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.args(arguments);
    command
}

/// Runs it to its end.
pub(crate) fn output(arguments: &[&str]) -> Output {
    loadgen(arguments).output().unwrap()
}

/// Runs it to its end, which must be a good one.
pub(crate) fn printed(arguments: &[&str]) -> String {
    let output = output(arguments);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// The message of a run that must fail.
pub(crate) fn refusal(arguments: &[&str]) -> String {
    let output = output(arguments);
    assert!(!output.status.success(), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// A bare forwarder, ended with the test.
pub(crate) struct Forwarder {
    pub(crate) address: SocketAddr,
    child: Child,
}

impl Forwarder {
    pub(crate) fn start(to: SocketAddr, environment: &[(&str, &str)]) -> Self {
        let to = to.to_string();
        let mut command = loadgen(&["l4", "--to", to.as_str()]);
        command.envs(environment.iter().copied()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on tcp://").unwrap().parse().unwrap();
        Self { address, child }
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        // It fails only for a child that has ended, and then the test has failed already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
