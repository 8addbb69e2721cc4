// What coding agents send, on upstreams of another vendor: whole loops of tools
// with thinking, driven by the SDKs' own runners.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { behind, chat, delta, named, usage } from './scripted.mjs';

const file = { type: 'object', properties: { path: { type: 'string' } }, required: ['path'], additionalProperties: false };

// Claude Code's shape: system blocks with cache marks, thinking, tools, a user id.
test('Claude Code on an upstream that has only Chat Completions', async () => {
  const weir = await behind('provider up openai_compatible {\nbase_url ADDRESS/v1\nserves chat\n}\nmodel claude-sonnet-4-5 up/qwen3-coder', [
    // Two calls whose fragments interleave, after thinking and text.
    () => chat(
      delta({ role: 'assistant', content: '' }),
      delta({ reasoning_content: 'I need ' }),
      delta({ reasoning_content: 'both files.' }),
      delta({ content: 'Reading.' }),
      delta({ tool_calls: [{ index: 0, id: 'call_a', type: 'function', function: { name: 'read', arguments: '' } }] }),
      delta({ tool_calls: [{ index: 1, id: 'call_b', type: 'function', function: { name: 'read', arguments: '' } }] }),
      delta({ tool_calls: [{ index: 1, function: { arguments: '{"path":"b' } }] }),
      delta({ tool_calls: [{ index: 0, function: { arguments: '{"path":"a.txt"}' } }] }),
      delta({ tool_calls: [{ index: 1, function: { arguments: '.txt"}' } }] }),
      delta({}, 'tool_calls'),
      usage(100, 20),
    ),
    () => chat(
      delta({ role: 'assistant', content: null, tool_calls: [{ index: 0, id: 'call_c', type: 'function', function: { name: 'list', arguments: '' } }] }),
      delta({}, 'tool_calls'),
      usage(150, 5),
    ),
    () => chat(delta({ role: 'assistant', content: 'a and ' }), delta({ content: 'b' }), delta({}, 'stop'), usage(200, 3)),
  ]);
  try {
    const client = new Anthropic({ baseURL: weir.url, apiKey: 'unused', maxRetries: 0 });
    const ran = [];
    const runner = client.beta.messages.toolRunner({
      model: 'claude-sonnet-4-5',
      max_tokens: 4096,
      stream: true,
      betas: ['interleaved-thinking-2025-05-14'],
      thinking: { type: 'enabled', budget_tokens: 2048 },
      metadata: { user_id: 'user_1' },
      system: [{ type: 'text', text: 'You are an agent.', cache_control: { type: 'ephemeral' } }],
      tools: [
        { name: 'read', description: 'Reads a file.', input_schema: file, run: async ({ path }) => (ran.push(path), `contents of ${path}`), parse: (x) => x },
        { name: 'list', description: 'Lists files.', input_schema: { type: 'object', properties: {} }, run: async () => (ran.push('list'), 'a.txt b.txt'), parse: (x) => x },
      ],
      messages: [{ role: 'user', content: [{ type: 'text', text: 'What is in them?', cache_control: { type: 'ephemeral' } }] }],
    });
    let last;
    const turns = [];
    for await (const stream of runner) {
      last = await stream.finalMessage();
      turns.push(last);
    }
    assert.deepEqual(ran.sort(), ['a.txt', 'b.txt', 'list']);
    assert.equal(last.content.map((b) => b.text).join(''), 'a and b');
    assert.equal(last.stop_reason, 'end_turn');
    assert.equal(last.usage.output_tokens, 3);
    assert.equal(turns.length, 3);
    assert.equal(turns[0].stop_reason, 'tool_use');
    assert.deepEqual(turns[0].content.map((b) => b.type), ['thinking', 'text', 'tool_use', 'tool_use']);
    assert.equal(turns[0].content[0].thinking, 'I need both files.');
    assert.deepEqual(turns[0].content.slice(2).map((b) => b.input), [{ path: 'a.txt' }, { path: 'b.txt' }]);
    assert.deepEqual(turns[1].content[0].input, {});

    assert.equal(weir.seen.length, 3);
    const [first, second] = weir.seen.map((s) => s.body);
    assert.equal(first.model, 'qwen3-coder');
    assert.equal(first.messages[0].role, 'system');
    assert.equal(first.tools[0].function.name, 'read');
    assert.deepEqual(first.tools[0].function.parameters, file);
    assert.equal(first.stream_options.include_usage, true);
    const roles = second.messages.map((m) => m.role);
    assert.deepEqual(roles, ['system', 'user', 'assistant', 'tool', 'tool']);
    const calls = second.messages[2].tool_calls;
    assert.deepEqual(calls.map((c) => JSON.parse(c.function.arguments)), [{ path: 'a.txt' }, { path: 'b.txt' }]);
    assert.deepEqual(second.messages.slice(3).map((m) => [m.tool_call_id, m.content]), [
      [calls[0].id, 'contents of a.txt'],
      [calls[1].id, 'contents of b.txt'],
    ]);
  } finally {
    await weir.close();
  }
});

