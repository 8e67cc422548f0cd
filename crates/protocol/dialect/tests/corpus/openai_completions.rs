//! OpenAI text completions: what their documents say, what their parsers insist on, and what they have no place for.

use dialect::Dialect;
use serde_json::{Value, json};

use crate::Facts;
use crate::allowed::{Allowed, Mismatch, is_refused, through};
use crate::answer::{Answer, error_message, list, openai_stop, openai_usage, text};
use crate::question::{Question, Settings};
use crate::sse::Event;
use crate::validate::{Verdict, ensure, openai_usage as valid_usage};

// --- requests ---

impl Question {
    pub(crate) fn completions(&mut self, body: &Value) {
        if let Some(prompt) = single_text(body) {
            self.say("user", prompt);
        }
    }
}

/// The prompt, if it is one text.
fn single_text(body: &Value) -> Option<&Value> {
    match (&body["prompt"], list(body, "prompt")) {
        (prompt @ Value::String(_), _) => Some(prompt),
        (_, [prompt @ Value::String(_)]) => Some(prompt),
        _ => None,
    }
}

pub(crate) fn settings(body: &Value) -> Settings {
    let when = |is: bool, value: &Value| if is { value.clone() } else { Value::Null };
    let has_penalty = body["frequency_penalty"].is_number() || body["presence_penalty"].is_number();
    vec![
        ("prompt", when(single_text(body).is_none(), &body["prompt"])),
        ("suffix", body["suffix"].clone()),
        ("echo", when(body["echo"] == true, &body["echo"])),
        ("best_of", body["best_of"].clone()),
        (
            "token limit",
            body["max_tokens"].as_u64().map_or(Value::Null, |limit| limit.max(16).into()),
        ),
        ("temperature", body["temperature"].clone()),
        ("top_p", body["top_p"].clone()),
        ("top_k", body["top_k"].clone()),
        (
            "stop sequences",
            match &body["stop"] {
                Value::String(one) => json!([one]),
                many => many.clone(),
            },
        ),
        ("stream", when(body["stream"] == true, &body["stream"])),
        ("user", body["user"].clone()),
        ("seed", body["seed"].as_u64().map_or(Value::Null, Value::from)),
        ("penalties", when(has_penalty, &json!(true))),
        ("logprobs", when(body["logprobs"].is_u64(), &json!(true))),
        ("n", when(body["n"].as_u64().is_some_and(|n| n > 1), &body["n"])),
    ]
}

// --- answers ---

pub(crate) fn reply(body: &Value) -> Answer {
    let choices = list(body, "choices");
    let choice = &body["choices"][0];
    let mut answer = Answer {
        id: text(body, "id").to_owned(),
        choices: choices.len(),
        text: text(choice, "text").to_owned(),
        stop: Some(openai_stop(text(choice, "finish_reason"))),
        ..Answer::default()
    };
    openai_usage(&body["usage"], &mut answer.usage);
    answer
}

pub(crate) fn stream(events: &[Event]) -> Facts {
    let mut answer = Answer::default();
    for event in events {
        let Ok(chunk) = serde_json::from_str::<Value>(&event.data) else { continue };
        if !chunk["error"].is_null() {
            answer.usage.clear();
            let mut facts = answer.into_facts();
            facts.remove("finish reason");
            facts.insert("error", error_message(&chunk).into());
            return facts;
        }
        for choice in list(&chunk, "choices") {
            let number = choice["index"].as_u64().unwrap_or(0) as usize;
            answer.choices = answer.choices.max(number + 1);
            if number > 0 {
                continue;
            }
            answer.id = text(&chunk, "id").to_owned();
            answer.text.push_str(text(choice, "text"));
            let reason = text(choice, "finish_reason");
            if !reason.is_empty() {
                answer.stop.get_or_insert(openai_stop(reason));
            }
        }
        openai_usage(&chunk["usage"], &mut answer.usage);
    }
    answer.stop.get_or_insert("end".into());
    answer.into_facts()
}

// --- what the vendor's parsers insist on ---

pub(crate) fn valid_request(body: &Value) -> Verdict {
    ensure!(body["model"].is_string(), "no model");
    ensure!(body["prompt"].is_string() || body["prompt"].is_array(), "prompt {}", body["prompt"]);
    for name in ["messages", "tools", "response_format", "reasoning_effort"] {
        ensure!(body.get(name).is_none(), "{name} in a completion");
    }
    if body["stream"] == true {
        ensure!(body["stream_options"]["include_usage"] == true, "usage is not asked for");
    }
    Ok(())
}

pub(crate) fn valid_reply(body: &Value) -> Verdict {
    ensure!(!text(body, "id").is_empty(), "no id");
    ensure!(body["object"] == "text_completion", "object {}", body["object"]);
    ensure!(body["created"].is_u64() && body["model"].is_string(), "no head");
    ensure!(!list(body, "choices").is_empty(), "no choices");
    for (index, choice) in list(body, "choices").iter().enumerate() {
        ensure!(choice["index"] == index, "index {}", choice["index"]);
        valid_choice(choice)?;
        ensure!(choice["finish_reason"].is_string(), "no finish_reason");
    }
    valid_usage(&body["usage"])
}

