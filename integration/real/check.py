"""Checks Weir in front of llama.cpp's server: what it passes on and what it
records must be what the server itself says. Standard library only."""

import http.client
import json
import os
import socket
import sys
import time
import urllib.parse
import urllib.request

WEIR, LLAMA, LOG = os.environ["WEIR_URL"], os.environ["LLAMA_URL"], sys.argv[1]
MESSAGES = [{"role": "user", "content": "Name three rivers of Europe and one city on each."}]
rows, failed = [], []


def post(base, path, body):
    request = urllib.request.Request(base + path, json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return answer.read()


def check(name, weir, server):
    rows.append((name, weir, server, "ok" if weir == server else "DIFFERS"))
    if weir != server:
        failed.append(name)


def records():
    with open(LOG) as log:
        lines = [json.loads(line) for line in log if line.startswith("{")]
    return [line for line in lines if line.get("logger") == "ai.usage"]


def wait(what, condition):
    """Polls a condition for up to 30 s and returns its value."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    failed.append(what)
    return None


def events(raw):
    return [json.loads(line[6:]) for line in raw.decode().split("\n") if line.startswith("data: {")]


def text(chunks):
    return "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"])


fixed = {"messages": MESSAGES, "temperature": 0, "seed": 1, "max_tokens": 48, "cache_prompt": False}

# The same request straight and through Weir.
straight = json.loads(post(LLAMA, "/v1/chat/completions", {"model": "gemma-3-270m", **fixed}))
whole = json.loads(post(WEIR, "/v1/chat/completions", {"model": "gemma", **fixed}))
check("text of a whole answer", whole["choices"][0]["message"]["content"], straight["choices"][0]["message"]["content"])
for member in ("prompt_tokens", "completion_tokens"):
    check(member, whole["usage"][member], straight["usage"][member])

raw = post(WEIR, "/v1/chat/completions", {"model": "gemma", "stream": True, **fixed})
check("text of a stream", text(events(raw)), straight["choices"][0]["message"]["content"])
check("end of a stream", raw.rstrip().split(b"\n")[-1].decode(), "data: [DONE]")
check("usage chunk that was not asked for", sum(1 for c in events(raw) if not c["choices"]), 0)
record = wait("records of two answers", lambda: len(records()) >= 2 and records()[1])
if record:
    check("recorded input_tokens", record["input_tokens"], straight["usage"]["prompt_tokens"])
    check("recorded output_tokens", record["output_tokens"], straight["usage"]["completion_tokens"])
    check("recorded source", record["usage_source"], "provider")

# A client that leaves: the server must stop generating.
url = urllib.parse.urlparse(WEIR)
conn = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
body = {**fixed, "model": "gemma", "stream": True, "max_tokens": 4000, "ignore_eos": True}
conn.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})
answer = conn.getresponse()
got = b""
while got.count(b"data: ") < 12:
    got += answer.read1(4096)


def busy():
    with urllib.request.urlopen(LLAMA + "/slots", timeout=10) as slots:
        return any(slot["is_processing"] for slot in json.load(slots))


check("server busy before the client leaves", busy(), True)
answer.close()
conn.sock and conn.sock.shutdown(socket.SHUT_RDWR)
conn.close()
left = time.monotonic()
wait("server stops when the client leaves", lambda: not busy())
print(f"the server was idle {1000 * (time.monotonic() - left):.0f} ms after the client left")
record = wait("record of the client that left", lambda: len(records()) >= 3 and records()[2])
if record:
    check("client_gone recorded", record["client_gone"], True)
    check("counted, not reported", record["usage_source"], "estimated")
    rows.append(("tokens recorded for the cut stream (received: at least 11)", record["output_tokens"], "", ""))

# Weir's counts next to the server's own tokenizer.
for sample in ("The quick brown fox jumps over the lazy dog.", "def add(a, b):\n    return a + b\n", "Grüße aus Köln, 東京 и Москва."):
    mine = json.loads(post(WEIR, "/v1/tokenize", {"model": "gemma", "input": sample}))
    theirs = len(json.loads(post(LLAMA, "/tokenize", {"content": sample}))["tokens"])
    rows.append((f"tokens of {sample[:24]!r}", f"{mine['count']}{' (estimate)' if mine['estimated'] else ''}", theirs, ""))

for name, weir, server, verdict in rows:
    print(f"{name[:56]:58}{str(weir)[:32]!r:36}{str(server)[:32]!r:36}{verdict}")
print(f"{len(rows)} compared, {len(failed)} failed{': ' + ', '.join(failed) if failed else ''}")
sys.exit(1 if failed else 0)
