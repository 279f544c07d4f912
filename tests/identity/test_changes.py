from __future__ import annotations

from identity.changes import Change, World, compare
from identity.identifier import Identifier
from identity.registry import OneIdRecord, RegistryState


def world(placed: str, *redirects: str) -> World:
    """`a1 b2` places a under OneID 1 and b under 2; a redirect `2>1` retires 2 in favour of 1."""
    holders = {Identifier("n", "", pair[0]): pair[1] for pair in placed.split()}
    records = {one: OneIdRecord(one, Identifier("n", "", one), 0, int(one)) for one in holders.values()}
    for redirect in redirects:
        old, into = redirect.split(">")
        records[old] = OneIdRecord(old, Identifier("n", "", old), 0, int(old), "redirected", into)
    return World(holders, RegistryState({}, records))


def found(before: World, after: World) -> list[tuple[str, str, tuple[str, ...], str]]:
    names = compare(before, after, lambda kind, identifiers: "why")
    return [(c.change, c.one_id, c.others, "".join(i.value for i in c.identifiers)) for c in names]


def test_a_new_oneid_is_minted_for_its_new_identifiers() -> None:
    assert found(world(""), world("a1 b1 c2")) == [("mint", "1", (), "ab"), ("mint", "2", (), "c")]


def test_an_identifier_that_joins_a_living_oneid_is_no_change() -> None:
    assert found(world("a1"), world("a1 b1")) == []


def test_several_that_redirect_at_once_are_one_merge() -> None:
    assert found(world("a1 b2 c3"), world("a1 b1 c1", "2>1", "3>1")) == [("merge", "1", ("2", "3"), "bc")]


def test_a_oneid_that_redirected_before_the_run_is_no_merge_of_it() -> None:
    assert found(world("a1 b1", "2>1"), world("a1 b1 c1", "2>1")) == []


def test_what_came_out_of_one_is_one_split_however_many_parts() -> None:
    assert found(world("a1 b1 c1"), world("a1 b2 c3")) == [("split", "1", ("2", "3"), "bc")]


def test_a_revived_oneid_is_a_split_also_with_new_identifiers() -> None:
    assert found(world("a1 b1", "2>1"), world("a1 b2 c2")) == [("split", "1", ("2",), "b")]


def test_what_goes_to_a_living_one_moves_and_what_goes_to_nobody_leaves() -> None:
    assert found(world("a1 b1 c2 d1"), world("a1 b2 c2")) == [("move", "1", (), "d"), ("move", "2", ("1",), "b")]


def test_a_oneid_minted_for_new_ones_takes_others_by_a_move() -> None:
    assert found(world("a1 b1"), world("a1 b2 c2")) == [("mint", "2", (), "c"), ("move", "2", ("1",), "b")]


def test_a_change_as_plain_data_names_its_identifiers_as_texts() -> None:
    change = Change("move", "1", ("2",), (Identifier("n", "s", "v"),), "rule:x")
    assert change.to_dict() == {
        "change": "move",
        "one_id": "1",
        "others": ["2"],
        "identifiers": ["n:s:v"],
        "cause": "rule:x",
    }
