"""A model is untrusted: what it might try is refused with a diagnostic, or handled, in little time and memory.

None of it ends in a traceback, reaches the emitted text as more than a comment or a name, or steers a terminal.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradc.__main__ import main
from gradc.compiler.pipeline import compile_model
from gradc.compiler.source import ModelError, Source
from tests.harness import load, sample

SECONDS = 3.0
"""Of a processor on which SymPy is imported in a quarter of a second: what is slower, or busy, gets as much more."""
IMPORT = 0.25
MEGABYTES = 500.0


def codes(text: str, name: str = "any.model") -> list[str]:
    """The codes of a model's diagnostics; none where it compiles. Each can be shown on a terminal."""
    error = ModelError()
    try:
        compile_model(Source(name, text))
    except ModelError as found:
        error = found
    assert all(line.isprintable() for line in str(error).split("\n"))
    return [diagnostic.code for diagnostic in error.diagnostics]


# ---------------------------------------------------------------------------------- what costs, in a process of its own

MEASURED = """
import json, resource, subprocess, sys
limit = 4 << 30
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
done = subprocess.run(sys.argv[1:], capture_output=True, text=True, timeout=120)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
json.dump([done.returncode, done.stdout, done.stderr, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024], sys.stdout)
"""
"""Runs a command from a small process: one counts the memory of that which it was split from as its own."""


@dataclass(frozen=True)
class Run:
    """A run of the command line: its first diagnostic's code, None where there is none, and what it used."""

    status: int
    code: str | None
    seconds: float
    megabytes: float


def run(path: Path, output: str) -> Run:
    """`gradc compile` as a whole process."""
    command = [sys.executable, "-m", "gradc", "compile", str(path), "-o", str(path.with_name(output)), "--json"]
    made = subprocess.run([sys.executable, "-I", "-S", "-c", MEASURED, *command], capture_output=True, check=True)
    status, out, err, seconds, megabytes = json.loads(made.stdout)
    assert "Traceback" not in err
    errors = json.loads(out)["errors"]
    return Run(status, errors[0]["code"] if errors else None, seconds, megabytes)


def pace() -> float:
    """How many times slower than the processor of the limits this one is now, at least 1."""
    command = [sys.executable, "-c", "import sympy"]
    made = subprocess.run([sys.executable, "-I", "-S", "-c", MEASURED, *command], capture_output=True, check=True)
    return max(1.0, float(json.loads(made.stdout)[3]) / IMPORT)


def within_limits(path: Path, expected: str | None, seconds: float = SECONDS) -> None:
    """The run ends as expected, within the limits. A busy machine only adds to the time: the least of three counts."""
    for _ in range(3):
        found = run(path, "out.py")
        assert (found.status, found.code) == (0 if expected is None else 1, expected)
        assert found.megabytes < MEGABYTES
        if found.seconds < seconds * pace():
            return
    pytest.fail(f"{found.seconds:.2f} s")


HEAD = "input x[n], y[n]\nparam w = 1, b = 0\n"
END = "\nminimize sum[n]((p - y)^2)\n"


def model(expression: str) -> str:
    return f"{HEAD}p = {expression}{END}"


def doubled(first: str, each: Callable[[str], str], last: str) -> str:
    """Forty functions, each of which calls the one before twice."""
    functions = [f"def f{i + 1}(a) = {each(f'f{i}')}\n" for i in range(40)]
    return f"{HEAD}def f0(a) = {first}\n{''.join(functions)}minimize sum[n]({last}(x))\n"


LAYERS = "".join(f"layer L{i + 1}:\n    a = L{i}\n    b = L{i}\n    def call(x) = x |> a |> b\n" for i in range(40))
DEEP = 10_000

