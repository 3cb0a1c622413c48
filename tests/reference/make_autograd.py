"""Writes autograd.json: programs of forward and backward passes in PyTorch, in float64, with what each step gives.

python tests/reference/make_autograd.py

A scenario is a model in our language and the same one here, as a function from parameters and data to named tensors; it
is a forward pass, so that each has new tensors. Its steps are words that tests/test_autograd.py follows with a session.
After each step the gradients stand that PyTorch has then: by parameters, and by values that retain theirs. PyTorch
needs `retain_graph=True` for a second backward pass through one graph; it is given everywhere. A bounded parameter is
its unconstrained number here, as in a session.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

torch.set_default_dtype(torch.float64)

Named = Mapping[str, Tensor]
Build = Callable[[Any, Any], dict[str, Tensor]]

SCENARIOS: dict[str, dict[str, Any]] = {}
generator = torch.Generator()


def normal(*shape: int) -> Tensor:
    """Numbers of three decimals, so that the file stays small."""
    return (torch.randn(shape, generator=generator) * 1000).round() / 1000


def whole(most: int, *shape: int) -> Tensor:
    return torch.randint(0, most, shape, generator=generator)


@dataclass
class Program:
    """A model at one point, as PyTorch has it."""

    build: Build
    parameters: dict[str, Tensor]
    data: dict[str, Tensor]
    over: Mapping[str, tuple[str, ...]]
    values: dict[str, Tensor] = field(default_factory=dict)
    retained: list[str] = field(default_factory=list)
    optimizer: torch.optim.Optimizer | None = None

    def forward(self, name: str | None = None) -> Any:
        self.values = self.build(self.parameters, self.data)
        for key in self.retained:
            self.values[key].retain_grad()
        return self.values[name or "loss"].item()

    def backward(self, name: str | None = None, seed: Any = None) -> None:
        value = self.values[name or "loss"]
        inputs = [
            self.parameters[key] for key in self.over.get(name or "loss", ()) if self.parameters[key].requires_grad
        ]
        given = None if seed is None else torch.tensor(seed)
        value.backward(given, retain_graph=True, inputs=inputs or None)

    def value(self, name: str) -> Any:
        return self.values[name].detach().tolist()

    def retain_grad(self, name: str) -> None:
        self.retained.append(name)
        if name in self.values:
            self.values[name].retain_grad()

    def zero_grad(self, set_to_none: bool = True) -> None:
        torch.optim.SGD(self.parameters.values()).zero_grad(set_to_none)

    def requires_grad_(self, requires: bool, pattern: str) -> None:
        for name, parameter in self.parameters.items():
            if fnmatchcase(name, pattern):
                parameter.requires_grad_(requires)

    def no_grad(self, name: str | None = None) -> Any:
        with torch.no_grad():
            return self.build(self.parameters, self.data)[name or "loss"].item()

    def step(self) -> None:
        self.optimizer = self.optimizer or torch.optim.SGD(self.parameters.values(), lr=0.1, momentum=0.9)
        self.optimizer.step()

    def gradients(self) -> dict[str, Any]:
        found = {name: parameter.grad for name, parameter in self.parameters.items()}
        found |= {name: self.values[name].grad for name in self.retained if name in self.values}
        return {name: None if grad is None else grad.tolist() for name, grad in found.items()}


def scenario(
    name: str,
    text: str,
    start: Mapping[str, Tensor],
    data: Mapping[str, Tensor],
    build: Build,
    steps: list[tuple[Any, ...]],
    over: Mapping[str, tuple[str, ...]] | None = None,
) -> None:
    program = Program(
        build, {key: value.clone().requires_grad_() for key, value in start.items()}, dict(data), dict(over or {})
    )
    told = []
    for word, *arguments in steps:
        result = getattr(program, word)(*arguments)
        told.append({"do": word, "with": arguments, "gives": result, "gradients": program.gradients()})
    SCENARIOS[name] = {
        "text": text,
        "start": {key: value.tolist() for key, value in start.items()},
        "data": {key: value.tolist() for key, value in data.items()},
        "steps": told,
        "end": {key: value.tolist() for key, value in program.parameters.items()},
    }


def layers() -> None:
    def build(p: Named, d: Named) -> dict[str, Tensor]:
        first = torch.tanh(d["x"] @ p["one.W"] + p["one.b"])
        second = torch.tanh(first @ p["two.W"] + p["two.b"])
        out = second @ p["last"]
        return {"first": first, "second": second, "out": out, "loss": ((out - d["y"]) ** 2).mean()}

    text = """\
