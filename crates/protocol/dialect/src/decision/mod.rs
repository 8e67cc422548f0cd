//! Decisions: typed questions about a state, each answered with a value and how likely it is. The common form; one file
//! beside it for each wire format, and one for models that can only be asked to call a tool.

pub(crate) mod emulation;
pub(crate) mod product;
pub(crate) mod system_one;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use crate::Dialect;
use crate::canonical::{Member, Usage};
use crate::error::{Error, What};
use crate::fields;
use crate::format::{Answered, Asked, Messages};
use crate::json::{self, Index, Object, Raw, Text};
use crate::options::Notes;

/// The operation.
pub(crate) struct Deciding;

impl Messages for Deciding {
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

/// Most options of a choice.
const OPTIONS_MAX: usize = 255;

/// Fewest and most levels of a score.
const LEVELS_MIN: usize = 2;
const LEVELS_MAX: usize = 10;

/// Most questions of one request: each becomes a part of a tool where a model is asked that knows no decisions.
const QUESTIONS_MAX: usize = 256;

/// What is to be judged, and the questions about it.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    /// A text, an object, a list or null.
    pub(crate) state: Option<Raw<'a>>,
    pub(crate) questions: Vec<Question<'a>>,
    /// Members not even the source dialect defines.
    pub(crate) extra: Vec<Member<'a>>,
}

/// One question.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    pub(crate) name: Cow<'a, str>,
    pub(crate) kind: Kind,
    pub(crate) instructions: Option<Raw<'a>>,
    pub(crate) criteria: Option<Raw<'a>>,
}

/// What kind of answer a question has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// How likely it is true.
    Noul,
    /// One of several options.
    Choice,
    /// A place on a scale.
    Score,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Noul => "noul",
            Self::Choice => "choice",
            Self::Score => "score",
        }
    }

    fn of(name: &str) -> Option<Self> {
        [Self::Noul, Self::Choice, Self::Score].into_iter().find(|kind| kind.name() == name)
    }
}

/// Reads a request; the two formats differ in the name of a question's kind.
fn read_request<'a>(root: Raw<'a>, source: Dialect) -> Result<Request<'a>, Error> {
    let mut request = Request { state: None, questions: Vec::new(), extra: Vec::new() };
    let questions = fields::required(fields::object("", root)?, "questions")?;
    request.questions = read_questions(questions, kind_member(source))
        .map_err(|error| error.in_member("questions"))?;
    for (name, value) in root.members() {
        match &*name {
            "model" | "fallbacks" | "questions" => {}
            "state" if matches!(value.kind(), json::Kind::Number | json::Kind::Bool) => {
                return Err(fields::wrong_type(&name, "a string, an object, an array or null"));
            }
            "state" => request.state = Some(value),
            _ => request.extra.push((name, value)),
        }
    }
    Ok(request)
}

/// The name of the member that says what kind of question it is.
fn kind_member(dialect: Dialect) -> &'static str {
    if dialect == Dialect::SystemOne { "type" } else { "kind" }
}

fn read_questions<'a>(questions: Raw<'a>, kind: &str) -> Result<Vec<Question<'a>>, Error> {
    if !questions.is_object() {
        return Err(Error::new(What::WrongType("an object with a question for each name")));
    }
    let read: Result<Vec<_>, Error> = questions
        .members()
        .map(|(name, question)| {
            read_question(name.clone(), question, kind).map_err(|error| error.in_member(&name))
        })
        .collect();
    match read {
        Ok(questions) if questions.is_empty() => {
            Err(Error::new(What::Invalid("must hold at least one question")))
        }
        Ok(questions) if questions.len() > QUESTIONS_MAX => {
            Err(Error::new(What::Invalid("must hold at most 256 questions")))
        }
        read => read,
    }
}

fn read_question<'a>(
    name: Cow<'a, str>,
    question: Raw<'a>,
    kind_member: &str,
) -> Result<Question<'a>, Error> {
    let named = fields::required_text(question, kind_member)?;
    let kind = Kind::of(&named.plain())
        .ok_or_else(|| Error::at(kind_member, What::Invalid("must be noul, choice or score")))?;
    let instructions = question.member("instructions");
    if instructions.is_some_and(|it| it.as_text().is_none() && !it.is_object() && !it.is_array()) {
        return Err(fields::wrong_type("instructions", "a string, an object or an array"));
    }
    let criteria = question.member("criteria");
    check_criteria(kind, criteria).map_err(|error| error.in_member("criteria"))?;
    Ok(Question { name, kind, instructions, criteria })
}

