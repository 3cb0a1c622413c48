"""Every outcome of a command, in words and as data: the one place where a mistake is rendered.

Takes what a command returned or raised; gives text for standard error, and with `--json` the one JSON document for
standard output. Its fields are described in docs/command-line.md; `SCHEMA` changes when one changes its meaning or
goes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gradc.compiler import VERSION
from gradc.compiler.source import ModelError, render, to_json, visible
from gradc.failures import OK, Failure

SCHEMA = 1

_RED, _YELLOW, _BOLD, _PLAIN = "\x1b[1;31m", "\x1b[1;33m", "\x1b[1m", "\x1b[0m"


@dataclass(frozen=True)
class Outcome:
    """What a command gives: text for standard output, the same as data, and what failed on the way."""

    result: Mapping[str, Any]
    text: str = ""
    status: int = OK
    failures: Sequence[Failure | ModelError] = field(default=())


def in_words(error: Failure | ModelError, color: bool) -> str:
    """A mistake as a person reads it, without a line end."""
    if isinstance(error, ModelError):
        return "\n\n".join(render(diagnostic, color) for diagnostic in error.diagnostics)
    red, bold, plain = (_RED, _BOLD, _PLAIN) if color else ("", "", "")
    lines = "\n".join(visible(line) for line in error.message.splitlines())
    text = f"{red}error{plain}{bold}: {lines}{plain}"
    if error.help is not None:
        text += f"\n  = {bold}help{plain}: {visible(error.help)}"
    return text


def as_data(error: Failure | ModelError) -> list[dict[str, Any]]:
    """The same mistake as the entries of `errors`: a diagnostic with its place, or a failure without one."""
    if isinstance(error, ModelError):
        return [dict(to_json(diagnostic)) for diagnostic in error.diagnostics]
    return [{"code": error.code, "message": error.message, "help": error.help, "details": dict(error.details)}]


def document(command: str | None, status: int, result: Mapping[str, Any] | None, errors: Sequence[Any]) -> str:
    """The JSON document of a run, with its line end. Numbers that JSON lacks become null."""
    data = {
        "schema": SCHEMA,
        "gradc": VERSION,
        "command": command,
        "status": status,
        "ok": status == OK,
        "result": result,
        "errors": list(errors),
    }
    return json.dumps(_finite(data), indent=2, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return value
