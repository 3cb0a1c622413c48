"""Operators, selections, branches, numbers that have a name, and arrays that come from axes alone."""

from __future__ import annotations

from .entry import Entry, entry

OPERATORS = "Operators"
SELECTIONS = "Selections"
BRANCHES = "Branches"
ARRAYS = "Numbers, and arrays from axes"

BY_NAME = "Aligned by name; a value is repeated along the axes that it lacks."


def entries() -> tuple[Entry, ...]:
    """The pages."""
    return (*_operators(), *_selections(), *_branches(), *_arrays())


def _operators() -> tuple[Entry, ...]:
    return (
        entry(
            OPERATORS,
            "arithmetic + - * /",
            "x + y\nx - y\nx * y\nx / y\n-x",
            "Point by point. Two values meet along an axis only where their lengths are equal as formulas.",
            """
            input x[n], y[n]
            param w = 2, b = 0
            minimize mean((w * x + b - y)^2)
            """,
            axes=BY_NAME,
            derivative="By x and y: `1` and `1`; `1` and `-1`; `y` and `x`; `1 / y` and `-x / y^2`.",
            see="power contraction sum",
        ),
        entry(
            OPERATORS,
            "power ^ **",
            "x^y\nx**y",
            "x to the power of y. A power binds tighter than a sign, `-x^2` is `-(x^2)`, and to the right.",
            """
            # A power law.
            input x[n], y[n]
            param scale > 0 = 1, exponent = 1
            minimize mean((scale * (1 + x^2)^exponent - y)^2)
            """,
            axes=BY_NAME,
            derivative="`y * x^(y - 1)` by x, and `x^y * log(x)` by y.",
            corners="""`x^0` is 1 at 0, and its derivative by x is 0. `0^y` is 0 for y above 0, and its derivative by y
            is 0.""",
            see="arithmetic sqrt exp",
        ),
        entry(
            OPERATORS,
            "contraction @",
            "a @ b",
            """The sum of the product over the one axis that both have. Where they share none, or several, it is a
            mistake that is told with what to write: `sum[k](a * b)`.""",
            """
            axis d: 3, k: 2
            input x[n, d], y[n, k]
            param W[d, k] ~ normal(0, 1)
            minimize mean((x @ W - y)^2)
            """,
            axes="The shared one goes, all others stay.",
            derivative="The product of the cotangent with the other side, summed over what this side lacks.",
            see="sum arithmetic",
        ),
        entry(
            OPERATORS,
            "pipe |>",
            "x |> f",
            "`f(x)`, for functions and layers: a chain reads from left to right.",
            """
            input x[n], y[n]
            param w = 0.5
            minimize w * x - y |> abs |> mean
            """,
            see="def layer",
        ),
        entry(
            OPERATORS,
            "comparison == != < <= > >=",
            "x == y\nx != y\nx < y\nx <= y\nx > y\nx >= y",
            "True or false, point by point.",
            """
            input x[n], y[n]
            param w = 0.5
            minimize mean((if x > 0 then w * x else 0) * y + w^2)
            metric positive = mean(y > 0)
            """,
            axes=BY_NAME,
            derivative="None: it chooses.",
            see="if and any",
        ),
        entry(
            OPERATORS,
            "and or not true false",
            "a and b\na or b\nnot a",
            "Of truth values, point by point. `and` binds tighter than `or`, and `not` tighter than both.",
            """
            input x[n], y[n], valid[n]: bool
            param w = 0.5
            used = valid and not (x < -1 or x > 1)
            minimize mean(if used then (w * x - y)^2 else 0)
            """,
            axes=BY_NAME,
            derivative="None: it chooses.",
            see="if comparison",
        ),
    )


