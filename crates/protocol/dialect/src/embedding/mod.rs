//! Embeddings: texts and images in, vectors out. The common form; one file beside it for each wire format.

pub(crate) mod cohere;
pub(crate) mod gemini;
pub(crate) mod hugging_face;
pub(crate) mod ollama;
pub(crate) mod openai;
pub(crate) mod titan;
mod vector;
pub(crate) mod vertex;

use std::borrow::Cow;

use crate::Dialect;
use crate::canonical::{Member, Source, Usage};
use crate::error::{Error, What};
use crate::format::{Answered, Asked, Messages};
use crate::json::{Object, Raw, Text};
use crate::options::{Notes, NumberFormat};

pub(crate) use vector::Vector;

/// The operation.
pub(crate) struct Embedding;

impl Messages for Embedding {
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

/// What is to be turned into vectors, one vector each.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    /// The dialect it was read from.
    pub(crate) source: Dialect,
    pub(crate) inputs: Vec<Input<'a>>,
    /// The member of the source document that holds the inputs, for error paths.
    pub(crate) place: &'static str,
    /// How many numbers a vector shall have; as it was spelt.
    pub(crate) dimensions: Option<Raw<'a>>,
    /// The spellings that are wanted; empty where the vendor's own is.
    pub(crate) formats: Vec<NumberFormat>,
    pub(crate) input_type: Option<InputType<'a>>,
    /// Title of the document, which makes its vector better.
    pub(crate) title: Option<Text<'a>>,
    /// What to do with a text that is too long.
    pub(crate) truncate: Option<Truncate>,
    pub(crate) user: Option<Text<'a>>,
    /// Members of the source dialect without a common meaning.
    pub(crate) rest: Vec<Member<'a>>,
    /// Members not even the source dialect defines.
    pub(crate) extra: Vec<Member<'a>>,
}

