"""What another policy would merge and split."""

from __future__ import annotations

from collections.abc import Callable

from identity.policy import Policy
from tests.identity.conftest import Build, World

P = "phone::13912345670"
O1 = "wx_openid:a:o1"
O2 = "wx_openid:a:o2"
Worlds = Callable[..., World]


def test_a_difference_names_merges_by_the_id_that_would_stay(world: Worlds, build: Build) -> None:
    w = world(hub={"max_accounts": 1})
    w.feed(build.link("1", O1, f"{P}@verified"))
    w.feed(build.link("2", O2, f"{P}@verified", day="2025-03-02"), day="2025-03-02")
    ids = [w.resolver.one_id(x) or "" for x in (O1, O2)]
    assert w.resolver.diff(Policy.from_dict({})) == {
        "merges": [{"one_id": ids[0], "others": [ids[1]]}],
        "splits": [],
    }
    assert w.resolver.diff(w.resolver.policy) == {"merges": [], "splits": []}
