//! Counting the tokens of a question without asking it. The question is read and written by the dialect that asks it;
//! one file beside this for each wire format of the counting.

pub(crate) mod anthropic;
pub(crate) mod bedrock;
pub(crate) mod cohere;
pub(crate) mod gemini;
pub(crate) mod responses;

use crate::canonical::{Member, Request, Usage};
use crate::error::Error;
use crate::format::{Answered, Asked, Messages};
use crate::json::{Index, Object, Raw};

/// The operation.
pub(crate) struct TokenCounting;

impl Messages for TokenCounting {
    type Request<'a> = Request<'a>;
    type Reply<'a> = Count<'a>;
}

impl<'a> Asked<'a> for Request<'a> {
    fn extra(&self) -> &[Member<'a>] {
        &self.extra
    }
}

impl Answered for Count<'_> {
    /// Nothing: what is counted is not used.
    fn usage(&self) -> Usage {
        Usage::default()
    }
}

/// What was counted.
#[derive(Debug)]
pub(crate) struct Count<'a> {
    pub(crate) input: u64,
    /// The numbers of the tokens.
    pub(crate) tokens: Option<Raw<'a>>,
    /// The tokens as they are spelt.
    pub(crate) token_strings: Option<Raw<'a>>,
}

impl Count<'_> {
    /// A count and nothing else.
    fn of(input: u64) -> Self {
        Self { input, tokens: None, token_strings: None }
    }
}

/// Copies those members of a finished object that are named.
fn write_members(plain: &[u8], names: &[&str], out: &mut Vec<u8>) -> Result<(), Error> {
    let mut index = Index::new();
    let mut body = Object::new(out);
    let members = index.read(plain)?.members();
    members
        .filter(|(name, _)| names.contains(&&**name))
        .for_each(|(name, value)| body.raw(&name, value));
    Ok(())
}
