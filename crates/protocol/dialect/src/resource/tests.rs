//! Things that are kept, from each vendor's spelling to each other's.

use serde_json::{Value, json};

use super::*;

const OPENAI_BATCH: &str = r#"{"id":"batch_1","object":"batch","endpoint":"/v1/responses","model":"gpt-5","errors":null,
    "input_file_id":"file-1","completion_window":"24h","status":"completed","output_file_id":"file-2","error_file_id":null,
    "created_at":1787150474,"in_progress_at":1787150537,"expires_at":1787236874,"completed_at":1787150607,
    "request_counts":{"total":3,"completed":2,"failed":1},"metadata":{"a":"b"}}"#;
const ANTHROPIC_BATCH: &str = r#"{"id":"msgbatch_1","type":"message_batch","processing_status":"ended",
    "request_counts":{"processing":0,"succeeded":1,"errored":1,"canceled":0,"expired":0},
    "ended_at":"2026-08-19T14:49:14.512507+00:00","created_at":"2026-08-19T14:47:10.487960+00:00",
    "expires_at":"2026-08-20T14:47:10.487960+00:00","archived_at":null,"cancel_initiated_at":null,"results_url":"x"}"#;
const GEMINI_BATCH: &str = r#"{"name":"batches/b1","metadata":{"@type":"t","model":"models/gemini-2.5-flash",
    "displayName":"mine","createTime":"2026-08-19T14:34:12.267870162Z","state":"BATCH_STATE_RUNNING","name":"batches/b1",
    "batchStats":{"requestCount":"2","pendingRequestCount":"1","successfulRequestCount":"1"}}}"#;
const BEDROCK_JOB: &str = r#"{"jobArn":"arn:aws:bedrock:us-east-1:1:model-invocation-job/j","jobName":"n","modelId":"m",
    "status":"Stopping","submitTime":"2026-08-19T14:34:12Z",
    "inputDataConfig":{"s3InputDataConfig":{"s3Uri":"s3://b/in.jsonl"}},
    "outputDataConfig":{"s3OutputDataConfig":{"s3Uri":"s3://b/out/"}}}"#;
const GEMINI_FILE: &str = r#"{"file":{"name":"files/f1","displayName":"a.pdf","mimeType":"application/pdf",
    "sizeBytes":"14560","createTime":"2026-06-17T14:13:00.159379Z","expirationTime":"2026-06-19T14:12:59Z",
    "uri":"https://g/files/f1","state":"ACTIVE","source":"UPLOADED"}}"#;

fn request<'a>(operation: Operation, id: &'a str, body: &'a str) -> ResourceRequest<'a> {
    ResourceRequest {
        operation,
        id,
        ids_are_path_safe: true,
        model: "",
        query: "limit=7&after=a%2Fb&after_id=c&pageSize=9",
        content_type: b"application/json",
        body: body.as_bytes(),
    }
}

fn reply(upstream: Dialect, caller: Dialect, operation: Operation, body: &str) -> Value {
    let options = ResourceReply { operation, id: "the-id", ids_are_path_safe: true };
    let mut out = Vec::new();
    let answer =
        translate_resource_reply(upstream, caller, &options, body.as_bytes(), &mut out).unwrap();
    assert_eq!(answer, ResourceAnswer::Written("application/json"));
    serde_json::from_slice(&out).unwrap()
}

