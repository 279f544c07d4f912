"""A run publishes nothing that breaks a blocking rule, and remembers every check it made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.errors import ExitCode, IntegrityError
from pipelines.settings import QualitySettings, Settings
from pipelines.store.lake import Lake
from pipelines.tables import ALL
from tests.pipelines.jobs.composed import DAY1, ROOT, run_context
from tests.pipelines.published import write

if TYPE_CHECKING:
    from pipelines.jobs.context import RunContext

CONSENTS, FEATURES = "silver.consents", "features.customer_features"


def consent(number: int, **known: Any) -> dict[str, Any]:
    return {"consent_id": f"secretive{number}", "status": "granted", "interval": DAY1} | known


def context(lake: Lake, home: Path, said: list[str] | None = None, *, data_docs: bool = False) -> RunContext:
    quality = QualitySettings(data_docs=data_docs)  # type: ignore[call-arg]  # the rest has defaults
    settings = Settings(home=home, conf=ROOT / "conf", quality=quality)  # type: ignore[call-arg]
    return run_context(lake, home, (DAY1,), settings=settings, say=(said if said is not None else []).append)


def recorded(lake: Lake) -> dict[tuple[str, str], tuple[int, int]]:
    rows = lake.query(ALL["ops.quality_results"], "FROM t")
    return {(row["table_name"], row["check_name"]): (row["rows"], row["failed"]) for row in rows}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake that only its own readers look at."""
    return Lake(None, tmp_path / "lake")  # type: ignore[arg-type]  # no session is needed for checks


def test_each_declared_check_and_required_column_is_counted(lake: Lake, tmp_path: Path) -> None:
    from pipelines.quality import check_table, checks_of

    write(tmp_path, CONSENTS, [consent(1), consent(2, status="maybe"), consent(3, status="perhaps")])
    results = {result.check: result for result in check_table(lake, ALL[CONSENTS])}
    assert list(results) == [check.name for check in checks_of(ALL[CONSENTS])]
    assert {name: result.failed for name, result in results.items() if result.failed} == {"known_status": 2}
    assert {result.rows for result in results.values()} == {3}
    assert results["known_status"].samples == (
        {"consent_scope": "***", "consent_id": "sec***ve2"},
        {"consent_scope": "***", "consent_id": "sec***ve3"},
    )


def test_a_broken_blocking_rule_stops_the_run_after_it_was_recorded(lake: Lake, tmp_path: Path) -> None:
    from pipelines.quality import check_tables

    write(tmp_path, CONSENTS, [consent(1), consent(2, status="maybe")])
    with pytest.raises(IntegrityError, match=r"silver\.consents breaks the rule known_status in 1 of 2") as caught:
        check_tables(context(lake, tmp_path), [CONSENTS])
    assert caught.value.code == ExitCode.INTEGRITY
    assert "secretive" not in caught.value.message
    assert recorded(lake)[CONSENTS, "known_status"] == (2, 1)
    (samples,) = lake.query(ALL["ops.quality_results"], "FROM t WHERE failed > 0")
    assert json.loads(samples["samples"]) == [{"consent_scope": "***", "consent_id": "sec***ve2"}]


def test_a_broken_warning_is_said_and_the_run_goes_on(lake: Lake, tmp_path: Path) -> None:
    from pipelines.quality import check_tables

    said: list[str] = []
    write(tmp_path, FEATURES, [{"one_id": "a", "is_visitor": True, "points_balance": -1}])
    check_tables(context(lake, tmp_path, said), [FEATURES])
    assert [line for line in said if line.startswith("warning")] == [
        "warning: features.customer_features breaks points_not_negative in 1 of 1 rows"
    ]


def test_without_written_tables_nothing_is_checked_and_recorded(lake: Lake, tmp_path: Path) -> None:
    from pipelines.quality import check_tables

    assert check_tables(context(lake, tmp_path, data_docs=True), []) == []
    assert not lake.exists(ALL["ops.quality_results"])
    assert not (tmp_path / "quality").exists()


@pytest.mark.e2e  # the library of the suites takes five seconds to load
def test_suites_are_held_beside_the_checks_and_recorded_with_them(lake: Lake, tmp_path: Path) -> None:
    from pipelines.quality import check_tables

    said: list[str] = []
    write(tmp_path, CONSENTS, [consent(1)])
    check_tables(context(lake, tmp_path, said, data_docs=True), [CONSENTS])
    found = recorded(lake)
    assert found[CONSENTS, "known_status"] == found[CONSENTS, "suite_known_status"] == (1, 0)
    assert found[CONSENTS, "suite_key_unique"] == (1, 0)
    assert any(line.startswith(f"data docs: {tmp_path}") for line in said)


@pytest.mark.e2e
def test_a_key_that_stands_twice_stops_the_run_by_its_suite(lake: Lake, tmp_path: Path) -> None:
    from pipelines.quality import check_tables

    write(tmp_path, CONSENTS, [consent(1), consent(1)])
    with pytest.raises(IntegrityError, match="suite_key_unique in 2 of 2 rows"):
        check_tables(context(lake, tmp_path, data_docs=True), [CONSENTS])
