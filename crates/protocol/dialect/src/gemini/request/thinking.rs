//! `thinkingConfig`: a budget in tokens up to 2.5, a level from 3 on.

use crate::canonical::{ReasoningAsk, ReasoningMode};
use crate::effort::budget_of_effort;
use crate::error::Error;
use crate::fields;
use crate::gemini::spelling::members;
use crate::json::{Object, Raw, Text};

/// The largest budget all models take.
const BUDGET_MAX: u64 = 24_576;

/// What Google takes an effort for where the request limits nothing.
const BUDGETS: &[(&str, u64)] =
    &[("minimal", 1024), ("low", 1024), ("medium", 8192), ("high", 24_576)];

/// The budget with which the model decides itself.
const DYNAMIC: i64 = -1;

/// Reads `thinkingConfig`; nothing when it asks for nothing.
pub(super) fn read_thinking<'a>(config: Raw<'a>) -> Result<Option<ReasoningAsk<'a>>, Error> {
    let mut ask = ReasoningAsk::default();
    let mut is_shown = None;
    for (name, value) in members(config) {
        let fail = |error: Error| error.in_member("thinkingConfig");
        match &*name {
            "includeThoughts" => is_shown = Some(fields::boolean(&name, value).map_err(fail)?),
            "thinkingBudget" => {
                let budget =
                    value.as_i64().ok_or_else(|| fields::wrong_type(&name, "a whole number"));
                ask.budget = Some(budget.map_err(fail)?);
            }
            "thinkingLevel" => ask.effort = read_level(&fields::text(&name, value).map_err(fail)?),
            _ => {}
        }
    }
    ask.mode = match (&ask.effort, ask.budget) {
        (_, Some(0)) => Some(ReasoningMode::Disabled),
        (Some(_), _) => Some(ReasoningMode::Enabled),
        (None, Some(budget)) if budget > 0 => Some(ReasoningMode::Enabled),
        (None, _) => None,
    };
    if ask.mode.is_none() && is_shown == Some(true) {
        ask.budget = Some(DYNAMIC);
    }
    Ok(Some(ask).filter(|ask| ask.mode.is_some() || ask.budget.is_some()))
}

fn read_level(level: &Text<'_>) -> Option<Text<'static>> {
    let level = level.plain().to_ascii_lowercase();
    Some(level).filter(|level| *level != "thinking_level_unspecified").map(Text::from)
}

/// Writes `thinkingConfig`; `limit` is the most tokens the answer may have, where there is a limit.
pub(super) fn write_thinking(
    ask: &ReasoningAsk<'_>,
    limit: Option<u64>,
    takes_levels: bool,
    config: &mut Object<'_>,
) {
    let effort = ask.effort.as_ref().map(Text::plain);
    let effort = effort.as_deref();
    let is_off = ask.mode == Some(ReasoningMode::Disabled)
        || ask.budget == Some(0)
        || effort == Some("none");
    if !is_off && ask.mode.is_none() && ask.budget.is_none() && effort.is_none() {
        return;
    }
    let mut thinking = config.object("thinkingConfig");
    let is_hidden = ask.display.as_ref().is_some_and(|display| *display == *"omitted");
    thinking.bool("includeThoughts", !is_off && !is_hidden);
    match (is_off, ask.budget, effort) {
        // These models cannot be stopped from thinking, only kept short.
        (true, _, _) if takes_levels => thinking.str("thinkingLevel", "LOW"),
        (true, _, _) => thinking.u64("thinkingBudget", 0),
        (false, Some(budget), _) if budget < 0 => {
            if !takes_levels {
                thinking.verbatim("thinkingBudget", "-1");
            }
        }
        (false, Some(budget), _) => thinking.u64("thinkingBudget", budget.unsigned_abs()),
        (false, None, Some(effort)) if takes_levels => {
            thinking.str("thinkingLevel", level_of_effort(effort));
        }
        (false, None, Some(effort)) => thinking.u64("thinkingBudget", budget(effort, limit)),
        (false, None, None) => {}
    }
}

fn level_of_effort(effort: &str) -> &'static str {
    match effort {
        "minimal" | "low" => "LOW",
        _ => "HIGH",
    }
}

