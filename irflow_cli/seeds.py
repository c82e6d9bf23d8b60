"""Seeds of draws, made from the seed that was given and what a draw is for; the same on every machine."""

from __future__ import annotations

import hashlib

SEEDS = 2**63  # what a generator of torch can be seeded with


def seed_of_content(given: int, content: bytes) -> int:
    """Return the seed of draws that hang on some content, such as a picture's pixels, and not on its name or place."""
    return (int.from_bytes(hashlib.sha256(content).digest()[:7], "big") + given * 0x9E3779B1) % SEEDS


def seed_of_place(given: int, top: int, left: int) -> int:
    """Return the seed of draws for the part of a picture that begins at a place."""
    return (given * 0x9E3779B1 + top * 0x85EBCA77 + left * 0xC2B2AE3D + 1) % SEEDS


def seed_of_number(given: int, number: int) -> int:
    """Return a well-spread seed for a numbered draw, such as an iteration of a run."""
    value = (given * 0x9E3779B97F4A7C15 + number * 0xBF58476D1CE4E5B9 + 0x94D049BB133111EB) % 2**64
    return (value ^ (value >> 31)) % SEEDS
