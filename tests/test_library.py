"""The libraries, entry by entry: values and gradients against PyTorch's, tails against 60 digits, and their texts.

What others say of the same calls stands in reference/stats.json, loss.json and nn.json, with the scripts that wrote
them. Each entry has an example above it, which is a model.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from gradc import grammar
from gradc.compiler import tree
from gradc.compiler.elaborate import library
from gradc.compiler.manual import Entry, entries
from gradc.compiler.source import Source
from gradc.compiler.syntax import parse

from .harness import ALL_OFF, compiled

Array = npt.NDArray[Any]

REFERENCES = [json.loads((Path(__file__).parent / "reference" / f"{of}.json").read_text()) for of in grammar.LIBRARIES]
LENGTHS: dict[str, int] = REFERENCES[0]["lengths"]
CASES: list[dict[str, Any]] = [case for reference in REFERENCES for case in reference["cases"]]
LIBRARY_NAME = re.compile(r"\b(stats|loss|nn)\.(\w+)")
NEAR = 1e-10
ELSEWHERE = {"nn.BatchNorm", "nn.Dropout"}
"""What differs between training and prediction is compared with PyTorch by test_between_steps."""


# -------------------------------------------------------------------------------------------------- what others compute


def used(case: dict[str, Any]) -> list[tuple[str, str]]:
    """The libraries and names that the case uses."""
    return LIBRARY_NAME.findall(" ".join([case["call"], *case.get("layers", {}).values()]))


def written(case: dict[str, Any]) -> str:
    """The case as a model: what has a gradient is a parameter, and what has none is data."""
    lengths = {**LENGTHS, "n": len(case["weight"])} if "exact" in case else LENGTHS
    axes = {axis.rstrip("'") for given in case["given"].values() for axis in given["axes"].split()}
    text = LIBRARY_NAME.sub(r"\2", case["call"])
    layers = {name: LIBRARY_NAME.sub(r"\2", layer) for name, layer in case.get("layers", {}).items()}
    brackets = " ".join(re.findall(r"\[([^\]]*)\]", " ".join([text, *layers.values()])))
    axes |= {axis for axis in lengths if re.search(rf"\b{axis}\b", brackets)}
    lines = [f"use {library}.{name}" for library, name in dict.fromkeys(used(case))]
    lines += [f"axis {axis}: {lengths[axis]}" for axis in sorted(axes)]
    for name, given in case["given"].items():
        brackets = f"[{', '.join(given['axes'].split())}]" if given["axes"] else ""
        if "." in name:
            continue
        index = f": {given['index']}" if "index" in given else ""
        lines.append(f"param {name}{brackets} = 0" if "gradient" in given else f"input {name}{brackets}{index}")
    lines += [f"{name} = {layer}" for name, layer in layers.items()]
    result = f"[{', '.join(case['result'].split())}]" if case["result"] else "[one]"
    lines += ["axis one: 1", f"input weight{result}", "param still = 0", f"result = {text}", "output result"]
    lines += ["minimize sum(weight * result) + 0 * still^2"]
    return "\n".join(lines) + "\n"


def differences(found: Array, truth: Array, exact: bool) -> float:
    """The largest difference, relative to each number; beside PyTorch's, which rounds too, to the largest as well."""
    scale = np.abs(truth) + (0 if exact else 1e-3 * np.abs(truth).max(initial=0))
    return float(np.max(np.abs(found - truth) / np.where(scale == 0, 1e-12, scale), initial=0))


def named(case: dict[str, Any]) -> str:
    called = f"{' '.join(case.get('layers', {}).values())} {case['call']}".strip()
    return f"{called} exactly" if "exact" in case else called


