//! What a provider wants changed in a request body, turned into edits.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use provider::{BodyRules, MessageRules, When};
use sonic_rs::{JsonValueTrait, LazyValue, to_array_iter, to_object_iter};

use super::{Body, message_rules};
use crate::stages::peek::Member;
use crate::stages::splice::Edits;

/// Levels below `messages` that are searched: a message, its content, a block.
const STRIP_DEPTH_MAX: usize = 4;

/// A marker of other vendors for what is worth caching.
const CACHE_CONTROL: &str = "cache_control";

/// Finds a marker in a part of a body that has one somewhere.
static MARKER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(CACHE_CONTROL));

/// Notes the edits that `rules` ask for in `body`.
pub(super) fn apply(rules: &BodyRules, model: &str, body: &Body<'_>, edits: &mut Edits) {
    let document = Document { body: body.text, members: body.members };
    for name in rules.drops.iter().chain(drops_by_model(rules, model)) {
        document.remove(name, edits);
    }
    for (name, characters_max) in rules.lengths_max {
        let text = document.find(name).and_then(|(_, member)| document.string(member));
        if text.is_some_and(|text| text.chars().count() > *characters_max) {
            document.remove(name, edits);
        }
    }
    if rules.strips_cache_control && body.has_cache_control {
        document.strip_cache_control(edits);
    }
    if rules.messages != MessageRules::NONE
        && let Some((_, member)) = document.find("messages")
    {
        message_rules::apply(&rules.messages, body.text, document.text(member), edits);
    }
    for flatten in rules.flattens {
        document.flatten(flatten, edits);
    }
    for replace in rules.replaces {
        if let Some((_, member)) = document.find(replace.member) {
            let is_meant = match replace.when {
                When::Text(text) => document.string(member).is_some_and(|value| value == text),
                When::Object => document.text(member).starts_with(b"{"),
            };
            if is_meant {
                edits.replace_string(member.value.clone(), replace.to);
            }
        }
    }
    for (name, minimum) in rules.minimums {
        let Some((_, member)) = document.find(name) else { continue };
        let number = std::str::from_utf8(document.text(member)).ok().and_then(|t| t.parse().ok());
        if number.is_some_and(|number: u64| number < *minimum) {
            edits.replace_number(member.value.clone(), *minimum);
        }
    }
    for (from, to) in rules.renames {
        if document.find(to).is_none()
            && let Some((_, member)) = document.find(from)
        {
            edits.replace(member.key.clone(), to);
        }
    }
    for (name, value) in rules.sets {
        match document.find(name) {
            Some((_, member)) => edits.replace(member.value.clone(), value),
            None => edits.add(name, value.as_bytes()),
        }
    }
}

fn drops_by_model<'r>(rules: &BodyRules, model: &str) -> std::slice::Iter<'r, &'static str> {
    let rule = rules.by_model.iter().find(|rule| provider::matches(rule.models, model));
    rule.map_or(&[][..], |rule| rule.drops).iter()
}

/// A body with its top-level members.
struct Document<'b> {
    body: &'b [u8],
    members: &'b [Member],
}

impl<'b> Document<'b> {
    fn find(&self, name: &str) -> Option<(usize, &'b Member)> {
        let is_it = |member: &&Member| self.body.get(member.key.clone()) == Some(name.as_bytes());
        let index = self.members.iter().position(|member| is_it(&member))?;
        Some((index, self.members.get(index)?))
    }

    fn text(&self, member: &Member) -> &'b [u8] {
        self.body.get(member.value.clone()).unwrap_or_default()
    }

    fn string(&self, member: &Member) -> Option<String> {
        sonic_rs::from_slice(self.text(member)).ok()
    }

    fn remove(&self, name: &str, edits: &mut Edits) {
        if let Some((index, _)) = self.find(name) {
            edits.remove(index);
        }
    }

    /// Removes cache markers wherever they stand in `messages`, `system` and `tools`.
    fn strip_cache_control(&self, edits: &mut Edits) {
        for place in ["messages", "system", "tools"] {
            if let Some((_, member)) = self.find(place) {
                strip_below(self.body, self.text(member), STRIP_DEPTH_MAX, edits);
            }
        }
    }

    fn flatten(&self, flatten: &provider::Flatten, edits: &mut Edits) {
        let Some((index, member)) = self.find(flatten.object) else { return };
        let object = self.text(member);
        if !object.starts_with(b"{") {
            return;
        }
        let kept = to_object_iter(object)
            .filter_map(Result::ok)
            .find(|(key, value)| key == flatten.member && value.is_str());
        edits.remove(index);
        if let Some((_, value)) = kept.filter(|_| self.find(flatten.to).is_none()) {
            edits.add(flatten.to, value.as_raw_str().as_bytes());
        }
    }
}

