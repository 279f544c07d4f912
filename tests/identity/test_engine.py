"""One node by any of its names: numbers, their hashes, ids that are numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from identity.policy import Policy
from tests.identity.conftest import Build, World

P = "phone::13912345670"
K1 = "member_id:b:K1"
O1 = "wx_openid:a:o1"
O2 = "wx_openid:a:o2"
Worlds = Callable[..., World]


def sha(number: str) -> str:
    return hashlib.sha256(number.encode()).hexdigest()


def md5(number: str) -> str:
    return hashlib.md5(number.encode()).hexdigest()


def test_all_forms_of_a_number_are_one_node(world: Worlds, build: Build) -> None:
    w = world()
    forms = [
        f"phone_sha256::{sha('13912345670')}",
        f"phone_md5::{md5('13912345670')}",
        f"phone_md5::{md5('+8613912345670')}",
    ]
    accounts = [f"wx_openid:a:f{n}" for n in range(len(forms))]
    w.feed(build.link("0", K1, f"{P}@verified"))
    w.feed(*(build.link(f"f{n}", a, f"{f}@verified") for n, (a, f) in enumerate(zip(accounts, forms, strict=True))))
    assert w.groups() == [[K1, P, *accounts]]
    assert w.same(P, *forms)
    assert w.same(P, f"phone_sha256::{sha('+8613912345670').upper()}")


def test_a_form_seen_before_its_number_keeps_its_place(world: Worlds, build: Build) -> None:
    w = world()
    form = f"phone_sha256::{sha('13912345670')}"
    w.feed(build.link("1", f"{form}@verified"))
    placed = w.resolver.one_id(form)
    assert placed is not None
    assert w.same(form, P)
    assert w.feed(build.link("2", O1, f"{P}@verified", day="2025-03-02"), day="2025-03-02") == []
    assert {w.resolver.one_id(name) for name in (form, P, O1)} == {placed}
    assert w.resolver.one_id(form, known_at="2025-03-01") == placed
    assert w.resolver.rebuild() == []


def test_two_forms_of_one_number_meet_when_the_number_is_seen(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", O1, f"phone_sha256::{sha('13912345670')}@buyer"))
    w.feed(build.link("2", O2, f"phone_md5::{md5('13912345670')}@buyer", day="2025-03-02"), day="2025-03-02")
    assert not w.same(O1, O2)
    older = w.resolver.one_id(O1)
    changes = w.feed(build.link("3", f"{P}@verified", day="2025-03-03"), day="2025-03-03")
    assert w.same(O1, O2, P)
    assert w.resolver.one_id(O2) == older
    assert [c["change"] for c in changes] == ["merge"]


def test_a_merchants_mix_of_a_number_is_the_same_node(policy: Callable[..., object], build: Build) -> None:

    w = World(Policy.from_dict({}), mix_keys={"shop": "demo_key"})
    w.feed(
        build.link("1", "tmall_ouid:s:x", "tmall_mix_mobile:s:52164cc782f7af83d62d2cfe07a910bb@verified"),
        build.link("2", O1, "phone::13912345678@verified"),
    )
    assert w.same("tmall_ouid:s:x", O1)


def test_foreign_numbers_are_never_taken_for_mainland_ones(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", O1, "phone::+1 300 555 1234@verified"), build.link("2", O2, "phone::13005551234@verified"))
    assert not w.same(O1, O2)
    assert w.resolver.rejections() == []


def test_identifiers_that_are_mobile_numbers_take_part_by_their_token(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(build.link("1", "login_id:b:13912345670", "login_id:b:13912345670 ", O1))
    assert w.same("login_id:b:13912345670", O1)
    w.feed(build.link("2", "login_id::13912345670"))
    assert "13912345670" not in str(w.resolver.rejections())
