"""Every components engine gives the smallest reachable key, whatever the shape, order and repetition of the edges."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from identity import components
from identity.components import (
    ENGINES,
    Components,
    ComponentsEngine,
    EngineLimits,
    Keys,
    broken_edges,
    choose_engine,
    connected_components,
    contract,
    distinct,
    distributed_components,
    hook_forests,
    merge_partial,
    partitioned_components,
)

engines = pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES.keys())
LOW, HIGH = -(2**63), 2**63 - 1
SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "graphs"


def keys(values: Iterable[int]) -> Keys:
    return np.fromiter(values, dtype=np.int64)


def as_dict(found: Components) -> dict[int, int]:
    return dict(zip(found.nodes.tolist(), found.component.tolist(), strict=True))


def oracle(edges: list[tuple[int, int]], nodes: Iterable[int] = ()) -> dict[int, int]:
    graph: nx.Graph[int] = nx.Graph(edges)
    graph.add_nodes_from(nodes)
    return {node: min(part) for part in nx.connected_components(graph) for node in part}


def run(engine: ComponentsEngine, edges: list[tuple[int, int]], nodes: Iterable[int] | None = None) -> dict[int, int]:
    isolated = None if nodes is None else keys(nodes)
    return as_dict(engine(keys(a for a, _ in edges), keys(b for _, b in edges), isolated))


@engines
def test_two_chains_meet_in_the_smallest_key_of_each(engine: ComponentsEngine) -> None:
    assert run(engine, [(5, 4), (4, 9), (7, 8)]) == {4: 4, 5: 4, 9: 4, 7: 7, 8: 7}


@engines
def test_loops_and_repeated_and_reversed_edges_change_nothing(engine: ComponentsEngine) -> None:
    assert run(engine, [(1, 1), (2, 3), (3, 2), (2, 3), (3, 3)]) == {1: 1, 2: 2, 3: 2}


@engines
def test_nodes_without_edges_are_their_own_component(engine: ComponentsEngine) -> None:
    assert run(engine, [(2, 3)], nodes=[9, 3, -4, 9]) == {-4: -4, 2: 2, 3: 2, 9: 9}


@engines
def test_negative_and_extreme_keys_are_ordered_as_signed_numbers(engine: ComponentsEngine) -> None:
    assert run(engine, [(HIGH, 0), (0, LOW), (-1, -2)]) == {LOW: LOW, 0: LOW, HIGH: LOW, -1: -2, -2: -2}


@engines
def test_a_graph_without_edges_has_no_components(engine: ComponentsEngine) -> None:
    assert run(engine, []) == {}


@engines
def test_edges_with_one_end_missing_are_refused(engine: ComponentsEngine) -> None:
    with pytest.raises(ValueError, match="got 2 sources and 1 destinations"):
        engine(keys([1, 2]), keys([1]))


@engines
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("mean_degree", [0.4, 1.0, 3.0])
def test_random_graphs_agree_with_networkx(engine: ComponentsEngine, seed: int, mean_degree: float) -> None:
    rng = np.random.default_rng(seed)
    names = rng.integers(LOW, HIGH, 400, dtype=np.int64)
    src, dst = rng.choice(names, (2, int(200 * mean_degree)))
    edges = list(zip(src.tolist(), dst.tolist(), strict=True))
    assert as_dict(engine(src, dst, names)) == oracle(edges, names.tolist())


MANY = pytest.mark.e2e
"""Sizes that only `make test` tries; the fast run tries a tenth of them."""


@pytest.fixture(scope="module", params=[15_000, pytest.param(150_000, marks=MANY)])
def large(request: pytest.FixtureRequest) -> tuple[Keys, Keys, dict[int, int]]:
    """A random graph and its components as networkx finds them."""
    size = request.param
    src, dst = np.random.default_rng(11).integers(-size, size, (2, size * 14 // 15), dtype=np.int64)
    return src, dst, oracle(list(zip(src.tolist(), dst.tolist(), strict=True)))


@engines
def test_a_large_random_graph_is_hooked_and_still_agrees_with_networkx(
    engine: ComponentsEngine, large: tuple[Keys, Keys, dict[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    src, dst, expected = large
    monkeypatch.setattr(components, "HOOK_FROM_EDGES", min(components.HOOK_FROM_EDGES, src.size // 10))
    assert as_dict(engine(src, dst)) == expected


@engines
@pytest.mark.parametrize("size", [10_000, pytest.param(100_000, marks=MANY)])
def test_a_long_path_is_one_component(engine: ComponentsEngine, size: int) -> None:
    order = np.random.default_rng(3).permutation(np.arange(size, dtype=np.int64))
    found = engine(order[:-1], order[1:])
    assert found.nodes.size == size
    assert (found.component == 0).all()


@engines
@pytest.mark.parametrize("centre", [-1, 10_000_000], ids=["smallest", "greatest"])
@pytest.mark.parametrize("size", [100_000, pytest.param(1_000_000, marks=MANY)])
def test_a_great_star_is_one_component(engine: ComponentsEngine, centre: int, size: int) -> None:
    leaves = np.arange(size, dtype=np.int64)
    found = engine(np.full(leaves.size, centre, dtype=np.int64), leaves)
    assert found.nodes.size == size + 1
    assert (found.component == min(centre, 0)).all()


@given(
    st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), max_size=25),
    st.integers(1, 6),
    st.permutations(range(25)),
)
@settings(max_examples=60, deadline=None)
def test_components_do_not_depend_on_order_parts_or_owners(
    edges: list[tuple[int, int]], size: int, order: list[int]
) -> None:
    shuffled = [edges[i] for i in order if i < len(edges)]
    src, dst = keys(a for a, _ in shuffled), keys(b for _, b in shuffled)
    expected = oracle(edges)
    assert as_dict(connected_components(src, dst)) == expected
    assert as_dict(partitioned_components(dst, src, part_edges=size)) == expected
    assert as_dict(distributed_components(src, dst, owners=size)) == expected


def test_merged_forests_of_parts_give_the_components_of_the_whole() -> None:
    left, right = contract(keys([1, 5]), keys([2, 6])), contract(keys([2, 8]), keys([5, 9]))
    assert as_dict(merge_partial([left, right])) == {1: 1, 2: 1, 5: 1, 6: 1, 8: 8, 9: 8}


def test_a_forest_of_parts_is_never_larger_than_its_nodes() -> None:
    part = contract(keys([1, 2, 3, 1, 2]), keys([2, 3, 1, 3, 1]))
    assert part.nodes.tolist() == [1, 2, 3]


def test_no_parts_merge_to_nothing() -> None:
    assert as_dict(merge_partial([])) == {}


def test_an_owner_hangs_its_nodes_under_their_smallest_roots_and_joins_the_others_to_those() -> None:
    hooks = hook_forests(keys([7, 7, 4, 9, 4]), keys([3, 5, 2, 3, 4]))
    assert dict(zip(hooks.nodes.tolist(), hooks.parent.tolist(), strict=True)) == {4: 2, 7: 3, 9: 3}
    assert sorted(zip(hooks.src.tolist(), hooks.dst.tolist(), strict=True)) == [(4, 2), (5, 3)]


def test_the_greatest_node_of_every_component_leaves_the_graph_in_a_round() -> None:
    rng = np.random.default_rng(5)
    parts = [contract(*rng.integers(LOW, HIGH, (2, 30), dtype=np.int64) % 50) for _ in range(4)]
    hooks = hook_forests(np.concatenate([one.nodes for one in parts]), np.concatenate([one.component for one in parts]))
    assert hooks.src.size
    assert (hooks.parent <= hooks.nodes).all()
    assert hooks.src.max() < hooks.nodes.max()


def test_a_complete_map_breaks_no_edge() -> None:
    src, dst = keys([1, 2, 8]), keys([2, 3, 9])
    assert broken_edges(src, dst, connected_components(src, dst)) == 0


def test_one_dropped_edge_is_found_by_the_proof() -> None:
    src, dst = keys([1, 2, 8]), keys([2, 3, 9])
    assert broken_edges(src, dst, connected_components(src[1:], dst[1:], nodes=keys([1]))) == 1


def test_a_map_that_misses_a_node_is_no_proof() -> None:
    with pytest.raises(KeyError, match="does not cover the graph"):
        broken_edges(keys([1]), keys([2]), Components(keys([1]), keys([1])))
    with pytest.raises(KeyError, match="does not cover the graph"):
        broken_edges(keys([1]), keys([2]), Components(keys([]), keys([])))


def test_distinct_keys_come_sorted_and_once() -> None:
    assert distinct(keys([4, -1, 4, 4, 0])).tolist() == [-1, 0, 4]
    assert distinct(keys([])).tolist() == []


@pytest.mark.parametrize(
    ("edges", "engine"), [(0, "one_task"), (10, "one_task"), (11, "partitioned"), (21, "distributed")]
)
def test_the_engine_is_chosen_by_the_number_of_edges(edges: int, engine: str) -> None:
    assert choose_engine(edges, EngineLimits(one_task_edges=10, partitioned_edges=20)) == engine


def test_a_forced_engine_is_used_whatever_the_size() -> None:
    assert choose_engine(3, EngineLimits(), forced="distributed") == "distributed"


def test_an_unknown_engine_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="no components engine 'magic'; there are distributed, one_task, partitioned"):
        choose_engine(3, EngineLimits(), forced="magic")  # type: ignore[arg-type]  # what a configuration may hold


@cache
def read_pairs(path: Path) -> list[tuple[int, int]]:
    with gzip.open(path, "rt", encoding="ascii", newline="") as lines:
        return [(int(row[0]), int(row[1])) for row in list(csv.reader(lines))[1:]]


def read_numbers(path: Path) -> list[list[float]]:
    return [[float(word) for word in line.split()] for line in path.read_text().splitlines() if line.strip()]


@pytest.mark.reference
@engines
@pytest.mark.parametrize("graph", ["polblogs", "snap-wiki-vote", "us-power-grid"])
def test_real_graphs_have_their_published_components(engine: ComponentsEngine, graph: str) -> None:
    if not SHARED.exists():
        pytest.skip("the reference graphs are not here")
    expected = dict(read_pairs(SHARED / f"{graph}_wcc.csv.gz"))
    assert run(engine, read_pairs(SHARED / f"{graph}_edges.csv.gz"), nodes=expected) == expected


@pytest.mark.reference
@engines
@pytest.mark.parametrize("kind", ["directed", "undirected"])
def test_the_graphalytics_example_has_its_published_components(engine: ComponentsEngine, kind: str) -> None:
    folder = SHARED / "ldbc_graphalytics" / "example"
    if not folder.exists():
        pytest.skip("the reference graphs are not here")
    edges = [(int(row[0]), int(row[1])) for row in read_numbers(folder / f"example-{kind}.e")]
    nodes = [int(row[0]) for row in read_numbers(folder / f"example-{kind}.v")]
    expected = {int(row[0]): int(row[1]) for row in read_numbers(folder / f"example-{kind}-WCC")}
    assert run(engine, edges, nodes) == expected


@pytest.mark.reference
@engines
@pytest.mark.parametrize("kind", ["dir", "undir"])
def test_the_graphalytics_adjacency_lists_have_their_published_components(engine: ComponentsEngine, kind: str) -> None:
    folder = SHARED / "ldbc_graphalytics" / "wcc"
    if not folder.exists():
        pytest.skip("the reference graphs are not here")
    lists = [[int(word) for word in row] for row in read_numbers(folder / f"{kind}-input")]
    edges = [(row[0], other) for row in lists for other in row[1:]]
    expected = {int(row[0]): int(row[1]) for row in read_numbers(folder / f"{kind}-output")}
    assert run(engine, edges, [row[0] for row in lists]) == expected
