//! Whose manners a reply has: how bare model names, errors, `extra_fields` and routing headers are
//! handled on routes of one vendor, under whatever prefix they are served.

use dialect::Dialect;

/// A family of routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// `/v1/...`: the product's own.
    Base,
    /// As the OpenAI SDKs expect.
    OpenAi,
    /// As the Azure client of the OpenAI SDKs expects: deployments in the path.
    Azure,
    /// As the Anthropic SDKs expect.
    Anthropic,
    /// As Google's SDKs expect.
    GenAi,
    /// As the clients of Google's cloud expect, whose models are named without a provider.
    Vertex,
    /// As the AWS SDKs expect.
    Bedrock,
    /// As the Cohere SDKs expect.
    Cohere,
    /// As the editor Cursor expects: OpenAI's replies without anything added.
    Cursor,
    /// As TypeSafe's SDKs expect.
    TypeSafe,
    /// As clients of S3 expect.
    S3,
    /// As the provider behind it: nothing is added.
    Passthrough,
}

/// What is done for a whole family.
#[derive(Debug)]
pub(crate) struct Habits {
    /// Drop-in routes answer with `x-bifrost-*` headers, let any page read their streams, and let a
    /// fallback inherit the provider.
    pub(crate) is_drop_in: bool,
    /// The provider of a model named without one.
    pub(crate) bare_model: BareModel<'static>,
    /// How errors are told.
    pub(crate) errors: ErrorShape,
    /// Which replies carry `extra_fields`.
    pub(crate) tells: Tells,
    /// What stands between the texts of an answer that become one.
    pub(crate) text_joint: &'static str,
}

/// How the provider of a bare model name is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BareModel<'r> {
    /// Among those that list the model; that one first, where it is among them.
    Listed(Option<&'r str>),
    /// It is always that one.
    Always(&'r str),
}

/// The shape of error replies.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ErrorShape {
    /// The product's own error JSON.
    Product {
        /// A stream that broke still ends with `[DONE]`.
        says_done: bool,
    },
    /// A vendor's.
    Vendor(&'static VendorErrors),
    /// `{"message":…}`, with the type in a header.
    Aws,
    /// `<Error>`, in XML.
    S3,
}

/// The errors of one vendor.
#[derive(Debug)]
pub(crate) struct VendorErrors {
    /// Who writes them.
    pub(crate) dialect: Dialect,
    /// Members that are texts in every error of this shape: a provider's error that has them all is
    /// passed on as it is.
    pub(crate) texts: &'static [&'static [&'static str]],
}

/// Which replies carry `extra_fields`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tells {
    /// Every one.
    Always,
    /// Those that the gateway has written itself; a provider's own stays as it is.
    WhenWritten,
    /// None: SDKs of this family refuse, or lose, what they do not know.
    Never,
}

/// The client that has its deployments at Azure says so.
const AZURE_CLIENT: &[u8] = b"AzureOpenAI";

const ANTHROPIC_ERRORS: VendorErrors = VendorErrors {
    dialect: Dialect::AnthropicMessages,
    texts: &[&["type"], &["error", "type"], &["error", "message"]],
};

const GOOGLE_ERRORS: VendorErrors = VendorErrors {
    dialect: Dialect::Gemini,
    texts: &[&["error", "message"], &["error", "status"]],
};

const BASE: Habits = Habits {
    is_drop_in: false,
    bare_model: BareModel::Listed(None),
    errors: ErrorShape::Product { says_done: true },
    tells: Tells::Always,
    text_joint: "",
};

const OPENAI: Habits = Habits {
    is_drop_in: true,
    bare_model: BareModel::Listed(Some("openai")),
    errors: ErrorShape::Product { says_done: false },
    tells: Tells::WhenWritten,
    text_joint: "\n\n",
};

const AZURE: Habits = Habits { bare_model: BareModel::Always("azure"), ..OPENAI };

const ANTHROPIC: Habits = Habits {
    is_drop_in: true,
    bare_model: BareModel::Listed(Some("anthropic")),
    errors: ErrorShape::Vendor(&ANTHROPIC_ERRORS),
    tells: Tells::Never,
    text_joint: "",
};

const GENAI: Habits = Habits {
    is_drop_in: true,
    bare_model: BareModel::Always("gemini"),
    errors: ErrorShape::Vendor(&GOOGLE_ERRORS),
    tells: Tells::Never,
    text_joint: "",
};

const VERTEX: Habits = Habits { bare_model: BareModel::Always("vertex"), ..GENAI };

const COHERE: Habits =
    Habits { bare_model: BareModel::Listed(Some("cohere")), tells: Tells::Never, ..OPENAI };

const BEDROCK: Habits = Habits {
    is_drop_in: true,
    bare_model: BareModel::Always("bedrock"),
    errors: ErrorShape::Aws,
    tells: Tells::Never,
    text_joint: "",
};

const TYPESAFE_ERRORS: VendorErrors = VendorErrors { dialect: Dialect::SystemOne, texts: &[] };

const TYPESAFE: Habits = Habits {
    is_drop_in: true,
    bare_model: BareModel::Always("typesafe"),
    errors: ErrorShape::Vendor(&TYPESAFE_ERRORS),
    tells: Tells::Never,
    text_joint: "",
};

const S3: Habits = Habits { errors: ErrorShape::S3, ..BEDROCK };

const PASSTHROUGH: Habits =
    Habits { bare_model: BareModel::Listed(None), tells: Tells::Never, ..OPENAI };

const CURSOR: Habits = Habits { tells: Tells::Never, ..OPENAI };

impl Family {
    /// What is done for this family.
    pub(crate) fn habits(self) -> &'static Habits {
        match self {
            Self::Base => &BASE,
            Self::OpenAi => &OPENAI,
            Self::Azure => &AZURE,
            Self::Anthropic => &ANTHROPIC,
            Self::GenAi => &GENAI,
            Self::Vertex => &VERTEX,
            Self::Bedrock => &BEDROCK,
            Self::Cohere => &COHERE,
            Self::Cursor => &CURSOR,
            Self::TypeSafe => &TYPESAFE,
            Self::S3 => &S3,
            Self::Passthrough => &PASSTHROUGH,
        }
    }

    /// Whether it is a vendor's family, and not the product's own.
    pub(crate) fn is_drop_in(self) -> bool {
        self.habits().is_drop_in
    }

    /// How the provider of a bare model name is found for a client that calls itself `user_agent`
    /// and names a provider in `x-model-provider`.
    pub(crate) fn bare_model<'r>(
        self,
        user_agent: Option<&[u8]>,
        named: Option<&'r str>,
    ) -> BareModel<'r> {
        match (self, named) {
            (Self::GenAi | Self::Vertex, Some(named)) => BareModel::Always(named.trim()),
            (Self::OpenAi, _) if user_agent.is_some_and(is_azure_client) => {
                BareModel::Listed(Some("azure"))
            }
            _ => self.habits().bare_model,
        }
    }
}

fn is_azure_client(user_agent: &[u8]) -> bool {
    memchr::memmem::find(user_agent, AZURE_CLIENT).is_some()
}
