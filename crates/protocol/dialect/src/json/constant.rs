//! Documents of our own, read once.

use std::sync::OnceLock;

use super::raw::Raw;
use super::read::Index;

/// A document that is part of the program.
#[derive(Debug)]
pub(crate) struct Constant {
    text: &'static str,
    index: OnceLock<Index>,
}

impl Constant {
    /// `text` must be JSON.
    pub(crate) const fn new(text: &'static str) -> Self {
        Self { text, index: OnceLock::new() }
    }

    /// Its root value.
    pub(crate) fn raw(&'static self) -> Raw<'static> {
        let index = self.index.get_or_init(|| {
            let mut index = Index::new();
            let is_json = index.read(self.text.as_bytes()).is_ok();
            debug_assert!(is_json, "{} is no JSON", self.text);
            index
        });
        index.again(self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_is_a_document_like_any_other() {
        static DOCUMENT: Constant = Constant::new(r#"{"type":"ephemeral"}"#);
        for _ in 0..2 {
            let kind = DOCUMENT.raw().member("type").and_then(|kind| kind.as_str());
            assert_eq!(kind.as_deref(), Some("ephemeral"));
        }
    }
}
