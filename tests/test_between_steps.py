"""What changes between steps: noise that is drawn, states that are updated, objectives in turn, and the two modes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradc.compiler.elaborate import elaborate
from gradc.compiler.graph import Program
from gradc.compiler.source import Source
from gradc.compiler.syntax import parse
from gradc.runtime import SGD, Diverged, NothingToDifferentiate, Session, SeveralObjectives, fit

from .harness import compiled
from .test_properties import everything_agrees

MODELS = Path(__file__).parent / "models"
REFERENCE = json.loads((Path(__file__).parent / "reference" / "batch_norm.json").read_text())
GAN = (MODELS / "gan.model").read_text()


def program(text: str) -> Program:
    return elaborate(parse(Source("test.model", text)))


def ring(rows: int = 20, seed: int = 0) -> dict[str, Any]:
    angle = np.random.default_rng(seed).uniform(0, 2 * np.pi, rows)
    return {"real": np.stack([np.cos(angle), np.sin(angle)], 1)}


# ---------------------------------------------------------------------------------------------------------------- noise

DRAWN = """
axis d: 3
input x[n]
noise a[n, d] ~ normal(1, std=2), b[d, n] ~ uniform(-1, 3), c[n] ~ bernoulli(0.25), e ~ exponential(4)
param w = 1
minimize w * (sum(a) + 10 * sum(b) + 100 * sum(c) + 1000 * e)
output all = w * (sum[d](a + b) + c + e)
"""


def total(drawn: dict[str, Any]) -> float:
    """The objective where w is 1."""
    scales = {"a": 1, "b": 10, "c": 100, "e": 1000}
    return float(sum(scale * drawn[name].sum(dtype="float64") for name, scale in scales.items()))


def test_each_distribution_is_what_it_says() -> None:
    _, module = compiled(DRAWN)
    drawn = module.noise({"x": np.zeros(40_000)}, seed=3)
    assert {name: value.shape for name, value in drawn.items()} == {
        "a": (40_000, 3),
        "b": (3, 40_000),
        "c": (40_000,),
        "e": (),
    }
    assert drawn["a"].mean() == pytest.approx(1, abs=0.02)
    assert drawn["a"].std() == pytest.approx(2, abs=0.02)
    assert -1 <= drawn["b"].min() < -0.99
    assert 2.99 < drawn["b"].max() < 3
    assert drawn["b"].mean() == pytest.approx(1, abs=0.02)
    assert set(drawn["c"]) == {0.0, 1.0}
    assert drawn["c"].mean() == pytest.approx(0.25, abs=0.01)
    several = [float(module.noise({"x": np.zeros(1)}, 3, step)["e"]) for step in range(2000)]
    assert min(several) >= 0
    assert np.mean(several) == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("block", [None, 2])
def test_noise_is_a_function_of_the_seed_the_step_and_its_place(dtype: str, block: int | None) -> None:
    _, module = compiled(DRAWN, dtype=dtype)
    data, near = {"x": np.zeros(7)}, 1e-12 if dtype == "float64" else 1e-5
    bound, theta = module.bind(data, block=block), module.initial(data)
    seen = set()
    for seed, step in [(0, 0), (0, 1), (5, 0), (5, 2**40), (2**100, 3), (0, 1)]:
        bound.draw(seed, step)
        drawn = module.noise(data, seed, step)
        expected = total(drawn)
        assert bound(theta)[0] == pytest.approx(expected, rel=near)
        assert bound(theta)[0] == bound(theta)[0]
        seen.add(bound(theta)[0])
    assert len(seen) == 5
    # Two of one distribution are not the same numbers.
    twins = compiled("axis k: 4\nnoise a[k] ~ normal(0, 1), b[k] ~ normal(0, 1)\nparam w\nminimize w*sum(a*b)\n")[1]
    assert (twins.noise({})["a"] != twins.noise({})["b"]).all()


def test_noise_is_at_first_that_of_step_0_of_seed_0() -> None:
    _, module = compiled(DRAWN)
    data = {"x": np.zeros(5)}
    bound, theta = module.bind(data), module.initial(data)
    first = bound(theta)[0]
    bound.draw(0, 0)
    assert bound(theta)[0] == first
    bound.draw(1, 1)
    again = bound(theta)[0]
    bound.rebind({"x": np.ones(5)})
    assert bound(theta)[0] == again != first
    bound.rebind({"x": np.ones(6)})
    assert bound(theta)[0] == module.bind({"x": np.ones(6)})(theta)[0]


def test_drawing_makes_no_array() -> None:
    _, module = compiled(DRAWN)
    bound = module.bind({"x": np.zeros(5)})
    arrays = dict(bound._noise)
    bound.draw(1, 2)
    assert all(bound._noise[name] is array for name, array in arrays.items())


def test_noise_that_the_data_hold_is_not_drawn() -> None:
    _, module = compiled(DRAWN)
    random = np.random.default_rng(0)
    given = {"a": random.normal(size=(5, 3)), "b": random.normal(size=(3, 5))}
    theta = module.initial()
    bound = module.bind({"x": np.zeros(5), **given}, block=2)
    bound.draw(4, 4)
    drawn = {**module.noise({"x": np.zeros(5)}, 4, 4), **given}
    expected = total(drawn)
    assert bound(theta)[0] == pytest.approx(expected, rel=1e-12)
    found = module.predict(theta, {"x": np.zeros(5), **drawn})["all"]
    expected = drawn["a"].sum(1) + drawn["b"].sum(0) + drawn["c"] + drawn["e"]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    with pytest.raises(module.DataError, match=r"axis 'n' has length 5, and 'x' of shape \(6,\) gives it 6"):
        module.bind({"x": np.zeros(6), **given})
    with pytest.raises(module.DataError, match="'a' has shape"):
        module.bind({"x": np.zeros(5), "a": np.zeros(5)})


def test_predictions_draw_from_a_seed() -> None:
    _, module = compiled(GAN)
    data = ring()
    theta = module.initial(data, seed=1)
    first, second = module.predict(theta, data, seed=7)["fake"], module.predict(theta, data, seed=8)["fake"]
    np.testing.assert_array_equal(first, module.predict(theta, data, 7)["fake"])
    assert (first != second).any()
    drawn = module.noise(data, 7)["seed"]
    # Noise that is given tells how many rows there are: no data are needed.
    np.testing.assert_array_equal(module.predict(theta, {"seed": drawn})["fake"], first)
    with pytest.raises(module.DataError, match="input 'real' is missing"):
        module.predict(theta, {})
    seeds = {"fake": np.ones((20, 2))}
    assert (module.vjp(theta, data, seeds, seed=7) != module.vjp(theta, data, seeds, seed=8)).any()
    with pytest.raises(module.DataError, match="whole number from 0"):
        module.predict(theta, data, seed=-1)


def test_a_formula_of_noise_alone_is_computed_in_each_step() -> None:
    """What depends on noise and on no parameter is not taken for data."""
    text = "input x[n]\nnoise e[n] ~ normal(0, 1), s ~ uniform(1, 2)\nparam w = 1\n"
    _, module = compiled(f"{text}h = exp(e) * s + x\nminimize mean((w * h)^2) + s^2\noutput h\n")
    data = {"x": np.arange(4.0)}
    bound = module.bind(data)
    for step in range(3):
        bound.draw(0, step)
        drawn = module.noise(data, 0, step)
        h = np.exp(drawn["e"]) * drawn["s"] + data["x"]
        loss, gradient = bound(np.array([1.5]))
        assert loss == pytest.approx((2.25 * h**2).mean() + drawn["s"] ** 2, rel=1e-13)
        assert gradient[0] == pytest.approx(3 * (h**2).mean(), rel=1e-13)
    assert not module.vjp.__defaults__ or module.OUTPUTS["h"]["needs"] == ("x",)


def test_a_scan_sees_the_noise_of_each_step() -> None:
    text = """
