"""A model, compiled by gradc: value and gradient in NumPy.

Made from transfer.model; change that, and compile it again.
"""

import numpy
from numpy import (
    add,
    arange,
    array,
    copyto,
    divide,
    empty,
    errstate,
    exp,
    full,
    greater,
    log,
    maximum,
    multiply,
    ones,
    subtract,
    take,
    zeros,
)

MODEL = "transfer"
VERSION = "0.1.0"
SOURCE_SHA256 = "2e174ae92ce385a075839fdc15b8bc4a884a3c43bb31274ac4babed54a8a5eb5"
DTYPE = "float64"
ROWS = "n"
CACHE = 1048576
LEAST_ROWS = 256
MOST_ROWS = 8192

AXES = {
    "n": None,
    "pixel": 64,
    "hidden": 128,
    "letter": 26,
}
CONSTANTS = {}
INPUTS = {
    "image": {"axes": ("n", "pixel"), "shape": ("n", 64), "dtype": "float64", "index": None},
    "label": {"axes": ("n",), "shape": ("n",), "dtype": "int64", "index": "letter"},
}
NOISE = {}
PARAMETERS = {
    "body.W": {
        "axes": ("pixel", "hidden"),
        "shape": (64, 128),
        "bounds": (None, None),
        "initial": ("glorot", 1.0),
        "slice": (0, 8192),
    },
    "body.b": {
        "axes": ("hidden",),
        "shape": (128,),
        "bounds": (None, None),
        "initial": ("constant", 0.0),
        "slice": (8192, 8320),
    },
    "head.W": {
        "axes": ("hidden", "letter"),
        "shape": (128, 26),
        "bounds": (None, None),
        "initial": ("glorot", 1.0),
        "slice": (8320, 11648),
    },
    "head.b": {
        "axes": ("letter",),
        "shape": (26,),
        "bounds": (None, None),
        "initial": ("constant", 0.0),
        "slice": (11648, 11674),
    },
}
STATES = {}
OUTPUTS = {
    "logits": {
        "axes": ("n", "letter"),
        "shape": ("n", 26),
        "dtype": "float64",
        "needs": ("image",),
    },
}
METRICS = {}
OBJECTIVES = {
    "loss": {"sense": "minimize", "over": ("head.W", "head.b"), "needs": ("image", "label")},
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
        found, lengths = _read(data, ("image", "label"))
        with errstate(all="ignore"):
            n = lengths["n"]
            image = found["image"]
            label = found["label"]
            # line 12: minimize mean(cross_entropy[letter](logits, label)) over head.*
            loss_1 = 1.0 / n
            # gradient of line 12: minimize mean(cross_entropy[letter](logits, label)) over head.*
            d_loss_1 = full((n,), 1, "int64")
            d_loss_2 = zeros((n, 26), DTYPE)
            each_n = arange(n)
            d_loss_2[each_n, label] = d_loss_1
            loss_1_cell = array(loss_1, DTYPE)
            block_rows = _cut(n, 2200, self._block)
            several = block_rows < n
            if lengths != self._lengths:
                b0 = empty((block_rows, 128), DTYPE)
                b1 = empty((block_rows, 26), DTYPE)
                b2 = empty((block_rows,), DTYPE)
                b3 = empty((block_rows, 26), DTYPE)
                b4 = empty((block_rows,), DTYPE)
                ones_letter = ones((26,), DTYPE)
                b5 = empty((block_rows,), DTYPE)
                places_ = empty((block_rows,), "int64")
                origin = arange(block_rows) * 26
                ones_n = ones((block_rows,), DTYPE)
                sum_d_head_b = empty((26,), "float64" if several else DTYPE)
                part_d_head_b = empty((26,), DTYPE) if several else sum_d_head_b
                sum_d_head_W = empty((128, 26), "float64" if several else DTYPE)
                part_d_head_W = empty((128, 26), DTYPE) if several else sum_d_head_W
                self._buffers = (
                    b0, b1, b2, b3, b4, ones_letter, b5, places_, origin, ones_n, sum_d_head_b, part_d_head_b,
                    sum_d_head_W, part_d_head_W,
                )
            else:
                (
                    b0, b1, b2, b3, b4, ones_letter, b5, places_, origin, ones_n, sum_d_head_b, part_d_head_b,
                    sum_d_head_W, part_d_head_W,
                ) = self._buffers
            blocks = []
            for start in range(0, n, block_rows):
                rows = slice(start, min(start + block_rows, n))
                count = rows.stop - start
                blocks.append(
                    (
                        b0[:count],
                        image[rows],
                        b1[:count],
                        b2[:count],
                        b3[:count],
                        b2[:count][:, None],
                        b4[:count],
                        b5[:count],
                        label[rows],
                        places_[:count],
                        origin[:count],
                        b1[:count].reshape(-1),
                        ones_n[:count],
                        b4[:count][:, None],
                        d_loss_2[rows],
                        b3[:count].T,
                        b0[:count].T,
                    )
                )
            self._blocks = blocks
            self._fixed = (
                ones_letter, part_d_head_b, sum_d_head_b, several, part_d_head_W, sum_d_head_W, loss_1,
                loss_1_cell,
            )
            self.size = 11674
            self.rows = lengths.get("n")
            self._lengths = lengths
            self._theta = None
            self._out = None

    def _see(self, theta):
        found = _vector(theta, self.size)
        self._theta = found if found is theta else None
        body_W = found[0:8192].reshape(64, 128)
        body_b = found[8192:8320]
        head_W = found[8320:11648].reshape(128, 26)
        head_b = found[11648:11674]
        self._views = (body_W, body_b, head_W, head_b)
        return found

    def _write_to(self, out):
        self._out = _gradient(out, self.size)
        gradient_head_W = out[8320:11648].reshape(128, 26)
        gradient_head_b = out[11648:11674]
        self._places = (gradient_head_b, gradient_head_W)

    @errstate(all="ignore")
    def __call__(self, theta, out=None):
        if theta is not self._theta:
            theta = self._see(theta)
        if out is None:
            out = empty(self.size, DTYPE)
        if out is not self._out:
            self._write_to(out)
        (
            ones_letter, part_d_head_b, sum_d_head_b, several, part_d_head_W, sum_d_head_W, loss_1,
            loss_1_cell,
        ) = self._fixed
        (body_W, body_b, head_W, head_b) = self._views
        (gradient_head_b, gradient_head_W) = self._places
        sum_loss = 0.0
        if several:
            sum_d_head_b.fill(0.0)
            sum_d_head_W.fill(0.0)
        for (
            b0, image, b1, b2, b3, b2_as_n_1, b4, b5, label, places_, origin, b1_as_nletter, ones_n,
            b4_as_n_1, d_loss_2, b3_as_letter_n, b0_as_hidden_n,
        ) in self._blocks:
            # line 10: logits = image |> body |> relu |> head
            logits_1 = image.dot(body_W, b0)
            logits_2 = add(body_b, logits_1, b0)
            logits_3 = maximum(logits_2, 0.0, out=b0)
            logits_4 = logits_3.dot(head_W, b1)
            logits = add(head_b, logits_4, b1)
            # line 12: minimize mean(cross_entropy[letter](logits, label)) over head.*
            loss_2 = maximum.reduce(logits, axis=1, out=b2)
            loss_3 = maximum(loss_2, -1.7976931348623157e+308, out=b2)
            loss_4 = subtract(logits, b2_as_n_1, b3)
            loss_5 = exp(loss_4, b3)
            loss_6 = loss_5.dot(ones_letter, b4)
            loss_7 = log(loss_6, b5)
            loss_8 = add(loss_3, loss_7, b5)
            add(label, origin, places_)
            take(b1_as_nletter, places_, 0, b2, "clip")
            loss_9 = b2
            loss_10 = subtract(loss_8, loss_9, b2)
            sum_loss += float(loss_10.dot(ones_n))
            # gradient of line 12: minimize mean(cross_entropy[letter](logits, label)) over head.*
            d_loss_3 = maximum(loss_6, 1.0, out=b4)
            d_loss_4 = divide(loss_5, b4_as_n_1, b3)
            # gradient of line 10: logits = image |> body |> relu |> head
            d_logits_1 = subtract(d_loss_4, d_loss_2, b3)
            d_head_b_1 = b3_as_letter_n.dot(ones_n, part_d_head_b)
            if several:
                add(sum_d_head_b, part_d_head_b, sum_d_head_b)
            d_head_W_1 = b0_as_hidden_n.dot(d_logits_1, part_d_head_W)
            if several:
                add(sum_d_head_W, part_d_head_W, sum_d_head_W)
        # gradient of line 10: logits = image |> body |> relu |> head
        d_head_b_2 = multiply(loss_1_cell, sum_d_head_b, gradient_head_b)
        d_head_W_2 = multiply(loss_1_cell, sum_d_head_W, gradient_head_W)
        out[0:8320] = 0
        return loss_1 * sum_loss, out


class _Outputs:
    """What `predict` returns."""

    def __init__(self, data, block=None):
        self._lengths = None
        self._block = block
        self.rebind(data)

    def rebind(self, data):
        """Take data in: check it, compute what follows from it alone, and cut the rows into blocks."""
        found, lengths = _read(data, ("image",))
        n = lengths["n"]
        image = found["image"]
        block_rows = _cut(n, 1744, self._block)
        several = block_rows < n
        if lengths != self._lengths:
            b0 = empty((block_rows, 128), DTYPE)
            b1 = empty((block_rows, 26), DTYPE)
            all_logits = empty((n, 26), DTYPE)
            self._buffers = (b0, b1, all_logits)
        else:
            (b0, b1, all_logits) = self._buffers
        blocks = []
        for start in range(0, n, block_rows):
            rows = slice(start, min(start + block_rows, n))
            count = rows.stop - start
            blocks.append(
                (
                    b0[:count],
                    image[rows],
                    b1[:count],
                    all_logits[rows],
                )
            )
        self._blocks = blocks
        self._fixed = (all_logits,)
        self.size = 11674
        self.rows = lengths.get("n")
        self._lengths = lengths
        self._theta = None

    def _see(self, theta):
        found = _vector(theta, self.size)
        self._theta = found if found is theta else None
        body_W = found[0:8192].reshape(64, 128)
        body_b = found[8192:8320]
        head_W = found[8320:11648].reshape(128, 26)
        head_b = found[11648:11674]
        self._views = (body_W, body_b, head_W, head_b)
        return found

    def __call__(self, theta):
        if theta is not self._theta:
            theta = self._see(theta)
        (all_logits,) = self._fixed
        (body_W, body_b, head_W, head_b) = self._views
        for (b0, image, b1, some_logits) in self._blocks:
            # line 10: logits = image |> body |> relu |> head
            logits_1 = image.dot(body_W, b0)
            logits_2 = add(body_b, logits_1, b0)
            logits_3 = maximum(logits_2, 0.0, out=b0)
            logits_4 = logits_3.dot(head_W, b1)
            logits = add(head_b, logits_4, some_logits)
        return {
            "logits": array(all_logits),
        }


class _Pullback:
    """The gradient that cotangents of the outputs give."""

    def __init__(self, data, seeds, block=None):
        self._lengths = None
        self._block = block
        self.rebind(data, seeds)

    def rebind(self, data, seeds):
        """Take data in: check it, compute what follows from it alone, and cut the rows into blocks."""
        found, lengths = _read(data, ("image",))
        seeds = _read_seeds(seeds, lengths)
        with errstate(all="ignore"):
            n = lengths["n"]
            seed_logits = seeds["logits"]
            image = found["image"]
            ones_n = ones((n,), DTYPE)
            seed_logits_as_letter_n = seed_logits.T
            # gradient of line 10: logits = image |> body |> relu |> head
            d_head_b_1 = seed_logits_as_letter_n.dot(ones_n)
            block_rows = _cut(n, 3792, self._block)
            several = block_rows < n
            if lengths != self._lengths:
                b0 = empty((block_rows, 128), DTYPE)
                b1 = empty((block_rows, 128), DTYPE)
                b2 = empty((block_rows, 128), DTYPE)
                sum_d_body_b = empty((128,), "float64" if several else DTYPE)
                part_d_body_b = empty((128,), DTYPE) if several else sum_d_body_b
                ones_n_ = ones((block_rows,), DTYPE)
                sum_d_body_W = empty((64, 128), "float64" if several else DTYPE)
                part_d_body_W = empty((64, 128), DTYPE) if several else sum_d_body_W
                sum_d_head_W = empty((128, 26), "float64" if several else DTYPE)
                part_d_head_W = empty((128, 26), DTYPE) if several else sum_d_head_W
                self._buffers = (
                    b0, b1, b2, sum_d_body_b, part_d_body_b, ones_n_, sum_d_body_W, part_d_body_W, sum_d_head_W,
                    part_d_head_W,
                )
            else:
                (
                    b0, b1, b2, sum_d_body_b, part_d_body_b, ones_n_, sum_d_body_W, part_d_body_W, sum_d_head_W,
                    part_d_head_W,
                ) = self._buffers
            blocks = []
            for start in range(0, n, block_rows):
                rows = slice(start, min(start + block_rows, n))
                count = rows.stop - start
                blocks.append(
                    (
                        b0[:count],
                        image[rows],
                        b1[:count],
                        seed_logits[rows],
                        b2[:count],
                        b2[:count].T,
                        ones_n_[:count],
                        image[rows].T,
                        b0[:count].T,
                    )
                )
            self._blocks = blocks
            self._fixed = (
                part_d_body_b, sum_d_body_b, several, part_d_body_W, sum_d_body_W, part_d_head_W, sum_d_head_W,
                d_head_b_1,
            )
            self.size = 11674
            self.rows = lengths.get("n")
            self._lengths = lengths
            self._theta = None
            self._out = None

    def _see(self, theta):
        found = _vector(theta, self.size)
        self._theta = found if found is theta else None
        body_W = found[0:8192].reshape(64, 128)
        body_b = found[8192:8320]
        head_W = found[8320:11648].reshape(128, 26)
        head_W_as_letter_hidden = head_W.T
        self._views = (body_W, body_b, head_W_as_letter_hidden)
        return found

    def _write_to(self, out):
        self._out = _gradient(out, self.size)
        gradient_body_W = out[0:8192].reshape(64, 128)
        gradient_body_b = out[8192:8320]
        gradient_head_W = out[8320:11648].reshape(128, 26)
        gradient_head_b = out[11648:11674]
        self._places = (gradient_body_W, gradient_body_b, gradient_head_W, gradient_head_b)

    @errstate(all="ignore")
    def __call__(self, theta, out=None):
        if theta is not self._theta:
            theta = self._see(theta)
        if out is None:
            out = empty(self.size, DTYPE)
        if out is not self._out:
            self._write_to(out)
        (
            part_d_body_b, sum_d_body_b, several, part_d_body_W, sum_d_body_W, part_d_head_W, sum_d_head_W,
            d_head_b_1,
        ) = self._fixed
        (body_W, body_b, head_W_as_letter_hidden) = self._views
        (gradient_body_W, gradient_body_b, gradient_head_W, gradient_head_b) = self._places
        if several:
            sum_d_body_b.fill(0.0)
            sum_d_body_W.fill(0.0)
            sum_d_head_W.fill(0.0)
        for (
            b0, image, b1, seed_logits, b2, b2_as_hidden_n, ones_n_, image_as_pixel_n, b0_as_hidden_n,
        ) in self._blocks:
            # line 10: logits = image |> body |> relu |> head
            logits_1 = image.dot(body_W, b0)
            logits_2 = add(body_b, logits_1, b0)
            # gradient of line 10: logits = image |> body |> relu |> head
            d_logits_1 = seed_logits.dot(head_W_as_letter_hidden, b1)
            d_logits_2 = greater(logits_2, 0.0, b2)
            d_logits_3 = multiply(d_logits_1, d_logits_2, b2)
            d_body_b_1 = b2_as_hidden_n.dot(ones_n_, part_d_body_b)
            if several:
                add(sum_d_body_b, part_d_body_b, sum_d_body_b)
            d_body_W_1 = image_as_pixel_n.dot(d_logits_3, part_d_body_W)
            if several:
                add(sum_d_body_W, part_d_body_W, sum_d_body_W)
            # line 10: logits = image |> body |> relu |> head
            logits_3 = maximum(logits_2, 0.0, out=b0)
            # gradient of line 10: logits = image |> body |> relu |> head
            d_head_W_1 = b0_as_hidden_n.dot(seed_logits, part_d_head_W)
            if several:
                add(sum_d_head_W, part_d_head_W, sum_d_head_W)
        copyto(gradient_body_W, sum_d_body_W)
        copyto(gradient_body_b, sum_d_body_b)
        copyto(gradient_head_W, sum_d_head_W)
        copyto(gradient_head_b, d_head_b_1)
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
    names = ("logits",)
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
