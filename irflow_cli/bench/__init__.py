"""The benchmark: how good, how fast and how large, beside the baselines, on the same inputs byte for byte."""
