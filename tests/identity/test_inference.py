"""The one inference, off by default."""

from __future__ import annotations

from collections.abc import Callable

from tests.identity.conftest import Build, World

P = "phone::13912345670"
O1 = "wx_openid:a:o1"
O2 = "wx_openid:a:o2"
Worlds = Callable[..., World]


def test_a_sole_accounts_recipient_number_is_inferred_only_when_asked_for(world: Worlds, build: Build) -> None:
    rows = [build.link(str(n), O1, f"{P}@recipient") for n in range(3)]
    off, on, few = (
        world(),
        world(inference={"promote_recipient_phone": True}),
        world(inference={"promote_recipient_phone": True}),
    )
    off.feed(*rows)
    on.feed(*rows)
    few.feed(*rows[:2])
    assert [w.same(O1, P) for w in (off, on, few)] == [False, True, False]
    assert on.resolver.explain(O1, P)["path"][0]["rule"] == "inferred"


def test_an_inferred_link_goes_when_a_second_account_appears_or_a_steward_says_so(world: Worlds, build: Build) -> None:
    rows = [build.link(str(n), O1, f"{P}@recipient") for n in range(3)]
    w = world(inference={"promote_recipient_phone": True})
    w.feed(*rows)
    for kind, a, b in (("cannot_link", O1, P), ("cannot_link", P, O1), ("detach", P, None), ("detach", O1, None)):
        decision = w.decide(kind, a, b)
        assert w.groups() == [[O1]], "a number that only recipients had belongs to nobody"
        assert [one["decision"]["id"] for one in w.resolver.explain(O1, P)["refused"] if one["decision"]] == [decision]
        w.decide("revoke", decision)
        assert w.same(O1, P)
    w.feed(build.link("9", O2, f"{P}@recipient"))
    assert not w.same(O1, P)


def test_a_verified_number_is_never_inferred(world: Worlds, build: Build) -> None:
    w = world(inference={"promote_recipient_phone": True})
    w.feed(build.link("v", O2, f"{P}@verified"), *(build.link(str(n), O1, f"{P}@recipient") for n in range(3)))
    assert not w.same(O1, P)
    assert w.same(O2, P)
