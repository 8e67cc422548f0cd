//! Reranking: a query and documents in, the documents sorted by how well they answer it out. The common form; one file
//! beside it for each wire format.

pub(crate) mod bedrock;
pub(crate) mod cohere;
pub(crate) mod jina;
pub(crate) mod vertex;

use std::borrow::Cow;

use crate::Dialect;
use crate::canonical::{Member, Usage};
use crate::error::{Error, What};
use crate::fields;
use crate::format::{Answered, Asked, Messages};
use crate::json::{Array, Object, Raw, Text};
use crate::options::Notes;

/// The operation.
pub(crate) struct Reranking;

impl Messages for Reranking {
    type Request<'a> = Request<'a>;
    type Reply<'a> = Reply<'a>;
}

impl<'a> Asked<'a> for Request<'a> {
    fn extra(&self) -> &[Member<'a>] {
        &self.extra
    }
}

impl Answered for Reply<'_> {
    fn usage(&self) -> Usage {
        self.usage
    }
}

/// What is to be ranked by what.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    /// The dialect it was read from.
    pub(crate) source: Dialect,
    pub(crate) query: Text<'a>,
    pub(crate) documents: Vec<Document<'a>>,
    /// How many results are wanted; as it was spelt.
    pub(crate) results_max: Option<Raw<'a>>,
    pub(crate) tokens_per_document_max: Option<Raw<'a>>,
    /// Whether the results shall hold the documents.
    pub(crate) wants_documents: Option<bool>,
    /// Members of the source dialect without a common meaning.
    pub(crate) rest: Vec<Member<'a>>,
    /// Members not even the source dialect defines.
    pub(crate) extra: Vec<Member<'a>>,
}

/// One document.
#[derive(Debug)]
pub(crate) struct Document<'a> {
    /// Its text, or all of it where it is an object without one.
    pub(crate) content: Content<'a>,
    pub(crate) id: Option<Text<'a>>,
    pub(crate) title: Option<Text<'a>>,
    /// As it was spelt.
    pub(crate) raw: Raw<'a>,
}

