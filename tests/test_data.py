"""Data from files and frames: each source gives the same arrays, and what is left out, held out and renamed is told."""

from __future__ import annotations

import decimal
import json
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

import gradc
from gradc.__main__ import main
from gradc.runtime.data import held_out

pytestmark = pytest.mark.simplified

TEXT = """axis feature: 3, kind: 4
input x[n, feature], y[n], k[n]: kind
param w[feature] = 0
param c[kind] = 0
z = x @ w + c[kind=k]
minimize mean((z - y)^2)
output z
output each = c
"""


@pytest.fixture(scope="module")
def model() -> gradc.Model:
    """Three columns stacked, one alone, one of words."""
    return gradc.compile(TEXT)


@pytest.fixture(scope="module")
def line() -> gradc.Model:
    """Two columns of numbers."""
    return gradc.compile("input t[n], y[n]\nparam w = 1\nminimize mean((w * t - y)^2)\noutput z = w * t\n")


COLUMNS: dict[str, Any] = {
    "s_1": [0.5, 1.5, -2.0, 1e-300, 3.0, 4.0],
    "s_10": [10.0, 11.0, 12.0, 13.0, 14.0, 0.1],
    "s_2": [2, 3, 4, 5, 6, 7],
    "y": [0.1, 0.2, 0.3, 1 / 3, 1e22, -0.0],
    "k": ["red", "blue", "red", "green", "blue", "red"],
}
STACKED = np.stack([np.array(COLUMNS[name], float) for name in ("s_1", "s_2", "s_10")], -1)
INDICES = [2, 0, 2, 1, 0, 2]
FRAME = pd.DataFrame(COLUMNS)
MAP = {"x": "s_*"}


def as_csv(folder: Path) -> Any:
    FRAME.to_csv(folder / "d.csv", index=False)
    return folder / "d.csv"


def as_tsv(folder: Path) -> Any:
    FRAME.to_csv(folder / "d.tsv", index=False, sep="\t")
    return str(folder / "d.tsv")


def as_parquet(folder: Path) -> Any:
    FRAME.to_parquet(folder / "d.parquet", row_group_size=4)
    return folder / "d.parquet"


def as_feather(folder: Path) -> Any:
    pa.feather.write_feather(pa.Table.from_pandas(FRAME), folder / "d.feather", compression="lz4", chunksize=4)
    return folder / "d.feather"


def as_stream(folder: Path) -> Any:
    table = pa.Table.from_pandas(FRAME)
    with pa.ipc.new_stream(folder / "d.arrow", table.schema) as stream:
        stream.write_table(table)
    return folder / "d.arrow"


def as_npz(folder: Path) -> Any:
    np.savez_compressed(folder / "d.npz", **COLUMNS)
    return folder / "d.npz"


def as_hdf5(folder: Path) -> Any:
    with h5py.File(folder / "d.h5", "w") as file:
        for name, values in COLUMNS.items():
            file[name] = values
    return folder / "d.h5"


class Stream:
    """What another library gives: nothing but a stream of Arrow."""

    def __arrow_c_stream__(self, schema: Any = None) -> Any:
        return pa.Table.from_pandas(FRAME).__arrow_c_stream__(schema)


def as_two_files(folder: Path) -> Any:
    FRAME[["s_1", "s_2", "k"]].to_csv(folder / "a.csv", index=False)
    FRAME[["s_10", "y"]].to_parquet(folder / "b.parquet")
    return [folder / "a.csv", folder / "b.parquet"]


