//! Each folder of `fixtures` is a case: `config.json` gives `config.golden` where it is accepted and
//! `problems.golden` where it is not. `UPDATE_GOLDEN=1` rewrites both.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use config::{Client, Config, Note, ProviderConfig, Server};
use serde_json::{Value, json};

/// The environment of every case.
const VARIABLES: &[(&str, &str)] = &[
    ("OPENAI_API_KEY", "sk-secret-openai"),
    ("VIRTUAL_KEY", "sk-bf-secret-virtual"),
    ("ADMIN_NAME", "root"),
    ("ADMIN_PASSWORD", "secret-administrator"),
    ("EMPTY", ""),
    ("VLLM_URL", "http://gpu-1.internal:8000"),
    ("PROXY_URL", "http://gateway-user:secret-password@proxy.internal:3128"),
    ("HTTPS_PROXY", "http://egress.internal:3128"),
    ("no_proxy", "internal, 10.0.0.0/8"),
    ("TLS_KEY", "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n"),
];

#[test]
fn every_case_gives_its_golden_result() {
    let cases = cases();
    assert!(cases.len() >= 25, "only {} cases", cases.len());
    let failed: Vec<_> = cases.iter().filter_map(|case| check(case).err()).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn no_value_of_a_secret_is_ever_printed() {
    for case in cases() {
        let text = fs::read(case.join("config.json")).unwrap();
        let printed = match config::parse(&text, &env) {
            Ok(config) => format!("{config:#?}"),
            Err(problems) => format!("{problems} {problems:?}"),
        };
        // Two members have the word in their names.
        let printed = printed.replace("client_secret", "").replace("secret_key", "");
        assert!(!printed.contains("secret"), "{}", case.display());
    }
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    for case in cases() {
        let text = fs::read(case.join("config.json")).unwrap();
        let end = text.trim_ascii_end().len();
        for cut in (0..end).step_by(7) {
            assert!(config::parse(&text[..cut], &env).is_err(), "{} {cut}", case.display());
        }
    }
}

/// Whatever stands in the place of whatever value, the answer is a result and never a panic, and
/// values of the wrong type are reported where they stand.
#[test]
fn any_value_in_any_place_gives_a_result() {
    let strange = [json!(null), json!([]), json!({}), json!("x"), json!(-1), json!([[{"a": {}}]])];
    for case in cases() {
        let text = fs::read(case.join("config.json")).unwrap();
        let Ok(root) = serde_json::from_slice::<Value>(&text) else { continue };
        for pointer in pointers(&root) {
            for value in &strange {
                let mut changed = root.clone();
                *changed.pointer_mut(&pointer).unwrap() = value.clone();
                if let Err(problems) = config::parse(changed.to_string().as_bytes(), &env) {
                    assert!(problems.list().iter().all(|problem| !problem.message.is_empty()));
                }
            }
        }
    }
}

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let entries = fs::read_dir(folder).expect("the fixtures are there");
    let mut cases: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    cases.sort();
    cases
}

fn env(name: &str) -> Option<String> {
    let (_, value) = VARIABLES.iter().find(|(known, _)| *known == name)?;
    Some((*value).to_owned())
}

fn check(case: &Path) -> Result<(), String> {
    let text = fs::read(case.join("config.json")).map_err(|error| format!("{case:?}: {error}"))?;
    let (file, printed) = match config::parse(&text, &env) {
        Ok(config) => ("config.golden", print(&config)),
        Err(problems) => ("problems.golden", format!("{problems}\n")),
    };
    let golden = case.join(file);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        for other in ["config.golden", "problems.golden"] {
            let _ = fs::remove_file(case.join(other));
        }
        return fs::write(&golden, printed).map_err(|error| format!("{golden:?}: {error}"));
    }
    let expected = fs::read_to_string(&golden).unwrap_or_default();
    if expected == printed {
        return Ok(());
    }
    Err(format!("--- {}: expected\n{expected}\n--- got\n{printed}", golden.display()))
}

/// Everything that differs from an empty file.
fn print(config: &Config) -> String {
    let mut lines = Vec::new();
    if config.server != Server::default() {
        lines.push(format!("{:#?}", config.server));
    }
    if config.client != Client::default() {
        lines.push(format!("{:#?}", config.client));
    }
    for provider in &config.providers {
        print_provider(&mut lines, provider);
    }
    for key in &config.virtual_keys {
        lines.push(format!("{key:#?} value: {} bytes", key.value.expose().len()));
    }
    if let Some(administrator) = &config.administrator {
        let bytes = administrator.password.expose().len();
        lines.push(format!("{administrator:#?} password: {bytes} bytes"));
    }
    print_notes(&mut lines, "warnings", &config.warnings);
    print_notes(&mut lines, "accepted, not active yet", &config.inactive);
    lines.into_iter().map(|line| line + "\n").collect()
}

/// Of the value of a key only its length is shown.
fn print_provider(lines: &mut Vec<String>, provider: &ProviderConfig) {
    let plain = &config::without_file(&|_| None).providers[0];
    lines.push(format!("provider {} by {:?}", provider.name, provider.row));
    if let Some(custom) = &provider.custom {
        lines.push(format!("{custom:#?}"));
    }
    for key in &provider.keys {
        lines.push(format!("{key:#?} value: {} bytes", key.value.expose().len()));
    }
    if provider.network != plain.network {
        lines.push(format!("{:#?}", provider.network));
    }
    if provider.proxy != plain.proxy {
        lines.push(format!("{:#?}", provider.proxy));
    }
    if print_flags(provider) != print_flags(plain) {
        lines.push(print_flags(provider));
    }
}

fn print_flags(provider: &ProviderConfig) -> String {
    let queue = (provider.concurrency, provider.buffer_size);
    let raw = (provider.send_back_raw_request, provider.send_back_raw_response);
    let store = (provider.store_raw_request_response, provider.disable_store);
    format!("concurrency and buffer {queue:?}, send back raw {raw:?}, store raw or not {store:?}")
}

fn print_notes(lines: &mut Vec<String>, title: &str, notes: &[Note]) {
    if !notes.is_empty() {
        lines.push(format!("{title}:"));
    }
    lines.extend(notes.iter().map(|note| format!("  {note}")));
}

/// JSON pointers of every value below the root.
fn pointers(root: &Value) -> HashSet<String> {
    let mut found = HashSet::new();
    let mut open = vec![(String::new(), root)];
    while let Some((pointer, value)) = open.pop() {
        let escaped = |name: &str| name.replace('~', "~0").replace('/', "~1");
        match value {
            Value::Object(members) => open.extend(
                members.iter().map(|(name, value)| (format!("{pointer}/{}", escaped(name)), value)),
            ),
            Value::Array(elements) => open.extend(
                elements.iter().enumerate().map(|(at, value)| (format!("{pointer}/{at}"), value)),
            ),
            _ => {}
        }
        found.insert(pointer);
    }
    found
}
