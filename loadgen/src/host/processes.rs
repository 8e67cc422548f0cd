//! Processes seen from outside: which ones stand behind a port, and what they have used.

use std::collections::HashSet;
use std::net::SocketAddr;

use procfs::net::{TcpNetEntry, TcpState, tcp, tcp6};
use procfs::process::{FDTarget, Process, all_processes};

use super::snapshot::ProcessCost;

/// The processes behind a target: those found and all their descendants at that moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Group {
    pids: Vec<i32>,
}

impl Group {
    /// A process without its descendants.
    pub(crate) fn alone(pid: i32) -> Self {
        Self { pids: vec![pid] }
    }

    /// A process and its descendants.
    pub(crate) fn of(pid: i32) -> Self {
        Self::with_descendants(HashSet::from([pid]))
    }

    /// The processes that listen on an address of this machine, with their descendants; `None` when there
    /// is none, or it may not be looked at.
    pub(crate) fn listening_on(address: SocketAddr) -> Option<Self> {
        let inodes = listening_inodes(address);
        let pids: HashSet<i32> = all_processes()
            .ok()?
            .flatten()
            .filter(|process| holds_socket(process, &inodes))
            .map(|process| process.pid())
            .collect();
        (!pids.is_empty()).then(|| Self::with_descendants(pids))
    }

    fn with_descendants(mut pids: HashSet<i32>) -> Self {
        let parents: Vec<(i32, i32)> = all_processes()
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|process| Some((process.pid(), process.stat().ok()?.ppid)))
            .collect();
        // Each turn finds the children of those known; as many turns as the tree is deep.
        loop {
            let known = pids.len();
            let children = parents.iter().filter(|(_, parent)| pids.contains(parent));
            let children: Vec<i32> = children.map(|(pid, _)| *pid).collect();
            pids.extend(children);
            if pids.len() == known {
                break;
            }
        }
        let mut pids: Vec<i32> = pids.into_iter().collect();
        pids.sort_unstable();
        Self { pids }
    }

    /// The processes' ids, ascending.
    pub(crate) fn pids(&self) -> &[i32] {
        &self.pids
    }

    /// The ids of all threads alive.
    pub(crate) fn threads(&self) -> Vec<i32> {
        let processes = self.pids.iter().filter_map(|pid| Process::new(*pid).ok());
        let tasks = processes.filter_map(|process| process.tasks().ok());
        tasks.flatten().flatten().map(|task| task.tid).collect()
    }

    /// The most resident memory each ever had, summed up, in bytes.
    pub(crate) fn peak_rss_bytes(&self) -> u64 {
        self.pids.iter().filter_map(|pid| peak_of(*pid)).sum()
    }

    /// What they have used; processes that are gone count as nothing. `with_pss` asks for the memory with
    /// shared pages divided, which takes milliseconds.
    pub(crate) fn cost(&self, with_pss: bool) -> ProcessCost {
        let mut sum = ProcessCost { pss_bytes: with_pss.then_some(0), ..ProcessCost::default() };
        for process in self.pids.iter().filter_map(|pid| Process::new(*pid).ok()) {
            add_threads(&mut sum, &process);
            sum.rss_bytes +=
                process.statm().map_or(0, |memory| memory.resident) * procfs::page_size();
            if let Some(pss_bytes) = &mut sum.pss_bytes {
                *pss_bytes += pss_of(&process).unwrap_or(0);
            }
        }
        sum
    }
}

/// The most memory a process ever had, in bytes.
fn peak_of(pid: i32) -> Option<u64> {
    Process::new(pid).ok()?.status().ok()?.vmhwm.map(|kilobytes| kilobytes << 10)
}

fn add_threads(sum: &mut ProcessCost, process: &Process) {
    for task in process.tasks().into_iter().flatten().flatten() {
        // A thread that ends between the listing and here has nothing to tell.
        let (Ok(times), Ok(status)) = (task.schedstat(), task.status()) else { continue };
        sum.cpu_ns += times.sum_exec_runtime;
        sum.run_delay_ns += times.run_delay;
        sum.voluntary_switches += status.voluntary_ctxt_switches.unwrap_or(0);
        sum.involuntary_switches += status.nonvoluntary_ctxt_switches.unwrap_or(0);
        sum.threads += 1;
    }
}

