"""Statements."""

from __future__ import annotations

from .entry import Entry, entry

GROUP = "Statements"


def entries() -> tuple[Entry, ...]:
    """The pages."""
    return (
        entry(
            GROUP,
            "axis like",
            "axis d, k: 10\naxis s like t",
            """Names axes, with or without a length. A length that is not written comes from the data. `s like t` makes
            an axis of the length of t under a name of its own; a prime, `t'`, makes one where it is used.""",
            """
            axis d: 2, k: 3
            axis j like k
            input x[n, d]
            param W[d, k] ~ normal(0, 1)
            z = x @ W
            minimize mean((sum[d](W * W[k -> j]) - 1)^2) + mean(z^2)
            """,
            see="rename size batch",
        ),
        entry(
            GROUP,
            "batch",
            "batch n",
            """Says which axis is that of the rows, which all data share and minibatches cut: for models in which more
            than one leading axis of inputs gets its length from the data.""",
            """
            batch n
            input x[n, t], y[n, t], shift[t]
            param w = 0.5
            minimize mean((w * x + shift - y)^2)
            """,
            see="input axis",
        ),
        entry(
            GROUP,
            "input bool",
            "input x[n, d], y[n]\ninput label[n]: digit\ninput flag[n]: bool",
            """Data: numbers; whole numbers that index an axis, which are checked against its length; truth values. The
            arrays have their axes in the order in which they are written, and must be finite and not empty.""",
            """
            axis digit: 3
            input x[n], label[n]: digit, flag[n]: bool
            param level[digit] = 0.5
            minimize mean(if flag then (x - level[digit = label])^2 else 0)
            """,
            see="param gather batch",
        ),
        entry(
            GROUP,
            "param",
            "param W[d, k] ~ glorot()\nparam b[k] = 0\nparam s > 0 = 1, r in (-1, 1) = 0",
            """What is trained: where it starts, and its bounds. It starts at a number, or is drawn from `normal(mean,
            std)`, `uniform(low, high)`, `glorot()` or `he()`. A bound is kept by construction: what is trained is a
            free number behind a smooth map, and the compiler knows the sign.""",
            """
            axis d: 2
            input x[n, d], y[n]
            param w[d] ~ normal(0, 0.1), b = 0, sigma > 0 = 1, rho in (0, 1) = 0.5
            r = (y - x @ w - b) / sigma
            minimize mean(r^2 / 2 + log(sigma)) + (rho - 0.3)^2
            """,
            axes="All need a length that is declared, or that an input tells; the row axis is not among them.",
            see="input const minimize distribution",
            source="X. Glorot and Y. Bengio, 2010; K. He and others, 2015",
        ),
        entry(
            GROUP,
            "const",
            "const l2 = 1e-3",
            "A number that is fixed when the model is compiled; `--const l2=0.1` gives another.",
            """
            const l2 = 1e-3
            axis d: 2
            input x[n, d], y[n]
            param w[d] ~ normal(0, 1)
            minimize mean((x @ w - y)^2) + l2 * sum(w^2)
            """,
            see="param",
        ),
        entry(
            GROUP,
            "definition =",
            "name = expression",
            "A named value. Each name is defined once; `gradc inspect` prints derivatives by it.",
            """
            input x[n], y[n]
            param w = 0.5
            error = w * x - y
            minimize mean(error^2)
            """,
            see="def output",
        ),
        entry(
            GROUP,
            "def return",
            "def f[k](x[k], y) = expression\ndef f(x):\n    ...\n    return expression",
            """A function, written into the place that calls it. Its axes in brackets are matched by position; an
            argument may have more axes than are written, and the result has them too. An argument with a default may
            be left out.""",
            """
            def soft(x, sharp=2) = softplus(sharp * x) / sharp

            def centred[k](x[k]):
                m = mean[k](x)
                return x - m

            axis d: 3
            input x[n, d], y[n]
            param w[d] ~ normal(0, 1)
            minimize mean((soft(centred[d](x) @ w) - y)^2)
            """,
            see="layer pipe several star",
        ),
        entry(
            GROUP,
            "several ,",
            "p, q = f(x)\nreturn a, b",
            """A function may give several values, and a line with as many names takes them. A function that gives
            several stands in no expression.""",
            """
            def moments[k](x[k]):
                m = mean[k](x)
                return m, mean[k]((x - m)^2)

            axis d: 3
            input x[n, d], y[n]
            param a = 1, b = 0.1
            centre, spread = moments[d](x)
            minimize mean((a * centre + b * spread - y)^2)
            """,
            see="def scan definition",
        ),
        entry(
            GROUP,
            "star",
            "def f[k, *others](x[k, *others]) = sum[*others](x)\nlayer Name[n, *axes]:",
            """The last axis parameter of a function or a layer may have a star: it takes any number of axes from one
            on, and `*others` stands for them wherever axes stand in brackets.""",
            """
            # One scale for each position along the first axis, whatever the others are.
            layer Scale[c, *others]:
                param gain[c] = 1
                def call(x[c, *others]) = gain * x / (norm[*others](x) + 1)

            axis c: 2, h: 2, w: 3
            input image[n, c, h, w], y[n]
            scale = Scale[c, h, w]
            minimize mean((mean[c, h, w](scale(image)) - y)^2)
            """,
            see="layer def",
        ),
        entry(
            GROUP,
            "layer",
            "layer Name[i, o]:\n    param W[i, o] ~ glorot()\n    def call(x[i]) = ...\nfc = Name[d, k]",
            """A template with parameters of its own. `fc = Name[d, k]` makes one, whose parameters are `fc.W`;
            `fc(x)` or `x |> fc` applies it, and other functions of it are `fc.name(x)`.""",
            """
            layer Affine[i, o]:
                param W[i, o] ~ glorot()
                param b[o] = 0
                def call(x[i]) = x @ W + b

            axis d: 3, h: 4
            input x[n, d], y[n]
            param v[h] ~ normal(0, 1)
            hidden = Affine[d, h]
            minimize mean((tanh(hidden(x)) @ v - y)^2)
            """,
            see="def use param",
        ),
        entry(
            GROUP,
            "minimize maximize over",
            "minimize e\nmaximize e\nminimize name = e over head.*",
            """An objective, a scalar. `over` picks the parameters that it trains, by names and whole layers, `head.*`,
            and all of them where it is left out. The name is `loss` where none is written. Of several each has a name,
            and a training takes a step of each in turn, in the order written, for every minibatch. What an objective
            does not train gets no gradient from it.""",
            """
            # A line, and beside it the size of its error as a function of x.
            input x[n], y[n]
            param w = 0.5, b = 0, s = 0.1, c > 0 = 1
            error = w * x + b - y
            minimize fit = mean(error^2) over w, b
            minimize size = mean((s * x + c - abs(stop_gradient(error)))^2) over s, c
            """,
            see="param metric stop_gradient noise",
        ),
        entry(
            GROUP,
            "output",
            "output p = e\noutput p",
            "What `predict` gives, with its axes in the order in which the model first names them. `vjp` pulls back.",
            """
            input x[n], y[n]
            param w = 0.5
            p = sigmoid(w * x)
            minimize mean((p - y)^2)
            output p, log_p = log(p)
            """,
            see="metric minimize",
        ),
        entry(
            GROUP,
            "metric",
            "metric acc = e",
            "A scalar that is reported and not trained.",
            """
            input x[n], y[n]
            param w = 0.5
            minimize mean((w * x - y)^2)
            metric worst = max(abs(w * x - y))
            """,
            see="output",
        ),
        entry(
            GROUP,
            "use",
            "use nn.Linear",
            "Takes a name from the library, which is written in the language itself.",
            """
            use nn.Linear
            axis d: 3, k: 2
            input x[n, d], y[n, k]
            fc = Linear[d, k]
            minimize mean((fc(x) - y)^2)
            """,
            see="layer def",
        ),
    )