use nn.Dropout
axis t: 6
input x[n]
noise e[n, t] ~ normal(0, 1), f[t] ~ uniform(0, 1), g[t, n] ~ normal(0, 1)
param w = 0.5
drop = Dropout[n, t]
path = scan t with h = x:
    h = tanh(w * h + e * f + g)
    yield drop(h, 0.4)
minimize mean(path^2)
output path
"""
    _, module = compiled(text)
    data = {"x": np.arange(3.0)}
    bound, theta = module.bind(data), np.array([0.7])
    for step in range(3):
        bound.draw(2, step)
        drawn, h, total = module.noise(data, 2, step), data["x"], 0.0
        for t in range(6):
            h = np.tanh(0.7 * h + drawn["e"][:, t] * drawn["f"][t] + drawn["g"][t])
            total += ((np.where(drawn["drop.u"][:, t] < 0.4, 0, h / 0.6)) ** 2).sum()
        assert bound(theta)[0] == pytest.approx(total / 18, rel=1e-12)


@pytest.mark.parametrize(
    ("body", "meant"),
    [
        ("v * u", lambda v, u, t: v * u[:, t]),
        ("sum[n](v * u) + v * u", lambda v, u, t: (v * u[:, t]).sum() + v * u[:, t]),
        ("(v * u)[t = ::-1]", lambda v, u, t: v * u[:, -1 - t]),
        ("v * u - max[t](u) + mean[t](v * u)", lambda v, u, t: v * u[:, t] - u.max(1) + v * u.mean(1)),
        ("softmax[t](v * u)", lambda v, u, t: (np.exp(v[:, None] * u) / np.exp(v[:, None] * u).sum(1)[:, None])[:, t]),
    ],
)
def test_a_function_of_a_step_and_of_whole_arrays_is_seen_at_the_step(body: str, meant: Any) -> None:
    text = f"axis t: 4\ninput x[n], u[n, t]\nparam w = 0.5\ndef f(v) = {body}\n"
    text += "path = scan t with h = x:\n    h = f(w * h)\n    yield h\nminimize mean(path^2)\noutput path\n"
    _, module = compiled(text)
    random = np.random.default_rng(0)
    x, u = random.normal(size=3), random.normal(size=(3, 4))
    found, h = module.predict(np.array([0.5]), {"x": x, "u": u})["path"], x
    for t in range(4):
        h = meant(0.5 * h, u, t)
        np.testing.assert_allclose(found[:, t], h, rtol=1e-12)
    everything_agrees(text)


@pytest.mark.parametrize("values", ["training then u else q", "training then q else u"])
def test_a_value_of_a_scan_may_differ_from_step_to_step_in_training_alone(values: str) -> None:
    everything_agrees(
        f"axis t: 4\ninput u[t], q\nparam w = 0.5\npath = scan t with h = 0.5:\n    z = (if {values}) + w\n"
        "    h = tanh(h + w * z)\n    yield h\nminimize sum(path)\noutput path\n"
    )


def test_names_for_several_values_in_a_scan() -> None:
    text = """
