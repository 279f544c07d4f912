from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from serving.errors import KeyRefusedError
from serving.keys import DAY_MS, KeyRequest, create_key, find_key, list_keys, revoke_key, secret_fits, split_token
from serving.operational import API_KEYS, default_url, open_store

READ = KeyRequest("reader", ["profiles:read"])


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Engine]:
    engine = open_store(default_url(tmp_path))
    yield engine
    engine.dispose()


def test_a_new_key_is_in_force_until_it_expires(store: Engine) -> None:
    key = create_key(store, KeyRequest("r", ["profiles:read"], days=2), now_ms=100).key
    assert [key.in_force(at) for at in (100, 100 + 2 * DAY_MS - 1, 100 + 2 * DAY_MS)] == [True, True, False]


def test_the_store_holds_no_secret(store: Engine, tmp_path: Path) -> None:
    made = create_key(store, READ, now_ms=1)
    parts = split_token(made.token)
    assert parts is not None
    stored = b"".join(path.read_bytes() for path in sorted(tmp_path.iterdir()))
    assert made.key.key_id.encode() in stored
    assert parts[1].encode() not in stored
    assert b"$argon2id$" in stored


def test_the_secret_is_not_shown_by_accident(store: Engine) -> None:
    made = create_key(store, READ, now_ms=1)
    assert made.token not in repr(made)


def test_only_the_right_secret_fits(store: Engine) -> None:
    made = create_key(store, READ, now_ms=1)
    parts = split_token(made.token)
    assert parts is not None
    key_id, secret = parts
    assert [secret_fits(store, key_id, text) for text in (secret, secret[::-1], "")] == [True, False, False]


def test_no_secret_fits_an_unknown_key(store: Engine) -> None:
    assert not secret_fits(store, "0" * 12, "x" * 43)


def test_a_spoilt_hash_fits_nothing(store: Engine) -> None:
    made = create_key(store, READ, now_ms=1)
    with store.begin() as connection:
        connection.execute(sa.update(API_KEYS).values(secret_hash="spoilt"))
    assert not secret_fits(store, made.key.key_id, "x")


def test_two_keys_differ(store: Engine) -> None:
    assert len({create_key(store, READ, now_ms=1).token for _ in range(3)}) == 3


def test_keys_are_listed_oldest_first(store: Engine) -> None:
    made = [create_key(store, KeyRequest(name, ["profiles:read"]), now_ms=at).key for name, at in (("b", 2), ("a", 1))]
    assert list_keys(store) == made[::-1]


def test_a_revoked_key_is_not_in_force_and_stays_listed(store: Engine) -> None:
    made = create_key(store, READ, now_ms=1)
    revoked = revoke_key(store, made.key.key_id, now_ms=5)
    assert (revoked.revoked_ms, revoked.in_force(6), list_keys(store)) == (5, False, [revoked])


def test_revoking_again_keeps_the_first_time(store: Engine) -> None:
    made = create_key(store, READ, now_ms=1)
    revoke_key(store, made.key.key_id, now_ms=5)
    assert revoke_key(store, made.key.key_id, now_ms=9).revoked_ms == 5


def test_an_unknown_key_cannot_be_revoked(store: Engine) -> None:
    with pytest.raises(KeyRefusedError, match="no such API key"):
        revoke_key(store, "0" * 12, now_ms=1)


def test_scopes_and_restrictions_are_kept_sorted_and_once(store: Engine) -> None:
    scopes = ["segments:preview", "profiles:read", "profiles:read"]
    key = create_key(
        store, KeyRequest("r", scopes, restrict={"brand": ["b", "a", "b"]}, rate_per_minute=7), now_ms=1
    ).key
    assert find_key(store, key.key_id) == key
    assert (key.scopes, key.restrict, key.rate_per_minute) == (
        ("profiles:read", "segments:preview"),
        {"brand": ("a", "b")},
        7,
    )


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"name": "  "}, "the name is empty"),
        ({"name": "x" * 121}, "longer than 120"),
        ({"scopes": []}, "no scope is given"),
        ({"scopes": ["everything"]}, "unknown scopes everything"),
        ({"days": 0}, "0 days are outside 1 to 366"),
        ({"days": 367}, "367 days are outside"),
        ({"restrict": {"region": ["east"]}}, "unknown restrictions region"),
        ({"restrict": {"brand": []}}, "a restriction names nobody"),
        ({"rate_per_minute": -1}, "the rate is below 1"),
    ],
)
def test_an_unfit_request_is_refused_with_what_is_allowed(store: Engine, changes: dict[str, Any], problem: str) -> None:
    request = KeyRequest(**{"name": "r", "scopes": ["profiles:read"], **changes})
    with pytest.raises(KeyRefusedError, match=problem) as refused:
        create_key(store, request, now_ms=1)
    assert "profiles:read, segments:preview" in str(refused.value)
    assert list_keys(store) == []


@pytest.mark.parametrize(
    "text", ["", "cdp_", "cdp_0_x", "Bearer x", "cdp_" + "0" * 12 + "_short", "cdp_" + "g" * 12 + "_" + "x" * 43]
)
def test_a_text_that_is_no_key_is_none(text: str) -> None:
    assert split_token(text) is None
