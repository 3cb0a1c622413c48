"""Writes examples.json: what the examples in examples/ should come to, by PyTorch, SciPy, or a solution in closed form.

python tests/reference/make_examples.py

`optima` has the loss at the best parameters, and these where they are few, by another way than gradient descent in
gradc. `bounds` has losses that are known without any training. `walks` has, for a model written with PyTorch's own
modules, from parameters that `start` draws and on the first rows of the data: the output and the gradient of each
parameter as their sums with three fixed vectors, and the losses of ten steps of SGD with momentum. `rivals`
has the same of the two objectives of `gan`, without steps.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.integrate import solve_ivp
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from scipy.special import xlogy
from torch.func import functional_call
from torch.nn import functional

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "examples"
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)

Parameters = dict[str, torch.Tensor]
Data = dict[str, torch.Tensor]


def table(*path: str) -> dict[str, np.ndarray]:
    """The columns of a CSV."""
    columns = np.genfromtxt(EXAMPLES.joinpath(*path), delimiter=",", names=True)
    return {name: columns[name] for name in columns.dtype.names}


def arrays(*path: str, rows: int | None = None) -> dict[str, np.ndarray]:
    """The arrays of an .npz, or their first rows."""
    with np.load(EXAMPLES.joinpath(*path)) as data:
        return {name: data[name][:rows] for name in data}


# -------------------------------------------------------------------------------------------------------------- optima


def poisson() -> dict[str, Any]:
    """Newton's method on the concave likelihood."""
    data = table("poisson", "doctors.csv")
    decades, smoker, years, deaths = (data["age"] - 60) / 10, data["smoker"], data["years"] / 1000, data["deaths"]
    columns = np.stack([np.ones(10), decades, decades**2, smoker, decades * smoker], -1)
    weights = np.zeros(5)
    weights[0] = np.log(deaths.sum() / years.sum())
    for _ in range(50):
        expected = years * np.exp(columns @ weights)
        weights += np.linalg.solve(columns.T * expected @ columns, columns.T @ (deaths - expected))
    expected = years * np.exp(columns @ weights)
    names = ("base", "slope", "curve", "smoking", "fading")
    loss = np.mean(expected - deaths * (columns @ weights))
    return {"loss": loss, "parameters": dict(zip(names, weights, strict=True))}


def gaussian_process() -> dict[str, Any]:
    """SciPy's search without derivatives, and its Cholesky factor."""
    data = table("gaussian_process", "nile.csv")
    year, y = data["year"], (data["flow"] - data["flow"].mean()) / 100

    def kernel(scale: float, length: float) -> np.ndarray:
        return scale * np.exp(-(((year[:, None] - year) / length) ** 2) / 2)

    def loss(logarithms: np.ndarray) -> float:
        scale, length, noise = np.exp(logarithms)
        factor = cho_factor(kernel(scale, length) + noise * np.eye(len(y)), lower=True)
        half = np.log(np.diag(factor[0])).sum()
        return float(y @ cho_solve(factor, y) / 2 + half + len(y) / 2 * np.log(2 * np.pi))

    near = {"xatol": 1e-10, "fatol": 1e-13, "maxiter": 10_000, "maxfev": 10_000}
    starts = ([0, np.log(10), 0], [0, 0, 0], [1, 1, 1], [0, 3, 0])
    found = min((minimize(loss, start, method="Nelder-Mead", options=near) for start in starts), key=lambda f: f.fun)
    scale, length, noise = np.exp(found.x)
    inside = kernel(scale, length)
    factor = cho_factor(inside + noise * np.eye(len(y)))
    level = 100 * inside @ cho_solve(factor, y) + data["flow"].mean()
    deviation = 100 * np.sqrt(scale - np.sum(inside * cho_solve(factor, inside), 0))
    parameters = {"scale": scale, "length": length, "noise": noise}
    outputs = {"level": level.tolist(), "deviation": deviation.tolist()}
    return {"loss": found.fun, "parameters": parameters, "outputs": outputs}