fn valid_choice(choice: &Value) -> Verdict {
    ensure!(choice["text"].is_string() && choice["index"].is_u64(), "choice {choice}");
    ensure!(choice.get("logprobs").is_some(), "no logprobs");
    let reason = &choice["finish_reason"];
    let known = ["stop", "length", "content_filter"];
    ensure!(reason.is_null() || known.iter().any(|known| reason == known), "reason {reason}");
    Ok(())
}

pub(crate) fn valid_stream(events: &[Event]) -> Verdict {
    let mut has_stopped = false;
    for (position, event) in events.iter().enumerate() {
        ensure!(event.name.is_none(), "event {position} has a name");
        let is_last = position + 1 == events.len();
        if event.data == "[DONE]" {
            ensure!(is_last && has_stopped, "done before the end");
            return Ok(());
        }
        let chunk: Value = serde_json::from_str(&event.data).map_err(|error| error.to_string())?;
        if chunk["error"].is_object() {
            ensure!(is_last, "something follows the error");
            return Ok(());
        }
        ensure!(chunk["object"] == "text_completion", "object {}", chunk["object"]);
        ensure!(!text(&chunk, "id").is_empty() && chunk["created"].is_u64(), "chunk without head");
        for choice in list(&chunk, "choices") {
            valid_choice(choice)?;
            has_stopped |= choice["finish_reason"].is_string();
        }
        valid_usage(&chunk["usage"])?;
    }
    Err("no end marker".into())
}

// --- what the dialect has no place for ---

fn is_lost(loss: &Mismatch<'_>) -> bool {
    through(loss, Dialect::OpenAiCompletions) && loss.actual.is_null()
}

/// Of an answer, only its text has a place.
const fn no_text(feature: &'static str) -> Allowed {
    Allowed { feature, applies: is_lost, reason: "text completions are text and nothing else" }
}

pub(crate) const ALLOWED: &[Allowed] = &[
    no_text("reasoning"),
    no_text("signatures"),
    no_text("encrypted reasoning"),
    no_text("tool names"),
    no_text("tool ids"),
    no_text("tool arguments"),
    no_text("citations"),
    no_text("quotes"),
    no_text("call signatures"),
    no_text("output files"),
    Allowed { feature: "web search", applies: is_lost, reason: "text completions know no tools" },
    no_text("server tools"),
    Allowed {
        feature: "id",
        applies: |loss| is_lost(loss) && loss.exchange.operation.ends_with("_stream"),
        reason: "a stream that fails before its first text has no chunk to name it",
    },
    Allowed {
        feature: "finish reason",
        applies: |loss| {
            through(loss, Dialect::OpenAiCompletions)
                && *loss.expected == "end"
                && *loss.actual == "declined"
        },
        reason: "chat reports `stop` beside a refusal, which is a field of its own there",
    },
    Allowed {
        feature: "finish reason",
        applies: |loss| {
            through(loss, Dialect::OpenAiCompletions)
                && *loss.actual == "end"
                && !["length", "declined"].iter().any(|kept| loss.expected == kept)
        },
        reason: "text completions stop, run out of tokens or are filtered, and nothing else",
    },
    Allowed {
        feature: "translation",
        applies: |loss| is_refused(loss, Dialect::OpenAiCompletions, "", ""),
        reason: "refused: a conversation, tools, media or a form of the answer are no prompt",
    },
    Allowed {
        feature: "translation",
        applies: |loss| {
            let names = ["prompt", "suffix", "echo"];
            Dialect::ALL
                .iter()
                .any(|there| names.iter().any(|name| is_refused(loss, *there, name, name)))
        },
        reason: "refused: tokens or several prompts, a suffix or an echo, which chats do not take",
    },
    Allowed {
        feature: "translation",
        applies: |loss| {
            loss.exchange.dialect == Dialect::OpenAiCompletions
                && loss.exchange.status == 400
                && *loss.actual == "max_tokens: must be a whole number of at least 0"
        },
        reason: "refused: a mistake, which the vendor refused, too",
    },
    Allowed {
        feature: "best_of",
        applies: |loss| loss.actual.is_null(),
        reason: "chats have no such knob",
    },
    Allowed {
        feature: "logprobs",
        applies: |loss| {
            loss.actual.is_null()
                && (loss.exchange.dialect == Dialect::OpenAiCompletions || is_lost(loss))
        },
        reason: "text completions and chats list probabilities in different shapes",
    },
    Allowed { feature: "thinking", applies: is_lost, reason: "text completions have no such knob" },
    Allowed {
        feature: "cache breakpoints",
        applies: is_lost,
        reason: "text completions have no such mark",
    },
];
