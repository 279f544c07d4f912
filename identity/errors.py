"""What can go wrong in the identity rules: one root, classes that take facts and build their message.

No message carries a value of an identifier: they reach logs, and values may be personal data.
"""

from __future__ import annotations

from identity.masking import hide_numbers


class IdentityError(Exception):
    """Root of all errors of the identity rules; `code` is the exit code of the command line, `where` the file it is
    about if any, `hint` says what next."""

    code = 2
    where = ""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(f"{message} ({hint})" if hint else message)
        self.message = message
        self.hint = hint


class PolicyError(IdentityError, ValueError):
    """The identity configuration cannot be used: says which file and key, what was received and what is allowed."""

    def __init__(self, key: str, received: object, allowed: str, *, file: str = "") -> None:
        about = f"identity policy {file}" if file else "identity policy"
        super().__init__(
            f"{about}: {key}: received {hide_numbers(repr(received))}, allowed: {allowed}",
            hint=f"correct it, then see what it would change: `cdp identity diff --policy {file}`" if file else "",
        )
        self.key = key
        self.received = received
        self.allowed = allowed
        self.where = file

    def of_file(self, file: str) -> PolicyError:
        """The same fault, told with the file it stands in."""
        return PolicyError(self.key, self.received, self.allowed, file=file)


class IdentifierError(IdentityError, ValueError):
    """A text is no identifier of the form namespace:scope:value."""

    def __init__(self, colons: int) -> None:
        super().__init__(
            f"an identifier is written namespace:scope:value, received a text with {colons} colon(s)",
            hint="a global namespace has an empty scope, as in phone::13912345678",
        )


class BusinessDateError(IdentityError, ValueError):
    """A business date is not written YYYY-MM-DD."""

    def __init__(self, received: object) -> None:
        super().__init__(
            f"a business date is written YYYY-MM-DD, received {hide_numbers(repr(received))}",
            hint="write it as in 2025-03-01",
        )


class ObservationError(IdentityError, ValueError):
    """A row is no observation: says which field, what it was and what is allowed; the row goes to quarantine."""

    code = 3

    def __init__(self, field: str, received: str, allowed: str) -> None:
        super().__init__(f"observation: {field}: received {received}, allowed: {allowed}")
        self.field = field


class DecisionRefused(IdentityError):  # noqa: N818 - the name is part of the fixed interface
    """A steward's decision cannot stand, or would change nothing; nothing was recorded."""

    code = 7

    def __init__(self, decision: str, reason: str, *, hint: str = "") -> None:
        super().__init__(f"{decision} refused: {reason}", hint=hint)
        self.decision = decision
        self.reason = reason
