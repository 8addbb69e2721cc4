import assert from 'node:assert/strict';
import { test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { collect, counting, hello, url, weather } from './support.mjs';

const client = (options = {}) => new Anthropic({ baseURL: url, apiKey: 'unused', maxRetries: 0, ...options });
const ask = { model: 'chat', max_tokens: 100, messages: hello };
const tools = [{ name: 'get_weather', input_schema: weather }];

test('messages answer with content and exact usage', async () => {
  const { data, response } = await client().messages.create(ask).withResponse();
  assert.equal(data.type, 'message');
  assert.ok(data.content[0].text.length > 0);
  assert.equal(data.stop_reason, 'end_turn');
  assert.ok(data.usage.input_tokens > 0 && data.usage.output_tokens > 0);
  assert.ok(response.headers.get('request-id'));
});

test('a cap is kept and names its reason', async () => {
  const answer = await client().messages.create({ ...ask, max_tokens: 5 });
  assert.equal(answer.stop_reason, 'max_tokens');
  assert.equal(answer.usage.output_tokens, 5);
});

test('a stream assembles to the whole answer', async () => {
  const whole = await client().messages.create(ask);
  const final = await client().messages.stream(ask).finalMessage();
  assert.equal(final.content[0].text, whole.content[0].text);
  assert.equal(final.usage.output_tokens, whole.usage.output_tokens);
  assert.equal(final.stop_reason, 'end_turn');
});

test('a raw stream has the events in order', async () => {
  const events = await collect(await client().messages.create({ ...ask, stream: true }));
  assert.equal(events[0].type, 'message_start');
  assert.equal(events.at(-2).type, 'message_delta');
  assert.equal(events.at(-1).type, 'message_stop');
});

test('a tools loop runs to its end', async () => {
  const first = await client().messages.create({ ...ask, model: 'sim/tool', tools });
  assert.equal(first.stop_reason, 'tool_use');
  const use = first.content.find((b) => b.type === 'tool_use');
  assert.equal(use.name, 'get_weather');
  assert.equal(typeof use.input.city, 'string');
  const second = await client().messages.create({
    ...ask,
    tools,
    messages: [
      ...hello,
      { role: 'assistant', content: first.content },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: use.id, content: '21 degrees' }] },
    ],
  });
  assert.equal(second.stop_reason, 'end_turn');
});

test('streamed tool input assembles', async () => {
  const final = await client().messages.stream({ ...ask, model: 'sim/tool', tools }).finalMessage();
  const use = final.content.find((b) => b.type === 'tool_use');
  assert.equal(typeof use.input.city, 'string');
});

test('count_tokens agrees with the answer', async () => {
  const counted = await client().messages.countTokens({ model: 'chat', messages: hello });
  const answer = await client().messages.create(ask);
  assert.equal(counted.input_tokens, answer.usage.input_tokens);
});

test('models are listed and found', async () => {
  const list = await collect(client().models.list());
  assert.ok(list.some((m) => m.id === 'chat'));
  const one = await client().models.retrieve('chat');
  assert.equal(one.type, 'model');
  assert.equal(one.id, 'chat');
});

test('429 is a RateLimitError with retry headers', async () => {
  await assert.rejects(client().messages.create({ ...ask, model: 'sim/err-429' }), (err) => {
    assert.ok(err instanceof Anthropic.RateLimitError);
    assert.equal(err.error.error.type, 'rate_limit_error');
    assert.equal(err.headers.get('retry-after'), '1');
    assert.ok(err.requestID);
    return true;
  });
});

test('a retryable error is tried maxRetries times more', async () => {
  const { seen, fetch } = counting();
  const call = client({ fetch, maxRetries: 1 }).messages.create({ ...ask, model: 'sim/err-429' });
  await assert.rejects(call, Anthropic.RateLimitError);
  assert.deepEqual(seen.map((s) => s.status), [429, 429]);
});

test('500 is an InternalServerError', async () => {
  await assert.rejects(client().messages.create({ ...ask, model: 'sim/err-500' }), (err) => {
    assert.ok(err instanceof Anthropic.InternalServerError);
    assert.equal(err.error.error.type, 'api_error');
    return true;
  });
});

test('an unknown model is a NotFoundError, asked once', async () => {
  const { seen, fetch } = counting();
  const call = client({ fetch, maxRetries: 2 }).messages.create({ ...ask, model: 'chatt' });
  await assert.rejects(call, (err) => {
    assert.ok(err instanceof Anthropic.NotFoundError);
    assert.equal(err.error.error.type, 'not_found_error');
    return true;
  });
  assert.equal(seen.length, 1);
});

for (const model of ['sim/cut-5', 'sim/err-stream-5']) {
  test(`${model}: a broken stream raises`, async () => {
    const stream = await client().messages.create({ ...ask, model, stream: true });
    const types = [];
    await assert.rejects(async () => {
      for await (const event of stream) types.push(event.type);
    }, Anthropic.APIError);
    assert.ok(types.includes('content_block_delta'));
    assert.ok(!types.includes('message_stop'));
  });
}

test('an abort ends a stream at once', async () => {
  const stream = await client().messages.create({ ...ask, model: 'sim/stall-3', stream: true });
  let deltas = 0;
  for await (const event of stream) {
    if (event.type === 'content_block_delta' && ++deltas === 2) stream.controller.abort();
  }
  assert.ok(deltas <= 3, 'only what was already buffered comes after the abort');
});
