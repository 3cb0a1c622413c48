"""Writes networks.npz: an LSTM, a convolution network and a transformer block by the modules of PyTorch, in float64.

python tests/reference/make_networks.py

They are examples/lstm, examples/convnet and examples/attention with shorter axes: `NAME/axes` is the statement that
takes the place of the model's own. `NAME/data.x`, `NAME/weight.W` and `NAME/gradient.W` have the shapes that the model
gives them, `NAME/output.p` is what it predicts, with the axes `NAME/axes.p`, `NAME/loss` its objective, and
`NAME/pulled.W` the gradient of sum(seed * output) for the numbers `NAME/seed.p`. How PyTorch's weights are ours:

- `nn.Linear.weight[o, i]` is `W[i, o]` transposed, `nn.Embedding.weight` is `E`, `nn.LayerNorm` has `gain` and `bias`
  as `weight` and `bias`, `nn.Conv2d.weight[c1, c, r, s]` is `K1` as it stands.
- `nn.LSTM` has its gates one below the other in `weight_ih[4 m', m]` and `weight_hh[4 m', m]`, in the order input,
  forget, candidate, output. In `W[m, gate, m']` and `U[m, gate, m']` the order is forget, input, candidate, output. Of
  its two biases the second is 0 and is not trained.
- `nn.MultiheadAttention.in_proj_weight[3 head k, d]` has the rows of queries, keys and values below each other, each
  head by head; `Q[d, head, k]` is such a third, transposed. `out_proj.weight[d, head k]` is `O[head, k, d]` transposed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

torch.set_default_dtype(torch.float64)

OURS = [1, 0, 2, 3]
"""Where PyTorch has our gates; where we have PyTorch's too."""

Turn = Callable[[Tensor], Tensor]


def same(weight: Tensor) -> Tensor:
    return weight


def transposed(weight: Tensor) -> Tensor:
    return weight.T


def gates(weight: Tensor) -> Tensor:
    """[4 m', m] as [m, gate, m']."""
    return weight.unflatten(0, (4, -1))[OURS].permute(2, 0, 1)


def gate_biases(bias: Tensor) -> Tensor:
    """[4 m] as [gate, m]."""
    return bias.unflatten(0, (4, -1))[OURS]


@dataclass(frozen=True)
class Network:
    """`weights` are PyTorch's by our names, in our order, each with the way from its shape to ours."""

    axes: str
    data: Mapping[str, Tensor]
    weights: Mapping[str, tuple[nn.Parameter, Turn]]
    output: tuple[str, str]
    """Its name, and its axes as PyTorch has them."""
    forward: Callable[[], Tensor]
    loss: Callable[[Tensor], Tensor]


def recurrent() -> Network:
    symbols, m, n, steps = 7, 5, 3, 6
    text, following = torch.randint(symbols, (2, n, steps))
    embed, cell, read = nn.Embedding(symbols, m), nn.LSTM(m, m, batch_first=True), nn.Linear(m, symbols, bias=False)
    with torch.no_grad():
        cell.bias_hh_l0.zero_()
    return Network(
        f"axis symbol: {symbols}, m: {m}",
        {"text": text, "next": following},
        {
            "E": (embed.weight, same),
            "W": (cell.weight_ih_l0, gates),
            "U": (cell.weight_hh_l0, gates),
            "bias": (cell.bias_ih_l0, gate_biases),
            "V": (read.weight, transposed),
        },
        ("logits", "n t symbol"),
        lambda: read(cell(embed(text))[0]),
        lambda logits: F.cross_entropy(logits.flatten(0, 1), following.flatten()),
    )


