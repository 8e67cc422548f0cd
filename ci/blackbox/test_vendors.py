"""Films, decisions, and hosts behind Hugging Face: what each provider is asked for and what callers get."""

import json

import pytest

from harness import config_of, provider
from vendor_world import VendorWorld

NETWORK = {"max_retries": 0}


@pytest.fixture
def world():
    made = VendorWorld()
    yield made
    made.close()


def in_front_of(start, world, *names, base_path=""):
    providers = {name: provider(world.url + base_path, ["k"], NETWORK) for name in names}
    return start(config_of(providers), workers=1)


# --- films ---

FILM_ROUTES = ["/v1/videos", *(f"/openai{middle}/videos" for middle in ("/v1", "", "/openai/v1", "/openai"))]
FILM = {"prompt": "a cat", "seconds": "4", "size": "1280x720"}


def test_a_film_of_openai_names_its_provider(start, world):
    job = {
        "id": "video_1",
        "object": "video",
        "status": "queued",
        "model": "sora-2",
        "progress": 0,
        "created_at": 5,
    }
    world.on("POST", "/v1/videos", lambda _: (200, job))
    gateway = in_front_of(start, world, "openai")
    for route in FILM_ROUTES:
        reply = gateway.post(route, {"model": "openai/sora-2", **FILM})
        assert reply.status == 200, reply.body
        body = reply.json()
        assert body["id"] == "video_1:openai" and body["status"] == "queued" and body["progress"] == 0
        assert body["extra_fields"]["request_type"] == "video_generation"
    assert world.arrivals[0].json() == {"model": "sora-2", **FILM}


def test_a_film_of_google_is_an_operation(start, world):
    operation = {"name": "models/veo-3/operations/abc"}
    world.on("POST", r"/models/veo-3:predictLongRunning", lambda _: (200, operation))
    gateway = in_front_of(start, world, "gemini")
    reply = gateway.post("/v1/videos", {"model": "gemini/veo-3", **FILM})
    assert reply.status == 200, reply.body
    assert reply.json()["id"] == "models%2Fveo-3%2Foperations%2Fabc:gemini"
    assert reply.json()["status"] == "in_progress"
    expected = {
        "instances": [{"prompt": "a cat"}],
        "parameters": {"aspectRatio": "16:9", "durationSeconds": 4},
    }
    assert world.arrivals[0].json() == expected


def test_googles_own_route_is_passed_through(start, world):
    operation = {"name": "models/veo-3/operations/abc", "odd": 1e2}
    world.on("POST", r"/models/veo-3:predictLongRunning", lambda _: (200, operation))
    gateway = in_front_of(start, world, "gemini")
    body = {"instances": [{"prompt": "a cat"}], "parameters": {"sampleCount": 1}}
    reply = gateway.post("/genai/v1beta/models/veo-3:predictLongRunning", body)
    assert reply.json() == operation and world.arrivals[0].json() == body


def test_googles_callers_reach_other_vendors(start, world):
    world.on("POST", "/v1/videos", lambda _: (200, {"id": "v1", "status": "queued"}))
    gateway = in_front_of(start, world, "openai")
    body = {"instances": [{"prompt": "a cat"}], "parameters": {"durationSeconds": 8}}
    reply = gateway.post("/genai/v1beta/models/openai/sora-2:predictLongRunning", body)
    assert reply.json() == {"name": "models/sora-2/operations/v1:openai", "done": False}
    assert world.arrivals[0].json() == {"model": "sora-2", "prompt": "a cat", "seconds": "8"}


@pytest.mark.parametrize(
    ("members", "path"),
    [
        ({}, "/v1/text_to_video"),
        ({"input_reference": "https://x/y.png"}, "/v1/image_to_video"),
        ({"video_uri": "https://x/y.mp4"}, "/v1/video_to_video"),
    ],
)
def test_runway_is_asked_at_the_path_of_what_a_film_is_made_from(start, world, members, path):
    world.on("POST", "/v1/.*", lambda _: (200, {"id": "t1"}))
    gateway = in_front_of(start, world, "runway")
    reply = gateway.post("/v1/videos", {"model": "runway/gen4_aleph", **FILM, **members})
    assert reply.status == 200 and reply.json()["id"] == "t1:runway"
    [sent] = world.arrivals
    assert sent.path == path and sent.headers["x-runway-version"]
    assert sent.json()["ratio"] == "1280:720" and sent.json()["duration"] == 4


