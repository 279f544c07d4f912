"""An identity-like graph for measuring: persons with 1 to 8 ids, repeated observations, households, long chains."""

from __future__ import annotations

import numpy as np

from identity.dense import Keys

CHAIN = 2_000
CHAIN_SHARE = 0.045
REPEATED = 0.2
HOUSEHOLDS = 0.02


def identity_graph(edges: int, seed: int = 7) -> tuple[Keys, Keys]:
    """About so many edges between random 64-bit keys, in random order and direction.

    Persons hold 1 to 8 identifiers, each seen with a random earlier one of the same person; one edge in five is
    repeated, two persons in a hundred are linked to another by a shared number, and chains of 2,000 hold 4.5 %.
    """
    rng = np.random.default_rng(seed)
    chains = max(1, int(edges * CHAIN_SHARE) // CHAIN)
    persons = max(1, int((edges - chains * CHAIN) / (3.5 * (1 + REPEATED) + HOUSEHOLDS)))
    src, dst, nodes = _persons(rng, persons)
    tail = nodes + CHAIN * np.arange(chains, dtype=np.int64)
    links = (tail[:, None] + np.arange(CHAIN - 1, dtype=np.int64)).ravel()
    src, dst = np.concatenate([src, links]), np.concatenate([dst, links + 1])
    order = rng.permutation(src.size)
    turned = rng.random(src.size) < 0.5
    src, dst = src[order], dst[order]
    keys = rng.integers(-(2**63), 2**63 - 1, nodes + CHAIN * chains, dtype=np.int64)
    return keys[np.where(turned, dst, src)], keys[np.where(turned, src, dst)]


def _persons(rng: np.random.Generator, persons: int) -> tuple[Keys, Keys, int]:
    sizes = rng.integers(1, 9, persons)
    begin = np.concatenate([[0], np.cumsum(sizes)])
    owner = np.repeat(np.arange(persons), sizes)
    place = np.arange(begin[-1]) - begin[owner]
    later = np.flatnonzero(place)
    earlier = begin[owner[later]] + (rng.random(later.size) * place[later]).astype(np.int64)
    again = rng.random(later.size) < REPEATED
    guests = rng.integers(0, persons, (2, int(persons * HOUSEHOLDS)))
    src = np.concatenate([later, later[again], begin[guests[0]]])
    dst = np.concatenate([earlier, earlier[again], begin[guests[1]]])
    return src, dst, int(begin[-1])
