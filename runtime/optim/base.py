"""What every optimiser is: groups of parameters with options, what is kept for each, and a step over the flat vector.

A subclass gives the options' defaults and checks, the arrays it keeps, the coefficients of a step (`_rates`) and the
update of a piece of the vector (`_move`). What is kept lies in vectors as long as the session's. Parameters that have
taken the same steps form a cohort, and are moved together wherever they lie side by side, in pieces that stay in the
processor's cache with all that an update needs of them. The plan of pieces is made once for each set of parameters
that moves, so that a step is a few NumPy calls and allocates nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ..errors import SparseGradient
from ..parameter import Parameter, named
from ..session import Session

Array = npt.NDArray[Any]
Group = dict[str, Any]
Patterns = str | Iterable[str]

PIECE = 1 << 16
"""Numbers of a piece. Much fewer, and the calls cost more than they do; many more, and the scratch leaves the cache."""


@dataclass(eq=False)
class Cohort:
    """Parameters of one group that have taken the same steps, so that the numbers kept for them are the same."""

    group: Group
    numbers: dict[str, float] = field(default_factory=dict)
    arrays: set[str] = field(default_factory=set)
    cells: list[Array] = field(default_factory=list)
    """The coefficients of the step, as arrays without axes: they cost a ufunc half of what Python's numbers do."""

    def copy(self) -> Cohort:
        """The same, to go its own way."""
        return Cohort(self.group, dict(self.numbers), set(self.arrays))


class Piece(dict[str, Array]):
    """A part of the flat vector. `piece[name]` is the same part of the array of that name that the optimiser keeps.

    `a`, `b`, `c` and `d` are scratch of its length; the gradient that `_move` is given may lie in `a`.
    """

    theta: Array
    gradient: Array
    a: Array
    b: Array
    c: Array
    d: Array

    def __init__(self, place: slice, session: Session, scratch: Array, kept: Callable[[str], Array]) -> None:
        self.place = place
        self.theta = session.theta[place]
        self.gradient = session.grad[place]
        self.a, self.b, self.c, self.d = scratch[:, : place.stop - place.start]
        self.kept = kept

    def __missing__(self, name: str) -> Array:
        view = self[name] = self.kept(name)[self.place]
        return view


class Gathered(Piece):
    """Rows of one parameter, as copies side by side: `gather` takes those of its gradient, `put_back` writes them to
    where they belong."""

    def __init__(self, parameter: Parameter, axis: int, session: Session, kept: Callable[[str], Array]) -> None:
        self.parameter, self.axis, self.kept = parameter, axis, kept
        self.tables: dict[str, Array] = {}
        self.whole = self._table(session.theta)

    def _table(self, vector: Array) -> Array:
        """The parameter's part of a vector as an array whose rows come first."""
        return np.moveaxis(vector[self.parameter.place].reshape(self.parameter.value.shape), self.axis, 0)

    def __missing__(self, name: str) -> Array:
        if name not in self.tables:
            self.tables[name] = self._table(self.kept(name))
        found = self[name] = self.tables[name].take(self.indices, 0).reshape(-1)
        return found

    def gather(self) -> None:
        """Take the rows in which the gradient has numbers."""
        assert self.parameter.rows is not None
        rows = self.parameter.rows.coalesce()
        self.indices, self.gradient = rows.indices, rows.values.reshape(-1)
        self.shape = rows.values.shape
        self.theta = self.whole.take(self.indices, 0).reshape(-1)
        self.a, self.b, self.c, self.d = np.empty((4, self.theta.size), self.theta.dtype)
        self.clear()

    def put_back(self) -> None:
        """Write the copies to where they come from."""
        self.whole[self.indices] = self.theta.reshape(self.shape)
        for name, found in self.items():
            self.tables[name][self.indices] = found.reshape(self.shape)


@dataclass(frozen=True)
class Part:
    """Of a plan of what moves: a cohort, its pieces, and the rows of parameters whose gradients come so."""

    cohort: Cohort
    pieces: list[Piece]
    by_rows: list[Gathered]


