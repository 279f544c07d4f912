"""What all calls of the simulated Taobao open platform share: the refusal, times, and pages by number."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pipelines.simulate.clock import SHANGHAI

Params = Mapping[str, str]


class Refusal(Exception):  # noqa: N818 - an answer, not a failure
    """The platform's error answer: code and sub code."""

    def __init__(self, code: int, sub_code: str) -> None:
        super().__init__(sub_code)
        self.code = code
        self.sub_code = sub_code


def second_of(text: str, name: str) -> int:
    """The epoch second of a time in words; another form is refused with the parameter's name."""
    try:
        return int(datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=SHANGHAI).timestamp())
    except ValueError:
        raise Refusal(41, f"isv.invalid-parameter:{name}") from None


def numbered(rows: list[Any], params: Params, name: str) -> list[Any]:
    """The page of a number counted from 1; one past the last is empty."""
    page, size = params.get(name, "1"), params.get("page_size", "40")
    if not page.isdigit() or not size.isdigit() or int(page) < 1 or not 1 <= int(size) <= 100:
        raise Refusal(41, "isv.invalid-parameter:page")
    return rows[(int(page) - 1) * int(size) : int(page) * int(size)]
