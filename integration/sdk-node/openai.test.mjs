import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI from 'openai';
import { collect, counting, hello, url, weather } from './support.mjs';

const client = (options = {}) => new OpenAI({ baseURL: `${url}/v1`, apiKey: 'unused', maxRetries: 0, ...options });
const tools = [{ type: 'function', function: { name: 'get_weather', parameters: weather } }];

test('chat answers with content and exact usage', async () => {
  const { data, response } = await client().chat.completions.create({ model: 'chat', messages: hello }).withResponse();
  assert.equal(data.object, 'chat.completion');
  assert.ok(data.choices[0].message.content.length > 0);
  assert.equal(data.choices[0].finish_reason, 'stop');
  assert.equal(data.usage.total_tokens, data.usage.prompt_tokens + data.usage.completion_tokens);
  assert.ok(response.headers.get('x-request-id'));
  assert.equal(response.headers.get('x-ai-output-tokens'), String(data.usage.completion_tokens));
});

test('a cap is kept and names its reason', async () => {
  const answer = await client().chat.completions.create({ model: 'chat', messages: hello, max_completion_tokens: 5 });
  assert.equal(answer.choices[0].finish_reason, 'length');
  assert.equal(answer.usage.completion_tokens, 5);
});

test('a stream without include_usage shows no usage chunk', async () => {
  const chunks = await collect(await client().chat.completions.create({ model: 'chat', messages: hello, stream: true }));
  assert.equal(chunks.at(-1).choices[0].finish_reason, 'stop');
  assert.ok(chunks.every((c) => c.choices.length === 1 && !c.usage));
});

test('a stream with include_usage ends in the usage chunk', async () => {
  const chunks = await collect(
    await client().chat.completions.create({
      model: 'chat', messages: hello, stream: true, stream_options: { include_usage: true },
    }),
  );
  const last = chunks.at(-1);
  assert.deepEqual(last.choices, []);
  assert.ok(last.usage.prompt_tokens > 0 && last.usage.completion_tokens > 0);
  assert.equal(chunks.filter((c) => c.usage).length, 1);
});

test('streamed and whole text are the same', async () => {
  const whole = await client().chat.completions.create({ model: 'chat', messages: hello });
  const chunks = await collect(await client().chat.completions.create({ model: 'chat', messages: hello, stream: true }));
  const text = chunks.map((c) => c.choices[0]?.delta.content ?? '').join('');
  assert.equal(text, whole.choices[0].message.content);
});

test('a tools loop runs to its end', async () => {
  const first = await client().chat.completions.create({ model: 'sim/tool', messages: hello, tools });
  assert.equal(first.choices[0].finish_reason, 'tool_calls');
  const message = first.choices[0].message;
  const call = message.tool_calls[0];
  assert.equal(call.function.name, 'get_weather');
  assert.equal(typeof JSON.parse(call.function.arguments).city, 'string');
  const second = await client().chat.completions.create({
    model: 'chat', messages: [...hello, message, { role: 'tool', tool_call_id: call.id, content: '21 degrees' }], tools,
  });
  assert.equal(second.choices[0].finish_reason, 'stop');
});

test('streamed tool calls assemble', async () => {
  const runner = client().chat.completions.stream({ model: 'sim/tool', messages: hello, tools });
  const final = await runner.finalChatCompletion();
  const call = final.choices[0].message.tool_calls[0];
  assert.equal(call.function.name, 'get_weather');
  assert.equal(typeof JSON.parse(call.function.arguments).city, 'string');
});

test('embeddings, as floats and in base64', async () => {
  const make = (options) => client().embeddings.create({ model: 'sim/embed', input: ['one', 'two'], ...options });
  const decoded = await make({}); // the SDK asks for base64 and decodes it
  const floats = await make({ encoding_format: 'float' });
  assert.equal(floats.data.length, 2);
  assert.ok(floats.usage.prompt_tokens > 0);
  assert.equal(decoded.data[0].embedding.length, floats.data[0].embedding.length);
  for (const [i, v] of floats.data[1].embedding.entries()) {
    assert.ok(Math.abs(v - decoded.data[1].embedding[i]) < 1e-6);
  }
});