fn check_criteria(kind: Kind, criteria: Option<Raw<'_>>) -> Result<(), Error> {
    let refused = |why| Err(Error::new(What::Invalid(why)));
    let is_said = |value: Raw<'_>| value.as_text().is_some() || value.is_null();
    match (kind, criteria) {
        (Kind::Noul, None) => Ok(()),
        (Kind::Noul, Some(criteria)) => {
            let is_known = |(name, value): (Cow<'_, str>, Raw<'_>)| {
                matches!(&*name, "true" | "false") && is_said(value)
            };
            match criteria.is_object() && criteria.members().all(is_known) {
                true => Ok(()),
                false => refused("must describe true and false with strings, and nothing else"),
            }
        }
        (Kind::Choice, Some(criteria)) if criteria.is_object() => {
            let options = criteria.members().count();
            let are_said = criteria.members().all(|(_, value)| is_said(value));
            match (1..=OPTIONS_MAX).contains(&options) && are_said {
                true => Ok(()),
                false => {
                    refused("must hold 1 to 255 options, each with a string that describes it")
                }
            }
        }
        (Kind::Choice, _) => refused("must be an object with a description for each option"),
        (Kind::Score, Some(criteria)) if criteria.is_array() => {
            let levels = criteria.elements().count();
            let are_said = criteria.elements().all(|value| value.as_text().is_some());
            match (LEVELS_MIN..=LEVELS_MAX).contains(&levels) && are_said {
                true => Ok(()),
                false => refused("must hold 2 to 10 levels, each a string"),
            }
        }
        (Kind::Score, _) => refused("must be an array of descriptions, the lowest level first"),
    }
}

impl Request<'_> {
    /// Writes the members that the two formats have in common.
    fn write(&self, target: Dialect, body: &mut Object<'_>) {
        match self.state {
            Some(state) => body.raw("state", state),
            None => body.null("state"),
        }
        self.write_questions(kind_member(target), body.object("questions"));
        self.extra.iter().for_each(|(name, value)| body.raw(name, *value));
    }

    fn write_questions(&self, kind: &str, mut questions: Object<'_>) {
        for question in &self.questions {
            let mut object = questions.object(&question.name);
            object.str(kind, question.kind.name());
            object.raw_if("instructions", question.instructions);
            object.raw_if("criteria", question.criteria);
        }
    }

    /// What was asked, for the one who reads the answers.
    pub(crate) fn noted(&self) -> String {
        let mut out = Vec::new();
        self.write_questions(kind_member(Dialect::SystemOne), Object::new(&mut out));
        String::from_utf8(out).unwrap_or_default()
    }
}

/// The answers.
#[derive(Debug, Default)]
pub(crate) struct Reply<'a> {
    pub(crate) model: Option<Text<'a>>,
    pub(crate) answers: Vec<Answer<'a>>,
    pub(crate) usage: Usage,
}

/// One answer. Numbers stay as they were spelt.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) name: Cow<'a, str>,
    pub(crate) kind: Kind,
    pub(crate) value: Raw<'a>,
    pub(crate) confidence: Option<Raw<'a>>,
    pub(crate) probabilities: Option<Raw<'a>>,
    pub(crate) legend: Option<Raw<'a>>,
}

/// Reads the answers; `value` gives the name of the member that holds one of a kind.
fn read_answers<'a>(
    root: Raw<'a>,
    kind_member: &str,
    value: impl Fn(Kind) -> &'static str,
) -> Result<Vec<Answer<'a>>, Error> {
    let answers = fields::object("answers", fields::required(root, "answers")?)?;
    let read = |(name, answer): (Cow<'a, str>, Raw<'a>)| {
        let named = fields::required_text(answer, kind_member)?.into_plain();
        let unknown = || Error::at(kind_member, What::Invalid("is no kind of answer"));
        let kind = Kind::of(&named).ok_or_else(unknown)?;
        let value = fields::required(answer, value(kind))?;
        check_value(kind, value)?;
        Ok(Answer {
            name,
            kind,
            value,
            confidence: answer.member("confidence"),
            probabilities: answer.member("probabilities"),
            legend: answer.member("legend"),
        })
    };
    let named = |(name, answer): (Cow<'a, str>, Raw<'a>)| {
        read((name.clone(), answer))
            .map_err(|error: Error| error.in_member(&name).in_member("answers"))
    };
    answers.members().map(named).collect()
}

fn check_value(kind: Kind, value: Raw<'_>) -> Result<(), Error> {
    let number = value.text().parse::<f64>().ok();
    let is_sound = match kind {
        Kind::Noul => number.is_some_and(|number| (0.0..=1.0).contains(&number)),
        Kind::Choice => value.as_text().is_some(),
        Kind::Score => number.is_some(),
    };
    if is_sound { Ok(()) } else { Err(Error::new(What::Invalid("is no value of its kind"))) }
}

/// Every question must have an answer of its kind: half an answer is none.
fn check_complete(reply: &Reply<'_>, notes: &Notes) -> Result<(), Error> {
    let mut index = Index::new();
    if notes.asked.is_empty() {
        return Ok(());
    }
    let asked = index.read(notes.asked.as_bytes())?;
    for question in read_questions(asked, kind_member(Dialect::SystemOne))? {
        let is_it = |answer: &&Answer<'_>| answer.name == question.name;
        if reply.answers.iter().find(is_it).is_none_or(|answer| answer.kind != question.kind) {
            let error = Error::new(What::Invalid("has no answer of its kind"));
            return Err(error.in_member(&question.name).in_member("answers"));
        }
    }
    Ok(())
}
