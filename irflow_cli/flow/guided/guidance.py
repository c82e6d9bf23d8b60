"""What guides a trajectory: what was observed, fresh noise, and the sampler's own numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from irflow_cli.flow.observations import Observation

Noise = Callable[[], Tensor]  # -> a fresh draw of the paths' source, shaped as the state


@dataclass(frozen=True)
class Guidance:
    """What guides a trajectory.

    noise: fresh draws of the paths' source, normal with `mean` and `deviation`. corrections: how often a sampler does again
    what it repeats: look-aheads of a step, draws of a mean, steps of a descent. weight: the one number that a sampler's paper
    leaves to the user; None: what the sampler says.
    """

    observation: Observation
    noise: Noise
    corrections: int = 1
    mean: float = 0.5
    deviation: float = 0.5
    weight: float | None = None

    @property
    def sigma(self) -> float:
        """The deviation of the observation's noise, in units of the source's."""
        return self.observation.sigma / self.deviation

    @property
    def entry(self) -> float:
        """The time at which the paths have as much noise as the observation: y, drawn to the mean by it, is a state of then."""
        return 1 / (1 + self.sigma)

    def fresh(self) -> Tensor:
        """Return a draw of the source without its mean: normal, of the source's deviation."""
        return self.noise() - self.mean

    def projected(self, x: Tensor, t: Tensor | float) -> Tensor:
        """Return the state x of time t with its known part replaced by the observation, brought to that time.

        As much noise is added as the observation lacks, so signal and noise are those of a path. From `entry` on it has too
        much, and x stays as it is. At t = 1 an observation without noise replaces what is known.
        """
        t = float(t)
        lack = (1 - t) ** 2 - (t * self.sigma) ** 2
        if lack < -1e-9:
            return x
        measured = self.mean + t * (self.observation.picture - self.mean)
        return self.observation.projected(x, measured + lack**0.5 * self.fresh() if lack > 1e-9 else measured)

    def chosen(self, usual: float) -> float:
        """Return the sampler's own number, or what is usual where none was given."""
        return usual if self.weight is None else self.weight
