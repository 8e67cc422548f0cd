//! Translating whole documents: requests, replies, errors.

use crate::Dialect;
use crate::canonical::{ErrorReply, Member, Part, PartKind, Reply, Request, Stop, Usage};
use crate::embedding::Embedding;
use crate::error::{Error, What};
use crate::error_shape;
use crate::format::{
    Answered, Asked, Code, Generation, Half, Messages, ReadReply, ReadRequest, Upstream, Whole,
    WriteReply, WriteRequest,
};
use crate::image::ImageMaking;
use crate::json::{Index, Raw, Text, merge};
use crate::options::{Notes, ReplyOptions, RequestOptions};
use crate::token_count::{self, TokenCounting};
use crate::video::VideoMaking;
use crate::{decision, gemini, signature};

/// Writes a request of one dialect in another, or again in its own with names and limits of the target. Appends to
/// `out`; on an error what was appended is to be thrown away. Dialects of different purposes do not translate.
pub fn translate_request(
    from: Dialect,
    to: Dialect,
    body: &[u8],
    options: &RequestOptions<'_>,
    out: &mut Vec<u8>,
) -> Result<Notes, Error> {
    let mut index = Index::new();
    let root = index.read(body)?;
    let are_alike = from.is_alike(to);
    let outbound = Outbound { from, to, options, out: &mut *out };
    match (&from.format().code, &to.format().code) {
        (
            Code::Generation(from) | Code::Completion(from),
            Code::Generation(to) | Code::Completion(to),
        ) if are_alike => outbound.generation(from, to, root),
        (Code::TokenCount(from), Code::TokenCount(to)) => outbound.token_count(from, to, root),
        (Code::Embedding(from), Code::Embedding(to)) => outbound.whole(from, to, root),
        (Code::Rerank(from), Code::Rerank(to)) => outbound.whole(from, to, root),
        (Code::Image(from), Code::Image(to)) => outbound.whole(from, to, root),
        (Code::Video(from), Code::Video(to)) => outbound.whole(from, to, root),
        (Code::Decision(from), Code::Decision(to)) => outbound.whole(from, to, root),
        (Code::Decision(from), Code::Generation(_)) => {
            let request = (from.read_request)(root)?;
            let mut question = Vec::new();
            decision::emulation::write_question(&request, &mut question)?;
            let notes = translate_request(Dialect::OpenAiChat, to, &question, options, out)?;
            Ok(Notes { asked: request.noted(), ..notes })
        }
        (Code::Generation(from), Code::Upstream(Upstream::Generation(to))) => {
            outbound.question(from.read_request, to.write_request, root)
        }
        (Code::Embedding(from), Code::Upstream(Upstream::Embedding(to))) => {
            outbound.half(from, to, root)
        }
        (Code::Image(from), Code::Upstream(Upstream::Image(to))) => outbound.half(from, to, root),
        (Code::Video(from), Code::Upstream(Upstream::Video(to))) => outbound.half(from, to, root),
        (
            Code::Generation(_)
            | Code::Completion(_)
            | Code::TokenCount(_)
            | Code::Embedding(_)
            | Code::Rerank(_)
            | Code::Image(_)
            | Code::ImageEdit(_)
            | Code::Speech(_)
            | Code::Transcription(_)
            | Code::Video(_)
            | Code::Decision(_)
            | Code::Upstream(_)
            | Code::Resource(_)
            | Code::Relayed(_),
            _,
        ) => Err(Error::new(What::Inexpressible(to))),
    }
}

/// What no other dialect can say and without which the question would be another one.
fn check_portable(request: &Request<'_>, to: Dialect) -> Result<(), Error> {
    let kept = request.own_only.first();
    kept.map_or(Ok(()), |path| Err(Error::at(path, What::Inexpressible(to))))
}

/// A request on its way out.
struct Outbound<'o, 'x> {
    from: Dialect,
    to: Dialect,
    options: &'o RequestOptions<'x>,
    out: &'o mut Vec<u8>,
}

impl Outbound<'_, '_> {
    fn generation(self, from: &Generation, to: &Generation, root: Raw<'_>) -> Result<Notes, Error> {
        self.question(from.read_request, to.write_request, root)
    }

    fn token_count(
        self,
        from: &Whole<TokenCounting>,
        to: &Whole<TokenCounting>,
        root: Raw<'_>,
    ) -> Result<Notes, Error> {
        self.question(from.read_request, to.write_request, root)
    }

