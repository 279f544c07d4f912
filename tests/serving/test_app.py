from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from fastapi import FastAPI

from serving.contract import snapshot_path
from serving.middleware import SECURITY_HEADERS
from tests.serving.client import Api, World
from tests.serving.sample import ANNA, CONTESTED, PHONE, map_rows, point, publish, sample_inputs, token

JSON = {"Content-Type": "application/json"}
SECRET = "13912345670"


def send(api: Api, body: bytes | str, **headers: str) -> Any:
    return api.ask("POST", "/v1/profiles/lookup", content=body, headers={**JSON, **headers})


@pytest.mark.e2e
def test_the_api_loads_neither_spark_nor_its_own_writer() -> None:
    heavy = "{'pyspark', 'py4j', 'great_expectations', 'pyarrow', 'pandas', 'deltalake', 'pipelines'}"
    probe = f"import sys, serving.app, serving.run; print(sorted({heavy} & set(sys.modules)))"
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", probe], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/readyz", "/openapi.json", f"/v1/profiles/{ANNA}", "/v1/nothing", "/no"]
)
def test_every_answer_has_the_security_headers_and_an_id(sample_api: Api, path: str) -> None:
    headers = sample_api.get(path).headers
    assert {name: headers.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS
    assert len(headers["X-Request-Id"]) == 16


def test_the_policy_for_contents_allows_nothing() -> None:
    policy = SECURITY_HEADERS["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_the_id_of_a_request_is_the_apis_own(sample_api: Api) -> None:
    answer = sample_api.get("/no", headers={"X-Request-Id": SECRET})
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"] != SECRET


@pytest.mark.parametrize("path", [f"/v1/profiles/{ANNA}", "/v1/profiles/nobody", f"/v1/profiles/{ANNA}/tags"])
def test_answers_name_the_snapshot_they_were_read_from(sample_api: Api, path: str) -> None:
    assert sample_api.get(path).headers["X-Snapshot-Id"] == "s1"


def test_other_origins_get_no_leave(sample_api: Api) -> None:
    answer = sample_api.get("/readyz", headers={"Origin": "https://elsewhere.example"})
    preflight = sample_api.ask(
        "OPTIONS",
        "/v1/profiles/lookup",
        headers={"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "POST"},
    )
    assert [name for name in (*answer.headers, *preflight.headers) if name.lower().startswith("access-control")] == []
    assert preflight.status_code == 405


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/docs/oauth2-redirect"])
def test_there_are_no_pages_that_load_foreign_scripts(sample_api: Api, path: str) -> None:
    assert sample_api.get(path).status_code == 404


def test_the_index_names_addresses_that_exist(sample_api: Api) -> None:
    known = {*sample_api.get("/openapi.json").json()["paths"], "/openapi.json"}
    assert set(sample_api.get("/").json().values()) <= known


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"", 422),
        (b"\xff\xfe", 400),
        (b'{"identifier": ' + b'"x' * 5, 400),
        (b"[" * 50_000, 400),
        (b"nul", 400),
    ],
    ids=["cut", "empty", "no utf-8", "no end", "too deep", "no json"],
)
def test_a_body_that_is_no_json_is_refused(sample_api: Api, body: bytes, status: int) -> None:
    assert send(sample_api, body).status_code == status


def test_a_body_of_another_type_is_refused(sample_api: Api) -> None:
    answer = send(sample_api, b"<a/>", **{"Content-Type": "application/xml"})
    assert answer.status_code == 422


@pytest.mark.parametrize("text", ["\\ud800", "\\u0000", "'; DROP TABLE profiles; --", "%s%n", "\\u202e" * 9, "x" * 512])
def test_a_hostile_identifier_finds_nobody(sample_api: Api, text: str) -> None:
    assert send(sample_api, f'{{"identifier": "{text}"}}').status_code in (400, 404, 422)
    assert send(sample_api, f'{{"namespace":"wx_openid","scope":"{text[:64]}","value":"{text}"}}').status_code in (
        400,
        404,
        422,
    )


def test_an_identifier_longer_than_allowed_is_refused(sample_api: Api) -> None:
    assert sample_api.post("/v1/profiles/lookup", {"identifier": "x" * 513}).status_code == 422