def factors() -> dict[str, Any]:
    """Alternating least squares: with one side held, the other side is the solution of linear equations."""
    data = table("factors", "train.csv")
    who, what, rating = data["who"].astype(int), data["what"].astype(int), data["rating"]
    weight = 0.02
    random = np.random.default_rng(0)
    likes, has = random.normal(0, 0.3, (60, 3)), random.normal(0, 0.3, (40, 3))
    mild, good, middle = np.zeros(60), np.zeros(40), rating.mean()

    def solved(rows: np.ndarray, others: np.ndarray, held: np.ndarray, rest: np.ndarray, count: int) -> np.ndarray:
        """For each row the vector and the number that fit `rest`, given the others' vectors."""
        found = np.zeros((count, held.shape[1] + 1))
        for row in range(count):
            here = rows == row
            columns = np.hstack([held[others[here]], np.ones((here.sum(), 1))])
            ridge = np.diag([weight / count] * held.shape[1] + [0.0])
            found[row] = np.linalg.solve(columns.T @ columns / len(rest) + ridge, columns.T @ rest[here] / len(rest))
        return found

    for _ in range(3000):
        middle = np.mean(rating - mild[who] - good[what] - np.sum(likes[who] * has[what], -1))
        both = solved(who, what, has, rating - middle - good[what], 60)
        likes, mild = both[:, :3], both[:, 3]
        both = solved(what, who, likes, rating - middle - mild[who], 40)
        has, good = both[:, :3], both[:, 3]
    missed = rating - middle - mild[who] - good[what] - np.sum(likes[who] * has[what], -1)
    size = np.mean(np.sum(likes**2, -1)) + np.mean(np.sum(has**2, -1))
    test = table("factors", "test.csv")
    who, what = test["who"].astype(int), test["what"].astype(int)
    guess = middle + mild[who] + good[what] + np.sum(likes[who] * has[what], -1)
    return {"loss": np.mean(missed**2) + weight * size, "test_error": np.sqrt(np.mean((test["rating"] - guess) ** 2))}


def hares() -> dict[str, Any]:
    """SciPy's search, on the differential equations as SciPy integrates them to 1e-10."""
    data = table("hares", "pelts.csv")
    pelts = np.log(np.stack([data["hare"], data["lynx"]], -1))
    names = ("birth", "death", "hunted", "fed")

    def path(logarithms: np.ndarray) -> np.ndarray:
        birth, death, hunted, fed = np.exp(logarithms[:4])

        def slope(_: float, z: np.ndarray) -> list[float]:
            return [birth - hunted * np.exp(z[1]), fed * np.exp(z[0]) - death]

        found = solve_ivp(
            slope, (0, 20), logarithms[4:6], t_eval=np.arange(21), rtol=1e-10, atol=1e-10, method="DOP853"
        )
        return found.y.T

    def loss(logarithms: np.ndarray) -> float:
        spread = np.exp(logarithms[6:])
        return float(np.mean(np.sum(((pelts - path(logarithms)) / spread) ** 2 / 2 + np.log(spread), -1)))

    start = np.log([0.5, 0.8, 0.03, 0.03, 30, 4, 0.5, 0.5])
    found = minimize(loss, start, method="BFGS", options={"gtol": 1e-6})
    values = np.exp(found.x)
    parameters = dict(zip(names, values, strict=False))
    return {
        "loss": found.fun,
        "parameters": {**parameters, "first": values[4:6].tolist(), "spread": values[6:].tolist()},
    }


# -------------------------------------------------------------------------------------------------------------- bounds


def density_bound(name: str) -> float:
    """What the true density gives: y is uniform on [-5, 5], and x normal around the curve; the sum is over a grid."""
    data = table("density", f"{name}.csv")

    def likelihood(y: np.ndarray) -> np.ndarray:
        return np.exp(-(((data["x"] - y + 3 * np.sin(2 * np.pi * y / 10)) / 0.6) ** 2) / 2)

    grid = (np.arange(10_000) + 0.5) / 1000 - 5
    return float(-np.mean(np.log(likelihood(data["y"]) / (10 * likelihood(grid[:, None]).mean(0)))))


