"""Pointwise simplification: each window of Maps in the cheapest of a few named forms.

Takes a program, gives it with every connected region of Maps, cut at nodes used more than once, rewritten by SymPy:
its canonical form, then whichever of the candidates costs least by the array cost model. `sympy.simplify` is never
called. A candidate stands only if it agrees with the original at random points; a wrong rewrite can only be a missed
one.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import sympy
from sympy import Add, Expr, Mul, Symbol

from ..elementary import NEGATE, build
from ..functions import sigmoid, softplus
from ..graph import Graph, Map, Node, Program, placeholder, reachable, rewrite
from ..scalar import evaluate
from .cost import total
from .rewrites import Rewrites, Rule
from .window import Window, window

SMALL = 40
"""Operations above which an expression is not given to the rational forms, whose cost grows fast."""
POINTS = 3
_COMPLEMENT = 1 - placeholder(0)


def simplify_pointwise(program: Program, rewrites: Rewrites | None = None) -> Program:
    """The program with every window in its cheapest form."""
    graph = program.graph
    users = _users(program)
    memo: dict[object, Expr] = {}
    # A window is rewritten once, at its last node; what is inside it is reached through that node alone.
    inside = {
        node.id
        for node in reachable(_roots(program))
        if isinstance(node, Map) and len(users.get(node.id, ())) == 1 and isinstance(users[node.id][0], Map)
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
            new = _cheapest(graph, region, new, program.rows, memo)
        border.add(new.id)
        return new

    return rewrite(program, rule)


def _meets(inner: Map) -> bool:
    """Whether the node is looked into wherever it stands: equal ones are one node, and only so does a sigmoid meet its
    complement under both labels, as in y*sigmoid(-x) and (1 - y)*sigmoid(x)."""
    if isinstance(inner.expression, sigmoid | softplus) or inner.expression == NEGATE:
        return True
    return inner.expression == _COMPLEMENT and not inner.trained


def _roots(program: Program) -> list[Node]:
    return [*program.roots(), *(node for _, node in program.named)]


def _users(program: Program) -> dict[int, list[Node]]:
    users: dict[int, list[Node]] = {}
    for node in reachable(_roots(program)):
        for operand in node.operands:
            users.setdefault(operand.id, []).append(node)
    return users


def _cheapest(graph: Graph, region: Window, root: Map, rows: str | None, memo: dict[object, Expr]) -> Node:
    signature = tuple((o.names, o.trained, o.positive, o.dtype) for o in region.operands)
    key = (region.expression, signature)
    if key in memo:
        return (
            root if memo[key] is region.expression and region.inside == 1 else build(graph, memo[key], region.operands)
        )
    best: Node = root
    best_expression = region.expression
    best_cost = total(root, region.operands, rows)
    unchanged = True
    for candidate in candidates(region.expression):
        node = build(graph, candidate, region.operands)
        price = total(node, region.operands, rows)
        if price < best_cost and agree(candidate, region.expression):
            best, best_expression, best_cost, unchanged = node, candidate, price, False
    if unchanged and region.inside > 1:
        best_expression = region.expression
        best = build(graph, region.expression, region.operands)
        if total(best, region.operands, rows) > best_cost:
            return root
    memo[key] = best_expression
    return best


# ------------------------------------------------------------------------------------------------------------ the forms


def candidates(expression: Expr) -> Iterator[Expr]:
    """The forms that are tried: as SymPy holds it, then each of `FORMS`."""
    yield expression
    if expression.is_Symbol or expression.is_Number or not expression.args:
        return
    for form in FORMS:
        found = form(expression)
        if found is not None and found != expression:
            yield found


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


def _negative_terms_collected(expression: Expr) -> Expr | None:
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


FORMS: tuple[Callable[[Expr], Expr | None], ...] = (
    _factored,
    _powers_combined,
    _complements_joined,
    _negative_terms_collected,
    _cancelled,
)


def _operations(expression: Expr) -> int:
    return sum(1 for _ in sympy.preorder_traversal(expression))


# ------------------------------------------------------------------------------------------------------------- the gate


def agree(new: Expr, old: Expr) -> bool:
    """Whether both have the same value at a few random points; where the old one has none, nothing is said."""
    symbols = sorted(old.free_symbols | new.free_symbols, key=lambda s: s.name)
    if not new.free_symbols <= old.free_symbols:
        return False
    draw = random.Random(len(symbols))
    for _ in range(POINTS):
        point: dict[Symbol, float] = {
            s: draw.uniform(0.2, 2.0) * (1 if s.is_positive else draw.choice((-1, 1))) for s in symbols
        }
        expected = evaluate(old, point)
        found = evaluate(new, point)
        if expected is None:
            continue
        if found is None or abs(found - expected) > 1e-9 * max(1.0, abs(expected)):
            return False
    return True


RULES: tuple[Rule, ...] = ()
