//! Documents that stay in their dialect: every member as it came, but the model's name, and a trailer behind.

use crate::Dialect;
use crate::json::{Object, Raw};
use crate::options::ReplyOptions;

/// Copies a reply.
pub(crate) fn reply(
    dialect: Dialect,
    root: Raw<'_>,
    options: &ReplyOptions<'_>,
    out: &mut Vec<u8>,
) {
    let mut object = Object::new(out);
    copy_members(root, options.model, &mut object);
    if dialect == Dialect::OpenAiChat {
        object.members(options.trailer);
    }
}

/// Copies the data of a stream event, on one line.
pub(crate) fn event(
    dialect: Dialect,
    root: Raw<'_>,
    model: Option<&str>,
    trailer: &mut dyn FnMut(&mut Vec<u8>),
    out: &mut Vec<u8>,
) {
    let start = out.len();
    let mut object = Object::new(out);
    match dialect {
        Dialect::OpenAiChat => {
            copy_members(root, model, &mut object);
            let mut members = Vec::new();
            trailer(&mut members);
            object.members(&members);
        }
        Dialect::AnthropicMessages => {
            for (name, value) in root.members() {
                if name == "message" && value.is_object() {
                    copy_members(value, model, &mut object.object("message"));
                } else {
                    object.raw(&name, value);
                }
            }
        }
    }
    drop(object);
    // Line breaks can only stand between values, where a space does as well.
    for byte in out.iter_mut().skip(start).filter(|byte| matches!(byte, b'\n' | b'\r')) {
        *byte = b' ';
    }
}

fn copy_members(from: Raw<'_>, model: Option<&str>, object: &mut Object<'_>) {
    for (name, value) in from.members() {
        match model {
            Some(model) if name == "model" => object.str("model", model),
            _ => object.raw(&name, value),
        }
    }
}
