"""The memory and the time of a scan's gradient, beside PyTorch: `python benchmarks/scan_memory.py [steps ...]`.

Needs `pip install torch` besides gradc. The loss is the mean square of the states of an LSTM cell, 32 rows by 32
channels in float64, over as many steps as are given. Memory is how far the peak of a process of its own rises from the
first gradient on: the module is bound, or PyTorch's loop has run over two steps, before. What the loop must keep is
what a step saves for its derivative, so that it grows by the step. Times are taken in turns, in one process.
"""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from measure import interleaved, ratios, setting, table

import numpy as np  # isort: skip

STEPS = (100, 200, 400, 800)
ROWS = CHANNELS = 32
MODEL = f"""axis m: {CHANNELS}
input x[t, n, m]
batch n
param W[m, gate: 4, m'] ~ glorot(), U[m, gate, m'] ~ glorot(), bias[gate, m] = 0
states = scan t with h = zeros[n, m], c = zeros[n, m]:
    z = (x @ W + h @ U)[m' -> m] + bias
    c = sigmoid(z[gate = 0]) * c + sigmoid(z[gate = 1]) * tanh(z[gate = 2])
    h = sigmoid(z[gate = 3]) * tanh(c)
    yield h
minimize mean(states^2)
"""

Gradient = Callable[[], np.ndarray]


def data(steps: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The sequence and the parameters, as the model writes them."""
    random = np.random.default_rng(0)
    m = CHANNELS
    sizes = {"W": (m, 4, m), "U": (m, 4, m), "bias": (4, m)}
    return random.normal(size=(steps, ROWS, m)), {k: random.normal(size=s) / m**0.5 for k, s in sizes.items()}


def ours(steps: int) -> Gradient:
    """Bound to data, not yet called. Another process compiles, so that this one has needed no memory for it."""
    with tempfile.TemporaryDirectory() as folder:
        model, path = Path(folder) / "cell.model", Path(folder) / "cell.py"
        model.write_text(MODEL, encoding="utf-8")
        subprocess.run([sys.executable, "-m", "gradc", "compile", model, "-o", path], check=True, capture_output=True)
        module = runpy.run_path(str(path))
    x, parameters = data(steps)
    bound = module["bind"]({"x": x})
    theta = np.concatenate([value.ravel() for value in parameters.values()])
    return lambda: bound(theta)[1]


def eager(steps: int) -> Gradient:
    """A loop over the steps, which PyTorch has run over two of them. The two products are one for all gates."""
    import torch

    torch.set_num_threads(1)
    x, parameters = data(steps)
    seen = torch.tensor(x)
    W, U, bias = leaves = [torch.tensor(value, requires_grad=True) for value in parameters.values()]

    def gradient(steps: int = steps) -> np.ndarray:
        h = c = torch.zeros(ROWS, CHANNELS, dtype=torch.float64)
        states = []
        for t in range(steps):
            z = (seen[t] @ W.flatten(1) + h @ U.flatten(1)).unflatten(1, (4, CHANNELS)) + bias
            c = torch.sigmoid(z[:, 0]) * c + torch.sigmoid(z[:, 1]) * torch.tanh(z[:, 2])
            h = torch.sigmoid(z[:, 3]) * torch.tanh(c)
            states.append(h)
        found = torch.autograd.grad((torch.stack(states) ** 2).mean(), leaves)
        return np.concatenate([g.numpy().ravel() for g in found])

    gradient(2)
    return gradient


MAKERS = {"gradc": ours, "torch": eager}


def peak() -> float:
    """Of this process, in KiB; `getrusage` would count that of the process which started it."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    assert found is not None
    return float(found[1])


def measured(name: str, steps: int) -> float:
    """KiB by which the peak rises, in a process of its own."""
    command = [sys.executable, __file__, "--rise", name, str(steps)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main(chosen: tuple[int, ...]) -> None:
    rows = []
    for steps in chosen:
        made = {name: maker(steps) for name, maker in MAKERS.items()}
        mine, theirs = made["gradc"](), made["torch"]()
        assert np.abs(mine - theirs).max() <= 1e-10 * np.abs(theirs).max()

        def repeated(gradient: Gradient) -> Callable[[int], object]:
            return lambda count: [gradient() for _ in range(count)][-1]

        times = interleaved({name: repeated(gradient) for name, gradient in made.items()}, 9, 0.3)
        rise = {name: measured(name, steps) for name in MAKERS}
        middle, low, high = ratios(times["torch"], times["gradc"])
        step = {name: float(np.median(found)) / steps for name, found in times.items()}
        rows.append(
            [
                str(steps),
                *(f"{rise[name] / 1024:.1f}" for name in MAKERS),
                *(f"{rise[name] / steps:.1f}" for name in MAKERS),
                f"{rise['torch'] / rise['gradc']:.1f}",
                *(f"{step[name]:.0f}" for name in MAKERS),
                f"**{middle:.2f}** ({low:.2f} to {high:.2f})",
            ]
        )
    print(setting("numpy", "torch"))
    head = ["steps", "gradc MiB", "PyTorch MiB", "gradc KiB a step", "PyTorch KiB a step", "PyTorch / gradc"]
    print(table([*head, "gradc µs a step", "PyTorch µs a step", "PyTorch / gradc"], rows))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--rise"]:
        gradient = MAKERS[sys.argv[2]](int(sys.argv[3]))
        before = peak()
        gradient()
        print(peak() - before)
    else:
        main(tuple(map(int, sys.argv[1:])) or STEPS)
