"""The menu: what irflow can take out of a photograph, and with which settings it does so by default. No torch here,
so that the command line can show them."""

from __future__ import annotations

import re
from dataclasses import dataclass

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")  # of a task, somebody's own too
MAX_PIXELS = 2**27  # of a picture, unless more are allowed: all but a few cameras have less; 1 GiB of memory, 4 for floats


@dataclass(frozen=True)
class TaskSpec:
    """One entry of the menu.

    checkpoint: name of the checkpoint that ships, None where none does. steps, grid, sampler: defaults of a trajectory.
    textured: the steps of a result with more texture and a little less PSNR, None where more bring none (docs/perception.md).
    sigma_max: for noise, the standard deviation on the 0-255 scale at which the path begins (t = 0); a picture with less
    noise enters at t = 1 - sigma / sigma_max. None for tasks whose inputs all begin at t = 0. prior: the path begins in
    Gaussian noise, and what leads it to a picture is not the network's input but a mask or an operator. least: the size of
    changes, 0-255 scale, below which a picture is taken for sound, and above which it is not; more: the part by which they
    grow where they are far above that (`engines.evidence`). two_sizes: where clearly more is found at half the size, the result
    is the mean of both: for what may be wider than a network sees. twice: white noise, 0-255 scale, from which on the result of
    one step is the mean of those for the picture and for it turned. A camera's noise knows which way is up: turned it is worse.
    """

    summary: str
    checkpoint: str | None
    steps: int = 1
    textured: int | None = None
    grid: str = "released"
    sampler: str = "euler"
    sigma_max: float | None = None
    prior: bool = False
    least: tuple[float, float] | None = None
    more: float = 0.0
    two_sizes: bool = False
    twice: float | None = None

    def start(self, sigma: float | None) -> float:
        """Return the time on [0, 1) at which a picture with noise `sigma` (0-255 scale) enters the path."""
        if self.sigma_max is None or sigma is None:
            return 0.0
        return min(max(0.0, 1 - sigma / self.sigma_max), 0.999)


TASKS: dict[str, TaskSpec] = {
    "derain": TaskSpec("rain streaks, light to heavy", "derain", steps=2, least=(5.5, 8)),
    "denoise": TaskSpec(
        "sensor noise, standard deviation 0 to 55 of 255", "denoise", textured=8, sigma_max=55.0, least=(0.6, 1.3), twice=12.0
    ),
    "deraindrop": TaskSpec(
        "drops of water on the lens or the window", "deraindrop", steps=2, least=(8, 16), more=0.15, two_sizes=True
    ),
    "prior": TaskSpec("photographs as such: for inpaint, upscale and denoising without training", "prior", prior=True),
    "all-in-one": TaskSpec("the three above at once: a start for training the others", None, sigma_max=55.0),
}
RESTORED = tuple(name for name, task in TASKS.items() if task.checkpoint and not task.prior)  # what `restore` has weights for


def task_of(name: str) -> TaskSpec:
    """Return the task of a name; one that is not on the menu is somebody's own, trained on pairs of theirs."""
    return TASKS.get(name) or TaskSpec(f"{name}, trained on pairs", None)
