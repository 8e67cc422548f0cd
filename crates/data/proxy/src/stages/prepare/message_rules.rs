//! What a provider wants changed in the messages of a chat, turned into edits.

use std::ops::Range;
use std::sync::LazyLock;

use dialect::Members;
use memchr::memmem::Finder;
use provider::MessageRules;
use sonic_rs::to_array_iter;

use crate::stages::splice::Edits;

/// Stands in every message that is about a tool. Made once: looking for it is most of what these rules cost.
static TOOL_MARKER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"tool_call"));

/// Characters of an id that is made.
const ID_ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Notes the edits that `rules` ask for in `messages`, a slice of `body`.
pub(super) fn apply(rules: &MessageRules, body: &[u8], messages: &[u8], edits: &mut Edits) {
    let renames =
        rules.rename.filter(|(from, _)| memchr::memmem::find(messages, from.as_bytes()).is_some());
    let names_tools = rules.tool_id_characters.filter(|_| TOOL_MARKER.find(messages).is_some());
    if renames.is_none() && names_tools.is_none() || !messages.starts_with(b"[") {
        return;
    }
    for message in to_array_iter(messages).filter_map(Result::ok) {
        let members = members(body, message.as_raw_str().as_bytes());
        if let Some((from, to)) = renames {
            rename(&members, from, to, edits);
        }
        if let Some(characters) = names_tools {
            name_tools(body, &members, characters, edits);
        }
    }
}

/// A member of an object, by its places in the body.
struct Member<'b> {
    key: &'b [u8],
    key_at: Range<usize>,
    value: &'b [u8],
    value_at: Range<usize>,
}

/// The members of `object`, a slice of `body`; none of what is no object.
fn members<'b>(body: &'b [u8], object: &'b [u8]) -> Vec<Member<'b>> {
    let start = (object.as_ptr() as usize).wrapping_sub(body.as_ptr() as usize);
    let moved = |range: &Range<usize>| start + range.start..start + range.end;
    let mut found = Members::of(object);
    let mut members = Vec::new();
    while let Ok(Some(member)) = found.next_member() {
        members.push(Member {
            key: object.get(member.key.clone()).unwrap_or_default(),
            key_at: moved(&member.key),
            value: object.get(member.value.clone()).unwrap_or_default(),
            value_at: moved(&member.value),
        });
    }
    members
}

fn rename(members: &[Member<'_>], from: &str, to: &'static str, edits: &mut Edits) {
    let find = |name: &str| members.iter().find(|member| member.key == name.as_bytes());
    if let (Some(member), None) = (find(from), find(to)) {
        edits.replace(member.key_at.clone(), to);
    }
}

fn name_tools(body: &[u8], members: &[Member<'_>], characters: usize, edits: &mut Edits) {
    for member in members {
        match member.key {
            b"tool_call_id" => name_tool(member, characters, edits),
            b"tool_calls" if member.value.starts_with(b"[") => {
                for call in to_array_iter(member.value).filter_map(Result::ok) {
                    let call = self::members(body, call.as_raw_str().as_bytes());
                    let id = call.iter().find(|member| member.key == b"id");
                    id.into_iter().for_each(|id| name_tool(id, characters, edits));
                }
            }
            _ => {}
        }
    }
}

fn name_tool(id: &Member<'_>, characters: usize, edits: &mut Edits) {
    let Ok(plain) = sonic_rs::from_slice::<String>(id.value) else { return };
    let is_taken = plain.len() == characters && plain.bytes().all(|it| it.is_ascii_alphanumeric());
    if !is_taken {
        edits.replace_string(id.value_at.clone(), &made(&plain, characters));
    }
}

/// An id of so many letters and digits: always the same for the same id.
fn made(id: &str, characters: usize) -> String {
    // FNV-1a: short texts to far-apart numbers, the same in every process.
    let mut number = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let count = ID_ALPHABET.len() as u64;
    let digits = (0..characters).map(|_| {
        let digit = ID_ALPHABET[(number % count) as usize];
        number /= count;
        char::from(digit)
    });
    digits.collect()
}
