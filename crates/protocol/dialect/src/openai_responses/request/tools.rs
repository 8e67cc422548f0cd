//! Reading the tools of a request and which of them to use.

use crate::canonical::{
    CustomTool, FunctionTool, Grammar, HostedTool, Request, ServerTool, Tool, ToolChoice,
};
use crate::error::{Error, What};
use crate::fields;
use crate::json::{Raw, Text};
use crate::openai_responses::namespace;

/// Types of tools that the caller runs itself: without them the conversation makes no sense.
const NEEDED: &[&str] = &[
    "apply_patch",
    "computer",
    "computer_use_preview",
    "local_shell",
    "programmatic_tool_calling",
    "shell",
];

/// Reads a list of tools into the request; more of them may come in the middle of a conversation.
pub(super) fn read_tools<'a>(
    name: &str,
    tools: Raw<'a>,
    request: &mut Request<'a>,
) -> Result<(), Error> {
    let read = fields::each(name, tools, |position, tool| {
        let read = read_tool(tool)?;
        if let Tool::Vendor { kind, .. } = &read
            && NEEDED.contains(&&*kind.plain())
        {
            request.own_only.push(format!("{name}[{position}].type"));
        }
        Ok(read)
    })?;
    let mut groups = Vec::new();
    for (position, tool) in read.into_iter().enumerate() {
        match tool {
            Tool::Vendor { kind, raw } if kind == *namespace::TYPE => groups.push((position, raw)),
            tool => add(tool, request),
        }
    }
    for (position, group) in groups {
        namespace::read_group(group, request, read_tool)
            .map_err(|error| error.in_element(position).in_member(name))?;
    }
    Ok(())
}

/// A function that is offered again is the same one.
fn add<'a>(tool: Tool<'a>, request: &mut Request<'a>) {
    let is_known = |known: &Tool<'_>| match (known, &tool) {
        (Tool::Function(known), Tool::Function(tool)) => known.name == tool.name,
        _ => false,
    };
    if !request.tools.iter().any(is_known) {
        request.tools.push(tool);
    }
}

fn read_tool<'a>(tool: Raw<'a>) -> Result<Tool<'a>, Error> {
    if !tool.is_object() {
        return Err(Error::new(What::WrongType("an object")));
    }
    let kind = fields::lenient_text(tool, "type").unwrap_or_else(|| "function".into());
    match &*kind.plain() {
        "function" => read_function(tool).map(Tool::Function),
        "custom" => read_custom(tool).map(Tool::Custom),
        name => Ok(match hosted_tool(name) {
            None => Tool::Vendor { kind: kind.clone(), raw: tool },
            Some(hosted) => Tool::Hosted(HostedTool {
                tool: hosted,
                kind: kind.clone(),
                allowed_domains: domains(tool, "allowed_domains"),
                blocked_domains: domains(tool, "blocked_domains"),
                user_location: tool.member("user_location"),
                raw: tool,
            }),
        }),
    }
}

fn domains<'a>(tool: Raw<'a>, name: &str) -> Option<Raw<'a>> {
    tool.member("filters")?.member(name)
}

/// A tool that the vendor runs itself and others have, too; some types end in a date.
fn hosted_tool(kind: &str) -> Option<ServerTool> {
    match kind {
        "code_interpreter" => Some(ServerTool::CodeExecution),
        "file_search" => Some(ServerTool::FileSearch),
        "mcp" => Some(ServerTool::Mcp),
        kind if kind.starts_with("web_search") => Some(ServerTool::WebSearch),
        _ => None,
    }
}

/// A function. Some clients nest it as the elder dialect does.
fn read_function<'a>(tool: Raw<'a>) -> Result<FunctionTool<'a>, Error> {
    let nested = tool.member("function").filter(|function| function.is_object());
    let function = nested.unwrap_or(tool);
    let read = || {
        let mut read = FunctionTool {
            name: fields::required_text(function, "name")?,
            ..FunctionTool::default()
        };
        for (name, value) in function.members().filter(|(_, value)| !value.is_null()) {
            match &*name {
                "name" | "type" => {}
                "description" => read.description = Some(fields::text(&name, value)?),
                "parameters" => read.parameters = Some(fields::object(&name, value)?),
                "strict" => read.strict = Some(fields::boolean(&name, value)?),
                "cache_control" => read.cache_control = Some(value),
                _ => read.rest.push((name, value)),
            }
        }
        Ok(read)
    };
    read().map_err(|error: Error| match nested {
        Some(_) => error.in_member("function"),
        None => error,
    })
}

fn read_custom<'a>(tool: Raw<'a>) -> Result<CustomTool<'a>, Error> {
    let format = tool.member("format");
    let of_format = |name| fields::lenient_text(format?, name);
    Ok(CustomTool {
        name: fields::required_text(tool, "name")?,
        description: fields::lenient_text(tool, "description"),
        grammar: of_format("syntax")
            .zip(of_format("definition"))
            .map(|(syntax, definition)| Grammar { syntax, definition }),
        raw: tool,
    })
}

/// Reads which tools to use.
pub(super) fn read_tool_choice<'a>(choice: Raw<'a>, request: &mut Request<'a>) {
    request.tool_choice = Some(match choice.as_str() {
        Some(word) => match &*word {
            "auto" => ToolChoice::Auto,
            "none" => ToolChoice::None,
            "required" => ToolChoice::Required,
            _ => ToolChoice::Vendor(choice),
        },
        None => read_choice_object(choice),
    });
}

fn read_choice_object<'a>(choice: Raw<'a>) -> ToolChoice<'a> {
    let kind = fields::lenient_text(choice, "type").unwrap_or_else(|| "function".into());
    let named = choice.member("function").unwrap_or(choice);
    let kind = kind.plain();
    match fields::lenient_text(named, "name") {
        Some(name) if matches!(&*kind, "function" | "custom") => ToolChoice::Named(name),
        _ => ToolChoice::Vendor(choice),
    }
}

/// A choice among some of the tools is one among all of them without the others, which every dialect can say.
pub(super) fn restrict_tools(request: &mut Request<'_>) {
    let Some(ToolChoice::Vendor(choice)) = request.tool_choice else { return };
    if fields::lenient_text(choice, "type").is_none_or(|kind| kind != *"allowed_tools") {
        return;
    }
    let allowed: Vec<Raw<'_>> =
        choice.member("tools").iter().flat_map(|tools| tools.elements()).collect();
    let names = |tool: &Raw<'_>, name: &str, expected: &Text<'_>| {
        fields::lenient_text(*tool, name).is_some_and(|found| found == *expected)
    };
    request.tools.retain(|tool| match tool {
        Tool::Function(FunctionTool { name, .. }) | Tool::Custom(CustomTool { name, .. }) => {
            allowed.iter().any(|allowed| names(allowed, "name", name))
        }
        Tool::Hosted(HostedTool { kind, .. }) | Tool::Vendor { kind, .. } => {
            allowed.iter().any(|allowed| names(allowed, "type", kind))
        }
    });
    let mode = fields::lenient_text(choice, "mode");
    let is_required = mode.is_some_and(|mode| mode == *"required");
    request.tool_choice = Some(if is_required { ToolChoice::Required } else { ToolChoice::Auto });
}
