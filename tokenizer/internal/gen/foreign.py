#!/usr/bin/env python3
"""Golden vectors for tokenizers that are loaded from a file.

    pip install tokenizers==0.23.3 sentencepiece==0.2.3 tiktoken==0.14.0
    python3 internal/gen/foreign.py testdata/foreign            # trains tiny ones
    python3 internal/gen/foreign.py OUT --check FILE...         # files that exist

For each tokenizer it writes NAME.golden.json: [text, ids] pairs from the
reference implementation (Hugging Face tokenizers, SentencePiece, tiktoken).
The texts hold no special tokens: a gateway counts those as ordinary text.
The tiny ones are trained on the sentences below, which are our own words.
"""
import base64
import io
import json
import os
import random
import shutil
import sys

import sentencepiece
import tiktoken
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

HERE = os.path.dirname(os.path.abspath(__file__))
namespace = {}
source = open(os.path.join(HERE, "golden.py"), encoding="utf8").read()
exec(source[source.index("SAMPLES = ["):source.index("def random_doc")], namespace)
SAMPLES, ALPHABETS = namespace["SAMPLES"], namespace["ALPHABETS"]

QWEN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+")
LLAMA3 = QWEN.replace(r"\p{N}|", r"\p{N}{1,3}|", 1)


def texts(count):
    rng = random.Random(5)
    yield from (s for s in SAMPLES if "<|" not in s)
    for _ in range(count):
        alphabets = rng.choices(ALPHABETS, k=rng.randint(1, 5))
        yield "".join(rng.choice(rng.choice(alphabets)) for _ in range(rng.randint(1, 60)))
    yield from ["", " ", "a", "  a  b ", "\n\n", "e\u0301\u0323 \u212b", "word" * 100, " " * 300, "的" * 200]


def write(path, encode, count):
    with open(path, "w", encoding="utf8") as out:
        json.dump([[t, encode(t)] for t in texts(count)], out, ensure_ascii=False, separators=(",", ":"))


def train_hf(path):
    t = Tokenizer(models.BPE())
    t.normalizer = normalizers.NFC()
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(QWEN), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(SAMPLES * 3, trainers.BpeTrainer(
        vocab_size=900, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    t.save(path)


def train_sp(path, kind, **options):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SAMPLES * 3), model_writer=model, model_type=kind,
        normalization_rule_name="identity", minloglevel=2, **options)
    open(path, "wb").write(model.getvalue())


def encoder(path):
    if path.endswith(".json"):
        t = Tokenizer.from_file(path)
        return lambda s: t.encode(s, add_special_tokens=False).ids
    if path.endswith(".model"):
        sp = sentencepiece.SentencePieceProcessor(model_file=path)
        return lambda s: sp.encode(s)
    ranks = {}
    for line in open(path, "rb"):
        word, rank = line.split()
        ranks[base64.b64decode(word)] = int(rank)
    e = tiktoken.Encoding("file", pat_str=LLAMA3, mergeable_ranks=ranks, special_tokens={})
    return e.encode_ordinary


def main(out, *rest):
    os.makedirs(out, exist_ok=True)
    if rest and rest[0] == "--check":
        for path in rest[1:]:
            name = os.path.join(out, os.path.basename(os.path.dirname(os.path.dirname(path))) + "-" + os.path.basename(path))
            shutil.copy(path, name)
            write(name + ".golden.json", encoder(name), 3000)
        return
    train_hf(f"{out}/nfc.json")
    train_sp(f"{out}/bpe.model", "bpe", vocab_size=900, byte_fallback=True, character_coverage=0.98,
             user_defined_symbols=["\n\n", "▁▁▁", "<tag>"], remove_extra_whitespaces=False)
    train_sp(f"{out}/bpe-unk.model", "bpe", vocab_size=600, character_coverage=0.98)
    train_sp(f"{out}/unigram.model", "unigram", vocab_size=500, character_coverage=0.98, byte_fallback=False)
    train_sp(f"{out}/unigram-bytes.model", "unigram", vocab_size=760, character_coverage=0.98, byte_fallback=True,
             add_dummy_prefix=False, remove_extra_whitespaces=False)
    # A rank file in which some tokens do not come from two tokens of lower rank.
    rng = random.Random(3)
    tokens = [bytes([c]) for c in range(256)]
    words = sorted({w for s in SAMPLES for w in s.split(" ")})
    for w in words:
        raw = (" " + w).encode()
        for size in (2, 3, 4, 5, 7, len(raw)):
            piece = raw[:size] if rng.random() < 0.7 else raw[-size:]
            if 1 < len(piece) < 60 and piece not in tokens and rng.random() < 0.6:
                tokens.append(piece)
    with open(f"{out}/ranks.tiktoken", "wb") as file:
        for rank, token in enumerate(tokens):
            file.write(base64.b64encode(token) + b" %d\n" % rank)
    for name in sorted(os.listdir(out)):
        if not name.endswith(".golden.json"):
            write(f"{out}/{name}.golden.json", encoder(f"{out}/{name}"), 250)


main(*sys.argv[1:])
