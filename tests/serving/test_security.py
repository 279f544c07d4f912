from __future__ import annotations

import pytest

from serving.keys import DAY_MS, NewKey, revoke_key
from serving.operational import open_store
from serving.security import BELIEVED_MS
from tests.serving.client import Api, World
from tests.serving.sample import ANNA

PROFILE = f"/v1/profiles/{ANNA}"


def status(api: Api, **headers: str) -> int:
    return api.get(PROFILE, headers=headers).status_code


def revoke(world: World, made: NewKey) -> None:
    revoke_key(open_store(world.serving_settings().store_url), made.key.key_id, now_ms=world.wall())


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic eDp5"},
        {"Authorization": "Bearer cdp_000000000000_" + "x" * 43},
        {"Authorization": "Bearer ' OR 1=1 --"},
        {"X-API-Key": "cdp_000000000000_" + "x" * 43},
    ],
    ids=str,
)
def test_without_a_key_in_force_nothing_is_told(published: World, headers: dict[str, str]) -> None:
    answer = published.api_with(None).get(PROFILE, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (401, "urn:oneid:problem:no-valid-key")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_key_may_come_in_either_header(published: World) -> None:
    token = published.key().token
    api = published.api_with(None)
    assert status(api, Authorization=f"bearer {token}") == 200
    assert status(api, **{"X-API-Key": token}) == 200


def test_the_key_of_another_with_ones_own_secret_is_refused(published: World) -> None:
    first, second = published.key().token, published.key().token
    api = published.api_with(None)
    assert status(api, Authorization=f"Bearer {first[:16]}{second[16:]}") == 401


def test_an_unknown_address_below_v1_needs_a_key_too(published: World) -> None:
    assert published.api_with(None).get("/v1/no/such/thing").status_code == 401
    assert published.api().get("/v1/no/such/thing").status_code == 404


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/metrics", "/openapi.json"])
def test_addresses_for_machines_need_no_key(published: World, path: str) -> None:
    assert published.api_with(None).get(path).status_code == 200


@pytest.mark.parametrize(
    ("scope", "method", "path"),
    [
        ("segments:preview", "GET", PROFILE),
        ("segments:preview", "GET", f"{PROFILE}/identities"),
        ("segments:preview", "GET", f"{PROFILE}/tags"),
        ("segments:preview", "GET", f"{PROFILE}/timeline"),
        ("segments:preview", "POST", "/v1/profiles/lookup"),
        ("profiles:read", "POST", "/v1/segments/preview"),
        ("profiles:read", "GET", "/v1/segments/vocabulary"),
    ],
)
def test_a_key_without_the_scope_is_refused_by_name(published: World, scope: str, method: str, path: str) -> None:
    body = {"json": {"identifier": "x", "where": {"tag": "spending"}}} if method == "POST" else {}
    answer = published.api(scopes=(scope,)).ask(method, path, **body)
    needed = "profiles:read" if scope == "segments:preview" else "segments:preview"
    assert (answer.status_code, answer.json()["detail"]) == (403, f"the key lacks the scope {needed}")


def test_a_missing_scope_is_told_the_same_for_known_and_unknown_people(published: World) -> None:
    api = published.api(scopes=("segments:preview",))
    assert status(api) == api.get("/v1/profiles/nobody").status_code == 403


def test_a_key_opens_nothing_once_it_has_expired(published: World) -> None:
    api = published.api(days=1)
    assert status(api) == 200
    published.wall.forward(DAY_MS)
    assert status(api) == 401


def test_a_revocation_is_in_force_within_a_second(published: World) -> None:
    made = published.key()
    api = published.api_with(made.token)
    assert status(api) == 200
    revoke(published, made)
    published.monotonic.forward(BELIEVED_MS + 1)
    assert BELIEVED_MS < 1_000
    assert status(api) == 401


def test_a_key_revoked_before_its_first_use_opens_nothing(published: World) -> None:
    made = published.key()
    revoke(published, made)
    assert status(published.api_with(made.token)) == 401


def test_a_key_made_while_the_api_runs_opens_it(published: World) -> None:
    api = published.api_with(None)
    assert status(api, Authorization=f"Bearer {published.key().token}") == 200


def test_the_slow_hash_is_computed_once_per_key(published: World, monkeypatch: pytest.MonkeyPatch) -> None:
    api = published.api()
    assert status(api) == 200

    def never(*_: object) -> bool:
        raise AssertionError("hashed again")

    monkeypatch.setattr("serving.security.secret_fits", never)
    published.monotonic.forward(10_000)
    assert status(api) == 200


def test_a_key_has_its_own_rate(published: World) -> None:
    slow, fast = published.key(rate_per_minute=2).token, published.key().token
    api = published.api_with(None)
    assert [status(api, Authorization=f"Bearer {slow}") for _ in range(3)] == [200, 200, 429]
    assert status(api, Authorization=f"Bearer {fast}") == 200


def test_beyond_the_rate_the_answer_says_when_to_come_back(published: World) -> None:
    published.settings = {"rate_per_minute": 1}
    api = published.api()
    assert status(api) == 200
    answer = api.get(PROFILE)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")
    published.monotonic.forward(60_000)
    assert status(api) == 200


def test_an_address_that_guesses_keys_is_stopped(published: World) -> None:
    published.settings = {"failures_per_minute": 3}
    made = published.key()
    api = published.api_with(None)
    assert [status(api, Authorization="Bearer guess") for _ in range(4)] == [401, 401, 401, 429]
    assert status(api, Authorization=f"Bearer {made.token}") == 429


def test_a_key_already_known_goes_on_while_its_address_guesses(published: World) -> None:
    published.settings = {"failures_per_minute": 2}
    api = published.api()
    assert status(api) == 200
    assert [status(api, Authorization="Bearer guess") for _ in range(3)] == [401, 401, 429]
    assert status(api) == 200


def test_when_the_store_of_keys_is_gone_the_answer_says_so(published: World) -> None:
    api = published.api()
    store = published.home / "operational.sqlite"
    store.write_bytes(b"damaged" * 1_000)
    answer = api.get(PROFILE)
    assert (answer.status_code, answer.json()["detail"]) == (503, "the operational store does not answer")


def test_only_the_latest_keys_are_remembered(published: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.security._REMEMBERED", 1)
    first, second = published.key().token, published.key().token
    api = published.api_with(None)
    for token in (first, second, first):
        assert status(api, Authorization=f"Bearer {token}") == 200
