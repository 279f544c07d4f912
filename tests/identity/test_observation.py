from __future__ import annotations

from typing import Any

import pytest

from identity.business_time import day_end_ms
from identity.errors import ObservationError
from identity.identifier import Identifier
from identity.observation import (
    NormalisedObservation,
    Rejection,
    content_digest,
    normalise_observation,
    rejection_label,
)
from identity.policy import Policy
from tests.identity.conftest import Build

DAY = "2025-03-01"


def read(raw: dict[str, Any], policy: Policy) -> NormalisedObservation:
    return normalise_observation(raw, policy, DAY)


def test_the_documented_row_is_read(shipped: Policy) -> None:
    raw = {
        "observation_id": "pos-2025-03-01-0001",
        "source": "pos",
        "kind": "link",
        "event_time": "2025-03-01T10:00:00+08:00",
        "ids": [
            {"namespace": "member_id", "scope": "brandA", "value": "K1"},
            {"namespace": "phone", "value": "+86 139-1234-5670", "role": "verified"},
        ],
        "attributes": {"name": "X"},
    }
    found = read(raw, shipped)
    assert [(str(i), role, linking) for i, role, linking in found.ids] == [
        ("member_id:brandA:K1", "", True),
        ("phone::13912345670", "verified", True),
    ]
    assert (found.event_ms, found.interval, found.clamped, found.rejections) == (1740794400000, DAY, False, ())


def test_roles_decide_between_link_and_candidate(build: Build, shipped: Policy) -> None:
    row = build.link("o", "phone::13912345670@buyer", "phone::13912345671@staff", "phone::13912345672", "wx_openid:a:o")
    assert [linking for _, _, linking in read(row, shipped).ids] == [True, False, False, True]


def test_a_bad_value_drops_that_identifier_only(build: Build, shipped: Policy) -> None:
    found = read(build.link("o", "member_id:b:null", "wx_openid:a:o1"), shipped)
    assert [str(i.identifier) for i in found.ids] == ["wx_openid:a:o1"]
    assert found.rejections == (Rejection("reject_value", Identifier("member_id", "b", "null")),)


def test_an_event_time_beyond_the_runs_day_is_clamped_and_flagged(build: Build, shipped: Policy) -> None:
    found = read(build.link("o", "wx_openid:a:o1", day="2025-03-02"), shipped)
    assert (found.event_ms, found.clamped) == (day_end_ms(DAY), True)


def test_the_same_content_has_the_same_digest_whatever_its_order(build: Build) -> None:
    row = build.link("o", "wx_openid:a:o1")
    assert content_digest(row) == content_digest(dict(reversed(list(row.items()))))
    assert content_digest(row) != content_digest(row | {"event_time": 1740794400001})


def test_an_unlink_may_have_no_ids_and_names_what_it_withdraws(build: Build, shipped: Policy) -> None:
    row = build.unlink("u", "o1")
    row.pop("ids")
    assert read(row, shipped).retracts == "o1"


def test_valid_to_is_read_and_may_be_absent(build: Build, shipped: Policy) -> None:
    row = build.link("o", "wx_openid:a:o1", valid_to="2025-03-05T00:00:00+08:00")
    assert read(row, shipped).valid_to_ms == 1741104000000
    assert read(row | {"valid_to": None}, shipped).valid_to_ms is None


def test_numbers_as_ids_are_read_as_texts(shipped: Policy) -> None:
    row = {"observation_id": 7, "source": "pos", "kind": "link", "event_time": 1740794400000}
    found = read(row | {"ids": [{"namespace": "phone", "value": 13912345670, "role": "buyer"}]}, shipped)
    assert (found.observation_id, str(found.ids[0].identifier)) == ("7", "phone::13912345670")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "merge"}, "kind: received another value, allowed: link, unlink, bind, unbind, replace"),
        ({"source": " "}, "source: .*a text that is not empty"),
        ({"source": None}, "source: received nothing"),
        ({"observation_id": ["x"]}, "observation_id: received list"),
        ({"ids": None}, "ids: received NoneType, allowed: a list"),
        ({"ids": "member_id"}, "ids: received str"),
        ({"ids": ["member_id:b:K1"]}, "ids: received an element of another form"),
        ({"ids": []}, "ids: received 0 identifiers, allowed: at least 1 for link"),
        ({"ids": [{"namespace": "phone", "value": 1.5}]}, "ids.value: received float, allowed: a text"),
        ({"kind": "replace"}, "exactly 2 for replace"),
        ({"kind": "unbind"}, "at least 2 for unbind"),
        ({"kind": "unlink"}, "retracts: received nothing"),
        ({"event_time": "yesterday"}, "event_time: .*RFC 3339"),
        ({"valid_to": "soon"}, "valid_to: .*RFC 3339"),
    ],
)
def test_a_row_that_is_no_observation_is_refused(
    change: dict[str, Any], message: str, build: Build, shipped: Policy
) -> None:
    with pytest.raises(ObservationError, match=message):
        read(build.link("o", "wx_openid:a:o1") | change, shipped)


def test_a_refused_personal_value_is_shown_by_its_token_only(shipped: Policy) -> None:
    def label(rule: str, text: tuple[str, str, str]) -> str:
        return rejection_label(Rejection(rule, Identifier(*text)), shipped, "key")

    assert label("missing_scope", ("member_id", "", "K1")) == "member_id::K1"
    for rule, text in [
        ("reject_value", ("phone", "", "13800138000")),
        ("missing_scope", ("member_id", "", "13912345670")),
        ("undeclared_namespace", ("email", "", "x@y.z")),
        ("never", ("tmall_oaid", "s", "1abc")),
    ]:
        assert text[2] not in label(rule, text)
        assert label(rule, text).startswith(f"{text[0]}:{text[1]}:")
