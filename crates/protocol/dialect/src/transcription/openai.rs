//! `POST …/audio/transcriptions` of OpenAI: a form with a recording in; text, JSON or events out.

use memchr::memmem::Finder;
use wire::FormWriter;

use super::{
    Reply, Request, Timed, Transcribing, Wanted, segments_of_words, spelt_seconds, subtitles,
    write_form,
};
use crate::Dialect;
use crate::canonical::Usage;
use crate::error::{Error, What};
use crate::fields;
use crate::format::{Code, Format, Framing, Trailer, UsagePlace};
use crate::json::{Cursor, Object, Raw, Text};
use crate::media::stream::misplaced;
use crate::media::{
    Answer, CallerSide, Content, File, Media, MediaEvent, ProviderSide, Question, WriteMedia,
    Written,
};
use crate::openai_chat;
use crate::options::{Notes, ReplyOptions, RequestOptions};
use crate::relayed;
use crate::speech::openai::write_event;

pub(crate) static FORMAT: Format = Format {
    name: "openai_transcription",
    framing: Framing::Sse,
    code: Code::Transcription(Media::<Transcribing> {
        caller: Some(CallerSide {
            read_request,
            write_reply,
            stream_writer: Some(|_| Box::new(StreamWriter::default())),
        }),
        provider: Some(ProviderSide { write_request, read_reply, stream_reader: None }),
    }),
    errors: openai_chat::ERRORS,
    usage: UsagePlace::outermost("usage", || Finder::new("\"usage\""), relayed::read_usage),
    event_class: relayed::event_class,
};

fn read_request<'a>(question: &Question<'a>) -> Result<Request<'a>, Error> {
    let root = fields::object("", question.root)?;
    let mut request = Request {
        file: read_file(question)?,
        language: None,
        prompt: None,
        format: Wanted::Json,
        temperature: None,
        granularities: Vec::new(),
        rest: Vec::new(),
    };
    for (name, value) in root.members().filter(|(_, value)| !value.is_null()) {
        match &*name {
            "model" | "fallbacks" | "stream" | "file" | "file_url" | "input_audio" => {}
            "language" => request.language = Some(fields::text(&name, value)?),
            "prompt" => request.prompt = Some(fields::text(&name, value)?),
            "response_format" => {
                request.format = Wanted::of_name(&fields::text(&name, value)?.plain())?;
            }
            "temperature" => request.temperature = Some(fields::number(&name, value)?),
            "timestamp_granularities" => {
                request.granularities =
                    fields::each(&name, value, |_, word| fields::text("", word))?;
            }
            _ => request.rest.push((name, value)),
        }
    }
    Ok(request)
}

/// The recording: a part of the form; in JSON, bytes with their format, or a URL.
fn read_file<'a>(question: &Question<'a>) -> Result<File<'a>, Error> {
    if let Some(file) = question.files("file").next() {
        return Ok(file.clone());
    }
    if let Some(url) = fields::lenient_text(question.root, "file_url") {
        return Ok(File::of_url(url));
    }
    let Some(audio) = question.root.member("input_audio") else {
        return Err(Error::at("file", What::Missing));
    };
    let inside = |error: Error| error.in_member("input_audio");
    let data = fields::required_text(audio, "data").map_err(inside)?;
    let format = fields::lenient_text(audio, "format");
    Ok(File {
        content: Content::Base64(data),
        name: format.map(|format| format!("file.{}", format.plain()).into()),
        media_type: None,
    })
}

pub(super) fn write_request(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    written: &mut Written,
) -> Result<(), Error> {
    let bytes = request.bytes(Dialect::OpenAiTranscription)?;
    write_form(written, |form| {
        write_head(request, options, form);
        if let Some(prompt) = &request.prompt {
            form.text("prompt", &prompt.plain());
        }
        form.text("response_format", request.format.name());
        let granularities = request.granularities.iter();
        granularities.for_each(|it| form.text("timestamp_granularities[]", &it.plain()));
        request.write_rest(&["chunking_strategy", "include"], options, notes, form);
        request.write_file(&bytes, form);
        Ok(())
    })?;
    request.note_format(notes);
    Ok(())
}

/// Writes what all hosts of this API have.
pub(super) fn write_head(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    form: &mut FormWriter<'_>,
) {
    form.text("model", options.model);
    if let Some(language) = &request.language {
        form.text("language", &language.plain());
    }
    if let Some(temperature) = request.temperature {
        form.text("temperature", temperature.text());
    }
    if options.stream {
        form.text("stream", "true");
    }
}

pub(super) fn read_reply<'a>(answer: &Answer<'a>) -> Result<Reply<'a>, Error> {
    let Some(root) = answer.root else {
        let text = std::str::from_utf8(answer.bytes)
            .map_err(|_| Error::new(What::Invalid("the text is not UTF-8")))?;
        return Ok(Reply { text: text.into(), ..Reply::default() });
    };
    read_json(root)
}

