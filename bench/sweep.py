"""The crash sweep: a small brand's day is killed at many points, run again, and held against a run nobody disturbed.

Run: `python -m bench.sweep --points 40`; with `--work FOLDER` it is taken up where it stopped. Half of the points are
moments of the run; the other half are renames, right after which the kill comes: of a commit into a table's log, of a
snapshot into its place, of `CURRENT`. Killed are all processes of the run, its Python process alone, or, of a run on
the cluster, its JVM alone. Meanwhile a reader follows the published snapshot. After each kill the same command runs
again, and then every table but `ops` and the stitcher's report has to hold the rows of the undisturbed lake, run
numbers left out. So has a lake whose last day ran undisturbed on the cluster.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import psutil

from bench._brand import CDP, business_day, make_brand, say, start
from pipelines.clock import stopwatch
from pipelines.errors import IntegrityError
from pipelines.publish import pointed
from pipelines.store.versions import exists, rows_of
from pipelines.tables import ALL
from pipelines.verify import find_damage, snapshot_damage

ROOT = Path(__file__).resolve().parents[1]
VICTIMS = ("all", "python", "jvm")
LEFT_OUT = ("run_id",)
NOT_COMPARED = ("identity.report",)
PUBLISHING = ("snapshots/.r*.partial", "snapshots/r*", "CURRENT")
"""What becomes visible when a run publishes; the snapshot's own name is another each time."""
POLL_S = 0.002
LIMIT_S = 900
GROUND, OUTCOMES = "ground.json", "outcomes.jsonl"


@dataclass(frozen=True)
class Point:
    """Where and who of a run is killed: after a share of the undisturbed time, or right after a rename to a path."""

    number: int
    kind: str
    share: float = 0.0
    victim: str = "all"
    target: str = ""

    @property
    def words(self) -> str:
        """The point as the report names it."""
        place = f"{self.share:.0%} of the time" if self.kind == "time" else self.target
        return f"{place}, {self.victim}"


