"""Estimators pass scikit-learn's own checks, and give what closed forms and scikit-learn's own estimators give."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris, make_classification
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from gradc.learn import ModelClassifier, ModelRegressor

pytestmark = pytest.mark.simplified


@parametrize_with_checks([ModelRegressor(), ModelClassifier()])
def test_the_checks_of_scikit_learn(estimator: Any, check: Any) -> None:
    check(estimator)


CURVE = "input dose[n], time[n], y[n]\nparam a = 1, b = 1\nresponse = a * dose + b * time^2\n"
CURVE += "minimize mean((response - y)^2)\noutput response\n"
TWO = "input x[n, feature], y[n]\nparam w[feature] = 0, b = 0\nconst l2 = 0.5\nz = x @ w + b\n"
TWO += "minimize sum(log(1 + exp(z)) - y * z) + l2 * sum(w^2)\noutput p = sigmoid(z), z\n"


def test_linear_regression_is_the_closed_form() -> None:
    x, y = load_diabetes(return_X_y=True)
    x = StandardScaler().fit_transform(x)
    ours, theirs = ModelRegressor().fit(x, y), LinearRegression().fit(x, y)
    assert ours.parameters_["w"] == pytest.approx(theirs.coef_, rel=1e-4, abs=1e-3)
    assert float(ours.parameters_["b"]) == pytest.approx(theirs.intercept_, rel=1e-8)
    assert ours.score(x, y) == pytest.approx(theirs.score(x, y), rel=1e-8)
    assert ours.loss_curve_[0] > ours.loss_


def test_logistic_regression_is_that_of_scikit_learn() -> None:
    x, y = make_classification(200, 5, random_state=0)
    ours = ModelClassifier(TWO).fit(x, y)
    theirs = LogisticRegression(C=1.0, tol=1e-10, max_iter=1000).fit(x, y)
    assert ours.predict_proba(x) == pytest.approx(theirs.predict_proba(x), abs=1e-5)
    assert (ours.predict(x) == theirs.predict(x)).all()
    with pytest.raises(ValueError, match="holds no probabilities"):
        ModelClassifier(TWO, output="z").fit(x, y).predict(x)


def test_classes_are_words_and_get_their_number_from_y() -> None:
    x, y = load_iris(return_X_y=True)
    words = np.array(["setosa", "versicolor", "virginica"])[y]
    ours = ModelClassifier(constants={"l2": 0.01}).fit(x, words)
    assert ours.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    assert ours.score(x, words) > 0.95
    assert ours.predict_proba(x).sum(axis=1) == pytest.approx(1)


def test_a_column_for_each_input_by_place_or_by_name() -> None:
    dose, time = np.linspace(0, 1, 12), np.linspace(2, 1, 12)
    y = 2 * dose - 0.5 * time**2
    expected = {"a": 2, "b": -0.5}
    for x in (np.stack([dose, time], axis=1), pandas.DataFrame({"time": time, "dose": dose})):
        found = ModelRegressor(CURVE).fit(x, y)
        assert {name: float(value) for name, value in found.parameters_.items()} == pytest.approx(expected, rel=1e-6)
        assert found.predict(x) == pytest.approx(y, abs=1e-6)


def test_in_pipelines_searches_and_copies() -> None:
    x, y = load_iris(return_X_y=True)
    search = GridSearchCV(ModelClassifier(epochs=20), {"constants": [{"l2": 1e-3}, {"l2": 10.0}]}, cv=3).fit(x, y)
    assert search.best_params_ == {"constants": {"l2": 1e-3}}
    pipe = make_pipeline(StandardScaler(), ModelClassifier(epochs=20, optimizer="adam", lr=0.1, batch=32))
    assert cross_val_score(pipe, x, y, cv=3).min() > 0.9
    fitted = search.best_estimator_
    again = pickle.loads(pickle.dumps(fitted))
    assert again.predict_proba(x).tobytes() == fitted.predict_proba(x).tobytes()
    assert clone(fitted).fit(x, y).theta_.tobytes() == fitted.theta_.tobytes()


@pytest.mark.parametrize(
    ("estimator", "said"),
    [
        (ModelRegressor(target="z"), "no input 'z' to be the target"),
        (ModelRegressor(CURVE), "X has 3 features, and the model the inputs dose, time"),
        (ModelRegressor(output="prodiction"), "no output 'prodiction'"),
        (ModelRegressor(optimizer="adm"), "did you mean adam"),
        (ModelRegressor("input x[n, f], y[n]\noutput z = x\n"), "no objective"),
        (
            ModelRegressor("input x[n, f], u[n, g], y[n]\nparam w = 0\nminimize mean((y - w)^2)\n"),
            "one may have a second",
        ),
    ],
)
def test_what_is_wrong_is_said(estimator: ModelRegressor, said: str) -> None:
    x = np.arange(12.0).reshape(4, 3)
    with pytest.raises(ValueError, match=said):
        estimator.fit(x, x[:, 0]).predict(x)


def test_a_model_with_too_few_classes() -> None:
    text = "axis kind: 2\ninput x[n, f], y[n]: kind\nparam w[f, kind] = 0\nz = x @ w\n"
    text += "minimize mean(logsumexp[kind](z) - z[kind = y])\noutput z\n"
    x = np.arange(12.0).reshape(6, 2)
    with pytest.raises(ValueError, match="y has 3 classes, and the model's axis kind the length 2"):
        ModelClassifier(text).fit(x, [0, 1, 2, 0, 1, 2])
    with pytest.raises(ValueError, match="holds no probabilities"):
        ModelClassifier(text).fit(x, [0, 1, 1, 0, 1, 0]).predict_proba(x)
