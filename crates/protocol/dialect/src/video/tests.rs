use crate::{Dialect, Notes, ReplyOptions, RequestOptions, translate_reply, translate_request};

fn asked(from: Dialect, to: Dialect, model: &str, body: &str) -> (String, Notes) {
    let mut out = Vec::new();
    let options = RequestOptions { provider: "p", ..RequestOptions::new(model) };
    let notes = translate_request(from, to, body.as_bytes(), &options, &mut out)
        .unwrap_or_else(|error| panic!("{body}: {error}"));
    (String::from_utf8(out).unwrap(), notes)
}

fn told(from: Dialect, to: Dialect, body: &str) -> String {
    let notes = Notes { provider: "p".to_owned(), ..Notes::default() };
    let options =
        ReplyOptions { notes: &notes, model: Some("m"), trailer: b"", id: "x", created: 7 };
    let mut out = Vec::new();
    translate_reply(from, to, body.as_bytes(), &options, &mut out)
        .unwrap_or_else(|error| panic!("{body}: {error}"));
    String::from_utf8(out).unwrap()
}

const ASK: &str = r#"{"model":"p/m","prompt":"a cat","seconds":"4","size":"720x1280","seed":3,"negative_prompt":"dogs","input_reference":"data:image/png;base64,AA==","custom":true}"#;

#[test]
fn every_vendor_is_asked_in_its_own_words() {
    for (target, model, expected) in [
        (
            Dialect::OpenAiVideos,
            "sora-2",
            r#"{"model":"sora-2","prompt":"a cat","input_reference":{"image_url":"data:image/png;base64,AA=="},"seconds":"4","size":"720x1280","custom":true}"#,
        ),
        (
            Dialect::GeminiVideos,
            "veo-3",
            r#"{"instances":[{"prompt":"a cat","image":{"bytesBase64Encoded":"AA==","mimeType":"image/png"}}],"parameters":{"aspectRatio":"9:16","durationSeconds":4,"negativePrompt":"dogs","seed":3}}"#,
        ),
        (
            Dialect::RunwayVideos,
            "gen4_turbo",
            r#"{"model":"gen4_turbo","promptText":"a cat","promptImage":"data:image/png;base64,AA==","ratio":"720:1280","duration":4,"seed":3,"custom":true}"#,
        ),
        (
            Dialect::ReplicateVideo,
            "minimax/video-01",
            r#"{"input":{"prompt":"a cat","image":"data:image/png;base64,AA==","duration":4,"size":"720x1280","negative_prompt":"dogs","seed":3,"custom":true}}"#,
        ),
        (
            Dialect::RunwareVideos,
            "klingai:1@2",
            r#"[{"taskType":"videoInference","taskUUID":"00000000-0000-4000-8000-000000000000","model":"klingai:1@2","deliveryMethod":"async","positivePrompt":"a cat","negativePrompt":"dogs","width":720,"height":1280,"duration":4,"seed":3,"inputs":{"frameImages":[{"image":"data:image/png;base64,AA==","frame":"first"}]},"custom":true}]"#,
        ),
    ] {
        let (body, notes) = asked(Dialect::Videos, target, model, ASK);
        assert_eq!(body, expected, "{target:?}");
        assert_eq!(notes.provider, "p");
    }
}

