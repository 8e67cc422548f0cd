//! What is printed once the gateway serves: where, with what, and what to try.

use std::fmt::{Display, Write};
use std::net::SocketAddr;
use std::time::Duration;

use bifrost::{Overview, ProviderOverview};
use config::{FromProfile, Source};

/// The banner, with a line feed at its end.
pub(crate) fn render(overview: &Overview, took: Duration) -> String {
    let mut text =
        format!("Bifrost {}: ready in {} ms\n\n", env!("CARGO_PKG_VERSION"), took.as_millis());
    let mut line = |name: &str, value: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {name:<14} {value}");
    };
    line("listening on", &listening(overview));
    line("workers", &workers(overview));
    line("configuration", &configuration(overview));
    if let Some(from) = &overview.profile {
        line("profile", &profile(from));
    }
    line("providers", &providers(&overview.providers));
    if overview.took_over {
        line("restart", "took the listening sockets over from the process before");
    }
    if let Some(from) = &overview.profile {
        write_notes(&mut text, &format!("From profile {}", from.name), &from.settings);
    }
    write_notes(&mut text, "Warnings", &overview.warnings);
    write_notes(&mut text, "Accepted, not active yet", &overview.inactive);
    text.push_str("\nTry:\n");
    text.push_str(&attempt(overview));
    text
}

fn listening(overview: &Overview) -> String {
    let addresses: Vec<String> = overview.addresses.iter().map(SocketAddr::to_string).collect();
    format!("{} ({})", url(overview), addresses.join(", "))
}

/// What to type on this machine.
fn url(overview: &Overview) -> String {
    let scheme = if overview.is_tls { "https" } else { "http" };
    match overview.addresses.first() {
        Some(address) if address.ip().is_loopback() || address.ip().is_unspecified() => {
            format!("{scheme}://localhost:{}", address.port())
        }
        Some(address) => format!("{scheme}://{address}"),
        None => String::new(),
    }
}

fn workers(overview: &Overview) -> String {
    let note = overview.driver_note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
    format!("{} on {}{note}", overview.workers, overview.driver)
}

fn configuration(overview: &Overview) -> String {
    let path = overview.file.display();
    match overview.source {
        Source::File => path.to_string(),
        Source::Environment => format!("from the environment; {path} does not exist"),
    }
}

fn providers(providers: &[ProviderOverview]) -> String {
    let described = providers.iter().map(|provider| match provider {
        ProviderOverview { name, is_keyless: true, .. } => format!("{name} (no key needed)"),
        ProviderOverview { name, keys: 1, .. } => format!("{name} (1 key)"),
        ProviderOverview { name, keys, .. } => format!("{name} ({keys} keys)"),
    });
    match providers.is_empty() {
        true => "none".to_owned(),
        false => described.collect::<Vec<String>>().join(", "),
    }
}

fn profile(from: &FromProfile) -> String {
    match from.settings.len() {
        0 => format!("{}; all it says is overruled", from.name),
        1 => format!("{} (1 setting, below)", from.name),
        count => format!("{} ({count} settings, below)", from.name),
    }
}

fn write_notes(text: &mut String, title: &str, notes: &[impl Display]) {
    if notes.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{title}:");
    for note in notes {
        let _ = writeln!(text, "  {note}");
    }
}

/// A first request: to the mock where there is one, else to the first model that is named.
fn attempt(overview: &Overview) -> String {
    let url = url(overview);
    let mock = overview.providers.iter().find(|provider| provider.name == "mock");
    let named = overview
        .providers
        .iter()
        .find_map(|provider| Some(format!("{}/{}", provider.name, provider.model.as_ref()?)));
    let model = mock.map(|_| "mock/gpt-4o-mini".to_owned()).or(named);
    let Some(model) = model else { return format!("  curl {url}/v1/models\n") };
    let message = r#"{"role":"user","content":"hi"}"#;
    format!(
        "  curl {url}/v1/chat/completions -d '{{\"model\":\"{model}\",\"messages\":[{message}]}}'\n"
    )
}
