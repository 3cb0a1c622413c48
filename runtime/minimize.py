"""A session as functions for `scipy.optimize.minimize`: value with gradient, products with the Hessian, the Hessian.

Takes a session; gives `Function`, over the vector of what the objective trains, in float64 whatever the module computes
in. SciPy itself is not needed here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import NoSuchDerivative
from .session import Session

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Function:
    """One objective of a session, to be made small: what the model maximises stands negated.

    `places` are those of the session's vector that SciPy moves: the unconstrained numbers of each parameter that the
    objective trains and that has `requires_grad`. The session itself stays where it is until `update`.
    """

    session: Session
    name: str
    places: Array
    bound: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def x0(self) -> Array:
        """Where the session is: a copy."""
        return np.array(self.session.theta[self.places], np.float64)

    def __call__(self, x: Array) -> tuple[float, Array]:
        """The value and the gradient, an array of its own: `minimize(function, x0, jac=True)`."""
        value, gradient = self.session.objectives[self.name](self._whole(x))
        return float(value), np.asarray(gradient)[self.places].astype(np.float64)

    def hessp(self, x: Array, p: Array) -> Array:
        """The Hessian times a vector; of a model compiled with `derivatives=("hvp",)`."""
        bound = self._bound("hvp")
        direction = np.zeros_like(self.session.theta)
        direction[self.places] = p
        return np.asarray(bound(self._whole(x), direction)[self.places], np.float64)

    def hess(self, x: Array) -> Array:
        """The Hessian; of a model compiled with `derivatives=("hessian",)`."""
        whole = np.asarray(self._bound("hessian")(self._whole(x)))
        return np.asarray(whole[np.ix_(self.places, self.places)], np.float64)

    def update(self, x: Array) -> None:
        """Take the session there, for example to `result.x`."""
        self.session.theta[self.places] = x

    def _whole(self, x: Array) -> Array:
        theta = self.session.theta.copy()
        theta[self.places] = x
        return theta

    def _bound(self, kind: str) -> Any:
        """The module's function of that derivative, bound to the data once."""
        if kind not in self.bound:
            make = getattr(self.session.module, f"bind_{kind}", None)
            if make is None:
                raise NoSuchDerivative(kind)
            self.bound[kind] = make(self.session.data, self.name)
        return self.bound[kind]


def scipy_function(session: Session, objective: str | None = None) -> tuple[Function, Array]:
    """The objective as a function for `scipy.optimize.minimize`, and the point to start from.

    `fun, x0 = scipy_function(session)`, then `minimize(fun, x0, jac=True, method="L-BFGS-B")`. `objective` is the name
    of one of several. Noise is what the session has drawn last; states stay as they are.
    """
    name = session._one(objective)
    over = session.module.OBJECTIVES[name]["over"]
    moved = [p.place for p in session.parameters.values() if p.name in over and p.requires_grad]
    places = np.concatenate([np.arange(place.start, place.stop) for place in moved] or [np.arange(0)])
    found = Function(session, name, places)
    return found, found.x0