/// Reads the JSON that hosts of this API have in common.
pub(super) fn read_json<'a>(root: Raw<'a>) -> Result<Reply<'a>, Error> {
    let mut reply = Reply {
        text: fields::required_text(root, "text")?,
        language: fields::lenient_text(root, "language"),
        duration: root.member("duration"),
        words: read_timed(root, "words")?,
        segments: read_timed(root, "segments")?,
        usage: Usage::default(),
    };
    if let Some(usage) = root.member("usage") {
        relayed::read_usage(&mut Cursor::new(usage.text().as_bytes()), &mut reply.usage);
    }
    Ok(reply)
}

fn read_timed<'a>(root: Raw<'a>, list: &str) -> Result<Vec<Timed<'a>>, Error> {
    let Some(elements) = root.member(list) else { return Ok(Vec::new()) };
    fields::each(list, elements, |_, it| {
        let first = |names: [&str; 2]| names.iter().find_map(|name| fields::lenient_text(it, name));
        Ok(Timed {
            text: first(["word", "text"]).ok_or_else(|| Error::at("text", What::Missing))?,
            start: it.member("start"),
            end: it.member("end"),
            speaker: first(["speaker", "speaker_id"]),
        })
    })
}

fn write_reply(
    reply: &Reply<'_>,
    options: &ReplyOptions<'_>,
    written: &mut Written,
) -> Result<(), Error> {
    let format = options.notes.reply_format.as_deref().map_or(Ok(Wanted::Json), Wanted::of_name)?;
    let made;
    let segments = match reply.segments.is_empty() {
        true => {
            made = segments_of_words(&reply.words);
            &made
        }
        false => &reply.segments,
    };
    if format.has_times() && segments.is_empty() && !reply.text.is_empty() {
        return Err(Error::at("segments", What::Invalid("the provider told no times")));
    }
    match format {
        Wanted::Text => write_plain(format!("{}\n", reply.text.plain()), written),
        Wanted::Srt => write_plain(subtitles::srt(segments), written),
        Wanted::Vtt => write_plain(subtitles::vtt(segments), written),
        Wanted::Json | Wanted::VerboseJson => write_json(reply, segments, format, options, written),
        Wanted::DiarizedJson => write_diarized(reply, segments, options, written),
    }
    Ok(())
}

fn write_plain(text: String, written: &mut Written) {
    written.content_type = "text/plain; charset=utf-8".into();
    written.body = text.into_bytes();
}

