"""The lake tells of its runs and refusals without a JVM, and shows refused text masked only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import IntegrityError
from pipelines.keys import Keys, seal
from pipelines.status import last_jobs, mask_text, refused_record, refused_records
from tests.pipelines.published import write

KEYS = Keys("11" * 32, "22" * 32, "33" * 32)
TEXT = '{}\n{"phone":"13912345678","name":"某某","id":12345}'


def job(run_id: str, name: str) -> dict[str, Any]:
    return {"run_id": run_id, "job": name, "status": "done"}


def refused(number: int, feed: str = "staff", day: str = "2025-03-01") -> dict[str, Any]:
    identity = f"{number:032d}"
    place = {"feed": feed, "interval": day, "source_file": "a.jsonl", "line": number, "element": 0}
    return place | {
        "quarantine_id": identity,
        "reason": "bad_json",
        "cipher": seal(KEYS.vault, identity, TEXT),
        "key_id": KEYS.vault_id,
        "status": "open",
    }


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    write(tmp_path, "silver.quarantine", [refused(1), refused(2, day="2025-03-02"), refused(3, "products")])
    return tmp_path / "lake"


def test_only_the_jobs_of_the_newest_run_are_told(tmp_path: Path) -> None:
    rows = [job("r000001-2025-03-01", "s1"), job("r000002-2025-03-02", "s2"), job("r000002-2025-03-02", "s1")]
    write(tmp_path, "ops.job_runs", rows)
    assert [(row["run_id"][:7], row["job"]) for row in last_jobs(tmp_path / "lake")] == [
        ("r000002", "s1"),
        ("r000002", "s2"),
    ]


def test_an_empty_lake_has_no_jobs_and_no_refusals(tmp_path: Path) -> None:
    assert last_jobs(tmp_path) == []
    assert refused_records(tmp_path, None, 10) == []
    assert refused_record(tmp_path, "x", KEYS) is None


def test_refusals_come_newest_first_without_their_text(lake: Path) -> None:
    rows = refused_records(lake, None, 10)
    assert [(row["interval"], row["feed"]) for row in rows] == [
        ("2025-03-02", "staff"),
        ("2025-03-01", "products"),
        ("2025-03-01", "staff"),
    ]
    assert all("cipher" not in row for row in rows)


def test_refusals_of_one_feed_up_to_a_number(lake: Path) -> None:
    assert [row["line"] for row in refused_records(lake, "staff", 1)] == [2]


def test_a_refused_record_is_shown_masked(lake: Path) -> None:
    row = refused_record(lake, f"{1:032d}", KEYS)
    assert row is not None
    assert row["raw_masked"] == '{}\n{"phone":"*******5678","name":"**","id":*2345}'
    assert {"cipher", "key_id"}.isdisjoint(row)


def test_an_unknown_refusal_is_none(lake: Path) -> None:
    assert refused_record(lake, "f" * 32, KEYS) is None


def test_another_vault_key_does_not_open_a_refused_record(lake: Path) -> None:
    with pytest.raises(IntegrityError, match="does not decrypt"):
        refused_record(lake, f"{1:032d}", Keys(KEYS.identity, KEYS.pepper, "44" * 32))


@pytest.mark.parametrize(
    ("text", "masked"), [("1234", "1234"), ("a13912345678b", "a*******5678b"), ("杭州1号", "**1*")]
)
def test_long_numbers_and_chinese_text_are_masked(text: str, masked: str) -> None:
    assert mask_text(text) == masked


def test_replayed_records_are_listed_only_when_asked_for(tmp_path: Path) -> None:
    write(tmp_path, "silver.quarantine", [refused(1), refused(2) | {"status": "replayed"}])
    assert [row["status"] for row in refused_records(tmp_path / "lake", None, 10)] == ["open"]
    every = refused_records(tmp_path / "lake", None, 10, everything=True)
    assert [row["status"] for row in every] == ["open", "replayed"]
