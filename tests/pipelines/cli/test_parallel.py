"""Two real runs on one lake: the second is turned away at once, and a killed one leaves nothing half done."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.errors import ExitCode
from pipelines.keys import create_keys
from pipelines.store.versions import rows_of
from tests.pipelines.cli.test_refusals import ROOT, assert_refused, cdp
from tests.pipelines.jobs.composed import DAY1, consent

pytestmark = [pytest.mark.e2e, pytest.mark.spark]

ON_CLUSTER = {"CDP_SPARK__MEMORY": "1g", "CDP_INGEST__IN_PROCESS_BYTES": "0"}


def start(home: Path) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CDP_")}
    given = {"CDP_HOME": str(home), "CDP_CONF": str(ROOT / "conf"), "PYTHONPATH": str(ROOT), **ON_CLUSTER}
    words = [sys.executable, "-m", "pipelines.cli", "ingest", "--feed", "consents", str(home / "landing" / "consents")]
    return subprocess.Popen(
        words, env=kept | given, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def wait_for(process: subprocess.Popen[str], words: str) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if words in line:
            return
    raise AssertionError(f"the run ended without saying {words!r}")


def test_a_second_run_is_turned_away_and_a_killed_first_one_is_made_good(tmp_path: Path) -> None:
    create_keys(tmp_path / "keys")
    landed = tmp_path / "landing" / "consents" / DAY1 / "a.jsonl"
    landed.parent.mkdir(parents=True)
    landed.write_text(f"{consent(1, DAY1)}\n{consent(2, DAY1)}\n")
    first = start(tmp_path)
    wait_for(first, "starting Spark")
    begun = time.monotonic()
    second = cdp(tmp_path, "run", "--date", DAY1)
    assert time.monotonic() - begun < 5
    assert_refused(second, ExitCode.LOCKED, f"process {first.pid} ")

    wait_for(first, "s1_bronze:")
    first.kill()
    first.wait()
    left = tmp_path / "spark" / "local" / "blockmgr-left"
    left.mkdir(parents=True, exist_ok=True)
    done = cdp(tmp_path, "ingest", "--feed", "consents", "--wait", "60", str(tmp_path / "landing" / "consents"))
    assert done.code == ExitCode.DONE, done.err
    assert not left.exists()
    balance = "SELECT records_in, good, duplicate FROM t"
    assert rows_of(tmp_path / "lake", "ops.batches", balance) == [{"records_in": 2, "good": 2, "duplicate": 0}]
    assert rows_of(tmp_path / "lake", "bronze.consents", "SELECT count(*) AS n FROM t") == [{"n": 2}]
    assert json.loads(cdp(tmp_path, "verify", "--json").out)["damage"] == []
