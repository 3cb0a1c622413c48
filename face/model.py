"""`gradc.compile`: from Python, a model's text to a module that runs.

Takes a path or a text; gives `Model`, which holds the emitted text and the module made of it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from gradc.compiler.pipeline import Options, compile_model
from gradc.compiler.source import Source, read_source
from gradc.modules import left_out, load


@dataclass(frozen=True)
class Model:
    """A compiled model: `text` is the module as it would be written to a file, `module` the module itself."""

    name: str
    text: str = field(repr=False)
    module: ModuleType = field(repr=False)


def compile(
    model: str | os.PathLike[str],
    dtype: str = "float64",
    constants: Mapping[str, float] | None = None,
    without: tuple[str, ...] = (),
    fast_algebra: bool = False,
    derivatives: tuple[str, ...] = (),
) -> Model:
    """The model in a file, or in a text (a `str` with a line end in it).

    `constants` replaces `const` values, `without` names passes and rules to leave out, `fast_algebra` multiplies out
    polynomials of the data, `derivatives` names functions that the module has besides, such as "hessian". Raises
    `gradc.compiler.source.ModelError` with every mistake found, `gradc.compiler.pipeline.UnknownDerivative` where the
    model does not have a derivative, OSError where the file cannot be read.
    """
    text = isinstance(model, str) and "\n" in model
    source = Source("model", str(model)) if text else read_source(model)
    name = Path(source.name).name.removesuffix(".model")
    options = Options(dtype, dict(constants or {}), left_out(without), fast_algebra, derivatives)
    compiled = compile_model(source, options)
    return Model(name, compiled.module, load(compiled.module, name))
