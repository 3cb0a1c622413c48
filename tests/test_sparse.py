"""Gradients by rows: the same numbers as in an array, PyTorch's steps, and no work for rows that do not occur."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import gradc
from gradc.__main__ import main
from gradc.compiler.parts import UnknownPart
from gradc.compiler.pipeline import UnknownDerivative, compile_model
from gradc.compiler.source import ModelError, Source, render
from gradc.runtime import OPTIMIZERS, Diverged, RowSparse, Session, SparseGradient, fit

from .harness import Array, Data, compiled, sample, start
from .reference.optimizers import BY_ROWS, SEEN, STEPS, Run

HERE = Path(__file__).parent
REFERENCE = json.loads((HERE / "reference" / "optimizers.json").read_text())["by rows"]


# ------------------------------------------------------------------------------------------------- the same gradient

HEAD = """
axis word: 7, d: 3, e: 2
batch n
input token[n, t]: word, one[n]: word, other[word]: word, y[n], picked[n]: bool
"""
TABLE = "param E[word, d] ~ normal(0, 1), w[d] ~ normal(0, 1)\n"
KINDS: Mapping[str, str] = {
    "repeated": "minimize mean((sum[t](E[word = token]) @ w - y)^2)",
    "several": "h = mean[t](tanh(E[word = token])) @ w + sum[d](E[word = one]^2)\nminimize mean((h - y)^2)",
    "renamed": "param v[d'] ~ normal(0, 1)\nminimize mean((E[d -> d'][word = one] @ v + E[word = one] @ w - y)^2)",
    "the same in each row": "minimize sum(E[word = one])",
    "columns": "param F[d, word] ~ normal(0, 1)\nminimize mean((sum[d](F[word = token]^2) - y)^2)",
    "in the middle": "param F[d, word, e] ~ normal(0, 1)\nminimize mean((sum[d, e](F[word = token]^3) - y)^2)",
    "numbers": "param F[word] = 0.3\nminimize mean((F[word = token] - y * F[word = one])^2)",
    "no rows of data": "minimize sum(E[word = other]^3) + mean((E[word = one] @ w - y)^2)",
    "a branch": "minimize mean(if picked then norm[d](E[word = one]) else y)",
    "an index of its own": "best = argmax[word](stop_gradient(E) @ w)\n"
    "minimize mean((E[word = best] @ w * y - E[word = one] @ w)^2)",
    "an index that is computed": "last = argmax[t](token * stop_gradient(E[word = token]) @ w)\n"
    "minimize mean((E[word = one] @ w - y * last)^2)",
    "several objectives": "param u[d] = 1\nminimize first = mean((E[word = one] @ w - y)^2) over E, w\n"
    "minimize second = mean((u @ w - y)^2)",
    "maximised": "maximize -mean((E[word = one] @ w - y)^2)",
    "whole elsewhere": "minimize mean((E[word = one] @ w - y)^2) + stop_gradient(sum(E^2))\noutput all = 2 * E",
    "before a scan": "x = E[word = token]\nh = scan t with s = zeros[n, d]:\n    s = tanh(x + s)\n    yield s\n"
    "minimize mean((h[t = -1] @ w - y)^2)",
    "noise": "noise z[n, d] ~ normal(0, 1)\nminimize mean(((E[word = one] + z) @ w - y)^2)",
    "read inside of a scan": "x = E[word = one]\nh = scan t with s = zeros[n, d]:\n    s = tanh(x * (1 + token) + s)\n"
    "    yield s\nminimize mean((h[t = -1] @ w - y)^2)",
    "a state": "state m = 0\nupdate m = 0.9 * m + 0.1 * mean(E[word = one])\n"
    "minimize mean((E[word = one] @ w - y - m)^2)",
}


def both(text: str, **options: Any) -> tuple[ModuleType, ModuleType]:
    """A module with gradients by rows of its first parameter, and one without."""
    table = "F" if "param F" in text else "E"
    return compiled(text, sparse=(table,), **options)[1], compiled(text, **options)[1]


def whole(objective: Any, module: ModuleType, name: str, theta: Array, data: Data) -> tuple[float, Array]:
    """The loss and the gradient as one vector, rows added where they belong; nothing else was written there."""
    out = np.full(theta.shape, 7, theta.dtype)
    loss, _ = objective(theta, out)
    for parameter, axis in module.OBJECTIVES[name]["sparse"].items():
        place, shape = module.layout(data)[parameter]
        assert (out[place] == 7).all()
        indices, values = objective.sparse[parameter]
        assert values.dtype == theta.dtype
        rows = RowSparse(indices, values, shape, module.PARAMETERS[parameter]["axes"].index(axis))
        dense = rows.to_dense()
        np.testing.assert_allclose(rows.coalesce().to_dense(), dense, rtol=1e-5, atol=1e-6)
        out[place] = dense.reshape(-1)
    return float(loss), out


def agree(text: str, seed: int = 0, **options: Any) -> None:
    """The two modules give the same: for blocks of rows too, and for other data than those that were bound first."""
    rows, plain = both(text, **options)
    digits = 1e-12 if options.get("dtype", "float64") == "float64" else 2e-4
    for name in rows.OBJECTIVES:
        for block in (None, 3):
            data = sample(rows, seed, {"n": 11})
            bound, expected = rows.bind(data, name, block), plain.bind(data, name, block)
            for more, length in enumerate((11, 11, 4)):
                data = sample(rows, seed + more, {"n": length, "t": 4 + more})
                theta = start(rows, data, seed)
                for each in (bound, expected):
                    each.rebind(data)
                loss, gradient = expected(theta)
                found = whole(bound, rows, name, theta, data)
                assert found[0] == pytest.approx(float(loss), rel=digits)
                np.testing.assert_allclose(found[1], gradient, rtol=digits, atol=digits)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_those_of_the_array(kind: str) -> None:
    text = HEAD + ("" if "param F" in KINDS[kind] else TABLE) + KINDS[kind]
    agree(text)


@pytest.mark.simplified
def test_what_a_scan_gathers_from_a_table_that_stays_is_gathered_before_it() -> None:
    scan = "h = scan t with s = zeros[n, d]:\n    s = tanh(E[word = token] + s)\n    yield s\n"
    agree(HEAD + TABLE + scan + "minimize mean((h[t = -1] @ w - y)^2)")


@pytest.mark.parametrize("kind", ["several", "in the middle", "numbers"])
def test_in_single_precision(kind: str) -> None:
    agree(HEAD + ("" if "param F" in KINDS[kind] else TABLE) + KINDS[kind], dtype="float32")


def test_a_length_that_the_data_give() -> None:
    agree(HEAD.replace("word: 7, ", "word, ") + TABLE + KINDS["several"] + "\nmetric words = size[word]")


def generated(seed: int) -> str:
    """A model that gathers a table in several ways, and does something else with each."""
    chance = np.random.default_rng(seed)
    axes = ["word", "d", *(["e"] if chance.random() < 0.3 else [])]
    chance.shuffle(axes)
    others = ", ".join(axis for axis in axes if axis != "word")
    terms = []
    for _ in range(chance.integers(1, 4)):
        index, over = [("token", "t, "), ("one", ""), ("other[word = one]", "")][chance.integers(3)]
        form = ["tanh({0})", "{0}^2", "{0} * y", "if picked then {0} else 0", "exp(0.1 * {0})"][chance.integers(5)]
        terms.append(f"{chance.normal():.2f} * sum[{over}{others}]({form.format(f'E[word = {index}]')})")
    return f"{HEAD}param E[{', '.join(axes)}] ~ normal(0, 1)\nminimize mean(({' + '.join(terms)} - y)^2)\n"


@pytest.mark.parametrize("seed", range(8))
def test_generated_models(seed: int) -> None:
    agree(generated(seed), seed)


# ---------------------------------------------------------------------------------------------------- what is refused

WRONG: Mapping[str, str] = {
    "a sum of squares": TABLE + "minimize mean((E[word = one] @ w - y)^2) + 0.001 * sum(E^2)",
    "one row": TABLE + "minimize mean((E[word = one] @ w - E[word = 0] @ w - y)^2)",
    "a product": TABLE + "minimize mean((sum[word](E @ w) - y)^2)",
    "a bound": "param E[word, d] > 0 = 1\nminimize mean((sum[d](E[word = one]) - y)^2)",
    "along the axis of the index": "param E[word, t] = 1\nminimize mean((E[word = token] - y)^2)",
    "along two axes": "axis e2: 2\ninput part[n]: d\n"
    + TABLE
    + "minimize mean((E[word = one] @ w + sum[word](E[d = part]) - y)^2)",
    "inside of a scan": TABLE + "h = scan t with s = zeros[n, d]:\n    best = argmax[word](stop_gradient(E) @ s)\n"
    "    s = tanh(E[word = best] + token)\n    yield s\n"
    "minimize mean((h[t = -1] @ w - y)^2)",
    "through a scan": "param E[t, d] = 1\nh = scan t with s = zeros[n, d]:\n    s = tanh(E + s)\n    yield s\n"
    "minimize mean(h[t = -1]) + mean(token * 1.0)",
    "two mistakes": TABLE + "minimize a = mean((E[word = one] @ w - y)^2) + sum(E)\nminimize b = sum(E * E) over E",
}


def test_uses_that_are_not_sparse(golden: Callable[[Path, str], None]) -> None:
    told = []
    for name, text in WRONG.items():
        with pytest.raises(ModelError) as caught:
            compiled(HEAD + text, sparse=("E",))
        told += [f"# {name}", *(render(diagnostic).rstrip() for diagnostic in caught.value.diagnostics), ""]
    golden(HERE / "golden" / "sparse.txt", "\n".join(told))


def test_a_pattern_that_names_nothing() -> None:
    with pytest.raises(UnknownPart, match=r"there is no parameter 'F\*': there are E, w"):
        compiled(HEAD + TABLE + KINDS["several"], sparse=("E", "F*"))


def test_derivatives_beside_are_whole() -> None:
    text = HEAD + TABLE + KINDS["several"]
    rows, plain = both(text + "\noutput h", derivatives=("hvp", "vjp"))
    data = sample(rows, 0, {"n": 5})
    theta = start(rows, data)
    seeds = {"h": np.arange(5.0)}
    np.testing.assert_array_equal(rows.vjp(theta, data, seeds), plain.vjp(theta, data, seeds))
    np.testing.assert_allclose(rows.hvp(theta, data, theta), plain.hvp(theta, data, theta), rtol=1e-13)
    with pytest.raises(UnknownDerivative, match="no grad: it has no gradient in one vector, since `sparse` gives some"):
        compiled(text, derivatives=("grad",), sparse=("E",))


# --------------------------------------------------------------------------------------------------------- PyTorch's

EMBEDDING = """
axis word: 7, d: 3
batch n
input token[n, t]: word, weight[t, d], aim[n]
param table[word, d] = 0
minimize {times}mean((sum[t, d](tanh(table[word = token]) * weight) - aim)^2)
"""
EMBEDDINGS: dict[float, ModuleType] = {}


def embedding(run: Run) -> tuple[Session, Callable[[int], Data]]:
    """The model of the reference, and the data of each step."""
    if run.times not in EMBEDDINGS:
        times = "" if run.times == 1 else "-"
        EMBEDDINGS[run.times] = compiled(EMBEDDING.format(times=times), sparse=("table",))[1]
    given = {name: np.array(value) for name, value in REFERENCE["data"].items()}

    def seen(step: int) -> Data:
        return {"token": given["words"][step], "weight": given["weights"], "aim": given["aim"]}

    return Session(EMBEDDINGS[run.times], seen(0), given["table"].reshape(-1)), seen


@pytest.mark.parametrize("run", BY_ROWS, ids=str)
def test_steps_are_pytorchs(run: Run) -> None:
    session, seen = embedding(run)
    optimizer = OPTIMIZERS[run.name](session, **run.options)
    stored = iter(REFERENCE["runs"][str(run)])
    for step in range(1, STEPS + 1):
        session.objectives["loss"].rebind(seen(step - 1))
        optimizer.zero_grad()
        session.backward()
        optimizer.step()
        if step in SEEN:
            np.testing.assert_allclose(session.theta, next(stored), rtol=1e-12, atol=1e-14)


# --------------------------------------------------------------------------------------------------------- the runtime


@pytest.fixture(scope="module")
def words() -> tuple[ModuleType, ModuleType, Data]:
    rows, plain = both(HEAD + TABLE + KINDS["several"])
    data = sample(rows, 3, {"n": 13})
    data["token"] %= 5
    data["one"] %= 5
    return rows, plain, data


def test_gradients_accumulate(words: tuple[ModuleType, ModuleType, Data]) -> None:
    rows, plain, data = words
    one, two = Session(rows, data), Session(plain, data)
    for _ in range(2):
        for session in (one, two):
            session.backward()
        found, expected = one.parameters["E"].grad, two.parameters["E"].grad
        assert isinstance(found, RowSparse)
        assert set(found.indices) <= set(range(5))
        assert list(found.coalesce().indices) == sorted(set(found.indices))
        np.testing.assert_allclose(found.to_dense(), expected, rtol=1e-13, atol=1e-15)
    for session in (one, two):
        session.backward(-3.0)
    np.testing.assert_allclose(one.parameters["E"].grad.to_dense(), two.parameters["E"].grad, rtol=1e-12, atol=1e-15)
    assert gradc.clip_grad_norm_(one, 0.1) == pytest.approx(gradc.clip_grad_norm_(two, 0.1), rel=1e-13)
    np.testing.assert_allclose(one.parameters["E"].grad.to_dense(), two.parameters["E"].grad, rtol=1e-12, atol=1e-15)
    for session in (one, two):
        gradc.clip_grad_value_(session, 0.01)
    np.testing.assert_allclose(one.parameters["E"].grad.to_dense(), two.parameters["E"].grad, rtol=1e-12, atol=1e-15)
    one.zero_grad(False)
    assert (one.parameters["E"].grad.to_dense() == 0).all()
    one.zero_grad()
    assert one.parameters["E"].grad is None
    one.parameters["E"].requires_grad = False
    one.backward()
    assert one.parameters["E"].grad is None


def test_rows_and_an_array_are_an_array() -> None:
    text = HEAD + TABLE + "f = E[word = one] @ w\nminimize mean((f - y)^2)\noutput f"
    rows, plain = both(text)
    data = sample(rows, 0, {"n": 5})
    seed = np.linspace(-1, 1, 5)
    for first in (True, False):
        grads = []
        for session in (Session(rows, data), Session(plain, data)):
            for turn in (first, not first):
                session.backward(seed, "f") if turn else session.backward()
            grads.append(session.parameters["E"].grad)
        assert isinstance(grads[0], np.ndarray)
        np.testing.assert_allclose(grads[0], grads[1], rtol=1e-13)


@pytest.mark.parametrize("name", ["SGD", "Adagrad"])
@pytest.mark.parametrize(
    "options",
    [{}, {"batch": 4}, {"batch": 3, "accumulate": 2, "clip_norm": 0.5, "clip_value": 0.2}],
    ids=["all rows", "minibatches", "several minibatches"],
)
def test_the_loop_does_what_it_does_with_an_array(
    words: tuple[ModuleType, ModuleType, Data], name: str, options: dict[str, Any]
) -> None:
    rows, plain, data = words
    ends = []
    for module in (rows, plain):
        session = Session(module, data)
        done = fit(session, OPTIMIZERS[name](session, lr=0.05), epochs=5, **options)
        ends.append((done.theta, done.losses))
    np.testing.assert_allclose(ends[0][0], ends[1][0], rtol=1e-12)
    np.testing.assert_allclose(ends[0][1], ends[1][1], rtol=1e-12)


def test_the_loop_with_noise_states_and_several_objectives() -> None:
    text = HEAD + TABLE + "noise z[n, d] ~ normal(0, 1)\nstate m = 0\n"
    text += "minimize first = mean(((E[word = one] + z) @ w - y)^2) over E, w\n"
    text += "update m = 0.9 * m + 0.1 * mean(E[word = one] * z)\n"
    text += "minimize second = mean((sum[t](E[word = token]) @ w - y - m)^2) over E\n"
    ends = []
    for module in both(text):
        session = Session(module, sample(module, 0, {"n": 9}))
        ends.append(fit(session, gradc.SGD(session, lr=0.01), epochs=3, batch=4).theta)
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-12)


def test_a_state_that_is_restored_goes_on_to_the_bit(words: tuple[ModuleType, ModuleType, Data]) -> None:
    rows, _, data = words
    one, two = Session(rows, data), Session(rows, data)
    fit(one, gradc.SparseAdam(one, lr=0.1), epochs=6, batch=4)
    first = gradc.SparseAdam(two, lr=0.1)
    fit(two, first, epochs=2, batch=4)
    second = gradc.SparseAdam(two)
    second.load_state_dict(first.state_dict())
    fit(two, second, epochs=4, batch=4, start=2)
    np.testing.assert_array_equal(one.theta, two.theta)


def test_a_diverged_training_ends_where_it_was_good(words: tuple[ModuleType, ModuleType, Data]) -> None:
    rows, plain, data = words
    found = []
    for module in (rows, plain):
        session = Session(module, data)
        with pytest.raises(Diverged) as caught:
            fit(session, gradc.SGD(session, lr=100.0), epochs=50, batch=3, accumulate=2)
        np.testing.assert_array_equal(session.theta, caught.value.theta)
        found.append(caught.value)
    assert (found[0].step, found[0].parameter) == (found[1].step, found[1].parameter)
    np.testing.assert_allclose(found[0].theta, found[1].theta, rtol=1e-9)


def test_a_gradient_that_is_not_finite_is_named() -> None:
    rows, _ = both(HEAD + TABLE + "minimize mean(sqrt(abs(sum[d](E[word = one]))) + (w[d = 0] - y)^2)")
    data = sample(rows, 0, {"n": 5})
    theta = np.zeros(rows.initial(data).size)
    session = Session(rows, data, theta)
    with pytest.raises(Diverged, match="the gradient of E is not finite at step 0"):
        fit(session, gradc.SparseAdam(session), epochs=1)


@pytest.mark.parametrize("name", sorted(set(OPTIMIZERS) - {"SGD", "Adagrad", "SparseAdam"}))
def test_who_does_not_take_rows_says_so(words: tuple[ModuleType, ModuleType, Data], name: str) -> None:
    rows, _, data = words
    session = Session(rows, data)
    before = session.theta.copy()
    optimizer = OPTIMIZERS[name](session)
    with pytest.raises(SparseGradient, match=rf"{name} does not take sparse gradients, and that of `E` is one: use "):
        fit(session, optimizer, epochs=1)

    def closure() -> float:
        optimizer.zero_grad()
        session.backward()
        return session.forward()

    with pytest.raises(SparseGradient):
        optimizer.step(closure)
    np.testing.assert_array_equal(session.theta, before)
    others = OPTIMIZERS[name](session, params="w")
    others.step(closure)
    assert (session.theta != before).any()


@pytest.mark.parametrize(
    ("name", "option"), [("SGD", "momentum"), ("SGD", "weight_decay"), ("Adagrad", "weight_decay")]
)
def test_options_that_move_all_rows_are_refused(
    words: tuple[ModuleType, ModuleType, Data], name: str, option: str
) -> None:
    rows, _, data = words
    session = Session(rows, data)
    with pytest.raises(SparseGradient, match=f"{name} with {option} does not take sparse gradients"):
        fit(session, OPTIMIZERS[name](session, **{option: 0.1}), epochs=1)


# ------------------------------------------------------------------------------------------------------- what it costs


@pytest.mark.simplified
def test_a_step_touches_the_rows_that_occur() -> None:
    size = 200_000
    text = f"axis word: {size}, d: 8\nbatch n\ninput token[n]: word, y[n]\nparam E[word, d] = 0.5\n"
    module = compiled(text + "minimize mean((sum[d](E[word = token]^2) - y)^2)", sparse=("E",))[1]
    data = {"token": np.arange(0, size, 4000), "y": np.zeros(50)}
    session = Session(module, data)
    optimizer = gradc.SparseAdam(session, lr=0.1)
    fit(session, optimizer, epochs=2, batch=10)
    # Whoever reads or writes the gradient's whole vector meets these.
    session.grad.fill(np.nan)
    before = session.theta.copy()
    grown = []
    for batch in (10, 25):
        tracemalloc.start()
        fit(session, optimizer, epochs=1, batch=batch)
        once = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        fit(session, optimizer, epochs=5, batch=batch)
        grown.append(tracemalloc.get_traced_memory()[1] - once)
        tracemalloc.stop()
    # Five times the steps need no more memory: none of them makes an array of the table's size.
    assert max(grown) < 1_000_000 < before.nbytes
    moved = (session.theta != before).reshape(size, 8)
    assert set(moved.any(1).nonzero()[0]) == set(data["token"])
    assert np.isnan(session.grad).all()


# --------------------------------------------------------------------------------------------------- the command line


def test_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "words.model"
    model.write_text(HEAD + TABLE + KINDS["several"], encoding="utf-8")
    data = sample(compiled(model.read_text())[1], 0, {"n": 20})
    np.savez(tmp_path / "data.npz", **{name: value for name, value in data.items() if name in ("token", "one", "y")})
    words = [str(model), "--data", str(tmp_path / "data.npz"), "--sparse", "E", "--epochs", "3", "--batch", "8"]
    words += ["--out", str(tmp_path / "fitted")]
    assert main(["train", *words, "--optimizer", "sparseadam", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)["result"]
    assert (result["sparse"], result["optimizer"]) == (["E"], "SparseAdam")
    assert main(["train", *words, "--optimizer", "adam"]) == 2
    assert "Adam does not take sparse gradients, and that of `E` is one" in capsys.readouterr().err
    assert main(["compile", str(model), "--sparse", "w"]) == 1
    assert "the gradient of `w` is not sparse" in capsys.readouterr().err
    assert main(["compile", str(model), "--sparse", "EE"]) == 1
    assert "did you mean E?" in capsys.readouterr().err


def test_without_it_the_module_is_as_it_was() -> None:
    source = Source("model.model", HEAD + TABLE + KINDS["several"])
    assert "sparse" not in compile_model(source).module


# -------------------------------------------------------------------------------------------- other modules of a model


def test_a_session_that_compiles_what_it_is_asked_for() -> None:
    text = HEAD + TABLE + "h = E[word = one]\nminimize mean((h @ w - y)^2)\n"
    data = {"one": np.array([1, 5, 1]), "y": np.arange(3.0), "token": np.zeros((3, 2)), "other": np.zeros(7, int)}
    one, two = (gradc.compile(text, sparse=sparse).session(data) for sparse in (("E",), ()))
    gradients = []
    for session in (one, two):
        session.retain_grad("h")
        loss = session.forward()
        session.backward()
        session.backward("h", np.ones((3, 3)))
        gradients.append((loss, session["h"].grad, session.parameters["E"].grad, session.parameters["w"].grad))
    for found, expected in zip(*gradients, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-13)
    for session in (one, two):
        session.zero_grad()
        session.requires_grad_(False, "E")
        session.backward()
        assert session.parameters["E"].grad is None
        session.requires_grad_(True, "E")
        session.requires_grad_(False, "w")
        session.zero_grad()
        session.backward()
    np.testing.assert_allclose(one.parameters["E"].grad.to_dense(), two.parameters["E"].grad, rtol=1e-13)
    assert set(one.parameters["E"].grad.indices) == {1, 5}
    ends = []
    for session in (one, two):
        ends.append(fit(session, gradc.SGD(session, lr=0.1), epochs=3, batch=2).theta)
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-12)


def test_a_run_is_resumed_to_the_bit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "words.model"
    model.write_text(HEAD + TABLE + KINDS["several"], encoding="utf-8")
    data = sample(compiled(model.read_text())[1], 0, {"n": 20})
    np.savez(tmp_path / "data.npz", **{name: data[name] for name in ("token", "one", "y")})
    words = [str(model), "--data", str(tmp_path / "data.npz"), "--sparse", "E", "--optimizer", "sparseadam"]
    words += ["--lr", "0.1", "--batch", "6", "--checkpoint-every", "1", "--no-plots"]
    assert main(["train", *words, "--epochs", "6", "--out", str(tmp_path / "whole")]) == 0
    assert main(["train", *words, "--epochs", "2", "--out", str(tmp_path / "cut")]) == 0
    assert main(["train", "--resume", "--epochs", "6", "--out", str(tmp_path / "cut")]) == 0
    capsys.readouterr()
    ends = [np.load(tmp_path / folder / "parameters.npz") for folder in ("whole", "cut")]
    for name in ("E", "w"):
        np.testing.assert_array_equal(ends[0][name], ends[1][name])
