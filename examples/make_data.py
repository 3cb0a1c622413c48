"""Makes the data of the examples anew: `python examples/make_data.py`, from the examples' own folder or any other.

Every file is drawn from a fixed seed, so a second run gives the same bytes; only the trained layer for `transfer` may
differ in its last digits from machine to machine. The thermometer's eleven points are written by hand and are not made
here.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent

DIGITS = """
.###.  ..#..  .###.  .###.  ...#.  #####  ..##.  #####  .###.  .###.
#...#  .##..  #...#  #...#  ..##.  #....  .#...  ....#  #...#  #...#
#...#  ..#..  ....#  ....#  .#.#.  #....  #....  ...#.  #...#  #...#
#...#  ..#..  ...#.  ..##.  #..#.  ####.  ####.  ..#..  .###.  .####
#...#  ..#..  ..#..  ....#  #####  ....#  #...#  ..#..  #...#  ....#
#...#  ..#..  .#...  #...#  ...#.  #...#  #...#  ..#..  #...#  ...#.
.###.  .###.  #####  .###.  ...#.  .###.  .###.  ..#..  .###.  .##..
"""

LETTERS = """
..#..  ####.  .###.  ###..  #####  #####  .###.  #...#  .###.  ..###  #...#  #....  #...#
.#.#.  #...#  #...#  #..#.  #....  #....  #...#  #...#  ..#..  ...#.  #..#.  #....  ##.##
#...#  #...#  #....  #...#  #....  #....  #....  #...#  ..#..  ...#.  #.#..  #....  #.#.#
#...#  ####.  #....  #...#  ####.  ####.  #.###  #####  ..#..  ...#.  ##...  #....  #.#.#
#####  #...#  #....  #...#  #....  #....  #...#  #...#  ..#..  ...#.  #.#..  #....  #...#
#...#  #...#  #...#  #..#.  #....  #....  #...#  #...#  ..#..  #..#.  #..#.  #....  #...#
#...#  ####.  .###.  ###..  #####  #....  .####  #...#  .###.  .##..  #...#  #####  #...#

#...#  .###.  ####.  .###.  ####.  .####  #####  #...#  #...#  #...#  #...#  #...#  #####
##..#  #...#  #...#  #...#  #...#  #....  ..#..  #...#  #...#  #...#  #...#  #...#  ....#
##..#  #...#  #...#  #...#  #...#  #....  ..#..  #...#  #...#  #...#  .#.#.  .#.#.  ...#.
#.#.#  #...#  ####.  #...#  ####.  .###.  ..#..  #...#  #...#  #.#.#  ..#..  ..#..  ..#..
#..##  #...#  #....  #.#.#  #.#..  ....#  ..#..  #...#  .#.#.  #.#.#  .#.#.  ..#..  .#...
#..##  #...#  #....  #..#.  #..#.  ....#  ..#..  #...#  .#.#.  ##.##  #...#  ..#..  #....
#...#  .###.  #....  .##.#  #...#  ####.  ..#..  .###.  ..#..  #...#  #...#  ..#..  #####
"""


def glyphs(table: str) -> np.ndarray:
    """The drawings of a table, [glyph, 7, 5]."""
    found = []
    for band in table.strip().split("\n\n"):
        lines = [line.split() for line in band.splitlines()]
        found += [[[mark == "#" for mark in row] for row in glyph] for glyph in zip(*lines, strict=True)]
    return np.array(found, float)


def written(drawings: np.ndarray, labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """An 8 by 8 picture of each label: turned, sized, moved, faded and noisy, in sixteenths from 0 to 1."""
    pictures = []
    padded = np.pad(drawings, ((0, 0), (3, 3), (3, 3)))
    row, column = np.mgrid[0:8, 0:8] - 3.5
    for label in labels:
        angle, size = random.normal(0, 0.12), random.uniform(0.85, 1.1)
        down, right = random.uniform(-0.6, 0.6, 2)
        y = (row * np.cos(angle) - column * np.sin(angle)) * size + down + 6
        x = (row * np.sin(angle) + column * np.cos(angle)) * size + right + 5
        y, x = np.clip(y, 0, 11.99), np.clip(x, 0, 9.99)
        i, j = y.astype(int), x.astype(int)
        v, u = y - i, x - j
        glyph = padded[label]
        ink = (1 - v) * ((1 - u) * glyph[i, j] + u * glyph[i, j + 1])
        ink += v * ((1 - u) * glyph[i + 1, j] + u * glyph[i + 1, j + 1])
        pictures.append(ink * random.uniform(0.7, 1) + random.normal(0, 0.06, ink.shape))
    return (np.round(np.clip(pictures, 0, 1) * 16) / 16).reshape(len(labels), 64).astype(np.float16)


def write_csv(path: Path, **columns: np.ndarray) -> None:
    """Columns under their names."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*(column.tolist() for column in columns.values()), strict=True))