def words_bound() -> float:
    """The entropy that is left where each pair of words has a score of its own."""
    data = arrays("words", "pairs.npz")
    near, drawn = np.zeros((48, 48)), np.zeros((48, 48))
    np.add.at(near, (data["centre"], data["near"]), 1)
    np.add.at(drawn, (data["centre"][:, None], data["drawn"]), 1)
    share = near / np.maximum(near + drawn, 1)
    return float(-(xlogy(near, share) + xlogy(drawn, 1 - share)).sum() / len(data["centre"]))


def autoencoder_bound(name: str) -> float:
    """What the 8 principal components of the training's pictures leave."""
    trained, image = (arrays("digits", f"{part}.npz")["image"].astype(float) for part in ("train", name))
    mean = trained.mean(0)
    kept = np.linalg.svd(trained - mean, full_matrices=False)[2][:8]
    centred = image - mean
    return float(np.mean((centred - centred @ kept.T @ kept) ** 2))


def lstm_bound() -> float:
    """The entropy of a symbol by itself, whatever stands before it."""
    counts = np.bincount(arrays("lstm", "sonnets.npz")["next"].ravel(), minlength=96)
    share = counts / counts.sum()
    return float(-xlogy(share, share).sum())


# --------------------------------------------------------------------------------------------------------------- walks


def linear(parameters: Parameters, name: str, x: torch.Tensor) -> torch.Tensor:
    return functional.linear(x, parameters[f"{name}.W"].T, parameters[f"{name}.b"])


def attention(p: Parameters, data: Data) -> tuple[torch.Tensor, torch.Tensor]:
    """torch.nn.TransformerEncoderLayer, norm first, without biases in its attention."""
    layer = torch.nn.TransformerEncoderLayer(64, 4, 256, 0, "gelu", batch_first=True, norm_first=True)
    inside = [p[f"attend.{name}"].reshape(64, 64).T for name in "QKV"]
    weights = {
        "self_attn.in_proj_weight": torch.cat(inside),
        "self_attn.in_proj_bias": torch.zeros(192),
        "self_attn.out_proj.weight": p["attend.O"].reshape(64, 64).T,
        "self_attn.out_proj.bias": torch.zeros(64),
        "linear1.weight": p["up.W"].T,
        "linear1.bias": p["up.b"],
        "linear2.weight": p["down.W"].T,
        "linear2.bias": p["down.b"],
    }
    weights |= {
        f"norm{i}.{new}": p[f"norm{i}.{old}"] for i in (1, 2) for new, old in (("weight", "gain"), ("bias", "bias"))
    }
    z = functional_call(layer, weights, (data["x"],))
    return functional.mse_loss(z, data["y"]), z


def autoencoder(p: Parameters, data: Data) -> tuple[torch.Tensor, torch.Tensor]:
    code = functional.linear(torch.tanh(functional.linear(data["image"], p["W"].T, p["b"])), p["V"].T, p["c"])
    back = functional.linear(torch.tanh(functional.linear(code, p["V"], p["e"])), p["W"], p["f"])
    return functional.mse_loss(back, data["image"]), back


def characters(p: Parameters, data: Data) -> tuple[torch.Tensor, torch.Tensor]:
    """torch.nn.RNN, whose input has one number for each symbol."""
    layer = torch.nn.RNN(29, 32, batch_first=True)
    weights = {"weight_ih_l0": p["E"].T, "weight_hh_l0": p["U"].T, "bias_ih_l0": p["b"], "bias_hh_l0": torch.zeros(32)}
    states, _ = functional_call(layer, weights, (functional.one_hot(data["text"], 29).double(),))
    logits = states @ p["V"] + p["c"]
    every = functional.cross_entropy(logits.reshape(-1, 29), data["next"].reshape(-1), reduction="sum")
    return every / len(logits), logits


def convnet(p: Parameters, data: Data) -> tuple[torch.Tensor, torch.Tensor]:
    """torch.nn.Conv2d and torch.nn.MaxPool2d."""
    pool = torch.nn.MaxPool2d(2)
    h = pool(torch.relu(functional.conv2d(data["image"], p["K1"], p["b1"])))
    h = pool(torch.relu(functional.conv2d(h, p["K2"], p["b2"])))
    logits = linear(p, "head", h.flatten(1))
    return functional.cross_entropy(logits, data["label"]), logits


