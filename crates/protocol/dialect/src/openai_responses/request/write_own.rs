//! Writing a request that was read in this dialect: as it was spelt, but for the names and limits of the target.

use super::write::{OUTPUT_TOKENS_MIN, USER_CHARACTERS_MAX};
use crate::canonical::Request;
use crate::effort;
use crate::error::Error;
use crate::json::{Array, Object, Raw};
use crate::options::{Notes, RequestOptions};

/// Writes the members of the body behind `model`.
pub(super) fn write_own(
    request: &Request<'_>,
    root: Raw<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    body: &mut Object<'_>,
) -> Result<(), Error> {
    let keeps_breakpoints = options.openai.cache_control;
    let is_extra = |name: &str| request.extra.iter().any(|(extra, _)| extra == name);
    for (name, value) in root.members().filter(|(_, value)| !value.is_null()) {
        match &*name {
            "model" | "fallbacks" | "stream" | "extra_params" => {}
            name if is_extra(name) => {}
            "input" | "tools" if !keeps_breakpoints && value.is_array() => {
                write_without_breakpoints(value, body.array(&name));
            }
            "cache_control" if !keeps_breakpoints => {}
            "max_output_tokens" => {
                let limit = request.output_tokens_max.unwrap_or_default();
                body.u64(&name, limit.max(OUTPUT_TOKENS_MIN));
            }
            "user" if is_too_long(request) => notes.drop("user"),
            "reasoning" => write_reasoning(request, value, options, body),
            name => body.raw(name, value),
        }
    }
    request.extra.iter().for_each(|(name, value)| body.raw(name, *value));
    Ok(())
}

fn is_too_long(request: &Request<'_>) -> bool {
    let user = request.user.as_ref();
    user.is_some_and(|user| user.character_count() > USER_CHARACTERS_MAX)
}

/// `reasoning` without a budget, which is the gateway's; it becomes an effort where none is named.
fn write_reasoning(
    request: &Request<'_>,
    reasoning: Raw<'_>,
    options: &RequestOptions<'_>,
    body: &mut Object<'_>,
) {
    let mut object = body.object("reasoning");
    for (name, value) in reasoning.members().filter(|(name, _)| name != "max_tokens") {
        if name != "effort" || !value.is_null() {
            object.raw(&name, value);
        }
    }
    let Some(ask) = request.reasoning.as_ref().filter(|ask| ask.effort.is_none()) else { return };
    let limit = request.output_tokens_max.unwrap_or(u64::from(options.max_tokens_default));
    object.text_if("effort", effort::openai_effort(ask, limit).as_ref());
}

/// Writes items or tools without the breakpoints of other vendors' prompt caches, which OpenAI refuses.
fn write_without_breakpoints(list: Raw<'_>, mut array: Array<'_>) {
    for element in list.elements() {
        if !element.is_object() || !has_breakpoint(element) {
            array.raw(element);
            continue;
        }
        let mut object = array.object();
        for (name, value) in element.members().filter(|(name, _)| name != "cache_control") {
            match &*name {
                "content" | "output" if value.is_array() => {
                    write_without_breakpoints(value, object.array(&name));
                }
                name => object.raw(name, value),
            }
        }
    }
}

/// Whether an object has a breakpoint itself, or in one of its parts.
fn has_breakpoint(object: Raw<'_>) -> bool {
    object.members().any(|(name, value)| match &*name {
        "cache_control" => true,
        "content" | "output" => value.elements().any(has_breakpoint),
        _ => false,
    })
}
