"""Composed rows and resolvers for the identity tests; no number or id in them is real."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from identity.policy import Policy
from identity.resolver import Resolver

Row = dict[str, Any]


class Build:
    """One-line factories: `build.link("o1", "member_id:b:K1", "phone::13912345670@verified")`."""

    @staticmethod
    def ids(*texts: str) -> list[Row]:
        """`namespace:scope:value`, with `@role` behind it where the role matters (values here hold no @)."""
        found = []
        for text in texts:
            namespace, scope, value = text.split(":", 2)
            value, _, role = value.partition("@")
            row = {"namespace": namespace, "scope": scope, "value": value}
            found.append(row | {"role": role} if role else row)
        return found

    def row(self, kind: str, observation_id: str, *texts: str, day: str = "2025-03-01", **more: Any) -> Row:
        """An observation at 10:00 Shanghai time of `day`, of source `pos` unless told otherwise."""
        base = {"observation_id": observation_id, "source": "pos", "kind": kind, "event_time": f"{day}T10:00:00+08:00"}
        return base | {"ids": self.ids(*texts)} | more

    def link(self, observation_id: str, *texts: str, **more: Any) -> Row:
        return self.row("link", observation_id, *texts, **more)

    def bind(self, observation_id: str, *texts: str, **more: Any) -> Row:
        return self.row("bind", observation_id, *texts, **more)

    def unbind(self, observation_id: str, *texts: str, **more: Any) -> Row:
        return self.row("unbind", observation_id, *texts, **more)

    def replace(self, observation_id: str, *texts: str, **more: Any) -> Row:
        return self.row("replace", observation_id, *texts, **more)

    def unlink(self, observation_id: str, retracts: str, **more: Any) -> Row:
        return self.row("unlink", observation_id, retracts=retracts, **more)


@pytest.fixture(scope="session")
def build() -> Build:
    return Build()


@pytest.fixture(scope="session")
def shipped() -> Policy:
    """The shipped policy."""
    return Policy.from_dict({})


@pytest.fixture(scope="session")
def policy() -> Callable[..., Policy]:
    """The shipped policy with other values for some keys."""
    return lambda **keys: Policy.from_dict(keys)


class World:
    """A resolver with short words for tests: feeds rows by day and answers in sorted plain data."""

    def __init__(self, policy: Policy, **more: Any) -> None:
        self.resolver = Resolver(policy, "test key", **more)

    def feed(self, *rows: Row, day: str = "2025-03-01") -> list[Row]:
        """One run on `day`."""
        return self.resolver.apply(rows, as_of=day)

    def groups(self) -> list[list[str]]:
        """The clusters without their ids, sorted."""
        return sorted(sorted(group) for group in self.resolver.clusters().values())

    def same(self, *identifiers: str) -> bool:
        """Whether all are one living person."""
        found = {self.resolver.one_id(identifier) for identifier in identifiers}
        return len(found) == 1 and None not in found

    def decide(self, kind: str, a: str, b: str | None = None, day: str = "2025-03-01") -> str:
        """A steward's decision."""
        return self.resolver.steward(kind, a, b, actor="jo", reason="looked at it", as_of=day)

    def refused(self, a: str, b: str) -> list[tuple[str, list[str]]]:
        """Rule and observations of the refused links between two."""
        found = self.resolver.explain(a, b)
        assert not found["linked"]
        return [(one["rule"], one["observations"]) for one in found["refused"]]


@pytest.fixture
def world(policy: Callable[..., Policy]) -> Callable[..., World]:
    """A fresh world under the shipped policy with other values for some keys."""
    return lambda **keys: World(policy(**keys))
