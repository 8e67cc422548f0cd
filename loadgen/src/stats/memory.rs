//! Memory against time or open streams: the straight line of least squares through the readings.

use crate::result::MemorySeries;

use super::percentile::rounded;

/// Readings of one target, (seconds or streams, resident bytes), with their slope.
pub(crate) fn memory_series(name: &str, points: &[(f64, u64)]) -> MemorySeries {
    let line = line(points);
    MemorySeries {
        name: name.to_owned(),
        points: points.to_vec(),
        slope_bytes: line.map(|line| rounded(line.slope)),
        start_bytes: line.map(|line| rounded(line.start)),
        peak_bytes: points.iter().map(|(_, bytes)| *bytes).max().unwrap_or(0),
    }
}

#[derive(Clone, Copy)]
struct Line {
    slope: f64,
    start: f64,
}

/// None when all points lie at the same place of the axis.
fn line(points: &[(f64, u64)]) -> Option<Line> {
    let count = points.len() as f64;
    let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = points.iter().map(|(_, y)| *y as f64).sum::<f64>() / count;
    let square: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    let product: f64 = points.iter().map(|(x, y)| (x - mean_x) * (*y as f64 - mean_y)).sum();
    (square > 0.0).then(|| {
        let slope = product / square;
        Line { slope, start: mean_y - slope * mean_x }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_on_a_line_give_that_line() {
        let points: Vec<(f64, u64)> =
            [0_u64, 1_000, 5_000, 9_500].map(|n| (n as f64, 6_700_000 + 3_540 * n)).to_vec();
        let series = memory_series("gateway", &points);
        assert_eq!(series.slope_bytes, Some(3_540.0));
        assert_eq!(series.start_bytes, Some(6_700_000.0));
        assert_eq!(series.peak_bytes, 6_700_000 + 3_540 * 9_500);
    }

    #[test]
    fn a_single_place_has_no_slope() {
        assert_eq!(memory_series("one", &[(5.0, 1), (5.0, 3)]).slope_bytes, None);
        assert_eq!(memory_series("none", &[]).slope_bytes, None);
    }
}
