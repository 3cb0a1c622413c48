"""The compiler from end to end: its stages and options, and the check of the graph that runs between them."""

from __future__ import annotations

import types
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sympy import Integer, exp

from gradc.compiler.check_graph import Malformed, checked
from gradc.compiler.differentiate import partial
from gradc.compiler.functions import less
from gradc.compiler.graph import (
    Axis,
    Constant,
    Contract,
    Graph,
    Map,
    Node,
    Program,
    Reduce,
    data_length,
    placeholder,
    reachable,
)
from gradc.compiler.pipeline import (
    AFTER,
    BEFORE,
    DTYPES,
    PASSES,
    RULES,
    Options,
    UnknownPass,
    UnknownType,
    compile_model,
    stages,
)
from gradc.compiler.simplify.rewrites import Rewrites
from gradc.compiler.source import ModelError, Source
from gradc.compiler.tree import Model

from .harness import ALL_OFF, Truth, compiled, distance, sample, start

HERE = Path(__file__).parent
NAMES = ("cubic", "decay", "digits", "logistic", "mixture", "thermometer", "transfer")
"""Among them each pass has something to do."""
PATHS = [HERE.parent / "examples" / name / f"{name}.model" for name in NAMES]
PATHS += [HERE / "models" / f"{name}.model" for name in ("gaussian_process", "nested_scan")]
EXAMPLES = {path.stem: path.read_text() for path in PATHS}
LOGISTIC = EXAMPLES["logistic"]
pytestmark = pytest.mark.simplified

_0, _1, _2 = placeholder(0), placeholder(1), placeholder(2)


# --------------------------------------------------------------------------------------------------------------- passes


@pytest.mark.parametrize("without", [(), *((name,) for name in PASSES), ALL_OFF], ids=lambda w: "+".join(w) or "none")
@pytest.mark.parametrize("name", EXAMPLES)
def test_every_pass_may_be_left_out(name: str, without: tuple[str, ...]) -> None:
    of, module = compiled(EXAMPLES[name], name, without=without)
    data = sample(module, seed=3)
    theta = start(module, data, seed=4)
    truth = Truth(of.elaborated, module, data, theta)
    loss, gradient = module.bind(data)(theta)
    assert distance(loss, truth.loss_and_gradient[0]) < 1e-12
    assert distance(gradient, truth.loss_and_gradient[1]) < 1e-11
    for output, found in module.predict(theta, data).items():
        assert distance(found, truth.outputs[output]) < 1e-12


@pytest.mark.parametrize("name", PASSES)
def test_a_pass_left_out_makes_another_module_of_some_example(name: str) -> None:
    whole = [compiled(text, fast_algebra=True)[0].module for text in EXAMPLES.values()]
    assert whole != [compiled(text, without=(name,), fast_algebra=True)[0].module for text in EXAMPLES.values()]


@pytest.mark.parametrize("name", RULES)
def test_a_rule_left_out_is_not_used(name: str) -> None:
    for model in EXAMPLES.values():
        of, _ = compiled(model, without=(name,), fast_algebra=True)
        assert name not in {rewrite.rule for rewrite in of.rewrites.done}


def test_all_leaves_out_every_pass() -> None:
    for model in EXAMPLES.values():
        plain, _ = compiled(model, without=("all",), fast_algebra=True)
        assert not plain.rewrites.done
        assert plain.module == compiled(model, without=ALL_OFF, fast_algebra=True)[0].module


def test_no_rewriting_of_an_example_is_refused() -> None:
    for model in EXAMPLES.values():
        assert not compiled(model, fast_algebra=True)[0].rewrites.refused


def test_a_pass_that_does_not_exist_is_named() -> None:
    with pytest.raises(UnknownPass) as caught:
        compiled(LOGISTIC, without=("stable", "magic"))
    assert caught.value.name == "magic"
    known = "stable, algebra, expand, loops, tensor, pointwise, stack, factor"
    assert str(caught.value) == f"there is no pass `magic` to leave out; there are {known}"
    with pytest.raises(UnknownPass, match=r"no rule `stack\.magic` .* there are stack\.columns, stack\.sums"):
        compiled(LOGISTIC, without=("stack.magic",))