COSTLY: Mapping[str, tuple[str, str | None]] = {
    "parentheses": (model("(" * DEEP + "w * x" + ")" * DEEP), "E0502"),
    "calls": (model("sin(" * DEEP + "w * x" + ")" * DEEP), "E0502"),
    "calls as deep as may be": (model("sin(" * 99 + "w * x" + ")" * 99), None),
    "signs": (model("-" * DEEP + "w * x"), "E0502"),
    "powers": (model("^".join(["w"] * DEEP)), "E0502"),
    "pipes": (model("x" + " |> sin" * DEEP), "E0502"),
    "selections": (model("x" + "[n = ::-1]" * DEEP), "E0502"),
    "indentation": ("".join(" " * i + f"layer L{i}:\n" for i in range(1300)), "E0502"),
    "a sum of 5,000 powers": (model(" + ".join(f"w * x^{i % 7}" for i in range(5000))), None),
    "a sum of 5,000 terms": (model(" + ".join(["w * x"] * 5000)), None),
    "a tower of powers": (model("w * 9^9^9^9"), "E0410"),
    "functions that call functions twice": (doubled("a * w", lambda f: f"{f}(a) + {f}(a + 1)", "f40"), "E0480"),
    "functions of functions": (doubled("a * w + b", lambda f: f"{f}({f}(a))", "f40"), "E0480"),
    "layers that hold layers twice": (f"input x[n]\nlayer L0:\n    param w = 1\n    def call(x) = w * x\n{LAYERS}"
                                      "m = L40\nminimize sum(m(x))\n", "E0480"),
    "a line of a megabyte": (model("w * " + "x" * 999_000), "E0503"),
}  # fmt: skip


@pytest.mark.parametrize("name", COSTLY)
def test_what_may_blow_up(name: str, tmp_path: Path) -> None:
    text, expected = COSTLY[name]
    path = tmp_path / "a.model"
    path.write_text(text, encoding="utf-8")
    within_limits(path, expected)


def test_a_sum_of_5000_different_terms(tmp_path: Path) -> None:
    """Each with a number of its own; it takes half as long again as a sum of like terms."""
    path = tmp_path / "a.model"
    path.write_text(model(" + ".join(f"w * x - {i}.5" for i in range(5000))), encoding="utf-8")
    within_limits(path, None, 4.5)


def test_a_file_of_50_megabytes(tmp_path: Path) -> None:
    path = tmp_path / "a.model"
    with path.open("wb") as file:
        for _ in range(50):
            file.write(b"x = 1 \n" * 150_000)
    assert path.stat().st_size > 50_000_000
    within_limits(path, "E0501")


# --------------------------------------------------------------------------------------------------------- what is told

TOLD = {
    "an axis of 10^12": ("axis d: 1000000000000\ninput x[n, d]\nparam w[d] = 0\nminimize sum(x @ w)\n", "E0303"),
    "its length as a power": ("axis d: 10^12\ninput x[n, d]\nparam w[d] = 0\nminimize sum(x @ w)\n", "E0110"),
    "two axes of 10^6": ("axis d: 1000000, e: 1000000\nparam w[d, e] = 0\nminimize sum(w^2)\n", "E0308"),
    "sixty axes": ("".join(f"axis d{i}: 2\n" for i in range(60)) + "param w["
                   + ", ".join(f"d{i}" for i in range(60)) + "] = 0\nminimize sum(w^2)\n", "E0308"),
    "an integer of 5,000 digits": (model("w * " + "7" * 5000), "E0503"),
    "an integer of 900 digits": (model("w * " + "7" * 900), "E0410"),
    "1e400": (model("w * 1e400"), "E0410"),
    "1e-400": (model("w * 1e-400"), "E0410"),
    "an exponent of ten digits": (model("w * 1e9999999999"), "E0410"),
    "constants that square": ("const c0 = 2\n" + "".join(f"const c{i + 1} = c{i} * c{i}\n" for i in range(60))
                              + model("w * c60 * x"), "E0410"),
    "a tower in a constant": ("const c = 9^9^9^9\n" + model("w * c * x"), "E0410"),
    "a tower as a power": (model("w^9^9^9^9 * x"), "E0410"),
    "exponentials": (model("w * exp(exp(exp(exp(5))))"), "E0410"),
    "a gradient beyond doubles": (f"{HEAD}p = 1e200 * w\nminimize 1e200 * p\n", "E0410"),
    "a name of itself": (model("p"), "E0204"),
    "a function of itself": ("def f(a) = f(a)\n" + model("f(w)"), "E0202"),
    "NUL": (model("w * x\0"), "E0107"),
    "a form feed": (model("w * x\f"), "E0107"),
    "a bare carriage return": (model("w * x # \rimport os"), "E0107"),
    "a byte order mark inside": (model("w * x\ufeff"), "E0107"),
    "an import": ("import os\n" + model("w * x"), "E0110"),
    "a call of Python": (model("__import__(x)"), "E0121"),
    "an attribute of Python": (model("x.__class__"), "E0121"),
    "a lambda": (model("lambda x: x"), "E0110"),
    "a text": (model('"import os"'), "E0405"),
    "a text with an escape": (model(r'"\"; import os #"'), "E0106"),
    "a text as an initial value": ('param w ~ "normal"\nminimize w^2\n', "E0414"),
}  # fmt: skip


