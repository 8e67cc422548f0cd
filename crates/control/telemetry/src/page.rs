//! Writes Prometheus text (exposition format 0.0.4).

use crate::histogram::Histogram;

/// What a family measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Only ever rises.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts per bucket, a sum and a count.
    Histogram,
}

/// Name, help and kind of the series that follow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Family {
    /// Metric name.
    pub(crate) name: &'static str,
    /// One line for people.
    pub(crate) help: &'static str,
    /// What it measures.
    pub(crate) kind: Kind,
}

/// The page so far. A family without samples leaves no trace on it.
#[derive(Debug, Default)]
pub(crate) struct Page {
    text: String,
    family: Option<Family>,
    is_announced: bool,
}

impl Page {
    /// Samples from here on belong to `family`.
    pub(crate) fn begin(&mut self, family: Family) {
        self.family = Some(family);
        self.is_announced = false;
    }

    /// One sample; `labels` as [`label`] writes them, joined by commas.
    pub(crate) fn integer(&mut self, labels: &str, value: u64) {
        self.start_sample("", labels, None);
        self.text.push_str(itoa::Buffer::new().format(value));
        self.text.push('\n');
    }

    /// One sample.
    pub(crate) fn number(&mut self, labels: &str, value: f64) {
        self.start_sample("", labels, None);
        push_number(&mut self.text, value);
        self.text.push('\n');
    }

    /// All samples of one histogram, unless it is empty.
    pub(crate) fn histogram(&mut self, labels: &str, histogram: &Histogram) {
        if histogram.count() == 0 {
            return;
        }
        for (bound, count) in histogram.cumulative() {
            self.start_sample("_bucket", labels, Some(bound));
            self.text.push_str(itoa::Buffer::new().format(count));
            self.text.push('\n');
        }
        self.start_sample("_sum", labels, None);
        push_number(&mut self.text, histogram.sum());
        self.text.push('\n');
        self.start_sample("_count", labels, None);
        self.text.push_str(itoa::Buffer::new().format(histogram.count()));
        self.text.push('\n');
    }

    /// The finished page.
    pub(crate) fn into_text(self) -> String {
        self.text
    }

    fn start_sample(&mut self, suffix: &str, labels: &str, bound: Option<f64>) {
        let Some(family) = self.family else { return };
        if !self.is_announced {
            self.announce(family);
        }
        self.text.push_str(family.name);
        self.text.push_str(suffix);
        if !labels.is_empty() || bound.is_some() {
            self.text.push('{');
            self.text.push_str(labels);
            if let Some(bound) = bound {
                self.push_bound(!labels.is_empty(), bound);
            }
            self.text.push('}');
        }
        self.text.push(' ');
    }

    fn push_bound(&mut self, is_second: bool, bound: f64) {
        if is_second {
            self.text.push(',');
        }
        self.text.push_str("le=\"");
        push_number(&mut self.text, bound);
        self.text.push('"');
    }

    fn announce(&mut self, family: Family) {
        self.is_announced = true;
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let Family { name, help, .. } = family;
        for part in ["# HELP ", name, " ", help, "\n# TYPE ", name, " ", kind, "\n"] {
            self.text.push_str(part);
        }
    }
}

/// Appends `name="value"` to a list of labels, escaped.
pub(crate) fn label(labels: &mut String, name: &str, value: &str) {
    if !labels.is_empty() {
        labels.push(',');
    }
    labels.push_str(name);
    labels.push_str("=\"");
    for character in value.chars() {
        match character {
            '\\' => labels.push_str("\\\\"),
            '"' => labels.push_str("\\\""),
            '\n' => labels.push_str("\\n"),
            other => labels.push(other),
        }
    }
    labels.push('"');
}

/// Shortest decimal form; whole numbers without a point, as every scraper writes them.
fn push_number(text: &mut String, value: f64) {
    const WHOLE_MAX: f64 = 1e15;
    if value.is_infinite() {
        text.push_str("+Inf");
    } else if value.fract() == 0.0 && (0.0..WHOLE_MAX).contains(&value) {
        text.push_str(itoa::Buffer::new().format(value as u64));
    } else {
        text.push_str(ryu::Buffer::new().format(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_has_buckets_sum_and_count() {
        let mut page = Page::default();
        page.begin(Family { name: "wait_seconds", help: "Waited.", kind: Kind::Histogram });
        let mut histogram = Histogram::new(&[0.005, 1.0]);
        histogram.observe(0.25);
        histogram.observe(3.0);
        page.histogram("path=\"/x\"", &histogram);
        assert_eq!(
            page.into_text(),
            "# HELP wait_seconds Waited.\n\
             # TYPE wait_seconds histogram\n\
             wait_seconds_bucket{path=\"/x\",le=\"0.005\"} 0\n\
             wait_seconds_bucket{path=\"/x\",le=\"1\"} 1\n\
             wait_seconds_bucket{path=\"/x\",le=\"+Inf\"} 2\n\
             wait_seconds_sum{path=\"/x\"} 3.25\n\
             wait_seconds_count{path=\"/x\"} 2\n"
        );
    }

    #[test]
    fn a_family_without_samples_is_left_out() {
        let mut page = Page::default();
        page.begin(Family { name: "empty", help: "Nothing.", kind: Kind::Histogram });
        page.histogram("", &Histogram::new(&[1.0]));
        assert_eq!(page.into_text(), "");
    }

    #[test]
    fn label_values_cannot_break_out() {
        let mut labels = String::new();
        label(&mut labels, "model", "a\"} 1\nb\\");
        label(&mut labels, "alias", "");
        assert_eq!(labels, "model=\"a\\\"} 1\\nb\\\\\",alias=\"\"");
    }
}
