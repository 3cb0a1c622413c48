"""The package that people install: every folder is in it, it imports what it says, and a module needs NumPy alone."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from gradc import __version__

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FOLDERS = {"face": "gradc", "compiler": "gradc.compiler", "runtime": "gradc.runtime", "grammar": "gradc.grammar"}


def test_every_package_is_listed() -> None:
    found = set()
    for folder, package in FOLDERS.items():
        for init in (ROOT / folder).rglob("__init__.py"):
            inner = init.parent.relative_to(ROOT / folder).parts
            found.add(".".join((package, *inner)))
    assert found == set(PROJECT["tool"]["setuptools"]["packages"])
    for folder in FOLDERS:
        for module in (ROOT / folder).rglob("*.py"):
            assert (module.parent / "__init__.py").exists(), f"{module} is in no package"


def test_the_version_is_one() -> None:
    assert PROJECT["project"]["version"] == __version__


def test_the_wheel_holds_everything(tmp_path: Path) -> None:
    # The sources are copied, so that a build leaves nothing in the checkout and finds nothing old there.
    source = tmp_path / "source"
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    wanted = set()
    for folder, package in FOLDERS.items():
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and path.suffix not in (".pyc", ".pyo"):
                copy = source / path.relative_to(ROOT)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(path.read_bytes())
                wanted.add("/".join((*package.split("."), *path.relative_to(ROOT / folder).parts)))
    build = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]), file=sys.stderr)"
    made = subprocess.run(
        [sys.executable, "-c", build, str(tmp_path)],
        cwd=source,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    (wheel,) = tmp_path.glob("gradc-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {"gradc/py.typed", "gradc/grammar/model.lark"} <= names
    assert {f"gradc/grammar/{library}.model" for library in ("nn", "loss", "stats")} <= names
    assert wanted <= names, sorted(wanted - names)
    assert {name.partition("/")[0] for name in names} == {"gradc", f"gradc-{__version__}.dist-info"}


def imported(path: Path) -> set[str]:
    """What a file imports absolutely, by its first word, and how often by two."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module)
    return found


def test_no_folder_is_imported_by_its_own_name() -> None:
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*.py"):
            first = {name.partition(".")[0] for name in imported(path)}
            assert not first & set(FOLDERS), path
            if folder != "face":
                assert "gradc" not in first, f"{path} should import relatively"


def test_the_compiler_and_the_runtime_do_not_know_each_other() -> None:
    for folder, other in (("compiler", "runtime"), ("runtime", "compiler")):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and node.level:
                    assert other not in (node.module or "").split("."), path
                    assert other not in {alias.name for alias in node.names}, path


ALONE = """
import importlib.abc, sys

class Block(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("sympy", "lark", "gradc", "mpmath", "opt_einsum", "rich", "scipy"):
            raise ImportError(name + " is not here")

sys.meta_path.insert(0, Block())
sys.path.insert(0, sys.argv[1])
import thermometer as m
data = {"t_u": [1.0, 2.0, 3.0], "t_c": [2.0, 4.0, 7.0]}
theta = m.initial()
loss, gradient = m.bind(data)(theta)
assert abs(loss - 7) < 1e-12 and gradient.shape == (2,), loss
assert m.predict(theta, data)["t_p"].tolist() == [1.0, 2.0, 3.0]
print(sorted({name.partition(".")[0] for name in sys.modules} & {"sympy", "lark", "gradc", "numpy"}))
"""


def test_a_module_needs_numpy_alone(tmp_path: Path) -> None:
    from gradc.__main__ import main

    model = ROOT / "examples" / "thermometer" / "thermometer.model"
    assert main(["compile", str(model), "-o", str(tmp_path / "thermometer.py")]) == 0
    run = subprocess.run(
        [sys.executable, "-c", ALONE, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout == "['numpy']\n"


@pytest.mark.parametrize("path", [".ci/run", "tests/run", "examples/thermometer/run"])
def test_scripts_can_be_run(path: str) -> None:
    assert (ROOT / path).stat().st_mode & 0o111
    shell = (ROOT / path).read_text().splitlines()[0].split()[-1].removeprefix("#!")
    assert subprocess.run([Path(shell).name, "-n", str(ROOT / path)], timeout=10, check=False).returncode == 0