def test_a_pass_whose_result_is_broken_is_found_where_it_happened(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(program: Program, rewrites: Rewrites) -> Program:
        return program.mapped(lambda node: _forged(node, axes=(), names=()) if isinstance(node, Map) else node)

    monkeypatch.setitem(PASSES, "tensor", broken)  # type: ignore[arg-type]
    seen: list[str] = []
    with pytest.raises(Malformed):
        seen.extend(name for name, _ in stages(Source("m.model", LOGISTIC)))
    assert seen[-1] == "algebra 3"


# --------------------------------------------------------------------------------------------------------------- stages


def names_of(without: tuple[str, ...]) -> list[str]:
    return [name for name, _ in stages(Source("m.model", LOGISTIC), Options(without=without))]


def test_every_stage_is_listed_in_order() -> None:
    assert names_of(()) == [
        "parse",
        "elaborate",
        "stable before",
        "algebra before",
        "differentiate",
        "loops 1",
        "stable 2",
        "algebra 3",
        "tensor 4",
        "pointwise 5",
        "tensor 6",
        "pointwise 7",
        "tensor 8",
        "simplified",
        "stack",
        "factor",
        "lower",
        "emit",
    ]
    fast = [name for name, _ in stages(Source("m.model", EXAMPLES["mixture"]), Options(fast_algebra=True))]
    again = [f"{name} {i} expanded" for i, name in enumerate(AFTER, 1)]
    assert fast[fast.index("expand") :] == ["expand", "differentiate expanded", *again, "lower", "emit"]
    assert names_of(ALL_OFF) == ["parse", "elaborate", "differentiate", "simplified", "lower", "emit"]
    assert {*BEFORE, *AFTER, "stack", "factor", "expand"} == set(PASSES)


@pytest.mark.parametrize("name", PASSES)
def test_a_pass_left_out_is_not_listed(name: str) -> None:
    assert [s for s in names_of(()) if s.split()[0] != name] == names_of((name,))


def test_what_each_stage_gives() -> None:
    source = Source("m.model", LOGISTIC)
    found = dict(stages(source))
    assert isinstance(found.pop("parse"), Model)
    text = found.pop("emit")
    assert all(isinstance(value, Program) for value in found.values())
    of = compile_model(source)
    assert of.module == text
    assert of.source is source
    assert not of.elaborated.gradients
    assert list(of.program.gradients["loss"]) == ["w", "b"]


def test_the_gradient_is_there_from_differentiation_on() -> None:
    told = {n: v for n, v in stages(Source("m.model", LOGISTIC)) if isinstance(v, Program)}
    with_gradients = [name for name, value in told.items() if value.gradients]
    assert with_gradients == list(told)[list(told).index("differentiate") :]


# -------------------------------------------------------------------------------------------------------------- options


def test_a_constant_is_replaced() -> None:
    _, plain = compiled(LOGISTIC)
    of, other = compiled(LOGISTIC, constants={"l2": 0.5})
    assert (plain.CONSTANTS, other.CONSTANTS) == ({"l2": 0.001}, {"l2": 0.5})
    data = sample(plain)
    theta = start(plain, data)
    weights = theta[:-1]
    apart = other.bind(data)(theta)[0] - plain.bind(data)(theta)[0]
    assert apart == pytest.approx(0.499 * (weights @ weights), rel=1e-12)
    assert of.options.constants == {"l2": 0.5}


def test_a_constant_that_the_model_lacks_is_a_mistake() -> None:
    with pytest.raises(ModelError) as caught:
        compiled(LOGISTIC, constants={"l3": 0.5})
    assert [d.code for d in caught.value.diagnostics] == ["E0411"]
    assert "l3" in str(caught.value)
    assert "l2" in str(caught.value)


@pytest.mark.parametrize("name", ["float16", "double", "", "float64; import os"])
def test_a_type_that_does_not_exist_is_named(name: str) -> None:
    with pytest.raises(UnknownType) as caught:
        compiled("param w = 1\nminimize w^2\n", dtype=name)
    assert caught.value.name == name
    assert str(caught.value) == f"there is no type `{name}` of numbers; there are float64, float32"


def test_a_mistake_in_the_model_comes_out_of_the_stages() -> None:
    with pytest.raises(ModelError):
        compile_model(Source("m.model", "minimize w\n"))


class Watched:
    """A function of NumPy, and its methods, that note the types of the arrays they give."""

    def __init__(self, function: Any, seen: Counter[str]) -> None:
        self.function, self.seen = function, seen

    def __call__(self, *arguments: Any, **more: Any) -> Any:
        found = self.function(*arguments, **more)
        if isinstance(found, np.ndarray) and found.ndim:
            self.seen[str(found.dtype)] += 1
        return found

    def __getattr__(self, name: str) -> Any:
        return Watched(getattr(self.function, name), self.seen)


def watched(module: types.ModuleType) -> Counter[str]:
    """The types that all ufuncs of the module give from now on."""
    seen: Counter[str] = Counter()
    for name, value in list(vars(module).items()):
        if isinstance(value, np.ufunc):
            setattr(module, name, Watched(value, seen))
    return seen


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", EXAMPLES)
def test_a_module_uses_its_type_throughout(name: str, dtype: str) -> None:
    _, module = compiled(EXAMPLES[name], name, dtype=dtype)
    seen = watched(module)
    data = sample(module)
    theta = module.initial(data)
    objective = module.bind(data)
    seen.clear()  # whole powers of what is bound are more precise than they need be, and cast
    loss, gradient = objective(theta)
    assert seen[dtype]
    assert not set(seen) - {dtype, "bool", "int64"}
    assert isinstance(loss, float)
    assert module.DTYPE == theta.dtype == gradient.dtype == dtype
    found = module.predict(theta, data)
    assert all(value.dtype == dtype for value in found.values() if value.dtype.kind == "f")


@pytest.mark.parametrize("name", EXAMPLES)
def test_float32_is_as_accurate_as_it_can_be(name: str) -> None:
    of, module = compiled(EXAMPLES[name], name, dtype="float32")
    data = sample(module, seed=3)
    theta = start(module, data, seed=4)
    truth = Truth(of.elaborated, module, data, theta.astype(np.float64))
    loss, gradient = module.bind(data)(theta)
    assert distance(loss, truth.loss_and_gradient[0]) < 1e-5
    assert distance(gradient, truth.loss_and_gradient[1]) < 1e-4


# --------------------------------------------------------------------------------------------- the same text, each time


def test_a_model_compiled_twice_is_the_same_text() -> None:
    first = {name: compile_model(Source(f"{name}.model", text)).module for name, text in EXAMPLES.items()}
    again = {name: compile_model(Source(f"{name}.model", EXAMPLES[name])).module for name in reversed(EXAMPLES)}
    assert first == again


def layers(depth: int) -> str:
    lines = ["input x[n]", *(f"param a{i} = 1, b{i} = 0" for i in range(depth)), "h0 = x"]
    lines += [f"h{i + 1} = tanh(a{i} * h{i} + b{i})" for i in range(depth)]
    return "\n".join([*lines, f"minimize sum(h{depth}^2)"]) + "\n"


def test_partials_are_taken_once_whatever_the_depth() -> None:
    taken = []
    for depth in (3, 30):
        partial.cache_clear()
        compile_model(Source("m.model", layers(depth)))
        taken.append(partial.cache_info().misses)
        assert partial.cache_info().hits >= depth
    assert taken[0] == taken[1] < 12


# ---------------------------------------------------------------------------------------------------- broken graphs


def _forged(node: Node, **wrong: Any) -> Node:
    """A node that no method of the graph makes, put in its place."""
    return replace(node, **wrong)


class Broken:
    """A small program with a node of each kind that is checked."""

    def __init__(self) -> None:
        self.graph = Graph()
        self.n, self.k = Axis("n", data_length("n")), Axis("k", Integer(3))
        x = self.graph.leaf("input", "x", [self.n, self.k])
        w = self.graph.leaf("parameter", "w", [self.k])
        self.map = self.graph.map(_0 * _1, [x, w])
        self.exp = self.graph.map(exp(_0), [self.map])
        self.contract = self.graph.contract([x, self.exp], [self.k])
        self.reduce = self.graph.reduce("max", self.map, [self.k])

    def program(self, root: Node) -> Program:
        return Program(self.graph, (self.n, self.k), "n", (), (), (), (("value", root),), (), ())

    def put(self, node: Node, **wrong: Any) -> Program:
        forged = _forged(node, **wrong)
        self.graph.nodes[node.id] = forged
        return self.program(forged)


def axes(*found: Axis) -> dict[str, Any]:
    return {"axes": found, "names": tuple(axis.name for axis in found)}


def test_a_graph_that_keeps_the_rules_is_given_back() -> None:
    broken = Broken()
    for root in (broken.map, broken.exp, broken.contract, broken.reduce):
        program = broken.program(root)
        assert checked(program) is program


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda b: b.program(_forged(b.exp)), "it is not of this graph"),
        (lambda b: b.program(Broken().map), "it is not of this graph"),
        (lambda b: b.put(b.exp, operands=(b.reduce,)), "an operand stands behind it"),
        (lambda b: b.put(b.exp, operands=(b.exp,)), "an operand stands behind it"),
        (lambda b: b.put(b.map, **axes(b.k, b.n)), "its axes are not in order, each once"),
        (lambda b: b.put(b.map, **axes(b.n, b.k, b.k)), "its axes are not in order, each once"),
        (lambda b: b.put(b.map, **axes(b.n)), "its axes are not those of its operands"),
        (lambda b: b.put(b.contract, **axes(b.n, b.k)), "its axes are not those of its operands without the summed"),
        (lambda b: b.put(b.contract, **axes()), "its axes are not those of its operands without the summed"),
        (lambda b: b.put(b.reduce, **axes(b.n, b.k)), "its axes are not those of its operand without the reduced"),
    ],
)
def test_a_broken_graph_is_refused(make: Callable[[Broken], Program], rule: str) -> None:
    with pytest.raises(Malformed) as caught:
        checked(make(Broken()))
    assert caught.value.rule == rule
    assert str(caught.value).endswith(rule)


