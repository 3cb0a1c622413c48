"""The promise about the emitted text, checked on the text itself.

Takes the module's source; raises `Refused` unless each node, name, attribute and string of its syntax tree is on the
lists here. What passes imports NumPy alone and computes nothing when it is imported; it calls its own functions, the
NumPy functions that the emitter knows and a few harmless builtins, and every name in it is bound where it is used. A
model cannot put anything into a module that this walk lets pass.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from dataclasses import dataclass

from . import special, support
from .ufuncs import FUNCTIONS


def _kinds(names: str) -> frozenset[type[ast.AST]]:
    return frozenset(getattr(ast, name) for name in names.split())


FREE = _kinds(
    "Assign AugAssign Return If For With withitem Raise Try Continue Subscript Slice Tuple List BinOp UnaryOp BoolOp "
    "Compare IfExp ListComp GeneratorExp DictComp comprehension Load Store And Or Add Sub Mult Div FloorDiv Pow Invert "
    "Not USub Eq NotEq Lt LtE Gt GtE Is IsNot In NotIn"
)
"""What may stand anywhere in a function."""

CHECKED = _kinds(
    "Import ImportFrom alias ClassDef FunctionDef arguments arg Expr ExceptHandler Name Attribute Starred Constant "
    "Dict Call keyword JoinedStr FormattedValue"
)
"""What may stand where `_objection` finds nothing against it."""

PLACES = _kinds("Module ClassDef Raise")
"""Where only some of these may stand: `_misplaced` knows."""

LITERALS = _kinds("Constant Dict Tuple List Name Load UnaryOp USub")

BUILTINS = frozenset(
    "ValueError KeyError IndexError TypeError any bool float int isinstance iter len list max min next range slice sum "
    "tuple zip".split()
)
"""None of them reads a file, finds an attribute by its name or runs a text."""

TAKEN = BUILTINS | FUNCTIONS | {"numpy"}
"""Names that mean the same everywhere."""

ATTRIBUTES = frozenset(
    "T accumulate all any append astype at c_contiguous diagonal dot draw dtype fill flags get index item items join "
    "kind max min ndim normal random reduce reshape rstrip setdefault shape standard_exponential standard_normal stop "
    "tolist transpose uniform values".split()
)
"""Of arrays, ufuncs, tables, texts, slices and random generators."""

OWN = frozenset(
    "rebind retained rows size sparse _block _blocks _buffers _fixed _lengths _noise _out _places _see _theta _updated "
    "_views _write_to".split()
)
"""What the module's classes have."""

WITHIN = {
    "random": frozenset({"Generator", "Philox"}),
    "linalg": frozenset("LinAlgError cholesky cond det inv qr slogdet solve".split()),
}
"""What the module uses of parts of NumPy."""
VIEWS = frozenset({"numpy.lib.stride_tricks", "numpy.lib.stride_tricks.sliding_window_view"})
"""A view of an array that reads no memory but its own."""
TABLES = frozenset({"_OBJECTIVES", "_FACTORED", "_EXPANDED", "_HESSIAN", "_HVP", "_OBSERVATIONS", "_RESIDUALS"})
"""Tables of classes, which are called."""
METHODS = frozenset({"__init__", "__call__"})
KEYWORDS = frozenset("all axis counter default dtype key order out over where".split())
DECORATOR = "errstate(all='ignore')"
EXCEPTION = "DataError"
LONGEST = 10_000
"""Characters of a string: the longest is the name of a parameter in layers within layers."""


@dataclass(eq=False)
class Refused(Exception):
    """Emitted text that is not what the compiler promises: a mistake of ours, never written to a file."""

    what: str
    line: int

    def __str__(self) -> str:
        return f"the emitted module was not written: line {self.line} holds {self.what}"


