//! The `usage` object: what is billed, and how many tokens the model saw. The latter is what others report.

use crate::canonical::Usage;
use crate::json::{Cursor, Object};

/// Takes over what a `usage` object reports. `None`: it is no object, or broken, and what was read does not count.
pub(crate) fn read_usage(usage: &mut Cursor<'_>, into: &mut Usage) -> Option<()> {
    let (mut billed, mut is_empty) = (Usage::default(), true);
    usage.object(|name, value| {
        is_empty = false;
        match name {
            b"tokens" => read_tokens(value, into)?,
            b"billed_units" => read_tokens(value, &mut billed)?,
            b"cached_tokens" => Usage::set(&mut into.cached_read, value.count()?),
            _ => drop(value.value()?),
        }
        Some(())
    })?;
    if is_empty {
        return Some(());
    }
    if into.input == 0 && into.output == 0 {
        (into.input, into.output) = (billed.input, billed.output);
    }
    into.reported = true;
    into.total = into.input.saturating_add(into.output);
    Some(())
}

fn read_tokens(tokens: &mut Cursor<'_>, into: &mut Usage) -> Option<()> {
    tokens.object_or_skip(|name, value| {
        match name {
            b"input_tokens" => Usage::set(&mut into.input, value.count()?),
            b"output_tokens" => Usage::set(&mut into.output, value.count()?),
            b"reasoning_tokens" => Usage::set(&mut into.reasoning, value.count()?),
            b"image_tokens" => Usage::set(&mut into.image_input, value.count()?),
            _ => drop(value.value()?),
        }
        Some(())
    })
}

/// Writes the members of a `usage` object. Other vendors bill every token.
pub(super) fn write_usage(usage: &Usage, object: &mut Object<'_>) {
    let mut billed = object.object("billed_units");
    billed.u64("input_tokens", usage.input);
    billed.u64("output_tokens", usage.output);
    drop(billed);
    let mut tokens = object.object("tokens");
    tokens.u64("input_tokens", usage.input);
    tokens.u64("output_tokens", usage.output);
    if usage.reasoning > 0 {
        tokens.u64("reasoning_tokens", usage.reasoning);
    }
    if usage.image_input > 0 {
        tokens.u64("image_tokens", usage.image_input);
    }
    drop(tokens);
    object.u64("cached_tokens", usage.cached_read);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Usage {
        let mut usage = Usage::default();
        read_usage(&mut Cursor::new(json.as_bytes()), &mut usage).unwrap();
        usage
    }

    #[test]
    fn tokens_count_and_not_what_is_billed() {
        let usage = read(
            r#"{"billed_units":{"input_tokens":8,"output_tokens":50},"tokens":{"input_tokens":1394,
                "output_tokens":55,"reasoning_tokens":38},"cached_tokens":1360}"#,
        );
        assert_eq!((usage.input, usage.output, usage.total), (1394, 55, 1449));
        assert_eq!((usage.cached_read, usage.reasoning), (1360, 38));
    }

    #[test]
    fn billed_units_count_where_nothing_else_is_said() {
        let usage = read(r#"{"billed_units":{"input_tokens":8.0,"output_tokens":50}}"#);
        assert_eq!((usage.reported, usage.input, usage.output), (true, 8, 50));
        assert!(!read("{}").reported);
    }

    #[test]
    fn what_is_written_reads_back() {
        let usage = Usage {
            reported: true,
            input: 100,
            output: 20,
            total: 120,
            cached_read: 30,
            reasoning: 7,
            image_input: 3,
            ..Usage::default()
        };
        let mut out = Vec::new();
        write_usage(&usage, &mut Object::new(&mut out));
        assert_eq!(read(std::str::from_utf8(&out).expect("UTF-8")), usage);
    }
}
