//! What the editor Cursor sends: chat completions and responses under the same path, with tools and
//! blocks as Anthropic spells them in between. It reads chat completions in any case.

use dialect::{Dialect, Operation};
use serde_json::{Map, Value, json};

use super::alternative::Alternative;
use super::{Family, Route, Streams, post};

const fn row(path: &'static str) -> Route {
    let streams = Streams::AsAskedInNumbers;
    post(path, Family::Cursor, Operation::ChatCompletion, Dialect::OpenAiChat, streams)
}

/// A chat completion.
pub(super) const fn chat(path: &'static str) -> Route {
    Route { tidy: Some(tidy_chat), ..row(path) }
}

/// The same asked as a response.
pub(super) const fn responses(path: &'static str) -> Alternative {
    Alternative {
        is_meant: |look| look.has("input"),
        route: Route { asked_in: Dialect::OpenAiResponses, tidy: Some(tidy_response), ..row(path) },
    }
}

fn tidy_chat(body: &[u8]) -> Option<Vec<u8>> {
    tidy(body, |body| {
        let is_changed = [
            tidy_tools(body, nested_function),
            tidy_choice(body, nested_choice),
            tidy_list(body, "messages", chat_messages),
        ];
        is_changed.contains(&true)
    })
}

fn tidy_response(body: &[u8]) -> Option<Vec<u8>> {
    tidy(body, |body| {
        let has_messages = body.shift_remove("messages").is_some();
        let is_changed = [
            tidy_tools(body, flat_function),
            tidy_choice(body, flat_choice),
            tidy_list(body, "input", response_items),
        ];
        has_messages || is_changed.contains(&true)
    })
}

/// The body after `change`, if that says that it did something.
fn tidy(body: &[u8], change: impl FnOnce(&mut Map<String, Value>) -> bool) -> Option<Vec<u8>> {
    let mut body: Value = serde_json::from_slice(body).ok()?;
    let is_changed = change(body.as_object_mut()?);
    is_changed.then(|| serde_json::to_vec(&body).ok()).flatten()
}

/// Puts what each element becomes in its place; says whether one became something else.
fn tidy_list(
    body: &mut Map<String, Value>,
    name: &str,
    becomes: fn(&Value) -> Option<Vec<Value>>,
) -> bool {
    let Some(list) = body.get_mut(name).and_then(Value::as_array_mut) else { return false };
    let (mut all, mut is_changed) = (Vec::new(), false);
    for element in list.iter() {
        match becomes(element) {
            None => all.push(element.clone()),
            Some(others) => {
                is_changed = true;
                all.extend(others);
            }
        }
    }
    *list = all;
    is_changed
}

fn tidy_tools(body: &mut Map<String, Value>, becomes: fn(&Value) -> Option<Vec<Value>>) -> bool {
    tidy_list(body, "tools", becomes)
}

fn tidy_choice(body: &mut Map<String, Value>, becomes: fn(&Value) -> Option<Value>) -> bool {
    let Some(choice) = body.get_mut("tool_choice") else { return false };
    let tidied = becomes(choice);
    let is_changed = tidied.is_some();
    tidied.into_iter().for_each(|tidied| *choice = tidied);
    is_changed
}

/// A function whose members stand in the tool itself, be its schema called `parameters` or
/// `input_schema`; nothing where the tool is something else.
fn bare_function(tool: &Value) -> Option<Value> {
    let kind = tool.get("type").and_then(|kind| kind.as_str()).unwrap_or("function");
    let schema = tool.get("input_schema").or_else(|| tool.get("parameters"));
    let is_function = kind == "function" || tool.get("input_schema").is_some();
    if !is_function || tool.get("function").is_some() {
        return None;
    }
    let mut function = json!({ "name": tool.get("name")?.as_str()? });
    for (name, value) in [
        ("description", tool.get("description")),
        ("parameters", schema),
        ("strict", tool.get("strict")),
    ] {
        if let Some(value) = value.filter(|value| !value.is_null()) {
            function[name] = value.clone();
        }
    }
    Some(function)
}

fn nested_function(tool: &Value) -> Option<Vec<Value>> {
    let function = bare_function(tool)?;
    Some(vec![json!({ "type": "function", "function": function })])
}

fn flat_function(tool: &Value) -> Option<Vec<Value>> {
    tool.get("input_schema")?;
    let mut function = bare_function(tool)?;
    function["type"] = json!("function");
    Some(vec![function])
}

