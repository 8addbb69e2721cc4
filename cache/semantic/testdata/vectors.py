"""Embeds every distinct text of the labelled pairs, in the order of appearance.

pairs.f16 and heldout.f16 have a line of text, `<texts> <dimensions>`, then the
vectors as little-endian IEEE half floats. They have unit length before they
are rounded.
"""

import pathlib
import tempfile

import numpy
from all_minilm_l6_v2 import extract_model
from sentence_transformers import SentenceTransformer

here = pathlib.Path(__file__).parent
with tempfile.TemporaryDirectory() as folder:
    model = SentenceTransformer(str(extract_model(folder)), device="cpu")
for name in "pairs", "heldout":
    texts = {}
    for line in (here / f"{name}.tsv").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            for text in line.split("\t")[2:]:
                texts.setdefault(text)
    vectors = model.encode(list(texts), normalize_embeddings=True)
    rounded = vectors.astype("<f2")
    exact = vectors @ vectors.T
    got = rounded.astype("f4")
    got /= numpy.linalg.norm(got, axis=1, keepdims=True)
    worst = numpy.abs(got @ got.T - exact).max()
    print(f"{name}: {vectors.shape}, rounding changes a similarity by at most {worst:.1e}")
    with open(here / f"{name}.f16", "wb") as out:
        out.write(f"{vectors.shape[0]} {vectors.shape[1]}\n".encode())
        out.write(rounded.tobytes())
