//! The block that Claude Code puts into its system prompt for Anthropic's billing: to every other
//! model it would be a part of the prompt that changes from call to call.

use std::borrow::Cow;

use sonic_rs::{JsonValueTrait, LazyValue};

use super::Body;

/// How the text of the block begins.
const BILLING: &str = "x-anthropic-billing-header";

/// The body without such blocks.
pub(super) fn without_block<'b>(body: &Body<'b>) -> Cow<'b, [u8]> {
    let Some((_, member)) = body.find("system") else { return Cow::Borrowed(body.text) };
    let value = body.text.get(member.value.clone()).unwrap_or_default();
    let Some(kept) = kept_blocks(value) else { return Cow::Borrowed(body.text) };
    let before = body.text.get(..member.value.start).unwrap_or_default();
    let behind = body.text.get(member.value.end..).unwrap_or_default();
    Cow::Owned([before, b"[", kept.join(",").as_bytes(), b"]", behind].concat())
}

/// The blocks as written; `None` where all of them stay.
fn kept_blocks(system: &[u8]) -> Option<Vec<String>> {
    let blocks: Vec<LazyValue<'_>> = sonic_rs::from_slice(system).ok()?;
    let is_kept = |block: &&LazyValue<'_>| {
        !block.get("text").is_some_and(|text| text.as_str().is_some_and(|t| t.starts_with(BILLING)))
    };
    let kept: Vec<_> = blocks.iter().filter(is_kept).collect();
    let some_go = kept.len() < blocks.len();
    some_go.then(|| kept.iter().map(|block| block.as_raw_str().to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stages::peek::peek;

    fn without(text: &str) -> String {
        let mut members = Vec::new();
        peek(text.as_bytes(), &mut members).unwrap();
        let body = Body::json(text.as_bytes(), &members);
        String::from_utf8(without_block(&body).into_owned()).unwrap()
    }

    #[test]
    fn the_billing_block_goes_and_all_else_stays() {
        let billing = r#"{"type":"text","text":"x-anthropic-billing-header: cc_version=2.1"}"#;
        let other = r#"{ "type":"text", "text":"You are \u0043laude" }"#;
        let body = format!(r#"{{"model":"m","system":[{billing},{other}],"x":1}}"#);
        assert_eq!(without(&body), format!(r#"{{"model":"m","system":[{other}],"x":1}}"#));
        for untouched in [
            format!(r#"{{"system":[{other}]}}"#),
            r#"{"system":"x-anthropic-billing-header"}"#.to_owned(),
            r#"{"messages":[]}"#.to_owned(),
        ] {
            assert_eq!(without(&untouched), untouched);
        }
    }
}
