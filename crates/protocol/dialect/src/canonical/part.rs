//! Parts: the pieces of content a message is made of, in the order they were said.

use std::borrow::Cow;

use super::Member;
use crate::json::{Index, Object, Raw, Text};

/// One piece of content.
#[derive(Debug)]
pub(crate) struct Part<'a> {
    pub(crate) kind: PartKind<'a>,
    /// A cache breakpoint set on this part.
    pub(crate) cache_control: Option<Raw<'a>>,
    /// Members only the source dialect knows.
    pub(crate) rest: Vec<Member<'a>>,
    /// The part as it was spelt, where its dialect has several spellings and hosts take only their own.
    pub(crate) raw: Option<Raw<'a>>,
    /// Where it stood in the message's content, for error paths.
    pub(crate) position: usize,
}

impl<'a> From<PartKind<'a>> for Part<'a> {
    fn from(kind: PartKind<'a>) -> Self {
        Self { kind, cache_control: None, rest: Vec::new(), raw: None, position: 0 }
    }
}

impl<'a> Part<'a> {
    pub(crate) fn text(text: Text<'a>) -> Self {
        PartKind::Text { text, citations: Vec::new() }.into()
    }
}

#[derive(Debug)]
pub(crate) enum PartKind<'a> {
    Text {
        text: Text<'a>,
        citations: Vec<Citation<'a>>,
    },
    Image {
        source: Source<'a>,
        /// `low`, `high` or `auto`.
        detail: Option<Text<'a>>,
    },
    Document {
        source: Source<'a>,
        /// Title or file name.
        name: Option<Text<'a>>,
    },
    Audio {
        /// Base64.
        data: Text<'a>,
        /// `wav`, `mp3` ….
        format: Option<Text<'a>>,
    },
    Video {
        source: Source<'a>,
    },
    SearchResult {
        source: Option<Text<'a>>,
        title: Option<Text<'a>>,
        content: Vec<Part<'a>>,
    },
    ToolCall(ToolCall<'a>),
    ToolResult(ToolResult<'a>),
    Reasoning(Reasoning<'a>),
    Refusal(Text<'a>),
    /// The vendor ran a tool of its own.
    ServerCall(ServerCall<'a>),
    /// What that tool gave back.
    ServerResult(ServerResult<'a>),
    /// A part only the source dialect knows, whole.
    Other(Raw<'a>),
}

/// Where the bytes of an image or a document are.
#[derive(Debug)]
pub(crate) enum Source<'a> {
    Base64 { media_type: Text<'a>, data: Text<'a> },
    Url(Text<'a>),
    FileId(Text<'a>),
    Plain(Text<'a>),
    Parts(Vec<Part<'a>>),
}

impl<'a> Source<'a> {
    /// A URL, or the bytes inside a `data:` URL.
    pub(crate) fn from_url(url: Text<'a>) -> Self {
        let Text::Plain(plain) = url else { return Self::from_url(Text::Plain(url.into_plain())) };
        match split_data_url(&plain) {
            None => Self::Url(Text::Plain(plain)),
            Some(comma) => Self::from_data_url(plain, comma),
        }
    }

    fn from_data_url(url: Cow<'a, str>, comma: usize) -> Self {
        const HEAD: usize = "data:".len();
        const TAIL: usize = ";base64".len();
        let cut = |from: usize, to: usize| match &url {
            Cow::Borrowed(url) => Text::from(url.get(from..to).unwrap_or_default()),
            Cow::Owned(url) => Text::from(url.get(from..to).unwrap_or_default().to_owned()),
        };
        Self::Base64 { media_type: cut(HEAD, comma - TAIL), data: cut(comma + 1, url.len()) }
    }
}

/// The position of the comma of a base64 `data:` URL.
fn split_data_url(url: &str) -> Option<usize> {
    let comma = url.find(',')?;
    let head = url.get(..comma)?.strip_prefix("data:")?;
    head.ends_with(";base64").then_some(comma)
}

/// The model asks for a tool to be run.
#[derive(Debug)]
pub(crate) struct ToolCall<'a> {
    pub(crate) id: Text<'a>,
    pub(crate) name: Text<'a>,
    pub(crate) arguments: Arguments<'a>,
    /// A tool whose input is free text and not JSON.
    pub(crate) is_custom: bool,
}

/// Arguments of a tool call.
#[derive(Debug)]
pub(crate) enum Arguments<'a> {
    /// As a value inside the document.
    Value(Raw<'a>),
    /// As a string that holds JSON, or should.
    Text(Text<'a>),
}

impl Arguments<'_> {
    /// Writes them as an object, for dialects where they must be one. Nothing and `null` mean no arguments; what else
    /// is no object, valid JSON or not, is kept as the one argument `arguments`.
    pub(crate) fn write_object(&self, out: &mut Vec<u8>) {
        match self {
            Self::Value(value) if value.is_object() => {
                out.extend_from_slice(value.text().as_bytes());
            }
            arguments => write_object(&arguments.plain(), out),
        }
    }

    /// The JSON text.
    pub(crate) fn plain(&self) -> Cow<'_, str> {
        match self {
            Self::Value(value) => Cow::Borrowed(value.text()),
            Self::Text(text) => text.plain(),
        }
    }
}

fn write_object(arguments: &str, out: &mut Vec<u8>) {
    let mut index = Index::new();
    let text = arguments.trim();
    match index.read(text.as_bytes()) {
        Ok(value) if value.is_object() => out.extend_from_slice(value.text().as_bytes()),
        Ok(value) if value.is_null() => drop(Object::new(out)),
        Ok(value) => Object::new(out).raw("arguments", value),
        Err(_) if text.is_empty() => drop(Object::new(out)),
        Err(_) => Object::new(out).str("arguments", arguments),
    }
}

/// What a tool gave back.
#[derive(Debug)]
pub(crate) struct ToolResult<'a> {
    pub(crate) call_id: Text<'a>,
    pub(crate) content: Vec<Part<'a>>,
    pub(crate) is_error: Option<bool>,
}

/// A tool that the vendor runs itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServerTool {
    WebSearch,
    /// Reads one page.
    WebFetch,
    /// Runs code in a sandbox.
    CodeExecution,
    /// Searches files that the caller has stored at the vendor.
    FileSearch,
    /// A tool of an MCP server that the vendor talks to.
    Mcp,
}

/// The vendor ran a tool of its own.
#[derive(Debug)]
pub(crate) struct ServerCall<'a> {
    pub(crate) id: Text<'a>,
    pub(crate) tool: ServerTool,
    /// The tool's name on its MCP server.
    pub(crate) name: Option<Text<'a>>,
    /// The MCP server.
    pub(crate) server: Option<Text<'a>>,
    /// What was searched for, the page, the code; JSON text for an MCP server.
    pub(crate) input: Option<Text<'a>>,
}

impl ServerCall<'_> {
    /// A copy that outlives the document.
    pub(crate) fn into_owned(self) -> ServerCall<'static> {
        ServerCall {
            id: self.id.into_owned(),
            tool: self.tool,
            name: self.name.map(Text::into_owned),
            server: self.server.map(Text::into_owned),
            input: self.input.map(Text::into_owned),
        }
    }
}

/// What a tool that the vendor ran gave back.
#[derive(Debug)]
pub(crate) struct ServerResult<'a> {
    pub(crate) call_id: Text<'a>,
    pub(crate) tool: ServerTool,
    /// What the code printed, what the MCP server answered, or why there is nothing.
    pub(crate) output: Option<Text<'a>>,
    pub(crate) is_error: bool,
    /// The pages that were found.
    pub(crate) pages: Vec<Page<'a>>,
}

impl ServerResult<'_> {
    /// A copy that outlives the document.
    pub(crate) fn into_owned(self) -> ServerResult<'static> {
        ServerResult {
            call_id: self.call_id.into_owned(),
            tool: self.tool,
            output: self.output.map(Text::into_owned),
            is_error: self.is_error,
            pages: self.pages.into_iter().map(Page::into_owned).collect(),
        }
    }
}

