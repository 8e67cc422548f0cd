//! What is configured when there is no file.

use config::{Client, ModelList, Server, Source};

#[test]
fn the_mock_is_there_and_nothing_else() {
    let config = config::without_file(&|_| None);
    let names: Vec<_> = config.providers.iter().map(|provider| provider.name.as_str()).collect();
    assert_eq!(names, ["mock"]);
    assert!(config.providers[0].is_keyless());
    assert_eq!(config.source, Source::Environment);
    assert_eq!((config.client, config.server), (Client::default(), Server::default()));
    assert!(config.warnings.is_empty() && config.inactive.is_empty());
}

#[test]
fn keys_in_the_environment_are_found_and_the_first_variable_counts() {
    let env = |name: &str| match name {
        "OPENAI_KEY" => Some("second".to_owned()),
        "OPENAI_API_KEY" => Some(" first\n".to_owned()),
        "ANTHROPIC_API_KEY" => Some(String::new()),
        "MISTRAL_KEY" => Some("mistral".to_owned()),
        _ => None,
    };
    let config = config::without_file(&env);
    let found: Vec<_> = config
        .providers
        .iter()
        .flat_map(|provider| provider.keys.iter().map(|key| (provider.name.as_str(), key)))
        .map(|(provider, key)| (provider, key.name.as_str(), key.value.expose()))
        .collect();
    assert_eq!(
        found,
        [
            ("openai", "OPENAI_API_KEY_auto_detected", "first"),
            ("mistral", "MISTRAL_KEY_auto_detected", "mistral"),
        ]
    );
    let key = &config.providers[0].keys[0];
    assert_eq!((&key.models, key.weight), (&ModelList::All, 1.0));
    assert_eq!(key.id, config::without_file(&env).providers[0].keys[0].id);
}
