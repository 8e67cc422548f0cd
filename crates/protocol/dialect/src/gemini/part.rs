//! Reading the parts of a content.

use super::media;
use super::spelling::{camel, elements, member};
use crate::canonical::{Arguments, Part, PartKind, Reasoning, ToolCall, ToolResult};
use crate::error::{Error, What};
use crate::fields;
use crate::json::{Raw, Text};
use crate::signature::{GEMINI_FORMAT, open};

/// Members that say something about a part without being its content.
const ABOUT: &[&str] =
    &["thought", "thoughtSignature", "videoMetadata", "mediaResolution", "partMetadata"];

/// What tools that the vendor runs itself did.
const OWN_TOOLS: &[&str] = &["executableCode", "codeExecutionResult", "toolCall", "toolResponse"];

/// Whether a part only this dialect knows is about tools that the vendor ran itself.
pub(crate) fn is_about_own_tools(part: Raw<'_>) -> bool {
    OWN_TOOLS.iter().any(|name| member(part, name).is_some())
}

/// Gives ids to calls that come without one, and finds the call a result belongs to.
pub(super) trait NameCalls<'a> {
    /// The id of a call; `id` is empty where it has none of its own.
    fn call(&mut self, id: Text<'a>, name: &Text<'a>, signature: Option<Text<'a>>) -> Text<'a>;

    /// The id of the call a result answers.
    fn result(&mut self, id: Text<'a>, name: &Text<'a>) -> Text<'a>;
}

/// Reads one part: none, one, or the part and its signature apart from it.
pub(super) fn read_part<'a>(
    position: usize,
    part: Raw<'a>,
    names: &mut dyn NameCalls<'a>,
    parts: &mut Vec<Part<'a>>,
) -> Result<(), Error> {
    if !part.is_object() {
        return Err(Error::new(What::WrongType("an object")));
    }
    let signature = member(part, "thoughtSignature").and_then(|signature| signature.as_text());
    let signature = signature.filter(|signature| !signature.is_empty());
    let kind = match member(part, "functionCall") {
        Some(call) => read_call(call, signature, names)
            .map(PartKind::ToolCall)
            .map_err(|error| error.in_member("functionCall"))?,
        None => match read_kind(part, names)? {
            Some(PartKind::Reasoning(thought)) => {
                PartKind::Reasoning(signed_thought(thought, signature))
            }
            kind => {
                parts.extend(kind.map(|kind| with_rest(kind, part, position)));
                // That of what the vendor's own tools did goes with it.
                let signature = signature.filter(|_| !is_about_own_tools(part));
                let proof = signature.map(signature_of_part).filter(|proof| !proof.is_empty());
                parts.extend(
                    proof.map(|proof| Part { position, ..PartKind::Reasoning(proof).into() }),
                );
                return Ok(());
            }
        },
    };
    if !matches!(&kind, PartKind::Reasoning(thought) if thought.is_empty()) {
        parts.push(with_rest(kind, part, position));
    }
    Ok(())
}

fn with_rest<'a>(kind: PartKind<'a>, part: Raw<'a>, position: usize) -> Part<'a> {
    let rest = ["videoMetadata", "mediaResolution"];
    let rest = rest.into_iter().filter_map(|name| Some((name.into(), member(part, name)?)));
    Part { position, rest: rest.collect(), ..kind.into() }
}

/// What a part says; nothing for one that is empty or only carries a signature.
fn read_kind<'a>(
    part: Raw<'a>,
    names: &mut dyn NameCalls<'a>,
) -> Result<Option<PartKind<'a>>, Error> {
    let is_thought = member(part, "thought").and_then(|thought| thought.as_bool()) == Some(true);
    if let Some(text) = member(part, "text") {
        let text = fields::text("text", text)?;
        return Ok(match is_thought {
            true => Some(thought(text)),
            false if text.is_empty() => None,
            false => Some(PartKind::Text { text, citations: Vec::new() }),
        });
    }
    if let Some(data) = member(part, "inlineData") {
        return media::read_inline(fields::object("inlineData", data)?)
            .map(Some)
            .map_err(|error| error.in_member("inlineData"));
    }
    if let Some(file) = member(part, "fileData") {
        let read = media::read_file(fields::object("fileData", file)?)
            .map_err(|error| error.in_member("fileData"))?;
        return Ok(Some(read.unwrap_or(PartKind::Other(part))));
    }
    if let Some(result) = member(part, "functionResponse") {
        return read_result(result, names)
            .map(|result| Some(PartKind::ToolResult(result)))
            .map_err(|error| error.in_member("functionResponse"));
    }
    if is_thought {
        return Ok(Some(thought(Text::default())));
    }
    let is_about = |name: &str| ABOUT.iter().any(|about| camel(name.into()) == **about);
    let says_more = part.members().any(|(name, value)| !value.is_null() && !is_about(&name));
    Ok(says_more.then_some(PartKind::Other(part)))
}