def test_runware_takes_a_list_of_tasks(start, world):
    world.on("POST", "/v1", lambda it: (200, {"data": [{"taskUUID": it.json()[0]["taskUUID"]}]}))
    gateway = in_front_of(start, world, "runware")
    ids = [
        gateway.post("/v1/videos", {"model": "runware/klingai:1@2", **FILM}).json()["id"] for _ in range(2)
    ]
    assert len(set(ids)) == 2 and all(id.endswith(":runware") for id in ids)
    [task] = world.arrivals[0].json()
    assert task["taskType"] == "videoInference" and task["deliveryMethod"] == "async"
    assert (task["width"], task["height"], task["duration"]) == (1280, 720, 4)


def test_runware_draws(start, world):
    world.on("POST", "/v1", lambda _: (200, {"data": [{"imageURL": "https://im/1.png", "cost": 0.1}]}))
    gateway = in_front_of(start, world, "runware")
    reply = gateway.post(
        "/v1/images/generations", {"model": "runware/runware:100@1", "prompt": "a cat", "n": 1}
    )
    assert reply.status == 200 and reply.json()["data"] == [{"url": "https://im/1.png"}]
    [task] = world.arrivals[0].json()
    assert task["positivePrompt"] == "a cat" and task["numberResults"] == 1 and task["width"] == 1024


def test_a_refusal_of_runware_keeps_its_words(start, world):
    error = {"errors": [{"code": "invalidModel", "message": "no such model", "parameter": "model"}]}
    world.on("POST", "/v1", lambda _: (400, error))
    gateway = in_front_of(start, world, "runware")
    reply = gateway.post("/v1/videos", {"model": "runware/x:1@1", **FILM})
    assert reply.status == 400
    assert (
        reply.json()["error"]["message"] == "no such model"
        and reply.json()["error"]["code"] == "invalidModel"
    )


def test_a_film_without_a_prompt_is_refused_by_name(start, world):
    gateway = in_front_of(start, world, "runway")
    reply = gateway.post("/v1/videos", {"model": "runway/gen4_turbo"})
    assert reply.status == 400 and "prompt" in reply.json()["error"]["message"] and world.arrivals == []


def test_a_provider_without_films_says_so(start, world):
    gateway = in_front_of(start, world, "groq")
    reply = gateway.post("/v1/videos", {"model": "groq/m", **FILM})
    assert reply.status == 400
    assert reply.json()["error"]["message"] == "video_generation is not supported by groq provider"


VIDEO = {
    "id": "video_1",
    "object": "video",
    "status": "completed",
    "model": "sora-2",
    "progress": 100,
    "created_at": 5,
}


def test_a_film_is_found_by_the_provider_in_its_id(start, world):
    world.on("GET", "/v1/videos/video_1", lambda _: (200, VIDEO))
    world.on("GET", "/v1/videos/video_1/content", lambda _: (200, ("video/mp4", b"\0film")))
    world.on(
        "DELETE",
        "/v1/videos/video_1",
        lambda _: (200, {"id": "video_1", "object": "video.deleted", "deleted": True}),
    )
    world.on(
        "POST", "/v1/videos/video_1/remix", lambda _: (200, {**VIDEO, "id": "video_2", "status": "queued"})
    )
    world.on("GET", "/v1/videos", lambda _: (200, {"object": "list", "data": [VIDEO]}))
    gateway = in_front_of(start, world, "openai")
    for route in FILM_ROUTES:
        one = f"{route}/video_1:openai"
        assert gateway.request("GET", one).json()["id"] == "video_1:openai"
        content = gateway.request("GET", f"{one}/content")
        assert content.body == b"\0film" and content.header("content-type") == "video/mp4"
        assert gateway.request("DELETE", one).json()["deleted"] is True
        assert gateway.post(f"{one}/remix", {"prompt": "a dog"}).json()["id"] == "video_2:openai"
        listed = gateway.request("GET", f"{route}?provider=openai").json()
        assert [film["id"] for film in listed["data"]] == ["video_1:openai"]
    nameless = gateway.request("GET", "/v1/videos/video_1")
    assert nameless.status == 400 and "provider" in nameless.json()["error"]["message"]


