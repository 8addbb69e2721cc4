#!/usr/bin/env python3
"""Writes data/classes.bin: one class for each code point of Unicode 16.

tiktoken's regular expressions use Unicode 16.0 tables; Go's unicode package is
at 15.0 and would put 5,055 code points into the wrong class. Needs
`pip install unicodedata2==16.0.0`. Run from the tokenizer directory:

    python3 internal/gen/classes.py data/classes.bin

Layout: 4352 bytes of block numbers (code point >> 8), then the distinct
blocks of 256 classes, one byte each, numbered as in class.go.
"""
import sys

import unicodedata2 as ucd

assert ucd.unidata_version == "16.0.0", ucd.unidata_version

OTHER, UPPER, LOWER, BOTH, MARK, NUMBER, SPACE = range(7)
CATEGORY = {"Lu": UPPER, "Lt": UPPER, "Ll": LOWER, "Lm": BOTH, "Lo": BOTH}
# The White_Space property (PropList.txt); categories do not give it.
WHITE = {*range(0x09, 0x0E), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B),
         0x2028, 0x2029, 0x202F, 0x205F, 0x3000}


def classify(cp):
    if cp in WHITE:
        return SPACE
    cat = ucd.category(chr(cp))
    if cat in CATEGORY:
        return CATEGORY[cat]
    return {"M": MARK, "N": NUMBER}.get(cat[0], OTHER)


def main(path):
    numbers, blocks, index = {}, [], bytearray()
    for first in range(0, 0x110000, 256):
        block = bytes(classify(cp) for cp in range(first, first + 256))
        if block not in numbers:
            numbers[block] = len(blocks)
            blocks.append(block)
        index.append(numbers[block])
    with open(path, "wb") as out:
        out.write(bytes(index) + b"".join(blocks))
    print(f"{len(blocks)} blocks, {len(index) + 256 * len(blocks)} bytes")


main(sys.argv[1])
