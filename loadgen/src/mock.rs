//! `loadgen mock`: plays the providers of language models over HTTP/1.1, as badly as a test asks it to, and
//! remembers what it received.

mod answer;
mod anthropic;
mod args;
mod bedrock;
mod cohere;
mod connection;
mod control;
mod conversation;
mod decisions;
mod elevenlabs;
mod encode;
mod exchange;
mod fault;
mod films;
mod form;
mod gemini;
mod inbox;
mod kept;
mod limits;
mod mistral;
mod ollama;
mod openai;
mod parts;
mod plan;
mod predictions;
mod prerendered;
mod race;
mod record;
mod refusal;
mod reply;
mod request;
mod routes;
mod schema;
mod script;
mod server;
mod shape;
mod signature;
mod socket;
mod text;
mod tls;
mod vectors;
mod websocket;
mod wire;
mod world;

use std::error::Error;
use std::fs;
use std::sync::Arc;

pub(crate) use args::{Args, parse_duration};

use prerendered::Prerendered;
use world::World;

/// Serves until the process is ended; returns only with an error.
pub(crate) fn run(args: Args) -> Result<(), Box<dyn Error>> {
    socket::raise_file_limit()?;
    let tls = match (&args.tls_cert, &args.tls_key) {
        (Some(certificate), Some(key)) => Some(tls::config(certificate, key)?),
        _ => None,
    };
    let prerendered = args.prerendered.then(|| Prerendered::new(&args)).transpose()?;
    let world = World::new(args, prerendered);
    if let Some(path) = &world.args.script {
        let script = serde_json::from_str(&fs::read_to_string(path)?)?;
        world.scripts.add(script)?;
    }
    server::run(Arc::new(world), tls)?;
    Ok(())
}