#[derive(Debug)]
pub(crate) enum Input<'a> {
    Text(Text<'a>),
    /// An array of the numbers of tokens.
    Tokens(Raw<'a>),
    /// Pieces that make up one vector.
    Pieces(Vec<Piece<'a>>),
}

#[derive(Debug)]
pub(crate) enum Piece<'a> {
    Text(Text<'a>),
    Image(Source<'a>),
    /// A piece only the source dialect knows, whole.
    Other(Raw<'a>),
}

/// What the vectors are for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum InputType<'a> {
    Document,
    Query,
    Classification,
    Clustering,
    Image,
    Similarity,
    QuestionAnswering,
    FactVerification,
    CodeQuery,
    /// Not mapped; for the dialect it came from.
    Other(Text<'a>),
}

/// Where a text that is too long is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Truncate {
    /// Nowhere: it is refused.
    Never,
    Start,
    End,
}

impl<'a> Request<'a> {
    fn new(source: Dialect, place: &'static str) -> Self {
        Self {
            source,
            inputs: Vec::new(),
            place,
            dimensions: None,
            formats: Vec::new(),
            input_type: None,
            title: None,
            truncate: None,
            user: None,
            rest: Vec::new(),
            extra: Vec::new(),
        }
    }

    /// Keeps a member that has no common meaning: one of the dialect's own, or one not even it defines.
    fn keep(&mut self, own: &[&str], name: &str, value: Raw<'a>) {
        let members = if own.contains(&name) { &mut self.rest } else { &mut self.extra };
        members.push((name.to_owned().into(), value));
    }

    /// Complains about an input that the target cannot take.
    #[cold]
    fn refuse(&self, position: usize, target: Dialect) -> Error {
        let error = Error::new(What::Inexpressible(target)).in_element(position);
        error.in_member(self.place)
    }

    /// The one input for a target that takes no more.
    fn only_input(&self, target: Dialect) -> Result<&Input<'a>, Error> {
        match &self.inputs[..] {
            [input] => Ok(input),
            [_, _, ..] => Err(self.refuse(1, target)),
            [] => Err(Error::at(self.place, What::Missing)),
        }
    }

    /// The text of every input, for a target that takes nothing else.
    fn texts<'r>(
        &'r self,
        target: Dialect,
    ) -> impl Iterator<Item = Result<Cow<'r, Text<'a>>, Error>> {
        let text = move |(position, input): (usize, &'r Input<'a>)| {
            input.as_text().ok_or_else(|| self.refuse(position, target))
        };
        self.inputs.iter().enumerate().map(text)
    }

    /// Refuses vectors in a spelling that neither the target writes nor can be made of what it writes.
    fn check_formats(&self, target: Dialect) -> Result<(), Error> {
        let is_made = |format: &NumberFormat| match format {
            NumberFormat::Float | NumberFormat::Base64 => true,
            NumberFormat::Int8
            | NumberFormat::Uint8
            | NumberFormat::Binary
            | NumberFormat::Ubinary => false,
        };
        if self.formats.iter().all(is_made) {
            return Ok(());
        }
        Err(Error::at("embedding_types", What::Inexpressible(target)))
    }

    /// Writes what only the source dialect understands to itself, and notes for any other target that it was left out.
    fn write_rest(
        &self,
        target: Dialect,
        notes: &mut Notes,
        body: &mut Object<'_>,
    ) -> Result<(), Error> {
        let members = self.rest.iter().chain(&self.extra);
        if self.source == target {
            members.for_each(|(name, value)| body.raw(name, *value));
            return Ok(());
        }
        // An unknown spelling of numbers: the answer would not be what was asked for.
        if self.rest.iter().any(|(name, _)| name == openai::ENCODING) {
            return Err(Error::at(openai::ENCODING, What::Inexpressible(target)));
        }
        // What these say has been written, or noted, by their meaning.
        let is_known =
            |name: &str| ["input_type", "task_type", "title", "truncate"].contains(&name);
        for (name, value) in members.filter(|(name, _)| !is_known(name)) {
            let names = gemini::settings_without_meaning(name, *value);
            names.iter().for_each(|name| notes.drop(name));
        }
        Ok(())
    }

    fn note_dropped(&self, notes: &mut Notes, names: &[&str]) {
        for name in names {
            let is_said = match *name {
                // That an image is one is seen where nobody says so.
                "input_type" => self.input_type.as_ref().is_some_and(|it| *it != InputType::Image),
                "title" => self.title.is_some(),
                // To refuse a text that is too long is what most do unasked.
                "truncate" => self.truncate.is_some_and(|it| it != Truncate::Never),
                "user" => self.user.is_some(),
                "dimensions" => self.dimensions.is_some(),
                _ => false,
            };
            if is_said {
                notes.drop(name);
            }
        }
    }
}

/// Refuses an input with other settings than the first: in the common form, all inputs are treated alike.
fn check_alike(first: Raw<'_>, input: Raw<'_>) -> Result<(), Error> {
    const ALIKE: What = What::Invalid("must be the same for all inputs");
    let settings = |input: Raw<'_>| {
        let others = input
            .members()
            .filter(|(name, value)| !value.is_null() && !["content", "model"].contains(&&**name));
        others.map(|(name, value)| (name.into_owned(), value.text().to_owned())).collect::<Vec<_>>()
    };
    let (ours, theirs) = (settings(input), settings(first));
    let differs = |one: &[(String, String)], other: &[(String, String)]| {
        one.iter().find(|setting| !other.contains(setting)).map(|(name, _)| name.clone())
    };
    match differs(&ours, &theirs).or_else(|| differs(&theirs, &ours)) {
        Some(name) => Err(Error::at(&name, ALIKE)),
        None => Ok(()),
    }
}

impl<'a> Input<'a> {
    /// The text, where it is nothing but text.
    fn as_text(&self) -> Option<Cow<'_, Text<'a>>> {
        match self {
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Tokens(_) => None,
            Self::Pieces(pieces) => {
                let mut joined = String::new();
                for piece in pieces {
                    let Piece::Text(text) = piece else { return None };
                    joined.push_str(&text.plain());
                }
                Some(Cow::Owned(Text::from(joined)))
            }
        }
    }
}

