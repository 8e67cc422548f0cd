// The Node clients, unmodified. Reads {"targets": [{name, client, base_url, model}]} from standard input, runs every
// case of each target's client, and prints one line of JSON for each: {target, case, ok, error}.

import { createAmazonBedrock } from "@ai-sdk/amazon-bedrock";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import Anthropic from "@anthropic-ai/sdk";
import { BedrockRuntimeClient, ConverseCommand, ConverseStreamCommand } from "@aws-sdk/client-bedrock-runtime";
import { GoogleGenAI } from "@google/genai";
import { Mistral } from "@mistralai/mistralai";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { generateObject, generateText, stepCountIs, streamText, tool } from "ai";
import { CohereClientV2 } from "cohere-ai";
import assert from "node:assert/strict";
import OpenAI, { toFile } from "openai";
import { z } from "zod";

const HELLO = "say something nice";
const KEY = "sk-dummy";
const CREDENTIALS = { accessKeyId: "AKIADUMMY", secretAccessKey: "dummy" };
const CASE_MS = 20_000;

const messages = [{ role: "user", content: HELLO }];
const says = (text) => assert.match(text, new RegExp(HELLO));

async function joined(stream, text) {
  let all = "";
  let pieces = 0;
  for await (const item of stream) {
    const piece = text(item);
    if (piece) {
      all += piece;
      pieces += 1;
    }
  }
  assert.ok(pieces > 1, `${pieces} pieces`);
  says(all);
}

