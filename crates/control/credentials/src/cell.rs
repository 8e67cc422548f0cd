//! The latest credentials of one login, as the data plane signs with them.

use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use snapshot::{Login, Sign, Unsigned};

use crate::grant::{Grant, Proof};
use crate::sigv4;

/// One login. It is written by its renewal and read by every worker.
#[derive(Debug)]
pub(crate) struct Cell {
    pub(crate) login: Login,
    state: ArcSwap<State>,
    wall: fn() -> SystemTime,
}

/// What is known now.
#[derive(Clone, Debug, Default)]
struct State {
    grant: Option<Arc<Grant>>,
    /// Why the last attempt failed, where it did.
    failure: Option<String>,
}

impl Cell {
    pub(crate) fn new(login: Login, wall: fn() -> SystemTime) -> Self {
        Self { login, state: ArcSwap::default(), wall }
    }

    /// Takes new credentials.
    pub(crate) fn renew(&self, grant: Grant) {
        self.state.store(Arc::new(State { grant: Some(Arc::new(grant)), failure: None }));
    }

    /// Notes why there are no new ones; the old ones stay good as long as they last.
    pub(crate) fn fail(&self, why: String) {
        let grant = self.state.load().grant.clone();
        self.state.store(Arc::new(State { grant, failure: Some(why) }));
    }
}

impl Sign for Cell {
    fn sign(&self, request: &Unsigned<'_>, lines: &mut Vec<u8>) -> Result<(), String> {
        let state = self.state.load();
        match (&state.grant, &state.failure) {
            (Some(grant), _) if !grant.has_ended() => match &grant.proof {
                Proof::Line(line) => {
                    lines.extend_from_slice(line.expose().as_bytes());
                    Ok(())
                }
                Proof::Aws(credentials) => {
                    let Login::Aws(login) = &self.login else {
                        return Err("they belong to another kind of login".to_owned());
                    };
                    let scope = sigv4::Scope { service: login.service, region: &login.region };
                    sigv4::sign(request, credentials, scope, (self.wall)(), lines)
                }
            },
            (_, Some(why)) => Err(why.clone()),
            (Some(_), None) => Err("they ended and are being renewed".to_owned()),
            (None, None) => Err("they are still being fetched".to_owned()),
        }
    }

    fn covers_body(&self) -> bool {
        matches!(self.login, Login::Aws(_))
    }
}