@dataclass
class Outcome:
    """What a killed run came to: whether the kill hit it, how the same command did again, tables that differ."""

    point: Point
    hit: bool
    again: int
    seconds: float
    differing: list[str] = field(default_factory=list)
    damage: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether nobody could tell that the run was killed."""
        return self.again == 0 and not (self.differing or self.damage)


@dataclass(frozen=True)
class Ground:
    """What all points start from: a lake with all days but the last, and what an undisturbed last day makes of it.

    `seconds`: what that took, on the cluster `cluster_seconds`; `program`: the words that start a run.
    """

    base: Path
    reference: Path
    day: str
    seconds: float
    renames: tuple[str, ...]
    program: tuple[str, ...] = CDP
    cluster_seconds: float = 0.0

    def run(self, home: Path, first: str, last: str, *, cluster: bool = False) -> int:
        """The exit code of a run in a process of its own, or with a JVM; its words are in `<home>.log`."""
        process = self.start(home, first, last, cluster=cluster)
        try:
            return process.wait(timeout=LIMIT_S)
        finally:
            process.kill()

    def start(self, home: Path, first: str, last: str, *, cluster: bool) -> subprocess.Popen[bytes]:
        """The same, under way."""
        words = command(self.program, first, last)
        with home.with_suffix(".log").open("ab") as log:
            return start(words, environment(home, cluster=cluster), out=log, err=log, group=True)


class Reader(threading.Thread):
    """Follows the published snapshot as a reader does, and keeps what was not whole."""

    def __init__(self, home: Path) -> None:
        super().__init__(daemon=True)
        self.home = home
        self.seen: list[str] = []
        self.wrong: list[str] = []
        self._end = threading.Event()

    def run(self) -> None:
        while not self._end.wait(0.25):
            self.look()

    def look(self) -> None:
        """The present snapshot is there, with its own files whole."""
        try:
            name = pointed(self.home)
            found = [] if name is None else snapshot_damage(self.home, name)
        except (OSError, IntegrityError) as error:
            self.wrong.append(type(error).__name__)
            return
        if name is not None and name not in self.seen:
            self.seen.append(name)
        self.wrong += [item.problem for item in found]

    def finish(self) -> None:
        """The reader has stopped."""
        self._end.set()
        self.join()
        self.look()


def prepare(work: Path, *, people: int, days: int, program: tuple[str, ...] = CDP) -> Ground:
    """A simulated brand with all days but the last published, and beside it the undisturbed last day."""
    base, reference = work / "base", work / "reference"
    for left in (base, reference):
        shutil.rmtree(left, ignore_errors=True)
    make_brand(base, people, days)
    first, before, last = (business_day(number).isoformat() for number in (0, days - 2, days - 1))
    ground = Ground(base, reference, last, 0.0, (), program)
    _check(ground.run(base, first, before))
    shutil.rmtree(base / "spark", ignore_errors=True)
    shutil.copytree(base, reference)
    watch = stopwatch()
    _check(ground.run(reference, ground.day, ground.day))
    return replace(ground, seconds=round(watch(), 1), renames=_targets(base, reference))


def on_cluster(ground: Ground, work: Path) -> Ground:
    """The undisturbed last day ran on the cluster too, and gave what it gave in one process."""
    home = work / "cluster"
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(ground.base, home)
    watch = stopwatch()
    _check(ground.run(home, ground.day, ground.day, cluster=True))
    ground = replace(ground, cluster_seconds=round(watch(), 1))
    different = differing(ground.reference, home)
    if different:
        raise SystemExit(f"one day gave something else on the cluster in {', '.join(different)}")
    return _keep(ground, work)


def _keep(ground: Ground, work: Path) -> Ground:
    seconds = {"seconds": ground.seconds, "cluster_seconds": ground.cluster_seconds}
    kept = {"day": ground.day, **seconds, "renames": ground.renames}
    (work / GROUND).write_text(json.dumps(kept), encoding="utf-8")
    return ground


def points(ground: Ground, count: int, seed: int, victims: Sequence[str] = VICTIMS) -> list[Point]:
    """So many points, half of them moments and half renames, the same for the same seed."""
    chance = random.Random(seed)
    renames = count // 2
    chosen = [Point(0, "rename", target=target) for target in _spread(ground.renames, renames, chance)]
    for place in range(count - len(chosen)):
        share = (place + chance.random()) / (count - renames)
        chosen.append(Point(0, "time", share=round(0.05 + 0.93 * share, 3)))
    return [
        Point(number, p.kind, p.share, victims[number % len(victims)], p.target) for number, p in enumerate(chosen, 1)
    ]


def try_point(ground: Ground, point: Point, work: Path) -> Outcome:
    """The last day was killed at the point and run again; says what is different from the undisturbed lake."""
    home = work / f"point-{point.number:02d}"
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(ground.base, home)
    reader = Reader(home)
    reader.start()
    watch = stopwatch()
    code = _disturbed(home, ground, point)
    reader.finish()
    damage = [f"while disturbed: {wrong}" for wrong in sorted(set(reader.wrong))]
    damage += [f"after the kill: {item.where}: {item.problem}" for item in find_damage(home)]
    again = ground.run(home, ground.day, ground.day)
    damage += [f"after the next run: {item.where}: {item.problem}" for item in find_damage(home)]
    outcome = Outcome(point, code != 0, again, round(watch(), 1), differing(ground.reference, home), damage)
    outcome.seen = reader.seen
    if outcome.good:
        shutil.rmtree(home)
    return outcome


def differing(one: Path, two: Path) -> list[str]:
    """The tables that do not hold the same rows in both lakes, run numbers left out; `one` is read once for all."""
    return [
        t.full_name
        for t in ALL.tables
        if _compared(t.full_name) and _undisturbed(one, t.full_name) != _content(two, t.full_name)
    ]


def _compared(name: str) -> bool:
    return not name.startswith("ops.") and name not in NOT_COMPARED


def _content(home: Path, name: str) -> tuple[object, ...]:
    """Rows and a sum over the digests of all rows, which no order changes."""
    if not exists(home / "lake", name):
        return (0, None)
    names = [f'"{column}"' for column in ALL[name].column_names if column not in LEFT_OUT]
    query = f"SELECT count(*) AS n, sum(hash(({', '.join(names)}))::HUGEINT) AS digest FROM t"
    return tuple(rows_of(home / "lake", name, query)[0].values())


@functools.cache
def _undisturbed(home: Path, name: str) -> tuple[object, ...]:
    return _content(home, name)


def _disturbed(home: Path, ground: Ground, point: Point) -> int:
    watch, cluster = stopwatch(), point.victim == "jvm"
    whole = ground.cluster_seconds if cluster else ground.seconds
    reached = _watcher(home, point.target) if point.target else lambda: watch() >= whole * point.share
    process = ground.start(home, ground.day, ground.day, cluster=cluster)
    while process.poll() is None and not reached():
        time.sleep(POLL_S)
    if process.poll() is None:
        _kill(process.pid, point.victim, ground.program[-1])
    return process.wait(timeout=LIMIT_S)


def _watcher(home: Path, target: str) -> Callable[[], bool]:
    """Says whether the target has come, or, where it was there before, has become another file."""
    before = {path: _file(path) for path in home.glob(target)}
    return lambda: any(before.get(path) != _file(path) for path in home.glob(target))


def _file(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return -1


def _kill(pid: int, victim: str, program: str) -> None:
    if victim == "all":
        os.killpg(pid, signal.SIGKILL)
        return
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            words = process.cmdline()
            is_run = program in words and words[0] == sys.executable
            if process.name() == "java" if victim == "jvm" else is_run:
                process.kill()
                return


def command(program: Sequence[str], first: str, last: str) -> list[str]:
    """The words of a run over the days, which waits for what a killed one left behind."""
    return [*program, "run", "--from", first, "--to", last, "--wait", "120"]


def environment(home: Path, *, cluster: bool = False) -> dict[str, str]:
    """What every run of the sweep is told; `cluster`: to compute with a JVM however little there is to do."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CDP_")}
    given = {"CDP_HOME": str(home), "CDP_CONF": str(ROOT / "conf"), "PYTHONPATH": str(ROOT)}
    given |= {"CDP_CLOCK": "2025-02-01T00:00:00+08:00", "CDP_SPARK__MEMORY": "2g", "CDP_QUALITY__DATA_DOCS": "false"}
    given |= {"CDP_INGEST__IN_PROCESS_BYTES": "0"} if cluster else {}
    return kept | given


