//! `loadgen keep-awake`: keeps cores from halting while something is measured. Leaving the halted state costs
//! 5 to 50 µs in a virtual machine, which would hide what is measured; a loop that runs only when nothing else
//! wants the core costs the others nothing but heat.

use std::error::Error;
use std::hint;
use std::thread;

use crate::host::schedule::{self, Policy};

/// Flags of `loadgen keep-awake`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Core to keep awake; may be given several times
    #[arg(long = "core", required = true)]
    cores: Vec<usize>,
}

/// Runs until the process is ended; returns only with an error.
pub(crate) fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let threads: Vec<_> =
        args.cores.iter().map(|&core| thread::spawn(move || keep_awake(core))).collect();
    for thread in threads {
        thread.join().map_err(|_| "a thread that kept a core awake panicked")??;
    }
    Ok(())
}

fn keep_awake(core: usize) -> std::io::Result<()> {
    schedule::pin(None, core)?;
    // Without it the loop would compete with what is measured.
    schedule::set_policy(None, Policy::Idle)?;
    loop {
        hint::spin_loop();
    }
}
