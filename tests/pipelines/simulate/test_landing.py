"""Landing files: wrappers, pages, faults of the transport, and memory that does not grow with the files."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from pipelines.simulate import Dirt, SimulationConfig, files
from pipelines.simulate.clock import Clock
from pipelines.simulate.faults import broken_element, broken_payload, truncated
from pipelines.simulate.files import Appender
from pipelines.simulate.landing import Channel, Landing

CLOCK = Clock("2025-01-01", 3)
ONE_ID = Channel(
    "consents", "k", {"brand": "b"}, lambda found, at: {"list": found, "at": at}, lambda at: {"error": at}, 2
)


def landing(tmp_path: Path, **rates: float) -> tuple[Landing, Appender]:
    config = SimulationConfig(people=1, days=3, dirt=Dirt(**{**dict.fromkeys(ALL, 0.0), **rates}))
    appender = Appender(tmp_path)
    return Landing(config, CLOCK, appender, "part-0000"), appender


ALL = Dirt.__dataclass_fields__


def read(tmp_path: Path, feed: str, day: str = "2025-01-01") -> list[Any]:
    raw = (tmp_path / "landing" / feed / day / "part-0000.jsonl").read_text()
    return [json.loads(line) for line in raw.splitlines()]


def test_a_line_carries_context_and_arrival(tmp_path: Path) -> None:
    target, _ = landing(tmp_path)
    target.line("staff", "s1", CLOCK.start + 60, {"brand": "b"}, {"userid": "s1"})
    target.close()
    context = {"brand": "b", "received_at": "2025-01-01T00:01:00+08:00"}
    assert read(tmp_path, "staff") == [{"context": context, "payload": {"userid": "s1"}}]


def test_history_arrives_on_the_first_morning(tmp_path: Path) -> None:
    target, _ = landing(tmp_path)
    target.line("staff", "s1", CLOCK.start - 9_999_999, {}, {})
    target.close()
    assert read(tmp_path, "staff")[0]["context"]["received_at"] == "2025-01-01T06:00:00+08:00"


def test_elements_wait_for_a_full_page(tmp_path: Path) -> None:
    target, _ = landing(tmp_path)
    for number in range(3):
        target.item(ONE_ID, str(number), 0, {"subject": number})
    target.close()
    pages = [line["payload"]["list"] for line in read(tmp_path, "consents")]
    assert pages == [[{"subject": 0}, {"subject": 1}], [{"subject": 2}]]


def test_a_page_arrives_in_the_last_second_of_its_day(tmp_path: Path) -> None:
    target, _ = landing(tmp_path)
    target.item(ONE_ID, "1", 1, {"subject": 1})
    target.close()
    (page,) = read(tmp_path, "consents", "2025-01-02")
    assert page["context"]["received_at"] == "2025-01-02T23:59:59+08:00"


def test_a_record_pulled_again_is_counted_and_listed(tmp_path: Path) -> None:
    target, _ = landing(tmp_path, duplicates=1.0)
    target.item(ONE_ID, "n1", 0, {"subject": 1, "cipher": 1}, lambda record, _rng: record.update(cipher=2))
    target.close()
    assert read(tmp_path, "consents")[0]["payload"]["list"] == [
        {"subject": 1, "cipher": 1},
        {"subject": 1, "cipher": 2},
    ]
    assert (target.counts.records["consents"], target.counts.duplicates["consents"]) == (2, 1)
    fault = json.loads((tmp_path / "truth" / "part-0000" / "faults.jsonl").read_text())
    assert fault == {"kind": "duplicate", "feed": "consents", "interval": "2025-01-01", "record": "n1"}


def test_a_broken_copy_comes_beside_the_whole_record(tmp_path: Path) -> None:
    target, _ = landing(tmp_path, broken=1.0)
    target.item(ONE_ID, "n1", 0, {"subject": 1, "at": 5})
    target.close()
    whole, broken = read(tmp_path, "consents")[0]["payload"]["list"]
    assert whole == {"subject": 1, "at": 5}
    assert broken in ({"at": 5}, "[object 1]")


def test_a_cut_line_comes_beside_the_whole_one(tmp_path: Path) -> None:
    target, _ = landing(tmp_path, broken=1.0)
    target.line("staff", "s1", CLOCK.start, {}, {"userid": "s1"})
    target.close()
    whole, cut = (tmp_path / "landing" / "staff" / "2025-01-01" / "part-0000.jsonl").read_bytes().splitlines()
    assert json.loads(whole)["payload"] == {"userid": "s1"}
    with pytest.raises(json.JSONDecodeError):
        json.loads(cut)


def test_an_error_answer_is_no_page_and_the_page_follows(tmp_path: Path) -> None:
    target, _ = landing(tmp_path, error_answers=1.0)
    target.item(ONE_ID, "1", 0, {"subject": 1})
    target.close()
    payloads = [line["payload"] for line in read(tmp_path, "consents")]
    assert payloads[0].keys() == {"error"}
    assert payloads[1]["list"] == [{"subject": 1}]
    assert target.counts.records["consents"] == 1
    assert target.counts.errors["consents"] == 1


def test_counts_of_parts_add_up(tmp_path: Path) -> None:
    one, _ = landing(tmp_path)
    two, _ = landing(tmp_path)
    one.line("staff", "s1", CLOCK.start, {}, {})
    two.line("staff", "s2", CLOCK.start, {}, {}, records=4)
    one.counts.add(two.counts)
    assert one.counts.records["staff"] == 5


def test_held_lines_are_written_before_they_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_FLUSH_AT", 10)
    appender = Appender(tmp_path)
    appender.append("a/b.jsonl", b"123456\n")
    assert not (tmp_path / "a").exists()
    appender.append("a/c.jsonl", b"123456\n")
    assert (tmp_path / "a" / "b.jsonl").read_bytes() == b"123456\n"


def test_lines_follow_what_a_file_already_holds(tmp_path: Path) -> None:
    appender = Appender(tmp_path)
    for number in range(2):
        appender.append_json("t.jsonl", {"n": number})
        appender.flush()
    assert (tmp_path / "t.jsonl").read_text() == '{"n":0}\n{"n":1}\n'


@pytest.mark.parametrize("seed", range(6))
def test_every_broken_element_lacks_what_no_reader_can_do_without(seed: int) -> None:
    record = {"tid": 1, "tid_str": "1", "payment": "1.00"}
    kind, copy = broken_element("tmall_trades", record, Random(seed))
    expected = {
        "not_an_object": "[object 1]",
        "missing_field": {"payment": "1.00"},
        "bad_amount": {"tid": 1, "tid_str": "1", "payment": "12,3x"},
    }
    assert copy == expected[kind]
    assert record == {"tid": 1, "tid_str": "1", "payment": "1.00"}


@pytest.mark.parametrize("seed", range(4))
def test_every_broken_payload_lacks_what_no_reader_can_do_without(seed: int) -> None:
    kind, copy = broken_payload("shop_orders", {"order_id": "M1", "paid_fen": 5}, Random(seed))
    assert (kind, copy) in (("missing_field", {"paid_fen": 5}), ("bad_amount", {"order_id": "M1", "paid_fen": "12,3x"}))


def test_a_cut_line_stays_readable_text() -> None:
    cut = truncated('{"name":"示例示例示例"}\n'.encode())
    assert cut.endswith(b"\n")
    assert cut.decode().startswith('{"name":"')