class Optimizer:
    """The base of all optimisers.

    `params` says which parameters are moved, all where it is None: a pattern of names such as `head.*`, several
    patterns, or a list of groups, dictionaries with the patterns under "params" and options of their own. A parameter
    belongs to the first group that names it. `param_groups` and `defaults` are as in PyTorch: an option may be set
    between steps. A parameter without a gradient, or with `requires_grad` False, is not moved. ValueError for options
    that PyTorch refuses, and for patterns that name no parameter.
    """

    ARRAYS: ClassVar[frozenset[str]] = frozenset()
    """Every array that may be kept for a parameter."""

    evaluates: ClassVar[bool] = False
    """Whether a step evaluates the loss itself, and so needs a closure."""

    takes_rows: ClassVar[bool] = False
    """Whether a step may move some rows of a parameter, where its gradient has no others."""

    hindering: ClassVar[tuple[str, ...]] = ("weight_decay",)
    """Options with which it may not, unless they are 0: all rows would move."""

    def __init__(
        self, session: Session, params: Patterns | Iterable[Mapping[str, Any]] | None, defaults: Mapping[str, Any]
    ) -> None:
        self.session = session
        self.defaults = dict(defaults)
        self.check(self.defaults)
        self.param_groups: list[Group] = []
        self._cohorts: dict[str, Cohort] = {}
        self._plans: dict[tuple[tuple[str, ...], tuple[str, ...]], list[Part]] = {}
        self._vectors: dict[str, Array] = {}
        self._scratch = np.empty((4, min(PIECE, session.theta.size)), session.theta.dtype)
        for group in _groups(params):
            self.add_param_group(group)

    @classmethod
    def check(cls, options: Mapping[str, Any]) -> None:
        """Raises ValueError for options that do not make sense."""
        raise NotImplementedError

    def _kept(self, group: Group) -> Mapping[str, float]:
        """The arrays that a step with these options needs, and what fills each at first."""
        return {}

    def _rates(self, cohort: Cohort) -> tuple[float, ...]:
        """Count a step in the cohort's numbers; the coefficients of its update, 1 or 0 for what is or is not done."""
        raise NotImplementedError

    def _move(self, piece: Piece, gradient: Array, rates: list[Array]) -> None:
        """Update a piece, with `gradient` to go down; `rates` are the coefficients as arrays without axes."""
        raise NotImplementedError

    # ------------------------------------------------------------------------------------------------------- groups

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Move more parameters, those that the patterns under "params" name and that no group has yet."""
        given = {name: value for name, value in group.items() if name != "params"}
        plain = {name: v.item() if isinstance(v, np.generic) else v for name, v in (self.defaults | given).items()}
        for name in given:
            if name not in self.defaults:
                raise ValueError(f"{type(self).__name__} has no option {name!r}; it has {', '.join(self.defaults)}")
        names = self._named(group["params"])
        made = {"params": names, **plain}
        self.check(made)
        self.param_groups.append(made)
        self._plans.clear()
        parameters = self.session.parameters
        owned = {name: found for found in self.param_groups for name in found["params"]}
        self._owned = [(name, parameters[name]) for name in parameters if name in owned]
        self._group_of = owned

    def _named(self, patterns: Patterns) -> list[str]:
        taken = {name for group in self.param_groups for name in group["params"]}
        found = named(self.session.parameters, patterns)
        free = [name for name in found if name not in taken]
        if found and not free:
            raise ValueError(f"another group has {', '.join(found)} already")
        return free

    @property
    def lr(self) -> float:
        """The learning rate, of the first group; setting it sets that of all."""
        return float(self.param_groups[0]["lr"])

    @lr.setter
    def lr(self, value: float) -> None:
        for group in self.param_groups:
            group["lr"] = float(value)

    # -------------------------------------------------------------------------------------------------------- steps

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the session's gradients."""
        self.session.zero_grad(set_to_none)

    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Move the parameters that have a gradient. `closure` computes loss and gradients before; gives its loss."""
        loss = None if closure is None else closure()
        self._walk(self.session.grad, tuple(n for n, p in self._owned if p.requires_grad and p.grad is not None))
        return loss

    def descend(
        self,
        gradient: Array,
        over: Iterable[str] | None = None,
        loss: float = 0.0,
        again: Callable[[], float] | None = None,
    ) -> None:
        """Move every parameter that requires a gradient, or those `over` names: the loop's step.

        `loss` belongs to the gradient, and `again` computes both anew, the gradient in its place: what `evaluates`
        needs them.
        """
        self._walk(gradient, self._moving(over))

    def _moving(self, over: Iterable[str] | None) -> tuple[str, ...]:
        chosen = None if over is None else frozenset(over)
        return tuple(n for n, p in self._owned if p.requires_grad and (chosen is None or n in chosen))

    def plain(self) -> float | None:
        """The rate, where a step is no more than `theta -= rate * gradient` for all parameters, else None."""
        return None

    def check_rows(self) -> None:
        """Raises SparseGradient where a gradient comes by rows, and a step with these options would not take it."""
        for name, parameter in self._owned:
            if name in self.session.sparse and parameter.requires_grad:
                self._check_rows(name)

    def _check_rows(self, name: str) -> None:
        group = self._group_of[name]
        option = next((option for option in self.hindering if group.get(option)), None)
        if not self.takes_rows or option is not None:
            raise SparseGradient(type(self).__name__, name, option if self.takes_rows else None)

    def _walk(self, whole: Array, names: tuple[str, ...]) -> None:
        by_rows: tuple[str, ...] = ()
        if self.session.sparse:
            by_rows = tuple(name for name in names if self.session.parameters[name].rows is not None)
        plan = self._plans.get((names, by_rows))
        if plan is None:
            plan = self._plan(names, by_rows)
        own = whole is self.session.grad
        for part in plan:
            cohort = part.cohort
            group = cohort.group
            for rows in part.by_rows:
                self._check_rows(rows.parameter.name)
            found = self._rates(cohort)
            if not cohort.cells:
                cohort.cells = [np.empty((), self.session.theta.dtype) for _ in found]
            for cell, value in zip(cohort.cells, found, strict=True):
                cell[...] = value
            for name, start in self._kept(group).items():
                if name not in cohort.arrays:
                    cohort.arrays.add(name)
                    for piece in part.pieces:
                        piece[name].fill(start)
                    for rows in part.by_rows:
                        self._vector(name)[rows.parameter.place].fill(start)
            for piece in part.pieces:
                self._update(piece, piece.gradient if own else whole[piece.place], cohort)
            for rows in part.by_rows:
                rows.gather()
                self._update(rows, rows.gradient, cohort)
                rows.put_back()

    def _update(self, piece: Piece, gradient: Array, cohort: Cohort) -> None:
        """What comes before all updates, and the update."""
        group = cohort.group
        decay = group.get("weight_decay", 0.0)
        if group["maximize"]:
            gradient = np.negative(gradient, piece.a)
        if decay and group.get("decoupled_weight_decay", False):
            np.multiply(piece.theta, 1.0 - group["lr"] * decay, piece.theta)
        elif decay:
            gradient = np.add(gradient, np.multiply(piece.theta, decay, piece.b), piece.a)
        self._move(piece, gradient, cohort.cells)

    def _plan(self, names: tuple[str, ...], by_rows: tuple[str, ...]) -> list[Part]:
        """The cohorts of these parameters, which are all that move, and their pieces."""
        fresh: dict[int, Cohort] = {}
        for name in names:
            if name not in self._cohorts:
                group = self._group_of[name]
                self._cohorts[name] = fresh.setdefault(id(group), Cohort(group))
        moving: dict[int, list[str]] = {}
        for name in names:
            moving.setdefault(id(self._cohorts[name]), []).append(name)
        plan = []
        for members in moving.values():
            cohort = self._cohorts[members[0]]
            if any(found is cohort and name not in members for name, found in self._cohorts.items()):
                # Those that stay behind have taken other steps from now on, and no plan knows of it.
                self._plans.clear()
                cohort = cohort.copy()
                self._cohorts.update(dict.fromkeys(members, cohort))
            parameters = [self.session.parameters[name] for name in members]
            places = [parameter.place for parameter in parameters if parameter.name not in by_rows]
            rest = [
                Gathered(parameter, self.session.sparse[parameter.name], self.session, self._vector)
                for parameter in parameters
                if parameter.name in by_rows
            ]
            plan.append(Part(cohort, [self._piece(place) for place in pieces(places)], rest))
        self._plans[names, by_rows] = plan
        return plan

    def _piece(self, place: slice) -> Piece:
        return Piece(place, self.session, self._scratch, self._vector)

    def _vector(self, name: str) -> Array:
        if name not in self._vectors:
            # Of memory that is not touched the system makes none.
            self._vectors[name] = np.zeros(self.session.theta.shape, self.session.theta.dtype)
        return self._vectors[name]

    # -------------------------------------------------------------------------------------------------------- state

    def state_dict(self) -> dict[str, Any]:
        """What a step depends on besides the parameters: dictionaries of numbers, words and arrays, which are copies.

        "state" has what is kept for each parameter by its name, "param_groups" the options.
        """
        groups = [{**group, "params": list(group["params"])} for group in self.param_groups]
        return {"state": self._state(), "param_groups": groups}

    def _state(self) -> dict[str, Any]:
        found = {}
        for name, cohort in self._cohorts.items():
            parameter = self.session.parameters[name]
            arrays = {
                key: self._vectors[key][parameter.place].reshape(parameter.value.shape).copy()
                for key in sorted(cohort.arrays)
            }
            if kept := {**cohort.numbers, **arrays}:
                found[name] = kept
        return found

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The state that `state_dict` gave. ValueError where it is that of other groups."""
        groups = state["param_groups"]
        if [list(group["params"]) for group in groups] != [group["params"] for group in self.param_groups]:
            raise ValueError("the state is that of an optimiser with other groups of parameters")
        for mine, other in zip(self.param_groups, groups, strict=True):
            # A checkpoint may have made lists of pairs.
            mine.update({key: tuple(v) if key != "params" and isinstance(v, list) else v for key, v in other.items()})
        self._restore(state["state"])

    def _restore(self, state: Mapping[str, Mapping[str, Any]]) -> None:
        self._plans.clear()
        self._cohorts.clear()
        for name, kept in state.items():
            arrays = {key for key in kept if key in self.ARRAYS}
            numbers = {key: value for key, value in kept.items() if key not in self.ARRAYS}
            for key in arrays:
                self._vector(key)[self.session.parameters[name].place] = np.ravel(kept[key])
            self._cohorts[name] = self._like(Cohort(self._group_of[name], numbers, arrays))

    def _like(self, cohort: Cohort) -> Cohort:
        """One that is there and has the same numbers, else the cohort itself."""
        for found in self._cohorts.values():
            if (found.group is cohort.group, found.numbers, found.arrays) == (True, cohort.numbers, cohort.arrays):
                return found
        return cohort


