//! Namespaces: groups of tools, which no other dialect has. There a tool of a group goes by its own name, or by one word
//! made of both names where another tool has that already; its calls get the two names back.

use crate::canonical::{CustomTool, FunctionTool, Part, PartKind, Request, Tool};
use crate::error::Error;
use crate::fields;
use crate::json::{Raw, Text};
use crate::options::GroupedTool;

/// The type of a tool that is a group of others.
pub(super) const TYPE: &str = "namespace";

/// What stands between the names. Some namespaces end in it.
const SEPARATOR: &str = "__";

/// Reads the tools of a group into the request, behind those that stand alone.
pub(super) fn read_group<'a>(
    group: Raw<'a>,
    request: &mut Request<'a>,
    read_tool: fn(Raw<'a>) -> Result<Tool<'a>, Error>,
) -> Result<(), Error> {
    let namespace = fields::required_text(group, "name")?.plain().into_owned();
    let tools = fields::each("tools", fields::required(group, "tools")?, |_, it| read_tool(it))?;
    for mut tool in tools {
        if let Some(own) = name_of(&mut tool) {
            let name = own.plain().into_owned();
            if find(request, &namespace, &name).is_some() {
                continue;
            }
            let written = free_name(request, &namespace, &name);
            *own = written.clone().into();
            let namespace = namespace.clone();
            request.grouped_tools.push(GroupedTool { written, namespace, name });
        }
        request.tools.push(tool);
    }
    Ok(())
}

/// Gives the calls of an item the name that the tool goes by elsewhere.
pub(super) fn rename_calls(item: Raw<'_>, parts: &mut [Part<'_>], request: &Request<'_>) {
    let Some(namespace) = fields::lenient_text(item, "namespace") else { return };
    for part in parts {
        let PartKind::ToolCall(call) = &mut part.kind else { continue };
        if let Some(tool) = find(request, &namespace.plain(), &call.name.plain()) {
            call.name = tool.written.clone().into();
        }
    }
}

fn find<'r>(request: &'r Request<'_>, namespace: &str, name: &str) -> Option<&'r GroupedTool> {
    let mut tools = request.grouped_tools.iter();
    tools.find(|tool| tool.namespace == namespace && tool.name == name)
}

fn free_name(request: &Request<'_>, namespace: &str, name: &str) -> String {
    let is_taken = request.tools.iter().any(|tool| match tool {
        Tool::Function(FunctionTool { name: taken, .. })
        | Tool::Custom(CustomTool { name: taken, .. }) => *taken == *name,
        Tool::Hosted(_) | Tool::Vendor { .. } => false,
    });
    if !is_taken {
        return name.to_owned();
    }
    format!("{}{SEPARATOR}{name}", namespace.strip_suffix(SEPARATOR).unwrap_or(namespace))
}

fn name_of<'t, 'a>(tool: &'t mut Tool<'a>) -> Option<&'t mut Text<'a>> {
    match tool {
        Tool::Function(FunctionTool { name, .. }) | Tool::Custom(CustomTool { name, .. }) => {
            Some(name)
        }
        Tool::Hosted(_) | Tool::Vendor { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::Dialect::{AnthropicMessages, OpenAiResponses};
    use crate::{
        Notes, ReplyOptions, RequestOptions, StreamTranslator, translate_reply, translate_request,
    };

    /// The request in another dialect, and what is noted of it.
    fn asked(request: &Value) -> (Value, Notes) {
        let mut out = Vec::new();
        let body = request.to_string();
        let options = RequestOptions::new("m");
        let (from, to) = (OpenAiResponses, AnthropicMessages);
        let notes = translate_request(from, to, body.as_bytes(), &options, &mut out).unwrap();
        (serde_json::from_slice(&out).unwrap(), notes)
    }

    fn request() -> Value {
        let tool = |name: &str| json!({"type": "function", "name": name, "parameters": {"type": "object"}});
        json!({
            "model": "m",
            "input": [
                {"role": "user", "content": "hi"},
                {"type": "function_call", "call_id": "c1", "namespace": "crm", "name": "find", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c1", "output": "nobody"},
            ],
            "tools": [
                tool("find"),
                {"type": "namespace", "name": "crm", "description": "Customers.", "tools": [tool("find"), tool("add")]},
                {"type": "namespace", "name": "mcp__shop__", "description": "Shop.", "tools": [tool("find")]},
            ],
        })
    }

    fn options(notes: &Notes) -> ReplyOptions<'_> {
        ReplyOptions { notes, model: None, trailer: &[], id: "id", created: 1 }
    }

    fn call_of(name: &str) -> Value {
        json!({"type": "tool_use", "id": "c2", "name": name, "input": {"a": 1}})
    }

    #[test]
    fn tools_of_different_groups_are_told_apart() {
        let (written, _) = asked(&request());
        let tools = written["tools"].as_array().unwrap();
        let names: Vec<_> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["find", "crm__find", "add", "mcp__shop__find"]);
        assert_eq!(written["messages"][1]["content"][0]["name"], "crm__find");
    }

    #[test]
    fn calls_get_both_names_back() {
        let (_, notes) = asked(&request());
        for (written, name, namespace) in [
            ("find", "find", None),
            ("crm__find", "find", Some("crm")),
            ("add", "add", Some("crm")),
            ("mcp__shop__find", "find", Some("mcp__shop__")),
        ] {
            let reply = json!({
                "id": "m1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "tool_use",
                "content": [call_of(written)], "usage": {"input_tokens": 1, "output_tokens": 1},
            });
            let mut out = Vec::new();
            let body = reply.to_string();
            let (from, to) = (AnthropicMessages, OpenAiResponses);
            translate_reply(from, to, body.as_bytes(), &options(&notes), &mut out).unwrap();
            let item = &serde_json::from_slice::<Value>(&out).unwrap()["output"][0];
            assert_eq!((&item["name"], item["namespace"].as_str()), (&json!(name), namespace));
        }
    }

    #[test]
    fn streamed_calls_get_both_names_back() {
        let (_, notes) = asked(&request());
        let options = options(&notes);
        let mut translator = StreamTranslator::new(AnthropicMessages, OpenAiResponses, &options);
        let mut out = Vec::new();
        let message = json!({"id": "m1", "type": "message", "role": "assistant", "model": "m", "content": []});
        for event in [
            json!({"type": "message_start", "message": message}),
            json!({"type": "content_block_start", "index": 0, "content_block": call_of("crm__find")}),
            json!({"type": "content_block_stop", "index": 0}),
            json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 1}}),
            json!({"type": "message_stop"}),
        ] {
            translator.event(None, event.to_string().as_bytes(), &mut out).unwrap();
        }
        let text = String::from_utf8(out).unwrap();
        let named = r#""namespace":"crm","name":"find""#;
        // When it begins, when it is done, and in the whole response.
        assert_eq!(text.matches(named).count(), 3, "{text}");
        assert!(!text.contains("crm__find"), "{text}");
    }
}