axis t: 4
input x[t]
param w = 0.5
def both(a, b):
    return a * b, a + b
last, sums = scan t with h = 1, c = 0:
    h, s = both(w * h, x)
    c = c + s
    yield h, c
minimize sum(last * sums)
output last, sums
"""
    _, module = compiled(text)
    x = np.array([1.0, -2, 3, 0.5])
    found = module.predict(np.array([0.5]), {"x": x})
    h, c = 1.0, 0.0
    for t in range(4):
        h, s = 0.5 * h * x[t], 0.5 * h + x[t]
        c += s
        assert (found["last"][t], found["sums"][t]) == pytest.approx((h, c))


# ----------------------------------------------------------------------------------------------------------- objectives


def test_each_objective_has_a_gradient_for_what_it_trains_and_0_elsewhere() -> None:
    of, module = compiled(GAN)
    assert {name: entry["over"] for name, entry in module.OBJECTIVES.items()} == {
        "judge": ("d1.W", "d1.b", "d2.W", "d2.b"),
        "forge": ("g1.W", "g1.b", "g2.W", "g2.b"),
    }
    data = ring()
    theta = module.initial(data)
    places = module.layout(data)
    for name, head in (("judge", "d"), ("forge", "g")):
        _, gradient = module.bind(data, name)(theta, np.full(theta.shape, np.nan))
        for parameter, (place, _) in places.items():
            assert (gradient[place] != 0).any() == (parameter[0] == head), (name, parameter)
    with pytest.raises(module.DataError, match="several objectives: say which, of judge, forge"):
        module.bind(data)
    with pytest.raises(module.DataError, match="no objective 'loss'"):
        module.bind(data, "loss")
    assert list(of.program.gradients) == ["judge", "forge"]


def test_what_an_objective_does_not_train_costs_it_nothing() -> None:
    """The class holds no more operations than that of a model in which the other parameters are data."""
    head = "axis d: 3, k: 2\ninput x[n, d], y[n]\n"
    of_one = f"{head}param a[d, k] = 1\ninput b[k]\nminimize mean((sum[k](tanh(x @ a) * b) - y)^2)\n"
    two = f"{head}param a[d, k] = 1, b[k] = 1\np = sum[k](tanh(x @ a) * b)\n"
    two += "minimize first = mean((p - y)^2) over a\nminimize second = mean(p^4) over b\n"
    calls = []
    for text in (of_one, two):
        module = compiled(text)[0].module
        body = re.split(r"^class ", module, flags=re.MULTILINE)
        step = next(part for part in body if part.startswith("_Objective")).partition("def __call__")[2]
        calls.append(len(re.findall(r"\w+ = \w+(?:\.dot)?\(.*\)$", step, re.MULTILINE)))
    assert calls[1] <= calls[0]


def test_objectives_take_their_steps_in_turn() -> None:
    text = "input x[n]\nparam a = 1, b = 2\nminimize one = mean((a*x - b)^2) over a\n"
    _, module = compiled(f"{text}minimize two = mean((b*x + a)^2) over b\n")
    x = np.array([0.5, -1.0, 2.0])
    session = Session(module, {"x": x})
    told: list[tuple[float, ...]] = []
    done = fit(session, SGD(session, lr=0.1), epochs=5, after=lambda epoch, *losses: told.append((epoch, *losses)))
    a, b = 1.0, 2.0
    for epoch in range(5):
        first = ((a * x - b) ** 2).mean()
        a -= 0.1 * (2 * (a * x - b) * x).mean()
        second = ((b * x + a) ** 2).mean()
        b -= 0.1 * (2 * (b * x + a) * x).mean()
        assert told[epoch] == pytest.approx((epoch + 1, first, second), rel=1e-13)
    np.testing.assert_allclose(session.theta, [a, b], rtol=1e-13)
    assert list(done.history) == ["one", "two"]
    assert done.steps == 10
    np.testing.assert_array_equal(done.losses, done.history["one"])


def test_only_what_an_objective_trains_is_moved_by_momentum_and_decay() -> None:
    text = "input x[n]\nparam a = 1, b = 2\nminimize one = mean((a*x)^2) over a\nmaximize two = -mean((b*x)^2) + a\n"
    _, module = compiled(text)
    session = Session(module, {"x": np.ones(2)})
    options = {"lr": 0.1, "momentum": 0.5, "weight_decay": 0.01}
    fit(session, SGD(session, **options), epochs=3)
    theta, buffer, started = np.array([1.0, 2.0]), np.zeros(2), np.zeros(2, bool)
    for _ in range(3):
        for gradient, over in ((lambda t: np.array([2 * t[0], 0]), [0]), (lambda t: np.array([-1, 2 * t[1]]), [0, 1])):
            found = gradient(theta) + 0.01 * theta
            for i in over:
                buffer[i] = found[i] if not started[i] else 0.5 * buffer[i] + found[i]
                started[i] = True
                theta[i] -= 0.1 * buffer[i]
    np.testing.assert_allclose(session.theta, theta, rtol=1e-13)


def test_steps_by_hand_name_the_objective() -> None:
    _, module = compiled(GAN)
    data = ring()
    one, two = Session(module, data, seed=2), Session(module, data, seed=2)
    fit(one, SGD(one, lr=0.1, momentum=0.9), epochs=3, seed=4)
    optimizer = SGD(two, lr=0.1, momentum=0.9)
    for step in range(6):
        two.draw(4, step)
        optimizer.zero_grad()
        two.backward(name=("judge", "forge")[step % 2])
        assert {p.name[0] for p in two.parameters.values() if p.grad is not None} == {"dg"[step % 2]}
        optimizer.step()
    np.testing.assert_allclose(one.theta, two.theta, rtol=1e-13)
    assert two.forward("judge") != two.forward("forge")
    with pytest.raises(SeveralObjectives, match="name one of judge, forge"):
        two.backward()
    with pytest.raises(SeveralObjectives):
        two.forward()
    with pytest.raises(NothingToDifferentiate, match="no differentiable output 'nothing'"):
        two.backward(name="nothing")
    only = Session(module, data, objective="forge")
    assert list(only.objectives) == ["forge"]
    assert only.forward() == Session(module, data).forward("forge")
    assert not only.parameters["d1.W"].requires_grad


@pytest.mark.parametrize("batch", [None, 6])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_training_goes_on_where_another_ended(batch: int | None, momentum: float) -> None:
    """To the bit: the vector and the optimiser's state are all that is kept, and no generator has a state."""
    text = GAN.replace("output fake", "state seen\nupdate seen = 0.5 * seen + sum(seed)\noutput fake, seen")
    _, module = compiled(text)
    data = ring()
    whole = Session(module, data)
    long = fit(whole, SGD(whole, lr=0.1, momentum=momentum), epochs=7, batch=batch, seed=9)
    first = Session(module, data)
    before = SGD(first, lr=0.1, momentum=momentum)
    part = fit(first, before, epochs=3, batch=batch, seed=9)
    second = Session(module, data, part.theta)
    after = SGD(second, lr=0.1, momentum=momentum)
    after.load_state_dict(before.state_dict())
    rest = fit(second, after, epochs=4, batch=batch, seed=9, start=3)
    np.testing.assert_array_equal(whole.theta, second.theta)
    for name in ("judge", "forge"):
        np.testing.assert_array_equal(long.history[name], np.concatenate([part.history[name], rest.history[name]]))
    other = Session(module, data)
    fit(other, SGD(other, lr=0.1, momentum=momentum), epochs=7, batch=batch, seed=10)
    assert (other.theta != whole.theta).any()


