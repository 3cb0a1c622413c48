"""Bad data: each way has its expected message in a golden file, as a user of the command line sees it.

A case is files and the words after `gradc`. Where no words are given it is a training on `d.csv`, or on the one file
that there is. Nothing is written by a command that refuses its data.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

import gradc
from gradc.__main__ import main
from gradc.modules import compile_source

pytestmark = pytest.mark.simplified

GOLDEN = Path(__file__).parent / "golden" / "bad_data"

MODELS = {
    "line": "input t[n], y[n]\nparam w = 1\nparam b = 0\nz = w * t + b\nminimize mean((z - y)^2)\noutput z\n",
    "wide": "axis feature: 3\ninput x[n, feature], y[n]\nparam w[feature] = 0\n"
    "minimize mean((x @ w - y)^2)\noutput z = x @ w\n",
    "kinds": "axis kind: 3\ninput k[n]: kind, y[n]\nparam c[kind] = 0\nz = c[kind=k]\n"
    "minimize mean((z - y)^2)\noutput z\n",
    "flags": "input flag[n]: bool, y[n]\nparam w = 1\nz = if flag then w else 0\nminimize mean((z - y)^2)\noutput z\n",
    "whole": "batch n\ninput t[n], y[n], s[m]\nparam w = 1\nminimize mean((w * t - y)^2) + w * mean(s)\n",
    "pairs": "axis word: 4\ninput a[n]: word, b[n]: word\nparam v[word] = 1\nminimize mean(v[word=a] * v[word=b])\n",
}
"""The models that the data are for."""

Content = str | bytes | Callable[[Path], Any]


@dataclass(frozen=True)
class Case:
    """Files by name, the model, and the words that follow, the files being given where there are none."""

    files: Mapping[str, Content]
    model: str = "line"
    more: str = ""
    words: str | None = None
    status: int = 1


def csv(text: str | bytes, more: str = "", model: str = "line") -> Case:
    """A training on a table of text."""
    return Case({"d.csv": text}, model, more)


def npz(model: str = "line", more: str = "", **arrays: Any) -> Case:
    """A training on arrays."""
    return Case({"d.npz": lambda path: np.savez(path, **arrays)}, model, more)


def parquet(model: str = "line", more: str = "", **columns: Any) -> Case:
    """A training on a Parquet file."""
    return Case({"d.parquet": lambda path: pa.parquet.write_table(pa.table(columns), path)}, model, more)


def hdf5(more: str = "", **datasets: Any) -> Case:
    """A training on an HDF5 file."""

    def write(path: Path) -> None:
        with h5py.File(path, "w") as file:
            for name, values in datasets.items():
                file[name.replace("__", "/")] = values

    return Case({"d.h5": write}, "line", more)


def array(values: Any) -> Callable[[Path], None]:
    """A `.npy` file."""
    return lambda path: np.save(path, np.asarray(values))


def part(write: Callable[[Path], Any], share: float) -> Callable[[Path], None]:
    """The first part of a file."""

    def cut(path: Path) -> None:
        write(path)
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])

    return cut


def bomb(path: Path) -> None:
    """An archive whose directory claims two gigabytes in a few bytes."""
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f8", "fortran_order": False, "shape": (2**28,)})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("t.npy", head.getvalue() + bytes(1000))
    data = path.read_bytes()
    entry = data.rindex(b"PK\x01\x02")
    path.write_bytes(data[: entry + 24] + (2**31).to_bytes(4, "little") + data[entry + 28 :])


def flipped(path: Path) -> None:
    """An archive with a byte of its numbers changed."""
    np.savez_compressed(path, t=np.arange(100.0), y=np.arange(100.0))
    data = bytearray(path.read_bytes())
    data[80] ^= 0xFF
    path.write_bytes(bytes(data))


def damaged(path: Path) -> None:
    """A Parquet file with bytes of its numbers changed."""
    pa.parquet.write_table(pa.table({"t": np.arange(100.0), "y": np.arange(100.0)}), path, compression="zstd")
    data = bytearray(path.read_bytes())
    data[4:60] = bytes(56)
    path.write_bytes(bytes(data))


def short_array(path: Path) -> None:
    """An array whose file ends early."""
    np.save(path, np.arange(10.0))
    path.write_bytes(path.read_bytes()[:-24])


LINE = "t,y\n1,2\n3,4\n"
NAN = float("nan")

CASES: dict[str, Case] = {
    # --- the form of a table of text
    "empty file": csv(""),
    "blank lines only": csv("\n\n\n"),
    "header only": csv("t,y\n"),
    "no header": csv("1,2\n3,4\n"),
    "column without a name": csv("t,y,\n1,2,3\n"),
    "column twice": csv("t,y,t\n1,2,3\n"),
    "field missing in a line": csv("t,y\n1,2\n3\n"),
    "field too many in a line": csv("t,y\n1,2\n3,4,5\n"),
    "decimal comma": csv("t,y\n1.5,2\n1,5,2\n"),
    "decimal comma in quotes": csv('t,y\n"1,5",2\n'),
    "separated by semicolons": csv("t;y\n1,5;2\n"),
    "separated by tabs": csv("t\ty\n1\t2\n"),
    "separated by commas in tsv": Case({"d.tsv": LINE}),
    "quote that never ends": csv('t,y\n1,2\n"3,4\n'),
    "text after a quote": csv('t,y\n1,2\n"3"x,4\n'),
    "utf-16": csv(LINE.encode("utf-16")),
    "latin-1": csv("t,y,größe\n1,2,3\n".encode("latin-1")),
    "zero byte": csv(b"t,y\n1,2\n3,\x004\n"),
    "compressed": csv(b"\x1f\x8b\x08\x00\x00\x00\x00\x00"),
    "spreadsheet called csv": csv(b"PK\x03\x04\x14\x00\x06\x00"),
    "parquet called csv": csv(b"PAR1\x15\x04\x15\x20"),
    "gap in a table of one column": Case({"t.csv": "t\n1\n\n3\n", "y.csv": "y\n1\n2\n3\n"}),
    # --- what its fields hold
    "word among numbers": csv("t,y\n1,2\ntall,4\n"),
    "empty field": csv("t,y\n1,2\n,4\n"),
    "NA": csv("t,y\n1,2\nNA,4\n"),
    "nan": csv("t,y\n1,2\nnan,4\n"),
    "infinity": csv("t,y\n1,2\n3,-inf\n"),
    "beyond the largest double": csv("t,y\n1,2\n1e999,4\n"),
    "thousands": csv("t,y\n1,2\n12 000,4\n"),
    "thousands with commas": csv('t,y\n1,2\n"1,234,567",4\n'),
    "underscore": csv("t,y\n1,2\n1_000,4\n"),
    "full-width digits": csv("t,y\n1,2\n\uff11,4\n"),
    "whole number that no double holds": csv("t,y\n1,2\n9007199254740993,4\n"),
    "whole number of twenty digits": csv("t,y\n1.5,2\n90071992547409931234,4\n"),
    "too large for float32": csv("t,y\n1,2\n1e39,4\n", "--dtype float32"),
    "date": csv("t,y\n2024-01-05,2\n2024-01-06,4\n"),
    "time": csv("t,y\n12:30,2\n12:45,4\n"),
    "percent": csv("t,y\n10%,2\n"),
    "unit": csv("t,y\n10 kg,2\n"),
    "formula": csv("t,y\n=A1+1,2\n"),
    "truth values for numbers": csv("t,y\ntrue,2\nfalse,4\n"),
    "truth value among numbers": csv("t,y\n1,2\ntrue,4\n"),
    "number for a truth value": csv("flag,y\n1,2\n2,4\n", model="flags"),
    "word for a truth value": csv("flag,y\nyes,2\nno,4\n", model="flags"),
    "error in a field of several lines": csv('name,t,y\n"a\nb",1,2\n"c",x,3\n'),
    # --- which columns
    "no such column": csv("time,y\n1,2\n"),
    "column misspelt": csv("T,y\n1,2\n"),
    "map of an input that is not there": csv(LINE, "--map u=t"),
    "map from a column that is not there": csv(LINE, "--map t=tt"),
    "input mapped twice": csv(LINE, "--map t=y --map t=t"),
    "map to several columns of one axis": csv("a,b,y\n1,2,3\n", "--map t=a,b"),
    "prefix that nothing has": csv("s_1,s_2,y\n1,2,3\n", "--map x=r_*", "wide"),
    "prefix of too few columns": csv("s_1,s_2,y\n1,2,3\n", "--map x=s_*", "wide"),
    "one column for an axis of three": csv("x,y\n1,2\n", model="wide"),
    "hole in numbered columns": csv("x[0],x[2],y\n1,2,3\n", model="wide"),
    "column beside numbered columns": csv("x,x[0],y\n1,2,3\n", model="wide"),
    "word in one of several columns": csv("a,b,c,y\n1,2,3,4\n1,2,wide,4\n", "--map x=[a,b,c]", "wide"),
    "column in two files": Case({"a.csv": LINE, "b.csv": "t\n1\n2\n"}),
    "files of different lengths": Case({"a.csv": "t\n1\n2\n3\n", "b.csv": "y\n1\n2\n"}),
    # --- positions along an axis
    "position beyond the axis": csv("k,y\n0,1\n3,2\n", model="kinds"),
    "position below 0": csv("k,y\n0,1\n-1,2\n", model="kinds"),
    "position that is no whole number": csv("k,y\n0,1\n1.5,2\n", model="kinds"),
    "position as a truth value": csv("k,y\ntrue,1\nfalse,2\n", model="kinds"),
    "words and numbers in one column": csv("k,y\n0,1\nred,2\n", model="kinds"),
    "more words than the axis has places": csv("k,y\nred,1\nblue,2\ngreen,3\nwhite,4\n", model="kinds"),
    "word missing": csv("k,y\nred,1\n,2\n", model="kinds"),
    "words and numbers along one axis": csv("a,b\nred,0\nblue,1\n", model="pairs"),
    "different categories along one axis": parquet(
        "pairs",
        a=pa.DictionaryArray.from_arrays([0, 1], ["red", "blue"]),
        b=pa.DictionaryArray.from_arrays([0, 1], ["blue", "red"]),
    ),
    "word that the training did not have": Case(
        {"d.csv": "k,y\nred,1\nblue,2\n", "new.csv": "k\nred\nblu\n"}, "kinds", words="predict f --data new.csv"
    ),
    "word in the validation that the training did not have": Case(
        {"d.csv": "k,y\nred,1\nblue,2\n", "v.csv": "k,y\nred,1\ngreen,2\n"}, "kinds", "--validation v.csv"
    ),
    "number where the training had words": Case(
        {"d.csv": "k,y\nred,1\nblue,2\n", "new.csv": "k\n0\n1\n"}, "kinds", words="predict f --data new.csv"
    ),
    # --- rows left out, rows held out
    "nothing left": csv("t,y\n1,nan\n,4\n", "--on-nan drop"),
    "nan in an input without rows": Case(
        {"d.csv": LINE, "s.npy": array([1.0, NAN])}, "whole", "--data s.npy --on-nan drop"
    ),
    "one row to cut in two": csv("t,y\n1,2\n", "--validation 0.5"),
    "fraction above 1": Case({"d.csv": LINE}, "line", "--validation 1.5", status=2),
    "validation without a column": Case({"d.csv": LINE, "v.csv": "t\n1\n"}, "line", "--validation v.csv"),
    "nan in the validation": Case({"d.csv": LINE, "v.csv": "t,y\n1,2\n3,\n"}, "line", "--validation v.csv"),
    # --- NumPy
    "array with nan": npz("wide", x=[[1.0, 2, 3], [4, NAN, 6]], y=[1.0, 2]),
    "array of objects": npz(t=np.array([{}, {}], object), y=[1.0, 2]),
    "array of complex numbers": npz(t=[1j, 2j], y=[1.0, 2]),
    "array of times": npz(t=np.array(["2024-01-05", "2024-01-06"], "M8[D]"), y=[1.0, 2]),
    "array of words for numbers": npz(t=["a", "b"], y=[1.0, 2]),
    "array with an axis too many": npz(t=[[1.0], [2.0]], y=[1.0, 2]),
    "array of another width": npz("wide", x=np.ones((2, 4)), y=[1.0, 2]),
    "arrays of different lengths": npz(t=[1.0, 2, 3], y=[1.0, 2]),
    "array without rows": npz(t=np.empty(0), y=np.empty(0)),
    "array position beyond the axis": npz("kinds", k=[0, 7], y=[1.0, 2]),
    "npz cut off": Case({"d.npz": part(lambda path: np.savez(path, t=[1.0], y=[1.0]), 0.6)}),
    "npz damaged": Case({"d.npz": flipped}),
    "npz that claims two gigabytes": Case({"d.npz": bomb}),
    "npy cut off": Case({"t.npy": short_array, "y.npy": array([1.0])}),
    "npy that is none": Case({"t.npy": b"not an array"}),
    # --- Parquet and Arrow
    "parquet with null": parquet(t=[1.0, None, 3.0], y=[1.0, 2, 3]),
    "parquet with nan": parquet(t=[1.0, NAN, 3.0], y=[1.0, 2, 3]),
    "parquet of timestamps": parquet(t=pa.array([0, 1], pa.timestamp("s")), y=[1.0, 2]),
    "parquet of words for numbers": parquet(t=["1", "2"], y=[1.0, 2]),
    "parquet of structs": parquet(t=[{"a": 1.0}, {"a": 2.0}], y=[1.0, 2]),
    "parquet of bytes": parquet(t=[b"a", b"b"], y=[1.0, 2]),
    "parquet of ragged lists": parquet("wide", x=[[1.0, 2, 3], [4.0, 5]], y=[1.0, 2]),
    "parquet of lists for numbers": parquet(t=[[1.0], [2.0]], y=[1.0, 2]),
    "parquet with a null in a list": parquet("wide", x=[[1.0, 2, 3], [4.0, None, 6]], y=[1.0, 2]),
    "parquet with a null for a list": parquet("wide", x=[[1.0, 2, 3], None], y=[1.0, 2]),
    "parquet with a large whole number": parquet(t=[1, 2**60], y=[1.0, 2]),
    "parquet without the column": parquet(a=[1.0, 2], y=[1.0, 2]),
    "parquet cut off": Case(
        {"d.parquet": part(lambda path: pa.parquet.write_table(pa.table({"t": [1.0], "y": [1.0]}), path), 0.5)}
    ),
    "parquet damaged": Case({"d.parquet": damaged}),
    "csv called parquet": Case({"d.parquet": LINE}),
    "arrow cut off": Case(
        {"d.arrow": part(lambda path: pa.feather.write_feather(pa.table({"t": [1.0], "y": [1.0]}), path), 0.5)}
    ),
    # --- HDF5
    "hdf5 without the dataset": hdf5(g__t=[1.0, 2], y=[1.0, 2]),
    "hdf5 group for a dataset": hdf5("--map t=g", g__t=[1.0, 2], y=[1.0, 2]),
    "hdf5 with nan": hdf5("--map t=g/t", g__t=[1.0, NAN], y=[1.0, 2]),
    "hdf5 of words for numbers": hdf5(t=["a", "b"], y=[1.0, 2]),
    "hdf5 cut off": Case({"d.h5": part(hdf5(t=[1.0], y=[1.0]).files["d.h5"], 0.3)}),  # type: ignore[arg-type]
    "csv called hdf5": Case({"d.h5": LINE}),
    # --- files
    "no such file": Case({}, more="--data nowhere.csv"),
    "folder": Case({"d.csv": lambda path: path.mkdir()}),
    "pipe": Case({"d.csv": lambda path: os.mkfifo(path)}),
    "unknown kind": Case({"d.dat": LINE}),
    "spreadsheet": Case({"d.xlsx": b"PK\x03\x04"}),
    "pickle": Case({"d.pkl": b"\x80\x04"}),
}


@cache
def compiled_once(source: Any, options: str) -> Any:
    return compile_source(source, COMPILING[options])


COMPILING: dict[str, Any] = {}


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in; a model is compiled once for all cases."""

    def compile_once(source: Any, options: Any) -> Any:
        return compiled_once(source, COMPILING.setdefault(repr(options), options) and repr(options))

    monkeypatch.setattr("gradc.commands.train.compile_source", compile_once)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(case: Case, place: Path) -> list[str]:
    """The words of a case, whose files are written."""
    (place / "m.model").write_text(MODELS[case.model])
    for name, content in case.files.items():
        path = place / name
        if callable(content):
            content(path)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
    named = f"{case.words or ''} {case.more}".split()
    data = [word for name in case.files if name not in named for word in ("--data", name)]
    return ["train", "m.model", *data, "--out", "f", "--epochs", "1", *case.more.split()]


