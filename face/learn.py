"""Estimators for scikit-learn: a model as a regressor or a classifier, in pipelines, searches and cross-validation.

Takes a `.model` (a path or a text; by default linear and softmax regression) and how to train it; gives objects with
`fit`, `predict` and `score`. The model's inputs are the columns of X in their order, but for one, the target. A model
is compiled once for all fits in a process. What is fitted holds the module's text, so that it can be pickled.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from gradc.compiler.elaborate import elaborate
from gradc.compiler.pipeline import Options
from gradc.compiler.source import ModelError, Source, nearest, read_source
from gradc.compiler.syntax import parse
from gradc.compiler.tree import Input
from gradc.model import Model, made
from gradc.modules import left_out, load
from gradc.trained import train

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise ImportError("the estimators need scikit-learn 1.6 or newer: pip install 'gradc[learn]'") from error

Array = npt.NDArray[Any]

LINEAR = """\
# Linear regression.
input x[n, feature], y[n]
param w[feature] = 0, b = 0
prediction = x @ w + b
minimize mean((prediction - y)^2)
output prediction
"""

SOFTMAX = """\
# Softmax regression.
input x[n, feature], y[n]: class
param w[feature, class] = 0, b[class] = 0
const l2 = 1e-4
logits = x @ w + b
minimize mean(logsumexp[class](logits) - logits[class = y]) + l2 * sum(w^2)
output probability = softmax[class](logits)
"""


TO_THE_END = "lbfgs:line_search_fn=strong_wolfe,tolerance_grad=1e-12,tolerance_change=1e-15"
"""L-BFGS until no digit changes."""


class _ModelEstimator(BaseEstimator):  # type: ignore[misc]
    """What a regressor and a classifier share.

    `model` is a path or a text (with a line end in it), None the class's own. `optimizer`, `epochs`, `batch`, `lr` and
    `schedule` are as in `model.fit`; the default is L-BFGS on all rows, of which an epoch is a step of up to 20
    iterations. `target` is the input that y is, `output` the one that predicts, by default the first. `constants` and
    `dtype` are as in `gradc.compile`. `random_state` is the seed of initial values, of the order of rows and of noise.

    Fitted: `parameters_` by name, `loss_curve_`, `loss_`, and scikit-learn's `n_features_in_`, `feature_names_in_`.
    """

    _default = LINEAR

    def __init__(
        self,
        model: str | os.PathLike[str] | None = None,
        *,
        optimizer: Any = TO_THE_END,
        epochs: int = 100,
        batch: int | None = None,
        lr: float | None = None,
        schedule: Any = None,
        target: str = "y",
        output: str | None = None,
        constants: Mapping[str, float] | None = None,
        dtype: str = "float64",
        random_state: Any = 0,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.epochs = epochs
        self.batch = batch
        self.lr = lr
        self.schedule = schedule
        self.target = target
        self.output = output
        self.constants = constants
        self.dtype = dtype
        self.random_state = random_state

    def _fitted(self, source: Source, x: Array, y: Array, classes: int | None) -> None:
        """Train on checked data."""
        constants = tuple(sorted((self.constants or {}).items()))
        if classes is not None:
            source = _with_classes(source, self.target, classes, constants)
        model = _compiled(source, self.dtype, constants)
        module = model.module
        self._target(module)
        data = {**_columns(module, self.target, x, getattr(self, "feature_names_in_", None)), self.target: y}
        seed = self.random_state
        if not isinstance(seed, int | np.integer):
            seed = check_random_state(seed).randint(2**31 - 1)
        found = train(
            model,
            data,
            self.optimizer,
            epochs=self.epochs,
            batch=self.batch,
            lr=self.lr,
            schedule=self.schedule,
            seed=int(seed),
        )
        self.module_text_ = model.text
        self.theta_ = found.session.theta.copy()
        self.parameters_ = found.values()
        self.loss_curve_ = found.losses[next(iter(found.losses))]
        self.loss_ = found.loss

    def _target(self, module: ModuleType) -> None:
        if self.target not in module.INPUTS:
            near = nearest(self.target, module.INPUTS)
            help = f"did you mean {near}?" if near else f"the inputs are {', '.join(module.INPUTS)}"
            raise ValueError(f"the model has no input {self.target!r} to be the target; {help}")
        if not module.OBJECTIVES:
            raise ValueError("the model has no objective, and nothing to fit")

    def _source(self) -> Source:
        if self.model is None:
            return Source("default.model", self._default)
        text = isinstance(self.model, str) and "\n" in self.model
        return Source("model", str(self.model)) if text else read_source(self.model)

    def _predicted(self, x: Any) -> Array:
        """The output for checked data."""
        check_is_fitted(self)
        checked = validate_data(self, x, reset=False, dtype=np.float64)
        module = _loaded(self.module_text_)
        output = self.output if self.output is not None else next(iter(module.OUTPUTS), None)
        if output not in module.OUTPUTS:
            raise ValueError(f"the model has no output {output!r}; there are {', '.join(module.OUTPUTS) or 'none'}")
        data = _columns(module, self.target, checked, getattr(self, "feature_names_in_", None))
        found: Array = np.asarray(module.predict(self.theta_, data)[output])
        return found


class ModelRegressor(RegressorMixin, _ModelEstimator):  # type: ignore[misc]
    """A model whose output, a number for each row, is the prediction of y. By default linear regression.

    The parameters are those of every estimator here; see the base class.
    """

    __doc__ += _ModelEstimator.__doc__ or ""

    def fit(self, X: Any, y: Any) -> ModelRegressor:
        """Fit to X (rows, features) and y (rows)."""
        x, target = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        self._fitted(self._source(), x, np.asarray(target, np.float64), None)
        return self

    def predict(self, X: Any) -> Array:
        """The output for each row of X."""
        found = self._predicted(X)
        if found.shape != (len(found),):
            raise ValueError(f"the output has shape {found.shape}, and a prediction is one number a row: name another")
        return found


class ModelClassifier(ClassifierMixin, _ModelEstimator):  # type: ignore[misc]
    """A model whose output is the probability of each class, in sorted order, or of the second of two. By default
    softmax regression.

    The target is an index along an axis of classes, which gets its length from y where the model gives none; or it is
    0 and 1.
    """

    _default = SOFTMAX
    __doc__ += _ModelEstimator.__doc__ or ""

    def fit(self, X: Any, y: Any) -> ModelClassifier:
        """Fit to X (rows, features) and y (rows), the classes being numbers or words."""
        x, target = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(target)
        self.classes_, places = np.unique(target, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y has one class, {self.classes_[0]!r}, and a classifier needs two")
        self._fitted(self._source(), x, places, len(self.classes_))
        return self

    def predict_proba(self, X: Any) -> Array:
        """The probability of each class in each row of X, in the order of `classes_`."""
        found = self._scores(X)
        if not _are_probabilities(found):
            raise ValueError(NO_PROBABILITIES)
        return found

    def predict(self, X: Any) -> Array:
        """The most likely class in each row of X."""
        scores = self._scores(X)
        classes: Array = self.classes_[scores.argmax(axis=1)]
        return classes

    def _scores(self, X: Any) -> Array:
        found = self._predicted(X)
        if found.ndim == 1 and len(self.classes_) == 2:
            found = np.stack([1 - found, found], axis=1)
            if not _are_probabilities(found):
                raise ValueError(NO_PROBABILITIES)
        if found.ndim != 2 or found.shape[1] != len(self.classes_):
            wanted = f"a number for each of {len(self.classes_)} classes"
            raise ValueError(f"the output has shape {found.shape}, and {wanted} is needed in each row: name another")
        return found


NO_PROBABILITIES = "the output holds no probabilities: name one that does, as output='probability'"


def _are_probabilities(found: Array) -> bool:
    return bool(((found >= 0) & (found <= 1)).all()) and np.allclose(found.sum(axis=1), 1, atol=1e-4)


# ---------------------------------------------------------------------------------------------------------- the model


@lru_cache(maxsize=32)
def _compiled(source: Source, dtype: str, constants: tuple[tuple[str, float], ...]) -> Model:
    return made(source, Options(dtype, dict(constants), left_out(())))


@lru_cache(maxsize=32)
def _loaded(text: str) -> ModuleType:
    return load(text, "model")


@lru_cache(maxsize=32)
def _with_classes(source: Source, target: str, classes: int, constants: tuple[tuple[str, float], ...]) -> Source:
    """The model with the number of classes, where it leaves that open. ValueError where it has fewer."""
    tree = parse(source)
    axis = next((s.type for s in tree.statements if isinstance(s, Input) and s.name == target), None)
    if axis is None or axis == "bool":
        return source
    whole = replace(source, text=f"{source.text.rstrip()}\naxis {axis}: {classes}\n")
    try:
        program = elaborate(tree, dict(constants))
    except ModelError:
        with suppress(ModelError):
            elaborate(parse(whole), dict(constants))
            return whole
        raise
    length = next(given.indexes.length for given in program.inputs if given.name == target and given.indexes)
    if length.is_Integer and int(length) < classes:
        raise ValueError(f"y has {classes} classes, and the model's axis {axis} the length {length}")
    return source


def _columns(module: ModuleType, target: str, x: Array, names: Sequence[str] | None) -> dict[str, Array]:
    """X as the model's inputs: a column for each that has the rows alone, the rest for the one that has one axis more.

    Where the columns have names, an input takes the one of its name.
    """
    wanted = {name: entry for name, entry in module.INPUTS.items() if name != target}
    wide = [name for name, entry in wanted.items() if len(entry["axes"]) > 1]
    if len(wide) > 1 or any(len(wanted[name]["axes"]) > 2 for name in wide):
        raise ValueError(f"X is a matrix, and cannot be the inputs {', '.join(wide)}: one may have a second axis")
    left = list(range(x.shape[1]))
    found = {}
    for name in (name for name in wanted if name not in wide):
        if not left:
            raise ValueError(f"X has {x.shape[1]} features, and the model the inputs {', '.join(wanted)}")
        own = [i for i in left if names is not None and names[i] == name]
        place = own[0] if own else left[0]
        left.remove(place)
        found[name] = x[:, place]
    if left and not wide:
        raise ValueError(f"X has {x.shape[1]} features, and the model the inputs {', '.join(wanted)}")
    return {**found, **dict.fromkeys(wide, x[:, left])}
