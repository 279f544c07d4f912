"""`cdp verify` and `cdp repair` as an operator meets them: what is damaged, what was done, what is left to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.errors import ExitCode
from pipelines.keys import create_keys
from tests.pipelines.cli.test_refusals import assert_refused, cdp
from tests.pipelines.damaging import cut, data, flip, log, serving
from tests.pipelines.jobs.composed import DAY1, consent
from tests.pipelines.published import SHOPS, publish_run, shop, write

pytestmark = pytest.mark.e2e


@pytest.fixture
def home(tmp_path: Path) -> Path:
    create_keys(tmp_path / "keys")
    write(tmp_path, SHOPS, [shop("1")])
    publish_run(tmp_path, 1)
    return tmp_path


def test_a_damaged_log_is_named_and_repaired(home: Path) -> None:
    cut(log(home))
    found = cdp(home, "verify", "--json")
    assert_refused(found, ExitCode.INTEGRITY, f"{SHOPS}: the log file of version 1 was changed or cut")
    assert (found.refusal["where"], found.refusal["hint"]) == (str(log(home)), "run `cdp repair`")
    assert [item["table"] for item in json.loads(found.out)["damage"]] == [SHOPS]
    done = cdp(home, "repair")
    assert (done.code, done.err) == (ExitCode.DONE, "")
    assert f"{log(home)}: log file brought back from its copy" in done.out
    assert cdp(home, "verify").out == "the lake and its snapshots are whole\n"
    assert "nothing was damaged" in cdp(home, "repair").out


def test_a_damaged_serving_file_is_made_again_from_the_lake(home: Path) -> None:
    flip(serving(home))
    done = cdp(home, "repair", "--json")
    assert done.code == ExitCode.DONE, done.err
    assert json.loads(done.out)["snapshot"].endswith("-2")
    assert cdp(home, "verify").code == ExitCode.DONE


def test_rows_that_cannot_be_brought_back_are_counted_with_the_command_that_makes_them(home: Path) -> None:
    data(home).unlink()
    done = cdp(home, "repair")
    assert_refused(done, ExitCode.INTEGRITY, "the data file is missing")
    assert f"{SHOPS}: 1 rows lost in 1 files" in done.out
    assert done.refusal["hint"] == "run `cdp run --full`"


def test_a_run_on_a_damaged_lake_is_refused_before_anything_starts(home: Path) -> None:
    landed = home / "landing" / "consents" / DAY1 / "a.jsonl"
    landed.parent.mkdir(parents=True)
    landed.write_text(f"{consent(1, DAY1)}\n")
    data(home).unlink()
    done = cdp(home, "run")
    assert_refused(done, ExitCode.INTEGRITY, "nothing runs on a damaged lake")
    assert "starting Spark" not in done.err