/// Anthropic's choices have other words.
fn word_of_choice(choice: &Value) -> Option<Value> {
    match choice.get("type")?.as_str()? {
        "auto" => Some(json!("auto")),
        "none" => Some(json!("none")),
        "any" => Some(json!("required")),
        _ => None,
    }
}

fn named_by_choice(choice: &Value) -> Option<&str> {
    let is_named = matches!(choice.get("type")?.as_str()?, "tool" | "function");
    choice.get("name").filter(|_| is_named)?.as_str()
}

fn nested_choice(choice: &Value) -> Option<Value> {
    let named = || {
        let name = named_by_choice(choice)?;
        Some(json!({ "type": "function", "function": { "name": name } }))
    };
    word_of_choice(choice).or_else(named)
}

fn flat_choice(choice: &Value) -> Option<Value> {
    let named = || {
        let of_chat = choice.get("function").and_then(|function| function.get("name"));
        let is_flat = choice.get("type").and_then(|kind| kind.as_str()) == Some("function");
        let name = match of_chat {
            Some(name) => name.as_str()?,
            None if is_flat => return None,
            None => named_by_choice(choice)?,
        };
        Some(json!({ "type": "function", "name": name }))
    };
    word_of_choice(choice).or_else(named)
}

/// What a message with Anthropic's blocks says, by what the two dialects have for it.
#[derive(Default)]
struct Said {
    /// Parts of text and pictures, as chat completions have them.
    parts: Vec<Value>,
    calls: Vec<Call>,
    results: Vec<(String, String)>,
    has_blocks: bool,
}

struct Call {
    id: String,
    name: String,
    arguments: String,
}

fn listen(message: &Value) -> Said {
    let mut said = Said::default();
    let blocks = message.get("content").and_then(|content| content.as_array());
    for block in blocks.into_iter().flatten() {
        let text = |name: &str| {
            block.get(name).and_then(|text| text.as_str()).unwrap_or_default().to_owned()
        };
        let is_block = match &*text("type") {
            "tool_use" => {
                let input = block.get("input").and_then(|input| serde_json::to_string(input).ok());
                let arguments = input.unwrap_or_else(|| "{}".to_owned());
                said.calls.push(Call { id: text("id"), name: text("name"), arguments });
                true
            }
            "tool_result" => {
                said.results.push((text("tool_use_id"), result_text(block)));
                true
            }
            // Thoughts are for the vendor that had them.
            "thinking" | "redacted_thinking" => true,
            "image" => {
                said.parts.extend(picture(block));
                true
            }
            _ => {
                said.parts.push(block.clone());
                false
            }
        };
        said.has_blocks |= is_block;
    }
    said
}

fn result_text(result: &Value) -> String {
    let Some(content) = result.get("content") else { return String::new() };
    if let Some(text) = content.as_str() {
        return text.to_owned();
    }
    let blocks = content.as_array().into_iter().flatten();
    let texts = blocks.filter_map(|block| block.get("text").and_then(|text| text.as_str()));
    texts.collect::<Vec<_>>().join("\n")
}

fn picture(block: &Value) -> Option<Value> {
    let source = block.get("source")?;
    let text = |name: &str| source.get(name).and_then(|text| text.as_str());
    let url = match text("url") {
        Some(url) => url.to_owned(),
        None => format!("data:{};base64,{}", text("media_type")?, text("data")?),
    };
    Some(json!({ "type": "image_url", "image_url": { "url": url } }))
}

/// Nothing where the message has no block of Anthropic's.
fn chat_messages(message: &Value) -> Option<Vec<Value>> {
    let said = listen(message);
    if !said.has_blocks {
        return None;
    }
    let mut messages: Vec<Value> = said
        .results
        .into_iter()
        .map(|(id, content)| json!({ "role": "tool", "tool_call_id": id, "content": content }))
        .collect();
    if said.parts.is_empty() && said.calls.is_empty() {
        return Some(messages);
    }
    let mut rest = json!({ "role": message.get("role").cloned() });
    rest["content"] = match said.parts.is_empty() {
        true => Value::Null,
        false => said.parts.into(),
    };
    if !said.calls.is_empty() {
        let call = |call: Call| {
            let function = json!({ "name": call.name, "arguments": call.arguments });
            json!({ "id": call.id, "type": "function", "function": function })
        };
        rest["tool_calls"] = said.calls.into_iter().map(call).collect::<Vec<_>>().into();
    }
    messages.push(rest);
    Some(messages)
}

