//! Properties that every row must have.

use std::collections::{BTreeSet, HashSet};

use super::*;

#[test]
fn names_are_unique_sorted_and_fit_for_a_model_prefix() {
    let served: Vec<_> = PROVIDERS.iter().map(|row| row.name).collect();
    assert!(served.is_sorted_by(|a, b| a < b), "{served:?}");
    assert!(CUSTOM_BASES.is_sorted_by(|a, b| a < b));
    for name in &served {
        let fits = |byte: u8| byte.is_ascii_lowercase() || b"-_".contains(&byte);
        assert!(!name.is_empty() && name.bytes().all(fits), "{name}");
    }
    assert!(CUSTOM_BASES.iter().all(|name| is_standard(name)));
}

/// What a provider is asked for and how it refuses is on file, and shown on the running gateway by the black-box suite.
#[test]
fn every_row_has_its_fixture_folder() {
    let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures")).unwrap();
    let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let found: BTreeSet<String> = names.collect();
    let served = PROVIDERS.iter().filter(|row| row.base_url != BaseUrl::Internal);
    let wanted: BTreeSet<String> = served.map(|row| row.name.to_owned()).collect();
    assert_eq!(found, wanted);
}

#[test]
fn addresses_and_paths_join_with_exactly_one_slash() {
    for row in PROVIDERS {
        let own = match row.base_url {
            BaseUrl::Fixed(url) | BaseUrl::Template(url) => Some(url),
            BaseUrl::PerKey | BaseUrl::Internal => None,
        };
        let endpoints = || all_endpoints(row);
        for url in own.into_iter().chain(endpoints().filter_map(|endpoint| endpoint.root.url)) {
            assert!(url.starts_with("https://") && !url.ends_with('/'), "{url}");
        }
        for endpoint in endpoints() {
            let (root, path) = (endpoint.root.path, endpoint.path);
            assert!(root.is_empty() || root.starts_with(['/', '{']), "{row:?} {root}");
            assert!(!root.ends_with('/'), "{row:?} {root}");
            // A root may end inside of a segment.
            assert!(path.starts_with('/') || root.ends_with('}'), "{row:?} {path}");
            assert!(!path.ends_with('/'), "{row:?} {path}");
        }
    }
}

#[test]
fn an_operation_is_listed_once_and_has_a_dialect_unless_it_has_no_body() {
    for row in PROVIDERS {
        let mut seen = HashSet::new();
        for endpoint in row.endpoints.iter().chain(row.kept) {
            assert!(seen.insert(endpoint.operation), "{row:?} {endpoint:?}");
            assert_eq!(endpoint.dialect.is_none(), endpoint.operation == Operation::ListModels);
        }
        for variant in row.variants {
            let mut seen = HashSet::new();
            assert!(variant.endpoints.iter().all(|endpoint| seen.insert(endpoint.operation)));
        }
    }
}

#[test]
fn whoever_chats_also_streams() {
    for row in PROVIDERS {
        for endpoints in surfaces(row) {
            let has = |operation| endpoints.iter().any(|it: &Endpoint| it.operation == operation);
            let both = [Operation::ChatCompletion, Operation::ChatCompletionStream].map(has);
            assert_eq!(both[0], both[1], "{row:?}");
        }
    }
}

