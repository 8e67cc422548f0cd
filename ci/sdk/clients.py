"""The six SDKs of the any-to-any table, each behind the same five calls, so that one test asks all of them.

A client is made for a target: a base URL and a model. What it hands back is plain text, or what a tool was
called with; everything else is the SDK's own business, strict checks included.
"""

import base64
import json

import anthropic
import boto3
import botocore.config
import cohere
import openai
from google import genai
from google.genai import types

LIMIT = 4096
SECONDS = 20
KEY = "sk-dummy"
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
DATA_URL = "data:image/png;base64," + base64.b64encode(PIXEL).decode()
TOOL = "weather"
ABOUT_TOOL = "The weather of a city."
PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
CITY = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "inhabitants": {"type": "integer"},
        "rivers": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["name", "inhabitants", "rivers"],
    "additionalProperties": False,
}


class OpenAiChat:
    """openai, chat completions, responses checked strictly."""

    sdk, dialect, route, straight = "openai chat", "openai", "/openai/v1", "/openai/v1"

    def __init__(self, base_url, model):
        self.model = model
        self.client = openai.OpenAI(
            base_url=base_url, api_key=KEY, max_retries=0, timeout=SECONDS, _strict_response_validation=True
        )

    def ask(self, content, **members):
        messages = [{"role": "user", "content": content}]
        return self.client.chat.completions.create(model=self.model, messages=messages, **members)

    def text(self, prompt):
        return self.ask(prompt).choices[0].message.content

    def stream(self, prompt):
        chunks = self.ask(prompt, stream=True)
        return [choice.delta.content or "" for chunk in chunks for choice in chunk.choices]

    def tools(self, prompt, answer):
        tool = {"name": TOOL, "description": ABOUT_TOOL, "parameters": PARAMETERS}
        tools = [{"type": "function", "function": tool}]
        first = self.ask(prompt, tools=tools).choices[0]
        assert first.finish_reason == "tool_calls"
        (call,) = first.message.tool_calls
        messages = [
            {"role": "user", "content": prompt},
            first.message.model_dump(exclude_none=True, include={"role", "content", "tool_calls"}),
            {"role": "tool", "tool_call_id": call.id, "content": answer},
        ]
        second = self.client.chat.completions.create(model=self.model, messages=messages, tools=tools)
        return call.function.name, json.loads(call.function.arguments), second.choices[0].message.content

    def image(self, prompt):
        content = [
            {"type": "text", "text": prompt},
            {"type": "image_url", "image_url": {"url": DATA_URL}},
        ]
        return self.ask(content).choices[0].message.content

    def structured(self, prompt):
        schema = {"name": "city", "schema": CITY, "strict": True}
        reply = self.ask(prompt, response_format={"type": "json_schema", "json_schema": schema})
        return reply.choices[0].message.content


class OpenAiResponses:
    """openai, responses, checked strictly."""

    sdk, dialect, route, straight = "openai responses", "openai", "/openai/v1", "/openai/v1"
    tool = {
        "type": "function",
        "name": TOOL,
        "description": ABOUT_TOOL,
        "parameters": PARAMETERS,
        "strict": True,
    }

    def __init__(self, base_url, model):
        self.model = model
        self.client = openai.OpenAI(
            base_url=base_url, api_key=KEY, max_retries=0, timeout=SECONDS, _strict_response_validation=True
        )

    def ask(self, content, **members):
        return self.client.responses.create(model=self.model, input=content, **members)

    def text(self, prompt):
        return self.ask(prompt).output_text

    def stream(self, prompt):
        events = self.ask(prompt, stream=True)
        return [event.delta for event in events if event.type == "response.output_text.delta"]

    def tools(self, prompt, answer):
        first = self.ask(prompt, tools=[self.tool])
        (call,) = [item for item in first.output if item.type == "function_call"]
        conversation = [
            {"role": "user", "content": prompt},
            *[item.model_dump(exclude_none=True) for item in first.output],
            {"type": "function_call_output", "call_id": call.call_id, "output": answer},
        ]
        second = self.ask(conversation, tools=[self.tool])
        return call.name, json.loads(call.arguments), second.output_text

    def image(self, prompt):
        content = [
            {"type": "input_text", "text": prompt},
            {"type": "input_image", "image_url": DATA_URL, "detail": "auto"},
        ]
        return self.ask([{"role": "user", "content": content}]).output_text

    def structured(self, prompt):
        schema = {"type": "json_schema", "name": "city", "schema": CITY, "strict": True}
        return self.ask(prompt, text={"format": schema}).output_text