    /// What is asked of a model, to be answered or to be counted.
    fn question(
        self,
        read: ReadRequest<TokenCounting>,
        write: WriteRequest<TokenCounting>,
        root: Raw<'_>,
    ) -> Result<Notes, Error> {
        let (mut schemas, mut schema_index) = (Vec::new(), Index::new());
        let mut request = read(root)?;
        if self.from != self.to {
            check_portable(&request, self.to)?;
            if request.has_openapi_schemas {
                gemini::write_schemas(&request, &mut schemas);
                gemini::adopt_schemas(&mut request, schema_index.read(&schemas)?);
            }
        }
        if !token_count::gemini::is_google(self.to) {
            signature::strip_calls(&mut request);
        }
        let notes = Notes {
            include_usage: request.include_usage,
            grouped_tools: std::mem::take(&mut request.grouped_tools),
            ..Notes::default()
        };
        let options = self.options;
        self.write(notes, &request.extra, |notes, out| write(&request, options, notes, out))
    }

    fn whole<M: Messages>(
        self,
        from: &Whole<M>,
        to: &Whole<M>,
        root: Raw<'_>,
    ) -> Result<Notes, Error> {
        let request = (from.read_request)(root)?;
        let options = self.options;
        self.write(Notes::default(), request.extra(), |notes, out| {
            (to.write_request)(&request, options, notes, out)
        })
    }

    fn half<M: Messages>(
        self,
        from: &Whole<M>,
        to: &Half<M>,
        root: Raw<'_>,
    ) -> Result<Notes, Error> {
        let (request, mut notes) = ((from.read_request)(root)?, Notes::default());
        (to.write_request)(&request, self.options, &mut notes, self.out)?;
        Ok(notes)
    }

