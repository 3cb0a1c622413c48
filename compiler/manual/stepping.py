"""What goes step by step: recurrences along an axis, and what differs from one step of a training to the next."""

from __future__ import annotations

from .entry import Entry, entry

SCANS = "Recurrences"
TRAINING = "Between the steps of a training"


def entries() -> tuple[Entry, ...]:
    """The pages."""
    return (_scan(), *_training())


def _scan() -> Entry:
    return entry(
        SCANS,
        "scan with yield",
        """
        states = scan t with h = h0:
        p, q = scan t with a = a0, b = b0:
        yield h
        """,
        """A recurrence along an axis. The body is computed for each position, from the first to the last; what stands
        behind `with` is carried: it starts with the value there, and a line of the body says what it is after the step.
        Lines are taken in order, so that behind `h = ...` the name means the new value. Whatever carries the axis is
        seen at the position of the step. What is yielded at each step is the scan's value, along the axis; `yield a, b`
        gives two. A scan may stand in the body of another, in a function, and in a function of a layer.""",
        """
        # What follows in a sequence, from what a recurrent network has seen of it.
        axis m: 3, k: 2
        input x[n, t, k], y[n, t]
        param W[k, m] ~ glorot(), U[m, m'] ~ glorot(), b[m] = 0, v[m] ~ normal(0, 1)
        states = scan t with h = zeros[n, m]:
            h = tanh(x @ W + (h @ U)[m' -> m] + b)
            yield h
        minimize mean((states @ v - y)^2)
        output last = states[t = -1] @ v
        """,
        axes="""A carried value has the axes with which it starts and those to which its updates come: `h = 0` may
        become an array. A result has the axes of what is yielded, and that of the scan.""",
        derivative="A scan from the last position to the first, which reads what was kept of each step.",
        see="cumsum cumprod position several",
        source="A. Griewank and A. Walther, Evaluating Derivatives, 2008: reverse mode by a tape",
    )


def _training() -> tuple[Entry, ...]:
    return (
        entry(
            TRAINING,
            "noise",
            "noise eps[n, z] ~ normal(0, 1)",
            """Data that no file holds: drawn afresh at each step of a training, from the seed, the number of the step
            and the noise's place in the model. Along the row axis it is drawn for the rows of the minibatch. In a layer
            each instance has its own, which is the same as often as the instance is applied in one step. It stands in
            the model or in a layer.""",
            """
            # An autoencoder whose code is drawn around what it is told.
            axis d: 3, z: 2
            input x[n, d]
            noise eps[n, z] ~ normal(0, 1)
            param A[d, z] ~ glorot(), B[z, d] ~ glorot(), s[z] = 0
            mu = x @ A
            code = mu + exp(s) * eps
            minimize mean((code @ B - x)^2) + mean(mu^2 + exp(2 * s) - 2 * s) / 2
            """,
            axes="As declared, each with a length that is written, or that an input tells.",
            derivative="It is data.",
            see="distribution input training state",
        ),
        entry(
            TRAINING,
            "distribution normal uniform bernoulli exponential glorot he",
            """
            normal(mean, std)
            uniform(low, high)
            bernoulli(p)
            exponential(rate)
            glorot()
            he()
            """,
            """What a parameter starts from, or noise is drawn from. Parameters take `normal`, `uniform`,
            `glorot(gain)`, which is uniform with the variance `2 * gain^2 / (fan in + fan out)`, and `he`, which is
            normal with the variance `2 / (fan in)`; noise takes `normal`, `uniform`, `bernoulli`, which is 1 with the
            probability p and else 0, and `exponential`, whose mean is `1 / rate`. The numbers are known when the model
            is compiled; `normal()` has the mean 0 and the deviation 1, `exponential()` the rate 1, `glorot()` the gain
            1.""",
            """
            # A layer whose inputs are left out at random.
            axis d: 4, k: 2
            input x[n, d], y[n, k]
            noise kept[n, d] ~ bernoulli(0.8), jitter[n] ~ uniform(-0.1, 0.1)
            param W[d, k] ~ glorot(), b[k] ~ normal(0, 0.1)
            minimize mean(((x * kept / 0.8) @ W + b + jitter - y)^2)
            """,
            see="param noise",
            source="X. Glorot and Y. Bengio, 2010; K. He and others, 2015",
        ),
        entry(
            TRAINING,
            "state update",
            "state centre[k] = 0\nupdate centre = e",
            """What is kept between steps and not trained, and what it is after a step, computed with the values of that
            step. A state starts with the number that is written, or with 0, and has a value wherever it stands. An
            update in the model belongs to the steps of every objective, one in a function, or in a layer's `def`, to
            those of the objectives that apply it.""",
            """
            # Data are compared with what was their mean so far.
            axis d: 2
            input x[n, d], y[n]
            param w[d] = 0.1
            state centre[d] = 0
            update centre = 0.9 * centre + 0.1 * mean[n](x)
            minimize mean(((x - centre) @ w - y)^2)
            """,
            axes="As declared; the row axis is not among them. An update has these, or fewer.",
            derivative="None goes through an update, and a state is no parameter.",
            see="training noise param",
        ),
        entry(
            TRAINING,
            "training",
            "training",
            """True in what is minimized or maximized and in updates, false in outputs and metrics. What both need is
            then two values, each without the branch of the other.""",
            """
            # Noise in what is trained, and none in what is predicted.
            input x[n], y[n]
            noise e[n] ~ normal(0, 1)
            param w = 0.5
            p = w * (if training then x + 0.1 * e else x)
            minimize mean((p - y)^2)
            output p
            """,
            see="if noise state",
        ),
    )