def test_a_training_in_minibatches_draws_for_the_rows_of_the_batch() -> None:
    text = "axis z: 2\ninput x[n]\nnoise e[n, z] ~ normal(0, 1)\nparam w[z] = 0\nminimize mean((e @ w - x)^2)\n"
    _, module = compiled(text)
    x = np.arange(7.0)
    session = Session(module, {"x": x})
    fit(session, SGD(session, lr=0.1), epochs=2, batch=3, seed=5)
    from gradc.runtime.fit import order

    w, step = np.zeros(2), 0
    for epoch in range(2):
        rows = order(5, epoch, 7)
        for part in (rows[:3], rows[3:6], rows[6:]):
            e = module.noise({"x": x[part]}, 5, step)["e"]
            w = w - 0.1 * 2 / len(part) * e.T @ (e @ w - x[part])
            step += 1
    np.testing.assert_allclose(session.theta, w, rtol=1e-12)


def test_what_diverges_is_told_by_its_name() -> None:
    text = "input x[n]\nparam a = 1, b = 1\nminimize good = mean((a*x)^2) over a\nminimize bad = mean((b*x)^4) over b\n"
    _, module = compiled(text)
    session = Session(module, {"x": np.ones(2)})
    with pytest.raises(Diverged, match=r"bad is (inf|nan) at step|where bad is") as caught:
        fit(session, SGD(session, lr=10.0), epochs=50)
    assert caught.value.objective == "bad"
    assert np.isfinite(session.theta).all()


