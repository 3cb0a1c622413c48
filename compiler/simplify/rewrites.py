"""Which rules may rewrite the graph, and what they did: the record that every pass writes into.

A pass is a table of named rules. Each rewriting goes through `Rewrites.made`, which compares the two nodes by the gate
and keeps what was done for `inspect --explain`. A rewriting whose two sides differ is refused: the worst that a wrong
rule can do is to miss an optimisation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..graph import Node

ALL = "all"
"""Stands for every pass."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of a pass's table: formulas as people write them, why, and the source of the identity.

    `name` is the pass and the rule, as in "stable.softplus". `why` is the input on which `before` fails, or what it
    costs.
    """

    name: str
    before: str
    after: str
    why: str
    source: str

    @property
    def of(self) -> str:
        """The pass."""
        return self.name.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Rewrite:
    """One use of a rule: `after` has the value that `before` had."""

    rule: str
    before: Node
    after: Node

    @property
    def both(self) -> tuple[Node, Node]:
        """The two sides."""
        return self.before, self.after


Gate = Callable[[Node, Node], bool]


class Rewrites:
    """The rules that are left out, and what the others did, in order.

    `without` holds names of passes and of rules, or ALL; `gate` says whether two nodes have the same value, and is not
    asked where it is None.
    """

    def __init__(self, without: Iterable[str] = (), gate: Gate | None = None) -> None:
        self.without = frozenset(without)
        self.gate = gate
        self.done: list[Rewrite] = []
        self.refused: list[Rewrite] = []

    def allows(self, rule: str) -> bool:
        """Whether the rule, or the pass of that name, may be used."""
        return not self.without & {rule, rule.partition(".")[0], ALL}

    def noted(self, rule: str, before: Node, after: Node) -> None:
        """Notes a rewriting whose sides are of different steps, which no gate compares."""
        self.done.append(Rewrite(rule, before, after))

    def made(self, rule: str, before: Node, after: Node) -> Node:
        """The node to go on with: `after`, and the rewriting noted, or `before` where the gate tells them apart."""
        if after is before:
            return after
        rewrite = Rewrite(rule, before, after)
        if self.gate is not None and not self.gate(before, after):
            self.refused.append(rewrite)
            return before
        self.done.append(rewrite)
        return after
