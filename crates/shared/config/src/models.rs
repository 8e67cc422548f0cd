//! Lists of models that a key may or must not be used for.

use std::collections::HashSet;

use crate::view::{Context, View};

/// Models by the names callers use, aliases included, without regard to ASCII case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelList {
    /// Every model.
    All,
    /// These, in lower case; empty means none.
    Only(Vec<String>),
}

impl ModelList {
    /// Whether the model is in the list.
    pub fn contains(&self, model: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.iter().any(|name| name.eq_ignore_ascii_case(model)),
        }
    }

    /// Whether no model is in the list.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Only(names) if names.is_empty())
    }
}

/// The wildcard of lists.
const ALL: &str = "*";

/// Reads a list and reports names that stand twice or beside the wildcard.
pub(crate) fn read(view: &View<'_>, list: &str, context: &mut Context<'_>) -> ModelList {
    let names: Vec<_> = view.texts(list).iter().map(|name| name.to_ascii_lowercase()).collect();
    let has_all = names.iter().any(|name| name == ALL);
    if has_all && names.len() > 1 {
        context.problem(view.at(list), "`*` stands for every model and must stand alone");
    }
    let mut seen = HashSet::new();
    for (position, name) in names.iter().enumerate() {
        let spot = || view.at_element(list, position);
        if name.is_empty() {
            context.problem(spot(), "must not be empty");
        } else if !seen.insert(name) && name != ALL {
            context.problem(spot(), format!("{name:?} stands in this list twice"));
        }
    }
    if has_all { ModelList::All } else { ModelList::Only(names) }
}
