"""The part of every emitted module that does not depend on the model: reading data, and the flat vector of parameters.

The text stands in the module as it is here; it works from the module's own tables (`INPUTS`, `PARAMETERS`, `AXES`).
"""

OF_NUMPY = frozenset(
    "argwhere array asarray ascontiguousarray concatenate empty errstate exp floor full int64 isfinite isin less lib "
    "linalg log moveaxis ndarray ones prod random shape zeros".split()
)
"""What is written `numpy.name`, here and in the functions of the module's face."""

SUPPORT = '''
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
'''

FACTOR = '''
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
'''
"""Emitted where an objective has a form over the factor of its columns."""

EXPAND = '''
def _well_conditioned(data, names):
    """Whether products of these columns, centred, keep half of the digits: their condition is below 1e4."""
    for name in names:
        axes = INPUTS[name]["axes"]
        if INPUTS[name]["dtype"] == DTYPE and ROWS in axes:
            found = numpy.moveaxis(_numbers(_column(data, name), name, DTYPE), axes.index(ROWS), 0)
            columns = found.reshape(len(found), -1)
            columns = columns - numpy.ones(len(found)).dot(columns) / len(found)
            if not numpy.linalg.cond(columns.T.dot(columns)) <= 1e8:
                return False
    return True
'''
"""Emitted where an objective has a form over products of the data."""

REFUSE = '''
def _refuse(fit, place, first, what):
    """Raise an error that names the first matrix that is not fit; `first` is the row with which the block starts."""
    matrix, batch = _MATRICES[place]
    at = [int(i) for i in numpy.argwhere(~numpy.asarray(fit))[0]]
    if batch:
        at[0] += first
        raise DataError(f"{matrix} {what} at [{batch}] = {at}") from None
    raise DataError(f"{matrix} {what}") from None
'''

ALGEBRA = {
    "window": '''
def _window(found, slidings):
    """A view of an array: along each axis named its positions, and as new last axes the taps of each."""
    for axis, taps, stride, dilation in slidings:
        reach = (taps - 1) * dilation + 1
        found = numpy.lib.stride_tricks.sliding_window_view(found, reach, axis)
        behind = (slice(None),) * (found.ndim - axis - 2)
        found = found[(slice(None),) * axis + (slice(None, None, stride),) + behind + (slice(None, None, dilation),)]
    return found
''',
    "solve": '''
def _solve(matrix, right, place, first=0):
    """The unknowns of each system; the axes of `right` behind that of the rows are of several right sides."""
    flat = right.reshape(right.shape[: matrix.ndim - 1] + (-1,))
    try:
        found = numpy.linalg.solve(matrix, flat)
        return found.reshape(found.shape[:-1] + right.shape[matrix.ndim - 1 :])
    except numpy.linalg.LinAlgError:
        _refuse(numpy.linalg.slogdet(matrix)[0] != 0, place, first, "is singular")
''',
    "inverse": """
def _inverse(matrix, place, first=0):
    try:
        return numpy.linalg.inv(matrix)
    except numpy.linalg.LinAlgError:
        _refuse(numpy.linalg.slogdet(matrix)[0] != 0, place, first, "is singular")
""",
    "cholesky": '''
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
''',
    "logdet": """
def _logdet(matrix, place, first=0):
    with numpy.errstate(all="ignore"):
        signs, found = numpy.linalg.slogdet(matrix)
    if (signs <= 0).any():
        _refuse(signs > 0, place, first, "has no determinant above 0")
    return found
""",
    "det": """
def _det(matrix):
    with numpy.errstate(all="ignore"):
        return numpy.linalg.det(matrix)
""",
}
"""Emitted, each where a model needs it: windows, and operations on the matrices over the last two axes, for which
`_refuse` comes with them."""