# --------------------------------------------------------------------------------------------------------------- states

COUNTED = """
axis k: 2
input x[n, k]
param w[k] = 1
state mean_of[k] = 0.5, steps
update mean_of = 0.75 * mean_of + 0.25 * mean[n](x * w)
update steps = steps + 1
minimize mean((sum[k](x * w) - steps)^2)
output mean_of, steps
"""


def test_states_lie_behind_the_parameters() -> None:
    _, module = compiled(COUNTED)
    assert module.STATES["mean_of"]["slice"] == (2, 4)
    assert module.STATES["steps"]["slice"] == (4, 5)
    theta = module.initial()
    np.testing.assert_array_equal(theta, [1, 1, 0.5, 0.5, 0])
    named = module.unpack(theta)
    assert list(named) == ["w", "mean_of", "steps"]
    np.testing.assert_array_equal(module.pack(named), theta)
    with pytest.raises(module.DataError, match="state 'steps' is missing"):
        module.pack({"w": [1, 1], "mean_of": [0, 0]})
    with pytest.raises(module.DataError, match="there are w, mean_of, steps"):
        module.pack({**named, "other": 1})


@pytest.mark.parametrize("block", [None, 2])
def test_a_step_updates_states_when_it_is_told_to(block: int | None) -> None:
    _, module = compiled(COUNTED)
    x = np.random.default_rng(0).normal(size=(5, 2))
    theta = np.array([0.5, -2, 3, 4, 7.0])
    bound = module.bind({"x": x}, block=block)
    loss, gradient = bound(theta)
    assert loss == pytest.approx(((x @ theta[:2] - 7) ** 2).mean())
    np.testing.assert_array_equal(gradient[2:], 0)
    np.testing.assert_array_equal(theta, [0.5, -2, 3, 4, 7])
    bound.advance(theta)
    np.testing.assert_array_equal(theta[:2], [0.5, -2])
    np.testing.assert_allclose(theta[2:4], 0.75 * np.array([3, 4]) + 0.25 * (x * theta[:2]).mean(0), rtol=1e-13)
    assert theta[4] == 8
    np.testing.assert_array_equal(module.predict(theta, {"x": x})["mean_of"], theta[2:4])
    with pytest.raises(module.DataError, match="an array of 5 numbers"):
        bound.advance([0.0] * 5)


