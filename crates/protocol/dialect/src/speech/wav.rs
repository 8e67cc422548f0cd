//! Samples without a header, and the header that makes a file of them: one channel of 16-bit whole numbers.

/// Samples a second where nobody says how many, as the vendors have them.
const RATE_DEFAULT: u32 = 24_000;

const HEADER_BYTES: u32 = 44;
const CHANNELS: u16 = 1;
const SAMPLE_BYTES: u16 = 2;

/// How many samples a second there are, where the media type is one of plain samples: `audio/L16;codec=pcm;rate=24000`.
pub(super) fn rate_of_samples(media_type: &str) -> Option<u32> {
    let mut parts = media_type.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
    if !["audio/l16", "audio/pcm", "audio/x-pcm"].contains(&essence.as_str()) {
        return None;
    }
    let rate = parts.find_map(|part| part.strip_prefix("rate=")?.parse().ok());
    Some(rate.unwrap_or(RATE_DEFAULT))
}

/// A file of the samples.
pub(super) fn file(samples: &[u8], rate: u32) -> Vec<u8> {
    let length = u32::try_from(samples.len()).unwrap_or(u32::MAX);
    let mut file = Vec::with_capacity(HEADER_BYTES as usize + samples.len());
    write_header(length, rate, &mut file);
    file.extend_from_slice(samples);
    file
}

/// The header of a file that is still being made: its length is as large as can be.
pub(super) fn open_header(rate: u32) -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER_BYTES as usize);
    write_header(u32::MAX - HEADER_BYTES, rate, &mut header);
    header
}

fn write_header(length: u32, rate: u32, out: &mut Vec<u8>) {
    const FORMAT_BYTES: u32 = 16;
    const PLAIN_SAMPLES: u16 = 1;
    let frame = CHANNELS * SAMPLE_BYTES;
    out.extend_from_slice(b"RIFF");
    out.extend_from_slice(&length.saturating_add(HEADER_BYTES - 8).to_le_bytes());
    out.extend_from_slice(b"WAVEfmt ");
    out.extend_from_slice(&FORMAT_BYTES.to_le_bytes());
    out.extend_from_slice(&PLAIN_SAMPLES.to_le_bytes());
    out.extend_from_slice(&CHANNELS.to_le_bytes());
    out.extend_from_slice(&rate.to_le_bytes());
    out.extend_from_slice(&rate.saturating_mul(u32::from(frame)).to_le_bytes());
    out.extend_from_slice(&frame.to_le_bytes());
    out.extend_from_slice(&(8 * SAMPLE_BYTES).to_le_bytes());
    out.extend_from_slice(b"data");
    out.extend_from_slice(&length.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_become_a_file() {
        let file = file(&[1, 0, 2, 0], 24_000);
        assert_eq!(file.len(), HEADER_BYTES as usize + 4);
        assert_eq!(&file[..16], b"RIFF\x28\0\0\0WAVEfmt ");
        assert_eq!(u32::from_le_bytes([file[24], file[25], file[26], file[27]]), 24_000);
        assert_eq!(u32::from_le_bytes([file[28], file[29], file[30], file[31]]), 48_000);
        assert_eq!(&file[36..], b"data\x04\0\0\0\x01\0\x02\0");
    }

    #[test]
    fn samples_are_known_by_their_media_type() {
        assert_eq!(rate_of_samples("audio/L16;codec=pcm;rate=16000"), Some(16_000));
        assert_eq!(rate_of_samples("audio/pcm"), Some(24_000));
        assert_eq!(rate_of_samples("audio/mpeg"), None);
    }
}
