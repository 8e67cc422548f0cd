//! TypeSafe: every option is as likely as every other.

use serde_json::{Map, Value, json};

use super::conversation::{items, text};
use super::refusal::Refusal;
use super::reply::Reply;
use super::routes::Call;
use super::text::tokens;

/// `POST …/systemone`.
pub(crate) fn serve(call: &Call<'_>) -> Result<Reply, Refusal> {
    let questions = call.body.get("questions").and_then(Value::as_object);
    let questions = questions.filter(|questions| !questions.is_empty());
    let questions = questions.ok_or_else(|| refused("questions", "must not be empty"))?;
    if call.body.get("state").is_none_or(Value::is_null) {
        return Err(refused("state", "Field required"));
    }
    let answers: Result<Map<String, Value>, Refusal> = questions
        .iter()
        .map(|(name, question)| Ok((name.clone(), answer(name, question)?)))
        .collect();
    let used = tokens(call.body.to_string().len());
    Ok(Reply::json(
        200,
        &json!({
            "model": call.model,
            "answers": answers?,
            "usage": {"input_tokens": used, "output_tokens": 0},
        }),
    ))
}

fn answer(name: &str, question: &Value) -> Result<Value, Refusal> {
    let criteria = question.get("criteria");
    match text(question, "type") {
        "noul" => Ok(json!({"type": "noul", "noul": 0.5})),
        "choice" => {
            let options = criteria.and_then(Value::as_object).filter(|options| !options.is_empty());
            let options = options.ok_or_else(|| refused(name, "criteria must name the options"))?;
            let share = 1.0 / options.len() as f64;
            let chances: Map<String, Value> =
                options.keys().map(|option| (option.clone(), json!(share))).collect();
            let first = options.keys().next();
            Ok(
                json!({"type": "choice", "choice": first, "confidence": share, "probabilities": chances}),
            )
        }
        "score" => {
            let levels = items(criteria);
            if !(2..=10).contains(&levels.len()) {
                return Err(refused(name, "criteria must have 2 to 10 levels"));
            }
            let numbered = || levels.iter().enumerate();
            let share = 1.0 / levels.len() as f64;
            let chances: Map<String, Value> =
                numbered().map(|(level, _)| (level.to_string(), json!(share))).collect();
            let legend: Map<String, Value> =
                numbered().map(|(level, said)| (level.to_string(), said.clone())).collect();
            let score = (levels.len() - 1) as f64 / 2.0;
            Ok(
                json!({"type": "score", "score": score, "confidence": share, "probabilities": chances, "legend": legend}),
            )
        }
        _ => Err(refused(name, "type must be noul, choice or score")),
    }
}

fn refused(place: &str, why: &str) -> Refusal {
    Refusal::new(422, format!("{place}: {why}")).param(place)
}