use nn.Linear
axis d: 3, k: 4, m: 2
input x[n, d], y[n]
one = Linear[d, k]
two = Linear[k, m]
param last[m] = 1
first = x |> one |> tanh
second = first |> two |> tanh
out = second @ last
minimize mean((out - y)^2)
"""
    shapes = {"one.W": (3, 4), "one.b": (4,), "two.W": (4, 2), "two.b": (2,), "last": (2,)}
    start = {name: normal(*shape) for name, shape in shapes.items()}
    data = {"x": normal(5, 3), "y": normal(5)}
    ones = normal(5, 4).tolist()
    scenario(
        "layers: forward, backward, accumulate, zero",
        text,
        start,
        data,
        build,
        [
            ("forward",),
            ("backward",),
            ("backward",),
            ("zero_grad", False),
            ("forward",),
            ("backward", None, 2.5),
            ("zero_grad",),
            ("backward",),
        ],
    )
    scenario(
        "layers: from named values with seeds",
        text,
        start,
        data,
        build,
        [
            ("forward",),
            ("value", "first"),
            ("backward", "first", ones),
            ("backward", "second", normal(5, 2).tolist()),
            ("backward", "loss"),
            ("value", "out"),
            ("zero_grad",),
            ("backward", "out", normal(5).tolist()),
        ],
    )
    scenario(
        "layers: gradients by values are kept",
        text,
        start,
        data,
        build,
        [
            ("retain_grad", "first"),
            ("forward",),
            ("backward",),
            ("backward",),
            ("zero_grad",),
            ("retain_grad", "second"),
            ("backward", "out", normal(5).tolist()),
            ("forward",),
            ("backward",),
        ],
    )
    scenario(
        "layers: frozen by pattern, and let go",
        text,
        start,
        data,
        build,
        [
            ("requires_grad_", False, "one.*"),
            ("forward",),
            ("backward",),
            ("step",),
            ("zero_grad",),
            ("requires_grad_", False, "*.b"),
            ("forward",),
            ("backward",),
            ("backward", "second", normal(5, 2).tolist()),
            ("step",),
            ("zero_grad",),
            ("requires_grad_", True, "*"),
            ("forward",),
            ("no_grad",),
            ("backward",),
            ("step",),
        ],
    )


def classification() -> None:
    """The loss as a textbook writes it: a stable form passes p by, and its gradient is there all the same."""

    def build(p: Named, d: Named) -> dict[str, Tensor]:
        z = d["x"] @ p["w"] + p["b"]
        chance = torch.sigmoid(z)
        loss = -(d["y"] * torch.log(chance) + (1 - d["y"]) * torch.log(1 - chance)).mean()
        return {"z": z, "chance": chance, "loss": loss}

    text = """\
input x[n, d], y[n]
param w[d] = 0, b = 0
z = x @ w + b
chance = sigmoid(z)
minimize -mean(y * log(chance) + (1 - y) * log(1 - chance))
"""
    scenario(
        "classification: a value that the stable form passes by",
        text,
        {"w": normal(3), "b": normal()},
        {"x": normal(6, 3), "y": whole(2, 6).double()},
        build,
        [
            ("retain_grad", "chance"),
            ("retain_grad", "z"),
            ("forward",),
            ("backward",),
            ("requires_grad_", False, "w"),
            ("forward",),
            ("backward",),
            ("backward", "chance", normal(6).tolist()),
        ],
    )


def recurrent() -> None:
    def build(p: Named, d: Named) -> dict[str, Tensor]:
        drive = torch.einsum("ntd,dm->ntm", d["x"], p["W"])
        h = torch.zeros(d["x"].shape[0], p["U"].shape[0])
        steps, inner = [], []
        for t in range(d["x"].shape[1]):
            inner.append(drive[:, t] + h @ p["U"])
            h = torch.tanh(inner[-1])
            steps.append(h)
        states = torch.stack(steps, 1)
        return {
            "drive": drive,
            "states.z": torch.stack(inner, 1),
            "states": states,
            "loss": ((states @ p["v"] - d["y"]) ** 2).mean(),
        }

    text = """\
