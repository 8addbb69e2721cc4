// Answers from the cache: the SDKs read them as they read an upstream's, in
// whichever form they were asked for before.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import OpenAI from 'openai';
import { collect, counting, url } from './support.mjs';

// Nobody has asked it before: the suites share one Weir.
const question = () => `What is a weir? ${randomUUID()}`;
const messages = (content) => [{ role: 'user', content }];

// read makes a call with an SDK whose fetch is watched: what(client) is what the
// SDK made of the answer, and the header is what came.
const read = async (SDK, baseURL, headers, what) => {
  const { seen, fetch } = counting();
  const made = await what(new SDK({ baseURL, apiKey: 'unused', maxRetries: 0, fetch, defaultHeaders: headers }));
  assert.equal(seen.length, 1);
  return { ...made, cache: seen[0].headers.get('x-ai-cache'), status: seen[0].headers.get('cache-status') };
};
const openai = (headers, what) => read(OpenAI, `${url}/v1`, headers, what);
const anthropic = (headers, what) => read(Anthropic, url, headers, what);
const gemini = (headers) => new GoogleGenAI({ apiKey: 'unused', httpOptions: { baseUrl: url, headers } }).models;

const completion = (c) => ({ text: c.choices[0].message.content, finish: c.choices[0].finish_reason, output: c.usage.completion_tokens });
const response = (r) => ({ text: r.output[0].content[0].text, finish: r.status, output: r.usage.output_tokens });
const message = (m) => ({ text: m.content[0].text, finish: m.stop_reason, output: m.usage.output_tokens });
const generated = (chunks) => ({
  text: chunks.map((c) => c.text ?? '').join(''),
  finish: chunks.findLast((c) => c.candidates?.length).candidates[0].finishReason,
  output: chunks.findLast((c) => c.usageMetadata).usageMetadata.candidatesTokenCount,
  cache: chunks[0].sdkHttpResponse.headers['x-ai-cache'],
  status: chunks[0].sdkHttpResponse.headers['cache-status'],
});

// dialects are how a question is asked, whole and streamed. metadata is the last
// event that has some, where the SDK shows it.
const dialects = {
  chat: {
    done: 'stop',
    whole: (q, headers) => openai(headers, async (c) => completion(await c.chat.completions.create({ model: 'kept', messages: messages(q) }))),
    streamed: (q, headers, model = 'kept') => openai(headers, async (c) => {
      const runner = c.chat.completions.stream({ model, messages: messages(q), stream_options: { include_usage: true } });
      const chunks = await collect(runner);
      return { ...completion(await runner.finalChatCompletion()), metadata: chunks.at(-1).ai_metadata };
    }),
  },
  responses: {
    done: 'completed',
    whole: (q, headers) => openai(headers, async (c) => response(await c.responses.create({ model: 'kept', input: q }))),
    streamed: (q, headers, model = 'kept') => openai(headers, async (c) => {
      const runner = c.responses.stream({ model, input: q });
      const events = await collect(runner);
      const final = response(await runner.finalResponse());
      assert.equal(events[0].type, 'response.created');
      assert.equal(events.at(-1).type, 'response.completed');
      assert.equal(events.filter((e) => e.type === 'response.output_text.delta').map((e) => e.delta).join(''), final.text);
      return { ...final, metadata: events.at(-2).ai_metadata };
    }),
  },
  messages: {
    done: 'end_turn',
    whole: (q, headers) => anthropic(headers, async (c) => message(await c.messages.create({ model: 'kept', max_tokens: 100, messages: messages(q) }))),
    streamed: (q, headers, model = 'kept') => anthropic(headers, async (c) =>
      message(await c.messages.stream({ model, max_tokens: 100, messages: messages(q) }).finalMessage())),
  },
  generateContent: {
    done: 'STOP',
    whole: async (q, headers) => generated([await gemini(headers).generateContent({ model: 'kept', contents: q })]),
    streamed: async (q, headers, model = 'kept') => generated(await collect(await gemini(headers).generateContentStream({ model, contents: q }))),
  },
};

