"""Writes stats.json: every entry of the library stats by PyTorch in float64, and in the tails by mpmath.

python tests/reference/make_stats.py
"""

import math
from typing import Any

import mpmath
import torch
from library_cases import (
    CASES,
    Index,
    add,
    count,
    definite,
    exact,
    lower,
    points,
    positive,
    real,
    share,
    shares,
    written,
    yes,
)
from mpmath import mpf
from torch import Tensor
from torch import distributions as of


def of_stats() -> None:
    points("stats.normal(y, mu, sigma)", lambda y, m, s: of.Normal(m, s).log_prob(y), y=real, mu=real, sigma=positive)
    points(
        "stats.lognormal(y, mu, sigma)",
        lambda y, m, s: of.LogNormal(m, s).log_prob(y),
        y=positive,
        mu=real,
        sigma=positive,
    )
    points("stats.half_normal(y, sigma)", lambda y, s: of.HalfNormal(s).log_prob(y), y=positive, sigma=positive)
    points(
        "stats.student_t(y, nu, mu, sigma)",
        lambda y, n, m, s: of.StudentT(n, m, s).log_prob(y),
        y=real,
        nu=positive,
        mu=real,
        sigma=positive,
    )
    points("stats.cauchy(y, mu, sigma)", lambda y, m, s: of.Cauchy(m, s).log_prob(y), y=real, mu=real, sigma=positive)
    points("stats.half_cauchy(y, sigma)", lambda y, s: of.HalfCauchy(s).log_prob(y), y=positive, sigma=positive)
    points("stats.laplace(y, mu, b)", lambda y, m, b: of.Laplace(m, b).log_prob(y), y=real, mu=real, b=positive)
    points("stats.gumbel(y, mu, b)", lambda y, m, b: of.Gumbel(m, b).log_prob(y), y=real, mu=real, b=positive)
    points(
        "stats.uniform(y, low, high)",
        lambda y, a, b: of.Uniform(a - 3, b + 3).log_prob(y),
        y=share,
        a=share,
        b=positive,
    )
    CASES[-1]["call"] = "stats.uniform(y, a - 3, b + 3)"
    points("stats.exponential(y, rate)", lambda y, r: of.Exponential(r).log_prob(y), y=positive, rate=positive)
    points("stats.gamma(y, a, b)", lambda y, a, b: of.Gamma(a, b).log_prob(y), y=positive, a=positive, b=positive)
    points(
        "stats.inverse_gamma(y, a, b)",
        lambda y, a, b: of.InverseGamma(a, b).log_prob(y),
        y=positive,
        a=positive,
        b=positive,
    )
    points("stats.chi2(y, nu)", lambda y, n: of.Chi2(n).log_prob(y), y=positive, nu=positive)
    points(
        "stats.fisher_snedecor(y, a, b)",
        lambda y, a, b: of.FisherSnedecor(a, b).log_prob(y),
        y=positive,
        a=positive,
        b=positive,
    )
    points("stats.weibull(y, b, a)", lambda y, b, a: of.Weibull(b, a).log_prob(y), y=positive, b=positive, a=positive)
    points(
        "stats.pareto(3 + y, b, a)", lambda y, b, a: of.Pareto(b, a).log_prob(3 + y), y=positive, b=positive, a=positive
    )
    points("stats.beta(y, a, b)", lambda y, a, b: of.Beta(a, b).log_prob(y), y=share, a=positive, b=positive)
    points("stats.bernoulli(y, p)", lambda y, p: of.Bernoulli(p).log_prob(y), y=yes, p=share)
    points("stats.bernoulli_logits(y, z)", lambda y, z: of.Bernoulli(logits=z).log_prob(y), y=yes, z=real)
    points("stats.binomial(y, 7, p)", lambda y, p: of.Binomial(7, p).log_prob(y), y=count, p=share)
    points("stats.binomial_logits(y, 7, z)", lambda y, z: of.Binomial(7, logits=z).log_prob(y), y=count, z=real)
    points("stats.geometric(y, p)", lambda y, p: of.Geometric(p).log_prob(y), y=count, p=share)
    points(
        "stats.negative_binomial(y, r, p)",
        lambda y, r, p: of.NegativeBinomial(r, p).log_prob(y),
        y=count,
        r=positive,
        p=share,
    )
    points(
        "stats.negative_binomial_logits(y, r, z)",
        lambda y, r, z: of.NegativeBinomial(r, logits=z).log_prob(y),
        y=count,
        r=positive,
        z=real,
    )
    points(
        "stats.negative_binomial_mean(y, mu, r)",
        lambda y, m, r: of.NegativeBinomial(r, m / (m + r)).log_prob(y),
        y=count,
        mu=positive,
        r=positive,
    )
    points("stats.poisson(y, rate)", lambda y, r: of.Poisson(r).log_prob(y), y=count, rate=positive)
    points("stats.poisson_log(y, z)", lambda y, z: of.Poisson(z.exp()).log_prob(y), y=count, z=real)
    points("stats.normal_cdf(y, mu, sigma)", lambda y, m, s: of.Normal(m, s).cdf(y), y=real, mu=real, sigma=positive)
    points(
        "stats.normal_log_cdf(y, m, s)", lambda y, m, s: torch.special.log_ndtr((y - m) / s), y=real, m=real, s=positive
    )
    points("stats.normal_entropy(sigma)", lambda s: of.Normal(0 * s, s).entropy(), sigma=positive)
    points(
        "stats.normal_kl(a, r, b, s)",
        lambda a, r, b, s: of.kl_divergence(of.Normal(a, r), of.Normal(b, s)),
        a=real,
        r=positive,
        b=real,
        s=positive,
    )
    points(
        "stats.normal_kl(a, r)", lambda a, r: of.kl_divergence(of.Normal(a, r), of.Normal(0.0, 1.0)), a=real, r=positive
    )
    points("stats.xlog1py(y, x)", lambda y, x: torch.special.xlog1py(y, x), y=real, x=positive)
    points(
        "stats.log_choose(5 + y, y)", lambda y: torch.lgamma(6 + y) - math.log(120) - torch.lgamma(y + 1), y=positive
    )
    points("stats.support(y < 9)", lambda y: 0 * y, y=real)

    add(
        "stats.dirichlet[k](p, a)",
        lambda p, a: of.Dirichlet(a).log_prob(p),
        {"p": ("n k", shares), "a": ("n k", positive)},
        "n",
    )
    label = ("n", Index("k"))
    add("stats.categorical[k](label, p)", lambda y, p: p[y].log(), {"label": label, "p": ("k", shares)}, "n")
    add(
        "stats.categorical_logits[k](label, z)",
        lambda y, z: of.Categorical(logits=z).log_prob(y),
        {"label": label, "z": ("n k", real)},
        "n",
    )
    add(
        "stats.multinomial[k](y, p)",
        lambda y, p: torch.stack([of.Multinomial(int(row.sum()), p).log_prob(row) for row in y]),
        {"y": ("n k", count), "p": ("k", shares)},
        "n",
    )
    # PyTorch divides the probabilities by their sum; the gradient by those that sum to 1 is that of the formula.
    logarithms = CASES[-1]["given"]["p"]
    counts, weight = torch.tensor(CASES[-1]["given"]["y"]["value"]), torch.tensor(CASES[-1]["weight"])
    logarithms["gradient"] = ((weight[:, None] * counts).sum(0) / torch.tensor(logarithms["value"])).tolist()
    add(
        "stats.multinomial_logits[k](y, z)",
        lambda y, z: torch.stack([of.Multinomial(int(row.sum()), logits=z).log_prob(row) for row in y]),
        {"y": ("n k", count), "z": ("k", real)},
        "n",
    )
    add("stats.entropy[k](p)", lambda p: -torch.xlogy(p, p).sum(-1), {"p": ("n k", shares)}, "n")
    add("stats.entropy_logits[k](z)", lambda z: of.Categorical(logits=z).entropy(), {"z": ("n k", real)}, "n")

    vector, mean, matrix = ("n d", real), ("d", real), ("d d'", definite)
    add(
        "stats.multivariate_normal[d](y, mu, S)",
        lambda y, m, s: of.MultivariateNormal(m, s).log_prob(y),
        {"y": vector, "mu": mean, "S": matrix},
        "n",
    )
    add(
        "stats.multivariate_normal[d](y, mu, S)",
        lambda y, m, s: of.MultivariateNormal(m, s).log_prob(y),
        {"y": vector, "mu": ("n d", real), "S": ("n d d'", definite)},
        "n",
    )
    add(
        "stats.multivariate_normal_cholesky[d](y, mu, L)",
        lambda y, m, s: of.MultivariateNormal(m, scale_tril=s.tril()).log_prob(y),
        {"y": vector, "mu": mean, "L": ("d d'", lower)},
        "n",
    )
    add(
        "stats.multivariate_normal_precision[d](y, mu, P)",
        lambda y, m, p: of.MultivariateNormal(m, precision_matrix=(p + p.mT) / 2).log_prob(y),
        {"y": vector, "mu": mean, "P": matrix},
        "n",
    )
    add(
        "stats.wishart[d](X, nu, V)",
        lambda x, n, v: of.Wishart(n, v).log_prob(x),
        {"X": ("n d d'", definite), "nu": ("", torch.tensor(4.5)), "V": matrix},
        "n",
    )
    add(
        "stats.multivariate_normal_entropy[d](S)",
        lambda s: of.MultivariateNormal(torch.zeros(3), s).entropy(),
        {"S": ("n d d'", definite)},
        "n",
    )
    add(
        "stats.multivariate_normal_kl[d](a, S, b, T)",
        lambda a, s, b, t: of.kl_divergence(of.MultivariateNormal(a, s), of.MultivariateNormal(b, t)),
        {"a": vector, "S": ("n d d'", definite), "b": mean, "T": matrix},
        "n",
    )
    add(
        "stats.multivariate_lgamma[d](a + 1)",
        lambda a: torch.special.multigammaln(a + 1, 3),
        {"a": ("n", positive)},
        "n",
    )
    correlation = torch.linalg.cholesky(torch.tensor([[1.0, 0.3, -0.2], [0.3, 1.0, 0.4], [-0.2, 0.4, 1.0]]))
    add(
        "stats.lkj_cholesky[d](L, eta)",
        lambda c, eta: torch.stack([of.LKJCholesky(3, e, validate_args=False).log_prob(c) for e in eta]),
        {"L": ("d d'", correlation), "eta": ("n", positive)},
        "n",
    )

    def student(y: Tensor, nu: Tensor, mu: Tensor, scale: Tensor) -> Tensor:
        far = ((y - mu) * torch.linalg.solve(scale, (y - mu).mT).mT).sum(-1)
        kernel = torch.lgamma((nu + 3) / 2) - torch.lgamma(nu / 2) - 1.5 * torch.log(nu * math.pi)
        return kernel - 0.5 * torch.logdet(scale) - 0.5 * (nu + 3) * torch.log1p(far / nu)

    def inverse_wishart(x: Tensor, nu: Tensor, v: Tensor) -> Tensor:
        """By the density of the inverse under Wishart's distribution, and the volume of x -> inverse(x)."""
        return of.Wishart(nu, torch.linalg.inv(v)).log_prob(torch.linalg.inv(x)) - 4 * torch.logdet(x)

    nu = ("", torch.tensor(4.5))
    add("stats.multivariate_student_t[d](y, nu, mu, S)", student, {"y": vector, "nu": nu, "mu": mean, "S": matrix}, "n")
    add("stats.inverse_wishart[d](X, nu, V)", inverse_wishart, {"X": ("n d d'", definite), "nu": nu, "V": matrix}, "n")


