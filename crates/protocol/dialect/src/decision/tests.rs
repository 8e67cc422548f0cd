use crate::{
    Dialect, Error, Notes, ReplyOptions, RequestOptions, translate_reply, translate_request,
};

const ASK: &str = r#"{"model":"m","state":{"text":"I was charged twice"},"questions":{
    "angry":{"kind":"noul","instructions":"Is the customer angry?","criteria":{"true":"shouts"}},
    "topic":{"kind":"choice","criteria":{"billing":"money","bug":"defects"}},
    "urgency":{"kind":"score","criteria":["later","soon","now"]}}}"#;

fn ask(from: Dialect, to: Dialect, body: &str) -> Result<(String, Notes), Error> {
    let mut out = Vec::new();
    let options = RequestOptions::new("model");
    let notes = translate_request(from, to, body.as_bytes(), &options, &mut out)?;
    Ok((String::from_utf8(out).unwrap(), notes))
}

fn tell(from: Dialect, to: Dialect, notes: &Notes, body: &str) -> Result<String, Error> {
    let options = ReplyOptions { notes, model: Some("m"), trailer: b"", id: "x", created: 7 };
    let mut out = Vec::new();
    translate_reply(from, to, body.as_bytes(), &options, &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn questions_go_to_typesafe_in_its_own_words() {
    let (body, _) = ask(Dialect::Decisions, Dialect::SystemOne, ASK).unwrap();
    assert_eq!(
        body,
        r#"{"model":"model","state":{"text":"I was charged twice"},"questions":{"angry":{"type":"noul","instructions":"Is the customer angry?","criteria":{"true":"shouts"}},"topic":{"type":"choice","criteria":{"billing":"money","bug":"defects"}},"urgency":{"type":"score","criteria":["later","soon","now"]}}}"#
    );
    let (back, _) = ask(Dialect::SystemOne, Dialect::Decisions, &body).unwrap();
    assert_eq!(back, body.replace(r#""type":"#, r#""kind":"#));
}

#[test]
fn its_answers_come_back_with_one_name_for_their_value() {
    let (_, notes) = ask(Dialect::Decisions, Dialect::SystemOne, ASK).unwrap();
    let answers = r#"{"model":"jev-1.13.0","answers":{"angry":{"type":"noul","noul":0.98},"topic":{"type":"choice","choice":"billing","confidence":1,"probabilities":{"billing":1,"bug":0}},"urgency":{"type":"score","score":1.5,"confidence":0.5,"legend":{"0":"later"}}},"usage":{"input_tokens":4,"output_tokens":2}}"#;
    assert_eq!(
        tell(Dialect::SystemOne, Dialect::Decisions, &notes, answers).unwrap(),
        r#"{"model":"jev-1.13.0","answers":{"angry":{"kind":"noul","value":0.98},"topic":{"kind":"choice","value":"billing","confidence":1,"probabilities":{"billing":1,"bug":0}},"urgency":{"kind":"score","value":1.5,"confidence":0.5,"legend":{"0":"later"}}},"usage":{"prompt_tokens":4,"completion_tokens":2,"total_tokens":6}}"#
    );
}

#[test]
fn half_an_answer_is_none() {
    let (_, notes) = ask(Dialect::Decisions, Dialect::SystemOne, ASK).unwrap();
    for (answers, message) in [
        (r#"{"angry":{"type":"noul","noul":0.9}}"#, "answers.topic: has no answer of its kind"),
        (r#"{"angry":{"type":"noul","noul":1.9}}"#, "answers.angry: is no value of its kind"),
        (r#"{"angry":{"type":"noul"}}"#, "answers.angry.noul: is required"),
        (r#"{"angry":{"type":"odd"}}"#, "answers.angry.type: is no kind of answer"),
    ] {
        let reply = format!(r#"{{"answers":{answers}}}"#);
        let error = tell(Dialect::SystemOne, Dialect::Decisions, &notes, &reply).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn questions_that_make_no_sense_are_refused_by_name() {
    let options: Vec<String> = (0..256).map(|number| format!(r#""o{number}":"x""#)).collect();
    let many = format!(r#""kind":"choice","criteria":{{{}}}"#, options.join(","));
    for (question, message) in [
        (r#""kind":"odd""#, "questions.q.kind: must be"),
        (r#""instructions":"x""#, "questions.q.kind: is required"),
        (r#""kind":"noul","criteria":{"maybe":"x"}"#, "questions.q.criteria: must describe"),
        (r#""kind":"noul","instructions":3"#, "questions.q.instructions: must be"),
        (r#""kind":"choice""#, "questions.q.criteria: must be"),
        (r#""kind":"choice","criteria":{}"#, "questions.q.criteria: must hold"),
        (many.as_str(), "questions.q.criteria: must hold"),
        (r#""kind":"score","criteria":["a"]"#, "questions.q.criteria: must hold 2"),
        (r#""kind":"score","criteria":["a",2]"#, "questions.q.criteria: must hold 2"),
    ] {
        let body = format!(r#"{{"state":"s","questions":{{"q":{{{question}}}}}}}"#);
        let error = ask(Dialect::Decisions, Dialect::SystemOne, &body).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
    for (body, message) in [
        (r#"{"state":"s","questions":{}}"#, "questions: must hold"),
        (r#"{"state":"s"}"#, "questions: is required"),
        (r#"{"state":7,"questions":{"q":{"kind":"noul"}}}"#, "state: must be"),
        (r#"{"state":true,"questions":{"q":{"kind":"noul"}}}"#, "state: must be"),
    ] {
        let error = ask(Dialect::Decisions, Dialect::SystemOne, body).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}

#[test]
fn a_chat_model_is_made_to_call_a_tool() {
    for to in
        [Dialect::OpenAiChat, Dialect::AnthropicMessages, Dialect::Gemini, Dialect::CohereChat]
    {
        let (body, notes) = ask(Dialect::Decisions, to, ASK).unwrap();
        for said in
            ["I was charged twice", "Is the customer angry?", "answer_questions", "billing: money"]
        {
            assert!(body.contains(said), "{to:?}: {said} is missing in {body}");
        }
        assert!(notes.asked.contains("urgency"));
    }
    let extra = r#"{"state":"s","questions":{"q":{"kind":"noul"}},"images":["x"]}"#;
    let error = ask(Dialect::Decisions, Dialect::OpenAiChat, extra).unwrap_err();
    assert!(error.is_inexpressible() && error.path == "images");
}

fn called(arguments: &str) -> String {
    let arguments = format!("{arguments:?}");
    format!(
        r#"{{"id":"c","object":"chat.completion","created":1,"model":"gpt","choices":[{{"index":0,"finish_reason":"tool_calls","message":{{"role":"assistant","content":null,"tool_calls":[{{"id":"t","type":"function","function":{{"name":"answer_questions","arguments":{arguments}}}}}]}}}}],"usage":{{"prompt_tokens":5,"completion_tokens":6,"total_tokens":11}}}}"#
    )
}

#[test]
fn what_it_puts_into_the_tool_becomes_the_answers() {
    let (_, notes) = ask(Dialect::Decisions, Dialect::OpenAiChat, ASK).unwrap();
    let reply = called(r#"{"q0":0.25,"q1":{"o0":3,"o1":1},"q2":{"o0":0,"o1":0.5,"o2":0.5}}"#);
    let expected = r#"{"model":"m","answers":{"angry":{"kind":"noul","value":0.25},"topic":{"kind":"choice","value":"billing","confidence":0.75,"probabilities":{"billing":0.75,"bug":0.25}},"urgency":{"kind":"score","value":1.5,"confidence":0.5,"probabilities":{"0":0,"1":0.5,"2":0.5},"legend":{"0":"later","1":"soon","2":"now"}}},"usage":{"prompt_tokens":5,"completion_tokens":6,"total_tokens":11}}"#;
    assert_eq!(tell(Dialect::OpenAiChat, Dialect::Decisions, &notes, &reply).unwrap(), expected);
    let native = tell(Dialect::OpenAiChat, Dialect::SystemOne, &notes, &reply).unwrap();
    assert!(native.contains(r#""type":"choice","choice":"billing""#), "{native}");
}

#[test]
fn what_is_no_answer_is_refused() {
    let (_, notes) = ask(Dialect::Decisions, Dialect::OpenAiChat, ASK).unwrap();
    for arguments in [
        "",
        "{}",
        r#"{"q0":"high","q1":{"o0":1},"q2":{"o0":1}}"#,
        r#"{"q0":-1,"q1":{"o0":1},"q2":{"o0":1}}"#,
        r#"{"q0":1,"q1":{"o0":0},"q2":{"o0":1}}"#,
        r#"{"q0":1,"q1":{"o0":1}}"#,
    ] {
        let reply = called(arguments);
        assert!(
            tell(Dialect::OpenAiChat, Dialect::Decisions, &notes, &reply).is_err(),
            "{arguments}"
        );
    }
}