/// Removes cache markers from objects in `part`, itself a slice of `body`.
fn strip_below(body: &[u8], part: &[u8], depth: usize, edits: &mut Edits) {
    if depth == 0 || MARKER.find(part).is_none() {
        return;
    }
    if part.starts_with(b"[") {
        for element in to_array_iter(part).filter_map(Result::ok) {
            strip_below(body, element.as_raw_str().as_bytes(), depth - 1, edits);
        }
    } else if part.starts_with(b"{") {
        strip_object(body, part, depth, edits);
    }
}

fn strip_object(body: &[u8], object: &[u8], depth: usize, edits: &mut Edits) {
    let members: Vec<(bool, LazyValue<'_>)> = to_object_iter(object)
        .filter_map(Result::ok)
        .map(|(key, value)| (key == CACHE_CONTROL, value))
        .collect();
    let ends: Vec<usize> = members.iter().map(|(_, value)| position(body, value).end).collect();
    let opening = offset(body, object) + 1;
    let mut kept_any = false;
    for (index, (is_meant, value)) in members.iter().enumerate() {
        if !is_meant {
            kept_any = true;
            // Tools are described by schemas, whose members are the caller's own names.
            strip_below(body, value.as_raw_str().as_bytes(), depth - 1, edits);
            continue;
        }
        let start = if index == 0 { opening } else { ends[index - 1] };
        let end = match ends.get(index) {
            // The comma behind goes too when nothing is left in front.
            Some(end) if !kept_any && index + 1 < members.len() => {
                let rest = body.get(*end..).unwrap_or_default();
                memchr::memchr(b',', rest).map_or(*end, |comma| end + comma + 1)
            }
            Some(end) => *end,
            None => continue,
        };
        let start = if kept_any || index == 0 { start } else { after_comma(body, start) };
        edits.cut(start..end);
    }
}

fn after_comma(body: &[u8], from: usize) -> usize {
    let rest = body.get(from..).unwrap_or_default();
    memchr::memchr(b',', rest).map_or(from, |comma| from + comma + 1)
}

fn offset(body: &[u8], part: &[u8]) -> usize {
    (part.as_ptr() as usize).wrapping_sub(body.as_ptr() as usize)
}

fn position(body: &[u8], value: &LazyValue<'_>) -> Range<usize> {
    let text = value.as_raw_str().as_bytes();
    let start = offset(body, text);
    start..start.wrapping_add(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stages::peek::peek;

    fn changed(provider: &str, model: &str, body: &str) -> String {
        let mut members = Vec::new();
        let has_cache_control = peek(body.as_bytes(), &mut members).unwrap().has_cache_control;
        let mut edits = Edits::default();
        let rules = &provider::find(provider).unwrap().body;
        let document = Body { has_cache_control, ..Body::json(body.as_bytes(), &members) };
        apply(rules, model, &document, &mut edits);
        let mut out = Vec::new();
        edits.apply(body.as_bytes(), &members, &mut |piece| out.extend_from_slice(piece));
        let out = String::from_utf8(out).unwrap();
        assert!(peek(out.as_bytes(), &mut members).is_ok(), "{out}");
        out
    }

    #[test]
    fn openai_gets_what_it_accepts() {
        let body = r#"{"max_completion_tokens":3,"reasoning":{"effort":"low","x":1},"store":true}"#;
        let expected = r#"{"max_completion_tokens":16,"store":true,"reasoning_effort":"low"}"#;
        assert_eq!(changed("openai", "gpt-4o", body), expected);
        let long = format!(r#"{{"user":"{}","a":1}}"#, "é".repeat(65));
        assert_eq!(changed("openai", "gpt-4o", &long), r#"{"a":1}"#);
    }

    #[test]
    fn copies_of_the_api_lose_what_only_openai_has() {
        let body =
            r#"{"store":true,"a":1,"max_completion_tokens":99,"prediction":{},"verbosity":"low"}"#;
        assert_eq!(changed("groq", "m", body), r#"{"a":1,"max_completion_tokens":99}"#);
        assert_eq!(changed("ollama", "m", body), r#"{"a":1,"max_tokens":99}"#);
    }

    #[test]
    fn cache_markers_go_wherever_they_stand() {
        let mark = r#""cache_control":{"type":"ephemeral"}"#;
        let body = format!(
            r#"{{"messages":[{{{mark},"role":"user","content":[{{"type":"text",{mark} ,"text":"a"}},{{{mark}}}]}}],"tools":[{{"function":{{"parameters":{{"properties":{{"cache_control":{{}}}}}}}},{mark}}}]}}"#
        );
        let expected = r#"{"messages":[{"role":"user","content":[{"type":"text" ,"text":"a"},{}]}],"tools":[{"function":{"parameters":{"properties":{"cache_control":{}}}}}]}"#;
        assert_eq!(changed("openai", "m", &body), expected);
    }

    /// Members that only OpenAI and Azure take.
    const OPENAI_ALONE: &str = r#"{"prediction":{},"prompt_cache_key":"k","prompt_cache_retention":"24h","verbosity":"low","store":true,"web_search_options":{},"a":1}"#;

    #[test]
    fn every_other_host_of_chats_loses_what_only_openai_and_azure_have() {
        for row in provider::PROVIDERS {
            let is_chat = |it: &provider::Endpoint| {
                it.operation == dialect::Operation::ChatCompletion
                    && it.dialect == Some(dialect::Dialect::OpenAiChat)
            };
            if !row.endpoints.iter().any(is_chat) || row.name == "mock" {
                continue;
            }
            let expected = match row.name {
                "openai" | "azure" => OPENAI_ALONE,
                _ => r#"{"a":1}"#,
            };
            assert_eq!(changed(row.name, "m", OPENAI_ALONE), expected, "{}", row.name);
            let reasoning = r#"{"reasoning":{"effort":"high","max_tokens":9}}"#;
            let flat = r#"{"reasoning_effort":"high"}"#;
            assert_eq!(changed(row.name, "m", reasoning), flat, "{}", row.name);
        }
    }

    #[test]
    fn perplexity_gets_no_tools_and_keeps_its_search() {
        let body = r#"{"tools":[],"tool_choice":"auto","stop":"x","logit_bias":{},"logprobs":true,"seed":1,"parallel_tool_calls":true,"service_tier":"x","search_mode":"web"}"#;
        assert_eq!(changed("perplexity", "sonar", body), r#"{"search_mode":"web"}"#);
    }

    #[test]
    fn groks_that_think_lose_what_they_refuse() {
        let body =
            r#"{"presence_penalty":1,"frequency_penalty":1,"stop":"x","reasoning_effort":"low"}"#;
        for (model, kept) in [
            ("grok-4", "{}"),
            ("grok-code-fast-1", "{}"),
            ("grok-3", r#"{"frequency_penalty":1,"stop":"x"}"#),
            ("grok-3-mini", r#"{"reasoning_effort":"low"}"#),
            ("grok-4-fast-non-reasoning", body),
            ("grok-2", body),
        ] {
            assert_eq!(changed("xai", model, body), kept, "{model}");
        }
    }

    #[test]
    fn output_limits_have_the_name_the_host_knows() {
        for host in ["mistral", "ollama", "perplexity", "deepseek", "databricks", "sarvam"] {
            let body = r#"{"max_completion_tokens":99}"#;
            assert_eq!(changed(host, "m", body), r#"{"max_tokens":99}"#, "{host}");
        }
    }

    #[test]
    fn a_call_of_a_tool_gets_an_id_that_mistral_takes_and_so_does_its_result() {
        let body = r#"{"messages":[{"role":"user","content":"\"tool_call_id\":\"x\""},{"role":"assistant","tool_calls":[{"id":"call_7f","type":"function","function":{"name":"f","arguments":"{\"id\":\"call_7f\"}"}},{"id":"abcDEF123"}]},{"role":"tool","tool_call_id":"call_7f","content":"1"},{"role":"tool","tool_call_id":"abcDEF123"}]}"#;
        let changed = changed("mistral", "m", body);
        let new = changed.split("\"tool_call_id\":\"").nth(1).unwrap()[..9].to_owned();
        assert!(new.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{changed}");
        let expected = body
            .replace(r#"[{"id":"call_7f""#, &format!(r#"[{{"id":"{new}""#))
            .replace(r#""tool_call_id":"call_7f""#, &format!(r#""tool_call_id":"{new}""#));
        assert_eq!(changed, expected);
    }

    #[test]
    fn reasoning_goes_back_under_the_name_the_host_knows() {
        let body = |name: &str| {
            format!(
                r#"{{"messages":[{{"role":"assistant","{name}":"so","content":"a"}},{{"role":"user","content":"{name}"}}]}}"#
            )
        };
        let (reasoning, content) = (body("reasoning"), body("reasoning_content"));
        let renamed = |from: &str, to: &str| {
            body(from).replacen(&format!("\"{from}\":"), &format!("\"{to}\":"), 1)
        };
        assert_eq!(changed("deepseek", "m", &content), content);
        assert_eq!(changed("deepseek", "m", &reasoning), renamed("reasoning", "reasoning_content"));
        for host in ["groq", "cerebras"] {
            assert_eq!(changed(host, "m", &reasoning), reasoning);
            let expected = renamed("reasoning_content", "reasoning");
            assert_eq!(changed(host, "m", &content), expected);
        }
        let both = r#"{"messages":[{"reasoning":"a","reasoning_content":"b"}]}"#;
        assert_eq!(changed("deepseek", "m", both), both);
    }

    #[test]
    fn a_value_spelt_differently_is_replaced() {
        let body = r#"{"tool_choice":"required"}"#;
        assert_eq!(changed("mistral", "m", body), r#"{"tool_choice":"any"}"#);
        let body = r#"{"tool_choice":{"type":"function"},"reasoning_effort":"minimal"}"#;
        assert_eq!(
            changed("mistral", "m", body),
            r#"{"tool_choice":"any","reasoning_effort":"low"}"#
        );
    }
}
