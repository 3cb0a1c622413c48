"""Pictures of digits and letters: drawn glyphs, turned, sized, moved, faded and noisy.

Takes a table of drawings and labels; gives pictures in sixteenths from 0 to 1. Three examples are trained on them.
"""

from __future__ import annotations

import numpy as np

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
