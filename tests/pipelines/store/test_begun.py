"""A batch that was begun is known until it is finished, across any number of runs for other days."""

from __future__ import annotations

from pathlib import Path

from pipelines.store.begun import MARK, Begun, BegunBatch, begin, begun, finish
from pipelines.store.marks import Marks

MONDAY = BegunBatch("staff", "2025-03-03", "m", "hash m", ("aa", "bb"))
TUESDAY = BegunBatch("staff", "2025-03-04", "t", "hash t", ("cc",))


def test_nothing_is_begun_in_a_new_lake(tmp_path: Path) -> None:
    assert begun(tmp_path) == Begun()


def test_what_was_begun_is_told_and_forgotten_when_it_is_finished(tmp_path: Path) -> None:
    assert begin(tmp_path, [MONDAY]) == Begun()
    assert begun(tmp_path) == Begun((MONDAY,))
    finish(tmp_path, [MONDAY.key])
    assert begun(tmp_path) == Begun()
    assert not Marks(tmp_path).is_set(MARK)


def test_a_run_for_another_day_does_not_forget_what_was_cut_off(tmp_path: Path) -> None:
    begin(tmp_path, [MONDAY])
    assert begin(tmp_path, [TUESDAY]) == Begun((MONDAY,))
    finish(tmp_path, [TUESDAY.key])
    assert begun(tmp_path) == Begun((MONDAY,))


def test_a_batch_begun_twice_is_noted_once(tmp_path: Path) -> None:
    begin(tmp_path, [MONDAY])
    begin(tmp_path, [MONDAY])
    assert begun(tmp_path).batches == (MONDAY,)


def test_a_mark_without_names_may_mean_any_batch(tmp_path: Path) -> None:
    Marks(tmp_path).set(MARK)
    assert begin(tmp_path, [MONDAY]) == Begun(anything=True)
    finish(tmp_path, [MONDAY.key])
    assert begun(tmp_path) == Begun()