SOURCES: dict[str, Callable[[Path], Any]] = {
    **{made.__name__: made for made in (as_csv, as_tsv, as_parquet, as_feather, as_stream, as_npz, as_hdf5)},
    "as_two_files": as_two_files,
    "pandas": lambda _: FRAME,
    "pandas with types of its own": lambda _: FRAME.convert_dtypes(),
    "pandas with types of arrow": lambda _: FRAME.convert_dtypes(dtype_backend="pyarrow"),
    "polars": lambda _: pl.from_pandas(FRAME),
    "polars, lazily": lambda _: pl.from_pandas(FRAME).lazy(),
    "pyarrow": lambda _: pa.Table.from_pandas(FRAME),
    "a batch of pyarrow": lambda _: pa.RecordBatch.from_pandas(FRAME),
    "a stream of Arrow": lambda _: Stream(),
    "lists": lambda _: COLUMNS,
    "series": lambda _: dict(FRAME.items()),
    "records": lambda _: FRAME.to_records(index=False),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_each_source_gives_the_same_arrays(kind: str, tmp_path: Path, model: gradc.Model) -> None:
    found = gradc.read_data(model, SOURCES[kind](tmp_path), map=MAP)
    assert list(found.inputs) == ["x", "y", "k"]
    np.testing.assert_array_equal(found.inputs["x"], STACKED)
    np.testing.assert_array_equal(found.inputs["y"], COLUMNS["y"])
    np.testing.assert_array_equal(np.signbit(found.inputs["y"]), np.signbit(COLUMNS["y"]))
    np.testing.assert_array_equal(found.inputs["k"], INDICES)
    assert found.vocabularies == {"kind": ("blue", "green", "red")}
    assert found.record["map"] == {"x": ["s_1", "s_2", "s_10"]}
    assert found.held_out is None
    assert found.notes == ()
    model.module.bind(found.inputs)


def test_any_double_in_a_text_is_read_to_the_bit(tmp_path: Path, line: gradc.Model) -> None:
    bits = np.random.Generator(np.random.Philox(0)).integers(0, 2**63, 4000, dtype=np.uint64)
    values = bits.view(np.float64)
    values = values[np.isfinite(values)]
    path = tmp_path / "d.csv"
    path.write_text("t,y\n" + "".join(f"{v!r},{i}\n" for i, v in enumerate(values.tolist())))
    np.testing.assert_array_equal(gradc.read_data(line, path).inputs["t"], values)


def test_a_text_as_people_write_it(tmp_path: Path, line: gradc.Model) -> None:
    path = tmp_path / "d.csv"
    path.write_bytes(b'\xef\xbb\xbft, "y",note,flag\r\n1,2.5,"a\nb",true\r\n\r\n-3,1e3,caf\xc3\xa9,FALSE\r\n\r\n')
    found = gradc.read_data(line, path)
    np.testing.assert_array_equal(found.inputs["t"], [1, -3])
    np.testing.assert_array_equal(found.inputs["y"], [2.5, 1000])
    flags = gradc.compile("input flag[n]: bool, t[n]\nparam w = 1\nminimize sum(if flag then w * t else 0)\n")
    assert gradc.read_data(flags, path).inputs["flag"].tolist() == [True, False]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ("a,b,c", ["a", "b", "c"]),
        ("[c, a, b]", ["c", "a", "b"]),
        (["b", "c", "a"], ["b", "c", "a"]),
        ("[c, s_*]", ["c", "s_2", "s_10"]),
        ("s_*,a", ["s_2", "s_10", "a"]),
    ],
)
def test_several_columns_for_one_axis(columns: Any, expected: list[str], model: gradc.Model) -> None:
    data = {name: np.full(2, float(i)) for i, name in enumerate(["s_10", "a", "b", "c", "s_2"])}
    found = gradc.read_data(model, {**data, "y": [0, 0], "k": [0, 3]}, map={"x": columns})
    assert found.record["map"]["x"] == expected
    np.testing.assert_array_equal(found.inputs["x"][0], [data[name][0] for name in expected])
    again = gradc.read_data(model, {**data, "y": [0, 0], "k": [0, 3]}, map=found.record["map"])
    np.testing.assert_array_equal(again.inputs["x"], found.inputs["x"])


def test_numbered_columns_are_one_array(model: gradc.Model) -> None:
    data = {"x[2]": [2], "x[0]": [0], "x[1]": [1], "y": [0], "k": [0]}
    np.testing.assert_array_equal(gradc.read_data(model, data).inputs["x"], [[0, 1, 2]])
    renamed = {name.replace("x", "v"): values for name, values in data.items()}
    np.testing.assert_array_equal(gradc.read_data(model, renamed, map={"x": "v"}).inputs["x"], [[0, 1, 2]])