def density(p: Parameters, data: Data) -> tuple[torch.Tensor, torch.Tensor]:
    """torch.distributions.MixtureSameFamily."""
    h = torch.tanh(data["x"][:, None] * p["A"] + p["a"])
    weight = torch.distributions.Categorical(logits=linear(p, "weigh", h))
    parts = torch.distributions.Normal(linear(p, "place", h), torch.exp(linear(p, "widen", h)))
    log_density = torch.distributions.MixtureSameFamily(weight, parts).log_prob(data["y"])
    return -log_density.mean(), log_density.exp()


def lstm(p: Parameters, data: Data) -> tuple[torch.Tensor, torch.Tensor]:
    """torch.nn.LSTM, whose gates stand in another order: input, forget, cell, output."""
    order = [1, 0, 2, 3]
    layer = torch.nn.LSTM(64, 64, batch_first=True)
    weights = {
        "weight_ih_l0": p["W"][:, order].reshape(64, 256).T,
        "weight_hh_l0": p["U"][:, order].reshape(64, 256).T,
        "bias_ih_l0": p["bias"][order].reshape(256),
        "bias_hh_l0": torch.zeros(256),
    }
    states, _ = functional_call(layer, weights, (functional.embedding(data["text"], p["E"]),))
    logits = states @ p["V"]
    return functional.cross_entropy(logits.reshape(-1, 96), data["next"].reshape(-1)), logits


def words(p: Parameters, data: Data) -> tuple[torch.Tensor, torch.Tensor]:
    vector = functional.embedding(data["centre"], p["vector"])
    near = torch.sum(vector * functional.embedding(data["near"], p["neighbour"]), -1)
    drawn = torch.sum(vector[:, None] * functional.embedding(data["drawn"], p["neighbour"]), -1)
    every = functional.logsigmoid(near) + functional.logsigmoid(-drawn).sum(-1)
    return -every.mean(), near


WALKS: dict[
    str, tuple[Callable[[Parameters, Data], tuple[torch.Tensor, torch.Tensor]], Any, dict[str, list[int]], float]
]
WALKS = {
    "attention": (
        attention,
        arrays("attention", "train.npz", rows=3),
        {f"attend.{name}": [64, 4, 16] for name in "QKV"}
        | {"attend.O": [4, 16, 64], "norm1.gain": [64], "norm1.bias": [64], "norm2.gain": [64], "norm2.bias": [64]}
        | {"up.W": [64, 256], "up.b": [256], "down.W": [256, 64], "down.b": [64]},
        0.1,
    ),
    "autoencoder": (
        autoencoder,
        {"image": arrays("digits", "train.npz", rows=100)["image"]},
        {"W": [64, 32], "V": [32, 8], "b": [32], "c": [8], "e": [32], "f": [64]},
        0.3,
    ),
    "characters": (
        characters,
        arrays("characters", "train.npz", rows=10),
        {"E": [29, 32], "U": [32, 32], "b": [32], "V": [32, 29], "c": [29]},
        1e-3,
    ),
    "convnet": (
        convnet,
        arrays("convnet", "train.npz", rows=10),
        {"K1": [8, 1, 3, 3], "b1": [8], "K2": [16, 8, 3, 3], "b2": [16], "head.W": [400, 10], "head.b": [10]},
        0.03,
    ),
    "density": (
        density,
        {name: column[:100] for name, column in table("density", "train.csv").items()},
        {"A": [24], "a": [24]}
        | {f"{name}.{p}": s for name in ("weigh", "place", "widen") for p, s in (("W", [24, 4]), ("b", [4]))},
        0.01,
    ),
    "lstm": (
        lstm,
        arrays("lstm", "sonnets.npz", rows=6),
        {"E": [96, 64], "W": [64, 4, 64], "U": [64, 4, 64], "bias": [4, 64], "V": [64, 96]},
        0.5,
    ),
    "words": (
        words,
        arrays("words", "pairs.npz", rows=300),
        {"vector": [48, 12], "neighbour": [48, 12]},
        0.5,
    ),
}
"""The model in PyTorch, its data, the shapes of its parameters and the learning rate."""