def cubic() -> None:
    """sin on 2000 points of [-pi, pi]."""
    x = np.linspace(-np.pi, np.pi, 2000)
    write_csv(HERE / "cubic" / "cubic.csv", x=x.round(6), y=np.sin(x).round(6))


def decay() -> None:
    """A damped oscillation with noise."""
    random = np.random.default_rng(1)
    t = np.linspace(0, 4, 400)
    y = 1.5 * np.exp(-0.7 * t) * np.sin(6.3 * t + 0.4) + 0.2 + random.normal(0, 0.05, t.shape)
    write_csv(HERE / "decay" / "decay.csv", t=t.round(4), y=y.round(4))


def logistic() -> None:
    """Whether a loan is repaid, by four numbers of mean 0 and variance 1; invented."""
    random = np.random.default_rng(2)
    x = random.normal(size=(600, 4)).round(3)
    chance = 1 / (1 + np.exp(-(x @ [1.2, -0.8, 0.0, 2.0] + 0.5)))
    y = (random.random(600) < chance).astype(int)
    names = ("income", "debt", "age", "savings")
    write_csv(HERE / "logistic" / "loans.csv", **dict(zip(names, x.T, strict=True)), repaid=y)


def pictures(folder: str, table: str, seed: int, count: int, tested: int) -> None:
    """Pictures with labels, to train on and to test with."""
    random = np.random.default_rng(seed)
    drawings = glyphs(table)
    for name, size in (("train", count), ("test", tested)):
        label = random.permutation(np.arange(size) % len(drawings))
        image = written(drawings, label, random)
        np.savez_compressed(HERE / folder / f"{name}.npz", image=image, label=label.astype(np.uint8))


def mixture() -> None:
    """1000 points of the plane in six clouds of different shapes."""
    random = np.random.default_rng(5)
    centre = random.uniform(-4, 4, (6, 2))
    shape = random.normal(0, 0.5, (6, 2, 2))
    cloud = random.integers(0, 6, 1000)
    x = centre[cloud] + np.einsum("nij,nj->ni", shape[cloud], random.normal(size=(1000, 2)))
    np.savez_compressed(HERE / "mixture" / "points.npz", x=x.round(4))


def body() -> None:
    """The hidden layer of the digits' classifier, trained, under the names that the transfer model gives it."""
    import gradc

    module = gradc.compile(HERE / "digits" / "digits.model").module
    with np.load(HERE / "digits" / "train.npz") as data:
        session = gradc.Session(module, dict(data), seed=0)
    gradc.fit(session, gradc.SGD(session, lr=0.1, momentum=0.9), epochs=20, batch=50)
    values = session.values()
    layer = {f"body.{name}": values[f"fc1.{name}"].astype(np.float32) for name in ("W", "b")}
    np.savez_compressed(HERE / "transfer" / "body.npz", **layer)


if __name__ == "__main__":
    cubic()
    decay()
    logistic()
    pictures("digits", DIGITS, 3, 1500, 500)
    pictures("transfer", LETTERS, 4, 1300, 520)
    mixture()
    body()
