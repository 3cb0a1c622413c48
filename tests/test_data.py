"""Columns from files: what is read, and what each bad file is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gradc.runtime import DataError, read_columns

BAD = {
    "empty": ("", "d.csv: the file is empty; the first line names the columns"),
    "header": ("a,b\n", "d.csv: there are no rows under the header; give at least one"),
    "no header": (
        "1,2\n3,4\n",
        "d.csv, line 1: the first line holds numbers; put a line before it that names the columns",
    ),
    "twice": ("a,a\n1,2\n", "d.csv, line 1: two columns are called 'a'; rename one of them"),
    "nameless": ("a,\n1,2\n", "d.csv, line 1: column 2 has no name; name it in the first line"),
    "short": (
        "a,b\n1,2\n3\n",
        "d.csv, line 3: this line has 1 fields; each line needs the 2 fields that the header names",
    ),
    "comma": (
        "a,b\n1,5,2\n",
        "d.csv, line 2: this line has 3 fields; each line needs the 2 fields that the header names; "
        "a decimal comma must be a point",
    ),
    "quoted comma": ('a,b\n"1,5",2\n', "d.csv, line 2, column 'a': '1,5' is not a number; write a decimal point: 1.5"),
    "thousands": (
        "a\n1.5\n12 000 000\n",
        "d.csv, line 3, column 'a': '12 000 000' is not a number; write it without separators of thousands",
    ),
    "word": ("a\n1.5\ntall\n", "d.csv, line 3, column 'a': 'tall' is not a number; write a number"),
    "underscore": ("a\n1_0\n", "d.csv, line 2, column 'a': '1_0' is not a number; write a number"),
    "field": ("a,b\n1,\n", "d.csv, line 2, column 'b': this field is empty; leave the row out, or fill it"),
    "nan": ("a\n1\nnan\n", "d.csv, line 3, column 'a': 'nan' is not finite; leave the row out, or fill it"),
    "inf": ("a\n1e999\n", "d.csv, line 2, column 'a': '1e999' is not finite; leave the row out, or fill it"),
    "quote": ('a\n"1\n', "d.csv, line 2: this is not CSV: unexpected end of data; check its quotes"),
    "hole": ("x[0],x[2]\n1,2\n", "d.csv, line 1: the column x[1] is missing; columns of an array count from 0"),
    "both": ("x,x[0]\n1,2\n", "d.csv, line 1: there are a column 'x' and columns x[0], ...; rename one"),
    "large": (
        "a\n1.5\n90071992547409931234\n",
        "d.csv, line 3, column 'a': 90071992547409931234 is a whole number above 2^53; no double holds it exactly",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_table_is_told_its_place_and_remedy(kind: str, tmp_path: Path) -> None:
    text, expected = BAD[kind]
    path = tmp_path / "d.csv"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        read_columns(path)
    assert str(caught.value).startswith(expected)


def test_a_table(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_bytes(b'\xef\xbb\xbfa, "b",c,x[1],x[0]\r\n1,2.5,true,1,0\r\n\r\n-3,1e3,False,3,2\r\n')
    found = read_columns(path)
    assert found["a"].dtype == np.int64
    np.testing.assert_array_equal(found["a"], [1, -3])
    np.testing.assert_array_equal(found["c"], [True, False])
    np.testing.assert_array_equal(found["x"], [[0, 1], [2, 3]])


def test_arrays(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.arange(3))
    np.savez(tmp_path / "d.npz", x=np.eye(2), y=np.array([True]))
    np.testing.assert_array_equal(read_columns(tmp_path / "x.npy")["x"], [0, 1, 2])
    assert sorted(read_columns(tmp_path / "d.npz")) == ["x", "y"]


def test_arrays_that_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "o.npz", x=np.array([{}], dtype=object))
    np.savez(tmp_path / "n.npz", x=np.array([[1.0], [np.nan]]))
    (tmp_path / "t.npz").write_bytes((tmp_path / "n.npz").read_bytes()[:60])
    (tmp_path / "f.npy").write_bytes(b"not an array")
    for name, message in {
        "o.npz": "objects are never read",
        "n.npz": r"holds nan at \[1, 0\]",
        "t.npz": "or a part of one",
        "f.npy": "not a file of plain arrays",
    }.items():
        with pytest.raises(DataError, match=message):
            read_columns(tmp_path / name)
    with pytest.raises(DataError, match=r"a \.xlsx file is not read"):
        read_columns(tmp_path / "d.xlsx")