test('responses, whole', async () => {
  const answer = await client().responses.create({ model: 'chat', input: 'Hello!' });
  assert.equal(answer.status, 'completed');
  assert.ok(answer.output_text.length > 0);
  assert.ok(answer.usage.input_tokens > 0 && answer.usage.output_tokens > 0);
});

test('responses, streamed', async () => {
  const events = await collect(await client().responses.create({ model: 'chat', input: 'Hello!', stream: true }));
  assert.equal(events[0].type, 'response.created');
  const last = events.at(-1);
  assert.equal(last.type, 'response.completed');
  const text = events.filter((e) => e.type === 'response.output_text.delta').map((e) => e.delta).join('');
  assert.equal(text, last.response.output[0].content[0].text);
});

test('models are listed and found', async () => {
  const list = await collect(client().models.list());
  assert.ok(list.some((m) => m.id === 'chat'));
  const one = await client().models.retrieve('chat');
  assert.equal(one.id, 'chat');
});

test('429 is a RateLimitError with retry headers', async () => {
  await assert.rejects(client().chat.completions.create({ model: 'sim/err-429', messages: hello }), (err) => {
    assert.ok(err instanceof OpenAI.RateLimitError);
    assert.equal(err.code, 'rate_limit_exceeded');
    assert.equal(err.headers.get('retry-after'), '1');
    assert.ok(err.requestID);
    return true;
  });
});

test('a retryable error is tried maxRetries times more, after the time asked for', async () => {
  const { seen, fetch } = counting();
  const begun = performance.now();
  const call = client({ fetch, maxRetries: 1 }).chat.completions.create({ model: 'sim/err-429', messages: hello });
  await assert.rejects(call, OpenAI.RateLimitError);
  assert.deepEqual(seen.map((s) => s.status), [429, 429]);
  assert.ok(performance.now() - begun >= 990, 'the SDK read retry-after-ms');
});

test('500 is an InternalServerError', async () => {
  await assert.rejects(client().chat.completions.create({ model: 'sim/err-500', messages: hello }), (err) => {
    assert.ok(err instanceof OpenAI.InternalServerError);
    assert.ok([500, 502].includes(err.status)); // 502 when it was translated
    return true;
  });
});

test('an unknown model is a NotFoundError, asked once', async () => {
  const { seen, fetch } = counting();
  const call = client({ fetch, maxRetries: 2 }).chat.completions.create({ model: 'chatt', messages: hello });
  await assert.rejects(call, (err) => {
    assert.ok(err instanceof OpenAI.NotFoundError);
    assert.equal(err.code, 'model_not_found');
    assert.match(err.message, /chat/);
    return true;
  });
  assert.equal(seen.length, 1);
});

test('a body without messages is a BadRequestError', async () => {
  await assert.rejects(client().chat.completions.create({ model: 'chat' }), OpenAI.BadRequestError);
});

for (const model of ['sim/cut-5', 'sim/err-stream-5']) {
  test(`${model}: a broken stream raises`, async () => {
    const stream = await client().chat.completions.create({ model, messages: hello, stream: true });
    const got = [];
    await assert.rejects(async () => {
      for await (const chunk of stream) got.push(chunk);
    }, OpenAI.APIError);
    assert.ok(got.length >= 5, 'what came before the break was delivered');
  });
}

test('a broken responses stream never completes', async () => {
  const stream = await client().responses.create({ model: 'sim/cut-5', input: 'Hello!', stream: true });
  const types = [];
  try {
    for await (const event of stream) types.push(event.type);
    assert.equal(types.at(-1), 'response.failed');
  } catch (err) {
    if (err instanceof assert.AssertionError) throw err;
  }
  assert.ok(!types.includes('response.completed'));
});

test('an abort ends a stream at once', async () => {
  const stream = await client().chat.completions.create({ model: 'sim/stall-3', messages: hello, stream: true });
  let chunks = 0;
  for await (const _ of stream) {
    if (++chunks === 3) stream.controller.abort();
  }
  assert.ok(chunks <= 4, 'only what was already buffered comes after the abort');
});
