"""The landing gets whole files or none, each line an answer byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.connectors.sink import Sink

AT = "2025-03-02T01:00:00+08:00"


def sink(home: Path) -> Sink:
    return Sink(home, interval="2025-03-02", received_at=AT)


def files(home: Path) -> list[Path]:
    return sorted(path for path in home.rglob("*.jsonl"))


def test_an_answer_is_kept_byte_for_byte_but_for_line_breaks(tmp_path: Path) -> None:
    raw = b'{ "amount" : 1.10,\n "id":6923456789012345678, "text":"a\\nb" }\r\n'
    with sink(tmp_path).part("douyin_orders", "x") as part:
        part.add({"app_key": "7", "shop_id": ""}, raw, records=1)
    [path] = files(tmp_path)
    assert path == tmp_path / "douyin_orders" / "2025-03-02" / "pull-x.jsonl"
    kept = raw.replace(b"\r", b" ").replace(b"\n", b" ")
    assert path.read_bytes() == (
        b'{"context":{"app_key":"7","received_at":"2025-03-02T01:00:00+08:00"},"payload":' + kept + b"}\n"
    )


def test_a_part_that_fails_leaves_nothing_in_the_landing(tmp_path: Path) -> None:
    def stop_halfway() -> None:
        with sink(tmp_path).part("douyin_orders", "x") as part:
            part.add({}, b"{}", records=1)
            raise ValueError("stopped")

    with pytest.raises(ValueError, match="stopped"):
        stop_halfway()
    assert files(tmp_path) == []


def test_answers_without_records_make_no_file(tmp_path: Path) -> None:
    with sink(tmp_path).part("douyin_orders", "x") as part:
        part.add({}, b"{}", records=0)
    assert files(tmp_path) == []


def test_records_are_counted_by_feed(tmp_path: Path) -> None:
    landing = sink(tmp_path)
    for name, count in (("x", 2), ("y", 3)):
        with landing.part("douyin_orders", name) as part:
            part.add({}, b"{}", records=count)
    assert (landing.records, landing.answers) == ({"douyin_orders": 5}, 2)


def test_a_name_cannot_leave_its_folder(tmp_path: Path) -> None:
    with sink(tmp_path).part("douyin_orders", "../../x/示例") as part:
        part.add({}, b"{}", records=1)
    assert [path.parent for path in files(tmp_path)] == [tmp_path / "douyin_orders" / "2025-03-02"]


def test_new_folders_are_on_disk_by_name_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr("serving.contract.spool.sync_folder", synced.append)
    monkeypatch.setattr("pipelines.connectors.sink.sync_folder", synced.append, raising=False)
    with sink(tmp_path / "landing").part("f", "x") as part:
        part.add({}, b"{}", records=1)
    landing = tmp_path / "landing"
    assert set(synced) >= {landing, landing / "f", landing / "f" / "2025-03-02"}


def test_what_a_killed_pull_had_begun_does_not_stay(tmp_path: Path) -> None:
    left = tmp_path / ".pull" / "douyin_orders-pull-x-1-2.part"
    left.parent.mkdir()
    left.write_bytes(b'{"context":{},"payload":{}}')
    Sink(tmp_path, interval="2025-01-02", received_at="2025-01-02T00:00:00+08:00")
    assert not left.exists()
