//! From the command line to a result: short runs, judged by what they print and write, not by their numbers.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::process::{loadgen, output, printed, refusal};

/// What makes a run short. The machine may be busy, and shared with other tests.
const SHORT: [&str; 12] = [
    "--even-if-busy",
    "--keep-noisy",
    "--rounds",
    "1",
    "--block",
    "250ms",
    "--warm-up",
    "20",
    "--realtime=false",
    "--spin=false",
    "--rate",
    "500",
];

fn with_short<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    [arguments, &SHORT, &["--seconds", "1"]].concat()
}

/// The result of a short run, as JSON.
fn run(arguments: &[&str]) -> Value {
    let text = printed(&with_short(&[&["run", "--json"], arguments].concat()));
    serde_json::from_str(&text).unwrap()
}

fn member<'a>(list: &'a Value, name: &str) -> &'a Value {
    let found = list.as_array().unwrap().iter().find(|entry| entry["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {list}"))
}

/// Processes of this machine that a run started and left behind, by their command lines.
fn left_behind(marker: &str) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let command_lines = processes.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    let command_lines =
        command_lines.map(|bytes| String::from_utf8_lossy(&bytes).replace('\0', " "));
    command_lines.filter(|line| line.contains(" l4 ") && line.contains(marker)).collect()
}

/// An address that nothing listens on; the caller is about to.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// What a run started has ended, or does so within half a minute.
fn all_end(marker: &str) -> bool {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !left_behind(marker).is_empty() {
        if Instant::now() > deadline {
            return false;
        }
        thread::yield_now();
    }
    true
}

#[test]
fn an_open_load_finds_what_the_forwarder_adds() {
    let run = run(&["--targets", "direct,l4"]);
    assert_eq!((&run["format"], &run["workload"]["mode"]), (&1.into(), &"open".into()));
    for name in ["direct", "l4"] {
        let target = member(&run["targets"], name);
        assert!(target["ok"].as_u64().is_some_and(|ok| ok > 100), "{target}");
        assert_eq!(target["ok"], target["requests"]);
    }
    let cost = &member(&run["targets"], "l4")["cost"];
    assert!(cost["cpu_us_per_request"].as_f64().is_some_and(|us| us > 1.0), "{cost}");
    assert!(cost["rss_peak_bytes"].as_u64().is_some_and(|bytes| bytes > 1 << 20), "{cost}");
    assert!(member(&run["targets"], "direct")["cost"].is_null());
    let added = &run["paired"][0]["added"]["value"];
    assert!(added.as_f64().is_some_and(|us| us > 0.0), "{run}");
}

#[test]
fn two_forwarders_are_the_null_test() {
    let run = run(&["--null"]);
    let control = &run["control"];
    assert_eq!((&control["target"], &control["reference"]), (&"l4-again".into(), &"l4".into()));
    // A wide bound: it finds a wrong denominator, not noise.
    let ratio = control["ratio"]["value"].as_f64().unwrap();
    assert!((0.3..3.0).contains(&ratio), "{control}");
}

#[test]
fn closed_and_one_by_one_loads_are_measured() {
    let closed = run(&["--targets", "direct,l4", "--load", "closed", "--connections", "4"]);
    for name in ["direct", "l4"] {
        let rate = &member(&closed["targets"], name)["requests_per_second"];
        assert!(rate.as_f64().is_some_and(|rate| rate > 100.0), "{closed}");
    }
    let in_turn = run(&["--targets", "direct,l4", "--load", "one-by-one"]);
    let tuples = in_turn["paired"][0]["tuples"].as_u64();
    assert!(tuples.is_some_and(|tuples| tuples > 10), "{in_turn}");
}

#[test]
fn the_upstream_may_have_a_process_of_its_own() {
    let run = run(&["--targets", "direct,l4", "--apart"]);
    let target = member(&run["targets"], "l4");
    assert!(target["ok"].as_u64().is_some_and(|ok| ok > 100), "{target}");
}

/// The result of a short measurement of streams, as JSON.
fn streams(measure: &str, arguments: &[&str]) -> Value {
    let common = [
        "run",
        "--json",
        "--even-if-busy",
        "--keep-noisy",
        "--realtime=false",
        "--spin=false",
        "--streams",
    ];
    let text = printed(&[&common[..], &[measure, "--targets"], arguments].concat());
    serde_json::from_str(&text).unwrap()
}

#[test]
fn paced_streams_arrive_whole_and_in_order() {
    let short =
        ["--stream-events", "5", "--stream-gap", "5ms", "--stream-tuples", "4", "--rounds", "2"];
    let run = streams("pace", &[&["direct,l4"][..], &short].concat());
    for name in ["direct", "l4"] {
        let paced = member(&run["streams"]["paced"], name);
        assert_eq!((&paced["altered"], &paced["broken"]), (&0.into(), &0.into()), "{paced}");
        assert!(paced["events"].as_u64().is_some_and(|events| events >= 10), "{paced}");
    }
}

#[test]
fn memory_is_read_while_streams_are_silent() {
    let short = ["--stream-steps", "0,20,40", "--stream-hold", "10ms"];
    let run = streams("idle", &[&["l4"][..], &short].concat());
    let points = member(&run["memory"]["series"], "l4")["points"].as_array().unwrap();
    let streams: Vec<f64> = points.iter().map(|point| point[0].as_f64().unwrap()).collect();
    assert!(streams.starts_with(&[0.0, 20.0, 40.0]), "{streams:?}");
    assert!(run["memory"]["series"][0]["slope_bytes"].is_number());
    assert_eq!(run["blocks"]["is_trustworthy"], true);
}

