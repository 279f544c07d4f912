"""Landing lines become records byte for byte, secrets are gone before anything is kept, broken lines are told apart."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipelines.jobs.landing import chunks, find_files, make_batch
from pipelines.jobs.records import (
    DamagedFileError,
    RawRecord,
    decode,
    make_record,
    read_lines,
    record_digest,
    records_of_line,
)
from pipelines.jobs.wrapper import make_context, redact
from pipelines.sources.base import FeedParser, Parsed, Record, RecordRefusedError, Settings
from pipelines.sources.pages import split_pages

DAY = "2025-03-01"
SETTINGS = Settings("things", context_defaults={"shop_id": "default", "brand": "brandA"})


def _error(envelope: Any) -> str | None:
    return "code 1" if envelope.get("code") == 1 else None


def _parse(record: Record) -> Parsed:
    return Parsed()


PARSER = FeedParser(
    feed="staff",
    source="things",
    split=lambda payload, context: split_pages(payload, [("data", "list")], _error),
    parse=_parse,
    tables=(),
    volatile=("_flush_time", "encrypt_*"),
)


def read(line: str | bytes, parser: FeedParser = PARSER) -> list[RawRecord]:
    raw = line.encode() if isinstance(line, str) else line
    return list(records_of_line(7, raw, parser=parser, settings=SETTINGS, interval=DAY))


def wrapped(payload: Any, **context: Any) -> str:
    return json.dumps({"context": context, "payload": payload})


def test_the_elements_of_a_wrapped_page_are_its_records_byte_for_byte() -> None:
    found = read('{"context":{"shop_id":"s1"},"payload":{"code":0,"data":{"list":[ {"a": 1.0} ,{"a":2}]}}}')
    assert [(r.line, r.element, r.payload) for r in found] == [(7, 0, b'{"a": 1.0}'), (7, 1, b'{"a":2}')]


def test_the_wrapper_overrides_the_defaults_of_the_source() -> None:
    (found,) = read(wrapped({"a": 1}, shop_id="s1"))
    assert found.context is not None
    assert (found.context.shop_id, found.context.brand, found.context.interval) == ("s1", "brandA", DAY)


def test_a_line_without_a_wrapper_takes_the_defaults_of_the_source() -> None:
    (found,) = read('{"a":1}')
    assert found.context is not None
    assert (found.context.shop_id, found.payload, found.context_json) == ("default", b'{"a":1}', "{}")


def test_the_context_keeps_parameters_and_the_time_of_arrival() -> None:
    (found,) = read(wrapped({"a": 1}, params={"userid": "u1"}, received_at="2025-03-02T01:00:00+08:00"))
    assert found.context is not None
    assert (found.context.params, found.context.received_ms) == ({"userid": "u1"}, 1740848400000)


@pytest.mark.parametrize("received", [1740848400, 1740848400000, "1740848400", "2025-03-01T17:00:00Z"])
def test_the_time_of_arrival_may_be_epoch_seconds_or_milliseconds(received: object) -> None:
    (found,) = read(wrapped({"a": 1}, received_at=received))
    assert found.context is not None
    assert found.context.received_ms == 1740848400000


@pytest.mark.parametrize("line", ['{"payload":{"a":1}}', '{"context":null,"payload": {"a":1}}'])
def test_a_wrapper_without_context_takes_the_defaults_of_the_source(line: str) -> None:
    (found,) = read(line)
    assert found.context is not None
    assert (found.context.shop_id, found.payload, found.context_json) == ("default", b'{"a":1}', "{}")


def test_a_record_that_has_a_payload_among_other_fields_is_no_wrapper() -> None:
    (found,) = read('{"payload":{"a":1},"id":7}')
    assert found.payload == b'{"payload":{"a":1},"id":7}'


def test_context_keys_nobody_knows_stay_in_the_stored_context() -> None:
    (found,) = read(wrapped({"a": 1}, novelty=1))
    assert found.context_json == '{"novelty":1}'


def test_a_string_payload_is_its_text() -> None:
    (found,) = read(wrapped("<xml><A>b</A></xml>"))
    assert found.payload == b"<xml><A>b</A></xml>"


@pytest.mark.parametrize("line", ['{"context":{"shop_id":"s1"},"payl', '"cut', '{"context":3,"payload":{}}', "[1,"])
def test_a_broken_line_is_one_refused_record_that_keeps_its_text(line: str) -> None:
    (found,) = read(line)
    assert found.refusal is not None
    assert found.refusal.reason in ("bad_json", "bad_context")
    assert found.payload == line.encode()


def test_a_refusal_says_the_place_and_never_the_text() -> None:
    (found,) = read('{"name":"secretive",,}')
    assert found.refusal is not None
    assert "secretive" not in found.refusal.detail


def test_an_arrival_time_without_offset_refuses_the_line() -> None:
    (found,) = read(wrapped({"a": 1}, received_at="2025-03-02 01:00:00"))
    assert found.refusal is not None
    assert found.refusal.reason == "bad_value"


def test_an_error_answer_of_the_platform_is_one_refused_record() -> None:
    (found,) = read(wrapped({"code": 1, "data": {"list": []}}))
    assert found.refusal is not None
    assert found.refusal.reason == "platform_error"


def test_an_empty_page_has_no_records() -> None:
    assert read(wrapped({"code": 0, "data": {"list": []}})) == []


def test_a_payload_its_parser_stumbles_over_is_refused_and_not_the_run() -> None:
    def stumble(payload: bytes, context: object) -> list[bytes]:
        raise KeyError("13912345678")

    (found,) = read('{"a":1}', FeedParser("staff", "things", stumble, _parse, ()))
    assert found.refusal is not None
    assert (found.refusal.reason, "139" in found.refusal.detail) == ("unreadable", False)


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        (b'{"session_key": "a\\"b=="}', b'{"session_key": "<redacted>"}'),
        (b'{"payload":"{\\"session_key\\":\\"ab==\\"}"}', b'{"payload":"{\\"session_key\\":\\"<redacted>\\"}"}'),
        (b'{"session_key":"cut', b'{"session_key":"<redacted>"'),
        (
            b"<xml><WelcomeCode><![CDATA[CODE]]></WelcomeCode></xml>",
            b"<xml><WelcomeCode><![CDATA[<redacted>]]></WelcomeCode></xml>",
        ),
        (
            b"<xml><WelcomeCode>CODE</WelcomeCode></xml>",
            b"<xml><WelcomeCode>&lt;redacted&gt;</WelcomeCode></xml>",
        ),
        (
            b'"<xml><WelcomeCode><![CDATA[CODE]]><\\/WelcomeCode><\\/xml>"',
            b'"<xml><WelcomeCode><![CDATA[<redacted>]]><\\/WelcomeCode><\\/xml>"',
        ),
        (b"<xml><WelcomeCode><![CDATA[CODE", b"<xml><WelcomeCode><![CDATA[<redacted>"),
        (b'{"openid":"o1"}', b'{"openid":"o1"}'),
    ],
)
def test_secrets_are_redacted_and_nothing_else_is_touched(raw: bytes, kept: bytes) -> None:
    assert redact(raw) == kept


def test_redacting_again_changes_nothing() -> None:
    raw = b'{"session_key":"a"} <WelcomeCode><![CDATA[CODE]]></WelcomeCode><WelcomeCode>x</WelcomeCode>'
    assert redact(redact(raw)) == redact(raw)


@pytest.mark.parametrize("escaped", ['"{\\"session_key\\":\\"SECRET\\"}"', '"\\u007b\\"session_key\\":\\"SECRET\\"}"'])
def test_a_secret_inside_an_encoded_payload_reaches_no_record(escaped: str) -> None:
    (found,) = read('{"context":{},"payload":' + escaped + "}")
    assert found.payload == b'{"session_key":"<redacted>"}'


def test_the_digest_does_not_depend_on_key_order_or_volatile_fields() -> None:
    one = {"a": 1, "b": [{"encrypt_tel": "x", "c": 2}], "_flush_time": 3}
    two = {"b": [{"c": 2, "encrypt_tel": "y"}], "_flush_time": 4, "a": 1}
    assert record_digest(one, PARSER.volatile) == record_digest(two, PARSER.volatile)


@pytest.mark.parametrize("spaced", [False, True])
def test_volatile_fields_inside_json_texts_do_not_count_however_deep(spaced: bool) -> None:
    def pushed(cipher: str, detail: str = "x") -> dict[str, Any]:
        separators = (", ", ": ") if spaced else (",", ":")
        address = json.dumps({"encrypt_detail": cipher, "town": detail}, separators=separators)
        trade = {"trade": {"encrypt_tel": cipher, "list": [{"encrypt_x": cipher}], "post_addr": address}}
        return {"tid": 1, "answer": json.dumps(trade, separators=separators)}

    assert record_digest(pushed("##a#1##"), PARSER.volatile) == record_digest(pushed("##b#1##"), PARSER.volatile)
    assert record_digest(pushed("a"), PARSER.volatile) != record_digest(pushed("a", "y"), PARSER.volatile)


@pytest.mark.parametrize(
    "text",
    [
        '{"b": 1, "a": "x"}',
        '{"note": "he said \\"encrypt_ me\\""}',
        '{"encrypt_tel": broken',
        'say "encrypt_tel":"x"',
        "[1, 2]",
    ],
)
def test_a_text_without_volatile_fields_keeps_the_digest_it_always_had(text: str) -> None:
    plain = hashlib.blake2b(orjson.dumps({"memo": text}), digest_size=16).hexdigest()
    assert record_digest({"memo": text}, PARSER.volatile) == plain


def test_the_digest_depends_on_every_other_value() -> None:
    assert record_digest({"a": 1}, ()) != record_digest({"a": "1"}, ())


def test_the_digest_leaves_the_context_out_but_for_what_the_feed_names() -> None:
    parser = FeedParser("staff", "things", PARSER.split, _parse, (), hash_context=("shop_id", "params.userid"))

    def digest(use: FeedParser, **context: Any) -> str:
        (found,) = read(wrapped({"a": 1}, **context), use)
        return make_record(found, use, SETTINGS).digest

    assert digest(PARSER, shop_id="s1") == digest(PARSER, shop_id="s2")
    assert digest(parser, shop_id="s1") != digest(parser, shop_id="s2")
    assert digest(parser, params={"userid": "u1"}) != digest(parser, params={"userid": "u2"})
    assert digest(parser, app_key="k1") == digest(parser, app_key="k2")


def test_a_refused_line_makes_no_record() -> None:
    (found,) = read("{")
    with pytest.raises(RecordRefusedError, match="bad_json"):
        make_record(found, PARSER, SETTINGS)


def test_text_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match="bad_encoding"):
        decode(b"<xml>\xff</xml>")


def test_only_known_keys_become_context() -> None:
    context = make_context({"app_key": 7000001, "feed": "other", "interval": "1999-01-01"}, "staff", SETTINGS, DAY)
    assert (context.app_key, context.feed, context.interval) == ("7000001", "staff", DAY)


def lines_of(path: Path, longest: int = 1000) -> list[tuple[int, bytes]]:
    batch = make_batch("staff", DAY, find_files([path]))
    return [line for chunk in chunks(batch, 1024) for line in read_lines(chunk, longest)]


def test_empty_lines_are_left_out_and_the_numbers_stay_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"a":1}\r\n\n  \n{"a":2}')
    assert lines_of(path) == [(1, b'{"a":1}'), (4, b'{"a":2}')]


def test_a_document_is_one_line_without_what_surrounds_it(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'\xef\xbb\xbf\n{"a":\n1}\n')
    assert lines_of(path) == [(1, b'{"a":\n1}')]


def test_a_line_beyond_the_limit_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"x" * 50 + b"\nshort\n")
    assert lines_of(path, longest=10) == [(1, b"x" * 10), (2, b"short")]


def test_a_compressed_file_reads_like_a_plain_one(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"a":1}\n\n{"a":2}\n'))
    assert lines_of(path) == [(1, b'{"a":1}'), (3, b'{"a":2}')]


@pytest.mark.parametrize(
    "damage", [lambda raw: raw[:-9], lambda raw: raw[:30] + b"\x00" * 9 + raw[39:], lambda raw: b"x"]
)
def test_a_cut_or_broken_compressed_file_is_damaged(tmp_path: Path, damage: Any) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(damage(gzip.compress("".join(f'{{"a":{n}}}\n' for n in range(200)).encode())))
    with pytest.raises(DamagedFileError):
        lines_of(path)