def test_lists_are_further_axes() -> None:
    wide = gradc.compile("axis r: 2, c: 3\ninput x[n, r, c]\nparam w = 1\nminimize mean(w * x)\n")
    values = np.arange(24.0).reshape(4, 2, 3)
    fixed = pa.FixedSizeListArray.from_arrays(pa.FixedSizeListArray.from_arrays(values.reshape(-1), 3), 2)
    for column in (
        fixed,
        pa.array(values.tolist()),
        pa.chunked_array([fixed.slice(0, 1), fixed.slice(1)]),
        pl.Series(values.tolist()),
        pl.Series(values),
        pd.Series(values.tolist()),
        values,
        values.tolist(),
    ):
        source = pa.table({"x": column}) if isinstance(column, pa.Array | pa.ChunkedArray) else {"x": column}
        np.testing.assert_array_equal(gradc.read_data(wide, source).inputs["x"], values)


@pytest.mark.parametrize(
    "column",
    [
        pa.array([decimal.Decimal("1"), None, decimal.Decimal("3")]),
        pa.array(np.array([1, np.nan, 3], np.float16), from_pandas=True),
        pa.array([1, None, 3], pa.float32()),
        pa.array([1, None, 3], pa.int64()),
        pa.chunked_array([pa.array([1, None], pa.uint8()), pa.array([3], pa.uint8())]),
    ],
    ids=["decimal", "half", "single", "whole", "byte"],
)
def test_numbers_with_holes_of_any_type(column: Any, line: gradc.Model) -> None:
    found = gradc.read_data(line, pa.table({"t": column, "y": [0, 1, 2]}), on_nan="drop")
    np.testing.assert_array_equal(found.inputs["t"], [1, 3])
    np.testing.assert_array_equal(found.inputs["y"], [0, 2])


@pytest.mark.parametrize(
    "column",
    [
        pa.array([decimal.Decimal("0.5"), decimal.Decimal("2")]),
        pa.array(np.array([0.5, 2], np.float16)),
        pa.array([0.5, 2], pa.float32()),
        pa.array([1, 4], pa.uint8()),
        pl.Series([decimal.Decimal("0.5"), decimal.Decimal("2")]),
        np.array([0.5, 2], ">f8"),
        np.array([[0.5, 7], [2, 7]], order="F")[:, 0],
        np.array([0.5, 2], object),
        pd.Series([0.5, 2], dtype="Sparse[float]"),
    ],
    ids=str,
)
def test_numbers_of_any_type(column: Any, line: gradc.Model) -> None:
    source = pa.table({"t": column, "y": [0, 0]}) if isinstance(column, pa.Array) else {"t": column, "y": [0, 0]}
    found = gradc.read_data(line, source).inputs["t"]
    expected = [1, 4] if getattr(column, "type", None) == pa.uint8() else [0.5, 2]
    np.testing.assert_array_equal(found, expected)
    assert found.flags.c_contiguous
    assert found.dtype.isnative


# ---------------------------------------------------------------------------------------------------------------- words


def test_words_along_one_axis_share_a_vocabulary() -> None:
    pairs = gradc.compile(
        "axis word: 9\ninput a[n]: word, b[n, j]: word\nparam v[word] = 1\n"
        "minimize mean(v[word=a] * sum[j](v[word=b]))\n"
    )
    data = {"a": ["fox", "ant"], "p": ["dog", "fox"], "q": ["ant", "bee"]}
    found = gradc.read_data(pairs, data, map={"b": "p,q"})
    assert found.vocabularies == {"word": ("ant", "bee", "dog", "fox")}
    assert found.inputs["a"].tolist() == [3, 0]
    assert found.inputs["b"].tolist() == [[2, 0], [3, 1]]


def coded(indices: list[int], words: list[str]) -> pa.Array:
    """Words of Arrow, by their places in a dictionary."""
    return pa.DictionaryArray.from_arrays(indices, words)


