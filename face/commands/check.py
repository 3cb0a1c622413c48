"""`gradc check`: three independent ways to the same gradient, compared.

The emitted module; the reference evaluator on the gradient's graph before any simplification; numerical differentiation
of the value. They share the front of the compiler and nothing after it.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from gradc import options
from gradc.agreement import LEAST, LEAST_NUMERIC, as_written, digits, farthest
from gradc.derivatives import Point, comparisons
from gradc.failures import FAILED, OK, Failure
from gradc.modules import compile_source, data_error, load, read
from gradc.modules import options as compiler_options
from gradc.report import Outcome
from gradc.terminal import Terminal

if TYPE_CHECKING:
    from types import ModuleType

    import numpy.typing as npt

    from gradc.compiler.graph import Objective, Program

SUMMARY = "compare three ways to the same gradient"

DESCRIPTION = """\
Compute each gradient in three ways and say how many digits agree: by the emitted module, by evaluating the
gradient's graph node by node with no simplification, and by differentiating the value numerically (a complex
step where the model is analytic, else extrapolated differences, or a complex step on both sides of the point
where differences reach over corners). It is done at a point near the initial
parameters, on data that is drawn from the seed where none is given. Of a large parameter a sample of
elements is differentiated numerically."""

EPILOG = """\
examples:
  gradc check decay.model                       on generated data
  gradc check decay.model --seed 7              on other data, at another point
  gradc check decay.model --data measured.csv   on the first rows of a file
  gradc check decay.model --derivatives hessian,jvp    these too, as the module has them"""

ROWS = 64
"""Rows of given data that are used: the reference is slow."""
ELEMENTS = 16
"""Elements of a parameter that are differentiated numerically."""
NEARBY = 0.25
"""Standard deviation of the step from the initial parameters, which are often a special point, such as 0."""


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `check`."""
    options.add_model(parser)
    parser.add_argument("--seed", type=options.natural, default=0, help="for the point and the data (default: 0)")
    options.add_data(parser, required=False)
    options.add_derivatives(parser)
    options.add_compiling(parser)


