//! What is changed in a request body on its way to a provider, as data.
//!
//! Names are top-level members of the provider's own dialect. The rules of one body are applied in
//! the order of the fields of [`BodyRules`].

/// The changes for one provider. [`BodyRules::NONE`] changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyRules {
    /// Members that are removed.
    pub drops: &'static [&'static str],
    /// String members that are removed when they are longer than so many characters.
    pub lengths_max: &'static [(&'static str, usize)],
    /// `cache_control` is removed wherever it stands in `messages`, their content blocks and `tools`.
    pub strips_cache_control: bool,
    /// Objects of which one string becomes a top-level member.
    pub flattens: &'static [Flatten],
    /// Members whose value is replaced by a fixed string.
    pub replaces: &'static [Replace],
    /// Integer members that are raised to this minimum when they are present and lower.
    pub minimums: &'static [(&'static str, u64)],
    /// Members that get another name (from, to); nothing happens where `to` is already present.
    pub renames: &'static [(&'static str, &'static str)],
    /// Members that get a fixed value (JSON text), whatever stood there.
    pub sets: &'static [(&'static str, &'static str)],
    /// Removals for some models only; the first rule that matches is the only one applied.
    pub by_model: &'static [ModelRule],
    /// What is changed in each of `messages`.
    pub messages: MessageRules,
}

impl BodyRules {
    /// Bodies pass unchanged.
    pub const NONE: Self = Self {
        drops: &[],
        lengths_max: &[],
        strips_cache_control: false,
        flattens: &[],
        replaces: &[],
        minimums: &[],
        renames: &[],
        sets: &[],
        by_model: &[],
        messages: MessageRules::NONE,
    };
}

/// The changes of the messages of a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageRules {
    /// A member that gets another name (from, to); nothing happens where `to` is already present.
    pub rename: Option<(&'static str, &'static str)>,
    /// How many letters and digits the ids of tool calls have. Another id becomes one that is made of it, so that a
    /// call and its result still belong together.
    pub tool_id_characters: Option<usize>,
}

impl MessageRules {
    /// Messages pass unchanged.
    pub const NONE: Self = Self { rename: None, tool_id_characters: None };
}

/// `{"<object>": {"<member>": x}}` becomes `{"<to>": x}`; the rest of the object goes. Where `to` is
/// already present only the object goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flatten {
    /// The object that is removed.
    pub object: &'static str,
    /// The string in it that is kept.
    pub member: &'static str,
    /// Its new, top-level name.
    pub to: &'static str,
}

/// A value a provider spells differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replace {
    /// The member.
    pub member: &'static str,
    /// What its value must be.
    pub when: When,
    /// What it becomes.
    pub to: &'static str,
}

/// Which values are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Exactly this string.
    Text(&'static str),
    /// Any object.
    Object,
}

/// What some models of a provider don't take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelRule {
    /// Pattern of [`crate::matches`] for the wire name of the model.
    pub models: &'static str,
    /// Members that are removed.
    pub drops: &'static [&'static str],
}
