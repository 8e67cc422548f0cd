//! Blocks of tools that the vendor runs itself: `server_tool_use`, `mcp_tool_use`, and their results.

use std::borrow::Cow;

use super::block_write::sanitize_id;
use crate::canonical::{Page, ServerCall, ServerResult, ServerTool};
use crate::fields;
use crate::json::{Index, Object, Raw, Text};

/// The tools others have, too, by the vendor's name, with the member of the input that says what is asked for.
const TOOLS: &[(&str, ServerTool, &str)] = &[
    ("web_search", ServerTool::WebSearch, "query"),
    ("web_fetch", ServerTool::WebFetch, "url"),
    ("code_execution", ServerTool::CodeExecution, "code"),
    ("bash_code_execution", ServerTool::CodeExecution, "command"),
];

/// The tools others have, too, by the type of block their results come in.
const RESULTS: &[(&str, ServerTool)] = &[
    ("web_search_tool_result", ServerTool::WebSearch),
    ("web_fetch_tool_result", ServerTool::WebFetch),
    ("code_execution_tool_result", ServerTool::CodeExecution),
    ("bash_code_execution_tool_result", ServerTool::CodeExecution),
    ("mcp_tool_result", ServerTool::Mcp),
];

/// Reads a call; nothing for tools only this vendor has.
pub(super) fn read_call<'a>(block: Raw<'a>, input: Option<Raw<'a>>) -> Option<ServerCall<'a>> {
    let id = fields::lenient_text(block, "id")?;
    let name = fields::lenient_text(block, "name")?;
    if fields::lenient_text(block, "type")? == *"mcp_tool_use" {
        return Some(ServerCall {
            id,
            tool: ServerTool::Mcp,
            name: Some(name),
            server: fields::lenient_text(block, "server_name"),
            input: input.map(|input| input.text().into()),
        });
    }
    let (_, tool, member) = TOOLS.iter().find(|(known, _, _)| name == **known)?;
    let input = input.and_then(|input| fields::lenient_text(input, member));
    Some(ServerCall { id, tool: *tool, name: None, server: None, input })
}

/// Reads a result; nothing for tools only this vendor has.
pub(super) fn read_result<'a>(block: Raw<'a>) -> Option<ServerResult<'a>> {
    let kind = fields::lenient_text(block, "type")?;
    let (_, tool) = RESULTS.iter().find(|(known, _)| kind == **known)?;
    let content = block.member("content");
    let text = |name| content.and_then(|content| fields::lenient_text(content, name));
    let code = content
        .and_then(|content| content.member("return_code"))
        .and_then(|code| code.as_i64())
        .unwrap_or(0);
    let is_said = block.member("is_error").and_then(|is_error| is_error.as_bool()) == Some(true);
    Some(ServerResult {
        call_id: fields::lenient_text(block, "tool_use_id")?,
        tool: *tool,
        is_error: is_said || text("error_code").is_some() || code != 0,
        output: text("error_code").or_else(|| printed(content?)),
        pages: content.iter().flat_map(|list| list.elements()).filter_map(read_page).collect(),
    })
}

/// What code printed, or the texts an MCP server answered with.
fn printed<'a>(content: Raw<'a>) -> Option<Text<'a>> {
    if let Some(text) = content.as_text() {
        return Some(text);
    }
    let streams = ["stdout", "stderr"].map(|name| fields::lenient_text(content, name));
    let of_parts = content.elements().filter_map(|part| fields::lenient_text(part, "text"));
    let mut texts = streams.into_iter().flatten().chain(of_parts).filter(|text| !text.is_empty());
    let first = texts.next()?;
    Some(texts.fold(first, |joined, text| {
        let mut joined = joined.into_plain().into_owned();
        joined.push('\n');
        joined.push_str(&text.plain());
        joined.into()
    }))
}

fn read_page<'a>(result: Raw<'a>) -> Option<Page<'a>> {
    let url = fields::lenient_text(result, "url")?;
    Some(Page { url, title: fields::lenient_text(result, "title") })
}

/// Whether the vendor has a block for the tool.
pub(super) fn is_known(tool: ServerTool) -> bool {
    match tool {
        ServerTool::WebSearch
        | ServerTool::WebFetch
        | ServerTool::CodeExecution
        | ServerTool::Mcp => true,
        ServerTool::FileSearch => false,
    }
}

