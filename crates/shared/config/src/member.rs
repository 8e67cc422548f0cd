//! How sections of the file are described: name, type, limits, default and one line of text for every
//! member. Checking, reading and the JSON Schema all work from these tables, so they cannot drift.

/// A type of JSON value, with its limits.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    /// `true` or `false`.
    Boolean,
    /// A whole number within limits, both included.
    Integer { min: u64, max: u64 },
    /// A number within limits, both included.
    Number { min: f64, max: f64 },
    /// A string.
    Text,
    /// A string of at most so many characters.
    ShortText { characters_max: usize },
    /// One of these strings.
    Choice(&'static [&'static str]),
    /// A string that may stand in the environment: `env.NAME`, or an object that says so.
    Reference,
    /// The same, never shown.
    Secret,
    /// `500ms`, `1m30s`.
    Duration,
    /// A duration as text, or a whole number of milliseconds.
    Milliseconds { min: u64 },
    /// Anything.
    Any,
    /// An array of values of one shape.
    List(&'static Shape),
    /// An object of free names and values of one shape.
    Map(&'static Shape),
    /// An object of known members.
    Object(&'static Object),
    /// One or the other, told apart by their JSON type.
    Either(&'static Shape, &'static Shape),
}

/// Largest integer where the product sets no limit: what every JSON reader can hold.
pub(crate) const INTEGER_MAX: u64 = (1 << 53) - 1;

impl Shape {
    /// A count or size from `min` on.
    pub(crate) const fn from(min: u64) -> Self {
        Self::Integer { min, max: INTEGER_MAX }
    }
}

/// An array of strings.
pub(crate) const TEXTS: Shape = Shape::List(&Shape::Text);
/// An array whose elements are not looked at.
pub(crate) const ANY_LIST: Shape = Shape::List(&Shape::Any);
/// An object whose members are not looked at.
pub(crate) const ANY_OBJECT: Shape = Shape::Map(&Shape::Any);

/// An object of known members.
pub(crate) struct Object {
    /// What it is, for the schema.
    pub(crate) doc: &'static str,
    /// The members.
    pub(crate) members: &'static [Member],
    /// What happens to others.
    pub(crate) unknown: Unknown,
}

impl Object {
    /// An object that refuses unknown members.
    pub(crate) const fn closed(doc: &'static str, members: &'static [Member]) -> Self {
        Self { doc, members, unknown: Unknown::Refused }
    }

    /// The member of that name.
    pub(crate) fn member(&self, name: &str) -> Option<&'static Member> {
        self.members.iter().find(|member| member.name == name)
    }
}

/// What happens to members nobody knows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// They are mistakes.
    Refused,
    /// They are listed as warnings: the section is not served as a whole yet.
    Warned,
}

/// One member of an object.
#[derive(Clone, Copy)]
pub(crate) struct Member {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) doc: &'static str,
    pub(crate) default: Fallback,
    pub(crate) required: bool,
    pub(crate) use_now: Use,
}

/// The value where a member is absent.
#[derive(Clone, Copy)]
pub(crate) enum Fallback {
    /// There is none: absence means something of its own.
    Absent,
    Boolean(bool),
    Integer(u64),
    Text(&'static str),
    Texts(&'static [&'static str]),
}

/// What the gateway does with a member today.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// It counts.
    Now,
    /// It is accepted and has no effect yet; the text says what is missing.
    Later(&'static str),
    /// It counts under its new name.
    Renamed(&'static str),
    /// It is accepted and never has an effect; the text says why.
    Never(&'static str),
}

/// A member that counts, is optional and has no default.
pub(crate) const fn member(name: &'static str, shape: Shape, doc: &'static str) -> Member {
    Member { name, shape, doc, default: Fallback::Absent, required: false, use_now: Use::Now }
}

/// A boolean that is `false` unless set.
pub(crate) const fn switch(name: &'static str, doc: &'static str) -> Member {
    member(name, Shape::Boolean, doc).or(Fallback::Boolean(false))
}

/// One table out of several, `N` members in all.
pub(crate) const fn joined<const N: usize>(tables: &[&[Member]]) -> [Member; N] {
    let mut all = [member("", Shape::Any, ""); N];
    let (mut table, mut filled) = (0, 0);
    while table < tables.len() {
        let mut row = 0;
        while row < tables[table].len() {
            all[filled] = tables[table][row];
            (row, filled) = (row + 1, filled + 1);
        }
        table += 1;
    }
    assert!(filled == N, "N is the number of members");
    all
}

impl Member {
    pub(crate) const fn or(mut self, default: Fallback) -> Self {
        self.default = default;
        self
    }

    pub(crate) const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    pub(crate) const fn later(mut self, missing: &'static str) -> Self {
        self.use_now = Use::Later(missing);
        self
    }

    pub(crate) const fn renamed(mut self, to: &'static str) -> Self {
        self.use_now = Use::Renamed(to);
        self
    }

    pub(crate) const fn never(mut self, why: &'static str) -> Self {
        self.use_now = Use::Never(why);
        self
    }
}