/// The provider's own endpoints, then those of its variants.
fn surfaces(row: &'static Provider) -> impl Iterator<Item = &'static [Endpoint]> {
    let variants = row.variants.iter().map(|variant| variant.endpoints);
    std::iter::once(row.endpoints).chain(variants)
}

fn all_endpoints(row: &'static Provider) -> impl Iterator<Item = &'static Endpoint> {
    surfaces(row).flatten().chain(row.kept)
}

#[test]
fn header_names_are_in_lower_case() {
    for row in PROVIDERS {
        let auth = match row.auth {
            Auth::Header(name) | Auth::BearerAndHeader(name) => Some(name),
            Auth::Bearer | Auth::OptionalBearer | Auth::None => None,
        };
        for name in row.headers.iter().map(|(name, _)| *name).chain(auth) {
            assert_eq!(name, name.to_ascii_lowercase(), "{row:?}");
        }
    }
}

#[test]
fn bare_model_names_find_the_provider_that_made_the_model() {
    for (model, expected) in [
        ("gpt-4o-mini", "openai"),
        ("o3-mini", "openai"),
        ("claude-sonnet-4-5", "anthropic"),
        ("mistral-large-latest", "mistral"),
        ("grok-4-fast", "xai"),
        ("deepseek-reasoner", "deepseek"),
        ("sonar-pro", "perplexity"),
        ("gemini-2.5-flash", "gemini"),
        ("command-a-03-2025", "cohere"),
        ("us.anthropic.claude-sonnet-4-5-v1:0", "bedrock"),
    ] {
        let found: Vec<_> =
            PROVIDERS.iter().filter(|row| serves_model(row, model)).map(|row| row.name).collect();
        assert_eq!(found, [expected], "{model}");
    }
}

#[test]
fn a_replaced_member_is_not_dropped_before_it_is_replaced() {
    for row in PROVIDERS {
        for rules in std::iter::once(&row.body).chain(row.variants.iter().map(|it| &it.body)) {
            let replaced = rules.replaces.iter().map(|rule| rule.member);
            let renamed = rules.renames.iter().map(|(from, _)| *from);
            let set = rules.sets.iter().map(|(member, _)| *member);
            for member in replaced.chain(renamed).chain(set) {
                assert!(!rules.drops.contains(&member), "{row:?} {member}");
            }
        }
    }
}

/// `PROVIDERS.md` is written from the rows; `UPDATE_GOLDEN=1` rewrites it.
#[test]
fn the_table_for_readers_says_what_the_rows_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/PROVIDERS.md");
    let table = table();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &table).unwrap();
    }
    assert!(std::fs::read_to_string(path).unwrap_or_default() == table, "{path} is not up to date");
}

fn table() -> String {
    let mut table = "# Providers\n\nWritten from the provider table by the tests of this crate: what \
                     each can be asked for, and in which wire format. `responses` without a format of \
                     its own is served wherever chats are.\n\n\
                     | provider | address | authentication | operations |\n|---|---|---|---|\n"
        .to_owned();
    for row in PROVIDERS {
        let address = match row.base_url {
            BaseUrl::Fixed(url) | BaseUrl::Template(url) => url,
            BaseUrl::PerKey => "each key names its own",
            BaseUrl::Internal => "built in",
        };
        let (name, operations) = (row.name, operations(row).join(", "));
        let operations = if operations.is_empty() { "none yet".to_owned() } else { operations };
        let authentication = authentication(row.auth);
        table.push_str(&format!("| {name} | {address} | {authentication} | {operations} |\n"));
    }
    table
}

fn authentication(auth: Auth) -> String {
    match auth {
        Auth::Bearer => "`authorization: Bearer`".to_owned(),
        Auth::OptionalBearer => "`authorization: Bearer`, if a key has a value".to_owned(),
        Auth::Header(name) => format!("`{name}`"),
        Auth::BearerAndHeader(name) => format!("`authorization: Bearer`, and `{name}`"),
        Auth::None => "none".to_owned(),
    }
}

/// `operation (dialect)` of the row and its variants, each once; streams go with their unary form.
fn operations(row: &'static Provider) -> Vec<String> {
    let mut found = Vec::new();
    for endpoint in all_endpoints(row) {
        let name = endpoint.operation.name();
        let text = match endpoint.dialect {
            Some(dialect) => format!("{name} ({})", dialect.name()),
            None => name.to_owned(),
        };
        if !name.ends_with("_stream") && !found.contains(&text) {
            found.push(text);
        }
    }
    found
}
