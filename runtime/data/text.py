"""CSV and TSV: our own strict reader, which knows the line of each field.

Takes a path; gives columns of text. What makes the file no table is told at once: a line of another length, names that
are missing or twice, another encoding. What a field holds is looked at when its column is needed.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np

from ..errors import DataError
from .columns import WANTED, Cells, Column

TRUTHS = {"true": True, "false": False}
LARGEST_WHOLE = 2**53
"""Above it a double no longer holds each whole number."""

NOTHING = frozenset(("", "na", "n/a", "nan", "null", "none", "#n/a", "+nan", "-nan"))
"""What stands in a column of numbers where there is none; of words only the first does."""


@dataclass(eq=False)
class TextColumn(Column):
    """A column of a text. `lines` has the line of each field, from 1."""

    file: str
    name: str
    texts: Sequence[str]
    lines: Sequence[int]

    def numbers(self, wanted: str = "number") -> Cells:
        texts = self.texts
        joined = "".join(texts)
        # Python reads 1_000 and full-width digits as numbers; a data file that holds them is more likely wrong.
        if joined.isascii() and "_" not in joined:
            with suppress(ValueError):
                whole = list(map(int, texts))
                if max(map(abs, whole)) < 10**18:
                    return Cells(np.array(whole, np.int64))
            with suppress(ValueError):
                found = np.array(list(map(float, texts)))
                if (np.abs(found) <= LARGEST_WHOLE).all():
                    return Cells(found)
        if all(text.lower() in TRUTHS for text in texts):
            return Cells(np.array([TRUTHS[text.lower()] for text in texts]))
        values = np.empty(len(texts))
        missing = np.zeros(len(texts), bool)
        for i, text in enumerate(texts):
            try:
                values[i] = float(text)
            except ValueError:
                values[i] = np.nan
            if not np.isfinite(values[i]) or "_" in text or not text.isascii():
                missing[i] = text.lower() in NOTHING
                if not missing[i]:
                    values[i] = self._number(i, text, wanted)
            elif abs(values[i]) > LARGEST_WHOLE and text.lstrip("+-").isdigit():
                raise self.wrong((i,), f"{text[:40]} is a whole number above 2^53", "no double holds it exactly")
        return Cells(values, missing if missing.any() else None)

    def words(self, certainly: bool) -> Cells | None:
        if not certainly and any(_is_number(text) or text.lower() in TRUTHS for text in self.texts):
            return None
        missing = np.array([not text for text in self.texts])
        if not certainly and missing.all():
            return None
        return Cells(np.array(self.texts, object), missing if missing.any() else None)

    def bare(self) -> Column:
        return TextColumn(self.file, self.name, (), self.lines)

    def shown(self, at: tuple[int, ...]) -> str:
        return repr(self.texts[at[0]][:40])

    def wrong(self, at: tuple[int, ...] | None, what: str, remedy: str, option: str | None = None) -> DataError:
        line = None if at is None else self.lines[at[0]]
        return DataError(self.file, what, remedy, line, self.name, option=option)

    def _number(self, place: int, text: str, wanted: str) -> float:
        """The number in a field, which is not finite; DataError where there is none."""
        if _is_number(text):
            return float(text)
        what, remedy = WANTED[wanted]
        raise self.wrong((place,), f"{text[:40]!r} {what}", remedy if wanted != "number" else _remedy(text, remedy))


REMEDIES = (
    (r"[+-]?\d+,\d+", "write a decimal point: {}"),
    (r"[+-]?\d{1,3}([ ,.'_]\d{3})+([.,]\d+)?", "write it without separators of thousands"),
    (r"(?i)true|false", "write truth values alone in a column, or 1 and 0"),
    (r"\d{4}-\d\d?-\d\d?([ T].*)?|\d\d?[./]\d\d?[./]\d{2,4}", "write a date as a number, as days since a first day"),
    (r"\d\d?:\d\d(:\d\d(\.\d+)?)?", "write a time as a number, for example of seconds"),
    (r"[+-]?[\d.]+(e[+-]?\d+)?\s*%", "write a fraction of 1, without the sign"),
    (r"[+-]?[\d.]+\s*[^\W\d].*", "write the number alone; a unit belongs into the column's name"),
    (r"[$\u20ac\u00a3]\s*[\d.,]+", "write the number alone; a currency belongs into the column's name"),
    (r"=.*", "save the values of the formulas"),
)
"""How a number is written that is none for us, and what to do about it."""


def _remedy(text: str, plain: str) -> str:
    for pattern, remedy in REMEDIES:
        if re.fullmatch(pattern, text):
            return remedy.format(text.replace(",", "."))
    return plain


def _is_number(text: str) -> bool:
    if not text.isascii() or "_" in text:
        return False
    try:
        float(text)
    except ValueError:
        return False
    return True


# ------------------------------------------------------------------------------------------------------ the file's form


def read_text(path: Path, delimiter: str) -> list[Column]:
    """The columns of a table of text. DataError where it is none."""
    file = str(path)
    reader = csv.reader(StringIO(_decoded(path), newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    rows: list[list[str]] = []
    ends: list[int] = [0]  # the line with which each row ends; a field may hold line ends
    try:
        for row in reader:
            rows.append(row)
            ends.append(reader.line_num)
    except csv.Error as error:
        raise DataError(file, f"this is not CSV: {error}", "check its quotes", ends[-1] + 1) from error
    filled = [(end + 1, row) for end, row in zip(ends, rows, strict=False) if row]
    if not filled:
        raise DataError(file, "the file is empty", "the first line names the columns")
    line, head = filled.pop(0)
    names = _header(file, head, line, delimiter)
    if not filled:
        raise DataError(file, "there are no rows under the header", "give at least one")
    if len(names) == 1:
        # In a table of one column a line with nothing on it is an empty field; elsewhere, and at the end, it is a gap.
        inner = zip(ends[line:], rows[line:], strict=False)
        filled = [(end + 1, row or [""]) for end, row in inner if end < filled[-1][0]]
    for line, row in filled:
        if len(row) != len(names):
            raise DataError(file, f"this line has {_fields(len(row))}", _count(row, names, delimiter), line)
    lines = [line for line, _ in filled]
    columns = zip(*(row for _, row in filled), strict=True)
    return [
        TextColumn(file, name, tuple(map(str.strip, texts)), lines) for name, texts in zip(names, columns, strict=True)
    ]


MARKS = (
    (b"\xff\xfe", "this is UTF-16 text", "save it as UTF-8"),
    (b"\xfe\xff", "this is UTF-16 text", "save it as UTF-8"),
    (b"PK\x03\x04", "this is a zip archive or a spreadsheet, not text", "save the table as CSV"),
    (b"\xd0\xcf\x11\xe0", "this is a spreadsheet, not text", "save the table as CSV"),
    (b"\x1f\x8b", "this is compressed, not text", "unpack it with gunzip first"),
    (b"PAR1", "this is a Parquet file, not text", "let its name end in .parquet"),
    (b"ARROW1", "this is an Arrow file, not text", "let its name end in .arrow"),
    (b"\x89HDF", "this is an HDF5 file, not text", "let its name end in .h5"),
    (b"\x93NUMPY", "this is a NumPy array, not text", "let its name end in .npy"),
)
"""How files begin that are no text in UTF-8."""


def _decoded(path: Path) -> str:
    data = path.read_bytes()
    for mark, what, remedy in MARKS:
        if data.startswith(mark):
            raise DataError(str(path), what, remedy)
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise DataError(str(path), "this is not text: it holds a zero byte", "save it as UTF-8", line)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        what = f"this is not UTF-8 text: it holds the byte {data[error.start]:#04x}"
        raise DataError(str(path), what, "save it as UTF-8", line) from error


def _header(file: str, header: list[str], line: int, delimiter: str) -> list[str]:
    names = [name.strip() for name in header]
    if len(names) == 1:
        for other, called in ((";", "semicolons"), ("\t", "tabs"), (",", "commas"), ("|", "bars")):
            if other in names[0] and other != delimiter:
                wanted = "commas" if delimiter == "," else "tabs"
                wanted += ", with decimal points" if other == ";" else ""
                named = ", or let the file's name end in .tsv" if other == "\t" else ""
                raise DataError(
                    file, f"the columns are separated by {called}", f"separate them by {wanted}{named}", line
                )
    for place, name in enumerate(names):
        if not name:
            raise DataError(file, f"column {place + 1} has no name", "name it in the first line", line)
        if name in names[:place]:
            raise DataError(file, f"two columns are called {name!r}", "rename one of them", line)
    if all(_is_number(name) for name in names):
        raise DataError(file, "the first line holds numbers", "put a line before it that names the columns", line)
    return names


def _fields(count: int) -> str:
    return f"{count} field" if count == 1 else f"{count} fields"


def _count(row: list[str], names: list[str], delimiter: str) -> str:
    remedy = f"each line needs the {_fields(len(names))} that the header names"
    if len(row) > len(names) and delimiter == ",":
        remedy += "; a decimal comma must be a point"
    return remedy