def start(shapes: dict[str, list[int]]) -> Parameters:
    """Numbers that anyone can draw again, in the order of the parameters' names here."""
    sizes = [int(np.prod(shape)) for shape in shapes.values()]
    flat = np.split(0.3 * np.sin(1 + np.arange(sum(sizes), dtype=float) ** 1.5), np.cumsum(sizes)[:-1])
    return {name: torch.tensor(part.reshape(shape)) for (name, shape), part in zip(shapes.items(), flat, strict=True)}


def seen(values: torch.Tensor) -> list[float]:
    """The sums of an array with three fixed vectors."""
    flat = values.detach().numpy().ravel()
    return [float(flat @ np.cos((k + 1) * np.arange(len(flat), dtype=float) ** 1.5)) for k in range(3)]


def walk(name: str) -> dict[str, Any]:
    """Ten steps with momentum 0.9, and what is seen at the first."""
    model, data, shapes, rate = WALKS[name]
    whole = {
        key: torch.tensor(np.asarray(value, np.int64 if value.dtype == np.uint8 else np.float64))
        for key, value in data.items()
    }
    parameters = {key: value.requires_grad_() for key, value in start(shapes).items()}
    optimizer = torch.optim.SGD(parameters.values(), lr=rate, momentum=0.9)
    losses: list[float] = []
    found: dict[str, Any] = {}
    for step in range(10):
        optimizer.zero_grad()
        loss, output = model(parameters, whole)
        loss.backward()
        if step == 0:
            gradients = {key: seen(value.grad) for key, value in parameters.items() if value.grad is not None}
            found = {"output": seen(output), "gradients": gradients}
        optimizer.step()
        losses.append(loss.item())
    rows = len(next(iter(whole.values())))
    return {"rows": rows, "lr": rate, "shapes": shapes, **found, "losses": losses}


def rivals() -> dict[str, Any]:
    """The two objectives of `gan` with noise that is given, and the gradient of each by what it trains."""
    real = torch.tensor(arrays("gan", "ring.npz", rows=20)["real"].astype(float))
    noise = torch.tensor(np.sin(np.arange(160.0) ** 1.5).reshape(20, 8))
    shapes = {"g1.W": [8, 32], "g1.b": [32], "g2.W": [32, 2], "g2.b": [2]}
    shapes |= {"d1.W": [2, 32], "d1.b": [32], "d2.W": [32, 1], "d2.b": [1]}
    p = {key: value.requires_grad_() for key, value in start(shapes).items()}

    def critic(x: torch.Tensor) -> torch.Tensor:
        return linear(p, "d2", torch.relu(linear(p, "d1", x)))

    fake = linear(p, "g2", torch.tanh(linear(p, "g1", noise)))
    truth = functional.binary_cross_entropy_with_logits
    judged = critic(real), critic(fake.detach())
    found: dict[str, Any] = {"rows": 20, "shapes": shapes, "objectives": {}}
    for name, loss, over in (
        ("judge", truth(judged[0], torch.ones(20, 1)) + truth(judged[1], torch.zeros(20, 1)), "d"),
        ("forge", truth(critic(fake), torch.ones(20, 1)), "g"),
    ):
        trained = [key for key in shapes if key.startswith(over)]
        gradients = torch.autograd.grad(loss, [p[key] for key in trained])
        told = {key: seen(gradient) for key, gradient in zip(trained, gradients, strict=True)}
        found["objectives"][name] = {"loss": loss.item(), "gradients": told}
    return found


def main() -> None:
    """The file."""
    optima = {f.__name__: f() for f in (poisson, gaussian_process, factors, hares)}
    bounds = {
        "density": {name: density_bound(name) for name in ("train", "test")},
        "words": {"train": words_bound()},
        "autoencoder": {name: autoencoder_bound(name) for name in ("train", "test")},
        "lstm": {"train": lstm_bound()},
        "characters": {"test": float(np.log(999))},
    }
    walks = {name: walk(name) for name in WALKS}
    text = json.dumps({"optima": optima, "bounds": bounds, "walks": walks, "rivals": rivals()}, indent=1)
    (HERE / "examples.json").write_text(text + "\n", encoding="ascii", newline="\n")


if __name__ == "__main__":
    main()
