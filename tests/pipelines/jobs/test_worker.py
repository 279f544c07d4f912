"""A task stages rows per table, seals what it refuses, and reads bronze again as it read landing."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.jobs import worker as worker_module
from pipelines.jobs.landing import chunks, find_files, make_batch
from pipelines.jobs.worker import BATCH, QUARANTINE, TABLE, Result, Worker, read_chunk_row, run_task
from pipelines.keys import unseal
from tests.pipelines.jobs.composed import (
    DAY1,
    KEYS,
    NAME,
    PHONE,
    consent,
    decrypted,
    error_answer,
    guide,
    line,
    listing,
    order,
    registration,
    worker_setup,
)

Rows = dict[str, list[dict[str, Any]]]


def staged(results: Iterable[Result]) -> Rows:
    rows: Rows = {}
    for kind, name, file, *_ in results:
        if kind == "staged":
            rows.setdefault(name, []).extend(pq.read_table(file).to_pylist())
    return rows


def counts(results: Iterable[Result]) -> dict[tuple[str, str], int]:
    return {(kind, name): rows for kind, name, _, _, _, _, rows in results if kind not in ("staged", "lines")}


def read(tmp_path: Path, feed: str, *lines: str, batch_id: str = "b", worker: Worker | None = None) -> list[Result]:
    path = tmp_path / feed / f"{batch_id}.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    reader = worker or Worker(worker_setup(tmp_path / "staging"))
    for chunk in chunks(make_batch(feed, DAY1, find_files([path]), batch_id), 1024):
        reader.read_chunk(chunk)
    return list(reader.stage.finish()) if worker is None else []


def test_each_record_is_staged_for_bronze_with_its_place_and_raw_text(tmp_path: Path) -> None:
    rows = staged(read(tmp_path, "consents", consent(1, DAY1), "", consent(2, DAY1)))
    bronze = rows["bronze.consents"]
    assert [(row["source_file"], row["line"], row["element"]) for row in bronze] == [
        ("b.jsonl", 1, 0),
        ("b.jsonl", 3, 0),
    ]
    assert json.loads(bronze[0]["payload"])["consent_id"] == "n1"
    assert json.loads(bronze[0]["context"])["brand"] == "brandA"
    assert {(row[BATCH], row[TABLE]) for row in bronze} == {(f"consents/{DAY1}/b", "bronze.consents")}


def test_facts_and_observations_are_staged_beside_it(tmp_path: Path) -> None:
    rows = staged(read(tmp_path, "consents", consent(1, DAY1)))
    assert {table: len(found) for table, found in rows.items()} == {
        "bronze.consents": 1,
        "silver.consents": 1,
        "silver.identity_observations": 1,
    }


def test_a_bad_element_is_refused_alone_and_its_page_kept(tmp_path: Path) -> None:
    page = json.loads(order(1, DAY1))
    page["payload"]["data"]["shop_order_list"].append({"order_id": ""})
    results = read(tmp_path, "douyin_orders", json.dumps(page))
    assert counts(results) == {("good", ""): 1, ("quarantined", "missing_field"): 1}
    assert len(staged(results)["bronze.douyin_orders"]) == 1


def test_a_refused_record_is_sealed_with_its_place_and_reason(tmp_path: Path) -> None:
    broken = '{"phone":"' + PHONE + '","name":"' + NAME
    (row,) = staged(read(tmp_path, "consents", consent(1, DAY1), broken))[QUARANTINE]
    assert (row["reason"], row["line"], row["status"], row["feed"]) == ("bad_json", 2, "open", "consents")
    assert unseal(KEYS.vault, row["quarantine_id"], row["cipher"]) == "{}\n" + broken
    assert PHONE not in str({name: value for name, value in row.items() if name != "cipher"})


def test_the_same_refused_record_has_the_same_number_in_any_batch(tmp_path: Path) -> None:
    ids = [staged(read(tmp_path, "consents", "{", batch_id=batch))[QUARANTINE][0]["quarantine_id"] for batch in "ab"]
    assert ids[0] == ids[1]


def test_an_error_answer_of_the_platform_is_quarantined_and_no_empty_page(tmp_path: Path) -> None:
    assert counts(read(tmp_path, "douyin_orders", error_answer(DAY1))) == {("quarantined", "platform_error"): 1}


def test_no_staged_row_outside_bronze_holds_personal_data_in_the_clear(tmp_path: Path) -> None:
    reader = Worker(worker_setup(tmp_path / "staging"))
    read(tmp_path, "observations", registration(1, PHONE), worker=reader)
    read(tmp_path, "staff", guide("g1", DAY1), worker=reader)
    read(tmp_path, "douyin_orders", decrypted(1, PHONE, DAY1), worker=reader)
    rows = staged(reader.stage.finish())
    clean = {table: found for table, found in rows.items() if not table.startswith("bronze.")}
    assert {"silver.pii_vault", "silver.order_phones", "silver.staff"} <= set(clean)
    assert PHONE not in str(clean)
    assert NAME not in str(clean)


def test_each_batch_brings_its_own_vault_entry(tmp_path: Path) -> None:
    reader = Worker(worker_setup(tmp_path / "staging"))
    for batch in ("a", "b"):
        read(tmp_path, "observations", registration(1, PHONE), registration(2, PHONE), batch_id=batch, worker=reader)
    vault = staged(reader.stage.finish())["silver.pii_vault"]
    phones = [row for row in vault if row["kind"] == "phone"]
    assert sorted(row[BATCH][-1] for row in phones) == ["a", "b"]


def test_rows_beyond_the_flush_size_go_to_further_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "BUILD_ROWS", 1)
    monkeypatch.setattr(worker_module, "FLUSH_BUILT", 2)
    results = read(tmp_path, "consents", *(consent(n, DAY1) for n in range(5)))
    files = [file for kind, name, file, *_ in results if (kind, name) == ("staged", "bronze.consents")]
    assert len(files) == 3
    assert len(staged(results)["bronze.consents"]) == 5


def test_lines_are_counted_per_file(tmp_path: Path) -> None:
    results = read(tmp_path, "consents", consent(1, DAY1), "{")
    assert [(name, rows) for kind, name, _, _, _, _, rows in results if kind == "lines"] == [("b.jsonl", 2)]


def test_a_cut_compressed_file_is_reported_as_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(consent(n, DAY1) for n in range(50)).encode())[:-20])
    reader = Worker(worker_setup(tmp_path / "staging"))
    for chunk in chunks(make_batch("consents", DAY1, find_files([path])), 1024):
        reader.read_chunk(chunk)
    assert counts(reader.stage.finish())["damaged", "a.jsonl.gz"] == 1


def test_unknown_fields_and_values_are_signalled_by_path(tmp_path: Path) -> None:
    page = json.loads(consent(1, DAY1))
    page["payload"] |= {"novelty": 1, "purpose": "something_new"}
    found = counts(read(tmp_path, "consents", json.dumps(page)))
    assert found["unknown_field", "novelty"] == 1
    assert found["unknown_value", "purpose"] == 1


LINES = {
    "consents": [consent(1, DAY1), consent(2, DAY1, "withdrawn")],
    "observations": [registration(1, PHONE)],
    "staff": [guide("g1", DAY1)],
    "douyin_orders": [order(1, DAY1), decrypted(1, PHONE, DAY1), decrypted(2, PHONE, DAY1, err_no=300018)],
    "wecom_group_chats": [listing("wrA", ["wmA", "wmB"], f"{DAY1}T23:00:00+08:00")],
    "wecom_events": [
        line(
            "<xml><ToUserName><![CDATA[ww0000000000000001]]></ToUserName><FromUserName><![CDATA[sys]]></FromUserName>"
            "<CreateTime>1735700600</CreateTime><MsgType><![CDATA[event]]></MsgType>"
            "<Event><![CDATA[change_external_contact]]></Event>"
            "<ChangeType><![CDATA[add_external_contact]]></ChangeType><UserID><![CDATA[g1]]></UserID>"
            "<ExternalUserID><![CDATA[wmA]]></ExternalUserID><WelcomeCode><![CDATA[SECRET]]></WelcomeCode></xml>",
            corp_id="ww0000000000000001",
        )
    ],
}


@pytest.mark.parametrize("feed", sorted(LINES))
def test_reading_bronze_again_gives_the_same_silver_rows(tmp_path: Path, feed: str) -> None:
    first = staged(read(tmp_path, feed, *LINES[feed]))
    again = Worker(worker_setup(tmp_path / "again"))
    for row in first.pop(f"bronze.{feed}"):
        again.read_bronze({**row, "feed": feed, "interval": row["interval"].isoformat()})
    assert first
    assert staged(again.stage.finish()) == first


def test_a_welcome_code_never_reaches_bronze(tmp_path: Path) -> None:
    (row,) = staged(read(tmp_path, "wecom_events", *LINES["wecom_events"]))["bronze.wecom_events"]
    assert "SECRET" not in str(row)
    assert "<redacted>" in row["payload"]


def test_a_task_gives_its_results_as_one_arrow_batch(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(consent(1, DAY1))
    rows = [vars(chunk) for chunk in chunks(make_batch("consents", DAY1, find_files([path]), "b"), 1024)]
    task = run_task(worker_setup(tmp_path / "staging"), read_chunk_row)
    (batch,) = task([pa.RecordBatch.from_pylist(rows)])
    kinds = [row["kind"] for row in batch.to_pylist()]
    assert (kinds.count("staged"), kinds.count("good")) == (3, 1)


def test_a_digest_of_a_record_is_keyed(tmp_path: Path) -> None:
    (one,) = staged(read(tmp_path, "consents", consent(1, DAY1)))["bronze.consents"]
    setup = worker_setup(tmp_path / "other")
    other = Worker(type(setup)(**{**vars(setup), "keys": type(KEYS)(KEYS.identity, "99" * 32, KEYS.vault)}))
    read(tmp_path, "consents", consent(1, DAY1), worker=other)
    (two,) = staged(other.stage.finish())["bronze.consents"]
    assert one["record_hash"] != two["record_hash"]
    assert orjson.loads(one["payload"]) == orjson.loads(two["payload"])
