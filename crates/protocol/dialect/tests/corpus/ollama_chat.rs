//! Ollama's own chat: what its documents say, what its parsers insist on, and what it has no place for.

use dialect::Dialect;
use serde_json::{Map, Value, json};

use crate::Facts;
use crate::allowed::{
    Allowed, Mismatch, is_refused, is_signed, is_without_arguments, is_wrapped, through,
};
use crate::answer::{Answer, Call, error_message, sanitize, text};
use crate::question::{Question, Settings, list};
use crate::report::Direction;
use crate::sse::Event;
use crate::validate::{Verdict, ensure};

// --- requests ---

impl Question {
    pub(crate) fn ollama(&mut self, body: &Value) {
        for message in list(&body["messages"]) {
            let role = text(message, "role");
            self.images.extend(list(&message["images"]).iter().cloned());
            if role == "tool" {
                self.result(&message["tool_call_id"], text(message, "content").to_owned());
                continue;
            }
            self.say(role, &message["content"]);
            if !text(message, "thinking").is_empty() {
                self.reasoning.push(message["thinking"].clone());
            }
            for call in list(&message["tool_calls"]) {
                let function = &call["function"];
                self.calls.push(json!([function["name"], function["arguments"]]));
                let id = text(call, "id");
                self.call_ids
                    .extend(Some(id).filter(|id| !id.is_empty()).map(|id| sanitize(id).into()));
            }
        }
        for tool in list(&body["tools"]) {
            let function = &tool["function"];
            let (name, description) = (&function["name"], &function["description"]);
            self.tool(name, description, &function["parameters"], &function["strict"]);
        }
    }
}

pub(crate) fn settings(body: &Value) -> Settings {
    let options = &body["options"];
    let when = |is: bool, value: Value| if is { value } else { Value::Null };
    let has_penalty =
        options["frequency_penalty"].is_number() || options["presence_penalty"].is_number();
    vec![
        (
            "token limit",
            options["num_predict"].as_u64().map_or(Value::Null, |limit| limit.max(16).into()),
        ),
        ("temperature", options["temperature"].clone()),
        ("top_p", options["top_p"].clone()),
        ("top_k", options["top_k"].clone()),
        ("stop sequences", options["stop"].clone()),
        ("stream", when(body["stream"] != false, true.into())),
        ("output schema", when(body["format"].is_object(), body["format"].clone())),
        ("json mode", when(body["format"] == "json", true.into())),
        ("seed", options["seed"].as_u64().map_or(Value::Null, Value::from)),
        ("penalties", when(has_penalty, true.into())),
        (
            "thinking",
            match &body["think"] {
                Value::Bool(false) => "off".into(),
                Value::Null => Value::Null,
                _ => "on".into(),
            },
        ),
    ]
}

// --- answers ---

pub(crate) fn reply(body: &Value) -> Answer {
    let mut answer = Answer { choices: 1, ..Answer::default() };
    take(body, &mut answer);
    answer
}

fn take(line: &Value, answer: &mut Answer) {
    let message = &line["message"];
    answer.text.push_str(text(message, "content"));
    answer.reasoning.push_str(text(message, "thinking"));
    for call in list(&message["tool_calls"]) {
        let function = &call["function"];
        answer.calls.push(Call {
            id: text(call, "id").to_owned(),
            name: text(function, "name").to_owned(),
            arguments: function["arguments"].to_string(),
            index: None,
        });
    }
    if line["done"] == true {
        answer.stop = Some(stop(text(line, "done_reason"), !answer.calls.is_empty()));
        usage(line, &mut answer.usage);
    }
}

fn stop(reason: &str, has_calls: bool) -> String {
    match reason {
        "stop" if has_calls => "tools",
        "stop" => "end",
        other => other,
    }
    .to_owned()
}

fn usage(line: &Value, into: &mut Map<String, Value>) {
    let count = |name: &str| line[name].as_u64().unwrap_or(0);
    let (input, output) = (count("prompt_eval_count"), count("eval_count"));
    let counts = [("input", input), ("output", output), ("total", input + output)];
    into.extend(counts.map(|(name, count)| (name.to_owned(), count.into())));
}

pub(crate) fn stream(events: &[Event]) -> Facts {
    let mut answer = Answer { choices: 1, ..Answer::default() };
    for event in events {
        let line: Value = serde_json::from_str(&event.data)
            .unwrap_or_else(|error| panic!("{error} in {}", event.data));
        if !line["error"].is_null() {
            let mut facts = answer.into_facts();
            facts.insert("error", error_message(&line).into());
            return facts;
        }
        take(&line, &mut answer);
    }
    answer.into_facts()
}

// --- what the vendor's parsers insist on ---

