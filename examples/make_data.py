"""Makes the data of the examples anew: `python examples/make_data.py`, from the examples' own folder or any other.

Every file is drawn from a fixed seed, so a second run gives the same bytes; only the trained layer for `transfer` may
differ in its last digits from machine to machine. Measured numbers (the thermometer's, `doctors.csv`, `nile.csv`,
`pelts.csv`) and `sonnets.txt` are written by hand and are not made here.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from drawings import DIGITS, LETTERS, glyphs, written

HERE = Path(__file__).parent


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


def large_digits() -> None:
    """Digits of 28 by 28 pixels, as the convolution network reads them: [n, 1, 28, 28], in eighths."""
    random = np.random.default_rng(6)
    drawings = glyphs(DIGITS).repeat(3, 1).repeat(3, 2)
    for name, size in (("train", 300), ("test", 200)):
        label = random.permutation(np.arange(size) % 10)
        image = np.zeros((size, 1, 28, 28), np.float16)
        for picture, digit in zip(image[:, 0], label, strict=True):
            ink = drawings[digit] * random.uniform(0.6, 1) + random.normal(0, 0.1, (21, 15))
            down, right = random.integers(1, 7), random.integers(2, 12)
            picture[down : down + 21, right : right + 15] = np.round(np.clip(ink, 0, 1) * 8) / 8
        np.savez_compressed(HERE / "convnet" / f"{name}.npz", image=image, label=label.astype(np.uint8))


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


def density() -> None:
    """A bent curve with noise and its axes exchanged, so that to one x there are up to three y (Bishop, 1994)."""
    random = np.random.default_rng(8)
    y = random.uniform(-5, 5, 1500)
    x = y - 3 * np.sin(2 * np.pi * y / 10) + random.normal(0, 0.6, y.shape)
    for name, part in (("train", slice(1000)), ("test", slice(1000, None))):
        write_csv(HERE / "density" / f"{name}.csv", x=x[part].round(3), y=y[part].round(3))


def factors() -> None:
    """Ratings of 40 items by 60 users of three tastes, with noise of deviation 0.3; most of the table is missing."""
    random = np.random.default_rng(9)
    likes, has = random.normal(0, 0.7, (60, 3)), random.normal(0, 0.7, (40, 3))
    rating = 3 + random.normal(0, 0.4, (60, 1)) + random.normal(0, 0.4, 40) + likes @ has.T
    rating += random.normal(0, 0.3, rating.shape)
    order = random.permutation(rating.size)
    for name, part in (("train", order[:1600]), ("test", order[1600:2000])):
        who, what = np.unravel_index(np.sort(part), rating.shape)
        write_csv(HERE / "factors" / f"{name}.csv", who=who, what=what, rating=rating[who, what].round(2))


WORDS = {
    "animal": "cat dog horse cow bird mouse",
    "person": "boy girl king queen farmer baker",
    "food": "bread cheese soup apple cake rice",
    "place": "house garden wood river town field",
    "colour": "red green white black blue grey",
    "eats": "eats cooks buys sells",
    "moves": "runs walks swims flies",
    "how": "slowly quickly often never",
    "where": "in near to",
    "the": "the a",
    ".": ".",
}
"""The words of the small language that words is trained on, by what they may stand for in a sentence."""

SENTENCES = (
    "the colour animal moves where the place .",
    "the animal moves how .",
    "the person eats the food .",
    "the person how eats colour food .",
    "the person eats food where the place .",
    "the colour place .",
)


def words() -> None:
    """Each word of 1000 sentences with each neighbour at most two places off, and five words drawn at random.

    A word is drawn in proportion to its frequency to the power of 3/4, as Mikolov et al. (2013) do.
    """
    random = np.random.default_rng(10)
    kinds = {kind: members.split() for kind, members in WORDS.items()}
    names = [word for members in kinds.values() for word in members]
    pairs = []
    for _ in range(1000):
        kinds_of = SENTENCES[random.integers(len(SENTENCES))].split()
        sentence = [names.index(kinds[kind][random.integers(len(kinds[kind]))]) for kind in kinds_of]
        for i, word in enumerate(sentence):
            pairs += [(word, other) for other in (*sentence[max(i - 2, 0) : i], *sentence[i + 1 : i + 3])]
    word, near = np.array(pairs).T
    chance = np.bincount(word, minlength=len(names)) ** 0.75
    drawn = random.choice(len(names), (len(pairs), 5), p=chance / chance.sum())
    columns = {"centre": word, "near": near, "drawn": drawn}
    np.savez_compressed(HERE / "words" / "pairs.npz", **{name: a.astype(np.uint8) for name, a in columns.items()})
    (HERE / "words" / "words.txt").write_text(" ".join(names) + "\n", encoding="ascii", newline="\n")
    write_csv(HERE / "words" / "each.csv", centre=np.arange(len(names)))


def recall() -> None:
    """Sequences in which each of 64 tokens has a key, a query and a value; what is asked for is the value of the key.

    Keys and queries are one of 16, one-hot, in places 0 to 15 and 16 to 31; the other 32 places of a value are -1 or 1.
    """
    random = np.random.default_rng(11)
    for name, rows in (("train", 48), ("test", 16)):
        key, query = random.integers(0, 16, (2, rows, 64, 1))
        values = random.choice([-1, 1], (rows, 16, 32))
        held, wanted = (np.take_along_axis(values, place, 1) for place in (key, query))
        codes = [np.arange(16) == place for place in (key, query)]
        x = np.concatenate([*codes, held], -1).astype(np.int8)
        y = np.concatenate([np.zeros((rows, 64, 32)), wanted], -1).astype(np.int8)
        np.savez_compressed(HERE / "attention" / f"{name}.npz", x=x, y=y)


def sonnets() -> None:
    """The text in rows of 48 symbols, each with the symbol that follows: the printable ones, and 95 ends a line."""
    text = (HERE / "lstm" / "sonnets.txt").read_text(encoding="ascii")
    symbol = np.array([95 if mark == "\n" else ord(mark) - 32 for mark in text], np.uint8)
    rows = (len(symbol) - 1) // 48
    parts = {"text": symbol[: rows * 48], "next": symbol[1 : rows * 48 + 1]}
    np.savez_compressed(HERE / "lstm" / "sonnets.npz", **{name: part.reshape(rows, 48) for name, part in parts.items()})


SMALL = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
TENS = "twenty thirty forty fifty sixty seventy eighty ninety"


def numeral(number: int) -> str:
    """A number below 1000 in English."""
    if number >= 100:
        rest = f" and {numeral(number % 100)}" if number % 100 else ""
        return f"{SMALL.split()[number // 100 - 1]} hundred{rest}"
    if number >= 20:
        rest = f"-{SMALL.split()[number % 10 - 1]}" if number % 10 else ""
        return TENS.split()[number // 10 - 2] + rest
    return SMALL.split()[number - 1]


def numerals() -> None:
    """The numbers from 1 to 999 in English, 700 to train on; a full stop ends a number and fills the row."""
    random = np.random.default_rng(12)
    alphabet = ". -abcdefghijklmnopqrstuvwxyz"
    written = [[alphabet.index(mark) for mark in f"{numeral(i):.<32}"] for i in range(1, 1000)]
    next = random.permutation(np.array(written, np.uint8))
    text = np.pad(next[:, :-1], ((0, 0), (1, 0)))
    for name, part in (("train", slice(700)), ("test", slice(700, None))):
        np.savez_compressed(HERE / "characters" / f"{name}.npz", text=text[part], next=next[part])


def ring() -> None:
    """2000 points in eight clouds of deviation 0.2 on a circle of radius 2."""
    random = np.random.default_rng(13)
    angle = random.integers(0, 8, 2000) * np.pi / 4
    real = 2 * np.stack([np.cos(angle), np.sin(angle)], -1) + random.normal(0, 0.2, (2000, 2))
    np.savez_compressed(HERE / "gan" / "ring.npz", real=real.round(3).astype(np.float32))


if __name__ == "__main__":
    cubic()
    decay()
    logistic()
    pictures("digits", DIGITS, 3, 1500, 500)
    pictures("transfer", LETTERS, 4, 1300, 520)
    mixture()
    body()
    large_digits()
    density()
    factors()
    words()
    recall()
    sonnets()
    numerals()
    ring()
