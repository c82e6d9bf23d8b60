"""Which noise is paired with which picture in the training of a prior."""

from __future__ import annotations

import torch
from torch import Tensor

from irflow_cli.tensors import to_device

GROUP = 16  # pictures among which pairs are sought; even
SWEEPS = 2  # times that every two of a group are compared


def transport_pairing(source: Tensor, target: Tensor) -> Tensor:
    """Return an order (B,) of `source` that lowers its summed squared distance to `target`; both (B, C, H, W).

    Minibatch optimal transport (arXiv 2302.00482), as in the training of Restora-Flow's priors: paths cross less and are
    straighter. Differs: within groups of GROUP, and by swapping two where that helps (each two SWEEPS times) in place of an
    exact assignment. So it is a fixed number of operations on the tensors' device, and a GPU needs no answer of the host.
    """
    count, device = len(source), source.device
    groups = -(-count // GROUP)
    spare = groups * GROUP - count
    gain = target.flatten(1).float() @ source.flatten(1).float().T  # (B targets, B sources): larger is nearer
    gain = torch.nn.functional.pad(gain, (0, spare, 0, spare), value=-1e30)  # places beyond the batch keep to themselves
    gain = gain.view(groups, GROUP, groups, GROUP).diagonal(dim1=0, dim2=2).permute(2, 0, 1)  # (groups, GROUP, GROUP)
    places = torch.arange(GROUP, device=device)
    gain = torch.where((gain < -1e29) & (places[:, None] == places), 1e29, gain)
    order = places.repeat(groups, 1)  # (groups, GROUP): the source of each target
    for partner in _rounds(device) * SWEEPS:
        other = order[:, partner]
        stay = gain.gather(2, order[..., None])[..., 0]
        swap = gain.gather(2, other[..., None])[..., 0]
        better = swap + swap[:, partner] > stay + stay[:, partner]
        order = torch.where(better, other, order)
    first = GROUP * torch.arange(groups, device=device)[:, None]
    return (order + first).flatten()[:count]


def _rounds(device: torch.device) -> list[Tensor]:
    """Return GROUP - 1 rounds in which each place has one partner (GROUP,), so that all meet all (a round robin)."""
    last, rounds = GROUP - 1, []
    for turn in range(last):
        ring = (2 * turn - torch.arange(last)) % last  # the place that is its own partner plays the last one
        ring[turn] = last
        rounds.append(to_device(torch.cat([ring, torch.tensor([turn])]), device))
    return rounds
