"""How many different values D streams have shown."""

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from detectors.summary.columns import Runs

_RANK_BITS = 52
"""Bits of the hash that the rank is taken from: what a float64 holds exactly."""

_RANK_MAX = _RANK_BITS


class Distinct:
    """HyperLogLog counters of D streams with 2**p registers each.

    The standard error is 1.04 / sqrt(2**p): 3.3 % at p = 10. Nothing seen gives 0.

    Sources: Flajolet, Fusy, Gandouet, Meunier, "HyperLogLog", 2007; the estimator is from Ertl,
    "New cardinality estimation algorithms for HyperLogLog sketches", 2017.
    """

    def __init__(self, streams: int, p: int = 10) -> None:
        if not 4 <= p <= 12:
            raise ValueError(f"p is {p}, but must be from 4 to 12")
        self.p = p
        self.registers = np.zeros((streams, 1 << p), dtype=np.uint8)

    def update(self, runs: Runs) -> None:
        """Add the values of each stream; counts play no part."""
        self.update_hashes(runs.streams, _mixed(runs.values.view(np.uint64)))

    def update_names(self, stream: int, names: Iterable[str]) -> None:
        """Add names to one stream."""
        hashes = name_hashes(names)
        self.update_hashes(np.full(len(hashes), stream), hashes)

    def update_hashes(self, streams: NDArray[np.int64], hashes: NDArray[np.uint64]) -> None:
        """Add well-mixed 64-bit hashes, one stream index each."""
        tails = hashes & np.uint64((1 << _RANK_BITS) - 1)
        # Most values cannot raise any register once many were seen: look only at those that can.
        lowest = self.registers.min(axis=1, initial=_RANK_MAX).astype(np.uint64)
        if lowest.any():
            rising = np.flatnonzero(tails < (np.uint64(1 << _RANK_BITS) >> lowest)[streams])
            streams, hashes, tails = streams[rising], hashes[rising], tails[rising]
        places = (hashes >> np.uint64(64 - self.p)).astype(np.int64) + (streams << self.p)
        exponents = (tails | np.uint64(1)).astype(np.float64).view(np.int64) >> 52
        ranks = (_RANK_BITS + 1023 - exponents).astype(np.uint8)
        np.maximum.at(self.registers.reshape(-1), places, ranks)

    def merge(self, other: "Distinct") -> None:
        """Add what `other` has seen; `other` is left as it is."""
        if other.p != self.p:
            raise ValueError(f"cannot merge 2**{other.p} registers into 2**{self.p}")
        np.maximum(self.registers, other.registers, out=self.registers)

    def estimate(self) -> NDArray[np.float64]:
        """The estimated number of different values, shape (D,)."""
        streams, m = self.registers.shape
        places = self.registers + (np.arange(streams) * (_RANK_MAX + 1))[:, None]
        held = np.bincount(places.ravel(), minlength=streams * (_RANK_MAX + 1))
        held = held.reshape(streams, _RANK_MAX + 1)
        z = m * _tau(1.0 - held[:, _RANK_MAX] / m)
        for rank in range(_RANK_MAX - 1, 0, -1):
            z = 0.5 * (z + held[:, rank])
        with np.errstate(divide="ignore"):
            return np.asarray(m * m / (2.0 * np.log(2.0)) / (z + m * _sigma(held[:, 0] / m)))

    def state(self) -> dict[str, Any]:
        """`p` and the registers (uint8, shape (D, 2**p)), copied."""
        return {"p": self.p, "registers": self.registers.copy()}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The counters that `state` was taken of."""
        distinct = cls(len(state["registers"]), int(state["p"]))
        distinct.registers[:] = state["registers"]
        return distinct


def name_hashes(names: Iterable[str]) -> NDArray[np.uint64]:
    """A 64-bit hash of each name, the same in every process (unlike Python's `hash`)."""
    digests = b"".join(
        blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest() for name in names
    )
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


def _mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of splitmix64: every input bit flips every output bit half of the time."""
    h = bits + np.uint64(0x9E3779B97F4A7C15)
    h ^= h >> np.uint64(30)
    h *= np.uint64(0xBF58476D1CE4E5B9)
    h ^= h >> np.uint64(27)
    h *= np.uint64(0x94D049BB133111EB)
    h ^= h >> np.uint64(31)
    return h


def _sigma(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ertl's sigma: x + sum of x**(2**k) 2**(k-1); infinite at 1 (no register was touched)."""
    x = x.copy()
    total, factor = x.copy(), 1.0
    with np.errstate(under="ignore"):
        for _ in range(64):
            x *= x
            total += x * factor
            factor *= 2.0
    return np.where(x >= 1.0, np.inf, total)


def _tau(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ertl's tau: the registers at the highest rank; 0 at 0 and at 1."""
    inside = (x > 0.0) & (x < 1.0)
    root = np.where(inside, x, 0.5)
    total, factor = 1.0 - root, 1.0
    for _ in range(64):
        root = np.sqrt(root)
        factor *= 0.5
        total -= (1.0 - root) ** 2 * factor
    return np.where(inside, total / 3.0, 0.0)
