"""The benchmark: how good, how fast and how large, beside the peers, on the same inputs byte for byte."""