pub(crate) fn valid_request(body: &Value) -> Verdict {
    ensure!(body["model"].is_string() && body["stream"].is_boolean(), "no model or stream");
    ensure!(!list(&body["messages"]).is_empty(), "no messages");
    for (position, message) in list(&body["messages"]).iter().enumerate() {
        let role = text(message, "role");
        ensure!(["system", "user", "assistant", "tool"].contains(&role), "role {role}");
        ensure!(message["content"].is_string(), "message {position}: {}", message["content"]);
        let is_bare = |image: &Value| image.as_str().is_some_and(|image| !image.contains(':'));
        ensure!(list(&message["images"]).iter().all(is_bare), "message {position}: images");
        list(&message["tool_calls"]).iter().try_for_each(valid_call)?;
    }
    for tool in list(&body["tools"]) {
        let function = &tool["function"];
        ensure!(function["name"].is_string() && function["parameters"].is_object(), "tool {tool}");
    }
    let format = &body["format"];
    ensure!(format.is_null() || format.is_object() || format == "json", "format {format}");
    ensure!(body["options"].is_null() || body["options"].is_object(), "options");
    for name in ["tool_choice", "max_tokens", "temperature"] {
        ensure!(body.get(name).is_none(), "{name} is no member");
    }
    Ok(())
}

fn valid_call(call: &Value) -> Verdict {
    let function = &call["function"];
    ensure!(function["name"].is_string() && function["arguments"].is_object(), "call {call}");
    Ok(())
}

pub(crate) fn valid_reply(body: &Value) -> Verdict {
    valid_line(body)?;
    ensure!(body["done"] == true && body["done_reason"].is_string(), "not done");
    Ok(())
}

fn valid_line(line: &Value) -> Verdict {
    ensure!(line["model"].is_string(), "no model");
    ensure!(text(line, "created_at").ends_with('Z'), "created_at {}", line["created_at"]);
    let message = &line["message"];
    ensure!(message["role"] == "assistant" && message["content"].is_string(), "message {message}");
    list(&message["tool_calls"]).iter().try_for_each(valid_call)?;
    for name in ["prompt_eval_count", "eval_count"] {
        ensure!(line[name].is_null() || line[name].is_u64(), "{name} {}", line[name]);
    }
    Ok(())
}

pub(crate) fn valid_error(body: &Value) -> Verdict {
    ensure!(!text(body, "error").is_empty(), "no error");
    Ok(())
}

pub(crate) fn valid_stream(events: &[Event]) -> Verdict {
    for (position, event) in events.iter().enumerate() {
        let line: Value = serde_json::from_str(&event.data).map_err(|error| error.to_string())?;
        let is_last = position + 1 == events.len();
        if is_last && line["error"].is_string() {
            return Ok(());
        }
        valid_line(&line)?;
        ensure!(line["done"] == is_last, "done {} at line {position}", line["done"]);
        ensure!(!is_last || line["done_reason"].is_string(), "no done_reason");
    }
    Ok(())
}

// --- what the dialect has no place for ---

fn is_lost(loss: &Mismatch<'_>) -> bool {
    through(loss, Dialect::OllamaChat) && loss.actual.is_null()
}

const fn no_knob(feature: &'static str) -> Allowed {
    Allowed { feature, applies: is_lost, reason: "Ollama has no such knob" }
}

const fn no_place(feature: &'static str) -> Allowed {
    Allowed { feature, applies: is_lost, reason: "Ollama's messages have no place for it" }
}