def filed(name: str) -> Path:
    """Where the message of a case stands."""
    return GOLDEN / f"{name.replace(' ', '_')}.txt"


@pytest.mark.parametrize("name", CASES)
def test_bad_data(
    name: str, place: Path, capsys: pytest.CaptureFixture[str], golden: Callable[[Path, str], None]
) -> None:
    case = CASES[name]
    words = written(case, place)
    if case.words is not None:
        assert main(words) == 0
        words = case.words.split()
        capsys.readouterr()
    status = main(words)
    told = capsys.readouterr()
    assert status == case.status, told.err
    assert told.out == ""
    assert case.words is not None or not (place / "f").exists()
    golden(filed(name), f"$ gradc {' '.join(words)}\n{told.err}")


def test_there_are_enough_and_no_golden_file_without_a_case() -> None:
    assert len(CASES) >= 40
    assert set(GOLDEN.iterdir()) == {filed(name) for name in CASES}


@pytest.mark.parametrize("name", CASES)
def test_each_message_says_where_and_what_to_do(name: str) -> None:
    _, error, *rest = filed(name).read_text(encoding="utf-8").splitlines()
    assert error.startswith("error: ")
    assert rest or "No such file" in error
    assert all(line.startswith("  = help: ") for line in rest)


def test_a_file_that_may_not_be_read(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = written(csv(LINE), place)
    read = Path.read_bytes

    def refused(path: Path) -> bytes:
        if path.name == "d.csv":
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refused)
    assert main(words) == 1
    assert capsys.readouterr().err == "error: cannot read d.csv: Permission denied\n"