fn budget(effort: &str, limit: Option<u64>) -> u64 {
    let of_limit = limit.map(|limit| budget_of_effort(effort, limit).unwrap_or(limit / 2));
    let named = || BUDGETS.iter().find(|(name, _)| *name == effort).map(|(_, budget)| *budget);
    of_limit.or_else(named).unwrap_or(BUDGET_MAX).min(BUDGET_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Index;

    fn write(ask: &ReasoningAsk<'_>, limit: Option<u64>, takes_levels: bool) -> String {
        let mut out = Vec::new();
        write_thinking(ask, limit, takes_levels, &mut Object::new(&mut out));
        String::from_utf8(out).expect("UTF-8")
    }

    fn effort(name: &'static str) -> ReasoningAsk<'static> {
        ReasoningAsk { effort: Some(name.into()), ..ReasoningAsk::default() }
    }

    #[test]
    fn efforts_become_budgets() {
        for (name, limit, budget) in [
            ("minimal", None, 1024),
            ("low", None, 1024),
            ("medium", None, 8192),
            ("high", None, 24_576),
            ("xhigh", None, 24_576),
            ("low", Some(11_024), 2_524),
            ("high", Some(65_536), 24_576),
            ("high", Some(1_000), 500),
        ] {
            let expected = format!(
                r#"{{"thinkingConfig":{{"includeThoughts":true,"thinkingBudget":{budget}}}}}"#
            );
            assert_eq!(write(&effort(name), limit, false), expected, "{name} of {limit:?}");
        }
    }

    #[test]
    fn efforts_become_levels() {
        for (name, level, is_shown) in [
            ("none", "LOW", false),
            ("minimal", "LOW", true),
            ("low", "LOW", true),
            ("medium", "HIGH", true),
            ("high", "HIGH", true),
        ] {
            let expected = format!(
                r#"{{"thinkingConfig":{{"includeThoughts":{is_shown},"thinkingLevel":"{level}"}}}}"#
            );
            assert_eq!(write(&effort(name), Some(4096), true), expected, "{name}");
        }
    }

    #[test]
    fn budgets_are_taken_as_they_are() {
        let ask = |budget| ReasoningAsk { budget: Some(budget), ..ReasoningAsk::default() };
        for (budget, expected) in [
            (0, r#"{"thinkingConfig":{"includeThoughts":false,"thinkingBudget":0}}"#),
            (-1, r#"{"thinkingConfig":{"includeThoughts":true,"thinkingBudget":-1}}"#),
            (300, r#"{"thinkingConfig":{"includeThoughts":true,"thinkingBudget":300}}"#),
        ] {
            assert_eq!(write(&ask(budget), None, false), expected);
        }
        assert_eq!(write(&ReasoningAsk::default(), None, false), "{}");
    }

    #[test]
    fn what_is_asked_is_understood() {
        let read = |json: &str| {
            let mut index = Index::new();
            let config = index.read(json.as_bytes()).expect("JSON");
            let ask = read_thinking(config).expect("valid");
            ask.map(|ask| {
                (ask.mode, ask.budget, ask.effort.map(|effort| effort.plain().into_owned()))
            })
        };
        assert_eq!(read("{}"), None);
        assert_eq!(read(r#"{"includeThoughts":false}"#), None);
        assert_eq!(read(r#"{"include_thoughts":true}"#), Some((None, Some(-1), None)));
        assert_eq!(
            read(r#"{"thinkingBudget":0,"includeThoughts":true}"#),
            Some((Some(ReasoningMode::Disabled), Some(0), None))
        );
        assert_eq!(
            read(r#"{"thinking_budget":512}"#),
            Some((Some(ReasoningMode::Enabled), Some(512), None))
        );
        assert_eq!(
            read(r#"{"thinkingLevel":"MEDIUM"}"#),
            Some((Some(ReasoningMode::Enabled), None, Some("medium".into())))
        );
    }
}
