//! Starting what is measured, and ending it again: the gateway, the bare forwarder, and the loop that keeps
//! cores awake. Nothing that was started outlives this process.

pub(crate) mod child;
pub(crate) mod gateway;
pub(crate) mod signals;

use std::env;
use std::io;
use std::net::SocketAddr;
use std::process::Command;

use crate::host::schedule::Place;
use child::Child;

/// The bare forwarder, listening on a free port of this machine.
#[derive(Debug)]
pub(crate) struct Forwarder {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
}

impl Forwarder {
    /// Starts it and waits until it listens. `name` is what messages call it.
    pub(crate) fn start(name: &str, to: SocketAddr, place: Place) -> Result<Self, String> {
        let mut command = own_program().map_err(|error| error.to_string())?;
        command.args(["l4", "--to"]).arg(to.to_string());
        let mut child = Child::start(name, &command, place)?;
        let address = child.wait_until_listening()?;
        Ok(Self { child, address })
    }
}

/// Keeps these cores from halting until what is returned is dropped.
pub(crate) fn keep_awake(cores: &[usize]) -> Result<Child, String> {
    let mut command = own_program().map_err(|error| error.to_string())?;
    command.arg("keep-awake");
    for core in cores {
        command.arg("--core").arg(core.to_string());
    }
    Child::start("keep-awake", &command, Place::default())
}

/// This very program, for its other subcommands.
pub(crate) fn own_program() -> io::Result<Command> {
    env::current_exe().map(Command::new)
}
