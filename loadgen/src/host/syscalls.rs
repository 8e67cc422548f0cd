//! Counts the system calls of processes while they work, by the kernel's own tracing (`perf`) or, without it,
//! by `strace`. Both slow down what they watch, so this is done in a short run of its own.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::NamedTempFile;

/// A tool that counts at this moment. What it has counted is lost when it is dropped unfinished.
#[derive(Debug)]
pub(crate) struct Counter {
    tool: Tool,
    child: Child,
    report: NamedTempFile,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tool {
    Perf,
    Strace,
}

impl Counter {
    /// Begins to count the system calls of these processes and all their threads. The error says what the
    /// tools said.
    pub(crate) fn attach(pids: &[i32]) -> Result<Self, String> {
        let perf = Self::start(Tool::Perf, pids);
        perf.or_else(|of_perf| {
            Self::start(Tool::Strace, pids)
                .map_err(|of_strace| format!("perf: {of_perf}; strace: {of_strace}"))
        })
    }

    fn start(tool: Tool, pids: &[i32]) -> Result<Self, String> {
        let report = NamedTempFile::new().map_err(|error| error.to_string())?;
        let mut list = String::new();
        for (index, pid) in pids.iter().enumerate() {
            // Writing to a string cannot fail.
            let _ = write!(list, "{}{pid}", if index == 0 { "" } else { "," });
        }
        let mut command = tool.command(&list);
        command.arg("-o").arg(report.path());
        if tool == Tool::Perf {
            // perf counts while this command lives, and starts it when all counters run.
            command.args(["--", "sh", "-c", "echo attached >&2; read -r end; :"]);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let attached = wait_until_attached(&mut child);
        let counter = Self { tool, child, report };
        attached.map(|()| counter)
    }

    /// Ends the counting; `None` when the report cannot be read.
    pub(crate) fn finish(mut self) -> Option<u64> {
        match self.tool {
            // The command that perf waits for reads until its input ends.
            Tool::Perf => drop(self.child.stdin.take()),
            Tool::Strace => interrupt(&self.child),
        }
        // perf and strace tell by their status how the watched ended, not how they did.
        let _ = self.child.wait();
        let report = fs::read_to_string(self.report.path()).ok()?;
        match self.tool {
            Tool::Perf => counted_by_perf(&report),
            Tool::Strace => counted_by_strace(&report),
        }
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // strace lets go of what it holds when it is interrupted, not when it is killed.
            interrupt(&self.child);
            drop(self.child.stdin.take());
            let _ = self.child.wait();
        }
    }
}

impl Tool {
    fn command(self, pids: &str) -> Command {
        let mut command = match self {
            Self::Perf => Command::new("perf"),
            Self::Strace => Command::new("strace"),
        };
        match self {
            Self::Perf => command.args(["stat", "-x", ",", "-e", "raw_syscalls:sys_enter"]),
            Self::Strace => command.args(["-c", "-f"]),
        };
        command.args(["-p", pids]);
        command
    }
}

/// Reads what the tool prints until it says that it is attached, or ends. Later output is not read: each
/// tool writes its report to a file.
fn wait_until_attached(child: &mut Child) -> Result<(), String> {
    let Some(output) = child.stderr.take() else { return Err("no output".to_owned()) };
    let mut said = String::new();
    for line in BufReader::new(output).lines() {
        let line = line.map_err(|error: io::Error| error.to_string())?;
        if line.ends_with("attached") || line.contains(" attached with ") {
            return Ok(());
        }
        said = line;
    }
    let _ = child.wait();
    Err(if said.is_empty() { "it ended at once".to_owned() } else { said })
}

fn interrupt(child: &Child) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // It fails for a process that has ended, which is what is wanted.
        let _ = kill_process(pid, Signal::INT);
    }
}

/// The first field of `123,,raw_syscalls:sys_enter,…`; nothing counted is zero.
fn counted_by_perf(report: &str) -> Option<u64> {
    let line = report.lines().find(|line| line.contains("raw_syscalls:sys_enter"))?;
    match line.split(',').next()? {
        "<not counted>" => Some(0),
        count => count.parse().ok(),
    }
}

/// The fourth column of the line `total`.
fn counted_by_strace(report: &str) -> Option<u64> {
    let line = report.lines().rev().find(|line| line.trim_end().ends_with("total"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn reports_are_understood() {
        let perf = "# started on Sat\n\n1234,,raw_syscalls:sys_enter,5000,100.00,,\n";
        assert_eq!(counted_by_perf(perf), Some(1234));
        let perf = "<not counted>,,raw_syscalls:sys_enter,0,100.00,,\n";
        assert_eq!(counted_by_perf(perf), Some(0));
        assert_eq!(counted_by_perf("nonsense"), None);
        let strace = "% time     seconds  usecs/call     calls    errors syscall\n\
                      ------ ----------- ----------- --------- --------- ----------------\n\
                       60.00    0.000021           2        10           read\n\
                      100.00    0.000035           3        14         2 total\n";
        assert_eq!(counted_by_strace(strace), Some(14));
        assert_eq!(counted_by_strace(""), None);
    }

    #[test]
    fn the_calls_of_a_child_are_counted_where_a_tool_is_allowed() {
        // Reads a line and writes one: two calls a turn at least.
        let mut command = Command::new("cat");
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        match Counter::attach(&[child.id() as i32]) {
            Ok(counter) => {
                let mut line = String::new();
                for _ in 0..50 {
                    input.write_all(b"hello\n").unwrap();
                    line.clear();
                    output.read_line(&mut line).unwrap();
                }
                let counted = counter.finish();
                assert!(counted.is_some_and(|count| (100..200).contains(&count)), "{counted:?}");
            }
            Err(reason) => assert!(reason.contains("perf: ") && reason.contains("strace: ")),
        }
        drop(input);
        child.wait().unwrap();
    }
}