    /// Writes the request and, if that is wanted, lays the members over it that the source dialect does not know.
    fn write(
        self,
        mut notes: Notes,
        extra: &[Member<'_>],
        write: impl FnOnce(&mut Notes, &mut Vec<u8>) -> Result<(), Error>,
    ) -> Result<Notes, Error> {
        if !self.options.pass_extra || self.from == self.to || extra.is_empty() {
            write(&mut notes, self.out)?;
            return Ok(notes);
        }
        let mut plain = Vec::new();
        write(&mut notes, &mut plain)?;
        let mut index = Index::new();
        merge(index.read(&plain)?, extra, self.out);
        notes.dropped.retain(|dropped| !extra.iter().any(|(name, _)| name == dropped));
        Ok(notes)
    }
}

/// Writes a reply of the upstream's dialect in the caller's and says what it used. Appends to `out`; on an error what was
/// appended is to be thrown away. Between equal dialects, too, only what both know gets through: relay those instead.
pub fn translate_reply(
    upstream: Dialect,
    caller: Dialect,
    body: &[u8],
    options: &ReplyOptions<'_>,
    out: &mut Vec<u8>,
) -> Result<Usage, Error> {
    let mut index = Index::new();
    let root = index.read(body)?;
    match (&upstream.format().code, &caller.format().code) {
        (
            Code::Generation(from) | Code::Completion(from),
            Code::Generation(to) | Code::Completion(to),
        ) if upstream.is_alike(caller) => {
            let mut reply = (from.read_reply)(root, options)?;
            if let Some(name) = &options.notes.structured_tool {
                unwrap_structured_tool(&mut reply, name);
            }
            if !options.notes.renamed_tools.is_empty() {
                restore_tool_names(&mut reply, options.notes);
            }
            (to.write_reply)(&reply, upstream, options, out)?;
            Ok(reply.usage)
        }
        (Code::TokenCount(from), Code::TokenCount(to)) => whole_reply(from, to, root, options, out),
        (Code::Embedding(from), Code::Embedding(to)) => whole_reply(from, to, root, options, out),
        (Code::Rerank(from), Code::Rerank(to)) => whole_reply(from, to, root, options, out),
        (Code::Image(from), Code::Image(to)) => whole_reply(from, to, root, options, out),
        (Code::Video(from), Code::Video(to)) => whole_reply(from, to, root, options, out),
        (Code::Decision(from), Code::Decision(to)) => whole_reply(from, to, root, options, out),
        (Code::Generation(_), Code::Decision(to)) => {
            let mut answer = Vec::new();
            let usage = translate_reply(upstream, Dialect::OpenAiChat, body, options, &mut answer)?;
            let mut decided = Vec::new();
            decision::emulation::write_answers(&answer, options.notes, &usage, &mut decided)?;
            let mut index = Index::new();
            whole_reply(&decision::system_one::WHOLE, to, index.read(&decided)?, options, out)
        }
        (Code::Upstream(Upstream::Generation(from)), Code::Generation(to)) => {
            let reply = (from.read_reply)(root, options)?;
            (to.write_reply)(&reply, upstream, options, out)?;
            Ok(reply.usage)
        }
        (Code::Upstream(Upstream::Embedding(from)), Code::Embedding(to)) => {
            answered::<Embedding>(from.read_reply, to.write_reply, root, options, out)
        }
        (Code::Upstream(Upstream::Image(from)), Code::Image(to)) => {
            answered::<ImageMaking>(from.read_reply, to.write_reply, root, options, out)
        }
        (Code::Upstream(Upstream::Video(from)), Code::Video(to)) => {
            answered::<VideoMaking>(from.read_reply, to.write_reply, root, options, out)
        }
        (
            Code::Generation(_)
            | Code::Completion(_)
            | Code::TokenCount(_)
            | Code::Embedding(_)
            | Code::Rerank(_)
            | Code::Image(_)
            | Code::ImageEdit(_)
            | Code::Speech(_)
            | Code::Transcription(_)
            | Code::Video(_)
            | Code::Decision(_)
            | Code::Upstream(_)
            | Code::Resource(_)
            | Code::Relayed(_),
            _,
        ) => Err(Error::new(What::Inexpressible(caller))),
    }
}

fn whole_reply<M: Messages>(
    from: &Whole<M>,
    to: &Whole<M>,
    root: Raw<'_>,
    options: &ReplyOptions<'_>,
    out: &mut Vec<u8>,
) -> Result<Usage, Error> {
    answered::<M>(from.read_reply, to.write_reply, root, options, out)
}

fn answered<M: Messages>(
    read: ReadReply<M>,
    write: WriteReply<M>,
    root: Raw<'_>,
    options: &ReplyOptions<'_>,
    out: &mut Vec<u8>,
) -> Result<Usage, Error> {
    let reply = read(root)?;
    write(&reply, options, out)?;
    Ok(reply.usage())
}

/// Turns the call of the tool that stood in for structured output back into the text it stands for.
fn unwrap_structured_tool(reply: &mut Reply<'_>, name: &str) {
    for choice in &mut reply.choices {
        let mut other_calls = 0;
        for part in &mut choice.parts {
            let PartKind::ToolCall(call) = &part.kind else { continue };
            if call.name == *name {
                let text = call.arguments.plain().into_owned();
                *part = Part::text(Text::from(text));
            } else {
                other_calls += 1;
            }
        }
        if choice.stop == Some(Stop::ToolUse) && other_calls == 0 {
            choice.stop = Some(Stop::EndTurn);
        }
    }
}

/// Gives tools the names back that the caller knows them by.
fn restore_tool_names(reply: &mut Reply<'_>, notes: &Notes) {
    for part in reply.choices.iter_mut().flat_map(|choice| &mut choice.parts) {
        let PartKind::ToolCall(call) = &mut part.kind else { continue };
        if let Some(own) = notes.own_tool_name(&call.name.plain()) {
            call.name = Text::from(own.to_owned());
        }
    }
}

/// Reads an error body of any shape a host of this dialect may answer with; never fails.
pub fn read_error(dialect: Dialect, status: u16, body: &[u8]) -> ErrorReply<'_> {
    (dialect.format().errors.read)(status, body)
}

/// Reads an error that came as the data of a stream's event, where no status stands beside it: the one it names, or
/// what its code or type or the name of the event implies, or 500. Never fails.
pub fn read_stream_error<'a>(
    dialect: Dialect,
    event: Option<&str>,
    data: &'a [u8],
) -> ErrorReply<'a> {
    error_shape::named_by_event((dialect.format().errors.read_event)(data), event)
}

/// Appends an error body of this dialect.
pub fn write_error(dialect: Dialect, error: &ErrorReply<'_>, out: &mut Vec<u8>) {
    (dialect.format().errors.write)(error, out);
}

/// Appends the event that tells a caller in this dialect that its stream broke.
pub fn write_stream_error(dialect: Dialect, error: &ErrorReply<'_>, out: &mut Vec<u8>) {
    (dialect.format().errors.write_event)(error, out);
}
