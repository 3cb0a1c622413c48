"""How `check` says how far two ways to the same numbers are apart."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy.typing as npt

LEAST = {"float64": 1e-9, "float32": 2e-4}
"""How far the module may be from the graph, relative to the largest element."""
LEAST_NUMERIC = {"float64": 1e-7, "float32": 2e-4}
"""The same for the numerical gradient, beside the error that it states of itself."""


def farthest(gap: npt.NDArray[Any], scale: float) -> float:
    """The largest difference, relative to `scale`; infinite where something is not a number."""
    import numpy as np

    most = float(np.abs(gap).max(initial=0))
    return math.inf if math.isnan(most) else 0.0 if most == 0 else most / max(scale, 1e-300)


def digits(gap: float) -> float:
    """Decimal digits that agree, 16 at most."""
    return 0.0 if gap >= 1 else 16.0 if gap == 0 else round(min(-math.log10(gap), 16.0), 1)


def as_written(
    value: npt.NDArray[Any], names: tuple[str, ...], axes: tuple[str, ...], shape: tuple[int, ...]
) -> npt.NDArray[Any]:
    """A gradient with the parameter's axes, in their order; along one that it lacks it is constant."""
    import numpy as np

    present = [name for name in axes if name in names]
    ordered = np.real(value).transpose([names.index(name) for name in present])
    at = [length if name in names else 1 for name, length in zip(axes, shape, strict=True)]
    return np.broadcast_to(ordered.reshape(at), shape)
