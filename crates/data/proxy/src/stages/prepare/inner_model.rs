//! Models that a body names again, or only, deep inside: they follow the one that is asked.

use std::ops::Range;

use dialect::Dialect;
use sonic_rs::{JsonValueTrait, LazyValue, to_array_iter};

use super::Body;
use crate::stages::splice::Edits;

/// Where Google's bodies name the resource that is asked.
const MODEL: &str = "model";

/// What resources that are models are called.
const RESOURCE: &str = "models/";

/// Where a request to sort documents names its model on Bedrock.
const RERANK_MODEL: [&str; 4] =
    ["rerankingConfiguration", "bedrockRerankingConfiguration", "modelConfiguration", "modelArn"];

/// Notes the edits that name `model` wherever a body of this dialect does besides its member `model`.
pub(super) fn rename(dialect: Dialect, body: &Body<'_>, model: &str, edits: &mut Edits) {
    match dialect {
        Dialect::Gemini | Dialect::GeminiEmbedContent => {
            rename_resource(body, body.text, model, edits);
        }
        Dialect::GeminiCountTokens => {
            if let Some(inner) = member(body, "generateContentRequest") {
                rename_resource(body, inner, model, edits);
            }
        }
        Dialect::GeminiBatchEmbed => {
            let requests = member(body, "requests").unwrap_or_default();
            for request in to_array_iter(requests).filter_map(Result::ok) {
                rename_resource(body, request.as_raw_str().as_bytes(), model, edits);
            }
        }
        Dialect::BedrockRerank => {
            let named = sonic_rs::get(body.text, RERANK_MODEL).ok();
            if let Some(named) = named.filter(|named| !is_named(named, model)) {
                edits.replace_string(position(body.text, &named), model);
            }
        }
        _ => {}
    }
}

/// The model of a request to sort documents on Bedrock: of an ARN the last part.
pub(crate) fn model_to_rank(body: &[u8]) -> Option<String> {
    let named = sonic_rs::get(body, RERANK_MODEL).ok()?;
    let named = named.as_str()?;
    let model = match named.starts_with("arn:") {
        true => named.rsplit('/').next()?,
        false => named,
    };
    Some(model.to_owned())
}

fn is_named(named: &LazyValue<'_>, model: &str) -> bool {
    let rest = named.as_str().and_then(|named| named.strip_suffix(model));
    rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
}

fn rename_resource(body: &Body<'_>, object: &[u8], model: &str, edits: &mut Edits) {
    let Some(named) = sonic_rs::get(object, [MODEL]).ok().filter(|named| named.is_str()) else {
        return;
    };
    let head = if model.contains('/') { "" } else { RESOURCE };
    edits.replace_string(position(body.text, &named), &format!("{head}{model}"));
}

fn member<'b>(body: &Body<'b>, name: &str) -> Option<&'b [u8]> {
    body.find(name).and_then(|(_, member)| body.text.get(member.value.clone()))
}

/// Where a value stands that was read from `body`.
fn position(body: &[u8], value: &LazyValue<'_>) -> Range<usize> {
    let text = value.as_raw_str().as_bytes();
    let start = (text.as_ptr() as usize).wrapping_sub(body.as_ptr() as usize);
    start..start.wrapping_add(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stages::peek::peek;

    fn renamed(dialect: Dialect, text: &str) -> String {
        let mut members = Vec::new();
        peek(text.as_bytes(), &mut members).unwrap();
        let body = Body::json(text.as_bytes(), &members);
        let mut edits = Edits::default();
        rename(dialect, &body, "m-1", &mut edits);
        let mut out = Vec::new();
        edits.apply(text.as_bytes(), &members, &mut |piece| out.extend_from_slice(piece));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_request_of_a_batch_names_the_model_that_is_asked() {
        let body = r#"{"requests":[{"model":"models/gemini/m","content":{}}, {"content":{"model":"x"}},{ "model" : "m" }]}"#;
        let expected = r#"{"requests":[{"model":"models/m-1","content":{}}, {"content":{"model":"x"}},{ "model" : "models/m-1" }]}"#;
        assert_eq!(renamed(Dialect::GeminiBatchEmbed, body), expected);
    }

    #[test]
    fn a_question_to_be_counted_names_it_inside() {
        let body = r#"{"generateContentRequest":{"model":"models/gemini/m","contents":[]}}"#;
        let expected = r#"{"generateContentRequest":{"model":"models/m-1","contents":[]}}"#;
        assert_eq!(renamed(Dialect::GeminiCountTokens, body), expected);
        let bare = r#"{"contents":[]}"#;
        assert_eq!(renamed(Dialect::GeminiCountTokens, bare), bare);
    }

    #[test]
    fn an_arn_of_the_model_stays_and_another_goes() {
        let body = |arn: &str| {
            format!(
                r#"{{"rerankingConfiguration":{{"bedrockRerankingConfiguration":{{"modelConfiguration":{{"modelArn":"{arn}"}}}}}}}}"#
            )
        };
        let arn = "arn:aws:bedrock:eu-west-1::foundation-model/m-1";
        assert_eq!(renamed(Dialect::BedrockRerank, &body(arn)), body(arn));
        assert_eq!(renamed(Dialect::BedrockRerank, &body("bedrock/other")), body("m-1"));
        assert_eq!(model_to_rank(body(arn).as_bytes()).as_deref(), Some("m-1"));
        assert_eq!(model_to_rank(body("cohere/m").as_bytes()).as_deref(), Some("cohere/m"));
        assert_eq!(model_to_rank(b"{}"), None);
    }
}
