#!/usr/bin/env python3
"""Makes golden vectors with OpenAI's own tiktoken (PyPI, exact by definition).

    pip install -r internal/gen/requirements.txt
    RANKS=$(go list -m -f '{{.Dir}}' github.com/pkoukk/tiktoken-go-loader)/assets
    python3 internal/gen/golden.py --ranks $RANKS --fuzz 4000 testdata/golden.gz
    python3 internal/gen/golden.py --ranks $RANKS --codepoints testdata/codepoints.gz

tiktoken would download its rank files; --ranks names a directory that has them
(their SHA-256 is checked by tiktoken). More text for a longer check:

    python3 internal/gen/golden.py --ranks $RANKS --fuzz 1000000 --seed 7 \
        --files DIR... vectors.gz && WEIR_VECTORS=$PWD/vectors.gz go test -run Vectors .

CI does that with a few thousand documents of a new seed (scripts/token-vectors).

A record is: uvarint length, text; then for o200k_base, cl100k_base, p50k_base
and r50k_base: uvarint tokens and the CRC-32 of the ids as little-endian uint32.
With --codepoints the text is left out: record number n covers the 256 code
points from 256 n, each alone, doubled, and between letters of both cases (see
codepoint_texts), joined as the sum of the tokens and one CRC-32 over all ids.
"""
import argparse
import gzip
import json
import os
import random
import struct
import sys
import zlib

import tiktoken
import tiktoken_ext.openai_public as public
from tiktoken.load import load_tiktoken_bpe

NAMES = ["o200k_base", "cl100k_base", "p50k_base", "r50k_base"]

SAMPLES = [
    "The quick brown fox jumps over the lazy dog. It's what we'd expect, isn't it? They'LL see; I'M sure you'Ve known.",
    "Der Zähler misst jedes Zeichen, auch Größe und Straße; das ist nicht schwer, wenn man's übt.",
    "Le barrage mesure l'eau sans l'arrêter : c'est là toute l'idée, n'est-ce pas ? « Voilà », dit-elle.",
    "El río no se detiene; el vertedero sólo lo mide. ¿Cuántas fichas hay aquí? ¡Muchísimas!",
    "A represa não para a água, apenas a mede com atenção e paciência.",
    "La diga non ferma l'acqua: la misura soltanto, perché così è più semplice.",
    "De stuw meet het water terwijl het doorstroomt, zo'n eenvoudig idee.",
    "Dammen mäter vattnet medan det rinner förbi, så enkelt är det på svenska.",
    "Jaz mierzy wodę, nie zatrzymując jej; źdźbło trawy płynie dalej.",
    "Плотина измеряет воду, не останавливая её. Сколько здесь токенов?",
    "Гребля вимірює воду, не зупиняючи її; це ж просто, правда?",
    "Το φράγμα μετρά το νερό χωρίς να το σταματά.",
    "הסכר מודד את המים מבלי לעצור אותם. שָׁלוֹם",
    "السد يقيس الماء دون أن يوقفه، وهذا هو المقصود. مُدَرِّسٌ ١٢٣٤",
    "बाँध पानी को रोके बिना मापता है। क्षत्रिय १२३४५",
    "বাঁধ জল না থামিয়ে মাপে। ১২৩",
    "அணை நீரை நிறுத்தாமல் அளக்கிறது.",
    "เขื่อนวัดน้ำโดยไม่หยุดน้ำ นี่คือแนวคิดทั้งหมด ๑๒๓",
    "堰は水を止めずに測ります。トークンはいくつありますか?ｶﾀｶﾅも数える。",
    "水坝测量水流而不阻挡它。这里有多少个词元？龘靐齉",
    "둑은 물을 막지 않고 잽니다. 토큰이 몇 개입니까?",
    "Đập đo nước mà không chặn nó lại; ý tưởng chỉ có thế thôi.",
    "Baraj suyu durdurmadan ölçer; İstanbul'dan ılık bir rüzgâr. DIŞ",
    "👩‍👩‍👧‍👦🏳️‍🌈👍🏽🇩🇪🇫🇷 e\u0301a\u0300\u0302 ½ ² Ⅷ ﬁ ſ Kelvin K 'ſ x'ſ X'S ǅ ʰ",
    "func main() {\n\tfor i := 0; i < 10; i++ {\n\t\tfmt.Printf(\"%d\\n\", i)\n\t}\n}\n\n\n  \n\t// done //\n",
    "{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\",\"description\":\"The city's name\"}},\"required\":[\"city\"]}",
    "<|endoftext|><|im_start|>user<|im_sep|> <|fim_prefix|> <|endofprompt|>",
    "https://example.com/a/b?c=d&e=%20f#g ---- ==== //// !!!/\r\n/\r\n  \r\n\r\n x\u00a0\u3000y\x85\u2028z \x7f\x00\x01",
]

# o200k_base has the tokens I' and " I'", so that a long s after one shows
# whether it makes a contraction.
CONTRACTIONS = [" I'ſt", "and I'ſ B", " I'ſ's I'ſAa", " I'ŝ I'ž"]