def test_a_training_updates_states_after_each_step() -> None:
    _, module = compiled(COUNTED)
    x = np.random.default_rng(0).normal(size=(6, 2))
    session = Session(module, {"x": x})
    assert list(session.parameters) == ["w"]
    fit(session, SGD(session, lr=0.01, momentum=0.5, weight_decay=0.3), epochs=3, batch=2)
    assert session.states["steps"] == 9
    by_hand = Session(module, {"x": x})
    optimizer = SGD(by_hand, lr=0.01)
    for _ in range(4):
        optimizer.zero_grad()
        by_hand.backward()
        optimizer.step()
        by_hand.advance()
    looped = Session(module, {"x": x})
    fit(looped, SGD(looped, lr=0.01), epochs=4)
    np.testing.assert_array_equal(by_hand.theta, looped.theta)


def test_a_layer_that_is_applied_twice_updates_its_states_twice() -> None:
    text = """
input x[n]
param w = 1
layer Running:
    state seen = 1
    def call(v):
        update seen = 0.5 * seen + mean(v)
        return v * w
track = Running
minimize both = mean(track(x) + track(3 * x))
minimize one = mean(track(x)^2)
minimize none = w^2
"""
    of = program(text)
    assert [[name for name, _ in objective.updates] for objective in of.objectives] == [["track.seen"]] * 2 + [[]]
    _, module = compiled(text)
    x = np.array([1.0, 2.0])
    for name, expected in (("both", 0.5 * (0.5 * 1 + 1.5) + 4.5), ("one", 0.5 + 1.5), ("none", 1)):
        theta = np.array([1.0, 1.0])
        bound = module.bind({"x": x}, name)
        bound(theta)
        bound.advance(theta)
        assert theta[1] == pytest.approx(expected), name


def test_an_update_has_no_derivative() -> None:
    text = "input x[n]\nparam w = 2\nstate s = 1\nupdate s = w * s\nminimize mean((w * x)^2) + s * w\n"
    _, module = compiled(text)
    _, gradient = module.bind({"x": np.ones(1)})(np.array([2.0, 3.0]))
    np.testing.assert_array_equal(gradient, [4 + 3, 0])


def test_lengths_of_states_may_come_from_the_data() -> None:
    text = "input x[n, d]\nparam w = 1\nstate m[d], c[d, d']\nupdate m = mean[n](x) * w\n"
    text += "update c = mean[n](x * x[d -> d'])\nminimize mean((w*x)^2)\noutput m, c\n"
    _, module = compiled(text)
    x = np.random.default_rng(1).normal(size=(4, 3))
    theta = module.initial({"x": x})
    assert theta.shape == (1 + 3 + 9,)
    bound = module.bind({"x": x})
    bound(theta)
    bound.advance(theta)
    found = module.predict(theta, {"x": x})
    np.testing.assert_allclose(found["m"], x.mean(0), rtol=1e-13)
    np.testing.assert_allclose(found["c"], x.T @ x / 4, rtol=1e-13)


# ---------------------------------------------------------------------------------------------- training and prediction


def test_training_is_true_in_objectives_and_false_in_outputs_and_metrics() -> None:
    text = "input x[n]\nparam w = 2\nh = if training then w * x else 10 * w * x\n"
    _, module = compiled(
        f"{text}minimize mean(h)\noutput h\nmetric m = mean(h)\noutput on = if training then 1 else 0\n"
    )
    x, theta = np.array([1.0, 3.0]), np.array([2.0])
    assert module.bind({"x": x})(theta)[0] == 4
    np.testing.assert_array_equal(module.predict(theta, {"x": x})["h"], [20, 60])
    assert module.predict(theta, {"x": x})["on"] == 0
    assert module.metrics(theta, {"x": x})["m"] == 40
    np.testing.assert_array_equal(module.vjp(theta, {"x": x}, {"h": np.ones(2)}), [40])


def test_what_does_not_depend_on_the_mode_is_one_node() -> None:
    text = "input x[n]\nparam w = 2\nbase = sin(w * x)\nh = if training then base else 2 * base\n"
    of = program(f"{text}only = if training then 1 else w\nminimize mean(h)\noutput h, only\n")
    (objective,) = of.objectives
    named, outputs, predicted = dict(of.named), dict(of.outputs), dict(of.predicted)
    assert named["h"] is named["base"]
    assert named["base"] in outputs["h"].operands
    assert predicted == {"h": outputs["h"]}
    assert named["only"] is outputs["only"]
    assert named["base"] in objective.value.operands[1].operands or named["base"].id < objective.value.id


def test_a_name_of_the_model_stands_before_the_mode() -> None:
    of = program("param training = 1\nminimize training^2\n")
    assert [p.name for p in of.parameters] == ["training"]


