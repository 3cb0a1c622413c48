"""Identities of matrix calculus: each as a model, and its gradient in closed form, written down in NumPy.

The numbers are those of equations in K. B. Petersen and M. S. Pedersen, "The Matrix Cookbook" (version of 15 November
2012); M&N is J. R. Magnus and H. Neudecker, "Matrix Differential Calculus" (2019), by chapter. A matrix
`X[i, j]` has the rows `i`. The ten that `printed` gives are the simplest: what `inspect` prints is the textbook's line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


class Given(dict[str, Array]):
    """What a model is given, by name: `g.X`."""

    def __getattr__(self, name: str) -> Array:
        return self[name]


@dataclass(frozen=True)
class Identity:
    """`gradient` gives the closed form by the one parameter of the model; `printed` what `inspect` prints of it."""

    number: str
    name: str
    text: str
    gradient: Callable[[Given], Any]
    printed: str | None = None

    @property
    def title(self) -> str:
        return f"{self.number} {self.name}"


def inv(a: Array) -> Array:
    return np.linalg.inv(a)


def det(a: Array) -> Any:
    return np.linalg.det(a)


def _rows(text: str) -> str:
    return "".join(f"{line.strip()}\n" for line in text.strip().splitlines())


SQUARE = "axis i: 3\nparam X[i, i'] ~ normal(0, 1)\n"
TALL = "axis i: 3, j: 2\nparam X[i, j] ~ normal(0, 1)\n"
VECTOR = "axis i: 3\nparam x[i] ~ normal(0, 1)\n"
POWERS = "X2 = X @ X[i -> i', i' -> i'']\n"


def _one(
    number: str, name: str, head: str, body: str, gradient: Callable[[Given], Any], printed: str | None = None
) -> Identity:
    return Identity(number, name, head + _rows(body), gradient, printed)


DETERMINANTS = (
    _one(
        "49",
        "det X",
        SQUARE,
        "minimize det[i, i'](X)",
        lambda g: det(g.X) * inv(g.X).T,
        "d loss/d X = det[i, i'](X) * inverse[i, i'](X)[i -> i', i' -> i]",
    ),
    _one(
        "51",
        "det AXB",
        "axis i: 3\naxis j like i\nparam X[i, j] ~ normal(0, 1)\n",
        "input A[i', i], B[j, j']\nminimize det[i', j'](A @ X @ B)",
        lambda g: det(g.A @ g.X @ g.B) * inv(g.X).T,
    ),
    _one(
        "52",
        "det X'AX, X square",
        "axis i: 3\naxis j like i\nparam X[i, j] ~ normal(0, 1)\n",
        "input A[i, i']\nminimize det[j, j'](X @ A @ X[i -> i', j -> j'])",
        lambda g: 2 * det(g.X.T @ g.A @ g.X) * inv(g.X).T,
    ),
    _one(
        "53",
        "det X'AX, A symmetric",
        TALL,
        """input M[i, i']
        A = M + M[i -> i', i' -> i]
        minimize det[j, j'](X @ A @ X[i -> i', j -> j'])""",
        lambda g: 2 * det(g.X.T @ (g.M + g.M.T) @ g.X) * (g.M + g.M.T) @ g.X @ inv(g.X.T @ (g.M + g.M.T) @ g.X),
    ),
    _one(
        "54",
        "det X'AX",
        TALL,
        """input A[i, i']
        minimize det[j, j'](X @ A @ X[i -> i', j -> j'])""",
        lambda g: (
            det(g.X.T @ g.A @ g.X) * (g.A @ g.X @ inv(g.X.T @ g.A @ g.X) + g.A.T @ g.X @ inv(g.X.T @ g.A.T @ g.X))
        ),
    ),
    _one(
        "55",
        "log det X'X",
        TALL,
        "minimize logdet[j, j'](X @ X[j -> j'])",
        lambda g: 2 * np.linalg.pinv(g.X).T,
        "d loss/d X = 2 * (X[j -> j'] @ inverse[j, j'](X @ X[j -> j']))",
    ),
    _one("57", "log |det X|", SQUARE, "minimize log(abs(det[i, i'](X)))", lambda g: inv(g.X).T),
    _one("58", "det X^2", SQUARE, f"{POWERS}minimize det[i, i''](X2)", lambda g: 2 * det(g.X @ g.X) * inv(g.X).T),
    _one(
        "58",
        "det X^3",
        SQUARE,
        f"{POWERS}minimize det[i, i'''](X2 @ X[i -> i'', i' -> i'''])",
        lambda g: 3 * det(g.X) ** 3 * inv(g.X).T,
    ),
    _one(
        "62",
        "det of the inverse",
        SQUARE,
        "minimize det[i, i'](inverse[i, i'](X))",
        lambda g: -det(inv(g.X)) * inv(g.X).T,
    ),
    _one(
        "46",
        "det by a scalar",
        "axis i: 3\nparam t ~ normal(0, 1)\n",
        "input A[i, i'], B[i, i']\nminimize det[i, i'](A + t * B)",
        lambda g: det(g.A + g.t * g.B) * np.trace(inv(g.A + g.t * g.B) @ g.B),
    ),
    _one(
        "43",
        "log det by a scalar",
        "axis i: 3\nparam t ~ normal(0, 1)\n",
        """input A[i, i'], B[i, i']
        S = sum[k](A[i' -> k] * A[i -> i', i' -> k]) + t^2 * sum[k](B[i' -> k] * B[i -> i', i' -> k])
        axis k like i
        minimize logdet[i, i'](S)""",
        lambda g: np.trace(inv(g.A @ g.A.T + g.t**2 * g.B @ g.B.T) @ (2 * g.t * g.B @ g.B.T)),
    ),
)

