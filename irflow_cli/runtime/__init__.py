"""The machine: devices, checkpoints, downloads, files and configuration."""
