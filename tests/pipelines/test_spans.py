"""Spans add up to the time they cover, each second in one of them."""

from __future__ import annotations

import time

import pytest

from pipelines.demo import safety_share
from pipelines.spans import SAFETY, SPANS, Spans


def test_an_outer_span_does_not_hold_what_an_inner_one_took() -> None:
    spans = Spans()
    with spans.measure("manifest"):
        time.sleep(0.01)
        with spans.measure("serving"):
            time.sleep(0.05)
    assert spans.seconds["serving"] >= 0.05
    assert 0.01 <= spans.seconds["manifest"] < spans.seconds["serving"]


def test_a_span_adds_up_and_is_kept_when_its_block_fails() -> None:
    spans = Spans()
    with spans.measure("lock"):
        time.sleep(0.01)
    with pytest.raises(ZeroDivisionError):
        _fail_late(spans)
    assert spans.seconds["lock"] >= 0.02


def _fail_late(spans: Spans) -> None:
    with spans.measure("lock"):
        time.sleep(0.01)
        _ = 1 / 0


def test_the_share_of_safety_leaves_checks_and_serving_out() -> None:
    assert set(SAFETY) < set(SPANS)
    runs = [{"spans": {"manifest": 1.0, "serving": 30.0}}, {"spans": {"verify": 0.5, "quality": 9.0}}]
    assert safety_share(runs, 100.0) == 0.015
