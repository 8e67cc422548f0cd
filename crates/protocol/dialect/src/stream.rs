//! Translating streams, event by event.

use crate::Dialect;
use crate::canonical::{Delta, Event, Stop, Usage};
use crate::error::{Error, What};
use crate::format::{Code, Emit, Format, ReadStream, Trailer, Upstream, WriteStream};
use crate::json::{Index, Raw, Text};
use crate::media::stream::MediaTranslation;
use crate::options::{Notes, ReplyOptions};

/// Turns the events of an upstream's stream into those of the caller's dialect. Feed it every event in order; when the
/// upstream closes, look at [`is_finished`](Self::is_finished) and then either [`end`](Self::end) the stream or report
/// that it broke.
#[derive(Debug)]
pub struct StreamTranslator {
    index: Index,
    /// Boxed: there is one per stream, and it is moved about.
    translation: Box<Translation>,
    /// In its place for streams of sound and of text made from sound.
    media: Option<Box<MediaTranslation>>,
}

#[derive(Debug)]
struct Translation {
    reader: Box<dyn ReadStream>,
    structured: StructuredTool,
    /// There where tools go by other names.
    notes: Option<Notes>,
    writer: Box<dyn WriteStream>,
    usage: Usage,
}

impl StreamTranslator {
    /// A translator for one stream. `options.trailer` is for whole replies; streams take one per event.
    pub fn new(upstream: Dialect, caller: Dialect, options: &ReplyOptions<'_>) -> Self {
        let translation = Translation::new(upstream, caller, options);
        let media = MediaTranslation::new(upstream, caller, options).map(Box::new);
        Self { index: Index::new(), translation: Box::new(translation), media }
    }

    /// Translates one event: its name, if it had one, and its data. Appends zero or more complete events to `out`.
    pub fn event(
        &mut self,
        event: Option<&str>,
        data: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        self.event_with(event, data, &mut |_| {}, out)
    }

    /// The same; `trailer` is called for every chunk of an OpenAI stream to append raw members, without brackets or a
    /// comma in front (`"extra_fields":{…}`).
    pub fn event_with(
        &mut self,
        event: Option<&str>,
        data: &[u8],
        trailer: &mut dyn FnMut(&mut Vec<u8>),
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        if let Some(media) = &mut self.media {
            return media.event(event, data, trailer, out);
        }
        if self.translation.reader.is_text(event) {
            return self.text(event, data, trailer, out);
        }
        let data = data.trim_ascii();
        if data.is_empty() {
            return Ok(());
        }
        if data == b"[DONE]" {
            return self.done(trailer, out);
        }
        let root = self.index.read(data)?;
        self.translation.event(event, root, trailer, out)
    }

    /// Translates an event that is no JSON: its text is read as a string.
    fn text(
        &mut self,
        event: Option<&str>,
        data: &[u8],
        trailer: Trailer<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let mut quoted = Vec::with_capacity(data.len() + 2);
        Text::from(String::from_utf8_lossy(data)).write(&mut quoted);
        let root = self.index.read(&quoted)?;
        self.translation.event(event, root, trailer, out)
    }

    /// Closes the caller's stream properly, if an end marker of the upstream has not done so already.
    pub fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        self.end_with(&mut |_| {}, out)
    }

    /// The same, with a trailer for the last chunks.
    pub fn end_with(
        &mut self,
        trailer: &mut dyn FnMut(&mut Vec<u8>),
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        match &mut self.media {
            Some(media) => {
                media.end(trailer, out);
                Ok(())
            }
            None => self.translation.writer.end(trailer, out),
        }
    }

    /// Whether the upstream has said all it had to say: its end marker, or why the model stopped. A stream that closes
    /// before is broken.
    pub fn is_finished(&self) -> bool {
        match &self.media {
            Some(media) => media.is_finished(),
            None => self.translation.reader.is_finished(),
        }
    }

    /// What the answer has used, as far as reported up to now.
    pub fn usage(&self) -> Usage {
        self.media.as_ref().map_or(self.translation.usage, |media| media.usage())
    }

    fn done(&mut self, trailer: Trailer<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
        self.translation.reader.done();
        self.translation.writer.end(trailer, out)
    }
}

