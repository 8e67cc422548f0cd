//! A tuning profile counts where the file says nothing, and nowhere else.

use std::time::Duration;

use config::{Config, Driver, Profile, Server, Source};

const PROFILE: &str = r#"
[gateway]
workers = 2
pin_cores = true
driver = "epoll"
busy_poll_us = 50
initial_pool_size = 77
concurrency = 30
buffer_size = 60

[host]
"net.core.somaxconn" = 4096
"#;

fn profile(text: &str) -> Profile {
    Profile::parse("fast", text).expect("a sound profile")
}

fn parse(profile: &Profile, file: &str) -> Config {
    config::parse_over(Some(profile), file.as_bytes(), &|_| None).expect("a sound file")
}

/// What the configuration says it has from the profile.
fn filled(config: &Config) -> Vec<String> {
    let from = config.profile.as_ref().expect("a profile was given");
    assert_eq!(from.name, "fast");
    from.settings.iter().map(ToString::to_string).collect()
}

fn problems(text: &str) -> String {
    Profile::parse("bad", text).expect_err("a profile with mistakes").to_string()
}

#[test]
fn it_fills_what_the_file_leaves_open() {
    let config = parse(&profile(PROFILE), r#"{"providers":{"mock":{}}}"#);
    assert_eq!(config.server.workers.map(u16::from), Some(2));
    assert!(config.server.pin_cores);
    assert_eq!(config.server.driver, Driver::Epoll);
    assert_eq!(config.server.busy_poll, Some(Duration::from_micros(50)));
    assert_eq!(config.server.ring_entries, Server::default().ring_entries);
    assert_eq!(config.client.initial_pool_size, 77);
    let [mock] = &config.providers[..] else { panic!("one provider") };
    assert_eq!((mock.concurrency, mock.buffer_size), (30, 60));
    let mut told = filled(&config);
    told.sort();
    assert_eq!(
        told,
        [
            "client.initial_pool_size = 77",
            "providers.*.concurrency_and_buffer_size.buffer_size = 60",
            "providers.*.concurrency_and_buffer_size.concurrency = 30",
            "server.busy_poll_us = 50",
            "server.driver = \"epoll\"",
            "server.pin_cores = true",
            "server.workers = 2",
        ]
    );
}

#[test]
fn the_file_wins_and_null_is_as_good_as_nothing() {
    let file = r#"{
        "server": {"workers": 5, "pin_cores": false, "driver": null},
        "client": {"initial_pool_size": 9},
        "providers": {
            "mock": {"concurrency_and_buffer_size": null},
            "openai": {"keys": [], "concurrency_and_buffer_size": {"buffer_size": 2000}}
        }
    }"#;
    let config = parse(&profile(PROFILE), file);
    assert_eq!(config.server.workers.map(u16::from), Some(5));
    assert!(!config.server.pin_cores);
    assert_eq!(config.server.driver, Driver::Epoll);
    assert_eq!(config.client.initial_pool_size, 9);
    let sizes = config.providers.iter().map(|one| (one.concurrency, one.buffer_size));
    assert_eq!(sizes.collect::<Vec<_>>(), [(30, 60), (1000, 2000)]);
    let mut told = filled(&config);
    told.sort();
    assert_eq!(
        told,
        [
            "providers.mock.concurrency_and_buffer_size.buffer_size = 60",
            "providers.mock.concurrency_and_buffer_size.concurrency = 30",
            "server.busy_poll_us = 50",
            "server.driver = \"epoll\"",
        ]
    );
}

#[test]
fn without_a_file_it_stands_above_the_defaults() {
    let env = |name: &str| (name == "OPENAI_API_KEY").then(|| "sk-1".to_owned());
    let config = config::without_file_over(Some(&profile(PROFILE)), &env);
    assert_eq!(config.source, Source::Environment);
    assert_eq!(config.server.workers.map(u16::from), Some(2));
    assert_eq!(config.client.initial_pool_size, 77);
    assert_eq!(config.providers.len(), 2);
    assert!(config.providers.iter().all(|one| (one.concurrency, one.buffer_size) == (30, 60)));
    assert_eq!(filled(&config).len(), 7);
}

