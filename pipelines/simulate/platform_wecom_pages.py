"""What all calls of the simulated WeCom share: the refusal, and pages by cursor."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


class Refusal(Exception):  # noqa: N818 - an answer, not a failure
    """The platform's error answer."""

    def __init__(self, errcode: int) -> None:
        super().__init__(str(errcode))
        self.errcode = errcode


def page(rows: list[Any], params: Json, limit: int) -> tuple[list[Any], str]:
    """One page and the cursor of the next; a cursor that was never given is refused."""
    cursor = str(params.get("cursor", ""))
    begin = 0
    if cursor:
        if not cursor.startswith("after-") or not cursor[6:].isdigit() or not 0 < int(cursor[6:]) < len(rows):
            raise Refusal(40058)
        begin = int(cursor[6:])
    end = begin + limit
    return rows[begin:end], f"after-{end}" if end < len(rows) else ""
