"""What a program is, shown to a person: gradients as formulas, values as a table, the graph as a listing.

Takes a Program; gives text, LaTeX and JSON. It only reads: `formula` is the tree that is printed, `write` makes it of
nodes, `gradients`, `derivatives` and `values` say what is shown, `text` and `latex` print formulas, `report` prints the
whole, `explain` what the passes did, and `dump` the graph.
"""

from __future__ import annotations

from .derivatives import derivatives_json, derivatives_latex, derivatives_text
from .dump import dump
from .explain import explain_json, explain_text, forms
from .gradients import Formulas, Gradient, Line, UnknownName, formulas
from .report import SCHEMA, inspect_json, inspect_latex, inspect_text
from .values import Description, values

__all__ = [
    "SCHEMA",
    "Description",
    "Formulas",
    "Gradient",
    "Line",
    "UnknownName",
    "derivatives_json",
    "derivatives_latex",
    "derivatives_text",
    "dump",
    "explain_json",
    "explain_text",
    "forms",
    "formulas",
    "inspect_json",
    "inspect_latex",
    "inspect_text",
    "values",
]
