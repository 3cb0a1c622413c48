"""A model, compiled by gradc: value and gradient in NumPy.

Made from logistic.model; change that, and compile it again.
"""

import numpy
from numpy import (
    absolute,
    add,
    array,
    copyto,
    divide,
    empty,
    equal,
    errstate,
    exp,
    less,
    log1p,
    maximum,
    multiply,
    negative,
    ones,
    subtract,
)

MODEL = "logistic"
VERSION = "0.1.0"
SOURCE_SHA256 = "32bf3069cabc9057f20ed18c51940f4e4678cbda1d1fcf7df43d3a2e32f9277e"
DTYPE = "float64"
ROWS = "n"
CACHE = 1048576
LEAST_ROWS = 256
MOST_ROWS = 8192

AXES = {
    "n": None,
    "feature": None,
}
CONSTANTS = {
    "l2": 0.001,
}
INPUTS = {
    "x": {"axes": ("n", "feature"), "shape": ("n", "feature"), "dtype": "float64", "index": None},
    "y": {"axes": ("n",), "shape": ("n",), "dtype": "float64", "index": None},
}
NOISE = {}
PARAMETERS = {
    "w": {
        "axes": ("feature",),
        "shape": ("feature",),
        "bounds": (None, None),
        "initial": ("constant", 0.0),
        "slice": None,
    },
    "b": {
        "axes": (),
        "shape": (),
        "bounds": (None, None),
        "initial": ("constant", 0.0),
        "slice": None,
    },
}
STATES = {}
OUTPUTS = {
    "p": {"axes": ("n",), "shape": ("n",), "dtype": "float64", "needs": ("x",)},
}
METRICS = {
    "accuracy": {"needs": ("x", "y")},
}
OBJECTIVES = {
    "loss": {"sense": "minimize", "over": ("w", "b"), "needs": ("x", "y")},
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
        found, lengths = _read(data, ("x", "y"))
        with errstate(all="ignore"):
            feature = lengths["feature"]
            n = lengths["n"]
            x = found["x"]
            y = found["y"]
            # line 9: minimize mean(log(1 + exp(z)) - y * z) + l2 * sum(w^2)
            loss_1 = 1.0 / n
            loss_1_cell = array(loss_1, DTYPE)
            block_rows = _cut(n, 8 * feature + 40, self._block)
            several = block_rows < n
            if lengths != self._lengths:
                s0 = empty((feature,), DTYPE)
                b0 = empty((block_rows,), DTYPE)
                b1 = empty((block_rows,), DTYPE)
                b2 = empty((block_rows,), DTYPE)
                b3 = empty((block_rows,), DTYPE)
                ones_n = ones((block_rows,), DTYPE)
                sum_d_z_ = empty((feature,), "float64" if several else DTYPE)
                part_d_z = empty((feature,), DTYPE) if several else sum_d_z_
                f0 = empty((feature,), DTYPE)
                self._buffers = (s0, b0, b1, b2, b3, ones_n, sum_d_z_, part_d_z, f0)
            else:
                (s0, b0, b1, b2, b3, ones_n, sum_d_z_, part_d_z, f0) = self._buffers
            blocks = []
            for start in range(0, n, block_rows):
                rows = slice(start, min(start + block_rows, n))
                count = rows.stop - start
                blocks.append(
                    (
                        b0[:count],
                        x[rows],
                        b1[:count],
                        y[rows],
                        b2[:count],
                        b3[:count],
                        ones_n[:count],
                        x[rows].T,
                    )
                )
            self._blocks = blocks
            self._fixed = (s0, part_d_z, sum_d_z_, several, loss_1, f0, loss_1_cell, feature)
            self.size = feature + 1
            self.rows = lengths.get("n")
            self._lengths = lengths
            self._theta = None
            self._out = None

    def _see(self, theta):
        found = _vector(theta, self.size)
        self._theta = found if found is theta else None
        feature = self._lengths["feature"]
        w = found[0:feature]
        b_cell = found[feature:feature + 1].reshape(())
        self._views = (w, b_cell)
        return found

    def _write_to(self, out):
        self._out = _gradient(out, self.size)
        feature = self._lengths["feature"]
        gradient_w = out[0:feature]
        self._places = (gradient_w,)

    @errstate(all="ignore")
    def __call__(self, theta, out=None):
        if theta is not self._theta:
            theta = self._see(theta)
        if out is None:
            out = empty(self.size, DTYPE)
        if out is not self._out:
            self._write_to(out)
        (s0, part_d_z, sum_d_z_, several, loss_1, f0, loss_1_cell, feature) = self._fixed
        (w, b_cell) = self._views
        (gradient_w,) = self._places
        # line 9: minimize mean(log(1 + exp(z)) - y * z) + l2 * sum(w^2)
        loss_2 = float(w.dot(w))
        loss_3 = loss_2 * 0.001
        # gradient of line 5: param w[feature] = 0, b = 0
        d_w_1 = multiply(w, 0.002, s0)
        sum_loss = 0.0
        sum_d_z = 0.0
        if several:
            sum_d_z_.fill(0.0)
        for (b0, x, b1, y, b2, b3, ones_n, x_as_feature_n) in self._blocks:
            # line 7: z = x @ w + b
            z_1 = x.dot(w, b0)
            z = add(b_cell, z_1, b0)
            # line 9: minimize mean(log(1 + exp(z)) - y * z) + l2 * sum(w^2)
            loss_4 = multiply(y, z, b1)
            # line 10: output p = sigmoid(z)
            p_1 = negative(z, b2)
            p_2 = exp(p_1, b2)
            p_3 = add(p_2, 1.0, b2)
            p = divide(1.0, p_3, b2)
            # line 9: minimize mean(log(1 + exp(z)) - y * z) + l2 * sum(w^2)
            loss_5 = absolute(z, b3)
            loss_6 = negative(loss_5, b3)
            loss_7 = exp(loss_6, b3)
            loss_8 = log1p(loss_7, b3)
            loss_9 = maximum(z, 0.0, out=b0)
            loss_10 = add(loss_8, loss_9, b0)
            loss_11 = subtract(loss_10, loss_4, b0)
            sum_loss += float(loss_11.dot(ones_n))
            # gradient of line 7: z = x @ w + b
            d_z_1 = subtract(p, y, b2)
            sum_d_z += float(d_z_1.dot(ones_n))
            d_z_2 = x_as_feature_n.dot(d_z_1, part_d_z)
            if several:
                add(sum_d_z_, part_d_z, sum_d_z_)
        # gradient of line 7: z = x @ w + b
        d_z_3 = multiply(loss_1_cell, sum_d_z_, f0)
        # gradient of line 5: param w[feature] = 0, b = 0
        d_w_2 = add(d_w_1, d_z_3, gradient_w)
        out[feature] = loss_1 * sum_d_z
        return loss_3 + loss_1 * sum_loss, out


class _Outputs:
    """What `predict` returns."""

    def __init__(self, data, block=None):
        self._lengths = None
        self._block = block
        self.rebind(data)

    def rebind(self, data):
        """Take data in: check it, compute what follows from it alone, and cut the rows into blocks."""
        found, lengths = _read(data, ("x",))
        feature = lengths["feature"]
        n = lengths["n"]
        x = found["x"]
        block_rows = _cut(n, 8 * feature + 8, self._block)
        several = block_rows < n
        if lengths != self._lengths:
            b0 = empty((block_rows,), DTYPE)
            all_p = empty((n,), DTYPE)
            self._buffers = (b0, all_p)
        else:
            (b0, all_p) = self._buffers
        blocks = []
        for start in range(0, n, block_rows):
            rows = slice(start, min(start + block_rows, n))
            count = rows.stop - start
            blocks.append(
                (
                    b0[:count],
                    x[rows],
                    all_p[rows],
                )
            )
        self._blocks = blocks
        self._fixed = (all_p, feature)
        self.size = feature + 1
        self.rows = lengths.get("n")
        self._lengths = lengths
        self._theta = None

    def _see(self, theta):
        found = _vector(theta, self.size)
        self._theta = found if found is theta else None
        feature = self._lengths["feature"]
        w = found[0:feature]
        b_cell = found[feature:feature + 1].reshape(())
        self._views = (w, b_cell)
        return found

    @errstate(all="ignore")
    def __call__(self, theta):
        if theta is not self._theta:
            theta = self._see(theta)
        (all_p, feature) = self._fixed
        (w, b_cell) = self._views
        for (b0, x, some_p) in self._blocks:
            # line 7: z = x @ w + b
            z_1 = x.dot(w, b0)
            z = add(b_cell, z_1, b0)
            # line 10: output p = sigmoid(z)
            p_1 = negative(z, b0)
            p_2 = exp(p_1, b0)
            p_3 = add(p_2, 1.0, b0)
            p = divide(1.0, p_3, some_p)
        return {
            "p": array(all_p),
        }


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
            feature = lengths["feature"]
            n = lengths["n"]
            x = found["x"]
            y = found["y"]
            # line 9: minimize mean(log(1 + exp(z)) - y * z) + l2 * sum(w^2)
            loss_1 = 1.0 / n
            # line 11: metric accuracy = mean((z > 0) == (y > 0.5))
            accuracy_1 = less(0.5, y)
            block_rows = _cut(n, 8 * feature + 17, self._block)
            several = block_rows < n
            if lengths != self._lengths:
                b0 = empty((block_rows,), DTYPE)
                b1 = empty((block_rows,), "bool")
                ones_n = ones((block_rows,), DTYPE)
                self._buffers = (b0, b1, ones_n)
            else:
                (b0, b1, ones_n) = self._buffers
            blocks = []
            for start in range(0, n, block_rows):
                rows = slice(start, min(start + block_rows, n))
                count = rows.stop - start
                blocks.append(
                    (
                        b0[:count],
                        x[rows],
                        b1[:count],
                        accuracy_1[rows],
                        ones_n[:count],
                    )
                )
            self._blocks = blocks
            self._fixed = (loss_1, feature)
            self.size = feature + 1
            self.rows = lengths.get("n")
            self._lengths = lengths
            self._theta = None

    def _see(self, theta):
        found = _vector(theta, self.size)
        self._theta = found if found is theta else None
        feature = self._lengths["feature"]
        w = found[0:feature]
        b_cell = found[feature:feature + 1].reshape(())
        self._views = (w, b_cell)
        return found

    @errstate(all="ignore")
    def __call__(self, theta):
        if theta is not self._theta:
            theta = self._see(theta)
        (loss_1, feature) = self._fixed
        (w, b_cell) = self._views
        sum_accuracy = 0.0
        for (b0, x, b1, accuracy_1, ones_n) in self._blocks:
            # line 7: z = x @ w + b
            z_1 = x.dot(w, b0)
            z = add(b_cell, z_1, b0)
            # line 11: metric accuracy = mean((z > 0) == (y > 0.5))
            accuracy_2 = less(0.0, z, b1)
            accuracy_3 = equal(accuracy_2, accuracy_1, b1)
            copyto(b0, accuracy_3)
            accuracy_4 = b0
            sum_accuracy += float(accuracy_4.dot(ones_n))
        return {
            "accuracy": loss_1 * sum_accuracy,
        }


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
        feature = lengths["feature"]
        n = lengths["n"]
        seed_p = seeds["p"]
        x = found["x"]
        block_rows = _cut(n, 8 * feature + 24, self._block)
        several = block_rows < n
        if lengths != self._lengths:
            b0 = empty((block_rows,), DTYPE)
            b1 = empty((block_rows,), DTYPE)
            ones_n = ones((block_rows,), DTYPE)
            sum_d_w = empty((feature,), "float64" if several else DTYPE)
            part_d_w = empty((feature,), DTYPE) if several else sum_d_w
            self._buffers = (b0, b1, ones_n, sum_d_w, part_d_w)
        else:
            (b0, b1, ones_n, sum_d_w, part_d_w) = self._buffers
        blocks = []
        for start in range(0, n, block_rows):
            rows = slice(start, min(start + block_rows, n))
            count = rows.stop - start
            blocks.append(
                (
                    b0[:count],
                    x[rows],
                    b1[:count],
                    seed_p[rows],
                    ones_n[:count],
                    x[rows].T,
                )
            )
        self._blocks = blocks
        self._fixed = (part_d_w, sum_d_w, several, feature)
        self.size = feature + 1
        self.rows = lengths.get("n")
        self._lengths = lengths
        self._theta = None
        self._out = None

    def _see(self, theta):
        found = _vector(theta, self.size)
        self._theta = found if found is theta else None
        feature = self._lengths["feature"]
        w = found[0:feature]
        b_cell = found[feature:feature + 1].reshape(())
        self._views = (w, b_cell)
        return found

    def _write_to(self, out):
        self._out = _gradient(out, self.size)
        feature = self._lengths["feature"]
        gradient_w = out[0:feature]
        self._places = (gradient_w,)

    @errstate(all="ignore")
    def __call__(self, theta, out=None):
        if theta is not self._theta:
            theta = self._see(theta)
        if out is None:
            out = empty(self.size, DTYPE)
        if out is not self._out:
            self._write_to(out)
        (part_d_w, sum_d_w, several, feature) = self._fixed
        (w, b_cell) = self._views
        (gradient_w,) = self._places
        sum_d_b = 0.0
        if several:
            sum_d_w.fill(0.0)
        for (b0, x, b1, seed_p, ones_n, x_as_feature_n) in self._blocks:
            # line 7: z = x @ w + b
            z_1 = x.dot(w, b0)
            z = add(b_cell, z_1, b0)
            # gradient of line 9: minimize mean(log(1 + exp(z)) - y * z) + l2 * sum(w^2)
            d_loss_1 = exp(z, b1)
            d_loss_2 = add(d_loss_1, 1.0, b1)
            # line 10: output p = sigmoid(z)
            p_1 = negative(z, b0)
            p_2 = exp(p_1, b0)
            p_3 = add(p_2, 1.0, b0)
            p = divide(1.0, p_3, b0)
            # gradient of line 10: output p = sigmoid(z)
            d_p_1 = divide(1.0, d_loss_2, b1)
            d_p_2 = multiply(seed_p, p, b0)
            d_p_3 = multiply(d_p_1, d_p_2, b0)
            # gradient of line 7: z = x @ w + b
            sum_d_b += float(d_p_3.dot(ones_n))
            d_w_1 = x_as_feature_n.dot(d_p_3, part_d_w)
            if several:
                add(sum_d_w, part_d_w, sum_d_w)
        copyto(gradient_w, sum_d_w)
        out[feature] = sum_d_b
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
    return _Metrics(data)(theta)


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


def vjp(theta, data, seeds):
    """The gradient for cotangents of the outputs, `seeds` by name; an output without one counts as zero."""
    return _Pullback(data, seeds)(theta)
