"""A model, compiled by gradc: value and gradient in NumPy.

Made from thermometer.model; change that, and compile it again.

Where the data allow it, `bind` gives _Factored for `loss`:
from the factor of the columns: no step passes through the rows.
"""

import numpy
from numpy import add, array, divide, empty, errstate, multiply, negative, sqrt

MODEL = "thermometer"
VERSION = "0.1.0"
SOURCE_SHA256 = "afd7e8dcfa0749b4cc055bbc73132764990a3bce45cc131cfdf7e3ff2751406b"
DTYPE = "float64"
ROWS = "n"
CACHE = 1048576
LEAST_ROWS = 256
MOST_ROWS = 8192
MOST_COLUMNS = 256

AXES = {
    "n": None,
}
CONSTANTS = {}
INPUTS = {
    "t_u": {"axes": ("n",), "shape": ("n",), "dtype": "float64", "index": None},
    "t_c": {"axes": ("n",), "shape": ("n",), "dtype": "float64", "index": None},
}
NOISE = {}
PARAMETERS = {
    "w": {
        "axes": (),
        "shape": (),
        "bounds": (None, None),
        "initial": ("constant", 1.0),
        "slice": (0, 1),
    },
    "b": {
        "axes": (),
        "shape": (),
        "bounds": (None, None),
        "initial": ("constant", 0.0),
        "slice": (1, 2),
    },
}
STATES = {}
OUTPUTS = {
    "t_p": {"axes": ("n",), "shape": ("n",), "dtype": "float64", "needs": ("t_u",)},
}
METRICS = {}
OBJECTIVES = {
    "loss": {"sense": "minimize", "over": ("w", "b"), "needs": ("t_u", "t_c")},
}

class DataError(ValueError):
    """Data, parameters or seeds that do not fit the model."""


def _column(data, name):
    try:
        return data[name]
    except (KeyError, IndexError, TypeError):
        raise DataError(f"input {name!r} is missing from the data") from None


def _numbers(value, name, dtype):
    try:
        found = numpy.asarray(value)
    except ValueError:
        raise DataError(f"{name!r} is ragged: its rows have different lengths") from None
    kind = found.dtype.kind
    if dtype == "bool":
        if kind == "b" or (kind in "iuf" and numpy.isin(found, (0, 1)).all()):
            return found.astype(bool)
        raise DataError(f"{name!r} must hold truth values, and holds {found.dtype}")
    if dtype == "int64":
        if kind in "iub" or (kind == "f" and (found == numpy.floor(found)).all()):
            return numpy.ascontiguousarray(found, dtype)
        raise DataError(f"{name!r} must hold whole numbers, and holds {found.dtype}")
    if kind not in "iufb":
        raise DataError(f"{name!r} must hold numbers, and holds {found.dtype}")
    # A value that the narrower type cannot hold is refused below, with its place.
    with numpy.errstate(over="ignore"):
        found = numpy.array(found, dtype, order="C")
    finite = numpy.isfinite(found)
    if not finite.all():
        place = tuple(int(i) for i in numpy.argwhere(~finite)[0])
        raise DataError(f"{name!r} holds {found[place]} at {list(place)}: leave out or replace what is not finite")
    return found


def _fit(name, found, axes, shape, lengths):
    """Check a shape against the lengths known so far, and note those that it tells."""
    if found.ndim != len(axes):
        raise DataError(f"{name!r} has shape {found.shape}, and needs the {len(axes)} axes [{', '.join(axes)}]")
    for axis, wanted, length in zip(axes, shape, found.shape):
        base = axis.rstrip("'")
        known = wanted if isinstance(wanted, int) else lengths.get(wanted)
        if known is None:
            lengths[wanted] = length
        elif known != length:
            raise DataError(f"axis {axis!r} has length {known}, and {name!r} of shape {found.shape} gives it {length}")
        if length == 0:
            raise DataError(f"{name!r} is empty along axis {base!r}")


