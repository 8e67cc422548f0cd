//! Words what a table of fields found wrong as OpenAI does.

use crate::mock::form::{Kind, Misfit};
use crate::mock::refusal::Refusal;

/// The refusal for a request that does not fit its form.
pub(super) fn refusal(misfit: &Misfit) -> Refusal {
    let place = misfit.bracketed();
    let (message, code) = match &misfit.kind {
        Kind::Missing => {
            (format!("Missing required parameter: '{place}'."), "missing_required_parameter")
        }
        Kind::Unknown => (format!("Unknown parameter: '{place}'."), "unknown_parameter"),
        Kind::Type { expected, found } => {
            let article = |kind: &str| if kind.starts_with(['a', 'i', 'o']) { "an" } else { "a" };
            let message = format!(
                "Invalid type for '{place}': expected {} {expected}, but got {} {found} instead.",
                article(expected),
                article(found),
            );
            (message, "invalid_type")
        }
        Kind::Choice { found, allowed } => {
            let allowed: Vec<String> = allowed.iter().map(|value| format!("'{value}'")).collect();
            let values = allowed.join(", ");
            (format!("Invalid value: '{found}'. Supported values are: {values}."), "invalid_value")
        }
        Kind::Union => (format!("Invalid value for '{place}'."), "invalid_value"),
        Kind::Base64 => {
            (format!("Invalid '{place}': expected a base64-encoded string."), "invalid_value")
        }
    };
    Refusal::invalid(message).param(place).code(code)
}
