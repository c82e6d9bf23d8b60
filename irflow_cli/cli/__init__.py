"""The terminal: options in, lines out. Only `console` prints; torch is imported inside commands."""