#[test]
fn an_empty_one_changes_nothing() {
    for text in ["", "[gateway]", "[host]\nnofile = 1024"] {
        let config = parse(&profile(text), r#"{"providers":{"mock":{}}}"#);
        assert_eq!(config.server, Server::default());
        assert!(filled(&config).is_empty());
    }
}

#[test]
fn what_file_and_profile_say_together_is_checked_too() {
    let profile = profile("[gateway]\nbuffered_bytes_max = 16777216");
    let file = br#"{"server": {"body_buffer_bytes_max": 33554432}}"#;
    let problems = config::parse_over(Some(&profile), file, &|_| None).expect_err("too small");
    assert!(problems.to_string().contains("must fit into the budget"), "{problems}");
    assert!(config::parse(file, &|_| None).is_ok(), "the file alone is sound");
}

#[test]
fn a_file_of_the_wrong_shape_is_refused_as_without_a_profile() {
    let profile = profile(PROFILE);
    for file in ["[]", "null", r#"{"server":[]}"#, r#"{"client":1}"#, r#"{"providers":[]}"#, "{"] {
        let over = config::parse_over(Some(&profile), file.as_bytes(), &|_| None).unwrap_err();
        let alone = config::parse(file.as_bytes(), &|_| None).unwrap_err();
        assert_eq!(over.to_string(), alone.to_string(), "{file}");
    }
}

#[test]
fn mistakes_are_reported_with_their_place_and_a_hint() {
    for (text, expected) in [
        (
            "[gateway]\nbusy_pol_us = 1",
            "gateway.busy_pol_us: unknown member (did you mean `busy_poll_us`?)",
        ),
        ("[gateway]\nworkers = 0", "gateway.workers: must be at least 1, not 0"),
        ("[gateway]\nworkers = -1", "gateway.workers: must be at least 1, not -1"),
        ("[gateway]\nworkers = 1.5", "gateway.workers: must be an integer, not 1.5"),
        ("[gateway]\npin_cores = 1", "gateway.pin_cores: must be a boolean, not a number"),
        (
            "[gateway]\nbuffer_bytes = 5000",
            "gateway.buffer_bytes: must be a multiple of 4096, not 5000",
        ),
        (
            "[gateway]\ninitial_pool_size = 0",
            "gateway.initial_pool_size: must be at least 1, not 0",
        ),
        (
            "[gateway]\nbuffer_size = 10",
            "gateway: `concurrency` and `buffer_size` are set together",
        ),
        (
            "[gateway]\nconcurrency = 2\nbuffer_size = 1",
            "gateway: `concurrency` (2) must be at most `buffer_size` (1)",
        ),
        ("[gateway]\ntls = 1", "gateway.tls: unknown member"),
        ("[gatewy]", "gatewy: unknown member (did you mean `gateway`?)"),
        ("gateway = 1", "gateway: must be an object, not a number"),
        ("host = 1", "host: must be an object, not a number"),
        ("[gateway]\nworkers = 1979-05-27", "gateway.workers: must be an integer, not an object"),
    ] {
        let found = problems(text);
        assert!(found.lines().any(|line| line == expected), "{text}: {found}");
    }
}

#[test]
fn a_syntax_error_names_its_line() {
    for (text, line) in [("[gateway", 1), ("[gateway]\n\nworkers = ", 3), ("a = 1\na = 2", 2)] {
        let found = problems(text);
        assert!(found.starts_with(&format!("not valid TOML at line {line}: ")), "{text}: {found}");
    }
}

#[test]
fn a_profile_cut_anywhere_is_read_or_refused_without_a_panic() {
    for end in 0..PROFILE.len() {
        if let Err(problems) = Profile::parse("cut", &PROFILE[..end]) {
            assert!(!problems.list().is_empty());
        }
    }
}