@pytest.mark.parametrize(
    "column",
    [
        pd.Categorical(["b", "a", "b"], categories=["c", "b", "a"]),
        pd.Series(["b", "a", "b"], dtype=pd.CategoricalDtype(["c", "b", "a"])),
        pl.Series(["b", "a", "b"], dtype=pl.Enum(["c", "b", "a"])),
        pa.chunked_array([coded([1, 2], ["c", "b", "a"]), coded([0], ["b"])]),
    ],
    ids=["a pandas array", "pandas", "polars", "arrow"],
)
def test_categories_keep_their_own_order(column: Any, model: gradc.Model) -> None:
    table = {"x": np.zeros((3, 3)).tolist(), "y": [0, 0, 0], "k": column}
    source = pa.table(table) if isinstance(column, pa.ChunkedArray) else {**table, "k": pd.Series(column)}
    if isinstance(column, pl.Series):
        source = pl.DataFrame(table)
    found = gradc.read_data(model, source)
    assert found.vocabularies == {"kind": ("c", "b", "a")}
    assert found.inputs["k"].tolist() == [1, 2, 1]


def test_a_vocabulary_goes_through_a_training_into_a_prediction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.model").write_text(TEXT)
    as_csv(tmp_path)
    words = ["train", "m.model", "--data", "d.csv", "--map", "x=s_*", "--out", "f", "--epochs", "2", "--lr", "1e-4"]
    assert main(words) == 0
    run = json.loads((tmp_path / "f" / "run.json").read_text())
    assert run["vocabularies"] == {"kind": ["blue", "green", "red"]}
    assert run["map"] == {"x": ["s_1", "s_2", "s_10"]}
    capsys.readouterr()
    # Rows in another order, without the first of the words: a vocabulary of their own would give other indices.
    for name, text in {
        "words": "k,s_1,s_2,s_10\nred,1,2,3\ngreen,1,2,3\n",
        "more columns": "s_3,s_10,s_1,s_2,k\n9,3,1,2,red\n9,3,1,2,green\n",
    }.items():
        (tmp_path / f"{name}.csv").write_text(text)
        assert main(["predict", "f", "--data", f"{name}.csv"]) == 0
        by_words = capsys.readouterr().out
        np.savez(tmp_path / "i.npz", k=[2, 1], x=[[1.0, 2, 3]] * 2)
        assert main(["predict", "f", "--data", "i.npz", "--map", "x=x"]) == 0
        assert capsys.readouterr().out == by_words
    assert by_words.splitlines()[0] == "z,each.blue,each.green,each.red,each.3"


# ----------------------------------------------------------------------------------------------- what is left, held out


