//! `:predict` of Vertex AI's text embedding models.

use memchr::memmem::Finder;

use super::{Embedding, Input, Reply, Request, Truncate, Vector, check_alike};
use crate::Dialect;
use crate::canonical::Usage;
use crate::embedding::gemini::{input_type_of_word, read_auto_truncate, word_of_input_type};
use crate::error::Error;
use crate::event_class::EventClass;
use crate::fields;
use crate::format::{Code, Format, Framing, UsagePlace, Whole};
use crate::gemini;
use crate::json::{Index, Object, Raw};
use crate::options::{Notes, ReplyOptions, RequestOptions};

pub(crate) static FORMAT: Format = Format {
    name: "vertex_embed",
    framing: Framing::Sse,
    code: Code::Embedding(Whole::<Embedding> {
        read_request,
        write_request,
        read_reply,
        write_reply,
    }),
    errors: gemini::ERRORS,
    // Each prediction says for itself how many tokens it took.
    usage: UsagePlace::outermost(
        "predictions",
        || Finder::new("\"predictions\""),
        |predictions, into| {
            let mut index = Index::new();
            sum_tokens(index.read(predictions.value()?).ok()?, into)
        },
    ),
    event_class: |_, _| EventClass::Output,
};

fn read_request<'a>(root: Raw<'a>) -> Result<Request<'a>, Error> {
    let mut request = Request::new(Dialect::VertexEmbed, "instances");
    let instances = fields::required(fields::object("", root)?, "instances")?;
    let mut first: Option<Raw<'a>> = None;
    fields::each("instances", instances, |_, instance| {
        if let Some(first) = first {
            check_alike(first, instance)?;
        }
        first.get_or_insert(instance);
        request.inputs.push(Input::Text(fields::required_text(instance, "content")?));
        Ok(())
    })?;
    if let Some(first) = first {
        request.input_type = fields::lenient_text(first, "task_type").map(input_type_of_word);
        request.title = fields::lenient_text(first, "title");
    }
    for (name, value) in root.members().filter(|(_, value)| !value.is_null()) {
        match &*name {
            "model" | "fallbacks" | "instances" => {}
            "parameters" => read_parameters(fields::object(&name, value)?, &mut request)
                .map_err(|error| error.in_member("parameters"))?,
            "extra_params" => request.extra.extend(fields::object(&name, value)?.members()),
            _ => request.keep(&[], &name, value),
        }
    }
    Ok(request)
}

fn read_parameters<'a>(parameters: Raw<'a>, request: &mut Request<'a>) -> Result<(), Error> {
    for (name, value) in parameters.members().filter(|(_, value)| !value.is_null()) {
        match &*name {
            "outputDimensionality" => request.dimensions = Some(fields::number(&name, value)?),
            "autoTruncate" => {
                request.truncate = Some(read_auto_truncate(fields::boolean(&name, value)?));
            }
            _ => request.keep(&[], &name, value),
        }
    }
    Ok(())
}

fn write_request(
    request: &Request<'_>,
    _: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let target = Dialect::VertexEmbed;
    let is_own = request.source == target;
    request.check_formats(target)?;
    notes.number_formats.clone_from(&request.formats);
    let task_type = request.input_type.as_ref().and_then(|it| word_of_input_type(it, is_own));
    let mut body = Object::new(out);
    let mut instances = body.array("instances");
    for text in request.texts(target) {
        let mut instance = instances.object();
        instance.text("content", &*text?);
        if let Some(word) = &task_type {
            instance.str("task_type", word);
        }
        instance.text_if("title", request.title.as_ref());
    }
    drop(instances);
    if request.dimensions.is_some() || request.truncate.is_some() {
        let mut parameters = body.object("parameters");
        parameters.raw_if("outputDimensionality", request.dimensions);
        if let Some(truncate) = request.truncate {
            parameters.bool("autoTruncate", truncate != Truncate::Never);
        }
    }
    if request.truncate == Some(Truncate::Start) {
        notes.drop("truncate");
    }
    if task_type.is_none() {
        request.note_dropped(notes, &["input_type"]);
    }
    request.note_dropped(notes, &["user"]);
    request.write_rest(target, notes, &mut body)
}

fn read_reply<'a>(root: Raw<'a>) -> Result<Reply<'a>, Error> {
    let predictions = fields::required(root, "predictions")?;
    let vectors = fields::each("predictions", predictions, |_, prediction| {
        let embeddings = fields::required(prediction, "embeddings")?;
        fields::required(embeddings, "values")
            .and_then(|values| Vector::read(values).map_err(|error| error.in_member("values")))
            .map_err(|error| error.in_member("embeddings"))
    })?;
    let mut usage = Usage::default();
    sum_tokens(predictions, &mut usage);
    Ok(Reply { lists: Reply::float_list(vectors), usage, ..Reply::default() })
}

/// Adds up what the predictions took; `None` if they do not say.
fn sum_tokens(predictions: Raw<'_>, into: &mut Usage) -> Option<()> {
    let tokens = |prediction: Raw<'_>| {
        let statistics = prediction.member("embeddings")?.member("statistics")?;
        statistics.member("token_count")?.as_u64()
    };
    let mut counts = predictions.elements().filter_map(tokens).peekable();
    counts.peek()?;
    into.reported = true;
    into.input = counts.fold(0, u64::saturating_add);
    into.total = into.input;
    Some(())
}

/// Writes a reply. What the inputs took is known as a sum, which the first prediction says for all.
fn write_reply(reply: &Reply<'_>, _: &ReplyOptions<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
    let vectors = reply.floats(Dialect::VertexEmbed)?;
    let mut object = Object::new(out);
    let mut predictions = object.array("predictions");
    for (position, vector) in vectors.iter().enumerate() {
        let mut prediction = predictions.object();
        let mut embeddings = prediction.object("embeddings");
        vector
            .write_numbers(embeddings.key("values"))
            .map_err(|error| error.in_element(position).in_member("embeddings"))?;
        if reply.usage.reported {
            let mut statistics = embeddings.object("statistics");
            statistics.u64("token_count", if position == 0 { reply.usage.input } else { 0 });
            statistics.bool("truncated", false);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::{Dialect, UsageReader};

    #[test]
    fn the_tokens_of_all_predictions_count() {
        let mut reader = UsageReader::new(Dialect::VertexEmbed);
        reader.reply(
            br#"{"predictions":[{"embeddings":{"statistics":{"token_count":4}}},{"embeddings":{"statistics":{"token_count":5}}}],"metadata":{}}"#,
        );
        assert_eq!((reader.usage().input, reader.usage().total), (9, 9));
    }
}
