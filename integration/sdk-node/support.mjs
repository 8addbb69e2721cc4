import assert from 'node:assert/strict';

export const url = process.env.WEIR_URL;
assert.ok(url, 'WEIR_URL names the running Weir');

export const hello = [{ role: 'user', content: 'Hello!' }];

export const weather = {
  type: 'object',
  properties: { city: { type: 'string' } },
  required: ['city'],
};

// counting is a fetch that keeps what an SDK sent and got.
export function counting() {
  const seen = [];
  const fetcher = async (input, init) => {
    const res = await fetch(input, init);
    seen.push({ status: res.status, headers: res.headers });
    return res;
  };
  return { seen, fetch: fetcher };
}

// collect reads an async iterable to its end.
export async function collect(stream) {
  const all = [];
  for await (const item of stream) all.push(item);
  return all;
}
