"""Writes scans.json: losses, gradients and second derivatives of recurrences by PyTorch, in float64.

python tests/reference/make_scans.py

`gradient` and `second` hold one list for each parameter: the gradient of the loss, and that of the sum of its products
with `values(case, 1)`, a Hessian-vector product.
"""

import json
from pathlib import Path

import torch
from scans import CASES, values

found = {}
for name, case in CASES.items():
    given = {
        key: torch.tensor(array, requires_grad=key in case.parameters) for key, array in values(case, seed=0).items()
    }
    direction = {key: torch.tensor(array) for key, array in values(case, seed=1).items()}
    parameters = [given[key] for key in case.parameters]
    loss = case.loss(torch, given)
    gradient = torch.autograd.grad(loss, parameters, create_graph=True)
    along = sum((g * direction[key]).sum() for g, key in zip(gradient, case.parameters, strict=True))
    second = torch.autograd.grad(along, parameters, allow_unused=True)
    found[name] = {
        "loss": loss.item(),
        "gradient": {key: g.tolist() for key, g in zip(case.parameters, gradient, strict=True)},
        "second": {
            key: (torch.zeros_like(p) if g is None else g).tolist()
            for key, p, g in zip(case.parameters, parameters, second, strict=True)
        },
    }

path = Path(__file__).parent / "scans.json"
path.write_text(json.dumps(found, indent=1) + "\n")