ALPHABETS = [
    "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "aA", "0123456789", " ", "  \t\n\r", "\n \n",
    "'stmdrevlSTMDREVL\u017f", ".,;:!?-_/\\()[]{}<>@#$%^&*+=|~`\"'", "/\r\n", "éèüößñçÉÀ", "абвгдежзАБВГД",
    "的一是不了人我在有他这中大来上", "のにはをたがでてとしれさアイウエオ", "가나다라마바사", "ابتثجحخ",
    "\u0301\u0300\u0308\u20e3\ufe0f\u200d", "😀👍🏽👩🇩🇪", "½²ⅧⅨ١٢३๔", "ǅǈʰªº", "\u00a0\u3000\x85\u2028\u2003\u1680\ufeff",
    "\x00\x7f\x1f", "กขคงจ", "\U0001e030\U000105c0\u1c89\ua7cb\U00010d50\U00016d40\U0002ebf0\U000323b0", "eE're'LL 've",
]


def random_doc(rng, vocabulary):
    kind = rng.random()
    if kind < 0.25:  # tokens of the vocabulary in a row
        raw = b"".join(rng.choice(vocabulary) for _ in range(rng.randint(1, 40)))
        return raw.decode("utf-8", "replace")
    if kind < 0.35:  # a sample, mutated
        text = list(rng.choice(SAMPLES))
        for _ in range(rng.randint(1, 8)):
            at = rng.randrange(len(text))
            text[at:at + rng.randint(0, 3)] = rng.choice(rng.choice(ALPHABETS)) * rng.randint(1, 3)
            text = text or ["x"]
        return "".join(text)
    if kind < 0.40:  # long runs
        return "".join(rng.choice(a) * rng.randint(1, 80) for a in rng.choices(ALPHABETS, k=rng.randint(1, 6)))
    if kind < 0.43:  # any code point
        return "".join(chr(c) for c in (rng.randrange(0x110000) for _ in range(rng.randint(1, 40)))
                       if not 0xD800 <= c < 0xE000)
    alphabets = rng.choices(ALPHABETS, k=rng.randint(1, 5))
    return "".join(rng.choice(rng.choice(alphabets)) for _ in range(rng.randint(1, rng.choice([8, 40, 200]))))


def codepoint_texts(cp):
    if 0xD800 <= cp < 0xE000:
        return []
    c = chr(cp)
    return [c, c + c, "a" + c + "b", "A" + c + "B", " " + c + "A" + c + "a" + c + "\u0301", "1" + c + " !" + c + "\n" + c + "  "]


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for v in value:
            yield from strings(v)
    elif isinstance(value, dict):
        for v in value.values():
            yield from strings(v)


def file_docs(roots):
    for root in roots:
        for folder, _, names in sorted(os.walk(root)):
            for name in sorted(names):
                path = os.path.join(folder, name)
                raw = open(path, "rb").read()
                text = raw.decode("utf-8", "replace")
                for i in range(0, min(len(text), 2_000_000), 8000):
                    yield text[i:i + 8000]
                if name.endswith(".json"):
                    try:
                        yield from strings(json.loads(text))
                    except ValueError:
                        pass


def uvarint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def result(ids):
    return uvarint(len(ids)) + struct.pack("<I", zlib.crc32(struct.pack(f"<{len(ids)}I", *ids)))


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--ranks", required=True)
    args.add_argument("--fuzz", type=int, default=0)
    args.add_argument("--seed", type=int, default=1)
    args.add_argument("--codepoints", action="store_true")
    args.add_argument("--files", nargs="*", default=[])
    args.add_argument("out")
    args = args.parse_args()

    def local(url, expected_hash=None):
        return load_tiktoken_bpe(os.path.join(args.ranks, os.path.basename(url)), expected_hash)

    public.load_tiktoken_bpe = local
    os.environ["TIKTOKEN_CACHE_DIR"] = ""
    encodings = [tiktoken.get_encoding(name) for name in NAMES]

    rng = random.Random(args.seed)
    count = 0
    with gzip.GzipFile(args.out, "wb", mtime=0) as out:
        if args.codepoints:
            for first in range(0, 0x110000, 256):
                texts = [t for cp in range(first, first + 256) for t in codepoint_texts(cp)]
                for e in encodings:
                    out.write(result([i for t in texts for i in e.encode_ordinary(t)]))
            return
        vocabulary = [e.decode_single_token_bytes(i) for e in encodings[:2] for i in range(e.n_vocab)
                      if i < len(e._mergeable_ranks)]

        def emit(text):
            nonlocal count
            raw = text.encode("utf-8", "replace")
            out.write(uvarint(len(raw)) + raw)
            for e in encodings:
                out.write(result(e.encode_ordinary(text)))
            count += 1

        for text in SAMPLES + CONTRACTIONS:
            emit(text)
        for text in file_docs(args.files):
            emit(text)
        for _ in range(args.fuzz):
            emit(random_doc(rng, vocabulary))
    print(f"{count} documents, tiktoken {tiktoken.__version__}", file=sys.stderr)


main()