impl Translation {
    fn new(upstream: Dialect, caller: Dialect, options: &ReplyOptions<'_>) -> Self {
        Self {
            reader: upstream.format().stream_reader(options),
            structured: StructuredTool {
                name: options.notes.structured_tool.clone(),
                ..StructuredTool::default()
            },
            notes: (!options.notes.renamed_tools.is_empty()).then(|| options.notes.clone()),
            writer: caller.format().stream_writer(options),
            usage: Usage::default(),
        }
    }

    fn event(
        &mut self,
        event: Option<&str>,
        root: Raw<'_>,
        trailer: Trailer<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let Self { reader, structured, notes, writer, usage } = self;
        let mut emit = |event: Event<'_>| {
            if let Event::Usage(reported) = &event {
                *usage = *reported;
            }
            let Some(event) = structured.unwrap(event) else { return Ok(()) };
            match notes {
                Some(notes) => writer.write(restore_tool_name(event, notes), trailer, out),
                None => writer.write(event, trailer, out),
            }
        };
        reader.read(event, root, &mut emit)
    }
}

/// Gives a tool the name back that the caller knows it by.
fn restore_tool_name<'a>(event: Event<'a>, notes: &Notes) -> Event<'a> {
    match event {
        Event::Delta(choice, Delta::ToolCall { slot, id, name }) => {
            let own = notes.own_tool_name(&name.plain()).map(|own| Text::from(own.to_owned()));
            Event::Delta(choice, Delta::ToolCall { slot, id, name: own.unwrap_or(name) })
        }
        event => event,
    }
}

/// The tool that stood in for structured output: its arguments are the text of the answer.
#[derive(Debug, Default)]
struct StructuredTool {
    name: Option<String>,
    slot: Option<u32>,
    other_calls: bool,
}

impl StructuredTool {
    fn unwrap<'a>(&mut self, event: Event<'a>) -> Option<Event<'a>> {
        let Some(tool) = &self.name else { return Some(event) };
        match event {
            Event::Delta(_, Delta::ToolCall { slot, name, .. }) if name == **tool => {
                self.slot = Some(slot);
                None
            }
            Event::Delta(choice, Delta::Arguments { slot, fragment })
                if self.slot == Some(slot) =>
            {
                Some(Event::Delta(choice, Delta::Text(fragment)))
            }
            Event::Stop(choice, Stop::ToolUse, sequence)
                if self.slot.is_some() && !self.other_calls =>
            {
                Some(Event::Stop(choice, Stop::EndTurn, sequence))
            }
            event => {
                self.other_calls |= matches!(
                    event,
                    Event::Delta(_, Delta::ToolCall { .. } | Delta::CustomCall { .. })
                );
                Some(event)
            }
        }
    }
}

impl Format {
    fn stream_reader(&self, options: &ReplyOptions<'_>) -> Box<dyn ReadStream> {
        match &self.code {
            Code::Generation(generation) | Code::Completion(generation) => {
                (generation.stream_reader)(options)
            }
            Code::Upstream(Upstream::Generation(answering)) => (answering.stream_reader)(options),
            Code::TokenCount(_)
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
            | Code::Relayed(_) => Box::new(NoStream),
        }
    }

    fn stream_writer(&self, options: &ReplyOptions<'_>) -> Box<dyn WriteStream> {
        match &self.code {
            Code::Generation(generation) | Code::Completion(generation) => {
                (generation.stream_writer)(options)
            }
            Code::TokenCount(_)
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
            | Code::Relayed(_) => Box::new(NoStream),
        }
    }
}

/// Stands where a dialect has no streams that could be translated. Routing never leads here.
#[derive(Debug)]
struct NoStream;

const NO_STREAM: What = What::Invalid("replies of this kind are not streamed to another dialect");

impl ReadStream for NoStream {
    fn read<'a>(&mut self, _: Option<&str>, _: Raw<'a>, _: Emit<'_, 'a>) -> Result<(), Error> {
        Err(Error::new(NO_STREAM))
    }

    fn is_finished(&self) -> bool {
        false
    }
}

impl WriteStream for NoStream {
    fn write(&mut self, _: Event<'_>, _: Trailer<'_>, _: &mut Vec<u8>) -> Result<(), Error> {
        Err(Error::new(NO_STREAM))
    }

    fn end(&mut self, _: Trailer<'_>, _: &mut Vec<u8>) -> Result<(), Error> {
        Err(Error::new(NO_STREAM))
    }
}
