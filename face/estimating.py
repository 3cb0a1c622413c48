"""`gradc.estimate`: a model fitted to convergence, and what the data say of each parameter.

Takes a model, as a path, a text or compiled, and data; gives the runtime's `Estimate`. What the fit needs besides the
gradient is compiled here: residuals where the objective is a sum of squares, else second derivatives.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from gradc.compiler.pipeline import Compiled, Options, UnknownDerivative, compile_model
from gradc.compiler.source import Source, read_source
from gradc.modules import left_out, load

if TYPE_CHECKING:
    from gradc.model import Model
    from gradc.runtime.estimate import Estimate


def estimate(
    model: Model | str | os.PathLike[str],
    data: Mapping[str, Any],
    *,
    objective: str | None = None,
    start: Mapping[str, Any] | None = None,
    seed: int = 0,
    method: str = "auto",
    intervals: str = "wald",
    level: float = 0.95,
    likelihood: bool = False,
    max_iterations: int = 10_000,
    tolerance: float = 1e-8,
    restarts: int | None = None,
) -> Estimate:
    """Fit a model to data until the next step would be below `tolerance` standard errors.

    `model` is a compiled model, a file, or a text; `data` maps the names of inputs to arrays. `start` has parameters by
    name, as the model has them; the others start as the model says, drawn from `seed`. `objective` picks one of
    several.

    An objective that is a sum of squares is fitted by least squares, and its residual variance estimated, unless
    `likelihood` takes it for the negative logarithm of a likelihood as it stands; any other objective is taken so.
    `method` is "lm", "lbfgs" or "auto"; `intervals`, at `level`, are "wald" or "profile". `restarts` descents begin at
    other points around the start besides, and the lowest minimum is taken; where it is None, only if the first does not
    arrive. For many fits of one model compile it once, with `derivatives=("residuals",)`.

    Raises `gradc.runtime.errors.NotEstimable`, `NotFinite` or `Missing` where there is no fit, and the module's
    DataError.
    """
    from gradc.model import Model
    from gradc.runtime.estimate import estimate as run

    if isinstance(model, Model):
        source, options = model.source, replace(model.options, dtype="float64")
    else:
        text = isinstance(model, str) and "\n" in model
        source, options = (Source("model", str(model)) if text else read_source(model)), Options(without=left_out(()))
    if isinstance(model, Model) and _suffices(model, objective, likelihood):
        module = model.module
    else:
        _, module = compiled_for(source, options, objective, likelihood)
    return run(
        module,
        data,
        objective=objective,
        start=start,
        seed=seed,
        method=method,
        intervals=intervals,
        level=level,
        max_iterations=max_iterations,
        tolerance=tolerance,
        restarts=restarts,
    )


def _suffices(model: Model, objective: str | None, likelihood: bool) -> bool:
    """Whether the module that is there has the residuals that the fit needs, in double precision."""
    squares = getattr(model.module, "_RESIDUALS", {})
    there = bool(squares) if objective is None else objective in squares
    return there and not likelihood and model.options.dtype == "float64"


def compiled_for(
    source: Source, options: Options, objective: str | None, likelihood: bool
) -> tuple[Compiled, ModuleType]:
    """The model with what a fit of the objective needs. ModelError with every mistake found."""
    name = Path(source.name).name.removesuffix(".model")
    if not likelihood:
        try:
            compiled = compile_model(source, replace(options, derivatives=("residuals",)))
        except UnknownDerivative:
            pass
        else:
            module = load(compiled.module, name)
            if objective is None or objective in module._RESIDUALS or objective not in module.OBJECTIVES:
                return compiled, module
    try:
        compiled = compile_model(source, replace(options, derivatives=("hessian",)))
    except UnknownDerivative:
        compiled = compile_model(source, replace(options, derivatives=()))
    return compiled, load(compiled.module, name)