fn write_json(
    reply: &Reply<'_>,
    segments: &[Timed<'_>],
    format: Wanted,
    options: &ReplyOptions<'_>,
    written: &mut Written,
) {
    let is_verbose = format == Wanted::VerboseJson;
    let mut object = Object::new(written.json());
    if is_verbose {
        object.str("task", "transcribe");
        let unknown = Text::default();
        object.text("language", reply.language.as_ref().unwrap_or(&unknown));
        object.verbatim("duration", spelt_seconds(duration(reply, segments)));
    }
    object.text("text", &reply.text);
    if !is_verbose {
        object.text_if("language", reply.language.as_ref());
        object.raw_if("duration", reply.duration);
    }
    if !reply.words.is_empty() {
        let mut words = object.array("words");
        for word in &reply.words {
            write_word(word, words.object());
        }
    }
    if is_verbose || !reply.segments.is_empty() {
        let mut array = object.array("segments");
        (0..).zip(segments).for_each(|(id, segment)| write_segment(id, segment, array.object()));
    }
    write_usage(&reply.usage, &mut object);
    object.members(options.trailer);
}

/// The length of the recording, or where its last words end.
fn duration<'a>(reply: &Reply<'a>, segments: &[Timed<'a>]) -> Option<Raw<'a>> {
    reply.duration.or_else(|| segments.last().and_then(|last| last.end))
}

fn write_word(timed: &Timed<'_>, mut object: Object<'_>) {
    object.str("word", timed.text.plain().trim());
    object.verbatim("start", spelt_seconds(timed.start));
    object.verbatim("end", spelt_seconds(timed.end));
    object.text_if("speaker", timed.speaker.as_ref());
}

/// Writes a segment with all that programs expect in one, measured or not.
fn write_segment(id: u64, segment: &Timed<'_>, mut object: Object<'_>) {
    object.u64("id", id);
    object.u64("seek", 0);
    object.verbatim("start", spelt_seconds(segment.start));
    object.verbatim("end", spelt_seconds(segment.end));
    object.text("text", &segment.text);
    drop(object.array("tokens"));
    for name in ["temperature", "avg_logprob", "compression_ratio", "no_speech_prob"] {
        object.verbatim(name, "0.0");
    }
    object.text_if("speaker", segment.speaker.as_ref());
}

fn write_diarized(
    reply: &Reply<'_>,
    segments: &[Timed<'_>],
    options: &ReplyOptions<'_>,
    written: &mut Written,
) {
    let mut object = Object::new(written.json());
    object.str("task", "transcribe");
    object.verbatim("duration", spelt_seconds(duration(reply, segments)));
    object.text("text", &reply.text);
    let mut array = object.array("segments");
    for (number, segment) in segments.iter().enumerate() {
        let mut element = array.object();
        element.str("type", "transcript.text.segment");
        element.str("id", &format!("seg_{number}"));
        let unknown = Text::from("A");
        element.text("speaker", segment.speaker.as_ref().unwrap_or(&unknown));
        element.verbatim("start", spelt_seconds(segment.start));
        element.verbatim("end", spelt_seconds(segment.end));
        element.text("text", &segment.text);
    }
    drop(array);
    write_usage(&reply.usage, &mut object);
    object.members(options.trailer);
}

fn write_usage(usage: &Usage, object: &mut Object<'_>) {
    if !usage.reported {
        return;
    }
    let mut counts = object.object("usage");
    counts.str("type", "tokens");
    counts.u64("input_tokens", usage.input);
    let mut details = counts.object("input_token_details");
    details.u64("text_tokens", usage.input.saturating_sub(usage.audio_input));
    details.u64("audio_tokens", usage.audio_input);
    drop(details);
    counts.u64("output_tokens", usage.output);
    counts.u64("total_tokens", usage.total);
}

/// Writes `transcript.text.delta`, `transcript.text.segment` and, at the end, `transcript.text.done`.
#[derive(Debug, Default)]
struct StreamWriter {
    /// The text so far, which the last event repeats.
    text: String,
    segments: u64,
}

impl WriteMedia for StreamWriter {
    fn write(
        &mut self,
        event: MediaEvent<'_>,
        trailer: Trailer<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        match event {
            MediaEvent::Text(text) => {
                self.text.push_str(&text.plain());
                write_event("transcript.text.delta", trailer, out, |it| it.text("delta", &text));
            }
            MediaEvent::Segment { text, start, end, speaker } => {
                let id = format!("seg_{}", self.segments);
                self.segments += 1;
                write_event("transcript.text.segment", trailer, out, |it| {
                    it.str("id", &id);
                    it.verbatim("start", spelt_seconds(start));
                    it.verbatim("end", spelt_seconds(end));
                    it.text("text", &text);
                    it.text("speaker", &speaker.unwrap_or_else(|| "A".into()));
                });
            }
            MediaEvent::Whole(text) => self.text = text.into_plain().into_owned(),
            MediaEvent::Bytes(_) | MediaEvent::Base64(_) | MediaEvent::Usage(_) => {
                return Err(misplaced());
            }
        }
        Ok(())
    }

    fn end(&mut self, usage: &Usage, trailer: Trailer<'_>, out: &mut Vec<u8>) {
        write_event("transcript.text.done", trailer, out, |object| {
            object.str("text", &self.text);
            write_usage(usage, object);
        });
        out.extend_from_slice(b"data: [DONE]\n\n");
    }
}

#[cfg(test)]
mod tests {
    use crate::{Dialect, EventClass, UsageReader, event_class};

    #[test]
    fn the_last_event_says_what_was_used() {
        let mut reader = UsageReader::new(Dialect::OpenAiTranscription);
        reader.event(None, br#"{"type":"transcript.text.delta","delta":"\"usage\":{"}"#);
        assert!(!reader.usage().reported);
        reader.event(
            None,
            br#"{"type":"transcript.text.done","text":"a","usage":{"type":"tokens","total_tokens":9,"input_tokens":4,"input_token_details":{"audio_tokens":3},"output_tokens":5}}"#,
        );
        let usage = reader.usage();
        assert_eq!((usage.input, usage.output, usage.total), (4, 5, 9));
        assert_eq!(usage.audio_input, 3);
    }

    #[test]
    fn seconds_are_no_tokens() {
        let mut reader = UsageReader::new(Dialect::OpenAiTranscription);
        reader.reply(br#"{"text":"a","usage":{"type":"duration","seconds":6}}"#);
        assert!(!reader.usage().reported);
    }

    #[test]
    fn events_are_output_unless_they_say_otherwise() {
        for (data, class) in [
            (r#"{"type":"speech.audio.delta","audio":"AA=="}"#, EventClass::Output),
            (r#"{"error":{"message":"x"}}"#, EventClass::Error),
            ("[DONE]", EventClass::Done),
        ] {
            assert_eq!(event_class(Dialect::OpenAiSpeech, None, data.as_bytes()), class, "{data}");
        }
    }
}