class Anthropic:
    """anthropic, messages, checked strictly."""

    sdk, dialect, route, straight = "anthropic", "anthropic", "/anthropic", "/anthropic"
    tool = {"name": TOOL, "description": ABOUT_TOOL, "input_schema": PARAMETERS}

    def __init__(self, base_url, model):
        self.model = model
        self.client = anthropic.Anthropic(
            base_url=base_url, api_key=KEY, max_retries=0, timeout=SECONDS, _strict_response_validation=True
        )

    def ask(self, content, **members):
        messages = [{"role": "user", "content": content}]
        return self.client.messages.create(model=self.model, max_tokens=LIMIT, messages=messages, **members)

    def said(self, message):
        return "".join(block.text for block in message.content if block.type == "text")

    def text(self, prompt):
        return self.said(self.ask(prompt))

    def stream(self, prompt):
        messages = [{"role": "user", "content": prompt}]
        with self.client.messages.stream(model=self.model, max_tokens=LIMIT, messages=messages) as stream:
            return list(stream.text_stream)

    def tools(self, prompt, answer):
        first = self.ask(prompt, tools=[self.tool])
        assert first.stop_reason == "tool_use"
        (call,) = [block for block in first.content if block.type == "tool_use"]
        messages = [
            {"role": "user", "content": prompt},
            {"role": "assistant", "content": first.content},
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": call.id, "content": answer}],
            },
        ]
        second = self.client.messages.create(
            model=self.model, max_tokens=LIMIT, messages=messages, tools=[self.tool]
        )
        return call.name, call.input, self.said(second)

    def image(self, prompt):
        source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(PIXEL).decode()}
        return self.said(self.ask([{"type": "image", "source": source}, {"type": "text", "text": prompt}]))

    def structured(self, prompt):
        schema = {"format": {"type": "json_schema", "schema": CITY}}
        return self.said(self.ask(prompt, output_config=schema))


class GenAi:
    """google-genai against AI Studio's paths."""

    sdk, dialect, route, straight = "genai", "gemini", "/genai", "/gemini"

    def __init__(self, base_url, model):
        self.model = model
        options = types.HttpOptions(base_url=base_url, timeout=SECONDS * 1000)
        self.client = genai.Client(api_key=KEY, vertexai=False, http_options=options)

    def ask(self, contents, **settings):
        config = types.GenerateContentConfig(**settings) if settings else None
        return self.client.models.generate_content(model=self.model, contents=contents, config=config)

    def text(self, prompt):
        return self.ask(prompt).text

    def stream(self, prompt):
        chunks = self.client.models.generate_content_stream(model=self.model, contents=prompt)
        return [chunk.text or "" for chunk in chunks]

    def tools(self, prompt, answer):
        function = {"name": TOOL, "description": ABOUT_TOOL, "parameters_json_schema": PARAMETERS}
        settings = {
            "tools": [types.Tool(function_declarations=[function])],
            "automatic_function_calling": {"disable": True},
        }
        first = self.ask(prompt, **settings)
        (call,) = first.function_calls
        result = types.Part(
            function_response={"id": call.id, "name": call.name, "response": {"output": answer}}
        )
        contents = [
            types.Content(role="user", parts=[types.Part(text=prompt)]),
            first.candidates[0].content,
            types.Content(role="user", parts=[result]),
        ]
        return call.name, call.args, self.ask(contents, **settings).text

    def image(self, prompt):
        return self.ask([prompt, types.Part.from_bytes(data=PIXEL, mime_type="image/png")]).text

    def structured(self, prompt):
        return self.ask(prompt, response_mime_type="application/json", response_json_schema=CITY).text


