"""A model, compiled by gradc: value and gradient in NumPy.

Made from regularised.model; change that, and compile it again.
"""

import numpy
from numpy import (
    add,
    array,
    copyto,
    divide,
    einsum,
    empty,
    errstate,
    less,
    maximum,
    multiply,
    ones,
    sqrt,
    square,
    subtract,
    tanh,
)

MODEL = "regularised"
VERSION = "0.1.0"
SOURCE_SHA256 = "85e129ad8898e5981533b0e29948eff5b989a91696d7a8c1648a62d2079d4898"
DTYPE = "float64"
ROWS = "n"
CACHE = 1048576
LEAST_ROWS = 256
MOST_ROWS = 8192

AXES = {
    "n": None,
    "d": 3,
    "hidden": 6,
}
CONSTANTS = {}
INPUTS = {
    "x": {"axes": ("n", "d"), "shape": ("n", 3), "dtype": "float64", "index": None},
    "y": {"axes": ("n",), "shape": ("n",), "dtype": "float64", "index": None},
}
NOISE = {
    "drop.u": {"axes": ("n", "hidden"), "shape": ("n", 6), "draw": ("uniform", 0.0, 1.0)},
}
PARAMETERS = {
    "fc.W": {
        "axes": ("d", "hidden"),
        "shape": (3, 6),
        "bounds": (None, None),
        "initial": ("glorot", 1.0),
        "slice": (0, 18),
    },
    "fc.b": {
        "axes": ("hidden",),
        "shape": (6,),
        "bounds": (None, None),
        "initial": ("constant", 0.0),
        "slice": (18, 24),
    },
    "norm.gain": {
        "axes": ("hidden",),
        "shape": (6,),
        "bounds": (None, None),
        "initial": ("constant", 1.0),
        "slice": (24, 30),
    },
    "norm.bias": {
        "axes": ("hidden",),
        "shape": (6,),
        "bounds": (None, None),
        "initial": ("constant", 0.0),
        "slice": (30, 36),
    },
    "w": {
        "axes": ("hidden",),
        "shape": (6,),
        "bounds": (None, None),
        "initial": ("normal", 0.0, 1.0),
        "slice": (36, 42),
    },
}
STATES = {
    "norm.running_mean": {
        "axes": ("hidden",),
        "shape": (6,),
        "bounds": (None, None),
        "initial": ("constant", 0.0),
        "slice": (42, 48),
    },
    "norm.running_var": {
        "axes": ("hidden",),
        "shape": (6,),
        "bounds": (None, None),
        "initial": ("constant", 1.0),
        "slice": (48, 54),
    },
}
OUTPUTS = {
    "p": {"axes": ("n",), "shape": ("n",), "dtype": "float64", "needs": ("x",)},
}
METRICS = {
    "error": {"needs": ("x", "y")},
}
OBJECTIVES = {
    "loss": {
        "sense": "minimize",
        "over": ("fc.W", "fc.b", "norm.gain", "norm.bias", "w"),
        "needs": ("x", "y"),
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


def _draw(name, out, seed, step):
    """Fill an array with the noise of a step. Philox is a function of a key, here the seed, and of a counter, here of
    the noise's place and the step, so that no generator has a state that a training would have to keep."""
    if not 0 <= seed < 2**128:
        raise DataError(f"the seed of noise is a whole number from 0 and below 2**128, and this is {seed}")
    counter = [0, 0, list(NOISE).index(name), step]
    random = numpy.random.Generator(numpy.random.Philox(counter=counter, key=int(seed)))
    kind, *numbers = NOISE[name]["draw"]
    if kind == "normal":
        random.standard_normal(dtype=DTYPE, out=out)
        out *= numbers[1]
        out += numbers[0]
    elif kind == "exponential":
        random.standard_exponential(dtype=DTYPE, out=out)
        out /= numbers[0]
    elif kind == "uniform":
        random.random(dtype=DTYPE, out=out)
        out *= numbers[1] - numbers[0]
        out += numbers[0]
    else:
        random.random(dtype=DTYPE, out=out)
        numpy.less(out, numbers[0], out)


def _given(data, names):
    """The noise that the data hold, its rows first, and the lengths that it tells."""
    found, lengths = {}, {}
    for name in names:
        if name in data:
            axes = NOISE[name]["axes"]
            values = _numbers(data[name], name, DTYPE)
            _fit(name, values, axes, NOISE[name]["shape"], lengths)
            if ROWS in axes:
                values = numpy.ascontiguousarray(numpy.moveaxis(values, axes.index(ROWS), 0))
            found[name] = values
    return found, lengths


def _needed(data, names, telling, lengths):
    """The inputs named, and of those that only tell lengths the ones that are there, or tell what is not known yet."""
    shapes = {name: [n for n in INPUTS[name]["shape"] if not isinstance(n, int)] for name in telling}
    return names + tuple(name for name in telling if name in data or any(n not in lengths for n in shapes[name]))


def _room(names, given, lengths, before):
    """Arrays to draw into, for what is not given: those of before where all of them fit, and else new ones, drawn."""
    shapes = {}
    for name in names:
        if name not in given:
            axes = NOISE[name]["axes"]
            shapes[name] = _shape(name, NOISE[name], lengths)
            if ROWS in axes:
                at = axes.index(ROWS)
                shapes[name] = (shapes[name][at],) + shapes[name][:at] + shapes[name][at + 1 :]
    if shapes == {name: values.shape for name, values in before.items()}:
        return before
    found = {name: numpy.empty(shape, DTYPE) for name, shape in shapes.items()}
    for name, values in found.items():
        _draw(name, values, 0, 0)
    return found


def _drawn(bound, seed):
    """What is bound to data, with the noise of the seed."""
    bound.draw(seed, 0)
    return bound


def noise(data, seed=0, step=0):
    """The noise of a step by name: a function of the seed, the step and the noise's place in `NOISE` alone."""
    found = _room(tuple(NOISE), {}, _lengths(data), {})
    for name, values in found.items():
        _draw(name, values, seed, step)
        axes = NOISE[name]["axes"]
        found[name] = numpy.moveaxis(values, 0, axes.index(ROWS)) if ROWS in axes else values
    return found


def _own(theta, size):
    """Refuse what the states cannot be written into."""
    if not isinstance(theta, numpy.ndarray) or theta.shape != (size,):
        raise DataError(f"states are written into an array of {size} numbers: the vector of the parameters")


class _Objective:
    """The value of `loss`, and its gradient."""

    def __init__(self, data, block=None):
        self._lengths = None
        self._noise = {}
        self._block = block
        self.rebind(data)

    def rebind(self, data):
        """Take data in: check it, and compute what follows from it alone."""
        given, told = _given(data, ("drop.u",))
        found, lengths = _read(data, _needed(data, ("x", "y"), (), told), told)
        self._noise = _room(("drop.u",), given, lengths, self._noise)
        with errstate(all="ignore"):
            n = lengths["n"]
            x = found["x"]
            y = found["y"]
            drop_u = given.get("drop.u", self._noise.get("drop.u"))
            # line 11: h = x |> fc |> norm |> tanh
            h_1 = 1.0 / n
            h_2 = n - 1.0
            h_3 = float(maximum(h_2, 1.0))
            h_4 = float(divide(1.0, h_3))
            h_5 = n * 0.1
            h_6 = h_4 * h_5
            # gradient of line 14: minimize mse(p, y)
            d_loss_1 = h_1 * 2.0
            h_1_cell = array(h_1, DTYPE)
            h_6_cell = array(h_6, DTYPE)
            d_loss_1_cell = array(d_loss_1, DTYPE)
            if lengths != self._lengths:
                s0 = empty((n, 6), DTYPE)
                s1 = empty((6,), DTYPE)
                ones_n = ones((n,), DTYPE)
                s2 = empty((6,), DTYPE)
                s3 = empty((n, 6), "bool")
                s4 = empty((n, 6), DTYPE)
                s5 = empty((6,), DTYPE)
                s6 = empty((6,), DTYPE)
                s7 = empty((n, 6), DTYPE)
                s8 = empty((n, 6), DTYPE)
                s9 = empty((n, 6), DTYPE)
                s10 = empty((n,), DTYPE)
                s11 = empty((6,), DTYPE)
                s14 = empty((6,), DTYPE)
                updated = empty(12, DTYPE)
                self._buffers = (s0, s1, ones_n, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s14, updated)
            else:
                (s0, s1, ones_n, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s14, updated) = self._buffers
            s0_as_hidden_n = s0.T
            s9_as_hidden_n = s9.T
            s10_as_n_1 = s10[:, None]
            s8_as_hidden_n = s8.T
            x_as_d_n = x.T
            updated_norm_running_mean = updated[0:6]
            updated_norm_running_var = updated[6:12]
            self._updated = updated
            self._fixed = (
                s0, x, s1, s0_as_hidden_n, ones_n, h_1_cell, s2, s3, drop_u, s4, s5, s6, s7, s8, s9, s10,
                s9_as_hidden_n, y, h_1, s11, h_6_cell, d_loss_1_cell, s10_as_n_1, s8_as_hidden_n, s14,
                x_as_d_n, updated_norm_running_mean, updated_norm_running_var,
            )
            self.size = 54
            self.rows = lengths.get("n")
            self._lengths = lengths
            self._theta = None
            self._out = None

    def _see(self, theta):
        found = _vector(theta, self.size)
        self._theta = found if found is theta else None
        fc_W = found[0:18].reshape(3, 6)
        fc_b = found[18:24]
        norm_gain = found[24:30]
        norm_bias = found[30:36]
        norm_running_mean = found[42:48]
        norm_running_var = found[48:54]
        w = found[36:42]
        self._views = (fc_W, fc_b, norm_running_mean, norm_running_var, norm_gain, norm_bias, w)
        return found

    def _write_to(self, out):
        self._out = _gradient(out, self.size)
        gradient_fc_W = out[0:18].reshape(3, 6)
        gradient_fc_b = out[18:24]
        gradient_norm_gain = out[24:30]
        gradient_norm_bias = out[30:36]
        gradient_w = out[36:42]
        self._places = (gradient_w, gradient_norm_bias, gradient_norm_gain, gradient_fc_b, gradient_fc_W)

    @errstate(all="ignore")
    def __call__(self, theta, out=None):
        if theta is not self._theta:
            theta = self._see(theta)
        if out is None:
            out = empty(self.size, DTYPE)
        if out is not self._out:
            self._write_to(out)
        (
            s0, x, s1, s0_as_hidden_n, ones_n, h_1_cell, s2, s3, drop_u, s4, s5, s6, s7, s8, s9, s10,
            s9_as_hidden_n, y, h_1, s11, h_6_cell, d_loss_1_cell, s10_as_n_1, s8_as_hidden_n, s14,
            x_as_d_n, updated_norm_running_mean, updated_norm_running_var,
        ) = self._fixed
        (fc_W, fc_b, norm_running_mean, norm_running_var, norm_gain, norm_bias, w) = self._views
        (gradient_w, gradient_norm_bias, gradient_norm_gain, gradient_fc_b, gradient_fc_W) = self._places
        # line 11: h = x |> fc |> norm |> tanh
        h_7 = x.dot(fc_W, s0)
        h_8 = add(fc_b, h_7, s0)
        h_9 = s0_as_hidden_n.dot(ones_n, s1)
        h_10 = multiply(h_9, h_1_cell, s1)
        h_11 = subtract(h_8, h_10, s0)
        h_12 = multiply(norm_running_mean, 0.9, s2)
        h_13 = multiply(h_10, 0.1, s1)
        h_14 = add(h_12, h_13, s1)
        h_15 = multiply(norm_running_var, 0.9, s2)
        # line 12: p = drop(h, 0.25) @ w
        p_1 = less(drop_u, 0.25, s3)
        copyto(s4, 1.3333333333333333)
        copyto(s4, 0.0, where=p_1)
        p_2 = s4
        # line 11: h = x |> fc |> norm |> tanh
        h_16 = einsum("ab,ab->b", h_11, h_11, out=s5)
        h_17 = multiply(h_1_cell, h_16, s5)
        h_18 = add(h_17, 1e-05, s6)
        h_19 = sqrt(h_18, s6)
        h_20 = divide(h_11, h_19, s7)
        h_21 = multiply(norm_gain, h_20, s8)
        h_22 = add(norm_bias, h_21, s8)
        h = tanh(h_22, s8)
        # line 12: p = drop(h, 0.25) @ w
        p_3 = multiply(p_2, h, s9)
        p = w.dot(s9_as_hidden_n, s10)
        # line 14: minimize mse(p, y)
        loss_1 = subtract(p, y, s10)
        loss_2 = float(loss_1.dot(loss_1))
        # gradient of line 11: h = x |> fc |> norm |> tanh
        d_h_1 = square(h, s8)
        d_h_2 = subtract(1.0, d_h_1, s8)
        d_h_3 = square(h_19, s11)
        # line 11: h = x |> fc |> norm |> tanh
        h_23 = multiply(h_17, h_6_cell, s5)
        h_24 = add(h_15, h_23, s5)
        # gradient of line 14: minimize mse(p, y)
        d_loss_2 = multiply(loss_1, d_loss_1_cell, s10)
        # gradient of line 12: p = drop(h, 0.25) @ w
        d_w_1 = s9_as_hidden_n.dot(d_loss_2, gradient_w)
        d_p_1 = multiply(w, s10_as_n_1, s9)
        # gradient of line 11: h = x |> fc |> norm |> tanh
        d_h_4 = multiply(p_2, d_h_2, s8)
        d_h_5 = multiply(d_p_1, d_h_4, s8)
        d_norm_bias_1 = s8_as_hidden_n.dot(ones_n, gradient_norm_bias)
        d_norm_gain_1 = einsum("ab,ab->b", h_20, d_h_5, out=gradient_norm_gain)
        d_h_6 = multiply(norm_gain, d_h_5, s8)
        d_h_7 = einsum("ab,ab->b", h_11, d_h_6, out=s14)
        d_h_8 = divide(d_h_7, d_h_3, s14)
        d_h_9 = multiply(h_1_cell, d_h_8, s14)
        d_h_10 = multiply(h_11, d_h_9, s0)
        d_h_11 = subtract(d_h_6, d_h_10, s0)
        d_h_12 = divide(d_h_11, h_19, s0)
        d_h_13 = s0_as_hidden_n.dot(ones_n, s6)
        d_h_14 = multiply(h_1_cell, d_h_13, s6)
        d_h_15 = subtract(d_h_12, d_h_14, s0)
        d_fc_b_1 = s0_as_hidden_n.dot(ones_n, gradient_fc_b)
        d_fc_W_1 = x_as_d_n.dot(d_h_15, gradient_fc_W)
        copyto(updated_norm_running_mean, h_14)
        copyto(updated_norm_running_var, h_24)
        out[42:54] = 0
        return h_1 * loss_2, out

    def draw(self, seed, step):
        """Draw the noise of a step: a function of the seed, the step and its place in `NOISE` alone."""
        for name, values in self._noise.items():
            _draw(name, values, seed, step)

    def advance(self, theta):
        """Write into the vector what the last call has made of the states."""
        _own(theta, self.size)
        theta[42:54] = self._updated


class _Outputs:
    """What `predict` returns."""

    def __init__(self, data, block=None):
        self._lengths = None
        self._block = block
        self.rebind(data)

    def rebind(self, data):
        """Take data in: check it, compute what follows from it alone, and cut the rows into blocks."""
        found, lengths = _read(data, ("x",))
        n = lengths["n"]
        x = found["x"]
        block_rows = _cut(n, 72, self._block)
        several = block_rows < n
        if lengths != self._lengths:
            s0 = empty((6,), DTYPE)
            b0 = empty((block_rows, 6), DTYPE)
            all_p = empty((n,), DTYPE)
            self._buffers = (s0, b0, all_p)
        else:
            (s0, b0, all_p) = self._buffers
        blocks = []
        for start in range(0, n, block_rows):
            rows = slice(start, min(start + block_rows, n))
            count = rows.stop - start
            blocks.append(
                (
                    b0[:count],
                    x[rows],
                    all_p[rows],
                    b0[:count].T,
                )
            )
        self._blocks = blocks
        self._fixed = (s0, all_p)
        self.size = 54
        self.rows = lengths.get("n")
        self._lengths = lengths
        self._theta = None

    def _see(self, theta):
        found = _vector(theta, self.size)
        self._theta = found if found is theta else None
        fc_W = found[0:18].reshape(3, 6)
        fc_b = found[18:24]
        norm_gain = found[24:30]
        norm_bias = found[30:36]
        norm_running_mean = found[42:48]
        norm_running_var = found[48:54]
        w = found[36:42]
        self._views = (norm_running_var, fc_W, fc_b, norm_running_mean, norm_gain, norm_bias, w)
        return found

    @errstate(all="ignore")
    def __call__(self, theta):
        if theta is not self._theta:
            theta = self._see(theta)
        (s0, all_p) = self._fixed
        (norm_running_var, fc_W, fc_b, norm_running_mean, norm_gain, norm_bias, w) = self._views
        # line 11: h = x |> fc |> norm |> tanh
        h_1 = add(norm_running_var, 1e-05, s0)
        h_2 = sqrt(h_1, s0)
        for (b0, x, some_p, b0_as_hidden_n) in self._blocks:
            h_3 = x.dot(fc_W, b0)
            h_4 = add(fc_b, h_3, b0)
            h_5 = subtract(h_4, norm_running_mean, b0)
            h_6 = divide(h_5, h_2, b0)
            h_7 = multiply(norm_gain, h_6, b0)
            h_8 = add(norm_bias, h_7, b0)
            h = tanh(h_8, b0)
            # line 12: p = drop(h, 0.25) @ w
            p = w.dot(b0_as_hidden_n, some_p)
        return {
            "p": array(all_p),
        }

    def draw(self, seed, step):
        """Draw the noise of a step: a function of the seed, the step and its place in `NOISE` alone."""


class _Metrics:
    """What `metrics` returns."""

    def __init__(self, data, block=None):
        self._lengths = None
        self._block = block
        self.rebind(data)

    def rebind(self, data):
        """Take data in: check it, compute what follows from it alone, and cut the rows into blocks."""
        found, lengths = _read(data, ("x", "y"))
        with errstate(all="ignore"):
            n = lengths["n"]
            x = found["x"]
            y = found["y"]
            # line 11: h = x |> fc |> norm |> tanh
            h_1 = 1.0 / n
            block_rows = _cut(n, 88, self._block)
            several = block_rows < n
            if lengths != self._lengths:
                s0 = empty((6,), DTYPE)
                b0 = empty((block_rows, 6), DTYPE)
                b1 = empty((block_rows,), DTYPE)
                self._buffers = (s0, b0, b1)
            else:
                (s0, b0, b1) = self._buffers
            blocks = []
            for start in range(0, n, block_rows):
                rows = slice(start, min(start + block_rows, n))
                count = rows.stop - start
                blocks.append(
                    (
                        b0[:count],
                        x[rows],
                        b1[:count],
                        b0[:count].T,
                        y[rows],
                    )
                )
            self._blocks = blocks
            self._fixed = (s0, h_1)
            self.size = 54
            self.rows = lengths.get("n")
            self._lengths = lengths
            self._theta = None

    def _see(self, theta):
        found = _vector(theta, self.size)
        self._theta = found if found is theta else None
        fc_W = found[0:18].reshape(3, 6)
        fc_b = found[18:24]
        norm_gain = found[24:30]
        norm_bias = found[30:36]
        norm_running_mean = found[42:48]
        norm_running_var = found[48:54]
        w = found[36:42]
        self._views = (norm_running_var, fc_W, fc_b, norm_running_mean, norm_gain, norm_bias, w)
        return found

    @errstate(all="ignore")
    def __call__(self, theta):
        if theta is not self._theta:
            theta = self._see(theta)
        (s0, h_1) = self._fixed
        (norm_running_var, fc_W, fc_b, norm_running_mean, norm_gain, norm_bias, w) = self._views
        # line 11: h = x |> fc |> norm |> tanh
        h_2 = add(norm_running_var, 1e-05, s0)
        h_3 = sqrt(h_2, s0)
        sum_loss = 0.0
        for (b0, x, b1, b0_as_hidden_n, y) in self._blocks:
            h_4 = x.dot(fc_W, b0)
            h_5 = add(fc_b, h_4, b0)
            h_6 = subtract(h_5, norm_running_mean, b0)
            h_7 = divide(h_6, h_3, b0)
            h_8 = multiply(norm_gain, h_7, b0)
            h_9 = add(norm_bias, h_8, b0)
            h = tanh(h_9, b0)
            # line 12: p = drop(h, 0.25) @ w
            p = w.dot(b0_as_hidden_n, b1)
            # line 14: minimize mse(p, y)
            loss_1 = subtract(p, y, b1)
            sum_loss += float(loss_1.dot(loss_1))
        return {
            "error": h_1 * sum_loss,
        }

    def draw(self, seed, step):
        """Draw the noise of a step: a function of the seed, the step and its place in `NOISE` alone."""


class _Pullback:
    """The gradient that cotangents of the outputs give."""

    def __init__(self, data, seeds, block=None):
        self._lengths = None
        self._block = block
        self.rebind(data, seeds)

    def rebind(self, data, seeds):
        """Take data in: check it, compute what follows from it alone, and cut the rows into blocks."""
        found, lengths = _read(data, ("x",))
        seeds = _read_seeds(seeds, lengths)
        n = lengths["n"]
        seed_p = seeds["p"]
        x = found["x"]
        block_rows = _cut(n, 176, self._block)
        several = block_rows < n
        if lengths != self._lengths:
            s0 = empty((6,), DTYPE)
            b0 = empty((block_rows, 6), DTYPE)
            b1 = empty((block_rows, 6), DTYPE)
            sum_d_w = empty((6,), "float64" if several else DTYPE)
            part_d_w = empty((6,), DTYPE) if several else sum_d_w
            b2 = empty((block_rows, 6), DTYPE)
            sum_d_norm_bias = empty((6,), "float64" if several else DTYPE)
            part_d_norm_bias = empty((6,), DTYPE) if several else sum_d_norm_bias
            ones_n = ones((block_rows,), DTYPE)
            sum_d_norm_gain = empty((6,), "float64" if several else DTYPE)
            part_d_norm_gain = empty((6,), DTYPE) if several else sum_d_norm_gain
            sum_d_h = empty((3, 6), "float64" if several else DTYPE)
            part_d_h = empty((3, 6), DTYPE) if several else sum_d_h
            f0 = empty((6,), DTYPE)
            f1 = empty((3, 6), DTYPE)
            self._buffers = (
                s0, b0, b1, sum_d_w, part_d_w, b2, sum_d_norm_bias, part_d_norm_bias, ones_n, sum_d_norm_gain,
                part_d_norm_gain, sum_d_h, part_d_h, f0, f1,
            )
        else:
            (
                s0, b0, b1, sum_d_w, part_d_w, b2, sum_d_norm_bias, part_d_norm_bias, ones_n, sum_d_norm_gain,
                part_d_norm_gain, sum_d_h, part_d_h, f0, f1,
            ) = self._buffers
        blocks = []
        for start in range(0, n, block_rows):
            rows = slice(start, min(start + block_rows, n))
            count = rows.stop - start
            blocks.append(
                (
                    b0[:count],
                    x[rows],
                    b1[:count],
                    b1[:count].T,
                    seed_p[rows],
                    b2[:count],
                    seed_p[rows][:, None],
                    ones_n[:count],
                    x[rows].T,
                )
            )
        self._blocks = blocks
        self._fixed = (
            s0, part_d_w, sum_d_w, several, part_d_norm_bias, sum_d_norm_bias, part_d_norm_gain,
            sum_d_norm_gain, part_d_h, sum_d_h, f0, f1,
        )
        self.size = 54
        self.rows = lengths.get("n")
        self._lengths = lengths
        self._theta = None
        self._out = None

    def _see(self, theta):
        found = _vector(theta, self.size)
        self._theta = found if found is theta else None
        fc_W = found[0:18].reshape(3, 6)
        fc_b = found[18:24]
        norm_gain = found[24:30]
        norm_bias = found[30:36]
        norm_running_mean = found[42:48]
        norm_running_var = found[48:54]
        w = found[36:42]
        self._views = (norm_running_var, fc_W, fc_b, norm_running_mean, norm_gain, norm_bias, w)
        return found

    def _write_to(self, out):
        self._out = _gradient(out, self.size)
        gradient_fc_W = out[0:18].reshape(3, 6)
        gradient_fc_b = out[18:24]
        gradient_norm_gain = out[24:30]
        gradient_norm_bias = out[30:36]
        gradient_w = out[36:42]
        self._places = (gradient_fc_b, gradient_fc_W, gradient_norm_gain, gradient_norm_bias, gradient_w)

    @errstate(all="ignore")
    def __call__(self, theta, out=None):
        if theta is not self._theta:
            theta = self._see(theta)
        if out is None:
            out = empty(self.size, DTYPE)
        if out is not self._out:
            self._write_to(out)
        (
            s0, part_d_w, sum_d_w, several, part_d_norm_bias, sum_d_norm_bias, part_d_norm_gain,
            sum_d_norm_gain, part_d_h, sum_d_h, f0, f1,
        ) = self._fixed
        (norm_running_var, fc_W, fc_b, norm_running_mean, norm_gain, norm_bias, w) = self._views
        (gradient_fc_b, gradient_fc_W, gradient_norm_gain, gradient_norm_bias, gradient_w) = self._places
        # line 11: h = x |> fc |> norm |> tanh
        h_1 = add(norm_running_var, 1e-05, s0)
        h_2 = sqrt(h_1, s0)
        if several:
            sum_d_w.fill(0.0)
            sum_d_norm_bias.fill(0.0)
            sum_d_norm_gain.fill(0.0)
            sum_d_h.fill(0.0)
        for (b0, x, b1, b1_as_hidden_n, seed_p, b2, seed_p_as_n_1, ones_n, x_as_d_n) in self._blocks:
            h_3 = x.dot(fc_W, b0)
            h_4 = add(fc_b, h_3, b0)
            h_5 = subtract(h_4, norm_running_mean, b0)
            h_6 = divide(h_5, h_2, b0)
            h_7 = multiply(norm_gain, h_6, b1)
            h_8 = add(norm_bias, h_7, b1)
            h = tanh(h_8, b1)
            # gradient of line 12: p = drop(h, 0.25) @ w
            d_w_1 = b1_as_hidden_n.dot(seed_p, part_d_w)
            if several:
                add(sum_d_w, part_d_w, sum_d_w)
            d_p_1 = multiply(w, seed_p_as_n_1, b2)
            # gradient of line 11: h = x |> fc |> norm |> tanh
            d_h_1 = square(h, b1)
            d_h_2 = subtract(1.0, d_h_1, b1)
            d_h_3 = multiply(d_p_1, d_h_2, b1)
            d_norm_bias_1 = b1_as_hidden_n.dot(ones_n, part_d_norm_bias)
            if several:
                add(sum_d_norm_bias, part_d_norm_bias, sum_d_norm_bias)
            d_norm_gain_1 = einsum("ab,ab->b", h_6, d_h_3, out=part_d_norm_gain)
            if several:
                add(sum_d_norm_gain, part_d_norm_gain, sum_d_norm_gain)
            d_h_4 = x_as_d_n.dot(d_h_3, part_d_h)
            if several:
                add(sum_d_h, part_d_h, sum_d_h)
        # gradient of line 11: h = x |> fc |> norm |> tanh
        d_h_5 = multiply(norm_gain, sum_d_norm_bias, f0)
        d_fc_b_1 = divide(d_h_5, h_2, gradient_fc_b)
        d_h_6 = multiply(norm_gain, sum_d_h, f1)
        d_fc_W_1 = divide(d_h_6, h_2, gradient_fc_W)
        out[42:54] = 0
        copyto(gradient_norm_gain, sum_d_norm_gain)
        copyto(gradient_norm_bias, sum_d_norm_bias)
        copyto(gradient_w, sum_d_w)
        return out

    def draw(self, seed, step):
        """Draw the noise of a step: a function of the seed, the step and its place in `NOISE` alone."""


_OBJECTIVES = {"loss": _Objective}


def bind(data, objective=None, block=None):
    """An objective bound to data: call it with a vector of parameters for the loss and the gradient.

    `data` maps the names of inputs to arrays. `objective` may be left out where there is one. `block` is the number of
    rows that are computed at a time, a good one where it is left out. The result has `size`, `rows`, and
    `rebind(data)` for new data; `draw(seed, step)` draws its noise, which is at first that of step 0 of seed 0;
    `advance(theta)` writes what the last call has made of the states.
    """
    if objective is None:
        objective = next(iter(_OBJECTIVES))
    if objective not in _OBJECTIVES:
        raise DataError(f"there is no objective {objective!r}; there are {', '.join(_OBJECTIVES)}")
    return _OBJECTIVES[objective](data, block)


def predict(theta, data, seed=0):
    """The outputs by name, each an array over the axes that `OUTPUTS` names.

    `seed` draws the noise that the data do not hold.
    """
    return _drawn(_Outputs(data), seed)(theta)


def metrics(theta, data, seed=0):
    """The metrics by name.

    `seed` draws the noise that the data do not hold.
    """
    return _drawn(_Metrics(data), seed)(theta)


def _read_seeds(seeds, lengths):
    if not seeds:
        raise DataError("a pullback needs a seed: the cotangent of one output at least, of that output's shape")
    names = ("p",)
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


def vjp(theta, data, seeds, seed=0):
    """The gradient for cotangents of the outputs, `seeds` by name; an output without one counts as zero.

    `seed` draws the noise that the data do not hold.
    """
    return _drawn(_Pullback(data, seeds), seed)(theta)