def verify(text: str) -> None:
    """Raises Refused where the text is more than the arithmetic that it should be."""
    strange = next((character for character in set(text) if not (" " <= character <= "~" or character == "\n")), None)
    if strange is not None:
        raise Refused("a character that is not plain ASCII", text[: text.index(strange)].count("\n") + 1)
    tree = ast.parse(text)
    outside = list(_parts(tree))
    defined = {node.name for node, _ in outside if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    defined |= {node.name for node, _ in outside if isinstance(node, ast.alias)}
    defined |= {node.id for node, _ in outside if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    for parts in (outside, *(list(_parts(node)) for node, _ in outside if isinstance(node, ast.FunctionDef))):
        for node, parent in parts:
            kind = type(node)
            what = _misplaced(node, parent) if type(parent) in PLACES else None
            if what is None and kind not in FREE:
                what = _objection(node, parent) if kind in CHECKED else f"a {kind.__name__}"
            if what is not None:
                raise Refused(what, getattr(node, "lineno", getattr(parent, "lineno", 0)))
        for line, what in _names([node for node, _ in parts], defined | BUILTINS):
            raise Refused(what, line)


def _parts(scope: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Each node below, and the one that it stands in; what stands in a function below is left out."""
    todo = [scope]
    while todo:
        parent = todo.pop()
        for field in parent._fields:
            value = getattr(parent, field)
            for node in value if type(value) is list else (value,):
                if isinstance(node, ast.AST):
                    yield node, parent
                    if node._fields and type(node) is not ast.FunctionDef:
                        todo.append(node)


def _misplaced(node: ast.AST, parent: ast.AST) -> str | None:
    """Of what stands in the module itself, in a class or behind `raise`: whether it may."""
    match parent, node:
        case ast.Module(), ast.Import() | ast.ImportFrom() | ast.ClassDef() | ast.FunctionDef():
            return None
        case ast.Module() | ast.ClassDef(), ast.Expr(value=ast.Constant()):
            return None
        case ast.Module(), ast.Assign(targets=[ast.Name()], value=value):
            return None if all(type(part) in LITERALS for part in ast.walk(value)) else "work at import"
        case ast.ClassDef(name=name, bases=bases), ast.Name(id="ValueError") if name == EXCEPTION and node in bases:
            return None
        case (ast.ClassDef(), ast.FunctionDef()) | (ast.Raise(), ast.Constant(value=None)):
            return None
        case ast.Raise(), ast.Call(func=ast.Name(id=name)) if name == EXCEPTION:
            return None
    return f"a {type(node).__name__} out of place"


def _objection(node: ast.AST, parent: ast.AST) -> str | None:
    """What is wrong with a node; None where nothing is."""
    match node:
        case ast.Name(id="numpy") if not isinstance(parent, ast.Attribute):
            return "numpy as a value"
        case ast.Name():
            return None
        case ast.Attribute(attr="stride_tricks" | "sliding_window_view", ctx=ast.Load()):
            return None if ast.unparse(node) in VIEWS else ast.unparse(node)
        case ast.Attribute(value=ast.Name(id="numpy"), attr=name, ctx=ast.Load()):
            return None if name in support.OF_NUMPY | special.OF_NUMPY else f"numpy.{name}"
        case ast.Attribute(value=ast.Attribute(value=ast.Name(id="numpy"), attr=part), attr=name, ctx=ast.Load()):
            return None if name in WITHIN.get(part, ()) else f"numpy.{part}.{name}"
        case ast.Attribute(value=ast.Name(id="self"), attr=name):
            return None if name in OWN else f"the attribute {name}"
        case ast.Attribute(attr=name, ctx=context):
            return None if name in ATTRIBUTES and isinstance(context, ast.Load) else f"the attribute {name}"
        case ast.Constant(value=str(text)):
            return "a string that is too long" if len(text) > LONGEST else None
        case ast.Constant(value=float(number)):
            return None if math.isfinite(number) else "a number that is not finite"
        case ast.Constant(value=value):
            return None if value is None or isinstance(value, int) else f"a {type(value).__name__}"
        case ast.Call(func=ast.Name() | ast.Attribute() | ast.Call(func=ast.Name())):
            return None
        case ast.Call(func=ast.Subscript(value=ast.Name(id=table))) if table in TABLES:
            return None
        case ast.Call():
            return "a call of something computed"
        case ast.keyword(arg=name) if name not in KEYWORDS:
            return f"the argument {name}"
        case ast.JoinedStr() if not _is_message(parent):
            return "a text put together that is no message"
        case ast.FormattedValue(format_spec=ast.JoinedStr()):
            return "a format"
        case ast.Expr(value=value) if not isinstance(value, ast.Constant | ast.Call):
            return "a value that is thrown away"
        case ast.Starred(ctx=ast.Load()):
            return "a list taken apart"
        case ast.Dict(keys=keys) if None in keys:
            return "a table taken apart"
        case ast.ExceptHandler(name=str()):
            return "an exception with a name"
        case ast.FunctionDef() | ast.ClassDef() | ast.Import() | ast.ImportFrom():
            return _definition(node, parent)
        case ast.arguments(posonlyargs=[], vararg=None, kwonlyargs=[], kwarg=None, defaults=defaults):
            return None if all(isinstance(default, ast.Constant) for default in defaults) else "a default computed"
        case ast.arguments() | ast.arg(annotation=ast.expr()):
            return "an argument of another kind"
    return None


def _is_message(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == EXCEPTION


def _definition(node: ast.stmt, parent: ast.AST) -> str | None:
    """What is wrong with an import, a class or a function."""
    if not isinstance(parent, ast.Module | ast.ClassDef):
        return "a definition inside another"
    match node:
        case ast.Import(names=[ast.alias(name="numpy", asname=None)]):
            return None
        case ast.ImportFrom(module="numpy", level=0, names=names):
            return next((f"numpy.{n.name}" for n in names if n.name not in FUNCTIONS or n.asname is not None), None)
        case ast.FunctionDef(name=name, decorator_list=decorators, returns=None):
            if any(ast.unparse(decorator) != DECORATOR for decorator in decorators):
                return "a decorator"
            return f"the method {name}" if name.startswith("__") and name not in METHODS else None
        case ast.ClassDef(keywords=[], decorator_list=[]):
            return None
    return f"a {type(node).__name__} of another kind"


def _names(nodes: list[ast.AST], known: set[str]) -> Iterator[tuple[int, str]]:
    """Names that nothing binds, calls of a value, and second meanings of a name: the line, and what it holds."""
    names = [node for node in nodes if isinstance(node, ast.Name)]
    bound = {name.id: name.lineno for name in names if isinstance(name.ctx, ast.Store)}
    bound |= {node.arg: node.lineno for node in nodes if isinstance(node, ast.arg)}
    yield from ((line, f"a second meaning of {name}") for name, line in bound.items() if name in TAKEN)
    for name in names:
        if name.id not in bound and name.id not in known:
            yield name.lineno, f"the name {name.id}, which nothing binds"
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in bound:
            yield node.lineno, f"a call of the value {node.func.id}"
