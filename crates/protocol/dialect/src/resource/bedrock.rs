//! Batches of AWS Bedrock: `…/model-invocation-job`. Their input and output lie in buckets.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::read;
use super::thing::{Ask, Batch, BatchState, Page, Thing};
use super::{ResourceCall, ResourceRequest};
use crate::Dialect;
use crate::error::{Error, What};
use crate::json::{Object, Raw};
use crate::operation::Operation;

pub(super) fn read_ask<'a>(_: &ResourceRequest<'a>) -> Result<Ask<'a>, Error> {
    // Its input lies in a bucket of AWS, which no other provider reads.
    Err(Error::new(What::Inexpressible(Dialect::OpenAiBatches)))
}

pub(super) fn write_ask(ask: &Ask<'_>, call: &mut ResourceCall) -> Result<(), Error> {
    call.value("id", &ask.id);
    if ask.operation == Operation::BatchList {
        call.query_if("maxResults", ask.limit.as_deref());
        call.query_if("nextToken", ask.after.as_deref());
    }
    let Some(batch) = &ask.batch else { return Ok(()) };
    let needed = |name: &str, value: &Option<String>| {
        value.clone().ok_or_else(|| Error::at(name, What::Missing))
    };
    let role = needed("role_arn", &batch.role)?;
    let output = needed("output_s3_uri", &batch.output_uri)?;
    let input = needed("input_file_id", &batch.input_file)?;
    if batch.model.is_empty() {
        return Err(Error::at("model", What::Missing));
    }
    let name = batch.name.clone().unwrap_or_else(|| job_name(&input));
    let mut body = Object::new(call.json());
    body.str("jobName", &name);
    body.str("roleArn", &role);
    body.str("modelId", &batch.model);
    let mut source = body.object("inputDataConfig");
    source.object("s3InputDataConfig").str("s3Uri", &input);
    drop(source);
    let mut target = body.object("outputDataConfig");
    target.object("s3OutputDataConfig").str("s3Uri", &output);
    Ok(())
}

/// A name of the characters that names may have, after the input.
fn job_name(input: &str) -> String {
    const NAME_CHARS_MAX: usize = 63;
    let stem = input.rsplit('/').next().unwrap_or(input);
    let fit = |it: char| if it.is_ascii_alphanumeric() { it } else { '-' };
    let name: String = stem.chars().map(fit).take(NAME_CHARS_MAX).collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "batch".to_owned() } else { name.to_owned() }
}

/// ARNs and URIs have slashes and colons in them.
pub(super) fn path_safe(id: &str) -> String {
    STANDARD.encode(id)
}

/// What [`path_safe`] made of an id; an id that is as AWS spells it stays.
pub(super) fn from_path_safe(id: &str) -> String {
    let is_plain = id.starts_with("arn:") || id.starts_with("s3://");
    let decoded = STANDARD.decode(id).ok().filter(|_| !is_plain);
    decoded.and_then(|id| String::from_utf8(id).ok()).unwrap_or_else(|| id.to_owned())
}

pub(super) fn read_thing(operation: Operation, body: &[u8], id: &str) -> Result<Thing, Error> {
    read::with_root(body, |root| {
        Ok(match operation {
            Operation::BatchList => {
                let next = read::text(root, "nextToken");
                let items = read::list(root, "invocationJobSummaries", read_batch);
                Thing::Batches(Page { items, has_more: next.is_some(), next })
            }
            // The answer to a stop says nothing.
            Operation::BatchCancel => Thing::Batch(Box::new(Batch {
                id: id.to_owned(),
                state: BatchState::Cancelling,
                ..Batch::default()
            })),
            _ => Thing::Batch(Box::new(read_batch(root))),
        })
    })
}

const STATES: &[(&str, BatchState)] = &[
    ("Submitted", BatchState::Validating),
    ("Validating", BatchState::Validating),
    ("Scheduled", BatchState::Validating),
    ("InProgress", BatchState::InProgress),
    ("Completed", BatchState::Completed),
    ("PartiallyCompleted", BatchState::Completed),
    ("Failed", BatchState::Failed),
    ("Stopping", BatchState::Cancelling),
    ("Stopped", BatchState::Cancelled),
    ("Expired", BatchState::Expired),
];

fn read_batch(root: Raw<'_>) -> Batch {
    let status = read::text(root, "status").unwrap_or_default();
    let state = STATES.iter().find(|(name, _)| *name == status).map(|(_, state)| *state);
    let uri = |outer: &str, inner: &str| read::text(root.member(outer)?.member(inner)?, "s3Uri");
    Batch {
        id: read::text(root, "jobArn").unwrap_or_default(),
        state: state.unwrap_or_default(),
        name: read::text(root, "jobName"),
        model: read::text(root, "modelId"),
        input_file: uri("inputDataConfig", "s3InputDataConfig"),
        output_file: uri("outputDataConfig", "s3OutputDataConfig"),
        error: read::text(root, "message"),
        created: read::time(root, "submitTime").unwrap_or_default(),
        ended: read::time(root, "endTime"),
        expires: read::time(root, "jobExpirationTime"),
        ..Batch::default()
    }
}

pub(super) fn write_thing(_: &Thing, _: &mut Vec<u8>) -> Result<(), Error> {
    Err(Error::new(What::Inexpressible(Dialect::BedrockJobs)))
}
