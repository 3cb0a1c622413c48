"""`check` of derivatives beyond the gradient: the module, the reference on the graph, and differences, compared.

Takes a point of a model; gives rows like those of the gradient. What a matrix is compared with numerically is its
product with random numbers on one side, which is the gradient of a scalar.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gradc.agreement import LEAST, LEAST_NUMERIC, as_written, digits, farthest
from gradc.failures import Failure
from gradc.modules import data_error

if TYPE_CHECKING:
    from types import ModuleType

    import numpy.typing as npt

    from gradc.compiler.graph import Node, Objective, Program

LARGEST = 1000
"""The most parameters of which the reference makes a matrix."""


@dataclass(frozen=True)
class Point:
    """Where a model's derivatives are compared: the program `written` is differentiated and not simplified."""

    written: Program
    module: ModuleType
    data: dict[str, Any]
    theta: npt.NDArray[Any]
    seed: int
    dtype: str
    most: int  # elements of a parameter that are differentiated numerically

    def random(self, stream: int, shape: tuple[int, ...]) -> npt.NDArray[Any]:
        """Normal numbers that the module's type holds."""
        import numpy as np

        drawn = np.random.Generator(np.random.Philox([self.seed, stream])).standard_normal(shape)
        return np.asarray(drawn.astype(self.dtype), np.float64)

    def parts(self, vector: npt.NDArray[Any], prefix: str = "") -> dict[str, npt.NDArray[Any]]:
        """A vector's parts by the names of parameters."""
        import numpy as np

        places = self.module.layout(self.data)
        return {
            prefix + name: np.asarray(vector[at], np.float64).reshape(shape) for name, (at, shape) in places.items()
        }


def comparisons(point: Point, kinds: Sequence[str]) -> list[dict[str, Any]]:
    """A row for each kind, and each objective or output that it is of. Failure where there is too much to compare."""
    if {"hessian", "jacobian", "residuals"} & set(kinds) and point.theta.size > LARGEST:
        message = f"the model has {point.theta.size} parameters, and a matrix of more than {LARGEST} is not compared"
        raise Failure("name", message, "compare the products: --derivatives hvp,jvp,vjp")
    rows: list[dict[str, Any]] = []
    try:
        for objective in point.written.objectives:
            rows += _of_objective(point, objective.name, [k for k in kinds if k in ("grad", "hvp", "hessian")])
            if "residuals" in kinds:
                rows += _of_squares(point, objective)
        of_outputs = [kind for kind in kinds if kind in ("vjp", "jvp", "jacobian")]
        for leaf in point.written.cotangents if of_outputs else ():
            rows += _of_output(point, leaf.name, of_outputs)
    except point.module.DataError as error:
        raise data_error(error) from error
    return rows


def _of_objective(point: Point, name: str, kinds: Sequence[str]) -> Iterator[dict[str, Any]]:
    import numpy as np

    from gradc.compiler.derivatives import derived

    written, module = point.written, point.module
    objective = next(o for o in written.objectives if o.name == name)
    v = point.random(3, point.theta.shape)
    slopes = written.gradients[name]
    for kind in kinds:
        if kind == "grad":
            found = np.asarray(module.grad(point.theta, point.data, name), np.float64)
            graph = _flat(point, {p: slopes[p] for p in objective.over}, written, {})
            estimate = _numeric(point, objective.value, written, objective.over, {})
            yield _row(point, kind, name, found, graph, found, estimate)
            continue
        item = next(item for item in derived(written, "hvp") if item.of == name)
        program, along = item.program, point.parts(v, "along ")
        pairs = zip(written.parameters, program.tangents, strict=True)
        terms = [written.graph.contract([slopes[p.name], t.leaf], p.leaf.axes) for p, t in pairs]
        estimate = _numeric(point, written.graph.sum(terms), program, objective.over, along)
        if kind == "hvp":
            found = np.asarray(module.hvp(point.theta, point.data, v, name), np.float64)
            yield _row(point, kind, name, found, _flat(point, program.pullback, program, along), found, estimate)
        else:
            found = np.asarray(module.hessian(point.theta, point.data, name), np.float64)
            blocks = next(item for item in derived(written, "hessian") if item.of == name).program
            yield _row(point, kind, name, found, _matrix(point, blocks), found @ v, estimate)


