"""Which noise is paired with which picture in the training of a prior."""

from __future__ import annotations

import torch
from torch import Tensor

from irflow_cli.errors import UsageError


def transport_pairing(source: Tensor, target: Tensor) -> Tensor:
    """Return the order (B,) of `source` that makes its summed squared distance to `target` least; both (B, C, H, W).

    Exact optimal transport within the batch by scipy's assignment solver, so that paths cross less and are straighter
    (minibatch coupling, arXiv 2302.00482, as in the training of Restora-Flow's priors). Raises UsageError without scipy.
    """
    try:
        from scipy.optimize import linear_sum_assignment
    except ImportError:
        raise UsageError("training a prior needs scipy: pip install 'irflow[train]'") from None
    cost = -(target.flatten(1).cpu().double() @ source.flatten(1).cpu().double().T)  # the squares do not depend on the order
    return torch.from_numpy(linear_sum_assignment(cost.numpy())[1]).to(source.device)
