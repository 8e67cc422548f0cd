//! `usageMetadata`. Every report is complete: what stands in a later one replaces the earlier.

use crate::canonical::Usage;
use crate::json::{Cursor, Object};

/// The counts of one report.
#[derive(Default)]
struct Counts {
    prompt: Option<u64>,
    /// What the vendor's own tools put into the prompt, on top of `prompt`.
    tools: Option<u64>,
    candidates: Option<u64>,
    /// On top of `candidates`.
    thoughts: Option<u64>,
    total: Option<u64>,
}

/// Takes over what a report says. `None`: it is no object, or broken, and what was read does not count.
pub(crate) fn read_usage(usage: &mut Cursor<'_>, into: &mut Usage) -> Option<()> {
    let mut counts = Counts::default();
    usage.object(|name, value| {
        match name {
            b"promptTokenCount" => counts.prompt = value.count()?,
            b"toolUsePromptTokenCount" => counts.tools = value.count()?,
            b"candidatesTokenCount" => counts.candidates = value.count()?,
            b"thoughtsTokenCount" => counts.thoughts = value.count()?,
            b"totalTokenCount" => counts.total = value.count()?,
            b"cachedContentTokenCount" => Usage::set(&mut into.cached_read, value.count()?),
            b"promptTokensDetails" => {
                let Usage { audio_input, image_input, .. } = into;
                read_modalities(value.value()?, audio_input, image_input)?;
            }
            b"candidatesTokensDetails" => {
                let mut images = 0;
                read_modalities(value.value()?, &mut into.audio_output, &mut images)?;
            }
            _ => drop(value.value()?),
        }
        Some(())
    })?;
    let Counts { prompt, tools, candidates, thoughts, total } = counts;
    into.reported |= prompt.is_some() || candidates.is_some() || total.is_some();
    let sum =
        |one: Option<u64>, more: Option<u64>| one.unwrap_or(0).saturating_add(more.unwrap_or(0));
    Usage::set(&mut into.input, Some(sum(prompt, tools)));
    Usage::set(&mut into.output, Some(sum(candidates, thoughts)));
    Usage::set(&mut into.reasoning, thoughts);
    into.total = into.input.saturating_add(into.output);
    Usage::set(&mut into.total, total);
    Some(())
}

/// Reads `[{"modality":"AUDIO","tokenCount":9}, …]`.
fn read_modalities(details: &[u8], audio: &mut u64, image: &mut u64) -> Option<()> {
    let Some(elements) = details.strip_prefix(b"[") else { return Some(()) };
    let mut elements = Cursor::new(elements);
    while elements.rest().first() == Some(&b'{') {
        let (mut modality, mut tokens) = (&b""[..], None);
        elements.object(|name, value| {
            match name {
                b"modality" => modality = value.value()?,
                b"tokenCount" => tokens = value.count()?,
                _ => drop(value.value()?),
            }
            Some(())
        })?;
        match modality {
            b"\"AUDIO\"" => Usage::set(audio, tokens),
            b"\"IMAGE\"" => Usage::set(image, tokens),
            _ => {}
        }
        if elements.rest().first() == Some(&b',') {
            elements.take(b',')?;
        }
    }
    Some(())
}

/// Writes the members of `usageMetadata`.
pub(super) fn write_usage(usage: &Usage, object: &mut Object<'_>) {
    object.u64("promptTokenCount", usage.input);
    object.u64("candidatesTokenCount", usage.output.saturating_sub(thoughts_inside(usage)));
    write_if(object, "thoughtsTokenCount", usage.reasoning);
    write_if(object, "cachedContentTokenCount", usage.cached_read);
    object.u64("totalTokenCount", usage.total);
    let prompt = [("AUDIO", usage.audio_input), ("IMAGE", usage.image_input)];
    write_modalities(object, "promptTokensDetails", &prompt);
    write_modalities(object, "candidatesTokensDetails", &[("AUDIO", usage.audio_output)]);
}

/// The tokens of thinking that `output` counts, too. Some hosts count them beside it.
fn thoughts_inside(usage: &Usage) -> u64 {
    let sum = usage.input.saturating_add(usage.output).saturating_add(usage.reasoning);
    if usage.total == sum || usage.reasoning > usage.output { 0 } else { usage.reasoning }
}

fn write_if(object: &mut Object<'_>, name: &str, count: u64) {
    if count > 0 {
        object.u64(name, count);
    }
}

fn write_modalities(object: &mut Object<'_>, name: &str, counts: &[(&str, u64)]) {
    if counts.iter().all(|(_, count)| *count == 0) {
        return;
    }
    let mut details = object.array(name);
    for (modality, count) in counts.iter().filter(|(_, count)| *count > 0) {
        let mut detail = details.object();
        detail.str("modality", modality);
        detail.u64("tokenCount", *count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str, into: &mut Usage) {
        read_usage(&mut Cursor::new(json.as_bytes()), into).unwrap();
    }

    #[test]
    fn thoughts_are_output_and_tools_are_input() {
        let mut usage = Usage::default();
        read(
            r#"{"promptTokenCount":294,"candidatesTokenCount":230,"totalTokenCount":1287,
                "promptTokensDetails":[{"modality":"TEXT","tokenCount":200},{"modality":"IMAGE","tokenCount":94}],
                "thoughtsTokenCount":158,"toolUsePromptTokenCount":605,"cachedContentTokenCount":90}"#,
            &mut usage,
        );
        assert_eq!((usage.input, usage.output, usage.total), (899, 388, 1287));
        assert_eq!((usage.reasoning, usage.cached_read, usage.image_input), (158, 90, 94));
    }

    #[test]
    fn reports_of_a_stream_replace_each_other() {
        let mut usage = Usage::default();
        read(r#"{"trafficType":"ON_DEMAND"}"#, &mut usage);
        assert!(!usage.reported);
        read(r#"{"promptTokenCount":9,"totalTokenCount":9}"#, &mut usage);
        read(
            r#"{"promptTokenCount":9,"candidatesTokenCount":5,"thoughtsTokenCount":2}"#,
            &mut usage,
        );
        read(r#"{"trafficType":"ON_DEMAND"}"#, &mut usage);
        assert!(usage.reported);
        assert_eq!((usage.input, usage.output, usage.total), (9, 7, 16));
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
            audio_input: 1,
            audio_output: 2,
            image_input: 3,
            ..Usage::default()
        };
        let mut out = Vec::new();
        write_usage(&usage, &mut Object::new(&mut out));
        let mut back = Usage::default();
        read(std::str::from_utf8(&out).expect("UTF-8"), &mut back);
        assert_eq!(back, usage);
    }

    #[test]
    fn absurd_counts_do_not_overflow() {
        let mut usage = Usage::default();
        let max = u64::MAX;
        let report = format!(
            r#"{{"promptTokenCount":{max},"toolUsePromptTokenCount":{max},"candidatesTokenCount":{max},"thoughtsTokenCount":{max}}}"#
        );
        read(&report, &mut usage);
        assert_eq!(usage.total, max);
        write_usage(&usage, &mut Object::new(&mut Vec::new()));
    }
}
