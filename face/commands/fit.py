"""`gradc fit`: compile a model and estimate its parameters, with their errors.

The folder that it writes holds the module, `parameters.npz` and `run.json`, which `gradc predict` reads, and the
report: `fit.json`, `report.html` and the same plots as `plots.png`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradc import options
from gradc.compiler import VERSION
from gradc.compiler.source import nearest
from gradc.failures import FAILED, OK, Failure, usage
from gradc.files import cannot, refuse_foreign, refuse_special, replace, write_arrays, write_text
from gradc.modules import data_error, read
from gradc.modules import options as compiler_options
from gradc.report import Outcome
from gradc.terminal import Terminal

if TYPE_CHECKING:
    from types import ModuleType

    from gradc.compiler.pipeline import Options
    from gradc.compiler.source import Source
    from gradc.runtime import Data
    from gradc.runtime.errors import Missing
    from gradc.runtime.estimate import Estimate

SUMMARY = "estimate a model's parameters, with standard errors and intervals"

DESCRIPTION = """\
Fit a model to all of its data until nothing is left to gain, and say how well the data determine each
parameter. An objective that is a sum or a mean of squares is fitted by Levenberg-Marquardt, with residuals
and their exact Jacobian; any other is taken for the negative logarithm of a likelihood, or its mean over the
rows, and fitted by L-BFGS and Newton steps with the exact Hessian. Standard output gets a table of estimates,
standard errors, intervals, correlations and what is said of the fit as a whole. DIR receives the report with
plots, and what `gradc predict` needs. A fit that does not converge, or whose parameters the data do not
determine, is told as it is, with status 1."""

EPILOG = """\
examples:
  gradc fit decay.model --data decay.csv
  gradc fit decay.model --data decay.csv --start a=2,rate=0.1 --intervals profile --out fitted
  gradc fit poisson.model --data doctors.csv --method lbfgs --json

docs/fitting.md says what is assumed, and what things are called in scipy, lmfit and R."""

FILES = ("parameters.npz", "run.json", "fit.json", "report.html", "plots.png")


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `fit`."""
    options.add_model(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="a folder for the report; made where missing")
    options.add_data(parser)
    group = parser.add_argument_group("fitting")
    group.add_argument("--objective", metavar="NAME", help="which of several objectives is fitted")
    group.add_argument(
        "--method",
        choices=("auto", "lm", "lbfgs"),
        default="auto",
        help="lm is Levenberg-Marquardt, for sums of squares; auto takes it where it can (default: auto)",
    )
    group.add_argument(
        "--likelihood",
        action="store_true",
        help="take a sum of squares, too, for the negative logarithm of a likelihood as it stands: its residual "
        "variance is then known, and not estimated",
    )
    group.add_argument(
        "--start",
        metavar="FILE|NAME=VALUE,...",
        help="where parameters start, as a=2,c[0]=0.5, or a .npz, .safetensors or .json file of parameters "
        "(default: where the model says)",
    )
    group.add_argument("--seed", type=options.natural, default=0, help="for starts that are drawn (default: 0)")
    group.add_argument(
        "--max-iterations",
        type=options.positive,
        default=10_000,
        metavar="N",
        help="evaluations at most, of each way down that is tried (default: 10000)",
    )
    group.add_argument(
        "--tolerance",
        type=options.not_negative,
        default=1e-8,
        help="a fit has converged where the next step would be below this, in standard errors (default: 1e-8)",
    )
    group.add_argument(
        "--restarts",
        type=options.natural,
        metavar="N",
        help="begin at N other points around the start, too, and take the lowest minimum (default: 5 where the first "
        "does not arrive, else none)",
    )
    group.add_argument(
        "--intervals",
        choices=("wald", "profile"),
        default="wald",
        help="from the standard error, or by profile likelihood, which refits (default: wald)",
    )
    group.add_argument("--level", type=level, default=0.95, help="of the intervals (default: 0.95)")
    options.add_compiling(parser, dtype=False)
    parser.set_defaults(dtype="float64")


