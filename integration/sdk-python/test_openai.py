import json

import openai
import pytest
from support import HELLO, URL, WEATHER, counting

TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": WEATHER}}]


@pytest.fixture
def client():
    with openai.OpenAI(base_url=URL + "/v1", api_key="unused", max_retries=0) as c:
        yield c


def text(chunks):
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


def test_chat(client):
    raw = client.chat.completions.with_raw_response.create(model="chat", messages=HELLO)
    answer = raw.parse()
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert raw.headers["x-request-id"]
    assert raw.headers["x-ai-output-tokens"] == str(answer.usage.completion_tokens)


def test_cap(client):
    answer = client.chat.completions.create(model="chat", messages=HELLO, max_completion_tokens=5)
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 5


def test_stream_without_usage(client):
    chunks = list(client.chat.completions.create(model="chat", messages=HELLO, stream=True))
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(len(c.choices) == 1 and c.usage is None for c in chunks)


def test_stream_with_usage(client):
    chunks = list(
        client.chat.completions.create(
            model="chat", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
    )
    whole = client.chat.completions.create(model="chat", messages=HELLO)
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert sum(c.usage is not None for c in chunks) == 1
    assert text(chunks) == whole.choices[0].message.content


def test_tools_loop(client):
    first = client.chat.completions.create(model="sim/tool", messages=HELLO, tools=TOOLS)
    assert first.choices[0].finish_reason == "tool_calls"
    message = first.choices[0].message
    call = message.tool_calls[0]
    assert call.function.name == "get_weather"
    assert isinstance(json.loads(call.function.arguments)["city"], str)
    result = {"role": "tool", "tool_call_id": call.id, "content": "21 degrees"}
    second = client.chat.completions.create(model="chat", messages=[*HELLO, message, result], tools=TOOLS)
    assert second.choices[0].finish_reason == "stop"


def test_streamed_tools(client):
    with client.chat.completions.stream(model="sim/tool", messages=HELLO, tools=TOOLS) as stream:
        final = stream.get_final_completion()
    call = final.choices[0].message.tool_calls[0]
    assert isinstance(json.loads(call.function.arguments)["city"], str)


def test_embeddings(client):
    decoded = client.embeddings.create(model="sim/embed", input=["one", "two"])  # asked for in base64
    floats = client.embeddings.create(model="sim/embed", input=["one", "two"], encoding_format="float")
    assert len(floats.data) == 2
    assert floats.usage.prompt_tokens > 0
    assert decoded.data[1].embedding == pytest.approx(floats.data[1].embedding, abs=1e-6)


def test_responses(client):
    answer = client.responses.create(model="chat", input="Hello!")
    assert answer.status == "completed"
    assert answer.output_text
    assert answer.usage.input_tokens > 0


def test_responses_stream(client):
    events = list(client.responses.create(model="chat", input="Hello!", stream=True))
    assert events[0].type == "response.created"
    assert events[-1].type == "response.completed"
    deltas = "".join(e.delta for e in events if e.type == "response.output_text.delta")
    assert deltas == events[-1].response.output_text


def test_models(client):
    assert "chat" in [m.id for m in client.models.list()]
    assert client.models.retrieve("chat").id == "chat"


def test_rate_limit(client):
    with pytest.raises(openai.RateLimitError) as e:
        client.chat.completions.create(model="sim/err-429", messages=HELLO)
    assert e.value.code == "rate_limit_exceeded"
    assert e.value.response.headers["retry-after"] == "1"
    assert e.value.request_id


def test_retries():
    http, seen = counting(openai.DefaultHttpxClient)
    with openai.OpenAI(base_url=URL + "/v1", api_key="unused", max_retries=1, http_client=http) as c:
        with pytest.raises(openai.RateLimitError):
            c.chat.completions.create(model="sim/err-429", messages=HELLO)
        assert seen == [429, 429]
        seen.clear()
        with pytest.raises(openai.NotFoundError) as e:
            c.chat.completions.create(model="chatt", messages=HELLO)
        assert seen == [404]
        assert e.value.code == "model_not_found"


def test_server_error(client):
    with pytest.raises(openai.InternalServerError):
        client.chat.completions.create(model="sim/err-500", messages=HELLO)


@pytest.mark.parametrize("model", ["sim/cut-5", "sim/err-stream-5"])
def test_broken_stream_raises(client, model):
    got = []
    with client.chat.completions.create(model=model, messages=HELLO, stream=True) as stream:
        with pytest.raises(openai.APIError):
            for chunk in stream:
                got.append(chunk)
    assert len(got) >= 5


def test_broken_responses_stream(client):
    types = []
    with client.responses.create(model="sim/cut-5", input="Hello!", stream=True) as stream:
        try:
            for event in stream:
                types.append(event.type)
        except openai.APIError:
            pass
        else:
            assert types[-1] == "response.failed"
    assert "response.completed" not in types


def test_leaving_a_stream(client):
    with client.chat.completions.create(model="sim/stall-3", messages=HELLO, stream=True) as stream:
        for _, _chunk in zip(range(3), stream):
            pass
    assert client.chat.completions.create(model="chat", messages=HELLO).usage
