"""Identifiers: what a source calls a person, inside the scope where that name means anything."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from identity.errors import IdentifierError


class Identifier(NamedTuple):
    """One name of somebody: the scope is part of it, and empty for a global namespace."""

    namespace: str
    scope: str
    value: str

    def __str__(self) -> str:
        return format_identifier(self)


def format_identifier(identifier: Identifier) -> str:
    """The identifier as text.

    >>> format_identifier(Identifier("phone", "", "13912345678"))
    'phone::13912345678'
    """
    return f"{identifier.namespace}:{identifier.scope}:{identifier.value}"


def parse_identifier(text: str) -> Identifier:
    """The identifier a text names, split at the first two colons: values may hold colons. Raises IdentifierError.

    >>> parse_identifier("member_id:brandA:K:1")
    Identifier(namespace='member_id', scope='brandA', value='K:1')
    """
    parts = text.split(":", 2)
    if len(parts) != 3:
        raise IdentifierError(len(parts) - 1)
    return Identifier(*parts)


def key64(namespace: str, scope: str, value: str) -> int:
    """The signed 64-bit surrogate key of an identifier in its stored form (personal values as tokens).

    The first eight bytes of a BLAKE2b digest, so that every process computes the same key; collisions are checked for
    when keys meet in the stitcher.

    >>> key64("phone", "", "ab")
    -9106221401620809485
    """
    text = f"{namespace}\x1f{scope}\x1f{value}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big", signed=True)
