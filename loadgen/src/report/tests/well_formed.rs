//! A strict look at markup: every element that is opened is closed, in order, and no attribute is left
//! open.

/// Elements that have no end.
const VOID: [&str; 3] = ["meta", "br", "hr"];

pub(super) fn check_well_formed(page: &str) {
    let rest = page.strip_prefix("<!DOCTYPE html>").expect("a document begins with its type");
    let mut open: Vec<&str> = Vec::new();
    let mut rest = rest;
    while let Some(start) = rest.find('<') {
        let end = start + rest[start..].find('>').expect("each tag ends");
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        assert!(!tag.contains('<'), "{tag}");
        assert!(tag.matches('"').count().is_multiple_of(2), "{tag}");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "{name} ends what is open");
            continue;
        }
        let name = tag.split_whitespace().next().expect("each tag has a name");
        assert!(name.chars().all(|letter| letter.is_ascii_alphanumeric()), "{tag}");
        if !VOID.contains(&name) {
            open.push(name);
        }
    }
    assert_eq!(open, Vec::<&str>::new(), "all is closed at the end");
}