def _read(data, needs, told=None):
    """The inputs named, as contiguous arrays of their types, and the lengths that they tell, with those told before."""
    lengths = {} if told is None else told
    found = {}
    for name in needs:
        entry = INPUTS[name]
        found[name] = _numbers(_column(data, name), name, entry["dtype"])
        _fit(name, found[name], entry["axes"], entry["shape"], lengths)
    for name in needs:
        axis = INPUTS[name]["index"]
        if axis is not None:
            entry = AXES[axis]
            length = entry if entry is not None else lengths.get(axis)
            if length is None:
                continue
            low, high = int(found[name].min()), int(found[name].max())
            if low < 0 or high >= length:
                wrong = low if low < 0 else high
                place = [int(i) for i in numpy.argwhere(found[name] == wrong)[0]]
                raise DataError(f"{name!r} holds {wrong} at {place}, and axis {axis!r} counts from 0 to {length - 1}")
    return found, lengths


def _lengths(data):
    """The lengths that the parameters need, from whichever inputs tell them."""
    lengths = {}
    if data is not None:
        for name, entry in INPUTS.items():
            if name in data:
                shape = numpy.shape(data[name])
                if len(shape) == len(entry["axes"]):
                    for wanted, length in zip(entry["shape"], shape):
                        lengths.setdefault(wanted, length)
    return lengths


def _shape(name, table, lengths):
    shape = []
    for entry in table["shape"]:
        length = entry if isinstance(entry, int) else lengths.get(entry)
        if length is None:
            raise DataError(f"the length of axis {entry!r} of {name!r} comes from the data: pass data")
        shape.append(length)
    return tuple(shape)


def _kept():
    """What lies in the flat vector: the parameters, and behind them the states."""
    return list(PARAMETERS.items()) + list(STATES.items())


def _layout(lengths):
    found, start = {}, 0
    for name, entry in _kept():
        shape = _shape(name, entry, lengths)
        stop = start + int(numpy.prod(shape, dtype=numpy.int64))
        found[name] = (slice(start, stop), shape)
        start = stop
    return found


def layout(data=None):
    """Where each parameter and state lies in the flat vector, and its shape. `data` where they tell a length."""
    return _layout(_lengths(data))


def _bounded(value, bounds):
    low, high = bounds
    if low is None and high is None:
        return value
    if high is None:
        return low + numpy.exp(value)
    if low is None:
        return high - numpy.exp(value)
    return low + (high - low) / (1 + numpy.exp(-value))


def _free(name, value, bounds):
    low, high = bounds
    if low is not None and not (value > low).all() or high is not None and not (value < high).all():
        raise DataError(f"parameter {name!r} must lie between {low} and {high}")
    if low is None and high is None:
        return value
    if high is None:
        return numpy.log(value - low)
    if low is None:
        return numpy.log(high - value)
    return numpy.log((value - low) / (high - value))


def initial(data=None, seed=0):
    """Parameters and states at the start, as one flat vector of unconstrained values; a function of the seed."""
    places = layout(data)
    random = numpy.random.Generator(numpy.random.Philox(seed))
    theta = numpy.empty(sum(numpy.prod(shape, dtype=numpy.int64) for _, shape in places.values()), DTYPE)
    for name, entry in _kept():
        place, shape = places[name]
        kind, *arguments = entry["initial"]
        if kind == "constant":
            value = numpy.full(shape, arguments[0])
        elif kind == "normal":
            value = random.normal(arguments[0], arguments[1], shape)
        elif kind == "uniform":
            value = random.uniform(arguments[0], arguments[1], shape)
        else:
            first = shape[0] if shape else 1
            rest = int(numpy.prod(shape[1:], dtype=numpy.int64))
            if kind == "glorot":
                limit = (arguments[0] if arguments else 1.0) * (6 / (first + rest)) ** 0.5
                value = random.uniform(-limit, limit, shape)
            else:
                value = random.normal(0.0, (2 / (first if len(shape) < 3 else rest)) ** 0.5, shape)
        theta[place] = _free(name, value, entry["bounds"]).reshape(-1)
    return theta


