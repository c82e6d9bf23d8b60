"""Clean picture -> worse picture, on tensors, with an explicit generator. One table for training, tests and terminal."""

from irflow_cli.degradations.table import DEGRADATIONS, Degradation, degrade

__all__ = ["DEGRADATIONS", "Degradation", "degrade"]
