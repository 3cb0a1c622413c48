"""Derivatives as expressions: their brackets hold the name of a value."""

from __future__ import annotations

from .entry import Entry, entry

GROUP = "Derivatives"

BY = """The brackets hold one name, `w`: a parameter, an input of numbers or another named value that is computed from
these, and the derivative is by every use of it. In the body of a scan it is the value of the step."""
MODULE = """With `gradc compile --derivatives {0}` the module has it too, over the flat vector of parameters."""
BOTH = """Those of both; where they have one name, that of `w` gets a prime."""


def entries() -> tuple[Entry, ...]:
    """The pages."""
    return (
        entry(
            GROUP,
            "grad",
            "grad[w](e)",
            f"""The gradient of a number. {BY} It is an expression like any other and may be differentiated again, so a
            penalty of a gradient is written down.""",
            """
            # A critic whose slope at the data is kept near 1.
            axis d: 2, h: 4
            input x[n, d], y[n]
            param W[d, h] ~ glorot(), v[h] ~ normal(0, 1)
            score = tanh(x @ W) @ v
            slope = grad[x](sum(score))
            minimize mean((score - y)^2) + mean((norm[d](slope) - 1)^2)
            """,
            axes="Those of `w`.",
            derivative="The second derivatives of e, times the cotangent.",
            corners="It is what the gradient is there, as 0 for `relu` at 0; of `step` and the like it is 0.",
            see="hessian hvp vjp jacobian",
        ),
        entry(
            GROUP,
            "hessian",
            "hessian[w](e)",
            f"The second derivatives of a number, as an array formed by contractions. {BY} {MODULE.format('hessian')}",
            """
            # Laplace's approximation: how much a parameter's likelihood bends at its value.
            axis d: 2
            input x[n, d], y[n]
            param w[d] = 0.1
            surprise = sum(softplus(x @ w) - y * (x @ w)) + sum(w^2) / 2
            bend = hessian[w](surprise)
            minimize surprise
            output spread = inverse[d, d'](bend)
            """,
            axes="Those of `w`, and again with primes: of `w[d]` they are d and d'.",
            see="hvp grad jacobian",
        ),
        entry(
            GROUP,
            "hvp",
            "hvp[w](e, v)",
            f"The second derivatives of a number times a vector, without their array. {BY} {MODULE.format('hvp')}",
            """
            # How much the error bends in one direction.
            axis d: 3
            input x[n, d], y[n], v[d]
            param w[d] = 0.1
            error = mean((tanh(x @ w) - y)^2)
            minimize error
            output bend = sum(v * hvp[w](error, v))
            """,
            axes="Those of `w`; the vector has these, or fewer.",
            see="hessian grad jvp",
        ),
        entry(
            GROUP,
            "jacobian",
            "jacobian[w](y)",
            f"The derivatives of a value at each of its positions. {BY} {MODULE.format('jacobian')}",
            """
            # A smooth map of the plane that keeps areas: its Jacobian has the determinant 1.
            axis d: 2, e: 2
            input x[d], target[e]
            param A[d, e] ~ normal(0, 1)
            image = x @ A + tanh(x @ A) / 2
            areas = det[e, d](jacobian[x](image))
            minimize sum((image - target)^2) + (areas - 1)^2
            """,
            axes=BOTH,
            see="grad jvp vjp",
        ),
        entry(
            GROUP,
            "jvp",
            "jvp[w](y, v)",
            f"How fast a value moves where `w` moves like v: its derivatives times v. {BY} {MODULE.format('jvp')}",
            """
            # The speed of an outcome as time goes on, learnt from positions and speeds.
            axis h: 4
            input time[n], place[n], speed[n]
            param u[h] ~ normal(0, 1), v[h] ~ normal(0, 1)
            y = tanh(time * u) @ v
            minimize mean((y - place)^2) + mean((jvp[time](y, 1) - speed)^2)
            """,
            axes="Those of the value; the vector has those of `w`, or fewer.",
            see="vjp jacobian hvp",
        ),
        entry(
            GROUP,
            "vjp",
            "vjp[w](y, v)",
            f"The sum of the derivatives of a value, each times v at its position: `grad[w](sum(y * v))` of a v that "
            f"does not depend on w. {BY} {MODULE.format('vjp')}",
            """
            # How much each input moves what is predicted.
            axis d: 3
            input x[n, d], y[n]
            param w[d] ~ normal(0, 1)
            p = sigmoid(x @ w)
            minimize mean((p - y)^2)
            output share = vjp[x](p, y)
            """,
            axes="Those of `w`; the vector has those of the value, or fewer.",
            see="jvp grad jacobian",
        ),
    )
