"""The pages on rewriting are true: their rules are those of the passes, and their figures those that are stored.

That gradc has all points is what test_stable_suite asks for. `--update-golden` writes the tables anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from gradc.compiler.pipeline import RULES
from gradc.compiler.simplify import stable
from gradc.compiler.simplify.rewrites import Rule

from .stable_formulas import FORMULAS, POINTS

DOCS = Path(__file__).parents[1] / "docs"
PEERS = json.loads((Path(__file__).parent / "reference" / "stable_peers.json").read_text())


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(head), ["---"] * len(list(head)), *map(list, rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _plain(text: str) -> str:
    return text.replace("|", "\\|")


def _code(text: str) -> str:
    return f"`{_plain(text)}`"


def rules(of: Iterable[Rule], why: str) -> str:
    """The table of rules."""
    return _table(
        ("rule", "as written", "its form", why, "source"),
        ((_code(r.name), _code(r.before), _code(r.after), _plain(r.why), _plain(r.source)) for r in of),
    )


def _share(counts: Iterable[int]) -> str:
    # Rounded down: 100 % is all points.
    return ", ".join(f"{100 * count // POINTS} %" for count in counts)


def suite() -> str:
    """The table of formulas."""
    versions = PEERS["versions"]
    return _table(
        ("formula", "as written", "gradc", f"PyTorch {versions['torch']}", f"JAX {versions['jax']}"),
        (
            (
                f.name,
                _code(f.text),
                _share((POINTS, POINTS)),
                _share(PEERS["torch"][f.name]),
                _share(PEERS["jax"][f.name]),
            )
            for f in FORMULAS
        ),
    )


def test_the_pages_have_the_tables(golden: Callable[[Path, str], None]) -> None:
    others = [rule for rule in RULES.values() if rule.of != "stable"]
    pages = {
        "stable-forms.md": {"rules": rules(stable.RULES, "as written, it"), "suite": suite()},
        "simplification.md": {"rules": rules(others, "why")},
    }
    for page, tables in pages.items():
        text = (DOCS / page).read_text(encoding="utf-8")
        for name, table in tables.items():
            pattern = rf"(<!-- {name} -->\n).*?(<!-- end -->)"
            text = re.sub(pattern, lambda found, table=table: f"{found[1]}\n{table}\n{found[2]}", text, flags=re.DOTALL)
        golden(DOCS / page, text)


def test_gradc_leads() -> None:
    """No library has all values and gradients of any formula."""
    for name in ("torch", "jax"):
        counts = [PEERS[name][f.name] for f in FORMULAS]
        assert all(value <= POINTS and gradient <= POINTS for value, gradient in counts)
        assert all(min(pair) < POINTS for pair in counts)
