"""The order key: how everything that must be decided between equals is decided, on every path alike."""

from __future__ import annotations

from collections.abc import Callable

from identity.identifier import Identifier
from identity.namespace import UNDECLARED_PRIORITY, NamespaceSpec, Strength
from identity.policy import Policy

OrderKey = tuple[int, int, str, str, str]
OrderValue = Callable[[Identifier], str]


class Order:
    """(strength, priority, namespace, scope, value) of identifiers, the smaller the stronger.

    `order_value` gives the value by which an identifier takes part: its keyed digest where it is personal data. In
    process the engine makes it; in the lake values are tokens already.
    """

    def __init__(self, policy: Policy, order_value: OrderValue) -> None:
        self.policy = policy
        self.value = order_value
        self._keys: dict[Identifier, OrderKey] = {}
        self._specs = policy.namespaces
        self.valid_days = {name: spec.valid_days for name, spec in self._specs.items() if spec.valid_days is not None}

    def key(self, identifier: Identifier) -> OrderKey:
        """The order key of an identifier."""
        found = self._keys.get(identifier)
        if found is None:
            spec = self.spec(identifier)
            found = (*strength_of(spec), identifier.namespace, identifier.scope, self.value(identifier))
            self._keys[identifier] = found
        return found

    def spec(self, identifier: Identifier) -> NamespaceSpec:
        """The declaration of the identifier's namespace; an undeclared one is never an edge."""
        spec = self._specs.get(identifier.namespace)
        return spec or NamespaceSpec(identifier.namespace, strength=Strength.NEVER)

    def holds_person(self, identifier: Identifier) -> bool:
        """Whether the identifier is an anchor or an account."""
        return self.spec(identifier).holds_person


def strength_of(spec: NamespaceSpec | None) -> tuple[int, int]:
    """Strength and priority as numbers, the smaller the stronger."""
    return (Strength.NEVER, UNDECLARED_PRIORITY) if spec is None else (int(spec.strength), spec.priority)
