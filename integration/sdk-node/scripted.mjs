// A Weir of its own in front of an upstream whose answers a test writes.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const freePort = async () => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
};

const healthy = async (url, child) => {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`Weir ended with ${child.exitCode}`);
    try {
      if ((await fetch(`${url}/health/live`)).ok) return;
    } catch {
      await new Promise((again) => setTimeout(again, 50));
    }
  }
};

// behind runs Weir with `provider` (lines of a provider block that may use
// ADDRESS for the upstream's) in front of an upstream that answers
// request n by steps[n](body), a list of SSE blocks. It returns Weir's address,
// the bodies that the upstream was sent, and a function that ends both.
export async function behind(provider, steps) {
  const seen = [];
  const upstream = http.createServer(async (req, res) => {
    const chunks = [];
    for await (const chunk of req) chunks.push(chunk);
    const body = JSON.parse(Buffer.concat(chunks).toString());
    const step = steps[seen.length];
    seen.push({ body, headers: req.headers, url: req.url });
    if (!step) {
      res.writeHead(400, { 'content-type': 'application/json' });
      res.end('{"error":{"message":"the script is over","type":"invalid_request_error"}}');
      return;
    }
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const block of step(body)) {
      res.write(block);
      await new Promise((next) => setImmediate(next));
    }
    res.end();
  });
  upstream.listen(0, '127.0.0.1');
  await once(upstream, 'listening');
  const address = `http://127.0.0.1:${upstream.address().port}`;

  const weir = await run(provider.replaceAll('ADDRESS', address));
  return {
    url: weir.url,
    seen,
    async close() {
      await weir.close();
      upstream.closeAllConnections();
      upstream.close();
    },
  };
}

// run starts a Weir of its own; ai is the inside of the global ai block.
export async function run(ai) {
  const port = await freePort();
  const dir = await mkdtemp(join(tmpdir(), 'weir-'));
  const config = join(dir, 'Caddyfile');
  await writeFile(config, `{
	admin off
	auto_https off
	persist_config off
	ai {
		${ai}
		records off
	}
}
http://127.0.0.1:${port} {
	ai_health
	ai_gateway
}
`);
  const child = spawn(process.env.CADDY, ['run', '--config', config, '--adapter', 'caddyfile'], {
    stdio: ['ignore', 'ignore', process.env.WEIR_TEST_LOGS ? 'inherit' : 'ignore'],
    env: { ...process.env, UPSTREAM_KEY: 'sk-upstream', XDG_DATA_HOME: dir, XDG_CONFIG_HOME: dir },
  });
  const url = `http://127.0.0.1:${port}`;
  await healthy(url, child);
  return {
    url,
    async close() {
      child.kill('SIGTERM');
      if (child.exitCode === null) await once(child, 'exit');
      await rm(dir, { recursive: true });
    },
  };
}

// chat and named are the two ways in which vendors write an event.
export const chat = (...chunks) => [
  ...chunks.map((c) => `data: ${JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'm', ...c })}\n\n`),
  'data: [DONE]\n\n',
];
export const delta = (d, finish = null) => ({ choices: [{ index: 0, delta: d, finish_reason: finish }] });
export const usage = (prompt, completion) => ({
  choices: [],
  usage: { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion },
});
export const named = (...events) => events.map((e) => `event: ${e.type}\ndata: ${JSON.stringify(e)}\n\n`);