INVERSES = (
    _one(
        "60",
        "one element of the inverse",
        SQUARE,
        "minimize inverse[i, i'](X)[i = 0, i' = 2]",
        lambda g: -np.outer(inv(g.X)[0], inv(g.X)[:, 2]),
    ),
    _one(
        "61",
        "a'X^-1 b, solved",
        SQUARE,
        "input a[i], b[i]\nminimize a @ solve[i, i'](X, b)",
        lambda g: -inv(g.X).T @ np.outer(g.a, g.b) @ inv(g.X).T,
    ),
    _one(
        "61",
        "a'X^-1 b, by the inverse",
        SQUARE,
        "input a[i], b[i]\nminimize a @ inverse[i, i'](X) @ b[i -> i']",
        lambda g: -inv(g.X).T @ np.outer(g.a, g.b) @ inv(g.X).T,
    ),
    _one(
        "63",
        "tr A X^-1 B",
        "axis i: 3, j: 2\nparam X[i, i'] ~ normal(0, 1)\n",
        "input A[j, i], B[i', j']\nminimize trace[j, j'](A @ inverse[i, i'](X) @ B)",
        lambda g: -(inv(g.X) @ g.B @ g.A @ inv(g.X)).T,
    ),
    _one(
        "64",
        "tr (X + A)^-1",
        SQUARE,
        "input A[i, i']\nminimize trace[i, i'](inverse[i, i'](X + A))",
        lambda g: -(inv(g.X + g.A) @ inv(g.X + g.A)).T,
    ),
    _one(
        "125",
        "tr (X'CX)^-1 A, C symmetric",
        TALL,
        """input A[j, j'], M[i, i']
        C = M + M[i -> i', i' -> i]
        S = X @ C @ X[i -> i', j -> j']
        minimize sum(inverse[j, j'](S) * A[j -> j', j' -> j])""",
        lambda g: (
            -(g.M + g.M.T) @ g.X @ inv(g.X.T @ (g.M + g.M.T) @ g.X) @ (g.A + g.A.T) @ inv(g.X.T @ (g.M + g.M.T) @ g.X)
        ),
    ),
    _one(
        "126",
        "tr (X'CX)^-1 (X'BX), B and C symmetric",
        TALL,
        """input M[i, i'], N[i, i']
        C = M + M[i -> i', i' -> i]
        B = N + N[i -> i', i' -> i]
        S = X @ C @ X[i -> i', j -> j']
        T = X @ B @ X[i -> i', j -> j']
        minimize trace[j, j''](inverse[j, j'](S) @ T[j -> j', j' -> j''])""",
        lambda g: _generalised(g, np.zeros((2, 2))),
    ),
    _one(
        "127",
        "tr (A + X'CX)^-1 (X'BX), B and C symmetric",
        TALL,
        """input M[i, i'], N[i, i'], K[j, j']
        A = K + K[j -> j', j' -> j]
        C = M + M[i -> i', i' -> i]
        B = N + N[i -> i', i' -> i]
        S = A + X @ C @ X[i -> i', j -> j']
        T = X @ B @ X[i -> i', j -> j']
        minimize trace[j, j''](inverse[j, j'](S) @ T[j -> j', j' -> j''])""",
        lambda g: _generalised(g, g.K + g.K.T),
    ),
)


