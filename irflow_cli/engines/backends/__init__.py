"""What computes a network: torch, OpenVINO or ONNX Runtime. A network in, a callable out."""

from irflow_cli.engines.backends.choice import ENGINES, Engine, check, open_engine

__all__ = ["ENGINES", "Engine", "check", "open_engine"]
