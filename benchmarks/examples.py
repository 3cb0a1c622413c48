"""How long the examples take to compile and to train: `python benchmarks/examples.py`.

Compilation is the median over three fresh processes of `gradc compile`, from the start of Python to the written module;
training is one process with the command of the example's README, compilation and reading of the data included.
"""

from __future__ import annotations

import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import seconds, setting, table

EXAMPLES = Path(__file__).parents[1] / "examples"
BAR = 5
"""Seconds that a compilation may take."""


def run(folder: Path, *words: str) -> float:
    """Seconds of one `gradc`."""
    command = [sys.executable, "-m", "gradc", *words]
    return seconds(lambda: subprocess.run(command, cwd=folder, capture_output=True, check=True))


def main() -> None:
    """The table."""
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        copied = shutil.copytree(EXAMPLES, Path(temporary) / "examples")
        for model in sorted(copied.glob("*/*.model")):
            folder, name = model.parent, model.name
            compiled = statistics.median(run(folder, "compile", name, "-o", "-") for _ in range(3))
            said = re.search(rf"^\$ gradc (train {name} .*)$", (folder / "README.md").read_text("utf-8"), re.MULTILINE)
            trained = f"{run(folder, *said[1].split()):.1f}" if said else ""
            rows.append([model.stem, f"{compiled:.2f}", "yes" if compiled < BAR else "no", trained])
    print(f"Seconds of whole processes. {setting('gradc', 'sympy')}\n")
    print(table(["example", "compile", f"below {BAR}", "train"], rows))


if __name__ == "__main__":
    main()
