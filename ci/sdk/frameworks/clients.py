"""The frameworks, unmodified, each with the SDK it brings.

Reads {"targets": [{name, client, base_url, model}]} from standard input, runs every case of each target's
client, and prints one line of JSON for each: {target, case, ok, error}. With --list it prints the cases of
each client.
"""

import asyncio
import json
import os
import sys
import traceback

os.environ.update(LITELLM_LOCAL_MODEL_COST_MAP="True", OPENAI_AGENTS_DISABLE_TRACING="1")

HELLO = "say something nice"
KEY = "sk-dummy"
SECONDS = 20


def weather(city: str, days: int) -> str:
    """The weather of a city."""
    return f"sunny in {city} for {days} days"


def says(text):
    assert HELLO in text, text


def litellm_cases(prefix):
    def ask(target, **members):
        import litellm

        return litellm.completion(
            model=f"{prefix}/{target['model']}",
            api_base=target["base_url"],
            api_key=KEY,
            messages=[{"role": "user", "content": HELLO}],
            timeout=SECONDS,
            num_retries=0,
            **members,
        )

    def text(target):
        says(ask(target).choices[0].message.content)

    def stream(target):
        chunks = ask(target, stream=True)
        says("".join(chunk.choices[0].delta.content or "" for chunk in chunks))

    return {"text": text, "stream": stream}


def langchain_cases(model_of):
    def text(target):
        says(model_of(target).invoke(HELLO).text)

    def stream(target):
        says("".join(chunk.text for chunk in model_of(target).stream(HELLO)))

    def tool(target):
        from langchain_core.tools import tool as declared

        (call,) = model_of(target).bind_tools([declared(weather)]).invoke(HELLO).tool_calls
        assert call["name"] == "weather" and set(call["args"]) == {"city", "days"}

    return {"text": text, "stream": stream, "tool": tool}


def langchain_openai(target):
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(
        model=target["model"], base_url=target["base_url"], api_key=KEY, max_retries=0, timeout=SECONDS
    )


def langchain_anthropic(target):
    from langchain_anthropic import ChatAnthropic

    return ChatAnthropic(
        model=target["model"], base_url=target["base_url"], api_key=KEY, max_retries=0, timeout=SECONDS
    )


def langchain_google(target):
    from langchain_google_genai import ChatGoogleGenerativeAI

    return ChatGoogleGenerativeAI(
        model=target["model"], base_url=target["base_url"], google_api_key=KEY, max_retries=1, timeout=SECONDS
    )


def pydantic_ai_cases(model_of):
    def agent(target, **settings):
        from pydantic_ai import Agent

        return Agent(model_of(target), **settings)

    def text(target):
        says(agent(target).run_sync(HELLO).output)

    def tool_loop(target):
        assert "sunny in mock city" in agent(target, tools=[weather]).run_sync(HELLO).output

    return {"text": text, "tool loop": tool_loop}


def pydantic_ai_openai(target):
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    return OpenAIChatModel(target["model"], provider=OpenAIProvider(base_url=target["base_url"], api_key=KEY))


def pydantic_ai_google(target):
    from google.genai import Client
    from pydantic_ai.models.google import GoogleModel
    from pydantic_ai.providers.google import GoogleProvider

    client = Client(api_key=KEY, vertexai=False, http_options={"base_url": target["base_url"]})
    return GoogleModel(target["model"], provider=GoogleProvider(client=client))


def agents_cases():
    def agent(target, tools=()):
        from agents import Agent, OpenAIResponsesModel, set_tracing_disabled
        from openai import AsyncOpenAI

        set_tracing_disabled(True)
        client = AsyncOpenAI(base_url=target["base_url"], api_key=KEY, max_retries=0, timeout=SECONDS)
        model = OpenAIResponsesModel(model=target["model"], openai_client=client)
        return Agent(name="mock", instructions="be brief", model=model, tools=list(tools))

    def text(target):
        from agents import Runner

        says(Runner.run_sync(agent(target), HELLO).final_output)

    def tool_loop(target):
        from agents import Runner, function_tool

        result = Runner.run_sync(agent(target, [function_tool(weather)]), HELLO)
        assert "sunny in mock city" in result.final_output, result.final_output

    return {"text": text, "tool loop": tool_loop}


CLIENTS = {
    "litellm openai": litellm_cases("openai"),
    "litellm anthropic": litellm_cases("anthropic"),
    "langchain openai": langchain_cases(langchain_openai),
    "langchain anthropic": langchain_cases(langchain_anthropic),
    "langchain google": langchain_cases(langchain_google),
    "pydantic-ai openai": pydantic_ai_cases(pydantic_ai_openai),
    "pydantic-ai google": pydantic_ai_cases(pydantic_ai_google),
    "openai-agents": agents_cases(),
}


def run(target, name, call):
    outcome = {"target": target["name"], "case": name, "ok": True}
    try:
        call(target)
    except Exception:
        outcome.update(ok=False, error=traceback.format_exc()[-1000:])
    return outcome


def main():
    if "--list" in sys.argv:
        print(json.dumps({client: list(cases) for client, cases in CLIENTS.items()}))
        return
    # What a framework prints must not come between the lines.
    output, sys.stdout = sys.stdout, sys.stderr
    asyncio.set_event_loop(asyncio.new_event_loop())
    for target in json.load(sys.stdin)["targets"]:
        for name, call in CLIENTS[target["client"]].items():
            print(json.dumps(run(target, name, call)), file=output, flush=True)


main()