def unpack(theta, data=None):
    """The parameters and states by name, as the model sees them; a view of `theta` where there is no bound."""
    places = layout(data)
    bounds = {name: entry["bounds"] for name, entry in _kept()}
    theta = numpy.asarray(theta)
    size = max((place.stop for place, _ in places.values()), default=0)
    if theta.shape != (size,):
        raise DataError(f"the parameters are a vector of length {size}, and this has shape {theta.shape}")
    return {name: _bounded(theta[p].reshape(s), bounds[name]) for name, (p, s) in places.items()}


def pack(values, data=None):
    """The flat vector of the parameters and states given by name, as the model sees them."""
    for name in values:
        if name not in PARAMETERS and name not in STATES:
            raise DataError(f"there is no parameter {name!r}; there are {', '.join(name for name, _ in _kept())}")
    lengths, parts = _lengths(data), []
    for name, entry in _kept():
        if name not in values:
            raise DataError(f"{'parameter' if name in PARAMETERS else 'state'} {name!r} is missing")
        value = _numbers(values[name], name, DTYPE)
        _fit(name, value, entry["axes"], entry["shape"], lengths)
        parts.append(_free(name, value, entry["bounds"]).reshape(-1))
    return numpy.concatenate(parts).astype(DTYPE) if parts else numpy.empty(0, DTYPE)


def _vector(theta, size):
    """`theta` as a contiguous vector of the working type."""
    found = numpy.ascontiguousarray(theta, DTYPE)
    if found.shape != (size,):
        raise DataError(f"the parameters are a vector of length {size}, and this has shape {numpy.shape(theta)}")
    return found


def _gradient(out, size):
    if not isinstance(out, numpy.ndarray) or out.shape != (size,) or out.dtype != DTYPE or not out.flags.c_contiguous:
        raise DataError(f"`out` must be a contiguous {DTYPE} vector of length {size}")
    return out