def _targets(before: Path, after: Path) -> tuple[str, ...]:
    """The commits that an undisturbed run made, in the order in which it made them, and what its publishing makes."""
    made = after.glob("lake/*/*/_delta_log/*.json")
    new = [path for path in made if not (before / path.relative_to(after)).exists()]
    new.sort(key=lambda path: (path.stat().st_mtime_ns, str(path)))
    return (*(path.relative_to(after).as_posix() for path in new), *PUBLISHING)


def _spread(targets: Sequence[str], count: int, chance: random.Random) -> list[str]:
    """So many of the targets, one out of each stretch of the run."""
    size = len(targets)
    edges = [size * place // max(count, 1) for place in range(count + 1)]
    return [targets[chance.randrange(low, high)] for low, high in itertools.pairwise(edges) if high > low]


def _check(code: int) -> None:
    if code != 0:
        raise SystemExit(f"an undisturbed run ended with exit code {code}: nothing can be compared")


def table(outcomes: Sequence[Outcome], ground: Ground) -> str:
    """The sweep as a Markdown page."""
    good = sum(outcome.good for outcome in outcomes)
    lines = [
        "# Crash sweep",
        "",
        f"Written by `make sweep`: {good} of {len(outcomes)} killed runs left nothing that the next run did not mend.",
        f"Undisturbed, the day took {ground.seconds:.0f} s; on the cluster, with the same result,"
        f" {ground.cluster_seconds:.0f} s.",
        "",
        "| point | killed at | hit | next run | tables that differ | damage | seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    for o in outcomes:
        cells = (o.point.number, f"`{o.point.words}`", "yes" if o.hit else "no", f"exit {o.again}")
        rest = (", ".join(o.differing) or "none", "; ".join(o.damage) or "none", o.seconds)
        lines.append("| " + " | ".join(str(cell) for cell in (*cells, *rest)) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Prints each point as it is done; exits 1 when a killed run left a trace."""
    options = _options()
    work = Path(options.work or tempfile.mkdtemp(prefix="cdp-sweep-"))
    ground = _kept_ground(work) or on_cluster(prepare(work, people=options.people, days=options.days), work)
    outcomes = _kept_outcomes(work)
    known = {outcome.point.number for outcome in outcomes}
    waiting = [point for point in points(ground, options.points, options.seed) if point.number not in known]
    for point in waiting[: options.at_once]:
        outcome = try_point(ground, point, work)
        outcomes.append(outcome)
        with (work / OUTCOMES).open("a", encoding="utf-8") as kept:
            kept.write(json.dumps(asdict(outcome)) + "\n")
        say(f"{'good' if outcome.good else 'BAD'} {json.dumps(asdict(outcome))}")
    page = table(outcomes, ground)
    print(page)
    if options.out:
        Path(options.out).write_text(page, encoding="utf-8")
    bad = [outcome for outcome in outcomes if not outcome.good]
    if not bad and not options.work:
        shutil.rmtree(work)
    sys.exit(1 if bad else 0)


def _kept_ground(work: Path) -> Ground | None:
    path = work / GROUND
    if not path.is_file():
        return None
    kept = json.loads(path.read_text(encoding="utf-8"))
    ground = Ground(work / "base", work / "reference", kept["day"], kept["seconds"], tuple(kept["renames"]))
    return replace(ground, cluster_seconds=kept["cluster_seconds"])


def _kept_outcomes(work: Path) -> list[Outcome]:
    path = work / OUTCOMES
    kept = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []
    return [Outcome(**body | {"point": Point(**body["point"])}) for body in kept]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Kill a run at many points and compare with an undisturbed one.")
    parser.add_argument("--points", type=int, default=40)
    parser.add_argument("--at-once", type=int, default=1000, help="points of this call; the next goes on")
    parser.add_argument("--people", type=int, default=300)
    parser.add_argument("--days", type=int, default=3)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--work", help="folder for the lakes; kept, and taken up again")
    parser.add_argument("--out", help="where the page is written")
    return parser.parse_args()


if __name__ == "__main__":
    main()
