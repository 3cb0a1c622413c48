"""gradc: a gradient compiler. A `.model` file in, a NumPy module with gradients out, and a runtime that trains it.

`compile` gives a model that is ready to use; `fit`, `Session` and `Parameter` train it, with an optimiser of `optim`
(all of which are here by their names too) and a schedule of `lr_scheduler`. `estimate` fits a model to convergence, and
says how well the data determine each parameter. Nothing heavy is imported before it is
used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradc.compiler import VERSION as __version__
    from gradc.estimating import estimate
    from gradc.model import Model, compile
    from gradc.provenance import Origin, explain
    from gradc.runtime import (
        ASGD,
        LBFGS,
        SGD,
        Adadelta,
        Adagrad,
        Adam,
        Adamax,
        AdamW,
        Data,
        DataError,
        Diverged,
        NAdam,
        Parameter,
        RAdam,
        RMSprop,
        RowSparse,
        Rprop,
        Session,
        SparseAdam,
        clip_grad_norm_,
        clip_grad_value_,
        fit,
        optim,
        read_data,
        scipy_function,
    )
    from gradc.runtime import schedules as lr_scheduler
    from gradc.weights import load_safetensors, save_safetensors

__all__ = [
    "ASGD",
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Data",
    "DataError",
    "Diverged",
    "Model",
    "NAdam",
    "Origin",
    "Parameter",
    "RAdam",
    "RMSprop",
    "RowSparse",
    "Rprop",
    "Session",
    "SparseAdam",
    "__version__",
    "clip_grad_norm_",
    "clip_grad_value_",
    "compile",
    "estimate",
    "explain",
    "fit",
    "load_safetensors",
    "lr_scheduler",
    "optim",
    "read_data",
    "save_safetensors",
    "scipy_function",
]

_ELSEWHERE = {
    "Model": ("gradc.model", "Model"),
    "Origin": ("gradc.provenance", "Origin"),
    "compile": ("gradc.model", "compile"),
    "estimate": ("gradc.estimating", "estimate"),
    "explain": ("gradc.provenance", "explain"),
    "load_safetensors": ("gradc.weights", "load_safetensors"),
    "lr_scheduler": ("gradc.runtime", "schedules"),
    "save_safetensors": ("gradc.weights", "save_safetensors"),
    "__version__": ("gradc.compiler", "VERSION"),
}
_HOMES = {**{name: ("gradc.runtime", name) for name in __all__}, **_ELSEWHERE}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home, attribute = _HOMES[name]
    value = getattr(import_module(home), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
