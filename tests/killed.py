"""Trainings that are killed, each in a process of its own, and what is left of them.

`python tests/killed.py FOLDER` compiles a few models once and forks a process for each training. It kills them with
SIGKILL, half at random moments, half in the middle of what they do to files: behind part of what is written, before and
after a file is put in its place. Each is resumed, some to be killed again, and all bytes of its folder are compared
with those of a training that nobody has killed. Prints a JSON document: for each training what was found.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from gradc import commands
from gradc.__main__ import main
from gradc.commands import train
from gradc.modules import compile_source
from gradc.runtime import BadCheckpoint, checkpoint

MODELS = Path(__file__).parent / "models"

CASES: list[tuple[str, str, int]] = [
    (
        "regularised.model",
        "--epochs 60 --batch 9 --optimizer adam --lr 0.05 --schedule cosine --seed 3 --patience 9 --checkpoint-every 2 "
        "--group norm.*:lr=0.1 --validation 0.2 --no-plots",
        30,
    ),
    (
        "gan.model",
        "--epochs 12 --batch 8 --accumulate 2 --lr 0.01 --schedule onecycle:max_lr=0.1 --schedule-step --momentum 0.9 "
        "--checkpoint-every 5 --no-plots",
        12,
    ),
    ("thermometer.model", "--epochs 40 --optimizer lbfgs:max_iter=2 --schedule plateau:patience=2", 6),
    ("thermometer.model", "--epochs 3000 --optimizer sgd --lr 1e-3 --momentum 0.9 --no-plots", 4),
]
"""A model, how it is trained, and how many times it is killed."""


class Bomb:
    """Counts what is done to files; at the call of number `at` the process ends, with half of it done."""

    def __init__(self, at: int | None) -> None:
        self.at, self.count = at, 0
        for name in ("fsync", "replace", "unlink"):
            setattr(os, name, self.around(getattr(os, name)))
        opened = os.fdopen

        def fdopen(*arguments: Any) -> Any:
            return Trapped(opened(*arguments), self)

        os.fdopen = fdopen  # type: ignore[assignment]

    def step(self) -> bool:
        """Whether this is the call."""
        self.count += 1
        return self.count == self.at

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, or the end before or after it."""

        def called(*arguments: Any, **options: Any) -> Any:
            now = self.step()
            if now and self.count % 2:
                die()
            result = function(*arguments, **options)
            if now:
                die()
            return result

        return called


class Trapped:
    """A file that may end the process in the middle of a write."""

    def __init__(self, file: Any, bomb: Bomb) -> None:
        self.file, self.bomb = file, bomb

    def write(self, part: Any) -> Any:
        if self.bomb.step():
            self.file.write(bytes(part)[: len(part) // 2])
            self.file.flush()
            die()
        return self.file.write(part)

    def __enter__(self) -> Trapped:
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def started(words: list[str], at: int | None, count: Path | None = None) -> int:
    """A process that runs the command line; its number. The calls that it made are written to `count`."""
    child = os.fork()
    if child:
        return child
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (1, 2):
        os.dup2(nothing, stream)
    bomb = Bomb(at) if at is not None or count is not None else None
    status = main(words)
    if bomb is not None and count is not None:
        count.write_text(str(bomb.count))
    os._exit(status)


def ended(child: int) -> int:
    """Wait for a process; its status, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def unreadable(folder: Path) -> list[str]:
    """The checkpoints that are not whole."""
    found = []
    for path in folder.rglob("[a-z]*.checkpoint"):
        try:
            with path.open("rb") as file:
                checkpoint.read(file, path.name)
        except BadCheckpoint as error:
            found.append(str(error))
    return found


def case(number: int, folder: Path, sure: random.Random) -> list[dict[str, Any]]:
    """All trainings of a case."""
    name, options, times = CASES[number]
    words = ["train", str(MODELS / name), "--data", str(folder / f"{Path(name).stem}.npz"), *options.split()]
    whole, count = folder / f"{number}-whole", folder / "count"
    status = ended(started([*words, "--out", str(whole)], None, count))
    expected, calls = files(whole), int(count.read_text())
    begin = time.perf_counter()
    again = ended(started([*words, "--out", str(folder / f"{number}-again")], None))
    long = time.perf_counter() - begin
    same = files(folder / f"{number}-again") == expected
    found: list[dict[str, Any]] = [{"case": number, "status": [status, again], "same": same, "calls": calls}]
    for turn in range(times):
        out = folder / f"{number}-{turn}"
        statuses: list[int] = []
        wrong: list[str] = []
        for _ in range(1 + turn % 3 // 2):
            at = sure.randrange(1, calls + 1) if turn % 2 else None
            child = started([*words, "--out", str(out), "--resume"], at)
            if at is None:
                time.sleep(0.9 * sure.random() * long)
                os.kill(child, signal.SIGKILL)
            statuses.append(ended(child))
            wrong += unreadable(out)
        statuses.append(ended(started([*words, "--out", str(out), "--resume"], None)))
        left = files(out)
        differ = sorted(name for name in {*left, *expected} if left.get(name) != expected.get(name))
        found.append({"case": number, "status": statuses, "unreadable": wrong, "differ": differ})
    return found


def run(folder: Path) -> list[dict[str, Any]]:
    random_rows = np.random.default_rng(5)
    x = random_rows.normal(size=(48, 3))
    np.savez(folder / "regularised.npz", x=x, y=x.sum(1) + 0.3 * random_rows.normal(size=48))
    np.savez(folder / "gan.npz", real=random_rows.normal(size=(20, 2)))
    np.savez(folder / "thermometer.npz", t_u=x[:, 0], t_c=x[:, 1])
    made: dict[str, Any] = {}

    def once(source: Any, chosen: Any) -> Any:
        if source.name not in made:
            made[source.name] = compile_source(source, chosen)
        return made[source.name]

    train.compile_source = once
    # What a process would import is there when it begins.
    for name, options, _ in CASES:
        out = folder / "warm" / f"{len(made)}"
        words = ["train", str(MODELS / name), "--data", str(folder / f"{Path(name).stem}.npz"), *options.split()]
        assert main([*words, "--epochs", "1", "--out", str(out), "--force"]) == 0
    assert commands
    sure = random.Random(11)
    return [entry for number in range(len(CASES)) for entry in case(number, folder, sure)]


if __name__ == "__main__":
    stdout = os.dup(1)
    os.dup2(2, 1)
    result = run(Path(sys.argv[1]))
    os.write(stdout, json.dumps(result).encode())