def test_a_film_of_google_is_asked_for_by_its_operation(start, world):
    uri = "https://x/files/1:download"
    done = {
        "done": True,
        "response": {"generateVideoResponse": {"generatedSamples": [{"video": {"uri": uri}}]}},
    }
    world.on(
        "GET",
        "/models/veo-3/operations/abc",
        lambda _: (200, {"name": "models/veo-3/operations/abc", **done}),
    )
    gateway = in_front_of(start, world, "gemini")
    film = gateway.request("GET", "/v1/videos/models%252Fveo-3%252Foperations%252Fabc:gemini").json()
    assert film["id"] == "models%2Fveo-3%2Foperations%2Fabc:gemini" and film["status"] == "completed"
    assert uri in json.dumps(film)
    for version in ("v1", "v1beta"):
        operation = gateway.request("GET", f"/genai/{version}/models/veo-3/operations/abc").json()
        assert operation == {"name": "models/veo-3/operations/abc", **done}


def test_a_film_of_runway_is_a_task(start, world):
    world.on("GET", "/v1/tasks/t1", lambda _: (200, {"id": "t1", "status": "RUNNING", "progress": 0.5}))
    world.on("DELETE", "/v1/tasks/t1", lambda _: (204, ("application/json", b"")))
    gateway = in_front_of(start, world, "runway")
    film = gateway.request("GET", "/v1/videos/t1:runway").json()
    assert (film["id"], film["status"]) == ("t1:runway", "in_progress")
    assert gateway.request("DELETE", "/v1/videos/t1:runway").json()["deleted"] is True
    # Whoever asks in Google's words gets Google's.
    operation = gateway.request("GET", "/genai/v1beta/models/gen4/operations/t1:runway").json()
    assert operation["name"].endswith("t1:runway"), operation


# --- decisions ---

QUESTIONS = {
    "angry": {"kind": "noul", "instructions": "Is the customer angry?"},
    "topic": {"kind": "choice", "criteria": {"billing": "money", "bug": "defects"}},
    "urgency": {"kind": "score", "criteria": ["later", "soon", "now"]},
}
NATIVE = {
    "model": "jev-1.13.0",
    "answers": {
        "angry": {"type": "noul", "noul": 0.98},
        "topic": {
            "type": "choice",
            "choice": "billing",
            "confidence": 1,
            "probabilities": {"billing": 1, "bug": 0},
        },
        "urgency": {"type": "score", "score": 2, "confidence": 1, "legend": {"0": "later"}},
    },
    "usage": {"input_tokens": 437, "output_tokens": 72},
}


def decide(gateway, model, **members):
    body = {"model": model, "state": "I was charged twice", "questions": QUESTIONS, **members}
    return gateway.post("/v1/decisions", body)


def test_typesafe_decides(start, world):
    world.on("POST", "/v1/systemone", lambda _: (200, NATIVE))
    reply = decide(in_front_of(start, world, "typesafe"), "typesafe/jev-latest")
    assert reply.status == 200, reply.body
    body = reply.json()
    assert body["model"] == "jev-1.13.0"
    assert {name: answer["value"] for name, answer in body["answers"].items()} == {
        "angry": 0.98,
        "topic": "billing",
        "urgency": 2,
    }
    assert body["usage"] == {"prompt_tokens": 437, "completion_tokens": 72, "total_tokens": 509}
    assert body["extra_fields"]["request_type"] == "decisions"
    sent = world.arrivals[0].json()
    assert sent["model"] == "jev-latest" and sent["questions"]["topic"]["type"] == "choice"