#[test]
fn a_batch_of_each_vendor_is_one_of_openai() {
    use Dialect as D;
    let read = |from, body| reply(from, D::OpenAiBatches, Operation::BatchRetrieve, body);
    let anthropic = read(D::AnthropicBatches, ANTHROPIC_BATCH);
    assert_eq!(anthropic["id"], "msgbatch_1");
    assert_eq!(
        (&anthropic["object"], &anthropic["status"]),
        (&json!("batch"), &json!("completed"))
    );
    assert_eq!(anthropic["created_at"], 1_787_150_830);
    assert_eq!(anthropic["completed_at"], 1_787_150_954);
    assert_eq!(anthropic["request_counts"], json!({"total":2,"completed":1,"failed":1}));
    let gemini = read(D::GeminiBatches, GEMINI_BATCH);
    assert_eq!((&gemini["id"], &gemini["status"]), (&json!("batches-b1"), &json!("in_progress")));
    assert_eq!(gemini["model"], "gemini-2.5-flash");
    assert_eq!(gemini["request_counts"], json!({"total":2,"completed":1,"failed":0}));
    let bedrock = read(D::BedrockJobs, BEDROCK_JOB);
    assert_eq!(bedrock["status"], "cancelling");
    let id = bedrock["id"].as_str().unwrap();
    assert_eq!(bedrock::from_path_safe(id), "arn:aws:bedrock:us-east-1:1:model-invocation-job/j");
    assert_eq!(bedrock::from_path_safe("arn:aws:x"), "arn:aws:x");
    let own = read(D::OpenAiBatches, OPENAI_BATCH);
    let expected: Value = serde_json::from_str(OPENAI_BATCH).unwrap();
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&own[name], value, "{name}");
    }
}

#[test]
fn a_batch_of_openai_is_one_of_each_vendor() {
    let write = |to| reply(Dialect::OpenAiBatches, to, Operation::BatchRetrieve, OPENAI_BATCH);
    let anthropic = write(Dialect::AnthropicBatches);
    assert_eq!(
        (&anthropic["type"], &anthropic["id"]),
        (&json!("message_batch"), &json!("batch_1"))
    );
    assert_eq!(anthropic["processing_status"], "ended");
    let counts = json!({"processing":0,"succeeded":2,"errored":1,"canceled":0,"expired":0});
    assert_eq!(anthropic["request_counts"], counts);
    assert_eq!(anthropic["created_at"], "2026-08-19T14:41:14Z");
    let gemini = write(Dialect::GeminiBatches);
    assert_eq!((&gemini["name"], &gemini["done"]), (&json!("batches/batch_1"), &json!(true)));
    assert_eq!(gemini["metadata"]["state"], "BATCH_STATE_SUCCEEDED");
    assert_eq!(gemini["metadata"]["output"]["responsesFile"], "file-2");
}

#[test]
fn files_keep_their_name_size_and_times() {
    let file =
        reply(Dialect::GeminiFiles, Dialect::OpenAiFiles, Operation::FileUpload, GEMINI_FILE);
    let expected = json!({"id":"files-f1","object":"file","bytes":14560,"created_at":1_781_705_580,
        "expires_at":1_781_878_379,"filename":"a.pdf","purpose":"user_data","status":"processed",
        "storage_uri":"https://g/files/f1"});
    assert_eq!(file, expected);
    let body = r#"{"data":[{"type":"file","id":"file_1","size_bytes":2,"created_at":"2026-07-21T22:04:47Z",
        "filename":"x.txt","mime_type":"text/plain","downloadable":true}],"has_more":true,"last_id":"file_1"}"#;
    let list = reply(Dialect::AnthropicFiles, Dialect::OpenAiFiles, Operation::FileList, body);
    assert_eq!((&list["has_more"], &list["last_id"]), (&json!(true), &json!("file_1")));
    assert_eq!(list["data"][0]["filename"], "x.txt");
    let list = reply(Dialect::AnthropicFiles, Dialect::GeminiFiles, Operation::FileList, body);
    assert_eq!(list["files"][0]["name"], "files/file_1");
    assert_eq!(list["nextPageToken"], "file_1");
    let empty = reply(Dialect::GeminiFiles, Dialect::OpenAiFiles, Operation::FileList, "{}");
    assert_eq!((&empty["data"], &empty["has_more"]), (&json!([]), &json!(false)));
    let gone = reply(Dialect::GeminiFiles, Dialect::OpenAiFiles, Operation::FileDelete, "");
    assert_eq!(gone, json!({"id":"the-id","object":"file","deleted":true}));
}

