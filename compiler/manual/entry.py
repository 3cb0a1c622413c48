"""What the reference says of one name of the language."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """One page. `names` are all names that it explains, its title first; `forms` how they are written.

    `formula` holds lines of what it computes, `axes` says which axes it needs and gives, `derivative` what its
    derivative is and `corners` where that is a matter of convention; what is empty is left out. `example` is a whole
    model, which compiles and passes its gradient check.
    """

    group: str
    names: tuple[str, ...]
    forms: tuple[str, ...]
    meaning: str
    example: str
    formula: tuple[str, ...] = ()
    axes: str = ""
    derivative: str = ""
    corners: str = ""
    see: tuple[str, ...] = ()
    source: str = ""

    @property
    def title(self) -> str:
        return self.names[0]


def entry(group: str, names: str, forms: str, meaning: str, example: str, **more: str) -> Entry:
    """An entry from plain text: names and `see` between blanks, a form and a part of the formula on each line."""
    see = tuple(more.pop("see", "").split())
    formula = tuple(more.pop("formula", "").splitlines())
    lines = tuple(form.strip() for form in forms.strip().splitlines())
    texts = _cleaned(more)
    return Entry(
        group, tuple(names.split()), lines, _one_line(meaning), _model(example), formula=formula, see=see, **texts
    )


def _cleaned(more: dict[str, str]) -> dict[str, str]:
    return {name: _one_line(text) for name, text in more.items()}


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _model(text: str) -> str:
    """The model without the margin that it has in the source."""
    lines = text.strip("\n").rstrip().split("\n")
    margin = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
    return "".join(f"{line[margin:]}\n" for line in lines)
