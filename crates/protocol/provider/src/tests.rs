//! Properties that every row must have.

use std::collections::HashSet;

use super::*;

#[test]
fn names_are_unique_sorted_and_fit_for_a_model_prefix() {
    let served: Vec<_> = PROVIDERS.iter().map(|row| row.name).collect();
    assert!(served.is_sorted_by(|a, b| a < b), "{served:?}");
    assert!(KNOWN_UNSERVED.is_sorted_by(|a, b| a < b));
    assert!(CUSTOM_BASES.is_sorted_by(|a, b| a < b));
    for name in served.iter().chain(KNOWN_UNSERVED) {
        let fits = |byte: u8| byte.is_ascii_lowercase() || b"-_".contains(&byte);
        assert!(!name.is_empty() && name.bytes().all(fits), "{name}");
    }
    assert!(KNOWN_UNSERVED.iter().all(|name| find(name).is_none()));
    assert!(CUSTOM_BASES.iter().all(|name| is_standard(name)));
}

#[test]
fn addresses_and_paths_join_with_exactly_one_slash() {
    for row in PROVIDERS {
        if let BaseUrl::Fixed(url) = row.base_url {
            assert!(url.starts_with("https://") && !url.ends_with('/'), "{url}");
        }
        for endpoint in row.endpoints {
            assert!(endpoint.path.starts_with('/') && !endpoint.path.ends_with('/'), "{row:?}");
        }
    }
}

#[test]
fn an_operation_is_listed_once_and_has_a_dialect_unless_it_has_no_body() {
    for row in PROVIDERS {
        let mut seen = HashSet::new();
        for endpoint in row.endpoints {
            assert!(seen.insert(endpoint.operation), "{row:?} {endpoint:?}");
            assert_eq!(endpoint.dialect.is_none(), endpoint.operation == Operation::ListModels);
        }
        assert!(seen.contains(&Operation::ChatCompletion), "{row:?}");
        assert!(seen.contains(&Operation::ChatCompletionStream), "{row:?}");
    }
}

#[test]
fn header_names_are_in_lower_case() {
    for row in PROVIDERS {
        let auth = match row.auth {
            Auth::Header(name) => Some(name),
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
    ] {
        let found: Vec<_> =
            PROVIDERS.iter().filter(|row| serves_model(row, model)).map(|row| row.name).collect();
        assert_eq!(found, [expected], "{model}");
    }
}

#[test]
fn a_replaced_member_is_not_dropped_before_it_is_replaced() {
    for row in PROVIDERS {
        let rules = &row.body;
        let replaced = rules.replaces.iter().map(|rule| rule.member);
        let renamed = rules.renames.iter().map(|(from, _)| *from);
        for member in replaced.chain(renamed) {
            assert!(!rules.drops.contains(&member), "{row:?} {member}");
        }
    }
}
