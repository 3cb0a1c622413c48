"""Pointwise simplification: each window of Maps in the cheapest of a few named forms.

Takes a program, gives it with every connected region of Maps, cut at nodes used more than once, rewritten by SymPy:
its canonical form, then whichever of the candidates costs least by the array cost model. `sympy.simplify` is never
called. A candidate stands only if it agrees with the original at random and at extreme points; a wrong rewrite can
only be a missed one.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

import sympy
from sympy import Add, Expr, Mul, Symbol
from sympy.core.traversal import bottom_up

from ..elementary import NEGATE, build
from ..functions import either, negation, sigmoid, softplus, where
from ..graph import Graph, Map, Node, Program, placeholder, reachable, rewrite
from . import across
from .across import share
from .cost import total
from .rewrites import Rewrites, Rule
from .rounding import value_and_error
from .window import Window, window

SMALL = 40
"""Operations above which an expression is not given to the rational forms, whose cost grows fast."""
MODERATE, MIXED = 2, 3
"""Points of the gate where all values are moderate, and where each is of another magnitude."""
EXTREMES = (0.0, 1e-8, 700.0, 1e8, 1e150, math.inf)
"""Magnitudes: exp(700) is finite and exp(-700) is not 0; 1e150 has a square that is finite, and no third power; what
has overflowed may leave a finite value, as in 1 + 2/exp(x)."""
ROUNDINGS = 64
"""By how many times the old form's rounding the new one may differ: its own operations round as well."""
_COMPLEMENT = 1 - placeholder(0)


Found = tuple[str | None, Expr]
"""The name of the rule that gives a window its form, and the form; None where the window stays."""


def simplify_pointwise(program: Program, rewrites: Rewrites | None = None) -> Program:
    """The program with every window in its cheapest form; the record has the rules that gave them."""
    graph = program.graph
    users = _users(program)
    record = rewrites or Rewrites()
    memo: dict[object, Found] = {}
    # A window is rewritten once, at its last node; what is inside it is reached through that node alone.
    inside = {
        node.id
        for node in reachable(_roots(program))
        if isinstance(node, Map) and len(users.get(node.id, ())) == 1 and _is_part_of(node, users[node.id][0])
    }
    inside -= {node.id for node in _roots(program)}
    single: set[int] = set()
    border: set[int] = set()

    def enters(inner: Map) -> bool:
        return _meets(inner) or (inner.id in single and inner.id not in border)

    def rule(node: Node, operands: tuple[Node, ...]) -> Node:
        new = graph.remake(node, operands) if operands else node
        if node.id in inside:
            single.add(new.id)
            return new
        if isinstance(new, Map):
            region = window(new, enters)
            new = _cheapest(graph, region, new, program.rows, record, memo)
        border.add(new.id)
        return new

    return share(rewrite(program, rule), record)


def _meets(inner: Map) -> bool:
    """Whether the node is looked into wherever it stands: equal ones are one node, and only so does a sigmoid meet its
    complement under both labels, as in y*sigmoid(-x) and (1 - y)*sigmoid(x), and a condition its opposite."""
    if isinstance(inner.expression, sigmoid | softplus | negation | either) or inner.expression == NEGATE:
        return True
    return inner.expression == _COMPLEMENT and not inner.trained


def _is_part_of(node: Map, user: Node) -> bool:
    """Whether the node and its only user are one formula; what a scan's body reads from outside is computed once."""
    return isinstance(user, Map) and bool(node.free or not user.free)


def _roots(program: Program) -> list[Node]:
    return [*program.roots(), *(node for _, node in program.named)]


def _users(program: Program) -> dict[int, list[Node]]:
    users: dict[int, list[Node]] = {}
    for node in reachable(_roots(program)):
        for operand in node.operands:
            users.setdefault(operand.id, []).append(node)
    return users


def _cheapest(
    graph: Graph, region: Window, root: Map, rows: str | None, rewrites: Rewrites, memo: dict[object, Found]
) -> Node:
    key = (region.expression, tuple((o.names, o.trained, o.positive, o.dtype) for o in region.operands))
    rule, expression = memo.get(key) or _found(graph, region, root, rows, rewrites)
    if rule is not None or region.inside == 1:
        memo[key] = rule, expression
    if rule is None:
        # Another window of this formula may be grouped less well.
        return root
    return rewrites.made(rule, root, build(graph, expression, region.operands))


def _found(graph: Graph, region: Window, root: Map, rows: str | None, rewrites: Rewrites) -> Found:
    """The rule whose form costs least, and the form; no rule where the window is best left as it stands.

    What SymPy holds is taken also where it costs the same, so that equal windows are one node.
    """
    best: str | None = None
    expression = region.expression
    least = total(root, region.operands, rows)
    for rule, candidate in candidates(region.expression, rewrites):
        price = total(build(graph, candidate, region.operands), region.operands, rows)
        same = rule is CANONICAL and price == least and region.inside > 1
        if (price < least or same) and agree(candidate, region.expression):
            best, expression, least = rule.name, candidate, price
    return best, expression