@pytest.mark.parametrize("name", TOLD)
def test_what_is_told(name: str) -> None:
    text, expected = TOLD[name]
    found = codes(text)
    assert expected in found, found


# ----------------------------------------------------------------------------------------- letters that are not as seen

FOLDED = {
    "a wide x": ("\uff58", "E0120"),
    "a long s": ("\u017f", "E0120"),
    "import in bold": ("\U0001d422\U0001d426\U0001d429\U0001d428\U0001d42b\U0001d42d", "E0120"),
    "exec in italics": ("\U0001d452\U0001d465\U0001d452\U0001d450", "E0120"),
    "a ligature": ("\ufb01t", "E0120"),
    "a letter and an accent": ("e\u0301", "E0106"),
    "a letter with its accent": ("\u00e9", "E0120"),
    "an ordinal": ("\u00aa", "E0120"),
    "a raised two": ("x\u00b2", "E0120"),
    "a micro sign": ("\u00b5", "E0120"),
    "the sign for ohm": ("\u2126", "E0120"),
    "Cyrillic": ("\u0445", "E0120"),
    "a Greek A": ("\u0391", "E0122"),
    "a Greek letter among Latin ones": ("p\u03b1y", "E0122"),
    "two underscores": ("__init__", "E0121"),
    "an Arabic figure": ("x\u0661", "E0120"),
}
UNSEEN = [
    *range(0x202A, 0x202F),
    *range(0x2066, 0x206A),
    0x200B,
    0x200D,
    0x200E,
    0x200F,
    0x00AD,
    0x2028,
    0xFEFF,
    0xE0041,
]
STEERING = ["\x1b[2J", "\x1b]0;title\x07", "\x9b31m", "\x08\x08", "\x7f", "\x85", "\r"]


@pytest.mark.parametrize("name", FOLDED)
def test_letters_that_fold_or_deceive(name: str) -> None:
    letters, expected = FOLDED[name]
    for text in (f"param {letters} = 1\nminimize {letters}^2\n", f"axis {letters}: 2\nparam w[{letters}] = 0\n"):
        assert expected in codes(text)


@pytest.mark.parametrize("point", UNSEEN, ids=hex)
def test_what_cannot_be_seen(point: int) -> None:
    for text in (f"param w{chr(point)} = 1\nminimize w^2\n", f"param w = 1 # {chr(point)}\nminimize w^2\n"):
        assert "E0107" in codes(text)


