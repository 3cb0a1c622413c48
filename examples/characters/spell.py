"""Looks at a trained speller: `python spell.py FOLDER` prints its loss on test.npz, and numbers that it writes."""

import runpy
import sys
from pathlib import Path

import numpy as np

ALPHABET = ". -abcdefghijklmnopqrstuvwxyz"
folder = Path(sys.argv[1])
# The module in the folder stands alone: it needs NumPy and nothing else.
module = runpy.run_path(str(folder / "characters.py"))
with np.load(folder / "parameters.npz") as parameters, np.load("test.npz") as data:
    test = dict(data)
    theta = module["pack"](dict(parameters), test)

print(f"loss {module['bind'](test)(theta)[0]:.3f}")

random = np.random.default_rng(0)
text = np.zeros((12, 1), np.int64)
for _ in range(32):
    logits = module["predict"](theta, {"text": text})["logits"][:, :, -1]
    # The largest logit plus Gumbel noise is a draw from the softmax.
    text = np.hstack([text, (logits + random.gumbel(size=logits.shape)).argmax(1)[:, None]])
print(*("".join(ALPHABET[i] for i in row[1:]).rstrip(".") for row in text), sep="\n")
