//! What the machine is, for the reader of a result: hardware, kernel, and the settings that move latencies.

use std::fs;

use procfs::{CpuInfo, Current, LoadAverage, Meminfo};

use crate::result::Machine;

/// Files whose content is noted under the name beside them, where they exist.
const FACT_FILES: &[(&str, &str)] = &[
    ("governor", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
    ("idle driver", "/sys/devices/system/cpu/cpuidle/current_driver"),
    ("clock source", "/sys/devices/system/clocksource/clocksource0/current_clocksource"),
    ("spectre v2", "/sys/devices/system/cpu/vulnerabilities/spectre_v2"),
    ("meltdown", "/sys/devices/system/cpu/vulnerabilities/meltdown"),
    ("net.core.somaxconn", "/proc/sys/net/core/somaxconn"),
    ("ip_local_port_range", "/proc/sys/net/ipv4/ip_local_port_range"),
    ("io_uring_disabled", "/proc/sys/kernel/io_uring_disabled"),
];

/// Reads it all. What cannot be read is left empty; `scheduler` is the caller's to fill in.
pub(crate) fn describe() -> Machine {
    let processors = CpuInfo::current().ok();
    let field = |name: &str| -> Option<String> {
        processors.as_ref()?.get_field(0, name).map(str::to_owned)
    };
    let flags = field("flags").unwrap_or_default();
    Machine {
        cpu_model: field("model name").unwrap_or_default(),
        cores: processors.as_ref().map_or(0, |info| info.num_cores() as u32),
        kernel: line("/proc/sys/kernel/osrelease").unwrap_or_default(),
        memory_bytes: Meminfo::current().map_or(0, |memory| memory.mem_total),
        is_virtual: flags.split(' ').any(|flag| flag == "hypervisor").then(hypervisor),
        thp: line("/sys/kernel/mm/transparent_hugepage/enabled")
            .map(|modes| chosen(&modes))
            .unwrap_or_default(),
        scheduler: String::new(),
        facts: facts(),
    }
}

/// The kind of hypervisor where the system tells it.
fn hypervisor() -> String {
    let vendor = line("/sys/hypervisor/type").or_else(|| line("/sys/class/dmi/id/sys_vendor"));
    vendor.unwrap_or_else(|| "a hypervisor of unknown kind".to_owned())
}

fn facts() -> Vec<(String, String)> {
    let files = FACT_FILES.iter().filter_map(|(name, path)| Some((*name, line(path)?)));
    let load = LoadAverage::current().ok();
    let load = load.map(|load| {
        ("load average at start", format!("{} {} {}", load.one, load.five, load.fifteen))
    });
    files.chain(load).map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The first line of a small file, without spaces around it and with single ones inside.
fn line(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let words: Vec<&str> = text.lines().next()?.split_whitespace().collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// `madvise` of `always [madvise] never`.
fn chosen(modes: &str) -> String {
    let mode = modes.split(' ').find_map(|mode| mode.strip_prefix('[')?.strip_suffix(']'));
    mode.unwrap_or(modes).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_cores_memory_and_a_kernel() {
        let machine = describe();
        assert!(machine.cores >= 1 && machine.memory_bytes > 1 << 20, "{machine:?}");
        assert!(machine.kernel.chars().next().is_some_and(|digit| digit.is_ascii_digit()));
        assert!(machine.facts.iter().any(|(name, _)| name == "load average at start"));
    }

    #[test]
    fn the_mode_in_brackets_is_the_chosen_one() {
        assert_eq!(chosen("always [madvise] never"), "madvise");
        assert_eq!(chosen("never"), "never");
    }
}
