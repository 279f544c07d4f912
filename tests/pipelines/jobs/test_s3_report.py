"""How far channels reach into each other, counted from the map without a list for every person."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from identity.policy import Policy
from pipelines.jobs import s3_report
from pipelines.jobs.s3_report import table_figures
from pipelines.jobs.s3_work import MAP
from pipelines.store.local import LocalLake

WHEN = datetime(2025, 3, 1, tzinfo=UTC)
HELD = [
    ("p1", "doudian_open_id"),
    ("p1", "phone"),
    ("p1", "wx_openid"),
    ("p1", "wx_unionid"),
    ("p2", "doudian_open_id"),
    ("p2", "phone"),
    ("p3", "wx_openid"),
    ("visitor", "mp_anonymous_id"),
    (None, "phone"),
]


def written(lake: LocalLake) -> None:
    rows = [
        {
            "identifier_key": number,
            "namespace": namespace,
            "scope": "s",
            "value": f"v{number}",
            "one_id": one_id,
            "status": "active",
            "component": number,
            **dict.fromkeys(("valid_from", "first_seen", "last_seen"), WHEN),
        }
        for number, (one_id, namespace) in enumerate(HELD)
    ]
    lake.append(MAP, pl.DataFrame(rows))


@pytest.mark.parametrize("bits", [62, 2, 1])
def test_reach_counts_persons_by_channel_however_many_namespaces_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bits: int
) -> None:
    monkeypatch.setattr(s3_report, "WORD_BITS", bits)
    written(LocalLake(tmp_path))
    figures = {(metric, name): value for metric, name, value in table_figures(tmp_path, Policy.from_dict({}))}
    assert figures["reach", "douyin"] == 2
    assert figures["reach", "mini_program"] == 2
    assert figures["reach", "douyin+mini_program"] == 1
    assert figures["reach_of_first", "douyin+mini_program"] == 0.5
    assert figures["reach", "phone"] == 2
    assert sum(name == "visitor" for _, name in figures) == 0


def test_an_empty_map_reaches_nobody(tmp_path: Path) -> None:
    assert not [figure for figure in table_figures(tmp_path, Policy.from_dict({})) if figure[0].startswith("reach")]
