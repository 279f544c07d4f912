"""Requests made at random after the OpenAPI document, and off it: whatever comes, a documented answer leaves."""

from __future__ import annotations

import json
from functools import partial
from typing import Any
from urllib.parse import quote

from hypothesis import example
from hypothesis import strategies as st

from serving.app import document_of
from tests.properties import property_of
from tests.serving.client import Api
from tests.serving.sample import ANNA, BOB, CONTESTED, PHONE, RETIRED, token

LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
LOOKUP_KEYS = ("namespace", "scope", "value", "identifier", "identifiers", "at")
SEGMENT_KEYS = ("where", "sample", "and", "or", "not", "tag", "in", "feature", "gte", "lt", "layer")
KEYS = st.sampled_from((*LOOKUP_KEYS, *SEGMENT_KEYS))
NAMES = st.sampled_from(
    ["phone", "wx_openid", "tmall_oaid", "spending", "net_fen", "friend", PHONE, CONTESTED, ANNA, "K1"]
)
DOCUMENTS = st.recursive(
    LEAVES | NAMES, lambda parts: st.lists(parts, max_size=4) | st.dictionaries(KEYS, parts, max_size=4), max_leaves=12
)
QUESTIONS = st.fixed_dictionaries(
    {"namespace": NAMES | st.text(max_size=10), "value": NAMES | st.text(max_size=30)},
    optional={"scope": st.text(max_size=10), "at": st.integers() | st.text(max_size=25) | st.none()},
)
CONDITIONS = st.recursive(
    st.fixed_dictionaries({"tag": NAMES}, optional={"value": NAMES, "in": st.lists(NAMES, max_size=3)})
    | st.fixed_dictionaries({"feature": NAMES, "gte": st.floats() | st.integers() | st.text(max_size=12)})
    | st.fixed_dictionaries({"layer": NAMES}),
    lambda parts: st.one_of(
        st.fixed_dictionaries({"and": st.lists(parts, max_size=4)}),
        st.fixed_dictionaries({"or": st.lists(parts, max_size=4)}),
        st.fixed_dictionaries({"not": parts}),
    ),
    max_leaves=8,
)
fuzzed = partial(property_of, few=12, many=40)


def documented(api: Api, path: str, method: str, status: int) -> bool:
    """Whether `openapi.json` lists the status for the operation (404 and 405 belong to any address)."""
    operation = document_of(api.app)["paths"][path][method]
    return str(status) in operation["responses"] or status in (404, 405)


def check(api: Api, method: str, path: str, *, template: str, **options: Any) -> None:
    answer = api.ask(method, path, **options)
    assert documented(api, template, method.lower(), answer.status_code), (answer.status_code, answer.text)
    assert answer.status_code not in (500, 503), answer.text
    expected = "application/json" if answer.status_code == 200 else "application/problem+json"
    assert answer.headers["Content-Type"] == expected
    if answer.status_code != 200:
        assert answer.json()["status"] == answer.status_code
    assert token(PHONE) not in answer.text


def post(api: Api, path: str, document: Any) -> None:
    body = json.dumps(document)
    check(api, "POST", path, template=path, content=body, headers={"Content-Type": "application/json"})


@fuzzed(DOCUMENTS)
@example(document={"identifier": "\ud800"})
@example(document={"identifier": "::"})
@example(document={"identifiers": [[]]})
def test_any_document_is_answered_as_documented_by_look_ups(sample_api: Api, document: Any) -> None:
    post(sample_api, "/v1/profiles/lookup", document)


@fuzzed(QUESTIONS, st.booleans())
def test_any_question_is_answered_as_documented(sample_api: Api, question: Any, many: bool) -> None:
    post(sample_api, "/v1/profiles/lookup", {"identifiers": [question]} if many else question)


@fuzzed(DOCUMENTS | st.fixed_dictionaries({"where": DOCUMENTS}))
def test_any_document_is_answered_as_documented_by_segments(sample_api: Api, document: Any) -> None:
    post(sample_api, "/v1/segments/preview", document)


@fuzzed(CONDITIONS, st.integers(-2, 25))
def test_any_condition_is_answered_as_documented(sample_api: Api, where: Any, sample: int) -> None:
    post(sample_api, "/v1/segments/preview", {"where": where, "sample": sample})


@fuzzed(
    st.sampled_from([ANNA, BOB, RETIRED]) | st.text(min_size=1, max_size=80),
    st.sampled_from(["", "/identities", "/tags", "/timeline"]),
    st.dictionaries(
        st.sampled_from(["cursor", "limit", "kind", "x"]), st.text(max_size=30) | st.integers(), max_size=3
    ),
)
def test_any_address_is_answered_as_documented(sample_api: Api, one_id: str, part: str, query: dict[str, Any]) -> None:
    try:
        path = f"/v1/profiles/{quote(one_id, safe='')}{part}"
    except UnicodeEncodeError:
        path = f"/v1/profiles/%ED%A0%80{part}"
    if "/" in one_id or one_id in (".", ".."):
        assert sample_api.get(path, params=query).status_code in (200, 404, 405, 422)
        return
    check(sample_api, "GET", path, template=f"/v1/profiles/{{one_id}}{part}", params=query)
