"""What a name can mean, and where it is looked up.

A name is bound to a value, a function, a layer, an instance of a layer, or to nothing (its mistake has been told).
Scopes are lexical: a function sees what stands around its definition, and its axis parameters stand for axes of the
caller.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from .. import tree
from ..graph import Axis, Contract, Graph, Leaf, Map, Node
from ..source import Span
from .mistakes import CallSite, Mistake


@dataclass(frozen=True, slots=True)
class Value:
    """An array of the model. `axes` are those that it has in the language: algebra may have freed the node of some.

    `type` is "float", "int" or "bool"; `index` is the axis along which an "int" is a position, if it is known to be.
    """

    node: Node
    axes: tuple[Axis, ...]
    type: str
    index: Axis | None = None

    def axis(self, name: str) -> Axis | None:
        """The axis of that name, or None."""
        for axis in self.axes:
            if axis.name == name:
                return axis
        return None


@dataclass(frozen=True, slots=True)
class Several:
    """What the function `name` gives that returns several values; one of them is None where its mistake was told."""

    name: str
    values: tuple[Value | None, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """A `def`, and the scope in which it was written."""

    definition: tree.Definition
    scope: Scope


@dataclass(frozen=True, slots=True)
class Template:
    """A `layer`, and the scope in which it was written."""

    layer: tree.Layer
    scope: Scope


@dataclass(frozen=True, slots=True)
class Instance:
    """A layer with parameters of its own, under the name `name`."""

    name: str
    template: Template
    scope: Scope


@dataclass
class Loop:
    """The axis of a scan, and the leaves that stand for one position of arrays: by the array's node.

    `own` are all leaves that have a value inside of the scan only, by id. `held` are derivatives in the body, for which
    a carried leaf is a value that does not vary: what is differentiated by, that leaf, and the mistake if it does.
    """

    graph: Graph
    axis: Axis
    stepped: dict[int, tuple[Leaf, Node]] = field(default_factory=dict)
    own: set[int] = field(default_factory=set)
    held: list[tuple[Node, Node, Mistake]] = field(default_factory=list)

    def at_step(self, value: Value, name: str, span: Span) -> Value:
        """The value as it is seen at one step; `name` says for people what it is."""
        own = value.axis(self.axis.name)
        if own is None:
            return value
        if own.length != self.axis.length:
            raise Mistake(
                "E0434",
                f"`{name}` cannot be seen step by step: along `{own.name}` it has another length than the scan",
                span,
                sides=[f"{name} has {own.name} of length {own.length}   the scan goes along {self.axis.length}"],
                help="scan along an axis of its own length, or select the position before the scan",
            )
        axes = tuple(axis for axis in value.axes if axis.name != self.axis.name)
        return Value(self._position(value.node, name), axes, value.type, value.index)

    def _position(self, node: Node, name: str) -> Node:
        """The node at the position of the step. What a function makes of the step and of whole arrays is computed from
        their positions, if each of its positions follows from those alone."""
        if self.axis.name not in node.names:
            return node
        if not node.free & self.own:
            if node.id not in self.stepped:
                inner = [axis for axis in node.axes if axis.name != self.axis.name]
                leaf = self.graph.local(name, inner, node.dtype, node.trained, node.positive)
                self.stepped[node.id] = leaf, node
                self.own.add(leaf.id)
            return self.stepped[node.id][0]
        if isinstance(node, Map) or (isinstance(node, Contract) and self.axis not in node.summed):
            return self.graph.remake(node, [self._position(operand, name) for operand in node.operands])
        return self.graph.gather(node, self._position(self.graph.index(self.axis), "position"), self.axis.name)


@dataclass(frozen=True, slots=True)
class Word:
    """A quoted word, which an option of a function may be: `pad="same"`."""

    text: str
    span: Span


Bound = Value | Function | Template | Instance | Word | None
"""What a name is bound to; None where its mistake has been told."""


@dataclass
class Scope:
    """Names, and axis names that stand for others, `groups` for several. `site` is the call in which the scope came to
    be.

    `ahead` holds the names that the model defines, for the message of one that is used before; `loops` the scans in
    whose bodies the scope stands, the outermost first.
    """

    outer: Scope | None = None
    names: dict[str, Bound] = field(default_factory=dict)
    places: dict[str, Span] = field(default_factory=dict)
    axes: dict[str, str] = field(default_factory=dict)
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    site: CallSite | None = None
    ahead: dict[str, Span] = field(default_factory=dict)
    loops: tuple[Loop, ...] = ()

    def chain(self) -> Iterator[Scope]:
        """This scope and those around it, the innermost first."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.outer

    def find(self, name: str) -> Bound:
        """What `name` is bound to, dots followed into instances. KeyError where it is bound to nothing."""
        head, *rest = name.split(".")
        for scope in self.chain():
            if head in scope.names:
                bound = scope.names[head]
                break
        else:
            raise KeyError(head)
        for part in rest:
            if bound is None:
                return None
            if not isinstance(bound, Instance) or part not in bound.scope.names:
                raise KeyError(name)
            bound = bound.scope.names[part]
        return bound

    def visible(self) -> list[str]:
        """Every name that can be written here, members of instances with their dots."""
        found: list[str] = []
        waiting = [(name, bound) for scope in self.chain() for name, bound in scope.names.items()]
        while waiting:
            name, bound = waiting.pop()
            found.append(name)
            if isinstance(bound, Instance):
                waiting.extend((f"{name}.{part}", inner) for part, inner in bound.scope.names.items())
        return found

    def axis(self, name: str) -> str:
        """The model's axis that `name` stands for here, primes kept."""
        base = name.rstrip("'")
        primes = name[len(base) :]
        for scope in self.chain():
            if base in scope.axes:
                return scope.axes[base] + primes
        return name

    def group(self, name: str) -> tuple[str, ...] | None:
        """The model's axes that `*name` stands for here, or None."""
        return next((scope.groups[name] for scope in self.chain() if name in scope.groups), None)


def kind(bound: Bound) -> str:
    """What `bound` is, in words."""
    match bound:
        case Function():
            return "a function"
        case Template():
            return "a layer"
        case Instance():
            return "an instance of a layer"
        case Word():
            return "a quoted word"
        case _:
            return "a value"
