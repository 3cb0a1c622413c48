"""From a model's file to a module that runs.

Takes a path and options; gives the compiled model, and the module made of the text that the compiler has just verified.
Only the compiler's own text is ever executed: a file from elsewhere is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from gradc.compiler.source import Source, nearest, read_source
from gradc.failures import Failure, usage
from gradc.files import cannot

if TYPE_CHECKING:
    from gradc.compiler.pipeline import Compiled, Options


def read(path: Path) -> Source:
    """The model's text. Failure where the file cannot be read, ModelError where it is no text."""
    try:
        return read_source(path)
    except OSError as error:
        raise cannot(f"read {path}", error) from error


def options(dtype: str, constants: Mapping[str, float], without: tuple[str, ...] = ()) -> Options:
    """The compiler's options. Failure ("usage") where a pass is unknown."""
    from gradc.compiler.pipeline import PASSES, Options

    for name in without:
        if name not in PASSES:
            near = nearest(name, PASSES)
            help = f"did you mean {near}?" if near else None
            raise usage(f"there is no pass {name!a}; the passes are {', '.join(PASSES)}", help)
    return Options(dtype=dtype, constants=dict(constants), without=without)


def compile_source(source: Source, chosen: Options) -> Compiled:
    """The compiled model. ModelError with every mistake found."""
    from gradc.compiler.pipeline import compile_model

    return compile_model(source, chosen)


def load(text: str, name: str) -> ModuleType:
    """The module that the compiler's text is, under `name`; nothing is written or left in `sys.modules`."""
    module = ModuleType(name)
    module.__file__ = f"<{name}, compiled by gradc>"
    exec(compile(text, module.__file__, "exec"), module.__dict__)
    return module


def data_error(error: ValueError) -> Failure:
    """A module's DataError, or the runtime's, as a failure."""
    return Failure("data", str(error))
