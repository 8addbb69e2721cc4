#!/usr/bin/env python3
"""OpenAI's tiktoken (Rust) on the documents that cmd/corpus wrote.

    pip install tiktoken==0.14.0
    python3 native.py DOCUMENTS RANKS [encoding]

RANKS is a directory with the rank files. The time of the call from Python is
part of the figure; it is about 1 us a document.
"""
import glob
import json
import os
import sys
import time

import tiktoken
import tiktoken_ext.openai_public as public
from tiktoken.load import load_tiktoken_bpe

documents, ranks = sys.argv[1:3]
name = sys.argv[3] if len(sys.argv) > 3 else "o200k_base"
public.load_tiktoken_bpe = lambda url, expected_hash=None: load_tiktoken_bpe(
    os.path.join(ranks, os.path.basename(url)), expected_hash)
e = tiktoken.get_encoding(name)
for path in sorted(glob.glob(os.path.join(documents, "*.json"))):
    texts = json.load(open(path, encoding="utf8"))
    size = sum(len(t.encode()) for t in texts)
    best = 0
    for _ in range(3):
        start = time.process_time()
        tokens = sum(len(e.encode_ordinary(t)) for t in texts)
        best = max(best, size / 1e6 / (time.process_time() - start))
    print(f"{name}/tiktoken-native/{os.path.basename(path)[:-5]} {best:.1f} MB/cpu-s {tokens} tokens")
