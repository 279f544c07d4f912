"""Steward decisions: what a person decided about identifiers, which outranks evidence until it is revoked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from identity.identifier import Identifier, parse_identifier
from identity.masking import hide_contacts

DecisionKind = Literal["must_link", "cannot_link", "detach"]


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision with who, why and when.

    `others`: for `detach` the cluster the identifier was taken out of; `as_of`: business day of the decision;
    `revoked_as_of` is empty while it is in force. Reasons hold no phone numbers and mail addresses.
    """

    decision_id: str
    kind: DecisionKind
    a: Identifier
    b: Identifier | None
    others: tuple[Identifier, ...]
    actor: str
    reason: str
    as_of: str
    revoked_as_of: str = ""
    revoked_by: str = ""
    revoked_reason: str = ""

    def to_row(self) -> dict[str, Any]:
        """The decision as one flat row, identifiers as namespace:scope:value."""
        return asdict(self) | {
            "a": str(self.a),
            "b": None if self.b is None else str(self.b),
            "others": [str(other) for other in self.others],
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Decision:
        """The decision of a row made by `to_row`."""
        return cls(
            **{
                **row,
                "a": parse_identifier(row["a"]),
                "b": None if row["b"] is None else parse_identifier(row["b"]),
                "others": tuple(parse_identifier(other) for other in row["others"]),
            }
        )

    def revoked(self, *, actor: str, reason: str, as_of: str) -> Decision:
        """The decision, no longer in force, with who revoked it, why and when."""
        return replace(self, revoked_as_of=as_of, revoked_by=actor, revoked_reason=hide_contacts(reason))

    @property
    def in_force(self) -> bool:
        """Whether nobody revoked it."""
        return not self.revoked_as_of

    @property
    def pairs(self) -> tuple[tuple[Identifier, Identifier], ...]:
        """The pairs it speaks about; they tie identifiers to one group like evidence does."""
        others = self.others if self.b is None else (self.b,)
        return tuple((self.a, other) for other in others)


@dataclass(frozen=True, slots=True)
class Decisions:
    """The decisions in force, as the rules ask for them."""

    must: tuple[Decision, ...]
    cannot: tuple[Decision, ...]
    detached: tuple[Decision, ...]

    def forbidding(self) -> dict[frozenset[Identifier], Decision]:
        """The pairs no evidence may join directly, with the decision that forbids it (the earliest)."""
        found: dict[frozenset[Identifier], Decision] = {}
        for decision in (*self.cannot, *self.detached):
            for a, b in decision.pairs:
                if a != b:  # two forms of a number that became known are one identifier by now
                    found.setdefault(frozenset((a, b)), decision)
        return found


def in_force(decisions: Iterable[Decision]) -> Decisions:
    """The decisions that are not revoked, in the order of their ids."""
    standing = sorted((one for one in decisions if one.in_force), key=lambda one: one.decision_id)
    return Decisions(
        *(tuple(one for one in standing if one.kind == kind) for kind in ("must_link", "cannot_link", "detach"))
    )