class Bedrock:
    """boto3, Converse, requests signed by SigV4."""

    sdk, dialect, route, straight = "bedrock", "bedrock", "/bedrock", "/bedrock"

    def __init__(self, base_url, model):
        self.model = model
        config = botocore.config.Config(read_timeout=SECONDS, retries={"max_attempts": 0})
        self.client = boto3.client(
            "bedrock-runtime",
            endpoint_url=base_url,
            region_name="us-east-1",
            aws_access_key_id="AKIADUMMY",
            aws_secret_access_key="dummy",
            config=config,
        )

    def ask(self, content, **members):
        messages = [{"role": "user", "content": content}]
        return self.client.converse(modelId=self.model, messages=messages, **members)

    def said(self, reply):
        return "".join(block.get("text", "") for block in reply["output"]["message"]["content"])

    def text(self, prompt):
        return self.said(self.ask([{"text": prompt}]))

    def stream(self, prompt):
        messages = [{"role": "user", "content": [{"text": prompt}]}]
        events = self.client.converse_stream(modelId=self.model, messages=messages)["stream"]
        deltas = [event["contentBlockDelta"]["delta"] for event in events if "contentBlockDelta" in event]
        return [delta.get("text", "") for delta in deltas]

    def tools(self, prompt, answer):
        spec = {"name": TOOL, "description": ABOUT_TOOL, "inputSchema": {"json": PARAMETERS}}
        tools = {"tools": [{"toolSpec": spec}]}
        first = self.ask([{"text": prompt}], toolConfig=tools)
        assert first["stopReason"] == "tool_use"
        said = first["output"]["message"]
        (call,) = [block["toolUse"] for block in said["content"] if "toolUse" in block]
        result = {"toolUseId": call["toolUseId"], "content": [{"text": answer}]}
        messages = [
            {"role": "user", "content": [{"text": prompt}]},
            said,
            {"role": "user", "content": [{"toolResult": result}]},
        ]
        second = self.client.converse(modelId=self.model, messages=messages, toolConfig=tools)
        return call["name"], call["input"], self.said(second)

    def image(self, prompt):
        image = {"format": "png", "source": {"bytes": PIXEL}}
        return self.said(self.ask([{"text": prompt}, {"image": image}]))

    def structured(self, prompt):
        schema = {"jsonSchema": {"name": "city", "schema": json.dumps(CITY)}}
        output = {"textFormat": {"type": "json_schema", "structure": schema}}
        return self.said(self.ask([{"text": prompt}], outputConfig=output))


class Cohere:
    """cohere, chat of version 2."""

    sdk, dialect, route, straight = "cohere", "cohere", "/cohere", "/cohere"

    def __init__(self, base_url, model):
        self.model = model
        self.client = cohere.ClientV2(api_key=KEY, base_url=base_url, timeout=SECONDS)

    def ask(self, content, **members):
        messages = [{"role": "user", "content": content}]
        return self.client.chat(
            model=self.model, messages=messages, request_options={"max_retries": 0}, **members
        )

    def said(self, reply):
        return "".join(block.text for block in reply.message.content or [] if block.type == "text")

    def text(self, prompt):
        return self.said(self.ask(prompt))

    def stream(self, prompt):
        messages = [{"role": "user", "content": prompt}]
        events = self.client.chat_stream(model=self.model, messages=messages)
        return [event.delta.message.content.text for event in events if event.type == "content-delta"]

    def tools(self, prompt, answer):
        tool = {"name": TOOL, "description": ABOUT_TOOL, "parameters": PARAMETERS}
        tools = [{"type": "function", "function": tool}]
        first = self.ask(prompt, tools=tools)
        assert first.finish_reason == "TOOL_CALL"
        (call,) = first.message.tool_calls
        messages = [
            {"role": "user", "content": prompt},
            {
                "role": "assistant",
                "tool_plan": first.message.tool_plan,
                "tool_calls": first.message.tool_calls,
            },
            {"role": "tool", "tool_call_id": call.id, "content": answer},
        ]
        second = self.client.chat(model=self.model, messages=messages, tools=tools)
        return call.function.name, json.loads(call.function.arguments), self.said(second)

    def image(self, prompt):
        content = [
            {"type": "text", "text": prompt},
            {"type": "image_url", "image_url": {"url": DATA_URL}},
        ]
        return self.said(self.ask(content))

    def structured(self, prompt):
        return self.said(self.ask(prompt, response_format={"type": "json_object", "json_schema": CITY}))


CLIENTS = (OpenAiChat, OpenAiResponses, Anthropic, GenAi, Bedrock, Cohere)
FEATURES = ("text", "stream", "tools", "image", "structured")
