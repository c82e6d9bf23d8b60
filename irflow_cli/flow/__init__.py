"""The mathematics of the flow, on tensors: paths, times, samplers, losses. Nothing here knows a network or a file."""