const said = ({ text, finish, output }) => ({ text, finish, output });

for (const [name, dialect] of Object.entries(dialects)) {
  for (const first of ['whole', 'streamed']) {
    for (const second of ['whole', 'streamed']) {
      test(`${name}, ${second} after ${first}`, async () => {
        const q = question();
        const fetched = await dialect[first](q);
        assert.equal(fetched.cache, 'miss');
        assert.equal(fetched.finish, dialect.done);
        assert.ok(fetched.text.length > 0 && fetched.output > 0);
        const kept = await dialect[second](q);
        assert.equal(kept.cache, 'hit');
        assert.deepEqual(said(kept), said(fetched));
      });
    }
  }

  test(`${name}: metadata in a stream from the cache`, async () => {
    const q = question();
    const fetched = await dialect.whole(q);
    const kept = await dialect.streamed(q, { 'X-AI-Metadata': 'on' });
    assert.equal(kept.cache, 'hit');
    assert.deepEqual(said(kept), said(fetched));
    if ('metadata' in kept) {
      assert.equal(kept.metadata.cache, 'hit');
      assert.equal(kept.metadata.output_tokens, kept.output);
    }
  });

  test(`${name}: two streams at once share a call`, async () => {
    const q = question();
    const two = await Promise.all([dialect.streamed(q, {}, 'kept-slow'), dialect.streamed(q, { 'X-AI-Metadata': 'on' }, 'kept-slow')]);
    assert.equal(two.filter((a) => /; collapsed/.test(a.status)).length, 1);
    assert.equal(two[0].finish, dialect.done);
    assert.equal(two[0].output, 20);
    assert.deepEqual(said(two[1]), said(two[0]));
    if ('metadata' in two[1]) assert.equal(two[1].metadata.output_tokens, 20);
  });
}

test('what one dialect has asked, others read', async () => {
  const q = question();
  const { text } = await dialects.chat.streamed(q);
  for (const name of ['responses', 'generateContent']) {
    for (const form of ['streamed', 'whole']) {
      const kept = await dialects[name][form](q);
      assert.equal(kept.cache, 'hit');
      assert.equal(kept.text, text);
      assert.equal(kept.finish, dialects[name].done);
    }
  }
});

test('messages: a raw stream from the cache has the events in order, with metadata too', async () => {
  const q = question();
  await dialects.messages.whole(q);
  const { seen, fetch } = counting();
  const client = new Anthropic({ baseURL: url, apiKey: 'unused', maxRetries: 0, fetch, defaultHeaders: { 'X-AI-Metadata': 'on' } });
  const events = await collect(await client.messages.create({ model: 'kept', max_tokens: 100, messages: messages(q), stream: true }));
  assert.equal(seen[0].headers.get('x-ai-cache'), 'hit');
  assert.equal(events[0].type, 'message_start');
  assert.deepEqual(events.slice(-2).map((e) => e.type), ['message_delta', 'message_stop']);
});

test('embeddings, in base64 and as floats', async () => {
  const input = [question(), 'two'];
  const embed = (options) => openai({}, async (c) => ({ answer: await c.embeddings.create({ model: 'kept-embed', input, ...options }) }));
  const [fetched, kept, floats] = [await embed(), await embed(), await embed({ encoding_format: 'float' })];
  assert.deepEqual([fetched, kept, floats].map((e) => e.cache), ['miss', 'hit', 'hit']);
  assert.equal(kept.answer.data.length, 2);
  assert.ok(kept.answer.data[0].embedding.length > 0);
  assert.deepEqual(kept.answer, fetched.answer);
  for (const [i, v] of floats.answer.data[1].embedding.entries()) {
    assert.ok(Math.abs(v - kept.answer.data[1].embedding[i]) < 1e-6);
  }
});
