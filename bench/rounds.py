"""Rounds of two runs at once on one lake: what reported success is there once, the other run leaves at once.

    python -m bench.rounds --rounds 20

Odd rounds start `cdp run` for one new business day twice; even rounds start two `cdp ingest` with a batch each. The
other run has to end with exit 5 (the lake is held) within 5 seconds, or, where the first was done before it came, with
0; every batch that reported 0 is in bronze once, no record of a refused one is. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench._brand import CDP, business_day, environment, make_brand, start
from pipelines.errors import ExitCode
from pipelines.store.versions import rows_of

FEED = "miniprogram_events"
LEAVES_WITHIN_S = 5.0
PEOPLE = 60


@dataclass(frozen=True)
class Round:
    """Two runs: how each ended and after how many seconds; `sound`: what reported 0 is there once and nothing else."""

    number: int
    kind: str
    codes: tuple[int, int]
    seconds: tuple[float, float]
    sound: bool

    @property
    def good(self) -> bool:
        """Whether the round went as it must."""
        refused = [s for code, s in zip(self.codes, self.seconds, strict=True) if code == ExitCode.LOCKED]
        known = all(code in (ExitCode.DONE, ExitCode.LOCKED) for code in self.codes)
        return self.sound and known and ExitCode.DONE in self.codes and all(s <= LEAVES_WITHIN_S for s in refused)


def play(home: Path, rounds: int) -> list[Round]:
    """The rounds on a small brand of the home's own."""
    make_brand(home, PEOPLE, rounds + 4, quiet=True)
    done = []
    for number in range(1, rounds + 1):
        day = business_day(number - 1).isoformat()
        done.append(_two_runs(home, number, day) if number % 2 else _two_ingests(home, number, day))
    return done


def _two_runs(home: Path, number: int, day: str) -> Round:
    codes, seconds = race(home, [["run", "--date", day], ["run", "--date", day]])
    return Round(number, "run", codes, seconds, sound=_ledger_holds(home) and _every_line(home, day))


def _two_ingests(home: Path, number: int, day: str) -> Round:
    names = (f"round-{number}-a", f"round-{number}-b")
    commands = []
    for place, name in enumerate(names):
        file = home / f"{name}.jsonl"
        given = sorted((home / "landing" / FEED).glob("*/*.jsonl"))[number + place]
        shutil.copyfile(given, file)
        commands.append(["ingest", "--feed", FEED, "--interval", day, "--batch-id", name, str(file)])
    codes, seconds = race(home, commands)
    reported = {name for name, code in zip(names, codes, strict=True) if code == ExitCode.DONE}
    return Round(number, "ingest", codes, seconds, sound=_ledger_holds(home) and _batches(home, names) == reported)


def race(home: Path, commands: Sequence[Sequence[str]]) -> tuple[tuple[int, int], tuple[float, float]]:
    """The exit codes of two commands started at once, and when each ended."""
    begun = time.monotonic()
    running = [
        start([*CDP, *words], environment(home), out=subprocess.DEVNULL, err=subprocess.DEVNULL) for words in commands
    ]
    ended: dict[int, float] = {}
    while len(ended) < len(running):
        for place, process in enumerate(running):
            if place not in ended and process.poll() is not None:
                ended[place] = round(time.monotonic() - begun, 1)
        time.sleep(0.02)
    return (running[0].returncode, running[1].returncode), (ended[0], ended[1])


def _ledger_holds(home: Path) -> bool:
    """Whether each feed's bronze holds each of its batches' good records once, and no other."""
    lake = home / "lake"
    ledger = rows_of(lake, "ops.batches", "SELECT feed, interval::VARCHAR AS day, batch_id, good FROM t")
    for feed in {str(row["feed"]) for row in ledger}:
        held = rows_of(
            lake,
            f"bronze.{feed}",
            "SELECT interval::VARCHAR AS day, batch_id, count(*) AS n, count(DISTINCT record_hash) AS kinds"
            " FROM t GROUP BY ALL",
        )
        stated = {(row["day"], row["batch_id"], row["good"], row["good"]) for row in ledger if row["feed"] == feed}
        found = {(row["day"], row["batch_id"], row["n"], row["kinds"]) for row in held}
        if found != {one for one in stated if one[2]}:
            return False
    return True


def _every_line(home: Path, day: str) -> bool:
    """Whether the ledger accounts for the day's landing files, line by line."""
    lines = sum(len(path.read_bytes().splitlines()) for path in (home / "landing").glob(f"*/{day}/*.jsonl"))
    query = f"SELECT sum(records_in) AS n FROM t WHERE interval = DATE '{day}' AND batch_id NOT LIKE 'round-%'"
    found = rows_of(home / "lake", "ops.batches", query)
    return bool(found) and int(found[0]["n"] or 0) >= lines


def _batches(home: Path, names: Sequence[str]) -> set[str]:
    known = rows_of(home / "lake", "ops.batches", "SELECT batch_id FROM t")
    return {str(row["batch_id"]) for row in known} & set(names)


def table(rounds: Sequence[Round]) -> str:
    """The rounds as Markdown, and how many went as they must."""
    lines = ["| round | two of | exit codes | seconds | as it must |", "|---|---|---|---|---|"]
    lines += [
        f"| {one.number} | {one.kind} | {one.codes[0]}, {one.codes[1]} | {one.seconds[0]}, {one.seconds[1]} |"
        f" {'yes' if one.good else 'NO'} |"
        for one in rounds
    ]
    return "\n".join([*lines, "", f"{sum(one.good for one in rounds)} of {len(rounds)} rounds went as they must"])


def main() -> None:
    """Plays the rounds; ends with 1 where one went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="cdp-rounds-"))
    rounds = play(home, options.rounds)
    print(table(rounds))
    shutil.rmtree(home)
    sys.exit(0 if all(one.good for one in rounds) else 1)


if __name__ == "__main__":
    main()