def test_a_huge_body_is_refused_when_it_is_announced(sample_api: Api) -> None:
    answer = send(sample_api, b" " * 65_537)
    assert (answer.status_code, answer.json()["type"]) == (413, "urn:oneid:problem:body-too-large")


def test_a_huge_body_without_length_is_refused_while_it_is_read(sample_api: Api) -> None:
    sent = []

    async def parts() -> AsyncIterator[bytes]:
        for number in range(1_000):
            sent.append(number)
            yield b" " * 1_024

    answer = sample_api.ask("POST", "/v1/profiles/lookup", content=parts(), headers=JSON)
    assert answer.status_code == 413
    assert len(sent) <= 70


@pytest.mark.parametrize("length", ["-1", "x", "1e9", "99999999999999999999"])
def test_a_false_length_is_refused(sample_api: Api, length: str) -> None:
    assert send(sample_api, b"{}", **{"Content-Length": length}).status_code == 413


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/v1/profiles/lookup"), ("DELETE", f"/v1/profiles/{ANNA}"), ("POST", "/readyz")]
)
def test_another_method_is_not_allowed(sample_api: Api, method: str, path: str) -> None:
    answer = sample_api.ask(method, path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (405, "application/problem+json")


def test_a_refusal_never_repeats_what_was_sent(sample_api: Api) -> None:
    bodies = (
        {"identifier": [SECRET]},
        {"namespace": SECRET, "value": SECRET},
        {"identifiers": [{"namespace": "phone", "value": {"x": SECRET}}]},
        {"where": SECRET},
        {"identifier": "x", "at": SECRET + "x"},
    )
    texts = [
        sample_api.post(path, body).text for body in bodies for path in ("/v1/profiles/lookup", "/v1/segments/preview")
    ]
    assert [text for text in texts if SECRET in text] == []


def test_a_refusal_says_where_the_form_is_wrong(sample_api: Api) -> None:
    document = sample_api.post("/v1/profiles/lookup", {"namespace": "phone"}).json()
    assert document["errors"] == [{"at": "body.parts.value", "problem": "Field required"}]
    assert (document["title"], document["status"]) == ("The request does not have the documented form", 422)


class TestUnforeseenFailures:
    """A defect of the program: the caller gets an id, the log class and place, nobody a value."""

    @pytest.fixture
    def failing(self, published: World, monkeypatch: pytest.MonkeyPatch) -> Api:
        def fail(*_: object) -> None:
            raise RuntimeError(f"value {SECRET}")

        api = published.api()
        monkeypatch.setattr("serving.routers.profiles._orders", fail)
        return api

    def test_the_answer_holds_no_trace(self, failing: Api) -> None:
        answer = failing.get(f"/v1/profiles/{ANNA}")
        assert (answer.status_code, answer.headers["Content-Type"]) == (500, "application/problem+json")
        assert answer.json()["detail"] == "the request failed; the log has more under its request id"
        assert answer.headers["Content-Security-Policy"]

    def test_the_log_has_class_and_place_under_the_same_id(self, failing: Api) -> None:
        with structlog.testing.capture_logs() as lines:
            request_id = failing.get(f"/v1/profiles/{ANNA}").headers["X-Request-Id"]
        failure = next(line for line in lines if line["event"] == "request failed")
        assert (failure["request_id"], failure["error"]) == (request_id, "RuntimeError")
        assert failure["place"].partition(":")[0].endswith("test_app.py")
        assert SECRET not in str(lines)


def test_the_log_names_routes_and_no_person(published: World) -> None:
    api = published.api()
    with structlog.testing.capture_logs() as lines:
        api.get(f"/v1/profiles/{ANNA}/timeline?limit=1")
        api.post("/v1/profiles/lookup", {"identifier": PHONE})
        api.post("/v1/profiles/lookup", {"identifier": "phone::x"})
        api.get(f"/{PHONE}/x")
        api.get(f"/v1/profiles/{PHONE}")
    assert [(line["route"], line["status"]) for line in lines] == [
        ("/v1/profiles/{one_id}/timeline", 200),
        ("/v1/profiles/lookup", 200),
        ("/v1/profiles/lookup", 422),
        ("unmatched", 404),
        ("/v1/profiles/{one_id}", 404),
    ]
    values = (ANNA, PHONE, CONTESTED, token(PHONE), *(row["value"] for row in map_rows()))
    assert [value for value in values if value in str(lines)] == []


def test_the_log_says_who_asked_and_what_was_served(published: World) -> None:
    made = published.key()
    api = published.api_with(made.token)
    with structlog.testing.capture_logs() as lines:
        api.get(f"/v1/profiles/{ANNA}")
    assert (lines[0]["key_id"], lines[0]["snapshot_id"], lines[0]["method"]) == (made.key.key_id, "s1", "GET")
    assert made.token not in str(lines)


def test_the_figures_count_by_route_and_status(published: World) -> None:
    api = published.api()
    for path in (f"/v1/profiles/{ANNA}", "/v1/profiles/nobody", "/v1/profiles/nobody", f"/{PHONE}"):
        api.get(path)
    text = api.get("/metrics").text
    assert 'cdp_api_requests_total{method="GET",route="/v1/profiles/{one_id}",status="404"} 2.0' in text
    assert 'cdp_api_requests_total{method="GET",route="unmatched",status="404"} 1.0' in text
    assert "cdp_snapshot_ready 1.0" in text
    assert PHONE not in text


def test_made_up_methods_do_not_multiply_the_figures(published: World) -> None:
    api = published.api()
    for method in ("BREW", "MELT"):
        api.ask(method, "/readyz")
    text = api.get("/metrics").text
    assert 'method="other"' in text
    assert "BREW" not in text


class TestReadiness:
    """`/readyz` follows what is published."""

    def test_before_the_first_publish_it_names_the_next_command(self, world: World) -> None:
        answer = world.api().get("/readyz")
        assert (answer.status_code, answer.json()["hint"]) == (503, "run `cdp run`; it publishes at its end")

    def test_before_the_first_publish_look_ups_do_so_too(self, world: World) -> None:
        answer = world.api().post("/v1/profiles/lookup", {"identifier": PHONE})
        assert (answer.status_code, answer.json()["hint"]) == (503, "run `cdp run`; it publishes at its end")

    def test_the_process_is_healthy_all_the_same(self, world: World) -> None:
        assert world.api().get("/healthz").json() == {"status": "ok"}

    def test_it_is_ready_with_the_first_publish(self, world: World) -> None:
        api = world.api()
        assert api.get("/readyz").status_code == 503
        publish(world.home, sample_inputs())
        assert api.get("/readyz").json()["snapshot_id"] == "s1"

    def test_a_damaged_first_snapshot_names_both_ways_out(self, published: World) -> None:
        snapshot_path(published.home, "s1").write_bytes(b"damaged")
        answer = published.api().get("/readyz")
        assert (answer.status_code, answer.json()["hint"]) == (
            503,
            "run `cdp verify` to see what is damaged, `cdp publish --rollback` to go back to the one before",
        )

    def test_a_damaged_newer_snapshot_is_told_while_the_one_before_is_served(self, published: World) -> None:
        api = published.api()
        assert api.get("/readyz").json()["problem"] is None
        point(published.home, "s2")
        document = api.get("/readyz").json()
        assert (document["snapshot_id"], document["problem"]) == (
            "s1",
            "no serving snapshot: the file cannot be opened",
        )
        assert api.get(f"/v1/profiles/{ANNA}").status_code == 200


def test_the_application_lets_go_of_its_files_when_it_stops(published: World) -> None:
    api = published.api()
    api.get("/readyz")

    async def live_and_die(app: FastAPI) -> None:
        async with app.router.lifespan_context(app):
            pass

    api.loop.run_until_complete(live_and_die(api.app))
    assert api.app.state.runtime.holder._current is None


def test_the_document_is_what_the_golden_file_says(sample_api: Api, golden: Any) -> None:
    document = sample_api.get("/openapi.json").json()
    golden(
        json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n",
        Path(__file__).parent / "openapi.json",
    )


def test_the_document_asks_for_a_key_below_v1_only(sample_api: Api) -> None:
    paths = sample_api.get("/openapi.json").json()["paths"]
    guarded = {path for path, operations in paths.items() if all("security" in each for each in operations.values())}
    assert guarded == {path for path in paths if path.startswith("/v1/")}
