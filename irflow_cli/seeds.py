"""Seeds of draws, made from the seed that was given and what a draw is for; the same on every machine."""

from __future__ import annotations

import hashlib

SEEDS = 2**63  # what a generator of torch can be seeded with


def seed_of(given: int, *what: int | bytes) -> int:
    """Return the seed, 0 to SEEDS - 1, of the draws that belong to `what`: a picture's pixels as bytes, a place in it
    (top, left), or the number of an iteration.

    So draws depend on neither the name of a picture nor its turn in a batch. Draws for different things are
    independent, and so are those of different given seeds.
    """
    content = b"".join(part if isinstance(part, bytes) else part.to_bytes(8, "little", signed=True) for part in what)
    return (int.from_bytes(hashlib.sha256(content).digest()[:7], "big") + int(given) * 0x9E3779B1) % SEEDS
