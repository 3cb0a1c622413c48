"""A model, compiled by gradc: value and gradient in NumPy.

Made from gaussian_process.model; change that, and compile it again.
"""

import numpy
from numpy import (
    add,
    arange,
    array,
    copyto,
    divide,
    empty,
    equal,
    errstate,
    exp,
    log,
    logical_or,
    multiply,
    negative,
    ones,
    square,
    subtract,
)

MODEL = "gaussian_process"
VERSION = "0.1.0"
SOURCE_SHA256 = "85fbcb3aec1bd8b516b408954332b6f0dcdd0b4c4a9cdd2b43fb0e571feca299"
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
    "x": {"axes": ("n",), "shape": ("n",), "dtype": "float64", "index": None},
    "y": {"axes": ("n",), "shape": ("n",), "dtype": "float64", "index": None},
}
NOISE = {}
PARAMETERS = {
    "scale": {
        "axes": (),
        "shape": (),
        "bounds": (0.0, None),
        "initial": ("constant", 1.0),
        "slice": (0, 1),
    },
    "length": {
        "axes": (),
        "shape": (),
        "bounds": (0.0, None),
        "initial": ("constant", 1.0),
        "slice": (1, 2),
    },
    "noise": {
        "axes": (),
        "shape": (),
        "bounds": (0.0, None),
        "initial": ("constant", 0.1),
        "slice": (2, 3),
    },
}
STATES = {}
OUTPUTS = {
    "alpha": {"axes": ("n",), "shape": ("n",), "dtype": "float64", "needs": ("x", "y")},
}
METRICS = {}
OBJECTIVES = {
    "loss": {"sense": "minimize", "over": ("scale", "length", "noise"), "needs": ("x", "y")},
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


_MATRICES = (
    ("line 8: alpha = solve[n, n'](K, y): the matrix over [n, n']", ""),
    ("gradient of line 10: minimize sum[n](y * alpha) / 2 + logdet[n, n'](K) / 2: the matrix over [n, n']", ""),
    ("line 10: minimize sum[n](y * alpha) / 2 + logdet[n, n'](K) / 2: the matrix over [n, n']", ""),
    ("gradient of line 8: alpha = solve[n, n'](K, y): the matrix over [n, n']", ""),
)


def _refuse(fit, place, first, what):
    """Raise an error that names the first matrix that is not fit; `first` is the row with which the block starts."""
    matrix, batch = _MATRICES[place]
    at = [int(i) for i in numpy.argwhere(~numpy.asarray(fit))[0]]
    if batch:
        at[0] += first
        raise DataError(f"{matrix} {what} at [{batch}] = {at}") from None
    raise DataError(f"{matrix} {what}") from None


def _solve(matrix, right, place, first=0):
    """The unknowns of each system; the axes of `right` behind that of the rows are of several right sides."""
    flat = right.reshape(right.shape[: matrix.ndim - 1] + (-1,))
    try:
        found = numpy.linalg.solve(matrix, flat)
        return found.reshape(found.shape[:-1] + right.shape[matrix.ndim - 1 :])
    except numpy.linalg.LinAlgError:
        _refuse(numpy.linalg.slogdet(matrix)[0] != 0, place, first, "is singular")


def _inverse(matrix, place, first=0):
    try:
        return numpy.linalg.inv(matrix)
    except numpy.linalg.LinAlgError:
        _refuse(numpy.linalg.slogdet(matrix)[0] != 0, place, first, "is singular")


def _cholesky(matrix, place, first=0):
    """The lower factor, from the lower triangle."""
    try:
        return numpy.linalg.cholesky(matrix)
    except numpy.linalg.LinAlgError:
        single = matrix.reshape((-1,) + matrix.shape[-2:])
        fit = numpy.array([_is_definite(one) for one in single]).reshape(matrix.shape[:-2])
        _refuse(fit, place, first, "is not positive definite")


def _is_definite(matrix):
    try:
        numpy.linalg.cholesky(matrix)
        return True
    except numpy.linalg.LinAlgError:
        return False


class _Objective:
    """The value of `loss`, and its gradient."""

    def __init__(self, data, block=None):
        self._lengths = None
        self._block = block
        self.rebind(data)

    def rebind(self, data):
        """Take data in: check it, and compute what follows from it alone."""
        found, lengths = _read(data, ("x", "y"))
        with errstate(all="ignore"):
            n = lengths["n"]
            x = found["x"]
            y = found["y"]
            x_as_n_1 = x[:, None]
            # line 6: distance = (x - x[n -> n']) / length
            distance_1 = subtract(x_as_n_1, x)
            # line 7: K = scale * exp(-distance^2 / 2) + where(index[n] == index[n'], noise, 0)
            K_1 = arange(n)
            K_2 = arange(n)
            K_1_as_n_1 = K_1[:, None]
            K_3 = equal(K_1_as_n_1, K_2)
            # gradient of line 7: K = scale * exp(-distance^2 / 2) + where(index[n] == index[n'], noise, 0)
            d_K_1 = bool(logical_or.reduce(K_3, axis=(0, 1)))
            if lengths != self._lengths:
                s0 = empty((n, n), DTYPE)
                s1 = empty((n, n), DTYPE)
                s2 = empty((n, n), DTYPE)
                s3 = empty((n, n), DTYPE)
                s4 = empty((n,), DTYPE)
                s5 = empty((n, n), DTYPE)
                s6 = empty((n,), DTYPE)
                ones_n = ones((n,), DTYPE)
                self._buffers = (s0, s1, s2, s3, s4, s5, s6, ones_n)
            else:
                (s0, s1, s2, s3, s4, s5, s6, ones_n) = self._buffers
            s5_diagonal = s5.diagonal(0, 0, 1)
            s4_as_n_1 = s4[:, None]
            s2_as_nn_p = s2.reshape(-1)
            s5_as_nn_p = s5.reshape(-1)
            s1_as_nn_p = s1.reshape(-1)
            self._fixed = (
                s0, K_3, s1, distance_1, s2, s3, s4, y, s5, s6, s5_diagonal, ones_n, s4_as_n_1, s2_as_nn_p,
                s5_as_nn_p, d_K_1, s1_as_nn_p,
            )
            self.size = 3
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

    @errstate(all="ignore")
    def __call__(self, theta, out=None):
        if theta is not self._theta:
            theta = self._see(theta)
        if out is None:
            out = empty(self.size, DTYPE)
        if out is not self._out:
            self._write_to(out)
        (
            s0, K_3, s1, distance_1, s2, s3, s4, y, s5, s6, s5_diagonal, ones_n, s4_as_n_1, s2_as_nn_p,
            s5_as_nn_p, d_K_1, s1_as_nn_p,
        ) = self._fixed
        (scale, length, noise) = theta.tolist()
        # line 4: param scale > 0 = 1, length > 0 = 1, noise > 0 = 0.1
        scale_ = float(exp(scale))
        length_ = float(exp(length))
        noise_ = float(exp(noise))
        # line 7: K = scale * exp(-distance^2 / 2) + where(index[n] == index[n'], noise, 0)
        copyto(s0, 0.0)
        copyto(s0, noise_, where=K_3)
        K_4 = s0
        # line 6: distance = (x - x[n -> n']) / length
        distance = multiply(distance_1, float(divide(1.0, length_)), s1)
        # line 7: K = scale * exp(-distance^2 / 2) + where(index[n] == index[n'], noise, 0)
        K_5 = square(distance, s2)
        K_6 = multiply(K_5, -0.5, s2)
        K_7 = exp(K_6, s2)
        K_8 = multiply(scale_, K_7, s3)
        K = add(K_4, K_8, s3)
        # line 8: alpha = solve[n, n'](K, y)
        copyto(s4, _solve(K, y, 0))
        alpha = s4
        # line 10: minimize sum[n](y * alpha) / 2 + logdet[n, n'](K) / 2
        loss_1 = float(y.dot(alpha))
        # gradient of line 10: minimize sum[n](y * alpha) / 2 + logdet[n, n'](K) / 2
        copyto(s0, _inverse(K, 1))
        d_loss_1 = s0
        # line 10: minimize sum[n](y * alpha) / 2 + logdet[n, n'](K) / 2
        copyto(s5, _cholesky(K, 2))
        loss_2 = s5
        loss_3 = log(s5_diagonal, s6)
        loss_4 = float(loss_3.dot(ones_n))
        # gradient of line 7: K = scale * exp(-distance^2 / 2) + where(index[n] == index[n'], noise, 0)
        d_K_2 = multiply(s4_as_n_1, alpha, s5)
        d_K_3 = subtract(d_loss_1, d_K_2, s5)
        d_K_4 = multiply(d_K_3, 0.5, s5)
        d_K_5 = float(s2_as_nn_p.dot(s5_as_nn_p))
        d_K_6 = multiply(K_7, d_K_4, s2)
        d_K_7 = float(s5_diagonal.dot(ones_n))
        # gradient of line 6: distance = (x - x[n -> n']) / length
        d_distance_1 = multiply(distance_1, distance, s1)
        d_distance_2 = float(s2_as_nn_p.dot(s1_as_nn_p))
        # gradient of line 4: param scale > 0 = 1, length > 0 = 1, noise > 0 = 0.1
        d_length_1 = float(exp(length * (-2.0))) * length_ * scale_ * (-0.5) * (-2.0) * d_distance_2
        out[0] = scale_ * d_K_5
        out[1] = d_length_1
        out[2] = (noise_ * d_K_7 if d_K_1 else 0.0)
        return loss_1 * 0.5 + loss_4, out


class _Outputs:
    """What `predict` returns."""

    def __init__(self, data, block=None):
        self._lengths = None
        self._block = block
        self.rebind(data)

    def rebind(self, data):
        """Take data in: check it, and compute what follows from it alone."""
        found, lengths = _read(data, ("x", "y"))
        with errstate(all="ignore"):
            n = lengths["n"]
            x = found["x"]
            y = found["y"]
            x_as_n_1 = x[:, None]
            # line 6: distance = (x - x[n -> n']) / length
            distance_1 = subtract(x_as_n_1, x)
            # line 7: K = scale * exp(-distance^2 / 2) + where(index[n] == index[n'], noise, 0)
            K_1 = arange(n)
            K_2 = arange(n)
            K_1_as_n_1 = K_1[:, None]
            K_3 = equal(K_1_as_n_1, K_2)
            if lengths != self._lengths:
                s0 = empty((n, n), DTYPE)
                s1 = empty((n, n), DTYPE)
                s2 = empty((n,), DTYPE)
                self._buffers = (s0, s1, s2)
            else:
                (s0, s1, s2) = self._buffers
            self._fixed = (s0, K_3, s1, distance_1, s2, y)
            self.size = 3
            self.rows = lengths.get("n")
            self._lengths = lengths
            self._theta = None

    def _see(self, theta):
        found = _vector(theta, self.size)
        self._theta = found if found is theta else None
        return found

    @errstate(all="ignore")
    def __call__(self, theta):
        if theta is not self._theta:
            theta = self._see(theta)
        (s0, K_3, s1, distance_1, s2, y) = self._fixed
        (scale, length, noise) = theta.tolist()
        # line 7: K = scale * exp(-distance^2 / 2) + where(index[n] == index[n'], noise, 0)
        copyto(s0, 0.0)
        copyto(s0, float(exp(noise)), where=K_3)
        K_4 = s0
        # line 6: distance = (x - x[n -> n']) / length
        distance = multiply(distance_1, float(divide(1.0, float(exp(length)))), s1)
        # line 7: K = scale * exp(-distance^2 / 2) + where(index[n] == index[n'], noise, 0)
        K_5 = square(distance, s1)
        K_6 = multiply(K_5, -0.5, s1)
        K_7 = exp(K_6, s1)
        K_8 = multiply(float(exp(scale)), K_7, s1)
        K = add(K_4, K_8, s1)
        # line 8: alpha = solve[n, n'](K, y)
        copyto(s2, _solve(K, y, 0))
        alpha = s2
        return {
            "alpha": array(alpha),
        }


class _Pullback:
    """The gradient that cotangents of the outputs give."""

    def __init__(self, data, seeds, block=None):
        self._lengths = None
        self._block = block
        self.rebind(data, seeds)

    def rebind(self, data, seeds):
        """Take data in: check it, and compute what follows from it alone."""
        found, lengths = _read(data, ("x", "y"))
        seeds = _read_seeds(seeds, lengths)
        with errstate(all="ignore"):
            n = lengths["n"]
            seed_alpha = seeds["alpha"]
            x = found["x"]
            y = found["y"]
            x_as_n_1 = x[:, None]
            # line 6: distance = (x - x[n -> n']) / length
            distance_1 = subtract(x_as_n_1, x)
            # line 7: K = scale * exp(-distance^2 / 2) + where(index[n] == index[n'], noise, 0)
            K_1 = arange(n)
            K_2 = arange(n)
            K_1_as_n_1 = K_1[:, None]
            K_3 = equal(K_1_as_n_1, K_2)
            # gradient of line 7: K = scale * exp(-distance^2 / 2) + where(index[n] == index[n'], noise, 0)
            d_K_1 = bool(logical_or.reduce(K_3, axis=(0, 1)))
            if lengths != self._lengths:
                s0 = empty((n, n), DTYPE)
                s1 = empty((n, n), DTYPE)
                s2 = empty((n, n), DTYPE)
                s3 = empty((n, n), DTYPE)
                s4 = empty((n,), DTYPE)
                s5 = empty((n,), DTYPE)
                ones_n = ones((n,), DTYPE)
                self._buffers = (s0, s1, s2, s3, s4, s5, ones_n)
            else:
                (s0, s1, s2, s3, s4, s5, ones_n) = self._buffers
            s5_as_n_1 = s5[:, None]
            s2_as_nn_p = s2.reshape(-1)
            s3_as_nn_p = s3.reshape(-1)
            s3_diagonal = s3.diagonal(0, 0, 1)
            s1_as_nn_p = s1.reshape(-1)
            self._fixed = (
                s0, K_3, s1, distance_1, s2, s3, s4, y, s5, seed_alpha, s5_as_n_1, s2_as_nn_p, s3_as_nn_p,
                s3_diagonal, ones_n, d_K_1, s1_as_nn_p,
            )
            self.size = 3
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

    @errstate(all="ignore")
    def __call__(self, theta, out=None):
        if theta is not self._theta:
            theta = self._see(theta)
        if out is None:
            out = empty(self.size, DTYPE)
        if out is not self._out:
            self._write_to(out)
        (
            s0, K_3, s1, distance_1, s2, s3, s4, y, s5, seed_alpha, s5_as_n_1, s2_as_nn_p, s3_as_nn_p,
            s3_diagonal, ones_n, d_K_1, s1_as_nn_p,
        ) = self._fixed
        (scale, length, noise) = theta.tolist()
        # line 4: param scale > 0 = 1, length > 0 = 1, noise > 0 = 0.1
        scale_ = float(exp(scale))
        length_ = float(exp(length))
        noise_ = float(exp(noise))
        # line 7: K = scale * exp(-distance^2 / 2) + where(index[n] == index[n'], noise, 0)
        copyto(s0, 0.0)
        copyto(s0, noise_, where=K_3)
        K_4 = s0
        # line 6: distance = (x - x[n -> n']) / length
        distance = multiply(distance_1, float(divide(1.0, length_)), s1)
        # line 7: K = scale * exp(-distance^2 / 2) + where(index[n] == index[n'], noise, 0)
        K_5 = square(distance, s2)
        K_6 = multiply(K_5, -0.5, s2)
        K_7 = exp(K_6, s2)
        K_8 = multiply(scale_, K_7, s3)
        K = add(K_4, K_8, s3)
        # line 8: alpha = solve[n, n'](K, y)
        copyto(s4, _solve(K, y, 0))
        alpha = s4
        # gradient of line 8: alpha = solve[n, n'](K, y)
        copyto(s5, _solve(K, seed_alpha, 3))
        d_alpha_1 = s5
        d_alpha_2 = negative(d_alpha_1, s5)
        d_alpha_3 = multiply(alpha, s5_as_n_1, s3)
        # gradient of line 7: K = scale * exp(-distance^2 / 2) + where(index[n] == index[n'], noise, 0)
        d_K_2 = float(s2_as_nn_p.dot(s3_as_nn_p))
        d_K_3 = multiply(K_7, d_alpha_3, s2)
        d_K_4 = float(s3_diagonal.dot(ones_n))
        # gradient of line 6: distance = (x - x[n -> n']) / length
        d_distance_1 = multiply(distance_1, distance, s1)
        d_distance_2 = float(s2_as_nn_p.dot(s1_as_nn_p))
        # gradient of line 4: param scale > 0 = 1, length > 0 = 1, noise > 0 = 0.1
        d_length_1 = float(exp(length * (-2.0))) * length_ * scale_ * (-0.5) * (-2.0) * d_distance_2
        out[0] = scale_ * d_K_2
        out[1] = d_length_1
        out[2] = (noise_ * d_K_4 if d_K_1 else 0.0)
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
    names = ("alpha",)
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
