"""Draws: seeded random numbers, and numbers that only look random."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def generator(seed: int, *place: int) -> np.random.Generator:
    """The generator of one place of the sample (a batch, a file), independent of all others."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *place])))


def choose(rng: np.random.Generator, weights: Sequence[float], size: int) -> Array:
    """Numbers 0, 1, … drawn with these weights."""
    cumulated = np.cumsum(weights, dtype=np.float64)
    return np.searchsorted(cumulated / cumulated[-1], rng.random(size), side="right").clip(max=len(weights) - 1)


def pick(rng: np.random.Generator, values: Sequence[int], size: int) -> Array:
    """One of the values for each row, all alike."""
    return np.asarray(values)[rng.integers(0, len(values), size)]


def lognormal(rng: np.random.Generator, median: float, spread: float, size: int) -> Array:
    """Durations around a median; `spread` is the sigma of their logarithm."""
    return (median * np.exp(spread * rng.standard_normal(size))).astype(np.int64)


def scattered(numbers: Array, salt: int) -> Array:
    """Different 64-bit numbers for different numbers: SplitMix64's finaliser (Steele, Lea, Flood 2014), a bijection."""
    mixed = numbers.astype(np.uint64) + np.uint64((salt * 0x9E3779B97F4A7C15) % 2**64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def hexadecimal(numbers: Array) -> Array:
    """The numbers as 16 hexadecimal digits (bytes)."""
    digits = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
    octets = numbers.astype(">u8").view(np.uint8).reshape(-1, 8)
    text = np.empty((len(numbers), 16), dtype=np.uint8)
    text[:, 0::2] = digits[octets >> 4]
    text[:, 1::2] = digits[octets & 15]
    return text.reshape(-1).view("S16")
