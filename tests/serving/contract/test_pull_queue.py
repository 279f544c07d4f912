"""The queue of hints: each once, off only when done."""

from __future__ import annotations

from pathlib import Path

from serving.contract.pull_queue import Hint, done, enqueue, failed, postponed, tried, waiting

ORDER = Hint("douyin", "7000001", "order", "6900000000000000001", "4463798")
OTHER = Hint("douyin", "7000001", "order", "6900000000000000002", "4463798")


def test_a_hint_given_twice_waits_once(tmp_path: Path) -> None:
    enqueue(tmp_path, [ORDER, OTHER])
    enqueue(tmp_path, [ORDER])
    assert [ticket.hint for ticket in waiting(tmp_path)] == [OTHER, ORDER]


def test_a_done_ticket_is_off_the_queue(tmp_path: Path) -> None:
    enqueue(tmp_path, [ORDER])
    done(tmp_path, waiting(tmp_path))
    assert waiting(tmp_path) == ()


def test_a_hint_renewed_while_it_was_worked_on_stays(tmp_path: Path) -> None:
    enqueue(tmp_path, [ORDER])
    taken = waiting(tmp_path)
    enqueue(tmp_path, [ORDER])
    done(tmp_path, taken)
    assert [ticket.hint for ticket in waiting(tmp_path)] == [ORDER]


def test_a_failed_ticket_stays_with_its_attempts(tmp_path: Path) -> None:
    enqueue(tmp_path, [ORDER])
    failed(tmp_path, waiting(tmp_path))
    failed(tmp_path, waiting(tmp_path))
    assert [ticket.attempts for ticket in waiting(tmp_path)] == [2]


def test_what_nobody_works_off_stands_in_nobodys_way(tmp_path: Path) -> None:
    enqueue(tmp_path, [ORDER, OTHER, Hint("wecom", "ww1", "contact", "wm1")])
    for _ in range(3):
        failed(tmp_path, waiting(tmp_path, kind=("douyin", "7000001", "order"), most=1))
    left = waiting(tmp_path, kind=("douyin", "7000001", "order"), below=2, most=1)
    assert [ticket.hint for ticket in left] == [OTHER]
    assert (tried(tmp_path, 2), len(waiting(tmp_path))) == (1, 3)


def test_a_ticket_put_off_stands_last_without_an_attempt(tmp_path: Path) -> None:
    enqueue(tmp_path, [ORDER, OTHER])
    postponed(tmp_path, waiting(tmp_path)[0])
    assert [(ticket.hint, ticket.attempts) for ticket in waiting(tmp_path)] == [(OTHER, 0), (ORDER, 0)]


def test_a_home_without_a_queue_has_nothing_waiting(tmp_path: Path) -> None:
    assert waiting(tmp_path) == ()