// What the AI SDK does with any of its models.
const vercel = (modelOf) => ({
  text: async (target) => says((await generateText({ model: modelOf(target), prompt: HELLO, maxRetries: 0 })).text),
  stream: async (target) => {
    const failures = [];
    const result = streamText({
      model: modelOf(target),
      prompt: HELLO,
      maxRetries: 0,
      onError: ({ error }) => failures.push(error),
    });
    await joined(result.textStream, (piece) => piece).catch((error) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  },
  "tool loop": async (target) => {
    const weather = tool({
      description: "The weather of a city.",
      inputSchema: z.object({ city: z.string(), days: z.number().int() }),
      execute: async ({ city }) => `sunny in ${city}`,
    });
    const result = await generateText({
      model: modelOf(target),
      prompt: HELLO,
      tools: { weather },
      stopWhen: stepCountIs(3),
      maxRetries: 0,
    });
    assert.match(result.text, /sunny in mock city/);
  },
  object: async (target) => {
    const schema = z.object({ name: z.string(), inhabitants: z.number().int() });
    const { object } = await generateObject({ model: modelOf(target), prompt: HELLO, schema, maxRetries: 0 });
    assert.ok(object.name);
  },
});

const aws = (settings) => ({
  converse: async (target) => {
    const reply = await awsClient(target, settings).send(new ConverseCommand(awsRequest(target)));
    says(reply.output.message.content[0].text);
  },
  "converse stream": async (target) => {
    const reply = await awsClient(target, settings).send(new ConverseStreamCommand(awsRequest(target)));
    await joined(reply.stream, (event) => event.contentBlockDelta?.delta?.text);
  },
});
const awsRequest = (target) => ({ modelId: target.model, messages: [{ role: "user", content: [{ text: HELLO }] }] });
const awsClient = (target, settings) =>
  new BedrockRuntimeClient({
    endpoint: target.base_url,
    region: "us-east-1",
    credentials: CREDENTIALS,
    maxAttempts: 1,
    ...settings(),
  });

const openai = (target) => new OpenAI({ baseURL: target.base_url, apiKey: KEY, maxRetries: 0 });
const anthropic = (target) => new Anthropic({ baseURL: target.base_url, apiKey: KEY, maxRetries: 0 });
const genai = (target) => new GoogleGenAI({ apiKey: KEY, vertexai: false, httpOptions: { baseUrl: target.base_url } });
const cohere = (target) => new CohereClientV2({ token: KEY, environment: target.base_url, maxRetries: 0 });
const mistral = (target) => new Mistral({ apiKey: KEY, serverURL: target.base_url });

const CLIENTS = {
  openai: {
    chat: async (target) => {
      const reply = await openai(target).chat.completions.create({ model: target.model, messages });
      says(reply.choices[0].message.content);
    },
    "chat stream": async (target) => {
      const stream = await openai(target).chat.completions.create({ model: target.model, messages, stream: true });
      await joined(stream, (chunk) => chunk.choices[0]?.delta?.content);
    },
    response: async (target) => {
      says((await openai(target).responses.create({ model: target.model, input: HELLO })).output_text);
    },
    "response stream": async (target) => {
      const stream = openai(target).responses.stream({ model: target.model, input: HELLO });
      says((await stream.finalResponse()).output_text);
    },
    embeddings: async (target) => {
      const reply = await openai(target).embeddings.create({ model: target.model, input: ["one"], dimensions: 8 });
      assert.equal(reply.data[0].embedding.length, 8);
    },
    speech: async (target) => {
      const reply = await openai(target).audio.speech.create({ model: target.model, voice: "alloy", input: HELLO });
      assert.equal(Buffer.from(await reply.arrayBuffer()).subarray(0, 3).toString(), "ID3");
    },
    transcription: async (target) => {
      const file = await toFile(Buffer.from("ID3 sound"), "talk.mp3");
      const reply = await openai(target).audio.transcriptions.create({ model: target.model, file });
      assert.match(reply.text, /talk\.mp3 with 9 bytes/);
    },
    "transcription stream": async (target) => {
      const file = await toFile(Buffer.from("ID3 sound"), "talk.mp3");
      const stream = await openai(target).audio.transcriptions.create({ model: target.model, file, stream: true });
      let text = "";
      for await (const event of stream) if (event.type === "transcript.text.delta") text += event.delta;
      assert.match(text, /talk\.mp3 with 9 bytes/);
    },
    "image edit": async (target) => {
      const image = await toFile(Buffer.from("\x89PNG", "latin1"), "a.png", { type: "image/png" });
      const reply = await openai(target).images.edit({ model: target.model, image: [image, image], prompt: "green" });
      assert.ok(reply.data[0].b64_json);
    },
    "image variation": async (target) => {
      const image = await toFile(Buffer.from("\x89PNG", "latin1"), "a.png", { type: "image/png" });
      const reply = await openai(target).images.createVariation({ model: target.model, image });
      assert.ok(reply.data[0].b64_json);
    },
  },
  anthropic: {
    message: async (target) => {
      const reply = await anthropic(target).messages.create({ model: target.model, max_tokens: 300, messages });
      says(reply.content[0].text);
    },
    "message stream": async (target) => {
      const stream = anthropic(target).messages.stream({ model: target.model, max_tokens: 300, messages });
      says(await stream.finalText());
    },
  },
  genai: {
    generate: async (target) => {
      says((await genai(target).models.generateContent({ model: target.model, contents: HELLO })).text);
    },
    "generate stream": async (target) => {
      const stream = await genai(target).models.generateContentStream({ model: target.model, contents: HELLO });
      await joined(stream, (chunk) => chunk.text);
    },
  },
  cohere: {
    chat: async (target) => {
      says((await cohere(target).chat({ model: target.model, messages })).message.content[0].text);
    },
    "chat stream": async (target) => {
      const stream = await cohere(target).chatStream({ model: target.model, messages });
      await joined(stream, (event) => (event.type === "content-delta" ? event.delta.message.content.text : ""));
    },
  },
  mistral: {
    chat: async (target) => {
      says((await mistral(target).chat.complete({ model: target.model, messages })).choices[0].message.content);
    },
    "chat stream": async (target) => {
      const stream = await mistral(target).chat.stream({ model: target.model, messages });
      await joined(stream, (event) => event.data.choices[0].delta.content);
    },
  },
  // Its default handler speaks HTTP/2 from the first byte, also without TLS.
  "aws http2": aws(() => ({})),
  "aws http1": aws(() => ({ requestHandler: new NodeHttpHandler() })),
  "ai openai chat": vercel((target) => createOpenAI({ baseURL: target.base_url, apiKey: KEY }).chat(target.model)),
  "ai openai responses": vercel((target) => createOpenAI({ baseURL: target.base_url, apiKey: KEY })(target.model)),
  "ai anthropic": vercel((target) =>
    createAnthropic({ baseURL: `${target.base_url}/v1`, apiKey: KEY })(target.model),
  ),
  "ai google": vercel((target) =>
    // It puts `models/` before the bare names only.
    createGoogleGenerativeAI({ baseURL: `${target.base_url}/v1beta`, apiKey: KEY })(`models/${target.model}`),
  ),
  "ai bedrock": vercel((target) =>
    createAmazonBedrock({ baseURL: target.base_url, region: "us-east-1", ...CREDENTIALS })(target.model),
  ),
};

async function run(target, name, call) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${CASE_MS} ms`)), CASE_MS);
  });
  try {
    await Promise.race([call(target), late]);
    return { target: target.name, case: name, ok: true };
  } catch (error) {
    return { target: target.name, case: name, ok: false, error: String(error?.stack ?? error).slice(0, 1000) };
  } finally {
    clearTimeout(timer);
  }
}

// With --list the cases of each client are printed instead.
if (process.argv.includes("--list")) {
  const cases = Object.entries(CLIENTS).map(([client, calls]) => [client, Object.keys(calls)]);
  process.stdout.write(`${JSON.stringify(Object.fromEntries(cases))}\n`);
  process.exit(0);
}
let input = "";
for await (const piece of process.stdin) input += piece;
for (const target of JSON.parse(input).targets) {
  for (const [name, call] of Object.entries(CLIENTS[target.client])) {
    process.stdout.write(`${JSON.stringify(await run(target, name, call))}\n`);
  }
}
process.exit(0);
