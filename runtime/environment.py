"""What the last bit of a number depends on besides the program: NumPy, SciPy, BLAS, threads and the processor.

Takes nothing; gives it as names and words, for the record of a run, and says in what two of them differ. The order in
which a matrix product adds up follows from all of these, so that two machines may differ in the last digits.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "OMP_NUM_THREADS")
"""The environment variables that say how many threads a BLAS takes; the first that is set counts."""

WORDS = {
    "gradc": "gradc",
    "python": "Python",
    "numpy": "NumPy",
    "scipy": "SciPy",
    "blas": "the BLAS library",
    "blas_core": "the kernels of the BLAS library (OPENBLAS_CORETYPE)",
    "threads": "the number of threads",
    "system": "the operating system",
    "processor": "the processor",
    "features": "what NumPy uses of the processor",
}
"""What each entry is, in words. Which gradc it is, is added by who knows it."""


def environment() -> dict[str, Any]:
    """The entries of WORDS, of this process, but for gradc."""
    found: Any = np.show_config(mode="dicts")
    blas = found.get("Build Dependencies", {}).get("blas", {})
    simd = found.get("SIMD Extensions", {})
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": _scipy(),
        "blas": f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip(),
        "blas_core": os.environ.get("OPENBLAS_CORETYPE"),
        "threads": _threads(),
        "system": f"{sys.platform} {platform.machine()}",
        "processor": _processor(),
        "features": [*simd.get("baseline", ()), *simd.get("found", ())],
    }


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """A line for each entry that is not what it was."""
    return [
        f"{words} was {_told(before.get(name))} and is {_told(now.get(name))}"
        for name, words in WORDS.items()
        if before.get(name) != now.get(name)
    ]


def _told(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else "not set" if value is None else str(value)


def _scipy() -> str | None:
    """Its version: SGD on large vectors takes its update from there, and rounds otherwise without it."""
    try:
        return version("scipy")
    except PackageNotFoundError:
        return None


def _threads() -> int:
    """How many threads a BLAS takes, as far as the environment says it."""
    for name in THREADS:
        word = os.environ.get(name, "").partition(",")[0]
        if word.isdecimal() and int(word) > 0:
            return int(word)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor() -> str:
    """The processor's name, as the system knows it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
