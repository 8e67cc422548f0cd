//! Reading the output of a prediction that answers with text.

use std::borrow::Cow;

use super::{read_usage, time};
use crate::canonical::{Choice, Part, Reply, Stop};
use crate::error::{Error, What};
use crate::fields;
use crate::json::{Cursor, Raw, Text};

/// Reads a job that is done.
pub(super) fn read_reply<'a>(root: Raw<'a>) -> Result<Reply<'a>, Error> {
    let text = text(fields::required(root, "output")?)?;
    let mut reply = Reply {
        id: fields::lenient_text(root, "id"),
        model: fields::lenient_text(root, "model"),
        created: time(root, "created_at"),
        choices: vec![Choice {
            parts: vec![Part::text(text)],
            stop: Some(Stop::EndTurn),
            ..Choice::default()
        }],
        ..Reply::default()
    };
    if let Some(metrics) = root.member("metrics") {
        read_usage(&mut Cursor::new(metrics.text().as_bytes()), &mut reply.usage);
    }
    Ok(reply)
}

/// One text, one in pieces, or one in an object.
pub(super) fn text<'a>(output: Raw<'a>) -> Result<Text<'a>, Error> {
    if let Some(text) = output.as_text() {
        return Ok(text);
    }
    if let Some(text) = fields::lenient_text(output, "text") {
        return Ok(text);
    }
    let pieces = fields::array("output", output)?.elements();
    let pieces: Option<Vec<Cow<'a, str>>> = pieces.map(|piece| piece.as_str()).collect();
    match pieces {
        Some(pieces) => Ok(Text::from(pieces.concat())),
        None => Err(Error::at("output", What::Invalid("must be text"))),
    }
}
