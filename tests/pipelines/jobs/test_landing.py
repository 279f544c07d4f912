"""Landing files become batches that do not depend on names or order, and chunks that cover every line once."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import InputRefusedError
from pipelines.jobs.landing import check_feed, chunks, find_files, interval_of, landing_batches, make_batch
from pipelines.jobs.records import read_lines
from pipelines.store.begun import BegunBatch


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_batch_id_depends_on_content_only(tmp_path: Path) -> None:
    one = write(tmp_path / "a" / "x.jsonl", "1\n")
    two = write(tmp_path / "b" / "y.jsonl", "1\n")
    ids = {make_batch("staff", "2025-01-01", find_files([path])).batch_id for path in (one, two)}
    assert len(ids) == 1


def test_changed_content_is_another_batch(tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", "1\n")
    before = make_batch("staff", "2025-01-01", find_files([path])).batch_id
    write(path, "2\n")
    assert make_batch("staff", "2025-01-01", find_files([path])).batch_id != before


def test_an_unknown_feed_names_the_known_ones() -> None:
    with pytest.raises(InputRefusedError, match=r"known feeds: .*douyin_orders"):
        check_feed("douyin_order")


def test_a_folder_without_landing_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRefusedError, match="no landing file"):
        find_files([tmp_path])


def test_a_missing_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRefusedError, match="no such file"):
        find_files([tmp_path / "gone.jsonl"])


def test_the_interval_is_read_from_the_landing_path(tmp_path: Path) -> None:
    assert interval_of(tmp_path / "landing" / "staff" / "2025-03-01" / "x.jsonl") == "2025-03-01"


def test_files_ingested_before_are_left_out_of_landing(tmp_path: Path) -> None:
    write(tmp_path / "staff" / "2025-01-01" / "x.jsonl", "1\n")
    first = landing_batches(tmp_path, ["2025-01-01"], frozenset())
    known = frozenset((b.feed, b.interval, f.sha256) for b in first for f in b.files)
    assert len(first) == 1
    assert landing_batches(tmp_path, ["2025-01-01"], known) == ()


def test_hidden_and_partial_files_are_no_landing_files(tmp_path: Path) -> None:
    write(tmp_path / ".x.jsonl.partial", "1\n")
    write(tmp_path / "_tmp.jsonl", "1\n")
    write(tmp_path / "ok.jsonl", "1\n")
    assert [file.name for file in find_files([tmp_path])] == ["ok.jsonl"]


@settings(max_examples=60, deadline=None)
@given(
    lines=st.lists(st.text(alphabet="abc ", max_size=40), max_size=30),
    size=st.integers(min_value=1, max_value=64),
    ended=st.booleans(),
)
def test_chunks_give_every_line_once_with_its_number(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], size: int, ended: bool
) -> None:
    text = "\n".join(lines) + ("\n" if ended and lines else "")
    path = write(tmp_path_factory.mktemp("chunks") / "x.jsonl", text)
    batch = make_batch("staff", "2025-01-01", find_files([path]))
    read = [pair for chunk in chunks(batch, size) for pair in read_lines(chunk, 1000)]
    assert read == [(n, line.strip().encode()) for n, line in enumerate(text.split("\n"), 1) if line.strip()]


def test_the_files_of_a_batch_that_was_begun_are_that_batch_again_and_new_ones_another(tmp_path: Path) -> None:
    folder = tmp_path / "staff" / "2025-03-01"
    folder.mkdir(parents=True)
    for name in "ab":
        (folder / f"{name}.jsonl").write_text(f"{name}\n")
    first = make_batch("staff", "2025-03-01", find_files([folder]), "given")
    digests = tuple(file.sha256 for file in first.files)
    unfinished = BegunBatch("staff", "2025-03-01", "given", first.content_hash, digests)
    (folder / "c.jsonl").write_text("c\n")
    old, new = landing_batches(tmp_path, ["2025-03-01"], frozenset(), [unfinished])
    assert old == first
    assert [file.name for file in new.files] == ["c.jsonl"]


def test_a_batch_that_was_begun_and_lost_a_file_since_is_as_if_new(tmp_path: Path) -> None:
    folder = tmp_path / "staff" / "2025-03-01"
    folder.mkdir(parents=True)
    (folder / "a.jsonl").write_text("a\n")
    (batch,) = landing_batches(tmp_path, ["2025-03-01"], frozenset())
    unfinished = BegunBatch("staff", "2025-03-01", "given", "h", (batch.files[0].sha256, "gone"))
    assert landing_batches(tmp_path, ["2025-03-01"], frozenset(), [unfinished]) == (batch,)
