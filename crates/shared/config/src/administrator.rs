//! Section `auth_config`: who may administer, once that is switched on.

use crate::file::GOVERNANCE;
use crate::member::{Member, Object, Shape, member, switch};
use crate::secret::Secret;
use crate::view::{Context, View};

/// Who may use the management API and read the metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Administrator {
    /// Name; empty where none is given.
    pub username: String,
    /// Password, in clear or as a bcrypt hash (`$2…`); empty where none is given.
    pub password: Secret,
}

impl Administrator {
    /// Whether anyone can be it. Where its variables are not set nobody can: administration stays
    /// closed rather than open.
    pub fn is_complete(&self) -> bool {
        !self.username.is_empty() && !self.password.is_empty()
    }
}

/// The section, at the top of the file and (its older place) in `governance`.
pub(crate) const AUTH_CONFIG: Object =
    Object::closed("Administrator of the management API and the metrics.", MEMBERS);

const MEMBERS: &[Member] = &[
    switch("is_enabled", "Administration needs name and password."),
    member("admin_username", Shape::Reference, "Name of the administrator."),
    member("admin_password", Shape::Secret, "Password, in clear or as a bcrypt hash (`$2…`)."),
    switch("disable_auth_on_inference", "Inference needs no login.")
        .never("inference never needs a login: see `client.enforce_auth_on_inference`"),
];

/// The administrator, where one is switched on. The section at the top counts where both are given.
pub(crate) fn read(root: &View<'_>, context: &mut Context<'_>) -> Option<Administrator> {
    let top = root.object("auth_config", &AUTH_CONFIG);
    let older = root.object("governance", &GOVERNANCE).object("auth_config", &AUTH_CONFIG);
    if top.is_present() && older.is_present() {
        context.warn(older.here(), "`auth_config` at the top of the file counts instead");
    }
    read_section(if top.is_present() { &top } else { &older }, context)
}

fn read_section(view: &View<'_>, context: &mut Context<'_>) -> Option<Administrator> {
    if !view.boolean("is_enabled") {
        return None;
    }
    let administrator = Administrator {
        username: view.reference("admin_username", context).unwrap_or_default(),
        password: view.secret("admin_password", context).unwrap_or_default(),
    };
    if !administrator.is_complete() {
        context.warn(view.here(), "it has no name or no password, so nobody can administer");
    }
    Some(administrator)
}
