//! How much thinking: OpenAI names an effort, Anthropic counts tokens. The formulas between the two.

use crate::canonical::{ReasoningAsk, ReasoningMode};
use crate::error::{Error, What};
use crate::json::Text;

/// The smallest budget Anthropic takes.
pub(crate) const BUDGET_MIN: u64 = 1024;

/// What to ask Anthropic for.
#[derive(Debug, PartialEq)]
pub(crate) enum Thinking<'a> {
    Disabled,
    Enabled { budget: u64 },
    Adaptive { effort: Option<Text<'a>> },
}

/// What an effort or a budget means to Anthropic; `limit` is the most tokens the answer may have.
pub(crate) fn anthropic_thinking<'a>(
    ask: &ReasoningAsk<'a>,
    limit: u64,
    is_adaptive_only: bool,
) -> Result<Option<Thinking<'a>>, Error> {
    let is_off = ask.mode == Some(ReasoningMode::Disabled)
        || ask.budget == Some(0)
        || ask.effort.as_ref().is_some_and(|effort| *effort == *"none");
    if is_off {
        return Ok(Some(Thinking::Disabled));
    }
    if ask.mode.is_none() && ask.budget.is_none() && ask.effort.is_none() {
        return Ok(None);
    }
    if is_adaptive_only || ask.mode == Some(ReasoningMode::Adaptive) {
        return Ok(Some(Thinking::Adaptive { effort: adaptive_effort(ask, limit) }));
    }
    let budget = match (ask.budget, &ask.effort) {
        // The vendor decides, and without room for thinking it would not think.
        (Some(-1), _) if limit <= BUDGET_MIN => return Ok(None),
        (Some(-1), _) => BUDGET_MIN,
        (Some(budget), _) => budget_below(checked_budget(budget)?, limit)?,
        (None, Some(effort)) => budget_of_effort(&effort.plain(), limit)
            .ok_or_else(|| Error::at("reasoning_effort", NO_ROOM))?,
        (None, None) => {
            budget_of_effort("medium", limit).ok_or_else(|| Error::at("reasoning", NO_ROOM))?
        }
    };
    Ok(Some(Thinking::Enabled { budget }))
}

/// The same for a request that is Anthropic's already: as it was asked, whether the vendor takes it or not.
pub(crate) fn thinking_as_asked<'a>(ask: &ReasoningAsk<'a>) -> Option<Thinking<'a>> {
    Some(match ask.mode? {
        ReasoningMode::Disabled => Thinking::Disabled,
        ReasoningMode::Adaptive => Thinking::Adaptive { effort: ask.effort.clone() },
        ReasoningMode::Enabled => {
            Thinking::Enabled { budget: ask.budget.unwrap_or_default().unsigned_abs() }
        }
    })
}

fn checked_budget(budget: i64) -> Result<u64, Error> {
    u64::try_from(budget).ok().filter(|budget| *budget >= BUDGET_MIN).ok_or_else(|| {
        Error::at("reasoning.max_tokens", What::Invalid("must be at least 1024 for this provider"))
    })
}

/// Others let a budget be larger than the limit, which holds then.
fn budget_below(budget: u64, limit: u64) -> Result<u64, Error> {
    match limit.checked_sub(1).filter(|largest| *largest >= BUDGET_MIN) {
        Some(largest) => Ok(budget.min(largest)),
        None => Err(Error::at("reasoning.max_tokens", NO_ROOM)),
    }
}

fn adaptive_effort<'a>(ask: &ReasoningAsk<'a>, limit: u64) -> Option<Text<'a>> {
    let named =
        ask.effort.clone().map(|effort| if effort == *"minimal" { "low".into() } else { effort });
    named.or_else(|| {
        let budget = u64::try_from(ask.budget?).ok()?;
        Some(effort_of_budget(budget, limit).into())
    })
}

const NO_ROOM: What = What::Invalid("needs a token limit above 1024 for this provider");

/// `minimum + ratio × (limit − minimum)`, rounded down and below the limit; nothing when there is no room.
pub(crate) fn budget_of_effort(effort: &str, limit: u64) -> Option<u64> {
    budget_above(BUDGET_MIN, effort, limit)
}

/// The same for a vendor with another minimum.
pub(crate) fn budget_above(minimum: u64, effort: &str, limit: u64) -> Option<u64> {
    let room = limit.checked_sub(minimum).filter(|room| *room > 0)?;
    let share = room.saturating_mul(per_mille(effort)) / 1000;
    Some((minimum + share).min(limit - 1))
}

/// The share of the room above the minimum that an effort stands for.
fn per_mille(effort: &str) -> u64 {
    match effort {
        "minimal" => 25,
        "low" => 150,
        "high" => 800,
        "xhigh" => 920,
        "max" => 1000,
        _ => 425,
    }
}

