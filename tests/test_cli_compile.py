"""`gradc compile`: what it writes, what it leaves alone, and when a module is stale."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from gradc.__main__ import main
from gradc.compiler.pipeline import PASSES
from gradc.files import MARK

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copy(EXAMPLES / "logistic" / "logistic.model", tmp_path))


def test_the_module_stands_beside_the_model(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", str(model)]) == 0
    text = model.with_suffix(".py").read_text()
    assert text.startswith(MARK)
    told = capsys.readouterr()
    assert not told.out
    assert "logistic.py written" in told.err
    assert main(["compile", str(model), "-o", "-"]) == 0
    assert capsys.readouterr().out == text
    assert sorted(path.name for path in model.parent.iterdir()) == ["logistic.model", "logistic.py"]


def test_check_fails_for_a_stale_module(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", str(model), "--check"]) == 1
    assert not model.with_suffix(".py").exists()
    assert main(["compile", str(model)]) == 0
    assert main(["compile", str(model), "--check"]) == 0
    assert main(["compile", str(model), "--check", "--const", "l2=0.5"]) == 1
    model.write_text(model.read_text() + "\n# changed\n")
    capsys.readouterr()
    assert main(["compile", str(model), "--check", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["result"]["stale"] is True
    assert document["errors"][0]["code"] == "stale"


def test_a_file_that_is_not_ours_is_kept(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = model.with_suffix(".py")
    target.write_text("print('mine')\n")
    assert main(["compile", str(model)]) == 1
    assert target.read_text() == "print('mine')\n"
    assert "not written by gradc" in capsys.readouterr().err
    assert main(["compile", str(model), "--force"]) == 0
    assert target.read_text().startswith(MARK)


def test_a_link_and_a_folder_are_kept(model: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.py"
    link.symlink_to(tmp_path / "elsewhere.py")
    assert main(["compile", str(model), "-o", str(link), "--force"]) == 1
    assert link.is_symlink()
    assert not (tmp_path / "elsewhere.py").exists()
    assert main(["compile", str(model), "-o", str(tmp_path), "--force"]) == 1
    assert main(["compile", str(model), "-o", str(tmp_path / "no" / "where.py")]) == 1


def test_the_model_is_never_written_over(model: Path) -> None:
    before = model.read_bytes()
    assert main(["compile", str(model), "-o", str(model), "--force"]) == 2
    assert main(["compile", str(model), "-o", str(model.parent / "." / model.name), "--force"]) == 2
    assert model.read_bytes() == before


def test_constants_and_dtype_reach_the_module(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", str(model), "-o", "-", "--const", "l2=0.25", "--dtype", "float32", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)["result"]
    assert result["constants"] == {"l2": 0.25}
    assert '"l2": 0.25' in result["module"]
    assert 'DTYPE = "float32"' in result["module"]
    assert main(["compile", str(model), "--const", "l3=1"]) == 1
    assert "no constant `l3`" in capsys.readouterr().err


@pytest.mark.parametrize("name", PASSES)
def test_each_pass_can_be_left_out(name: str, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", str(model), "-o", "-", "--without", name]) == 0
    assert capsys.readouterr().out.startswith(MARK)


def test_the_help_names_every_pass(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["compile", "--help"])
    told = capsys.readouterr().out
    assert all(name in told for name in PASSES)


def test_an_unknown_pass_is_usage(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", str(model), "--without", "tensors"]) == 2
    assert "did you mean tensor?" in capsys.readouterr().err


def test_derivatives_on_request(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", str(model), "-o", "-"]) == 0
    assert "def hessian(" not in capsys.readouterr().out
    assert main(["compile", str(model), "-o", "-", "--derivatives", "hessian,hvp"]) == 0
    text = capsys.readouterr().out
    assert "def hessian(" in text
    assert "def hvp(" in text
    assert "def jacobian(" not in text
    assert main(["compile", str(model), "-o", "-", "--derivatives", "hesian"]) == 2
    told = capsys.readouterr().err
    assert "there is no derivative 'hesian'" in told
    assert "did you mean hessian?" in told
    alone = model.with_name("alone.model")
    alone.write_text("param w = 1\nminimize w^2\n")
    assert main(["compile", str(alone), "-o", "-", "--derivatives", "jacobian"]) == 2
    assert "the model has no jacobian" in capsys.readouterr().err


def test_what_is_frozen_and_what_is_given_besides(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", str(model), "--freeze", "w", "--value", "z", "-o", "-", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["result"]
    assert (found["frozen"], found["values"]) == (["w"], ["z"])
    assert 'FROZEN = ("w",)' in found["module"]
    assert '"over": ("b",)' in found["module"]
    assert '    "z": {"axes": ("n",)' in found["module"]


@pytest.mark.parametrize(
    ("words", "message", "help"),
    [
        (["--freeze", "v"], "no parameter 'v'", "there are w, b"),
        (["--freeze", "w", "--freeze", "body.*"], "no parameter 'body.*'", "there are w, b"),
        (["--value", "zz"], "no named value 'zz'", "did you mean z?"),
    ],
)
def test_names_that_the_model_does_not_have(
    model: Path, words: list[str], message: str, help: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compile", str(model), *words]) == 1
    told = capsys.readouterr().err
    assert message in told
    assert help in told
    assert not model.with_suffix(".py").exists()