def test_a_broken_node_is_told_with_its_neighbours() -> None:
    broken = Broken()
    with pytest.raises(Malformed) as caught:
        checked(broken.put(broken.contract, **axes()))
    assert str(caught.value) == (
        "4:Contract[] of 0:Leaf[n, k], 3:Map[n, k]: its axes are not those of its operands without the summed"
    )


def test_an_output_that_lost_an_axis_or_its_type_is_refused() -> None:
    broken = Broken()
    before = broken.program(broken.map)
    assert checked(broken.program(broken.exp), before)  # the same axes and type, whatever it is
    for other in (broken.contract, broken.graph.index(broken.k), broken.graph.map(less(_0, 0), [broken.map])):
        with pytest.raises(Malformed) as caught:
            checked(broken.program(other), before)
        assert caught.value.rule == "an output has other axes or another type than it had"


def test_a_node_that_a_pass_left_behind_is_not_asked() -> None:
    broken = Broken()
    broken.graph.nodes[broken.reduce.id] = _forged(broken.reduce, **axes())
    assert checked(broken.program(broken.contract))


def test_every_example_keeps_the_rules_at_every_stage() -> None:
    kinds: Counter[type] = Counter()
    for text in EXAMPLES.values():
        for _, value in stages(Source("m.model", text)):
            if isinstance(value, Program):
                kinds.update(type(node) for node in reachable(checked(value).roots()))
    assert {Constant, Map, Contract, Reduce} <= set(kinds)
