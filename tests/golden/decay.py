"""A model, compiled by gradc: value and gradient in NumPy.

Made from decay.model; change that, and compile it again.
"""

import numpy
from numpy import add, array, divide, empty, errstate, exp, multiply, ones, square, subtract, tan

MODEL = "decay"
VERSION = "0.1.0"
SOURCE_SHA256 = "dc66949f0e20f627914fe21c145903435225d67d6a91d39237afcf02b7f1f32b"
DTYPE = "float64"
ROWS = "n"
CACHE = 1048576
LEAST_ROWS = 256
MOST_ROWS = 8192

AXES = {
    "n": None,
}
CONSTANTS = {}
INPUTS = {
    "t": {"axes": ("n",), "shape": ("n",), "dtype": "float64", "index": None},
    "y": {"axes": ("n",), "shape": ("n",), "dtype": "float64", "index": None},
}
NOISE = {}
PARAMETERS = {
    "a": {
        "axes": (),
        "shape": (),
        "bounds": (None, None),
        "initial": ("constant", 1.0),
        "slice": (0, 1),
    },
    "rate": {
        "axes": (),
        "shape": (),
        "bounds": (0.0, None),
        "initial": ("constant", 0.5),
        "slice": (1, 2),
    },
    "omega": {
        "axes": (),
        "shape": (),
        "bounds": (0.0, None),
        "initial": ("constant", 6.0),
        "slice": (2, 3),
    },
    "phase": {
        "axes": (),
        "shape": (),
        "bounds": (None, None),
        "initial": ("constant", 0.0),
        "slice": (3, 4),
    },
    "offset": {
        "axes": (),
        "shape": (),
        "bounds": (None, None),
        "initial": ("constant", 0.0),
        "slice": (4, 5),
    },
}
STATES = {}
OUTPUTS = {
    "y_hat": {"axes": ("n",), "shape": ("n",), "dtype": "float64", "needs": ("t",)},
}
METRICS = {}
OBJECTIVES = {
    "loss": {
        "sense": "minimize",
        "over": ("a", "rate", "omega", "phase", "offset"),
        "needs": ("t", "y"),
    },
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


class _Objective:
    """The value of `loss`, and its gradient."""

    def __init__(self, data, block=None):
        self._lengths = None
        self._block = block
        self.rebind(data)

    def rebind(self, data):
        """Take data in: check it, compute what follows from it alone, and cut the rows into blocks."""
        found, lengths = _read(data, ("t", "y"))
        with errstate(all="ignore"):
            n = lengths["n"]
            t = found["t"]
            y = found["y"]
            # line 8: minimize mean((y_hat - y)^2)
            loss_1 = 1.0 / n
            # gradient of line 8: minimize mean((y_hat - y)^2)
            d_loss_1 = loss_1 * 2.0
            # gradient of line 6: y_hat = a * exp(-rate * t) * sin(omega * t + phase) + offset
            d_y_hat_1 = -d_loss_1
            # line 6: y_hat = a * exp(-rate * t) * sin(omega * t + phase) + offset
            columns_1 = empty((n, 2), DTYPE)
            columns_1[:, 0] = t
            columns_1[:, 1] = 1
            block_rows = _cut(n, 72, self._block)
            several = block_rows < n
            if lengths != self._lengths:
                s0 = empty((2,), DTYPE)
                b0 = empty((block_rows,), DTYPE)
                b1 = empty((block_rows,), DTYPE)
                b2 = empty((block_rows,), DTYPE)
                b3 = empty((block_rows,), DTYPE)
                b4 = empty((block_rows,), DTYPE)
                ones_n = ones((block_rows,), DTYPE)
                sum_d_y_hat_3 = empty((2,), "float64" if several else DTYPE)
                part_d_y_hat = empty((2,), DTYPE) if several else sum_d_y_hat_3
                self._buffers = (s0, b0, b1, b2, b3, b4, ones_n, sum_d_y_hat_3, part_d_y_hat)
            else:
                (s0, b0, b1, b2, b3, b4, ones_n, sum_d_y_hat_3, part_d_y_hat) = self._buffers
            blocks = []
            for start in range(0, n, block_rows):
                rows = slice(start, min(start + block_rows, n))
                count = rows.stop - start
                blocks.append(
                    (
                        b0[:count],
                        t[rows],
                        b1[:count],
                        b2[:count],
                        columns_1[rows],
                        b3[:count],
                        b4[:count],
                        y[rows],
                        ones_n[:count],
                        columns_1[rows].T,
                    )
                )
            self._blocks = blocks
            self._fixed = (d_y_hat_1, s0, part_d_y_hat, sum_d_y_hat_3, several, loss_1, d_loss_1)
            self.size = 5
            self.rows = lengths.get("n")
            self._lengths = lengths
            self._theta = None
            self._out = None

    def _see(self, theta):
        found = _vector(theta, self.size)
        self._theta = found if found is theta else None
        a_cell = found[0:1].reshape(())
        offset_cell = found[4:5].reshape(())
        self._views = (a_cell, offset_cell)
        return found

    def _write_to(self, out):
        self._out = _gradient(out, self.size)

    @errstate(all="ignore")
    def __call__(self, theta, out=None):
        if theta is not self._theta:
            theta = self._see(theta)
        if out is None:
            out = empty(self.size, DTYPE)
        if out is not self._out:
            self._write_to(out)
        (d_y_hat_1, s0, part_d_y_hat, sum_d_y_hat_3, several, loss_1, d_loss_1) = self._fixed
        (a_cell, offset_cell) = self._views
        a = theta.item(0)
        rate = theta.item(1)
        omega = theta.item(2)
        phase = theta.item(3)
        # line 4: param a = 1, rate > 0 = 0.5, omega > 0 = 6, phase = 0, offset = 0
        rate_ = float(exp(rate))
        omega_ = float(exp(omega))
        # line 6: y_hat = a * exp(-rate * t) * sin(omega * t + phase) + offset
        y_hat_1 = -rate_
        # gradient of line 6: y_hat = a * exp(-rate * t) * sin(omega * t + phase) + offset
        d_y_hat_2 = a * d_y_hat_1
        # line 6: y_hat = a * exp(-rate * t) * sin(omega * t + phase) + offset
        s0[0] = omega_
        s0[1] = phase
        sum_loss = 0.0
        sum_d_y_hat = 0.0
        sum_d_y_hat_ = 0.0
        sum_d_y_hat_2 = 0.0
        if several:
            sum_d_y_hat_3.fill(0.0)
        for (b0, t, b1, b2, columns_1, b3, b4, y, ones_n, columns_1_as_2terms_n) in self._blocks:
            y_hat_2 = multiply(t, y_hat_1, b0)
            y_hat_3 = exp(y_hat_2, b0)
            y_hat_4 = multiply(a_cell, y_hat_3, b1)
            y_hat_5 = columns_1.dot(s0, b2)
            y_hat_6 = multiply(y_hat_5, 0.5, b2)
            y_hat_7 = tan(y_hat_6, b2)
            y_hat_8 = square(y_hat_7, b3)
            y_hat_9 = add(y_hat_8, 1.0, b3)
            y_hat_10 = divide(2.0, y_hat_9, b3)
            y_hat_11 = multiply(y_hat_7, y_hat_10, b2)
            y_hat_12 = multiply(y_hat_4, y_hat_11, b4)
            y_hat = add(offset_cell, y_hat_12, b4)
            # line 8: minimize mean((y_hat - y)^2)
            loss_2 = subtract(y_hat, y, b4)
            # gradient of line 6: y_hat = a * exp(-rate * t) * sin(omega * t + phase) + offset
            d_y_hat_3 = subtract(y_hat_10, 1.0, b3)
            # line 8: minimize mean((y_hat - y)^2)
            sum_loss += float(loss_2.dot(loss_2))
            # gradient of line 6: y_hat = a * exp(-rate * t) * sin(omega * t + phase) + offset
            d_y_hat_4 = multiply(y_hat_4, d_y_hat_3, b3)
            d_y_hat_5 = multiply(t, y_hat_3, b1)
            sum_d_y_hat += float(loss_2.dot(ones_n))
            d_y_hat_6 = multiply(y_hat_11, loss_2, b2)
            d_y_hat_7 = multiply(loss_2, d_y_hat_4, b3)
            sum_d_y_hat_ += float(y_hat_3.dot(d_y_hat_6))
            sum_d_y_hat_2 += float(d_y_hat_5.dot(d_y_hat_6))
            d_y_hat_8 = columns_1_as_2terms_n.dot(d_y_hat_7, part_d_y_hat)
            if several:
                add(sum_d_y_hat_3, part_d_y_hat, sum_d_y_hat_3)
        # gradient of line 6: y_hat = a * exp(-rate * t) * sin(omega * t + phase) + offset
        d_y_hat_9 = float(sum_d_y_hat_3[1])
        d_y_hat_10 = float(sum_d_y_hat_3[0])
        out[0] = d_loss_1 * sum_d_y_hat_
        out[1] = rate_ * d_y_hat_2 * sum_d_y_hat_2
        out[2] = omega_ * d_loss_1 * d_y_hat_10
        out[3] = d_loss_1 * d_y_hat_9
        out[4] = d_loss_1 * sum_d_y_hat
        return loss_1 * sum_loss, out


class _Outputs:
    """What `predict` returns."""

    def __init__(self, data, block=None):
        self._lengths = None
        self._block = block
        self.rebind(data)

    def rebind(self, data):
        """Take data in: check it, compute what follows from it alone, and cut the rows into blocks."""
        found, lengths = _read(data, ("t",))
        with errstate(all="ignore"):
            n = lengths["n"]
            t = found["t"]
            # line 6: y_hat = a * exp(-rate * t) * sin(omega * t + phase) + offset
            columns_1 = empty((n, 2), DTYPE)
            columns_1[:, 0] = t
            columns_1[:, 1] = 1
            block_rows = _cut(n, 48, self._block)
            several = block_rows < n
            if lengths != self._lengths:
                s0 = empty((2,), DTYPE)
                b0 = empty((block_rows,), DTYPE)
                b1 = empty((block_rows,), DTYPE)
                b2 = empty((block_rows,), DTYPE)
                all_y_hat = empty((n,), DTYPE)
                self._buffers = (s0, b0, b1, b2, all_y_hat)
            else:
                (s0, b0, b1, b2, all_y_hat) = self._buffers
            blocks = []
            for start in range(0, n, block_rows):
                rows = slice(start, min(start + block_rows, n))
                count = rows.stop - start
                blocks.append(
                    (
                        b0[:count],
                        t[rows],
                        b1[:count],
                        columns_1[rows],
                        b2[:count],
                        all_y_hat[rows],
                    )
                )
            self._blocks = blocks
            self._fixed = (s0, all_y_hat)
            self.size = 5
            self.rows = lengths.get("n")
            self._lengths = lengths
            self._theta = None

    def _see(self, theta):
        found = _vector(theta, self.size)
        self._theta = found if found is theta else None
        a_cell = found[0:1].reshape(())
        offset_cell = found[4:5].reshape(())
        self._views = (a_cell, offset_cell)
        return found

    @errstate(all="ignore")
    def __call__(self, theta):
        if theta is not self._theta:
            theta = self._see(theta)
        (s0, all_y_hat) = self._fixed
        (a_cell, offset_cell) = self._views
        rate = theta.item(1)
        omega = theta.item(2)
        phase = theta.item(3)
        # line 4: param a = 1, rate > 0 = 0.5, omega > 0 = 6, phase = 0, offset = 0
        rate_ = float(exp(rate))
        omega_ = float(exp(omega))
        # line 6: y_hat = a * exp(-rate * t) * sin(omega * t + phase) + offset
        y_hat_1 = -rate_
        s0[0] = omega_
        s0[1] = phase
        for (b0, t, b1, columns_1, b2, some_y_hat) in self._blocks:
            y_hat_2 = multiply(t, y_hat_1, b0)
            y_hat_3 = exp(y_hat_2, b0)
            y_hat_4 = multiply(a_cell, y_hat_3, b0)
            y_hat_5 = columns_1.dot(s0, b1)
            y_hat_6 = multiply(y_hat_5, 0.5, b1)
            y_hat_7 = tan(y_hat_6, b1)
            y_hat_8 = square(y_hat_7, b2)
            y_hat_9 = add(y_hat_8, 1.0, b2)
            y_hat_10 = divide(2.0, y_hat_9, b2)
            y_hat_11 = multiply(y_hat_7, y_hat_10, b2)
            y_hat_12 = multiply(y_hat_4, y_hat_11, b2)
            y_hat = add(offset_cell, y_hat_12, some_y_hat)
        return {
            "y_hat": array(all_y_hat),
        }


class _Pullback:
    """The gradient that cotangents of the outputs give."""

    def __init__(self, data, seeds, block=None):
        self._lengths = None
        self._block = block
        self.rebind(data, seeds)

    def rebind(self, data, seeds):
        """Take data in: check it, compute what follows from it alone, and cut the rows into blocks."""
        found, lengths = _read(data, ("t",))
        seeds = _read_seeds(seeds, lengths)
        with errstate(all="ignore"):
            n = lengths["n"]
            seed_y_hat = seeds["y_hat"]
            t = found["t"]
            ones_n = ones((n,), DTYPE)
            # gradient of line 6: y_hat = a * exp(-rate * t) * sin(omega * t + phase) + offset
            d_offset_1 = float(seed_y_hat.dot(ones_n))
            # line 6: y_hat = a * exp(-rate * t) * sin(omega * t + phase) + offset
            columns_1 = empty((n, 2), DTYPE)
            columns_1[:, 0] = t
            columns_1[:, 1] = 1
            block_rows = _cut(n, 64, self._block)
            several = block_rows < n
            if lengths != self._lengths:
                s0 = empty((2,), DTYPE)
                b0 = empty((block_rows,), DTYPE)
                b1 = empty((block_rows,), DTYPE)
                b2 = empty((block_rows,), DTYPE)
                b3 = empty((block_rows,), DTYPE)
                sum_d_y_hat_ = empty((2,), "float64" if several else DTYPE)
                part_d_y_hat = empty((2,), DTYPE) if several else sum_d_y_hat_
                self._buffers = (s0, b0, b1, b2, b3, sum_d_y_hat_, part_d_y_hat)
            else:
                (s0, b0, b1, b2, b3, sum_d_y_hat_, part_d_y_hat) = self._buffers
            blocks = []
            for start in range(0, n, block_rows):
                rows = slice(start, min(start + block_rows, n))
                count = rows.stop - start
                blocks.append(
                    (
                        b0[:count],
                        t[rows],
                        b1[:count],
                        b2[:count],
                        columns_1[rows],
                        b3[:count],
                        seed_y_hat[rows],
                        columns_1[rows].T,
                    )
                )
            self._blocks = blocks
            self._fixed = (s0, part_d_y_hat, sum_d_y_hat_, several, d_offset_1)
            self.size = 5
            self.rows = lengths.get("n")
            self._lengths = lengths
            self._theta = None
            self._out = None

    def _see(self, theta):
        found = _vector(theta, self.size)
        self._theta = found if found is theta else None
        a_cell = found[0:1].reshape(())
        self._views = (a_cell,)
        return found

    def _write_to(self, out):
        self._out = _gradient(out, self.size)

    @errstate(all="ignore")
    def __call__(self, theta, out=None):
        if theta is not self._theta:
            theta = self._see(theta)
        if out is None:
            out = empty(self.size, DTYPE)
        if out is not self._out:
            self._write_to(out)
        (s0, part_d_y_hat, sum_d_y_hat_, several, d_offset_1) = self._fixed
        (a_cell,) = self._views
        a = theta.item(0)
        rate = theta.item(1)
        omega = theta.item(2)
        phase = theta.item(3)
        # line 4: param a = 1, rate > 0 = 0.5, omega > 0 = 6, phase = 0, offset = 0
        rate_ = float(exp(rate))
        omega_ = float(exp(omega))
        # line 6: y_hat = a * exp(-rate * t) * sin(omega * t + phase) + offset
        y_hat_1 = -rate_
        s0[0] = omega_
        s0[1] = phase
        sum_d_a = 0.0
        sum_d_y_hat = 0.0
        if several:
            sum_d_y_hat_.fill(0.0)
        for (b0, t, b1, b2, columns_1, b3, seed_y_hat, columns_1_as_2terms_n) in self._blocks:
            y_hat_2 = multiply(t, y_hat_1, b0)
            y_hat_3 = exp(y_hat_2, b0)
            y_hat_4 = multiply(a_cell, y_hat_3, b1)
            y_hat_5 = columns_1.dot(s0, b2)
            y_hat_6 = multiply(y_hat_5, 0.5, b2)
            y_hat_7 = tan(y_hat_6, b2)
            y_hat_8 = square(y_hat_7, b3)
            y_hat_9 = add(y_hat_8, 1.0, b3)
            y_hat_10 = divide(2.0, y_hat_9, b3)
            y_hat_11 = multiply(y_hat_7, y_hat_10, b2)
            # gradient of line 6: y_hat = a * exp(-rate * t) * sin(omega * t + phase) + offset
            d_y_hat_1 = subtract(y_hat_10, 1.0, b3)
            d_y_hat_2 = multiply(seed_y_hat, y_hat_11, b2)
            sum_d_a += float(y_hat_3.dot(d_y_hat_2))
            d_y_hat_3 = multiply(y_hat_4, d_y_hat_1, b3)
            d_y_hat_4 = multiply(seed_y_hat, d_y_hat_3, b3)
            d_y_hat_5 = multiply(t, y_hat_3, b0)
            sum_d_y_hat += float(d_y_hat_2.dot(d_y_hat_5))
            d_y_hat_6 = columns_1_as_2terms_n.dot(d_y_hat_4, part_d_y_hat)
            if several:
                add(sum_d_y_hat_, part_d_y_hat, sum_d_y_hat_)
        # gradient of line 6: y_hat = a * exp(-rate * t) * sin(omega * t + phase) + offset
        d_phase_1 = float(sum_d_y_hat_[1])
        d_y_hat_7 = float(sum_d_y_hat_[0])
        out[0] = sum_d_a
        out[1] = -(rate_ * a * sum_d_y_hat)
        out[2] = omega_ * d_y_hat_7
        out[3] = d_phase_1
        out[4] = d_offset_1
        return out


_OBJECTIVES = {"loss": _Objective}


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
    names = ("y_hat",)
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
