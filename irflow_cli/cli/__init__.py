"""The terminal: options in, lines out. Only `console` prints; torch is imported inside commands."""

import gc

# Looking through all objects again and again, while modules are loaded that stay, takes a tenth of the time until a command
# begins, and 0.1 s more once those of torch are among them.
gc.set_threshold(100_000, 50)