def convolutional() -> Network:
    c, c1, c2, height, width, digits, n = 2, 3, 4, 14, 12, 5, 3
    image, label = torch.randn(n, c, height, width), torch.randint(digits, (n,))
    one, two, pool = nn.Conv2d(c, c1, 3), nn.Conv2d(c1, c2, 3), nn.MaxPool2d(2)
    # 14 x 12 become 6 x 5 and 2 x 1: the second pool leaves a column out.
    head = nn.Linear(c2 * 2, digits)
    layers = nn.Sequential(one, nn.ReLU(), pool, two, nn.ReLU(), pool, nn.Flatten(), head)
    return Network(
        f"axis c: {c}, c1: {c1}, c2: {c2}, h: {height}, w: {width}, r: 3, s: 3, u: 2, v: 2, digit: {digits}",
        {"image": image, "label": label},
        {
            "K1": (one.weight, same),
            "b1": (one.bias, same),
            "K2": (two.weight, same),
            "b2": (two.bias, same),
            "head.W": (head.weight, transposed),
            "head.b": (head.bias, same),
        },
        ("logits", "n digit"),
        lambda: layers(image),
        lambda logits: F.cross_entropy(logits, label),
    )


def transformer() -> Network:
    n, t, d, heads, wide = 3, 5, 6, 2, 10
    x, y = torch.randn(2, n, t, d)
    norm1, norm2, up, down = nn.LayerNorm(d), nn.LayerNorm(d), nn.Linear(d, wide), nn.Linear(wide, d)
    # The three parts of in_proj_weight are weights of their own, as ours are.
    attend = nn.MultiheadAttention(d, heads, bias=False, batch_first=True)
    thirds = {
        name: nn.Parameter(part.detach().clone())
        for name, part in zip("QKV", attend.in_proj_weight.chunk(3), strict=True)
    }
    gelu = nn.GELU()

    def attention(v: Tensor) -> Tensor:
        together = {"in_proj_weight": torch.cat([*thirds.values()])}
        return torch.func.functional_call(attend, together, (v, v, v), {"need_weights": False})[0]

    def forward() -> Tensor:
        a = x + attention(norm1(x))
        return a + down(gelu(up(norm2(a))))

    def split(weight: Tensor) -> Tensor:
        return weight.T.unflatten(1, (heads, -1))

    return Network(
        f"axis t: {t}, d: {d}, head: {heads}, k: {d // heads}, wide: {wide}",
        {"x": x, "y": y},
        {
            **{f"attend.{name}": (weight, split) for name, weight in thirds.items()},
            "attend.O": (attend.out_proj.weight, lambda weight: weight.T.unflatten(0, (heads, -1))),
            "norm1.gain": (norm1.weight, same),
            "norm1.bias": (norm1.bias, same),
            "norm2.gain": (norm2.weight, same),
            "norm2.bias": (norm2.bias, same),
            "up.W": (up.weight, transposed),
            "up.b": (up.bias, same),
            "down.W": (down.weight, transposed),
            "down.b": (down.bias, same),
        },
        ("z", "n t d"),
        forward,
        lambda z: F.mse_loss(z, y),
    )


def stored(network: Network) -> dict[str, object]:
    """All that the test compares."""
    with torch.no_grad():
        for weight, _ in network.weights.values():
            weight.copy_(weight + 0.3 * torch.randn(weight.shape))
    of = [weight for weight, _ in network.weights.values()]
    output = network.forward()
    loss, seed = network.loss(output), torch.randn(output.shape)
    gradients = torch.autograd.grad(loss, of, retain_graph=True)
    pulled = torch.autograd.grad((seed * output).sum(), of)
    found: dict[str, object] = {"axes": network.axes, "loss": loss.item()}
    found |= {f"data.{name}": value for name, value in network.data.items()}
    name, axes = network.output
    found |= {f"output.{name}": output, f"seed.{name}": seed, f"axes.{name}": axes}
    for (name, (weight, turn)), gradient, back in zip(network.weights.items(), gradients, pulled, strict=True):
        found |= {f"weight.{name}": turn(weight), f"gradient.{name}": turn(gradient), f"pulled.{name}": turn(back)}
    return {key: value.detach().numpy() if isinstance(value, Tensor) else value for key, value in found.items()}


if __name__ == "__main__":
    torch.manual_seed(0)
    networks = {"lstm": recurrent(), "convnet": convolutional(), "attention": transformer()}
    np.savez_compressed(
        Path(__file__).with_name("networks.npz"),
        **{f"{name}/{part}": value for name, of in networks.items() for part, value in stored(of).items()},
    )
