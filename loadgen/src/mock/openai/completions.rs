//! OpenAI's text completions.

use serde_json::{Value, json};

use super::misfit::refusal;
use super::write::usage;
use super::{CREATED, error_event, stops, with_headers};
use crate::mock::answer::{Answer, Ask, Finish, Last};
use crate::mock::form::{Form, check, may, must};
use crate::mock::refusal::Refusal;
use crate::mock::reply::{Reply, data_event};
use crate::mock::routes::Call;
use crate::mock::text::pieces;

const FORM: Form = Form::Fields(&[
    must("model", Form::Text),
    must("prompt", Form::Either(&[Form::Text, Form::List(&Form::Any)])),
    may("best_of", Form::Integer),
    may("echo", Form::Flag),
    may("frequency_penalty", Form::Decimal),
    may("logit_bias", Form::Object),
    may("logprobs", Form::Integer),
    may("max_tokens", Form::Integer),
    may("n", Form::Integer),
    may("presence_penalty", Form::Decimal),
    may("seed", Form::Integer),
    may("stop", Form::Either(&[Form::Text, Form::List(&Form::Text)])),
    may("stream", Form::Flag),
    may("stream_options", Form::Object),
    may("suffix", Form::Text),
    may("temperature", Form::Decimal),
    may("top_p", Form::Decimal),
    may("user", Form::Text),
]);

/// What a completion is cut to where the request sets no limit.
const TOKENS_DEFAULT: u64 = 16;

/// `POST …/completions`.
pub(crate) fn serve(call: &Call<'_>) -> Result<Reply, Refusal> {
    check(call.body, &FORM).map_err(|misfit| refusal(&misfit))?;
    let answers: Vec<Answer> = prompts(call.body)
        .into_iter()
        .map(|prompt| Answer::new(&ask(call.body, prompt), &call.size))
        .collect();
    let completions = Completions { call, answers: &answers };
    let reply = match call.body.get("stream").and_then(Value::as_bool) {
        Some(true) => Reply::events(completions.events(), error_event),
        _ => Reply::json(200, &completions.whole()),
    };
    Ok(with_headers(reply))
}

/// A prompt is text or tokens; a list of either is a choice for each.
fn prompts(request: &Value) -> Vec<String> {
    match request.get("prompt") {
        Some(Value::String(prompt)) => vec![prompt.clone()],
        Some(Value::Array(prompts)) if prompts.iter().any(|prompt| !prompt.is_number()) => {
            let text =
                |prompt: &Value| prompt.as_str().map_or_else(|| "tokens".to_owned(), str::to_owned);
            prompts.iter().map(text).collect()
        }
        _ => vec!["tokens".to_owned()],
    }
}

fn ask(request: &Value, prompt: String) -> Ask {
    let limit = request.get("max_tokens").and_then(Value::as_u64);
    Ask {
        prompt_bytes: prompt.len(),
        last: Last { text: prompt, is_tool_result: false },
        tokens_max: Some(limit.unwrap_or(TOKENS_DEFAULT)),
        stops: stops(request),
        ..Ask::default()
    }
}

struct Completions<'a> {
    call: &'a Call<'a>,
    answers: &'a [Answer],
}

impl Completions<'_> {
    fn whole(&self) -> Value {
        let choices = self.answers.iter().enumerate();
        let choices: Vec<Value> = choices
            .map(|(index, answer)| choice(index, &answer.text, Some(finish_reason(&answer.finish))))
            .collect();
        let mut completion = self.envelope(choices);
        completion["usage"] = self.usage();
        completion
    }

    fn events(&self) -> Vec<Vec<u8>> {
        let mut events = Vec::new();
        for (index, answer) in self.answers.iter().enumerate() {
            for piece in pieces(&answer.text, self.call.size.chunks) {
                events.push(data_event(&self.envelope(vec![choice(index, piece, None)])));
            }
            let last = choice(index, "", Some(finish_reason(&answer.finish)));
            events.push(data_event(&self.envelope(vec![last])));
        }
        let wants_usage = self.call.body.pointer("/stream_options/include_usage");
        if wants_usage.and_then(Value::as_bool) == Some(true) {
            let mut chunk = self.envelope(Vec::new());
            chunk["usage"] = self.usage();
            events.push(data_event(&chunk));
        }
        events.push(b"data: [DONE]\n\n".to_vec());
        events
    }

    fn envelope(&self, choices: Vec<Value>) -> Value {
        json!({
            "id": format!("cmpl-mock{:08}", self.call.id),
            "object": "text_completion",
            "created": CREATED,
            "model": self.call.model,
            "choices": choices,
        })
    }

    fn usage(&self) -> Value {
        self.answers.first().and_then(|answer| answer.usage).map(usage).unwrap_or_default()
    }
}

fn choice(index: usize, text: &str, finish_reason: Option<&str>) -> Value {
    json!({"text": text, "index": index, "logprobs": null, "finish_reason": finish_reason})
}

fn finish_reason(finish: &Finish) -> &'static str {
    match finish {
        Finish::Length => "length",
        Finish::Stop | Finish::StopSequence(_) | Finish::ToolCalls => "stop",
    }
}
