"""Marks survive the process that set them and are gone once cleared."""

from __future__ import annotations

from pathlib import Path

from pipelines.store.marks import Marks


def test_a_mark_is_seen_by_the_next_run(tmp_path: Path) -> None:
    Marks(tmp_path).set("bronze")
    Marks(tmp_path).set("bronze")
    assert Marks(tmp_path).is_set("bronze")
    assert not Marks(tmp_path).is_set("downstream")


def test_a_cleared_mark_is_gone(tmp_path: Path) -> None:
    marks = Marks(tmp_path)
    marks.clear("never set")
    marks.set("bronze")
    marks.clear("bronze")
    assert not Marks(tmp_path).is_set("bronze")


def test_a_mark_says_its_newest_text_and_none_when_it_is_not_set(tmp_path: Path) -> None:
    marks = Marks(tmp_path)
    assert marks.text("bronze") is None
    marks.set("bronze", "first")
    marks.set("bronze", "second")
    assert marks.text("bronze") == "second"
    assert [path.name for path in marks.folder.iterdir()] == ["bronze"]
