//! `bifrost_*` by provider, model and key: what was asked of providers and what the gateway added.

mod labels;
mod series;

use foldhash::{HashMap, HashMapExt};
use seam::Inference;

use crate::Settings;
use crate::page::Page;

use labels::Labels;
use series::{FAMILIES, Series};

/// Label sets with a series of their own. Each is at most 36 KB on the page (some 80 samples with
/// 450 bytes of labels), so a scrape stays below 40 MB. Beyond it the model becomes `other`.
pub const CALL_SERIES_MAX: usize = 1_000;

/// Of those, how many may belong to label sets that began with a failure: made-up model names must
/// not take the room of models that work.
const FAILED_FIRST_MAX: usize = CALL_SERIES_MAX / 2;

/// Label sets with the model `other`; beyond it everything lands in one series.
const OTHER_SERIES_MAX: usize = 100;

/// All series of this folder.
#[derive(Debug)]
pub(crate) struct Calls {
    settings: Settings,
    series: HashMap<Labels, Series>,
    /// How many of them have a model of their own.
    own_models: usize,
}

impl Calls {
    /// Without series.
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings, series: HashMap::new(), own_models: 0 }
    }

    /// Counts one finished request.
    pub(crate) fn observe(&mut self, status: u16, inference: Inference) {
        let is_success = inference.error_type.is_none();
        let (labels, outcome) = series::split(status, inference);
        if let Some(series) = self.series.get_mut(&labels) {
            return series.observe(&outcome);
        }
        let labels = self.admit(labels, is_success);
        let is_detailed = self.settings.overhead_breakdown;
        self.series
            .entry(labels)
            .or_insert_with_key(|labels| Series::new(labels.render(), is_detailed))
            .observe(&outcome);
    }

    /// Writes every family, series sorted by their labels.
    pub(crate) fn write(&self, page: &mut Page) {
        let mut sorted: Vec<&Series> = self.series.values().collect();
        sorted.sort_unstable_by(|left, right| left.labels().cmp(right.labels()));
        for (family, write) in FAMILIES {
            page.begin(*family);
            for series in &sorted {
                write(series, page);
            }
        }
    }

    /// The labels to count new ones under: themselves while there is room.
    fn admit(&mut self, labels: Labels, is_success: bool) -> Labels {
        let room = if is_success { CALL_SERIES_MAX } else { FAILED_FIRST_MAX };
        if self.own_models < room {
            self.own_models += 1;
            return labels;
        }
        let other = labels.with_other_model();
        let others = self.series.len() - self.own_models;
        if others < OTHER_SERIES_MAX || self.series.contains_key(&other) {
            return other;
        }
        Labels::all_other(other)
    }
}
