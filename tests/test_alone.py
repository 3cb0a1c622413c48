"""Emitted modules in an environment that has NumPy and nothing else: no SymPy, no compiler, no runtime."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from gradc.__main__ import main

ROOT = Path(__file__).parents[1]
NAMES = ("thermometer", "cubic", "logistic", "digits", "mixture", "decay", "transfer")
ABSENT = ("gradc", "sympy", "mpmath", "lark", "opt_einsum", "rich", "scipy", "pytest", "setuptools", "pip")

ALONE = """
import importlib, importlib.util, json, sys

sys.path.append(sys.argv[1])
for name in sys.argv[3].split():
    assert importlib.util.find_spec(name) is None, name

import numpy

def sample(module):
    random = numpy.random.default_rng(0)
    lengths = {}
    def length(entry):
        return entry if isinstance(entry, int) else lengths.setdefault(entry, 4 + len(lengths))
    data = {}
    for name, entry in module.INPUTS.items():
        shape = tuple(length(e) for e in entry["shape"])
        most = module.AXES[entry["index"]] or length(entry["index"]) if entry["index"] else 2
        whole = entry["dtype"] in ("int64", "bool")
        data[name] = random.integers(0, most, shape) if whole else random.normal(size=shape)
    return data

found = {}
for name in sys.argv[2].split():
    module = importlib.import_module(name)
    data = sample(module)
    theta = module.initial(data, seed=0)
    objective = module.bind(data)
    loss, gradient = objective(theta)
    after, _ = objective(theta - 1e-7 * gradient)
    outputs, metrics = module.predict(theta, data), module.metrics(theta, data)
    assert gradient.shape == theta.shape == (objective.size,)
    assert numpy.isfinite(gradient).all() and after <= loss, (name, loss, after)
    assert set(outputs) == set(module.OUTPUTS) and set(metrics) == set(module.METRICS)
    again = module.pack(module.unpack(theta, data), data)
    assert numpy.allclose(again, theta)
    if outputs:
        assert module.vjp(theta, data, {n: v for n, v in outputs.items() if v.dtype.kind == "f"}).shape == theta.shape
    found[name] = loss

files = [name for name, module in sys.modules.items() if getattr(module, "__file__", None)]
roots = {name.partition(".")[0] for name in files} - set(sys.stdlib_module_names) - set(found)
json.dump([sorted(roots), found], sys.stdout)
"""


def test_modules_need_numpy_alone(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    installed = Path(np.__file__).parents[1]
    for name in ("numpy", "numpy.libs"):
        if (installed / name).exists():
            (site / name).symlink_to(installed / name)
    for name in NAMES:
        model = ROOT / "examples" / name / f"{name}.model"
        assert main(["compile", str(model), "-o", str(site / f"{name}.py")]) == 0
    run = subprocess.run(
        # -I: nothing of the caller's environment; -S: nothing that is installed beside the standard library.
        [sys.executable, "-I", "-S", "-c", ALONE, str(site), " ".join(NAMES), " ".join(ABSENT)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
    )
    assert run.returncode == 0, run.stderr
    roots, found = json.loads(run.stdout)
    assert roots == ["numpy"]
    assert set(found) == set(NAMES)
