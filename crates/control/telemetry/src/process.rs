//! `process_*`: memory, CPU time and descriptors of this process, read from `/proc`.

use std::fs;

use crate::page::{Family, Kind, Page};

/// The unit of times in `/proc/self/stat`: 100 per second on every architecture Rust runs Linux on.
const TICKS_PER_SECOND: f64 = 100.0;

const KIB: u64 = 1024;

/// Writes what the system tells; what it does not tell is left out.
pub(crate) fn write(page: &mut Page) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let samples = [
        (counter("process_cpu_seconds_total", "User and system time."), cpu_seconds(&stat)),
        (
            gauge("process_resident_memory_bytes", "Resident memory."),
            status_bytes(&status, "VmRSS:"),
        ),
        (gauge("process_virtual_memory_bytes", "Address space."), status_bytes(&status, "VmSize:")),
        (gauge("process_open_fds", "Open file descriptors."), open_descriptors()),
        (gauge("process_max_fds", "Limit on open file descriptors."), descriptors_max(&limits)),
        (
            gauge("process_start_time_seconds", "Start, in seconds since the epoch."),
            start_seconds(&stat),
        ),
    ];
    for (family, value) in samples {
        page.begin(family);
        if let Some(value) = value {
            page.number("", value);
        }
    }
}

const fn gauge(name: &'static str, help: &'static str) -> Family {
    Family { name, help, kind: Kind::Gauge }
}

const fn counter(name: &'static str, help: &'static str) -> Family {
    Family { name, help, kind: Kind::Counter }
}

fn status_bytes(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some((kib * KIB) as f64)
}

/// Field `number` of `/proc/self/stat`, counted from 1 as proc(5) does.
fn stat_field(stat: &str, number: usize) -> Option<f64> {
    // Field 2 is the command name in brackets and may itself hold spaces and brackets.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(number.checked_sub(3)?)?.parse().ok()
}

fn cpu_seconds(stat: &str) -> Option<f64> {
    Some((stat_field(stat, 14)? + stat_field(stat, 15)?) / TICKS_PER_SECOND)
}

fn start_seconds(stat: &str) -> Option<f64> {
    let system = fs::read_to_string("/proc/stat").ok()?;
    let boot: f64 =
        system.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(boot + stat_field(stat, 22)? / TICKS_PER_SECOND)
}

fn open_descriptors() -> Option<f64> {
    Some(fs::read_dir("/proc/self/fd").ok()?.count() as f64)
}

fn descriptors_max(limits: &str) -> Option<f64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_name_with_brackets_does_not_shift_fields() {
        let stat = "7 (a) (b) R 1 7 7 0 -1 4 5 0 0 0 150 50 0 0 20 0 3 0 900 1 2";
        assert_eq!(cpu_seconds(stat), Some(2.0));
        assert_eq!(stat_field(stat, 22), Some(900.0));
    }

    #[test]
    fn every_process_metric_has_a_value_here() {
        let mut page = Page::default();
        write(&mut page);
        let text = page.into_text();
        for name in [
            "process_cpu_seconds_total",
            "process_resident_memory_bytes",
            "process_virtual_memory_bytes",
            "process_open_fds",
            "process_max_fds",
            "process_start_time_seconds",
        ] {
            assert!(text.lines().any(|line| line.starts_with(&format!("{name} "))), "{name}");
        }
    }
}