/// Writes the members of a call in front of its input.
pub(super) fn write_call_head(call: &ServerCall<'_>, block: &mut Object<'_>) {
    let is_mcp = call.tool == ServerTool::Mcp;
    block.str("type", if is_mcp { "mcp_tool_use" } else { "server_tool_use" });
    block.text("id", &sanitize_id(&call.id));
    match TOOLS.iter().find(|(_, tool, _)| *tool == call.tool) {
        Some((name, _, _)) => block.str("name", name),
        None => block.text("name", call.name.as_ref().unwrap_or(&Text::default())),
    }
    if is_mcp {
        block.text("server_name", call.server.as_ref().unwrap_or(&Text::default()));
    }
}

/// Writes the input of a call, which is an object.
pub(super) fn write_input(call: &ServerCall<'_>, out: &mut Vec<u8>) {
    let input = call.input.as_ref();
    if let Some((_, _, member)) = TOOLS.iter().find(|(_, tool, _)| *tool == call.tool) {
        return Object::new(out).text_if(member, input);
    }
    let json = input.map_or(Cow::Borrowed("{}"), Text::plain);
    match Index::new().read(json.as_bytes()) {
        Ok(value) if value.is_object() => out.extend_from_slice(value.text().as_bytes()),
        Ok(_) | Err(_) => Object::new(out).str("arguments", &json),
    }
}

/// Writes the members of a result.
pub(super) fn write_result(result: &ServerResult<'_>, block: &mut Object<'_>) {
    let kind = RESULTS.iter().find(|(_, tool)| *tool == result.tool).map_or("", |(kind, _)| kind);
    block.str("type", kind);
    block.text("tool_use_id", &sanitize_id(&result.call_id));
    let nothing = Text::default();
    let output = result.output.as_ref().unwrap_or(&nothing);
    match result.tool {
        ServerTool::Mcp => {
            block.bool("is_error", result.is_error);
            let mut content = block.array("content");
            let mut part = content.object();
            part.str("type", "text");
            part.text("text", output);
        }
        ServerTool::CodeExecution => {
            let (printed, complaint) =
                if result.is_error { (&nothing, output) } else { (output, &nothing) };
            let mut content = block.object("content");
            content.str("type", "code_execution_result");
            content.text("stdout", printed);
            content.text("stderr", complaint);
            content.u64("return_code", u64::from(result.is_error));
            content.array("content");
        }
        ServerTool::WebSearch | ServerTool::WebFetch | ServerTool::FileSearch
            if result.is_error =>
        {
            let mut content = block.object("content");
            content.str("type", &format!("{kind}_error"));
            content.str("error_code", "unavailable");
        }
        ServerTool::WebSearch | ServerTool::WebFetch | ServerTool::FileSearch => {
            let mut content = block.array("content");
            for page in &result.pages {
                let mut found = content.object();
                found.str("type", "web_search_result");
                found.text("url", &page.url);
                found.text("title", page.title.as_ref().unwrap_or(&nothing));
                found.str("encrypted_content", "");
                found.null("page_age");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_result(json: &str, check: impl FnOnce(Option<ServerResult<'_>>)) {
        let mut index = Index::new();
        check(read_result(index.read(json.as_bytes()).expect("JSON")));
    }

    #[test]
    fn what_code_printed_is_its_output() {
        let block = |content: &str| {
            format!(
                r#"{{"type":"code_execution_tool_result","tool_use_id":"s","content":{content}}}"#
            )
        };
        let cases = [
            (r#"{"stdout":"a","stderr":"","return_code":0}"#, Some("a"), false),
            (r#"{"stdout":"a","stderr":"b","return_code":1}"#, Some("a\nb"), true),
            (r#"{"type":"code_execution_tool_result_error","error_code":"x"}"#, Some("x"), true),
            (r#"{"stdout":""}"#, None, false),
        ];
        for (content, output, is_error) in cases {
            with_result(&block(content), |result| {
                let result = result.expect("a result");
                let found = result.output.as_ref().map(Text::plain);
                assert_eq!((found.as_deref(), result.is_error), (output, is_error), "{content}");
            });
        }
    }

    #[test]
    fn tools_only_this_vendor_has_stay_unread() {
        with_result(r#"{"type":"tool_search_tool_result","tool_use_id":"s"}"#, |result| {
            assert!(result.is_none());
        });
    }
}
