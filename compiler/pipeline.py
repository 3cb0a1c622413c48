"""The compiler from end to end: the text of a model in, the text of a NumPy module out.

This page is the list of its stages. Each is a function of one value; each can be dumped by name (`stages`) and each
pass between differentiation and emission switched off by name (`Options.without`).
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from . import VERSION
from .check_graph import checked, held_by_doubles
from .derivatives import KINDS, OF_OBJECTIVES, Derived, derived
from .differentiate import differentiate
from .elaborate import elaborate
from .emit.numpy import Variant, emit_numpy
from .graph import Constant, Program
from .lower import lower
from .parts import freeze, give, retain
from .simplify import algebra, expand, factor, loops, pointwise, stable, stack, tensor
from .simplify.gate import agree
from .simplify.rewrites import ALL, Rewrites, Rule
from .source import Source
from .sparse import by_rows
from .syntax import parse

Pass = Callable[[Program, Rewrites], Program]

PASSES: Mapping[str, Pass] = {
    "stable": stable.stabilise,
    "algebra": algebra.simplify_algebra,
    "expand": expand.expand_rows,
    "loops": loops.simplify_loops,
    "tensor": tensor.simplify_tensors,
    "pointwise": pointwise.simplify_pointwise,
    "stack": stack.stack_terms,
    "factor": factor.factor_rows,
}
"""The passes that may be left out: each gives a program of the same values."""

RULES: Mapping[str, Rule] = {
    rule.name: rule
    for table in (stable, algebra, expand, loops, tensor, pointwise, stack, factor)
    for rule in table.RULES
}
"""The rules of the passes, each of which may be left out by its name."""

DTYPES = ("float64", "float32")
"""The types that a module's numbers may have."""

BEFORE = ("stable", "algebra")
AFTER = ("loops", "stable", "algebra", "tensor", "pointwise", "tensor", "pointwise", "tensor")


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller may choose. `constants` replaces `const` values; `without` names passes and rules to leave out,
    or "all"; `fast_algebra` lets polynomials of the data be multiplied out, which may cost digits (see
    `simplify/expand.py`); `derivatives` names functions that the module has besides, of `derivatives.KINDS`.

    `frozen` are patterns of parameters by which nothing is differentiated; `values` names values that are outputs
    besides, or where `alone` is true instead of all that the module gives; `retained` names values by which the
    gradients are given too (`parts.py`); `sparse` are patterns of the parameters whose gradients are given by rows.
    """

    dtype: str = "float64"
    constants: Mapping[str, float] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    fast_algebra: bool = False
    derivatives: tuple[str, ...] = ()
    frozen: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    alone: bool = False
    retained: tuple[str, ...] = ()
    sparse: tuple[str, ...] = ()

    def takes(self, name: str) -> bool:
        """Whether the pass is not left out."""
        return name not in self.without and ALL not in self.without


@dataclass(eq=False)
class UnknownPass(ValueError):
    """A name in `Options.without` that is no pass's and no rule's."""

    name: str

    def __str__(self) -> str:
        of = self.name.partition(".")[0]
        known = [rule for rule in RULES if rule.startswith(f"{of}.")] if of in PASSES else list(PASSES)
        kind = "rule" if of in PASSES else "pass"
        return f"there is no {kind} `{self.name}` to leave out; there are {', '.join(known)}"


@dataclass(eq=False)
class UnknownType(ValueError):
    """A name in `Options.dtype` that is no type of the module's numbers."""

    name: str

    def __str__(self) -> str:
        return f"there is no type `{self.name}` of numbers; there are {', '.join(DTYPES)}"


@dataclass(eq=False)
class UnknownDerivative(ValueError):
    """A name in `Options.derivatives` that is no derivative's, or one that the model does not have."""

    name: str
    lacking: str | None = None  # what the model lacks

    def __str__(self) -> str:
        if self.lacking is not None:
            return f"the model has no {self.name}: it has no {self.lacking}"
        return f"there is no derivative `{self.name}`; there are {', '.join(KINDS)}"


@dataclass(frozen=True, slots=True)
class Compiled:
    """A model at the places where people look: as written, as the passes find it, with its gradients simplified, and
    as a module.

    `prepared` is `elaborated` but for the derivatives that stand in the model, which are taken of stable forms.
    `derivatives` are those asked for, simplified; `rewrites` is what the passes did on the way.
    """

    source: Source
    options: Options
    elaborated: Program
    prepared: Program
    program: Program
    module: str
    rewrites: Rewrites
    derivatives: tuple[Derived, ...] = ()


