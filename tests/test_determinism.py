"""The same source, options and version give the same bytes, in whatever order Python hashes."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODELS = [
    ROOT / "tests" / "models" / f"{name}.model"
    for name in ("thermometer", "cubic", "logistic", "digits", "mixture", "transfer", "attention")
]
WRONG = [
    ROOT / "tests" / "wrong" / f"{name}.model"
    for name in (
        "many_mistakes name_several name_misspelt matmul_several axis_two_lengths axis_misspelt call_mistake_in_layer "
        "call_keyword_misspelt length_shifted library_name_misspelt objective_over_unknown rows_ambiguous"
    ).split()
]

DIGESTS = """
import hashlib, json, sys
from pathlib import Path
from gradc.compiler.inspect import explain_json, inspect_json, inspect_latex, inspect_text
from gradc.compiler.pipeline import PASSES, Options, compile_model
from gradc.compiler.source import ModelError, Source, render, to_json

def tell(*words):
    text = words[-1] if isinstance(words[-1], str) else json.dumps(words[-1])
    print(*words[:-1], hashlib.sha256(text.encode()).hexdigest())

for path in map(Path, sys.argv[1:]):
    source = Source(path.name, path.read_text(encoding="utf-8"))
    try:
        compiled = compile_model(source)
    except ModelError as error:
        for diagnostic in error.diagnostics:
            tell(path.name, diagnostic.code, render(diagnostic))
            tell(path.name, "json", to_json(diagnostic))
        continue
    tell(path.name, "module", compiled.module)
    tell(path.name, "text", inspect_text(compiled.program))
    tell(path.name, "latex", inspect_latex(compiled.program))
    tell(path.name, "json", inspect_json(compiled.program))
    tell(path.name, "rewrites", explain_json(compiled.prepared, compiled.rewrites))
    if path.name == "mixture.model":
        tell(path.name, "fast", compile_model(source, Options(fast_algebra=True)).module)
        tell(path.name, "float32", compile_model(source, Options(dtype="float32")).module)
        tell(path.name, "without", compile_model(source, Options(without=tuple(PASSES))).module)
"""


@cache
def digests(seed: int) -> list[str]:
    """What is written for each model, in a process that hashes by the seed."""
    done = subprocess.run(
        [sys.executable, "-c", DIGESTS, *map(str, MODELS + WRONG)],
        env={**os.environ, "PYTHONHASHSEED": str(seed)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_every_program_is_compared() -> None:
    told = {line.split()[0] for line in digests(0)}
    assert told == {path.name for path in MODELS + WRONG}
    assert sum(line.split()[1] == "module" for line in digests(0)) == len(MODELS)
    assert sum(line.split()[1].startswith("E0") for line in digests(0)) >= len(WRONG)


@pytest.mark.parametrize("seed", range(1, 20))
def test_no_order_comes_from_a_hash(seed: int) -> None:
    assert digests(seed) == digests(0)
