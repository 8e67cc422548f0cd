//! Writing a request: tools and settings. The contents are written in `contents_write`.

use super::thinking::write_thinking;
use crate::Dialect;
use crate::canonical::{FunctionTool, HostedTool, OutputFormat, Request, Tool, ToolChoice};
use crate::error::{Error, What};
use crate::fields;
use crate::gemini::spelling::camel;
use crate::json::{Array, Object, Raw};
use crate::options::{GeminiTarget, Notes, RequestOptions};

/// Members of a request that are the gateway's own business.
const GATEWAY_MEMBERS: &[&str] = &["model", "fallbacks", "extraParams"];

/// Members that callers of other dialects may name beside theirs.
const EXTRA_MEMBERS: &[&str] = &["safetySettings", "cachedContent", "labels"];

/// Tools of other vendors, by the beginning of their names, and Google's of the same kind.
const TOOLS: &[(&str, &str)] = &[
    ("web_search", "googleSearch"),
    ("code_execution", "codeExecution"),
    ("code_interpreter", "codeExecution"),
    ("web_fetch", "urlContext"),
];

/// Tools that the caller runs itself, by the beginning of their names: without them the conversation makes no sense.
const RUN_BY_CALLER: &[&str] =
    &["apply_patch", "bash", "computer", "custom", "local_shell", "memory", "shell", "text_editor"];

/// Writes a request body. The model and whether the answer streams stand in the path.
pub(crate) fn write_request(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let mut body = Object::new(out);
    if let Some(own) = request.raw.filter(|_| request.source == Dialect::Gemini) {
        write_own(own, request, &mut body);
        return Ok(());
    }
    let mut writer = Writer { request, target: options.gemini, notes };
    writer.contents(body.array("contents"))?;
    writer.system(&mut body)?;
    writer.tools(&mut body)?;
    writer.generation(body.object("generationConfig"));
    writer.rest(&mut body);
    Ok(())
}

/// A request of this dialect is written as it was spelt: hosts take both spellings, but not every mixture.
fn write_own(own: Raw<'_>, request: &Request<'_>, body: &mut Object<'_>) {
    for (name, value) in own.members() {
        if !GATEWAY_MEMBERS.contains(&&*camel(name.as_ref().into())) {
            body.raw(&name, value);
        }
    }
    let is_new = |name: &str| own.members().all(|(known, _)| known != *name);
    for (name, value) in request.extra.iter().filter(|(name, _)| is_new(name)) {
        body.raw(name, *value);
    }
}

/// What a request is written with.
pub(super) struct Writer<'w, 'a> {
    pub(super) request: &'w Request<'a>,
    pub(super) target: GeminiTarget,
    pub(super) notes: &'w mut Notes,
}

impl<'w, 'a> Writer<'w, 'a> {
    fn tools(&mut self, body: &mut Object<'_>) -> Result<(), Error> {
        let (functions, own) = self.sort_tools()?;
        if functions.is_empty() && own.is_empty() {
            return Ok(());
        }
        let mut array = body.array("tools");
        if !functions.is_empty() {
            let mut tool = array.object();
            let mut declarations = tool.array("functionDeclarations");
            functions.iter().for_each(|function| self.function(function, &mut declarations));
        }
        for name in &own {
            array.object().object(name);
        }
        drop(array);
        self.tool_config(&functions, !own.is_empty(), body);
        Ok(())
    }

    /// The functions, and the tools of Google's own that stand in for those of other vendors.
    fn sort_tools(&mut self) -> Result<(Vec<&'w FunctionTool<'a>>, Vec<&'static str>), Error> {
        let request = self.request;
        let mut functions = Vec::new();
        let mut own = Vec::new();
        for (position, tool) in request.tools.iter().enumerate() {
            match tool {
                Tool::Function(function) => functions.push(function),
                Tool::Vendor { kind, .. } | Tool::Hosted(HostedTool { kind, .. }) => {
                    own.extend(
                        self.vendor_tool(&kind.plain())
                            .map_err(|error| error.in_element(position).in_member("tools"))?,
                    );
                }
                Tool::Custom(_) => {
                    let what = What::Inexpressible(Dialect::Gemini);
                    return Err(Error::at("type", what).in_element(position).in_member("tools"));
                }
            }
        }
        if request.rest.iter().any(|(name, _)| name == "web_search_options") {
            own.push("googleSearch");
        }
        own.dedup();
        if !functions.is_empty() && !self.target.own_tools_beside_functions {
            own.drain(..)
                .for_each(|name| self.notes.drop(&format!("tools[].{name} beside functions")));
        }
        Ok((functions, own))
    }

