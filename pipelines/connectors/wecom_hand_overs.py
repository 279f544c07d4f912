"""How WeCom hand-overs ended: `externalcontact/transfer_result`, of leavers `externalcontact/resigned/transfer_result`.

The platform answers for one pair of guides at a time (document/path/94088, 94082: `handover_userid`, `takeover_userid`,
`cursor`) and lists no pairs, so the landing says which to ask for: those of every request that its sender landed
(`…/transfer_customer`), and those of everyone who left customers behind with everyone there. A result is final within
days, so pairs are asked for a month.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from identity.business_time import business_day
from pipelines.connectors.errors import TerminalError
from pipelines.connectors.sink import Part
from pipelines.connectors.wecom import UNASSIGNED, WecomClient
from pipelines.connectors.windows import DAY, Window

FEED = "wecom_transfers"
ASKED, ASKED_OF_LEAVER = "externalcontact/transfer_customer", "externalcontact/resigned/transfer_customer"
RESULT, RESULT_OF_LEAVER = "externalcontact/transfer_result", "externalcontact/resigned/transfer_result"
ASKED_SECONDS = 30 * DAY
NOBODY = "errcode 60111"
"""One of the pair is no member of the corp any more: there is nothing that could be told."""


@dataclass
class _Known:
    """What the landing tells of a corp: pairs asked for, whose customers wait, and nothing twice."""

    pairs: dict[tuple[str, str, str], None] = field(default_factory=dict)
    leavers: dict[str, None] = field(default_factory=dict)

    def add(self, context: Mapping[str, Any], payload: Any) -> None:
        """What one answer of the corp tells."""
        method, params = str(context.get("method", "")), context.get("params")
        if method in (ASKED, ASKED_OF_LEAVER) and isinstance(params, dict):
            old, new = (str(params.get(name) or "") for name in ("handover_userid", "takeover_userid"))
            if old and new:
                self.pairs[RESULT if method == ASKED else RESULT_OF_LEAVER, old, new] = None
        rows = payload.get("info") if method == UNASSIGNED and isinstance(payload, dict) else None
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, dict) and row.get("handover_userid"):
                self.leavers[str(row["handover_userid"])] = None

    def wanted(self, staff: Sequence[str]) -> list[tuple[str, str, str]]:
        """(method, old guide, new guide) of every call, in a settled order."""
        of_leavers = [(RESULT_OF_LEAVER, old, new) for old in self.leavers for new in staff if new != old]
        return sorted({**self.pairs, **dict.fromkeys(of_leavers)})


@dataclass(frozen=True)
class HandOvers:
    """The results of one corp."""

    client: WecomClient
    landing: Path

    def results(self, window: Window, part: Part) -> None:
        """The result of every hand-over of the last month whose pair is known."""
        known = _Known()
        for context, payload in _landed(self.landing / FEED, since=business_day((window.end - ASKED_SECONDS) * 1000)):
            if context.get("corp_id") == self.client.corp.corp_id:
                known.add(context, payload)
        for method, old, new in known.wanted(self.client.staff() if known.leavers else []):
            self._add(method, old, new, part)

    def _add(self, method: str, old: str, new: str, part: Part) -> None:
        pair = {"handover_userid": old, "takeover_userid": new}
        try:
            for answer, rows in self.client.pages(method, pair, "customer"):
                part.add(self.client.context(method, **pair), answer.raw, records=len(rows))
        except TerminalError as error:
            if error.reason != NOBODY:
                raise


def _landed(folder: Path, *, since: str) -> Iterator[tuple[Mapping[str, Any], Any]]:
    """(context, payload) of every line that has a context, of the business days from `since` on."""
    for path in sorted(folder.glob("*/*.jsonl")) + sorted(folder.glob("*/*.jsonl.gz")):
        if path.parent.name < since:
            continue
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
            for line in lines:
                wrapper = _object(line)
                if isinstance(wrapper.get("context"), dict):
                    yield wrapper["context"], wrapper.get("payload")


def _object(line: bytes) -> Mapping[str, Any]:
    """The object on a line; a line that is none is the parser's to refuse."""
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}
