"""Optimisers with PyTorch's names, defaults and semantics, on the flat vector of a session.

Each takes a session and moves its parameters by their gradients. `clip_grad_norm_` and `clip_grad_value_` bound the
gradients before a step.
"""

from .adagrad import Adadelta, Adagrad, RMSprop
from .adam import Adam, Adamax, AdamW, NAdam, RAdam
from .base import Optimizer
from .clipping import clip_grad_norm_, clip_grad_value_
from .lbfgs import LBFGS
from .sgd import ASGD, SGD, Rprop
from .sparse_adam import SparseAdam

OPTIMIZERS: dict[str, type[Optimizer]] = {
    each.__name__: each
    for each in (SGD, ASGD, Adadelta, Adagrad, Adam, AdamW, Adamax, NAdam, RAdam, RMSprop, Rprop, SparseAdam, LBFGS)
}

__all__ = [
    "ASGD",
    "LBFGS",
    "OPTIMIZERS",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "SparseAdam",
    "clip_grad_norm_",
    "clip_grad_value_",
]