#[test]
fn slow_readers_and_those_who_leave_are_measured() {
    let slow = ["l4", "--stream-clients", "2", "--stream-hold", "1s", "--stream-bytes", "400000"];
    let run = streams("slow", &slow);
    let readers = member(&run["streams"]["slow_readers"], "l4");
    assert!(readers["points"].as_array().is_some_and(|points| points.len() >= 2), "{readers}");
    let leaving = ["direct,l4", "--stream-clients", "3", "--stream-gap", "5ms"];
    let run = streams("disconnects", &leaving);
    for name in ["direct", "l4"] {
        let seen = member(&run["streams"]["disconnects"], name);
        assert_eq!((&seen["closed"], &seen["never_closed"]), (&3.into(), &0.into()), "{seen}");
    }
}

#[test]
fn files_are_written_and_can_be_shown_and_compared() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().to_str().unwrap();
    let arguments = with_short(&["run", "--targets", "direct,l4", "--name", "mine", "--out", out]);
    let table = printed(&arguments);
    assert!(table.contains("mine") && table.contains("l4"), "{table}");
    let with_extension = |extension: &str| {
        let mut paths = fs::read_dir(folder.path()).unwrap().flatten().map(|entry| entry.path());
        paths.find(|path| path.extension().is_some_and(|found| found == extension)).unwrap()
    };
    let json = with_extension("json");
    assert!(fs::read_to_string(with_extension("html")).unwrap().contains("<svg"));
    let json = json.to_str().unwrap();
    assert!(printed(&["report", json]).contains("mine"));
    let page = folder.path().join("compared.html");
    let comparison = printed(&["report", json, json, "--html", page.to_str().unwrap()]);
    assert!(comparison.contains("l4"), "{comparison}");
    assert!(fs::read_to_string(page).unwrap().contains("</html>"));
}

#[test]
fn a_scenario_is_the_same_in_a_file() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("one.toml");
    fs::write(&file, "name = \"one\"\ntargets = [\"direct\"]\nbody_bytes = 3000\n").unwrap();
    let run = run(&["--scenario", file.to_str().unwrap()]);
    assert_eq!(run["name"], "one");
    assert_eq!(run["workload"]["request_bytes"], 3000);
}

#[test]
fn a_peer_is_found_by_its_port() {
    // The forwarder of another run stands for a peer: it leads to an upstream that listens where this run's
    // own does.
    let upstream = free_address();
    let forwarder = crate::process::Forwarder::start(upstream, &[]);
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("peer.toml");
    let text = format!(
        "name = \"peer\"\naddress = \"{}\"\nversion_command = [\"echo\", \"v1\"]\n",
        forwarder.address
    );
    fs::write(&file, text).unwrap();
    let targets = format!("direct,{}", file.display());
    let run = run(&["--targets", &targets, "--upstream-listen", &upstream.to_string()]);
    let peer = member(&run["targets"], "peer");
    assert_eq!(peer["version"], "v1");
    assert!(peer["cost"]["cpu_us_per_request"].as_f64().is_some_and(|us| us > 1.0), "{peer}");
}

#[test]
fn nothing_that_was_started_is_left() {
    let upstream = free_address().to_string();
    run(&["--targets", "direct,l4", "--upstream-listen", &upstream]);
    assert_eq!(left_behind(&upstream), Vec::<String>::new());
}

#[test]
fn children_end_with_a_run_that_is_killed_or_interrupted() {
    for signal in ["-KILL", "-INT"] {
        let upstream = free_address().to_string();
        let long = ["run", "--targets", "direct,l4", "--upstream-listen", &upstream];
        let arguments = [&long[..], &SHORT[..], &["--seconds", "60"]].concat();
        let folder = TempDir::new().unwrap();
        let mut command = loadgen(&arguments);
        command.env("TMPDIR", folder.path()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Its first word comes when everything runs.
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
        assert_ne!(left_behind(&upstream), Vec::<String>::new(), "{line}");
        Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        child.wait().unwrap();
        assert!(all_end(&upstream), "{signal}: {:?}", left_behind(&upstream));
        let folders = fs::read_dir(folder.path()).unwrap().count();
        assert!(signal == "-KILL" || folders == 0, "{folders} folders are left");
    }
}

#[test]
fn mistakes_say_what_to_change() {
    for (arguments, expected) in [
        (&["run", "--even-if-busy", "--rate", "0"][..], "--rate"),
        (&["run", "--even-if-busy", "--targets", "nowhere"], "a target is one of"),
        (&["run", "--even-if-busy", "--gateway", "/nowhere"], "there is no gateway at /nowhere"),
        (&["run", "--even-if-busy", "--load", "ajar"], "ajar"),
        (
            &["run", "--even-if-busy", "--targets", "l4", "--rate", "100000", "--delay", "60s"],
            "open files",
        ),
        (&["run", "--scenario", "/nowhere.toml"], "scenario /nowhere.toml"),
        (&["compare", "a.toml", "tuning/a"], "both set-ups are called"),
        (&["profile", "bifrost-6k"], "bifrost-5k"),
        (&["report", "/nowhere.json"], "/nowhere.json"),
    ] {
        let message = refusal(arguments);
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("other.json");
    fs::write(&file, r#"{"format": 99}"#).unwrap();
    assert!(refusal(&["report", file.to_str().unwrap()]).contains("99"));
}

#[test]
fn a_target_that_does_not_answer_is_named() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("peer.toml");
    let nobody = "127.0.0.1:1";
    fs::write(&file, format!("name = \"peer\"\naddress = \"{nobody}\"\n")).unwrap();
    let output = output(&with_short(&["run", "--targets", Path::new(&file).to_str().unwrap()]));
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains(&format!("nothing listens on {nobody}: start it first")), "{message}");
}
