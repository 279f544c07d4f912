from __future__ import annotations

from identity.identifier import Identifier
from identity.registry import (
    OneIdRecord,
    RegistryOutcome,
    RegistryState,
    assign,
    derive_one_id,
    flatten_redirects,
    mint_sequence,
)
from identity.resolution import Member, Part


def member(name: str, first: int = 0, *, person: bool = True, aliases: str = "", detached: bool = False) -> Member:
    names = tuple(Identifier("h", "", alias) for alias in aliases)
    key = (1 if person else 2, 1, "n", "", name)
    return Member(Identifier("n", "", name), key, person, False, first, names, detached)


def parts(*groups: str) -> list[Part]:
    """One part per text, one account per letter; capital letters are contacts."""
    return [Part(tuple(member(letter, person=letter.islower()) for letter in group)) for group in groups]


def run(found: list[Part], state: RegistryState, number: int) -> RegistryOutcome:
    return assign(found, state, run=number, identity_key="key", order_value=lambda identifier: identifier.value)


def test_parts_mint_in_order_of_oldest_sighting_then_order_key() -> None:
    found = [Part((member("a", 5),)), Part((member("b", 3),)), Part((member("c", 5),))]
    outcome = run(found, RegistryState(), 1)
    sequence = [outcome.state.records[one_id].mint_seq for one_id in outcome.one_ids]
    assert sequence == [mint_sequence(1, 1), mint_sequence(1, 0), mint_sequence(1, 2)]
    assert [one_id for one_id, _ in outcome.minted] == [outcome.one_ids[place] for place in (1, 0, 2)]


def test_running_again_changes_nothing() -> None:
    first = run(parts("ab", "cD", "E"), RegistryState(), 1)
    second = run(parts("ab", "cD", "E"), first.state, 2)
    assert (second.state, second.one_ids, second.minted) == (first.state, first.one_ids, ())


def test_a_merge_keeps_the_older_and_its_undoing_gives_both_back() -> None:
    first = run(parts("a"), RegistryState(), 1)
    second = run(parts("a", "b"), first.state, 2)
    merged = run(parts("ab"), second.state, 3)
    assert merged.one_ids == (first.one_ids[0],)
    assert merged.state.redirects() == {second.one_ids[1]: first.one_ids[0]}
    assert merged.state.living(second.one_ids[1]) == first.one_ids[0]
    again = run(parts("a", "b"), merged.state, 4)
    assert again.one_ids == second.one_ids
    assert again.state.redirects() == {}


def test_an_identifier_keeps_its_first_home_and_a_minting_part_is_a_new_one() -> None:
    first = run(parts("abc"), RegistryState(), 1)
    split = run(parts("ab", "c"), first.state, 2)
    assert split.one_ids[0] == first.one_ids[0]
    assert split.state.homes[Identifier("n", "", "c")] == split.one_ids[1]
    joined = run(parts("abc"), split.state, 3)
    assert joined.state.homes == split.state.homes
    assert run(parts("ab", "c"), joined.state, 4).one_ids == split.one_ids


def test_a_oneid_goes_with_most_accounts_then_most_contacts() -> None:
    first = run(parts("abcDEF"), RegistryState(), 1).state
    assert run(parts("aDEF", "bc"), first, 2).one_ids[1] in first.records
    assert run(parts("aD", "bEF"), first, 2).one_ids[1] in first.records
    assert run(parts("a", "b"), first, 2).one_ids[0] in first.records


def test_between_equals_the_detached_one_leaves() -> None:
    state = run([Part((member("a"), member("b")))], RegistryState(), 1).state
    found = run([Part((member("a", detached=True),)), Part((member("b"),))], state, 2)
    assert found.one_ids[1] in state.records


def test_only_what_is_at_home_counts() -> None:
    """b came later into a's id: its own accounts do not vote for a OneID that is home to others."""
    first = run(parts("a", "b"), RegistryState(), 1)
    merged = run(parts("ab"), first.state, 2)
    grown = run(parts("abcd"), merged.state, 3)
    assert grown.state.homes[Identifier("n", "", "c")] == first.one_ids[0]
    parted = run(parts("a", "bcd"), grown.state, 4)
    assert parted.one_ids[1] == first.one_ids[0]
    assert parted.one_ids[0] not in first.one_ids
    assert parted.state.redirects() == {first.one_ids[1]: first.one_ids[0]}


