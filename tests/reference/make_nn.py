"""Writes nn.json: every entry of the library nn by PyTorch in float64, and in the tails by mpmath.

python tests/reference/make_nn.py
"""

from collections.abc import Callable
from typing import Any

import mpmath
import torch
import torch.nn.functional as F
from library_cases import CASES, Index, Kind, add, exact, points, real, share, written, yes
from make_stats import phi
from torch import Tensor, nn


def of_activations() -> None:
    for name, found in {
        "gelu": F.gelu,
        "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
        **{name: getattr(F, name) for name in ("silu", "mish", "softsign", "selu", "celu", "hardtanh", "relu6")},
        # PyTorch's own hardsigmoid has a sixth in single precision.
        "hardsigmoid": lambda x: F.relu6(x + 3) / 6,
        **{name: getattr(F, name) for name in ("hardswish", "tanhshrink", "softshrink", "hardshrink")},
        "log_sigmoid": F.logsigmoid,
    }.items():
        points(f"nn.{name}(x)", lambda x, f=found: f(3 * x), x=real)
        CASES[-1]["call"] = f"nn.{name}(3 * x)"
    # And its celu has alpha in it.
    points("nn.celu(x, 0.4)", lambda x: torch.where(x > 0, x, 0.4 * torch.expm1(x / 0.4)), x=real)
    points("nn.hardtanh(x, -0.4, 0.3)", lambda x: F.hardtanh(x, -0.4, 0.3), x=real)
    points("nn.softshrink(x, 0.3)", lambda x: F.softshrink(x, 0.3), x=real)
    points("nn.hardshrink(x, 0.3)", lambda x: F.hardshrink(x, 0.3), x=real)
    points("nn.threshold(x, 0.2, -3)", lambda x: F.threshold(x, 0.2, -3), x=real)
    points("nn.glu(x, y)", lambda x, y: F.glu(torch.stack([x, y]), 0)[0], x=real, y=real)
    points("nn.reglu(x, y)", lambda x, y: x * F.relu(y), x=real, y=real)
    points("nn.geglu(x, y)", lambda x, y: x * F.gelu(y), x=real, y=real)
    points("nn.swiglu(x, y)", lambda x, y: x * F.silu(y), x=real, y=real)
    points("nn.logaddexp(x, y)", torch.logaddexp, x=real, y=real)
    points("nn.binary_cross_entropy(x, y)", lambda x, y: F.binary_cross_entropy(x, y, reduction="none"), x=share, y=yes)
    points(
        "nn.logistic_loss(x, y)", lambda x, y: F.binary_cross_entropy_with_logits(x, y, reduction="none"), x=real, y=yes
    )
    rows = {"x": ("n k", real)}
    add("nn.softmin[k](x)", lambda x: F.softmin(x, -1), rows, "n k")
    add("nn.normalize[k](x)", lambda x: F.normalize(x), rows, "n k")

    places = torch.arange(5.0)[:, None] / 10000 ** (2 * (torch.arange(3) // 2) / 3)
    encoded = torch.where(torch.arange(3) % 2 == 0, torch.sin(places), torch.cos(places))
    add("x * nn.sinusoidal[t, d]()", lambda x: x * encoded, {"x": ("t d", real)}, "t d")

    log, log1p, exp = mpmath.log, mpmath.log1p, mpmath.exp
    tails = [-800.0, -30.0, -1e-9, 3.0, 40.0, 1e5]
    exact("nn.gelu(x)", lambda x: x * phi(x), x=[-37.0, -8.0, -1e-9, 3.0, 40.0])
    exact("nn.silu(x)", lambda x: x / (1 + exp(-x)), x=[-700.0, *tails[1:]])
    exact("nn.mish(x)", lambda x: x * mpmath.tanh(log1p(exp(x))), x=[-700.0, *tails[1:]])
    exact("nn.log_sigmoid(x)", lambda x: -log1p(exp(-x)), x=[-800.0, -30.0, -1e-9, 3.0, 40.0, 700.0])
    exact("nn.logaddexp(x, y)", lambda x, y: log(exp(x) + exp(y)), x=[-800.0, 700.0, 1e5], y=[-801.0, -20.0, 1e5 + 1])


def of_layers() -> None:
    linear = nn.Linear(3, 4)
    add(
        "f(x)",
        lambda x, w, b: F.linear(x, w.T, b),
        {
            "x": ("n i", real),
            "f.W": ("i o", linear.weight.detach().T.clone()),
            "f.b": ("o", linear.bias.detach().clone()),
        },
        "n o",
        {"f": "nn.Linear[i, o]"},
    )
    add(
        "f(x, z)",
        lambda x, z, w, b: F.bilinear(x, z, w.permute(2, 0, 1), b),
        {"x": ("n i", real), "z": ("n j", real), "f.W": ("i j o", real), "f.b": ("o", real)},
        "n o",
        {"f": "nn.Bilinear[i, j, o]"},
    )
    add(
        "f(token)",
        lambda token, e: F.embedding(token, e),
        {"token": ("n t", Index("vocab")), "f.E": ("vocab d", real)},
        "n t d",
        {"f": "nn.Embedding[vocab, d]"},
    )
    add(
        "f(x)",
        lambda x, g, b: F.layer_norm(x, [4], g, b),
        {"x": ("n k", real), "f.gain": ("k", real), "f.bias": ("k", real)},
        "n k",
        {"f": "nn.LayerNorm[k]"},
    )
    add(
        "f(x)",
        lambda x, g: F.rms_norm(x, [4], g, eps=1e-6),
        {"x": ("n k", real), "f.gain": ("k", real)},
        "n k",
        {"f": "nn.RMSNorm[k]"},
    )
    add(
        "f(x)",
        lambda x, g, b: F.instance_norm(x, weight=g, bias=b),
        {"x": ("n c h w", real), "f.gain": ("c", real), "f.bias": ("c", real)},
        "n c h w",
        {"f": "nn.InstanceNorm[c, h, w]"},
    )
    add("f(x)", lambda x, s: F.prelu(x, s), {"x": ("n k", real), "f.slope": ("k", share)}, "n k", {"f": "nn.PReLU[k]"})
    add(
        "nn.scaled_dot_product[s, k](q, a, b)",
        lambda q, a, b: F.scaled_dot_product_attention(q[:, None], a, b)[:, 0],
        {"q": ("n k", real), "a": ("n s k", real), "b": ("n s d", real)},
        "n d",
    )
    # Of the embedding d into as many heads as there are, each of the width m: nn.MultiheadAttention needs d = head * m.
    attention(False)
    attention(True)

    def cross(x: Tensor, y: Tensor, q: Tensor, k: Tensor, v: Tensor, o: Tensor) -> Tensor:
        return multihead(x, y, q, k, v, o, None)

    add(
        "f(x, y)",
        cross,
        {"x": ("n t wide", real), "y": ("n s wide", real), **heads()},
        "n t wide",
        {"f": "nn.CrossAttention[t, s, wide, head, m]"},
    )


def of_windows() -> None:
    """What a window leaves of the axes p and q is called by the names of axes that are so long."""
    line, picture = {"x": ("n c p", real)}, {"x": ("n c p q", real)}
    kernel = {"f.K": ("o c r", real), "f.b": ("o", real)}
    grid = {"f.K": ("o c r u", real), "f.b": ("o", real)}
    options: dict[str, Any]
    for words, options, length in (
        ("", {}, 5),
        (", stride=2, pad=1", {"stride": 2, "padding": 1}, 4),
        (", dilation=2, pad=2", {"dilation": 2, "padding": 2}, 7),
        (', pad="same"', {"padding": "same"}, 7),
    ):

        def conv1d(x: Tensor, k: Tensor, b: Tensor, options: dict[str, Any] = options) -> Tensor:
            return F.conv1d(x, k, b, **options)

        layer = {"f": "nn.Conv1d[c, o, p, r]"}
        add(f"f(x{words})[p -> y{length}]", conv1d, {**line, **kernel}, f"n o y{length}", layer)
    for words, options, (high, wide) in (
        ("", {}, (5, 7)),
        (", stride=2, pad=1", {"stride": 2, "padding": 1}, (4, 5)),
        (', pad="same"', {"padding": "same"}, (7, 8)),
    ):

        def conv2d(x: Tensor, k: Tensor, b: Tensor, options: dict[str, Any] = options) -> Tensor:
            return F.conv2d(x, k, b, **options)

        layer, to = {"f": "nn.Conv2d[c, o, p, q, r, u]"}, f"y{high} y{wide}"
        add(f"f(x{words})[p -> y{high}, q -> y{wide}]", conv2d, {**picture, **grid}, f"n o {to}", layer)
    add(
        "f(x)[p -> y5, q -> y7]",
        lambda x, k, b: F.conv2d(x, k[:, None], b, groups=2),
        {**picture, "f.K": ("c r u", real), "f.b": ("c", real)},
        "n c y5 y7",
        {"f": "nn.DepthwiseConv2d[c, p, q, r, u]"},
    )
    largest, mean = {"f": "nn.MaxPool[p, q, u, u']"}, {"f": "nn.AvgPool[p, q, u, u']"}
    add("f(x)[p -> y3, q -> y4]", lambda x: F.max_pool2d(x, 2), picture, "n c y3 y4", largest)
    add("f(x)[p -> y3, q -> y4]", lambda x: F.avg_pool2d(x, 2), picture, "n c y3 y4", mean)
    largest, mean = {"f": "nn.MaxPool[p, q, v, u]"}, {"f": "nn.AvgPool[p, q, v, u]"}
    add("f(x, stride=2)[p -> y3, q -> y4]", lambda x: F.max_pool2d(x, (3, 2), 2), picture, "n c y3 y4", largest)
    add(
        "f(x, stride=1, pad=1)[p -> y7, q -> q]",
        lambda x: F.avg_pool2d(x, (3, 2), 1, 1)[..., :8],
        picture,
        "n c y7 q",
        mean,
    )
    CASES[-1]["call"] = "f(x, stride=1, pad=1)[q = :8][p -> y7, q -> y8]"
    CASES[-1]["result"] = "n c y7 y8"
    largest, mean = {"f": "nn.MaxPool1d[p, u]"}, {"f": "nn.AvgPool1d[p, u]"}
    add("f(x)[p -> y3]", lambda x: F.max_pool1d(x, 2), line, "n c y3", largest)
    add("f(x, stride=1, dilation=2)[p -> y5]", lambda x: F.max_pool1d(x, 2, 1, dilation=2), line, "n c y5", largest)
    add("f(x, pad=1)[p -> y4]", lambda x: F.avg_pool1d(x, 2, padding=1), line, "n c y4", mean)


def recurrent(kind: type[nn.RNNBase], gates: int) -> Callable[..., Tensor]:
    """The states of PyTorch's layer, of the parameters of ours: those by the input, by the state, and the shifts."""
    network = kind(3, 3, batch_first=True)

    def states(x: Tensor, *weights: Tensor) -> Tensor:
        by_input, by_state, shifts = weights[:gates], weights[gates : 2 * gates], weights[2 * gates :]
        second = torch.zeros(3 * gates)
        if len(shifts) > gates:
            second = torch.cat([torch.zeros(6), shifts[gates]])
        given = {
            "weight_ih_l0": torch.cat([w.T for w in by_input]),
            "weight_hh_l0": torch.cat([w.T for w in by_state]),
            "bias_ih_l0": torch.cat(shifts[:gates]),
            "bias_hh_l0": second,
        }
        found: Tensor = torch.func.functional_call(network, given, x)[0]
        return found

    return states


def of_steps() -> None:
    for layer, kind, gates, more in (
        ("RNN", nn.RNN, " ", ""),
        ("GRU", nn.GRU, "rzg", "cg"),
        ("LSTM", nn.LSTM, "ifgo", ""),
    ):
        given: dict[str, tuple[str, Kind | Tensor]] = {"x": ("n t i", real)}
        given |= {f"f.W{gate.strip()}": ("i m", real) for gate in gates}
        given |= {f"f.U{gate.strip()}": ("m m'", real) for gate in gates}
        given |= {f"f.b{gate.strip()}": ("m", real) for gate in gates}
        given |= {f"f.{more}": ("m", real)} if more else {}
        add("f(x)", recurrent(kind, len(gates)), given, "n t m", {"f": f"nn.{layer}[t, i, m]"})


def heads() -> dict[str, tuple[str, Kind | Tensor]]:
    return {**{f"f.{name}": ("wide head m", real) for name in "QKV"}, "f.O": ("head m wide", real)}


def multihead(x: Tensor, y: Tensor, q: Tensor, k: Tensor, v: Tensor, o: Tensor, mask: Tensor | None) -> Tensor:
    """By nn.MultiheadAttention's function, with the weights in its order."""
    rows = torch.cat([part.reshape(6, 6).T for part in (q, k, v)])
    found, _ = F.multi_head_attention_forward(
        x.transpose(0, 1),
        y.transpose(0, 1),
        y.transpose(0, 1),
        6,
        2,
        rows,
        None,
        None,
        None,
        False,
        0.0,
        o.reshape(6, 6).T,
        None,
        attn_mask=mask,
        need_weights=False,
    )
    return found.transpose(0, 1)


def attention(causal: bool) -> None:
    mask = torch.triu(torch.ones(5, 5, dtype=torch.bool), 1) if causal else None
    add(
        f"f(x{', causal=true' if causal else ''})",
        lambda x, q, k, v, o: multihead(x, x, q, k, v, o, mask),
        {"x": ("n t wide", real), **heads()},
        "n t wide",
        {"f": "nn.Attention[t, wide, head, m]"},
    )


if __name__ == "__main__":
    written("nn", of_activations, of_layers, of_windows, of_steps)
