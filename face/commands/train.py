"""`gradc train`: compile a model and fit its parameters to data.

The folder that it writes holds the module, `parameters.npz`, `losses.csv` and `run.json` with every option as it was
resolved: all that `gradc predict` needs, and all that is needed to repeat the run.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from gradc import choices, options
from gradc.compiler import VERSION
from gradc.compiler.source import nearest
from gradc.failures import FAILED, INTERRUPTED, OK, Failure, usage
from gradc.modules import compile_source, load, read
from gradc.modules import options as compiler_options
from gradc.report import Outcome
from gradc.terminal import Terminal

if TYPE_CHECKING:
    import numpy.typing as npt

SUMMARY = "compile a model and train it on data"

DESCRIPTION = """\
Compile a model and fit its parameters to data by gradient descent. Optimisers and schedules are PyTorch's, with
their names, options and defaults. The loss is shown as it goes, the fitted parameters at the end. Several
objectives take their steps in turn, each with its own loss. DIR receives the module, parameters.npz, losses.csv and
run.json; a training that is interrupted or diverges saves the last good parameters there too."""

EPILOG = """\
examples:
  gradc train thermometer.model --data thermometer.csv --epochs 1000 --lr 1e-2 --out fitted
  gradc train digits.model --data train.npz --epochs 20 --batch 50 --lr 0.1 --momentum 0.9 --out fitted
  gradc train digits.model --data train.npz --optimizer adamw:betas=0.9,0.99 --schedule cosine --out fitted
  gradc train logistic.model --data loans.csv --map x=income,debt,age,savings --map y=repaid --out fitted
  gradc train transfer.model --data train.npz --from body.npz --lr 0.5 --out fitted

optimisers: sgd, asgd, adadelta, adagrad, adam, adamw, adamax, nadam, radam, rmsprop, rprop, lbfgs
schedules: step, multistep, constant, linear, exponential, polynomial, cosine, restarts, cyclic, onecycle, plateau
The options of each are those of torch.optim and torch.optim.lr_scheduler; docs/optimisers.md has them."""

SHOWN = 8
"""Numbers of a parameter that are printed; of a larger one, its shape and range."""


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `train`."""
    options.add_model(parser)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="the folder to write; made where missing"
    )
    options.add_data(parser)
    group = parser.add_argument_group("training")
    group.add_argument("--epochs", type=options.positive, default=100, help="passes over the data (default: 100)")
    group.add_argument("--batch", type=options.positive, help="rows of a minibatch (default: all rows)")
    group.add_argument(
        "--optimizer",
        default="sgd",
        metavar="NAME[:OPTION=VALUE,...]",
        help="the optimiser and its options, as adam:betas=0.9,0.99,amsgrad (default: sgd)",
    )
    options.add_sparse(group)
    group.add_argument(
        "--lr", type=options.not_negative, help="learning rate (default: the optimiser's own, 1e-3 for sgd and adam)"
    )
    group.add_argument("--momentum", type=options.not_negative, help="of sgd and rmsprop (default: 0)")
    group.add_argument("--dampening", type=options.finite, help="of the momentum of sgd (default: 0)")
    group.add_argument(
        "--nesterov", action="store_true", help="Nesterov's momentum; needs --momentum and no --dampening"
    )
    group.add_argument(
        "--weight-decay", type=options.not_negative, metavar="DECAY", help="(default: 0; 1e-2 for adamw)"
    )
    group.add_argument(
        "--schedule",
        action="append",
        default=[],
        metavar="NAME[:OPTION=VALUE,...]",
        help="how the rate changes from epoch to epoch, as step:step_size=30; given several times, they act together, "
        "or one after another where each but the first says when it begins, as cosine:T_max=45,at=5",
    )
    group.add_argument(
        "--clip-norm", type=options.not_negative, metavar="MOST", help="scale a gradient of a larger norm to this one"
    )
    group.add_argument(
        "--clip-value",
        type=options.not_negative,
        metavar="MOST",
        help="bound each number of a gradient",
    )
    group.add_argument(
        "--accumulate",
        type=options.positive,
        default=1,
        metavar="K",
        help="take a step after K minibatches (default: 1)",
    )
    options.add_validation(group)
    group.add_argument(
        "--seed", type=options.natural, default=0, help="for initial values, the order of rows, noise (default: 0)"
    )
    group.add_argument(
        "--from", type=Path, dest="start", metavar="FILE", help="initial values of the parameters that this .npz names"
    )
    options.add_compiling(parser)