fn thought(text: Text<'_>) -> PartKind<'_> {
    let text = Some(text).filter(|text| !text.is_empty());
    PartKind::Reasoning(Reasoning { text, ..Reasoning::default() })
}

/// A thought with its signature, which may be that of another vendor.
fn signed_thought<'a>(thought: Reasoning<'a>, signature: Option<Text<'a>>) -> Reasoning<'a> {
    let format = Some(GEMINI_FORMAT.into());
    match signature {
        None => Reasoning { format, ..thought },
        Some(signature) => match open(&signature.plain()) {
            None => Reasoning { signature: Some(signature), format, ..thought },
            Some(sealed) => Reasoning { text: thought.text, ..sealed },
        },
    }
}

/// The signature of a part that is no thought, as reasoning of its own.
pub(super) fn signature_of_part(signature: Text<'_>) -> Reasoning<'_> {
    match open(&signature.plain()) {
        Some(sealed) => sealed,
        None => Reasoning {
            data: Some(signature),
            format: Some(GEMINI_FORMAT.into()),
            ..Reasoning::default()
        },
    }
}

fn read_call<'a>(
    call: Raw<'a>,
    signature: Option<Text<'a>>,
    names: &mut dyn NameCalls<'a>,
) -> Result<ToolCall<'a>, Error> {
    let name = fields::text("name", member(call, "name").ok_or_else(|| missing("name"))?)?;
    let id = id_of(call);
    let arguments = match member(call, "args") {
        Some(arguments) => Arguments::Value(fields::object("args", arguments)?),
        None => Arguments::Text("{}".into()),
    };
    Ok(ToolCall { id: names.call(id, &name, signature), name, arguments, is_custom: false })
}

fn read_result<'a>(
    result: Raw<'a>,
    names: &mut dyn NameCalls<'a>,
) -> Result<ToolResult<'a>, Error> {
    let name = member(result, "name").and_then(|name| name.as_text()).unwrap_or_default();
    let call_id = names.result(id_of(result), &name);
    let (mut content, is_error) = match member(result, "response") {
        Some(response) => read_response(response),
        None => (Vec::new(), None),
    };
    let parts = member(result, "parts");
    for (position, part) in parts.iter().flat_map(|parts| elements(*parts)).enumerate() {
        let kind = read_kind(part, names)
            .map_err(|error| error.in_element(position).in_member("parts"))?;
        content.extend(kind.map(|kind| Part { position, ..kind.into() }));
    }
    Ok(ToolResult { call_id, content, is_error })
}

fn id_of<'a>(object: Raw<'a>) -> Text<'a> {
    member(object, "id").and_then(|id| id.as_text()).unwrap_or_default()
}

/// What a function gave back: an object, by convention with the one member `output`, or `error` if it failed. Any
/// other object is the output itself.
fn read_response<'a>(response: Raw<'a>) -> (Vec<Part<'a>>, Option<bool>) {
    let mut members = response.members();
    let (said, is_error) = match (members.next(), members.next()) {
        (Some((name, output)), None) if name == "output" => (output, None),
        (Some((name, error)), None) if name == "error" => (error, Some(true)),
        _ => (response, None),
    };
    let text = said.as_text().unwrap_or_else(|| said.text().into());
    (vec![Part::text(text)], is_error)
}

fn missing(name: &str) -> Error {
    Error::at(name, What::Missing)
}