# ------------------------------------------------------------------------------------------------------------ the forms


def candidates(expression: Expr, rewrites: Rewrites) -> Iterator[tuple[Rule, Expr]]:
    """What each rule that is allowed makes of it: as SymPy holds it, then each of `FORMS`."""
    if rewrites.allows(CANONICAL.name):
        yield CANONICAL, expression
    if expression.is_Symbol or expression.is_Number or not expression.args:
        return
    for rule, form in FORMS:
        if rewrites.allows(rule.name):
            found = form(expression)
            if found is not None and found != expression:
                yield rule, found


def _factored(expression: Expr) -> Expr | None:
    return sympy.factor_terms(expression) if expression.has(Add) else None


def _powers_combined(expression: Expr) -> Expr | None:
    return sympy.powsimp(expression) if expression.has(sympy.exp, sympy.Pow) else None


def _complements_joined(expression: Expr) -> Expr | None:
    """y*sigmoid(-x) and (1 - y)*sigmoid(x) together are linear in sigmoid(x), and softplus(-x) is softplus(x) - x.

    A product of the two stays: sigmoid(x)*(1 - sigmoid(x)) is 0 at x = 40 where the truth is 4e-18.
    """
    if _operations(expression) > SMALL:
        return None
    joined: dict[Expr, Expr] = {}
    for kind in (sigmoid, softplus):
        found = sorted(expression.atoms(kind), key=sympy.default_sort_key)
        known = {s.args[0] for s in found}
        for s in found:
            x = -s.args[0]
            if x in known and s.args[0].could_extract_minus_sign():
                joined[s] = 1 - sigmoid(x) if kind is sigmoid else softplus(x) - x
    if not joined:
        return None
    expanded = sympy.expand(expression.xreplace(joined))
    kept = {s.func(-s.args[0]) for s in joined}
    if any(sum(term.as_powers_dict().get(s, 0) for s in kept) > 1 for term in Add.make_args(expanded)):
        return None
    return sympy.factor_terms(expanded)


def _cancelled(expression: Expr) -> Expr | None:
    if _operations(expression) > SMALL or len(expression.free_symbols) > 6 or not expression.is_Add:
        return None
    if not any(p.exp.is_negative for p in expression.atoms(sympy.Pow) if p.exp.is_number):
        return None
    return sympy.factor_terms(sympy.together(expression))


def _terms_collected(expression: Expr) -> Expr | None:
    """a*x - b*x is (a - b)*x where x is the array."""
    if not expression.is_Add or len(expression.args) > 8:
        return None
    counts: dict[Expr, int] = {}
    for term in expression.args:
        for factor in Mul.make_args(term):
            if not factor.is_Number:
                counts[factor] = counts.get(factor, 0) + 1
    shared = [f for f, n in sorted(counts.items(), key=lambda item: sympy.default_sort_key(item[0])) if n > 1]
    if not shared:
        return None
    best = max(shared, key=lambda f: counts[f])
    inner, outer = [], []
    for term in expression.args:
        if best in Mul.make_args(term):
            inner.append(term / best)
        else:
            outer.append(term)
    return Add(best * Add(*inner), *outer)


def _branches_joined(expression: Expr) -> Expr | None:
    """What is chosen by one condition, or by its opposite, is chosen once."""
    if not expression.has(where) or _operations(expression) > SMALL:
        return None
    return bottom_up(expression, _branch)


def _branch(expression: Expr) -> Expr:
    """One step of it, at the root. A factor that only one branch has stays there, where it may have no value."""
    if expression.is_Add:
        return _added_by_condition(expression)
    if expression.is_Mul:
        number, rest = expression.as_coeff_Mul()
        if number != 1 and isinstance(rest, where) and all(a.is_Number for a in rest.args[1:]):
            return where(rest.args[0], *(number * a for a in rest.args[1:]))
    if not isinstance(expression, where):
        return expression
    condition, yes, no = expression.args
    if isinstance(condition, negation):
        return _branch(where(condition.args[0], no, yes))
    if yes == no or (isinstance(condition, either) and _exhaust(*condition.args)):
        return yes
    if yes.is_zero or no.is_zero:
        return expression
    shared = [f for f in Mul.make_args(yes) if not f.is_Number and f in Mul.make_args(no)]
    return Mul(*shared, where(condition, yes / Mul(*shared), no / Mul(*shared))) if shared else expression


def _exhaust(first: Expr, second: Expr) -> bool:
    return bool(second == negation(first) or first == negation(second))