/// A page that a search found.
#[derive(Debug)]
pub(crate) struct Page<'a> {
    pub(crate) url: Text<'a>,
    pub(crate) title: Option<Text<'a>>,
}

impl Page<'_> {
    fn into_owned(self) -> Page<'static> {
        Page { url: self.url.into_owned(), title: self.title.map(Text::into_owned) }
    }
}

/// What the model thought. Any of the members may be missing.
#[derive(Debug, Default)]
pub(crate) struct Reasoning<'a> {
    pub(crate) text: Option<Text<'a>>,
    /// Thinking retold instead of the thinking itself.
    pub(crate) summary: Option<Text<'a>>,
    /// Proof of origin, without which some vendors refuse it back.
    pub(crate) signature: Option<Text<'a>>,
    /// Thinking the vendor keeps to itself, encrypted.
    pub(crate) data: Option<Text<'a>>,
    pub(crate) id: Option<Text<'a>>,
    /// Whose kind of reasoning it is, as OpenRouter names it: `anthropic-claude-v1` ….
    pub(crate) format: Option<Text<'a>>,
}

impl<'a> Reasoning<'a> {
    pub(crate) fn is_empty(&self) -> bool {
        let blank = |text: &Option<Text<'a>>| text.as_ref().is_none_or(Text::is_empty);
        blank(&self.text) && blank(&self.summary) && blank(&self.signature) && blank(&self.data)
    }

