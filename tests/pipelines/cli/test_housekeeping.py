"""`cdp vacuum`, `cdp retention` and `cdp migrate` say what they do, and only say it with `--dry-run`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.errors import ExitCode
from tests.pipelines.cli.test_refusals import assert_refused, cdp
from tests.pipelines.damaging import data
from tests.pipelines.published import SHOPS, publish_run, shop, write

pytestmark = pytest.mark.e2e


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write(tmp_path, SHOPS, [shop("1")])
    write(tmp_path, SHOPS, [shop("2")], "overwrite")
    publish_run(tmp_path, 1)
    return tmp_path


def test_a_vacuum_is_told_before_it_is_done(home: Path) -> None:
    at = {"CDP_CLOCK": "2999-01-01T00:00:00+08:00"}
    files = set((home / "lake/gold/dim_shop").glob("*.parquet"))
    told = cdp(home, "vacuum", "--dry-run", **at)
    assert f"{SHOPS}: 1 data files, 0 log files" in told.out
    assert set((home / "lake/gold/dim_shop").glob("*.parquet")) == files
    done = json.loads(cdp(home, "vacuum", "--json", **at).out)
    assert done["tables"][0]["files"] == 1
    assert len(list((home / "lake/gold/dim_shop").glob("*.parquet"))) == 1


def test_young_files_stay_by_default(home: Path) -> None:
    assert cdp(home, "vacuum").out == "in all 0 bytes gone\n"


def test_a_damaged_lake_is_not_swept(home: Path) -> None:
    data(home).unlink()
    data(home).unlink()
    assert_refused(cdp(home, "vacuum"), ExitCode.INTEGRITY, "nothing runs on a damaged lake")


def test_retention_reports_what_each_period_took(home: Path) -> None:
    rows = [{"quarantine_id": day, "interval": day, "status": "open"} for day in ("2025-03-01", "2025-03-09")]
    write(home, "silver.quarantine", rows)
    done = cdp(home, "retention", "--as-of", "2025-03-10", CDP_RETENTION__QUARANTINE_DAYS="5")
    assert done.out.startswith("silver.quarantine: 1 rows before 2025-03-05 gone\n")
    assert cdp(home, "retention", "--as-of", "2025-03-10").out == "nothing is past its time on 2025-03-10\n"


def test_a_current_lake_needs_no_migration(home: Path) -> None:
    first = cdp(home, "migrate")
    assert (first.code, "schema version" in first.out) == (ExitCode.DONE, True)
    assert cdp(home, "migrate").out == "every table has the schemas of this program\n"
