"""A scan in the emitted module: one Python loop over its steps.

Takes a scan and the routine that writes the class around it. What differs from step to step (a position of an array,
the place of a result) is a view that is made once, when data are bound; the loop goes through lists of them, and a body
is straight-line calls like any other part of a class. Numbers without axes are Python's own, in variables.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..graph import Axis, Constant, Leaf, Node, Scan, Spread, Steps, people
from ..loops import Body
from .numbers import number
from .refs import Ref, Surroundings

if TYPE_CHECKING:
    from .routine import Routine


LONGEST = 100
"""Characters of the loop's head on one line."""


def write_scan(routine: Routine, scan: Scan) -> None:
    """The lines of the scan, and the refs of what reads it."""
    _Loop(routine, scan).write()


class _Loop:
    """One scan: `through` holds, for each variable of the loop, what it goes through; `ends` what a step ends with."""

    def __init__(self, routine: Routine, scan: Scan) -> None:
        self.routine = routine
        self.scan = scan
        self.body: Body = routine.plan.regions.body(scan)
        self.places = routine.plan.places[scan.id]
        self.count = routine.length(scan.along)
        self.through: dict[str, str] = {}
        self.ends: list[str] = []
        self.numbers: dict[int, str] = {}  # what is carried without axes: the variable
        self.following: dict[int, str] = {}  # and with axes: the place of the next step's
        self.memory: dict[int, str] = {}
        self.kept: dict[int, str] = {}  # of what is kept: the place of this step's
        self.direct: dict[int, Ref] = {}  # what is computed where the next step, or who reads all steps, finds it
        self._position: str | None = None

    def write(self) -> None:
        """All of it: what is made at bind, what stands before the loop, and the loop."""
        routine = self.routine
        for leaf, whole in zip(self.scan.stepped, self.scan.sequences, strict=True):
            self._sequence(leaf, whole)
        for part, leaf in enumerate(self.scan.carried):
            if leaf.axes:
                self._carried_array(part, leaf)
            else:
                self._carried_number(part, leaf)
        for steps in self.body.kept:
            self._kept(steps)
        before = routine.call_lines, routine.buffers, routine.direct
        known = frozenset(routine.ref(node).text for node in self.body.captured)
        around = Surroundings(known, routine.call_lines, [])
        routine.loops.append(around)
        routine.call_lines, routine.buffers, routine.direct = [], self.places.buffers, self.direct
        for node in self.body.nodes:
            routine.write_node(node)
        for steps in self.body.kept:
            self._copied(steps)
        self._carried_on()
        for key in routine.loops.pop().copied:
            del routine.views[key]
        inner = routine.call_lines
        routine.call_lines, routine.buffers, routine.direct = before
        self._say(inner)

    def _say(self, inner: Sequence[tuple[str, str | None, str]]) -> None:
        lines: list[str] = []
        said = self.routine.remark(self.scan)
        for _, remark, text in inner:
            if remark is not None and remark != said:
                said = remark
                lines.append(remark)
            lines += text.split("\n")
        lines += self.ends
        if not self.through:
            self._at()
        names, ranges = list(self.through), list(self.through.values())
        head = f"for {names[0]} in {ranges[0]}:"
        if len(names) > 1:
            head = f"for {', '.join(names)} in zip({', '.join(ranges)}):"
        if len(head) > LONGEST:
            head = f"for (\n{_lines(names)}\n) in zip(\n{_lines(ranges)}\n):"
        self.routine.say("\n".join([head, *(f"    {line}" for line in lines or ["pass"])]))

    # --- what the loop goes through

    def _at(self) -> str:
        """The variable that holds the position along the axis."""
        if self._position is None:
            self._position = self.routine.names.fresh("position")
            backward = f"range({self.count} - 1, -1, -1)"
            self.through[self._position] = backward if self.scan.backward else f"range({self.count})"
        return self._position

    @property
    def _turned(self) -> str:
        return "[::-1]" if self.scan.backward else ""

    def _sequence(self, leaf: Leaf, whole: Node) -> None:
        routine = self.routine
        ref = routine.ref(whole)
        along = self.scan.along.name
        others = tuple(axis for axis in ref.axes if axis.name != along)
        first = routine.view(ref, ((along,), *((axis.name,) for axis in others)))
        assert first is not None
        name = routine.names.fresh(people(leaf))
        if others:
            self.through[name] = self._views(first)
            routine.refs[leaf.id] = Ref(name, others, contiguous=ref.contiguous and ref.layout[0] == along)
            return
        routine.refs[leaf.id] = Ref(name)
        numbers = f"{first.text}{self._turned}.tolist()"
        known = routine.plan.times[whole.id] == "bind" and ref.text not in routine.drawn
        if first.home == "fixed" and known:
            self.through[name] = self._fixed(f"{name}_steps", numbers)
        else:
            routine.note(first)
            self.through[name] = numbers

    def _views(self, first: Ref) -> str:
        """The views of an array at each position of its first axis: made once, where the array itself is."""
        routine = self.routine
        text = f"{first.text}{self._turned}"
        if first.home not in ("fixed", "theta"):
            routine.note(first)
            return text
        key = (f"{first.home} {first.text}", f"list{self._turned}")
        if key not in routine.views:
            name = routine.names.fresh(f"{first.text}_steps")
            lines = {"fixed": routine.late_lines, "theta": routine.theta_lines}[first.home]
            lines.append(f"{name} = list({text})")
            routine.views[key] = Ref(name, home=first.home)
        return routine.note(routine.views[key])

    def _fixed(self, name: str, value: str) -> str:
        """A value that is made when data are bound, behind the buffers, and used by the call."""
        made = self._made(name, value)
        self.routine.note(Ref(made, home="fixed"))
        return made

    def _made(self, name: str, value: str) -> str:
        made = self.routine.names.fresh(name)
        self.routine.late_lines.append(f"{made} = {value}")
        return made

    def _allocated(self, name: str, length: str, axes: Sequence[Axis], dtype: str) -> str:
        routine = self.routine
        made = routine.names.fresh(name)
        shape = ", ".join([length, *(routine.length(axis) for axis in axes)])
        routine.allocations[made] = f"{routine.use('empty')}(({shape}{'' if axes else ','}), {dtype})"
        return made

    # --- what is carried

    def _carried_number(self, part: int, leaf: Leaf) -> None:
        routine = self.routine
        name = routine.names.fresh(people(leaf))
        initial = self.scan.initials[part]
        start = number(initial.value) if isinstance(initial, Constant) else routine.aligned(routine.ref(initial), ())
        routine.say(f"{name} = {start}")
        routine.refs[leaf.id] = routine.lasts[self.scan.id, part] = Ref(name)
        self.numbers[part] = name

    def _carried_array(self, part: int, leaf: Leaf) -> None:
        """Each step reads one place and writes the next: of as many as there are steps, or of two in turn."""
        routine = self.routine
        name = routine.names.fresh(people(leaf))
        laid = routine.plan.laid(leaf.axes)
        if part in self.places.histories:
            memory = self._allocated(f"all_{name}", f"{self.count} + 1", laid, "DTYPE")
            places = self._made(f"{name}_places", f"list({memory}{self._turned})")
        else:
            memory = self._allocated(f"two_{name}", "2", laid, "DTYPE")
            places = self._made(f"{name}_places", f"list({memory}) * ({self.count} // 2 + 1)")
        self.memory[part] = memory
        first = self._fixed(f"{name}_first", f"{places}[0]")
        last = self._made(f"{name}_last", f"{places}[{self.count}]")
        initial = self.scan.initials[part]
        constant = initial.operands[0] if isinstance(initial, Spread) else initial
        if isinstance(constant, Constant):
            routine.say(f"{first}.fill({number(constant.value)})")
        else:
            value = routine.aligned(routine.ref(initial), [axis.name for axis in laid])
            routine.say(f"{routine.use('copyto')}({first}, {value})")
        self.through[name] = routine.note(Ref(places, home="fixed"))
        self.following[part] = routine.names.fresh(f"next_{name}")
        self.through[self.following[part]] = self._fixed(f"{name}_following", f"{places}[1 : {self.count} + 1]")
        following = self.scan.nexts[part]
        if self.places.nexts.get(following.id) == part:
            self.direct[following.id] = Ref(self.following[part], laid)
        routine.refs[leaf.id] = Ref(name, laid)
        routine.lasts[self.scan.id, part] = Ref(last, laid, "fixed")

    def _carried_on(self) -> None:
        """What was not written where the next step reads it is copied there."""
        routine = self.routine
        for part, name in self.following.items():
            node = self.scan.nexts[part]
            if self.places.nexts.get(node.id) != part:
                laid = routine.plan.laid(self.scan.carried[part].axes)
                value = routine.aligned(routine.ref(node), [axis.name for axis in laid])
                self.ends.append(f"{routine.use('copyto')}({name}, {value})")
        values = [routine.aligned(routine.ref(self.scan.nexts[part]), ()) for part in self.numbers]
        if values:
            self.ends.append(f"{', '.join(self.numbers.values())} = {', '.join(values)}")

    # --- what is kept of every step

    def _kept(self, steps: Steps) -> None:
        """The memory that holds the value of every step."""
        routine, value = self.routine, steps.operands[1]
        laid = routine.plan.laid(value.axes)
        axes = (self.scan.along, *laid)
        if steps.id in self.places.of_carried:
            part = self.places.of_carried[steps.id]
            read = value.id == self.scan.carried[part].id
            first = self.scan.backward == read
            made = self._made(
                f"{self.memory[part]}_{'read' if read else 'written'}",
                f"{self.memory[part]}{'[1:]' if first else '[:-1]'}",
            )
            routine.refs[steps.id] = Ref(made, axes, "fixed")
            return
        label = f"all_{routine.label(value)[0]}"
        if steps.id in routine.buffers:
            memory = self._made(label, routine.scratch(routine.buffers[steps.id]).text)
        else:
            memory = self._allocated(label, self.count, laid, routine.dtype_of(value))
        routine.refs[steps.id] = Ref(memory, axes, "fixed")
        if value.axes:
            place = routine.names.fresh(f"place_{routine.label(value)[0]}")
            self.through[place] = self._views(routine.refs[steps.id])
            self.kept[steps.id] = place
            if self.places.kept.get(value.id) is steps:
                self.direct[value.id] = Ref(place, laid)
        else:
            self.kept[steps.id] = f"{routine.note(routine.refs[steps.id])}[{self._at()}]"

    def _copied(self, steps: Steps) -> None:
        """The value of this step goes where that of every step is kept, if it was not computed there."""
        routine, value = self.routine, steps.operands[1]
        place = self.kept.get(steps.id)
        if place is None or self.places.kept.get(value.id) is steps:
            return
        text = routine.aligned(routine.ref(value), [axis.name for axis in routine.plan.laid(value.axes)])
        self.ends.append(f"{routine.use('copyto')}({place}, {text})" if value.axes else f"{place} = {text}")


def _lines(parts: Sequence[str]) -> str:
    """The parts with commas, on as few lines as hold them."""
    return textwrap.fill(
        f"{', '.join(parts)},",
        LONGEST,
        initial_indent="    ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
