from __future__ import annotations

from identity.evidence import Sighting, expand, gather_evidence, raw_pairs, rename
from identity.identifier import Identifier
from identity.observation import NormalisedObservation, normalise_observation
from identity.policy import Policy
from tests.identity.conftest import Build, Row

DAY = "2025-03-09"
P = "phone::13912345670"
K1, K2 = "member_id:b:K1", "member_id:b:K2"
O1, O2 = "wx_openid:a:o1", "wx_openid:a:o2"


def read(policy: Policy, *rows: Row) -> list[NormalisedObservation]:
    return [normalise_observation(row, policy, DAY) for row in rows]


def test_rows_that_state_the_same_are_one_record_with_several_sightings(build: Build, shipped: Policy) -> None:
    rows = read(shipped, build.link("2", K1, O1, day="2025-03-02"), build.link("1", O1, K1), build.link("3", K1))
    found = gather_evidence(rows)
    assert found == gather_evidence(rows[::-1])
    assert [[seen.observation_id for seen in one.sightings] for one in found] == [["1", "2"], ["3"]]


def test_another_role_source_validity_or_order_of_a_replace_states_something_else(
    build: Build, shipped: Policy
) -> None:
    rows = read(
        shipped,
        build.link("1", K1, f"{P}@verified"),
        build.link("2", K1, f"{P}@buyer"),
        build.link("3", K1, f"{P}@verified", source="crm"),
        build.link("4", K1, f"{P}@verified", valid_to="2025-04-01T00:00:00+08:00"),
        build.replace("5", K1, K2),
        build.replace("6", K2, K1),
    )
    assert len(gather_evidence(rows)) == 6


def test_expanded_rows_come_in_order_of_time_source_and_id(build: Build, shipped: Policy) -> None:
    rows = read(
        shipped,
        build.link("b", K1, day="2025-03-02"),
        build.link("c", K1, source="crm", day="2025-03-02"),
        build.link("a", K1, day="2025-03-02"),
        build.link("d", O1),
    )
    assert [row.observation_id for row in expand(gather_evidence(rows))] == ["d", "c", "a", "b"]


def test_raw_pairs_tie_what_must_be_resolved_together(build: Build, shipped: Policy) -> None:
    evidence = gather_evidence(
        read(
            shipped,
            build.link("1", O1, K1, f"{P}@recipient"),
            build.unbind("2", O2, P),
            build.replace("3", K2, K1),
            build.unlink("4", "1", day="2025-03-02"),
        )
    )
    tied = {(str(a), str(b)) for a, b in raw_pairs(evidence)}
    assert tied == {(K1, O1), (P, O2), (K1, K2)}
    assert (K1, P) in {(str(a), str(b)) for a, b in raw_pairs(evidence, candidates=True)}


def test_a_form_takes_the_name_of_its_number_and_is_stated_once(build: Build, shipped: Policy) -> None:
    form = f"phone_md5::{'a' * 32}"
    (one,) = gather_evidence(read(shipped, build.link("1", f"{P}@verified", f"{form}@verified", K1)))
    number = Identifier("phone", "", "13912345670")
    (renamed,) = rename([one], {Identifier("phone_md5", "", "a" * 32): number})
    assert [stated.identifier for stated in renamed.ids].count(number) == 1
    assert renamed.sightings == (Sighting(1740794400000, "1", DAY),)
    assert rename([one], {}) == [one]
