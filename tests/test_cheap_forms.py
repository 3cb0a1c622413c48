"""Forms of linear algebra that tracing frameworks miss: each module computes the cheap one, and the same value.

The cases follow C. Psarras, H. Barthels and P. Bientinesi, "The Linear Algebra Mapping Problem" (2022), and A.
Sankaran, N. Akbari Alashti, C. Psarras and P. Bientinesi, "Benchmarking the Linear Algebra Awareness of TensorFlow and
PyTorch" (2022): chains, distributivity, symmetry, diagonals, partial reads. Work is counted in the lowered program,
value and gradient together: how many operations run over two and over three axes of length n.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pytest

from gradc.compiler.graph import Contract, Leaf, Relabel, Slice, Spread, reachable
from gradc.compiler.lower import lower
from gradc.compiler.pipeline import Compiled

from .harness import Truth, compiled, distance, sample, start

pytestmark = pytest.mark.simplified

HEAD = "axis i: 40, j: 40, k: 40, m: 40, a: 40\n"


@dataclass(frozen=True)
class Case:
    """A model, and the most operations over three and over two axes that its cheap form takes."""

    text: str
    cubic: int
    square: int
    tells: bool = True  # whether the model as written takes more over three axes, or over two


CASES = {
    "a chain of matrices ends in a vector": Case(
        "param A[i, j] = 1, B[j, k] = 1, v[k] = 1\nminimize sum[i](sum[k](sum[j](A * B) * v)^2)", 0, 6
    ),
    "a longer chain": Case(
        "param A[i, j] = 1, B[j, k] = 1, C[k, m] = 1, v[m] = 1\n"
        "minimize sum[i](sum[m](sum[k](sum[j](A * B) * C) * v)^2)",
        0,
        9,
    ),
    "the sum of a product of matrices": Case(
        "param A[i, j] = 1, B[j, k] = 1\nminimize sum[i, k](sum[j](A * B))^2", 0, 2
    ),
    "the trace of a product": Case(
        "param A[i, j] = 1, B[j, i] = 1\nC = sum[j](A * B[i -> i'])\nminimize sum[i](C[i' = index[i]])^2", 0, 3
    ),
    "the diagonal of a product": Case(
        "param A[i, j] = 1, B[j, i] = 1\nC = sum[j](A * B[i -> i'])\nminimize sum[i](C[i' = index[i]]^2)", 0, 3
    ),
    "diag(V' T V)": Case(
        "param V[i, a] = 1, T[i, j] = 1\nQ = sum[i, i'](V * T[j -> i'] * V[i -> i', a -> a'])\n"
        "g = Q[a' = index[a]]\nminimize sum[a](g^2)",
        3,
        6,
    ),
    "A B + A C": Case(
        "param A[i, j] = 1, B[j, k] = 1, C[j, k] = 1\nminimize sum[i, k]((sum[j](A * B) + sum[j](A * C))^2)", 3, 4
    ),
    "A B - C B": Case(
        "param A[i, j] = 1, B[j, k] = 1, C[i, j] = 1\nminimize sum[i, k]((sum[j](A * B) - sum[j](C * B))^2)", 3, 5
    ),
    "(A - H'H) x": Case(
        "param A[i, j] = 1, H[m, i] = 1, x[j] = 1\nminimize sum[i](sum[j]((A - sum[m](H * H[i -> j])) * x)^2)",
        0,
        11,
    ),
    "an element of a product": Case(
        "param A[i, j] = 1, B[j, k] = 1\nC = sum[j](A * B)\nminimize C[i = 2, k = 3]^2", 0, 3
    ),
    "a row of a product": Case("param A[i, j] = 1, B[j, k] = 1\nC = A @ B\nminimize sum[k](C[i = 2]^2)", 0, 5),
    "an element of a sum": Case("param A[i, j] = 1, B[i, j] = 1\nC = A + B\nminimize C[i = 2, j = 3]^2", 0, 1),
    "a symmetric product and its transpose": Case(
        "param A[m, i] = 1\nS = sum[m](A * A[i -> j])\nT = S[i -> j, j -> i]\nminimize sum[i, j](S * T)",
        2,
        4,
        tells=False,
    ),
    "one product under two names": Case(
        "param A[m, i] = 1, B[m, j] = 1\nS = sum[m](A * B)\nminimize sum[j, j'](sum[i](S * sum[m](A * B[j -> j']))^2)",
        6,
        5,
        tells=False,
    ),
    "a diagonal matrix times a vector": Case(
        "param w[i] = 1, x[i] = 1\nD = if index[i] == index[i'] then w else 0\n"
        "minimize sum[i](sum[i'](D * x[i -> i'])^2)",
        0,
        0,
    ),
    "a diagonal matrix times a matrix": Case(
        "param w[i] = 1, X[i, j] = 1\nD = if index[i] == index[i'] then w else 0\n"
        "minimize sum[i, j](sum[i'](D * X[i -> i'])^2)",
        0,
        4,
    ),
    "a Gram matrix in a quadratic form": Case(
        "param A[m, i] = 1, x[i] = 1\nminimize sum[i](sum[j](sum[m](A * A[i -> j]) * x[i -> j]) * x)", 0, 5
    ),
    "an outer product times a vector": Case(
        "param u[i] = 1, v[j] = 1, x[j] = 1\nM = u * v\nminimize sum[i](sum[j](M * x)^2)", 0, 0
    ),
    "the norm of an outer product": Case("param u[i] = 1, v[j] = 1\nminimize sum[i, j]((u * v)^2)", 0, 0),
    "factors of a sum": Case("param A[i, j] = 1, s = 1, t = 1\nminimize sum[i, j](s * t * A)^2", 0, 1, tells=False),
    "a transpose of a transpose": Case(
        "param A[i, j] = 1, B[i, j] = 1\nminimize sum[i, j]((A + B[i -> j, j -> i][i -> j, j -> i])^2)", 0, 3
    ),
}


def work(of: Compiled) -> Counter[int]:
    """How many operations of value and gradient run over so many axes, those that are summed with them."""
    program = lower(of.program, "float64")
    roots = [o.value for o in program.objectives]
    roots += [node for gradient in program.gradients.values() for node in gradient.values()]
    found: Counter[int] = Counter()
    for node in reachable(roots):
        if node.trained and not isinstance(node, Leaf | Relabel | Slice | Spread):
            found[len(node.axes) + (len(node.summed) if isinstance(node, Contract) else 0)] += 1
    return found


@pytest.mark.parametrize("name", CASES)
def test_the_module_has_the_cheap_form(name: str) -> None:
    case = CASES[name]
    of, module = compiled(HEAD + case.text + "\n")
    found = work(of)
    assert (found[3], found[2]) <= (case.cubic, case.square)
    assert max(found) <= 3
    assert not of.rewrites.refused
    plain = work(compiled(HEAD + case.text + "\n", without=("tensor",))[0])
    assert not case.tells or (plain[3], plain[2]) > (case.cubic, case.square), "the test cannot fail"
    theta = start(module, data := sample(module), spread=1.0)
    truth = Truth(of.elaborated, module, data, theta)
    loss, gradient = module.bind(data)(theta)
    assert distance(loss, truth.loss_and_gradient[0]) < 1e-12
    assert distance(gradient, truth.loss_and_gradient[1]) < 1e-12
