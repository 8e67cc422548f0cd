//! Putting the parts of a streamed answer one behind the other, for dialects whose parts may not overlap.
//!
//! Other dialects let parts grow side by side. So a tool call whose arguments are not complete keeps what follows
//! waiting: it is held, within a limit, and handed on when the call is done. A call with free text is handed on as one
//! whose arguments are an object with the text as its member `arguments`.

use crate::canonical::Delta;
use crate::error::{Error, What};
use crate::json::write_str;

/// Most deltas that wait for a part to be done.
const HELD_MAX: usize = 16_384;

/// Takes deltas in the order they come and hands them on in one in which every part is whole.
#[derive(Debug, Default)]
pub(crate) struct InOrder {
    /// The tool call that is being handed on.
    open: Option<(u32, Call)>,
    held: Vec<Delta<'static>>,
}

/// How far a tool call is.
#[derive(Debug)]
enum Call {
    Json(Balance),
    /// Free text, whose end only the end of the part can tell.
    Text,
}

/// Takes what is handed on.
type Place<'p> = &'p mut dyn FnMut(&Delta<'_>);

impl InOrder {
    /// Hands a delta on, or holds it while another part is not complete.
    pub(crate) fn take(&mut self, delta: Delta<'_>, place: Place<'_>) -> Result<(), Error> {
        if self.must_wait(&delta) {
            if self.held.len() >= HELD_MAX {
                return Err(Error::at("choices[].delta", What::Invalid("interleaves too much")));
            }
            self.held.push(delta.into_owned());
            return Ok(());
        }
        self.place(&delta, place);
        if !self.held.is_empty() && self.is_complete() {
            self.release(place);
        }
        Ok(())
    }

    /// Hands on all that is held: nothing follows.
    pub(crate) fn finish(&mut self, place: Place<'_>) {
        self.close(place);
        while !self.held.is_empty() {
            self.release(place);
            self.close(place);
        }
    }

    /// Hands on what was held, as far as it need not wait again.
    fn release(&mut self, place: Place<'_>) {
        for delta in std::mem::take(&mut self.held) {
            if self.must_wait(&delta) {
                self.held.push(delta);
            } else {
                self.place(&delta, place);
            }
        }
    }

    fn place(&mut self, delta: &Delta<'_>, place: Place<'_>) {
        match delta {
            Delta::ToolCall { slot, .. } => {
                self.close(place);
                self.open = Some((*slot, Call::Json(Balance::default())));
            }
            Delta::CustomCall { slot, id, name } => {
                self.close(place);
                self.open = Some((*slot, Call::Text));
                place(&Delta::ToolCall { slot: *slot, id: id.clone(), name: name.clone() });
                return place(&arguments(*slot, TEXT_START));
            }
            Delta::Arguments { slot, fragment } => match &mut self.open {
                Some((open, Call::Json(arguments))) if open == slot => {
                    arguments.feed(&fragment.plain());
                }
                Some((open, Call::Text)) if open == slot => {
                    let mut escaped = Vec::new();
                    write_str(&fragment.plain(), &mut escaped);
                    return place(&arguments(*slot, &String::from_utf8_lossy(&escaped)));
                }
                // Behind complete arguments nothing but white space can come.
                _ => return,
            },
            Delta::Text(_)
            | Delta::Refusal(_)
            | Delta::Reasoning { .. }
            | Delta::Citation(_)
            | Delta::Image { .. }
            | Delta::Audio { .. }
            | Delta::ServerCall(_)
            | Delta::ServerResult(_)
            | Delta::PartEnd => self.close(place),
        }
        place(delta);
    }

    /// Nothing more belongs to the call that is being handed on.
    fn close(&mut self, place: Place<'_>) {
        if let Some((slot, Call::Text)) = self.open.take() {
            place(&arguments(slot, TEXT_END));
        }
    }

    /// Only the arguments of a tool call can be incomplete, and only its own arguments go ahead then.
    fn must_wait(&self, delta: &Delta<'_>) -> bool {
        match (&self.open, delta) {
            (Some((open, _)), Delta::Arguments { slot, .. }) if open == slot => false,
            (Some(_), Delta::PartEnd) => false,
            _ => !self.is_complete() || self.waits_for_own_start(delta),
        }
    }

    /// Whether the call a fragment belongs to is itself held.
    fn waits_for_own_start(&self, delta: &Delta<'_>) -> bool {
        let Delta::Arguments { slot, .. } = delta else { return false };
        self.held.iter().any(|held| {
            matches!(held, Delta::ToolCall { slot: begun, .. } | Delta::CustomCall { slot: begun, .. }
                if begun == slot)
        })
    }

    fn is_complete(&self) -> bool {
        self.open.as_ref().is_none_or(|(_, call)| match call {
            Call::Json(arguments) => arguments.is_complete(),
            Call::Text => false,
        })
    }
}

/// What stands before and behind the text of a call that takes free text.
const TEXT_START: &str = "{\"arguments\":\"";
const TEXT_END: &str = "\"}";

fn arguments(slot: u32, fragment: &str) -> Delta<'_> {
    Delta::Arguments { slot, fragment: fragment.into() }
}

