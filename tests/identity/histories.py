"""Random histories for the invariants: small pools of identifiers, so that everything collides."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from hypothesis import strategies as st

from identity import DecisionRefused, Policy, Resolver

Row = dict[str, Any]
FIRST = date(2024, 1, 1)
ACCOUNTS = (
    *(("member_id", "b", f"K{n}") for n in range(4)),
    *(("wx_unionid", "w", f"U{n}") for n in range(3)),
    *(("wx_openid", "a", f"o{n}") for n in range(4)),
    *(("mp_anonymous_id", "a", f"a{n}") for n in range(2)),
    *(("wecom_pending_id", "s", f"p{n}") for n in range(2)),
)
NUMBERS = ("13912345670", "13912345671", "15512345672")
ROLES = ("verified", "buyer", "recipient", "staff", "")
POLICIES: dict[str, Policy] = {
    "hold": Policy.from_dict({"hub": {"max_accounts": 3, "max_total": 5}, "size_cap": 7}),
    "last": Policy.from_dict({"policy": "last", "hub": {"max_accounts": 3, "max_total": 5}, "size_cap": 7}),
    "open": Policy.from_dict({"hub": {"max_accounts": 90, "max_total": 90}, "size_cap": 0, "reissue_days": 0}),
}


def day(offset: int) -> str:
    """The business day that many days after the first."""
    return (FIRST + timedelta(days=offset)).isoformat()


def identifiers() -> st.SearchStrategy[Row]:
    """An account, or a number in some role."""
    account = st.sampled_from(ACCOUNTS).map(lambda x: {"namespace": x[0], "scope": x[1], "value": x[2]})
    number = st.builds(
        lambda value, role: {"namespace": "phone", "value": value, "role": role},
        st.sampled_from(NUMBERS),
        st.sampled_from(ROLES),
    )
    return st.one_of(account, account, number)


@st.composite
def rows(draw: st.DrawFn, number: int, latest: int) -> Row:
    """An observation of any kind with an event time up to a day; its id is its number."""
    kind = draw(st.sampled_from(["link"] * 6 + ["bind", "unbind", "unlink", "replace"]))
    when = draw(st.integers(0, latest))
    row: Row = {
        "observation_id": f"r{number}",
        "source": draw(st.sampled_from(["pos", "crm", "douyin_orders", "douyin_members"])),
        "kind": kind,
        "event_time": f"{day(when)}T{draw(st.integers(0, 23)):02d}:00:00+08:00",
    }
    sizes = {"replace": (2, 2), "unbind": (2, 2), "unlink": (0, 0)}.get(kind, (1, 3))
    row["ids"] = draw(st.lists(identifiers(), min_size=sizes[0], max_size=sizes[1]))
    if kind == "replace":
        row["ids"] = [
            {"namespace": "member_id", "scope": "b", "value": f"K{draw(st.integers(0, 3))}"} for _ in range(2)
        ]
    if kind == "unlink":
        row["retracts"] = f"r{draw(st.integers(0, number + 3))}"
    if kind == "link" and draw(st.integers(0, 5)) == 0:
        row["valid_to"] = f"{day(when + draw(st.integers(1, 120)))}T00:00:00+08:00"
    return row


@st.composite
def runs(draw: st.DrawFn) -> list[tuple[str, list[Row]]]:
    """Runs in order of their business day, each with a few rows of that day or before."""
    found: list[tuple[str, list[Row]]] = []
    number = latest = 0
    for _ in range(draw(st.integers(1, 4))):
        latest += draw(st.integers(1, 130))
        batch = []
        for _ in range(draw(st.integers(1, 6))):
            batch.append(draw(rows(number, latest)))
            number += 1
        found.append((day(latest), batch))
    return found


def decisions() -> st.SearchStrategy[list[tuple[str, int, int, int]]]:
    """Decisions as (kind, identifier, identifier, before which run); those that cannot stand are left out."""
    kind = st.sampled_from(["must_link", "cannot_link", "detach", "revoke"])
    place = st.integers(0, len(ACCOUNTS) + len(NUMBERS) - 1)
    return st.lists(st.tuples(kind, place, place, st.integers(1, 4)), max_size=5)


def play(
    history: list[tuple[str, list[Row]]], policy: Policy, decided: list[tuple[str, int, int, int]] | None = None
) -> Resolver:
    """A resolver that lived through a history and the decisions that could stand."""
    resolver = Resolver(policy, "test key")
    taken: list[str] = []
    for place, (as_of, batch) in enumerate(history, start=1):
        resolver.apply(batch, as_of=as_of)
        for kind, a, b, _ in (one for one in decided or () if one[3] == place):
            try:
                taken.append(decide(resolver, kind, a, b, as_of=as_of, taken=taken))
            except DecisionRefused:
                continue
    return resolver


def decide(resolver: Resolver, kind: str, a: int, b: int, *, as_of: str, taken: list[str]) -> str:
    """One decision on the identifiers at two places."""
    names = [":".join(x) for x in ACCOUNTS] + [f"phone::{number}" for number in NUMBERS]
    first = taken[a % len(taken)] if kind == "revoke" and taken else names[a]
    second = None if kind in ("detach", "revoke") else names[b]
    return resolver.steward(kind, first, second, actor="x", reason="y", as_of=as_of)
