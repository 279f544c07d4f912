"""Headings of tables compared with those that tables of orders and members are known to have (`conf/headings.yaml`).

A heading is compared bare: without blanks, case, brackets and what stands in them. The first of a field's headings is
the surest; a heading that only ends in one of them comes after all exact ones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FILE = "headings.yaml"
_BRACKETS = re.compile(r"[(（\[【<《][^)）\]】>》]*[)）\]】>》]")
_NOISE = re.compile(r"[\s_\-:：/*#.]+")
_LEAST_ENDING = 3
_ENDING = 100
"""Added to the rank of a heading that only ends in a known one."""

Names = Mapping[str, Sequence[str]]
"""Field -> the headings it is known under."""


@dataclass(frozen=True)
class Words:
    """What is known of tables: headings by field for each feed, and words for states."""

    orders: Names
    members: Names
    statuses: Mapping[str, str]


def load_words(conf: Path) -> Words:
    """The known headings and words of the configuration folder."""
    content = yaml.load((conf / FILE).read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    statuses = {word: ours for ours, words in content["status"].items() for word in words}
    return Words(content["orders_file"], content["observations"], statuses)


def bare(heading: Any) -> str:
    """A heading in the form that is compared.

    >>> bare("金额（元）"), bare("Order ID"), bare("paid_at")
    ('金额', 'orderid', 'paidat')
    """
    return _NOISE.sub("", _BRACKETS.sub("", str(heading if heading is not None else ""))).lower()


def find_field(heading: Any, known: Names) -> tuple[str, int] | None:
    """The field that a heading names, and how sure that is: 0 is surest; None when it names none.

    >>> known = {"order_id": ["主订单编号", "订单编号"], "name": ["标题"]}
    >>> find_field("订单编号", known), find_field("天猫订单编号", known), find_field("颜色", known)
    (('order_id', 1), ('order_id', 101), None)
    """
    name = bare(heading)
    if not name:
        return None
    for place, names in known.items():
        if name in names:
            return place, list(names).index(name)
    endings = [
        (-len(one), place, _ENDING + rank)
        for place, names in known.items()
        for rank, one in enumerate(names)
        if len(one) >= _LEAST_ENDING and name.endswith(one)
    ]
    return min(endings)[1:] if endings else None
