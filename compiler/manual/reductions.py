"""Reductions, what keeps the axis, and linear algebra."""

from __future__ import annotations

from .entry import Entry, entry

REDUCTIONS = "Reductions"
ALONG = "Along an axis"
ALGEBRA = "Linear algebra"

OVER = "Those in brackets go, and all of them where no brackets are written."
KEEPS = "The axis in brackets stays."
MATRIX = """The two in brackets are the rows and the columns, of one length; all other axes are those of a batch."""
GILES = "M. Giles, An extended collection of matrix derivative results, 2008"


def entries() -> tuple[Entry, ...]:
    """The pages."""
    return (*_reductions(), *_along(), *_algebra())


def _reductions() -> tuple[Entry, ...]:
    return (
        entry(
            REDUCTIONS,
            "sum",
            "sum[k](x)\nsum(x)",
            """The sum. A sum of a product, `sum[k](a * b)`, is one contraction: the compiler picks the matrix product.
            Truth values are counted.""",
            """
            # A straight line in several variables.
            axis k: 3
            input x[n, k], y[n]
            param w[k] = 0.1
            minimize sum[n]((sum[k](x * w) - y)^2)
            """,
            axes=OVER,
            derivative="1 by each element.",
            see="mean contraction norm",
        ),
        entry(
            REDUCTIONS,
            "mean",
            "mean[k](x)\nmean(x)",
            "The sum over the number of positions. Truth values are counted: the mean of a comparison is a share.",
            """
            input x[n], y[n]
            param w = 0.1
            minimize mean((w * x - y)^2)
            metric within = mean(abs(w * x - y) < 1)
            """,
            axes=OVER,
            derivative="1 over the number of positions by each element.",
            see="sum var",
        ),
        entry(
            REDUCTIONS,
            "var",
            "var[k](x)",
            "The variance: the mean of the squares of `x - mean[k](x)`. It divides by the number of positions.",
            """
            # A gain that gives y the variance 1.
            input y[n]
            param gain > 0 = 0.5
            minimize (var[n](gain * y) - 1)^2
            """,
            axes=OVER,
            derivative="`2 * (x - mean[k](x)) / size[k]`",
            see="std mean",
        ),
        entry(
            REDUCTIONS,
            "std",
            "std[k](x)",
            "The standard deviation, the root of `var[k](x)`.",
            """
            input y[n]
            param gain > 0 = 0.5
            minimize (std[n](gain * y) - 1)^2
            """,
            axes=OVER,
            derivative="`(x - mean[k](x)) / (size[k] * std[k](x))`",
            corners="0 where all elements are equal.",
            see="var norm",
        ),
        entry(
            REDUCTIONS,
            "norm",
            "norm[k](x)\nnorm(x)",
            "The Euclidean length, the root of the sum of the squares. `norm(X)` of a matrix is Frobenius' norm.",
            """
            # The point whose distances from the others have the smallest sum.
            axis d: 2
            input x[n, d]
            param centre[d] = 0.1
            minimize sum[n](norm[d](x - centre))
            """,
            axes=OVER,
            derivative="`x / norm[k](x)`",
            corners="0 where x is 0, which is a subgradient.",
            see="std sqrt abs",
        ),
        entry(
            REDUCTIONS,
            "max",
            "max[k](x)\nmax(x)\nmax(x, y)",
            "The largest element; of several arguments the largest at each point.",
            """
            # The smallest box around 0 that holds the points, and a price for what is outside.
            axis d: 2
            input x[n, d]
            param half > 0 = 1
            minimize half + 10 * mean[n](max(max[d](abs(x)) - half, 0))
            """,
            axes=f"{OVER} With several arguments no axis goes.",
            derivative="1 by the largest element.",
            corners="Elements that tie share it equally.",
            see="min argmax logsumexp",
        ),
        entry(
            REDUCTIONS,
            "min",
            "min[k](x)\nmin(x)\nmin(x, y)",
            "The smallest element; of several arguments the smallest at each point.",
            """
            # The distance of each point from the nearest of four centres.
            axis k: 4, d: 2
            input x[n, d]
            param centre[k, d] ~ normal(0, 1)
            minimize mean[n](min[k](sum[d]((x - centre)^2)))
            """,
            axes=f"{OVER} With several arguments no axis goes.",
            derivative="1 by the smallest element.",
            corners="Elements that tie share it equally.",
            see="max argmax",
        ),
        entry(
            REDUCTIONS,
            "prod",
            "prod[k](x)\nprod(x)",
            "The product.",
            """
            axis k: 3
            input y[n]
            param side[k] = 1.5
            minimize mean((prod[k](side) - y)^2)
            """,
            axes=OVER,
            derivative="By each element the product of the others.",
            corners="Where elements are 0 it is still the product of the others, not a quotient by 0.",
            see="sum",
        ),
        entry(
            REDUCTIONS,
            "logsumexp",
            "logsumexp[k](x)",
            "`log(sum[k](exp(x)))`, which overflows nowhere. What is written out so is recognised.",
            """
            # Softmax regression.
            axis d: 2, k: 3
            input x[n, d], label[n]: k
            param W[d, k] ~ normal(0, 0.1)
            z = x @ W
            minimize mean(logsumexp[k](z) - z[k = label])
            """,
            axes=OVER,
            derivative="`softmax[k](x)`",
            see="softmax log_softmax max",
        ),
        entry(
            REDUCTIONS,
            "argmax argmin",
            "argmax[k](x)\nargmin[k](x)",
            """The position of the largest element, or of the smallest, along one axis: a whole number that counts
            along it. Of several it is the first.""",
            """
            axis d: 2, k: 3
            input x[n, d], label[n]: k
            param W[d, k] ~ normal(0, 0.1)
            z = x @ W
            minimize mean(logsumexp[k](z) - z[k = label])
            metric accuracy = mean(argmax[k](z) == label)
            """,
            axes="Exactly one in brackets, and it goes; the result indexes it, as in `x[k = argmax[k](z)]`.",
            derivative="None: what is selected by the position has one.",
            see="max min gather",
        ),
        entry(
            REDUCTIONS,
            "any all",
            "any[k](condition)\nall[k](condition)",
            "Whether a condition holds at any position, or at all of them.",
            """
            axis k: 3
            input x[n, k], y[n]
            param w = 0.1, w_far = 0.1
            far = any[k](abs(x) > 1)
            minimize mean((y - (if far then w_far else w) * sum[k](x))^2)
            """,
            axes=OVER,
            derivative="None: it chooses.",
            see="if max",
        ),
    )


