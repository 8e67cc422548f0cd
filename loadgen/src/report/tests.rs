//! Reports of a made-up run.

mod sample;
mod well_formed;

use crate::result::{
    BlockSummary, Estimate, FORMAT, PairedResult, ReadRunError, TargetResult, VersusResult,
};

use super::*;
use compare::Verdict;
use headline::headline;
use sample::{around, complete};
use well_formed::check_well_formed;

const GOLDEN: &str = "src/report/tests/table.golden";

/// `UPDATE_GOLDEN=1` writes the file anew.
#[test]
fn the_table_is_the_golden_one() {
    let text = table(&complete());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(GOLDEN);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &text).unwrap();
    }
    assert_eq!(text, fs::read_to_string(&path).unwrap(), "{GOLDEN}");
}

#[test]
fn no_line_of_a_table_is_wider_than_a_terminal() {
    let before = complete();
    let mut after = complete();
    after.machine.kernel = "another ".repeat(40);
    after.notes.push("long ".repeat(80));
    let texts = [table(&after), compare_table(&compare(&before, &after))];
    for line in texts.iter().flat_map(|text| text.lines()) {
        assert!(line.chars().count() <= 120, "{line}");
    }
}

#[test]
fn a_run_reads_back_as_it_was_written() {
    let folder = new_folder();
    let run = complete();
    let written = write(&run, &folder).unwrap();
    assert_eq!(written.json, folder.join("2026-02-03-headline.json"));
    assert_eq!(written.html, folder.join("2026-02-03-headline.html"));
    assert!(Run::from_json(&fs::read(&written.json).unwrap()).unwrap() == run);
    assert!(fs::read_to_string(&written.html).unwrap() == html(&run));
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_second_run_of_the_day_does_not_replace_the_first() {
    let folder = new_folder();
    let first = write(&complete(), &folder).unwrap();
    let mut other = complete();
    other.notes.clear();
    let second = write(&other, &folder).unwrap();
    assert_eq!(second.json, folder.join("2026-02-03-headline-2.json"));
    assert_eq!(second.html, folder.join("2026-02-03-headline-2.html"));
    assert!(Run::from_json(&fs::read(&first.json).unwrap()).unwrap() == complete());
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_name_cannot_leave_the_folder() {
    let folder = new_folder();
    let run = Run { name: "../../a b".to_owned(), started_at: "/x".to_owned(), ..complete() };
    let written = write(&run, &folder).unwrap();
    assert_eq!(written.json, folder.join("-x-------a-b.json"));
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn another_format_number_is_refused_by_name() {
    let run = Run { format: FORMAT + 1, ..complete() };
    let error = Run::from_json(&run.to_json().unwrap()).unwrap_err();
    assert!(matches!(error, ReadRunError::OtherFormat(2)));
    assert!(error.to_string().contains("format 2"), "{error}");
}

#[test]
fn what_is_no_run_is_refused() {
    for bytes in ["", "[]", "{}", "{\"format\":1,\"targets\":3}", "{\"format\":1"] {
        let error = Run::from_json(bytes.as_bytes()).unwrap_err();
        assert!(matches!(error, ReadRunError::NotARun(_)), "{bytes}");
    }
    let whole = complete().to_json().unwrap();
    for length in (0..whole.len() - 2).step_by(997) {
        assert!(Run::from_json(&whole[..length]).is_err(), "cut at {length}");
    }
}

#[test]
fn unknown_fields_and_missing_ones_are_tolerated() {
    let json = r#"{"format":1,"name":"n","of_the_future":[1],"targets":[{"name":"t","new":{}}]}"#;
    let run = Run::from_json(json.as_bytes()).unwrap();
    assert_eq!((run.name.as_str(), run.targets[0].name.as_str()), ("n", "t"));
}

#[test]
fn pages_are_well_formed_and_fetch_nothing() {
    let run = complete();
    let nothing = Run::default();
    let pages = [
        html(&run),
        html(&nothing),
        html(&Run { targets: Vec::new(), paired: Vec::new(), versus: Vec::new(), ..complete() }),
        compare_html(&compare(&run, &run)),
        compare_html(&compare(&nothing, &run)),
    ];
    for page in pages {
        check_well_formed(&page);
        for forbidden in ["http://", "https://", "src=", "href=", "<script", "@import", "url("] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        assert!(!page.contains("NaN") && !page.contains("inf "), "a number that is none");
    }
}

#[test]
fn every_plot_says_what_it_is_and_has_its_numbers_in_a_table() {
    let page = html(&complete());
    let plots: Vec<&str> = page.split("<svg viewBox").skip(1).collect();
    let described = plots.iter().filter(|plot| plot.contains("role=\"img\"><title>"));
    let legends = plots.iter().filter(|plot| plot.contains("aria-hidden")).count();
    assert_eq!(described.count() + legends, plots.len());
    for number in ["44.1 [43.8, 44.4]", "1.018 [1.011, 1.025]", "51.5", "3.60 KB per stream"] {
        let cell = format!(">{number}</td>");
        assert!(page.contains(&cell), "{number} is in no table");
    }
}

#[test]
fn names_are_escaped() {
    let evil = "<img onerror=alert(1)>&\"'";
    let mut run = complete();
    run.name = evil.to_owned();
    run.machine.cpu_model = evil.to_owned();
    run.notes = vec![evil.to_owned()];
    run.command = vec![evil.to_owned()];
    run.targets[2].name = evil.to_owned();
    run.paired[1].target = evil.to_owned();
    run.versus[0].target = evil.to_owned();
    let pages = [html(&run), compare_html(&compare(&run, &run))];
    for page in pages {
        assert!(!page.contains("<img"));
        assert!(page.contains("&lt;img"));
        check_well_formed(&page);
    }
}

#[test]
fn a_run_that_is_not_trustworthy_says_so_at_the_top() {
    let run =
        Run { blocks: BlockSummary { is_trustworthy: false, ..complete().blocks }, ..complete() };
    assert!(table(&run).lines().take(5).any(|line| line.contains("NOT TRUSTWORTHY")));
    let page = html(&run);
    let (warning, tiles) = (page.find("Not trustworthy"), page.find("class=\"tiles\""));
    assert!(warning.unwrap() < tiles.unwrap());
    assert!(!html(&complete()).contains("Not trustworthy"));
}

#[test]
fn the_headline_is_about_what_was_measured() {
    let run = complete();
    assert_eq!(
        headline(&run),
        "gateway adds 44.1 µs to direct at the median, 1.018 times what l4 adds."
    );
    let only_streams =
        Run { targets: Vec::new(), paired: Vec::new(), versus: Vec::new(), ..complete() };
    assert_eq!(
        headline(&only_streams),
        "gateway adds 48.0 µs to the first event and 1.84 µs to the gap at p99; all streams arrived \
         unaltered."
    );
    let only_memory = Run { streams: None, ..only_streams };
    assert_eq!(headline(&only_memory), "The memory of gateway grows by 3.60 KB per stream.");
    let closed = Run {
        targets: complete().targets,
        versus: vec![VersusResult {
            rate_ratio: Some(around(1.33, 0.02)),
            added_ratio: None,
            ..complete().versus[3].clone()
        }],
        ..Run::default()
    };
    assert_eq!(
        headline(&closed),
        "gateway answers 1.330 times the requests of nginx and takes 0.867 times its CPU per request."
    );
    assert_eq!(headline(&Run::default()), "Nothing was measured.");
}

#[test]
fn intervals_that_lie_apart_are_a_change_and_others_are_not() {
    let with_added = |added: Estimate| Run {
        paired: vec![PairedResult { added, ..complete().paired[1].clone() }],
        versus: Vec::new(),
        targets: Vec::new(),
        ..complete()
    };
    let before = with_added(around(44.0, 1.0));
    for (after, verdict) in [
        (around(42.0, 0.9), Verdict::Better),
        (around(42.0, 1.1), Verdict::Overlap),
        (around(44.0, 0.1), Verdict::Overlap),
        (around(46.0, 0.9), Verdict::Worse),
    ] {
        let comparison = compare(&before, &with_added(after));
        let change =
            comparison.relative.iter().find(|change| change.measure == "added p50 µs").unwrap();
        assert_eq!(change.verdict, verdict, "{after:?}");
    }
}

#[test]
fn more_requests_a_second_are_better() {
    let with_rate = |rate: f64| Run {
        versus: vec![VersusResult {
            rate_ratio: Some(around(rate, 0.01)),
            ..complete().versus[0].clone()
        }],
        ..complete()
    };
    let comparison = compare(&with_rate(1.2), &with_rate(1.3));
    let rate =
        |change: &&compare::Change| change.measure == "requests/s" && change.subject.contains('/');
    assert_eq!(comparison.relative.iter().find(rate).unwrap().verdict, Verdict::Better);
}

#[test]
fn a_comparison_warns_of_what_makes_it_unfair() {
    let mut after = complete();
    after.machine.kernel = "Linux 7.0".to_owned();
    after.machine.facts[1].1 = "1.90".to_owned();
    after.machine.facts[0].1 = "performance".to_owned();
    after.workload.tuples_per_second = None;
    after.blocks.is_trustworthy = false;
    after.targets.remove(4);
    let warnings = compare(&complete(), &after).warnings;
    let expected = [
        "the machine differs: governor was none, is performance",
        "the machine differs: kernel was Linux 6.18.5, is Linux 7.0",
        "the workload differs: tuples per second was 2500.0, is not given",
        "headline (2026-02-03T04:05:06Z) says of itself that it is not trustworthy",
        "haproxy is not in headline (2026-02-03T04:05:06Z)",
    ];
    assert_eq!(warnings, expected);
    assert_eq!(compare(&complete(), &complete()).warnings, Vec::<String>::new());
}

#[test]
fn a_target_without_processes_and_requests_is_shown_without_them() {
    let run = Run { targets: vec![TargetResult::default()], ..Run::default() };
    let text = table(&run);
    assert!(!text.contains("Cost") && !text.contains("Latency"), "{text}");
}

/// A new folder of its own; the test removes it.
fn new_folder() -> PathBuf {
    let unique = format!("loadgen-report-{}-{}", std::process::id(), fastrand::u64(..));
    let folder = std::env::temp_dir().join(unique);
    fs::create_dir(&folder).unwrap();
    folder
}
