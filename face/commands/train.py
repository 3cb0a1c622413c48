"""`gradc train`: compile a model and fit its parameters to data.

Takes a model, data and options; writes the folder of a run, in which everything stands that `gradc predict` needs, that
is needed to repeat the run, and that is needed to go on with it. The loop is in `training`, the folder in `runs`; here
the words of the command line become what they take.
"""

from __future__ import annotations

import argparse
import hashlib
import math
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from gradc import choices, options
from gradc.compiler import VERSION
from gradc.compiler.source import ModelError, nearest
from gradc.failures import FAILED, INTERRUPTED, OK, Failure, usage
from gradc.modules import compile_source, load, read
from gradc.modules import options as compiler_options
from gradc.report import Outcome
from gradc.terminal import Terminal

if TYPE_CHECKING:
    import numpy.typing as npt

    from gradc.runs import Saved
    from gradc.runtime import Data
    from gradc.training import Line, Plan, Training

SUMMARY = "compile a model and train it on data"

DESCRIPTION = """\
Compile a model and fit its parameters to data by gradient descent. Optimisers and schedules are PyTorch's, with
their names, options and defaults. The loss is shown as it goes, the fitted parameters at the end. Several
objectives take their steps in turn, each with its own loss. DIR receives the module, parameters.npz, run.json,
metrics.jsonl, the loss curve and checkpoints. A training that was broken off in any way, and one that shall be
longer, goes on bit for bit with --resume: DIR knows the options."""

EPILOG = """\
examples:
  gradc train thermometer.model --data thermometer.csv --epochs 1000 --lr 1e-2 --out fitted
  gradc train digits.model --data train.npz --epochs 20 --batch 50 --lr 0.1 --momentum 0.9 --out fitted
  gradc train digits.model --data train.npz --optimizer adamw:betas=0.9,0.99 --schedule cosine --out fitted
  gradc train digits.model --data train.npz --lr 0.1 --group 'fc2.*:lr=0.5,weight_decay=0' --out fitted
  gradc train logistic.model --data loans.csv --map x=income,debt,age,savings --map y=repaid --out fitted
  gradc train transfer.model --data train.npz --from body.npz --lr 0.5 --out fitted
  gradc train --out fitted --resume                     go on where it was broken off
  gradc train --out fitted --resume --epochs 2000       go on for longer

optimisers: sgd, asgd, adadelta, adagrad, adam, adamw, adamax, nadam, radam, rmsprop, rprop, lbfgs
schedules: step, multistep, constant, linear, exponential, polynomial, cosine, restarts, cyclic, onecycle, plateau
The options of each are those of torch.optim and torch.optim.lr_scheduler; docs/optimisers.md has them, and
docs/runs.md says what DIR holds."""

SHOWN = 8
"""Numbers of a parameter that are printed; of a larger one, its shape and range."""

EPOCHS = 100

CHECKPOINTS = 20
"""Regular checkpoints of a training, where nothing else is said."""

APART = 1.0
"""Seconds between regular checkpoints at least, where nothing is said of them."""

OF_A_CALL = frozenset("out resume force json color traceback run command default_of".split())
"""What a call of the command says of itself, and not of the run."""

