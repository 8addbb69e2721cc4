#!/usr/bin/env python3
"""Writes data/prices.txt, the catalogue that package prices embeds.

    pip download --no-deps litellm==1.110.2 && unzip litellm-*.whl
    git clone https://github.com/anomalyco/models.dev
    python3 internal/gen/prices.py 2026-11-25 \\
        litellm/model_prices_and_context_window_backup.json models.dev/providers > data/prices.txt

The first argument is the catalogue's version: the date of the newer source.
Prices are facts; of both sources (MIT licence) nothing else is taken. Where
both know a model, LiteLLM's entry stands, since it has more of the fields, and
what they disagree on goes to standard error for a human to look at.

Only the standard library of Python 3.11 is needed. All arithmetic is decimal.
"""
import json
import os
import re
import sys
import tomllib
from collections import Counter
from decimal import Decimal

# Weir's name of a provider, by LiteLLM's and by models.dev's.
LITELLM = {
    "openai": "openai", "text-completion-openai": "openai", "anthropic": "anthropic", "gemini": "gemini",
    "bedrock": "bedrock", "bedrock_converse": "bedrock", "azure": "azure_openai", "cohere": "cohere",
    "cohere_chat": "cohere", "groq": "groq", "deepseek": "deepseek", "mistral": "mistral", "xai": "xai",
    "together_ai": "together", "fireworks_ai": "fireworks", "fireworks_ai-embedding-models": "fireworks",
    "cerebras": "cerebras", "perplexity": "perplexity", "moonshot": "moonshot", "zai": "zai", "voyage": "voyage",
}
MODELS_DEV = {
    "openai": "openai", "anthropic": "anthropic", "google": "gemini", "google-vertex": "vertex",
    "google-vertex-anthropic": "vertex", "amazon-bedrock": "bedrock", "azure": "azure_openai", "cohere": "cohere",
    "groq": "groq", "deepseek": "deepseek", "mistral": "mistral", "xai": "xai", "openrouter": "openrouter",
    "togetherai": "together", "fireworks-ai": "fireworks", "cerebras": "cerebras", "perplexity": "perplexity",
    "moonshotai": "moonshot", "zai": "zai",
}
MODES = {"chat", "completion", "responses", "embedding", "rerank", "audio_transcription", "audio_speech",
         "image_generation", "image_edit", "realtime", "moderation"}

SILENT = {"embedding", "rerank", "moderation"}  # no tokens come out

# Weir's words and LiteLLM's fields. The first group is per token.
TOKENS = [
    ("input", "input_cost_per_token"),
    ("output", "output_cost_per_token"),
    ("cache_read", "cache_read_input_token_cost"),
    ("cache_write", "cache_creation_input_token_cost"),
    ("cache_write_1h", "cache_creation_input_token_cost_above_1hr"),
    ("reasoning", "output_cost_per_reasoning_token"),
    ("audio_input", "input_cost_per_audio_token"),
    ("audio_output", "output_cost_per_audio_token"),
    ("image_input", "input_cost_per_image_token"),
    ("image_output", "output_cost_per_image_token"),
]
UNITS = [
    ("request", ("input_cost_per_request", "input_cost_per_query")),
    ("image", ("output_cost_per_image", "input_cost_per_image")),
    ("second", ("input_cost_per_second", "output_cost_per_second")),
    ("character", ("input_cost_per_character",)),
]
WORDS = [word for word, _ in TOKENS] + [word for word, _ in UNITS] + ["search"]
SERVICES = {"": "", "batch": "_batches", "flex": "_flex", "priority": "_priority"}
BASE = {"output": None, "cache_read": "input", "cache_write": "input", "cache_write_1h": "cache_write",
        "reasoning": "output", "audio_input": "input", "audio_output": "output", "image_input": "input",
        "image_output": "output"}

MILLION = 1_000_000
notes = Counter()