const message = (usage) => ({
  type: 'message_start',
  message: { id: 'msg_1', type: 'message', role: 'assistant', model: 'claude', content: [], stop_reason: null, stop_sequence: null, usage: { output_tokens: 1, ...usage } },
});
const block = (index, content_block, ...deltas) => [
  { type: 'content_block_start', index, content_block },
  ...deltas.map((d) => ({ type: 'content_block_delta', index, delta: d })),
  { type: 'content_block_stop', index },
];
const end = (stop_reason, output_tokens) => [
  { type: 'message_delta', delta: { stop_reason, stop_sequence: null }, usage: { output_tokens } },
  { type: 'message_stop' },
];

// Codex's shape: Responses without state, encrypted reasoning, a function, a
// custom tool with a grammar, a server tool.
test('Codex on an upstream that has only Messages', async () => {
  const patch = '*** Begin Patch\n*** Update File: a.txt\n+"quoted"\n*** End Patch';
  const weir = await behind('provider up anthropic {\nbase_url ADDRESS/v1\napi_key {env.UPSTREAM_KEY}\n}\nmodel gpt-5-codex up/claude-sonnet-4-5', [
    () => named(
      message({ input_tokens: 90, cache_read_input_tokens: 10 }),
      ...block(0, { type: 'thinking', thinking: '', signature: '' }, { type: 'thinking_delta', thinking: 'Look ' }, { type: 'thinking_delta', thinking: 'first.' }, { type: 'signature_delta', signature: 'c2lnbmVk' }),
      ...block(1, { type: 'tool_use', id: 'toolu_1', name: 'shell', input: {} }, { type: 'input_json_delta', partial_json: '' }, { type: 'input_json_delta', partial_json: '{"command":["cat",' }, { type: 'input_json_delta', partial_json: '"a.txt"]}' }),
      ...end('tool_use', 30),
    ),
    () => named(
      message({ input_tokens: 120 }),
      ...block(0, { type: 'tool_use', id: 'toolu_2', name: 'apply_patch', input: {} }, { type: 'input_json_delta', partial_json: JSON.stringify({ input: patch }) }),
      ...end('tool_use', 40),
    ),
    () => named(message({ input_tokens: 160 }), ...block(0, { type: 'text', text: '' }, { type: 'text_delta', text: 'Pat' }, { type: 'text_delta', text: 'ched.' }), ...end('end_turn', 4)),
  ]);
  try {
    const client = new OpenAI({ baseURL: `${weir.url}/v1`, apiKey: 'unused', maxRetries: 0 });
    const input = [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Quote it.' }] }];
    const finals = [];
    for (let turn = 0; turn < 5; turn++) {
      const stream = await client.responses.create({
        model: 'gpt-5-codex',
        instructions: 'You are Codex.',
        input,
        tools: [
          { type: 'function', name: 'shell', description: 'Runs a command.', strict: false, parameters: { type: 'object', properties: { command: { type: 'array', items: { type: 'string' } } }, required: ['command'], additionalProperties: false } },
          { type: 'custom', name: 'apply_patch', description: 'Edits files.', format: { type: 'grammar', syntax: 'lark', definition: 'start: "*** Begin Patch"' } },
          { type: 'web_search' },
        ],
        tool_choice: 'auto',
        parallel_tool_calls: false,
        reasoning: { effort: 'medium', summary: 'auto' },
        include: ['reasoning.encrypted_content'],
        prompt_cache_key: 'conversation',
        store: false,
        stream: true,
      });
      let sequence = -1;
      let final;
      for await (const event of stream) {
        assert.equal(event.sequence_number, ++sequence);
        if (event.type === 'response.completed') final = event.response;
      }
      finals.push(final);
      input.push(...final.output);
      const calls = final.output.filter((item) => item.type.endsWith('_call'));
      if (calls.length === 0) break;
      for (const call of calls) {
        input.push(call.type === 'custom_tool_call'
          ? { type: 'custom_tool_call_output', call_id: call.call_id, output: 'done' }
          : { type: 'function_call_output', call_id: call.call_id, output: 'text of a.txt' });
      }
    }
    assert.deepEqual(finals.map((f) => f.output.map((item) => item.type)), [['reasoning', 'function_call'], ['custom_tool_call'], ['message']]);
    assert.equal(finals[0].output[0].summary[0].text, 'Look first.');
    assert.deepEqual(JSON.parse(finals[0].output[1].arguments), { command: ['cat', 'a.txt'] });
    assert.equal(finals[0].usage.input_tokens, 100);
    assert.equal(finals[0].usage.input_tokens_details.cached_tokens, 10);
    assert.equal(finals[1].output[0].input, patch);
    assert.equal(finals[2].output[0].content[0].text, 'Patched.');

    const [first, second, third] = weir.seen.map((s) => s.body);
    assert.equal(first.thinking.type, 'enabled');
    assert.ok(first.max_tokens > first.thinking.budget_tokens);
    assert.deepEqual(first.tools.map((t) => t.name), ['shell', 'apply_patch']);
    assert.equal(first.tool_choice.disable_parallel_tool_use, true);
    assert.deepEqual(second.messages[1].content.map((b) => b.type), ['thinking', 'tool_use']);
    assert.equal(second.messages[1].content[0].signature, 'c2lnbmVk', 'the signature comes back');
    assert.equal(second.messages[2].content[0].tool_use_id, 'toolu_1');
    assert.equal(third.messages.at(-2).content.at(-1).input.input, patch);
    assert.equal(third.messages.at(-1).content[0].tool_use_id, 'toolu_2');
  } finally {
    await weir.close();
  }
});

// A chat client's own runner on Gemini, whose signatures must come back.
test('runTools of Chat Completions on Gemini', async () => {
  const gemini = (...chunks) => chunks.map((c) => `data: ${JSON.stringify(c)}\r\n\r\n`);
  const count = (prompt, candidates) => ({ promptTokenCount: prompt, candidatesTokenCount: candidates, totalTokenCount: prompt + candidates });
  const weir = await behind('provider up gemini {\nbase_url ADDRESS/v1beta\napi_key {env.UPSTREAM_KEY}\n}\nmodel m up/gemini-3-pro', [
    () => gemini(
      { candidates: [{ content: { role: 'model', parts: [{ functionCall: { name: 'read', args: { path: 'a.txt' } }, thoughtSignature: 'c2lnbmVk' }, { functionCall: { name: 'read', args: { path: 'b.txt' } } }] }, index: 0 }], usageMetadata: count(10, 5) },
      { candidates: [{ content: { role: 'model', parts: [{ text: '' }] }, finishReason: 'STOP', index: 0 }], usageMetadata: count(10, 6), responseId: 'r1' },
    ),
    () => gemini({ candidates: [{ content: { role: 'model', parts: [{ text: 'Both read.' }] }, finishReason: 'STOP', index: 0 }], usageMetadata: count(30, 3) }),
  ]);
  try {
    const client = new OpenAI({ baseURL: `${weir.url}/v1`, apiKey: 'unused', maxRetries: 0 });
    const ran = [];
    const runner = client.chat.completions.runTools({
      model: 'm',
      stream: true,
      messages: [{ role: 'user', content: 'Read both.' }],
      tools: [{ type: 'function', function: { name: 'read', description: 'Reads.', parameters: file, parse: JSON.parse, function: ({ path }) => (ran.push(path), `contents of ${path}`) } }],
    });
    assert.equal(await runner.finalContent(), 'Both read.');
    assert.deepEqual(ran, ['a.txt', 'b.txt']);
    const contents = weir.seen[1].body.contents;
    assert.deepEqual(contents.map((c) => c.role), ['user', 'model', 'user']);
    assert.deepEqual(contents[1].parts.map((p) => p.functionCall.args.path), ['a.txt', 'b.txt']);
    assert.equal(contents[1].parts[0].thoughtSignature, 'c2lnbmVk', 'the signature comes back');
    assert.deepEqual(contents[2].parts.map((p) => p.functionResponse.name), ['read', 'read']);
  } finally {
    await weir.close();
  }
});
