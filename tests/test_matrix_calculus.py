"""The gradient that `inspect` prints of an identity of matrix calculus is the closed form.

What is printed is read back: the formulas become the statements of a model of their own, in which the parameters are
inputs, and the reference evaluates it. So it is the printed text that is shown to be right, and not what it came from.
"""

from __future__ import annotations

import re

import numpy as np
import pytest

from gradc.compiler.elaborate import elaborate
from gradc.compiler.inspect import inspect_json, inspect_text
from gradc.compiler.reference import evaluate
from gradc.compiler.source import Source
from gradc.compiler.syntax import parse

from .harness import aligned, compiled, distance, sample
from .matrix_calculus import IDENTITIES, Given, Identity

pytestmark = pytest.mark.simplified

TOLERANCE = 1e-11
LEAST, SIMPLEST = 40, 10
DERIVATIVE = re.compile(r"d loss/d (\w+)")
PARAMETER = re.compile(r"^param (\w+(?:\[[^\]]*\])?).*$", re.MULTILINE)


def given(identity: Identity) -> Given:
    """Numbers for all that the model names; matrices that are far from singular."""
    _, module = compiled(identity.text)
    data = sample(module, seed=3)
    draw = np.random.default_rng(4)
    for name, (_, shape) in module.layout(data).items():
        data[name] = draw.normal(size=shape) + (2 * np.eye(*shape) if len(shape) == 2 else 0)
    return Given({name: np.asarray(value, dtype=np.float64) for name, value in data.items()})


def printed(identity: Identity) -> tuple[str, list[str]]:
    """The model of what `inspect` prints, whose output is the gradient, and the gradient's axes in order."""
    found, _ = compiled(identity.text)
    shown = inspect_json(found.program)
    (gradient,) = shown["parameters"]
    # A line of `where` stands after what mentions it.
    lines = [(line["label"], line["text"]) for line in reversed(shown["where"])]
    lines.append(("gradient", gradient["gradient"]["text"]))
    statements = [DERIVATIVE.sub(r"by_\1", f"{label} = {text}") for label, text in lines]
    head = [line for line in PARAMETER.sub(r"input \1", identity.text).splitlines() if "minimize" not in line]
    return "\n".join([*head, *statements, "output gradient", ""]), gradient["axes"]


@pytest.mark.parametrize("identity", IDENTITIES, ids=lambda identity: identity.title)
def test_the_printed_gradient_is_the_closed_form(identity: Identity) -> None:
    values = given(identity)
    text, axes = printed(identity)
    program = elaborate(parse(Source("printed.model", text)), {})
    ((_, node),) = program.outputs
    (value,) = evaluate(program, [node], values, {})
    expected = np.asarray(identity.gradient(values))
    assert distance(aligned(value, node, axes, expected.shape), expected) < TOLERANCE, text


@pytest.mark.parametrize("identity", IDENTITIES, ids=lambda identity: identity.title)
def test_the_modules_gradient_is_the_closed_form(identity: Identity) -> None:
    values = given(identity)
    _, module = compiled(identity.text)
    data = {name: values[name] for name in module.INPUTS}
    ((name, _),) = module.layout(data).items()
    _, gradient = module.bind(data)(values[name].reshape(-1))
    assert distance(gradient, np.ravel(identity.gradient(values))) < TOLERANCE


@pytest.mark.parametrize("identity", [i for i in IDENTITIES if i.printed], ids=lambda identity: identity.title)
def test_the_simplest_are_printed_as_in_the_textbook(identity: Identity) -> None:
    found, _ = compiled(identity.text)
    ((name, _),) = ((p.name, p) for p in found.program.parameters)
    assert inspect_text(found.program, name) == f"{identity.printed}\n"


def test_there_are_enough() -> None:
    assert len({identity.number for identity in IDENTITIES}) >= LEAST
    assert len([identity for identity in IDENTITIES if identity.printed]) >= SIMPLEST
    assert len({identity.title for identity in IDENTITIES}) == len(IDENTITIES)