fn pss_of(process: &Process) -> Option<u64> {
    let rollup = process.smaps_rollup().ok()?;
    let map = rollup.memory_map_rollup.0.into_iter().next()?;
    map.extension.map.get("Pss").copied()
}

/// The sockets that listen for an address: on it, or on every address of its family or of both.
fn listening_inodes(address: SocketAddr) -> HashSet<u64> {
    let takes = |entry: &TcpNetEntry| {
        let local = entry.local_address;
        entry.state == TcpState::Listen
            && local.port() == address.port()
            && (local.ip() == address.ip() || local.ip().is_unspecified())
    };
    let tables = [tcp(), tcp6()];
    tables.into_iter().flatten().flatten().filter(takes).map(|entry| entry.inode).collect()
}

fn holds_socket(process: &Process, inodes: &HashSet<u64>) -> bool {
    // Other users' processes do not show their descriptors; they are none that listen for us to measure.
    let descriptors = process.fd().into_iter().flatten().flatten();
    descriptors
        .map(|descriptor| descriptor.target)
        .any(|target| matches!(target, FDTarget::Socket(inode) if inodes.contains(&inode)))
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    use super::*;

    /// A child that is ended with the test.
    struct Shell(Child);

    impl Shell {
        /// Runs a script and waits for its first line.
        fn start(script: &str) -> (Self, String) {
            let mut command = Command::new("sh");
            command.args(["-c", script]).stdout(Stdio::piped());
            let mut child = command.spawn().unwrap();
            let mut line = String::new();
            BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
            (Self(child), line.trim().to_owned())
        }

        fn pid(&self) -> i32 {
            self.0.id() as i32
        }
    }

    impl Drop for Shell {
        fn drop(&mut self) {
            for pid in Group::of(self.pid()).pids() {
                let pid = rustix::process::Pid::from_raw(*pid).unwrap();
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
            let _ = self.0.wait();
        }
    }

    #[test]
    fn the_process_that_listens_is_found_by_its_port() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let found = Group::listening_on(address).unwrap();
        assert!(found.pids().contains(&(std::process::id() as i32)));
        drop(listener);
        assert_eq!(Group::listening_on(address), None);
    }

    #[test]
    fn a_listener_on_every_address_is_found_too() {
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(Group::listening_on(SocketAddr::from(([127, 0, 0, 1], port))).is_some());
    }

    #[test]
    fn descendants_belong_to_the_group() {
        let (shell, child) = Shell::start("sh -c 'echo $$; sleep 1000; :' & wait");
        let group = Group::of(shell.pid());
        assert!(group.pids().contains(&child.parse().unwrap()), "{group:?} {child}");
    }

    #[test]
    fn a_busy_child_uses_time_and_a_sleeping_one_does_not() {
        let (busy, _) = Shell::start("echo ready; while :; do :; done");
        let (asleep, _) = Shell::start("echo ready; exec sleep 1000");
        let (busy, asleep) = (Group::of(busy.pid()), Group::of(asleep.pid()));
        let (busy_before, asleep_before) = (busy.cost(false), asleep.cost(false));
        let deadline = Instant::now() + Duration::from_secs(30);
        let used = |group: &Group, before: &ProcessCost| group.cost(false).cpu_ns - before.cpu_ns;
        while used(&busy, &busy_before) < 50_000_000 {
            assert!(Instant::now() < deadline, "50 ms of work were not seen");
        }
        assert!(used(&asleep, &asleep_before) < 25_000_000);
    }

    #[test]
    fn memory_and_threads_of_a_process_are_read() {
        let cost = Group::of(std::process::id() as i32).cost(true);
        assert!(cost.rss_bytes > 1 << 20 && cost.threads >= 1, "{cost:?}");
        assert!(cost.pss_bytes.is_some_and(|pss_bytes| pss_bytes > 0), "{cost:?}");
        let own = Group::alone(std::process::id() as i32);
        assert!(own.peak_rss_bytes() >= own.cost(false).rss_bytes / 2);
        assert_eq!(Group::default().cost(false), ProcessCost::default());
    }
}
