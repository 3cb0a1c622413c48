"""Sessions against PyTorch: what each step of a program of forward and backward passes gives, stored, to 1e-12.

`reference/make_autograd.py` has the programs. Besides: that the work for what is frozen is gone, that a forward and a
backward pass are one, and what a session says where it cannot go on.
"""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradc
from gradc.compiler.parts import UnknownPart

REFERENCE = json.loads((Path(__file__).parent / "reference" / "autograd.json").read_text())
PRECISE = 1e-12


def near(found: Any, expected: Any, what: str) -> None:
    """Equal to 1e-12 of the largest number, in shape too."""
    if expected is None:
        assert found is None, f"{what} should be None"
        return
    assert found is not None, f"{what} is None"
    a, b = np.asarray(found), np.asarray(expected)
    assert a.shape == b.shape, what
    apart, large = float(np.abs(a - b).max()), float(np.abs(b).max())
    assert apart <= PRECISE * max(large, 1e-3), f"{what}: {apart} apart"


class Followed:
    """A scenario, step by step."""

    def __init__(self, scenario: dict[str, Any]) -> None:
        model = gradc.compile(scenario["text"])
        data = {name: np.array(value) for name, value in scenario["data"].items()}
        start = {name: np.array(value) for name, value in scenario["start"].items()}
        self.session = model.session(data)
        for name, value in start.items():
            self.session.parameters[name].value[...] = value
        self.optimizer = gradc.SGD(self.session, lr=0.1, momentum=0.9)

    def take(self, word: str, arguments: list[Any]) -> Any:
        match word:
            case "step":
                return self.optimizer.step()
            case "no_grad":
                with self.session.no_grad():
                    return self.session.forward(*arguments)
            case "backward":
                name, seed = (*arguments, None, None)[:2]
                return self.session.backward(seed=seed, name=name)
        return getattr(self.session, word)(*arguments)


@pytest.mark.parametrize("name", REFERENCE["scenarios"])
def test_a_program_of_passes_is_pytorchs(name: str) -> None:
    scenario = REFERENCE["scenarios"][name]
    followed = Followed(scenario)
    for number, step in enumerate(scenario["steps"]):
        gives = followed.take(step["do"], step["with"])
        what = f"step {number}, {step['do']}{step['with']}"
        if step["gives"] is not None:
            near(gives, step["gives"], f"{what}: what it gives")
        for key, expected in step["gradients"].items():
            near(followed.session[key].grad, expected, f"{what}: the gradient by {key}")
    for key, expected in scenario["end"].items():
        near(followed.session.parameters[key].value, expected, f"{key} in the end")


# ----------------------------------------------------------------------------------------- what PyTorch does not have

LAYERS = REFERENCE["scenarios"]["layers: forward, backward, accumulate, zero"]


@pytest.fixture(scope="module")
def layers() -> gradc.Model:
    return gradc.compile(LAYERS["text"])


def session_of(model: gradc.Model, **options: Any) -> gradc.Session:
    """A session of the scenario with two layers."""
    session = model.session({name: np.array(value) for name, value in LAYERS["data"].items()}, **options)
    for name, value in LAYERS["start"].items():
        session.parameters[name].value[...] = value
    return session