def number(value):
    """A price as a decimal, None if it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return None
    value = Decimal(str(value))
    return value if value.is_finite() and value >= 0 else None


def tidy(row, base=None):
    """Drops what says nothing or cannot be."""
    # A cache write below the price of plain input is a slip of the table (often
    # the price of a read): taken at its word it would make prompts cheap.
    for word in ("cache_write", "cache_write_1h"):
        if word in row and row[word] < row.get("input", 0):
            del row[word]
            notes["cache write below input"] += 1
    # So is a tier for long prompts that is cheaper than the short one.
    if base is not None:
        for word in list(row):
            if row[word] < base.get(word, 0):
                del row[word]
                notes["tier below base"] += 1
    for word, default in BASE.items():
        if default and word in row and row[word] == row.get(default):
            del row[word]
    return row


def from_litellm(entry):
    """{(service, above): {word: USD per million tokens or per unit}}"""
    rows = {}
    for service, suffix in SERVICES.items():
        tiers = {0: ""}
        for field in entry:
            if m := re.fullmatch(r"input_cost_per_token_above_(\d+)k_tokens" + suffix, field):
                tiers[int(m[1]) * 1000] = f"_above_{m[1]}k_tokens"
        for above, tier in sorted(tiers.items()):
            row = {}
            for word, field in TOKENS:
                if (price := number(entry.get(field + tier + suffix))) is not None:
                    row[word] = price * MILLION
            if service == "" and above == 0:
                for word, fields in UNITS:
                    prices = [p for f in fields if (p := number(entry.get(f)))]
                    if prices:
                        # A second is listed on both sides and paid once.
                        row[word] = max(prices)
                search = entry.get("search_context_cost_per_query")
                if isinstance(search, dict) and (prices := [p for p in map(number, search.values()) if p]):
                    row["search"] = max(prices)
                # Where tokens are priced, a price by picture, second or character
                # is the same thing said in another way.
                if row.get("input"):
                    for word in ("image", "second", "character"):
                        row.pop(word, None)
                if "output" not in row and "image_output" in row:
                    row["output"] = row["image_output"]
            if service and "input" not in row:
                continue
            row = tidy(row, rows.get((service, 0)) if above else None)
            if row:
                rows[service, above] = row
    return rows


def from_models_dev(cost):
    names = {"input": "input", "output": "output", "cache_read": "cache_read", "cache_write": "cache_write",
             "reasoning": "reasoning", "input_audio": "audio_input", "output_audio": "audio_output"}

    def row(of):
        return {word: p for field, word in names.items() if (p := number(of.get(field))) is not None}

    rows = {("", 0): tidy(row(cost))}
    for tier in cost.get("tiers", []):
        if tidied := tidy(row(tier), rows["", 0]):
            rows["", tier["tier"]["size"]] = tidied
    return rows


def sound(rows, mode):
    """Whether the prices can be billed by: nothing that costs is free."""
    row = rows.get(("", 0), {})
    if any(p > 0 for word, p in row.items() if word in ("request", "image", "second", "character")):
        return True
    if not row.get("input"):
        return False
    return bool(row.get("output")) or mode in SILENT


def bare(provider, name, key):
    """A model's name as the provider has it; None for what Weir cannot meet."""
    for prefix in (key + "/", provider + "/"):
        if name.startswith(prefix):
            name = name[len(prefix):]
    name = name.lower()
    if provider in ("azure_openai", "bedrock") and "/" in name:
        return None  # prices of one region, or of provisioned throughput
    if provider in ("openai", "gemini", "vertex") and re.search(r"(^|/)(\d+-x-\d+|hd|standard|low|medium|high|auto)/", name):
        return None  # prices by picture size, which the answer does not tell
    return None if re.search(r"[\s*]", name) else name


def load(litellm, models_dev):
    catalogue, other = {}, {}
    with open(litellm, encoding="utf8") as f:
        entries = json.load(f, parse_float=Decimal)
    for name, entry in sorted(entries.items()):
        key = entry.get("litellm_provider") or ""
        provider = "vertex" if key.startswith("vertex_ai") else LITELLM.get(key)
        if provider is None or entry.get("mode") not in MODES:
            continue
        model = bare(provider, name, "vertex_ai" if provider == "vertex" else key)
        rows = from_litellm(entry)
        if ("", 0) in rows and entry.get("mode") in SILENT:
            rows["", 0].setdefault("output", Decimal(0))
        if model is None or not sound(rows, entry.get("mode")):
            notes["litellm: left out"] += 1
            continue
        catalogue.setdefault((provider, model), rows)
    for directory, provider in sorted(MODELS_DEV.items()):
        root = os.path.join(models_dev, directory, "models")
        for path, _, files in sorted(os.walk(root)):
            for file in sorted(files):
                full = os.path.join(path, file)
                if not file.endswith(".toml") or not os.path.exists(full):
                    continue
                with open(full, "rb") as f:
                    cost = tomllib.load(f, parse_float=Decimal).get("cost")
                model = bare(provider, os.path.relpath(full, root)[:-len(".toml")], provider)
                if not cost or model is None:
                    continue
                rows = from_models_dev(cost)
                if sound(rows, "chat"):
                    other.setdefault((provider, model), rows)
    for key, rows in other.items():
        if key not in catalogue:
            catalogue[key] = rows
            notes["from models.dev only"] += 1
            continue
        ours = catalogue[key]["", 0]
        for word in ("input", "output"):
            a, b = ours.get(word), rows["", 0].get(word)
            if a != b:
                print(f"{'/'.join(key)}: {word} {a} in LiteLLM, {b} in models.dev", file=sys.stderr)
                notes["disagreements"] += 1
    return catalogue


def text(price):
    # Nine digits after the point: nano-dollars per million tokens.
    written = f"{round(price, 9):f}"
    return written.rstrip("0").rstrip(".") if "." in written else written


def line(rows):
    words = []
    for service in SERVICES:
        for (of, above), row in sorted(rows.items()):
            if of != service:
                continue
            if above == 0 and service:
                words += ["service", service]
            if above:
                words += ["above", str(above)]
            for word in WORDS:
                if word in row:
                    words += [word, text(row[word])]
    return " ".join(words)


def main():
    version, litellm, models_dev = sys.argv[1:]
    catalogue = load(litellm, models_dev)
    print(f"version {version}")
    print("# Prices of models in USD: per million tokens, and per request, image, second, character or search.")
    print("# Made by internal/gen/prices.py from public price tables under the MIT licence:")
    print("#   LiteLLM, model_prices_and_context_window.json, Copyright (c) 2023 Berri AI, https://github.com/BerriAI/litellm")
    print("#   models.dev, Copyright (c) 2025 models.dev, https://github.com/anomalyco/models.dev")
    for (provider, model), rows in sorted(catalogue.items()):
        print(provider, model, line(rows))
    counts = Counter(provider for provider, _ in catalogue)
    print(len(catalogue), "models", dict(counts), dict(notes), file=sys.stderr)


if __name__ == "__main__":
    main()