#[test]
fn lists_are_asked_for_by_each_vendors_names() {
    let ask = |to| {
        let request = request(Operation::BatchList, "", "");
        translate_resource_request(Dialect::OpenAiBatches, to, &request).unwrap().query
    };
    let pairs =
        |pairs: [(&'static str, &str); 2]| pairs.map(|(name, value)| (name, value.to_owned()));
    assert_eq!(ask(Dialect::AnthropicBatches), pairs([("limit", "7"), ("after_id", "a/b")]));
    assert_eq!(ask(Dialect::GeminiBatches), pairs([("pageSize", "7"), ("pageToken", "a/b")]));
    assert_eq!(ask(Dialect::BedrockJobs), pairs([("maxResults", "7"), ("nextToken", "a/b")]));
}

#[test]
fn ids_are_found_again_in_the_path() {
    for (to, id, expected) in [
        (Dialect::GeminiFiles, "files-f1", "f1"),
        (Dialect::GeminiFiles, "files/f1", "f1"),
        (Dialect::AnthropicFiles, "file_1", "file_1"),
    ] {
        let request = request(Operation::FileRetrieve, id, "");
        let call = translate_resource_request(Dialect::OpenAiFiles, to, &request).unwrap();
        assert_eq!(call.values, [("id", expected.to_owned())]);
    }
}

const REQUESTS: &str = r#"{"endpoint":"/v1/chat/completions","completion_window":"24h","requests":[
    {"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"anthropic/m","max_tokens":5,
     "messages":[{"role":"user","content":"hi"}]}},
    {"custom_id":"b","params":{"model":"m","max_tokens":6,"messages":[{"role":"user","content":"ho"}]}}]}"#;

#[test]
fn questions_of_a_batch_are_asked_in_the_providers_dialect() {
    let request = request(Operation::BatchCreate, "", REQUESTS);
    let ask = |to| translate_resource_request(Dialect::OpenAiBatches, to, &request);
    let call = ask(Dialect::AnthropicBatches).unwrap();
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!(body["requests"][0]["custom_id"], "a");
    assert_eq!(body["requests"][0]["params"]["model"], "m");
    assert_eq!(body["requests"][0]["params"]["max_tokens"], 5);
    assert_eq!(body["requests"][1]["params"]["messages"][0]["content"], "ho");
    let call = ask(Dialect::GeminiBatches).unwrap();
    assert_eq!(call.values[1], ("model", "m".to_owned()));
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    let requests = &body["batch"]["inputConfig"]["requests"]["requests"];
    assert_eq!(requests[1]["request"]["contents"][0]["parts"][0]["text"], "ho");
    assert_eq!(requests[1]["metadata"]["key"], "b");
    let error = ask(Dialect::BedrockJobs).unwrap_err();
    assert_eq!(error.path, "role_arn");
}

#[test]
fn a_job_of_bedrock_says_who_may_write_where() {
    let body =
        r#"{"input_file_id":"s3://b/my in.jsonl","role_arn":"arn:r","output_s3_uri":"s3://b/out"}"#;
    let request = ResourceRequest { model: "m", ..request(Operation::BatchCreate, "", body) };
    let call =
        translate_resource_request(Dialect::OpenAiBatches, Dialect::BedrockJobs, &request).unwrap();
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!(body["jobName"], "my-in-jsonl");
    assert_eq!(body["inputDataConfig"]["s3InputDataConfig"]["s3Uri"], "s3://b/my in.jsonl");
    assert_eq!(body["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"], "s3://b/out");
}

#[test]
fn answers_of_a_batch_are_told_in_the_callers_dialect() {
    let lines = concat!(
        r#"{"custom_id":"0","result":{"type":"succeeded","message":{"id":"m","type":"message","role":"assistant","model":"c","content":[{"type":"text","text":"6"}],"stop_reason":"end_turn","usage":{"input_tokens":2,"output_tokens":1}}}}"#,
        "\n\n",
        r#"{"custom_id":"1","result":{"type":"errored","error":{"type":"error","error":{"type":"invalid_request_error","message":"no"}}}}"#,
        "\n",
        r#"{"custom_id":"2","result":{"type":"expired"}}"#,
    );
    let told =
        reply(Dialect::AnthropicBatches, Dialect::OpenAiBatches, Operation::BatchResults, lines);
    assert_eq!(told["batch_id"], "the-id");
    let results = told["results"].as_array().unwrap();
    let message = &results[0]["response"]["body"]["choices"][0]["message"];
    assert_eq!((&results[0]["custom_id"], &message["content"]), (&json!("0"), &json!("6")));
    assert_eq!(results[1]["response"]["status_code"], 400);
    assert_eq!(results[1]["response"]["body"]["error"]["message"], "no");
    assert_eq!(results[2]["error"]["code"], "batch_expired");
}

