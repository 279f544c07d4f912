"""Namespaces: what a kind of identifier says about a person, and how strongly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal

PolicyName = Literal["hold", "last"]
RoleEffect = Literal["link", "candidate"]

PHONE = "phone"
PHONE_FORMS: Mapping[str, str] = {"phone_sha256": "sha256", "phone_md5": "md5", "tmall_mix_mobile": "mix"}
"""Hashed forms of a phone by namespace: one node with the phone, whatever form it is seen in."""

UNDECLARED_PRIORITY = 100
DEFAULT_ROLE = "recipient"


class Strength(IntEnum):
    """How strongly a namespace binds; the smaller is the stronger."""

    ANCHOR = 0
    ACCOUNT = 1
    CONTACT = 2
    WEAK = 3
    NEVER = 4


@dataclass(frozen=True, slots=True)
class NamespaceSpec:
    """One declared namespace.

    `max_per_person` guards it (None: no limit); the smaller `priority` is the stronger; `roles` says which role links
    and which only makes a candidate (empty: every role links); `valid_days` limits how long one sighting may meet
    others; `policy` overrides the lake's for conflicts of this namespace.
    """

    name: str
    strength: Strength = Strength.ACCOUNT
    scoped: bool = False
    priority: int = UNDECLARED_PRIORITY
    max_per_person: int | None = None
    normaliser: str = "exact"
    scope_normaliser: str = "exact"
    anonymous: bool = False
    valid_days: int | None = None
    roles: Mapping[str, RoleEffect] = field(default_factory=dict)
    policy: PolicyName | None = None

    @property
    def is_phone(self) -> bool:
        """Whether its values are phone numbers, clear or hashed."""
        return self.normaliser == "phone_cn" or self.name in PHONE_FORMS

    @property
    def holds_person(self) -> bool:
        """Whether a value is a person's account (anchors are): it counts for homes and never belongs to nobody."""
        return self.strength <= Strength.ACCOUNT

    def links(self, role: str) -> bool:
        """Whether a sighting in this role makes links; without a role a number counts as the recipient's."""
        if self.strength >= Strength.WEAK:
            return False
        return not self.roles or self.roles.get(role or DEFAULT_ROLE, "candidate") == "link"
