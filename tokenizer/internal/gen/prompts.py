#!/usr/bin/env python3
"""Collects recorded prompts and the input tokens that the providers billed.

    python3 internal/gen/prompts.py FIXTURES testdata/prompts.jsonl.gz

FIXTURES holds <provider>/<case>.meta.json (request, source, licence) and the
response bodies. One line for each exchange whose response tells its usage:
provider, api, model, case, tokens, body, source, licence.
"""
import glob
import gzip
import json
import os
import sys

APIS = {"chat": "openai", "mantle-chat": "openai", "responses": "responses", "mantle-responses": "responses",
        "messages": "anthropic", "anthropic-rawpredict": "anthropic", "count-tokens": "anthropic",
        "input-tokens": "responses", "generate": "gemini"}


def find(value):
    """The input tokens in one JSON value of a response, or None."""
    if not isinstance(value, dict):
        return None
    if isinstance(value.get("response"), dict):
        return find(value["response"])
    if isinstance(value.get("message"), dict) and "usage" in value["message"]:
        return find(value["message"])
    if isinstance(value.get("input_tokens"), int):
        return value["input_tokens"]
    usage = value.get("usage") or value.get("x_groq", {}).get("usage") or value.get("usageMetadata")
    if not isinstance(usage, dict):
        return None
    if "promptTokenCount" in usage:
        return usage["promptTokenCount"] + usage.get("toolUsePromptTokenCount", 0)
    if "prompt_tokens" in usage:
        return usage["prompt_tokens"]
    if "input_tokens" in usage:
        return (usage["input_tokens"] + (usage.get("cache_creation_input_tokens") or 0)
                + (usage.get("cache_read_input_tokens") or 0))
    return None


def values(raw):
    try:
        yield json.loads(raw)
        return
    except ValueError:
        pass
    for line in raw.splitlines():
        line = line.removeprefix("data:").strip()
        if line.startswith("{"):
            try:
                yield json.loads(line)
            except ValueError:
                pass


def main(root, out):
    lines = []
    for path in sorted(glob.glob(os.path.join(root, "*", "*.meta.json"))):
        meta = json.load(open(path, encoding="utf8"))
        body, name = meta["request"].get("body"), meta["response"].get("body_file")
        dialect = APIS.get(meta["api"])
        if meta["provider"] in ("gemini", "vertex") and meta["api"] in ("count-tokens",):
            continue
        if meta["status"] != 200 or meta["synthetic"] or not dialect or not name or not isinstance(body, dict):
            continue
        if meta["provider"] in ("cohere", "ollama") or dialect == "anthropic" and "messages" not in body:
            continue
        try:
            raw = open(os.path.join(os.path.dirname(path), name), encoding="utf8").read()
        except (OSError, UnicodeDecodeError):
            continue
        tokens = answered = None
        for value in values(raw):
            tokens = find(value) or tokens
            if isinstance(value, dict):
                answered = value.get("model") or (value.get("response") or {}).get("model") or answered
        if not tokens:
            continue
        url = meta["request"]["url"]
        model = body.get("model") or answered
        if not model and "/models/" in url:
            model = url.rsplit("/models/", 1)[-1].split(":")[0].split("@")[0]
        source = meta["source"]
        lines.append(json.dumps({
            "provider": meta["provider"], "dialect": dialect, "model": model,
            "case": os.path.basename(path).removesuffix(".meta.json"), "tokens": tokens, "body": body,
            "source": f'{source["repo"]} {source["commit"]} {source["path"]}', "licence": source["licence"],
        }, ensure_ascii=False, separators=(",", ":")))
    with gzip.GzipFile(out, "wb", mtime=0) as file:
        file.write("\n".join(lines).encode() + b"\n")
    print(f"{len(lines)} prompts", file=sys.stderr)


main(*sys.argv[1:])