def level(word: str) -> float:
    """A probability between 0 and 1."""
    number = options.finite(word)
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"{word!a} should be between 0 and 1, as 0.95")
    return number


def run(arguments: argparse.Namespace, terminal: Terminal) -> Outcome:
    """Compile, read, fit, report."""
    source = read(arguments.model)
    chosen = compiler_options(arguments)

    from gradc.data import take
    from gradc.estimating import compiled_for
    from gradc.runtime.errors import Missing, NotEstimable, NotFinite
    from gradc.runtime.estimate import estimate

    compiled, module = compiled_for(source, chosen, arguments.objective, arguments.likelihood)
    name = source.name.removesuffix(".model")
    file = f"{name}.py"
    if arguments.out is not None:
        _prepare(arguments.out, file)
    fitted = [key for key in module.OBJECTIVES if arguments.objective in (None, key)]
    needed = {item for key in fitted for item in module.OBJECTIVES[key]["needs"]}
    taken = take(module, arguments, [item for item in module.INPUTS if item in needed])
    for note in taken.notes:
        terminal.message(note)
    start = None
    try:
        if arguments.start is not None:
            initial = module.unpack(module.initial(taken.inputs, arguments.seed), taken.inputs)
            start = _start(arguments.start, initial)
        found = estimate(
            module,
            taken.inputs,
            objective=arguments.objective,
            start=start,
            seed=arguments.seed,
            method=arguments.method,
            intervals=arguments.intervals,
            level=arguments.level,
            max_iterations=arguments.max_iterations,
            tolerance=arguments.tolerance,
            restarts=arguments.restarts,
        )
    except module.DataError as error:
        raise data_error(error) from error
    except NotFinite as error:
        help = f"{_why(source, chosen, module, taken, start, arguments)}start elsewhere: --start NAME=VALUE,..."
        raise Failure("data", str(error), help, {"row": error.row}) from error
    except NotEstimable as error:
        raise Failure("data", error.what, error.remedy) from error
    except Missing as error:
        raise _missing(error) from error
    failures = _failures(found)
    result = {**found.as_data(), "out": None if arguments.out is None else str(arguments.out)}
    if arguments.out is not None:
        record = {
            "gradc": VERSION,
            "model": source.name,
            "source_sha256": module.SOURCE_SHA256,
            "status": "done" if found.converged else "not converged",
            "constants": dict(chosen.constants),
            "without": list(chosen.without),
            "fast_algebra": chosen.fast_algebra,
            **taken.record,
            "start": arguments.start,
            "seed": arguments.seed,
        }
        try:
            _save(arguments.out, file, compiled.module, found, module, taken.inputs, record)
        except Missing as error:
            raise _missing(error) from error
        terminal.message(f"{arguments.out / 'report.html'} written")
    return Outcome(result, str(found), FAILED if failures else OK, failures)


def _why(
    source: Source,
    chosen: Options,
    module: ModuleType,
    taken: Data,
    start: Mapping[str, Any] | None,
    arguments: argparse.Namespace,
) -> str:
    """The operation that is not finite where the fit begins, and its row, if they are found."""
    from gradc.provenance import origin

    data, objective = taken.inputs, arguments.objective
    theta = module.initial(data, arguments.seed)
    if start is not None:
        theta = module.pack({**module.unpack(theta, data), **start}, data)
    found = origin(source, chosen, module, theta, data, objective=objective, line=taken.row)
    return "" if found is None else f"{'; '.join([found.diagnostic.message, *found.more])}; "


def _missing(error: Missing) -> Failure:
    return Failure("missing", str(error), details={"library": error.library, "extra": error.extra})


