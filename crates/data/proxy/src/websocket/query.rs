//! What the query of a session's target says: the model, and whatever is the provider's business.

use std::borrow::Cow;

use net::Buffer;
use percent_encoding::percent_decode_str;

use crate::reject::{Kind, Reject};
use crate::stages::peek::check_model_length;

/// Parameters that are the gateway's: the model, under its two names, and the version of Azure's API,
/// which belongs to paths the gateway does not use.
const OWN: [&str; 3] = ["model", "deployment", "api-version"];

/// The part of a target behind its `?`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Query<'q>(pub(super) &'q str);

impl<'q> Query<'q> {
    /// The model in it, if there is one.
    pub(super) fn model(self) -> Result<Option<Cow<'q, str>>, Reject> {
        let raw = self.value("model").or_else(|| self.value("deployment"));
        let Some(raw) = raw.filter(|raw| !raw.is_empty()) else { return Ok(None) };
        let model = percent_decode_str(raw).decode_utf8().map_err(|_| not_text())?;
        check_model_length(&model)?;
        Ok(Some(model))
    }

    /// Whether the model is named as Azure names them.
    pub(super) fn is_azure(self) -> bool {
        self.value("model").is_none() && self.value("deployment").is_some()
    }

    /// Writes target `path` with what is left of this query behind it.
    pub(super) fn write_target(self, path: &str, out: &mut Buffer) {
        out.extend_from_slice(path.as_bytes());
        let mut joint = if path.contains('?') { "&" } else { "?" };
        for (name, pair) in self.pairs() {
            if !OWN.contains(&name) && !pair.is_empty() {
                out.extend_from_slice(joint.as_bytes());
                out.extend_from_slice(pair.as_bytes());
                joint = "&";
            }
        }
    }

    fn value(self, name: &str) -> Option<&'q str> {
        let (_, pair) = self.pairs().find(|(found, _)| *found == name)?;
        Some(pair.split_once('=').map_or("", |(_, value)| value))
    }

    /// Each pair with its name.
    fn pairs(self) -> impl Iterator<Item = (&'q str, &'q str)> {
        self.0.split('&').map(|pair| (pair.split('=').next().unwrap_or_default(), pair))
    }
}

#[cold]
fn not_text() -> Reject {
    Reject::new(Kind::Malformed, "the model in the query is not UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(query: &str, path: &str) -> String {
        let mut out = Buffer::new();
        Query(query).write_target(path, &mut out);
        String::from_utf8(out.as_slice().to_vec()).unwrap()
    }

    #[test]
    fn the_model_is_found_under_both_names_and_decoded() {
        let model = |query| Query(query).model().unwrap();
        assert_eq!(model("a=b&model=openai%2Fgpt-realtime").unwrap(), "openai/gpt-realtime");
        assert_eq!(model("api-version=1&deployment=mine").unwrap(), "mine");
        assert_eq!((model("model=&call_id=1"), model(""), model("models=1")), (None, None, None));
        assert!(Query("deployment=mine").is_azure() && !Query("model=m&deployment=d").is_azure());
        assert!(Query("model=%ff").model().is_err());
        assert!(Query(&format!("model={}", "m".repeat(10_000))).model().is_err());
    }

    #[test]
    fn what_is_not_ours_goes_to_the_provider_as_it_was() {
        assert_eq!(target("model=a&intent=x%20y&&z", "/r?model=b"), "/r?model=b&intent=x%20y&z");
        assert_eq!(target("call_id=1&api-version=2", "/r"), "/r?call_id=1");
        assert_eq!(target("", "/r"), "/r");
    }
}