/// Follows JSON text that comes in fragments, as far as it takes to know whether it is complete.
#[derive(Debug, Default)]
struct Balance {
    depth: u32,
    has_begun: bool,
    is_in_string: bool,
    is_escaped: bool,
}

impl Balance {
    fn feed(&mut self, fragment: &str) {
        for byte in fragment.bytes() {
            self.feed_byte(byte);
        }
    }

    fn feed_byte(&mut self, byte: u8) {
        self.has_begun |= !byte.is_ascii_whitespace();
        match byte {
            _ if self.is_escaped => self.is_escaped = false,
            b'\\' if self.is_in_string => self.is_escaped = true,
            b'"' => self.is_in_string = !self.is_in_string,
            b'{' | b'[' if !self.is_in_string => self.depth = self.depth.saturating_add(1),
            b'}' | b']' if !self.is_in_string => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }

    fn is_complete(&self) -> bool {
        self.has_begun && self.depth == 0 && !self.is_in_string
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Text;

    /// What is handed on of these deltas, as words.
    fn placed(deltas: Vec<Delta<'_>>) -> String {
        let mut words = Vec::new();
        let mut place = |delta: &Delta<'_>| {
            words.push(match delta {
                Delta::Text(text) => text.plain().into_owned(),
                Delta::ToolCall { slot, .. } => format!("call{slot}"),
                Delta::Arguments { slot, fragment } => format!("{slot}:{}", fragment.plain()),
                Delta::PartEnd => "end".to_owned(),
                other => format!("{other:?}"),
            });
        };
        let mut order = InOrder::default();
        for delta in deltas {
            order.take(delta, &mut place).expect("few deltas");
        }
        order.finish(&mut place);
        words.join(" ")
    }

    fn call(slot: u32) -> Delta<'static> {
        Delta::ToolCall { slot, id: Text::default(), name: Text::default() }
    }

    #[test]
    fn calls_that_grow_side_by_side_come_one_after_the_other() {
        let deltas = vec![
            call(0),
            call(1),
            arguments(0, "{\"a\":\"}"),
            arguments(1, "{"),
            Delta::Text("said".into()),
            arguments(0, "\"}"),
            arguments(1, "}"),
        ];
        assert_eq!(placed(deltas), "call0 0:{\"a\":\"} 0:\"} call1 1:{ 1:} said");
    }

    #[test]
    fn free_text_becomes_one_argument() {
        let custom = Delta::CustomCall { slot: 1, id: Text::default(), name: Text::default() };
        let deltas = vec![
            call(0),
            custom,
            arguments(1, "say \"a\""),
            arguments(0, "{}"),
            arguments(1, "\n"),
            Delta::PartEnd,
        ];
        let expected = r#"call0 0:{} call1 1:{"arguments":" 1:say \"a\" 1:\n 1:"} end"#;
        assert_eq!(placed(deltas), expected);
    }

    #[test]
    fn what_never_gets_complete_comes_at_the_end() {
        let deltas = vec![call(0), call(1), arguments(1, "{}"), Delta::Text("said".into())];
        assert_eq!(placed(deltas), "call0 call1 1:{} said");
    }

    #[test]
    fn a_part_that_is_over_keeps_nothing_waiting() {
        let deltas = vec![call(0), arguments(0, "{"), Delta::PartEnd, Delta::Text("said".into())];
        assert_eq!(placed(deltas), "call0 0:{ end said");
    }

    #[test]
    fn what_waits_has_a_limit() {
        let mut order = InOrder::default();
        order.take(call(0), &mut |_| {}).expect("the first");
        let held = (0..=HELD_MAX).map(|_| order.take(Delta::Text("x".into()), &mut |_| {}));
        let refused: Vec<bool> = held.map(|taken| taken.is_err()).collect();
        assert_eq!(refused.iter().position(|refused| *refused), Some(HELD_MAX));
    }
}
