"""The command line as a whole: help, exit statuses, streams, colour, JSON on success and on failure."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gradc import __version__
from gradc.__main__ import COMMANDS, main
from gradc.commands import compile as compile_command
from gradc.terminal import colored

THERMOMETER = Path(__file__).parents[1] / "examples" / "thermometer" / "thermometer.model"


def run_python(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("words", [["--help"], *([name, "--help"] for name in COMMANDS), ["--version"]])
def test_help_is_told_without_anything_heavy(words: list[str]) -> None:
    code = (
        "import sys\nfrom gradc.__main__ import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "assert not {'sympy', 'numpy', 'lark', 'rich'} & set(sys.modules), sys.modules.keys()"
    )
    told = run_python(code, *words)
    assert told.returncode == 0, told.stderr
    assert told.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_each_help_has_examples_that_parse(name: str) -> None:
    from gradc.__main__ import parser

    room = importlib.import_module(f"gradc.commands.{name}")
    lines = [line.strip() for line in room.EPILOG.splitlines() if line.strip().startswith("gradc ")]
    assert lines
    for line in lines:
        words = line.split("   ")[0].split()
        assert words[:2] == ["gradc", name]
        parser().parse_args(words[1:])


def test_the_package_is_imported_without_anything_heavy() -> None:
    told = run_python("import gradc, sys; assert not {'sympy', 'numpy', 'lark', 'rich'} & set(sys.modules)")
    assert told.returncode == 0, told.stderr


def test_the_package_has_what_it_lists() -> None:
    import gradc

    for name in gradc.__all__:
        assert getattr(gradc, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        gradc.nothing  # noqa: B018


def test_compiling_from_python(tmp_path: Path) -> None:
    import gradc

    model = gradc.compile("input x[n]\nparam w = 2\nminimize mean((w * x)^2)\n")
    assert model.module.PARAMETERS["w"]["initial"] == ("constant", 2.0)
    assert gradc.compile(THERMOMETER).text == gradc.compile(str(THERMOMETER)).text
    assert gradc.compile(THERMOMETER).name == "thermometer"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "required"),
        (["complie", "x.model"], "did you mean compile?"),
        (["compile"], "MODEL"),
        (["compile", "x.model", "--dtype", "float16"], "float16"),
        (["compile", "x.model", "--const", "l2"], "name=value"),
        (["compile", "x.model", "--const", "l2=nan"], "a number"),
        (["compile", "x.model", "-o", "x.model"], "over the model itself"),
        (["compile", "x.model", "-o", "-", "--check"], "-o - names none"),
        (["check", "x.model", "--seed", "-1"], "whole number from 0"),
        (["inspect", "x.model", "--format", "html"], "html"),
    ],
)
def test_a_wrong_command_line_is_status_2(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    told = capsys.readouterr()
    assert said in told.err
    assert not told.out
    assert main([*words, "--json"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert document["errors"][0]["code"] == "usage"
    assert document["status"] == 2
    assert document["ok"] is False


def test_a_missing_model_is_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("compile", "inspect", "check"):
        assert main([command, str(tmp_path / "no.model")]) == 1
        told = capsys.readouterr()
        assert "No such file" in told.err
        assert not told.out


def test_a_mistake_in_the_model_has_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "wrong.model"
    model.write_text("input x[n]\nparam w = 1\nminimize mean(w * xx)\n")
    assert main(["compile", str(model)]) == 1
    told = capsys.readouterr()
    assert "wrong.model:3:19" in told.err
    assert "^^" in told.err
    assert "\x1b" not in told.err
    assert not told.out
    assert not model.with_suffix(".py").exists()
    assert main(["compile", str(model), "--json"]) == 1
    error = json.loads(capsys.readouterr().out)["errors"][0]
    assert (error["file"], error["line"], error["column"]) == ("wrong.model", 3, 19)


def test_several_mistakes_are_told_in_one_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "wrong.model"
    model.write_text("input x[n]\nparam w = 1\na = w * xx\nc = w * yy\nminimize mean(w * x)\n")
    assert main(["compile", str(model), "--json"]) == 1
    assert len(json.loads(capsys.readouterr().out)["errors"]) == 2


def test_colour_is_given_when_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "wrong.model"
    model.write_text("minimize xx\n")
    main(["compile", str(model), "--color", "always"])
    assert "\x1b[1;31merror" in capsys.readouterr().err


class Screen:
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("choice", "environment", "expected"),
    [
        ("auto", {}, True),
        ("auto", {"NO_COLOR": "1"}, False),
        ("auto", {"NO_COLOR": ""}, True),
        ("auto", {"TERM": "dumb"}, False),
        ("auto", {"TERM": "dumb", "FORCE_COLOR": "1"}, True),
        ("auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        ("always", {"NO_COLOR": "1"}, True),
        ("never", {"FORCE_COLOR": "1"}, False),
    ],
)
def test_what_decides_on_colour(choice: str, environment: dict[str, str], expected: bool) -> None:
    assert colored(choice, Screen(), environment) is expected  # type: ignore[arg-type]


def test_no_colour_where_there_is_no_terminal() -> None:
    with open(os.devnull) as file:
        assert not colored("auto", file, {})
        assert colored("auto", file, {"FORCE_COLOR": "1"})


def test_a_bug_of_ours_is_status_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("deep inside")

    monkeypatch.setattr(compile_command, "compile_source", broken)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert main(["compile", str(THERMOMETER), "-o", "-"]) == 3
    told = capsys.readouterr()
    assert "bug in gradc" in told.err
    assert "Traceback" not in told.err
    (crash,) = tmp_path.glob("gradc-crash-*.txt")
    assert "ZeroDivisionError: deep inside" in crash.read_text()
    assert str(crash) in told.err
    assert main(["compile", str(THERMOMETER), "-o", "-", "--traceback"]) == 3
    assert "ZeroDivisionError: deep inside" in capsys.readouterr().err
    assert main(["compile", str(THERMOMETER), "-o", "-", "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["errors"][0]["code"] == "internal"


def test_an_interrupt_is_status_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(compile_command, "compile_source", interrupted)
    assert main(["compile", str(THERMOMETER), "-o", "-", "--json"]) == 130
    assert json.loads(capsys.readouterr().out)["status"] == 130


@pytest.mark.skipif(sys.platform == "win32", reason="there is no shell's pipe to close early")
def test_a_closed_pipe_is_quiet() -> None:
    script = f"'{sys.executable}' -m gradc compile '{THERMOMETER}' -o - | head -n 1"
    told = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert told.stdout == '"""A model, compiled by gradc: value and gradient in NumPy.\n'
    assert told.stderr == ""


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"gradc {__version__}\n"
