import anthropic
import pytest
from support import HELLO, URL, WEATHER, counting

ASK = {"model": "chat", "max_tokens": 100, "messages": HELLO}
TOOLS = [{"name": "get_weather", "input_schema": WEATHER}]


@pytest.fixture
def client():
    with anthropic.Anthropic(base_url=URL, api_key="unused", max_retries=0) as c:
        yield c


def test_messages(client):
    raw = client.messages.with_raw_response.create(**ASK)
    answer = raw.parse()
    assert answer.content[0].text
    assert answer.stop_reason == "end_turn"
    assert answer.usage.input_tokens > 0 and answer.usage.output_tokens > 0
    assert raw.headers["request-id"]


def test_cap(client):
    answer = client.messages.create(**ASK | {"max_tokens": 5})
    assert answer.stop_reason == "max_tokens"
    assert answer.usage.output_tokens == 5


def test_stream(client):
    whole = client.messages.create(**ASK)
    with client.messages.stream(**ASK) as stream:
        final = stream.get_final_message()
    assert final.content[0].text == whole.content[0].text
    assert final.usage.output_tokens == whole.usage.output_tokens
    assert final.stop_reason == "end_turn"


def test_raw_stream(client):
    events = [e.type for e in client.messages.create(**ASK, stream=True)]
    assert events[0] == "message_start"
    assert events[-2:] == ["message_delta", "message_stop"]


def test_tools_loop(client):
    first = client.messages.create(**ASK | {"model": "sim/tool"}, tools=TOOLS)
    assert first.stop_reason == "tool_use"
    use = next(b for b in first.content if b.type == "tool_use")
    assert isinstance(use.input["city"], str)
    result = {"type": "tool_result", "tool_use_id": use.id, "content": "21 degrees"}
    messages = [*HELLO, {"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    second = client.messages.create(**ASK | {"messages": messages}, tools=TOOLS)
    assert second.stop_reason == "end_turn"


def test_streamed_tools(client):
    with client.messages.stream(**ASK | {"model": "sim/tool"}, tools=TOOLS) as stream:
        final = stream.get_final_message()
    use = next(b for b in final.content if b.type == "tool_use")
    assert isinstance(use.input["city"], str)


def test_count_tokens(client):
    counted = client.messages.count_tokens(model="chat", messages=HELLO)
    assert counted.input_tokens == client.messages.create(**ASK).usage.input_tokens


def test_models(client):
    assert "chat" in [m.id for m in client.models.list()]
    assert client.models.retrieve("chat").type == "model"


def test_rate_limit(client):
    with pytest.raises(anthropic.RateLimitError) as e:
        client.messages.create(**ASK | {"model": "sim/err-429"})
    assert e.value.body["error"]["type"] == "rate_limit_error"
    assert e.value.response.headers["retry-after"] == "1"
    assert e.value.request_id


def test_retries():
    http, seen = counting(anthropic.DefaultHttpxClient)
    with anthropic.Anthropic(base_url=URL, api_key="unused", max_retries=1, http_client=http) as c:
        with pytest.raises(anthropic.RateLimitError):
            c.messages.create(**ASK | {"model": "sim/err-429"})
        assert seen == [429, 429]
        seen.clear()
        with pytest.raises(anthropic.NotFoundError) as e:
            c.messages.create(**ASK | {"model": "chatt"})
        assert seen == [404]
        assert e.value.body["error"]["type"] == "not_found_error"


def test_server_error(client):
    with pytest.raises(anthropic.InternalServerError):
        client.messages.create(**ASK | {"model": "sim/err-500"})


@pytest.mark.parametrize("model", ["sim/cut-5", "sim/err-stream-5"])
def test_broken_stream_raises(client, model):
    types = []
    with client.messages.create(**ASK | {"model": model}, stream=True) as stream:
        with pytest.raises(anthropic.APIError):
            for event in stream:
                types.append(event.type)
    assert "content_block_delta" in types
    assert "message_stop" not in types


def test_leaving_a_stream(client):
    with client.messages.create(**ASK | {"model": "sim/stall-3"}, stream=True) as stream:
        for _, _event in zip(range(3), stream):
            pass
    assert client.messages.create(**ASK).usage