    /// A copy that outlives the document.
    pub(crate) fn into_owned(self) -> Reasoning<'static> {
        Reasoning {
            text: self.text.map(Text::into_owned),
            summary: self.summary.map(Text::into_owned),
            signature: self.signature.map(Text::into_owned),
            data: self.data.map(Text::into_owned),
            id: self.id.map(Text::into_owned),
            format: self.format.map(Text::into_owned),
        }
    }

    /// Whether OpenAI may accept it back: encrypted by itself, as far as one can tell.
    pub(crate) fn is_openai(&self) -> bool {
        self.has_proof(Text::is_fernet)
            && self.format.as_ref().is_none_or(|format| format.plain().starts_with("openai"))
    }

    fn has_proof(&self, is_such: impl Fn(&Text<'a>) -> bool) -> bool {
        [&self.signature, &self.data].into_iter().flatten().any(is_such)
    }

    /// Whether Anthropic may accept it back: signed or encrypted by itself, as far as one can tell.
    pub(crate) fn is_claude(&self) -> bool {
        let filled = |text: &Option<Text<'a>>| text.as_ref().is_some_and(|text| !text.is_empty());
        if self.has_proof(Text::is_fernet) {
            return false;
        }
        let foreign = self.format.as_ref().is_some_and(|format| {
            let format = format.plain();
            !format.starts_with("anthropic") && *format != *"unknown"
        });
        !foreign && (filled(&self.signature) || filled(&self.data))
    }
}

/// Where a statement of the answer comes from.
#[derive(Debug, Default)]
pub(crate) struct Citation<'a> {
    pub(crate) url: Option<Text<'a>>,
    pub(crate) title: Option<Text<'a>>,
    /// First and one-past-last character of the answer's text it covers.
    pub(crate) range: Option<(u64, u64)>,
    /// The words of the source.
    pub(crate) quote: Option<Text<'a>>,
    /// Where they stand in what the request brought along.
    pub(crate) place: Option<Place>,
    /// As it was spelt, for the dialect it came from.
    pub(crate) raw: Option<Raw<'a>>,
}

/// Where in a document of the request a citation's words stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) unit: PlaceUnit,
    /// Which of the request's documents, or search results, from 0.
    pub(crate) document: u64,
    /// First of the units.
    pub(crate) start: u64,
    /// One past the last of them.
    pub(crate) end: u64,
}

/// What a [`Place`] counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlaceUnit {
    /// Characters of a text, from 0.
    Characters,
    /// Pages, from 1.
    Pages,
    /// Pieces of a document that was given in pieces, from 0.
    Pieces,
    /// Pieces of a search result, from 0.
    ResultPieces,
}

impl Citation<'_> {
    /// A copy that outlives the document, without its spelling.
    pub(crate) fn into_owned(self) -> Citation<'static> {
        Citation {
            url: self.url.map(Text::into_owned),
            title: self.title.map(Text::into_owned),
            range: self.range,
            quote: self.quote.map(Text::into_owned),
            place: self.place,
            raw: None,
        }
    }

    /// Whether it says where to look.
    pub(crate) fn has_source(&self) -> bool {
        self.url.is_some() || self.place.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_become_an_object() {
        let cases = [
            ("{\"a\":1}", r#"{"a":1}"#),
            (" {\"a\": 1} ", r#"{"a": 1}"#),
            ("", "{}"),
            ("null", "{}"),
            ("[1]", r#"{"arguments":[1]}"#),
            ("{\"a\":1", r#"{"arguments":"{\"a\":1"}"#),
        ];
        for (arguments, expected) in cases {
            let mut out = Vec::new();
            Arguments::Text(arguments.into()).write_object(&mut out);
            assert_eq!(String::from_utf8(out).expect("UTF-8"), expected);
        }
    }

    #[test]
    fn data_urls_are_taken_apart() {
        match Source::from_url(Text::Spelt(r"data:image\/png;base64,AA\/=")) {
            Source::Base64 { media_type, data } => {
                assert_eq!(media_type, *"image/png");
                assert_eq!(data, *"AA/=");
            }
            other => panic!("{other:?}"),
        }
        for url in ["https://example.com/a,b", "data:text/plain,hi", "data:", ""] {
            assert!(matches!(Source::from_url(url.into()), Source::Url(_)), "{url}");
        }
    }
}
