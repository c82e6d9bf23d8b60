"""How well a network does on pictures it is not trained on."""

from __future__ import annotations

import torch
from torch import Tensor

from irflow_cli.metrics import psnr, rounded
from irflow_cli.nets import Network
from irflow_cli.seeds import seed_of
from irflow_cli.training.dataset import Corpus, validation_crops
from irflow_cli.training.guesses import with_guesses
from irflow_cli.training.options import TrainRequest
from irflow_cli.training.sampling import Source, draw_source


def validation_pairs(request: TrainRequest, corpus: Corpus, layers: Tensor | None) -> list[Source]:
    """Return the held-out pictures, three degraded versions of each, the same in every run."""
    device = corpus.pixels.device
    pairs = []
    for index, crop in enumerate(validation_crops(corpus, 192)):
        if corpus.paired:
            pairs.append(Source(crop[:, 3:], crop[:, :3], torch.zeros(1, device=device)))
            continue
        generator = torch.Generator(device).manual_seed(seed_of(20, index))
        pairs.append(draw_source(request.task, crop.expand(3, -1, -1, -1), generator, layers, request.known))
    return pairs


@torch.inference_mode()
def validate(net: Network, pairs: list[Source], guesses: float = 0.0) -> float:
    """Return the mean PSNR in dB of one step from each degraded picture, rounded to 8 bits; a share of `guesses` of those with
    holes begins in what the network finds at half the size."""
    scores = []
    for index, pair in enumerate(pairs):
        generator = torch.Generator(pair.clean.device).manual_seed(seed_of(21, index))
        (degraded, clean, start), _ = with_guesses(net, pair, guesses, generator)
        restored = degraded - net(degraded, start, degraded)
        scores.append(psnr(rounded(restored).cpu(), clean.cpu()).clamp(max=60))
    return float(torch.cat(scores).mean())
