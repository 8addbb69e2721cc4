import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError, GoogleGenAI } from '@google/genai';
import { collect, url } from './support.mjs';

const client = () => new GoogleGenAI({ apiKey: 'unused', httpOptions: { baseUrl: url } });
const ask = { model: 'chat', contents: 'Hello!' };
const functionDeclarations = [{
  name: 'get_weather',
  description: 'Tells the weather.',
  parametersJsonSchema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
}];

test('generateContent answers with text and exact usage', async () => {
  const answer = await client().models.generateContent(ask);
  assert.ok(answer.text.length > 0);
  assert.equal(answer.candidates[0].finishReason, 'STOP');
  const usage = answer.usageMetadata;
  assert.equal(usage.totalTokenCount, usage.promptTokenCount + usage.candidatesTokenCount);
});

test('a cap is kept and names its reason', async () => {
  const answer = await client().models.generateContent({ ...ask, config: { maxOutputTokens: 16 } });
  assert.equal(answer.candidates[0].finishReason, 'MAX_TOKENS');
  assert.equal(answer.usageMetadata.candidatesTokenCount, 16);
});

test('a stream assembles to the whole answer', async () => {
  const whole = await client().models.generateContent(ask);
  const chunks = await collect(await client().models.generateContentStream(ask));
  assert.ok(chunks.length > 2);
  assert.equal(chunks.map((c) => c.text ?? '').join(''), whole.text);
  assert.equal(chunks.at(-1).candidates[0].finishReason, 'STOP');
  assert.equal(chunks.at(-1).usageMetadata.candidatesTokenCount, whole.usageMetadata.candidatesTokenCount);
});

test('a system instruction and a history are sent', async () => {
  const answer = await client().models.generateContent({
    model: 'chat',
    contents: [
      { role: 'user', parts: [{ text: 'Hello!' }] },
      { role: 'model', parts: [{ text: 'Hi.' }] },
      { role: 'user', parts: [{ text: 'Again.' }] },
    ],
    config: { systemInstruction: 'Be brief.', temperature: 0.5, stopSequences: [] },
  });
  assert.ok(answer.text.length > 0);
});

for (const streamed of [false, true]) {
  test(`a tools loop runs to its end, streamed: ${streamed}`, async () => {
    const contents = [{ role: 'user', parts: [{ text: 'How is the weather in Kyiv?' }] }];
    const config = { tools: [{ functionDeclarations }] };
    const request = { model: 'sim/tool', contents, config };
    let calls;
    let content;
    if (streamed) {
      const chunks = await collect(await client().models.generateContentStream(request));
      calls = chunks.flatMap((c) => c.functionCalls ?? []);
      content = { role: 'model', parts: chunks.flatMap((c) => c.candidates?.[0]?.content?.parts ?? []) };
    } else {
      const first = await client().models.generateContent(request);
      calls = first.functionCalls;
      content = first.candidates[0].content;
    }
    assert.equal(calls.length, 1);
    assert.equal(calls[0].name, 'get_weather');
    assert.equal(typeof calls[0].args.city, 'string');
    const second = await client().models.generateContent({
      model: 'chat',
      contents: [...contents, content, { role: 'user', parts: [{ functionResponse: { id: calls[0].id, name: calls[0].name, response: { output: '21 degrees' } } }] }],
      config,
    });
    assert.ok(second.text.length > 0);
  });
}

test('countTokens counts', async () => {
  const counted = await client().models.countTokens({ model: 'chat', contents: 'Hello!' });
  assert.ok(counted.totalTokens > 0);
});

test('embedContent embeds', async () => {
  const answer = await client().models.embedContent({ model: 'sim/embed', contents: ['one', 'two'] });
  assert.equal(answer.embeddings.length, 2);
  assert.ok(answer.embeddings[0].values.length > 0);
});

test('models are listed and found', async () => {
  const list = await collect(await client().models.list());
  assert.ok(list.some((m) => m.name === 'models/chat'));
  assert.equal((await client().models.get({ model: 'chat' })).name, 'models/chat');
});

for (const [model, status] of [['sim/err-429', 429], ['chatt', 404]]) {
  test(`${model} is an ApiError with status ${status}`, async () => {
    await assert.rejects(client().models.generateContent({ ...ask, model }), (err) => {
      assert.ok(err instanceof ApiError);
      assert.equal(err.status, status);
      return true;
    });
  });
}

for (const model of ['sim/cut-5', 'sim/err-stream-5']) {
  test(`${model}: a broken stream raises`, async () => {
    const stream = await client().models.generateContentStream({ ...ask, model });
    let text = '';
    await assert.rejects(async () => {
      for await (const chunk of stream) text += chunk.text ?? '';
    });
    assert.ok(text.length > 0);
  });
}