def _added_by_condition(total: Expr) -> Expr:
    chosen: dict[Expr, list[tuple[Expr, where]]] = {}
    rest: list[Expr] = []
    for term in total.args:
        number, choice = term.as_coeff_Mul()
        if isinstance(choice, where):
            chosen.setdefault(choice.args[0], []).append((number, choice))
        else:
            rest.append(term)
    if all(len(terms) == 1 for terms in chosen.values()):
        return total
    for condition, terms in chosen.items():
        yes, no = (Add(*(number * choice.args[i] for number, choice in terms)) for i in (1, 2))
        rest.append(_branch(where(condition, yes, no)))
    return Add(*rest)


CANONICAL = Rule(
    "pointwise.canonical",
    "y*b/(b*u)",
    "y/u",
    "Equal factors and terms, undone functions and powers of powers cost a pass each.",
    "SymPy's automatic evaluation, with the signs that are known",
)

FORMS: tuple[tuple[Rule, Callable[[Expr], Expr | None]], ...] = (
    (
        Rule(
            "pointwise.factored",
            "a*x + a*y",
            "a*(x + y)",
            "Two products cost two passes, one costs one.",
            "the distributive law; sympy.factor_terms",
        ),
        _factored,
    ),
    (
        Rule(
            "pointwise.powers",
            "exp(x)*exp(y)",
            "exp(x + y)",
            "An exponential costs several passes; and exp(x) alone may overflow.",
            "the law of exponents; sympy.powsimp",
        ),
        _powers_combined,
    ),
    (
        Rule(
            "pointwise.complements",
            "y*sigmoid(-x) + (1 - y)*sigmoid(x)",
            "y - (2*y - 1)*sigmoid(x)",
            "One exponential instead of two; softplus(-x) is softplus(x) - x likewise.",
            "sigmoid(-x) = 1 - sigmoid(x)",
        ),
        _complements_joined,
    ),
    (
        Rule(
            "pointwise.collected",
            "a*x - b*x + y",
            "(a - b)*x + y",
            "What two terms share is multiplied once, though a third lacks it.",
            "the distributive law",
        ),
        _terms_collected,
    ),
    (
        Rule(
            "pointwise.cancelled",
            "1 - x/(1 + x)",
            "1/(1 + x)",
            "Over one divisor there is one division, and terms may cancel.",
            "addition of fractions; sympy.together",
        ),
        _cancelled,
    ),
    (
        Rule(
            "pointwise.branches",
            "(if c then x else 0) + (if not c then y else 0)",
            "if c then x else y",
            "A choice costs several passes, and the derivative of an `if` has one for each branch.",
            "choices by one condition",
        ),
        _branches_joined,
    ),
)

RULES: tuple[Rule, ...] = (CANONICAL, *(rule for rule, _ in FORMS), *across.RULES)


def _operations(expression: Expr) -> int:
    return sum(1 for _ in sympy.preorder_traversal(expression))


# ------------------------------------------------------------------------------------------------------------- the gate


@lru_cache(maxsize=100_000)
def agree(new: Expr, old: Expr) -> bool:
    """Whether the new form is as accurate as the old one at random points and at extreme ones.

    At a point where the old form is finite, the new one may differ by no more than what rounding has done to the old
    one. Where the old one has no value, nothing is said; where it has none at all, the new one is not taken.
    """
    if not new.free_symbols <= old.free_symbols:
        return False
    expected = _values(old)
    for point, value, error in expected:
        found = value_and_error(new, point)
        if found is None or abs(found[0] - value) > ROUNDINGS * error:
            return False
    return bool(expected)


@lru_cache(maxsize=1_000)
def _values(expression: Expr) -> tuple[tuple[Mapping[Symbol, float], float, float], ...]:
    """The points where the expression is finite, its values there and how far they may be from the truth."""
    symbols = tuple(sorted(expression.free_symbols, key=lambda s: s.name))
    found = ((point, value_and_error(expression, point)) for point in _points(symbols))
    return tuple((point, *judged) for point, judged in found if judged is not None)


@lru_cache(maxsize=1_000)
def _points(symbols: tuple[Symbol, ...]) -> tuple[Mapping[Symbol, float], ...]:
    """Moderate points, each extreme magnitude for all symbols, magnitudes mixed; and those on the other side of 0."""
    draw = random.Random(len(symbols))

    def signed(magnitude: float, symbol: Symbol) -> float:
        return magnitude if symbol.is_positive else draw.choice((-1, 1)) * magnitude

    points = [{s: signed(draw.uniform(0.2, 2.0), s) for s in symbols} for _ in range(MODERATE)]
    points += [{s: signed(m, s) for s in symbols} for m in EXTREMES if m or not any(s.is_positive for s in symbols)]
    for _ in range(MIXED):
        points.append({s: signed(draw.choice(EXTREMES) or draw.uniform(0.2, 2.0), s) for s in symbols})
    opposite = [{s: v if s.is_positive else -v for s, v in point.items()} for point in points]
    return (*points, *opposite)
