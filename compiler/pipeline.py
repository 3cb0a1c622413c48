"""The compiler from end to end: the text of a model in, the text of a NumPy module out.

This page is the list of its stages. Each is a function of one value; each can be dumped by name (`stages`) and each
pass between differentiation and emission switched off by name (`Options.without`).
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from . import VERSION
from .check_graph import checked, held_by_doubles
from .differentiate import differentiate
from .elaborate import elaborate
from .emit.numpy import emit_numpy
from .graph import Constant, Program
from .lower import lower
from .simplify.factor import factor_rows
from .simplify.pointwise import simplify_pointwise
from .simplify.rewrites import Rewrites
from .simplify.stable import stabilise
from .simplify.stack import stack_terms
from .simplify.tensor import simplify_tensors
from .source import Source
from .syntax import parse

Pass = Callable[[Program, Rewrites], Program]

PASSES: Mapping[str, Pass] = {
    "stable": stabilise,
    "tensor": simplify_tensors,
    "pointwise": simplify_pointwise,
    "stack": stack_terms,
    "factor": factor_rows,
}
"""The passes that may be left out: each gives a program of the same values."""

DTYPES = ("float64", "float32")
"""The types that a module's numbers may have."""

BEFORE = ("stable",)
AFTER = ("stable", "tensor", "pointwise", "tensor", "pointwise", "tensor")


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller may choose. `constants` replaces `const` values; `without` names passes to leave out."""

    dtype: str = "float64"
    constants: Mapping[str, float] = field(default_factory=dict)
    without: tuple[str, ...] = ()


@dataclass(eq=False)
class UnknownPass(ValueError):
    """A name in `Options.without` that is no pass's."""

    name: str

    def __str__(self) -> str:
        return f"there is no pass `{self.name}` to leave out; there are {', '.join(PASSES)}"


@dataclass(eq=False)
class UnknownType(ValueError):
    """A name in `Options.dtype` that is no type of the module's numbers."""

    name: str

    def __str__(self) -> str:
        return f"there is no type `{self.name}` of numbers; there are {', '.join(DTYPES)}"


@dataclass(frozen=True, slots=True)
class Compiled:
    """A model at the three places where people look: as written, with its gradients simplified, and as a module."""

    source: Source
    options: Options
    elaborated: Program
    program: Program
    module: str


def stages(
    source: Source, options: Options | None = None, rewrites: Rewrites | None = None
) -> Iterator[tuple[str, object]]:
    """Each stage's name and what it gives, in order: syntax tree, programs, the module's text.

    `rewrites` is the record that the passes write into, made by `record`.
    """
    chosen = options or Options()
    rewrites = rewrites or Rewrites(chosen.without)
    if chosen.dtype not in DTYPES:
        raise UnknownType(chosen.dtype)
    for name in chosen.without:
        if name not in PASSES:
            raise UnknownPass(name)
    tree = parse(source)
    yield "parse", tree
    written = elaborate(tree, chosen.constants)
    yield "elaborate", checked(written)
    program = written
    for name in BEFORE:
        if name not in chosen.without:
            program = PASSES[name](program, rewrites)
            yield f"{name} before", checked(program, written)
    program = differentiate(program, written)
    yield "differentiate", checked(program, written)
    for round_, name in enumerate(AFTER, 1):
        if name not in chosen.without:
            program = PASSES[name](program, rewrites)
            yield f"{name} {round_}", checked(program, written)
    yield "simplified", program
    if "stack" not in chosen.without:
        program = stack_terms(program, rewrites)
        yield "stack", checked(program, written)
    factored = program
    if "factor" not in chosen.without:
        factored = factor_rows(program, rewrites)
        yield "factor", checked(factored, written)
    lowered = lower(program, chosen.dtype)
    yield "lower", held_by_doubles(checked(lowered), source)
    other = lowered if factored is program else lower(factored, chosen.dtype)
    constants = {n: float(v.value) for n, v in written.named if isinstance(v, Constant) and n in _declared(tree)}
    yield "emit", emit_numpy(lowered, other, written, source, chosen.dtype, constants, VERSION)


def _declared(tree: object) -> frozenset[str]:
    from .tree import Constant as Declaration

    return frozenset(s.name for s in getattr(tree, "statements", ()) if isinstance(s, Declaration))


@contextmanager
def _uncollected() -> Iterator[None]:
    """No search for cyclic garbage: there is little of it, and among so many nodes it takes a third of the time."""
    collected = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collected:
            gc.enable()


def compile_model(source: Source, options: Options | None = None) -> Compiled:
    """The compiled model. Raises ModelError with every mistake found, UnknownPass or UnknownType for an option."""
    chosen = options or Options()
    with _uncollected():
        found = dict(stages(source, chosen))
    written, program, module = found["elaborate"], found["simplified"], found["emit"]
    assert isinstance(written, Program)
    assert isinstance(program, Program)
    assert isinstance(module, str)
    return Compiled(source, chosen, written, program, module)
