"""The walk over the emitted text: it lets every module pass that the compiler writes, and nothing added to one."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from gradc.compiler.emit.allowed import Refused, verify
from gradc.compiler.emit.support import OF_NUMPY
from gradc.compiler.emit.ufuncs import FUNCTIONS
from gradc.compiler.pipeline import PASSES, Options, compile_model
from gradc.compiler.source import Source

ROOT = Path(__file__).parents[1]
MODELS = sorted([*(ROOT / "examples").glob("*/*.model"), *(ROOT / "tests" / "models").glob("*.model")])
ALONE = "def vjp("
"""Before this line something may be added to the module itself,"""
INSIDE = "    def __call__("
"""before this one to a class, and"""
STEP = "            out = empty(self.size, DTYPE)\n"
"""behind this one to a function."""


@cache
def module(path: Path, dtype: str = "float64", without: tuple[str, ...] = ()) -> str:
    return compile_model(
        Source(path.name, path.read_text(encoding="utf-8")), Options(dtype=dtype, without=without)
    ).module


def sample() -> str:
    return module(ROOT / "examples" / "digits" / "digits.model")


@pytest.mark.parametrize("path", MODELS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_module_passes(path: Path) -> None:
    for dtype, without in (("float64", ()), ("float32", tuple(PASSES))):
        verify(module(path, dtype, without))


def test_what_may_be_used_of_numpy_exists_and_is_harmless() -> None:
    for name in OF_NUMPY | FUNCTIONS:
        assert hasattr(np, name), name
    assert not (OF_NUMPY | FUNCTIONS) & set(
        "load save savez savetxt loadtxt fromfile memmap frompyfunc vectorize".split()
    )


def refused(text: str, *words: str) -> Refused:
    """The refusal of a text that Python itself would run."""
    compile(text, "<module>", "exec")
    with pytest.raises(Refused) as caught:
        verify(text)
    for word in words:
        assert word in caught.value.what, caught.value.what
    return caught.value


STATEMENTS = {
    "import os": "Import",
    "import numpy.linalg": "Import",
    "import numpy, os": "Import",
    "import numpy as float": "Import",
    "from os import path": "Import",
    "from . import path": "Import",
    "from numpy import load": "numpy.load",
    "from numpy import add as eval": "numpy.add",
    "from numpy import *": "numpy.*",
    "from numpy.lib import format": "Import",
    "print(MODEL)": "place",
    "X = open(MODEL)": "import",
    "X = [x for x in range(9)]": "import",
    "X = AXES['n']": "import",
    "X = f'{MODEL}'": "import",
    "X, Y = 1, 2": "place",
    "AXES['n'] = 3": "place",
    "X: int = 3": "place",
    "X += 3": "place",
    "if True:\n    X = 3": "place",
    "for X in (1, 2):\n    continue": "place",
    "while False:\n    X = 3": "place",
    "class A(dict):\n    '''More than a class.'''": "place",
    "class A(metaclass=bind):\n    '''More than a class.'''": "another kind",
    "class DataError(KeyError):\n    '''More than a class.'''": "place",
    "@bind\nclass A:\n    '''More than a class.'''": "another kind",
    "class A:\n    x = 3": "place",
    "class A:\n    def __getattr__(self, name):\n        return 1": "__getattr__",
    "class A:\n    def __del__(self):\n        return 1": "__del__",
    "class A:\n    class B:\n        '''More than a class.'''": "place",
    "def __getattr__(name):\n    return name": "__getattr__",
    "def f(x=len(MODEL)):\n    return x": "default",
    "def f(*x):\n    return x": "argument",
    "def f(**x):\n    return x": "argument",
    "def f(*, x):\n    return x": "argument",
    "def f(x, /):\n    return x": "argument",
    "def f(x: int):\n    return x": "argument",
    "def f() -> int:\n    return 1": "another kind",
    "async def f():\n    return 1": "place",
    "@bind\ndef f():\n    return 1": "decorator",
    "@errstate(all='raise')\ndef f():\n    return 1": "decorator",
    "def f():\n    @errstate(all='ignore')\n    def g():\n        return 1\n    return g": "inside",
    "'''" + "long " * 3000 + "'''": "long",
    "X = 'caf\u00e9'": "ASCII",
    "X = 3\f": "ASCII",
    "X = 3\r": "ASCII",
    "X = '\x1b'": "ASCII",
    "X = 1e999": "finite",
    "X = 1j": "complex",
    "X = b''": "bytes",
    "X = ...": "ellipsis",
    "X = nothing": "nothing",
    "X = {**AXES}": "apart",
}

EXPRESSIONS = {
    "open(MODEL)": "open",
    "eval(MODEL)": "eval",
    "exec(MODEL)": "exec",
    "compile(MODEL, MODEL, MODEL)": "compile",
    "__import__('os')": "__import__",
    "getattr(data, MODEL)": "getattr",
    "setattr(data, MODEL, 1)": "setattr",
    "globals()": "globals",
    "vars(self)": "vars",
    "input()": "input",
    "breakpoint()": "breakpoint",
    "type(self)": "type",
    "super()": "super",
    "print(MODEL)": "print",
    "object": "object",
    "BaseException": "BaseException",
    "__builtins__": "__builtins__",
    "__file__": "__file__",
    "nothing": "nothing",
    "self.__class__": "__class__",
    "self.nothing": "nothing",
    "theta.__class__.__mro__": "__mro__",
    "theta.tofile(MODEL)": "tofile",
    "theta.dump(MODEL)": "dump",
    "theta.ctypes": "ctypes",
    "MODEL.format(theta)": "format",
    "numpy": "numpy",
    "(numpy,)": "numpy",
    "numpy.load(MODEL)": "numpy.load",
    "numpy.save(MODEL, theta)": "numpy.save",
    "numpy.fromfile(MODEL)": "numpy.fromfile",
    "numpy.lib.format": "lib",
    "numpy.random.seed(1)": "numpy.random.seed",
    "numpy.linalg.norm(theta)": "norm",
    "numpy.ctypeslib.load_library": "load_library",
    "theta.numpy": "numpy",
    "load(MODEL)": "load",
    "lambda: 1": "Lambda",
    "(theta, (x := 3))": "NamedExpr",
    "{1, 2}": "Set",
    "{x for x in (1, 2)}": "SetComp",
    "[*theta]": "apart",
    "{**AXES}": "apart",
    "max(*theta)": "apart",
    "max(**AXES)": "argument",
    "numpy.array(theta, subok=True)": "subok",
    "f'{theta}'": "message",
    "bind(f'{theta}')": "message",
    "theta()": "theta",
    "out(theta)": "out",
    "(bind or vjp)(theta)": "computed",
    "INPUTS['x'](theta)": "computed",
    "(yield theta)": "Yield",
    "bind(theta)(theta)(theta)": "computed",
}

LINES = {
    "while theta: continue": "While",
    "global MODEL": "Global",
    "del theta": "Delete",
    "assert theta": "Assert",
    "pass": "Pass",
    "import os": "inside",
    "from numpy import add": "inside",
    "class A: '''A class.'''": "inside",
    "def f(): return 1": "inside",
    "numpy = theta": "numpy",
    "float = theta": "float",
    "add = theta": "add",
    "exp: int = theta": "AnnAssign",
    "for len in theta: continue": "len",
    "theta.shape = 3": "shape",
    "self.nothing = 3": "nothing",
    "numpy.array = theta": "array",
    "theta += numpy.load(MODEL)": "load",
    "theta == 3": "away",
    "raise ValueError(MODEL)": "place",
    "raise DataError": "place",
    "raise DataError(MODEL) from theta": "place",
    "raise DataError(f'{theta:>{theta}}')": "format",
    "match theta:\n                case 1: return 1": "Match",
    "with open(MODEL): return 1": "open",
    "with numpy.errstate(all=MODEL) as numpy: return 1": "numpy",
}


def behind(line: str, text: str, added: str) -> str:
    assert text.count(line) >= 1
    return text.replace(line, line + added, 1)


@pytest.mark.parametrize("added", STATEMENTS)
def test_nothing_is_added_to_the_module(added: str) -> None:
    text = sample()
    found = refused(f"{text}\n\n{added}\n", STATEMENTS[added])
    assert found.line > text.count("\n") or found.what.startswith("a character") or "binds" in found.what
    refused(text.replace(ALONE, f"{added}\n\n\n{ALONE}", 1), STATEMENTS[added])


@pytest.mark.parametrize("added", EXPRESSIONS)
def test_nothing_else_is_computed(added: str) -> None:
    found = refused(behind(STEP, sample(), f"            theta = {added}\n"), EXPRESSIONS[added])
    assert "written: line" in str(found)


@pytest.mark.parametrize("added", LINES)
def test_nothing_else_is_done(added: str) -> None:
    refused(behind(STEP, sample(), f"            {added}\n"), LINES[added])


def test_a_name_must_be_bound_in_its_own_function() -> None:
    text = sample()
    refused(behind(STEP, text, "            theta = block\n"), "block, which nothing binds")
    lines = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.ImportFrom)]
    names = [alias.name for alias in lines[0].names]
    assert "matmul" in names or "exp" in names
    refused(text.replace("    exp,\n", "", 1), "exp, which nothing binds")


def test_a_refusal_says_where() -> None:
    text = sample()
    line = text[: text.index(STEP)].count("\n") + 2
    assert str(refused(behind(STEP, text, "            theta = open(MODEL)\n"))) == (
        f"the emitted module was not written: line {line} holds the name open, which nothing binds"
    )
