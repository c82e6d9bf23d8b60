"""Sensor noise. Severities are the standard deviation in the middle grey, on the 0 to 255 scale."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from irflow_cli.degradations.draw import noise_like
from irflow_cli.tensors import match_dims, to_device


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
    rate = (clean.clamp_min(0) * photons.clamp_max(20)).to(generator.device)
    counted = torch.poisson(rate, generator=generator).to(clean.device) / photons
    return torch.where(photons < 20, counted, smooth)


def camera(clean: Tensor, severity: Tensor, generator: torch.Generator) -> Tensor:
    """Return noise of a camera before its tone curve: shot and read noise in linear light, `severity` at value 0.5.

    The picture is taken to linear light with gamma 2.2, given noise of variance a x + b with b / a of 0.02, and taken
    back, so shadows are noisier than highlights; then the noise is scaled so that middle grey has the given deviation.
    In colour a sensor sees one channel a pixel, and the noise of the others comes from their neighbours: it is coarser.
    """
    gamma, read = 2.2, 0.02
    linear = clean.clamp(0, 1) ** gamma
    shape = (linear + read).sqrt() / (gamma * clean.clamp_min(0.06) ** (gamma - 1))  # deviation after the tone curve
    middle = ((0.5**gamma + read) ** 0.5) / (gamma * 0.5 ** (gamma - 1))
    noise = noise_like(clean, generator)
    noise = demosaicked(noise) if clean.shape[1] == 3 else noise
    return clean + match_dims(severity / 255, clean) * (shape / middle).clamp_max(3) * noise


def demosaicked(noise: Tensor) -> Tensor:
    """Return white noise (B, 3, H, W) as it is after a Bayer pattern (RGGB) and bilinear interpolation, its mean variance 1."""
    seen = torch.zeros_like(noise[:1])
    seen[:, 0, ::2, ::2] = seen[:, 1, ::2, 1::2] = seen[:, 1, 1::2, ::2] = seen[:, 2, 1::2, 1::2] = 1
    sparse = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]) / 4
    dense = torch.tensor([[0.0, 1, 0], [1, 4, 1], [0, 1, 0]]) / 4
    kernels = to_device(torch.stack([sparse, dense, sparse])[:, None], noise.device, noise.dtype)
    deviation = [[[0.75]], [[0.625**0.5]], [[0.75]]]  # of the mean over a pattern's four pixels
    return F.conv2d(noise * seen, kernels, padding=1, groups=3) / to_device(deviation, noise.device, noise.dtype)
