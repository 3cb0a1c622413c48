"""gradc: a gradient compiler. A `.model` file in, a NumPy module with gradients out, and a runtime that trains it.

`compile` gives a model that is ready to use; `fit`, `SGD`, `Session` and `Parameter` train it. Nothing heavy is
imported before it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradc.compiler import VERSION as __version__
    from gradc.model import Model, compile
    from gradc.runtime import SGD, Parameter, Session, fit

__all__ = ["SGD", "Model", "Parameter", "Session", "__version__", "compile", "fit"]

_HOMES = {
    "Model": ("gradc.model", "Model"),
    "compile": ("gradc.model", "compile"),
    "SGD": ("gradc.runtime", "SGD"),
    "Parameter": ("gradc.runtime", "Parameter"),
    "Session": ("gradc.runtime", "Session"),
    "fit": ("gradc.runtime", "fit"),
    "__version__": ("gradc.compiler", "VERSION"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home, attribute = _HOMES[name]
    value = getattr(import_module(home), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