def step_of(text: str) -> tuple[set[str], int, int]:
    """Of an emitted objective's step: the arrays that it makes, its calls, and its matrix products."""
    tree = ast.parse(text)
    objective = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "_Objective")
    step = next(n for n in objective.body if isinstance(n, ast.FunctionDef) and n.name == "__call__")
    calls = [node for node in ast.walk(step) if isinstance(node, ast.Call)]
    dots = [c for c in calls if isinstance(c.func, ast.Attribute) and c.func.attr == "dot"]
    made = {n.id for n in ast.walk(step) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return made, len(calls), len(dots)


@pytest.mark.simplified
def test_the_work_for_what_is_frozen_is_not_written() -> None:
    source = (Path(__file__).parent / "models" / "digits.model").read_text()
    whole, first, second, neither = (
        step_of(gradc.compile(source, frozen=patterns).text) for patterns in ((), ("fc1.*",), ("fc2.*",), ("*",))
    )
    # Backward through fc1 there are: its weight's gradient, its bias's, and what comes to it through fc2.
    assert (whole[2] - first[2], whole[2] - second[2], whole[2] - neither[2]) == (3, 2, 5)
    assert neither[1] < first[1] < whole[1]
    assert neither[1] < second[1] < whole[1]
    for (made, _, _), layers, others in ((first, "fc1", "fc2"), (second, "fc2", "fc1")):
        assert not any(name.startswith((f"d_{layers}", f"gradient_{layers}")) for name in made)
        assert any(name.startswith(f"gradient_{others}") for name in made)
    assert not any(name.startswith(("d_", "gradient_")) for name in neither[0])


def test_what_is_frozen_is_not_computed_by_a_session(layers: gradc.Model) -> None:
    session = session_of(layers)
    assert session.module is layers.module
    session.requires_grad_(False, "one.*")
    assert session.module is layers.variant(("one.W", "one.b"), (), None)
    assert session.module.FROZEN == ("one.W", "one.b")
    assert session.module.OBJECTIVES["loss"]["over"] == ("two.W", "two.b", "last")
    session.requires_grad_()
    assert session.module is layers.module


def test_a_frozen_place_of_the_vector_is_zero(layers: gradc.Model) -> None:
    session = session_of(layers)
    session.parameters["two.W"].requires_grad = False
    out = np.full_like(session.theta, np.nan)
    session.objectives["loss"](session.theta, out)
    place = session.parameters["two.W"].place
    assert (out[place] == 0).all()
    assert np.isfinite(out).all()


OPTIMIZERS = [gradc.SGD, gradc.Adam, gradc.AdamW, gradc.RMSprop, gradc.LBFGS]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("batch", [None, 2])
def test_training_goes_as_where_the_gradient_is_left_out(
    layers: gradc.Model, optimizer: Any, batch: int | None
) -> None:
    ends = []
    for variants in (layers, None):
        session = gradc.Session(layers.module, session_of(layers).data, session_of(layers).theta, variants=variants)
        session.requires_grad_(False, ["one.*", "last"])
        before = session.theta.copy()
        # Of LBFGS roundings grow from iteration to iteration.
        more = {"max_iter": 3} if optimizer is gradc.LBFGS else {"weight_decay": 0.1}
        gradc.fit(session, optimizer(session, lr=0.05, **more), epochs=4, batch=batch)
        frozen = [session.parameters[name].place for name in ("one.W", "one.b", "last")]
        assert all((session.theta[place] == before[place]).all() for place in frozen)
        assert (session.theta != before).any()
        ends.append(session.theta)
    np.testing.assert_allclose(*ends, rtol=1e-9, atol=1e-12)


class Counted:
    """An objective that counts its calls."""

    def __init__(self, objective: Any) -> None:
        self.objective, self.calls = objective, 0

    def __call__(self, *arguments: Any) -> Any:
        self.calls += 1
        return self.objective(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.objective, name)


def test_forward_and_backward_are_one_pass(layers: gradc.Model) -> None:
    session = session_of(layers)
    counted = session.objectives["loss"] = Counted(session.objectives["loss"])
    session.forward()
    session.backward()
    session.backward(2.0)
    assert counted.calls == 1
    before = np.array(session["last"].grad)
    session.parameters["last"].value[0] += 0.5
    session.zero_grad()
    session.backward()
    assert counted.calls == 2, "the parameters were changed in place"
    assert not np.allclose(before, session["last"].grad)
    session.rebind({name: value[:3] for name, value in session.data.items()})
    session.backward()
    assert counted.calls == 3, "there are other data"


def test_data_that_do_not_fit_leave_a_session_as_it_was(layers: gradc.Model) -> None:
    session = session_of(layers)
    before = session.forward()
    with pytest.raises(ValueError, match="y"):
        session.rebind({**session.data, "y": np.ones(4)})
    assert session.forward() == before
    assert len(session.value("y")) == 5


def test_the_forms_of_backward_are_one(layers: gradc.Model) -> None:
    session = session_of(layers)
    seed = np.linspace(1, 2, 5)
    found = []
    for arguments, more in (
        (("out", seed), {}),
        ((seed, "out"), {}),
        ((seed,), {"name": "out"}),
        (("out",), {"seed": seed}),
        ((), {"seed": seed, "name": "out"}),
    ):
        session.zero_grad()
        session.backward(*arguments, **more)
        found.append(np.array(session["one.W"].grad))
    assert all((other == found[0]).all() for other in found)
    for arguments, more in (((seed, "out", 1), {}), (("out",), {"name": "out"}), ((seed, seed), {}), ((), {"of": 1})):
        with pytest.raises(TypeError):
            session.backward(*arguments, **more)  # type: ignore[call-overload]


def test_values_are_copies_of_what_is_there_now() -> None:
    model = gradc.compile(
        "input x[n]\nparam s > 0 = 2, w = 1\nstate seen = 0\nlarge = x > 1\nplace = argmax(x)\nz = s * w * x\n"
        "update seen = mean(x)\nmaximize -mean(z^2)\noutput p = z + 1\nmetric top = max(z)\n"
    )
    x = np.array([0.5, 1.0, 3.0])
    session = model.session({"x": x})
    assert session.parameters["s"].value == np.log(2), "what is trained stands behind the bound"
    assert session.value("s") == pytest.approx(2)
    np.testing.assert_allclose(session.value("z"), 2 * x)
    np.testing.assert_allclose(session.value("p"), 2 * x + 1)
    np.testing.assert_allclose(session.value("x"), x)
    assert session.value("large").tolist() == [False, False, True]
    assert session.value("place") == 2
    assert session.value("top") == pytest.approx(6)
    assert session.value("loss") == pytest.approx(-np.mean((2 * x) ** 2)), "the value itself, not its negative"
    assert session.forward() == pytest.approx(np.mean((2 * x) ** 2))
    session.value("z")[...] = 0
    session.value("x")[...] = 0
    session.parameters["w"].value[...] = 3
    np.testing.assert_allclose(session.value("z"), 6 * x)
    with session.no_grad():
        session.forward()
    session.advance()
    assert session.value("seen") == pytest.approx(1.5)


def test_noise_is_that_of_the_step() -> None:
    model = gradc.compile("input x[n]\nnoise e[n] ~ normal(0, 1)\nparam w = 1\nz = w * (x + e)\nminimize mean(z^2)\n")
    x = np.arange(4.0)
    session = model.session({"x": x})
    session.draw(3, 7)
    noise = model.module.noise({"x": x}, 3, 7)["e"]
    np.testing.assert_allclose(session.value("z"), x + noise)
    session.retain_grad("z")
    assert session.forward() == pytest.approx(np.mean((x + noise) ** 2))
    session.backward()
    np.testing.assert_allclose(session["z"].grad, (x + noise) / 2)
    assert session.value("loss") == session.forward()
    session.zero_grad()
    session.backward("z", np.ones(4))
    assert session["w"].grad == pytest.approx((x + noise).sum())


WORDS = """
axis k: 3
input x[n]
param a = 1, b[k] = 0, c = 2
h = a * x
large = h > 0
count = argmax(x)
free = x + 1
r = scan n with s = 0:
    z = s * c + x
    s = z / 2
    yield s
minimize sum(h^2) + sum(b^2) + mean(r)
output r
"""


@pytest.fixture(scope="module")
def words() -> gradc.Model:
    return gradc.compile(WORDS)


@pytest.mark.parametrize(
    ("action", "error", "message"),
    [
        (lambda s: s.backward("hh"), "UnknownValue", "the model has no value 'hh': did you mean 'h'?"),
        (lambda s: s.value("nothing"), "UnknownValue", "no value 'nothing': there are loss, x, a, b, c, h, large"),
        (lambda s: s["q"], "UnknownValue", "no value 'q'"),
        (lambda s: s.backward("h"), "SeedMissing", "`h` has shape (4,), .* give a seed of that shape"),
        (lambda s: s.backward("h", np.ones(3)), "SeedShape", "the seed of 'h' has shape (3,), and 'h' has (4,)"),
        (lambda s: s.backward("h", np.ones((4, 1))), "SeedShape", "has shape (4, 1), and 'h' has (4,)"),
        (lambda s: s.backward(np.ones(2)), "SeedShape", "the seed of 'loss' has shape (2,), and 'loss' has ()"),
        (lambda s: s.backward("large"), "NoDerivative", "no derivative for 'large': it is true or false"),
        (lambda s: s.backward("count"), "NoDerivative", "no derivative for 'count': it counts, in whole numbers"),
        (lambda s: s.backward("free"), "NoDerivative", "no derivative for 'free': it depends on no parameter"),
        (lambda s: s.retain_grad("large"), "NoDerivative", "no derivative for 'large': it is true or false"),
        (lambda s: s.retain_grad("count"), "NoDerivative", "no derivative for 'count': it counts"),
        (lambda s: s.retain_grad("r.z"), "NoDerivative", "each step of the scan has its own; retain what"),
        (
            lambda s: s.requires_grad_(False).backward(),
            "AllFrozen",
            "that 'loss' depends on is frozen (a, b, c): session",
        ),
        (lambda s: s.requires_grad_(False, "a").backward("h", np.ones(4)), "AllFrozen", "requires_grad_(True, 'a')"),
        (lambda s: s.requires_grad_(False, "d*"), "ValueError", "no parameter has a name like 'd*'; there are a, b, c"),
        (lambda s: s.forward("other"), "NothingToDifferentiate", "'other'; there are loss"),
    ],
)
def test_what_a_session_refuses(words: gradc.Model, action: Any, error: str, message: str) -> None:
    pattern = ".*".join(map(re.escape, message.split(".*")))
    with pytest.raises(ValueError, match=pattern) as caught:
        action(words.session({"x": np.arange(4.0)}))
    assert type(caught.value).__name__ == error


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda s: s.value("h"), "this module has no value 'h': gradc.compile"),
        (lambda s: s.retain_grad("h"), "this module has no value 'h': gradc.compile"),
        (
            lambda s: s.requires_grad_(True, "c"),
            "no gradient by 'c', which was frozen when it was compiled: gradc.compile",
        ),
    ],
)
def test_what_a_module_alone_does_not_have(action: Any, message: str) -> None:
    model = gradc.compile(WORDS, frozen=("c",))
    with pytest.raises(ValueError, match=message):
        action(gradc.Session(model.module, {"x": np.arange(4.0)}))


def test_what_was_compiled_frozen_can_be_let_go() -> None:
    model = gradc.compile(WORDS, frozen=("c",))
    session, other = model.session({"x": np.arange(4.0)}), gradc.compile(WORDS).session({"x": np.arange(4.0)})
    session.backward()
    assert session["c"].grad is None
    session.requires_grad_()
    session.zero_grad()
    session.backward()
    other.backward()
    assert session["c"].grad == other["c"].grad != 0


def test_values_beside_the_outputs() -> None:
    module = gradc.compile(WORDS, values=("h", "r.z", "large")).module
    assert list(module.OUTPUTS) == ["r", "h", "r.z", "large"]
    x = np.arange(4.0)
    found = module.predict(module.initial({"x": x}), {"x": x})
    np.testing.assert_allclose(found["h"], x)
    z = [0.0]
    for value in x[1:]:
        z.append(z[-1] / 2 * 2 + value)
    np.testing.assert_allclose(found["r.z"], z)
    with pytest.raises(UnknownPart, match=r"there is no named value 'hh': did you mean h\?"):
        gradc.compile(WORDS, values=("hh",))
    with pytest.raises(UnknownPart, match="there is no parameter 'body"):
        gradc.compile(WORDS, frozen=("body.*",))
