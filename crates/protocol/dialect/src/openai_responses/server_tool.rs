//! Items of tools that the vendor runs itself. An item holds the call and what came of it.

use crate::canonical::{Page, Part, PartKind, ServerCall, ServerResult, ServerTool};
use crate::fields;
use crate::json::{Index, Object, Raw, Text};

/// Reads an item of such a tool as the call and its result; nothing for tools only this dialect has.
pub(super) fn read_server_item<'a>(kind: &str, item: Raw<'a>) -> Option<Vec<Part<'a>>> {
    let tool = match kind {
        "web_search_call" => ServerTool::WebSearch,
        "file_search_call" => ServerTool::FileSearch,
        "code_interpreter_call" => ServerTool::CodeExecution,
        "mcp_call" => ServerTool::Mcp,
        _ => return None,
    };
    let id = fields::lenient_text(item, "id")?;
    let (tool, input) = read_input(tool, item);
    let call = ServerCall {
        id: id.clone(),
        tool,
        name: fields::lenient_text(item, "name").filter(|_| tool == ServerTool::Mcp),
        server: fields::lenient_text(item, "server_label"),
        input,
    };
    let mut parts = vec![PartKind::ServerCall(call).into()];
    // A page that was opened, and files that were found, are not shown.
    if tool != ServerTool::WebFetch {
        parts.push(PartKind::ServerResult(read_result(tool, id, item)).into());
    }
    Some(parts)
}

/// The tool, and what it was asked. Opening a page is a kind of searching here. xAI gives the arguments as JSON text.
fn read_input<'a>(tool: ServerTool, item: Raw<'a>) -> (ServerTool, Option<Text<'a>>) {
    let of_arguments = |name| argument(&fields::lenient_text(item, "arguments")?, name);
    let action = item.member("action");
    let of_action = |name| fields::lenient_text(action?, name);
    match tool {
        ServerTool::WebSearch if of_action("query").is_none() && of_action("url").is_some() => {
            (ServerTool::WebFetch, of_action("url"))
        }
        ServerTool::WebSearch => (tool, of_action("query").or_else(|| of_arguments("query"))),
        ServerTool::FileSearch => {
            let queries = item.member("queries");
            (tool, queries.and_then(|queries| queries.elements().next()?.as_text()))
        }
        ServerTool::CodeExecution => {
            (tool, fields::lenient_text(item, "code").or_else(|| of_arguments("code")))
        }
        ServerTool::Mcp => (tool, fields::lenient_text(item, "arguments")),
        ServerTool::WebFetch => (tool, None),
    }
}

/// A string member of an object that stands inside a string.
fn argument(arguments: &Text<'_>, name: &str) -> Option<Text<'static>> {
    let json = arguments.plain();
    let mut index = Index::new();
    let root = index.read(json.as_bytes()).ok()?;
    fields::lenient_text(root, name).map(Text::into_owned)
}

fn read_result<'a>(tool: ServerTool, call_id: Text<'a>, item: Raw<'a>) -> ServerResult<'a> {
    let error = item.member("error");
    let message =
        error.and_then(|error| error.as_text().or_else(|| fields::lenient_text(error, "message")));
    let has_failed = fields::lenient_text(item, "status").is_some_and(|status| status == *"failed");
    let pages = item.member("action").and_then(|action| action.member("sources"));
    ServerResult {
        call_id,
        tool,
        is_error: error.is_some() || has_failed,
        output: message.or_else(|| fields::lenient_text(item, "output")).or_else(|| logs(item)),
        pages: pages.iter().flat_map(|list| list.elements()).filter_map(read_page).collect(),
    }
}

/// What the code printed.
fn logs<'a>(item: Raw<'a>) -> Option<Text<'a>> {
    let outputs = item.member("outputs")?;
    let mut logs = outputs.elements().filter_map(|output| fields::lenient_text(output, "logs"));
    let first = logs.next()?;
    Some(logs.fold(first, |joined, more| {
        let mut joined = joined.into_plain().into_owned();
        joined.push_str(&more.plain());
        joined.into()
    }))
}