def _generalised(g: Given, a: Array) -> Array:
    c, b = g.M + g.M.T, g.N + g.N.T
    s = inv(a + g.X.T @ c @ g.X)
    found: Array = -2 * c @ g.X @ s @ g.X.T @ b @ g.X @ s + 2 * b @ g.X @ s
    return found


FIRST_ORDER = (
    _one("69", "x'a", VECTOR, "input a[i]\nminimize x @ a", lambda g: g.a, "d loss/d x = a"),
    _one(
        "70", "a'Xb", TALL, "input a[i], b[j]\nminimize a @ X @ b", lambda g: np.outer(g.a, g.b), "d loss/d X = a * b"
    ),
    _one("71", "a'X'b", TALL, "input a[j], b[i]\nminimize a @ X @ b", lambda g: np.outer(g.b, g.a)),
    _one(
        "72",
        "a'Xa",
        SQUARE,
        "input a[i]\nminimize a @ X @ a[i -> i']",
        lambda g: np.outer(g.a, g.a),
        "d loss/d X = a * a[i -> i']",
    ),
    _one(
        "99",
        "tr X",
        SQUARE,
        "minimize trace[i, i'](X)",
        lambda g: np.eye(3),
        "d loss/d X = if index[i] == index[i'] then 1 else 0",
    ),
    _one(
        "100", "tr XA", TALL, "input A[j, i']\nminimize trace[i, i'](X @ A)", lambda g: g.A.T, "d loss/d X = A[i' -> i]"
    ),
    _one(
        "101",
        "tr AXB",
        "axis i: 3, j: 2, k: 4\nparam X[i, j] ~ normal(0, 1)\n",
        "input A[k, i], B[j, k']\nminimize trace[k, k'](A @ X @ B)",
        lambda g: g.A.T @ g.B.T,
        "d loss/d X = A @ B[k' -> k]",
    ),
    _one(
        "102",
        "tr AX'B",
        "axis i: 3, j: 2, k: 4\nparam X[i, j] ~ normal(0, 1)\n",
        "input A[k, j], B[i, k']\nminimize trace[k, k'](A @ X @ B)",
        lambda g: g.B @ g.A,
        "d loss/d X = B[k' -> k] @ A",
    ),
    _one(
        "103", "tr X'A", TALL, "input A[i, j']\nminimize trace[j, j'](X @ A)", lambda g: g.A, "d loss/d X = A[j' -> j]"
    ),
    _one(
        "104", "tr AX'", TALL, "input A[i', j]\nminimize trace[i', i](A @ X)", lambda g: g.A, "d loss/d X = A[i' -> i]"
    ),
    _one(
        "105",
        "tr A (x) X",
        SQUARE,
        "input A[k: 2, k']\nminimize sum[k, i](A[k' = index[k]] * X[i' = index[i]])",
        lambda g: np.trace(g.A) * np.eye(3),
    ),
)