@pytest.mark.parametrize("steering", STEERING, ids=ascii)
def test_nothing_steers_a_terminal(steering: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / f"a{steering}.model"
    for text in (f"param w{steering} = 1\n", f"# {steering}\nparam w = 1\n", "param w = \n", "minimize w\n"):
        path.write_text(text, encoding="utf-8", newline="")
        for more in ([], ["--json"]):
            assert main(["compile", str(path), *more]) == 1
            told = capsys.readouterr()
            assert all(line.isprintable() for stream in told for line in stream.split("\n"))
    path.write_text("param w = 1\nminimize w^2\n", encoding="utf-8")
    assert main(["compile", str(path), "-o", str(tmp_path / "out.py")]) == 0
    told = capsys.readouterr()
    assert all(line.isprintable() for stream in told for line in stream.split("\n"))


# ---------------------------------------------------------------------------------------------- out of the emitted text

PLAIN = """\
axis d: 3
input x[n, d], y[n]
param w[d] ~ normal(0, 1), b = 0.5
const c = 2
def f(a) = a + c
layer L:
    param g = 1.5
    def call(a) = g * a
l = L
z = f(x @ w) + l(b)
minimize o = sum[n]((z - y)^2)
output p = z
metric m = mean[n](abs(z - y))
"""
ROLES = ("d", "x", "y", "w", "b", "c", "f", "L", "g", "l", "z", "o", "p", "m")
NAMES = (
    *("class lambda None True import def del is global pass assert yield async match case type _").split(),
    *("open eval exec compile getattr globals print id list dict len min float int object super range slice").split(),
    *("np numpy add subtract dot matmul einsum empty ones zeros array asarray where copyto errstate load save").split(),
    *(
        "theta data self out seed seeds block blocks block_rows rows count found lengths several start stop entry"
    ).split(),
    *("bind predict metrics vjp initial layout pack unpack loss gradient objective values random").split(),
    *("DataError INPUTS PARAMETERS OUTPUTS AXES MODEL DTYPE CACHE ROWS VERSION SOURCE_SHA256 SUPPORT").split(),
    *("_read _Objective _Outputs _Pullback _OBJECTIVES _lengths _fixed _theta _numbers rebind size").split(),
    *("s0 s1 b0 b1 f0 f1 x_1 d_w sum_z part_z ones_n each_n gradient_w seed_p w_cell x_by_rows n_ w_g").split(),
    *("\u03bb \u03b8 \u03c3_1 lambda_ theta_ A__b a_ a_2").split(),
)


def renamed(names: Mapping[str, str]) -> str:
    return re.sub(r"\b[a-zL]\b", lambda match: names.get(match[0], match[0]), PLAIN)


def numbers(text: str) -> list[Any]:
    """What the module of a model gives: all of it, in order."""
    module = load(compile_model(Source("any.model", text)).module)
    data = dict(
        zip(module.INPUTS, sample(load(compile_model(Source("any.model", PLAIN)).module)).values(), strict=True)
    )
    theta = module.initial(seed=3)
    loss, gradient = module.bind(data)(theta)
    (output,), (metric,) = module.predict(theta, data).items(), module.metrics(theta, data).items()
    return [loss, gradient, output[1], metric[1], module.vjp(theta, data, {output[0]: np.ones(5)})]


def test_names_are_names_and_nothing_else() -> None:
    """Each name in each role, others that trouble in the other roles: the numbers stay what they are."""
    expected = numbers(PLAIN)
    refused = {name for name in NAMES if codes(f"param {name} = 1\nminimize {name}^2\n")}
    assert refused == {"True", "yield"}
    names = [name for name in NAMES if name not in refused]
    for i in range(0, len(names), 2):
        chosen = {role: names[(i + 5 * k) % len(names)] for k, role in enumerate(ROLES)}
        for found, truth in zip(numbers(renamed(chosen)), expected, strict=True):
            np.testing.assert_array_equal(found, truth, err_msg=str(chosen))


def test_names_that_become_one_in_python_stay_apart() -> None:
    text = "param \u03bb = 1, lambda = 2, lambda_ = 3, lambda_2 = 4, Lambda = 5, \u039b = 6\n"
    names = ["\u03bb", "lambda", "lambda_", "lambda_2", "Lambda", "\u039b"]
    terms = " + ".join(f"{name}^{i + 2}" for i, name in enumerate(names))
    module = load(compile_model(Source("any.model", f"{text}minimize {terms}\n")).module)
    values = np.arange(1.0, 7.0)
    loss, gradient = module.bind({})(values)
    assert loss == sum(v ** (i + 2) for i, v in enumerate(values))
    np.testing.assert_allclose(gradient, [(i + 2) * v ** (i + 1) for i, v in enumerate(values)], rtol=1e-15)


ESCAPES = (
    '"""',
    "'''",
    '""" + __import__("os").system("true") + """',
    "\\",
    "\\N{LATIN SMALL LETTER A}",
    "\\x22\\x22\\x22\\nimport os",
    "coding: utf-7",
    "-*- coding: rot13 -*-",
    "vim: set fileencoding=utf-16 :",
    "!/bin/sh",
    "type: ignore",
    "{__import__(0)}",
    "%s %(x)s",
    "+AAo-import os",
    "\u00e9\u4e2d\U0001f600 \u0301",
    "x" * 50_000,
)


def stripped(text: str) -> str:
    """The module's syntax tree but for the hash of its source: what is left is what Python does."""
    return re.sub(r"SHA256.*?[0-9a-f]{64}", "", ast.dump(ast.parse(text)))


@pytest.mark.parametrize("escape", ESCAPES, ids=range(len(ESCAPES)))
def test_comments_are_comments(escape: str, tmp_path: Path) -> None:
    commented = f"# {escape}\n" + "".join(f"{line} # {escape}\n" for line in PLAIN.splitlines())
    plain = compile_model(Source("any.model", "\n" + PLAIN)).module
    text = compile_model(Source("any.model", commented)).module
    assert stripped(text) == stripped(plain)
    assert text.isascii()
    assert text.splitlines()[:2] == plain.splitlines()[:2]
    # Read as Python reads a file, whatever the lines say of their encoding.
    path = tmp_path / "module.py"
    path.write_text(text, encoding="ascii", newline="\n")
    assert stripped(plain) == re.sub(r"SHA256.*?[0-9a-f]{64}", "", ast.dump(ast.parse(path.read_bytes())))


@pytest.mark.parametrize("name", [*ESCAPES, "..", "a\nimport os\n", "a\x1b[2J", "\u202e", "\udcff", ""], ids=ascii)
def test_the_name_of_a_file_is_text(name: str) -> None:
    texts = [compile_model(Source(f"{n}.model", PLAIN)).module for n in (name[:250], "any")]
    kept = [re.sub(r'"""A model.*?"""|MODEL = ".*?"', "", text, count=2, flags=re.DOTALL) for text in texts]
    assert kept[0] == kept[1]
    assert ast.get_docstring(ast.parse(texts[0])) is not None


# ---------------------------------------------------------------------------------------------------------------- files

USES = {
    "use ../secret.f": "E0106",
    "use /etc/passwd.f": "E0110",
    'use "/etc/passwd"': "E0110",
    "use ..secret.f": "E0106",
    "use os.path": "E0203",
    "use self.f": "E0203",
    "use any.f": "E0203",
    "use nn": "E0110",
    "use nn.__class__": "E0121",
    "use nn.nothing": "E0203",
}


@pytest.mark.parametrize("statement", USES)
def test_use_reaches_the_library_alone(statement: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret.model").write_text("def f(x) = x\n")
    (tmp_path / "any.model").write_text("def f(x) = x\n")
    monkeypatch.chdir(tmp_path)
    found = codes(f"{statement}\nparam w = 1\nminimize w^2\n")
    assert USES[statement] in found, found


def test_what_is_no_file_is_not_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path / "link", tmp_path / "loop", tmp_path / "folder"):
        assert main(["compile", str(path), "-o", str(tmp_path / "out.py")]) == 1
        assert "Traceback" not in capsys.readouterr().err
        assert not (tmp_path / "out.py").exists()


def test_what_is_no_text_is_not_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = b"param w = 1\nminimize w^2\n"
    path = tmp_path / "a.model"
    for data, status in (
        (good, 0),
        (b"\xef\xbb\xbf" + good, 0),
        (b"\xff\xfe" + good.decode().encode("utf-16-le"), 1),
        (good + b"\xed\xa0\x80", 1),
        (good + b"\xc0\xaf", 1),
        (good + b"\0", 1),
        (b"", 1),
    ):
        path.write_bytes(data)
        assert main(["compile", str(path), "-o", str(tmp_path / "out.py")]) == status, data
        assert "Traceback" not in capsys.readouterr().err


# --------------------------------------------------------------------------------------------------- time by the length

GROWING: Mapping[str, Callable[[int], str]] = {
    "a line": lambda n: "w * " * n,
    "comments": lambda n: "# a\n" * n,
    "brackets that close nothing": lambda n: ")" * n,
    "quotes": lambda n: '"' * n,
    "names": lambda n: "a." * n,
    "figures": lambda n: "1" * n,
    "spaces": lambda n: " " * n + "x",
    "lines of nothing": lambda n: "\n" * n,
}


def test_reading_takes_time_by_the_length() -> None:
    """No pattern goes back over what it has read: 400,000 of a kind are refused at once, or read."""
    for name, text in GROWING.items():
        started = time.process_time()
        codes(text(400_000)[:999_999])
        assert time.process_time() - started < SECONDS * pace(), name
