"""The machine: pictures in files, devices, checkpoints, tiles."""
