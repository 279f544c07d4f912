"""Runs a simulation: cells are made, told and forgotten one after another, in as many processes as there are parts."""

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from queue import Empty
from typing import Any

import orjson

from pipelines.simulate.chance import stream
from pipelines.simulate.config import SimulationConfig
from pipelines.simulate.errors import ShardFailedError, SimulationError, SimulationRefusedError
from pipelines.simulate.files import Appender
from pipelines.simulate.landing import Counts, Landing
from pipelines.simulate.play import play_cell
from pipelines.simulate.play_brand import BrandPlayer, Tallies
from pipelines.simulate.scene import Scene
from pipelines.simulate.scopes import scopes, yaml_text
from pipelines.simulate.truth import Truth
from pipelines.simulate.world import World

Progress = Callable[[str, int, int], None]
Report = Callable[[int], None]

ONE_PROCESS_UP_TO = 10  # cells; below that, starting processes costs more than it gains
BRAND_PART = "part-brand"
TRUTH_TABLES = ("identifiers", "reachable_pairs", "books", "faults", "referrals")


@dataclass(slots=True)
class ShardReport:
    """What one part of the world came to; money in fen: orders, paid, refunded, deposited by platform."""

    counts: Counts = field(default_factory=Counts)
    books: dict[str, list[int]] = field(default_factory=dict)
    people: int = 0
    identifiers: int = 0
    groups: int = 0
    tallies: Tallies = field(default_factory=lambda: Tallies(0, 0))

    def add(self, other: "ShardReport") -> None:
        """Adds another part."""
        self.counts.add(other.counts)
        for platform, money in other.books.items():
            known = self.books.get(platform, [0, 0, 0, 0])
            self.books[platform] = [a + b for a, b in zip(known, money, strict=True)]
        self.people += other.people
        self.identifiers += other.identifiers
        self.groups += other.groups


@dataclass(frozen=True, slots=True)
class SimulationReport:
    """What was written: records (duplicates and broken copies included) by feed, and the totals of the truth."""

    out: Path
    people: int
    records: dict[str, int]
    duplicates: dict[str, int]
    broken: dict[str, int]
    error_answers: dict[str, int]
    identifiers: int
    groups: int
    books: dict[str, dict[str, int]]

    @property
    def total_records(self) -> int:
        """All raw records of all feeds."""
        return sum(self.records.values())


def simulate(config: SimulationConfig, out: Path, *, progress: Progress | None = None) -> SimulationReport:
    """The world of the settings is written under `out`, which must not hold another one.

    `out/landing/<feed>/<interval>/part-NNNN.jsonl` are the platforms' raw answers, `out/truth/` what is true of them,
    `out/scopes.yaml` what a reader of the landing has to know. `progress` is called with a stage's name, the cells
    done and all cells. Raises SimulationRefusedError for a folder in use and
    ShardFailedError when a part could not be written.
    """
    if (out / "landing").exists() or (out / "truth").exists():
        raise SimulationRefusedError("out", str(out), "a folder without landing/ and truth/")
    out.mkdir(parents=True, exist_ok=True)
    tell = progress or (lambda _stage, _done, _total: None)
    total = ShardReport()
    world = World(config)
    tallies = Tallies(len(world.brand.guides), config.days)
    for shard in _write_shards(config, out, tell):
        total.add(shard)
        tallies.add(shard.tallies)
    _write_brand(world, out, tallies, total)
    _join_truth(config, out)
    report = _report(out, total)
    summary = {"config": asdict(config), **asdict(report)}
    del summary["out"]
    (out / "truth" / "summary.json").write_bytes(
        orjson.dumps(summary, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)
    )
    return report


def _report(out: Path, total: ShardReport) -> SimulationReport:
    names = ("orders", "paid_fen", "refunded_fen", "deposit_fen")
    return SimulationReport(
        out=out,
        people=total.people,
        records=dict(sorted(total.counts.records.items())),
        duplicates=dict(sorted(total.counts.duplicates.items())),
        broken=dict(sorted(total.counts.broken.items())),
        error_answers=dict(sorted(total.counts.errors.items())),
        identifiers=total.identifiers,
        groups=total.groups,
        books={platform: dict(zip(names, money, strict=True)) for platform, money in sorted(total.books.items())},
    )


