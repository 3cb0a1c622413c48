"""The promise about the emitted text, checked on the text itself.

Takes the module's source; raises `Refused` unless each node, name and attribute of its syntax tree is on the lists
here: it imports NumPy alone, calls nothing else, touches no dunder, and its strings are short plain data. A model
cannot put anything into a module that this walk lets pass.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

NODES: tuple[type[ast.AST], ...] = (
    ast.Module, ast.Import, ast.ImportFrom, ast.alias, ast.Assign, ast.AugAssign, ast.Expr, ast.FunctionDef, ast.ClassDef,
    ast.Return, ast.If, ast.For, ast.With, ast.withitem, ast.Raise, ast.Try, ast.ExceptHandler, ast.Continue, ast.Pass,
    ast.arguments, ast.arg, ast.Name, ast.Attribute, ast.Subscript, ast.Slice, ast.Constant, ast.Tuple, ast.List, ast.Dict,
    ast.Call, ast.keyword, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.JoinedStr, ast.FormattedValue,
    ast.ListComp, ast.GeneratorExp, ast.DictComp, ast.comprehension, ast.Starred, ast.Load, ast.Store, ast.operator,
    ast.unaryop, ast.boolop, ast.cmpop,
)  # fmt: skip
BUILTINS = frozenset(
    [
        "ValueError",
        "KeyError",
        "IndexError",
        "TypeError",
        "None",
        "True",
        "False",
        "all",
        "any",
        "float",
        "int",
        "bool",
        "dict",
        "isinstance",
        "iter",
        "len",
        "list",
        "max",
        "min",
        "next",
        "range",
        "slice",
        "sum",
        "tuple",
        "zip",
    ]
)
FORBIDDEN = frozenset(
    [
        "eval",
        "exec",
        "compile",
        "open",
        "__import__",
        "globals",
        "locals",
        "vars",
        "getattr",
        "setattr",
        "delattr",
        "input",
        "breakpoint",
        "__builtins__",
    ]
)
ATTRIBUTES = frozenset(
    [
        "T",
        "dot",
        "asarray",
        "ascontiguousarray",
        "reshape",
        "transpose",
        "astype",
        "fill",
        "tolist",
        "item",
        "at",
        "reduce",
        "shape",
        "dtype",
        "kind",
        "ndim",
        "size",
        "stop",
        "start",
        "flags",
        "c_contiguous",
        "all",
        "any",
        "min",
        "max",
        "append",
        "get",
        "setdefault",
        "items",
        "join",
        "rstrip",
        "random",
        "Generator",
        "Philox",
        "normal",
        "uniform",
        "empty",
        "full",
        "zeros",
        "concatenate",
        "prod",
        "exp",
        "log",
        "isfinite",
        "isin",
        "floor",
        "argwhere",
        "array",
        "errstate",
        "ndarray",
        "int64",
        "rebind",
        "rows",
        "values",
        "_lengths",
        "_block",
        "_buffers",
        "_blocks",
        "_fixed",
        "_theta",
        "_out",
        "_views",
        "_places",
        "_see",
        "_write_to",
        "copy",
        "numpy",
    ]
)
DUNDERS = frozenset({"__init__", "__call__"})


@dataclass(eq=False)
class Refused(Exception):
    """Emitted text that is not what the compiler promises: a mistake of ours, never written to a file."""

    what: str
    line: int

    def __str__(self) -> str:
        return f"the emitted module was not written: line {self.line} holds {self.what}"


def verify(text: str) -> None:
    """Raises Refused where the text is more than the arithmetic that it should be."""
    if not text.isascii() or "\r" in text:
        raise Refused("a character that is not ASCII", 1)
    for node in ast.walk(ast.parse(text)):
        line = getattr(node, "lineno", 0)
        if not isinstance(node, NODES):
            raise Refused(f"a {type(node).__name__}", line)
        match node:
            case ast.Import(names=names) if [n.name for n in names] != ["numpy"]:
                raise Refused("an import", line)
            case ast.ImportFrom() if node.module != "numpy" or node.level:
                raise Refused("an import", line)
            case ast.Attribute(attr=name) if name not in ATTRIBUTES:
                raise Refused(f"the attribute {name}", line)
            case ast.Name(id=name) if name in FORBIDDEN or (name.startswith("__") and name not in DUNDERS):
                raise Refused(f"the name {name}", line)
            case ast.FunctionDef(name=name) if name.startswith("__") and name not in DUNDERS:
                raise Refused(f"the name {name}", line)
            case ast.Call(func=function) if not isinstance(
                function, ast.Name | ast.Attribute | ast.Call | ast.Subscript
            ):
                raise Refused("a call of something computed", line)