/// Vectors, in the order of the inputs.
#[derive(Debug, Default)]
pub(crate) struct Reply<'a> {
    pub(crate) id: Option<Text<'a>>,
    pub(crate) model: Option<Text<'a>>,
    /// One list per spelling; a vendor that gives several gives the same vectors in each.
    pub(crate) lists: Vec<VectorList<'a>>,
    pub(crate) usage: Usage,
}

/// All vectors in one spelling.
#[derive(Debug)]
pub(crate) struct VectorList<'a> {
    pub(crate) format: NumberFormat,
    pub(crate) vectors: Vec<Vector<'a>>,
}

impl<'a> Reply<'a> {
    /// The vectors in that spelling, or the ones they can be made of.
    fn list(&self, format: NumberFormat) -> Option<&VectorList<'a>> {
        let is_float = |list: &&VectorList<'_>| {
            matches!(list.format, NumberFormat::Float | NumberFormat::Base64)
        };
        let same = self.lists.iter().find(|list| list.format == format);
        let made = match format {
            NumberFormat::Float | NumberFormat::Base64 => self.lists.iter().find(is_float),
            NumberFormat::Int8
            | NumberFormat::Uint8
            | NumberFormat::Binary
            | NumberFormat::Ubinary => None,
        };
        same.or(made)
    }

    /// The vectors for a caller whose dialect knows decimal numbers only.
    fn floats(&self, caller: Dialect) -> Result<&[Vector<'a>], Error> {
        match self.list(NumberFormat::Float) {
            Some(list) => Ok(&list.vectors),
            None => Err(Error::at("embeddings", What::Inexpressible(caller))),
        }
    }

    /// The vector for a caller whose dialect knows only one.
    fn only_float(&self, caller: Dialect) -> Result<&Vector<'a>, Error> {
        match self.floats(caller)? {
            [vector] => Ok(vector),
            [] => Err(Error::at("embeddings", What::Missing)),
            [_, _, ..] => {
                Err(Error::new(What::Inexpressible(caller)).in_element(1).in_member("embeddings"))
            }
        }
    }

    fn float_list(vectors: Vec<Vector<'a>>) -> Vec<VectorList<'a>> {
        vec![VectorList { format: NumberFormat::Float, vectors }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_vendor_understands_its_own_words_and_says_what_it_can() {
        let cases = [
            (InputType::Document, Some("search_document"), Some("RETRIEVAL_DOCUMENT")),
            (InputType::Query, Some("search_query"), Some("RETRIEVAL_QUERY")),
            (InputType::Classification, Some("classification"), Some("CLASSIFICATION")),
            (InputType::Clustering, Some("clustering"), Some("CLUSTERING")),
            (InputType::Image, Some("image"), None),
            (InputType::Similarity, None, Some("SEMANTIC_SIMILARITY")),
            (InputType::QuestionAnswering, Some("search_query"), Some("QUESTION_ANSWERING")),
            (InputType::FactVerification, Some("search_query"), Some("FACT_VERIFICATION")),
            (InputType::CodeQuery, Some("search_query"), Some("CODE_RETRIEVAL_QUERY")),
            (InputType::Other("odd".into()), None, None),
        ];
        for (input_type, cohere, gemini) in cases {
            assert_eq!(cohere::word_of_input_type(&input_type, false).as_deref(), cohere);
            assert_eq!(gemini::word_of_input_type(&input_type, false).as_deref(), gemini);
            if let Some(word) = gemini {
                assert_eq!(gemini::input_type_of_word(word.into()), input_type);
            }
            if let Some(word) = cohere.filter(|word| *word != "search_query") {
                assert_eq!(cohere::input_type_of_word(word.into()), input_type);
            }
        }
        let odd = InputType::Other("odd".into());
        assert_eq!(cohere::word_of_input_type(&odd, true).as_deref(), Some("odd"));
        assert_eq!(gemini::word_of_input_type(&odd, true).as_deref(), Some("odd"));
    }
}
