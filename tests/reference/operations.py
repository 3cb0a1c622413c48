"""Operations of the language, each as a model and as PyTorch: what make_operations.py stores and test_operations reads.

A row has a name, an expression of the language (or statements of which the last defines `f`), the same in PyTorch, and
the operands with the axes in the order in which they are written. `to` are the axes of the result. Where we differ from
PyTorch on purpose, `differs` says why, and `instead` what is expected, in PyTorch again: by an operand's name its
gradient, by `second name` its part of the Hessian-vector product.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

LENGTHS = {"i": 3, "i'": 3, "i''": 3, "k": 4, "k'": 4, "m": 2, "m'": 2, "t": 5, "one": 1}
"""Of the axes in the table."""

DOMAINS = ("normal", "positive", "unit", "above", "spread", "definite", "regular", "bool")
"""normal numbers; above 0; in (-0.9, 0.9); above 1; far apart; positive definite and invertible matrices; truth."""


@dataclass(frozen=True)
class Operand:
    """`axes` as they are written; `index` the axis along which whole numbers count; `values` where they are given.

    `trained` operands are parameters; the others are data.
    """

    axes: tuple[str, ...]
    domain: str = "normal"
    index: str | None = None
    values: Any = None

    @property
    def shape(self) -> list[int]:
        return [LENGTHS[axis] for axis in self.axes]

    @property
    def trained(self) -> bool:
        return self.index is None and self.domain not in ("bool", "data")


@dataclass(frozen=True)
class Operation:
    """One row."""

    name: str
    text: str
    torch: str
    to: tuple[str, ...]
    operands: Mapping[str, Operand]
    differs: str = ""
    instead: Mapping[str, str] = field(default_factory=dict)

    @property
    def result(self) -> list[int]:
        """The shape of f."""
        return [LENGTHS[axis] for axis in self.to]

    def model(self) -> str:
        """The model whose objective is a weighted sum of the result."""
        names = dict.fromkeys(axis.rstrip("'") for o in self.operands.values() for axis in (*o.axes, o.index or "i"))
        names.update(dict.fromkeys(axis.rstrip("'") for axis in self.to))
        lines = ["axis " + ", ".join(f"{name}: {LENGTHS[name]}" for name in names)]
        for name, operand in self.operands.items():
            shape = f"[{', '.join(operand.axes)}]" if operand.axes else ""
            kind = f": {operand.index}" if operand.index else ": bool" if operand.domain == "bool" else ""
            lines.append(f"param {name}{shape} = 1" if operand.trained else f"input {name}{shape}{kind}")
        lines.append(f"input weight[{', '.join(self.to)}]" if self.to else "input weight")
        *statements, last = self.text.split("\n")
        lines += [*statements, f"f = {last}", "minimize sum(weight * f)", "output f", ""]
        return "\n".join(lines)


def _operand(written: Any) -> Operand:
    """An operand from its text: `i k`, `k | positive`, `m | index k`, or from that and the values."""
    text, values = written if isinstance(written, tuple) else (written, None)
    axes, _, kind = text.partition("|")
    index = kind.split()[1] if kind.split()[:1] == ["index"] else None
    return Operand(tuple(axes.split()), kind.strip() or "normal", index, values)


def _row(
    name: str,
    text: str,
    torch: str,
    to: str = "k",
    /,
    differs: str = "",
    instead: Mapping[str, str] | None = None,
    **operands: Any,
) -> Operation:
    found = {key: _operand(value) for key, value in (operands or {"a": "k"}).items()}
    return Operation(name, text, torch, tuple(to.split()), found, differs, instead or {})


POINTWISE = (
    _row("exp", "exp(a)", "a.exp()"),
    _row("log", "log(a)", "a.log()", a="k | positive"),
    _row("log1p", "log1p(a)", "a.log1p()", a="k | unit"),
    _row("expm1", "expm1(a)", "a.expm1()"),
    _row("log2", "log2(a)", "a.log2()", a="k | positive"),
    _row("log10", "log10(a)", "a.log10()", a="k | positive"),
    _row("sqrt", "sqrt(a)", "a.sqrt()", a="k | positive"),
    _row("sin", "sin(a)", "a.sin()"),
    _row("cos", "cos(a)", "a.cos()"),
    _row("tan", "tan(a)", "a.tan()", a="k | unit"),
    _row("asin", "asin(a)", "a.asin()", a="k | unit"),
    _row("acos", "acos(a)", "a.acos()", a="k | unit"),
    _row("atan", "atan(a)", "a.atan()"),
    _row("sinh", "sinh(a)", "a.sinh()"),
    _row("cosh", "cosh(a)", "a.cosh()"),
    _row("tanh", "tanh(a)", "a.tanh()"),
    _row("asinh", "asinh(a)", "a.asinh()"),
    _row("acosh", "acosh(a)", "a.acosh()", a="k | above"),
    _row("atanh", "atanh(a)", "a.atanh()", a="k | unit"),
    _row("abs", "abs(a)", "a.abs()"),
    _row("sign", "sign(a)", "a.sign()"),
    _row("floor", "floor(3 * a)", "(3 * a).floor()"),
    _row("ceil", "ceil(3 * a)", "(3 * a).ceil()"),
    _row("step", "step(a)", "(a > 0) + 0 * a"),
    _row("relu", "relu(a)", "a.relu()"),
    _row("sigmoid", "sigmoid(a)", "a.sigmoid()"),
    _row("softplus", "softplus(a)", "F.softplus(a)"),
    _row("leaky relu", "leaky_relu(a)", "F.leaky_relu(a)"),
    _row("leaky relu with a slope", "leaky_relu(a, 0.2)", "F.leaky_relu(a, 0.2)"),
    _row("elu", "elu(a)", "F.elu(a)"),
    _row("elu with a scale", "elu(a, 1.5)", "F.elu(a, 1.5)"),
    _row("erf", "erf(a)", "a.erf()"),
    _row("erfc", "erfc(a)", "a.erfc()"),
    _row("negative", "-a", "-a"),
    _row("square", "a^2", "a**2"),
    _row("cube", "a^3", "a**3"),
    _row("reciprocal", "1 / a", "1 / a"),
    _row("power of -2", "a^-2", "a**-2"),
    _row("power of 1.7", "a^1.7", "a**1.7", a="k | positive"),
    _row("a number to a power", "2^a", "2**a"),
    _row("clip", "clip(a, -0.5, 0.5)", "a.clamp(-0.5, 0.5)"),
    _row("add", "a + b", "a + b", a="k", b="k"),
    _row("subtract", "a - b", "a - b", a="k", b="k"),
    _row("multiply", "a * b", "a * b", a="k", b="k"),
    _row("divide", "a / b", "a / b", a="k", b="k | positive"),
    _row("power", "a^b", "a**b", a="k | positive", b="k"),
    _row("atan2", "atan2(a, b)", "torch.atan2(a, b)", a="k", b="k"),
    _row("xlogy", "xlogy(a, b)", "torch.xlogy(a, b)", a="k", b="k | positive"),
    _row("maximum of two", "max(a, b)", "torch.maximum(a, b)", a="k", b="k"),
    _row("minimum of three", "min(a, b, c)", "torch.minimum(torch.minimum(a, b), c)", a="k", b="k", c="k"),
    _row("outer sum", "a + b", "a[:, None] + b", "i k", a="i", b="k"),
    _row("outer product", "a * b", "a[:, None] * b", "i k", a="i", b="k"),
    _row("a vector along rows of a matrix", "a / b", "a / b", "i k", a="i k", b="k | positive"),
    _row("broadcast both ways", "a * b + c", "a * b[:, None] + c", "i k", a="i k", b="i", c="k"),
)

REDUCTIONS = (
    _row("sum of all", "sum(a)", "a.sum()", "", a="i k"),
    _row("sum along one", "sum[k](a)", "a.sum(1)", "i", a="i k"),
    _row("sum along two of three", "sum[i, k](a)", "a.sum((0, 2))", "m", a="i m k"),
    _row("sum of what lies the same along an axis", "sum[k](a * ones[k])", "4 * a", "", a="", b="k"),
    _row("mean", "mean[k](a)", "a.mean(1)", "i", a="i k"),
    _row("mean of all", "mean(a)", "a.mean()", "", a="i k"),
    _row("variance", "var[k](a)", "a.var(1, correction=0)", "i", a="i k"),
    _row("standard deviation", "std[k](a)", "a.std(1, correction=0)", "i", a="i k"),
    _row("norm", "norm[k](a)", "torch.linalg.vector_norm(a, dim=1)", "i", a="i k"),
    _row("norm of all", "norm(a)", "torch.linalg.norm(a)", "", a="i k"),
    _row("max", "max[k](a)", "a.max(1).values", "i", a="i k"),
    _row("min", "min[k](a)", "a.min(1).values", "i", a="i k"),
    _row("max of all", "max(a)", "a.max()", "", a="i k"),
    _row("prod", "prod[k](a)", "a.prod(1)", "i", a="i k"),
    _row("prod of all", "prod(a)", "a.prod()", "", a="i m"),
    _row("logsumexp", "logsumexp[k](a)", "a.logsumexp(1)", "i", a="i k"),
    _row("logsumexp of all", "logsumexp(a)", "a.logsumexp((0, 1))", "", a="i k"),
    _row("softmax", "softmax[k](a)", "a.softmax(1)", "i k", a="i k"),
    _row("softmax along the first", "softmax[i](a)", "a.softmax(0)", "i k", a="i k"),
    _row("log softmax", "log_softmax[k](a)", "a.log_softmax(1)", "i k", a="i k"),
    _row("argmax", "b[k = argmax[k](a)]", "b[a.argmax(1)]", "i", a="i k", b="k"),
    _row("argmin", "b[k = argmin[k](a)]", "b[a.argmin(1)]", "i", a="i k", b="k"),
    _row("any", "if any[k](a > 1) then b else -b", "torch.where((a > 1).any(1), b, -b)", "i", a="i k", b="i"),
    _row("all", "if all[k](a > -1) then b else -b", "torch.where((a > -1).all(1), b, -b)", "i", a="i k", b="i"),
    _row("a count", "b * sum[k](a > 0)", "b * (a > 0).sum(1)", "i", a="i k", b="i"),
)

CONTRACTIONS = (
    _row("dot product", "a @ b", "a @ b", "", a="k", b="k"),
    _row("matrix times vector", "a @ b", "a @ b", "i", a="i k", b="k"),
    _row("vector times matrix", "a @ b", "a @ b", "k", a="i", b="i k"),
    _row("matrix product", "a @ b", "a @ b", "i m", a="i k", b="k m"),
    _row("a matrix with its transpose", "a @ a[i -> i']", "a @ a.T", "i i'", a="i k"),
    _row("batched", "sum[k](a * b)", "torch.einsum('mik,mkt->mit', a, b)", "m i t", a="m i k", b="m k t"),
    _row("over two axes", "sum[i, k](a * b)", "torch.einsum('mik,ikt->mt', a, b)", "m t", a="m i k", b="i k t"),
    _row("of three", "sum[k, m](a * b * c)", "torch.einsum('ik,km,mt->it', a, b, c)", "i t", a="i k", b="k m", c="m t"),
    _row("bilinear form", "a @ b @ c", "a @ b @ c", "", a="i", b="i k", c="k"),
    _row("quadratic form", "a @ b @ a[i -> i']", "a @ b @ a", "", a="i", b="i i'"),
    _row("weighted mean", "mean[k](a * b)", "(a * b).mean(1)", "i", a="i k", b="i k"),
    _row("a sum of squares", "sum[k](a * a)", "(a * a).sum(1)", "i", a="i k"),
    _row("a cubic form", "sum[k](a * a * a * b)", "(a**3 * b).sum()", "", a="k", b="k"),
)

SELECTIONS = (
    _row("one position", "a[k = 1]", "a[:, 1]", "i", a="i k"),
    _row("the last position", "a[k = -1]", "a[:, -1]", "i", a="i k"),
    _row("a part, summed", "sum[t](a[t = 1:]^2)", "(a[:, 1:] ** 2).sum(1)", "i", a="i t"),
    _row(
        "a difference along an axis", "sum[t]((a[t = 1:] - a[t = :-1])^3)", "(a.diff(dim=1) ** 3).sum(1)", "i", a="i t"
    ),
    _row("every second", "sum[t](exp(a[t = ::2]))", "a[:, ::2].exp().sum(1)", "i", a="i t"),
    _row("from the middle, by two", "sum[t](exp(a[t = 1:4:2]))", "a[:, 1:4:2].exp().sum(1)", "i", a="i t"),
    _row("turned round", "a[k = ::-1] * b", "a.flip(1) * b", "i k", a="i k", b="k"),
    _row("backward by two", "sum[t](a[t = ::-2] * a[t = ::2])", "(a.flip(1)[:, ::2] * a[:, ::2]).sum(1)", "i", a="i t"),
    _row(
        "a part backward", "sum[t](a[t = 3:0:-1] * a[t = 1:4])", "(a[:, 1:4].flip(1) * a[:, 1:4]).sum(1)", "i", a="i t"
    ),
    _row("gather", "a[k = j]", "a[j]", "m i", a="k i", j="m | index k"),
    _row("gather of repeated positions", "a[k = j]^2", "a[j] ** 2", "t i", a="k i", j=("t | index k", [1, 3, 1, 1, 0])),
    _row("gather for each row", "a[k = j]", "a.gather(1, j[:, None])[:, 0]", "i", a="i k", j="i | index k"),
    _row("gather by a matrix", "a[k = j]", "a[j]", "i m", a="k", j="i m | index k"),
    _row(
        "gather by two indices",
        "a[i = j, k = l]",
        "a[j, l]",
        "t",
        a="i k",
        j=("t | index i", [0, 2, 2, 1, 0]),
        l=("t | index k", [3, 1, 1, 0, 3]),
    ),
    _row("a diagonal", "a[i' = index[i]]", "a.diagonal()", "i", a="i i'"),
    _row("transpose", "a[i -> i', i' -> i] * b", "a.T * b[:, None]", "i i'", a="i i'", b="i"),
    _row("rename", "a[k -> k'] * a", "a[:, None] * a", "k k'", a="k"),
    _row("index", "a * index[k]", "a * torch.arange(4.0, dtype=a.dtype)"),
    _row("size", "a / size[k]", "a / 4"),
    _row("ones and zeros", "a * ones[i] + zeros[k]", "a.expand(3, 4)", "i k"),
    _row(
        "one hot", "sum[k](if index[k] == j then a else 0)", "(a * F.one_hot(j, 4)).sum(1)", "m", a="k", j="m | index k"
    ),
)

BRANCHES = (
    _row("if", "if a > 0 then a^2 else sin(a)", "torch.where(a > 0, a**2, a.sin())"),
    _row("where", "where(a > b, a * b, a + b)", "torch.where(a > b, a * b, a + b)", a="k", b="k"),
    _row("if by data", "if c then a else b", "torch.where(c, a, b)", a="k", b="k", c="k | bool"),
    _row(
        "if in an if",
        "if a > 0.5 then a^2 else (if a > -0.5 then a else a^3)",
        "torch.where(a > 0.5, a**2, torch.where(a > -0.5, a, a**3))",
    ),
    _row("and, or, not", "if a > 0 and not (b > 0 or b < -1) then a * b else a",
         "torch.where((a > 0) & ~((b > 0) | (b < -1)), a * b, a)", a="k", b="k"),
    _row("comparisons", "if a <= b then (if a != 0 then a else b) else (if b == 0 then a else a * b)",
         "torch.where(a <= b, a, a * b)", a="k", b="k"),
    _row("stop gradient", "stop_gradient(a) * a", "a.detach() * a"),
    _row("detach", "detach(a^2) * sin(a)", "(a**2).detach() * a.sin()"),
)  # fmt: skip

ALGEBRA = (
    _row("solve", "solve[i, i'](a, b)", "torch.linalg.solve(a, b)", "i", a="i i' | regular", b="i"),
    _row(
        "solve for several right sides",
        "solve[i, i'](a, b)",
        "torch.linalg.solve(a, b)",
        "i k",
        a="i i' | regular",
        b="i k",
    ),
    _row("solve in a batch", "solve[i, i'](a, b)", "torch.linalg.solve(a, b)", "m i", a="m i i' | regular", b="m i"),
    _row("inverse", "inverse[i, i'](a)", "torch.linalg.inv(a)", "i i'", a="i i' | regular"),
    _row("inverse in a batch", "inverse[i, i'](a)", "torch.linalg.inv(a)", "m i i'", a="m i i' | regular"),
    _row("cholesky", "cholesky[i, i'](a)", "torch.linalg.cholesky(a)", "i i'", a="i i' | definite"),
    _row("logdet", "logdet[i, i'](a)", "torch.logdet(a)", "", a="i i' | definite"),
    _row("det", "det[i, i'](a)", "torch.linalg.det(a)", "", a="i i' | regular"),
    _row("det in a batch", "det[i, i'](a)", "torch.linalg.det(a)", "m", a="m i i' | regular"),
    _row("trace", "trace[i, i'](a)", "a.trace()", "", a="i i'"),
    _row("trace of a product", "trace[i, i'](a @ b)", "(a @ b).trace()", "", a="i k", b="k i'"),
    _row(
        "a quadratic form in the inverse",
        "b @ solve[i, i'](a, b)",
        "b @ torch.linalg.solve(a, b)",
        "",
        a="i i' | definite",
        b="i",
    ),
    _row(
        "log det by the Cholesky factor",
        "L = cholesky[i, i'](a)\n2 * sum[i](log(L[i' = index[i]]))",
        "2 * torch.linalg.cholesky(a).diagonal().log().sum()",
        "",
        a="i i' | definite",
    ),
)

COMPOSITIONS = (
    _row("mean squared error", "mean((a - b)^2)", "F.mse_loss(a, b)", "", a="i k", b="i k"),
    _row("mean absolute error", "mean(abs(a - b))", "F.l1_loss(a, b)", "", a="i k", b="i k"),
    _row(
        "Huber's loss",
        "r = abs(a - b)\nmean(if r <= 1 then r^2 / 2 else r - 0.5)",
        "F.huber_loss(a, b)",
        "",
        a="i k",
        b="i k",
    ),
    _row("cross entropy", "mean[i](logsumexp[k](a) - a[k = j])", "F.cross_entropy(a, j)", "", a="i k", j="i | index k"),
    _row(
        "cross entropy with smoothed labels",
        "p = log_softmax[k](a)\n-mean[i](0.9 * p[k = j] + 0.1 * mean[k](p))",
        "F.cross_entropy(a, j, label_smoothing=0.1)",
        "",
        a="i k",
        j="i | index k",
    ),
    _row(
        "binary cross entropy of logits",
        "mean(softplus(a) - sigmoid(b) * a)",
        "F.binary_cross_entropy_with_logits(a, b.sigmoid())",
        "",
        a="i k",
        b="i k",
    ),
    _row(
        "binary cross entropy as written",
        "p = 1 / (1 + exp(-a))\n-mean(y * log(p) + (1 - y) * log(1 - p))",
        "F.binary_cross_entropy_with_logits(a, y.expand(3, 4))",
        "",
        a="i k",
        y=("k | data", [0.0, 1.0, 0.3, 1.0]),
    ),
    _row(
        "Kullback-Leibler divergence",
        "p = softmax[k](b)\nsum(p * (log_softmax[k](b) - log_softmax[k](a)))",
        "F.kl_div(a.log_softmax(1), b.log_softmax(1), log_target=True, reduction='sum')",
        "",
        a="i k",
        b="i k",
    ),
    _row(
        "cosine similarity",
        "sum[k](a * b) / (norm[k](a) * norm[k](b))",
        "F.cosine_similarity(a, b)",
        "i",
        a="i k",
        b="i k",
    ),
    _row("hinge loss", "mean(relu(1 - a * b))", "(1 - a * b).relu().mean()", "", a="i", b="i"),
    _row(
        "triplet loss",
        "mean[i](relu(norm[k](a - b) - norm[k](a - c) + 1))",
        "F.triplet_margin_loss(a, b, c, eps=0)",
        "",
        a="i k",
        b="i k",
        c="i k",
    ),
    _row(
        "Poisson likelihood",
        "mean(exp(a) - y * a)",
        "F.poisson_nll_loss(a, y)",
        "",
        a="k",
        y=("k | data", [0.0, 2.0, 1.0, 5.0]),
    ),
    _row(
        "Gaussian likelihood",
        "mean((a - b)^2 / (2 * c) + log(c) / 2)",
        "F.gaussian_nll_loss(a, b, c)",
        "",
        a="k",
        b="k",
        c="k | positive",
    ),
    _row(
        "layer norm",
        "c = a - mean[k](a)\nc / sqrt(mean[k](c^2) + 1e-5) * g + b",
        "F.layer_norm(a, (4,), g, b)",
        "i k",
        a="i k",
        g="k",
        b="k",
    ),
    _row("rms norm", "a / sqrt(mean[k](a^2) + 1e-6) * g", "F.rms_norm(a, (4,), g, 1e-6)", "i k", a="i k", g="k"),
    _row(
        "batch norm",
        "c = a - mean[t](a)\nc / sqrt(var[t](a) + 1e-5) * g + b",
        "F.batch_norm(a, None, None, g, b, training=True)",
        "t k",
        a="t k",
        g="k",
        b="k",
    ),
    _row("silu", "a * sigmoid(a)", "F.silu(a)"),
    _row("mish", "a * tanh(softplus(a))", "F.mish(a)"),
    _row("gelu", "a * (1 + erf(a / sqrt(2))) / 2", "F.gelu(a)"),
    _row("gelu by tanh", "0.5 * a * (1 + tanh(sqrt(2 / pi) * (a + 0.044715 * a^3)))", "F.gelu(a, approximate='tanh')"),
    _row(
        "two layers",
        "h = tanh(x @ w + b)\nsoftplus(h @ v)",
        "F.softplus((x @ w + b).tanh() @ v)",
        "i t",
        x="i k",
        w="k m",
        b="m",
        v="m t",
    ),
    _row(
        "attention",
        "s = sum[m](q * k_[t -> t']) / sqrt(2)\nsum[t'](softmax[t'](s) * v[t -> t'])",
        "F.scaled_dot_product_attention(q[None], k_[None], v[None])[0]",
        "t i",
        q="t m",
        k_="t m",
        v="t i",
    ),
    _row(
        "attention to the past",
        "s = sum[m](q * k_[t -> t']) / sqrt(2)\n"
        "p = softmax[t'](if index[t'] <= index[t] then s else -1e30)\nsum[t'](p * v[t -> t'])",
        "F.scaled_dot_product_attention(q[None], k_[None], v[None], is_causal=True)[0]",
        "t i",
        q="t m",
        k_="t m",
        v="t i",
    ),
    _row(
        "a bag of words",
        "mean[t](a[k = j])",
        "F.embedding_bag(j[None], a, mode='mean')[0]",
        "i",
        a="k i",
        j=("t | index k", [2, 2, 0, 3, 2]),
    ),
    _row(
        "factorisation",
        "sum[m](a[i = j] * b[k = l]) + c",
        "(a[j] * b[l]).sum(1) + c",
        "t",
        a="i m",
        b="k m",
        c="",
        j=("t | index i", [0, 2, 2, 1, 0]),
        l=("t | index k", [3, 1, 1, 0, 3]),
    ),
    _row(
        "a kernel",
        "exp(-sum[m]((a - a[k -> k'])^2) / (2 * s^2))",
        "torch.exp(-((a[:, None] - a) ** 2).sum(2) / (2 * s**2))",
        "k k'",
        a="k m",
        s=" | positive",
    ),
    _row(
        "a mixture's likelihood",
        "sum[i](logsumexp[k](log_softmax[k](w) - (x - c)^2 / 2))",
        "(w.log_softmax(0) - (x[:, None] - c) ** 2 / 2).logsumexp(1).sum()",
        "",
        x="i",
        w="k",
        c="k",
    ),
    _row(
        "a Gaussian process",
        "K = exp(-((x - x[k -> k']) / s)^2 / 2) + where(index[k] == index[k'], 0.1, 0)\n"
        "y @ solve[k, k'](K, y) + logdet[k, k'](K)",
        "(lambda K: y @ torch.linalg.solve(K, y) + torch.logdet(K))"
        "(torch.exp(-(((x[:, None] - x) / s) ** 2) / 2) + 0.1 * torch.eye(4, dtype=x.dtype))",
        "",
        x="k",
        s=" | positive",
        y="k",
    ),
    _row(
        "a quotient of norms",
        "norm[k](a @ b) / norm[i](a)",
        "torch.linalg.norm(a @ b) / torch.linalg.norm(a)",
        "",
        a="i",
        b="i k",
    ),
    _row("a softmax written out", "exp(a) / sum[k](exp(a))", "a.softmax(1)", "i k", a="i k"),
    _row("a logarithm of a sum written out", "log(sum[k](exp(a)))", "a.logsumexp(1)", "i", a="i k"),
    _row(
        "a focal loss",
        "p = softmax[k](a)[k = j]\n-mean[i]((1 - p)^2 * log(p))",
        "(lambda p: -((1 - p) ** 2 * p.log()).mean())(a.softmax(1).gather(1, j[:, None])[:, 0])",
        "",
        a="i k",
        j="i | index k",
    ),
    _row(
        "an entropy",
        "p = softmax[k](a)\n-sum[k](p * log(p))",
        "torch.distributions.Categorical(logits=a).entropy()",
        "i",
        a="i k",
    ),
)

CORNERS = (
    _row("relu at 0", "relu(a)", "a.relu()", a=("k", [0.0, -1.0, 2.0, 0.0])),
    _row("abs at 0", "abs(a)", "a.abs()", a=("k", [0.0, -1.0, 2.0, 0.0])),
    _row("sign at 0", "sign(a)", "a.sign()", a=("k", [0.0, -1.0, 2.0, 0.0])),
    _row("step at 0", "step(a)", "(a > 0) + 0 * a", a=("k", [0.0, -1.0, 2.0, 0.0])),
    _row("leaky relu at 0", "leaky_relu(a)", "F.leaky_relu(a)", a=("k", [0.0, -1.0, 2.0, 0.0])),
    _row("elu at 0", "elu(a)", "F.elu(a)", a=("k", [0.0, -1.0, 2.0, 0.0]),
         differs="the second derivative at 0 is that of the branch that is taken there, as the first is",
         instead={"second a": "weight * direction['a'] * torch.tensor([1.0, math.exp(-1), 0.0, 1.0])"}),
    _row("softplus of what is large", "softplus(a)", "F.softplus(a)", a=("k", [-800.0, -40.0, 40.0, 800.0])),
    _row("sigmoid of what is large", "sigmoid(a)", "a.sigmoid()", a=("k", [-800.0, -40.0, 40.0, 800.0])),
    _row("max of ties", "max[k](a)", "a.amax(1)", "i",
         a=("i k", [[1.0, 3.0, 3.0, 2.0], [2.0, 2.0, 2.0, 2.0], [4.0, 1.0, 0.0, -1.0]])),
    _row("min of ties", "min[k](a)", "a.amin(1)", "i",
         a=("i k", [[1.0, 1.0, 3.0, 2.0], [2.0, 2.0, 2.0, 2.0], [4.0, 1.0, 0.0, -1.0]])),
    _row("maximum of two at a tie", "max(a, b)", "torch.maximum(a, b)",
         a=("k", [1.0, 2.0, 3.0, 4.0]), b=("k", [1.0, 3.0, 2.0, 4.0])),
    _row("minimum of two at a tie", "min(a, b)", "torch.minimum(a, b)",
         a=("k", [1.0, 2.0, 3.0, 4.0]), b=("k", [1.0, 3.0, 2.0, 4.0])),
    _row("clip at its ends", "clip(a, -1, 1)", "a.clamp(-1, 1)", a=("k", [-1.0, 0.0, 1.0, 2.0]),
         differs="clip is max and min, which share equally at a tie: half of it goes to the value, half to the end",
         instead={"a": "weight * torch.tensor([0.5, 1.0, 0.5, 0.0])"}),
    _row("norm at 0", "norm[k](a)", "torch.linalg.vector_norm(a, dim=1)", "i",
         a=("i k", [[0.0, 0.0, 0.0, 0.0], [3.0, 0.0, 4.0, 0.0], [0.0, 1.0, 0.0, 0.0]]),
         differs="at 0 the second derivative is 0, as the first is; PyTorch has none",
         instead={"second a": "torch.nan_to_num(second['a'])"}),
    _row("square of a norm at 0", "norm[k](a)^2", "(a * a).sum(1)", "i",
         a=("i k", [[0.0, 0.0, 0.0, 0.0], [3.0, 0.0, 4.0, 0.0], [0.0, 1.0, 0.0, 0.0]])),
    _row("root of a square at 0", "sqrt(a^2)", "a.abs()", a=("k", [0.0, -1.0, 2.0, 0.0])),
    _row("standard deviation of what is constant", "std[k](a)", "a.std(1, correction=0)", "i",
         a=("i k", [[2.0, 2.0, 2.0, 2.0], [3.0, 0.0, 4.0, 0.0], [0.0, 1.0, 0.0, 0.0]])),
    _row("square at 0", "a^2", "a**2", a=("k", [0.0, -1.0, 2.0, 0.0])),
    _row("cube at 0", "a^3", "a**3", a=("k", [0.0, -1.0, 2.0, 0.0])),
    _row("power of 0 at 0", "a^0 + a", "a**0 + a", a=("k", [0.0, -1.0, 2.0, 0.0])),
    _row("power of 0.5 times itself at 0", "a^1.5", "a**1.5", a=("k", [0.0, 1.0, 2.0, 0.5])),
    _row("a base of 0 to a power of 0 and more", "a^b", "a**b",
         a=("k | data", [0.0, 0.0, 2.0, 0.5]), b=("k", [0.0, 2.0, 1.0, 3.0]),
         differs="0^b is 0 for b > 0, and so are its derivatives; PyTorch has no second one",
         instead={"second b": "torch.nan_to_num(second['b'])"}),
    _row("x^0 by both", "a^b", "a**b", a=("k", [0.0, 0.0, 2.0, 0.5]), b=("k", [0.0, 2.0, 0.0, 3.0]),
         differs="second derivatives at a base of 0 are their limits: 2 of a^2 by a; PyTorch has none",
         instead={
             "second a": "torch.nan_to_num(second['a']) + torch.tensor([0, 2, 0, 0]) * weight * direction['a']",
             "second b": "torch.nan_to_num(second['b'])",
         }),
    _row("x log x at 0", "b * a * log(a)", "b * torch.xlogy(a, a)", a=("k | data", [0.0, 1.0, 2.0, 0.5]), b="k"),
    _row("x^2 log x at 0", "a^2 * log(a)", "torch.xlogy(a**2, a)", a=("k", [0.0, 1.0, 2.0, 0.5]),
         differs="the second derivative, 2 log x + 3, goes to minus infinity at 0; PyTorch has none",
         instead={"second a": "torch.where(second['a'].isnan(), -math.inf * weight * direction['a'], second['a'])"}),
    _row("xlogy at 0", "xlogy(a, b)", "torch.xlogy(a, b)",
         a=("k", [0.0, 1.0, 2.0, 0.0]), b=("k", [0.5, 1.0, 2.0, 3.0])),
    _row("prod with one 0", "prod[k](a)", "a.prod(1)", "i",
         a=("i k", [[0.0, 2.0, 3.0, 4.0], [1.0, 2.0, 0.0, -1.0], [4.0, 1.0, 2.0, -1.0]])),
    _row("prod with several 0", "prod[k](a)", "a.prod(1)", "i",
         a=("i k", [[0.0, 0.0, 3.0, 4.0], [0.0, 2.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])),
    _row("atan2 on the axes", "atan2(a, b)", "torch.atan2(a, b)",
         a=("k", [0.0, 1.0, 0.0, -1.0]), b=("k", [1.0, 0.0, -1.0, 0.0])),
    _row("logsumexp of what is large", "logsumexp[k](a)", "a.logsumexp(0)", "",
         a=("k", [1000.0, 999.0, -1000.0, 1000.0])),
    _row("softmax of what is large", "softmax[k](a)", "a.softmax(0)", "k", a=("k", [1000.0, 999.0, -1000.0, 1000.0])),
    _row("log softmax of what is large", "log_softmax[k](a)", "a.log_softmax(0)", "k",
         a=("k", [1000.0, 999.0, -1000.0, 1000.0])),
    _row("a branch not taken has no value", "if a > 0 then log(a) else a", "torch.where(a > 0, a.clamp(1e-9).log(), a)",
         a=("k", [0.0, -1.0, 2.0, 0.5])),
    _row("a branch not taken has no derivative", "if a > 0 then sqrt(a) else 2 * a",
         "torch.where(a > 0, a.clamp(1e-9).sqrt(), 2 * a)", a=("k", [0.0, -1.0, 2.0, 0.5])),
    _row("a length of 1: max", "max[one](a)", "a.amax(1)", "i", a="i one"),
    _row("a length of 1: variance", "var[one](a) + a[one = 0]", "a[:, 0]", "i", a="i one"),
    _row("a length of 1: norm", "norm[one](a)", "torch.linalg.vector_norm(a, dim=1)", "i", a="i one"),
    _row("a length of 1: softmax", "softmax[one](a) * b", "a.softmax(1) * b[:, None]", "i one", a="i one", b="i"),
    _row("a length of 1: logsumexp", "logsumexp[one](a)", "a.logsumexp(1)", "i", a="i one"),
    _row("a length of 1: prod", "prod[one](a)", "a.prod(1)", "i", a="i one"),
    _row("a length of 1: matrix product", "a @ b", "a @ b", "i k", a="i one", b="one k"),
    _row("a length of 1: turned round", "a[one = ::-1] * 2", "a * 2", "i one", a="i one"),
)  # fmt: skip

WINDOWS = (
    _row("convolution", "sum[m](window[t: m](a) * b)[t -> k]", "F.conv1d(a[None, None], b[None, None])[0, 0]",
         "k", a="t", b="m"),
    _row("convolution of channels", "sum[m, i](window[t: i](a) * b)[t -> i]", "F.conv1d(a, b)", "k i",
         a="m t", b="k m i"),
    _row("convolution, stride", "sum[i, m](window[t: m](a, stride=2) * b)[t -> m]", "F.conv1d(a, b, stride=2)", "k m",
         a="i t", b="k i m"),
    _row("convolution, dilation", "sum[k, m](window[t: m](a, dilation=2) * b)[t -> i]",
         "F.conv1d(a, b[None], dilation=2)[0]", "i", a="k t", b="k m"),
    _row("convolution, padding", "sum[m, i](window[t: i](a, pad=1) * b)", "F.conv1d(a, b, padding=1)", "k t",
         a="m t", b="k m i"),
    _row("convolution, as long as before", 'sum[i, m](window[t: m](a, pad="same") * b)',
         "F.conv1d(a, b, padding='same')", "k t", a="i t", b="k i m"),
    _row("convolution, all options", "sum[m, i](window[t: i](a, stride=2, dilation=2, pad=2) * b)[t -> i]",
         "F.conv1d(a, b, stride=2, dilation=2, padding=2)", "k i", a="m t", b="k m i"),
    _row("convolution of each channel", "sum[m](window[t: m](a) * b)[t -> k]",
         "F.conv1d(a, b[:, None], groups=3)", "i k", a="i t", b="i m"),
    _row("convolution by itself", "sum[t'](window[t: t'](a, pad=4) * a[t -> t'])[t = :5]",
         "F.conv1d(a[None, None], a[None, None], padding=4)[0, 0, :5]", "t", a="t"),
    _row("convolution in the plane", "sum[one, i, m'](window[t: i, k: m'](a) * b)[t -> i, k -> i']", "F.conv2d(a, b)",
         "m i i'", a="one t k", b="m one i m'"),
    _row("convolution in the plane, stride and padding",
         "sum[one, i, m'](window[t: i, k: m'](a, stride=2, pad=1) * b)[t -> i, k -> i']",
         "F.conv2d(a, b, stride=2, padding=1)", "m i i'", a="one t k", b="m one i m'"),
    _row("convolution in the plane, dilation",
         "sum[i, m, m'](window[t: m, k: m'](a, dilation=2) * b)[t -> i, k -> m]", "F.conv2d(a, b[None], dilation=2)[0]",
         "i m", a="i t k", b="i m m'"),
    _row("windows", "window[t: m](a, stride=3)[t -> m']^2", "a.unfold(1, 2, 3) ** 2", "i m' m", a="i t"),
    _row("max pool", "axis u: 2\nmax[u](window[t: u](a, stride=2))[t -> m]", "F.max_pool1d(a, 2)", "k m", a="k t"),
    _row("max pool that overlaps", "axis u: 2\nmax[u](window[t: u](a))[t -> k]", "F.max_pool1d(a, 2, stride=1)", "i k",
         a="i t"),
    _row("max pool dilated", "axis u: 3\nmax[u](window[t: u](a, dilation=2))[t -> one]",
         "F.max_pool1d(a, 3, stride=1, dilation=2)", "k one", a="k t"),
    _row("max pool in the plane", "axis u: 2, v: 2\nmax[u, v](window[t: u, k: v](a, stride=2))[t -> m, k -> m']",
         "F.max_pool2d(a, 2)", "i m m'", a="i t k"),
    _row("max pool of ties", "axis u: 2\nmax[u](window[t: u](a))[t -> k]", "a.unfold(0, 2, 1).amax(1)", "k",
         a=("t", [1.0, 1.0, 3.0, 3.0, 0.0])),
    _row("average pool", "axis u: 2\nmean[u](window[t: u](a, stride=2))[t -> m]^2", "F.avg_pool1d(a, 2) ** 2", "k m",
         a="k t"),
    _row("average pool, padded", "axis u: 3\nmean[u](window[t: u](a, stride=2, pad=1))[t -> i]^2",
         "F.avg_pool1d(a, 3, stride=2, padding=1) ** 2", "k i", a="k t"),
    _row("average pool in the plane",
         "axis u: 2, v: 2\nmean[u, v](window[t: u, k: v](a, stride=2))[t -> m, k -> m']^2",
         "F.avg_pool2d(a, 2) ** 2", "i m m'", a="i t k"),
)  # fmt: skip

LAYOUTS = (
    _row("concat", "concat[k](a, a[k = 0:1] * b)[k -> t]", "torch.cat([a, a[:, :1] * b[:, None]], 1)", "i t",
         a="i k", b="i"),
    _row("concat of parts", "concat[t](a[t = 1:]^2, a[t = :1] * b)", "torch.cat([a[1:] ** 2, a[:1] * b])", "t",
         a="t", b=""),
    _row("concat of three", "concat[t](a[t = 3:], b[t = 0:1], a[t = :2])^2",
         "torch.cat([a[:, 3:], b[:1].expand(3, 1), a[:, :2]], 1) ** 2", "i t", a="i t", b="t"),
    _row("flatten", "sin(flatten[(m, m') -> k](a))", "a.flatten().sin()", a="m m'"),
    _row("flatten in another order", "sin(flatten[(m', m) -> k](a))", "a.T.flatten().sin()", a="m m'"),
    _row("flatten of what lies along one axis each", "flatten[(m, m') -> k](a * b[m -> m'])",
         "torch.outer(a, b).flatten()", a="m", b="m"),
    _row("split", "split[k -> (m, m')](a)^2", "a.unflatten(0, (2, 2)) ** 2", "m m'"),
    _row("split in a batch", "b * split[k -> (m, m')](a)", "b * a.unflatten(1, (2, 2))", "i m m'", a="i k", b="m m'"),
    _row("split, turned and flattened", "flatten[(m', m) -> k](split[k -> (m: 2, m')](a))^2",
         "a.unflatten(0, (2, 2)).T.flatten() ** 2"),
    _row("cumsum", "cumsum[t](a)^2", "a.cumsum(1) ** 2", "i t", a="i t"),
    _row("cumsum along the first", "cumsum[i](a * b)", "(a * b).cumsum(0)", "i t", a="i t", b="t"),
    _row("cumsum of a length of 1", "cumsum[one](a)^2", "a**2", "i one", a="i one"),
    _row("log of a cumsum of exp", "log(cumsum[t](exp(a)))", "a.logcumsumexp(0)", "t", a="t"),
    _row("cumprod", "cumprod[t](a)", "a.cumprod(1)", "i t", a="i t"),
    _row("cumprod of a function", "cumprod[t](1 - sigmoid(a)) * b", "(1 - a.sigmoid()).cumprod(0) * b", "t",
         a="t", b="t"),
    _row("cumprod with one 0", "cumprod[k](a)", "torch.stack([a[:, : n + 1].prod(1) for n in range(4)], 1)", "i k",
         a=("i k", [[0.0, 2.0, 3.0, 4.0], [1.0, 2.0, 0.0, -1.0], [4.0, 1.0, 2.0, 0.0]])),
    _row("cumprod with several 0", "cumprod[k](a)", "torch.stack([a[:, : n + 1].prod(1) for n in range(4)], 1)", "i k",
         a=("i k", [[0.0, 0.0, 3.0, 4.0], [0.0, 2.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])),
    _row("sort", "sort[k](a) * b", "a.sort(1).values * b", "i k", a="i k", b="k"),
    _row("sort, squared", "sort[k](a)^3", "a.sort(1).values ** 3", "i k", a="i k"),
    _row("sort of ties", "sort[k](a^2) * b", "(a**2).sort(dim=1, stable=True).values * b", "i k",
         a=("i k", [[1.0, 3.0, 3.0, 2.0], [2.0, 2.0, 2.0, 2.0], [4.0, 1.0, 0.0, -1.0]]), b="k"),
    _row("median", "sort[i](a)[i = 1]^2", "a.median(0).values ** 2", a="i k"),
)  # fmt: skip

RECURRENCES = (
    _row("scan: a sum", "s = scan t with h = 0:\n    h = h + a\n    yield h\ns^2", "a.cumsum(1) ** 2", "i t", a="i t"),
    _row("scan: a product", "s = scan t with h = 1:\n    h = h * a\n    yield h\ns", "a.cumprod(0)", "t", a="t"),
    _row("scan: a moving average", "s = scan t with h = c:\n    h = b * h + (1 - b) * a\n    yield h\ns",
         "torch.stack([*accumulate(a, lambda h, x: b * h + (1 - b) * x, initial=c)][1:])", "t", a="t", b="", c=""),
    _row("scan: the logistic map", "s = scan t with h = c:\n    h = a * h * (1 - h)\n    yield h\ns",
         "torch.stack([*accumulate(a, lambda h, x: x * h * (1 - h), initial=c)][1:])", "t", a="t | unit", c=""),
    _row("scan: a state with a matrix",
         "s = scan t with h = c:\n    h = tanh((h @ b)[i' -> i] + a)\n    yield h\ns",
         "torch.stack([*accumulate(a, lambda h, x: (h @ b + x).tanh(), initial=c)][1:])", "t i",
         a="t i", b="i i'", c="i"),
    _row("scan: two values",
         "s = scan t with p = b, v = c:\n    v = v - 0.1 * sin(p) * a\n    p = p + 0.1 * v\n    yield p\ns",
         "torch.stack([p for p, v in accumulate("
         "a, lambda s, x: (lambda v: (s[0] + 0.1 * v, v))(s[1] - 0.1 * s[0].sin() * x), initial=(b, c))][1:])",
         "t", a="t", b="", c=""),
    _row("scan: the last step",
         "s = scan t with h = c:\n    h = h * b + a\n    yield h\ns[t = -1]",
         "[*accumulate(a, lambda h, x: h * b + x, initial=c)][-1]", "i", a="t i", b="i", c="i"),
    _row("scan: backward", "s = scan t with h = c:\n    h = sin(h + a)\n    yield h\ns[t = ::-1] * a",
         "torch.stack([*accumulate(a, lambda h, x: (h + x).sin(), initial=c)][1:]).flip(0) * a", "t", a="t", c=""),
)  # fmt: skip

TRIGAMMA = "trigamma is Hurwitz' zeta function of 2, which PyTorch has to all digits; of its trigamma some 9 are right"

DENSITIES = (
    _row("log gamma", "lgamma(a)", "a.lgamma()", a="k | positive", differs=TRIGAMMA,
         instead={"second a": "weight * torch.special.zeta(2.0, a) * direction['a']"}),
    _row("log gamma of what is negative", "lgamma(a)", "a.lgamma()", a=("k", [-0.5, -1.3, -2.75, -3.9])),
    _row("log gamma of what is large", "lgamma(a)", "a.lgamma()", a=("k", [1e-3, 30.0, 1e3, 1e6])),
    _row("digamma", "digamma(a)", "a.digamma()", a="k | positive", differs=TRIGAMMA,
         instead={"a": "weight * torch.special.zeta(2.0, a)"}),
    _row("digamma of what is negative", "digamma(a)", "a.digamma()", a=("k", [-0.5, -1.3, -2.75, -3.9])),
    _row("log beta", "lgamma(a) + lgamma(b) - lgamma(a + b)", "a.lgamma() + b.lgamma() - (a + b).lgamma()",
         a="k | positive", b="k | positive", differs=TRIGAMMA,
         instead={
             f"second {x}": f"weight * (torch.special.zeta(2.0, {x}) * direction['{x}']"
             " - torch.special.zeta(2.0, a + b) * (direction['a'] + direction['b']))"
             for x in "ab"
         }),
    _row("density of a gamma", "a * log(b) + (a - 1) * log(x) - b * x - lgamma(a)",
         "torch.distributions.Gamma(a, b).log_prob(x)", x="k | positive", a="k | positive", b="k | positive",
         differs=TRIGAMMA, instead={
             "second a": "weight * (direction['b'] / b + direction['x'] / x"
             " - torch.special.zeta(2.0, a) * direction['a'])"
         }),
    _row("density of Student's t",
         "lgamma((a + 1) / 2) - lgamma(a / 2) - log(pi * a) / 2 - (a + 1) / 2 * log(1 + x^2 / a)",
         "torch.distributions.StudentT(a).log_prob(x)", x="k", a=("k | data", [0.5, 1.0, 4.0, 30.0])),
)  # fmt: skip

OPERATIONS: tuple[Operation, ...] = (
    *POINTWISE,
    *REDUCTIONS,
    *CONTRACTIONS,
    *SELECTIONS,
    *BRANCHES,
    *ALGEBRA,
    *COMPOSITIONS,
    *CORNERS,
    *WINDOWS,
    *LAYOUTS,
    *RECURRENCES,
    *DENSITIES,
)