fn read_page<'a>(source: Raw<'a>) -> Option<Page<'a>> {
    let url = fields::lenient_text(source, "url")?;
    Some(Page { url, title: fields::lenient_text(source, "title") })
}

/// The type of item a tool's call is written as.
pub(super) fn item_type(tool: ServerTool) -> &'static str {
    match tool {
        ServerTool::WebSearch | ServerTool::WebFetch => "web_search_call",
        ServerTool::FileSearch => "file_search_call",
        ServerTool::CodeExecution => "code_interpreter_call",
        ServerTool::Mcp => "mcp_call",
    }
}

/// The name of the phase between a call's beginning and its end, where there is one.
pub(super) fn phase(tool: ServerTool) -> Option<&'static str> {
    match tool {
        ServerTool::WebSearch | ServerTool::WebFetch | ServerTool::FileSearch => Some("searching"),
        ServerTool::CodeExecution => Some("interpreting"),
        ServerTool::Mcp => None,
    }
}

/// Writes the members of an item. Without a result it is still going on if `status` says so.
pub(super) fn write_server_item(
    call: &ServerCall<'_>,
    result: Option<&ServerResult<'_>>,
    status: &str,
    object: &mut Object<'_>,
) {
    let has_failed = result.is_some_and(|result| result.is_error);
    object.text("id", &call.id);
    object.str("type", item_type(call.tool));
    object.str("status", if has_failed { "failed" } else { status });
    let nothing = Text::default();
    let input = call.input.as_ref().unwrap_or(&nothing);
    match call.tool {
        ServerTool::WebSearch => {
            let mut action = object.object("action");
            action.str("type", "search");
            action.text("query", input);
            write_pages(result, &mut action);
        }
        ServerTool::WebFetch => {
            let mut action = object.object("action");
            action.str("type", "open_page");
            action.text("url", input);
        }
        ServerTool::FileSearch => {
            object.array("queries").text(input);
            object.null("results");
        }
        ServerTool::CodeExecution => write_code(input, result, object),
        ServerTool::Mcp => write_mcp(call, result, object),
    }
}

fn write_pages(result: Option<&ServerResult<'_>>, action: &mut Object<'_>) {
    let Some(result) = result.filter(|result| !result.pages.is_empty()) else { return };
    let mut sources = action.array("sources");
    for page in &result.pages {
        let mut source = sources.object();
        source.str("type", "url");
        source.text("url", &page.url);
        source.text_if("title", page.title.as_ref());
    }
}

fn write_code(code: &Text<'_>, result: Option<&ServerResult<'_>>, object: &mut Object<'_>) {
    object.text("code", code);
    // Other vendors do not name where code runs.
    object.str("container_id", "");
    let mut outputs = object.array("outputs");
    if let Some(output) = result.and_then(|result| result.output.as_ref()) {
        let mut logs = outputs.object();
        logs.str("type", "logs");
        logs.text("logs", output);
    }
}

fn write_mcp(call: &ServerCall<'_>, result: Option<&ServerResult<'_>>, object: &mut Object<'_>) {
    let nothing = Text::default();
    object.null("approval_request_id");
    object.text("arguments", call.input.as_ref().unwrap_or(&nothing));
    object.text("name", call.name.as_ref().unwrap_or(&nothing));
    object.text("server_label", call.server.as_ref().unwrap_or(&nothing));
    let output = result.and_then(|result| result.output.as_ref());
    if result.is_some_and(|result| result.is_error) {
        let mut error = object.object("error");
        error.str("type", "mcp_tool_execution_error");
        error.text("content", output.unwrap_or(&nothing));
        error.text("message", output.unwrap_or(&nothing));
        drop(error);
        return object.null("output");
    }
    object.null("error");
    match output {
        Some(output) => object.text("output", output),
        None => object.null("output"),
    }
}