/// The same as items of a response.
fn response_items(item: &Value) -> Option<Vec<Value>> {
    let said = listen(item);
    if !said.has_blocks {
        return None;
    }
    let result = |(id, output): (String, String)| json!({ "type": "function_call_output", "call_id": id, "output": output });
    let mut items: Vec<Value> = said.results.into_iter().map(result).collect();
    if !said.parts.is_empty() {
        let role = item.get("role").cloned();
        let is_own = role.as_ref().and_then(|role| role.as_str()) == Some("assistant");
        let part = |part: Value| response_part(part, is_own);
        let content: Vec<Value> = said.parts.into_iter().map(part).collect();
        items.push(json!({ "role": role, "content": content }));
    }
    let call = |call: Call| {
        json!({
            "type": "function_call",
            "call_id": call.id,
            "name": call.name,
            "arguments": call.arguments,
        })
    };
    items.extend(said.calls.into_iter().map(call));
    Some(items)
}

fn response_part(part: Value, is_own: bool) -> Value {
    let text = part.get("text").and_then(|text| text.as_str());
    let url = part.get("image_url").and_then(|image| image.get("url")).and_then(|url| url.as_str());
    match (text, url) {
        (Some(text), _) if is_own => json!({ "type": "output_text", "text": text }),
        (Some(text), _) => json!({ "type": "input_text", "text": text }),
        (None, Some(url)) => json!({ "type": "input_image", "image_url": url }),
        (None, None) => part,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Tidied = fn(&[u8]) -> Option<Vec<u8>>;

    fn tidied(tidy: Tidied, body: &str) -> Option<String> {
        tidy(body.as_bytes()).map(|body| String::from_utf8(body).unwrap())
    }

    /// The order of members is not compared.
    fn assert_tidied(tidy: Tidied, body: &str, expected: &str) {
        let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let found = tidied(tidy, body).unwrap();
        assert_eq!(value(&found), value(expected), "{found}");
    }

    #[test]
    fn what_is_tidy_stays_as_it_is() {
        for body in [
            r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a"}]}]}"#,
            r#"{"messages":[],"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"auto"}"#,
        ] {
            assert_eq!(tidied(tidy_chat, body), None, "{body}");
        }
        let body = r#"{"input":"a","tools":[{"type":"function","name":"f"},{"type":"web_search"}],"tool_choice":{"type":"function","name":"f"}}"#;
        assert_eq!(tidied(tidy_response, body), None);
    }

    #[test]
    fn tools_of_any_spelling_become_those_of_the_dialect() {
        let tools = r#"{"tools":[{"name":"a","input_schema":{"type":"object"}},{"type":"function","name":"b","parameters":{},"strict":true}],"tool_choice":{"type":"any"}}"#;
        let chat = r#"{"tools":[{"type":"function","function":{"name":"a","parameters":{"type":"object"}}},{"type":"function","function":{"name":"b","parameters":{},"strict":true}}],"tool_choice":"required"}"#;
        assert_tidied(tidy_chat, tools, chat);
        let response = r#"{"tools":[{"name":"a","parameters":{"type":"object"},"type":"function"},{"type":"function","name":"b","parameters":{},"strict":true}],"tool_choice":"required"}"#;
        assert_tidied(tidy_response, tools, response);
    }

    #[test]
    fn a_schema_keeps_the_order_of_its_members() {
        let schema = r#"{"type":"object","properties":{"z":{},"a":{},"m":{}},"required":["z"]}"#;
        let body = format!(r#"{{"tools":[{{"name":"a","input_schema":{schema}}}]}}"#);
        assert!(tidied(tidy_chat, &body).unwrap().contains(schema));
    }

    #[test]
    fn calls_and_results_in_blocks_become_messages_and_items() {
        let blocks = r#"[{"role":"assistant","content":[{"type":"thinking","thinking":"t"},{"type":"text","text":"so"},{"type":"tool_use","id":"c1","name":"f","input":{"x":1}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":[{"type":"text","text":"ok"}]}]}]"#;
        let chat = r#"{"messages":[{"role":"assistant","content":[{"type":"text","text":"so"}],"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]},{"role":"tool","tool_call_id":"c1","content":"ok"}]}"#;
        assert_tidied(tidy_chat, &format!(r#"{{"messages":{blocks}}}"#), chat);
        let items = r#"{"input":[{"role":"assistant","content":[{"type":"output_text","text":"so"}]},{"type":"function_call","call_id":"c1","name":"f","arguments":"{\"x\":1}"},{"type":"function_call_output","call_id":"c1","output":"ok"}]}"#;
        assert_tidied(tidy_response, &format!(r#"{{"input":{blocks}}}"#), items);
    }
}