def _failures(found: Estimate) -> list[Failure]:
    """What a program that calls us has to know, though there is a report."""
    failures = []
    if not found.converged:
        help = "start nearer: --start NAME=VALUE,...; or allow more: --max-iterations"
        failures.append(Failure("unconverged", f"the fit did not converge: {found.reason}", help))
    for direction in found.unidentified:
        from gradc.runtime.estimate.table import in_words

        help = "fix one of them with `const`, or write the model with fewer"
        if len(direction) == 1:
            help = "look whether it has reached a bound; else fix it with `const`"
        failures.append(Failure("unidentified", in_words(direction), help, {"direction": dict(direction)}))
    return failures


def _start(words: str, initial: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that the words or the file name. Failure where the model does not have one, or not so."""
    import numpy as np

    found: dict[str, Any] = {}
    path = Path(words)
    if path.suffix in (".npz", ".json", ".safetensors"):
        given = _start_file(path)
        for name, value in given.items():
            _check_name(name, initial, str(path))
            if np.shape(value) != initial[name].shape:
                what = f"{path} has {name} of shape {np.shape(value)}, and the model {initial[name].shape}"
                raise Failure("data", what)
            found[name] = value
        return found
    for part in re.split(r",(?![^\[]*\])", words):
        label, equals, text = part.partition("=")
        match = re.fullmatch(r"([^\[\]]+)(?:\[([\d, ]+)\])?", label.strip())
        if not equals or match is None:
            raise usage(
                f"--start: {part!a} should have the form name=value",
                "or name a file that ends in .npz, .json or .safetensors",
            )
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise usage(f"--start: {text!a} should be a number")
        name, at = match[1], tuple(int(i) for i in (match[2] or "").split(",") if i.strip())
        _check_name(name, initial, "--start")
        value = found.setdefault(name, np.array(initial[name], np.float64))
        if at and (len(at) != value.ndim or any(i >= size for i, size in zip(at, value.shape, strict=True))):
            raise usage(f"--start: {name} has shape {value.shape}, and no place {list(at)}")
        value[at if at else ...] = number
    return found


def _check_name(name: str, initial: Mapping[str, Any], where: str) -> None:
    if name not in initial:
        near = nearest(name, initial)
        help = f"did you mean {near}?" if near else f"the parameters are {', '.join(initial)}"
        raise Failure("name", f"{where} has {name!a}, and the model has no such parameter", help)


def _start_file(path: Path) -> dict[str, Any]:
    import numpy as np

    if path.suffix != ".json":
        from gradc.weights import read_values

        return read_values(path)
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(given, dict):
            raise ValueError
        return {name: np.array(value, np.float64) for name, value in given.items()}
    except OSError as error:
        raise cannot(f"read {path}", error) from error
    except (ValueError, TypeError, RecursionError) as error:
        raise Failure("file", f"{path} is not a JSON object of numbers by the names of parameters") from error


def _prepare(folder: Path, module: str) -> None:
    """Make the folder, and be sure that the files can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot(f"make the folder {folder}", error) from error
    refuse_foreign(folder / module, force=False)
    for name in FILES:
        refuse_special(folder / name)


def _save(
    folder: Path,
    file: str,
    text: str,
    found: Estimate,
    module: ModuleType,
    data: Mapping[str, Any],
    record: Mapping[str, Any],
) -> None:
    """Write everything; run.json goes last: it vouches for the rest."""
    from gradc.fitted import SCHEMA
    from gradc.runtime.estimate.page import abscissa, page, plots

    drawn = plots(found, abscissa(found, module, data))
    write_text(folder / file, text)
    write_arrays(folder / "parameters.npz", found.values)
    write_text(folder / "fit.json", json.dumps(found.as_data(), indent=2, allow_nan=False) + "\n")
    if drawn is not None:
        replace(folder / "plots.png", lambda stream: stream.write(drawn.png))
    write_text(folder / "report.html", page(found, drawn))
    whole = {"schema": SCHEMA, **record, "module": file, "module_sha256": hashlib.sha256(text.encode()).hexdigest()}
    write_text(folder / "run.json", json.dumps(whole, indent=2, allow_nan=False) + "\n")
