//! Sessions over WebSockets, and the HTTP calls that belong to them.
//!
//! A realtime session is a handshake with a provider in place of a request, made with the gateway's own
//! key, and then a tunnel: frames go both ways untouched, and what a session used is read on the way.

mod calls;
mod channel;
mod errand;
mod handshake;
mod native;
mod query;
mod realtime;
mod responses;
mod routes;
mod session_model;
mod turn;
mod watch;

use std::rc::Rc;

use net::Buffer;
use snapshot::Snapshot;

use crate::error_body;
use crate::pipeline::{Next, Session, send_error};
use crate::reject::{Kind, Reject};
use crate::reply_head::ReplyContext;
use crate::stages::record::{self, Account, Outline};
use crate::worker::{Active, Worker};

use routes::{Asks, Route};
pub(crate) use routes::{find, served};

/// One session or call from its request to its event.
pub(crate) struct Visit<'v> {
    worker: &'v Worker,
    snapshot: &'v Snapshot,
    session: &'v mut Session,
    route: &'static Route,
    context: ReplyContext,
    outline: Outline,
    account: Account,
    /// The request was read to its end.
    is_read: bool,
}

/// Serves what [`find`] has found.
pub(crate) async fn serve(
    worker: &Rc<Worker>,
    session: &mut Session,
    snapshot: &Snapshot,
    context: ReplyContext,
    route: &'static Route,
    active: &Active,
) -> Next {
    let outline = Outline {
        method: route.method,
        route: route.path,
        status: 200,
        request_bytes: 0,
        response_bytes: 0,
        began: active.began(),
    };
    let account = Account::new(route.asks.operation());
    let mut visit =
        Visit { worker, snapshot, session, route, context, outline, account, is_read: false };
    let served = match route.asks {
        Asks::Realtime => realtime::serve(&mut visit).await,
        // What is behind a connection of the gateway to itself is the provider's own.
        Asks::Responses if visit.session.is_inner => realtime::serve(&mut visit).await,
        Asks::Responses => responses::serve(worker, &mut visit).await,
        Asks::Call => calls::serve(&mut visit).await,
    };
    let next = match served {
        Ok(next) => next,
        Err(reject) => refuse(&mut visit, &reject).await,
    };
    worker.record(record::event(visit.outline, Some(&mut visit.account)));
    next
}

/// Tells the caller why there is no session.
async fn refuse(visit: &mut Visit<'_>, reject: &Reject) -> Next {
    visit.outline.status = reject.status;
    visit.account.error_type = Some(reject.kind.label(reject.status));
    if reject.kind == Kind::Cancelled {
        return Next::Abort;
    }
    let family = visit.route.family;
    let mut body = Buffer::new();
    error_body::write(family, reject, visit.account.routed().as_ref(), &mut body);
    visit.outline.response_bytes = body.len() as u64;
    visit.context.keeps_alive &= visit.is_read;
    let lines = error_body::header_lines(family, reject);
    let (context, is_read) = (&visit.context, visit.is_read);
    send_error(visit.session, context, reject, &body, lines.as_bytes(), is_read).await
}
