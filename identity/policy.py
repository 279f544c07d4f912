"""The identity policy: namespaces, limits, guards and reject lists, read once and frozen.

Missing keys take the shipped values; a given `namespaces` is the whole list (the hashed forms come with `phone`), and
missing keys of a shipped namespace in it take its shipped values.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from identity.errors import PolicyError
from identity.namespace import PHONE, PHONE_FORMS, UNDECLARED_PRIORITY, NamespaceSpec, PolicyName, RoleEffect, Strength
from identity.phone import normalise_phone
from identity.policy_reader import Reader, read_yaml
from identity.shipped import SHIPPED

POLICIES = ("hold", "last")
STRENGTHS = tuple(strength.name.lower() for strength in Strength)
NORMALISERS = ("exact", "lower", "phone_cn", "sha256_hex", "md5_hex")
SCOPE_NORMALISERS = ("exact", "lower", "corp")
GATES = ("max_churn", "max_hubs", "max_contested", "max_held", "max_refused", "max_largest_cluster")


@dataclass(frozen=True, slots=True)
class HubLimits:
    """The most direct partners an identifier may have in any window: of one namespace and scope, and in all."""

    max_accounts: int
    max_total: int
    window_days: int


@dataclass(frozen=True, slots=True)
class RejectRules:
    """Values that identify nobody: compared trimmed and without case, searched by pattern, or runs of digits."""

    values: frozenset[str] = frozenset()
    patterns: tuple[str, ...] = ()
    digit_runs: bool = False


@dataclass(frozen=True, slots=True)
class ReviewCounts:
    """From how many sightings on a candidate reaches the review queue."""

    recipient_min_orders: int
    staff_min_sightings: int


@dataclass(frozen=True)
class Policy:
    """Everything the rules depend on besides evidence and decisions."""

    policy: PolicyName
    hub: HubLimits
    reissue_days: int
    size_cap: int
    max_oversize: int
    gates: Mapping[str, float]
    source_groups: Mapping[str, tuple[str, ...]]
    reject: RejectRules
    reject_by_namespace: Mapping[str, RejectRules]
    review: ReviewCounts
    promote_recipient_phone: bool
    namespaces: Mapping[str, NamespaceSpec]

    @classmethod
    def load(cls, path: str | Path) -> Policy:
        """The policy of a YAML file. Raises PolicyError for anything but the documented keys and values."""
        try:
            return cls.from_dict(read_yaml(Path(path)))
        except PolicyError as error:
            raise error.of_file(str(path)) from None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Policy:
        """The policy of plain data with the keys of `conf/identity.yaml`. Raises PolicyError."""
        reader = Reader(data, "")
        policy = cls(
            policy=cast(PolicyName, reader.choice("policy", SHIPPED["policy"], POLICIES)),
            hub=_read_hub(reader.part("hub")),
            reissue_days=reader.whole("reissue_days", SHIPPED["reissue_days"]),
            size_cap=reader.whole("size_cap", SHIPPED["size_cap"]),
            max_oversize=reader.whole("max_oversize", SHIPPED["max_oversize"]),
            gates=_read_gates(reader.part("gates")),
            source_groups=_read_groups(reader.part("source_groups")),
            **_read_rejects(reader.part("reject")),
            review=_read_review(reader.part("review")),
            promote_recipient_phone=_read_inference(reader.part("inference")),
            namespaces=_read_namespaces(reader),
        )
        reader.done()
        _refuse_unknown_rejects(policy)
        return policy

    def spec(self, namespace: str) -> NamespaceSpec | None:
        """The declaration of a namespace, None when nobody declared it."""
        return self.namespaces.get(namespace)

    def group_of(self, source: str) -> str:
        """The group of sources whose links an unbind of this source ends, named by its first; one alone is its own."""
        return self._groups.get(source, source)

    def policy_for(self, namespace: str) -> PolicyName:
        """How conflicts over this namespace's limit are settled."""
        spec = self.namespaces.get(namespace)
        return spec.policy if spec is not None and spec.policy else self.policy

    def to_dict(self) -> dict[str, Any]:
        """The policy as plain sorted data, every value spelled out."""
        return cast(dict[str, Any], _plain(asdict(self)))

    def digest(self) -> str:
        """16 hex characters that change with every meaningful change of the configuration."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        text = json.dumps(self.to_dict(), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @cached_property
    def _groups(self) -> dict[str, str]:
        return {source: sources[0] for sources in self.source_groups.values() for source in sources}

    @cached_property
    def reject_rules(self) -> dict[str, tuple[RejectRules, ...]]:
        """By namespace the rules that may refuse its values: the lake's, its own, and the phone's for hashed forms."""
        names = {name: (name, PHONE) if name in PHONE_FORMS else (name,) for name in self.namespaces}
        own = {name: _as_compared(rules, self.spec(name)) for name, rules in self.reject_by_namespace.items()}
        return {name: (self.reject, *(own[one] for one in all_of if one in own)) for name, all_of in names.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in sorted(value.items())}
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, Strength):
        return value.name.lower()
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _read_hub(reader: Reader) -> HubLimits:
    shipped = SHIPPED["hub"]
    found = {key: reader.whole(key, shipped[key], least=1) for key in ("max_accounts", "max_total", "window_days")}
    reader.done()
    return HubLimits(**found)


def _read_review(reader: Reader) -> ReviewCounts:
    shipped = SHIPPED["review"]
    found = {key: reader.whole(key, shipped[key], least=1) for key in ("recipient_min_orders", "staff_min_sightings")}
    reader.done()
    return ReviewCounts(**found)


def _read_inference(reader: Reader) -> bool:
    on = reader.flag("promote_recipient_phone", default=SHIPPED["inference"]["promote_recipient_phone"])
    reader.done()
    return on


def _read_gates(reader: Reader) -> dict[str, float]:
    bounds = {key: reader.number(key, None) for key in GATES}
    reader.done()
    return {key: bound for key, bound in bounds.items() if bound is not None}


def _read_groups(reader: Reader) -> dict[str, tuple[str, ...]]:
    names = list(dict.fromkeys((*SHIPPED["source_groups"], *reader.names())))
    groups = {name: reader.words(name, SHIPPED["source_groups"].get(name, ())) for name in names}
    seen: dict[str, str] = {}
    for name, sources in groups.items():
        for source in sources:
            if seen.setdefault(source, name) != name:
                raise PolicyError(f"source_groups.{name}", source, f"each source in one group, it is in {seen[source]}")
    reader.done()
    return groups


def _read_rejects(reader: Reader) -> dict[str, Any]:
    shipped = SHIPPED["reject"]
    by_name = reader.part("by_namespace")
    names = list(dict.fromkeys((*shipped["by_namespace"], *by_name.names())))
    rules = {name: _read_rules(by_name.part(name), shipped["by_namespace"].get(name, {})) for name in names}
    lake_wide = RejectRules(_folded(reader.words("values", shipped["values"])), reader.patterns("patterns", ()))
    reader.done()
    return {"reject": lake_wide, "reject_by_namespace": rules}


def _read_rules(reader: Reader, shipped: Mapping[str, Any]) -> RejectRules:
    rules = RejectRules(
        values=_folded(reader.words("values", shipped.get("values", ()))),
        patterns=reader.patterns("patterns", shipped.get("patterns", ())),
        digit_runs=reader.flag("digit_runs", default=shipped.get("digit_runs", False)),
    )
    reader.done()
    return rules


def _as_compared(rules: RejectRules, spec: NamespaceSpec | None) -> RejectRules:
    """The rules with listed numbers also in their one form: a number is refused however the list writes it."""
    if spec is None or spec.normaliser != "phone_cn":
        return rules
    numbers = {normalise_phone(value).number for value in rules.values} - {""}
    return replace(rules, values=rules.values | numbers)


def _refuse_unknown_rejects(policy: Policy) -> None:
    """A list for a namespace that nobody knows would refuse nothing: a slip of the pen."""
    known = {*policy.namespaces, *SHIPPED["namespaces"]}
    for name in policy.reject_by_namespace:
        if name not in known:
            raise PolicyError(f"reject.by_namespace.{name}", "an unknown namespace", ", ".join(sorted(known)))


def _folded(values: tuple[str, ...]) -> frozenset[str]:
    return frozenset(value.strip().casefold() for value in values)


def _read_namespaces(reader: Reader) -> dict[str, NamespaceSpec]:
    shipped: Mapping[str, Mapping[str, Any]] = SHIPPED["namespaces"]
    if reader.has("namespaces"):
        given = reader.parts("namespaces")
        if not given:
            raise PolicyError("namespaces", {}, "at least one namespace; leave the key out for the shipped ones")
        if PHONE in given:
            given |= {form: Reader({}, f"namespaces.{form}") for form in PHONE_FORMS if form not in given}
    else:
        reader.part("namespaces")
        given = {name: Reader({}, f"namespaces.{name}") for name in shipped}
    specs = {name: _read_spec(name, part, shipped.get(name, {})) for name, part in given.items()}
    if PHONE in specs:
        specs |= {form: _like_phone(specs[form], specs[PHONE], given[form]) for form in PHONE_FORMS if form in specs}
    for name, spec in specs.items():
        if not name or ":" in name:
            raise PolicyError("namespaces", name, "names without a colon")
        if spec.normaliser == "phone_cn" and spec.scoped:
            raise PolicyError(f"namespaces.{name}.scoped", True, "false: a phone number is the same everywhere")
    return specs


def _like_phone(form: NamespaceSpec, phone: NamespaceSpec, given: Reader) -> NamespaceSpec:
    """A hashed form follows the phone in all that it does not say itself: they are one node."""
    return replace(
        form,
        strength=form.strength if given.has("strength") else phone.strength,
        priority=form.priority if given.has("priority") else phone.priority,
        max_per_person=form.max_per_person if given.has("max_per_person") else phone.max_per_person,
        roles=form.roles if given.has("roles") else phone.roles,
        policy=form.policy if given.has("policy") else phone.policy,
    )


def _read_spec(name: str, reader: Reader, shipped: Mapping[str, Any]) -> NamespaceSpec:
    strength = Strength[reader.choice("strength", shipped.get("strength", "account"), STRENGTHS).upper()]
    guard = shipped.get("max_per_person", 1 if strength is Strength.ANCHOR else None)
    policy = reader.choice("policy", "", POLICIES) or None
    spec = NamespaceSpec(
        name=name,
        strength=strength,
        scoped=reader.flag("scoped", default=shipped.get("scoped", False)),
        priority=reader.whole("priority", shipped.get("priority", UNDECLARED_PRIORITY)),
        max_per_person=reader.limit("max_per_person", guard),
        normaliser=reader.choice("normaliser", shipped.get("normaliser", "exact"), NORMALISERS),
        scope_normaliser=reader.choice("scope_normaliser", shipped.get("scope_normaliser", "exact"), SCOPE_NORMALISERS),
        anonymous=reader.flag("anonymous", default=shipped.get("anonymous", False)),
        valid_days=reader.limit("valid_days", shipped.get("valid_days")),
        roles=_read_roles(reader, shipped),
        policy=cast("PolicyName | None", policy),
    )
    reader.done()
    return spec


def _read_roles(reader: Reader, shipped: Mapping[str, Any]) -> dict[str, RoleEffect]:
    part = reader.part("roles")
    given = part.names() if reader.has("roles") else []
    roles = {role: part.choice(role, "", ("link", "candidate")) for role in given} or dict(shipped.get("roles", {}))
    return cast("dict[str, RoleEffect]", roles)