def test_typesafes_own_route_is_passed_through(start, world):
    native = json.dumps({**NATIVE, "odd": [1.0]}).encode()
    world.on("POST", "/v1/systemone", lambda _: (200, ("application/json", native)))
    gateway = in_front_of(start, world, "typesafe")
    body = {"model": "jev-latest", "state": None, "questions": {"q": {"type": "noul"}}, "images": ["x"]}
    reply = gateway.post("/typesafe/v1/systemone", body)
    assert reply.status == 200 and reply.body == native
    assert world.arrivals[0].json() == body
    assert reply.header("x-bifrost-provider") == "typesafe"


def test_typesafes_errors_are_passed_through(start, world):
    error = {"detail": [{"loc": ["state"], "msg": "field required"}], "odd": 1}
    world.on("POST", "/v1/systemone", lambda _: (422, error))
    gateway = in_front_of(start, world, "typesafe")
    body = {"model": "jev-latest", "questions": {"q": {"type": "noul"}}}
    reply = gateway.post("/typesafe/v1/systemone", body)
    assert reply.status == 422 and reply.json() == error
    reply = decide(gateway, "typesafe/jev-latest")
    assert reply.status == 422 and reply.json()["error"]["message"] == "field required"


def chat_answer(arguments):
    call = {
        "id": "t",
        "type": "function",
        "function": {"name": "answer_questions", "arguments": json.dumps(arguments)},
    }
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    usage = {"prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 11}
    choice = {"index": 0, "finish_reason": "tool_calls", "message": message}
    return {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [choice],
        "usage": usage,
    }


def test_a_chat_model_decides_by_calling_a_tool(start, world):
    given = {"q0": 0.25, "q1": {"o0": 3, "o1": 1}, "q2": {"o0": 0, "o1": 0.5, "o2": 0.5}}
    world.on("POST", "/v1/chat/completions", lambda _: (200, chat_answer(given)))
    gateway = in_front_of(start, world, "openai")
    reply = decide(gateway, "openai/gpt-4o")
    assert reply.status == 200, reply.body
    answers = reply.json()["answers"]
    assert answers["angry"] == {"kind": "noul", "value": 0.25}
    assert answers["topic"]["value"] == "billing" and answers["topic"]["probabilities"] == {
        "billing": 0.75,
        "bug": 0.25,
    }
    assert sum(answers["urgency"]["probabilities"].values()) == 1 and answers["urgency"]["value"] == 1.5
    sent = world.arrivals[0].json()
    assert sent["model"] == "gpt-4o" and sent["tool_choice"]["function"]["name"] == "answer_questions"
    native = {"model": "openai/gpt-4o", "state": "s", "questions": {"q": {"type": "noul"}}}
    reply = gateway.post("/typesafe/v1/systemone", native)
    assert reply.status == 200 and reply.json()["answers"]["q"] == {"type": "noul", "noul": 0.25}


def test_an_anthropic_model_decides_too(start, world):
    given = {"q0": 1, "q1": {"o1": 1}, "q2": {"o2": 1}}
    block = {"type": "tool_use", "id": "t", "name": "answer_questions", "input": given}
    message = {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [block],
        "stop_reason": "tool_use",
        "usage": {"input_tokens": 4, "output_tokens": 2},
    }
    world.on("POST", "/v1/messages", lambda _: (200, message))
    reply = decide(in_front_of(start, world, "anthropic"), "anthropic/claude-sonnet-4-5")
    assert reply.status == 200, reply.body
    assert [answer["value"] for answer in reply.json()["answers"].values()] == [1, "bug", 2]
    assert world.arrivals[0].json()["tool_choice"] == {"type": "tool", "name": "answer_questions"}


def test_an_answer_that_is_none_is_a_bad_reply_and_a_fallback_takes_over(start, world):
    world.on("POST", "/v1/chat/completions", lambda _: (200, chat_answer({"q0": "high"})))
    world.on("POST", "/v1/systemone", lambda _: (200, NATIVE))
    gateway = in_front_of(start, world, "openai", "typesafe")
    assert decide(gateway, "openai/gpt-4o").status == 502
    reply = decide(gateway, "openai/gpt-4o", fallbacks=["typesafe/jev-latest"])
    assert reply.status == 200 and reply.json()["answers"]["angry"]["value"] == 0.98


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ({"questions": {}}, "questions"),
        ({"questions": {"q": {"kind": "odd"}}}, "questions.q.kind"),
        ({"questions": {"q": {"kind": "score", "criteria": ["one"]}}}, "questions.q.criteria"),
        ({"state": 7}, "state"),
    ],
)
def test_questions_that_make_no_sense_are_refused_before_anyone_is_asked(start, world, members, named):
    gateway = in_front_of(start, world, "typesafe")
    reply = decide(gateway, "typesafe/jev-latest", **members)
    assert reply.status == 400 and named in reply.json()["error"]["message"] and world.arrivals == []


