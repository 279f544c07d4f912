"""Who is calling: keys checked once by their hash, then by what the store says about them twice a second."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.engine import Engine

from serving.clock import Clock
from serving.keys import ApiKey, find_key, secret_fits, split_token
from serving.rates import Buckets

BELIEVED_MS = 500
"""How long a key's row is believed: a revocation is seen within this time."""

_REMEMBERED = 10_000


@dataclass(frozen=True)
class Caller:
    """The key behind a request: what it may do and whom it may see (empty: everyone)."""

    key_id: str
    scopes: frozenset[str]
    restrict: Mapping[str, tuple[str, ...]]


class RefusedCaller(Exception):  # noqa: N818 - an answer, not a failure
    """The request brings no key in force; why is not told."""


@dataclass
class _Believed:
    key: ApiKey | None
    read_ms: int


class Authenticator:
    """Tells callers by their token; hashing is done once per token, the key's row is read again every half second."""

    def __init__(self, engine: Engine, *, wall: Clock, monotonic: Clock) -> None:
        self._engine = engine
        self._wall = wall
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._verified: OrderedDict[bytes, str] = OrderedDict()
        self._rows: OrderedDict[str, _Believed] = OrderedDict()

    def known(self, token: str) -> ApiKey | None:
        """The key of a token whose secret was verified before and that is in force now."""
        digest = hashlib.sha256(token.encode()).digest()
        with self._lock:
            key_id = self._verified.get(digest)
        return self._in_force(key_id) if key_id is not None else None

    def verify(self, token: str) -> ApiKey:
        """The key of a token, its secret checked by the slow hash; RefusedCaller when it is not in force."""
        parts = split_token(token)
        if parts is None or not secret_fits(self._engine, *parts):
            raise RefusedCaller
        key = self._in_force(parts[0])
        if key is None:
            raise RefusedCaller
        with self._lock:
            self._verified[hashlib.sha256(token.encode()).digest()] = key.key_id
            while len(self._verified) > _REMEMBERED:
                self._verified.popitem(last=False)
        return key

    def _in_force(self, key_id: str) -> ApiKey | None:
        now = self._monotonic()
        with self._lock:
            believed = self._rows.get(key_id)
        if believed is None or now - believed.read_ms > BELIEVED_MS:
            believed = _Believed(find_key(self._engine, key_id), now)
            with self._lock:
                self._rows[key_id] = believed
                while len(self._rows) > _REMEMBERED:
                    self._rows.popitem(last=False)
        key = believed.key
        return key if key is not None and key.in_force(self._wall()) else None


class RateLimits:
    """Counts requests per key and refused keys per address."""

    def __init__(self, *, rate_per_minute: int, failures_per_minute: int, monotonic: Clock) -> None:
        self._buckets = Buckets(monotonic)
        self._rate = rate_per_minute
        self._failures = failures_per_minute

    def count(self, key: ApiKey) -> None:
        """One request of the key is counted; RateExceeded beyond its limit."""
        self._buckets.take(f"key/{key.key_id}", key.rate_per_minute or self._rate)

    def count_failure(self, address: str) -> None:
        """One refused key from the address is counted."""
        self._buckets.take(f"address/{address}", self._failures)

    def require_trust(self, address: str) -> None:
        """RateExceeded while the address has sent too many refused keys."""
        self._buckets.require(f"address/{address}", self._failures)


def caller_of(key: ApiKey) -> Caller:
    """The caller a key stands for."""
    return Caller(key.key_id, frozenset(key.scopes), key.restrict)
