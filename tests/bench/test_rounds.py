"""Two runs at once on one lake, as the rounds play them; a lake that holds a record twice is noticed."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from bench.rounds import Round, _ledger_holds, play
from pipelines.errors import ExitCode

pytestmark = pytest.mark.e2e


def test_two_rounds_go_as_they_must(tmp_path: Path) -> None:
    rounds = play(tmp_path, 2)
    assert [one.kind for one in rounds] == ["run", "ingest"]
    assert all(one.good for one in rounds), rounds
    assert all(sorted(one.codes) == [ExitCode.DONE, ExitCode.LOCKED] for one in rounds)

    bronze = str(tmp_path / "lake/bronze/staff")
    pl.read_delta(bronze).head(1).write_delta(bronze, mode="append")
    assert not _ledger_holds(tmp_path)


@pytest.mark.parametrize(
    "spoilt",
    [
        Round(1, "run", (0, 5), (9.0, 5.1), sound=True),
        Round(1, "run", (5, 5), (1.0, 1.0), sound=True),
        Round(1, "run", (0, 4), (1.0, 1.0), sound=True),
        Round(1, "run", (0, 5), (9.0, 1.0), sound=False),
    ],
)
def test_a_round_that_went_otherwise_is_not_good(spoilt: Round) -> None:
    assert not spoilt.good
    assert Round(1, "run", (0, 5), (9.0, 1.0), sound=True).good
