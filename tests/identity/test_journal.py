"""Rows are taken in once, and refused one by one."""

from __future__ import annotations

from collections.abc import Callable

from tests.identity.conftest import Build, World

K1 = "member_id:b:K1"
O1 = "wx_openid:a:o1"
O2 = "wx_openid:a:o2"
Worlds = Callable[..., World]


def test_a_bad_value_drops_that_identifier_only_and_is_listed_by_its_token(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", K1, O1, "phone::13800138000@verified", "member_id:b:null"))
    assert w.groups() == [[K1, O1]]
    rejected = {(r["observation_id"], r["source"], r["rule"]) for r in w.resolver.rejections()}
    assert rejected == {("1", "pos", "reject_value")}
    assert "13800138000" not in str(w.resolver.rejections())


def test_the_same_content_again_is_a_duplicate_and_other_content_is_refused(world: Worlds, build: Build) -> None:
    w = world()
    row = build.link("1", K1, O1)
    w.feed(row, row)
    assert w.feed(dict(reversed(list(row.items()))), day="2025-03-02") == []
    w.feed(build.link("1", K1, O2), day="2025-03-02")
    assert w.groups() == [[K1, O1]]
    assert w.resolver.rejections() == [
        {"observation_id": "1", "source": "pos", "identifier": "", "rule": "other_content"}
    ]


def test_what_is_no_row_at_all_is_refused_alone(world: Worlds, build: Build) -> None:
    w = world()
    w.resolver.apply([build.link("1", K1), ["2", K1], None], as_of="2025-03-01")  # type: ignore[list-item]
    assert w.groups() == [[K1]]
    assert [r["rule"] for r in w.resolver.rejections()] == ["malformed_row:row"]


def test_the_same_id_of_another_source_is_another_observation(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", K1), build.link("1", O1, source="crm"))
    assert w.groups() == [[K1], [O1]]


def test_a_row_that_is_no_observation_is_refused_alone(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", K1), build.link("2", O1) | {"event_time": "soon"}, {"observation_id": 3, "kind": "link"})
    assert w.groups() == [[K1]]
    assert {r["rule"] for r in w.resolver.rejections()} == {"malformed_row:event_time", "malformed_row:ids"}


def test_event_times_beyond_the_runs_day_are_clamped_and_counted(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", K1, O1, day="2025-04-01"))
    assert w.resolver.report()["clamped"] == 1
    assert w.resolver.one_id(K1, at="2025-03-01") == w.resolver.one_id(K1)