#[derive(Debug)]
pub(crate) enum Content<'a> {
    Text(Text<'a>),
    Json(Raw<'a>),
}

impl<'a> Document<'a> {
    /// A string, an object with a `text`, or any other object.
    fn read(raw: Raw<'a>) -> Result<Self, Error> {
        let text = match raw.as_text() {
            None if !raw.is_object() => {
                return Err(Error::new(What::WrongType("a string or an object")));
            }
            None => fields::lenient_text(raw, "text"),
            text => text,
        };
        Ok(Self {
            content: text.map_or(Content::Json(raw), Content::Text),
            id: fields::lenient_text(raw, "id"),
            title: None,
            raw,
        })
    }

    /// An object with nothing but the id, in JSON.
    fn id_alone(&self) -> String {
        let mut out = Vec::new();
        Object::new(&mut out).text_if("id", self.id.as_ref());
        String::from_utf8(out).unwrap_or_default()
    }

    /// The text; that of the JSON where it has none.
    fn text(&self) -> Cow<'_, Text<'a>> {
        match &self.content {
            Content::Text(text) => Cow::Borrowed(text),
            Content::Json(raw) => Cow::Owned(Text::from(raw.text())),
        }
    }
}

impl<'a> Request<'a> {
    fn new(source: Dialect) -> Self {
        Self {
            source,
            query: Text::default(),
            documents: Vec::new(),
            results_max: None,
            tokens_per_document_max: None,
            wants_documents: None,
            rest: Vec::new(),
            extra: Vec::new(),
        }
    }

    /// Keeps a member that has no common meaning: one of the dialect's own, or one not even it defines.
    fn keep(&mut self, own: &[&str], name: &str, value: Raw<'a>) {
        let members = if own.contains(&name) { &mut self.rest } else { &mut self.extra };
        members.push((name.to_owned().into(), value));
    }

    /// The documents as strings, which every vendor takes.
    fn write_texts(&self, mut array: Array<'_>) {
        self.documents.iter().for_each(|document| array.text(&document.text()));
    }

    /// The documents as they came.
    fn write_spelt(&self, mut array: Array<'_>) {
        self.documents.iter().for_each(|document| array.raw(document.raw));
    }

    /// Writes what only the source dialect understands to itself, and notes for any other target that it was left out.
    fn write_rest(&self, target: Dialect, notes: &mut Notes, body: &mut Object<'_>) {
        self.write_members(&self.rest, target, notes, body);
        self.write_extra(target, notes, body);
    }

    /// The same of what not even the source dialect defines.
    fn write_extra(&self, target: Dialect, notes: &mut Notes, body: &mut Object<'_>) {
        self.write_members(&self.extra, target, notes, body);
    }

    fn write_members(
        &self,
        members: &[Member<'a>],
        target: Dialect,
        notes: &mut Notes,
        body: &mut Object<'_>,
    ) {
        for (name, value) in members {
            if self.source == target {
                body.raw(name, *value);
            } else {
                notes.drop(name);
            }
        }
    }

    fn note_token_limit(&self, notes: &mut Notes) {
        if self.tokens_per_document_max.is_some() {
            notes.drop("max_tokens_per_doc");
        }
    }

    /// Keeps the documents for the reply where the caller wants them back: vendors return less of them than they got,
    /// or nothing. Who goes by ids gets those in any case.
    fn note_documents(&self, notes: &mut Notes) {
        let documents = self.documents.iter();
        if self.wants_documents == Some(true) {
            notes.documents = documents.map(|document| document.raw.text().to_owned()).collect();
        } else if self.source == Dialect::VertexRank {
            notes.documents = documents.map(Document::id_alone).collect();
        }
    }
}

/// Documents by their numbers, the best first.
#[derive(Debug, Default)]
pub(crate) struct Reply<'a> {
    pub(crate) id: Option<Text<'a>>,
    pub(crate) model: Option<Text<'a>>,
    pub(crate) results: Vec<Ranked<'a>>,
    pub(crate) usage: Usage,
}

/// One result.
#[derive(Debug)]
pub(crate) struct Ranked<'a> {
    /// Which document, counted from 0.
    pub(crate) index: u64,
    /// As it was spelt.
    pub(crate) score: Raw<'a>,
    /// Its text, where the vendor says it again.
    pub(crate) text: Option<Text<'a>>,
}

impl Ranked<'_> {
    /// The document as the caller spelt it, where it wants it back.
    fn noted<'n>(&self, notes: &'n Notes) -> Option<&'n str> {
        let index = usize::try_from(self.index).ok()?;
        notes.documents.get(index).map(String::as_str)
    }

    /// Writes the members `index` and the score, and `document` as an object where it is known.
    fn write(&self, score: &str, notes: &Notes, object: &mut Object<'_>) {
        object.u64("index", self.index);
        object.raw(score, self.score);
        match (self.noted(notes), &self.text) {
            // Who gave a string gets an object with a text.
            (Some(noted), _) if noted.starts_with('"') => {
                object.object("document").verbatim("text", noted);
            }
            (Some(noted), _) => object.verbatim("document", noted),
            (None, Some(text)) => object.object("document").text("text", text),
            (None, None) => {}
        }
    }
}

/// Reads `{index, <score>, document?}`.
fn read_ranked<'a>(result: Raw<'a>, score: &str) -> Result<Ranked<'a>, Error> {
    let document = result.member("document");
    Ok(Ranked {
        index: fields::count("index", fields::required(result, "index")?)?,
        score: fields::number(score, fields::required(result, score)?)?,
        text: document.and_then(|document| {
            document.as_text().or_else(|| fields::lenient_text(document, "text"))
        }),
    })
}
