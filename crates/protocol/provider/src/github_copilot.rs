//! GitHub Copilot: by a Copilot token, or by a GitHub App that fetches one.

use dialect::Operation;

use crate::compatible::{COMPATIBLE, chat, responses};
use crate::{BaseUrl, Endpoint, Provider};

pub(crate) static PROVIDER: Provider = Provider {
    name: "github-copilot",
    base_url: BaseUrl::Template("https://{copilot_host}"),
    // It answers only what looks like an editor it knows; these belong together.
    headers: &[
        ("copilot-integration-id", "vscode-chat"),
        ("editor-version", "vscode/1.111.0"),
        ("editor-plugin-version", "copilot-chat/0.40.0"),
        ("user-agent", "GitHubCopilotChat/0.40.0"),
        ("openai-intent", "conversation-panel"),
        ("x-github-api-version", "2025-04-01"),
    ],
    endpoints: &[
        Endpoint::list("/models"),
        chat(Operation::ChatCompletion, "/chat/completions"),
        chat(Operation::ChatCompletionStream, "/chat/completions"),
        responses(Operation::Responses, "/responses"),
        responses(Operation::ResponsesStream, "/responses"),
    ],
    key_optional: true,
    ..COMPATIBLE
};