def _groups(params: Patterns | Iterable[Mapping[str, Any]] | None) -> Sequence[Mapping[str, Any]]:
    if params is None:
        return [{"params": "*"}]
    if isinstance(params, str):
        return [{"params": params}]
    given: list[Any] = list(params)
    if not given:
        raise ValueError("an optimiser needs parameters, and got an empty list")
    return given if isinstance(given[0], Mapping) else [{"params": given}]


def joined(places: Iterable[slice]) -> list[slice]:
    """Places in ascending order, adjacent ones as one."""
    found: list[slice] = []
    for place in places:
        if found and found[-1].stop == place.start:
            found[-1] = slice(found[-1].start, place.stop)
        else:
            found.append(place)
    return found


def pieces(places: Iterable[slice]) -> Iterator[slice]:
    """The same places, none longer than a piece."""
    for place in joined(places):
        for start in range(place.start, place.stop, PIECE):
            yield slice(start, min(start + PIECE, place.stop))


# ------------------------------------------------------------------------------------------------------- checks


def positive(options: Mapping[str, Any], *names: str) -> None:
    """Raises ValueError for a number that is not above 0."""
    for name in names:
        if not options[name] > 0:
            raise ValueError(f"{name} must be above 0, and is {options[name]}")


def not_negative(options: Mapping[str, Any], *names: str) -> None:
    """Raises ValueError for a number below 0, or none."""
    for name in names:
        if not options[name] >= 0:
            raise ValueError(f"{name} must not be negative, and is {options[name]}")


def within(options: Mapping[str, Any], name: str, values: Sequence[float], closed: bool = False) -> None:
    """Raises ValueError for a number outside of 0 and 1; 1 itself is allowed where `closed`."""
    for value in values:
        if not (0 <= value < 1 or (closed and value == 1)):
            raise ValueError(f"{name} must be from 0 to {'1' if closed else 'below 1'}, and is {options[name]}")


def two(options: Mapping[str, Any], name: str) -> tuple[float, float]:
    """The two numbers of an option; ValueError where they are not two."""
    try:
        first, second = options[name]
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be two numbers, and is {options[name]}") from None
    return first, second