input x[n, t, d], y[n, t]
axis d: 2, m: 3
param W[d, m] = 0, U[m, m'] = 0, v[m] = 0
drive = x @ W
states = scan t with h = zeros[n, m]:
    z = drive + (h @ U)[m' -> m]
    h = tanh(z)
    yield h
minimize mean((states @ v - y)^2)
"""
    scenario(
        "a scan",
        text,
        {"W": normal(2, 3), "U": normal(3, 3), "v": normal(3)},
        {"x": normal(4, 5, 2), "y": normal(4, 5)},
        build,
        [
            ("retain_grad", "drive"),
            ("retain_grad", "states"),
            ("forward",),
            ("backward",),
            ("backward", "states", normal(4, 5, 3).tolist()),
            ("value", "states.z"),
            ("backward", "states.z", normal(4, 5, 3).tolist()),
            ("zero_grad",),
            ("requires_grad_", False, "U"),
            ("forward",),
            ("backward",),
        ],
    )


def embedding() -> None:
    def build(p: Named, d: Named) -> dict[str, Tensor]:
        found = p["E"][d["word"]]
        logits = found.mean(1) @ p["V"]
        return {"found": found, "logits": logits, "loss": F.cross_entropy(logits, d["label"])}

    text = """\
use nn.cross_entropy
axis t, vocab: 7, m: 3, k: 3
input word[n, t]: vocab, label[n]: k
param E[vocab, m] = 0, V[m, k] = 0
found = E[vocab = word]
logits = mean[t](found) @ V
minimize mean(cross_entropy[k](logits, label))
"""
    scenario(
        "an embedding",
        text,
        {"E": normal(7, 3), "V": normal(3, 3)},
        {"word": whole(7, 4, 6), "label": whole(3, 4)},
        build,
        [
            ("forward",),
            ("backward",),
            ("retain_grad", "found"),
            ("requires_grad_", False, "V"),
            ("forward",),
            ("backward",),
            ("backward", "logits", normal(4, 3).tolist()),
            ("requires_grad_", True, "V"),
            ("zero_grad",),
            ("forward",),
            ("backward",),
            ("value", "found"),
        ],
    )


def adversaries() -> None:
    def build(p: Named, d: Named) -> dict[str, Tensor]:
        fake = d["z"] * p["g.w"] + p["g.b"]

        def critic(x: Tensor) -> Tensor:
            return torch.tanh(x * p["d.w"] + p["d.b"])

        judge = F.softplus(-critic(d["real"])).mean() + F.softplus(critic(fake.detach())).mean()
        return {"fake": fake, "judge": judge, "forge": F.softplus(-critic(fake)).mean()}

    text = """\
layer Affine:
    param w = 1, b = 0
    def call(x) = x * w + b
input real[n], z[n]
g = Affine
d = Affine
fake = z |> g
def critic(x) = x |> d |> tanh
minimize judge = mean(softplus(-critic(real))) + mean(softplus(critic(stop_gradient(fake)))) over d.*
minimize forge = mean(softplus(-critic(fake))) over g.*
"""
    scenario(
        "two objectives over two sets of parameters",
        text,
        {"g.w": normal(), "g.b": normal(), "d.w": normal(), "d.b": normal()},
        {"real": normal(5), "z": normal(5)},
        build,
        [
            ("forward", "judge"),
            ("backward", "judge"),
            ("backward", "forge"),
            ("backward", "judge", -0.5),
            ("zero_grad",),
            ("requires_grad_", False, "d.w"),
            ("forward", "forge"),
            ("backward", "judge"),
            ("backward", "forge"),
            ("value", "fake"),
        ],
        {"judge": ("d.w", "d.b"), "forge": ("g.w", "g.b")},
    )


def convolution() -> None:
    def build(p: Named, d: Named) -> dict[str, Tensor]:
        maps = torch.tanh(F.conv2d(d["image"], p["K"], p["b"]))
        pooled = F.max_pool2d(maps, 2)
        out = torch.einsum("nchw,c->n", pooled, p["v"])
        return {"maps": maps, "pooled": pooled, "out": out, "loss": ((out - d["y"]) ** 2).mean()}

    text = """\
axis c: 2, o: 3, h: 6, w: 6, r: 3, s: 3, down: 2, right: 2
input image[n, c, h, w], y[n]
param K[o, c, r, s] = 0, b[o] = 0, v[o] = 0
maps = tanh(sum[c, r, s](window[h: r, w: s](image) * K) + b)
pooled = max[down, right](window[h: down, w: right](maps, stride=2))
out = sum[o, h, w](pooled * v)
minimize mean((out - y)^2)
"""
    scenario(
        "a convolution",
        text,
        {"K": normal(3, 2, 3, 3), "b": normal(3), "v": normal(3)},
        {"image": normal(3, 2, 6, 6), "y": normal(3)},
        build,
        [
            ("retain_grad", "pooled"),
            ("forward",),
            ("backward",),
            ("backward", "pooled", normal(3, 3, 2, 2).tolist()),
            ("requires_grad_", False, "K"),
            ("zero_grad",),
            ("retain_grad", "maps"),
            ("forward",),
            ("backward",),
            ("backward", "out", normal(3).tolist()),
        ],
    )


def bounds() -> None:
    def build(p: Named, d: Named) -> dict[str, Tensor]:
        rate, share, low = torch.exp(p["rate"]), -1 + 2 * torch.sigmoid(p["share"]), 3 - torch.exp(p["low"])
        curve = low + torch.exp(-rate * d["t"]) * (1 + share * torch.cos(d["t"]))
        return {"curve": curve, "loss": ((curve - d["y"]) ** 2).mean()}

    text = """\
input t[n], y[n]
param rate > 0 = 1, share in (-1, 1) = 0, low < 3 = 1
curve = low + exp(-rate * t) * (1 + share * cos(t))
minimize mean((curve - y)^2)
"""
    scenario(
        "parameters behind bounds",
        text,
        {"rate": normal(), "share": normal(), "low": normal()},
        {"t": normal(7).abs(), "y": normal(7)},
        build,
        [
            ("retain_grad", "curve"),
            ("forward",),
            ("backward",),
            ("backward", "curve", normal(7).tolist()),
            ("requires_grad_", False, "share"),
            ("zero_grad",),
            ("forward",),
            ("backward",),
            ("step",),
            ("forward",),
            ("backward",),
            ("step",),
        ],
    )


def detached() -> None:
    def build(p: Named, d: Named) -> dict[str, Tensor]:
        h = torch.tanh(d["x"] * p["a"])
        held = h.detach() * p["b"]
        both = h * held
        return {"h": h, "held": held, "both": both, "loss": both.mean() + (p["b"] ** 2)}

    text = """\
input x[n]
param a = 0, b = 0
h = tanh(x * a)
held = detach(h) * b
both = h * held
minimize mean(both) + b^2
"""
    scenario(
        "detach",
        text,
        {"a": normal(), "b": normal()},
        {"x": normal(6)},
        build,
        [
            ("retain_grad", "h"),
            ("retain_grad", "held"),
            ("forward",),
            ("backward",),
            ("backward", "held", normal(6).tolist()),
            ("zero_grad",),
            ("backward", "both", normal(6).tolist()),
        ],
    )


def reuse() -> None:
    """A value that is used three times, and parameters that a value does not depend on."""

    def build(p: Named, d: Named) -> dict[str, Tensor]:
        h = d["x"] * p["a"]
        up, down = torch.sin(h), torch.exp(-h) * p["b"]
        return {"h": h, "up": up, "down": down, "loss": (h * up + down).sum() + p["c"] ** 3}

    text = """\
input x[n]
param a = 0, b = 0, c = 0
h = x * a
up = sin(h)
down = exp(-h) * b
minimize sum(h * up + down) + c^3
"""
    scenario(
        "a value used three times, and values that do not depend on all parameters",
        text,
        {"a": normal(), "b": normal(), "c": normal()},
        {"x": normal(5)},
        build,
        [
            ("retain_grad", "h"),
            ("forward",),
            ("backward", "up", normal(5).tolist()),
            ("backward", "down", normal(5).tolist()),
            ("backward",),
            ("zero_grad", False),
            ("backward", "up", normal(5).tolist()),
        ],
    )


def branches() -> None:
    text = """\
axis pair: 2
input x[n, pair]
param a = 0, b = 0, c = 0
z = x * a + b
bent = if z > 0 then sqrt(z) else z * c
top = max[pair](bent)
minimize sum(top^2) + sum(relu(-z))
"""

    def build(p: Named, d: Named) -> dict[str, Tensor]:
        z = d["x"] * p["a"] + p["b"]
        bent = torch.where(z > 0, torch.sqrt(torch.where(z > 0, z, 1.0)), z * p["c"])
        top = bent.amax(1)
        return {"z": z, "bent": bent, "top": top, "loss": (top**2).sum() + F.relu(-z).sum()}

    scenario(
        "branches and maxima",
        text,
        {"a": normal(), "b": normal(), "c": normal()},
        {"x": normal(6, 2)},
        build,
        [
            ("retain_grad", "bent"),
            ("retain_grad", "z"),
            ("forward",),
            ("backward",),
            ("backward", "top", normal(6).tolist()),
            ("requires_grad_", False, "[ac]"),
            ("zero_grad",),
            ("forward",),
            ("backward",),
        ],
    )


def matrices() -> None:
    def build(p: Named, d: Named) -> dict[str, Tensor]:
        apart = (d["x"][:, None] - d["x"][None, :]) / torch.exp(p["length"])
        K = torch.exp(p["scale"]) * torch.exp(-(apart**2) / 2) + torch.eye(len(d["x"])) * torch.exp(p["noise"])
        alpha = torch.linalg.solve(K, d["y"])
        return {"K": K, "alpha": alpha, "loss": (d["y"] @ alpha) / 2 + torch.logdet(K) / 2}

    text = """\
input x[n], y[n]
param scale > 0 = 1, length > 0 = 1, noise > 0 = 1
apart = (x - x[n -> n']) / length
K = scale * exp(-apart^2 / 2) + where(index[n] == index[n'], noise, 0)
alpha = solve[n, n'](K, y)
minimize sum[n](y * alpha) / 2 + logdet[n, n'](K) / 2
"""
    scenario(
        "matrices: solve and logdet",
        text,
        {"scale": torch.tensor(0.3), "length": torch.tensor(0.4), "noise": torch.tensor(-0.2)},
        {"x": normal(5), "y": normal(5)},
        build,
        [
            ("retain_grad", "K"),
            ("forward",),
            ("backward",),
            ("backward", "alpha", normal(5).tolist()),
            ("requires_grad_", False, "noise"),
            ("zero_grad",),
            ("forward",),
            ("backward",),
        ],
    )


def attention() -> None:
    def build(p: Named, d: Named) -> dict[str, Tensor]:
        query, key = d["x"] @ p["Q"], d["x"] @ p["K"]
        weight = torch.softmax(query @ key.transpose(1, 2) / 3**0.5, -1)
        mixed = weight @ (d["x"] @ p["V"])
        return {"weight": weight, "mixed": mixed, "loss": (mixed**2).mean()}

    text = """\
input x[n, t, d]
axis d: 3, k: 3
param Q[d, k] = 0, K[d, k] = 0, V[d, k] = 0
query = x @ Q
key = (x @ K)[t -> t']
weight = softmax[t'](sum[k](query * key) / sqrt(3))
mixed = sum[t'](weight * (x @ V)[t -> t'])
minimize mean(mixed^2)
"""
    scenario(
        "attention",
        text,
        {"Q": normal(3, 3), "K": normal(3, 3), "V": normal(3, 3)},
        {"x": normal(2, 4, 3)},
        build,
        [
            ("retain_grad", "weight"),
            ("forward",),
            ("backward",),
            ("backward", "weight", normal(2, 4, 4).tolist()),
            ("requires_grad_", False, "[KV]"),
            ("zero_grad",),
            ("forward",),
            ("backward",),
            ("value", "mixed"),
        ],
    )


def by_data() -> None:
    """The gradient by an input: in PyTorch it is made part of the graph by a multiplication with 1."""

    def build(p: Named, d: Named) -> dict[str, Tensor]:
        x = d["x"].clone().requires_grad_() * 1
        out = torch.tanh(x.T @ p["W"])
        return {"x": x, "out": out, "loss": (out**2).sum()}

    text = """\
axis d: 3, k: 2
input x[d, n]
batch n
param W[d, k] = 0
out = tanh(x @ W)
minimize sum(out^2)
"""
    scenario(
        "the gradient by the data",
        text,
        {"W": normal(3, 2)},
        {"x": normal(3, 4)},
        build,
        [
            ("retain_grad", "x"),
            ("forward",),
            ("backward",),
            ("backward", "out", normal(4, 2).tolist()),
            ("requires_grad_", False, "*"),
            ("zero_grad",),
            ("forward",),
            ("backward",),
        ],
    )


if __name__ == "__main__":
    makers = (layers, classification, recurrent, embedding, adversaries, convolution, bounds, detached, reuse, branches)
    for number, make in enumerate((*makers, matrices, attention, by_data)):
        generator.manual_seed(number)
        make()
    whole_text = json.dumps({"torch": torch.__version__.split("+")[0], "scenarios": SCENARIOS}, indent=None)
    (Path(__file__).parent / "autograd.json").write_text(whole_text.replace('"text"', '\n"text"') + "\n")
