//! Responses over a WebSocket: each message asks for a response, whose events come back as messages, one
//! response after the other: by the provider's own WebSocket where it has one, else by a request.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use dialect::Operation;
use net::{Alarm, Buffer, Connection, Tick, now};
use sonic_rs::JsonValueTrait;
use tungstenite::Utf8Bytes;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{Message, Role};
use wire::{BodyLength, RequestHead};

use super::Visit;
use super::channel::{Channel, Over};
use super::handshake::Handshake;
use super::native::{Native, is_last};
use super::realtime::take_seat;
use super::routes::Route;
use super::turn::{End, Turn, event_of};
use crate::caller::{CallerHeaders, identify, require_headers};
use crate::pipeline::{Next, Session};
use crate::reject::{Kind, Reject};
use crate::stages::choose::{self, Bare};
use crate::stages::peek::peek;
use crate::stages::{read, relay};
use crate::worker::Worker;

/// Largest message of a caller.
const MESSAGE_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Messages that wait for the response before them; the next ones stay on the connection.
const WAITING_MAX: usize = 4;

/// Serves a session to its end.
pub(super) async fn serve(worker: &Rc<Worker>, visit: &mut Visit<'_>) -> Result<Next, Reject> {
    let snapshot = visit.snapshot;
    let session = &mut *visit.session;
    if !matches!(session.head.body(), BodyLength::None) {
        return Err(Reject::new(Kind::Malformed, "a WebSocket handshake has no body"));
    }
    let settings = &snapshot.client;
    let request = read::body(&mut session.client, &session.head, settings, 0, false).await?;
    visit.is_read = true;
    let bytes = request.bytes.as_slice();
    let handshake = Handshake::read(&session.head, bytes)?;
    if let Some(key) = handshake.api_key() {
        session.headers.offer_key(key, bytes);
    }
    require_headers(snapshot, &session.head, bytes)?;
    identify(snapshot, &session.headers, bytes)?;
    let _seat = take_seat(visit, bytes)?;
    let mut out = Buffer::new();
    handshake.write_answer(None, &mut out);
    out.extend_from_slice(b"\r\n");
    visit.outline.status = 101;
    let Session { client, head, headers, .. } = &mut *visit.session;
    relay::write(client, out, visit.context.send_timeout).await.map_err(|_| read::gone())?;
    client.set_deadline(None);
    let message_max = MESSAGE_BYTES_MAX.min(settings.body_bytes_max) as usize;
    let mut conversation = Conversation {
        worker,
        head,
        bytes,
        key: handshake.api_key(),
        channel: Channel::new(client, Role::Server, message_max, visit.context.send_timeout),
        waiting: VecDeque::new(),
        turn: None,
        native: None,
        refused: None,
        route: visit.route,
        headers,
        is_over: false,
        active: now(),
        ends_at: now() + settings.websocket.lifetime_max,
        alarm: Alarm::default(),
    };
    let idle_max = settings.websocket.idle_timeout;
    poll_fn(|context| conversation.poll(idle_max, context)).await;
    // What a caller still sends is left unread, and must not cut off what it is told.
    Ok(Next::CloseUnread)
}

/// A response under way.
enum Under {
    /// As a request.
    Request(Box<Turn>),
    /// By the provider's own connection, once it is open: what is still to be asked there.
    Native(Option<Utf8Bytes>),
}

/// A session under way.
struct Conversation<'c> {
    worker: &'c Rc<Worker>,
    /// The handshake's head, and where it stands.
    head: &'c RequestHead,
    bytes: &'c [u8],
    /// The caller's key where it came as a protocol.
    key: Option<&'c str>,
    channel: Channel<&'c mut Connection>,
    waiting: VecDeque<Message>,
    turn: Option<Under>,
    /// The last provider's own connection, which remembers responses.
    native: Option<Native>,
    /// The model whose provider has refused one.
    refused: Option<String>,
    route: &'static Route,
    headers: &'c CallerHeaders,
    /// Nothing but what is queued will be sent.
    is_over: bool,
    /// When something was said last.
    active: Tick,
    ends_at: Tick,
    alarm: Alarm,
}

