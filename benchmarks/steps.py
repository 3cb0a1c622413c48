"""The time of a training step, beside PyTorch and JAX: `python benchmarks/steps.py [workload ...]`.

Needs `pip install torch jax` besides gradc. A step is the loss, its gradient and the update `theta -= lr * gradient`.
Each candidate starts from the same parameters; after three steps all must have moved alike, or nothing is timed. gradc
trains with `fit`, which keeps every loss as a number. PyTorch is eager, updates in place, which costs less than its
optimiser, and does not look at the loss. JAX is one jitted function of parameters and data that gives the new
parameters and the loss, timed twice: with `float(loss)` after each step, as in a loop that shows or keeps it, and with
one wait at the end of many steps. All have two threads, and data and parameters of the same type.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from measure import Steps, interleaved, ratios, setting, table

import gradc  # isort: skip
import jax  # isort: skip
import jax.numpy as jnp  # isort: skip
import numpy as np  # isort: skip
import torch  # isort: skip

jax.config.update("jax_enable_x64", True)
torch.set_num_threads(2)

EXAMPLES = Path(__file__).parents[1] / "examples"
HERE = Path(__file__).parent
Arrays = Mapping[str, Any]


@dataclass(frozen=True)
class Workload:
    """A model, its data and start, and the same loss for the peers, of dictionaries of parameters and of data."""

    title: str
    model: Path
    data: Arrays
    start: Arrays  # unconstrained
    lr: float
    torch_loss: Callable[[Arrays, Arrays], Any]
    jax_loss: Callable[[Arrays, Arrays], Any]
    dtype: str = "float64"
    near: float = 1e-9  # how far the movements may differ, relative to the largest
    without: tuple[str, ...] = ()  # passes of gradc that are left out


def ours(work: Workload) -> tuple[Steps, Callable[[], dict[str, Any]]]:
    """Steps of gradc, and where they have led."""
    module = gradc.compile(work.model, dtype=work.dtype, without=work.without).module
    places = module.layout(work.data)
    theta = np.concatenate([np.ravel(work.start[name]) for name in places])
    session = gradc.Session(module, work.data, theta)
    optimizer = gradc.SGD(session, lr=work.lr)

    def run(count: int) -> object:
        return gradc.fit(session, optimizer, epochs=count)

    return run, lambda: {name: session.theta[place].reshape(shape) for name, (place, shape) in places.items()}


def eager(work: Workload) -> tuple[Steps, Callable[[], dict[str, Any]]]:
    """Steps of PyTorch."""
    kind = getattr(torch, work.dtype)
    data = {k: torch.as_tensor(v if v.dtype.kind == "i" else v.astype(work.dtype)) for k, v in work.data.items()}
    parameters = {k: torch.tensor(v, dtype=kind, requires_grad=True) for k, v in work.start.items()}

    def run(count: int) -> None:
        for _ in range(count):
            work.torch_loss(parameters, data).backward()
            with torch.no_grad():
                for parameter in parameters.values():
                    parameter.sub_(parameter.grad, alpha=work.lr)
                    parameter.grad = None

    return run, lambda: {k: v.detach().numpy() for k, v in parameters.items()}


def jitted(work: Workload, read: bool) -> tuple[Steps, Callable[[], dict[str, Any]]]:
    """Steps of JAX; `read` asks for the loss as a number after each."""
    data = {k: jnp.asarray(v if v.dtype.kind == "i" else v.astype(work.dtype)) for k, v in work.data.items()}
    state = {"parameters": {k: jnp.asarray(v, work.dtype) for k, v in work.start.items()}}

    @jax.jit
    def step(parameters: Arrays, data: Arrays) -> tuple[Arrays, Any]:
        loss, gradient = jax.value_and_grad(work.jax_loss)(parameters, data)
        return {k: parameters[k] - work.lr * gradient[k] for k in parameters}, loss

    def run(count: int) -> None:
        parameters = state["parameters"]
        if read:
            for _ in range(count):
                parameters, loss = step(parameters, data)
                float(loss)
        else:
            for _ in range(count):
                parameters, loss = step(parameters, data)
            jax.block_until_ready(parameters)
        state["parameters"] = parameters

    return run, lambda: {k: np.asarray(v) for k, v in state["parameters"].items()}


PEERS = ("PyTorch eager", "JAX jit, loss read", "JAX jit, loss not read")


def measured(work: Workload, rounds: int) -> list[str]:
    """A line of the table. Raises SystemExit where the candidates disagree."""
    made = {"gradc": ours(work), PEERS[0]: eager(work), PEERS[1]: jitted(work, True), PEERS[2]: jitted(work, False)}
    for run, _ in made.values():
        run(3)
    moved = {
        name: {key: np.asarray(value) - work.start[key] for key, value in where().items()}
        for name, (_, where) in made.items()
    }
    for name, found in moved.items():
        for key, expected in moved["gradc"].items():
            if not np.abs(found[key] - expected).max() <= work.near * np.abs(expected).max():
                raise SystemExit(f"{work.title}: {name} has another {key} after three steps")
    times = interleaved({name: run for name, (run, _) in made.items()}, rounds)
    cells = [work.title]
    cells.append(f"{np.median(times['gradc']):,.2f}")
    for peer in PEERS:
        middle, low, high = ratios(times[peer], times["gradc"])
        cells.append(f"{np.median(times[peer]):,.1f}: **{middle:.1f}** ({low:.1f} to {high:.1f})")
    return cells


# ------------------------------------------------------------------------------------------------------------ workloads


def thermometer() -> Workload:
    """A line through eleven points."""
    table = np.loadtxt(EXAMPLES / "thermometer" / "thermometer.csv", delimiter=",", skiprows=1)

    def loss(p: Arrays, d: Arrays) -> Any:
        return ((p["w"] * d["t_u"] + p["b"] - d["t_c"]) ** 2).mean()

    model = EXAMPLES / "thermometer" / "thermometer.model"
    data = {"t_u": table[:, 0], "t_c": table[:, 1]}
    return Workload("thermometer, 11 rows", model, data, {"w": 1.0, "b": 0.0}, 1e-2, loss, loss)


def thermometer_by_rows() -> Workload:
    """The same without the factor of the columns, as models that are not linear are trained."""
    return replace(thermometer(), title="thermometer, row by row", without=("factor",))


def cubic() -> Workload:
    """sin by a cubic, 2,000 points."""
    x = np.linspace(-np.pi, np.pi, 2000)

    def loss(p: Arrays, d: Arrays) -> Any:
        c, x = p["c"], d["x"]
        return ((c[0] + c[1] * x + c[2] * x**2 + c[3] * x**3 - d["y"]) ** 2).sum()

    data = {"x": x, "y": np.sin(x)}
    start = {"c": np.array([0.1, 0.2, 0.3, 0.4])}
    return Workload("cubic, 2,000 rows", EXAMPLES / "cubic" / "cubic.model", data, start, 1e-6, loss, loss)


def cubic_by_rows() -> Workload:
    """The same without the factor of the columns."""
    return replace(cubic(), title="cubic, row by row", without=("factor",))


def decay() -> Workload:
    """A damped oscillation, a million points."""
    random = np.random.default_rng(0)
    t = np.sort(random.uniform(0, 5, 1_000_000))
    y = 1.5 * np.exp(-0.7 * t) * np.sin(6.3 * t + 0.4) + 0.2 + 0.05 * random.normal(size=t.size)
    start = {"a": 1.0, "rate": np.log(0.5), "omega": np.log(6.0), "phase": 0.0, "offset": 0.0}

    def loss(of: Any) -> Callable[[Arrays, Arrays], Any]:
        def value(p: Arrays, d: Arrays) -> Any:
            wave = of.sin(of.exp(p["omega"]) * d["t"] + p["phase"])
            return ((p["a"] * of.exp(-of.exp(p["rate"]) * d["t"]) * wave + p["offset"] - d["y"]) ** 2).mean()

        return value

    model = EXAMPLES / "decay" / "decay.model"
    return Workload("decay, 10^6 rows", model, {"t": t, "y": y}, start, 1e-3, loss(torch), loss(jnp))


def logistic() -> Workload:
    """Logistic regression, 100,000 rows of 100 features."""
    random = np.random.default_rng(0)
    x = random.normal(size=(100_000, 100))
    y = (random.random(100_000) < 1 / (1 + np.exp(-x @ random.normal(size=100)))).astype(np.float64)
    start = {"w": np.zeros(100), "b": 0.0}

    def loss(softplus: Callable[[Any], Any]) -> Callable[[Arrays, Arrays], Any]:
        def value(p: Arrays, d: Arrays) -> Any:
            z = d["x"] @ p["w"] + p["b"]
            return (softplus(z) - d["y"] * z).mean() + 1e-3 * (p["w"] ** 2).sum()

        return value

    return Workload(
        "logistic, 100,000 by 100",
        EXAMPLES / "logistic" / "logistic.model",
        {"x": x, "y": y},
        start,
        0.1,
        loss(torch.nn.functional.softplus),
        loss(jax.nn.softplus),
    )


def perceptron() -> Workload:
    """784-256-10 with relu and cross-entropy on a batch of 128, float32."""
    random = np.random.default_rng(0)
    data = {"image": random.normal(size=(128, 784)), "label": random.integers(0, 10, 128)}
    start = {
        "fc1.W": random.normal(size=(784, 256)) / 28,
        "fc1.b": np.zeros(256),
        "fc2.W": random.normal(size=(256, 10)) / 16,
        "fc2.b": np.zeros(10),
    }

    def torch_loss(p: Arrays, d: Arrays) -> Any:
        hidden = torch.relu(d["image"] @ p["fc1.W"] + p["fc1.b"])
        return torch.nn.functional.cross_entropy(hidden @ p["fc2.W"] + p["fc2.b"], d["label"])

    def jax_loss(p: Arrays, d: Arrays) -> Any:
        hidden = jax.nn.relu(d["image"] @ p["fc1.W"] + p["fc1.b"])
        logits = jax.nn.log_softmax(hidden @ p["fc2.W"] + p["fc2.b"])
        return -jnp.take_along_axis(logits, d["label"][:, None], axis=1).mean()

    model = HERE / "perceptron.model"
    title = "perceptron, batch 128, float32"
    return Workload(title, model, data, start, 0.01, torch_loss, jax_loss, "float32", 1e-3)


KNOWN = (thermometer, thermometer_by_rows, cubic, cubic_by_rows, decay, logistic, perceptron)
WORKLOADS = {f.__name__: f for f in KNOWN}
ROUNDS = 21


def main(names: list[str]) -> None:
    """The table of the named workloads, or of all."""
    rows = [measured(WORKLOADS[name](), ROUNDS) for name in names or WORKLOADS]
    print(f"Microseconds a step; how many times gradc's. {setting('numpy', 'torch', 'jax')}\n")
    print(table(["workload", "gradc", *PEERS], rows))


if __name__ == "__main__":
    main(sys.argv[1:])
