"""What windows share: rules of pointwise simplification that look at several places of a program at once.

Takes a program, gives it with one reciprocal for all divisions by one array, with numbers multiplied after a sum and
not before it at every element, and with the products that several sums have in common formed once. A window alone
shows none of these: each is a matter of what else the program computes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from sympy import Integer

from ..elementary import MULTIPLY, RECIPROCAL, SQUARE, multiply
from ..graph import Contract, Graph, Map, Node, Program, placeholder, reachable, rewrite
from .cost import cost
from .rewrites import Rewrites, Rule

RECIPROCALS = Rule(
    "pointwise.reciprocals",
    "x/d + y/d^2",
    "x*h + y*h^2 where h = 1/d",
    "A division costs more than a product, and all divisions by d are one.",
    "strength reduction",
)
SCALED = Rule(
    "pointwise.scaled",
    "sum[n](y*(c*x))",
    "c*sum[n](y*x)",
    "A product at every element; with a number it costs a thousandth after the sum.",
    "sums are linear",
)
MOST_ENDS = 16
"""Sums after which a number may be multiplied instead of before them."""
MOST_FACTORS = 8
"""Factors of one sum, and"""
MOST_SUMS = 64
"""sums along the same axes, among which common products are looked for."""

COMMON = Rule(
    "pointwise.common",
    "sum[n](x*r*h) + sum[n](y*r*h)",
    "sum[n](x*q) + sum[n](y*q) where q = r*h",
    "The product of r and h is formed for each sum.",
    "common subexpressions of products (Hosangadi, Fallah, Kastner, 2006)",
)

RULES = (RECIPROCALS, SCALED, COMMON)


def share(program: Program, rewrites: Rewrites) -> Program:
    """The program after each of the rules that is allowed, in their order."""
    for rule, apply in ((RECIPROCALS, _reciprocals), (SCALED, _scaled), (COMMON, _common)):
        if rewrites.allows(rule.name):
            program = apply(program, rewrites)
    return program


def _nodes(program: Program) -> list[Node]:
    return reachable([*program.roots(), *(node for _, node in program.named)])


def _together(program: Program) -> list[list[Node]]:
    """What the module computes in one call: an objective with its gradient, and the pullback."""
    tables = (program.gradients, program.retained)
    objectives = [
        [o.value, *(n for t in tables for n in t.get(o.name, {}).values()), *program.rows_of(o.name)]
        for o in program.objectives
    ]
    pullback = [*program.pullback.values(), *program.retained.get(None, {}).values()]
    outputs = [node for _, node in (*program.outputs, *program.metrics)]
    return [reachable(roots) for roots in (*objectives, pullback, outputs)]


def _users(program: Program) -> dict[int, list[Node]]:
    users: dict[int, list[Node]] = {}
    for node in _nodes(program):
        for operand in node.operands:
            users.setdefault(operand.id, []).append(node)
    return users


def _array(node: Node) -> bool:
    return bool(node.axes) and node.trained and node.dtype == "float"


# ---------------------------------------------------------------------------------------------------------- reciprocals


def _reciprocals(program: Program, rewrites: Rewrites) -> Program:
    graph, rows = program.graph, program.rows
    users = _users(program)
    groups: list[list[Map]] = []
    for nodes in _together(program):
        quotients: dict[int, list[Map]] = {}
        for node in nodes:
            divisor = _divisor(node)
            if isinstance(node, Map) and divisor is not None:
                quotients.setdefault(_squared(divisor)[-1].id, []).append(node)
        groups += quotients.values()
    chosen: set[int] = set()
    for group in groups:
        ids = {node.id for node in group}
        divisors = {node.id: _divisor(node) for node in group}
        squares = {s.id: s for o in divisors.values() if o is not None for s in _squared(o)[:-1]}
        gone = [s for s in squares.values() if all(u.id in ids or u.id in squares for u in users[s.id])]
        made = {n.id: n for node in group for n in _with_reciprocal(graph, node)}
        if sum(cost(n, rows) for n in made.values()) < sum(cost(n, rows) for n in (*group, *gone)):
            chosen |= ids

    def rule(node: Node, operands: tuple[Node, ...]) -> Node:
        new = graph.remake(node, operands) if operands else node
        if node.id not in chosen or not isinstance(new, Map) or _divisor(new) is None:
            return new
        return rewrites.made(RECIPROCALS.name, new, _with_reciprocal(graph, new)[-1])

    return rewrite(program, rule) if chosen else program


def _divisor(node: Node) -> Node | None:
    """What the node divides by, where that has its axes and is computed in a step."""
    if not isinstance(node, Map):
        return None
    for i, operand in enumerate(node.operands):
        below = 1 / placeholder(i)
        if node.expression == below or (len(node.operands) == 2 and node.expression == placeholder(1 - i) * below):
            return operand if operand.trained and operand.names == node.names else None
    return None


def _base(node: Node) -> Node:
    """Of which the node is the square, or the node."""
    return node.operands[0] if isinstance(node, Map) and node.expression == SQUARE else node


def _squared(node: Node) -> list[Node]:
    """The node and that of which it is the square, and so on."""
    found = [node]
    while _base(found[-1]) is not found[-1]:
        found.append(_base(found[-1]))
    return found


def _with_reciprocal(graph: Graph, quotient: Map) -> list[Node]:
    """The nodes that compute it by a product with the reciprocal, the last of them in its place."""
    divisor = _divisor(quotient)
    assert divisor is not None
    made: list[Node] = [graph.map(RECIPROCAL, [_squared(divisor)[-1]])]
    for _ in _squared(divisor)[1:]:
        made.append(graph.map(SQUARE, [made[-1]]))
    for operand in quotient.operands:
        if operand is not divisor:
            made.append(graph.map(MULTIPLY, [operand, made[-1]]))
    return made


# --------------------------------------------------------------------------------------------------------------- scaled


def _scaled(program: Program, rewrites: Rewrites) -> Program:
    graph, rows = program.graph, program.rows
    users = _users(program)
    kept = {node.id for node in (*program.roots(), *(node for _, node in program.named))}
    reached: dict[int, dict[int, Contract] | None] = {}
    chosen: set[int] = set()
    for node in reversed(_nodes(program)):
        if not isinstance(node, Map) or node.expression != MULTIPLY or not _array(node):
            continue
        reached[node.id] = _sums_above(node, users, kept, reached)
        sums = reached[node.id]
        if sums and any(not o.axes for o in node.operands):
            scalar = next(o for o in node.operands if not o.axes)
            after = sum(cost(graph.map(MULTIPLY, [scalar, each]), rows) for each in sums.values())
            if after < cost(node, rows):
                chosen.add(node.id)
    if not chosen:
        return program
    owed: dict[int, tuple[Node, ...]] = {}

    def rule(node: Node, operands: tuple[Node, ...]) -> Node:
        due = tuple(scalar for o in node.operands for scalar in owed.get(o.id, ()))
        if node.id in chosen:
            scalar, array = sorted(operands, key=lambda o: len(o.axes))
            owed[node.id] = (*due, scalar)
            return array
        new = graph.remake(node, operands) if operands else node
        if isinstance(node, Contract) and due:
            return rewrites.made(SCALED.name, node, multiply(graph, Integer(1), [new, *due], []))
        if due:
            owed[node.id] = due
        return new

    found = rewrite(program, rule)
    adjoints = {
        objective: {
            name: multiply(graph, Integer(1), [found.adjoints[objective][name], *owed.get(node.id, ())], [])
            for name, node in table.items()
        }
        for objective, table in program.adjoints.items()
    }
    return replace(found, adjoints=adjoints)


def _sums_above(
    node: Node,
    users: Mapping[int, list[Node]],
    kept: set[int],
    reached: Mapping[int, dict[int, Contract] | None],
) -> dict[int, Contract] | None:
    """The sums that all uses of the node end in, by way of products alone; None where a use does not."""
    if node.id in kept:
        return None
    found: dict[int, Contract] = {}
    for user in users.get(node.id, []):
        sums = {user.id: user} if isinstance(user, Contract) else reached.get(user.id)
        if sums is None:
            return None
        found |= sums
        if len(found) > MOST_ENDS:
            return None
    return found


# --------------------------------------------------------------------------------------------------------------- common


def _common(program: Program, rewrites: Rewrites) -> Program:
    graph = program.graph
    users = _users(program)
    kept = {node.id for node in (*program.roots(), *(node for _, node in program.named))}
    formed: dict[int, Node] = {}
    changed: dict[int, Counter[int]] = {}
    for nodes in _together(program):
        own = {n.id for n in nodes if _is_product(n) and len(users.get(n.id, ())) == 1 and n.id not in kept}
        sums = {n.id: _factors(n, own) for n in nodes if isinstance(n, Contract) and n.trained and n.id not in changed}
        few = [key for key, factors in sums.items() if len(factors) <= MOST_FACTORS]
        sums = {key: sums[key] for key in few[:MOST_SUMS]}
        inside = {key for n in nodes if isinstance(n, Contract) for key in _opened(n, own)}
        products = {tuple(sorted(o.id for o in n.operands)): n for n in nodes if _is_product(n) and n.id not in inside}
        formed.update((n.id, n) for n in nodes)
        while (pair := _worth_forming(sums, formed, products)) is not None:
            product = products.get(pair) or graph.map(MULTIPLY, [formed[key] for key in pair])
            products[pair] = formed[product.id] = product
            for key, factors in sums.items():
                if sum(factors.values()) > 2 and not Counter(pair) - factors:
                    sums[key] = changed[key] = factors - Counter(pair) + Counter([product.id])
    new_of: dict[int, Node] = {}

    def current(key: int) -> Node:
        """The factor over new operands, also where it is a product that no node has been."""
        if key not in new_of:
            new_of[key] = graph.remake(formed[key], [current(o.id) for o in formed[key].operands])
        return new_of[key]

    def rule(node: Node, operands: tuple[Node, ...]) -> Node:
        new = graph.remake(node, operands) if operands else node
        if node.id in changed and isinstance(node, Contract):
            after = graph.contract([current(key) for key in sorted(changed[node.id].elements())], node.summed)
            new = rewrites.made(COMMON.name, new, after)
        new_of[node.id] = new
        return new

    return rewrite(program, rule) if changed else program


def _is_product(node: Node) -> bool:
    """Whether it is the product of two arrays of its axes."""
    return isinstance(node, Map) and node.expression == MULTIPLY and _array(node) and _alike(*node.operands)


def _opened(node: Contract, own: set[int]) -> list[int]:
    """The products that only this contraction uses, which may as well be its operands."""
    waiting = [o for o in node.operands if o.id in own]
    found: list[int] = []
    while waiting:
        product = waiting.pop()
        found.append(product.id)
        waiting.extend(o for o in product.operands if o.id in own)
    return found


def _factors(node: Contract, own: set[int]) -> Counter[int]:
    """What the contraction multiplies, a square as its base twice."""
    found: Counter[int] = Counter()
    waiting = list(node.operands)
    while waiting and len(found) <= MOST_FACTORS:
        operand = waiting.pop()
        base = _base(operand) if operand.trained else operand
        if operand.id in own:
            waiting.extend(operand.operands)
        else:
            found[base.id] += 1 if base is operand else 2
    return found


def _alike(a: Node, b: Node) -> bool:
    """Whether two factors have the same axes, and their product is not known at bind."""
    return a.names == b.names and (a.trained or b.trained)


def _worth_forming(
    sums: Mapping[int, Counter[int]], formed: Mapping[int, Node], products: Mapping[tuple[int, ...], Node]
) -> tuple[int, ...] | None:
    """The pair of factors whose product saves most, or None: it costs one operation where it does not stand yet, and
    saves one in each sum of three factors and more."""
    long: Counter[tuple[int, ...]] = Counter()
    short: Counter[tuple[int, ...]] = Counter()
    for factors in sums.values():
        keys = sorted(factors)
        pairs = [(a, b) for i, a in enumerate(keys) for b in keys[i + 1 :] if _alike(formed[a], formed[b])]
        (long if sum(factors.values()) > 2 else short).update(pairs)
    best = max(
        long, key=lambda pair: (long[pair] - (pair not in products), short[pair], [-k for k in pair]), default=None
    )
    return best if best is not None and long[best] - (best not in products) > 0 else None
