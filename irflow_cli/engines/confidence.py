"""How far to believe what a network changed, place by place, as its own second network says that sees the whole picture."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from irflow_cli.engines.evidence import kept_share
from irflow_cli.images.picture import top_of
from irflow_cli.nets.confidence import CELL, MULTIPLE, SHRUNK, ConfidenceNet

LARGEST = 2**20  # pixels of what is looked at; of a larger picture no more is, for what is on its lens is larger
AMPLIFIED = 4.0  # by how much changes are, beside the picture
STRENGTH = 6  # of what is seen: the channel of how much was changed
FAINT = 1e-6  # square of a detail, white 1, that counts as none
SHRINKS = (SHRUNK, 1.5 * SHRUNK)  # how many times smaller a picture is seen, each as it is and mirrored
DOUBT, TRUST = 0.15, 0.3  # shares of a change up to which nothing of it is kept, and from which on all
UNSURE, CERTAIN = 0.71, 0.77  # the largest share in a picture up to which nothing of it is believed, and from which on all is
NOTICED = 4 / 255  # root mean square of the change, white 1, from which on a place counts for that


def seen_of(before: np.ndarray, after: np.ndarray, strength: float = 1.0, shrunk: float = SHRUNK) -> Tensor:
    """Return what a ConfidenceNet sees of a picture and what was made of it, (H, W) or (H, W, 3), of one type:
    (1, CHANNELS, h, w).

    That is, means over squares of `shrunk` pixels: the picture, black 0 and white 1; its change, AMPLIFIED; the root mean
    square of that; and the logarithm of the mean square of the finest detail (a Laplacian) before and after. strength: what
    changes were multiplied by; they are seen without, but for the detail.
    """
    return _shrunk(_maps(before, after, strength), shrunk)


def _maps(before: np.ndarray, after: np.ndarray, strength: float) -> list[np.ndarray]:
    """Return what is averaged to see a change: the picture, its change, the square of that, and of detail before and after."""
    old, new = (_near(pixels) for pixels in (before, after))
    change = (new - old) * np.float32(AMPLIFIED / strength)
    return [old, change, (change**2).mean(2), *(cv2.Laplacian(pixels.mean(2), cv2.CV_32F) ** 2 for pixels in (old, new))]


def _shrunk(maps: list[np.ndarray], shrunk: float) -> Tensor:
    """Return what is seen so many times smaller, (1, CHANNELS, h, w)."""
    size = [MULTIPLE * max(1, round(side / shrunk / MULTIPLE)) for side in (maps[0].shape[1], maps[0].shape[0])]
    old, change, square, *details = (np.atleast_3d(cv2.resize(one, size, interpolation=cv2.INTER_AREA)) for one in maps)
    details = [np.log(one + np.float32(FAINT)) / 4 + 2 for one in details]
    seen = np.concatenate([old, change, np.sqrt(square), *details], axis=2)
    return torch.from_numpy(seen).permute(2, 0, 1)[None].contiguous()


@torch.inference_mode()
def confidence_of(net: ConfidenceNet, before: np.ndarray, after: np.ndarray, strength: float = 1.0) -> np.ndarray:
    """Return the part of a change to keep, (rows, columns) of 0 to 1, in equal cells of the picture: by the mean of what the
    network says of several views. Where it is certain nowhere, none is: of a doubtful drop beside certain ones more is kept."""
    maps = _maps(before, after, strength)
    seen = [_shrunk(maps, shrunk) for shrunk in SHRINKS]
    views = [_logits(net, one) for one in seen]
    size = views[0].shape[-2:]
    mean = torch.cat([F.interpolate(view, size=size, mode="bilinear", align_corners=False) for view in views]).mean(0)[0]
    share = mean.sigmoid().cpu().numpy()
    noticed = share[F.avg_pool2d(seen[0][:, STRENGTH], CELL)[0].numpy() > AMPLIFIED * NOTICED]
    most = noticed.max(initial=0)
    return kept_share(share, (DOUBT, TRUST)) * kept_share(most, (UNSURE, CERTAIN))


def _logits(net: ConfidenceNet, seen: Tensor) -> Tensor:
    """Return the mean of what the network says of a view and of its mirror image, (1, 1, rows, columns)."""
    seen = seen.to(next(net.parameters()).device)
    return ((net(seen) + net(seen.flip(-1)).flip(-1)) / 2)[None]


def _near(pixels: np.ndarray) -> np.ndarray:
    """Return pixels (H, W) or (H, W, 3) as (h, w, 3) float32 of 0 to 1, of no more than LARGEST pixels."""
    height, width = pixels.shape[:2]
    less = (LARGEST / (height * width)) ** 0.5
    if less < 1:
        pixels = cv2.resize(pixels, (max(1, round(width * less)), max(1, round(height * less))), interpolation=cv2.INTER_AREA)
    near = pixels.astype(np.float32) / top_of(pixels.dtype)
    return near if near.ndim == 3 else np.repeat(near[..., None], 3, axis=2)
