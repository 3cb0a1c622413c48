"""Writes loss.json: every entry of the library loss by PyTorch in float64, and in the tails by mpmath.

python tests/reference/make_loss.py
"""

import mpmath
import torch
import torch.nn.functional as F
from library_cases import CASES, Index, add, count, exact, points, positive, real, share, shares, sign, written, yes
from torch import Tensor


def of_loss() -> None:
    two = {"x": real, "y": real}
    points("loss.huber(x, y, 0.7)", lambda x, y: F.huber_loss(x, y, reduction="none", delta=0.7), **two)
    points("loss.huber(x, y)", lambda x, y: F.huber_loss(x, y, reduction="none"), **two)
    points("loss.smooth_l1(x, y, 0.7)", lambda x, y: F.smooth_l1_loss(x, y, reduction="none", beta=0.7), **two)
    points("loss.smooth_l1(x, y)", lambda x, y: F.smooth_l1_loss(x, y, reduction="none"), **two)
    points("loss.log_cosh(x, y)", lambda x, y: torch.log(torch.cosh(x - y)), **two)
    points("loss.quantile(x, y, 0.8)", lambda x, y: torch.where(y > x, 0.8 * (y - x), 0.2 * (x - y)), **two)
    points(
        "loss.gaussian_nll(y, x, s)",
        lambda y, x, s: F.gaussian_nll_loss(x, y, s**2, full=True, reduction="none"),
        y=real,
        x=real,
        s=positive,
    )
    points("loss.poisson_nll(x, y)", lambda x, y: F.poisson_nll_loss(x, y, reduction="none"), x=real, y=count)
    for name, found in {
        "mse": F.mse_loss,
        "mae": F.l1_loss,
        "sse": lambda x, y: F.mse_loss(x, y, reduction="sum"),
    }.items():
        add(f"loss.{name}(x, y)", found, {"x": ("n k", real), "y": ("n k", real)}, "")

    label = {"z": ("n k", real), "label": ("n", Index("k"))}
    add("loss.cross_entropy[k](z, label)", lambda z, y: F.cross_entropy(z, y, reduction="none"), label, "n")
    add("loss.cross_entropy[k](1e4 * z, label)", lambda z, y: F.cross_entropy(1e4 * z, y, reduction="none"), label, "n")
    add(
        "loss.cross_entropy_smooth[k](z, label, 0.2)",
        lambda z, y: F.cross_entropy(z, y, reduction="none", label_smoothing=0.2),
        label,
        "n",
    )
    weighted = {**label, "w": ("k", positive)}
    add(
        "loss.cross_entropy_weighted[k](z, label, w)",
        lambda z, y, w: F.cross_entropy(z, y, reduction="none") * w[y],
        weighted,
        "n",
    )
    add(
        "sum[n](loss.cross_entropy_weighted[k](z, label, w)) / sum[n](w[k = label])",
        lambda z, y, w: F.nll_loss(torch.log_softmax(z, -1), y, w.detach()),
        {**label, "w": ("k", positive)},
        "",
    )
    del CASES[-1]["given"]["w"]["gradient"]
    add(
        "loss.cross_entropy_soft[k](z, p)",
        lambda z, p: F.cross_entropy(z, p, reduction="none"),
        {"z": ("n k", real), "p": ("n k", shares)},
        "n",
    )
    add("loss.nll[k](z, label)", lambda z, y: F.nll_loss(z, y, reduction="none"), label, "n")
    add("loss.multi_margin[k](z, label)", lambda z, y: F.multi_margin_loss(z, y, reduction="none"), label, "n")
    add(
        "loss.multi_margin[k](z, label, 0.4)",
        lambda z, y: F.multi_margin_loss(z, y, margin=0.4, reduction="none"),
        label,
        "n",
    )
    points("loss.bce(p, y)", lambda p, y: F.binary_cross_entropy(p, y, reduction="none"), p=share, y=yes)
    points("loss.bce(p, y)", lambda p, y: F.binary_cross_entropy(p, y, reduction="none"), p=share, y=share)
    del CASES[-1]["given"]["y"]["gradient"]
    points(
        "loss.bce_with_logits(z, y)",
        lambda z, y: F.binary_cross_entropy_with_logits(z, y, reduction="none"),
        z=real,
        y=share,
    )
    points(
        "loss.bce_with_logits_weighted(z, y, 3)",
        lambda z, y: F.binary_cross_entropy_with_logits(z, y, reduction="none", pos_weight=torch.tensor(3.0)),
        z=real,
        y=share,
    )

    def focal(z: Tensor, y: Tensor, gamma: float = 2, alpha: float = 0.25) -> Tensor:
        p = torch.sigmoid(z)
        right = p * y + (1 - p) * (1 - y)
        loss = F.binary_cross_entropy_with_logits(z, y, reduction="none") * (1 - right) ** gamma
        return (alpha * y + (1 - alpha) * (1 - y)) * loss

    points("loss.focal(z, y)", focal, z=real, y=yes)
    points("loss.focal(z, y, 1.5, 0.6)", lambda z, y: focal(z, y, 1.5, 0.6), z=real, y=yes)
    points("loss.hinge(z, y)", lambda z, y: F.relu(1 - y * z), z=real, y=sign)
    points("loss.squared_hinge(z, y)", lambda z, y: F.relu(1 - y * z) ** 2, z=real, y=sign)
    points(
        "loss.soft_margin(z, y)",
        lambda z, y: torch.stack([F.soft_margin_loss(a, b) for a, b in zip(z, y, strict=True)]),
        z=real,
        y=sign,
    )
    add(
        "loss.dice[k](p, y)",
        lambda p, y: 1 - (2 * (p * y).sum(-1) + 1) / (p.sum(-1) + y.sum(-1) + 1),
        {"p": ("n k", share), "y": ("n k", yes)},
        "n",
    )
    points("loss.kl_div(x, p)", lambda x, p: F.kl_div(x, p, reduction="none"), x=real, p=share)
    pair = {"p": ("n k", shares), "q": ("n k", shares)}
    add("loss.kl[k](p, q)", lambda p, q: F.kl_div(q.log(), p, reduction="none").sum(-1), pair, "n")

    def js(p: Tensor, q: Tensor) -> Tensor:
        middle = ((p + q) / 2).log()
        return (F.kl_div(middle, p, reduction="none") + F.kl_div(middle, q, reduction="none")).sum(-1) / 2

    add("loss.js[k](p, q)", js, pair, "n")
    vectors = {"a": ("n k", real), "b": ("n k", real)}
    add("loss.cosine_similarity[k](a, b)", lambda a, b: F.cosine_similarity(a, b), vectors, "n")
    for margin in ("", ", margin=0.3"):
        value = 0.3 if margin else 0.0
        add(
            f"loss.cosine_embedding[k](a, b, y{margin})",
            lambda a, b, y, m=value: F.cosine_embedding_loss(a, b, y, margin=m, reduction="none"),
            {**vectors, "y": ("n", sign)},
            "n",
        )
        points(
            f"loss.margin_ranking(a, b, y{margin})",
            lambda a, b, y, m=value: F.margin_ranking_loss(a, b, y, margin=m, reduction="none"),
            a=real,
            b=real,
            y=sign,
        )
    add(
        "loss.triplet[k](a, b, c)",
        lambda a, b, c: F.triplet_margin_loss(a, b, c, reduction="none"),
        {**vectors, "c": ("n k", real)},
        "n",
    )


