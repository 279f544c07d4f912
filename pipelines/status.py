"""What the lake says about its runs and refusals, read without a JVM."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pipelines.keys import Keys, unseal
from pipelines.store.versions import rows_of

_DIGITS = re.compile(r"\d(?=\d{4})")
_HAN = re.compile(r"[\u4e00-\u9fff]")


def last_jobs(lake: Path) -> list[dict[str, Any]]:
    """The jobs of the newest run in their order."""
    query = "SELECT run_id, job, status, seconds, detail FROM t WHERE run_id = (SELECT max(run_id) FROM t) ORDER BY job"
    return rows_of(lake, "ops.job_runs", query)


def refused_records(lake: Path, feed: str | None, limit: int, *, everything: bool = False) -> list[dict[str, Any]]:
    """Records that wait in quarantine (`everything`: replayed ones too), newest first, without their raw text."""
    columns = "quarantine_id, feed, interval::VARCHAR AS interval, source_file, line, element, reason, detail, status"
    order = "ORDER BY interval DESC, feed, source_file, line"
    wanted = "($feed IS NULL OR feed = $feed) AND ($everything OR status <> 'replayed')"
    query = f"SELECT {columns} FROM t WHERE {wanted} {order} LIMIT $limit"
    return rows_of(lake, "silver.quarantine", query, {"feed": feed, "limit": limit, "everything": everything})


def refused_record(lake: Path, quarantine_id: str, keys: Keys) -> dict[str, Any] | None:
    """One record of the quarantine with its raw text masked, or None."""
    rows = rows_of(lake, "silver.quarantine", "SELECT * FROM t WHERE quarantine_id = $id", {"id": quarantine_id})
    if not rows:
        return None
    row = rows[0]
    text = unseal(keys.vault, quarantine_id, row.pop("cipher"))
    fixed = row.pop("fixed_cipher", None)
    row.pop("key_id")
    shown = {**row, "raw_masked": mask_text(text)}
    return shown | {"fixed_masked": mask_text(unseal(keys.vault, quarantine_id, fixed))} if fixed else shown


def mask_text(text: str) -> str:
    """A raw text in which digits keep only their last four of each run, and Chinese characters are hidden.

    >>> mask_text('{"phone":"13912345678","name":"李四"}')
    '{"phone":"*******5678","name":"**"}'
    """
    return _HAN.sub("*", _DIGITS.sub("*", text))
