"""Sensor noise. Severities are the standard deviation in the middle grey, on the 0 to 255 scale."""

from __future__ import annotations

import torch
from torch import Tensor

from irflow_cli.degradations.draw import noise_like
from irflow_cli.tensors import match_dims


def gaussian(clean: Tensor, severity: Tensor, generator: torch.Generator) -> Tensor:
    """Return clean + sigma n, unclipped, with sigma = severity / 255."""
    return clean + match_dims(severity / 255, clean) * noise_like(clean, generator)


def poisson(clean: Tensor, severity: Tensor, generator: torch.Generator) -> Tensor:
    """Return photon noise: variance proportional to the signal, `severity` at value 0.5.

    Counts of a mean over 10 photons at middle grey are drawn from a normal distribution of the same variance, below
    that from the Poisson distribution itself.
    """
    variance = match_dims(severity / 255, clean) ** 2
    photons = 0.5 / variance.clamp_min(1e-9)  # expected count at value 1
    smooth = clean + (clean.clamp_min(0) * 2 * variance).sqrt() * noise_like(clean, generator)
    if bool((photons < 20).any()):
        rate = (clean.clamp_min(0) * photons.clamp_max(1e4)).to(generator.device)
        counted = torch.poisson(rate, generator=generator).to(clean.device) / photons
        return torch.where((photons < 20).expand_as(clean), counted, smooth)
    return smooth


def camera(clean: Tensor, severity: Tensor, generator: torch.Generator) -> Tensor:
    """Return noise of a camera before its tone curve: shot and read noise in linear light, `severity` at value 0.5.

    The picture is taken to linear light with gamma 2.2, given noise of variance a x + b with b / a of 0.02, and taken
    back, so shadows are noisier than highlights; then the noise is scaled so that middle grey has the asked deviation.
    """
    gamma, read = 2.2, 0.02
    linear = clean.clamp(0, 1) ** gamma
    shape = (linear + read).sqrt() / (gamma * clean.clamp_min(0.06) ** (gamma - 1))  # deviation after the tone curve
    middle = ((0.5**gamma + read) ** 0.5) / (gamma * 0.5 ** (gamma - 1))
    return clean + match_dims(severity / 255, clean) * (shape / middle).clamp_max(3) * noise_like(clean, generator)