def of_loss_exactly() -> None:
    log, log1p, exp = mpmath.log, mpmath.log1p, mpmath.exp
    exact(
        "loss.log_cosh(x, y)", lambda x, y: log(mpmath.cosh(x - y)), x=[-1e5, 1e-9, 800.0, 1.0], y=[0.0, 0.0, 0.0, 0.5]
    )
    exact(
        "loss.bce_with_logits(z, y)",
        lambda z, y: log1p(exp(z)) - y * z,
        z=[-800.0, -40.0, 40.0, 1e4],
        y=[1.0, 0.0, 0.0, 0.3],
    )
    exact(
        "loss.bce_with_logits_weighted(z, y, 3)",
        lambda z, y: 3 * y * log1p(exp(-z)) + (1 - y) * log1p(exp(z)),
        z=[-800.0, -40.0, 40.0, 1e4],
        y=[1.0, 0.0, 0.0, 0.3],
    )
    exact("loss.soft_margin(z, y)", lambda z, y: log1p(exp(-y * z)), "y", z=[-800.0, 40.0, 300.0], y=[1.0, 1.0, -1.0])
    exact(
        "loss.focal(z, y)",
        lambda z, y: (y / 4 + 3 * (1 - y) / 4) * (1 + exp((2 * y - 1) * z)) ** -2 * log1p(exp((1 - 2 * y) * z)),
        "y",
        z=[-200.0, -40.0, 40.0, 200.0],
        y=[1.0, 0.0, 0.0, 1.0],
    )
    exact("loss.poisson_nll(z, y)", lambda z, y: exp(z) - y * z, "y", z=[-700.0, -40.0, 6.7], y=[0.0, 3.0, 900.0])


if __name__ == "__main__":
    written("loss", of_loss, of_loss_exactly)
