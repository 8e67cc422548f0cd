//! Does cases of the table as often as it is told: what `ci/instructions` puts under valgrind.

use std::io::{self, Write};
use std::process::ExitCode;

use bench::allocations::Counting;
use bench::{Case, Pace, Thread};

#[global_allocator]
static ALLOCATOR: Counting<mimalloc::MiMalloc> = Counting(mimalloc::MiMalloc);

const USAGE: &str = "usage:
    iterate list                     every case: name, iterations, thread whose work counts
    iterate run CASE COUNT           does it that often
    iterate allocations CASE COUNT   the same, and tells the allocations of each time";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match answer(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where stderr is closed nobody wants to know.
            let _ = writeln!(io::stderr().lock(), "iterate: {error}");
            ExitCode::FAILURE
        }
    }
}

fn answer(arguments: &[&str]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match arguments {
        ["list"] => bench::cases().try_for_each(|case| {
            writeln!(out, "{} {} {}", case.name, case.iterations, thread_name(case.thread()))
        }),
        ["run", name, count] => run(find(name)?, number(count)?),
        ["allocations", name, count] => {
            let made = bench::allocations_per_step(find(name)?, number(count)?)?;
            writeln!(out, "{made}")
        }
        _ => Err(io::Error::other(USAGE)),
    }
}

fn run(case: &Case, count: u32) -> io::Result<()> {
    let mut step = case.start(Pace::Lockstep)?;
    (0..count).try_for_each(|_| step())
}

fn thread_name(thread: Thread) -> &'static str {
    match thread {
        Thread::Caller => "caller",
        Thread::Worker => "worker",
    }
}

fn find(name: &str) -> io::Result<&'static Case> {
    let unknown = || io::Error::other(format!("no case {name}; `iterate list` shows all"));
    bench::case(name).ok_or_else(unknown)
}

fn number(text: &str) -> io::Result<u32> {
    let count = text.parse().ok().filter(|count| *count > 0);
    count.ok_or_else(|| io::Error::other(format!("{text}: a count is a number above 0")))
}