def evaluated(case: dict[str, Any], **options: Any) -> tuple[Array, Array, dict[str, Array]]:
    """The loss, the value and the gradients that the emitted module gives at the case's arguments."""
    _, module = compiled(written(case), **options)
    given = {name: np.asarray(entry["value"]) for name, entry in case["given"].items()}
    trained = {name: np.asarray(given[name], float) for name in module.PARAMETERS if name != "still"}
    weight = np.asarray(case["weight"], float)
    data = {name: value for name, value in given.items() if name in module.INPUTS}
    data["weight"] = weight if weight.ndim else weight.reshape(1)
    theta = module.pack({**trained, "still": 0.0}, data)
    loss, gradient = module.bind(data)(theta)
    places = module.layout(data)
    value = np.asarray(module.predict(theta, data)["result"], float)
    order = [case["result"].split().index(axis) for axis in module.OUTPUTS["result"]["axes"]]
    value = value.transpose(np.argsort(order))
    return loss, value, {name: gradient[at].reshape(shape) for name, (at, shape) in places.items()}


def marked(case: dict[str, Any]) -> Any:
    """Where plain formulas overflow or cancel, exact values rest on stable forms."""
    marks = [pytest.mark.simplified] if "exact" in case else []
    return pytest.param(case, marks=marks, id=named(case))


@pytest.mark.parametrize("case", [marked(case) for case in CASES])
def test_values_and_gradients(case: dict[str, Any]) -> None:
    exact = "exact" in case
    loss, value, gradients = evaluated(case)
    truth = np.asarray(case["value"], float)
    assert differences(value, truth, exact) < NEAR
    assert loss == pytest.approx((np.asarray(case["weight"]) * truth).sum(), rel=NEAR)
    for name, entry in case["given"].items():
        if "gradient" in entry:
            assert differences(gradients[name], np.asarray(entry["gradient"], float), exact) < NEAR, name


@pytest.mark.parametrize("case", [case for case in CASES if "exact" not in case], ids=named)
def test_they_do_not_rest_on_any_pass(case: dict[str, Any]) -> None:
    _, value, gradients = evaluated(case, without=ALL_OFF)
    assert differences(value, np.asarray(case["value"], float), False) < NEAR
    for name, entry in case["given"].items():
        if "gradient" in entry:
            assert differences(gradients[name], np.asarray(entry["gradient"], float), False) < NEAR, name


# ------------------------------------------------------------------------------------------------------------ the texts


ENTRIES = [entry for entry in entries() if entry.group.startswith("Library")]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.title)
def test_every_example_uses_its_entry(entry: Entry) -> None:
    """That it compiles, and that its gradients agree, is shown by test_manual."""
    use, _, rest = entry.example.partition("\n")
    assert use == f"use {entry.title}"
    assert re.search(rf"\b{entry.title.partition('.')[2]}\b[\[(]", rest)


@pytest.mark.parametrize("of", grammar.LIBRARIES)
def test_every_entry_is_compared_with_others(of: str) -> None:
    compared = {f"{library}.{name}" for case in CASES for library, name in used(case)}
    titles = {entry.title for entry in ENTRIES if entry.group == f"Library: {of}"}
    assert titles - compared == ELSEWHERE & titles


@pytest.mark.parametrize("of", grammar.LIBRARIES)
def test_what_a_library_holds_is_defined_once(of: str) -> None:
    statements = parse(Source(f"{of}.model", grammar.text(f"{of}.model"))).statements
    names = [
        statement.name for statement in statements if isinstance(statement, (tree.Definition, tree.Layer, tree.Use))
    ]
    assert len(names) == len(set(names)) == len(statements)
    assert set(names) == set(getattr(library.scope(of), "names", ()))
    assert max(map(len, grammar.text(f"{of}.model").splitlines())) <= 120


def test_what_a_library_takes_from_another_is_the_same_thing() -> None:
    nn, loss = library.scope("nn"), library.scope("loss")
    assert nn is not None
    assert loss is not None
    assert nn.names["cross_entropy"] is loss.names["cross_entropy"]


def test_there_is_no_library_of_another_name() -> None:
    assert library.scope("mm") is None
