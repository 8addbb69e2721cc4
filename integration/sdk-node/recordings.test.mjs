// What vendors have sent, through Weir, into the SDKs of the other dialects: all
// of them must read it, and make the same of it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import OpenAI from 'openai';
import { run } from './scripted.mjs';

const root = '../testdata/fixtures';
const apis = { chat: 'chat', responses: 'responses', messages: 'messages', generate: 'generate' };

const recordings = [];
for (const vendor of readdirSync(root, { withFileTypes: true }).filter((d) => d.isDirectory() && !['cohere', 'bedrock', 'sse'].includes(d.name))) {
  for (const file of readdirSync(join(root, vendor.name)).filter((f) => f.endsWith('.meta.json'))) {
    const meta = JSON.parse(readFileSync(join(root, vendor.name, file)));
    const name = meta.response?.body_file;
    if (meta.status !== 200 || !apis[meta.api] || !name || !/\.(json|sse)$/.test(name)) continue;
    const body = readFileSync(join(root, vendor.name, name.split('/').at(-1)));
    // Ollama's own chat has the name and another shape; some bodies hold an error,
    // or an answer that is not finished.
    if (vendor.name === 'ollama' && !body.includes('"choices"')) continue;
    if (/"error": ?\{|event: error|"status": ?"(queued|in_progress)"/.test(body) && !/"status": ?"completed"/.test(body)) continue;
    recordings.push({ name: `${vendor.name}/${file.replace('.meta.json', '')}`, api: meta.api, stream: name.endsWith('.sse'), body });
  }
}

let playing;
let weir;
let upstream;

before(async () => {
  upstream = http.createServer(async (req, res) => {
    for await (const chunk of req) void chunk;
    res.writeHead(200, { 'content-type': playing.stream ? 'text/event-stream' : 'application/json' });
    for (let at = 0; at < playing.body.length; at += 333) res.write(playing.body.subarray(at, at + 333));
    res.end();
  });
  upstream.listen(0, '127.0.0.1');
  await once(upstream, 'listening');
  const url = `http://127.0.0.1:${upstream.address().port}`;
  weir = await run(`
provider chat openai_compatible {
	base_url ${url}/v1
	serves chat
}
provider responses openai {
	base_url ${url}/v1
	api_key {env.UPSTREAM_KEY}
	serves responses
}
provider messages anthropic {
	base_url ${url}/v1
	api_key {env.UPSTREAM_KEY}
}
provider generate gemini {
	base_url ${url}/v1beta
	api_key {env.UPSTREAM_KEY}
}`);
});

after(async () => {
  await weir?.close();
  upstream?.closeAllConnections();
  upstream?.close();
});

// Each reads an answer as its SDK's users do and returns [text, calls].
const ask = {
  async chat(model, stream) {
    const client = new OpenAI({ baseURL: `${weir.url}/v1`, apiKey: 'unused', maxRetries: 0 });
    const request = { model, messages: [{ role: 'user', content: 'Hello!' }] };
    const answer = stream
      ? await client.chat.completions.stream(request).finalChatCompletion().catch(asRefusal)
      : await client.chat.completions.create(request);
    const message = answer.choices[0]?.message ?? {};
    const calls = (message.tool_calls ?? []).map((c) => (c.function ? [c.function.name, c.function.arguments] : [c.custom.name, JSON.stringify({ input: c.custom.input })]));
    return [(message.content ?? '') + (message.refusal ?? ''), calls];
  },
  async responses(model, stream) {
    const client = new OpenAI({ baseURL: `${weir.url}/v1`, apiKey: 'unused', maxRetries: 0 });
    const request = { model, input: 'Hello!' };
    const answer = stream ? await client.responses.stream(request).finalResponse() : await client.responses.create(request);
    const parts = answer.output.filter((i) => i.type === 'message').flatMap((i) => i.content);
    const calls = answer.output.filter((i) => i.type.endsWith('tool_call') || i.type === 'function_call')
      .map((i) => [i.name, i.arguments ?? JSON.stringify({ input: i.input })]);
    return [parts.map((p) => p.text ?? p.refusal).join(''), calls];
  },
  async messages(model, stream) {
    const client = new Anthropic({ baseURL: weir.url, apiKey: 'unused', maxRetries: 0 });
    const request = { model, max_tokens: 1000, messages: [{ role: 'user', content: 'Hello!' }] };
    const answer = stream ? await client.messages.stream(request).finalMessage() : await client.messages.create(request);
    return [
      answer.content.filter((b) => b.type === 'text').map((b) => b.text).join(''),
      answer.content.filter((b) => b.type === 'tool_use').map((b) => [b.name, JSON.stringify(b.input)]),
    ];
  },
  async generate(model, stream) {
    const client = new GoogleGenAI({ apiKey: 'unused', httpOptions: { baseUrl: weir.url } });
    const request = { model, contents: 'Hello!' };
    const chunks = [];
    if (stream) for await (const chunk of await client.models.generateContentStream(request)) chunks.push(chunk);
    else chunks.push(await client.models.generateContent(request));
    const parts = chunks.flatMap((c) => (c.candidates ?? []).filter((x) => !x.index).flatMap((x) => x.content?.parts ?? []));
    return [
      parts.filter((p) => p.text !== undefined && !p.thought).map((p) => p.text).join(''),
      parts.filter((p) => p.functionCall).map((p) => [p.functionCall.name, JSON.stringify(p.functionCall.args ?? {})]),
    ];
  },
};

// The helper of chat streams raises for answers that were cut by a cap or a
// policy, which others return.
function asRefusal(err) {
  if (err instanceof OpenAI.LengthFinishReasonError || err instanceof OpenAI.ContentFilterFinishReasonError) return { choices: [] };
  throw err;
}

const sorted = (v) => (v && typeof v === 'object' && !Array.isArray(v) ? Object.fromEntries(Object.keys(v).sort().map((k) => [k, sorted(v[k])])) : Array.isArray(v) ? v.map(sorted) : v);
const readable = (args) => {
  try {
    return JSON.stringify(sorted(JSON.parse(args || '{}') ?? {}));
  } catch {
    return 'cut off';
  }
};

const models = { chat: 'a-model', responses: 'gpt-4.1', messages: 'claude-sonnet-4-5', generate: 'gemini-2.5-flash' };

test('there are recordings', () => assert.ok(recordings.length > 150, String(recordings.length)));

for (const recording of recordings) {
  test(recording.name, async () => {
    playing = recording;
    const seen = {};
    for (const dialect of Object.keys(ask)) {
      if (dialect === recording.api) continue;
      seen[dialect] = await ask[dialect](`${recording.api}/${models[recording.api]}`, recording.stream);
    }
    const [first, ...others] = Object.entries(seen);
    // A call that the vendor cut off is half of its JSON in some dialects,
    // wrapped in others, and nothing in SDKs that parse as it comes.
    const broken = Object.values(seen).some(([, calls]) => calls.some(([, args]) => readable(args) === 'cut off' || args.includes('"_raw"')));
    const known = (list) => list.slice(0, broken ? -1 : undefined).map(([name, args]) => [name, readable(args)]);
    for (const [dialect, [text, calls]] of others) {
      if (dialect === 'chat' && text === '' && calls.length === 0) continue; // raised
      if (first[0] === 'chat' && first[1][0] === '' && first[1][1].length === 0) continue;
      assert.deepEqual(known(calls), known(first[1][1]), `${dialect} and ${first[0]}`);
      if (text !== first[1][0] && text !== '' && first[1][0] !== '') assert.equal(text, first[1][0], `${dialect} and ${first[0]}`);
    }
  });
}
