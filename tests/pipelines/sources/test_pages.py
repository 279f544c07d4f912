"""Pages: their records byte for byte, empty pages told from errors and from records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from pipelines.sources.base import RecordRefusedError
from pipelines.sources.pages import split_pages

PATHS = (("data", "list"), ("data", "detail"))


def failed(envelope: Mapping[str, Any]) -> str | None:
    return f"code {envelope['code']}" if envelope.get("code", 0) else None


def test_the_elements_of_a_list_are_records_byte_for_byte() -> None:
    raw = b'{"data":{"list":[ {"id": 3660207428038974332 ,"n":1.0},{"id":2}]}}'
    assert split_pages(raw, PATHS) == [b'{"id": 3660207428038974332 ,"n":1.0}', b'{"id":2}']


def test_a_single_object_is_one_record() -> None:
    assert split_pages(b'{"data":{"detail":{"id":1}}}', PATHS) == [b'{"id":1}']


def test_an_array_is_its_elements() -> None:
    assert split_pages(b'[{"id":1},{"id":2}]', PATHS) == [b'{"id":1}', b'{"id":2}']


def test_what_is_no_answer_is_itself_a_record() -> None:
    assert split_pages(b'{"id":1}', PATHS, envelope=lambda keys: "data" in keys) == [b'{"id":1}']


@pytest.mark.parametrize("raw", [b'{"data":{}}', b'{"data":null}', b'{"data":{"list":null}}', b'{"data":{"list":[]}}'])
def test_an_answer_without_records_is_an_empty_page(raw: bytes) -> None:
    assert split_pages(raw, PATHS, envelope=lambda keys: "data" in keys) == []


def test_an_error_answer_is_refused_with_what_the_platform_said() -> None:
    with pytest.raises(RecordRefusedError, match="platform_error: code 7"):
        split_pages(b'{"code":7,"data":{"list":[]}}', PATHS, failed)


@pytest.mark.parametrize("raw", [b'{"data":{"list":[{"id":1', b"[1,2", b'{"data":{"list":[}}'])
def test_a_broken_answer_is_refused_without_repeating_it(raw: bytes) -> None:
    with pytest.raises(RecordRefusedError, match="bad_json") as refusal:
        split_pages(raw, PATHS)
    assert "list" not in refusal.value.detail.removeprefix("no valid JSON list")


@pytest.mark.parametrize(
    "payload",
    [
        b'{"code":10000,"data":"{\\"list\\":[{\\"id\\":1},{\\"id\\":2}]}"}',
        b'{"code":10000,"data":{"list":"[{\\"id\\":1},{\\"id\\":2}]"}}',
    ],
)
def test_a_page_inside_a_json_text_is_no_empty_page(payload: bytes) -> None:
    found = split_pages(payload, [("data", "list")], envelope=lambda keys: "data" in keys)
    assert list(found) == [b'{"id":1}', b'{"id":2}']
