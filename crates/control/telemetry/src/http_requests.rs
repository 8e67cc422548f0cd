//! `http_*`: every request by route template, method and status.

use std::collections::BTreeMap;

use seam::Event;

use crate::histogram::Histogram;
use crate::page::{Family, Kind, Page, label};

/// Combinations of route, method and status. The product has about 150 routes with a handful of
/// statuses each; a provider that makes up statuses ends in the series with path `other`.
const HTTP_SERIES_MAX: usize = 2_000;

const OTHER: Labels = Labels { route: "other", method: "other", status: 0 };

/// The default buckets of Prometheus, in seconds.
pub(crate) const DEFAULT_BUCKETS_S: &[f64] = &seam::GAP_BUCKETS_S;

/// Eight powers of ten from 100 bytes.
const SIZE_BUCKETS_BYTES: &[f64] = &[1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/// All series of this file.
#[derive(Debug, Default)]
pub(crate) struct HttpRequests {
    series: BTreeMap<Labels, Series>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Labels {
    route: &'static str,
    method: &'static str,
    status: u16,
}

#[derive(Debug)]
struct Series {
    requests: u64,
    duration_s: Histogram,
    request_bytes: Histogram,
    response_bytes: Histogram,
}

type Write = fn(&Series, &str, &mut Page);

const FAMILIES: &[(Family, Write)] = &[
    (
        Family { name: "http_requests_total", help: "Requests answered.", kind: Kind::Counter },
        |series, labels, page| page.integer(labels, series.requests),
    ),
    (
        Family {
            name: "http_request_duration_seconds",
            help: "From the first byte of the request to the last of the reply.",
            kind: Kind::Histogram,
        },
        |series, labels, page| page.histogram(labels, &series.duration_s),
    ),
    (
        Family {
            name: "http_request_size_bytes",
            help: "Size of request bodies.",
            kind: Kind::Histogram,
        },
        |series, labels, page| page.histogram(labels, &series.request_bytes),
    ),
    (
        Family {
            name: "http_response_size_bytes",
            help: "Size of reply bodies.",
            kind: Kind::Histogram,
        },
        |series, labels, page| page.histogram(labels, &series.response_bytes),
    ),
];

impl HttpRequests {
    /// Counts one finished request.
    pub(crate) fn observe(&mut self, event: &Event) {
        let labels = Labels { route: event.route, method: event.method, status: event.status };
        let has_room = self.series.len() < HTTP_SERIES_MAX || self.series.contains_key(&labels);
        let series =
            self.series.entry(if has_room { labels } else { OTHER }).or_insert_with(Series::new);
        series.requests += 1;
        series.duration_s.observe(event.total_us as f64 / 1e6);
        series.request_bytes.observe(event.request_bytes as f64);
        series.response_bytes.observe(event.response_bytes as f64);
    }

    /// Writes every family.
    pub(crate) fn write(&self, page: &mut Page) {
        let rendered: Vec<(String, &Series)> =
            self.series.iter().map(|(labels, series)| (labels.render(), series)).collect();
        for (family, write) in FAMILIES {
            page.begin(*family);
            for (labels, series) in &rendered {
                write(series, labels, page);
            }
        }
    }
}

impl Labels {
    fn render(self) -> String {
        let mut labels = String::new();
        label(&mut labels, "path", self.route);
        label(&mut labels, "method", self.method);
        label(&mut labels, "status", itoa::Buffer::new().format(self.status));
        labels
    }
}

impl Series {
    fn new() -> Self {
        Self {
            requests: 0,
            duration_s: Histogram::new(DEFAULT_BUCKETS_S),
            request_bytes: Histogram::new(SIZE_BUCKETS_BYTES),
            response_bytes: Histogram::new(SIZE_BUCKETS_BYTES),
        }
    }
}