def test_a_oneid_of_which_nothing_is_left_is_retired_and_those_leading_to_it_too() -> None:
    first = run(parts("a"), RegistryState(), 1)
    second = run(parts("a", "b"), first.state, 2)
    merged = run(parts("ab"), second.state, 3)
    gone = run([], merged.state, 4)
    assert {record.status for record in gone.state.records.values()} == {"retired"}
    assert gone.state.redirects() == {}
    assert gone.state.living(first.one_ids[0]) == ""
    assert gone.state.living("never minted") == ""
    assert run(parts("b"), gone.state, 5).one_ids == (second.one_ids[1],)


def test_redirects_lead_to_the_living_in_one_hop() -> None:
    def record(one_id: str, into: str) -> OneIdRecord:
        return OneIdRecord(one_id, Identifier("n", "", one_id), 0, 0, "redirected" if into else "living", into)

    flat = flatten_redirects({"a": record("a", "b"), "b": record("b", "c"), "c": record("c", "")})
    assert {one_id: found.merged_into for one_id, found in flat.items()} == {"a": "c", "b": "c", "c": ""}
    assert flatten_redirects({"a": record("a", "nowhere")})["a"].status == "retired"


def test_a_second_id_of_one_founder_has_the_next_ordinal() -> None:
    first = run(parts("ab"), RegistryState(), 1)
    records = dict(first.state.records)
    state = RegistryState({Identifier("n", "", "b"): first.one_ids[0]}, records)
    second = run(parts("a", "b"), state, 2)
    minted = second.state.records[second.one_ids[0]]
    assert (minted.founder.value, minted.ordinal) == ("a", 1)
    assert minted.one_id == derive_one_id("key", minted.founder, "a", 1) != first.one_ids[0]


def test_a_number_brings_the_place_of_its_earlier_forms() -> None:
    form = Identifier("h", "", "x")
    first = run([Part((Member(form, (2, 1, "h", "", "x"), False, False, 0),))], RegistryState(), 1)
    later = run([Part((member("N", person=False, aliases="x"),))], first.state, 2)
    assert later.one_ids == first.one_ids
    assert later.placed[form] == later.placed[Identifier("n", "", "N")] == first.one_ids[0]


def test_records_survive_as_rows() -> None:
    record = OneIdRecord("id", Identifier("n", "s", "v"), 2, 7, "redirected", "other")
    assert OneIdRecord.from_row(record.to_row()) == record


def test_groups_assigned_apart_and_together_keep_the_same_ids() -> None:
    state = run(parts("ab", "cd"), RegistryState(), 1).state

    def local(group: str) -> RegistryState:
        homes = {i: home for i, home in state.homes.items() if i.value in group}
        return RegistryState(homes, {one: state.records[one] for one in homes.values()})

    whole = run(parts("a", "b", "cd"), state, 2)
    apart = [run(parts("a", "b"), local("ab"), 2), run(parts("cd"), local("cd"), 2)]
    assert whole.one_ids == (*apart[0].one_ids, *apart[1].one_ids)
    assert dict(whole.state.homes) == {**apart[0].state.homes, **apart[1].state.homes}


def test_a_part_leaves_only_when_all_it_has_at_home_was_detached() -> None:
    def part(*names: str, first: int) -> Part:
        return Part(tuple(member(name, first, detached=name == "a") for name in names))

    state = run([Part(tuple(member(name) for name in "abcd"))], RegistryState(), 1).state
    found = run([part("a", "b", first=1), part("c", "d", first=5)], state, 2)
    assert found.one_ids[0] in state.records
    state = run([Part(tuple(member(name) for name in "ac"))], RegistryState(), 1).state
    found = run([part("a", first=1), part("c", first=5)], state, 2)
    assert found.one_ids[1] in state.records


def test_redirects_in_a_circle_lead_nowhere() -> None:
    circle = {
        one: OneIdRecord(one, Identifier("n", "", one), 0, 0, "redirected", into)
        for one, into in ("ab", "bc", "ca", "da")
    }
    assert {record.status for record in flatten_redirects(circle).values()} == {"retired"}


def test_between_equals_the_oldest_single_sighting_wins() -> None:
    state = run([Part(tuple(member(name) for name in "abcd"))], RegistryState(), 1).state
    found = run([Part((member("c", 3), member("d", 4))), Part((member("a", 2), member("b", 9)))], state, 2)
    assert found.one_ids[1] in state.records
    again = run([Part((member("b", 3), member("c", 3))), Part((member("a", 3), member("d", 3)))], state, 2)
    assert again.one_ids[1] in state.records, "then the order key"
