"""`import gradc.importer`: from then on `import thermometer` finds `thermometer.model` where modules are looked for.

Takes the names of modules that Python has not found; gives modules of the text that the compiler writes, which is
compiled at the import and written nowhere. A module of the same name, such as the one that `gradc compile` has written
beside the model, comes first. What ships does without this file: the written module.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from gradc.compiler.source import ModelError


class ModelFinder(MetaPathFinder):
    """Finds a model's file in a package's folders, or in those of `sys.path`."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The place of the model, or None."""
        name = fullname.rpartition(".")[2]
        for folder in sys.path if path is None else path:
            file = Path(folder or ".", f"{name}.model")
            if file.is_file():
                return spec_from_file_location(fullname, file, loader=ModelLoader(file))
        return None


class ModelLoader(InspectLoader):
    """Compiles the model of one file. ImportError with every mistake in it, and where the file cannot be read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def get_source(self, fullname: str) -> str:
        """The text of the module, which is not that of the file."""
        from gradc.model import compile

        try:
            return compile(self.path).text
        except ModelError as error:
            message = f"{self.path.name} has mistakes\n{error}"
            raise ImportError(message, name=fullname, path=str(self.path)) from error
        except OSError as error:
            message = f"cannot read {self.path.name}: {error.strerror}"
            raise ImportError(message, name=fullname, path=str(self.path)) from error

    @staticmethod
    def source_to_code(data: Any, path: Any = "<string>") -> CodeType:
        """The text as code, under a name that no file has: its lines are not the model's."""
        return compile(data, "<model, compiled by gradc>", "exec")


# Where this module is loaded again its class is another.
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__name__ != ModelFinder.__name__]
sys.meta_path.append(ModelFinder())