def _of_squares(point: Point, objective: Objective) -> Iterator[dict[str, Any]]:
    """The Jacobian of the residuals beside that on the graph, and its product with random numbers estimated."""
    import numpy as np

    from gradc.compiler.derivatives import copies, jacobian
    from gradc.compiler.residuals import residuals

    written, module = point.written, point.module
    terms = residuals(written, objective)
    if terms is None:
        return
    found = np.asarray(module.residuals(point.theta, point.data, objective.name)[1], np.float64)
    graph, scalars, seeds, drawn, start = np.zeros(found.shape), [], {}, [np.empty(0)], 0
    by = [p for p in written.parameters if p.name in objective.over]
    for i, term in enumerate(terms.all):
        node = term.value
        shown = [axis.name for axis in written.shown(node.axes)]
        (value,) = _values(point, [node], written, {})
        order = [node.names.index(name) for name in shown]
        u = point.random(6 + i, value.shape)
        leaf = written.graph.leaf("cotangent", f"0residual {i}", node.axes)
        seeds[leaf.name] = u
        drawn.append(u.transpose(order).ravel())
        scalars.append(written.graph.contract([node, leaf], node.axes))
        shape, rows = tuple(value.shape[k] for k in order), slice(start, start + value.size)
        start = rows.stop
        blocks = jacobian(written.graph, node, [p.leaf for p in by])
        for p, block, part in zip(by, blocks, _values(point, blocks, written, {}), strict=True):
            at, own = module.layout(point.data)[p.name]
            to = copies(p.leaf.axes, node.names)
            both = (*shown, *(to[axis.name] for axis in p.axes))
            graph[rows, at] = as_written(part, block.names, both, (*shape, *own)).reshape(value.size, -1)
    estimate = _numeric(point, written.graph.sum(scalars), written, objective.over, seeds)
    yield _row(point, "residuals", objective.name, found, graph, np.concatenate(drawn) @ found, estimate)


def _of_output(point: Point, name: str, kinds: Sequence[str]) -> Iterator[dict[str, Any]]:
    import numpy as np

    from gradc.compiler.derivatives import copies, derived

    written, module = point.written, point.module
    leaf = next(leaf for leaf in written.cotangents if leaf.name == name)
    node = dict(written.outputs)[name]
    predicted = module.predict(point.theta, point.data)
    shape, axes = predicted[name].shape, tuple(module.OUTPUTS[name]["axes"])
    names = [p.name for p in written.parameters]
    u = point.random(4, shape)
    # The reference has a cotangent's axes as the graph has them.
    turned = {
        key: np.zeros(predicted[key].shape) if key != name else u for key in (leaf.name for leaf in written.cotangents)
    }
    for other in written.cotangents:
        order = [module.OUTPUTS[other.name]["axes"].index(axis) for axis in other.names]
        turned[other.name] = turned[other.name].transpose(order)
    seed = {name: turned[name]}
    free = [p.name for p in written.parameters if not p.frozen]
    estimate = _numeric(point, written.graph.contract([node, leaf], node.axes), written, free, seed)
    for kind in kinds:
        if kind == "vjp":
            found = np.asarray(module.vjp(point.theta, point.data, {name: u}), np.float64)
            graph = _flat(point, written.pullback, written, turned)
            yield _row(point, kind, name, found, graph, found, estimate)
            continue
        program = derived(written, kind)[0].program
        if kind == "jvp":
            v = np.zeros(point.theta.shape)
            v[estimate[0]] = point.random(5, estimate[0].shape)
            found = np.asarray(module.jvp(point.theta, point.data, v)[name], np.float64)
            (value,) = _values(point, [program.pullback[name]], program, point.parts(v, "along "))
            graph = as_written(value, program.pullback[name].names, axes, shape)
            one = np.array([0]), np.array([estimate[1] @ v[estimate[0]]]), np.abs(v[estimate[0]]) @ estimate[2][:, None]
            yield _row(point, kind, name, found, graph, np.array([(u * found).sum()]), (*one, estimate[3]))
            continue
        found = np.asarray(module.jacobian(point.theta, point.data)[name], np.float64)
        graph = np.zeros(found.shape)
        parts = [program.pullback[f"{name} {p}"] for p in names]
        for p, part, value in zip(written.parameters, parts, _values(point, parts, program, {}), strict=True):
            at, own = module.layout(point.data)[p.name]
            to = copies(p.leaf.axes, node.names)
            both = (*axes, *(to[axis.name] for axis in p.axes))
            graph[..., at] = as_written(value, part.names, both, (*shape, *own)).reshape(*shape, -1)
        yield _row(point, kind, name, found, graph, np.tensordot(u, found, u.ndim), estimate)


