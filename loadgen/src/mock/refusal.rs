//! Why a provider would not serve a request, before it is put into the provider's shape.

use std::borrow::Cow;

/// A request error as a provider states it.
#[derive(Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) message: Cow<'static, str>,
    /// The field at fault.
    pub(crate) param: Option<String>,
    /// OpenAI's `code`, Anthropic's error `type`; `None` takes the one of the status.
    pub(crate) code: Option<Cow<'static, str>>,
}

impl Refusal {
    pub(crate) fn new(status: u16, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, message: message.into(), param: None, code: None }
    }

    /// A 400.
    pub(crate) fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(400, message)
    }

    pub(crate) fn param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    pub(crate) fn code(mut self, code: impl Into<Cow<'static, str>>) -> Self {
        self.code = Some(code.into());
        self
    }
}
