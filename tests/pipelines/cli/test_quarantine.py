"""A refused record from ingest over mending to its one row in bronze, as an operator does it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.errors import ExitCode
from pipelines.keys import create_keys
from pipelines.store.versions import rows_of
from tests.pipelines.cli.test_refusals import assert_refused, cdp
from tests.pipelines.jobs.composed import DAY1, consent

pytestmark = [pytest.mark.e2e, pytest.mark.spark]

BALANCE = "SELECT records_in, good, duplicate, quarantined FROM t WHERE batch_id LIKE $batch"


def test_a_mended_record_is_in_bronze_once_and_in_the_balance(tmp_path: Path) -> None:
    create_keys(tmp_path / "keys")
    bad = json.loads(consent(2, DAY1))
    bad["payload"]["status"] = "perhaps"
    landed = tmp_path / "in.jsonl"
    landed.write_text("\n".join([consent(1, DAY1), consent(3, DAY1), json.dumps(bad)]) + "\n", encoding="utf-8")
    small = {"CDP_SPARK__MEMORY": "1g"}
    done = cdp(tmp_path, "ingest", "--feed", "consents", "--interval", DAY1, str(landed), **small)
    assert done.code == ExitCode.DONE, done.err
    (refused,) = json.loads(cdp(tmp_path, "quarantine", "list", "--json").out)

    mended = tmp_path / "mended.json"
    mended.write_text(json.dumps(bad["payload"]))
    assert_refused(
        cdp(tmp_path, "quarantine", "fix", refused["quarantine_id"], "--payload", str(mended)),
        ExitCode.REFUSED,
        "would be refused again",
    )
    mended.write_text(json.dumps(bad["payload"] | {"status": "granted"}))
    fixed = cdp(tmp_path, "quarantine", "fix", refused["quarantine_id"], "--payload", str(mended))
    assert fixed.code == ExitCode.DONE, fixed.err
    again = json.loads(cdp(tmp_path, "quarantine", "replay", "--json", **small).out)
    assert (again["replayed"], again["still_refused"]) == (1, {})

    bronze = rows_of(tmp_path / "lake", "bronze.consents", "SELECT payload FROM t WHERE payload LIKE '%\"n2\"%'")
    assert [json.loads(row["payload"])["status"] for row in bronze] == ["granted"]
    balance = {"records_in": 1, "good": 1, "duplicate": 0, "quarantined": 0}
    assert rows_of(tmp_path / "lake", "ops.batches", BALANCE, {"batch": "replay-%"}) == [balance]
    assert json.loads(cdp(tmp_path, "quarantine", "replay", "--json").out)["replayed"] == 0
