"""`gradc predict`: the outputs of a trained model for new data."""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradc import options
from gradc.failures import Failure, usage
from gradc.files import write_arrays, write_text
from gradc.report import Outcome
from gradc.terminal import Terminal

if TYPE_CHECKING:
    from types import ModuleType

    import numpy.typing as npt

SUMMARY = "predict with a trained model"

DESCRIPTION = """\
Compute the outputs of a model that `gradc train` has fitted, for new data. Only the inputs that the outputs
need must be there. Standard output gets a CSV with a line for each row, or, where no output has rows, for each
position of the axis that leads them all; an output with more axes has a column for each position, as in
logits.0, logits.1, called by their words where the data of the training had some, as in logits.cat. With
-o FILE.npz every output is an array of its own. Noise that the outputs need is drawn from --seed."""

EPILOG = """\
examples:
  gradc predict fitted --data new.csv                   print a CSV
  gradc predict fitted --data new.csv -o answers.csv    write it
  gradc predict fitted --data test.npz -o answers.npz   write arrays"""


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `predict`."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="the folder that `gradc train --out` wrote")
    parser.add_argument("-o", "--output", metavar="FILE", help="a .csv or .npz file to write; - is standard output")
    parser.add_argument("--seed", type=options.natural, default=0, help="for the noise of the outputs (default: 0)")
    options.add_data(parser)


def run(arguments: argparse.Namespace, terminal: Terminal) -> Outcome:
    """Read the folder and the data; compute; print or write."""
    target = None if arguments.output in (None, "-") else Path(arguments.output)
    if target is not None and target.suffix not in (".csv", ".npz"):
        raise usage(f"{target} should end in .csv or .npz")

    import numpy as np

    from gradc.data import take
    from gradc.fitted import read

    fitted = read(arguments.folder)
    module = fitted.module
    if not module.OUTPUTS:
        raise Failure("data", f"the model {module.MODEL} has no output to predict")
    needed = [name for name in module.INPUTS if any(name in entry["needs"] for entry in module.OUTPUTS.values())]
    taken = take(module, arguments, needed, fitted.run)
    for note in taken.notes:
        terminal.message(note)
    data = taken.inputs
    try:
        theta = module.pack(fitted.parameters, data)
        with np.errstate(all="ignore"):
            seed = (arguments.seed,) if module.NOISE else ()
            outputs = module.predict(theta, data, *seed)
    except module.DataError as error:
        raise Failure("data", str(error)) from error
    result = {
        "model": module.MODEL,
        "outputs": {
            name: {"axes": list(module.OUTPUTS[name]["axes"]), "shape": list(array.shape)}
            for name, array in outputs.items()
        },
        "output": None if target is None else str(target),
    }
    if target is None and terminal.json:
        return Outcome({**result, "values": {name: array.tolist() for name, array in outputs.items()}})
    if target is not None and target.suffix == ".npz":
        write_arrays(target, outputs)
        terminal.message(f"{target} written")
        return Outcome(result)
    text = _csv(module, outputs, taken.vocabularies)
    if target is None:
        return Outcome(result, text)
    write_text(target, text)
    terminal.message(f"{target} written")
    return Outcome(result)


def _csv(module: ModuleType, outputs: dict[str, npt.NDArray[Any]], vocabularies: Mapping[str, Sequence[str]]) -> str:
    """A line for each position of `_lines`; an output without that axis is repeated on each line.

    A column is called by its position along each other axis, or by its word, where the axis has a vocabulary.
    """
    import numpy as np

    heads: list[str] = []
    columns: list[list[Any]] = []
    rows, down = 1, _lines(module)
    for name, array in outputs.items():
        axes = module.OUTPUTS[name]["axes"]
        if down in axes:
            array = np.moveaxis(array, axes.index(down), 0)
            rows = array.shape[0]
        else:
            array = array[None]
        places = list(np.ndindex(array.shape[1:]))
        across = [vocabularies.get(axis.rstrip("'"), ()) for axis in axes if axis != down]
        for place in places:
            words = (words[i] if i < len(words) else str(i) for words, i in zip(across, place, strict=True))
            heads.append(".".join((name, *words)))
        columns += [array[(slice(None), *place)].tolist() for place in places]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(heads)
    whole = [column * rows if len(column) == 1 else column for column in columns]
    writer.writerows([_cell(value) for value in line] for line in zip(*whole, strict=True))
    return text.getvalue()


def _lines(module: ModuleType) -> str | None:
    """The axis that the lines of a table run along: that of the rows, or, where no output has it, the one that leads
    all outputs. None where there is no such axis."""
    every = [entry["axes"] for entry in module.OUTPUTS.values()]
    if any(module.ROWS in axes for axes in every):
        return str(module.ROWS)
    leading = {axes[0] if axes else None for axes in every}
    return leading.pop() if len(leading) == 1 else None


def _cell(value: Any) -> Any:
    return int(value) if isinstance(value, bool) else value