def phi(x: Any) -> Any:
    return mpmath.erfc(-x / mpmath.sqrt(2)) / 2


def normal(y: Any, mu: Any = 0, sigma: Any = 1) -> Any:
    return -(((y - mu) / sigma) ** 2) / 2 - mpmath.log(sigma) - mpmath.log(2 * mpmath.pi) / 2


def log_beta(a: Any, b: Any) -> Any:
    return mpmath.loggamma(a) + mpmath.loggamma(b) - mpmath.loggamma(a + b)


def log_choose(n: Any, k: Any) -> Any:
    return mpmath.loggamma(n + 1) - mpmath.loggamma(k + 1) - mpmath.loggamma(n - k + 1)


def student_t(y: Any, nu: Any, mu: Any, sigma: Any) -> Any:
    half = mpf(1) / 2
    scale = mpmath.loggamma((nu + 1) * half) - mpmath.loggamma(nu * half) - mpmath.log(nu * mpmath.pi) * half
    return scale - mpmath.log(sigma) - (nu + 1) * half * mpmath.log1p(((y - mu) / sigma) ** 2 / nu)


def of_stats_exactly() -> None:
    log, log1p, exp, loggamma = mpmath.log, mpmath.log1p, mpmath.exp, mpmath.loggamma
    ends = {"y": [-1e8, -40.0, 0.01, 30.0, 1e6], "mu": [0.1, 0.2, 0.3, 0.4, 0.5], "sigma": [1.0, 0.01, 2.0, 5.0, 1e3]}
    exact("stats.normal(y, mu, sigma)", normal, **ends)
    exact(
        "stats.cauchy(y, mu, s)",
        lambda y, m, s: -log(mpmath.pi * s) - log1p(((y - m) / s) ** 2),
        y=ends["y"],
        mu=ends["mu"],
        s=ends["sigma"],
    )
    exact(
        "stats.laplace(y, mu, b)",
        lambda y, m, b: -abs(y - m) / b - log(2 * b),
        y=ends["y"],
        mu=ends["mu"],
        b=ends["sigma"],
    )
    exact(
        "stats.student_t(y, nu, mu, sigma)",
        student_t,
        y=[1e6, 2.0, -30.0, 3.0, 1e-5],
        nu=[0.1, 1e3, 2e4, 3.0, 1e-3],
        mu=[0.1] * 5,
        sigma=[1.0, 2.0, 5.0, 1e-3, 1.0],
    )
    # By nu it is the small rest of large terms there, as is the density's own dependence on nu.
    exact("stats.student_t(y, nu, mu, s)", student_t, "nu", y=[2.0, -0.5], nu=[1e6, 1e9], mu=[0.1, 0.1], s=[2.0, 0.7])
    exact(
        "stats.logistic(y, mu, s)",
        lambda y, m, s: -(y - m) / s - 2 * log1p(exp(-(y - m) / s)) - log(s),
        y=[-900.0, -3.0, 0.01, 2.0, 1e5],
        mu=[0.0, 1.0, 0.0, 0.5, 0.3],
        s=[1.0, 2.0, 1.0, 0.4, 3.0],
    )
    exact(
        "stats.gumbel(y, mu, b)",
        lambda y, m, b: -(y - m) / b - exp(-(y - m) / b) - log(b),
        y=[-600.0, 0.01, 3.0, 1e5],
        mu=[0.0, 0.0, 0.5, 0.3],
        b=[1.0, 1.0, 0.4, 3.0],
    )
    exact(
        "stats.skew_normal(y, alpha, mu, sigma)",
        lambda y, a, m, s: log(2) + normal(y, m, s) + log(phi(a * (y - m) / s)),
        y=[-30.0, 0.5, 4.0, -1e3],
        alpha=[2.0, 1.0, -3.0, 50.0],
        mu=[0.1, 0.2, 0.3, 0.4],
        sigma=[1.0, 2.0, 0.5, 1.0],
    )
    exact("stats.normal_cdf(y)", phi, y=[-25.0, -3.0, -1e-9, 0.7, 5.0])
    exact("stats.normal_log_cdf(y)", lambda y: log(phi(y)), y=[-1e5, -50.0, -3.0, -1e-9, 0.7, 5.0, 30.0])
    exact(
        "stats.von_mises(y, mu, kappa)",
        lambda y, m, k: k * mpmath.cos(y - m) - log(2 * mpmath.pi * mpmath.besseli(0, k)),
        y=[1.0, 2.0, 0.1, 1e-3, 0.2, 0.3],
        mu=[0.5, 0.1, 0.2, 0.0, 0.1, 0.2],
        kappa=[1e-8, 0.3, 9.0, 1e4, 30.0, 5e6],
    )
    exact("stats.exponential(y, rate)", lambda y, r: log(r) - r * y, y=[0.0, 1e-9, 700.0], rate=[2.0, 3.0, 1e5])
    exact(
        "stats.gamma(y, a, b)",
        lambda y, a, b: a * log(b) + (a - 1) * log(y) - b * y - loggamma(a),
        y=[1e-300, 1e-5, 900.0, 2.0],
        a=[1e-6, 0.5, 3.0, 40.0],
        b=[1.0, 1e-3, 2.0, 0.1],
    )
    exact(
        "stats.inverse_gamma(y, a, b)",
        lambda y, a, b: a * log(b) - (a + 1) * log(y) - b / y - loggamma(a),
        y=[1e-3, 1e5, 900.0, 2.0],
        a=[1e-6, 0.5, 3.0, 40.0],
        b=[1.0, 1e-3, 2.0, 0.1],
    )
    exact(
        "stats.beta(y, a, b)",
        lambda y, a, b: (a - 1) * log(y) + (b - 1) * log1p(-y) - log_beta(a, b),
        y=[1e-200, 0.999999, 0.5, 1e-9],
        a=[0.5, 1e6, 2.0, 1e-4],
        b=[1e7, 3.0, 2.5, 40.0],
    )
    exact(
        "stats.weibull(y, b, a)",
        lambda y, b, a: log(a / b) + (a - 1) * log(y / b) - (y / b) ** a,
        y=[1e-200, 30.0, 2.0],
        b=[1.0, 3.0, 2.0],
        a=[0.3, 2.5, 1.0],
    )
    exact(
        "stats.inverse_gaussian(y, mu, a)",
        lambda y, m, a: log(a / (2 * mpmath.pi * y**3)) / 2 - a * (y - m) ** 2 / (2 * m**2 * y),
        y=[1e-3, 2.0, 900.0],
        mu=[0.5, 2.5, 10.0],
        a=[1.0, 3.0, 0.2],
    )
    far = {"y": [1.0, 3.0, 1e4, 2.0, 900.0], "r": [0.3, 1e8, 5.0, 1e-6, 3e3]}
    tails = [0.5, 1e-8, 0.999, 0.3, 1e-3]

    def binomial(y: Any, r: Any) -> Any:
        return loggamma(y + r) - loggamma(y + 1) - loggamma(r)

    def by_mean(y: Any, m: Any, r: Any) -> Any:
        return binomial(y, r) - r * log1p(m / r) + y * log(m / (m + r))

    exact(
        "stats.negative_binomial(y, r, p)",
        lambda y, r, p: binomial(y, r) + r * log1p(-p) + y * log(p),
        "y",
        **far,
        p=tails,
    )
    exact(
        "stats.negative_binomial_logits(y, r, z)",
        lambda y, r, z: binomial(y, r) - r * log1p(exp(z)) - y * log1p(exp(-z)),
        "y",
        **far,
        z=[-800.0, 2.0, 30.0, 0.1, -40.0],
    )
    means = [0.5, 4.0, 9e3, 1e-3, 700.0]
    exact("stats.negative_binomial_mean(y, m, r)", by_mean, "y r", y=far["y"], m=means, r=far["r"])
    exact("stats.negative_binomial_mean(y, m, r)", by_mean, "y m", y=far["y"], m=means, r=[0.3, 1e3, 5.0, 1e-6, 3e3])
    exact(
        "stats.binomial(y, n, p)",
        lambda y, n, p: log_choose(n, y) + y * log(p) + (n - y) * log1p(-p),
        "y n",
        y=[0.0, 7.0, 3.0, 40.0],
        n=[7.0, 7.0, 1e6, 90.0],
        p=[1e-12, 1 - 1e-9, 2e-6, 0.4],
    )
    exact(
        "stats.binomial_logits(y, n, z)",
        lambda y, n, z: log_choose(n, y) + y * z - n * log1p(exp(z)),
        "y n",
        y=[0.0, 7.0, 3.0, 40.0],
        n=[7.0, 7.0, 1e6, 90.0],
        z=[-700.0, 700.0, -13.0, 1e-9],
    )
    exact(
        "stats.beta_binomial(y, n, a, b)",
        lambda y, n, a, b: log_choose(n, y) + log_beta(y + a, n - y + b) - log_beta(a, b),
        "y n",
        y=[0.0, 7.0, 3.0, 40.0],
        n=[7.0, 7.0, 50.0, 90.0],
        a=[0.3, 2.0, 50.0, 1e-3],
        b=[1e3, 3.0, 0.1, 7.0],
    )
    exact("stats.geometric(y, p)", lambda y, p: y * log1p(-p) + log(p), "y", y=[0.0, 3.0, 1e9], p=[1e-12, 0.4, 3e-9])
    exact(
        "stats.bernoulli_logits(y, z)",
        lambda y, z: y * z - log1p(exp(z)),
        "y",
        y=[0.0, 1.0, 0.0, 1.0],
        z=[-800.0, -40.0, 1e4, 50.0],
    )
    exact(
        "stats.poisson(y, r)",
        lambda y, r: y * log(r) - r - loggamma(y + 1),
        "y",
        y=[0.0, 3.0, 900.0],
        r=[1e-12, 1e-9, 850.0],
    )
    exact(
        "stats.poisson_log(y, z)",
        lambda y, z: y * z - exp(z) - loggamma(y + 1),
        "y",
        y=[0.0, 3.0, 900.0],
        z=[-700.0, -40.0, 6.7],
    )
    exact("stats.xlog1py(y, x)", lambda y, x: y * log1p(x), y=[1.0, 2.0, 3.0], x=[1e-14, -1e-9, 1e9])
    exact("stats.log_choose(n, y)", log_choose, n=[10.0, 1e9, 100.0], y=[2.5, 3.5, 50.5])
    exact("stats.normal_kl(a, r)", lambda a, r: -log(r) + (r**2 + a**2 - 1) / 2, a=[1e-3, 2.0, 1e5], r=[1e-8, 0.7, 1e5])


if __name__ == "__main__":
    written("stats", of_stats, of_stats_exactly)