def run(arguments: argparse.Namespace, terminal: Terminal) -> Outcome:
    """Compile, read, train, save."""
    chosen_optimizer = choices.optimizer(arguments.optimizer, _given(arguments))
    follow = choices.schedules(arguments.schedule, arguments.epochs)
    source = read(arguments.model)
    chosen = compiler_options(arguments)
    compiled = compile_source(source, chosen)
    name = source.name.removesuffix(".model")
    module = load(compiled.module, name)
    if not module.OBJECTIVES:
        raise Failure("data", f"{source.name} has no objective, and nothing to train")
    if not any(entry["over"] for entry in module.OBJECTIVES.values()):
        raise usage("every parameter is frozen, and there is nothing to train", "let --freeze name fewer")
    # One loss goes by that name, several by the names of their objectives.
    titles = {key: key if len(module.OBJECTIVES) > 1 else "loss" for key in module.OBJECTIVES}
    needed = {name for entry in module.OBJECTIVES.values() for name in entry["needs"]}

    import numpy as np

    from gradc import fitted
    from gradc.data import take
    from gradc.runtime import Diverged, Session, fit
    from gradc.runtime.fit import check

    taken = take(module, arguments, [name for name in module.INPUTS if name in needed])
    for note in taken.notes:
        terminal.message(note)
    data = taken.inputs
    file = f"{name}.py"
    try:
        theta = module.initial(data, arguments.seed)
        if arguments.start is not None:
            theta = module.pack(_start(arguments.start, module.unpack(theta, data)), data)
        session = Session(module, data, theta)
    except module.DataError as error:
        raise Failure("data", str(error)) from error
    optimizer, schedule = choices.made(session, chosen_optimizer, follow)
    try:
        check(session, optimizer, arguments.accumulate)
    except ValueError as error:
        raise usage(str(error)) from error
    settings = chosen_optimizer.options
    fitted.prepare(arguments.out, file)
    rows = _rows(module, data)
    count = sum(parameter.value.size for parameter in session.parameters.values())
    sizes = [_counted(count, "number"), _counted(len(module.PARAMETERS), "parameter")]
    of_rows = "" if rows is None else f", {_counted(rows, 'row')}"
    terminal.message(f"training {name}: {' in '.join(sizes)}{of_rows}")
    losses: dict[str, list[float]] = {title: [] for title in titles.values()}
    good = session.theta.copy()
    status, failures = OK, []

    def epochs_done() -> int:
        return len(next(iter(losses.values())))

    def diverged(message: str, step: int | None, parameter: str | None) -> Failure:
        help = f"the last good parameters are in {arguments.out}; try a smaller --lr than {settings['lr']:g}"
        return Failure("diverged", message, help, {"step": step, "parameter": parameter, "epochs": epochs_done()})

    try:
        with terminal.progress(arguments.epochs, tuple(losses)) as progress:

            def after(epoch: int, *found: float) -> None:
                for history, loss in zip(losses.values(), found, strict=True):
                    history.append(loss)
                if np.isfinite(session.theta).all():
                    np.copyto(good, session.theta)
                progress(epoch, *found)

            done = fit(
                session,
                optimizer,
                epochs=arguments.epochs,
                batch=arguments.batch,
                seed=arguments.seed,
                after=after,
                schedule=schedule,
                accumulate=arguments.accumulate,
                clip_norm=arguments.clip_norm,
                clip_value=arguments.clip_value,
            )
        # Whatever the last step did, no later one has looked at it.
        if not np.isfinite(done.theta).all():
            status = FAILED
            failures.append(diverged("the last step made a parameter infinite", done.steps - 1, None))
    except Diverged as error:
        status = FAILED
        np.copyto(good, error.theta)
        failures.append(diverged(str(error), error.step, error.parameter))
    except module.DataError as error:
        # A step went where a matrix is singular, or not positive definite.
        status = FAILED
        failures.append(diverged(str(error), None, None))
    except KeyboardInterrupt:
        status = INTERRUPTED
        message = f"interrupted after epoch {epochs_done()}; its parameters are in {arguments.out}"
        failures.append(Failure("interrupted", message, status=INTERRUPTED))
    parameters = module.unpack(good, data)
    record = {
        "gradc": VERSION,
        "model": source.name,
        "source_sha256": module.SOURCE_SHA256,
        "status": {OK: "done", FAILED: "diverged", INTERRUPTED: "interrupted"}[status],
        "dtype": arguments.dtype,
        "constants": dict(module.CONSTANTS),
        "frozen": list(getattr(module, "FROZEN", ())),
        **taken.record,
        "from": None if arguments.start is None else arguments.start.name,
        "objective": next(iter(titles)) if len(titles) == 1 else None,
        "rows": rows,
        "epochs": arguments.epochs,
        "batch": arguments.batch,
        "accumulate": arguments.accumulate,
        "optimizer": chosen_optimizer.name,
        # Those that the optimiser does not have are null.
        **{key: settings.get(key) for key in ("lr", "momentum", "dampening", "nesterov", "weight_decay")},
        "optimizer_options": dict(settings),
        "sparse": list(chosen.sparse),
        "schedule": [choice.as_data() for choice in follow],
        "clip_norm": arguments.clip_norm,
        "clip_value": arguments.clip_value,
        "seed": arguments.seed,
        "epochs_done": epochs_done(),
        "loss": losses["loss"][-1] if losses.get("loss") else None,
        "losses": {key: losses[title][-1] if losses[title] else None for key, title in titles.items()},
    }
    fitted.save(arguments.out, (file, compiled.module), parameters, losses, record)
    values = {key: value.tolist() for key, value in parameters.items() if value.size <= SHOWN}
    result = {**record, "out": str(arguments.out), "parameters": values}
    return Outcome(result, _shown(parameters), status, failures)