pub(crate) const ALLOWED: &[Allowed] = &[
    no_knob("parallel tool calls"),
    no_knob("n"),
    no_knob("user"),
    no_knob("cache breakpoints"),
    no_knob("web search"),
    no_place("tool errors"),
    no_place("earlier signatures"),
    no_place("earlier encrypted reasoning"),
    no_place("signatures"),
    no_place("encrypted reasoning"),
    no_place("server tools"),
    no_place("server tool history"),
    no_place("citations"),
    no_place("quotes"),
    no_place("output files"),
    Allowed {
        feature: "translation",
        applies: |loss| is_refused(loss, Dialect::OllamaChat, "messages[", ".video_url"),
        reason: "refused: Ollama takes no films",
    },
    Allowed {
        feature: "logprobs",
        applies: is_lost,
        reason: "Ollama's probabilities are not translated",
    },
    Allowed {
        feature: "choices",
        applies: is_lost,
        reason: "Ollama gives one answer; the first is kept",
    },
    Allowed {
        feature: "tool choice",
        applies: |loss| is_lost(loss) && *loss.expected == "auto",
        reason: "Ollama has no word for its default, which leaves calls to the model",
    },
    Allowed {
        feature: "tool choice",
        applies: |loss| is_lost(loss) && *loss.expected == "none",
        reason: "Ollama forbids calls by leaving the tools out",
    },
    Allowed {
        feature: "tools",
        applies: |loss| is_lost(loss) && forbids_calls(loss),
        reason: "Ollama forbids calls by leaving the tools out",
    },
    Allowed { feature: "tool choice", applies: is_lost, reason: "Ollama cannot force a call" },
    Allowed {
        feature: "tools",
        applies: |loss| through(loss, Dialect::OllamaChat) && differs_in_strictness(loss),
        reason: "Ollama does not hold models to the schema of a tool",
    },
    Allowed {
        feature: "earlier reasoning",
        applies: |loss| through(loss, Dialect::OllamaChat) && is_joined(loss),
        reason: "Ollama's messages have one text of thinking",
    },
    Allowed {
        feature: "earlier reasoning",
        applies: |loss| {
            is_lost(loss) && is_signed(loss.exchange) && loss.direction == Direction::Back
        },
        reason: "Claude refuses thinking back whose signature was lost",
    },
    Allowed {
        feature: "tool results",
        applies: |loss| through(loss, Dialect::OllamaChat) && is_joined(loss),
        reason: "several texts of a result become lines of one",
    },
    Allowed {
        feature: "tool arguments",
        applies: |loss| through(loss, Dialect::OllamaChat) && is_wrapped(loss),
        reason: "Ollama's arguments are an object: what is none is kept in its member `arguments`",
    },
    Allowed {
        feature: "tool arguments",
        applies: |loss| through(loss, Dialect::OllamaChat) && is_cut_off(loss),
        reason: "arguments that were cut off are no object: they are kept in the member `arguments`",
    },
    Allowed {
        feature: "tool calls",
        applies: |loss| through(loss, Dialect::OllamaChat) && is_without_arguments(loss),
        reason: "arguments `null` mean none, which Ollama spells `{}`",
    },
    Allowed {
        feature: "id",
        applies: |loss| {
            through(loss, Dialect::OllamaChat)
                && (loss.actual.is_null() || *loss.actual == "fallback-id")
        },
        reason: "Ollama's answers have no id",
    },
    Allowed {
        feature: "finish reason",
        applies: |loss| {
            through(loss, Dialect::OllamaChat)
                && ((*loss.expected == "end" && *loss.actual == "tools")
                    || (*loss.expected == "declined" && *loss.actual == "end"))
        },
        reason: "Ollama says `stop` for every end but that of tokens",
    },
    Allowed {
        feature: "usage total",
        applies: |loss| through(loss, Dialect::OllamaChat) && !loss.actual.is_null(),
        reason: "Ollama reports no total; some hosts count thinking only there",
    },
    no_place("usage cached"),
    no_place("usage cache writes"),
    no_place("usage reasoning"),
    Allowed { feature: "error code", applies: is_lost, reason: "Ollama's errors are a text" },
    Allowed {
        feature: "error type",
        applies: |loss| through(loss, Dialect::OllamaChat),
        reason: "Ollama's errors are a text",
    },
    Allowed {
        feature: "translation",
        applies: |loss| is_refused(loss, Dialect::OllamaChat, "messages[", ".input_audio"),
        reason: "refused: Ollama takes no audio",
    },
    Allowed {
        feature: "translation",
        applies: |loss| is_refused(loss, Dialect::OllamaChat, "messages[", ".source"),
        reason: "refused: Ollama takes the bytes of images, and documents as text only",
    },
    Allowed {
        feature: "translation",
        applies: |loss| is_refused(loss, Dialect::OllamaChat, "messages[", ".type"),
        reason: "refused: content blocks of another vendor (containers, video)",
    },
    Allowed {
        feature: "translation",
        applies: |loss| is_refused(loss, Dialect::OllamaChat, "tools[", ".type"),
        reason: "refused: tools of another vendor that the caller runs (computer, memory, grammars)",
    },
];

fn forbids_calls(loss: &Mismatch<'_>) -> bool {
    let request = loss.exchange.request.as_ref();
    let choice = request.map(|request| &request["tool_choice"]);
    choice.is_some_and(|choice| {
        choice["type"] == "none"
            || choice.as_str().is_some_and(|word| word.eq_ignore_ascii_case("none"))
    })
}

fn differs_in_strictness(loss: &Mismatch<'_>) -> bool {
    let without = |tools: &Value| -> Vec<Vec<Value>> {
        list(tools).iter().map(|tool| list(tool).iter().take(3).cloned().collect()).collect()
    };
    without(loss.expected) == without(loss.actual)
}

/// Whether the same is said but for the ends of lines.
fn is_joined(loss: &Mismatch<'_>) -> bool {
    let joined = |texts: &Value| -> String {
        list(texts).iter().filter_map(Value::as_str).collect::<String>().replace('\n', "")
    };
    joined(loss.expected) == joined(loss.actual)
}

/// Whether what is no JSON was kept, white space at its end included.
fn is_cut_off(loss: &Mismatch<'_>) -> bool {
    let pairs = list(loss.expected).iter().zip(list(loss.actual));
    pairs.into_iter().all(|(expected, actual)| {
        let kept = actual["arguments"].as_str().map(str::trim);
        expected == actual || (expected.is_string() && kept == expected.as_str())
    })
}
