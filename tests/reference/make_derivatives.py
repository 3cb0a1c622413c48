"""Writes derivatives.npz: gradients, Hessians, Jacobians and products with them by PyTorch, in float64.

python tests/reference/make_derivatives.py

A case is a model and the same function in PyTorch. Under `name/` stand the model's text, its data (`data.x`), a vector
`theta` of unconstrained parameters and a direction `v`; of the loss `loss`, `grad`, `hessian` and `hvp`; of each output
`output.p`, `jacobian.p` and `jvp.p`, whose axes stand as the model's outputs have them: in the order in which the
model first names them. What a model says with `grad` and its relatives is said here with torch.func.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.func import grad, hessian, jacrev, jvp, vmap

torch.set_default_dtype(torch.float64)
Tensor = torch.Tensor
Parts = dict[str, Tensor]
Function = Callable[[Parts, Parts], tuple[Tensor | None, Parts]]
CASES: dict[str, tuple[str, dict[str, tuple[int, ...]], dict[str, tuple], Function]] = {}


def case(model: str, data: dict[str, tuple[int, ...]], parameters: dict[str, tuple]) -> Callable[[Function], Function]:
    """A case: shapes of the data; of each parameter its shape, and the bounds where it has some."""

    def kept(function: Function) -> Function:
        CASES[function.__name__] = model, data, parameters, function
        return function

    return kept


def bounded(free: Tensor, low: float | None = None, high: float | None = None) -> Tensor:
    if low is not None and high is not None:
        return low + (high - low) * torch.sigmoid(free)
    if high is not None:
        return high - torch.exp(free)
    return free if low is None else low + torch.exp(free)


# ---------------------------------------------------------------------------------------------------------- regression


@case(
    """
    input x[n, d], y[n]
    param w[d] = 0
    axis d: 4
    r = x @ w - y
    minimize sum(r^2) / 2
    output r
    """,
    {"x": (6, 4), "y": (6,)},
    {"w": ((4,),)},
)
def least_squares(p, d):
    r = d["x"] @ p["w"] - d["y"]
    return (r**2).sum() / 2, {"r": r}


@case(
    """
    axis d: 3
    input x[n, d], y[n]
    param w[d] = 0, b = 0
    minimize mean((x @ w + b - y)^2) + 0.1 * sum(w^2)
    """,
    {"x": (7, 3), "y": (7,)},
    {"w": ((3,),), "b": ((),)},
)
def ridge(p, d):
    return ((d["x"] @ p["w"] + p["b"] - d["y"]) ** 2).mean() + 0.1 * (p["w"] ** 2).sum(), {}


@case(
    """
    axis d: 3
    input x[n, d], y[n]
    param w[d] = 0, b = 0
    z = x @ w + b
    minimize mean(softplus(z) - y * z)
    output p = sigmoid(z)
    """,
    {"x": (8, 3), "y": (8,)},
    {"w": ((3,),), "b": ((),)},
)
def logistic(p, d):
    z = d["x"] @ p["w"] + p["b"]
    return (torch.nn.functional.softplus(z) - d["y"] * z).mean(), {"p": torch.sigmoid(z)}


@case(
    """
    axis d: 3, k: 4
    input x[n, d], label[n]: k
    param W[d, k] = 0, b[k] = 0
    z = x @ W + b
    minimize mean(logsumexp[k](z) - z[k = label])
    output p = softmax[k](z)
    """,
    {"x": (6, 3), "label": (6, -4)},
    {"W": ((3, 4),), "b": ((4,),)},
)
def softmax_regression(p, d):
    z = d["x"] @ p["W"] + p["b"]
    return torch.nn.functional.cross_entropy(z, d["label"]), {"p": torch.softmax(z, 1)}


@case(
    """
    axis d: 3
    input x[n, d], y[n]
    param w[d] = 0, b = 0
    z = x @ w + b
    minimize mean(exp(z) - y^2 * z)
    output rate = exp(z)
    """,
    {"x": (6, 3), "y": (6,)},
    {"w": ((3,),), "b": ((),)},
)
def poisson(p, d):
    z = d["x"] @ p["w"] + p["b"]
    return (torch.exp(z) - d["y"] ** 2 * z).mean(), {"rate": torch.exp(z)}


@case(
    """
    axis d: 3
    input x[n, d], y[n]
    param w[d] = 0, scale > 0 = 1
    r = (x @ w - y) / scale
    loss = if abs(r) < 1 then r^2 / 2 else abs(r) - 0.5
    minimize mean(loss + log(scale))
    output r
    """,
    {"x": (9, 3), "y": (9,)},
    {"w": ((3,),), "scale": ((), 0, None)},
)
def huber_with_scale(p, d):
    r = (d["x"] @ p["w"] - d["y"]) / p["scale"]
    return (torch.where(r.abs() < 1, r**2 / 2, r.abs() - 0.5) + torch.log(p["scale"])).mean(), {"r": r}


# ------------------------------------------------------------------------------------------------------------ networks


@case(
    """
    axis d: 3, h: 4
    input x[n, d], y[n]
    param W[d, h] = 0, b[h] = 0, v[h] = 0, c = 0
    f = tanh(x @ W + b) @ v + c
    minimize mean((f - y)^2)
    output f
    """,
    {"x": (6, 3), "y": (6,)},
    {"W": ((3, 4),), "b": ((4,),), "v": ((4,),), "c": ((),)},
)
def perceptron(p, d):
    f = torch.tanh(d["x"] @ p["W"] + p["b"]) @ p["v"] + p["c"]
    return ((f - d["y"]) ** 2).mean(), {"f": f}


@case(
    """
    axis d: 3, h: 4, k: 3
    input x[n, d], label[n]: k
    param W1[d, h] = 0, b1[h] = 0, W2[h, k] = 0
    hidden = relu(x @ W1 + b1)
    z = hidden @ W2
    minimize mean(logsumexp[k](z) - z[k = label])
    output hidden, z
    """,
    {"x": (7, 3), "label": (7, -3)},
    {"W1": ((3, 4),), "b1": ((4,),), "W2": ((4, 3),)},
)
def relu_classifier(p, d):
    hidden = torch.relu(d["x"] @ p["W1"] + p["b1"])
    z = hidden @ p["W2"]
    return torch.nn.functional.cross_entropy(z, d["label"]), {"hidden": hidden, "z": z}


@case(
    """
    axis d: 4
    input x[n, d], y[n, d]
    param g[d] = 1, b[d] = 0, W[d, d'] = 0
    h = sum[d](x * W)[d' -> d]
    c = h - mean[d](h)
    f = c / sqrt(mean[d](c^2) + 0.01) * g + b
    minimize mean((f - y)^2)
    output f
    """,
    {"x": (5, 4), "y": (5, 4)},
    {"g": ((4,),), "b": ((4,),), "W": ((4, 4),)},
)
def layer_norm(p, d):
    h = d["x"] @ p["W"]
    c = h - h.mean(1, keepdim=True)
    f = c / torch.sqrt((c**2).mean(1, keepdim=True) + 0.01) * p["g"] + p["b"]
    return ((f - d["y"]) ** 2).mean(), {"f": f}


@case(
    """
    axis d: 2, k: 2
    input x[n, t, d], y[n, d]
    param Q[d, k] = 0, K[d, k] = 0
    batch n
    score = sum[k]((x @ Q) * (x @ K)[t -> t'])
    weight = softmax[t'](score)
    f = mean[t](sum[t'](weight * x[t -> t']))
    minimize sum((f - y)^2)
    output f
    """,
    {"x": (3, 4, 2), "y": (3, 2)},
    {"Q": ((2, 2),), "K": ((2, 2),)},
)
def attention(p, d):
    score = torch.einsum("ntk,nsk->nts", d["x"] @ p["Q"], d["x"] @ p["K"])
    f = torch.einsum("nts,nsd->ntd", torch.softmax(score, 2), d["x"]).mean(1)
    return ((f - d["y"]) ** 2).sum(), {"f": f}


@case(
    """
    axis word: 5, d: 2
    input i[n]: word, j[n]: word, y[n]
    param E[word, d] = 0, b[word] = 0
    f = sum[d](E[word = i] * E[word = j]) + b[word = i]
    minimize mean((f - y)^2)
    output f
    """,
    {"i": (9, -5), "j": (9, -5), "y": (9,)},
    {"E": ((5, 2),), "b": ((5,),)},
)
def factors_gathered(p, d):
    f = (p["E"][d["i"]] * p["E"][d["j"]]).sum(1) + p["b"][d["i"]]
    return ((f - d["y"]) ** 2).mean(), {"f": f}


# ------------------------------------------------------------------------------------------------------------ densities


@case(
    """
    axis k: 3, d: 2
    input x[n, d]
    param weight[k] = 0, mean_[k, d] = 0, scale[k] > 0 = 1
    z = sum[d]((x - mean_)^2) / scale^2
    each = log_softmax[k](weight) - z / 2 - 2 * log(scale)
    minimize -mean(logsumexp[k](each))
    output share = softmax[k](each)
    """,
    {"x": (8, 2)},
    {"weight": ((3,),), "mean_": ((3, 2),), "scale": ((3,), 0, None)},
)
def mixture(p, d):
    z = ((d["x"][:, None] - p["mean_"]) ** 2).sum(2) / p["scale"] ** 2
    each = torch.log_softmax(p["weight"], 0) - z / 2 - 2 * torch.log(p["scale"])
    return -torch.logsumexp(each, 1).mean(), {"share": torch.softmax(each, 1)}


@case(
    """
    axis d: 3
    input x[n, d]
    param L[d, d'] = 0, m[d] = 0
    A = sum[d'](L * L[d -> e]) + (if index[d] == index[e] then 1 else 0)
    axis e like d
    r = x - m
    minimize mean(sum[d, e](r * A * r[d -> e])) - logdet[d, e](A)
    """,
    {"x": (6, 3)},
    {"L": ((3, 3),), "m": ((3,),)},
)
def gaussian_by_precision(p, d):
    A = p["L"] @ p["L"].T + torch.eye(3)
    r = d["x"] - p["m"]
    return torch.einsum("nd,de,ne->n", r, A, r).mean() - torch.logdet(A), {}


@case(
    """
    input x[n], y[n]
    param scale > 0 = 1, length > 0 = 1, noise > 0 = 0.1
    K = scale * exp(-((x - x[n -> n']) / length)^2 / 2) + (if index[n] == index[n'] then noise else 0)
    L = cholesky[n, n'](K)
    minimize sum[n](y * solve[n, n'](K, y)) / 2 + sum[n](log(L[n' = index[n]]))
    output alpha = solve[n, n'](K, y)
    """,
    {"x": (5,), "y": (5,)},
    {"scale": ((), 0, None), "length": ((), 0, None), "noise": ((), 0, None)},
)
def gaussian_process(p, d):
    K = p["scale"] * torch.exp(-(((d["x"][:, None] - d["x"]) / p["length"]) ** 2) / 2) + p["noise"] * torch.eye(5)
    alpha = torch.linalg.solve(K, d["y"])
    return d["y"] @ alpha / 2 + torch.log(torch.diagonal(torch.linalg.cholesky(K))).sum(), {"alpha": alpha}


@case(
    """
    axis d: 3
    input x[n, d], y[n]
    param A[d, d'] = 0, s = 1
    M = A + (if index[d] == index[d'] then 2 else 0)
    B = inverse[d, d'](M)
    minimize sum((sum[d, d'](x * B * x[d -> d']) - y)^2) / 10 + s * det[d, d'](M) + trace[d, d'](B)
    output B
    """,
    {"x": (4, 3), "y": (4,)},
    {"A": ((3, 3),), "s": ((),)},
)
def inverse_and_determinant(p, d):
    M = p["A"] + 2 * torch.eye(3)
    B = torch.linalg.inv(M)
    r = torch.einsum("nd,de,ne->n", d["x"], B, d["x"]) - d["y"]
    return (r**2).sum() / 10 + p["s"] * torch.linalg.det(M) + torch.trace(B), {"B": B}


@case(
    """
    input y[n], x[n]
    param low in (-1, 2) = 0, high < 3 = 1, rate > 0.5 = 1
    f = low + (high - low) * sigmoid(rate * x)
    minimize mean((f - y)^2)
    output f
    """,
    {"x": (7,), "y": (7,)},
    {"low": ((), -1, 2), "high": ((), None, 3), "rate": ((), 0.5, None)},
)
def bounds(p, d):
    f = p["low"] + (p["high"] - p["low"]) * torch.sigmoid(p["rate"] * d["x"])
    return ((f - d["y"]) ** 2).mean(), {"f": f}


# ------------------------------------------------------------------------------------------------- operations, corners


@case(
    """
    axis k: 4
    input x[n, k]
    param w[k] = 1
    z = x * w
    minimize sum(max[k](z) * min[k](z)) + sum(max[k](w) * w)
    output top = max[k](w)
    """,
    {"x": (5, 4)},
    {"w": ((4,), "ties")},
)
def maximum_with_ties(p, d):
    z = d["x"] * p["w"]
    top = torch.amax(p["w"], 0)
    return (torch.amax(z, 1) * torch.amin(z, 1)).sum() + (top * p["w"]).sum(), {"top": top}


@case(
    """
    axis k: 4
    input x[n, k]
    param w[k] = 1
    minimize sum(prod[k](w + x)) + prod[k](w) * sum(w) + prod[k](w - 0.5)^2
    output p = prod[k](w)
    """,
    {"x": (5, 4)},
    {"w": ((4,), "zeros")},
)
def product_with_zeros(p, d):
    w = p["w"]
    value = torch.prod(w + d["x"], 1).sum() + torch.prod(w, 0) * w.sum() + torch.prod(w - 0.5, 0) ** 2
    return value, {"p": torch.prod(w, 0)}


@case(
    """
    axis k: 4
    input x[n]
    param w[k] = 0, v = 0
    minimize sum(relu(w) * sum(w + 1)) + sum(abs(w)^3 + abs(w) * v) + sum[n](relu(x * v)^2)
    output r = relu(w + v), a = abs(w)
    """,
    {"x": (5,)},
    {"w": ((4,), "zeros"), "v": ((),)},
)
def corners_of_relu_and_abs(p, d):
    w, v = p["w"], p["v"]
    value = (torch.relu(w) * (w + 1).sum()).sum() + (w.abs() ** 3 + w.abs() * v).sum()
    return value + (torch.relu(d["x"] * v) ** 2).sum(), {"r": torch.relu(w + v), "a": w.abs()}


@case(
    """
    input x[n], y[n]
    param a = 1, b = 1
    z = a * x + b
    f = if z > 0 then sqrt(z) * a else (if y > 0 then exp(z) else z^2 * b)
    minimize mean((f - y)^2)
    output f
    """,
    {"x": (9,), "y": (9,)},
    {"a": ((),), "b": ((),)},
)
def branches(p, d):
    z = p["a"] * d["x"] + p["b"]
    safe = torch.where(z > 0, z, torch.ones_like(z))
    f = torch.where(
        z > 0,
        torch.sqrt(safe) * p["a"],
        torch.where(d["y"] > 0, torch.exp(torch.where(z > 0, 0 * z, z)), z**2 * p["b"]),
    )
    return ((f - d["y"]) ** 2).mean(), {"f": f}


@case(
    """
    axis d: 3
    input x[n, d]
    param m[d] = 0, s[d] = 1
    z = x * s - m
    minimize mean(norm[d](z)) + std[d](m) + var[d](s) + norm(s - m)
    output l = norm[d](z)
    """,
    {"x": (6, 3)},
    {"m": ((3,),), "s": ((3,),)},
)
def norms(p, d):
    z = d["x"] * p["s"] - p["m"]
    m, s = p["m"], p["s"]
    value = z.norm(dim=1).mean() + torch.sqrt(m.var(correction=0)) + s.var(correction=0) + (s - m).norm()
    return value, {"l": z.norm(dim=1)}


@case(
    """
    axis t: 6
    input x[n, t]
    param a = 0.5, c[t] = 0
    r = x[t = 1:] - a * x[t = :-1] - c[t = 1:] * c[t = ::-1][t = 1:]
    minimize mean(r^2) + sum((c[t = ::2] - c[t = 1::2])^3)
    output r, last = c[t = -1] * a
    """,
    {"x": (4, 6)},
    {"a": ((),), "c": ((6,),)},
)
def slices(p, d):
    a, c, x = p["a"], p["c"], d["x"]
    r = x[:, 1:] - a * x[:, :-1] - c[1:] * c.flip(0)[1:]
    return (r**2).mean() + ((c[::2] - c[1::2]) ** 3).sum(), {"r": r, "last": c[-1] * a}


@case(
    """
    input x[n]
    param a = 1, b = 0.5
    z = x * a
    minimize mean(maximum(z, b) * minimum(z, x + b) + clip(z, -1, 1)^3 + atan2(z, 2 + b^2) + xlogy(b^2, 1 + z^2))
    output c = clip(z, -0.7, b)
    """,
    {"x": (8,)},
    {"a": ((),), "b": ((),)},
)
def pairs(p, d):
    a, b, x = p["a"], p["b"], d["x"]
    z = x * a
    value = torch.maximum(z, b) * torch.minimum(z, x + b) + z.clamp(-1, 1) ** 3
    value = value + torch.atan2(z, 2 + b**2) + torch.xlogy(b**2, 1 + z**2)
    return value.mean(), {"c": torch.minimum(torch.maximum(z, torch.tensor(-0.7)), b)}


@case(
    """
    axis d: 3
    input x[n, d]
    param u[d] = 1, p > 0 = 1
    s = x @ u
    minimize mean(cosh(s / 5) + asinh(s) * p + log1p(s^2)^p + erf(s) - tanh(s)^2 + (1 + s^2)^(-p / 2) + expm1(s / 3))
    output q = (1 + s^2)^p, e = erf(s)
    """,
    {"x": (6, 3)},
    {"u": ((3,),), "p": ((), 0, None)},
)
def functions(p, d):
    s, e = d["x"] @ p["u"], p["p"]
    value = torch.cosh(s / 5) + torch.asinh(s) * e + torch.log1p(s**2) ** e + torch.erf(s) - torch.tanh(s) ** 2
    value = value + (1 + s**2) ** (-e / 2) + torch.expm1(s / 3)
    return value.mean(), {"q": (1 + s**2) ** e, "e": torch.erf(s)}


# --------------------------------------------------------------------------------------- derivatives within the model


@case(
    """
    axis d: 2, h: 3
    input x[n, d], real[n, d]
    param W[d, h] = 0, b[h] = 0, v[h] = 0
    def critic(z[d]) = tanh(z @ W + b) @ v
    slope = grad[x](sum(critic(x)))
    minimize mean(critic(x) - critic(real)) + 10 * mean((norm[d](slope) - 1)^2)
    output slope
    """,
    {"x": (5, 2), "real": (5, 2)},
    {"W": ((2, 3),), "b": ((3,),), "v": ((3,),)},
)
def gradient_penalty(p, d):
    def critic(z):
        return torch.tanh(z @ p["W"] + p["b"]) @ p["v"]

    slope = vmap(grad(critic))(d["x"])
    value = (critic(d["x"]) - critic(d["real"])).mean() + 10 * ((slope.norm(dim=1) - 1) ** 2).mean()
    return value, {"slope": slope}


@case(
    """
    axis h: 4
    input t[n], x[n]
    param A[h] = 1, B[h] = 1, c[h] = 0, v[h] = 1, speed > 0 = 1
    u = tanh(t * A + x * B + c) @ v
    u_t = grad[t](sum(u))
    u_x = grad[x](sum(u))
    u_xx = grad[x](sum(u_x))
    minimize mean((u_t + speed * u * u_x - 0.1 * u_xx)^2)
    output u, u_xx
    """,
    {"t": (5,), "x": (5,)},
    {"A": ((4,),), "B": ((4,),), "c": ((4,),), "v": ((4,),), "speed": ((), 0, None)},
)
def burgers_equation(p, d):
    def u(t, x):
        return torch.tanh(t * p["A"] + x * p["B"] + p["c"]) @ p["v"]

    value, u_t = vmap(u)(d["t"], d["x"]), vmap(grad(u, 0))(d["t"], d["x"])
    u_x, u_xx = vmap(grad(u, 1))(d["t"], d["x"]), vmap(grad(grad(u, 1), 1))(d["t"], d["x"])
    return ((u_t + p["speed"] * value * u_x - 0.1 * u_xx) ** 2).mean(), {"u": value, "u_xx": u_xx}


@case(
    """
    axis d: 3
    input x[n, d], y[n]
    param w[d] = 0, prior > 0 = 1
    z = x @ w
    energy = sum(softplus(z) - y * z) + prior * sum(w^2) / 2
    H = hessian[w](energy)
    minimize energy + logdet[d, d'](H) / 2
    output H
    """,
    {"x": (6, 3), "y": (6,)},
    {"w": ((3,),), "prior": ((), 0, None)},
)
def laplace_approximation(p, d):
    def energy(w):
        z = d["x"] @ w
        return (torch.nn.functional.softplus(z) - d["y"] * z).sum() + p["prior"] * (w**2).sum() / 2

    H = hessian(energy)(p["w"])
    return energy(p["w"]) + torch.logdet(H) / 2, {"H": H}


@case(
    """
    axis d: 3, k: 2
    input x[n, d], v[d], q[n, k]
    param W[d, k] = 0
    y = tanh(x @ W)
    J = jacobian[W](y)
    pushed = jvp[x](y, v)
    pulled = vjp[x](y, q * y)
    curved = hvp[W](sum(y^3), W)
    minimize sum(J^2) / 10 + sum(pushed^2) + sum(pulled^2) + sum(W * curved)
    output pushed, pulled, curved
    """,
    {"x": (4, 3), "v": (3,), "q": (4, 2)},
    {"W": ((3, 2),)},
)
def products_within(p, d):
    W, x = p["W"], d["x"]

    def f(W, x):
        return torch.tanh(x @ W)

    pushed = jvp(lambda x: f(W, x), (x,), (d["v"].expand(4, 3),))[1]
    pulled = torch.func.vjp(lambda x: f(W, x), x)[1](d["q"] * f(W, x))[0]
    curved = jvp(grad(lambda A: (f(A, x) ** 3).sum()), (W,), (W.clone(),))[1]
    J = jacrev(f)(W, x)
    value = (J**2).sum() / 10 + (pushed**2).sum() + (pulled**2).sum() + (W * curved).sum()
    return value, {"pushed": pushed, "pulled": pulled, "curved": curved}


@case(
    """
    axis d: 2
    input q[n, d], p[n, d], force[n, d]
    param k > 0 = 1, c = 0.1
    energy = sum[d](p^2) / 2 + k * sum[d](q^2) / 2 + c * prod[d](q)^2
    velocity = grad[p](sum(energy))
    pull = -grad[q](sum(energy))
    minimize mean((pull - force)^2 + (velocity - p * k)^2)
    output pull
    """,
    {"q": (5, 2), "p": (5, 2), "force": (5, 2)},
    {"k": ((), 0, None), "c": ((),)},
)
def hamiltonian(p, d):
    def energy(q, m):
        return (m**2).sum() / 2 + p["k"] * (q**2).sum() / 2 + p["c"] * torch.prod(q) ** 2

    velocity, pull = vmap(grad(energy, 1))(d["q"], d["p"]), -vmap(grad(energy, 0))(d["q"], d["p"])
    return ((pull - d["force"]) ** 2 + (velocity - d["p"] * p["k"]) ** 2).mean(), {"pull": pull}


@case(
    """
    axis h: 3, d: 2
    input x[n, d], y[n]
    param W[d, h] = 0, v[h] = 0
    z = x @ W
    f = sin(z) @ v
    loss = mean((f - y)^2)
    g = grad[z](loss)
    s = stop_gradient(grad[W](loss))
    minimize loss + sum(g^2) + sum(s * W)
    output g
    """,
    {"x": (5, 2), "y": (5,)},
    {"W": ((2, 3),), "v": ((3,),)},
)
def by_a_named_value(p, d):
    def loss(z, v):
        return ((torch.sin(z) @ v - d["y"]) ** 2).mean()

    z = d["x"] @ p["W"]
    g = grad(loss)(z, p["v"])
    s = grad(lambda W: loss(d["x"] @ W, p["v"]))(p["W"]).detach()
    return loss(z, p["v"]) + (g**2).sum() + (s * p["W"]).sum(), {"g": g}


# ----------------------------------------------------------------------------------------------------------- the values


def parts(theta: Tensor, parameters: dict[str, tuple]) -> Parts:
    found, start = {}, 0
    for name, (shape, *bounds) in parameters.items():
        stop = start + int(np.prod(shape))
        limits = [] if bounds and isinstance(bounds[0], str) else bounds
        found[name] = bounded(theta[start:stop].reshape(shape), *limits)
        start = stop
    return found


def drawn(shape: tuple[int, ...]) -> Tensor:
    """Numbers; positions along an axis of length k where the shape ends in -k."""
    return torch.randint(-shape[-1], shape[:-1]) if shape and shape[-1] < 0 else torch.randn(shape)


def point(parameters: dict[str, tuple]) -> Tensor:
    """Unconstrained parameters; some at a corner."""
    found = []
    for shape, *bounds in parameters.values():
        value = 0.6 * torch.randn(int(np.prod(shape)))
        if bounds == ["ties"]:
            value = torch.tensor([0.5, 0.5, -0.25, 0.5])
        elif bounds == ["zeros"]:
            value = torch.tensor([0.0, 0.75, 0.0, -0.5])
        found.append(value)
    return torch.cat(found)


def main() -> None:
    torch.manual_seed(0)
    stored: dict[str, np.ndarray] = {}
    for name, (model, shapes, parameters, function) in CASES.items():
        data = {key: drawn(shape) for key, shape in shapes.items()}
        theta = point(parameters)
        v = torch.randn_like(theta)

        def loss(theta, function=function, parameters=parameters, data=data):
            return function(parts(theta, parameters), data)[0]

        def outputs(theta, function=function, parameters=parameters, data=data):
            return function(parts(theta, parameters), data)[1]

        found = {
            "model": np.array("\n".join(line[4:] for line in model.strip("\n").split("\n")).rstrip() + "\n"),
            "theta": theta,
            "v": v,
            "loss": loss(theta),
            "grad": grad(loss)(theta),
            "hessian": jacrev(jacrev(loss))(theta),
            "hvp": torch.autograd.functional.vhp(loss, theta, v)[1],
            **{f"data.{key}": value for key, value in data.items()},
        }
        if outputs(theta):
            found |= {f"output.{key}": value for key, value in outputs(theta).items()}
            found |= {f"jacobian.{key}": value for key, value in jacrev(outputs)(theta).items()}
            found |= {f"jvp.{key}": value for key, value in jvp(outputs, (theta,), (v,))[1].items()}
        assert all(torch.isfinite(value).all() for value in found.values() if isinstance(value, Tensor)), name
        stored.update({f"{name}/{key}": np.asarray(value) for key, value in found.items()})
    np.savez_compressed(Path(__file__).with_name("derivatives.npz"), **stored)


if __name__ == "__main__":
    main()