SECOND_ORDER = (
    _one(
        "76",
        "(sum of X)^2",
        TALL,
        "minimize sum(X) * sum(X)",
        lambda g: np.full((3, 2), 2 * g.X.sum()),
        "d loss/d X = 2 * sum[i, j](X)",
    ),
    _one(
        "77",
        "b'X'Xc",
        TALL,
        "input b[j], c[j]\nminimize (X @ b) @ (X @ c)",
        lambda g: g.X @ (np.outer(g.b, g.c) + np.outer(g.c, g.b)),
    ),
    _one(
        "78",
        "(Bx + b)'C(Dx + d)",
        "axis i: 3, j: 2, k: 4\nparam x[j] ~ normal(0, 1)\n",
        "input B[i, j], b[i], C[i, k], D[k, j], d[k]\nminimize (B @ x + b) @ C @ (D @ x + d)",
        lambda g: g.B.T @ g.C @ (g.D @ g.x + g.d) + g.D.T @ g.C.T @ (g.B @ g.x + g.b),
    ),
    _one(
        "81",
        "x'Bx",
        VECTOR,
        "input B[i, i']\nminimize x @ B @ x[i -> i']",
        lambda g: (g.B + g.B.T) @ g.x,
        "d loss/d x = (B @ x)[i' -> i] + B @ x[i -> i']",
    ),
    _one(
        "82",
        "b'X'DXc",
        TALL,
        "input b[j], c[j], D[i, i']\nminimize (X @ b) @ D @ (X @ c)[i -> i']",
        lambda g: g.D.T @ g.X @ np.outer(g.b, g.c) + g.D @ g.X @ np.outer(g.c, g.b),
    ),
    _one(
        "83",
        "(Xb + c)'D(Xb + c)",
        TALL,
        "input b[j], c[i], D[i, i']\ny = X @ b + c\nminimize y @ D @ y[i -> i']",
        lambda g: np.outer((g.D + g.D.T) @ (g.X @ g.b + g.c), g.b),
    ),
    _one(
        "84",
        "(x - As)'W(x - As) by s, W symmetric",
        "axis i: 3, j: 2\nparam s[j] ~ normal(0, 1)\n",
        """input x[i], A[i, j], M[i, i']
        W = M + M[i -> i', i' -> i]
        e = x - A @ s
        minimize e @ W @ e[i -> i']""",
        lambda g: -2 * g.A.T @ (g.M + g.M.T) @ (g.x - g.A @ g.s),
    ),
    _one(
        "85",
        "(x - s)'W(x - s) by x, W symmetric",
        VECTOR,
        "input s[i], M[i, i']\nW = M + M[i -> i', i' -> i]\ne = x - s\nminimize e @ W @ e[i -> i']",
        lambda g: 2 * (g.M + g.M.T) @ (g.x - g.s),
        "d loss/d x = 2 * (W @ e)[i' -> i]",
    ),
    _one(
        "86",
        "(x - s)'W(x - s) by s, W symmetric",
        "axis i: 3\nparam s[i] ~ normal(0, 1)\n",
        "input x[i], M[i, i']\nW = M + M[i -> i', i' -> i]\ne = x - s\nminimize e @ W @ e[i -> i']",
        lambda g: -2 * (g.M + g.M.T) @ (g.x - g.s),
    ),
    _one(
        "87",
        "(x - As)'W(x - As) by x, W symmetric",
        VECTOR,
        """input s[j: 2], A[i, j], M[i, i']
        W = M + M[i -> i', i' -> i]
        e = x - A @ s
        minimize e @ W @ e[i -> i']""",
        lambda g: 2 * (g.M + g.M.T) @ (g.x - g.A @ g.s),
    ),
    _one(
        "88",
        "(x - As)'W(x - As) by A, W symmetric",
        "axis i: 3, j: 2\nparam A[i, j] ~ normal(0, 1)\n",
        """input x[i], s[j], M[i, i']
        W = M + M[i -> i', i' -> i]
        e = x - A @ s
        minimize e @ W @ e[i -> i']""",
        lambda g: -2 * np.outer((g.M + g.M.T) @ (g.x - g.A @ g.s), g.s),
    ),
    _one(
        "97",
        "x'Ax + b'x",
        VECTOR,
        "input A[i, i'], b[i]\nminimize x @ A @ x[i -> i'] + b @ x",
        lambda g: (g.A + g.A.T) @ g.x + g.b,
    ),
    _one(
        "106",
        "tr X^2",
        SQUARE,
        f"{POWERS}minimize trace[i, i''](X2)",
        lambda g: 2 * g.X.T,
        "d loss/d X = 2 * X[i -> i', i' -> i]",
    ),
    _one(
        "107",
        "tr X^2 B",
        SQUARE,
        f"input B[i, i']\n{POWERS}minimize trace[i, i'''](X2 @ B[i -> i'', i' -> i'''])",
        lambda g: (g.X @ g.B + g.B @ g.X).T,
    ),
    _one(
        "108",
        "tr X'BX",
        TALL,
        "input B[i, i']\nminimize trace[j, j'](X @ B @ X[i -> i', j -> j'])",
        lambda g: g.B @ g.X + g.B.T @ g.X,
    ),
    _one(
        "109",
        "tr BXX'",
        TALL,
        "input B[i'', i]\nminimize trace[i'', i'](B @ X @ X[i -> i'])",
        lambda g: g.B @ g.X + g.B.T @ g.X,
    ),
    _one(
        "110",
        "tr XX'B",
        TALL,
        "input B[i', i'']\nminimize trace[i, i''](X @ X[i -> i'] @ B)",
        lambda g: g.B @ g.X + g.B.T @ g.X,
    ),
    _one(
        "111",
        "tr XBX'",
        TALL,
        "input B[j, j']\nminimize trace[i, i'](X @ B @ X[i -> i', j -> j'])",
        lambda g: g.X @ g.B.T + g.X @ g.B,
    ),
    _one(
        "112",
        "tr BX'X",
        TALL,
        "input B[j'', j]\nminimize trace[j'', j'](B @ X @ X[j -> j'])",
        lambda g: g.X @ g.B.T + g.X @ g.B,
    ),
    _one(
        "113",
        "tr X'XB",
        TALL,
        "input B[j', j'']\nminimize trace[j, j''](X @ X[j -> j'] @ B)",
        lambda g: g.X @ g.B.T + g.X @ g.B,
    ),
    _one(
        "114",
        "tr AXBX",
        TALL,
        "input A[j, i], B[j, i]\nminimize sum((A @ X[j -> j']) * (B[j -> j', i -> i'] @ X[i -> i']))",
        lambda g: g.A.T @ g.X.T @ g.B.T + g.B.T @ g.X.T @ g.A.T,
    ),
    _one("115", "tr X'X", TALL, "minimize trace[j, j'](X @ X[j -> j'])", lambda g: 2 * g.X, "d loss/d X = 2 * X"),
    _one(
        "116",
        "tr B'X'CXB",
        TALL,
        """input B[j, k: 4], C[i, i']
        Y = X @ B
        minimize trace[k, k'](Y @ C @ Y[i -> i', k -> k'])""",
        lambda g: g.C.T @ g.X @ g.B @ g.B.T + g.C @ g.X @ g.B @ g.B.T,
    ),
    _one(
        "117",
        "tr X'BXC",
        TALL,
        "input B[i, i'], C[j', j'']\nminimize trace[j, j''](X @ B @ X[i -> i', j -> j'] @ C)",
        lambda g: g.B @ g.X @ g.C + g.B.T @ g.X @ g.C.T,
    ),
    _one(
        "118",
        "tr AXBX'C",
        TALL,
        "input A[k: 4, i], B[j, j'], C[i', k']\nminimize trace[k, k'](A @ X @ B @ X[i -> i', j -> j'] @ C)",
        lambda g: g.A.T @ g.C.T @ g.X @ g.B.T + g.C @ g.A @ g.X @ g.B,
    ),
    _one(
        "119",
        "tr (AXB + C)(AXB + C)'",
        TALL,
        "input A[k: 4, i], B[j, l: 3], C[k, l]\nY = A @ X @ B + C\nminimize trace[k, k'](Y @ Y[k -> k'])",
        lambda g: 2 * g.A.T @ (g.A @ g.X @ g.B + g.C) @ g.B.T,
        "d loss/d X = 2 * (A @ Y @ B)",
    ),
    _one(
        "120",
        "tr X (x) X",
        SQUARE,
        "minimize trace[i, i'](X) * trace[i, i'](X)",
        lambda g: 2 * np.trace(g.X) * np.eye(3),
        "d loss/d X = 2 * trace[i, i'](X) * (if index[i] == index[i'] then 1 else 0)",
    ),
)

