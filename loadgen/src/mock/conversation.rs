//! Collects of a conversation what a mock model listens to, turn by turn, whatever dialect it comes in.

use serde_json::Value;

use super::answer::Last;

/// What has been said so far.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    user: String,
    /// Results since the user or the model spoke last.
    results: Vec<String>,
    pub(crate) bytes: usize,
    pub(crate) images: usize,
}

impl Conversation {
    /// The user says something.
    pub(crate) fn user(&mut self, text: &str) {
        self.bytes += text.len();
        self.results.clear();
        text.clone_into(&mut self.user);
    }

    /// The model, or the operator, has said something.
    pub(crate) fn other(&mut self, text: &str) {
        self.bytes += text.len();
        self.results.clear();
    }

    /// A tool answers.
    pub(crate) fn tool_result(&mut self, text: &str) {
        self.bytes += text.len();
        self.results.push(text.to_owned());
    }

    /// The user shows an image.
    pub(crate) fn image(&mut self) {
        self.images += 1;
    }

    /// What is to be answered: the tool results if they came last, else the user.
    pub(crate) fn last(&self) -> Last {
        match self.results.is_empty() {
            true => Last { text: self.user.clone(), is_tool_result: false },
            false => Last { text: self.results.join(" | "), is_tool_result: true },
        }
    }
}

/// The items of an array; none where the value is something else.
pub(crate) fn items(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The text of a field; empty where there is none.
pub(crate) fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The texts of a list, as they are.
pub(crate) fn texts(value: Option<&Value>) -> Vec<String> {
    items(value).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// A string, or the `text` of each item of a list, joined.
pub(crate) fn joined_text(content: Option<&Value>) -> String {
    match content {
        Some(Value::String(text)) => text.clone(),
        content => items(content).iter().map(|item| text(item, "text")).collect(),
    }
}
