//! Writing the tools of a request and which of them to use.

use super::write::Writer;
use crate::Dialect;
use crate::canonical::{CustomTool, FunctionTool, HostedTool, ServerTool, Tool, ToolChoice};
use crate::error::{Error, What};
use crate::fields;
use crate::json::{Array, Object, Raw};
use crate::openai_chat::is_run_by_caller;

impl Writer<'_, '_> {
    pub(super) fn tools(&mut self, body: &mut Object<'_>) -> Result<(), Error> {
        let request = self.request;
        let mut kept = Vec::new();
        for (position, tool) in request.tools.iter().enumerate() {
            if self.takes(tool).map_err(|error| error.in_element(position).in_member("tools"))? {
                kept.push(tool);
            }
        }
        let search = self.web_search_options();
        if kept.is_empty() && search.is_none() {
            return Ok(());
        }
        let mut array = body.array("tools");
        kept.iter().for_each(|tool| self.tool(tool, &mut array));
        if let Some(options) = search {
            write_search_options(options, array.object());
        }
        drop(array);
        self.tool_choice(&kept, body);
        if let Some(parallel) = request.parallel_tool_calls {
            body.bool("parallel_tool_calls", parallel);
        }
        Ok(())
    }

    /// Whether a tool is written; those that can be missed are not.
    fn takes(&mut self, tool: &Tool<'_>) -> Result<bool, Error> {
        let kind = match tool {
            Tool::Function(_) | Tool::Custom(_) => return Ok(true),
            Tool::Hosted(hosted) => match hosted.tool {
                ServerTool::WebSearch | ServerTool::CodeExecution => return Ok(true),
                ServerTool::WebFetch | ServerTool::FileSearch | ServerTool::Mcp => &hosted.kind,
            },
            Tool::Vendor { kind, .. } if is_run_by_caller(&kind.plain()) => {
                return Err(Error::at("type", What::Inexpressible(Dialect::OpenAiResponses)));
            }
            Tool::Vendor { kind, .. } => kind,
        };
        self.notes.drop(&format!("tools[].{}", kind.plain()));
        Ok(false)
    }

    /// The elder dialect's way to ask for a search.
    fn web_search_options(&self) -> Option<Raw<'_>> {
        let is_elder = self.request.source == Dialect::OpenAiChat;
        let mut rest = self.request.rest.iter().filter(|_| is_elder);
        rest.find(|(name, _)| name == "web_search_options").map(|(_, options)| *options)
    }

    fn tool(&self, tool: &Tool<'_>, array: &mut Array<'_>) {
        match tool {
            Tool::Function(function) => self.function(function, array.object()),
            Tool::Custom(custom) => write_custom(custom, array.object()),
            Tool::Hosted(hosted) => write_hosted(hosted, array.object()),
            Tool::Vendor { .. } => {}
        }
    }

    fn function(&self, tool: &FunctionTool<'_>, mut object: Object<'_>) {
        object.str("type", "function");
        object.text("name", &tool.name);
        object.text_if("description", tool.description.as_ref());
        match tool.parameters {
            Some(parameters) => object.raw("parameters", parameters),
            None => object.verbatim("parameters", r#"{"type":"object","properties":{}}"#),
        }
        // Left out it would mean yes here, and means no everywhere else.
        object.bool("strict", tool.strict.unwrap_or(false));
        if self.target.cache_control {
            object.raw_if("cache_control", tool.cache_control);
        }
    }

    fn tool_choice(&mut self, kept: &[&Tool<'_>], body: &mut Object<'_>) {
        match &self.request.tool_choice {
            None => {}
            Some(ToolChoice::Auto) => body.str("tool_choice", "auto"),
            Some(ToolChoice::None) => body.str("tool_choice", "none"),
            Some(ToolChoice::Required) => body.str("tool_choice", "required"),
            Some(ToolChoice::Vendor(_)) => self.notes.drop("tool_choice"),
            Some(ToolChoice::Named(name)) => {
                let kind = kept.iter().find_map(|tool| match tool {
                    Tool::Function(tool) if tool.name == *name => Some("function"),
                    Tool::Custom(tool) if tool.name == *name => Some("custom"),
                    _ => None,
                });
                let Some(kind) = kind else { return self.notes.drop("tool_choice") };
                let mut choice = body.object("tool_choice");
                choice.str("type", kind);
                choice.text("name", name);
            }
        }
    }
}

fn write_custom(tool: &CustomTool<'_>, mut object: Object<'_>) {
    object.str("type", "custom");
    object.text("name", &tool.name);
    object.text_if("description", tool.description.as_ref());
    if let Some(grammar) = &tool.grammar {
        let mut format = object.object("format");
        format.str("type", "grammar");
        format.text("syntax", &grammar.syntax);
        format.text("definition", &grammar.definition);
    }
}

fn write_hosted(hosted: &HostedTool<'_>, mut object: Object<'_>) {
    if hosted.tool == ServerTool::CodeExecution {
        object.str("type", "code_interpreter");
        return object.object("container").str("type", "auto");
    }
    object.str("type", "web_search");
    if hosted.allowed_domains.is_some() || hosted.blocked_domains.is_some() {
        let mut filters = object.object("filters");
        filters.raw_if("allowed_domains", hosted.allowed_domains);
        filters.raw_if("blocked_domains", hosted.blocked_domains);
    }
    object.raw_if("user_location", hosted.user_location);
}

/// `{search_context_size, user_location: {type, approximate: {…}}}`, flattened.
fn write_search_options(options: Raw<'_>, mut object: Object<'_>) {
    object.str("type", "web_search");
    object.raw_if("search_context_size", options.member("search_context_size"));
    let Some(location) = options.member("user_location") else { return };
    let Some(place) = location.member("approximate") else { return };
    let mut written = object.object("user_location");
    let kind = fields::lenient_text(location, "type").unwrap_or_else(|| "approximate".into());
    written.text("type", &kind);
    place.members().for_each(|(name, value)| written.raw(&name, value));
}
