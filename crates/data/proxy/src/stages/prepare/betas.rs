//! `anthropic-beta` on its way to the platforms that host Anthropic's models: each takes the betas
//! it knows and refuses a request that names another.

use std::borrow::Cow;

/// Where Anthropic's messages are served besides at Anthropic, by the provider's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Platform {
    Azure,
    Vertex,
    Bedrock,
}

/// Betas, without their date, and who takes them besides Anthropic.
const BETAS: &[(&str, &[Platform])] = {
    use Platform::{Azure, Bedrock, Vertex};
    &[
        ("computer-use", &[Azure, Vertex, Bedrock]),
        ("structured-outputs", &[Azure, Bedrock]),
        ("advanced-tool-use", &[Azure]),
        ("mcp-client", &[Azure]),
        ("prompt-caching-scope", &[Azure]),
        ("compact", &[Azure, Vertex, Bedrock]),
        ("context-management", &[Azure, Vertex, Bedrock]),
        ("files-api", &[Azure]),
        ("interleaved-thinking", &[Azure, Vertex, Bedrock]),
        ("skills", &[Azure]),
        ("context-1m", &[Azure, Vertex, Bedrock]),
        ("redact-thinking", &[Azure]),
    ]
};

fn platform(provider: &str) -> Option<Platform> {
    match provider {
        "azure" => Some(Platform::Azure),
        "vertex" => Some(Platform::Vertex),
        "bedrock" | "bedrock_mantle" => Some(Platform::Bedrock),
        _ => None,
    }
}

/// The betas in `header` that `provider` takes; empty where that is none. Anthropic itself, and
/// whoever is configured to be like it, gets all of them. What `overrides` says of a prefix, the
/// longest ones first, goes before all that.
pub(super) fn taken_by<'h>(
    provider: &str,
    overrides: &[(Box<str>, bool)],
    header: &'h [u8],
) -> Cow<'h, [u8]> {
    let platform = platform(provider);
    if platform.is_none() && overrides.is_empty() {
        return Cow::Borrowed(header);
    }
    let is_known = |beta: &[u8]| {
        platform.is_none_or(|platform| {
            BETAS.iter().any(|(name, takers)| is_called(beta, name) && takers.contains(&platform))
        })
    };
    let is_taken = |beta: &&[u8]| {
        let said = overrides.iter().find(|(prefix, _)| beta.starts_with(prefix.as_bytes()));
        said.map_or_else(|| is_known(beta), |(_, is_taken)| *is_taken)
    };
    let betas = header.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    Cow::Owned(betas.filter(is_taken).collect::<Vec<_>>().join(&b","[..]))
}

/// `beta` is `name`, or that with a date behind it.
fn is_called(beta: &[u8], name: &str) -> bool {
    let rest = beta.strip_prefix(name.as_bytes());
    rest.is_some_and(|rest| matches!(rest, [] | [b'-', b'0'..=b'9', ..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(provider: &str, header: &str) -> String {
        String::from_utf8(taken_by(provider, &[], header.as_bytes()).into_owned()).unwrap()
    }

    #[test]
    fn what_is_configured_goes_before_what_is_known() {
        let overrides = [("context-1m-2025-08-07".into(), false), ("context-1m".into(), true)];
        let all = b"context-1m-2025-08-07,context-1m-2026-01-01,files-api-2025-04-14";
        let taken = |provider| {
            let taken = taken_by(provider, &overrides, all).into_owned();
            String::from_utf8(taken).unwrap()
        };
        assert_eq!(taken("anthropic"), "context-1m-2026-01-01,files-api-2025-04-14");
        assert_eq!(taken("vertex"), "context-1m-2026-01-01");
        let all = [("files-api".into(), true)];
        assert_eq!(&*taken_by("vertex", &all, b"files-api-2025-04-14"), b"files-api-2025-04-14");
    }

    #[test]
    fn each_platform_gets_what_it_knows() {
        let all = "computer-use-2025-01-24, files-api-2025-04-14,fast-mode-2026-02-01, new-thing";
        assert_eq!(taken("anthropic", all), all);
        assert_eq!(taken("my-own", all), all);
        assert_eq!(taken("azure", all), "computer-use-2025-01-24,files-api-2025-04-14");
        assert_eq!(taken("vertex", all), "computer-use-2025-01-24");
        assert_eq!(
            taken("bedrock", "structured-outputs-2025-11-13"),
            "structured-outputs-2025-11-13"
        );
        assert_eq!(taken("vertex", "structured-outputs-2025-11-13"), "");
        assert_eq!(taken("vertex", "compactor-2025-11-13"), "");
    }
}