def _cut(rows, bytes_in_row, block, least=None):
    """How many rows a block has: what stays in the cache, unless all of them do; not fewer than are worth a call."""
    if block is not None:
        if block < 1:
            raise DataError(f"a block has at least one row, and {block} were asked for")
        return min(block, rows)
    most = max(min(CACHE // bytes_in_row, MOST_ROWS), LEAST_ROWS if least is None else min(least, LEAST_ROWS))
    return rows if rows <= min(2 * most, MOST_ROWS) else most


def _factor(columns):
    """Columns of known values, and sets of them, as the triangular factor of all has them: the products of the new
    columns are those of the old, summed over the rows."""
    wide = [column[:, None] if column.ndim == 1 else column for column in columns]
    width = sum(column.shape[1] for column in wide)
    found = numpy.zeros((width, width))
    for start in range(0, len(wide[0]), LEAST_ROWS * width):
        rows = slice(start, start + LEAST_ROWS * width)
        part = numpy.concatenate([column[rows] for column in wide], axis=1)
        found = numpy.linalg.qr(numpy.concatenate([found, part]), "r")
    parts, start = [], 0
    for column, each in zip(columns, wide):
        part = numpy.ascontiguousarray(found[:, start:start + each.shape[1]])
        parts.append(part.reshape(-1) if column.ndim == 1 else part)
        start += each.shape[1]
    return parts


class _Objective:
    """The value of `loss`, and its gradient."""

    def __init__(self, data, block=None):
        self._lengths = None
        self._block = block
        self.rebind(data)

    def rebind(self, data):
        """Take data in: check it, compute what follows from it alone, and cut the rows into blocks."""
        found, lengths = _read(data, ("t_u", "t_c"))
        n = lengths["n"]
        t_u = found["t_u"]
        t_c = found["t_c"]
        # line 9: minimize mean((t_p - t_c)^2)
        loss_1 = 1.0 / n
        # line 7: t_p = w * t_u + b
        t_p_1 = loss_1 * 2.0
        # line 9: minimize mean((t_p - t_c)^2)
        loss_2 = negative(t_c)
        columns_1 = empty((n, 2), DTYPE)
        columns_1[:, 0] = t_u
        columns_1[:, 1] = 1
        block_rows = _cut(n, 32, self._block)
        several = block_rows < n
        if lengths != self._lengths:
            b0 = empty((block_rows,), DTYPE)
            sum_d_t_p = empty((2,), "float64" if several else DTYPE)
            part_d_t_p = empty((2,), DTYPE) if several else sum_d_t_p
            self._buffers = (b0, sum_d_t_p, part_d_t_p)
        else:
            (b0, sum_d_t_p, part_d_t_p) = self._buffers
        blocks = []
        for start in range(0, n, block_rows):
            rows = slice(start, min(start + block_rows, n))
            count = rows.stop - start
            blocks.append(
                (
                    b0[:count],
                    columns_1[rows],
                    loss_2[rows],
                    columns_1[rows].T,
                )
            )
        self._blocks = blocks
        self._fixed = (part_d_t_p, sum_d_t_p, several, loss_1, t_p_1)
        self.size = 2
        self.rows = lengths.get("n")
        self._lengths = lengths
        self._theta = None
        self._out = None

    def _see(self, theta):
        found = _vector(theta, self.size)
        self._theta = found if found is theta else None
        return found

    def _write_to(self, out):
        self._out = _gradient(out, self.size)

    def __call__(self, theta, out=None):
        if theta is not self._theta:
            theta = self._see(theta)
        if out is None:
            out = empty(self.size, DTYPE)
        if out is not self._out:
            self._write_to(out)
        (part_d_t_p, sum_d_t_p, several, loss_1, t_p_1) = self._fixed
        sum_loss = 0.0
        if several:
            sum_d_t_p.fill(0.0)
        for (b0, columns_1, loss_2, columns_1_as_2terms_n) in self._blocks:
            # line 9: minimize mean((t_p - t_c)^2)
            loss_3 = columns_1.dot(theta, b0)
            loss_4 = add(loss_2, loss_3, b0)
            sum_loss += float(loss_4.dot(loss_4))
            # gradient of line 7: t_p = w * t_u + b
            d_t_p_1 = columns_1_as_2terms_n.dot(loss_4, part_d_t_p)
            if several:
                add(sum_d_t_p, part_d_t_p, sum_d_t_p)
        # gradient of line 7: t_p = w * t_u + b
        d_t_p_2 = float(sum_d_t_p[1])
        d_t_p_3 = float(sum_d_t_p[0])
        out[0] = t_p_1 * d_t_p_3
        out[1] = t_p_1 * d_t_p_2
        return loss_1 * sum_loss, out


class _Factored:
    """The value of `loss`, and its gradient, from the factor of the columns: no step passes through the rows."""

    def __init__(self, data, block=None):
        self._lengths = None
        self._block = block
        self.rebind(data)

    def rebind(self, data):
        """Take data in: check it, and compute what follows from it alone."""
        found, lengths = _read(data, ("t_u", "t_c"))
        with errstate(all="ignore"):
            n = lengths["n"]
            t_u = found["t_u"]
            t_c = found["t_c"]
            # line 9: minimize mean((t_p - t_c)^2)
            loss_1 = 1.0 / n
            # line 7: t_p = w * t_u + b
            t_p_1 = loss_1 * 2.0
            # line 9: minimize mean((t_p - t_c)^2)
            loss_2 = negative(t_c)
            columns_1 = empty((n, 2), DTYPE)
            columns_1[:, 0] = t_u
            columns_1[:, 1] = 1
            factors_1 = _factor((columns_1, loss_2))
            factor_1 = factors_1[0]
            value_1 = float(sqrt(t_p_1))
            factor_2 = factors_1[1]
            loss_3 = float(divide(loss_1, t_p_1))
            factor_1_at_2terms = factor_1[:, 0]
            factor_3 = float(factor_1_at_2terms[0])
            loss_4 = value_1 * factor_3
            factor_1_at_2terms_ = factor_1[:, 1]
            factor_4 = float(factor_1_at_2terms_[0])
            loss_5 = value_1 * factor_4
            factor_5 = float(factor_1_at_2terms_[1])
            loss_6 = value_1 * factor_5
            factor_6 = float(factor_2[0])
            loss_7 = value_1 * factor_6
            factor_7 = float(factor_2[1])
            loss_8 = value_1 * factor_7
            factor_8 = float(factor_2[2])
            loss_9 = value_1 * factor_8
            loss_10 = loss_9 * loss_9
            self._fixed = (loss_4, loss_5, loss_6, loss_7, loss_8, loss_10, loss_3)
            self.size = 2
            self.rows = lengths.get("n")
            self._lengths = lengths
            self._theta = None
            self._out = None

    def _see(self, theta):
        found = _vector(theta, self.size)
        self._theta = found if found is theta else None
        return found

    def _write_to(self, out):
        self._out = _gradient(out, self.size)

    def __call__(self, theta, out=None):
        if theta is not self._theta:
            theta = self._see(theta)
        if out is None:
            out = empty(self.size, DTYPE)
        if out is not self._out:
            self._write_to(out)
        (loss_4, loss_5, loss_6, loss_7, loss_8, loss_10, loss_3) = self._fixed
        (w, b) = theta.tolist()
        # line 9: minimize mean((t_p - t_c)^2)
        loss_11 = w * loss_4 + b * loss_5 + loss_7
        loss_12 = b * loss_6 + loss_8
        out[0] = loss_4 * loss_11
        out[1] = loss_5 * loss_11 + loss_6 * loss_12
        return loss_3 * (loss_10 + loss_11 * loss_11 + loss_12 * loss_12), out


class _Outputs:
    """What `predict` returns."""

    def __init__(self, data, block=None):
        self._lengths = None
        self._block = block
        self.rebind(data)

    def rebind(self, data):
        """Take data in: check it, compute what follows from it alone, and cut the rows into blocks."""
        found, lengths = _read(data, ("t_u",))
        n = lengths["n"]
        t_u = found["t_u"]
        block_rows = _cut(n, 16, self._block)
        several = block_rows < n
        if lengths != self._lengths:
            b0 = empty((block_rows,), DTYPE)
            all_t_p = empty((n,), DTYPE)
            self._buffers = (b0, all_t_p)
        else:
            (b0, all_t_p) = self._buffers
        blocks = []
        for start in range(0, n, block_rows):
            rows = slice(start, min(start + block_rows, n))
            count = rows.stop - start
            blocks.append(
                (
                    b0[:count],
                    t_u[rows],
                    all_t_p[rows],
                )
            )
        self._blocks = blocks
        self._fixed = (all_t_p,)
        self.size = 2
        self.rows = lengths.get("n")
        self._lengths = lengths
        self._theta = None

    def _see(self, theta):
        found = _vector(theta, self.size)
        self._theta = found if found is theta else None
        w_cell = found[0:1].reshape(())
        b_cell = found[1:2].reshape(())
        self._views = (w_cell, b_cell)
        return found

    def __call__(self, theta):
        if theta is not self._theta:
            theta = self._see(theta)
        (all_t_p,) = self._fixed
        (w_cell, b_cell) = self._views
        for (b0, t_u, some_t_p) in self._blocks:
            # line 7: t_p = w * t_u + b
            t_p_1 = multiply(t_u, w_cell, b0)
            t_p = add(b_cell, t_p_1, some_t_p)
        return {
            "t_p": array(all_t_p),
        }


class _Pullback:
    """The gradient that cotangents of the outputs give."""

    def __init__(self, data, seeds, block=None):
        self._lengths = None
        self._block = block
        self.rebind(data, seeds)

    def rebind(self, data, seeds):
        """Take data in: check it, and compute what follows from it alone."""
        found, lengths = _read(data, ("t_u",))
        seeds = _read_seeds(seeds, lengths)
        n = lengths["n"]
        seed_t_p = seeds["t_p"]
        t_u = found["t_u"]
        # line 9: minimize mean((t_p - t_c)^2)
        columns_1 = empty((n, 2), DTYPE)
        columns_1[:, 0] = t_u
        columns_1[:, 1] = 1
        # gradient of line 7: t_p = w * t_u + b
        d_t_p_1 = seed_t_p.dot(columns_1)
        d_b_1 = float(d_t_p_1[1])
        d_w_1 = float(d_t_p_1[0])
        self._fixed = (d_w_1, d_b_1)
        self.size = 2
        self.rows = lengths.get("n")
        self._lengths = lengths
        self._theta = None
        self._out = None

    def _see(self, theta):
        found = _vector(theta, self.size)
        self._theta = found if found is theta else None
        return found

    def _write_to(self, out):
        self._out = _gradient(out, self.size)

    def __call__(self, theta, out=None):
        if theta is not self._theta:
            theta = self._see(theta)
        if out is None:
            out = empty(self.size, DTYPE)
        if out is not self._out:
            self._write_to(out)
        (d_w_1, d_b_1) = self._fixed
        out[0] = d_w_1
        out[1] = d_b_1
        return out


_OBJECTIVES = {"loss": _Objective}
_FACTORED = {"loss": _Factored}


def bind(data, objective=None, block=None):
    """An objective bound to data: call it with a vector of parameters for the loss and the gradient.

    `data` maps the names of inputs to arrays. `objective` may be left out where there is one. `block` is the number of
    rows that are computed at a time, a good one where it is left out. The result has `size`, `rows`, and
    `rebind(data)` for new data.
    """
    if objective is None:
        objective = next(iter(_OBJECTIVES))
    if objective not in _OBJECTIVES:
        raise DataError(f"there is no objective {objective!r}; there are {', '.join(_OBJECTIVES)}")
    if block is None and objective in _FACTORED:
        lengths = _lengths(data)
        columns = {"loss": 3}[objective]
        if columns <= MOST_COLUMNS and lengths.get("n", 0) >= 2 * columns:
            return _FACTORED[objective](data)
    return _OBJECTIVES[objective](data, block)


def predict(theta, data):
    """The outputs by name, each an array over the axes that `OUTPUTS` names."""
    return _Outputs(data)(theta)


def metrics(theta, data):
    """The metrics by name."""
    return {}


def _read_seeds(seeds, lengths):
    if not seeds:
        raise DataError("a pullback needs a seed: the cotangent of one output at least, of that output's shape")
    names = ("t_p",)
    for name in seeds:
        if name not in names:
            raise DataError(f"there is no differentiable output {name!r}; there are {', '.join(names)}")
    found = {}
    for name in names:
        entry = OUTPUTS[name]
        shape = tuple(s if isinstance(s, int) else lengths.get(s) for s in entry["shape"])
        if name in seeds:
            found[name] = _numbers(seeds[name], name, DTYPE)
            if found[name].ndim != len(shape) or any(w not in (None, g) for w, g in zip(shape, found[name].shape)):
                raise DataError(f"the seed of {name!r} has shape {found[name].shape}, and the output has {shape}")
        else:
            found[name] = numpy.zeros(shape, DTYPE)
    return found


def vjp(theta, data, seeds):
    """The gradient for cotangents of the outputs, `seeds` by name; an output without one counts as zero."""
    return _Pullback(data, seeds)(theta)