impl Conversation<'_> {
    /// Ready when the session has ended.
    fn poll(&mut self, idle_max: Duration, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let is_sent = match self.channel.poll_flush(context) {
                Poll::Ready(Ok(())) if self.is_over => return Poll::Ready(()),
                Poll::Ready(Ok(())) => true,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => false,
            };
            if self.is_over {
                return Poll::Pending;
            }
            if self.hear(context) || self.begin() || is_sent && self.go_on(context) {
                self.active = now();
                continue;
            }
            if is_sent && self.channel.has_more() {
                // An answer of the protocol itself.
                continue;
            }
            // A model may think for longer than a caller may be silent.
            let idle = self.active + if self.turn.is_none() { idle_max } else { Duration::MAX };
            let end = idle.min(self.ends_at);
            if self.alarm.poll(end, context).is_pending() {
                return Poll::Pending;
            }
            if end <= now() {
                self.end(CloseCode::Normal, "the session has lasted long enough");
            }
        }
    }

    /// Takes what the caller says; whether it said something.
    fn hear(&mut self, context: &Context<'_>) -> bool {
        if self.waiting.len() >= WAITING_MAX {
            return false;
        }
        match self.channel.poll_message(context) {
            Poll::Ready(Ok(message)) => self.take(message),
            Poll::Ready(Err(Over::Closed | Over::Gone | Over::Broken)) => {
                // Dropping them ends the work for a response that nobody will read.
                (self.turn, self.native, self.is_over) = (None, None, true);
            }
            Poll::Pending => return false,
        }
        true
    }

    /// A message that is about the response under way goes to the provider at once; the others wait for
    /// its end.
    fn take(&mut self, message: Message) {
        if let (Message::Text(text), Some(native)) = (&message, &mut self.native)
            && !is_create(text)
            && native.pass(text)
        {
            return;
        }
        self.waiting.push_back(message);
    }

    /// Begins the next response if none is under way; whether one did, or failed to.
    fn begin(&mut self) -> bool {
        if self.turn.is_some() {
            return false;
        }
        match self.waiting.pop_front() {
            Some(Message::Text(text)) => match self.find_native(&text) {
                Some(native) => {
                    (self.native, self.turn) = (Some(native), Some(Under::Native(Some(text))))
                }
                None => self.request(&text),
            },
            Some(_) => {
                let reject = Reject::new(Kind::Malformed, "messages have to be texts");
                self.channel.send(&event_of(&reject));
            }
            None => return false,
        }
        true
    }

    /// Begins a response as a request.
    fn request(&mut self, message: &str) {
        match Turn::begin(self.worker, self.head, self.bytes, self.key, message.as_bytes()) {
            Ok(turn) => self.turn = Some(Under::Request(Box::new(turn))),
            Err(reject) => {
                self.turn = None;
                self.channel.send(&event_of(&reject));
            }
        }
    }

    /// The connection for what `message` asks for, where the provider has any.
    fn find_native(&mut self, message: &str) -> Option<Native> {
        let mut members = Vec::new();
        let ask = peek(message.as_bytes(), &mut members).ok().filter(|_| is_create(message))?;
        let model = &*ask.model;
        if self.refused.as_deref() == Some(model) {
            return None;
        }
        let snapshot = self.worker.snapshot();
        let bare = Bare { family: self.route.family, headers: self.headers, bytes: self.bytes };
        let operation = Operation::WebsocketResponses;
        let targets = choose::targets(&snapshot, bare, model, &[], operation).ok()?;
        let upstream = targets.primary.upstream.ok()?;
        upstream.service(operation, &targets.primary.model)?;
        let known = self.native.take().filter(|native| native.model == model);
        known.or_else(|| Native::begin(self.worker, self.head, self.bytes, self.key, model).ok())
    }

    /// Passes events on; whether there were any, or a response ended.
    fn go_on(&mut self, context: &Context<'_>) -> bool {
        match &mut self.turn {
            Some(Under::Request(turn)) => {
                let mut has_news = false;
                let channel = &mut self.channel;
                let polled = turn.poll(context, &mut |event| {
                    has_news = true;
                    channel.send(event);
                });
                match polled {
                    Poll::Ready(End::Refused(event)) => self.channel.send(&event),
                    Poll::Ready(End::Done) => {}
                    Poll::Pending => return has_news,
                }
                self.turn = None;
                true
            }
            Some(Under::Native(message)) => match message.take() {
                Some(message) => self.ask_native(message, context),
                None => self.hear_native(context),
            },
            None => self.native.is_some() && self.hear_native(context),
        }
    }

    /// Sends `message` once the connection is open; where there will be none it becomes a request.
    fn ask_native(&mut self, message: Utf8Bytes, context: &Context<'_>) -> bool {
        let Some(native) = &mut self.native else { return false };
        match native.poll_open(context) {
            Poll::Pending => {
                self.turn = Some(Under::Native(Some(message)));
                return false;
            }
            Poll::Ready(true) => {
                if let Err(reject) = native.create(&message) {
                    self.turn = None;
                    self.channel.send(&event_of(&reject));
                }
            }
            Poll::Ready(false) => {
                self.refused = self.native.take().map(|native| native.model);
                self.request(&message);
            }
        }
        true
    }

    fn hear_native(&mut self, context: &Context<'_>) -> bool {
        let Some(native) = &mut self.native else { return false };
        match native.poll_event(context) {
            Poll::Ready(Ok(Message::Text(event))) => {
                self.channel.send(&event);
                if is_last(&event) {
                    self.turn = None;
                }
            }
            Poll::Ready(Ok(_)) => {}
            Poll::Ready(Err(_)) => {
                self.native = None;
                if self.turn.take().is_some() {
                    let message = "the provider ended the connection";
                    self.channel.send(&event_of(&Reject::new(Kind::ConnectionFailed, message)));
                }
            }
            Poll::Pending => return false,
        }
        true
    }

    fn end(&mut self, code: CloseCode, reason: &'static str) {
        self.channel.close(code, reason);
        (self.turn, self.native, self.is_over) = (None, None, true);
    }
}

fn is_create(message: &str) -> bool {
    let kind = sonic_rs::get(message, ["type"]);
    kind.is_ok_and(|kind| kind.as_str() == Some("response.create"))
}
