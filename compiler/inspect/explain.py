"""What the passes did to a model: each rewriting with its rule, its place, the formula before and after, and its worth.

Takes a compiled model's program and the record of its rewritings; gives text and JSON. What both formulas are made of
stands in them by its name, or as t1, t2, ... where it has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..graph import Graph, Node, Program
from ..simplify.cost import total
from ..simplify.gate import between
from ..simplify.rewrites import Rewrite, Rewrites, Rule
from ..simplify.uses import all_in_pairs
from .formula import Formula, Named
from .text import text
from .write import Writer, names_of

SHORT = 6
"""Operations of an unnamed part up to which it is written out where it stands."""

LONGEST = 160
"""Characters of a formula that are shown."""


FORMS = {
    "factor.rows": "With twice as many rows as columns, a step computes with the triangular factor of the columns, "
    "made when data are bound, and passes through no row. Minibatches pass through the rows.",
    "expand.multiplied": "Where the centred columns are well conditioned, a step computes with products of the data, "
    "made when data are bound (--fast-algebra). Minibatches pass through every operation.",
}
"""What is said of a module that has an objective in another form, by the rule that made it."""


def forms(record: Rewrites) -> list[str]:
    """What the module does otherwise than the formulas say, and when."""
    used = {rewrite.rule for rewrite in record.done}
    return [text for rule, text in FORMS.items() if rule in used]


@dataclass(frozen=True, slots=True)
class Step:
    """One rewriting as people read it. `saved` is in nanoseconds a step, by the cost model; `times` how often."""

    rule: str
    line: int | None
    before: str
    after: str
    saved: float
    times: int


def explain(program: Program, record: Rewrites) -> tuple[Step, ...]:
    """The rewritings in the order in which they were done; those of one line that read alike are one."""
    names = names_of(program)
    found: dict[tuple[object, ...], Step] = {}
    for rewrite in record.done:
        step = _step(rewrite, names, program.graph, program.rows)
        key = step.rule, step.line, step.before, step.after
        times = found[key].times + 1 if key in found else 1
        found[key] = Step(step.rule, step.line, step.before, step.after, step.saved, times)
    return tuple(found.values())


def _step(rewrite: Rewrite, names: Mapping[int, Formula], graph: Graph, rows: str | None) -> Step:
    inside, border = between(rewrite.before, rewrite.after)
    known = dict(names)
    unnamed = [node for node in border if node.id not in known and not _short(node, names)]
    for i, node in enumerate(sorted(unnamed, key=lambda node: node.id), 1):
        known[node.id] = Named(f"t{i}", node.names)
    before, after = (written_alone(node, known) for node in rewrite.both)
    before_cost, after_cost = (total(all_in_pairs(graph, node, rows), border, rows) for node in rewrite.both)
    return Step(rewrite.rule, _line(rewrite, inside), before, after, before_cost - after_cost, 1)


def _short(node: Node, names: Mapping[int, Formula]) -> bool:
    """Whether the node is a number, or a few operations on what has a name."""
    seen: set[int] = set()
    waiting = [node]
    while waiting:
        current = waiting.pop()
        if current.id not in seen and current.id not in names:
            seen.add(current.id)
            if len(seen) > SHORT:
                return False
            waiting.extend(current.operands)
    return True


def written_alone(node: Node, names: Mapping[int, Formula]) -> str:
    """The node's formula on one line, in terms of what has a name; shortened where it is long."""
    if node.id in names and not node.operands:
        return text(names[node.id], {})
    writer = Writer({key: value for key, value in names.items() if key != node.id})
    try:
        (formula,) = writer.write([node])
    except TypeError:
        return f"a {type(node).__name__.lower()} over [{', '.join(node.names)}]"
    titles = {key: f"({text(part, {})})" if _simple(part) else "(...)" for key, part in writer.lines.items()}
    found = text(formula, titles)
    return found if len(found) <= LONGEST else f"{found[: LONGEST - 4]} ..."


def _simple(part: Formula) -> bool:
    try:
        return len(text(part, {})) <= LONGEST // 2
    except KeyError:
        return False


def _line(rewrite: Rewrite, inside: Sequence[Node]) -> int | None:
    spans = [node.span for node in (*rewrite.both, *inside) if node.span is not None]
    return spans[0].line if spans else None


def explain_text(program: Program, record: Rewrites, rules: Mapping[str, Rule]) -> str:
    """Each rewriting, then how often each rule was used and what it saved in all."""
    steps = explain(program, record)
    lines: list[str] = []
    for step in steps:
        place = f"line {step.line}: " if step.line is not None else ""
        often = f", {step.times} times" if step.times > 1 else ""
        lines += [f"{place}{step.rule}{often}", f"    {step.before}"]
        # Where a rule changes the order of computation alone, both read alike.
        lines += [f"    = {step.after}"] if step.after != step.before else []
        lines += [f"    saves {step.saved:,.0f} ns a step"] if step.saved >= 1 else []
    if not steps:
        return "no rule was used\n"
    used = {step.rule: None for step in steps}
    lines += ["", "rule and how often, ns saved a step, and why"]
    width = max(len(name) for name in used)
    for name in used:
        of = [step for step in steps if step.rule == name]
        times, saved = sum(step.times for step in of), sum(step.saved * step.times for step in of)
        why = rules[name].why if name in rules else ""
        worth = f"{saved:,.0f}" if saved >= 1 else ""
        lines.append(f"{name:<{width}}  {times:>4}  {worth:>12}  {why}".rstrip())
    if record.refused:
        lines += ["", "refused, since the two sides differ: " + ", ".join(r.rule for r in record.refused)]
    return "\n".join(lines) + "\n"


def explain_json(program: Program, record: Rewrites) -> list[dict[str, Any]]:
    """The same as plain data."""
    return [
        {
            "rule": step.rule,
            "line": step.line,
            "before": step.before,
            "after": step.after,
            "saved_ns": round(step.saved, 1),
            "times": step.times,
        }
        for step in explain(program, record)
    ]
