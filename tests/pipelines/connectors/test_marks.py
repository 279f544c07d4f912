"""Marks: on disk at once, never back, never silently lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.connectors.marks import FILE, Gap, Marks
from pipelines.connectors.windows import Window
from pipelines.errors import IntegrityError


def test_a_mark_is_there_for_the_next_process(tmp_path: Path) -> None:
    Marks(tmp_path).reach("a", 100)
    assert (Marks(tmp_path).of("a"), Marks(tmp_path).of("b")) == (100, None)


def test_a_mark_never_moves_back(tmp_path: Path) -> None:
    marks = Marks(tmp_path)
    marks.reach("a", 100)
    marks.reach("a", 50)
    assert marks.of("a") == 100


def test_a_gap_is_kept_once_and_grows_while_its_source_fails(tmp_path: Path) -> None:
    for end in (5, 9, 9, 7):
        Marks(tmp_path).lose("a", Window(1, end))
    assert Marks(tmp_path).gaps == (Gap("a", 1, 9),)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"marks":{"a":"x"},"gaps":[]}', '{"marks":{}}'])
def test_damaged_marks_are_said_and_not_taken_for_none(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(IntegrityError, match="marks of earlier pulls"):
        Marks(tmp_path)
