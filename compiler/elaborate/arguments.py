"""How a name that is called, or is unknown, is matched with what is defined.

Gives which argument goes to which parameter, which axis to which axis parameter, which value to which name, the factors
of a product, and the message for a name that means nothing.
"""

from __future__ import annotations

from .. import tree
from ..graph import Axis
from ..source import Note, Span
from . import calls, rearrange
from .mistakes import Mistake, counted, did_you_mean, in_words, shown, written
from .scope import Instance, Scope, Several, Value, kind


def defined(name: str, scope: Scope) -> bool:
    """Whether the name is bound to anything here."""
    try:
        scope.find(name)
    except KeyError:
        return False
    return True


def factors(expression: tree.Expression) -> list[tree.Expression]:
    """The factors of a product, in the order written."""
    found: list[tree.Expression] = []
    waiting = [expression]
    while waiting:
        item = waiting.pop()
        if isinstance(item, tree.Binary) and item.operator == "*":
            waiting += [item.right, item.left]
        else:
            found.append(item)
    return found


def unknown(name: str, span: Span, scope: Scope) -> Mistake:
    """The mistake of a name that nothing defines."""
    builtin = [*calls.RULES, *calls.ARRAYS, *calls.DERIVATIVES, *rearrange.RULES]
    if name in builtin or name in calls.LATER:
        brackets = "[k]" if name in calls.ARRAYS else "[w](e)" if name in calls.DERIVATIVES else "(x)"
        example = rearrange.FORMS.get(name) or f"{name}{brackets}"
        return Mistake("E0210", f"`{name}` is a function, not a value", span, help=f"write {example}")
    head = name.split(".")[0]
    ahead = next((s.ahead[head] for s in scope.chain() if head in s.ahead and head not in s.names), None)
    if ahead is not None:
        inside = ahead.source is span.source and ahead.line == span.line
        message = f"`{head}` is used in its own definition" if inside else f"`{head}` is used before it is defined"
        help = "give the new value another name" if inside else "move its definition up"
        return Mistake("E0204", message, span, help=help, notes=[] if inside else [Note(ahead, "defined here")])
    if head != name and defined(head, scope) and not isinstance(scope.find(head), Instance):
        suggestion: str | None = f"`{head}` is {kind(scope.find(head))}; only instances of layers have parts"
    else:
        suggestion = did_you_mean(name, [*scope.visible(), *builtin])
    return Mistake("E0200", f"there is no `{name}`", span, help=suggestion or "define it before it is used")


def recurring(kind: str, name: str, span: Span) -> Mistake:
    """The mistake of a function or a layer that uses itself."""
    help = "a function is written out where it is called, and cannot recur; a recurrence is a scan"
    return Mistake("E0202", f"the {kind} `{name}` uses itself", span, help=help)


def axis_parameters(
    name: str, formal: tuple[tree.AxisName, ...], given: tuple[Axis, ...], span: Span, scope: Scope
) -> None:
    """Give each axis parameter its meaning in the scope. Mistake where their numbers differ."""
    rest = bool(formal) and formal[-1].rest
    least = len(formal) - rest
    if len(given) < least or (len(given) > least and not rest):
        wanted = ", ".join(f"{'*' if axis.rest else ''}{axis.name}" for axis in formal)
        takes = f"{'at least ' if rest else ''}{counted(least, 'axis', 'axes')}"
        raise Mistake(
            "E0336",
            f"`{name}` takes {takes} in brackets, and is given {in_words(len(given))}",
            span,
            sides=[f"defined as {name}[{wanted}]   given {shown(given)}"] if formal else (),
            help=f"write {name}[{wanted}] with your axes in place of {wanted}"
            if formal
            else f"write {name} without brackets",
        )
    scope.axes.update((item.name, axis.name) for item, axis in zip(formal[:least], given, strict=False))
    if rest:
        scope.groups[formal[-1].name] = tuple(axis.name for axis in given[least:])


def placed(
    name: str, definition: tree.Definition, arguments: tuple[tree.Argument, ...], span: Span
) -> dict[str, tree.Argument]:
    """Each argument under the parameter that it is given to."""
    formals = [formal.name for formal in definition.parameters]
    found: dict[str, tree.Argument] = {}
    for position, argument in enumerate(arguments):
        if argument.name is None and position >= len(formals):
            takes = counted(len(formals), "argument", "arguments")
            raise Mistake(
                "E0404",
                f"`{name}` takes {takes}, and is given {in_words(len(arguments))}",
                span,
                help=f"it is defined as {name}({', '.join(formals)})",
            )
        formal = argument.name or formals[position]
        if formal not in formals:
            suggestion = did_you_mean(formal, formals) or f"its arguments are {', '.join(formals)}"
            raise Mistake("E0404", f"`{name}` has no argument `{formal}`", argument.span, help=suggestion)
        if formal in found:
            help = f"it is defined as {name}({', '.join(formals)})"
            raise Mistake("E0404", f"the argument `{formal}` of `{name}` is given twice", argument.span, help=help)
        found[formal] = argument
    missing = [f.name for f in definition.parameters if f.name not in found and f.default is None]
    if missing:
        raise Mistake(
            "E0404",
            f"`{name}` needs the argument `{missing[0]}`"
            if len(missing) == 1
            else f"`{name}` needs {', '.join(missing)}",
            span,
            help=f"write {name}({', '.join(formals)})",
        )
    return found


def names_of(statement: tree.Assignment) -> tuple[str, ...]:
    """What stands on the left."""
    return tuple(name.name for name in statement.names)


def not_one(found: Several, part: tree.Expression) -> Mistake:
    """The mistake of several values where one is needed."""
    count = in_words(len(found.values))
    return Mistake(
        "E0406",
        f"`{found.name}` gives {count} values, and one is needed here",
        part.span,
        help=f"give them names first: {_left(len(found.values))} = {written(part.span)}",
    )


def assigned(statement: tree.Assignment, found: Value | Several | None) -> tuple[Value | None, ...]:
    """The value of each name on the left. Mistake where there are more names than values, or fewer."""
    wanted = len(statement.names)
    if found is None:
        return (None,) * wanted
    values = found.values if isinstance(found, Several) else (found,)
    if len(values) == wanted:
        return values
    span = statement.names[0].span
    span = Span(span.source, span.start, statement.names[-1].span.end)
    given = f"`{found.name}` gives" if isinstance(found, Several) else "this is"
    raise Mistake(
        "E0406",
        f"{given} {counted(len(values), 'value', 'values')}, and {counted(wanted, 'name', 'names')} "
        f"{'stands' if wanted == 1 else 'stand'} on the left",
        span,
        sides=[f"{written(statement.value.span)} {shown(found.axes)}"] if isinstance(found, Value) else (),
        help=f"write {_left(len(values))} = {written(statement.value.span)}",
    )


def _left(count: int) -> str:
    """`a, b`, for a message."""
    return ", ".join("abcdefghijkl"[:count]) if count <= 12 else "a, b, ..."
