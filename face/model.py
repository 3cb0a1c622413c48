"""`gradc.compile`: from Python, a model's text to a module that runs.

Takes a path or a text; gives `Model`, which holds the emitted text and the module made of it, and makes sessions.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy.typing as npt

from gradc.compiler.parts import Described, described
from gradc.compiler.pipeline import Options, compile_model
from gradc.compiler.source import Source, read_source
from gradc.estimating import estimate
from gradc.modules import left_out, load
from gradc.provenance import explain
from gradc.runtime.session import Session
from gradc.trained import train

Variant = tuple[tuple[str, ...], tuple[str, ...], str | None]


@dataclass(frozen=True)
class Model:
    """A compiled model: `text` is the module as it would be written to a file, `module` the module itself.

    `values` says of each objective, named value, input and output what may be asked of it.
    """

    name: str
    text: str = field(repr=False)
    module: ModuleType = field(repr=False)
    source: Source = field(repr=False)
    options: Options = field(repr=False)
    values: Mapping[str, Described] = field(repr=False)
    _variants: dict[Variant, ModuleType] = field(default_factory=dict, repr=False, compare=False)

    fit = train
    explain = explain

    def session(
        self,
        data: Mapping[str, Any],
        theta: npt.NDArray[Any] | None = None,
        seed: int = 0,
        objective: str | None = None,
        bind: bool = True,
    ) -> Session:
        """The model at one point: `data` maps the names of inputs to arrays.

        `theta`, a flat vector, is where it starts, else the model's own start, drawn from `seed`. `objective` picks one
        of several. Without `bind` data are bound when a pass needs all of them. Raises the module's DataError where the
        data do not fit.
        """
        return Session(self.module, data, theta, seed, objective, self, bind)

    def variant(self, frozen: tuple[str, ...], retained: tuple[str, ...], value: str | None) -> ModuleType:
        """The module without gradients by the frozen parameters and with those by retained values; where `value` is
        given, of this value alone. It is made when it is first asked for."""
        key = (frozen, retained, value)
        if key not in self._variants:
            options = replace(self.options, frozen=frozen, retained=retained)
            if value is not None:
                options = replace(options, values=(value,), alone=True, derivatives=())
            self._variants[key] = load(compile_model(self.source, options).module, self.name)
        return self._variants[key]

    estimate = estimate


def compile(
    model: str | os.PathLike[str],
    dtype: str = "float64",
    constants: Mapping[str, float] | None = None,
    without: tuple[str, ...] = (),
    fast_algebra: bool = False,
    derivatives: tuple[str, ...] = (),
    frozen: tuple[str, ...] = (),
    values: tuple[str, ...] = (),
    sparse: tuple[str, ...] = (),
) -> Model:
    """The model in a file, or in a text (a `str` with a line end in it).

    `constants` replaces `const` values, `without` names passes and rules to leave out, `fast_algebra` multiplies out
    polynomials of the data, `derivatives` names functions that the module has besides, such as "hessian". Nothing is
    differentiated by parameters that the patterns in `frozen` name, such as "body.*"; `values` are named values that
    the module gives besides its outputs; gradients by parameters that the patterns in `sparse` name, which are only
    gathered from, are given by rows. Raises `gradc.compiler.source.ModelError` with every mistake found,
    `gradc.compiler.pipeline.UnknownDerivative` and `gradc.compiler.parts.UnknownPart` where the model does not have
    what is asked for, OSError where the file cannot be read.
    """
    text = isinstance(model, str) and "\n" in model
    source = Source("model", str(model)) if text else read_source(model)
    options = Options(
        dtype,
        dict(constants or {}),
        left_out(without),
        fast_algebra,
        derivatives,
        frozen=tuple(frozen),
        values=tuple(values),
        sparse=tuple(sparse),
    )
    return made(source, options)


def made(source: Source, options: Options) -> Model:
    """The model of a source, under the name of its file."""
    name = Path(source.name).name.removesuffix(".model")
    compiled = compile_model(source, options)
    module = load(compiled.module, name)
    return Model(name, compiled.module, module, source, options, described(compiled.elaborated))