def _given(arguments: argparse.Namespace) -> dict[str, Any]:
    """The options of the optimiser that stand for themselves."""
    found = {key: getattr(arguments, key) for key in ("lr", "momentum", "dampening", "weight_decay")}
    given = {key: value for key, value in found.items() if value is not None}
    return {**given, "nesterov": True} if arguments.nesterov else given


def _start(path: Path, initial: dict[str, Any]) -> dict[str, Any]:
    """The initial values, those that the file names replaced. Failure where it names what the model does not have."""
    from gradc.fitted import read_parameters

    given = read_parameters(path)
    for name, value in given.items():
        if name not in initial:
            near = nearest(name, initial)
            help = f"did you mean {near}?" if near else f"the parameters are {', '.join(initial)}"
            raise Failure("data", f"{path} has {name!a}, and the model has no such parameter", help)
        if value.shape != initial[name].shape:
            raise Failure("data", f"{path} has {name} of shape {value.shape}, and the model {initial[name].shape}")
    return {**initial, **given}


def _rows(module: ModuleType, data: dict[str, npt.NDArray[Any]]) -> int | None:
    """The length of the row axis."""
    for name, entry in module.INPUTS.items():
        if name in data and module.ROWS in entry["axes"]:
            return int(data[name].shape[entry["axes"].index(module.ROWS)])
    return None


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _shown(parameters: dict[str, npt.NDArray[Any]]) -> str:
    """A line for each parameter: its numbers where they are few, else its shape and their range."""
    width = max((len(name) for name in parameters), default=0)
    lines = []
    for name, value in parameters.items():
        if value.ndim == 0:
            told = f"{float(value):.6g}"
        elif value.size <= SHOWN:
            told = str(value.tolist()) if value.ndim > 1 else "[" + ", ".join(f"{v:.6g}" for v in value.tolist()) + "]"
        else:
            shape = " by ".join(map(str, value.shape))
            told = f"{shape} numbers from {float(value.min()):.6g} to {float(value.max()):.6g}"
        lines.append(f"{name:<{width}} = {told}\n")
    return "".join(lines)
