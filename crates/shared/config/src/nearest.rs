//! The known name somebody probably meant.

/// The candidate with the fewest edits to `name`, if there are few enough for it to be a slip.
pub(crate) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // Two slips in a short name make another word; long names have room for three.
    let edits_max = match name.chars().count() {
        0..4 => 1,
        4..10 => 2,
        _ => 3,
    };
    candidates
        .into_iter()
        .filter(|candidate| candidate.len().abs_diff(name.len()) <= edits_max * 4)
        .map(|candidate| (edits(name, candidate), candidate))
        .filter(|(count, _)| *count <= edits_max)
        .min_by_key(|(count, _)| *count)
        .map(|(_, candidate)| candidate)
}

/// Insertions, removals and replacements between two words (Levenshtein), without regard to case.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().map(|c| c.to_ascii_lowercase()).collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().map(|c| c.to_ascii_lowercase()).enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, b) in row.iter_mut().skip(1).zip(&to) {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = *cell;
            left = replaced.min(left + 1).min(diagonal + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted_as_in_textbooks() {
        for (from, to, expected) in [
            ("kitten", "sitting", 3),
            ("", "abc", 3),
            ("abc", "", 3),
            ("same", "SAME", 0),
            ("weigth", "weight", 2),
            ("über", "uber", 1),
        ] {
            assert_eq!(edits(from, to), expected, "{from} {to}");
            assert_eq!(edits(to, from), expected, "{to} {from}");
        }
    }

    #[test]
    fn only_slips_are_hinted() {
        let names = ["weight", "models", "value", "max_conns_per_host"];
        assert_eq!(nearest("wieght", names), Some("weight"));
        assert_eq!(nearest("model", names), Some("models"));
        assert_eq!(nearest("max_connections_per_host", names), None);
        assert_eq!(nearest("max_con_per_hosts", names), Some("max_conns_per_host"));
        assert_eq!(nearest("x", names), None);
    }
}