#[test]
fn answers_in_a_file_are_fetched_and_those_in_the_batch_are_not() {
    let options =
        ResourceReply { operation: Operation::BatchResults, id: "b", ids_are_path_safe: false };
    let answer = |upstream, body: &str, out: &mut Vec<u8>| {
        let caller = Dialect::AnthropicBatches;
        translate_resource_reply(upstream, caller, &options, body.as_bytes(), out).unwrap()
    };
    let found = answer(Dialect::OpenAiBatches, OPENAI_BATCH, &mut Vec::new());
    assert_eq!(found, ResourceAnswer::InFile("file-2".to_owned()));
    let line = r#"{"custom_id":"k","response":{"status_code":200,"body":{"id":"c","object":"chat.completion","model":"m","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"7"}}]}},"error":null}"#;
    let mut out = Vec::new();
    let (upstream, caller) = (Dialect::OpenAiBatches, Dialect::AnthropicBatches);
    let written = translate_batch_file(upstream, caller, "b", line.as_bytes(), &mut out).unwrap();
    assert_eq!(written, ResourceAnswer::Written("application/x-jsonl"));
    let told: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(told["result"]["message"]["content"][0]["text"], "7");
    let inline = r#"{"name":"batches/b1","metadata":{"state":"BATCH_STATE_SUCCEEDED"},"response":{"inlinedResponses":
        {"inlinedResponses":[{"metadata":{"key":"x"},"response":{"candidates":[{"content":{"role":"model",
        "parts":[{"text":"8"}]},"finishReason":"STOP"}]}}]}}}"#;
    let mut out = Vec::new();
    let written = answer(Dialect::GeminiBatches, inline, &mut out);
    assert_eq!(written, ResourceAnswer::Written("application/x-jsonl"));
    let told: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(told["custom_id"], "x");
    assert_eq!(told["result"]["message"]["content"][0]["text"], "8");
}

#[test]
fn a_file_goes_into_each_vendors_form() {
    let sent = "--b\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--b\r\n\
        Content-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\n\
        hello\r\n--b--\r\n";
    let request = ResourceRequest {
        content_type: b"multipart/form-data; boundary=b",
        ..request(Operation::FileUpload, "", sent)
    };
    let upload = |to| translate_resource_request(Dialect::OpenAiFiles, to, &request).unwrap();
    let call = upload(Dialect::AnthropicFiles);
    let text = String::from_utf8(call.body).unwrap();
    assert!(
        text.contains("filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\nhello\r\n--form-")
    );
    assert!(!text.contains("purpose"));
    let call = upload(Dialect::GeminiFiles);
    assert_eq!(call.headers, [("x-goog-upload-protocol", "multipart".to_owned())]);
    let text = String::from_utf8(call.body).unwrap();
    assert!(text.contains(r#"{"file":{"display_name":"a.txt","mime_type":"text/plain"}}"#));
    assert!(text.contains("Content-Type: text/plain\r\n\r\nhello\r\n--form-"));
    let back = translate_resource_request(Dialect::AnthropicFiles, Dialect::OpenAiFiles, &request);
    let text = String::from_utf8(back.unwrap().body).unwrap();
    assert!(text.contains("name=\"purpose\"\r\n\r\nuser_data\r\n"));
    let broken = ResourceRequest { body: &request.body[..40], ..request };
    assert!(
        translate_resource_request(Dialect::OpenAiFiles, Dialect::AnthropicFiles, &broken).is_err()
    );
}

#[test]
fn what_only_one_vendor_has_is_not_translated() {
    let request = request(Operation::ContainerList, "", "");
    let (from, to) = (Dialect::OpenAiContainers, Dialect::AnthropicFiles);
    assert!(translate_resource_request(from, to, &request).unwrap_err().is_inexpressible());
}
