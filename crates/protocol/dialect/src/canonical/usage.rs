//! What an answer used.

/// Tokens an answer used, in one way of counting for all vendors: `input` includes what was read from and written to the
/// prompt cache, `output` is what the vendor reports as completion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Whether the vendor reported anything at all.
    pub reported: bool,
    /// Tokens of the prompt, cached ones included.
    pub input: u64,
    /// Tokens of the answer.
    pub output: u64,
    /// The vendor's total, or `input + output`. Some vendors count thinking only here.
    pub total: u64,
    /// Prompt tokens read from the cache.
    pub cached_read: u64,
    /// Prompt tokens written to the cache.
    pub cached_write: u64,
    /// Of `cached_write`, those kept for five minutes; 0 where the vendor does not split it.
    pub cached_write_5m: u64,
    /// Of `cached_write`, those kept for an hour; 0 where the vendor does not split it.
    pub cached_write_1h: u64,
    /// Tokens spent on thinking.
    pub reasoning: u64,
    /// Prompt tokens that were audio.
    pub audio_input: u64,
    /// Answer tokens that were audio.
    pub audio_output: u64,
    /// Prompt tokens that were images.
    pub image_input: u64,
    /// Web searches the vendor ran.
    pub web_searches: u64,
    /// Units a reranker bills instead of tokens.
    pub search_units: u64,
}

impl Usage {
    /// Takes over a counter where the vendor gave one. Vendors repeat counters cumulatively and fill in zeros for what
    /// they do not know yet, so a zero never undoes a number.
    pub(crate) fn set(counter: &mut u64, reported: Option<u64>) {
        if let Some(value) = reported.filter(|value| *value > 0) {
            *counter = value;
        }
    }
}
