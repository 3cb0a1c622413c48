"""The optimiser and the schedules that words of the command line choose: NAME, or NAME:option=value,…

Takes words; gives the runtime's classes with their options. The options are those of the classes, by their signatures.
What is not understood is a `Failure` ("usage") that says what there is.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gradc.compiler.source import nearest
from gradc.failures import usage

if TYPE_CHECKING:
    from gradc.runtime import Optimizer, Session
    from gradc.runtime.schedules import LRScheduler

SCHEDULES = {
    "step": "StepLR",
    "multistep": "MultiStepLR",
    "constant": "ConstantLR",
    "linear": "LinearLR",
    "exponential": "ExponentialLR",
    "polynomial": "PolynomialLR",
    "cosine": "CosineAnnealingLR",
    "restarts": "CosineAnnealingWarmRestarts",
    "cyclic": "CyclicLR",
    "onecycle": "OneCycleLR",
    "plateau": "ReduceLROnPlateau",
}
"""Those that words can describe; the others need functions, or are made of several."""

BEGIN = inspect.Parameter("at", inspect.Parameter.KEYWORD_ONLY, annotation="int")
"""The option that every schedule has here: the epoch with which it begins, after another."""

LENGTHS = {"CosineAnnealingLR": "T_max", "OneCycleLR": "total_steps"}
"""The option that is what is left of the training where it is not given."""


EVERY = ("epoch", "step")
"""How often a schedule is stepped."""


@dataclass(frozen=True)
class Choice:
    """A class of the runtime, by its name, and its options; `at` is the epoch with which a schedule begins."""

    name: str
    options: Mapping[str, Any]
    at: int | None = None

    def as_data(self) -> dict[str, Any]:
        """For run.json."""
        return {"name": self.name, **self.options, **({} if self.at is None else {"at": self.at})}


def optimizer(word: str, given: Mapping[str, Any]) -> Choice:
    """The optimiser, all its options resolved; `given` are those that have options of the command line of their own."""
    from gradc.runtime import OPTIMIZERS

    name, pieces = _parts(word, {key.lower(): key for key in OPTIMIZERS}, "optimiser")
    known = _known(OPTIMIZERS[name], ("session", "params"))
    options = {key: option.default for key, option in known.items()}
    read = _read(name, known, pieces)
    for key in given:
        if key not in known:
            raise usage(f"{name} has no {key}, and --{key.replace('_', '-')} was given", _has(name, known))
        if key in read:
            raise usage(f"{key} is given twice: in --optimizer, and as --{key.replace('_', '-')}")
    options = {**options, **read, **given}
    try:
        OPTIMIZERS[name].check(options)
    except ValueError as error:
        raise usage(f"{name}: {error}") from error
    return Choice(name, options)


def groups(words: Sequence[str], chosen: Choice) -> list[dict[str, Any]]:
    """Groups of parameters with options of their own, PATTERN:option=value,…, as the optimiser takes them."""
    from gradc.runtime import OPTIMIZERS

    known = _known(OPTIMIZERS[chosen.name], ("session", "params"))
    found = []
    for word in words:
        pattern, _, rest = word.partition(":")
        if not pattern or not rest:
            raise usage(f"--group {word!a} should name parameters and options, as in 'head.*:lr=0.1,weight_decay=0'")
        options = _read(chosen.name, known, _pieces(rest))
        try:
            OPTIMIZERS[chosen.name].check({**chosen.options, **options})
        except ValueError as error:
            raise usage(f"--group {word!a}: {error}") from error
        found.append({"params": pattern, **options})
    return found


def schedules(words: Sequence[str], steps: int, unit: str = "epochs") -> list[Choice]:
    """The schedules in their order; a length that is not said is what is left of the `steps` of the training."""
    from gradc.runtime.schedules import SCHEDULES as CLASSES

    found = []
    for word in words:
        name, pieces = _parts(word, SCHEDULES, "schedule")
        known = _known(CLASSES[name], ("optimizer", "last_epoch"))
        options = _read(name, {**known, "at": BEGIN}, pieces)
        at = options.pop("at", None)
        length = LENGTHS.get(name)
        if length is not None and length not in options and "epochs" not in options:
            options[length] = max(1, steps - (at or 0))
        for key, option in known.items():
            if option.default is option.empty and key not in options:
                raise usage(
                    f"the schedule {name} needs {key}, as in {word.partition(':')[0]}:{key}=…", _has(name, known)
                )
        found.append(Choice(name, options, at))
    _in_order(found)
    long_enough(found, steps, unit)
    return found


def long_enough(found: Sequence[Choice], steps: int, unit: str) -> None:
    """Raises Failure where a schedule ends before the training does."""
    ends = [choice.at if choice.at is not None else steps for choice in found[1:]] + [steps]
    for choice, end in zip(found, ends[: len(found)], strict=True):
        if choice.name == "OneCycleLR":
            length = choice.options.get("total_steps")
            if length is None:
                length = choice.options["epochs"] * choice.options.get("steps_per_epoch", 0)
            if 0 < length < end - (choice.at or 0):
                raise usage(f"the schedule onecycle ends after {length} {unit}, and the training has {steps}")


def _in_order(found: Sequence[Choice]) -> None:
    """Raises Failure where schedules can neither act together nor follow one another."""
    begins = [choice.at for choice in found]
    told = [at for at in begins if at is not None]
    if told and (begins[0] is not None or len(told) < len(begins) - 1 or told != sorted(set(told))):
        raise usage(
            "of schedules that follow one another each but the first says when it begins, in ascending order",
            "as in --schedule linear:total_iters=5 --schedule cosine:T_max=45,at=5",
        )
    if len(found) > 1 and any(choice.name == "ReduceLROnPlateau" for choice in found):
        raise usage("the schedule plateau goes with no other")


def made(
    session: Session, chosen: Choice, apart: Sequence[Mapping[str, Any]], follow: Sequence[Choice]
) -> tuple[Optimizer, LRScheduler | None]:
    """The optimiser of the session, with groups that have options of their own and one of the rest; its schedule."""
    from gradc.runtime import OPTIMIZERS

    try:
        optimizer = OPTIMIZERS[chosen.name](session, params=_with_rest(session, apart), **chosen.options)
    except ValueError as error:
        raise usage(f"--group: {error}") from error
    return optimizer, scheduled(optimizer, follow)


def scheduled(optimizer: Optimizer, follow: Sequence[Choice]) -> LRScheduler | None:
    """The schedule of the optimiser, made of those that were chosen."""
    from gradc.runtime.schedules import SCHEDULES as CLASSES
    from gradc.runtime.schedules import ChainedScheduler, SequentialLR

    several: list[LRScheduler] = []
    for choice in follow:
        make: Callable[..., LRScheduler] = CLASSES[choice.name]
        try:
            several.append(make(optimizer, **choice.options))
        except ValueError as error:
            raise usage(f"the schedule {choice.name}: {error}") from error
    if len(several) < 2:
        return several[0] if several else None
    begins = [choice.at for choice in follow if choice.at is not None]
    return SequentialLR(optimizer, several, begins) if begins else ChainedScheduler(several, optimizer)


def _with_rest(session: Session, apart: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]] | None:
    """The groups, and behind them that of the parameters which none of them names."""
    from gradc.runtime.parameter import named

    if not apart:
        return None
    there = named(session.parameters, [group["params"] for group in apart])
    return [*apart, *([{"params": "*"}] if len(there) < len(session.parameters) else [])]


# ------------------------------------------------------------------------------------------------------------ words


def _parts(word: str, names: Mapping[str, str], what: str) -> tuple[str, list[tuple[str, str | None]]]:
    """The class that the word names, and the options behind it."""
    short, _, rest = word.partition(":")
    by_any = {key.lower(): value for key, value in (*names.items(), *((v, v) for v in names.values()))}
    name = by_any.get(short.lower())
    if name is None:
        near = nearest(short.lower(), by_any)
        there = f"there are {', '.join(names)}"
        raise usage(f"there is no {what} {short!a}", f"did you mean {near}? {there}" if near else there)
    return name, _pieces(rest)


def _pieces(rest: str) -> list[tuple[str, str | None]]:
    """The options of a word; what has no `=` may go on with a list."""
    pieces: list[tuple[str, str | None]] = []
    for part in rest.split(",") if rest else ():
        key, equals, value = part.partition("=")
        if equals:
            pieces.append((key.strip(), value.strip()))
        elif pieces and pieces[-1][1] is not None and _number(part) is not None:
            pieces[-1] = (pieces[-1][0], f"{pieces[-1][1]},{part.strip()}")
        else:
            pieces.append((key.strip(), None))
    return pieces


def _known(of: type[Any], without: Sequence[str]) -> dict[str, inspect.Parameter]:
    """The options that words can give."""
    found = inspect.signature(of).parameters
    return {key: option for key, option in found.items() if key not in without and option.annotation in KINDS}


def _read(
    name: str, known: Mapping[str, inspect.Parameter], pieces: Sequence[tuple[str, str | None]]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, word in pieces:
        if key not in known:
            near = nearest(key, known)
            there = _has(name, known)
            raise usage(f"{name} has no option {key!a}", f"did you mean {near}? {there}" if near else there)
        if key in found:
            raise usage(f"{name} is given {key} twice")
        parse, wanted = KINDS[known[key].annotation]
        value = parse("true" if word is None and known[key].annotation == "bool" else word or "")
        if value is None:
            raise usage(f"{key} of {name} should be {wanted}" + ("" if word is None else f", and is {word!a}"))
        found[key] = value
    return found


def _has(name: str, known: Mapping[str, inspect.Parameter]) -> str:
    return f"{name} has {', '.join(known)}"


def _number(word: str) -> float | None:
    try:
        value = float(word)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _whole(word: str) -> int | None:
    return int(word) if word.strip().isascii() and word.strip().isdigit() else None


def _truth(word: str) -> bool | None:
    return {"true": True, "false": False}.get(word.lower())


def _pair(word: str) -> tuple[float, float] | None:
    numbers = [_number(part) for part in word.split(",")]
    first, second = numbers if len(numbers) == 2 else (None, None)
    return None if first is None or second is None else (first, second)


def _wholes(word: str) -> list[int] | None:
    numbers = [_whole(part) for part in word.split(",")]
    found = [number for number in numbers if number is not None]
    return found if len(found) == len(numbers) else None


KINDS: dict[str, tuple[Callable[[str], Any], str]] = {
    "float": (_number, "a number"),
    "float | list[float]": (_number, "a number"),
    "int": (_whole, "a whole number"),
    "int | None": (_whole, "a whole number"),
    "bool": (_truth, "true or false"),
    "str": (lambda word: word or None, "a word"),
    "str | None": (lambda word: word or None, "a word"),
    "tuple[float, float]": (_pair, "two numbers, as 0.9,0.99"),
    "Iterable[int]": (_wholes, "whole numbers, as 10,20"),
}
"""How a value is read, by the annotation of its option, and what it should be."""