def _selections() -> tuple[Entry, ...]:
    return (
        entry(
            SELECTIONS,
            "position",
            "x[t = 0]\nx[t = -1]",
            "One position along an axis, a whole number that is known when data are bound; below 0 from the end.",
            """
            axis t: 3
            input x[n, t]
            param w = 0.5
            minimize mean((x[t = -1] - w * x[t = 0])^2)
            """,
            axes="The axis goes.",
            derivative="At that position, and 0 elsewhere.",
            see="slice gather",
        ),
        entry(
            SELECTIONS,
            "slice",
            "x[t = 1:]\nx[t = :-1]\nx[t = ::2]\nx[t = ::-1]",
            """Positions from a start up to a stop, in steps, counted as Python does; a step below 0 goes backward.
            Lengths are compared as formulas: `x[t = 1:] - x[t = :-1]` is right, and `x[t = 1:] - x` a mistake.""",
            """
            # An autoregression: each value from the one before.
            input x[n, t]
            param w = 0.5
            minimize mean((x[t = 1:] - w * x[t = :-1])^2)
            """,
            axes="The axis stays, with the number of positions taken as its length.",
            derivative="At those positions, and 0 elsewhere.",
            see="position gather",
        ),
        entry(
            SELECTIONS,
            "gather",
            "E[vocab = token]",
            """The positions along an axis that a value of whole numbers names. The value is an input declared as an
            index, an `argmax`, or `index[k]`.""",
            """
            # A number for each of five words.
            axis word: 5
            input token[n]: word, y[n]
            param E[word] ~ normal(0, 1)
            minimize mean((E[word = token] - y)^2)
            """,
            axes="The axis goes, and those of the value of whole numbers come.",
            derivative="Added up at each position: one that is named twice gets both.",
            see="position index argmax input",
        ),
        entry(
            SELECTIONS,
            "rename ->",
            "x[d -> d']\nx[i -> j, j -> i]",
            """The same value with an axis under another name, all pairs at once; a prime makes a copy of an axis. So a
            transpose is `A[i -> j, j -> i]`.""",
            """
            # How much each two of the rows are alike.
            axis d: 2
            input x[n, d], y[n, n']
            param scale[d] = 1
            z = x * scale
            minimize mean((sum[d](z * z[n -> n']) - y)^2)
            """,
            axes="One goes, and another of its length comes.",
            derivative="Under the name that it had.",
            see="axis contraction",
        ),
    )


def _branches() -> tuple[Entry, ...]:
    return (
        entry(
            BRANCHES,
            "if then else where",
            "if c then a else b\nwhere(c, a, b)",
            "a where c holds, and b elsewhere, point by point. Both stand for one thing.",
            """
            # A straight line that bends at 0.
            input x[n], y[n]
            param left = 0.5, right = 1
            minimize mean((y - (if x > 0 then right * x else left * x))^2)
            """,
            axes=BY_NAME,
            derivative="That of the branch that is taken.",
            corners="A branch that is not taken contributes exactly zero, whatever it evaluates to.",
            see="comparison max",
        ),
        entry(
            BRANCHES,
            "stop_gradient detach",
            "stop_gradient(x)\ndetach(x)",
            "The value, and no derivative: for the compiler it is data.",
            """
            # The weight of a point is not trained by its own error.
            input x[n], y[n]
            param w = 0.5
            error = w * x - y
            minimize mean(stop_gradient(1 / (1 + error^2)) * error^2)
            """,
            axes="They stay.",
            derivative="0.",
            see="input",
        ),
    )


def _arrays() -> tuple[Entry, ...]:
    return (
        entry(
            ARRAYS,
            "pi",
            "pi",
            "The number 3.141592653589793.",
            """
            # The density of a normal distribution.
            input x[n]
            param mu = 0, sigma > 0 = 1
            minimize mean(((x - mu) / sigma)^2 / 2 + log(sigma) + log(2 * pi) / 2)
            """,
            see="const",
        ),
        entry(
            ARRAYS,
            "index",
            "index[k]",
            "0, 1, 2, ... along an axis: whole numbers that index it.",
            """
            # A parabola through the positions.
            axis t: 4
            input y[n, t]
            param a = 1, b = 0
            minimize mean((a * index[t]^2 + b - y)^2)
            """,
            axes="The one in brackets.",
            see="size gather",
        ),
        entry(
            ARRAYS,
            "size",
            "size[k]",
            "The length of an axis, a number.",
            """
            input y[n]
            param centre = 0.5
            minimize sum((y - centre)^2) / size[n]
            """,
            see="index mean",
        ),
        entry(
            ARRAYS,
            "zeros ones",
            "zeros[n, m]\nones[n, m]",
            "0 or 1 at every position. Since values are repeated by themselves, few models need them.",
            """
            axis k: 3
            input y[n, k]
            param b = 0.5
            minimize mean((b * ones[k] - y)^2)
            output level = b * ones[k] + zeros[k]
            """,
            axes="Those in brackets.",
            see="index",
        ),
    )
