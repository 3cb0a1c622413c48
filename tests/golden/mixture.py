"""A model, compiled by gradc: value and gradient in NumPy.

Made from mixture.model; change that, and compile it again.
"""

import numpy
from numpy import (
    add,
    arange,
    copyto,
    divide,
    einsum,
    empty,
    errstate,
    exp,
    less,
    log,
    matmul,
    maximum,
    multiply,
    negative,
    ones,
    subtract,
)

MODEL = "mixture"
VERSION = "0.1.0"
SOURCE_SHA256 = "fedb28a50eb3454b722dc082d33a40be6a87486ad533f131b76588cf225f399a"
DTYPE = "float64"
ROWS = "n"
CACHE = 1048576
LEAST_ROWS = 256
MOST_ROWS = 8192

AXES = {
    "n": None,
    "k": 25,
    "d": None,
}
CONSTANTS = {}
INPUTS = {
    "x": {"axes": ("n", "d"), "shape": ("n", "d"), "dtype": "float64", "index": None},
}
NOISE = {}
PARAMETERS = {
    "alpha": {
        "axes": ("k",),
        "shape": (25,),
        "bounds": (None, None),
        "initial": ("normal", 0.0, 1.0),
        "slice": (0, 25),
    },
    "mu": {
        "axes": ("k", "d"),
        "shape": (25, "d"),
        "bounds": (None, None),
        "initial": ("normal", 0.0, 1.0),
        "slice": None,
    },
    "log_diag": {
        "axes": ("k", "d"),
        "shape": (25, "d"),
        "bounds": (None, None),
        "initial": ("constant", 0.0),
        "slice": None,
    },
    "low": {
        "axes": ("k", "d", "d'"),
        "shape": (25, "d", "d"),
        "bounds": (None, None),
        "initial": ("constant", 0.0),
        "slice": None,
    },
}
STATES = {}
OUTPUTS = {}
METRICS = {}
OBJECTIVES = {
    "loss": {"sense": "minimize", "over": ("alpha", "mu", "log_diag", "low"), "needs": ("x",)},
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
        found, lengths = _read(data, ("x",))
        with errstate(all="ignore"):
            d = lengths["d"]
            n = lengths["n"]
            x = found["x"]
            # line 8: lower = where(index[d] > index[d'], low, 0)
            lower_1 = arange(d)
            lower_2 = arange(d)
            lower_1_as_d_1 = lower_1[:, None]
            lower_3 = less(lower_2, lower_1_as_d_1)
            block_rows = _cut(n, 808 * d + 224, self._block)
            several = block_rows < n
            if lengths != self._lengths:
                s0 = empty((25, d, d), DTYPE)
                s1 = empty((25, d), DTYPE)
                s2 = empty((25,), DTYPE)
                ones_d = ones((d,), DTYPE)
                s3 = empty((25,), DTYPE)
                ones_k = ones((25,), DTYPE)
                b0 = empty((block_rows, 25, d), DTYPE)
                b1 = empty((block_rows, 25, d), DTYPE)
                b2 = empty((block_rows, 25, d), DTYPE)
                lower_turned = empty((25, d, d), DTYPE)
                b3 = empty((block_rows, 25), DTYPE)
                b4 = empty((block_rows,), DTYPE)
                b5 = empty((block_rows,), DTYPE)
                b6 = empty((block_rows,), DTYPE)
                ones_n = ones((block_rows,), DTYPE)
                sum_d_white = empty((25, d, d), "float64" if several else DTYPE)
                part_d_white = empty((25, d, d), DTYPE) if several else sum_d_white
                b7 = empty((block_rows, 25, d), DTYPE)
                sum_d_white_ = empty((25, d), "float64" if several else DTYPE)
                part_d_white_ = empty((25, d), DTYPE) if several else sum_d_white_
                sum_d_mu = empty((25, d), "float64" if several else DTYPE)
                part_d_mu = empty((25, d), DTYPE) if several else sum_d_mu
                sum_d_log_p = empty((25,), "float64" if several else DTYPE)
                part_d_log_p = empty((25,), DTYPE) if several else sum_d_log_p
                f0 = empty((25, d), DTYPE)
                self._buffers = (
                    s0, s1, s2, ones_d, s3, ones_k, b0, b1, b2, lower_turned, b3, b4, b5, b6, ones_n, sum_d_white,
                    part_d_white, b7, sum_d_white_, part_d_white_, sum_d_mu, part_d_mu, sum_d_log_p, part_d_log_p,
                    f0,
                )
            else:
                (
                    s0, s1, s2, ones_d, s3, ones_k, b0, b1, b2, lower_turned, b3, b4, b5, b6, ones_n, sum_d_white,
                    part_d_white, b7, sum_d_white_, part_d_white_, sum_d_mu, part_d_mu, sum_d_log_p, part_d_log_p,
                    f0,
                ) = self._buffers
            s0_as_k_d_p_d = s0.transpose(0, 2, 1)
            part_d_mu_as_kd = part_d_mu.reshape(-1)
            sum_d_log_p_as_k_1 = sum_d_log_p[:, None]
            blocks = []
            for start in range(0, n, block_rows):
                rows = slice(start, min(start + block_rows, n))
                count = rows.stop - start
                blocks.append(
                    (
                        b0[:count],
                        x[rows][:, None, :],
                        b1[:count],
                        b2[:count],
                        b0[:count].transpose(1, 0, 2),
                        b2[:count].transpose(1, 0, 2),
                        b3[:count],
                        b4[:count],
                        b4[:count][:, None],
                        b5[:count],
                        b6[:count],
                        ones_n[:count],
                        b5[:count][:, None],
                        b3[:count][:, :, None],
                        b2[:count].transpose(1, 2, 0),
                        b1[:count].transpose(1, 0, 2),
                        b7[:count],
                        b7[:count].reshape(-1, 25 * d).T,
                        b3[:count].T,
                    )
                )
            self._blocks = blocks
            self._fixed = (
                s0, lower_3, s1, s2, ones_d, s3, ones_k, s0_as_k_d_p_d, lower_turned, part_d_white,
                sum_d_white, several, part_d_white_, sum_d_white_, part_d_mu, part_d_mu_as_kd, sum_d_mu,
                part_d_log_p, sum_d_log_p, f0, sum_d_log_p_as_k_1, n,
            )
            self.size = 50 * d + 25 * d**2 + 25
            self.rows = lengths.get("n")
            self._lengths = lengths
            self._theta = None
            self._out = None

    def _see(self, theta):
        found = _vector(theta, self.size)
        self._theta = found if found is theta else None
        d = self._lengths["d"]
        alpha = found[0:25]
        mu = found[25:25 * d + 25].reshape(25, d)
        log_diag = found[25 * d + 25:50 * d + 25].reshape(25, d)
        low = found[50 * d + 25:50 * d + 25 * d**2 + 25].reshape(25, d, d)
        self._views = (low, log_diag, alpha, mu)
        return found

    def _write_to(self, out):
        self._out = _gradient(out, self.size)
        d = self._lengths["d"]
        gradient_alpha = out[0:25]
        gradient_mu = out[25:25 * d + 25].reshape(25, d)
        gradient_log_diag = out[25 * d + 25:50 * d + 25].reshape(25, d)
        gradient_low = out[50 * d + 25:50 * d + 25 * d**2 + 25].reshape(25, d, d)
        self._places = (gradient_mu, gradient_low, gradient_alpha, gradient_log_diag)

    @errstate(all="ignore")
    def __call__(self, theta, out=None):
        if theta is not self._theta:
            theta = self._see(theta)
        if out is None:
            out = empty(self.size, DTYPE)
        if out is not self._out:
            self._write_to(out)
        (
            s0, lower_3, s1, s2, ones_d, s3, ones_k, s0_as_k_d_p_d, lower_turned, part_d_white,
            sum_d_white, several, part_d_white_, sum_d_white_, part_d_mu, part_d_mu_as_kd, sum_d_mu,
            part_d_log_p, sum_d_log_p, f0, sum_d_log_p_as_k_1, n,
        ) = self._fixed
        (low, log_diag, alpha, mu) = self._views
        (gradient_mu, gradient_low, gradient_alpha, gradient_log_diag) = self._places
        # line 8: lower = where(index[d] > index[d'], low, 0)
        copyto(s0, 0.0)
        copyto(s0, low, where=lower_3)
        lower = s0
        # line 10: white = exp(log_diag) * diff + sum[d'](lower * diff[d -> d'])
        white_1 = exp(log_diag, s1)
        # line 11: log_p = alpha + sum[d](log_diag) - 0.5 * sum[d](white^2)
        log_p_1 = log_diag.dot(ones_d, s2)
        log_p_2 = add(alpha, log_p_1, s2)
        # line 13: minimize -sum[n](log(sum[k](exp(log_p))) - log(sum[k](exp(alpha))))
        loss_1 = float(maximum.reduce(alpha, axis=0))
        loss_2 = float(maximum(loss_1, -1.7976931348623157e+308))
        loss_3 = subtract(alpha, loss_2, s3)
        loss_4 = exp(loss_3, s3)
        loss_5 = float(loss_4.dot(ones_k))
        loss_6 = float(log(loss_5))
        loss_7 = loss_2 + loss_6
        # gradient of line 13: minimize -sum[n](log(sum[k](exp(log_p))) - log(sum[k](exp(alpha))))
        d_loss_1 = float(maximum(loss_5, 1.0))
        d_loss_2 = divide(loss_4, d_loss_1, s3)
        d_loss_3 = multiply(n, d_loss_2, s3)
        # line 10: white = exp(log_diag) * diff + sum[d'](lower * diff[d -> d'])
        copyto(lower_turned, s0_as_k_d_p_d)
        sum_loss = 0.0
        if several:
            sum_d_white.fill(0.0)
            sum_d_white_.fill(0.0)
            sum_d_mu.fill(0.0)
            sum_d_log_p.fill(0.0)
        for (
            b0, x_as_n_1_d, b1, b2, b0_as_k_n_d_p, b2_as_k_n_d, b3, b4, b4_as_n_1, b5, b6, ones_n,
            b5_as_n_1, b3_as_n_k_1, b2_as_k_d_n, b1_as_k_n_d_p, b7, b7_as_kd_n, b3_as_k_n,
        ) in self._blocks:
            # line 9: diff = x - mu
            diff = subtract(x_as_n_1_d, mu, b0)
            # line 10: white = exp(log_diag) * diff + sum[d'](lower * diff[d -> d'])
            white_2 = multiply(diff, white_1, b1)
            matmul(b0_as_k_n_d_p, lower_turned, b2_as_k_n_d)
            white_3 = b2
            white = add(white_2, white_3, b2)
            # line 11: log_p = alpha + sum[d](log_diag) - 0.5 * sum[d](white^2)
            log_p_3 = einsum("abc,abc->ab", white, white, out=b3)
            log_p_4 = multiply(log_p_3, 0.5, b3)
            log_p = subtract(log_p_2, log_p_4, b3)
            # line 13: minimize -sum[n](log(sum[k](exp(log_p))) - log(sum[k](exp(alpha))))
            loss_8 = maximum.reduce(log_p, axis=1, out=b4)
            loss_9 = maximum(loss_8, -1.7976931348623157e+308, out=b4)
            loss_10 = subtract(log_p, b4_as_n_1, b3)
            loss_11 = exp(loss_10, b3)
            loss_12 = loss_11.dot(ones_k, b5)
            loss_13 = log(loss_12, b6)
            loss_14 = add(loss_9, loss_13, b6)
            loss_15 = subtract(loss_14, loss_7, b6)
            sum_loss += float(loss_15.dot(ones_n))
            # gradient of line 13: minimize -sum[n](log(sum[k](exp(log_p))) - log(sum[k](exp(alpha))))
            d_loss_4 = maximum(loss_12, 1.0, out=b5)
            d_loss_5 = divide(loss_11, b5_as_n_1, b3)
            # gradient of line 11: log_p = alpha + sum[d](log_diag) - 0.5 * sum[d](white^2)
            d_log_p_1 = multiply(white, b3_as_n_k_1, b2)
            # gradient of line 10: white = exp(log_diag) * diff + sum[d'](lower * diff[d -> d'])
            d_white_1 = matmul(b2_as_k_d_n, b0_as_k_n_d_p, part_d_white)
            if several:
                add(sum_d_white, part_d_white, sum_d_white)
            matmul(b2_as_k_n_d, lower, b1_as_k_n_d_p)
            d_white_2 = b1
            d_white_3 = multiply(white_1, d_log_p_1, b7)
            d_white_4 = einsum("abc,abc->bc", diff, d_log_p_1, out=part_d_white_)
            if several:
                add(sum_d_white_, part_d_white_, sum_d_white_)
            # gradient of line 9: diff = x - mu
            d_diff_1 = add(d_white_2, d_white_3, b7)
            b7_as_kd_n.dot(ones_n, part_d_mu_as_kd)
            d_mu_1 = part_d_mu
            if several:
                add(sum_d_mu, part_d_mu, sum_d_mu)
            # gradient of line 11: log_p = alpha + sum[d](log_diag) - 0.5 * sum[d](white^2)
            d_log_p_2 = b3_as_k_n.dot(ones_n, part_d_log_p)
            if several:
                add(sum_d_log_p, part_d_log_p, sum_d_log_p)
        # gradient of line 10: white = exp(log_diag) * diff + sum[d'](lower * diff[d -> d'])
        d_white_5 = multiply(white_1, sum_d_white_, f0)
        # gradient of line 9: diff = x - mu
        d_mu_2 = negative(sum_d_mu, gradient_mu)
        # gradient of line 6: param log_diag[k, d] = 0, low[k, d, d'] = 0
        copyto(gradient_low, 0.0)
        copyto(gradient_low, sum_d_white, where=lower_3)
        d_low_1 = gradient_low
        # gradient of line 5: param alpha[k] ~ normal(0, 1), mu[k, d] ~ normal(0, 1)
        d_alpha_1 = subtract(d_loss_3, sum_d_log_p, gradient_alpha)
        # gradient of line 6: param log_diag[k, d] = 0, low[k, d, d'] = 0
        d_log_diag_1 = subtract(d_white_5, sum_d_log_p_as_k_1, gradient_log_diag)
        return -sum_loss, out


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
    return {}


def metrics(theta, data):
    """The metrics by name."""
    return {}


def vjp(theta, data, seeds):
    """This model has no output that depends on its parameters."""
    raise DataError("the model has no differentiable output")
