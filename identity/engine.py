"""The engine in process: from normalised rows to a resolution, with clear numbers at the border and tokens inside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from identity.claims import ClaimReview, derive_claims
from identity.decision import Decision
from identity.evidence import gather_evidence, rename
from identity.identifier import Identifier
from identity.incremental import GroupCache
from identity.namespace import PHONE, PHONE_FORMS
from identity.observation import NormalisedObservation
from identity.order import Order, OrderValue
from identity.policy import Policy
from identity.registry import RegistryState
from identity.resolution import Member, Part, Resolution
from identity.resolve import resolve_evidence
from identity.token import node_token, phone_hashes

Names = Mapping[Identifier, Identifier]


@dataclass(frozen=True, slots=True)
class View:
    """A resolution with the names by which its nodes are found: hashed forms lead to their number."""

    resolution: Resolution
    names: Names
    claims: tuple[ClaimReview, ...]


class Engine:
    """Resolves rows under a policy; holds the keys and remembers hashes and tokens, which cost the most."""

    def __init__(self, identity_key: str | bytes, mix_keys: Mapping[str, str]) -> None:
        self.identity_key = identity_key
        self._mix_keys = dict(mix_keys)
        self._forms: dict[str, tuple[Identifier, ...]] = {}
        self._tokens: dict[tuple[str, Identifier], str] = {}
        self._ordered: Order | None = None
        self.cache = GroupCache()

    def order_value(self, policy: Policy) -> OrderValue:
        """How identifiers take part in orders and digests: personal values by their token."""
        digest = policy.digest()

        def value(identifier: Identifier) -> str:
            found = self._tokens.get((digest, identifier))
            if found is None:
                found = node_token(self.identity_key, identifier, policy.spec(identifier.namespace))
                self._tokens[digest, identifier] = found
            return found

        return value

    def forms(self, number: str) -> tuple[Identifier, ...]:
        """The hashed forms of a clear number as identifiers."""
        if number not in self._forms:
            hashes = phone_hashes(number, self._mix_keys)
            self._forms[number] = tuple(Identifier(name, "", h) for name in PHONE_FORMS for h in hashes[name])
        return self._forms[number]

    def resolve(
        self,
        observations: Sequence[NormalisedObservation],
        decisions: Iterable[Decision],
        policy: Policy,
        *,
        as_of: str,
        until: int | None = None,
    ) -> View:
        """Who belongs together by all rows and decisions; see `resolve_evidence`."""
        names = self._names(observations)
        derived, claims = derive_claims(observations)
        evidence = rename([*gather_evidence(observations), *derived], names)
        resolution = resolve_evidence(
            evidence,
            [self.canonical_decision(decision, names) for decision in decisions],
            policy,
            as_of=as_of,
            order_value=self.order_value(policy),
            until=until,
        )
        return View(resolution, names, claims)

    def refresh(
        self,
        observations: Sequence[NormalisedObservation],
        decisions: Iterable[Decision],
        policy: Policy,
        *,
        as_of: str,
    ) -> View:
        """The same as `resolve`, where only what changed since the last refresh is resolved again.

        `observations` are those of the last refresh with new ones behind them.
        """
        names = self._names(observations)
        derived, claims = derive_claims(observations)
        resolution = self.cache.resolve(
            observations,
            rename(derived, names),
            [self.canonical_decision(decision, names) for decision in decisions],
            names,
            order=self._order(policy),
            as_of=as_of,
        )
        return View(resolution, names, claims)

    def _order(self, policy: Policy) -> Order:
        """The order under a policy; its keys are remembered for the last policy asked for."""
        if self._ordered is None or self._ordered.policy.digest() != policy.digest():
            self._ordered = Order(policy, self.order_value(policy))
        return self._ordered

    def parts(self, view: View, registry: RegistryState) -> list[Part]:
        """The parts as the registry counts them: a number brings the forms of it that were placed before."""
        return [
            replace(part, members=tuple(self.with_aliases(member, registry) for member in part.members))
            if any(member.identifier.namespace == PHONE for member in part.members)
            else part
            for part in view.resolution.parts
        ]

    @staticmethod
    def canonical_decision(decision: Decision, names: Names) -> Decision:
        """The decision about nodes as they are named now."""
        return replace(
            decision,
            a=names.get(decision.a, decision.a),
            b=None if decision.b is None else names.get(decision.b, decision.b),
            others=tuple(names.get(other, other) for other in decision.others),
        )

    def with_aliases(self, member: Member, registry: RegistryState) -> Member:
        """The member with the forms of it that were placed before."""
        if member.identifier.namespace != PHONE:
            return member
        placed = tuple(form for form in self.forms(member.identifier.value) if form in registry.homes)
        return replace(member, aliases=placed)

    def _names(self, observations: Iterable[NormalisedObservation]) -> dict[Identifier, Identifier]:
        numbers = {s.identifier for row in observations for s in row.ids if s.identifier.namespace == PHONE}
        return {form: number for number in sorted(numbers) for form in self.forms(number.value)}