def _along() -> tuple[Entry, ...]:
    return (
        entry(
            ALONG,
            "softmax",
            "softmax[k](x)",
            "`exp(x) / sum[k](exp(x))`: shares that add up to 1. It overflows nowhere.",
            """
            # A mean whose weights are learnt.
            axis k: 3
            input x[n, k], y[n]
            param score[k] = 0
            minimize mean((y - softmax[k](score) @ x)^2)
            """,
            axes=KEEPS,
            derivative="With the shares p and the cotangent g it is `p * (g - sum[k](p * g))`.",
            see="log_softmax logsumexp sigmoid",
        ),
        entry(
            ALONG,
            "log_softmax",
            "log_softmax[k](x)",
            "`x - logsumexp[k](x)`, the logarithm of `softmax[k](x)`.",
            """
            axis d: 2, k: 3
            input x[n, d], label[n]: k
            param W[d, k] ~ normal(0, 0.1)
            minimize -mean(log_softmax[k](x @ W)[k = label])
            """,
            axes=KEEPS,
            derivative="With the cotangent g it is `g - softmax[k](x) * sum[k](g)`.",
            see="softmax logsumexp",
        ),
    )


def _algebra() -> tuple[Entry, ...]:
    return (
        entry(
            ALGEBRA,
            "solve",
            "solve[d, d'](A, b)",
            """The unknowns x of the equations `sum[d'](A * x[d -> d']) = b`. A singular matrix is an error when the
            module runs, which names the line.""",
            """
            # Ridge regression, its strength by the error on other data.
            axis d: 2
            input x[n, d], y[n], other[n, d], target[n]
            param strength > 0 = 1
            A = sum[n](x * x[d -> d']) + where(index[d] == index[d'], strength, 0)
            w = solve[d, d'](A, sum[n](x * y))
            minimize mean((other @ w - target)^2)
            """,
            axes=f"""{MATRIX} The right side and the unknowns stand along the rows; the right side may have axes that
            the matrix lacks.""",
            derivative="By b it is `v = solve[d', d](A, g)`, by A the product of -v and the unknowns.",
            see="inverse cholesky logdet",
            source=GILES,
        ),
        entry(
            ALGEBRA,
            "inverse",
            "inverse[d, d'](A)",
            "The inverse matrix. A product with it, `inverse[d, d'](A) @ b`, becomes a `solve`.",
            """
            # A covariance from its inverse, of which the trace is kept small.
            axis d: 2
            input x[n, d]
            param B[d, k: 2] ~ normal(0, 1)
            P = B @ B[d -> d'] + where(index[d] == index[d'], 1, 0)
            minimize sum(x * (P @ x[d -> d'])) - size[n] * logdet[d, d'](P) + trace[d, d'](inverse[d, d'](P))
            """,
            axes=f"{MATRIX} The result has both.",
            derivative="With the cotangent G and the inverse Y it is `-Y' G Y'`.",
            see="solve det",
            source=GILES,
        ),
        entry(
            ALGEBRA,
            "cholesky",
            "cholesky[d, d'](A)",
            """The lower triangular factor L with `L L' = A`. The lower triangle of A is read; a matrix that is not
            positive definite is an error when the module runs.""",
            """
            # Points made white by the factor of their covariance.
            axis d: 2
            input x[n, d]
            param B[d, k: 2] ~ normal(0, 1)
            S = B @ B[d -> d'] + where(index[d] == index[d'], 1, 0)
            L = cholesky[d, d'](S)
            z = solve[d, d'](L, x)
            minimize sum[n, d](z^2) / 2 + size[n] * sum[d](log(L[d' = index[d]]))
            """,
            axes=f"{MATRIX} The result has both.",
            derivative="The symmetric one: both triangles of A get their share.",
            see="solve logdet",
            source="I. Murray, Differentiation of the Cholesky decomposition, arXiv:1602.07527",
        ),
        entry(
            ALGEBRA,
            "logdet",
            "logdet[d, d'](A)",
            """The logarithm of the determinant, which overflows nowhere. A determinant that is not above 0 is an error
            when the module runs. `log(det[d, d'](A))` becomes this.""",
            """
            # A Gaussian process, by the logarithm of its likelihood.
            input x[n], y[n]
            param length > 0 = 1, noise > 0 = 0.1
            K = exp(-((x - x[n -> n']) / length)^2 / 2) + where(index[n] == index[n'], noise, 0)
            minimize sum[n](y * solve[n, n'](K, y)) / 2 + logdet[n, n'](K) / 2
            """,
            axes=f"{MATRIX} Both go.",
            derivative="The transposed inverse.",
            see="det cholesky solve",
            source=GILES,
        ),
        entry(
            ALGEBRA,
            "det",
            "det[d, d'](A)",
            "The determinant. Its gradient is computed from the inverse, so that a singular matrix is an error.",
            """
            axis d: 2
            input y[n]
            param A[d, d'] ~ normal(0, 1)
            minimize mean((det[d, d'](A) - y)^2)
            """,
            axes=f"{MATRIX} Both go.",
            derivative="The determinant times the transposed inverse.",
            see="logdet inverse trace",
            source=GILES,
        ),
        entry(
            ALGEBRA,
            "trace",
            "trace[d, d'](A)",
            "The sum of the diagonal. Of a product, only the diagonal is computed.",
            """
            axis d: 2
            input y[n]
            param A[d, d'] ~ normal(0, 1)
            minimize mean((trace[d, d''](A @ A[d -> d', d' -> d'']) - y)^2)
            """,
            axes=f"{MATRIX} Both go.",
            derivative="1 on the diagonal, and 0 elsewhere.",
            see="det sum",
        ),
    )