DAMAGED: dict[str, Callable[[Path], Any]] = {
    "d.csv": lambda path: path.write_text("t,y,k\n" + "".join(f"{i},{i / 7},w{i}\n" for i in range(20))),
    "d.npz": lambda path: np.savez_compressed(path, t=np.arange(20), y=np.arange(20.0)),
    "t.npy": lambda path: np.save(path, np.arange(20.0)),
    "d.parquet": lambda path: pa.parquet.write_table(pa.table({"t": np.arange(20), "y": np.arange(20.0)}), path),
    "d.arrow": lambda path: pa.feather.write_feather(
        pa.table({"t": np.arange(20), "y": np.arange(20.0)}), path, compression="uncompressed"
    ),
    "d.h5": hdf5(t=np.arange(20), y=np.arange(20.0)).files["d.h5"],  # type: ignore[dict-item]
}


@pytest.mark.parametrize("name", DAMAGED)
def test_no_change_of_a_file_ends_in_a_traceback(name: str, place: Path) -> None:
    """Bytes changed, put in, taken out and cut off at random: the data are read, or what is wrong is told."""
    model = gradc.compile(MODELS["line"])
    DAMAGED[name](place / name)
    whole = (place / name).read_bytes()
    chance = random.Random(name)
    refused = 0
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 1, 2, 5))):
            at = chance.randrange(len(data))
            change = chance.randrange(4)
            if change == 0:
                data[at] ^= 1 << chance.randrange(8)
            elif change == 1:
                data[at:at] = chance.randbytes(chance.randrange(1, 4))
            elif change == 2:
                del data[at : at + chance.randrange(1, 9)]
            elif chance.random() < 0.3:
                del data[max(at, 1) :]
        # A file that is mapped is not written over.
        (place / name).unlink()
        (place / name).write_bytes(data)
        with contextlib.suppress(gradc.DataError):
            gradc.read_data(model, [place / name, {"y": np.zeros(20)}] if name == "t.npy" else place / name)
            continue
        refused += 1
    assert refused > 30