def _values(
    point: Point, nodes: Sequence[Node], program: Program, more: dict[str, npt.NDArray[Any]]
) -> list[npt.NDArray[Any]]:
    from gradc.compiler.reference import evaluate

    return evaluate(program, nodes, point.data | more, point.parts(point.theta) | more)


Estimated = tuple["npt.NDArray[Any]", "npt.NDArray[Any]", "npt.NDArray[Any]", str]
"""Coordinates of the vector of parameters, the derivative by each, how far it may be off, and by which method."""


def _numeric(
    point: Point, scalar: Node, program: Program, by: Sequence[str], more: dict[str, npt.NDArray[Any]]
) -> Estimated:
    import numpy as np

    from gradc.compiler.reference import numeric_gradient

    known = point.parts(point.theta) | more
    found = numeric_gradient(program, scalar, point.data | more, known, by, point.most)
    places = point.module.layout(point.data)
    return (
        np.concatenate([places[name][0].start + estimate.coordinates for name, estimate in found.items()]),
        np.concatenate([estimate.gradient for estimate in found.values()]),
        np.concatenate([estimate.error for estimate in found.values()]),
        " and ".join(dict.fromkeys(estimate.method for estimate in found.values())),
    )


def _flat(point: Point, parts: Any, program: Program, more: dict[str, npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Derivatives by parameters as one vector; 0 where there is none."""
    import numpy as np

    found = np.zeros(point.theta.shape)
    places, by_name = point.module.layout(point.data), {p.name: p for p in program.parameters}
    for (name, node), value in zip(parts.items(), _values(point, list(parts.values()), program, more), strict=True):
        at, shape = places[name]
        found[at] = as_written(value, node.names, tuple(a.name for a in by_name[name].axes), shape).reshape(-1)
    return found


def _matrix(point: Point, program: Program) -> npt.NDArray[Any]:
    """The Hessian of its blocks."""
    import numpy as np

    from gradc.compiler.derivatives import copies

    found = np.zeros((point.theta.size, point.theta.size))
    places, by_name = point.module.layout(point.data), {p.name: p for p in program.parameters}
    values = _values(point, list(program.pullback.values()), program, {})
    for (key, node), value in zip(program.pullback.items(), values, strict=True):
        first, second = (by_name[name] for name in key.split(" "))
        to = copies(second.leaf.axes, first.leaf.names)
        axes = (*(axis.name for axis in first.axes), *(to[axis.name] for axis in second.axes))
        (rows, above), (columns, across) = places[first.name], places[second.name]
        block = as_written(value, node.names, axes, (*above, *across)).reshape(rows.stop - rows.start, -1)
        found[rows, columns], found[columns, rows] = block, block.T
    return found


def _row(
    point: Point,
    kind: str,
    of: str,
    found: npt.NDArray[Any],
    graph: npt.NDArray[Any],
    product: npt.NDArray[Any],
    estimate: Estimated,
) -> dict[str, Any]:
    """`found` beside `graph`; and `product`, what it makes of random numbers, beside its estimate."""
    import numpy as np

    coordinates, expected, error, method = estimate
    scale = float(np.abs(graph).max(initial=0))
    first = farthest(found - graph, scale)
    gap = np.abs(product[coordinates] - expected)
    size = float(np.abs(expected).max(initial=0))
    allowed = LEAST_NUMERIC[point.dtype] * max(size, scale) + 8 * np.abs(error)
    return {
        "objective": of,
        "parameter": None,
        "derivative": kind,
        "elements": int(found.size),
        "digits_graph": digits(first),
        "digits_numeric": digits(farthest(gap, max(size, scale))),
        "method": method if product is found else f"{method}, of a product",
        "sampled": len(coordinates) if product is found else 0,
        "passed": bool(first <= LEAST[point.dtype]) and bool((gap <= allowed).all()),
    }
