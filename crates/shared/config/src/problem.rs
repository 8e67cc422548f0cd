//! What is wrong with a configuration, what is merely worth knowing, and where.

use std::fmt;

/// One mistake. It never carries a value that could be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where: `providers.openai.keys[0].weight`; empty for the file as a whole.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it, where that can be said.
    pub hint: Option<String>,
    /// Position in the file, for sorting.
    order: u32,
}

impl Problem {
    pub(crate) fn new(spot: Spot, message: impl Into<String>) -> Self {
        Self { path: spot.path, message: message.into(), hint: None, order: spot.order }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

/// Every mistake of a configuration, in the order of the file. Prints one per line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// The mistakes; there is at least one.
    pub fn list(&self) -> &[Problem] {
        &self.0
    }

    pub(crate) fn sorted(mut problems: Vec<Problem>) -> Self {
        problems.sort_by(|a, b| (a.order, &a.path).cmp(&(b.order, &b.path)));
        Self(problems)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, problem) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Something about a valid configuration that its owner should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Where, as in [`Problem::path`].
    pub path: String,
    /// What.
    pub why: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.why)
    }
}

/// A place in the file: its path, and its position in reading order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) path: String,
    pub(crate) order: u32,
}

/// What was found so far.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    problems: Vec<Problem>,
    warnings: Vec<(u32, Note)>,
    inactive: Vec<(u32, Note)>,
}

impl Findings {
    pub(crate) fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    pub(crate) fn warn(&mut self, spot: Spot, why: impl Into<String>) {
        self.warnings.push((spot.order, Note { path: spot.path, why: why.into() }));
    }

    pub(crate) fn inactive(&mut self, spot: Spot, why: impl Into<String>) {
        self.inactive.push((spot.order, Note { path: spot.path, why: why.into() }));
    }

    /// Warnings and what is inactive, in the order of the file; or the problems, if there are any.
    pub(crate) fn into_notes(self) -> Result<(Vec<Note>, Vec<Note>), Problems> {
        if !self.problems.is_empty() {
            return Err(Problems::sorted(self.problems));
        }
        Ok((in_order(self.warnings), in_order(self.inactive)))
    }
}

fn in_order(mut notes: Vec<(u32, Note)>) -> Vec<Note> {
    notes.sort_by_key(|(order, _)| *order);
    notes.into_iter().map(|(_, note)| note).collect()
}