def write_shard(config: SimulationConfig, out: Path, shard: int, report: Report) -> ShardReport:
    """One part of the world is written: the cells whose number leaves the part's number when divided by all parts."""
    world = World(config)
    files, part = Appender(out), f"part-{shard:04d}"
    landing = Landing(config, world.brand.clock, files, part)
    truth = Truth(world.brand.clock, files, part)
    tallies = Tallies(len(world.brand.guides), config.days)
    for done, number in enumerate(range(shard, config.cells, config.shards), start=1):
        landing.begin_cell(number)
        scene = Scene(world.brand, landing, truth, stream(config.seed, "telling", number), number)
        cell = world.cell(number)
        play_cell(scene, cell)
        tallies.note_relations(cell.contacts, cell.groups, world.brand.clock)
        report(done)
    landing.close()
    return ShardReport(landing.counts, truth.totals, truth.people, truth.identifiers, truth.groups, tallies)


def _write_brand(world: World, out: Path, tallies: Tallies, total: ShardReport) -> None:
    """The brand's own tables, the guides' days, the ordering staff's numbers and the scopes are written."""
    files = Appender(out)
    landing = Landing(world.config, world.brand.clock, files, BRAND_PART)
    BrandPlayer(world.brand, landing, tallies).play()
    truth = Truth(world.brand.clock, files, BRAND_PART)
    for number in world.brand.ordering_phones:
        truth.add_staff_phone(number)
    landing.close()
    total.add(ShardReport(landing.counts, {}, 0, truth.identifiers, 0))
    (out / "scopes.yaml").write_text(yaml_text(scopes()), encoding="utf-8")


def _write_shards(config: SimulationConfig, out: Path, tell: Progress) -> list[ShardReport]:
    shards = min(config.shards, config.cells)
    if shards > 1 and config.cells > ONE_PROCESS_UP_TO:
        return _in_processes(config, out, shards, tell)
    reports, before = [], 0
    for shard in range(shards):
        reports.append(write_shard(config, out, shard, _stage(tell, before, config.cells)))
        before += len(range(shard, config.cells, config.shards))
    return reports


def _stage(tell: Progress, before: int, total: int) -> Report:
    return lambda done: tell("world", before + done, total)


def _in_processes(config: SimulationConfig, out: Path, shards: int, tell: Progress) -> list[ShardReport]:
    context = get_context("spawn")
    queue = context.Queue()
    processes = [
        context.Process(target=_shard_process, args=(config, out, shard, queue), daemon=True) for shard in range(shards)
    ]
    for process in processes:
        process.start()
    done, reports = [0] * shards, dict[int, ShardReport]()
    try:
        while len(reports) < shards:
            shard, message = _next_message(queue, processes, reports)
            if isinstance(message, ShardReport):
                reports[shard] = message
            elif isinstance(message, str):
                raise ShardFailedError(shard, message)
            else:
                done[shard] = message
                tell("world", sum(done), config.cells)
    finally:
        for process in processes:
            if len(reports) < shards:
                process.terminate()
            process.join()
    return [reports[shard] for shard in range(shards)]


def _next_message(queue: Any, processes: list[Any], reports: dict[int, ShardReport]) -> tuple[int, Any]:
    """The next word from a writer; a writer that died without one is an error, not a wait."""
    while True:
        try:
            message: tuple[int, Any] = queue.get(timeout=5)
            return message
        except Empty:
            for shard, process in enumerate(processes):
                if shard not in reports and not process.is_alive():
                    raise ShardFailedError(shard, f"its process ended with code {process.exitcode}") from None


def _shard_process(config: SimulationConfig, out: Path, shard: int, queue: Any) -> None:
    try:
        queue.put((shard, write_shard(config, out, shard, lambda done: queue.put((shard, done)))))
    except (SimulationError, OSError, MemoryError) as error:
        queue.put((shard, f"{type(error).__name__}: {error}"))


def _join_truth(config: SimulationConfig, out: Path) -> None:
    """The parts' truth tables become one file each; a table nobody wrote to is an empty file."""
    parts = [out / "truth" / f"part-{shard:04d}" for shard in range(config.shards)] + [out / "truth" / BRAND_PART]
    for table in TRUTH_TABLES:
        with (out / "truth" / f"{table}.jsonl").open("wb") as target:
            for part in parts:
                source = part / f"{table}.jsonl"
                if source.exists():
                    with source.open("rb") as handle:
                        shutil.copyfileobj(handle, target, 1 << 20)
    for part in parts:
        shutil.rmtree(part, ignore_errors=True)