HIGHER_ORDER = (
    _one(
        "91",
        "a'X^2 b",
        SQUARE,
        f"input a[i], b[i]\n{POWERS}minimize a @ X2 @ b[i -> i'']",
        lambda g: np.outer(g.a, g.b) @ g.X.T + g.X.T @ np.outer(g.a, g.b),
    ),
    _one(
        "91",
        "a'X^3 b",
        SQUARE,
        f"input a[i], b[i]\n{POWERS}minimize a @ X2 @ X[i -> i'', i' -> i'''] @ b[i -> i''']",
        lambda g: sum(
            np.linalg.matrix_power(g.X, r).T @ np.outer(g.a, g.b) @ np.linalg.matrix_power(g.X, 2 - r).T
            for r in range(3)
        ),
    ),
    _one(
        "94",
        "a quotient of quadratic forms",
        "axis i: 3, j: 2\nparam x[j] ~ normal(0, 1)\n",
        "input A[i, j], B[i, j]\nminimize sum((A @ x)^2) / sum((B @ x)^2)",
        lambda g: (
            2 * g.A.T @ g.A @ g.x / (g.x @ g.B.T @ g.B @ g.x)
            - 2 * (g.x @ g.A.T @ g.A @ g.x) * g.B.T @ g.B @ g.x / (g.x @ g.B.T @ g.B @ g.x) ** 2
        ),
    ),
    _one(
        "121",
        "tr X^3",
        SQUARE,
        f"{POWERS}minimize trace[i, i'''](X2 @ X[i -> i'', i' -> i'''])",
        lambda g: 3 * (g.X @ g.X).T,
    ),
    _one(
        "122",
        "tr AX^3",
        SQUARE,
        f"input A[i''', i]\n{POWERS}minimize trace[i''', i''''](A @ X2 @ X[i -> i'', i' -> i''''])",
        lambda g: sum((np.linalg.matrix_power(g.X, r) @ g.A @ np.linalg.matrix_power(g.X, 2 - r)).T for r in range(3)),
    ),
    _one(
        "123",
        "tr B'X'CXX'CXB",
        TALL,
        """input B[j, k: 4], C[i, i']
        Y = X @ B
        Z = X @ X[i -> i']
        U = C @ Y[i -> i']
        V = Y @ C
        minimize sum(V[i' -> i] * Z * U[i -> i'])""",
        lambda g: (
            g.C @ g.X @ g.X.T @ g.C @ g.X @ g.B @ g.B.T
            + g.C.T @ g.X @ g.B @ g.B.T @ g.X.T @ g.C.T @ g.X
            + g.C @ g.X @ g.B @ g.B.T @ g.X.T @ g.C @ g.X
            + g.C.T @ g.X @ g.X.T @ g.C.T @ g.X @ g.B @ g.B.T
        ),
    ),
)

