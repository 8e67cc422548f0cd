//! What the name of a model says about what it takes. Model families spell the same wish differently, and refuse each
//! other's spellings.

/// The makers that matter for how a request is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Claude,
    /// Amazon's, from the second generation on able to think.
    Nova {
        thinks: bool,
    },
    Llama,
    Mistral,
    Cohere,
    /// Open models of OpenAI.
    GptOss,
    Other,
}

impl Family {
    /// By the model's id: `us.anthropic.claude-…`, the ARN of an inference profile with such a name.
    pub(super) fn of(model: &str) -> Self {
        let is = |name: &str| model.contains(name);
        if is("claude") || is("anthropic.") {
            Self::Claude
        } else if is("nova-") {
            Self::Nova { thinks: is("nova-2") }
        } else if is("llama") {
            Self::Llama
        } else if is("mistral") {
            Self::Mistral
        } else if is("cohere.") {
            Self::Cohere
        } else if is("gpt-oss") {
            Self::GptOss
        } else {
            Self::Other
        }
    }
}

/// Open models that follow a JSON schema.
const SCHEMA_MODELS: &[&str] =
    &["deepseek.v3", "gemma-3", "gpt-oss", "kimi-k2", "minimax-m2", "nemotron", "qwen3"];

/// The first release of Claude that follows a JSON schema here.
const SCHEMA_CLAUDE_MIN: (u32, u32) = (4, 5);

/// Whether a model takes `outputConfig.textFormat` and `strict` tools. For the others a forced tool stands in.
pub(super) fn takes_schema(model: &str) -> bool {
    match claude_version(model) {
        Some(version) => version >= SCHEMA_CLAUDE_MIN,
        None => SCHEMA_MODELS.iter().any(|name| model.contains(name)),
    }
}

/// Major and minor version: `claude-sonnet-4-5-20250929-v1:0` is 4.5, `claude-3-7-sonnet-…` 3.7, `claude-sonnet-5` 5.0.
fn claude_version(model: &str) -> Option<(u32, u32)> {
    let (_, name) = model.split_once("claude-")?;
    let number = |piece: &str| {
        // A date is no version.
        Some(piece).filter(|piece| piece.len() <= 2)?.parse::<u32>().ok()
    };
    let mut pieces = name.split('-').skip_while(|piece| number(piece).is_none());
    let major = number(pieces.next()?)?;
    Some((major, pieces.next().and_then(number).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_known_by_name() {
        let cases = [
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", Family::Claude),
            (
                "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-3-7-sonnet-20250219-v1:0",
                Family::Claude,
            ),
            ("amazon.nova-lite-v1:0", Family::Nova { thinks: false }),
            ("us.amazon.nova-2-lite-v1:0", Family::Nova { thinks: true }),
            ("us.meta.llama3-3-70b-instruct-v1:0", Family::Llama),
            ("mistral.mistral-large-2407-v1:0", Family::Mistral),
            ("cohere.command-r-plus-v1:0", Family::Cohere),
            ("openai.gpt-oss-120b-1:0", Family::GptOss),
            ("minimax.minimax-m2", Family::Other),
        ];
        for (model, family) in cases {
            assert_eq!(Family::of(model), family, "{model}");
        }
    }

    #[test]
    fn schemas_are_for_newer_models() {
        for model in [
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "us.anthropic.claude-sonnet-4-6",
            "global.anthropic.claude-haiku-4-5-20251001-v1:0",
            "us.anthropic.claude-sonnet-5",
            "minimax.minimax-m2",
            "openai.gpt-oss-120b-1:0",
        ] {
            assert!(takes_schema(model), "{model}");
        }
        for model in [
            "us.anthropic.claude-sonnet-4-20250514-v1:0",
            "us.anthropic.claude-opus-4-1-20250805-v1:0",
            "us.anthropic.claude-3-7-sonnet-20250219-v1:0",
            "anthropic.claude-instant-v1",
            "amazon.nova-lite-v1:0",
            "us.meta.llama3-3-70b-instruct-v1:0",
        ] {
            assert!(!takes_schema(model), "{model}");
        }
    }
}