def run(arguments: argparse.Namespace, terminal: Terminal) -> Outcome:
    """Compile, compute in three ways, compare."""
    source = read(arguments.model)
    compiled = compile_source(source, compiler_options(arguments))
    module = load(compiled.module, source.name.removesuffix(".model"))

    import numpy as np

    from gradc.compiler.differentiate import differentiate
    from gradc.compiler.reference import evaluate, numeric_gradient

    if arguments.data:
        from gradc.data import take

        taken = take(module, arguments, tuple(module.INPUTS))
        for note in taken.notes:
            terminal.message(note)
        data = {name: _first_rows(module, name, array) for name, array in taken.inputs.items()}
        drawn = None
    else:
        data, drawn = _generated(module, arguments.seed)
    if module.NOISE:
        data = {**data, **module.noise(data, arguments.seed)}
    theta = _point(module, data, arguments.seed)
    free = {name: np.asarray(theta[p], np.float64).reshape(s) for name, (p, s) in module.layout(data).items()}
    if arguments.dtype == "float32":
        # Numbers that both ways hold exactly, so that only the arithmetic differs.
        data = {n: a.astype(np.float32).astype(np.float64) if a.dtype.kind == "f" else a for n, a in data.items()}

    written = differentiate(compiled.elaborated)
    rows: list[dict[str, Any]] = []
    with np.errstate(all="ignore"):
        for objective in written.objectives:
            try:
                bound = module.bind(data, objective.name)
                value, gradient = bound(theta)
            except module.DataError as error:
                raise data_error(error) from error
            names = [p.name for p in written.parameters if p.name in objective.over]
            roots = [objective.value, *(written.gradients[objective.name][name] for name in names)]
            values = evaluate(written, roots, data, free)
            estimates = numeric_gradient(written, objective.value, data, free, names, ELEMENTS)
            rows.append(_row(objective.name, "value", float(value), float(values[0].real), arguments.dtype))
            if objective.updates:
                rows += _updates(written, objective, module, bound, data, theta, free, arguments.dtype)
            largest = max((float(np.abs(v).max(initial=0)) for v in values[1:]), default=0.0)
            for parameter, root, found in zip(
                [p for p in written.parameters if p.name in names], roots[1:], values[1:], strict=True
            ):
                place, shape = module.layout(data)[parameter.name]
                emitted = np.asarray(gradient[place], np.float64).reshape(shape)
                graph = as_written(found, root.names, tuple(a.name for a in parameter.axes), shape)
                estimate = estimates[parameter.name]
                scale = max(float(np.abs(graph).max(initial=0)), 1e-3 * largest)
                first = farthest(emitted - graph, scale)
                gap = np.abs(emitted.reshape(-1)[estimate.coordinates] - estimate.gradient)
                second = farthest(gap, scale)
                allowed = LEAST_NUMERIC[arguments.dtype] * scale + 8 * np.abs(estimate.error)
                passed = bool(first <= LEAST[arguments.dtype]) and bool((gap <= allowed).all())
                rows.append(
                    {
                        "objective": objective.name,
                        "parameter": parameter.name,
                        "elements": int(emitted.size),
                        "digits_graph": digits(first),
                        "digits_numeric": digits(second),
                        "method": estimate.method,
                        "sampled": len(estimate.coordinates),
                        "passed": passed,
                    }
                )
        point = Point(written, module, data, theta, arguments.seed, arguments.dtype, ELEMENTS)
        rows += comparisons(point, compiled.options.derivatives)
    passed = all(row["passed"] for row in rows)
    result = {
        "model": source.name,
        "dtype": arguments.dtype,
        "seed": arguments.seed,
        "data": "given" if drawn is None else drawn,
        "rows": None if module.ROWS is None else _length(module, data),
        "checks": rows,
    }
    failures = [
        Failure(
            "check",
            f"the module and the graph differ in what a step of {row['objective']} makes of {row['parameter']}"
            if row["method"] == "update"
            else f"the three ways to the {row.get('derivative', 'gradient')} differ for {_named(row)}",
            "please report it, with the model: gradc computes a wrong gradient, or the point is a corner of the model",
            {"objective": row["objective"], "parameter": row["parameter"]},
        )
        for row in rows
        if not row["passed"]
    ]
    return Outcome(result, _table(rows), OK if passed else FAILED, failures)


def _updates(
    written: Program,
    objective: Objective,
    module: ModuleType,
    bound: Any,
    data: dict[str, Any],
    theta: npt.NDArray[Any],
    free: dict[str, Any],
    dtype: str,
) -> list[dict[str, Any]]:
    """The comparison of what a step makes of the states, which have no derivative either."""
    import numpy as np

    from gradc.compiler.reference import evaluate

    after = theta.copy()
    bound.advance(after)
    states = {state.name: state for state in written.states}
    names = [name for name, _ in objective.updates]
    rows = []
    for name, found in zip(names, evaluate(written, [n for _, n in objective.updates], data, free), strict=True):
        place, shape = module.layout(data)[name]
        node = dict(objective.updates)[name]
        graph = as_written(found, node.names, tuple(axis.name for axis in states[name].axes), shape)
        emitted = np.asarray(after[place], np.float64).reshape(shape)
        gap = farthest(emitted - graph, float(np.abs(graph).max(initial=0)))
        row = _row(objective.name, "update", 0.0, 0.0, dtype)
        checked = {"elements": int(emitted.size), "digits_graph": digits(gap), "passed": bool(gap <= LEAST[dtype])}
        rows.append({**row, "parameter": name, **checked})
    return rows


