"""How long compilation takes, and how it grows: `python benchmarks/compile_time.py`.

Each figure is the median over fresh processes of `gradc compile`, from the start of Python to the written module: what
a user waits for. A chain has layers that all differ, in their numbers and in their functions by turns, so that nothing
is the same formula twice by design; layers alike are one function with one set of parameters, applied again and again;
the sum is the widest expression that the language takes in. A scan is an LSTM, whose steps are a loop in the module.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import seconds, setting, table

THERMOMETER = Path(__file__).parents[1] / "examples" / "thermometer" / "thermometer.model"
LAYERS = (10, 100, 1000)
ALIKE = (10, 100, 1000, 10_000)
TERMS = 5000
STEPS = (10, 1000)
LINKS = (
    "tanh({})",
    "sin({})",
    "sigmoid({})",
    "softplus({})",
    "exp(-({})^2)",
    "atan({})",
    "({}) * cos({})",
    "log(1 + ({})^2)",
    "({}) / (1 + ({})^2)",
    "sqrt(1 + ({})^2)",
)


def chain(layers: int) -> str:
    """A model of that many layers, each a function of the one before, all different."""
    lines = ["input x[n], y[n]", f"param {', '.join(f'w{i} = 0.{i % 9 + 1}' for i in range(layers))}"]
    before = "x"
    for i in range(layers):
        link = LINKS[(7 * i + i // 10) % len(LINKS)].replace("{}", f"w{i} * {before} + {i % 97 + 1}.{i:04}")
        lines.append(f"h{i} = {link} + 0.{i + 1:04} * {before}")
        before = f"h{i}"
    return "\n".join([*lines, f"minimize mean(({before} - y)^2)", ""])


def alike(layers: int) -> str:
    """A model of that many layers, all of them one function."""
    lines = ["input x[n], y[n]", "param w = 0.9, b = 0.1", "def layer(h) = tanh(w * h + b)", "h0 = x"]
    lines += [f"h{i + 1} = layer(h{i})" for i in range(layers)]
    return "\n".join([*lines, f"minimize mean((h{layers} - y)^2)", ""])


def wide(terms: int) -> str:
    """A model whose loss is one sum of that many terms."""
    return f"input x[n]\nparam w = 1\nminimize mean(({' + '.join(f'w * x^{i % 7}' for i in range(terms))} - x)^2)\n"


def recurrent(steps: int) -> str:
    """An LSTM over that many steps, and the square of its states."""
    return f"""use nn.LSTM
axis t: {steps}, d: 8, m: 16
input x[n, t, d]
cell = LSTM[t, d, m]
minimize mean(cell(x)^2)
"""


def compiled(model: Path, times: int) -> float:
    """Seconds of a whole process, the median."""
    command = [sys.executable, "-m", "gradc", "compile", str(model), "-o", "-"]
    runs = [seconds(lambda: subprocess.run(command, stdout=subprocess.DEVNULL, check=True)) for _ in range(times)]
    return statistics.median(runs)


def main() -> None:
    """The table."""
    rows = [["thermometer", f"{compiled(THERMOMETER, 9):.2f}", "", ""]]
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "generated.model"
        for title, text, counts in (("chain of {:,} layers", chain, LAYERS), ("{:,} layers alike", alike, ALIKE)):
            before: tuple[int, float] | None = None
            for layers in counts:
                model.write_text(text(layers), encoding="utf-8")
                taken = compiled(model, 3)
                more = f"{(taken - before[1]) / (layers - before[0]) * 1e3:.1f}" if before else ""
                rows.append([title.format(layers), f"{taken:.2f}", f"{taken / layers * 1e3:.1f}", more])
                before = layers, taken
        for steps in STEPS:
            model.write_text(recurrent(steps), encoding="utf-8")
            rows.append([f"LSTM of {steps:,} steps", f"{compiled(model, 5):.2f}", "", ""])
        model.write_text(wide(TERMS), encoding="utf-8")
        taken = compiled(model, 3)
        rows.append([f"sum of {TERMS:,} terms", f"{taken:.2f}", f"{taken / TERMS * 1e3:.2f}", ""])
    print(f"Seconds of `gradc compile`, as a whole process. {setting('gradc', 'sympy')}\n")
    print(table(["model", "s", "ms a layer or term", "ms for each more than in the line above"], rows))


if __name__ == "__main__":
    main()
