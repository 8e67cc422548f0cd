//! Text with times as subtitles: SubRip and WebVTT.

use std::fmt::Write;

use super::{Timed, seconds};

/// As SubRip.
pub(super) fn srt(segments: &[Timed<'_>]) -> String {
    let mut out = String::new();
    for (number, segment) in (1..).zip(segments) {
        let (start, end) = (stamp(seconds(segment.start), ','), stamp(seconds(segment.end), ','));
        push(&mut out, format_args!("{number}\n{start} --> {end}\n{}\n\n", line(segment)));
    }
    out
}

/// As WebVTT.
pub(super) fn vtt(segments: &[Timed<'_>]) -> String {
    let mut out = "WEBVTT\n\n".to_owned();
    for segment in segments {
        let (start, end) = (stamp(seconds(segment.start), '.'), stamp(seconds(segment.end), '.'));
        push(&mut out, format_args!("{start} --> {end}\n{}\n\n", line(segment)));
    }
    out
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing into a string cannot fail");
}

/// The text on one line: an empty line would end the subtitle.
fn line(segment: &Timed<'_>) -> String {
    segment.text.plain().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `00:01:02,345`
fn stamp(seconds: f64, separator: char) -> String {
    let milliseconds = (seconds * 1000.0).round().max(0.0) as u64;
    let (seconds, rest) = (milliseconds / 1000, milliseconds % 1000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}{separator}{rest:03}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Index;

    #[test]
    fn segments_become_subtitles() {
        let mut index = Index::new();
        let times = index.read(b"[0, 3661.2345]").expect("JSON");
        let mut times = times.elements();
        let (start, end) = (times.next(), times.next());
        let segment = Timed { text: " a\n\nb ".into(), start, end, speaker: None };
        let expected = "1\n00:00:00,000 --> 01:01:01,235\na b\n\n";
        assert_eq!(srt(std::slice::from_ref(&segment)), expected);
        let expected = "WEBVTT\n\n00:00:00.000 --> 01:01:01.235\na b\n\n";
        assert_eq!(vtt(&[segment]), expected);
    }
}
