"""Connected components on 64-bit keys: which identifiers must be looked at together.

One meaning, several engines: `one_task` contracts a whole graph in compiled code, `partitioned` contracts parts and
merges the forests they leave, `distributed` hangs nodes under the smallest roots of their parts, round after round, for
graphs that no executor holds (its rounds run on the cluster; the kernels are here). All give the same answer: the
component of a node is the smallest key it can be reached from.

Chosen by measurement on 4.4 M edges and 4.5 M nodes on 2 cores: `identity.dense` relabels in 0.4 s and keeps the keys'
order, so that the smallest label is the smallest key. One vectorised round of hooking takes three quarters of the edges
away before `scipy.sparse.csgraph` labels the rest (0.4 s together); scipy alone needs 1.2 s, hooking alone 1.3 s and,
on unlucky graphs, a round per node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from identity.dense import Keys, Positions, dense, first_of_each, gather

Name = TypeVar("Name", np.int64, np.int32)
EngineName = Literal["one_task", "partitioned", "distributed"]

HOOK_FROM_EDGES = 100_000
HOOK_ROUNDS = 2


class Components(NamedTuple):
    """Every node with the smallest key of its component, sorted by node."""

    nodes: Keys
    component: Keys


class ComponentsEngine(Protocol):
    """Anything that finds components: edges as two key columns, isolated nodes as a third."""

    def __call__(self, src: Keys, dst: Keys, nodes: Keys | None = None) -> Components: ...


def connected_components(src: Keys, dst: Keys, nodes: Keys | None = None) -> Components:
    """Each node belongs to the component named after the smallest key that it is connected to.

    `src`, `dst`: the ends of the edges, int64, any sign; loops and duplicates are allowed. `nodes`: further nodes that
    may have no edge. ValueError when the two columns differ in length.
    """
    ends = _checked_ends(src, dst, nodes)
    if ends.size == 0:
        return Components(ends, ends.copy())
    keys, codes = dense(ends)
    return Components(keys, _smallest(keys, codes[: src.size], codes[src.size : 2 * src.size]))


def _checked_ends(src: Keys, dst: Keys, nodes: Keys | None) -> Keys:
    if src.size != dst.size:
        raise ValueError(f"edges have two ends: got {src.size} sources and {dst.size} destinations")
    columns = [np.asarray(column, dtype=np.int64) for column in (src, dst, nodes) if column is not None]
    return np.concatenate(columns)


def _smallest(names: npt.NDArray[Name], a: Positions, b: Positions, rounds: int = HOOK_ROUNDS) -> npt.NDArray[Name]:
    """For each node the name of the smallest node of its component; hooks while it pays, then lets scipy finish.

    `names`: of the nodes, in their order; `a`, `b`: the positions of the edges' ends among them.
    """
    if rounds == 0 or a.size < HOOK_FROM_EDGES:
        return gather(names, _scipy_labels(names.size, a, b))
    parent = _hook(names.size, a, b)
    a, b = gather(parent, a), gather(parent, b)
    crossing = a != b
    a, b = a[crossing], b[crossing]
    active = np.zeros(names.size, dtype=np.bool_)
    active[a] = True
    active[b] = True
    survivors = np.flatnonzero(active).astype(np.int32)
    position = np.empty(names.size, dtype=np.int32)
    position[survivors] = np.arange(survivors.size, dtype=np.int32)
    named = names.copy()
    named[survivors] = _smallest(names[survivors], position[a], position[b], rounds - 1)
    return gather(named, parent)


def _hook(count: int, a: Positions, b: Positions) -> Positions:
    """Every node that has a smaller neighbour hangs under one of them; each node gets the root of its tree.

    Any smaller neighbour keeps the trees free of cycles, so it does not matter which of several is written last.
    """
    parent = np.arange(count, dtype=np.int32)
    parent[np.maximum(a, b)] = np.minimum(a, b)
    jumped = gather(parent, parent)
    moving = np.flatnonzero(jumped != parent).astype(np.int32)
    parent = jumped
    while moving.size:  # a node that kept its parent hangs under a root, and has arrived
        here = parent[moving]
        above = gather(parent, here)
        on = above != here
        moving = moving[on]
        parent[moving] = above[on]
    return parent


def _scipy_labels(count: int, a: Positions, b: Positions) -> Positions:
    # Loaded where it is needed: it takes a third of a second, and most commands label nothing.
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components as label_graph

    graph = coo_matrix((np.ones(a.size, dtype=np.int8), (a, b)), shape=(count, count))
    found, labels = label_graph(graph.tocsr(), directed=False)
    first = np.empty(found, dtype=np.int32)
    first[labels[::-1]] = np.arange(count - 1, -1, -1, dtype=np.int32)
    return first[labels]


def contract(src: Keys, dst: Keys, nodes: Keys | None = None) -> Components:
    """A part of the edges says the same with fewer: each of its nodes once, with the smallest key it reaches there.

    The forest that partition-wise contraction hands on to `merge_partial`.
    """
    return connected_components(src, dst, nodes)


def merge_partial(parts: Iterable[Components]) -> Components:
    """The forests of all parts of a graph, taken together, give the components of the whole graph."""
    forests = list(parts)
    if not forests:
        return Components(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
    nodes = np.concatenate([forest.nodes for forest in forests])
    roots = np.concatenate([forest.component for forest in forests])
    return connected_components(nodes, roots)


def partitioned_components(
    src: Keys, dst: Keys, nodes: Keys | None = None, *, part_edges: int = 1_000_000
) -> Components:
    """The same answer as `connected_components`, holding at most `part_edges` edges and the forest at a time."""
    _checked_ends(src, dst, None)
    forest = connected_components(src[:0], dst[:0], nodes)
    for start in range(0, src.size, part_edges):
        part = contract(src[start : start + part_edges], dst[start : start + part_edges])
        forest = merge_partial((forest, part))
    return forest


def distinct(keys: Keys) -> Keys:
    """The distinct keys in order; sorting beats the hashing of `np.unique` tenfold on millions of random keys.

    >>> distinct(np.array([3, -1, 3])).tolist()
    [-1, 3]
    """
    if keys.size == 0:
        return keys.astype(np.int64)
    ordered = np.sort(keys)
    return ordered[first_of_each(ordered)]


class Hooks(NamedTuple):
    """What the owner of some nodes decides in one round: a parent for each node, and the edges that go on."""

    nodes: Keys
    parent: Keys
    src: Keys
    dst: Keys


def hook_forests(node: Keys, root: Keys) -> Hooks:
    """Each node hangs under the smallest of its roots; the edges that go on join that one with its other roots.

    `node`, `root`: rows of the forests of all parts (`contract`), where all rows of a node are together. A root is a
    row of itself in its part, so a root that hangs under another goes on with an edge to it, and a node that is no root
    anywhere leaves the graph: the greatest of every component does.
    """
    nodes, at = dense(node)
    parent = nodes.copy()
    np.minimum.at(parent, at, root)
    smallest = gather(parent, at)
    other = root != smallest
    return Hooks(nodes, parent, root[other], smallest[other])


def distributed_components(src: Keys, dst: Keys, nodes: Keys | None = None, *, owners: int = 8) -> Components:
    """The same answer by rounds of hooking among `owners` that see their own part of the edges or nodes only.

    The cluster engine does these rounds on tables; here they run in process, so that the algorithm is tested
    without a cluster.
    """
    _checked_ends(src, dst, nodes)
    parts = [contract(src[part::owners], dst[part::owners]) for part in range(owners)]
    forest = _rows([*parts, contract(src[:0], dst[:0], nodes)])
    levels: list[Components] = []
    while (forest.nodes != forest.component).any():
        hooks = [hook_forests(*(column[mine] for column in forest)) for mine in _owned(forest.nodes, owners)]
        levels.append(_sorted(_rows([Components(one.nodes, one.parent) for one in hooks])))
        forest = _rows([contract(one.src, one.dst) for one in hooks])
    found = Components(distinct(forest.nodes), distinct(forest.nodes))
    for level in reversed(levels):
        found = Components(level.nodes, _follow(found, level.component))
    return found


def _rows(forests: Iterable[Components]) -> Components:
    """The rows of all forests, one after the other."""
    columns = zip(*forests, strict=True)
    return Components(*(np.concatenate(column) for column in columns))


def _sorted(found: Components) -> Components:
    order = np.argsort(found.nodes)
    return Components(found.nodes[order], found.component[order])


def _owned(keys: Keys, owners: int) -> Iterator[npt.NDArray[np.bool_]]:
    """For each owner which of the keys are its own."""
    owner = (keys.view(np.uint64) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(33)) % np.uint64(owners)
    return (owner == part for part in range(owners))


def _follow(found: Components, keys: Keys) -> Keys:
    """Each key is replaced by its component; keys that are no nodes stay."""
    if found.nodes.size == 0:
        return keys
    at = np.minimum(np.searchsorted(found.nodes, keys), found.nodes.size - 1)
    return np.where(found.nodes[at] == keys, found.component[at], keys)


def broken_edges(src: Keys, dst: Keys, found: Components) -> int:
    """How many edges join two components of `found`: 0 is the proof that nothing is left to merge.

    KeyError when an end of an edge is missing from `found`.
    """
    keys, at = dense(np.concatenate([found.nodes, src, dst]))
    if keys.size != found.nodes.size:
        raise KeyError("an end of an edge has no component: the map does not cover the graph")
    ends = gather(found.component, at[found.nodes.size :])
    return int((ends[: src.size] != ends[src.size :]).sum())


@dataclass(frozen=True)
class EngineLimits:
    """Up to how many edges an engine is used: beyond `partitioned_edges` the graph is contracted on the cluster."""

    one_task_edges: int = 30_000_000
    partitioned_edges: int = 200_000_000


def choose_engine(edges: int, limits: EngineLimits, *, forced: EngineName | None = None) -> EngineName:
    """The cheapest engine that holds a graph of so many edges, unless the configuration forces one.

    >>> choose_engine(4_400_000, EngineLimits())
    'one_task'
    >>> choose_engine(4_400_000, EngineLimits(), forced="distributed")
    'distributed'
    """
    if forced is not None:
        if forced not in ENGINES:
            raise ValueError(f"no components engine {forced!r}; there are {', '.join(sorted(ENGINES))}")
        return forced
    if edges <= limits.one_task_edges:
        return "one_task"
    return "partitioned" if edges <= limits.partitioned_edges else "distributed"


ENGINES: Mapping[EngineName, Callable[..., Components]] = {
    "one_task": connected_components,
    "partitioned": partitioned_components,
    "distributed": distributed_components,
}