@pytest.mark.parametrize("kind", ["as_csv", "as_parquet", "pandas", "polars", "pyarrow"])
def test_rows_with_holes_are_left_out_of_all_inputs(
    kind: str, tmp_path: Path, model: gradc.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    holes = FRAME.copy()
    holes.loc[1, "s_10"] = np.nan
    holes.loc[3, "k"] = None
    holes.loc[4, "y"] = np.inf
    monkeypatch.setitem(globals(), "FRAME", holes)
    source = SOURCES[kind](tmp_path)
    with pytest.raises(gradc.DataError, match="on_nan='drop' leaves such rows out"):
        gradc.read_data(model, source, map=MAP)
    found = gradc.read_data(model, source, map=MAP, on_nan="drop")
    kept = [0, 2, 5]
    np.testing.assert_array_equal(found.inputs["x"], STACKED[kept])
    np.testing.assert_array_equal(found.inputs["y"], np.array(COLUMNS["y"])[kept])
    # A word that stands only in a row that is left out has no index.
    assert found.vocabularies == {"kind": ("red",)}
    assert found.inputs["k"].tolist() == [0, 0, 0]
    dropped = found.record["dropped"]
    assert (dropped["rows"], dropped["of"], [place["column"] for place in dropped["first"]]) == (
        3,
        6,
        ["s_10", "k", "y"],
    )
    places = [place["line"] or place["row"][0] + 2 for place in dropped["first"]]
    assert places == [3, 5, 6]
    (note,) = found.notes
    assert note.startswith("left out 3 of 6 rows: ")
    assert note.count("column") == 3


def test_a_place_is_that_of_the_file_after_rows_were_left_out(model: gradc.Model) -> None:
    data = {"x": np.zeros((4, 3)), "y": [np.nan, 1, 2, 3], "k": [0, 0, 9, 0]}
    with pytest.raises(gradc.DataError, match=r"row 2 \(from 0\), column 'k': 9 is no position"):
        gradc.read_data(model, data, on_nan="drop")
    data["k"] = [9, 0, 0, 0]
    assert gradc.read_data(model, data, on_nan="drop").inputs["k"].tolist() == [0, 0, 0]


def test_a_number_is_traced_to_where_it_stands(tmp_path: Path, line: gradc.Model) -> None:
    path = tmp_path / "d.csv"
    path.write_text("y,name,t\n" + "".join(f"{i},a,{'' if i % 5 == 2 else i}\n" for i in range(30)))
    found = gradc.read_data(line, path, on_nan="drop", validation=0.25, seed=4)
    for row, value in enumerate(found.inputs["t"]):
        assert found.place("t", (row,)) == f"{path}, line {int(value) + 2}, column 't'"


def test_a_number_without_axes_and_a_masked_array() -> None:
    model = gradc.compile("input rate, t[n]\nparam w = 1\nminimize mean(w * rate * t)\n")
    masked = np.ma.masked_array([1.0, 99.0, 3.0], [False, True, False])
    found = gradc.read_data(model, {"rate": 0.5, "t": masked}, on_nan="drop")
    assert found.inputs["rate"].shape == ()
    assert found.inputs["t"].tolist() == [1, 3]
    model.module.bind(found.inputs)
    with pytest.raises(gradc.DataError, match="give one number"):
        gradc.read_data(model, {"rate": [0.5], "t": [1.0]})


def test_rows_along_another_axis_than_the_first() -> None:
    turned = gradc.compile("batch n\ninput x[t, n], y[n]\nparam w = 1\nminimize mean((w * sum[t](x) - y)^2)\n")
    x = np.arange(12.0).reshape(3, 4)
    x[1, 2] = np.nan
    found = gradc.read_data(turned, {"x": x, "y": np.arange(4.0)}, on_nan="drop", validation=0.3)
    assert found.held_out is not None
    both = np.concatenate([found.inputs["x"], found.held_out["x"]], 1)
    assert sorted(both[0]) == [0, 1, 3]
    assert both.shape == (3, 3)
    np.testing.assert_array_equal(found.inputs["x"][0], found.inputs["y"])


def test_rows_left_out_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.model").write_text("input t[n], y[n]\nparam w = 1\nminimize mean((w * t - y)^2)\noutput z = w * t\n")
    rows = "".join(f"{i},{'' if i % 2 else i}\n" for i in range(10))
    (tmp_path / "d.csv").write_text("t,y\n" + rows)
    assert main("train m.model --data d.csv --out f --epochs 1 --on-nan drop".split()) == 0
    told = capsys.readouterr().err.splitlines()[0]
    fields = "; ".join(f"d.csv, line {line}, column 'y': this field is empty" for line in (3, 5, 7))
    assert told == f"left out 5 of 10 rows: {fields}; and 2 more"
    run = json.loads((tmp_path / "f" / "run.json").read_text())
    assert run["rows"] == 5
    assert run["on_nan"] == "drop"
    assert run["dropped"]["rows"] == 5


@pytest.mark.parametrize("rows", [2, 3, 10, 1001])
@pytest.mark.parametrize("fraction", [0.01, 0.2, 0.5, 0.99])
def test_rows_held_out(rows: int, fraction: float) -> None:
    rest, held = held_out(rows, fraction, 3)
    assert sorted([*rest, *held]) == list(range(rows))
    assert len(held) == min(max(round(fraction * rows), 1), rows - 1)
    np.testing.assert_array_equal(held, np.sort(held))
    for left, right in zip(held_out(rows, fraction, 3), (rest, held), strict=True):
        np.testing.assert_array_equal(left, right)


def test_which_rows_are_held_out_does_not_change_with_time() -> None:
    """The documented rule, said again: a permutation by Philox, keyed by the seed in a stream of its own."""
    random = np.random.Generator(np.random.Philox(np.random.SeedSequence(7, spawn_key=(1,))))
    assert set(held_out(20, 0.25, 7)[1]) == set(random.permutation(20)[:5])
    assert held_out(10, 0.3, 0)[1].tolist() == HELD
    assert held_out(10, 0.3, 1)[1].tolist() != HELD


HELD = [0, 5, 8]


def test_a_validation_by_fraction_and_by_file(tmp_path: Path) -> None:
    shared = gradc.compile("batch n\ninput t[n], s[m]\nparam w = 1\nminimize mean((w * t)^2) + w * mean(s)\n")
    data = {"t": np.arange(10.0), "s": [1.0, 2.0]}
    found = gradc.read_data(shared, data, validation=0.3, seed=5)
    assert found.held_out is not None
    rest, held = held_out(10, 0.3, 5)
    np.testing.assert_array_equal(found.inputs["t"], rest)
    np.testing.assert_array_equal(found.held_out["t"], held)
    np.testing.assert_array_equal(found.held_out["s"], found.inputs["s"])
    assert found.record["validation"] == {"fraction": 0.3, "seed": 5, "rows": 3}
    (tmp_path / "v.csv").write_text("t\n7\n8\n")
    found = gradc.read_data(shared, data, validation=tmp_path / "v.csv")
    assert found.held_out is not None
    assert found.inputs["t"].shape == (10,)
    assert found.held_out["t"].tolist() == [7, 8]
    np.testing.assert_array_equal(found.held_out["s"], [1, 2])


def test_words_of_a_validation_have_the_indices_of_the_training(model: gradc.Model) -> None:
    data = {"x": np.zeros((2, 3)), "y": [0, 0]}
    found = gradc.read_data(model, {**data, "k": ["c", "a"]}, validation={**data, "k": ["c", "c"]})
    assert found.held_out is not None
    assert found.held_out["k"].tolist() == [1, 1]


# ----------------------------------------------------------------------------------------------- what is read, and when


def test_an_array_in_a_file_stays_there(tmp_path: Path, line: gradc.Model) -> None:
    for name in ("t", "y"):
        np.save(tmp_path / f"{name}.npy", np.arange(2**21, dtype=float))
    tracemalloc.start()
    found = gradc.read_data(line, [tmp_path / "t.npy", tmp_path / "y.npy"]).inputs
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2**23  # each of the arrays has 2**24 bytes
    for array in found.values():
        assert isinstance(array.base, np.memmap)
        assert not array.flags.writeable


def test_columns_of_an_arrow_file_stay_there(tmp_path: Path, line: gradc.Model) -> None:
    table = pa.table({name: np.arange(2**20, dtype=float) for name in ("t", "y")})
    pa.feather.write_feather(table, tmp_path / "d.arrow", compression="uncompressed", chunksize=2**21)
    del table
    before = pa.total_allocated_bytes()
    tracemalloc.start()
    found = gradc.read_data(line, tmp_path / "d.arrow").inputs
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2**22
    assert pa.total_allocated_bytes() - before < 2**20
    np.testing.assert_array_equal(found["t"], np.arange(2**20))


def test_a_training_in_minibatches_reads_the_rows_of_each(tmp_path: Path) -> None:
    wide = gradc.compile("axis d: 64\ninput x[n, d], y[n]\nparam w[d] = 0\nminimize mean(tanh(x @ w - y)^2)\n")
    values = np.random.Generator(np.random.Philox(1)).standard_normal((2**16, 64))
    np.save(tmp_path / "x.npy", values)
    np.save(tmp_path / "y.npy", values[:, 0])
    tracemalloc.start()
    mapped = gradc.read_data(wide, [tmp_path / "x.npy", tmp_path / "y.npy"]).inputs
    trained = gradc.fit(wide.session(mapped, bind=False), epochs=1, batch=256)
    made = wide.fit([tmp_path / "x.npy", tmp_path / "y.npy"], gradc.SGD, epochs=1, batch=256)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < values.nbytes / 4
    again = gradc.fit(gradc.Session(wide.module, {"x": values, "y": values[:, 0]}), epochs=1, batch=256)
    np.testing.assert_array_equal(trained.theta, again.theta)
    np.testing.assert_array_equal(made.session.theta, again.theta)


def test_what_no_input_is_made_of_may_hold_anything(tmp_path: Path, line: gradc.Model) -> None:
    (tmp_path / "d.csv").write_text("name,t,when,y\nAnn,1,2024-01-05,2\n,3,,4\n")
    assert list(gradc.read_data(line, tmp_path / "d.csv").inputs) == ["t", "y"]
    pa.parquet.write_table(pa.table({"t": [1.0], "o": [{"a": 1}], "y": [2.0], "b": [b"x"]}), tmp_path / "d.parquet")
    assert list(gradc.read_data(line, tmp_path / "d.parquet").inputs) == ["t", "y"]


def test_an_input_that_is_not_needed_is_taken_where_it_fits(line: gradc.Model) -> None:
    for y, expected in {(2.0, 3.0): ["t", "y"], (2.0, float("nan")): ["t"], (2.0,): ["t"], ("a", "b"): ["t"]}.items():
        assert list(gradc.read_data(line, {"t": [1, 2], "y": list(y)}, needed=["t"]).inputs) == expected


@pytest.mark.parametrize(("library", "file"), [("h5py", "d.h5"), ("pyarrow", "d.parquet"), ("pyarrow", "d.arrow")])
def test_a_library_that_is_not_there(
    library: str, file: str, tmp_path: Path, line: gradc.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / file).write_bytes(b"")
    for name in [name for name in sys.modules if name.partition(".")[0] == library]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(
        gradc.DataError, match=rf"read by {library}, which is not installed; pip install 'gradc\[data\]'"
    ):
        gradc.read_data(line, tmp_path / file)


@pytest.mark.parametrize(
    ("column", "told"),
    [
        ([1, "a"], r"row 1 \(from 0\), column 't': 'a' is a str, and before it 1 is an int; store values of one type"),
        (pd.Series([1, "a"]), r"row 1 \(from 0\), column 't': 'a' is a str, and before it 1 is an int"),
        ([object(), None], r"row 0 \(from 0\), column 't': this is an object;"),
        ([1, 2**70], r"row 1 \(from 0\), column 't': 1180591620717411303424 is a whole number above 2\^53"),
        ([[1, 2], [3]], "column 't': this is ragged"),
        ([1, None], r"row 1 \(from 0\), column 't': there is no value here \(null\)"),
        (pd.Series([1, None], dtype="Int64"), "there is no value here"),
        (pl.Series([1, None]), "there is no value here"),
        (
            pl.Series([[1], [2, 3]]),
            r"row 1 .*: the list here has shape \(2,\), and the first \(1,\)",
        ),
        (pl.Series([{"a": 1}, {"a": 2}]), "column 't': this holds structs"),
        (pd.to_datetime(pd.Series(["2024-01-05", "2024-01-06"])), "column 't': this holds dates or times"),
        (pl.Series(["2024-01-05", "2024-01-06"]).str.to_date(), "column 't': this holds dates or times"),
        (pd.to_timedelta(pd.Series([1, 2])), "column 't': this holds spans of time"),
        ("abc", "column 't': 'abc' is not a number"),
    ],
    ids=lambda part: part if isinstance(part, str) else type(part).__name__,
)
def test_objects_that_are_refused(column: Any, told: str, line: gradc.Model) -> None:
    with pytest.raises(gradc.DataError, match=told):
        gradc.read_data(line, {"t": column, "y": [0, 0]})


def test_an_object_without_columns(line: gradc.Model) -> None:
    for data in (3, None, pd.Series([1.0]), pl.Series([1.0]), np.ones(2)):
        with pytest.raises(TypeError, match=f"this is of type {type(data).__name__}"):
            gradc.read_data(line, data)
    with pytest.raises(ValueError, match="on_nan is 'error' or 'drop'"):
        gradc.read_data(line, {"t": [1]}, on_nan="skip")


def test_a_mistake_has_its_place_as_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.model").write_text("input t[n]\nparam w = 1\nminimize mean(w * t)\n")
    (tmp_path / "d.csv").write_text("t\n1\ntwo\n")
    assert main("check m.model --data d.csv --json".split()) == 1
    (error,) = json.loads(capsys.readouterr().out)["errors"]
    assert error["details"] == {"file": "d.csv", "line": 3, "column": "t"}
    np.savez(tmp_path / "d.npz", t=[1, np.nan])
    assert main("check m.model --data d.npz --json".split()) == 1
    (error,) = json.loads(capsys.readouterr().out)["errors"]
    assert error["details"] == {"file": "d.npz", "at": [1], "column": "t"}