NORMS = (
    _one(
        "129",
        "|x - a|",
        VECTOR,
        "input a[i]\nminimize norm[i](x - a)",
        lambda g: (g.x - g.a) / np.linalg.norm(g.x - g.a),
        "d loss/d x = (if norm[i](x - a) > 0 then 1 / norm[i](x - a) else 0) * (x - a)",
    ),
    _one(
        "130",
        "c'(x - a) / |x - a|",
        VECTOR,
        "input a[i], c[i]\nminimize c @ ((x - a) / norm[i](x - a))",
        lambda g: g.c / np.linalg.norm(g.x - g.a) - (g.x - g.a) * ((g.x - g.a) @ g.c) / np.linalg.norm(g.x - g.a) ** 3,
    ),
    _one("131", "|x|^2", VECTOR, "minimize norm[i](x)^2", lambda g: 2 * g.x, "d loss/d x = 2 * x"),
    _one("132", "|X|_F^2", TALL, "minimize norm(X)^2", lambda g: 2 * g.X, "d loss/d X = 2 * X"),
    _one("M&N 9", "|X|_F", TALL, "minimize norm(X)", lambda g: g.X / np.linalg.norm(g.X)),
    _one(
        "M&N 8",
        "log det (X'AX), A symmetric",
        TALL,
        """input M[k: 4, i]
        A = M @ M[i -> i']
        minimize logdet[j, j'](X @ A @ X[i -> i', j -> j'])""",
        lambda g: 2 * (g.M.T @ g.M) @ g.X @ inv(g.X.T @ (g.M.T @ g.M) @ g.X),
    ),
    _one(
        "M&N 15",
        "a Gaussian's likelihood by its covariance",
        SQUARE,
        """input y[n, i]
        S = X @ X[i -> k]
        axis k like i
        minimize size[n] / 2 * logdet[i, k](S) + sum(y * solve[i, k](S, y)) / 2""",
        lambda g: len(g.y) * inv(g.X @ g.X.T) @ g.X - inv(g.X @ g.X.T) @ g.y.T @ g.y @ inv(g.X @ g.X.T) @ g.X,
    ),
)

IDENTITIES: tuple[Identity, ...] = (*DETERMINANTS, *INVERSES, *FIRST_ORDER, *SECOND_ORDER, *HIGHER_ORDER, *NORMS)