#[test]
fn what_it_is_made_from_decides_where_a_film_is_asked_for() {
    for (body, path) in [
        (r#"{"prompt":"a"}"#, "/v1/text_to_video"),
        (r#"{"prompt":"a","input_reference":"https://x/y.png"}"#, "/v1/image_to_video"),
        (r#"{"prompt":"a","video_uri":"https://x/y.mp4"}"#, "/v1/video_to_video"),
    ] {
        let (_, notes) = asked(Dialect::Videos, Dialect::RunwayVideos, "gen4_aleph", body);
        assert_eq!(notes.path, Some(path));
    }
}

#[test]
fn what_a_vendor_cannot_be_asked_is_refused_by_name() {
    for (target, body, message) in [
        (Dialect::RunwayVideos, r#"{"prompt":"a","video_uri":"u"}"#, "video_uri: cannot"),
        (Dialect::RunwareVideos, r#"{"prompt":"a","video_uri":"u"}"#, "video_uri: cannot"),
        (
            Dialect::GeminiVideos,
            r#"{"prompt":"a","input_reference":"https://x"}"#,
            "input_reference: cannot",
        ),
        (Dialect::OpenAiVideos, r#"{"seconds":"4"}"#, "prompt: is required"),
        (Dialect::OpenAiVideos, r#"{"prompt":"a","seconds":"soon"}"#, "seconds: must be"),
    ] {
        let mut out = Vec::new();
        let options = RequestOptions::new("gen4_turbo");
        let refused =
            translate_request(Dialect::Videos, target, body.as_bytes(), &options, &mut out);
        let refused = refused.expect_err(body).to_string();
        assert!(refused.starts_with(message), "{refused}");
    }
}

#[test]
fn a_job_is_told_in_the_words_of_the_product() {
    for (from, body, expected) in [
        (
            Dialect::OpenAiVideos,
            r#"{"id":"video_1","object":"video","model":"sora-2","status":"queued","progress":0,"created_at":5,"size":"720x1280","seconds":"4","error":null}"#,
            r#"{"id":"video_1:p","object":"video","created_at":5,"status":"queued","model":"sora-2","progress":0,"seconds":"4","size":"720x1280"}"#,
        ),
        (
            Dialect::GeminiVideos,
            r#"{"name":"models/veo-3/operations/abc","metadata":{"createTime":"1970-01-01T00:00:09Z"}}"#,
            r#"{"id":"models%2Fveo-3%2Foperations%2Fabc:p","object":"video","created_at":9,"status":"in_progress","model":"m"}"#,
        ),
        (
            Dialect::GeminiVideos,
            r#"{"name":"o","done":true,"response":{"generateVideoResponse":{"generatedSamples":[{"video":{"uri":"https://f/1"}}]}}}"#,
            r#"{"id":"o:p","object":"video","created_at":7,"status":"completed","model":"m","videos":[{"type":"url","url":"https://f/1","content_type":"video/mp4"}]}"#,
        ),
        (
            Dialect::GeminiVideos,
            r#"{"name":"o","done":true,"response":{"generateVideoResponse":{"raiMediaFilteredCount":1,"raiMediaFilteredReasons":["no faces"]}}}"#,
            r#"{"id":"o:p","object":"video","created_at":7,"status":"failed","model":"m","error":{"code":"content_filtered","message":"no faces"}}"#,
        ),
        (
            Dialect::RunwayVideos,
            r#"{"id":"t1"}"#,
            r#"{"id":"t1:p","object":"video","created_at":7,"status":"queued","model":"m"}"#,
        ),
        (
            Dialect::RunwayVideos,
            r#"{"id":"t1","status":"FAILED","createdAt":"1970-01-01T00:00:09.1Z","failure":"too dark","failureCode":"INPUT"}"#,
            r#"{"id":"t1:p","object":"video","created_at":9,"status":"failed","model":"m","error":{"code":"INPUT","message":"too dark"}}"#,
        ),
        (
            Dialect::ReplicateVideo,
            r#"{"id":"a1","model":"minimax/video-01","status":"succeeded","output":"https://r/1.mp4","created_at":"1970-01-01T00:00:09Z","completed_at":"1970-01-01T00:01:00Z"}"#,
            r#"{"id":"a1:p","object":"video","created_at":9,"status":"completed","model":"minimax/video-01","completed_at":60,"videos":[{"type":"url","url":"https://r/1.mp4","content_type":"video/mp4"}]}"#,
        ),
        (
            Dialect::RunwareVideos,
            r#"{"data":[{"taskType":"videoInference","taskUUID":"u1","status":"success","videoURL":"https://r/1.mp4"}]}"#,
            r#"{"id":"u1:p","object":"video","created_at":7,"status":"completed","model":"m","videos":[{"type":"url","url":"https://r/1.mp4","content_type":"video/mp4"}]}"#,
        ),
    ] {
        assert_eq!(told(from, Dialect::Videos, body), expected, "{from:?}");
    }
}

#[test]
fn googles_callers_ask_other_vendors_and_get_operations() {
    let body = r#"{"instances":[{"prompt":"a cat","image":{"bytesBase64Encoded":"AA==","mimeType":"image/jpeg"}}],"parameters":{"durationSeconds":8,"aspectRatio":"16:9"}}"#;
    let (body, _) = asked(Dialect::GeminiVideos, Dialect::OpenAiVideos, "sora-2", body);
    assert_eq!(
        body,
        r#"{"model":"sora-2","prompt":"a cat","input_reference":{"image_url":"data:image/jpeg;base64,AA=="},"seconds":"8"}"#
    );
    let job =
        r#"{"id":"video_1","status":"completed","videos":[{"type":"url","url":"https://f"}]}"#;
    assert_eq!(
        told(Dialect::OpenAiVideos, Dialect::GeminiVideos, job),
        r#"{"name":"models/m/operations/video_1:p","done":true,"response":{"generateVideoResponse":{"generatedSamples":[{"video":{"uri":"https://f","encoding":"video/mp4"}}]}}}"#
    );
}

#[test]
fn a_job_cut_anywhere_is_an_error() {
    let body = r#"{"id":"video_1","status":"queued","created_at":5}"#;
    for from in [Dialect::OpenAiVideos, Dialect::GeminiVideos, Dialect::RunwayVideos] {
        for end in 0..body.len() {
            let notes = Notes::default();
            let options =
                ReplyOptions { notes: &notes, model: None, trailer: b"", id: "x", created: 7 };
            let cut = body.as_bytes().get(..end).unwrap();
            assert!(
                translate_reply(from, Dialect::Videos, cut, &options, &mut Vec::new()).is_err()
            );
        }
    }
}
