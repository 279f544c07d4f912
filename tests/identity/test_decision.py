from __future__ import annotations

from identity.decision import Decision, in_force
from identity.identifier import Identifier

A, B, C = (Identifier("wx_openid", "a", name) for name in "abc")
LINK = Decision("dec-2", "cannot_link", A, B, (), "jo", "not the same", "2025-03-01")
DETACH = Decision("dec-1", "detach", A, None, (B, C), "jo", "wrong", "2025-03-01")
REVOKED = Decision("dec-0", "must_link", A, C, (), "jo", "same", "2025-03-01", "2025-03-02", "al")


def test_decisions_survive_as_rows() -> None:
    assert [Decision.from_row(one.to_row()) for one in (LINK, DETACH, REVOKED)] == [LINK, DETACH, REVOKED]
    assert DETACH.to_row()["others"] == ["wx_openid:a:b", "wx_openid:a:c"]


def test_a_revoked_decision_is_not_in_force() -> None:
    standing = in_force([LINK, DETACH, REVOKED])
    assert (standing.must, standing.cannot, standing.detached) == ((), (LINK,), (DETACH,))


def test_a_detachment_speaks_about_all_pairs_with_its_cluster() -> None:
    assert DETACH.pairs == ((A, B), (A, C))
    assert in_force([LINK, DETACH]).forbidding() == {frozenset((A, B)): LINK, frozenset((A, C)): DETACH}
