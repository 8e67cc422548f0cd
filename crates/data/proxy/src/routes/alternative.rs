//! Routes whose body or model says what is asked for: AWS's `invoke` takes whatever the model takes,
//! Google's `predict` makes vectors or pictures.

use dialect::{Dialect, Operation};
use wire::RequestHead;

use super::{Family, Route, Streams};
use crate::reject::Reject;
use crate::stages::peek::{Ask, Member, peek};

/// What a request of a route may be instead.
#[derive(Debug)]
pub(crate) struct Alternative {
    /// Whether it is.
    pub(super) is_meant: fn(&Look<'_>) -> bool,
    pub(super) route: Route,
}

/// What there is to tell by.
pub(crate) struct Look<'r> {
    /// As the caller names it.
    model: &'r str,
    body: &'r [u8],
    members: &'r [Member],
}

impl Look<'_> {
    /// The body has a member of that name.
    pub(super) fn has(&self, name: &str) -> bool {
        let is_it = |member: &Member| self.body.get(member.key.clone()) == Some(name.as_bytes());
        self.members.iter().any(is_it)
    }
}

impl Route {
    /// What a request of this route is, by its whole body.
    pub(crate) fn meant_by(
        &'static self,
        head: &RequestHead,
        bytes: &[u8],
        body: &[u8],
        members: &mut Vec<Member>,
    ) -> Result<&'static Self, Reject> {
        let mut ask: Ask<'_> = peek(body, members)?;
        self.complete(&mut ask, head, bytes, body)?;
        let look = Look { model: &ask.model, body, members };
        let meant = self.alternatives.iter().find(|alternative| (alternative.is_meant)(&look));
        Ok(meant.map_or(self, |alternative| &alternative.route))
    }

    /// The body as the route has it, where the caller spells it in another way.
    pub(crate) fn tidy(&self, body: &[u8]) -> Option<Vec<u8>> {
        self.tidy.and_then(|tidy| tidy(body))
    }
}

/// Google's `predict` of a model that makes pictures.
pub(super) const fn imagen(path: &'static str) -> Alternative {
    Alternative {
        is_meant: |look| look.model.contains("imagen"),
        route: super::whole(path, Family::GenAi, Operation::ImageGeneration, Dialect::GeminiImagen),
    }
}

/// AWS's `invoke` of one of Amazon's embedding models; its text models have the text beside settings.
pub(super) const fn titan_embedding(path: &'static str) -> Alternative {
    Alternative {
        is_meant: |look| {
            (look.has("inputText") || look.has("inputImage")) && !look.has("textGenerationConfig")
        },
        route: super::whole(path, Family::Bedrock, Operation::Embedding, Dialect::TitanEmbed),
    }
}

/// AWS's `invoke` of one of Cohere's embedding models.
pub(super) const fn cohere_embedding(path: &'static str) -> Alternative {
    Alternative {
        is_meant: |look| {
            look.has("texts")
                || look.has("input_type") && (look.has("images") || look.has("inputs"))
        },
        route: super::whole(
            path,
            Family::Bedrock,
            Operation::Embedding,
            Dialect::BedrockCohereEmbed,
        ),
    }
}

/// AWS's `invoke` of one of Amazon's Nova models, which take what Converse takes.
pub(super) const fn nova(path: &'static str, streams: Streams) -> Alternative {
    Alternative {
        is_meant: |look| {
            look.has("messages") && (look.has("inferenceConfig") || look.has("schemaVersion"))
        },
        route: super::post(
            path,
            Family::Bedrock,
            Operation::ChatCompletion,
            Dialect::BedrockConverse,
            streams,
        ),
    }
}

/// AWS's `invoke` of a model that goes on with a text; those that make pictures of one are others.
pub(super) const fn text(path: &'static str, streams: Streams) -> Alternative {
    Alternative {
        is_meant: |look| look.has("prompt") && !look.model.contains("stability."),
        route: super::post(
            path,
            Family::Bedrock,
            Operation::TextCompletion,
            Dialect::AnthropicComplete,
            streams,
        ),
    }
}