def stages(
    source: Source, options: Options | None = None, rewrites: Rewrites | None = None
) -> Iterator[tuple[str, object]]:
    """Each stage's name and what it gives, in order: syntax tree, programs, the module's text.

    `rewrites` is the record that the passes write into.
    """
    chosen = options or Options()
    if chosen.dtype not in DTYPES:
        raise UnknownType(chosen.dtype)
    for name in chosen.without:
        if name not in PASSES and name not in RULES and name != ALL:
            raise UnknownPass(name)
    for name in chosen.derivatives:
        if name not in KINDS:
            raise UnknownDerivative(name)
    if chosen.sparse and "grad" in chosen.derivatives:
        raise UnknownDerivative("grad", "gradient in one vector, since `sparse` gives some of it by rows")
    record = rewrites or Rewrites(chosen.without, agree)
    tree = parse(source)
    yield "parse", tree
    prepare = _Prepare(chosen, record)
    stabilised = _parts(elaborate(tree, chosen.constants, prepare), chosen)
    # Without them a derivative in the model is what its formula says, and so the reference has it.
    written = _parts(elaborate(tree, chosen.constants), chosen) if prepare.used else stabilised
    yield "elaborate", checked(written)
    if prepare.used:
        yield "prepare", checked(stabilised, written)
    if chosen.retained:
        stabilised = retain(stabilised, chosen.retained)
        yield "retain", checked(stabilised, written)
    for name in BEFORE:
        if chosen.takes(name):
            stabilised = PASSES[name](stabilised, record)
            yield f"{name} before", checked(stabilised, written)
    if chosen.sparse and chosen.takes("loops"):
        # What is gathered in each step of a scan from a table that stays is gathered before it.
        stabilised = PASSES["loops"](stabilised, record)
        yield "loops before", checked(stabilised, written)
    differentiated = differentiate(stabilised, written)
    yield "differentiate", checked(differentiated, written)
    trained = differentiated
    if chosen.sparse:
        trained = by_rows(differentiated, chosen.sparse, source)
        yield "sparse", checked(trained, written)
    program = yield from _simplified("", trained, written, chosen, record)
    yield "simplified", program
    if chosen.takes("stack"):
        program = PASSES["stack"](program, record)
        yield "stack", checked(program, written)
    variants: list[Variant] = []
    # Gradients by values of each row are not those of another form of the objective.
    if chosen.takes("factor") and not chosen.retained:
        factored = PASSES["factor"](program, record)
        yield "factor", checked(factored, written)
        if factored is not program:
            variants.append(Variant("factor", lower(factored, chosen.dtype)))
    if chosen.fast_algebra and chosen.dtype == "float64" and chosen.takes("expand") and not chosen.retained:
        expanded = PASSES["expand"](stabilised, record)
        yield "expand", checked(expanded, written)
        if expanded is not stabilised:
            expanded = differentiate(expanded, written)
            yield "differentiate expanded", checked(expanded, written)
            expanded = by_rows(expanded, chosen.sparse, source)
            expanded = yield from _simplified(" expanded", expanded, written, chosen, record)
            variants.append(Variant("expand", lower(expanded, chosen.dtype)))
    lowered = lower(program, chosen.dtype)
    yield "lower", held_by_doubles(checked(lowered), source)
    derivatives = yield from _derivatives(differentiated, written, chosen, record)
    if derivatives:
        yield "derivatives", derivatives
    asked = [replace(d, program=held_by_doubles(lower(d.program, chosen.dtype), source)) for d in derivatives]
    constants = {n: float(v.value) for n, v in written.named if isinstance(v, Constant) and n in _declared(tree)}
    kinds = [kind for kind in KINDS if kind in chosen.derivatives]
    module = emit_numpy(lowered, variants, written, source, chosen.dtype, constants, VERSION, asked, kinds)
    yield "emit", module


def _parts(program: Program, chosen: Options) -> Program:
    """What is asked for of the model, as elaborated."""
    return give(freeze(program, chosen.frozen), chosen.values, chosen.alone)


class _Prepare:
    """The passes that come before differentiation, for what a derivative in the model differentiates."""

    def __init__(self, chosen: Options, record: Rewrites) -> None:
        self.passes = [PASSES[name] for name in BEFORE if chosen.takes(name)]
        self.record = record
        self.used = False

    def __call__(self, program: Program) -> Program:
        self.used = True
        for apply in self.passes:
            program = apply(program, self.record)
        return program


def _derivatives(
    differentiated: Program, written: Program, chosen: Options, record: Rewrites
) -> Generator[tuple[str, object], None, tuple[Derived, ...]]:
    """The derivatives asked for, simplified each for itself, so that the gradient stays as it is without them."""
    found = []
    if chosen.derivatives:
        # A gradient in stable form has a derivative in stable form, as an objective has.
        differentiated = _Prepare(chosen, record)(differentiated)
        yield "prepare gradients", checked(differentiated, written)
    for kind in KINDS:
        if kind not in chosen.derivatives:
            continue
        if not (differentiated.objectives if kind in OF_OBJECTIVES else differentiated.cotangents):
            raise UnknownDerivative(
                kind, "objective" if kind in OF_OBJECTIVES else "output that depends on a parameter"
            )
        items = derived(differentiated, kind)
        if kind == "residuals" and not items:
            raise UnknownDerivative(kind, "objective that is a sum of squares")
        for item in items:
            label = f" {item.kind} of {item.of or 'the outputs'}"
            yield f"differentiate{label}", checked(item.program)
            program = yield from _simplified(label, item.program, written, chosen, record)
            if chosen.takes("stack"):
                program = PASSES["stack"](program, record)
                yield f"stack{label}", checked(program)
            found.append(replace(item, program=program))
    return tuple(found)


def _simplified(
    label: str, program: Program, written: Program, chosen: Options, record: Rewrites
) -> Generator[tuple[str, object], None, Program]:
    """The stages from derivatives to their simplest forms, which is what the generator returns."""
    for round_, name in enumerate(AFTER, 1):
        if chosen.takes(name):
            program = PASSES[name](program, record)
            yield f"{name} {round_}{label}", checked(program, written)
    return program


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
    """The compiled model. Raises ModelError with every mistake found, and for an option UnknownPass, UnknownType,
    UnknownDerivative or UnknownPart."""
    chosen = options or Options()
    record = Rewrites(chosen.without, agree)
    with _uncollected():
        found = dict(stages(source, chosen, record))
    written, program, module = found["elaborate"], found["simplified"], found["emit"]
    assert isinstance(written, Program)
    assert isinstance(program, Program)
    assert isinstance(module, str)
    derivatives = found.get("derivatives", ())
    assert isinstance(derivatives, tuple)
    prepared = found.get("prepare", written)
    assert isinstance(prepared, Program)
    return Compiled(source, chosen, written, prepared, program, module, record, derivatives)
