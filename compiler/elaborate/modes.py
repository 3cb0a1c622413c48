"""A model in its two modes: training and prediction.

`training` is true in what is minimized or maximized and in what updates states, false in outputs and metrics. A model
that speaks of it is elaborated twice into one graph, once with each value, so that every branch is chosen where it is
written and what does not depend on the mode is one node. Takes the syntax tree; gives the Program.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from .. import tree
from ..graph import Graph, Node, Program, reachable
from .declarations import Elaboration
from .mistakes import Exhausted, Report


def in_both(
    model: tree.Model, constants: Mapping[str, float], prepare: Callable[[Program], Program] | None = None
) -> Program:
    """The program. ModelError with every mistake."""
    modes = _elaborated(model, constants, (), prepare)
    # A step is one piece of memory where the axis of the steps comes first; which axes are scanned is known only now.
    ranks = [modes[0].graph.rank(name) for name in modes[0].scanned]
    if ranks != list(range(len(ranks))):
        modes = _elaborated(model, constants, modes[0].scanned, prepare)
    training, *prediction = (mode.program() for mode in modes)
    return joined(training, *prediction) if prediction else training


def _elaborated(
    model: tree.Model,
    constants: Mapping[str, float],
    first: Sequence[str],
    prepare: Callable[[Program], Program] | None,
) -> list[Elaboration]:
    """The model as in training, and, where it speaks of that, as in prediction too."""
    graph, report = Graph(), Report(model.span.source)
    modes: list[Elaboration] = []
    try:
        for training in (True, False):
            if training or modes[0].walker.asked:
                modes.append(Elaboration(model, constants, graph, report, training, first, prepare))
                modes[-1].run()
    except Exhausted:
        pass
    report.check()
    return modes


def joined(training: Program, prediction: Program) -> Program:
    """Objectives of the one, outputs and metrics of the other; each named value as it is needed, twice if in both.

    Of a scan's body what differs from step to step is named, which a value may do in one of them only.
    """
    needed = _below([o.value for o in training.objectives] + [n for o in training.objectives for _, n in o.updates])
    predicted = _below([node for _, node in (*prediction.outputs, *prediction.metrics)])
    other = dict(prediction.named)
    named: list[tuple[str, Node]] = []
    both: list[tuple[str, Node]] = []
    for name, node in training.named:
        there = other.pop(name, node)
        differs = there is not node and there.id in predicted
        if differs and node.id in needed:
            both.append((name, there))
        named.append((name, there if differs and node.id not in needed else node))
    named += [(name, node) for name, node in other.items() if node.id in predicted]
    return replace(
        training,
        spans={**prediction.spans, **training.spans},
        outputs=prediction.outputs,
        metrics=prediction.metrics,
        named=tuple(named),
        predicted=tuple(both),
    )


def _below(nodes: list[Node]) -> set[int]:
    return {node.id for node in reachable(nodes)}
