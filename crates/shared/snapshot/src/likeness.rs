//! The name by which a model behind an alias is judged: what it is called at its provider may tell
//! nothing (a deployment's name, a number, an ARN), while its family decides how it is asked.

use std::sync::Arc;

use config::Alias;
use provider::Provider;

/// What tells the family of the model that `alias` stands for, where its id does not: the family if
/// it is given, else the canonical name, else the alias itself if the provider knows such models.
pub(crate) fn of(row: &Provider, name: &str, alias: &Alias) -> Option<Arc<str>> {
    let name = name.to_ascii_lowercase();
    let model_name = alias.model_name.as_ref().map(|name| name.to_ascii_lowercase());
    let id = alias.model_id.to_ascii_lowercase();
    if let Some(family) = &alias.model_family {
        let names = [model_name.as_deref(), Some(&id), Some(&name)];
        return Some(in_family(word(family), names.into_iter().flatten()).into());
    }
    if let Some(model_name) = model_name {
        return Some(model_name.into());
    }
    let is_known = |model: &str| {
        let mut patterns = row.variants.iter().flat_map(|variant| variant.models);
        patterns.any(|pattern| provider::matches(pattern, model))
    };
    (!is_known(&id) && is_known(&name)).then(|| name.into())
}

/// The word that names of a family's models have.
fn word(family: &str) -> &str {
    match family {
        "anthropic" => "claude",
        "openai" => "gpt",
        other => other,
    }
}

/// The first of the names that says the word, from there on; else the word with nothing behind it.
fn in_family<'n>(word: &str, mut names: impl Iterator<Item = &'n str>) -> String {
    let start = format!("{word}-");
    let named = names.find_map(|name| name.find(&start).map(|at| name[at..].to_owned()));
    named.unwrap_or(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(row: &str, name: &str, id: &str, more: &str) -> Option<String> {
        let json = format!(
            r#"{{"providers":{{"{row}":{{"keys":[{{"name":"k","value":"v","models":["*"],"weight":1,
                "aliases":{{"{name}":{{"model_id":"{id}"{more}}}}}}}],
                "network_config":{{"base_url":"http://127.0.0.1:1"}}}}}}}}"#
        );
        let config = config::parse(json.as_bytes(), &|_| None).unwrap_or_else(|p| panic!("{p}"));
        let provider = &config.providers[0];
        let (name, alias) = &provider.keys[0].aliases[0];
        of(provider.row, name, alias).map(|likeness| likeness.to_string())
    }

    #[test]
    fn the_family_comes_first_then_the_canonical_name_then_the_alias() {
        let family = r#","model_family":"anthropic""#;
        let canonical = r#","model_name":"Claude-Opus-4-6""#;
        for (row, name, id, more, expected) in [
            ("azure", "best", "deployment-1", family, Some("claude-")),
            ("azure", "my-claude-best", "deployment-1", family, Some("claude-best")),
            ("azure", "best", "deployment-1", canonical, Some("claude-opus-4-6")),
            ("azure", "claude-best", "deployment-1", "", Some("claude-best")),
            ("azure", "claude-best", "claude-opus", "", None),
            ("azure", "best", "deployment-1", "", None),
            ("azure", "claude", "d", r#","model_family":"openai""#, Some("gpt-")),
        ] {
            assert_eq!(judged(row, name, id, more).as_deref(), expected, "{name} {id} {more}");
        }
    }
}
