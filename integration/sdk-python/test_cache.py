"""Answers from the cache: the SDKs read them as they read an upstream's, in whichever form they were asked for before."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import anthropic
import openai
import pytest
from support import URL, counting

METADATA = {"X-AI-Metadata": "on"}


def question():
    """Nobody has asked it before: the suites share one Weir."""
    return f"What is a weir? {uuid.uuid4()}"


def ask(text, model):
    return {"model": model, "messages": [{"role": "user", "content": text}]}


class Dialect:
    """An SDK whose HTTP client is watched. whole and streamed give the answer's text, end and
    output tokens, and the header that it came with."""

    def __init__(self):
        self.http, self.heads = counting(self.sdk.DefaultHttpxClient, "headers")
        self.client = self.make(self.http)

    def read(self, text, streamed, model="kept", **options):
        before = len(self.heads)
        said = (self.streamed if streamed else self.whole)(text, model, **options)
        assert len(self.heads) == before + 1
        return said, self.heads[-1]


class OpenAI(Dialect):
    sdk = openai

    def make(self, http):
        return openai.OpenAI(base_url=URL + "/v1", api_key="unused", max_retries=0, http_client=http)


class Chat(OpenAI):
    done = "stop"

    @staticmethod
    def said(c):
        return c.choices[0].message.content, c.choices[0].finish_reason, c.usage.completion_tokens

    def whole(self, text, model, **options):
        return self.said(self.client.chat.completions.create(**ask(text, model), **options))

    def streamed(self, text, model, **options):
        usage = {"include_usage": True}
        with self.client.chat.completions.stream(**ask(text, model), stream_options=usage, **options) as stream:
            return self.said(stream.get_final_completion())


class Responses(OpenAI):
    done = "completed"

    @staticmethod
    def said(r):
        return r.output_text, r.status, r.usage.output_tokens

    def whole(self, text, model, **options):
        return self.said(self.client.responses.create(model=model, input=text, **options))

    def streamed(self, text, model, **options):
        with self.client.responses.stream(model=model, input=text, **options) as stream:
            events = list(stream)
            final = stream.get_final_response()
        assert events[0].type == "response.created"
        assert events[-1].type == "response.completed"
        assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == final.output_text
        return self.said(final)


class Messages(Dialect):
    sdk = anthropic
    done = "end_turn"

    def make(self, http):
        return anthropic.Anthropic(base_url=URL, api_key="unused", max_retries=0, http_client=http)

    @staticmethod
    def said(m):
        return m.content[0].text, m.stop_reason, m.usage.output_tokens

    def whole(self, text, model, **options):
        return self.said(self.client.messages.create(**ask(text, model), max_tokens=100, **options))

    def streamed(self, text, model, **options):
        with self.client.messages.stream(**ask(text, model), max_tokens=100, **options) as stream:
            return self.said(stream.get_final_message())


DIALECTS = pytest.mark.parametrize("dialect", [Chat, Responses, Messages])


@DIALECTS
@pytest.mark.parametrize("first", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("second", [False, True], ids=["whole_again", "streamed_again"])
def test_kept(dialect, first, second):
    d, q = dialect(), question()
    with d.client:
        fetched, head = d.read(q, first)
        assert head["x-ai-cache"] == "miss"
        assert fetched[0] and fetched[1] == d.done and fetched[2] > 0
        kept, head = d.read(q, second)
        assert head["x-ai-cache"] == "hit"
        assert kept == fetched


@DIALECTS
def test_metadata(dialect):
    d, q = dialect(), question()
    with d.client:
        fetched, _ = d.read(q, False)
        kept, head = d.read(q, True, extra_headers=METADATA)
        assert head["x-ai-cache"] == "hit"
        assert kept == fetched


def test_metadata_is_read():
    d, q = Chat(), question()
    with d.client:
        fetched, _ = d.read(q, False)
        chunks = list(d.client.chat.completions.create(**ask(q, "kept"), stream=True, extra_headers=METADATA))
    assert d.heads[-1]["x-ai-cache"] == "hit"
    assert chunks[-1].ai_metadata["cache"] == "hit"
    assert chunks[-1].ai_metadata["output_tokens"] == fetched[2]


@DIALECTS
def test_shared_call(dialect):
    one, two, q = dialect(), dialect(), question()
    with one.client, two.client, ThreadPoolExecutor() as pool:
        both = [
            pool.submit(one.read, q, True, "kept-slow"),
            pool.submit(two.read, q, True, "kept-slow", extra_headers=METADATA),
        ]
        (said, head), (again, other) = [f.result() for f in both]
    assert sorted("; collapsed" in h["cache-status"] for h in (head, other)) == [False, True]
    assert said[1:] == (one.done, 20)
    assert again == said


def test_embeddings():
    d = Chat()
    texts = [question(), "two"]
    with d.client:
        fetched = d.client.embeddings.create(model="kept-embed", input=texts)  # asked for in base64
        kept = d.client.embeddings.create(model="kept-embed", input=texts)
        floats = d.client.embeddings.create(model="kept-embed", input=texts, encoding_format="float")
    assert [h["x-ai-cache"] for h in d.heads] == ["miss", "hit", "hit"]
    assert len(kept.data) == 2 and kept.data[0].embedding
    assert kept == fetched
    assert floats.data[1].embedding == pytest.approx(kept.data[1].embedding, abs=1e-6)