# --- hosts behind Hugging Face ---


def test_a_host_stands_behind_the_model_of_a_chat(start, world):
    world.on("POST", "/v1/chat/completions", lambda _: (200, chat_answer({})))
    gateway = in_front_of(start, world, "huggingface")
    for model in ("together/meta-llama/Llama-3.3-70B", "meta-llama/Llama-3.3-70B"):
        assert gateway.chat(f"huggingface/{model}").status == 200
    named = [arrival.json()["model"] for arrival in world.arrivals]
    assert named == ["meta-llama/Llama-3.3-70B:together", "meta-llama/Llama-3.3-70B"]


@pytest.mark.parametrize("body", [[0.5, 1.5], [[0.5, 1.5]], [[[0.5, 1.5]]]])
def test_vectors_come_from_the_pipeline_of_the_model(start, world, body):
    world.on(
        "POST", "/hf-inference/models/thenlper/gte-large/pipeline/feature-extraction", lambda _: (200, body)
    )
    gateway = in_front_of(start, world, "huggingface")
    reply = gateway.post(
        "/v1/embeddings", {"model": "huggingface/hf-inference/thenlper/gte-large", "input": "Paris"}
    )
    assert reply.status == 200, reply.body
    assert reply.json()["data"][0]["embedding"] == [0.5, 1.5]
    assert world.arrivals[0].json() == {"inputs": ["Paris"]}


def test_hosts_with_their_own_paths_get_the_model_without_the_host(start, world):
    vectors = {"object": "list", "data": [{"index": 0, "embedding": [1.0]}], "model": "m", "usage": {}}
    pictures = {"created": 1, "data": [{"b64_json": "AA=="}]}
    for path in ("/nebius/v1/embeddings", "/sambanova/v1/embeddings", "/scaleway/v1/embeddings"):
        world.on("POST", path, lambda _: (200, vectors))
    for path in ("/nebius/v1/images/generations", "/together/v1/images/generations"):
        world.on("POST", path, lambda _: (200, pictures))
    gateway = in_front_of(start, world, "huggingface")
    for host in ("nebius", "sambanova", "scaleway"):
        body = {"model": f"huggingface/{host}/BAAI/bge", "input": "x"}
        assert gateway.post("/v1/embeddings", body).status == 200, host
    for host in ("nebius", "together"):
        body = {
            "model": f"huggingface/{host}/a/flux",
            "prompt": "x",
            "num_inference_steps": 3,
            "response_format": "b64_json",
        }
        assert gateway.post("/v1/images/generations", body).status == 200, host
    assert [arrival.json()["model"] for arrival in world.arrivals] == ["BAAI/bge"] * 3 + ["a/flux"] * 2
    assert world.arrivals[-1].json() == {
        "model": "a/flux",
        "prompt": "x",
        "steps": 3,
        "response_format": "base64",
    }


def test_fal_draws(start, world):
    pictures = {"images": [{"url": "https://fal/1.png", "content_type": "image/png"}], "seed": 3}
    world.on("POST", "/fal-ai/fal-ai/flux/dev", lambda _: (200, pictures))
    gateway = in_front_of(start, world, "huggingface")
    body = {"model": "huggingface/fal-ai/fal-ai/flux/dev", "prompt": "x", "size": "512x256", "n": 2}
    reply = gateway.post("/v1/images/generations", body)
    assert reply.status == 200 and reply.json()["data"] == [{"url": "https://fal/1.png"}]
    expected = {"prompt": "x", "num_images": 2, "image_size": {"width": 512, "height": 256}}
    assert world.arrivals[0].json() == expected