def test_a_branch_that_is_not_of_the_mode_is_not_needed() -> None:
    text = "input x[n], y[n]\nparam w = 1\np = if training then w * x + y else w * x\n"
    _, module = compiled(f"{text}minimize mean((p - y)^2)\noutput p\n")
    np.testing.assert_array_equal(module.predict(np.array([3.0]), {"x": np.ones(2)})["p"], [3, 3])
    assert module.OUTPUTS["p"]["needs"] == ("x",)


# ------------------------------------------------------------------------------------ batch statistics, as PyTorch does

PERCEPTRON = """
use nn.Linear, nn.BatchNorm
axis d: 3, h: 5, k: 2
input x[n, d], y[n, k]
a = Linear[d, h]
bn = BatchNorm[h, n]
b = Linear[h, k]
p = x |> a |> bn |> tanh |> b
minimize mean((p - y)^2)
output p
"""

IMAGES = """
use nn.BatchNorm
axis c: 3
input x[n, c, h, w], y[n, c]
bn = BatchNorm[c, n, h, w]
p = mean[h, w](bn(x, momentum=0.3, epsilon=1e-3)^2)
minimize mean((p - y)^2)
output p
"""


@pytest.mark.parametrize(("name", "text"), [("perceptron", PERCEPTRON), ("images", IMAGES)])
@pytest.mark.parametrize("without", [(), ("all",)], ids=["simplified", "plain"])
def test_batch_norm_is_pytorchs(name: str, text: str, without: tuple[str, ...]) -> None:
    _, module = compiled(text, without=without)
    run = REFERENCE[name]
    x, y = np.array(run["x"]), np.array(run["y"])

    def as_here(values: dict[str, Any]) -> dict[str, Any]:
        return {key: np.array(v).T if key in run["transposed"] else np.array(v) for key, v in values.items()}

    size = len(run["steps"][0]["running_mean"])
    states = {"bn.running_mean": np.zeros(size), "bn.running_var": np.ones(size)}
    session = Session(module, {"x": x, "y": y}, module.pack({**as_here(run["start"]), **states}))
    optimizer = SGD(session, lr=0.1)
    for step in run["steps"]:
        rows = slice(*step["rows"])
        bound = module.bind({"x": x[rows], "y": y[rows]})
        loss, gradient = bound(session.theta)
        assert loss == pytest.approx(step["loss"], rel=1e-12)
        by_name = module.unpack(gradient)
        for key, expected in as_here(step["gradients"]).items():
            np.testing.assert_allclose(by_name[key], expected, rtol=1e-9, atol=1e-13)
        optimizer.descend(gradient)
        bound.advance(session.theta)
        np.testing.assert_allclose(session.states["bn.running_mean"], step["running_mean"], rtol=1e-12)
        np.testing.assert_allclose(session.states["bn.running_var"], step["running_var"], rtol=1e-12)
    for key, expected in as_here(run["end"]).items():
        np.testing.assert_allclose(session.parameters[key].value, expected, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(module.predict(session.theta, {"x": x})["p"], run["outputs"], rtol=1e-11, atol=1e-13)


def test_batch_norm_of_a_single_row_has_no_nan() -> None:
    _, module = compiled(PERCEPTRON)
    theta = module.initial()
    bound = module.bind({"x": np.ones((1, 3)), "y": np.ones((1, 2))})
    loss, gradient = bound(theta)
    bound.advance(theta)
    assert np.isfinite(loss)
    assert np.isfinite(gradient).all()
    assert np.isfinite(theta).all()


def test_dropout_is_pytorchs() -> None:
    run = REFERENCE["dropout"]
    text = "use nn.Dropout\naxis m: 6, d: 4\ninput c[m, d]\nparam x[m, d] = 0\ndrop = Dropout[m, d]\n"
    _, module = compiled(f"{text}p = drop(x, {run['p']})\nminimize sum(p * c)\noutput p\n")
    x, found = np.array(run["x"]), np.array(run["found"])
    theta = module.pack({"x": x})
    # Whichever PyTorch has dropped, the noise is below p there.
    data = {"c": np.array(run["seed"]), "drop.u": np.where(found == 0, 0.1, 0.9)}
    loss, gradient = module.bind(data)(theta)
    assert loss == pytest.approx((found * data["c"]).sum(), rel=1e-13)
    np.testing.assert_allclose(gradient.reshape(6, 4), run["gradient"], rtol=1e-13)
    np.testing.assert_array_equal(module.predict(theta, {})["p"], x)


def test_dropout_drops_the_share_that_it_is_told_to() -> None:
    text = "axis d: 200\nuse nn.Dropout\ninput x[n, t, d]\nparam w = 1\ndrop = Dropout[n, t, d]\n"
    _, module = compiled(f"{text}minimize mean(drop(w * x, 0.2) == 0) + w - w\n".replace(" + w - w", " + 0 * w^2"))
    assert compiled(text + "minimize mean(drop(w * x))\n")[1].NOISE["drop.u"]["axes"] == ("n", "t", "d")
    bound = module.bind({"x": np.ones((10, 5, 200))})
    shares = []
    for step in range(3):
        bound.draw(1, step)
        shares.append(float(bound(np.ones(1))[0]))
    assert shares == pytest.approx([0.2] * 3, abs=0.02)
    assert len(set(shares)) == 3


# ---------------------------------------------------------------------------------------------- derivatives on request


def test_derivatives_on_request_hold_states_and_noise() -> None:
    text = (MODELS / "regularised.model").read_text()
    _, module = compiled(text, derivatives=("hessian", "hvp", "jacobian", "jvp"))
    random = np.random.default_rng(0)
    data = {"x": random.normal(size=(7, 3)), "y": random.normal(size=7)}
    theta, states = module.initial(data), np.zeros(54)
    states[: module.STATES["norm.running_mean"]["slice"][0]] = 1
    v, step = random.normal(size=54), 1e-5 * states
    matrix = module.hessian(theta, data)
    bound = module.bind(data)
    assert not matrix[states == 0].any()
    np.testing.assert_allclose(module.hvp(theta, data, v), matrix @ v, rtol=1e-10, atol=1e-12)
    apart = bound(theta + step * v)[1].copy() - bound(theta - step * v)[1]
    np.testing.assert_allclose(apart / 2e-5, matrix @ v, rtol=1e-5, atol=1e-6)
    slopes = module.jacobian(theta, data)["p"]
    assert not slopes[:, states == 0].any()
    np.testing.assert_allclose(module.jvp(theta, data, v)["p"], slopes @ v, rtol=1e-10)
    again = module.bind_hessian(data)
    again.draw(1, 2)
    bound.draw(1, 2)
    apart = bound(theta + step * v)[1].copy() - bound(theta - step * v)[1]
    np.testing.assert_allclose(apart / 2e-5, again(theta) @ v, rtol=1e-5, atol=1e-6)


def test_derivatives_on_request_name_one_of_several_objectives() -> None:
    _, module = compiled(GAN, derivatives=("hessian",))
    data = ring(4)
    theta = module.initial(data)
    places = module.layout(data)
    for name, head in (("judge", "d"), ("forge", "g")):
        touched = module.hessian(theta, data, name).any(1)
        assert all(key[0] == head for key, (place, _) in places.items() if touched[place].any())
    with pytest.raises(module.DataError, match="say which, of judge, forge"):
        module.hessian(theta, data)


# --------------------------------------------------------------------------------------------------------------- tuples


def test_a_function_may_give_several_values() -> None:
    text = """
axis k: 3
input x[n, k]
param w[k] = 1
def moments[a](v[a]):
    centre = mean[a](v)
    return centre, mean[a]((v - centre)^2)
def both(v, u):
    m, s = moments[k](v)
    return u, m + s, v
m, s = moments[k](x * w)
first, second, third = both(x * w, 2)
minimize mean(m + s + second) + sum(third) * first
output m, s, second
"""
    of = program(text)
    named = dict(of.named)
    assert named["m"].names == ("n",)
    assert named["third"] is named["third"]
    _, module = compiled(text)
    x = np.random.default_rng(0).normal(size=(4, 3))
    found = module.predict(module.initial(), {"x": x})
    np.testing.assert_allclose(found["m"], x.mean(1), rtol=1e-13)
    np.testing.assert_allclose(found["s"], x.var(1), rtol=1e-13)
    np.testing.assert_allclose(found["second"], x.mean(1) + x.var(1), rtol=1e-13)


def test_a_star_stands_for_any_number_of_axes() -> None:
    text = "axis a: 2, b: 3\ninput x[n, a, b]\nparam w = 1\ndef spread[k, *others](v[k, *others]) = sum[*others](v^2)\n"
    of = program(
        f"{text}one = spread[n](w * x)\ntwo = spread[n, a](w * x)\nall = spread[a, n, b](w * x)\nminimize w^2\n"
    )
    assert {name: node.names for name, node in of.named if name in ("one", "two", "all")} == {
        "one": ("n", "a", "b"),
        "two": ("n", "b"),
        "all": ("a",),
    }
