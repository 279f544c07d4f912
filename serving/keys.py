"""API keys: made with a secret that is shown once, kept as a hash, limited in scope, people and time, revocable."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy.engine import Engine

from serving.errors import KeyRefusedError
from serving.operational import API_KEYS

SCOPES: Mapping[str, str] = {
    "profiles:read": "look people up and read their profiles, identities, tags and timeline",
    "segments:preview": "count people by tags and features, with a masked sample",
}
"""What a key may do."""

DIMENSIONS = ("brand", "guide")
DAY_MS = 86_400_000
MAX_DAYS = 366
_KEY = re.compile(r"cdp_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


@dataclass(frozen=True)
class KeyRequest:
    """A key to be made: who uses it, what it may do, for how many days, whom it may see (nobody named: everyone)."""

    name: str
    scopes: Sequence[str]
    days: int = 90
    restrict: Mapping[str, Sequence[str]] = field(default_factory=dict)
    rate_per_minute: int | None = None


@dataclass(frozen=True)
class ApiKey:
    """A key as it stands in the store, without its secret."""

    key_id: str
    name: str
    scopes: tuple[str, ...]
    restrict: Mapping[str, tuple[str, ...]]
    rate_per_minute: int | None
    created_ms: int
    expires_ms: int
    revoked_ms: int | None

    def in_force(self, now_ms: int) -> bool:
        """Whether the key opens anything now."""
        return self.revoked_ms is None and now_ms < self.expires_ms


@dataclass(frozen=True)
class NewKey:
    """A key just made; `token` is what the user sends, and nobody can read it again."""

    key: ApiKey
    token: str

    def __repr__(self) -> str:
        return f"NewKey({self.key.key_id})"


def create_key(engine: Engine, request: KeyRequest, *, now_ms: int) -> NewKey:
    """A new key in force from now; KeyRefusedError names what is not allowed in the request."""
    _require_fit(request)
    key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    key = ApiKey(
        key_id=key_id,
        name=request.name.strip(),
        scopes=tuple(sorted(set(request.scopes))),
        restrict={dimension: tuple(sorted(set(values))) for dimension, values in sorted(request.restrict.items())},
        rate_per_minute=request.rate_per_minute,
        created_ms=now_ms,
        expires_ms=now_ms + request.days * DAY_MS,
        revoked_ms=None,
    )
    with engine.begin() as connection:
        connection.execute(API_KEYS.insert().values(**_row(key), secret_hash=_HASHER.hash(secret)))
    return NewKey(key, f"cdp_{key_id}_{secret}")


def list_keys(engine: Engine) -> list[ApiKey]:
    """All keys, oldest first, revoked and expired ones included."""
    query = sa.select(API_KEYS).order_by(API_KEYS.c.created_ms, API_KEYS.c.key_id)
    with engine.connect() as connection:
        return [_key(row._asdict()) for row in connection.execute(query)]


def revoke_key(engine: Engine, key_id: str, *, now_ms: int) -> ApiKey:
    """The key opens nothing any more; revoking it again changes nothing. KeyRefusedError when there is none."""
    change = API_KEYS.update().where(API_KEYS.c.key_id == key_id, API_KEYS.c.revoked_ms.is_(None))
    with engine.begin() as connection:
        connection.execute(change.values(revoked_ms=now_ms))
    key = find_key(engine, key_id)
    if key is None:
        raise KeyRefusedError("there is no such API key", where="api_keys", hint="see `cdp keys list`")
    return key


def find_key(engine: Engine, key_id: str) -> ApiKey | None:
    """The key of that public id."""
    with engine.connect() as connection:
        row = connection.execute(sa.select(API_KEYS).where(API_KEYS.c.key_id == key_id)).first()
    return _key(row._asdict()) if row is not None else None


def split_token(token: str) -> tuple[str, str] | None:
    """Public id and secret of what a user sent; None when it is no key."""
    found = _KEY.fullmatch(token)
    return (found[1], found[2]) if found else None


def secret_fits(engine: Engine, key_id: str, secret: str) -> bool:
    """Whether the secret is that of the key; takes as long for an unknown key."""
    with engine.connect() as connection:
        stored = connection.scalar(sa.select(API_KEYS.c.secret_hash).where(API_KEYS.c.key_id == key_id))
    try:
        return _HASHER.verify(stored or _DECOY, secret) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


_DECOY = _HASHER.hash(secrets.token_urlsafe(32))


def _require_fit(request: KeyRequest) -> None:
    unknown = sorted(set(request.scopes) - set(SCOPES))
    foreign = sorted(set(request.restrict) - set(DIMENSIONS))
    refusals = (
        (not 0 < len(request.name.strip()) <= 120, "the name is empty or longer than 120 characters"),
        (not request.scopes, "no scope is given"),
        (bool(unknown), f"unknown scopes {', '.join(unknown)}"),
        (not 1 <= request.days <= MAX_DAYS, f"{request.days} days are outside 1 to {MAX_DAYS}"),
        (bool(foreign), f"unknown restrictions {', '.join(foreign)}; known are {', '.join(DIMENSIONS)}"),
        (any(not values for values in request.restrict.values()), "a restriction names nobody"),
        ((request.rate_per_minute or 1) < 1, "the rate is below 1 per minute"),
    )
    for refused, problem in refusals:
        if refused:
            allowed = ", ".join(sorted(SCOPES))
            raise KeyRefusedError(f"API key refused: {problem}", where="keys", hint=f"scopes are {allowed}")


def _row(key: ApiKey) -> dict[str, Any]:
    plain = {name: getattr(key, name) for name in ("key_id", "name", "rate_per_minute", "created_ms", "expires_ms")}
    restrict = {dimension: list(values) for dimension, values in key.restrict.items()}
    return {**plain, "revoked_ms": key.revoked_ms, "scopes": list(key.scopes), "restrict": restrict}


def _key(row: Mapping[str, Any]) -> ApiKey:
    return ApiKey(
        key_id=row["key_id"],
        name=row["name"],
        scopes=tuple(row["scopes"]),
        restrict={dimension: tuple(values) for dimension, values in row["restrict"].items()},
        rate_per_minute=row["rate_per_minute"],
        created_ms=row["created_ms"],
        expires_ms=row["expires_ms"],
        revoked_ms=row["revoked_ms"],
    )