    fn vendor_tool(&mut self, kind: &str) -> Result<Option<&'static str>, Error> {
        if RUN_BY_CALLER.iter().any(|head| kind.starts_with(head)) {
            return Err(Error::at("type", What::Inexpressible(Dialect::Gemini)));
        }
        let known = TOOLS.iter().find(|(head, _)| kind.starts_with(head));
        if known.is_none() {
            self.notes.drop(&format!("tools[].{kind}"));
        }
        Ok(known.map(|(_, name)| *name))
    }

    fn function(&mut self, tool: &FunctionTool<'_>, declarations: &mut Array<'_>) {
        let mut declaration = declarations.object();
        declaration.text("name", &tool.name);
        declaration.text_if("description", tool.description.as_ref());
        declaration.raw_if("parametersJsonSchema", tool.parameters);
        if tool.strict.is_some() {
            self.notes.drop("tools[].function.strict");
        }
        if tool.cache_control.is_some() {
            self.notes.drop("cache_control");
        }
    }

    fn tool_config(
        &mut self,
        functions: &[&FunctionTool<'_>],
        has_own: bool,
        body: &mut Object<'_>,
    ) {
        if self.request.parallel_tool_calls == Some(false) && !functions.is_empty() {
            self.notes.drop("parallel_tool_calls");
        }
        let choice = self.tool_choice(functions);
        let is_mixed = has_own && !functions.is_empty();
        if choice.is_none() && !is_mixed {
            return;
        }
        let mut config = body.object("toolConfig");
        if let Some(choice) = choice {
            let mut calling = config.object("functionCallingConfig");
            match choice {
                ToolChoice::Auto => calling.str("mode", "AUTO"),
                ToolChoice::None => calling.str("mode", "NONE"),
                ToolChoice::Required => calling.str("mode", "ANY"),
                ToolChoice::Named(name) => {
                    calling.str("mode", "ANY");
                    calling.array("allowedFunctionNames").text(name);
                }
                ToolChoice::Vendor(_) => {}
            }
        }
        if is_mixed {
            config.bool("includeServerSideToolInvocations", true);
        }
    }

    fn tool_choice(&mut self, functions: &[&FunctionTool<'_>]) -> Option<&'w ToolChoice<'a>> {
        let request = self.request;
        let choice = request.tool_choice.as_ref().filter(|_| !functions.is_empty())?;
        let is_there = match choice {
            ToolChoice::Auto | ToolChoice::None | ToolChoice::Required => true,
            ToolChoice::Named(name) => functions.iter().any(|function| function.name == *name),
            ToolChoice::Vendor(_) => false,
        };
        if !is_there {
            self.notes.drop("tool_choice");
        }
        Some(choice).filter(|_| is_there)
    }

    fn generation(&mut self, mut config: Object<'_>) {
        let request = self.request;
        let sampling = &request.sampling;
        if let Some(limit) = request.output_tokens_max {
            config.u64("maxOutputTokens", limit);
        }
        config.raw_if("temperature", sampling.temperature);
        config.raw_if("topP", sampling.top_p);
        config.raw_if("topK", sampling.top_k);
        config.raw_if("candidateCount", sampling.choices);
        config.raw_if("seed", sampling.seed);
        config.raw_if("frequencyPenalty", sampling.frequency_penalty);
        config.raw_if("presencePenalty", sampling.presence_penalty);
        match sampling.logprobs {
            Some(wanted) => config.raw("responseLogprobs", wanted),
            None if sampling.wants_logprobs => config.bool("responseLogprobs", true),
            None => {}
        }
        config.raw_if("logprobs", sampling.top_logprobs);
        if !request.stop.is_empty() {
            let mut stop = config.array("stopSequences");
            request.stop.iter().for_each(|sequence| stop.text(sequence));
        }
        self.format(&mut config);
        self.modalities(&mut config);
        if let Some(ask) = &request.reasoning {
            let takes_levels = self.target.thinking_levels;
            write_thinking(ask, request.output_tokens_max, takes_levels, &mut config);
        }
    }

    fn format(&mut self, config: &mut Object<'_>) {
        match &self.request.output_format {
            None | Some(OutputFormat::Text) => {}
            Some(OutputFormat::JsonObject) => config.str("responseMimeType", "application/json"),
            Some(OutputFormat::JsonSchema { schema, .. }) => {
                config.str("responseMimeType", "application/json");
                if let Some(schema) = schema {
                    config.verbatim("responseJsonSchema", schema.text());
                }
            }
            Some(OutputFormat::Vendor(_)) => self.notes.drop("response_format"),
        }
    }

    /// `modalities` and `audio` of chat completions.
    fn modalities(&mut self, config: &mut Object<'_>) {
        let request = self.request;
        let rest = |wanted: &str| request.rest.iter().find(|(name, _)| name == wanted);
        if let Some((_, modalities)) = rest("modalities") {
            let mut list = config.array("responseModalities");
            for modality in modalities.elements().filter_map(|modality| modality.as_str()) {
                list.text(&modality.to_ascii_uppercase().into());
            }
        }
        let voice = rest("audio").and_then(|(_, audio)| fields::lenient_text(*audio, "voice"));
        if let Some(voice) = voice {
            let mut speech = config.object("speechConfig");
            let mut choice = speech.object("voiceConfig");
            choice.object("prebuiltVoiceConfig").text("voiceName", &voice);
        }
    }

    fn rest(&mut self, body: &mut Object<'_>) {
        const SAID_ELSEWHERE: &[&str] = &["modalities", "audio", "web_search_options"];
        let request = self.request;
        if request.cache_control.is_some() {
            self.notes.drop("cache_control");
        }
        for (name, is_there) in
            [("user", request.user.is_some()), ("service_tier", request.service_tier.is_some())]
        {
            if is_there {
                self.notes.drop(name);
            }
        }
        // The effort and the format inside of `output_config` and the user inside of `metadata` have been dealt with.
        let is_read = |name: &str| {
            SAID_ELSEWHERE.contains(&name)
                || name == "output_config"
                || (name == "metadata" && request.source == Dialect::AnthropicMessages)
        };
        for (name, _) in request.rest.iter().filter(|(name, _)| !is_read(name)) {
            self.notes.drop(name);
        }
        for (name, value) in &request.extra {
            let known = camel(name.as_ref().into());
            if EXTRA_MEMBERS.contains(&&*known) {
                body.raw(&known, *value);
            } else if !(name == "thinking" && request.reasoning.is_some()) {
                self.notes.drop(name);
            }
        }
    }
}
