"""The bodies in which behaviour events arrive."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any
from urllib.parse import quote

import pytest

from pipelines.sources import miniprogram_events
from pipelines.sources.base import RecordRefusedError
from pipelines.sources.miniprogram_events import PARSERS
from tests.pipelines.sources.private_domain import one_row, read, rows

PARSER = PARSERS[0]


def event(number: int) -> dict[str, Any]:
    known = {"distinct_id": f"d{number}", "type": "track", "event": "$MPShow", "time": 1735700530000 + number}
    return known | {"_track_id": number, "properties": {"$title": "?>~商品"}}


def body(name: str, value: Any, *, zipped: bool = False, quoted: bool = True) -> bytes:
    content = json.dumps(value, ensure_ascii=False).encode()
    encoded = base64.b64encode(gzip.compress(content) if zipped else content).decode()
    return f"{name}={quote(encoded, safe='') if quoted else encoded}".encode()


def names(payload: Any) -> list[str]:
    return [one_row(one, "events")["event_id"] for one in read(PARSER, payload)]


PLAIN = names([event(1), event(2)])


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("quoted", [False, True])
def test_a_batch_in_an_encoded_body_holds_the_same_events(zipped: bool, quoted: bool) -> None:
    assert names(body("data_list", [event(1), event(2)], zipped=zipped, quoted=quoted)) == PLAIN


def test_a_single_event_in_an_encoded_body_is_the_same_event() -> None:
    assert names(body("data", event(1))) == PLAIN[:1]


def test_other_fields_of_the_body_do_not_matter() -> None:
    assert names(b"crc=-17&gzip=1&" + body("data_list", [event(1)], zipped=True) + b"&ext=crc%3D-17") == PLAIN[:1]


def test_an_event_that_is_decoded_already_is_one_record() -> None:
    assert names(event(1)) == PLAIN[:1]


@pytest.mark.parametrize("address", ["pages/x?a=1&data=2", "pages/x?a=1&data_list=2"])
def test_an_event_whose_first_field_holds_an_address_with_data_is_no_encoded_body(address: str) -> None:
    first = {"properties": {"$url": address}}
    assert names(first | {key: value for key, value in event(1).items() if key not in first}) == PLAIN[:1]
    assert names([first | event(1)]) == PLAIN[:1]


@pytest.mark.parametrize("payload", [b"data_list=", b"data=%%%", b"data=!!!!", b"data_list=H4sIAAAA"])
def test_a_body_that_cannot_be_decoded_is_refused(payload: bytes) -> None:
    with pytest.raises(RecordRefusedError, match="bad_body"):
        read(PARSER, payload)


def test_a_body_that_unpacks_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(miniprogram_events, "MAX_BODY_BYTES", 1000)
    with pytest.raises(RecordRefusedError, match="longer than 1000 bytes"):
        read(PARSER, body("data", {"x": "y" * 2000}, zipped=True))


def test_a_body_that_holds_no_json_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match="bad_json"):
        read(PARSER, b"data_list=" + base64.b64encode(b"[{"))


def test_the_dialects_are_told_apart() -> None:
    youshu = {"type": "app_show", "props": {"time": "1735700530000", "wx_user": {"open_id": "o1"}}}
    assert [rows(one, "events")[0]["source"] for one in read(PARSER, [event(1), youshu])] == ["sensors", "youshu"]


def test_what_is_no_object_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match="bad_shape"):
        read(PARSER, ["[object Object]"])