def _row(objective: str, name: str, emitted: float, graph: float, dtype: str) -> dict[str, Any]:
    """The comparison of the value itself, which has no numerical derivative."""
    gap = abs(emitted - graph) / max(abs(graph), 1e-300) if emitted != graph else 0.0
    return {
        "objective": objective,
        "parameter": None,
        "elements": 1,
        "digits_graph": digits(gap),
        "digits_numeric": None,
        "method": name,
        "sampled": 0,
        "passed": gap <= LEAST[dtype],
    }


def _point(module: ModuleType, data: dict[str, Any], seed: int) -> npt.NDArray[Any]:
    import numpy as np

    start = module.initial(data, seed)
    random = np.random.Generator(np.random.Philox([seed, 1]))
    moved = start + NEARBY * random.standard_normal(start.shape)
    # States stay where they are: a variance, for one, is not to fall below 0.
    for name in module.STATES:
        place = module.layout(data)[name][0]
        moved[place] = start[place]
    point: npt.NDArray[Any] = moved.astype(start.dtype)
    return point


def _generated(module: ModuleType, seed: int) -> tuple[dict[str, Any], str]:
    """Data of small, different lengths: normal, or positive where the model has no finite value on that."""
    import numpy as np

    for kind in ("normal", "positive"):
        random = np.random.Generator(np.random.Philox([seed, 2]))
        lengths: dict[str, int] = {}
        data: dict[str, Any] = {}
        for name, entry in module.INPUTS.items():
            shape = [
                size if isinstance(size, int) else lengths.setdefault(size, (7, 3, 4, 5, 6, 2)[len(lengths) % 6])
                for size in entry["shape"]
            ]
            if entry["dtype"] == "bool":
                data[name] = random.random(shape) < 0.5
            elif entry["dtype"] == "int64":
                axis = entry["index"]
                most = module.AXES[axis] or lengths.setdefault(axis, 5)
                data[name] = random.integers(0, most, shape)
            else:
                data[name] = random.standard_normal(shape) if kind == "normal" else random.uniform(0.1, 0.9, shape)
        try:
            with np.errstate(all="ignore"):
                theta = _point(module, data, seed)
                found = [module.bind(data, name)(theta) for name in module.OBJECTIVES]
        except module.DataError:
            continue
        if all(np.isfinite(value) and np.isfinite(gradient).all() for value, gradient in found):
            break
    return data, kind


def _first_rows(module: ModuleType, name: str, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    axes = module.INPUTS[name]["axes"]
    if module.ROWS not in axes:
        return array
    return array[(*(slice(None) for _ in range(axes.index(module.ROWS))), slice(ROWS))]


def _length(module: ModuleType, data: dict[str, Any]) -> int | None:
    for name, entry in module.INPUTS.items():
        if module.ROWS in entry["axes"]:
            return int(data[name].shape[entry["axes"].index(module.ROWS)])
    return None


def _named(row: dict[str, Any]) -> str:
    """What a row compares."""
    return f"{row.get('derivative') or row['parameter']} of {row['objective']}"


def _table(rows: list[dict[str, Any]]) -> str:
    """One line for each comparison, in columns."""
    cells = [("parameter", "elements", "digits: graph", "digits: numeric", "by", "")]
    for row in rows:
        name = row["parameter"] or (_named(row) if "derivative" in row else f"({row['objective']} itself)")
        numeric = "-" if row["digits_numeric"] is None else f"{row['digits_numeric']:.1f}"
        way = "-" if row["digits_numeric"] is None else row["method"]
        if 0 < row["sampled"] < row["elements"]:
            way += f" at {row['sampled']} elements"
        cells.append(
            (
                name,
                str(row["elements"]),
                f"{row['digits_graph']:.1f}",
                numeric,
                way,
                "ok" if row["passed"] else "DIFFERS",
            )
        )
    widths = [max(len(line[i]) for line in cells) for i in range(6)]
    lines = []
    for line in cells:
        padded = [line[i].rjust(widths[i]) if i in (1, 2, 3) else line[i].ljust(widths[i]) for i in range(6)]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines) + "\n"