/// The effort a budget comes closest to.
pub(crate) fn effort_of_budget(budget: u64, limit: u64) -> &'static str {
    let room = limit.saturating_sub(BUDGET_MIN);
    let share = budget.clamp(BUDGET_MIN, limit.max(BUDGET_MIN)) - BUDGET_MIN;
    // Compared as products, so that nothing is rounded.
    if share.saturating_mul(100) <= room.saturating_mul(25) && room > 0 {
        "low"
    } else if share.saturating_mul(100) <= room.saturating_mul(60) && room > 0 {
        "medium"
    } else {
        "high"
    }
}

/// What to ask OpenAI for; nothing when the model decides itself.
pub(crate) fn openai_effort<'a>(ask: &ReasoningAsk<'a>, limit: u64) -> Option<Text<'a>> {
    if let Some(effort) = &ask.effort {
        return Some(effort.clone());
    }
    match (ask.mode, ask.budget) {
        (Some(ReasoningMode::Disabled), _) | (_, Some(0)) => Some("none".into()),
        (_, Some(budget)) if budget > 0 => {
            Some(effort_of_budget(budget.unsigned_abs(), limit).into())
        }
        // What OpenRouter takes `enabled` for.
        (Some(ReasoningMode::Enabled), _) => Some("medium".into()),
        (Some(ReasoningMode::Adaptive) | None, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effort(name: &'static str) -> ReasoningAsk<'static> {
        ReasoningAsk { effort: Some(name.into()), ..ReasoningAsk::default() }
    }

    fn budget(tokens: i64) -> ReasoningAsk<'static> {
        ReasoningAsk { budget: Some(tokens), ..ReasoningAsk::default() }
    }

    #[test]
    fn an_effort_is_a_share_of_the_room_above_the_minimum() {
        let cases = [
            ("minimal", 11_024, 1_274),
            ("low", 11_024, 2_524),
            ("medium", 11_024, 5_274),
            ("high", 11_024, 9_024),
            ("xhigh", 11_024, 10_224),
            ("max", 11_024, 11_023),
            ("whatever", 11_024, 5_274),
            ("medium", 4_096, 2_329),
            ("low", 1_025, 1_024),
        ];
        for (name, limit, budget) in cases {
            let thinking = anthropic_thinking(&effort(name), limit, false).expect("enough room");
            assert_eq!(thinking, Some(Thinking::Enabled { budget }), "{name} of {limit}");
        }
    }

    #[test]
    fn too_little_room_for_thinking_is_an_error() {
        for limit in [0, 100, 1024] {
            assert!(anthropic_thinking(&effort("low"), limit, false).is_err());
        }
        assert!(anthropic_thinking(&budget(1023), 4096, false).is_err());
        assert!(anthropic_thinking(&budget(-2), 4096, false).is_err());
    }

    #[test]
    fn budgets_are_taken_as_they_are() {
        let thinking = |ask| anthropic_thinking(&ask, 4096, false).expect("valid");
        assert_eq!(thinking(budget(2000)), Some(Thinking::Enabled { budget: 2000 }));
        assert_eq!(thinking(budget(-1)), Some(Thinking::Enabled { budget: 1024 }));
        assert_eq!(thinking(budget(5000)), Some(Thinking::Enabled { budget: 4095 }));
        assert!(anthropic_thinking(&budget(2000), 1024, false).is_err());
        assert_eq!(anthropic_thinking(&budget(-1), 1024, false), Ok(None));
        assert_eq!(thinking(budget(0)), Some(Thinking::Disabled));
        assert_eq!(thinking(effort("none")), Some(Thinking::Disabled));
        assert_eq!(thinking(ReasoningAsk::default()), None);
    }

    #[test]
    fn adaptive_models_get_an_effort() {
        let thinking = |ask| anthropic_thinking(&ask, 11_024, true).expect("valid");
        let adaptive =
            |effort: &'static str| Some(Thinking::Adaptive { effort: Some(effort.into()) });
        assert_eq!(thinking(effort("high")), adaptive("high"));
        assert_eq!(thinking(effort("minimal")), adaptive("low"));
        assert_eq!(thinking(budget(9_000)), adaptive("high"));
    }

    #[test]
    fn a_budget_is_named_by_its_share() {
        for (budget, name) in
            [(1024, "low"), (3524, "low"), (3525, "medium"), (7024, "medium"), (7025, "high")]
        {
            assert_eq!(effort_of_budget(budget, 11_024), name, "{budget}");
        }
        assert_eq!(effort_of_budget(2000, 500), "high");
    }
}