MAY_CHANGE = frozenset("model data validation epochs checkpoint_every tensorboard no_plots".split())
"""Options that may be others when a run goes on; what the model and the data hold may not."""


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `train`."""
    options.add_model(parser, required=False)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="the folder to write; made where missing"
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with the run in DIR, or begin it where it has not begun; what is not given is as it was",
    )
    parser.add_argument(
        "--force", action="store_true", help="begin anew in a folder whose training was broken off, and lose that"
    )
    options.add_data(parser, required=False)
    group = parser.add_argument_group("training")
    group.add_argument("--epochs", type=options.positive, help=f"passes over the data (default: {EPOCHS})")
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
        "--group",
        action="append",
        default=[],
        metavar="PATTERN:OPTION=VALUE,...",
        help="other options of the optimiser for the parameters with such names, as 'head.*:lr=0.1,weight_decay=0'; "
        "may be given several times",
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
        "--schedule-step",
        action="store_true",
        help="step the schedules after each step of the optimiser, as onecycle and cyclic are meant to be",
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
        "--from",
        type=Path,
        dest="start",
        metavar="FILE",
        help="initial values of the parameters that this .npz or .safetensors file names",
    )
    group = parser.add_argument_group("the run")
    group.add_argument(
        "--patience",
        type=options.positive,
        metavar="K",
        help="end when the loss has not become lower for K epochs: that on the rows for validation, where there are "
        "some",
    )
    group.add_argument(
        "--min-delta",
        type=options.not_negative,
        default=0.0,
        metavar="D",
        help="by how much a loss is lower, for --patience (default: 0)",
    )
    group.add_argument(
        "--checkpoint-every",
        type=options.positive,
        metavar="N",
        help=f"epochs between checkpoints (default: a {CHECKPOINTS}th of them); where epochs are long there are more",
    )
    group.add_argument("--tensorboard", action="store_true", help="write event files for TensorBoard too")
    group.add_argument("--no-plots", action="store_true", help="draw no loss curve")
    options.add_compiling(parser)
    parser.set_defaults(default_of=parser.get_default)


def run(arguments: argparse.Namespace, terminal: Terminal) -> Outcome:
    """Compile or read back, train, save."""
    from gradc import board, curves, runs

    saved = runs.load(arguments.out) if arguments.resume else None
    if saved is not None:
        arguments = _as_it_was(arguments, saved)
        if saved.damaged is not None:
            terminal.message(f"warning: {saved.damaged}; the checkpoint before it is taken")
    elif arguments.model is None or not arguments.data:
        what = "MODEL" if arguments.model is None else "--data"
        nothing = f"{arguments.out} has no checkpoint to go on from" if arguments.resume else "a training needs both"
        raise usage(f"{what} is missing", f"{nothing}: give MODEL and --data")
    if arguments.tensorboard:
        board.require()
    plots = not arguments.no_plots and curves.available()
    training, taken = _prepared(arguments, saved, terminal)
    with training.folder as folder:
        folder.prepare(force=arguments.force or saved is not None)
        for change in _changes(training, saved):
            terminal.message(f"warning: {change}: the numbers may differ in their last digits")
        if not arguments.no_plots and not plots:
            terminal.message(f"note: {curves.MISSING}")
        terminal.message(_what_begins(training))
        if saved is None:
            folder.begin(training.text, _whole(training, runs.RUNNING))
        else:
            folder.go_on(saved, _whole(training, runs.RUNNING))
        status, failure = _train(training, terminal, arguments.tensorboard)
        parameters = training.session.module.unpack(training.chosen, training.session.data)
        folder.save(parameters)
        if plots and training.epoch:
            curves.draw(folder.folder, list(training.titles.values()), training.best)
        record = _whole(training, {OK: "done", FAILED: "diverged", INTERRUPTED: "interrupted"}[status])
        folder.describe(record)
    values = {key: value.tolist() for key, value in parameters.items() if value.size <= SHOWN}
    result = {**record, "out": str(arguments.out), "parameters": values}
    failures: list[Failure | ModelError] = [] if failure is None else [failure]
    return Outcome(result, _shown(parameters), status, [*failures, *_origin(training, arguments, taken)])


def _prepared(arguments: argparse.Namespace, saved: Saved | None, terminal: Terminal) -> tuple[Training, Data]:
    """The training that the options describe, at its beginning or where it was saved, with its data. Writes nothing."""
    epochs = arguments.epochs or EPOCHS
    optimizer = choices.optimizer(arguments.optimizer, _given(arguments))
    apart = choices.groups(arguments.group, optimizer)
    follow = None if arguments.schedule_step else choices.schedules(arguments.schedule, epochs)
    module, text, name = _module(arguments, saved)
    if not module.OBJECTIVES:
        raise Failure("data", f"{module.MODEL} has no objective, and nothing to train")
    if not any(entry["over"] for entry in module.OBJECTIVES.values()):
        raise usage("every parameter is frozen, and there is nothing to train", "let --freeze name fewer")

    from gradc.data import take
    from gradc.runs import RunFolder
    from gradc.runtime import Session
    from gradc.runtime.environment import environment
    from gradc.runtime.fit import check, cuts
    from gradc.training import Plan, Training

    needed = {name for entry in module.OBJECTIVES.values() for name in entry["needs"]}
    taken = take(module, arguments, [name for name in module.INPUTS if name in needed])
    for note in taken.notes:
        terminal.message(note)
    if saved is not None:
        _same_data(taken, saved, arguments.out)
    data, rows = taken.inputs, _rows(module, taken.inputs)
    plan = Plan(
        epochs=epochs,
        batch=arguments.batch,
        seed=arguments.seed,
        accumulate=arguments.accumulate,
        clip_norm=arguments.clip_norm,
        clip_value=arguments.clip_value,
        schedule_every="step" if arguments.schedule_step else "epoch",
        patience=arguments.patience,
        min_delta=arguments.min_delta,
        checkpoint_every=arguments.checkpoint_every or math.ceil(epochs / CHECKPOINTS),
        # Where a training may end at any epoch, the checkpoint before its last must not depend on the time.
        checkpoint_apart=0.0 if arguments.checkpoint_every or arguments.patience else APART,
    )
    if follow is None:
        steps = epochs * math.ceil(len(cuts(rows, plan.batch)) / plan.accumulate)
        follow = choices.schedules(arguments.schedule, steps, "steps")
    now = {"gradc": VERSION, **environment()}
    before = [] if saved is None else saved.state["environments"]
    head = {
        "arguments": {key: _told(value) for key, value in vars(arguments).items() if key not in OF_A_CALL},
        "run": _record(arguments, module, taken, optimizer, apart, follow, plan, rows)
        if saved is None
        else {**saved.state["run"], "epochs": epochs, "checkpoint_every": plan.checkpoint_every},
        "module": f"{name}.py",
        "module_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "environments": before if before and before[-1] == now else [*before, now],
    }
    # One loss goes by that name, several by the names of their objectives.
    titles = {key: key if len(module.OBJECTIVES) > 1 else "loss" for key in module.OBJECTIVES}
    try:
        theta = _theta(arguments, module, data) if saved is None else saved.state["theta"]
        session = Session(module, data, theta, bind=plan.batch is None)
        made, schedule = choices.made(session, optimizer, apart, follow)
        folder = RunFolder(arguments.out, f"{name}.py")
        training = Training(session, made, schedule, plan, titles, taken.held_out, folder, head, text)
    except module.DataError as error:
        raise Failure("data", str(error)) from error
    try:
        check(session, made, plan.accumulate, schedule if arguments.schedule_step else None)
    except ValueError as error:
        raise usage(str(error)) from error
    if saved is not None:
        training.restore(saved.state)
        if epochs < training.epoch:
            raise usage(f"{training.epoch} epochs are done, and --epochs asks for {epochs}")
    if module.METRICS and not training.measures:
        terminal.message("note: the metrics are left out, since the data do not have all that they need")
    return training, taken


def _train(training: Training, terminal: Terminal, tensorboard: bool) -> tuple[int, Failure | None]:
    """The training, with those who look on."""
    from gradc.board import Board

    quiet = () if training.schedule is not None else training.rates
    with terminal.progress(training.plan.epochs, quiet) as progress:
        training.told.append(progress)
        if not tensorboard:
            return training.run()
        board = Board(training.folder.folder)
        training.told.append(board)
        try:
            return training.run()
        finally:
            board.close()


def _origin(training: Training, arguments: argparse.Namespace, taken: Data) -> list[ModelError]:
    """Where the numbers went wrong, if they did and the model is there to tell."""
    from gradc.provenance import origin
    from gradc.runtime import Diverged

    session, trouble = training.session, training.trouble
    if trouble is None or not arguments.model.exists():
        return []
    at = trouble if isinstance(trouble, Diverged) else session.theta
    source, chosen = read(arguments.model), compiler_options(arguments)
    found = origin(source, chosen, session.module, at, session.data, seed=training.plan.seed, line=taken.row)
    return [] if found is None else [found.mistake]


# ------------------------------------------------------------------------------------------------------- a run again


def _as_it_was(arguments: argparse.Namespace, saved: Saved) -> argparse.Namespace:
    """The options of the run; those that are given must be the same, or may be others. Failure ("usage")."""
    found = dict(vars(arguments))
    for key, told in saved.state["arguments"].items():
        before, given = _meant(told), found.get(key)
        if given == arguments.default_of(key):
            found[key] = before
        elif given != before and key not in MAY_CHANGE:
            option = "--from" if key == "start" else f"--{key.replace('_', '-')}"
            raise usage(
                f"{option} was {_typed(before)} in the run in {arguments.out}, and is {_typed(given)}",
                "leave out what was said when the run began; without --resume and with --force it begins anew",
                {"option": option},
            )
    return argparse.Namespace(**found)


def _told(value: Any) -> Any:
    """The value of an option as a checkpoint has it."""
    if isinstance(value, Path):
        return {"path": str(value)}
    if isinstance(value, tuple):
        return {"tuple": [_told(entry) for entry in value]}
    return [_told(entry) for entry in value] if isinstance(value, list) else value


def _meant(told: Any) -> Any:
    """What `_told` was given."""
    match told:
        case {"path": str(path)}:
            return Path(path)
        case {"tuple": [*entries]}:
            return tuple(_meant(entry) for entry in entries)
        case [*entries]:
            return [_meant(entry) for entry in entries]
    return told


def _typed(value: Any) -> str:
    """The value of an option as people write it."""
    if isinstance(value, tuple):
        return "=".join(map(str, value))
    return " ".join(map(_typed, value)) if isinstance(value, list) else "not given" if value is None else str(value)


def _module(arguments: argparse.Namespace, saved: Saved | None) -> tuple[ModuleType, str, str]:
    """The module, its text and its name: compiled, or that of the run. Failure where the model has changed since."""
    if saved is None:
        source = read(arguments.model)
        compiled = compile_source(source, compiler_options(arguments))
        name = source.name.removesuffix(".model")
        return load(compiled.module, name), compiled.module, name
    # The run knows its module; a model that is there all the same must be the one that the module was made of.
    if arguments.model.exists():
        digest = hashlib.sha256(read(arguments.model).text.encode()).hexdigest()
        if digest != saved.module.SOURCE_SHA256:
            raise Failure(
                "file",
                f"{arguments.model} has changed since the run in {arguments.out} began",
                "restore it; without --resume and with --force the training begins anew with it",
            )
    return saved.module, saved.text, str(saved.state["module"]).removesuffix(".py")


def _same_data(taken: Data, saved: Saved, folder: Path) -> None:
    """Raises Failure where the data are not those of the run. They may be at another place."""
    for key, found in taken.record.items():
        before = saved.state["run"].get(key)
        if _placeless(found) != _placeless(before):
            what = "the data have" if key == "data" else f"the option {key} of the data has"
            help = "restore them; without --resume and with --force the training begins anew with these"
            raise Failure("data", f"{what} changed since the run in {folder} began", help, {"was": before, "is": found})


def _placeless(record: Any) -> Any:
    """What a record says of data, but for the names of files; lists and tuples are the same."""
    if isinstance(record, Mapping):
        return {key: _placeless(value) for key, value in record.items() if key != "file"}
    return [_placeless(entry) for entry in record] if isinstance(record, list | tuple) else record


def _changes(training: Training, saved: Saved | None) -> list[str]:
    """What the last bit depends on and is not what it was."""
    from gradc.runtime.environment import changes

    return [] if saved is None else changes(saved.state["environments"][-1], training.head["environments"][-1])


# --------------------------------------------------------------------------------------------------- what is recorded


def _record(
    arguments: argparse.Namespace,
    module: ModuleType,
    taken: Data,
    optimizer: choices.Choice,
    apart: list[dict[str, Any]],
    follow: list[choices.Choice],
    plan: Plan,
    rows: int | None,
) -> dict[str, Any]:
    """Every option as it was resolved."""
    return {
        "gradc": VERSION,
        "model": arguments.model.name,
        "source_sha256": module.SOURCE_SHA256,
        "dtype": arguments.dtype,
        "constants": dict(module.CONSTANTS),
        "frozen": list(getattr(module, "FROZEN", ())),
        **taken.record,
        "from": None if arguments.start is None else arguments.start.name,
        "objective": next(iter(module.OBJECTIVES)) if len(module.OBJECTIVES) == 1 else None,
        "rows": rows,
        "epochs": plan.epochs,
        "batch": plan.batch,
        "accumulate": plan.accumulate,
        "optimizer": optimizer.name,
        # Those that the optimiser does not have are null.
        **{key: optimizer.options.get(key) for key in ("lr", "momentum", "dampening", "nesterov", "weight_decay")},
        "optimizer_options": dict(optimizer.options),
        "groups": apart,
        "sparse": list(arguments.sparse),
        "schedule": [choice.as_data() for choice in follow],
        "schedule_every": plan.schedule_every,
        "clip_norm": plan.clip_norm,
        "clip_value": plan.clip_value,
        "seed": plan.seed,
        "patience": plan.patience,
        "min_delta": plan.min_delta,
        "checkpoint_every": plan.checkpoint_every,
    }


def _whole(training: Training, status: str) -> dict[str, Any]:
    """What run.json holds: the options, and what was found."""
    line, titles, head = training.line or {}, training.titles, training.head
    best: Line | None = None if training.best is None else training.best["line"]
    losses = {key: line.get(title) for key, title in titles.items()}
    return {
        **head["run"],
        "status": status,
        "epochs_done": training.epoch,
        "stopped_early": training.stopped_early,
        "loss": next(iter(losses.values())) if len(losses) == 1 else None,
        "losses": losses,
        "last": training.line,
        "best": best,
        "best_epoch": None if best is None else best["epoch"],
        "parameters_of": "last" if best is None else "best",
        "environments": head["environments"],
        "module": head["module"],
        "module_sha256": head["module_sha256"],
    }


def _what_begins(training: Training) -> str:
    """The line with which a training begins."""
    parameters, rows, name = training.session.parameters, training.head["run"]["rows"], training.session.module.MODEL
    count = sum(parameter.value.size for parameter in parameters.values())
    sizes = f"{_counted(count, 'number')} in {_counted(len(parameters), 'parameter')}"
    of_rows = "" if rows is None else f", {_counted(rows, 'row')}"
    if training.held_out is not None:
        of_rows += f" and {_rows(training.session.module, training.held_out)} for validation"
    if training.epoch == 0:
        return f"training {name}: {sizes}{of_rows}"
    if training.over:
        why = "it ended early" if training.stopped_early else "--epochs N makes it longer"
        return f"nothing is left to do for {name} after epoch {training.epoch}: {why}"
    return f"training {name} again, after epoch {training.epoch} of {training.plan.epochs}: {sizes}{of_rows}"


def _given(arguments: argparse.Namespace) -> dict[str, Any]:
    """The options of the optimiser that stand for themselves."""
    found = {key: getattr(arguments, key) for key in ("lr", "momentum", "dampening", "weight_decay")}
    given = {key: value for key, value in found.items() if value is not None}
    return {**given, "nesterov": True} if arguments.nesterov else given


def _theta(arguments: argparse.Namespace, module: ModuleType, data: dict[str, npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Where the parameters begin: as the model says, those that a file names as it says."""
    theta: npt.NDArray[Any] = module.initial(data, arguments.seed)
    if arguments.start is not None:
        theta = module.pack(_start(arguments.start, module.unpack(theta, data)), data)
    return theta


def _start(path: Path, initial: dict[str, Any]) -> dict[str, Any]:
    """The initial values, those that the file names replaced. Failure where it names what the model does not have."""
    from gradc.weights import read_values

    given = read_values(path)
    for name, value in given.items():
        if name not in initial:
            near = nearest(name, initial)
            help = f"did you mean {near}?" if near else f"the parameters are {', '.join(initial)}"
            raise Failure("data", f"{path} has {name!a}, and the model has no such parameter", help)
        if value.shape != initial[name].shape:
            raise Failure("data", f"{path} has {name} of shape {value.shape}, and the model {initial[name].shape}")
    return {**initial, **given}


def _rows(module: ModuleType, data: Mapping[str, npt.NDArray[Any]]) -> int | None:
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
