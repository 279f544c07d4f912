"""Whether all that the platforms know is in silver once, with its last state, after a bad week of pushes and pulls.

Run: `python -m bench.pulled` (200 people, 8 days). The platform simulator plays over HTTP and fails every fifth call;
of its pushes a tenth is lost and a third comes twice; the right to decrypt is granted in the middle of the week; one
pull is killed (SIGKILL). Every evening a pull reconciles; at the end silver is compared with the world, row by row, to
the fen. Prints what was injected and what was found; exits 1 where something is missing, double or another.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import structlog
import yaml

from bench._brand import environment, say, settings_of
from pipelines.cli.common import cluster_session
from pipelines.connectors.calls import Pace
from pipelines.connectors.douyin_phones import DECRYPT
from pipelines.connectors.pull import PullOptions, pull
from pipelines.demo import MIX_KEYS, START
from pipelines.keys import create_demo_keys
from pipelines.runner import RunRequest, run_pipeline
from pipelines.simulate.brand import CORPS, DOUYIN_SHOPS, TMALL_SHOPS
from pipelines.simulate.chaos import ChaosRates, Fate
from pipelines.simulate.clock import Clock
from pipelines.simulate.config import Dirt, SimulationConfig
from pipelines.simulate.platform_tmall_members import TmallMembers
from pipelines.simulate.platform_tmall_queue import CONSUME
from pipelines.simulate.pushes import Push, PushRates, pushes
from pipelines.simulate.relations import TRANSFER_DONE
from pipelines.simulate.server import PlatformRules, PlatformServer
from pipelines.store.versions import rows_of
from serving.app import Clocks, create_app
from serving.contract.platforms import read_platforms
from serving.settings import ServingSettings

PATIENCE_SECONDS = 0.4
CALLS_BEFORE_THE_KILL = 40
LATE_SECONDS = 500
JOBS = ("s1_bronze", "s2_silver")
RATES = PushRates(lost=0.1, doubled=0.3)
FAILING = (Fate.SYSTEM_ERROR, Fate.LIMITED, Fate.TOO_MANY, Fate.BAD_GATEWAY, Fate.CUT, Fate.HANG)
Facts = dict[Any, Any]


@dataclass
class Now:
    """The time for both sides, in epoch seconds."""

    second: int

    def __call__(self) -> int:
        return self.second * 1000


@dataclass
class Week:
    """What was done: the pushes that were delivered, and how often what was injected."""

    sent: list[Push] = field(default_factory=list)
    injected: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Compared:
    """One kind of fact: how many the world has, how many silver has, and how many of either are missing or another."""

    name: str
    world: int
    silver: int
    wrong: int


def play(home: Path, *, people: int, days: int) -> tuple[Week, list[Compared]]:
    """The week was played on a home of its own, ingested, and compared."""
    config = SimulationConfig(
        people=people, days=days, start=START, seed=11, dirt=Dirt.none(), avg_events_per_person=0.0
    )
    clock, now, week = Clock(config.start, config.days), Now(0), Week()
    rules = PlatformRules(ChaosRates.rough(), seed=3, token_calls=60, late_seconds=LATE_SECONDS, decryptions=0)
    now.second = clock.start
    create_demo_keys(settings_of(home).keys, MIX_KEYS)
    with PlatformServer(config, now, rules) as server:
        (home / "keys" / "platforms.yaml").write_text(yaml.safe_dump(server.accounts()), encoding="utf-8")
        for day in range(days):
            now.second = clock.midnight(day + 1) - 1
            _push(home, server, now, since=clock.midnight(day), week=week)
            if day == days // 2:
                server.douyin.decryptions = 100_000
                _pull_and_kill(home, server, now, week)
            _pull(home, now, week)
        now.second += LATE_SECONDS + 100
        _pull(home, now, week)
        week.injected.update({fate.value: server.chaos.counts[fate.value] for fate in FAILING})
        week.injected["page with a record twice"] = server.chaos.counts["duplicated"]
        _ingest(home)
        return week, list(compare(home, server, week))


def _push(home: Path, server: PlatformServer, now: Now, *, since: int, week: Week) -> None:
    """What the platforms push of a day reaches the API of the home, as far as it does."""
    everything = pushes(server.data, since, rates=PushRates(), seed=since)
    sent = pushes(server.data, since, rates=RATES, seed=since)
    week.injected["push lost"] += len(set(map(_key, everything)) - set(map(_key, sent)))
    week.injected["push sent twice"] += len(sent) - len(set(map(_key, sent)))
    statuses = Counter(asyncio.run(_deliver(home, now, sent)))
    if set(statuses) - {200}:
        raise RuntimeError(f"a push was refused: {dict(statuses)}")
    week.sent += sent


async def _deliver(home: Path, now: Now, sent: list[Push]) -> list[int]:
    settings = ServingSettings(home=home)  # type: ignore[call-arg]  # the rest has defaults
    transport = httpx.ASGITransport(create_app(settings, Clocks(wall=now)))
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
        return [
            (
                await client.post(push.path, content=push.body, params=dict(push.query), headers=dict(push.headers))
            ).status_code
            for push in sent
        ]


def _key(push: Push) -> tuple[str, bytes]:
    return push.path, push.body


def _pull(home: Path, now: Now, week: Week) -> None:
    """A pull in a process of its own; RuntimeError when a source failed."""
    done = subprocess.run(_child(home, now), env=environment(home), capture_output=True, check=False)
    report = orjson.loads(done.stdout or b"{}")
    if done.returncode or report["failures"]:
        raise RuntimeError(f"the pull failed: {report.get('failures')} {done.stderr.decode()[-2000:]}")
    week.injected["call tried again"] += report["retries"]
    waiting = sum(one["waiting"] for one in report["waiting"])
    week.injected["phone that had to wait"] = max(week.injected["phone that had to wait"], waiting)


def _pull_and_kill(home: Path, server: PlatformServer, now: Now, week: Week) -> None:
    """A pull is killed once it made so many calls."""
    begun = sum(server.chaos.counts.values())
    process = subprocess.Popen(_child(home, now), env=environment(home), stdout=subprocess.DEVNULL)
    while process.poll() is None and sum(server.chaos.counts.values()) < begun + CALLS_BEFORE_THE_KILL:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    if process.wait() != -signal.SIGKILL:
        raise RuntimeError("the pull was over before it could be killed")
    week.injected["pull killed"] += 1


def _child(home: Path, now: Now) -> list[str]:
    return [sys.executable, "-m", "bench.pulled", "--home", str(home), "--pull-at", str(now.second)]


def _pull_at(home: Path, second: int) -> dict[str, Any]:
    """One pull of a home at a moment; waits cost nothing, since the platform is on this machine."""
    platforms = read_platforms(home / "keys")
    if platforms is None:
        raise RuntimeError("the home has no accounts")
    options = PullOptions(
        pace=Pace(calls_per_second=100_000, attempts=12, first_wait=0.0),
        clock=Now(second),
        sleep=lambda _: None,
        timeout=PATIENCE_SECONDS,
    )
    return pull(home, home / "landing", platforms, options).as_json()


def _ingest(home: Path) -> None:
    settings = settings_of(home)
    folders = sorted(path.name for path in settings.landing.glob("*/????-??-??"))
    with cluster_session(settings) as cluster:
        run_pipeline(cluster, settings, RunRequest(folders[0], folders[-1], only=JOBS), lambda _: None)


def compare(home: Path, server: PlatformServer, week: Week) -> Iterator[Compared]:
    """Every kind of fact of the world against silver; a row that is there twice counts as wrong."""
    lake = home / "lake"
    yield _compared("orders: paid fen, last update", _world_orders(server), _silver_orders(lake))
    yield _compared("refunds: fen, last update", _world_refunds(server), _silver_refunds(lake))
    yield _compared("contacts: guides they stand with", _world_contacts(server), _silver_contacts(lake))
    yield _compared(
        "customers on sellers' lists: trades, fen", _world_customers(server), _silver_members(lake, "tmall")
    )
    yield _compared("members with Douyin orders", _world_douyin(server), _silver_members(lake, "douyin"))
    yield _compared("hand-overs done", _world_hand_overs(server), _hand_overs(lake))
    yield _compared("shop messages and callbacks that came", *_pushed(lake, week))
    yield _compared("Tmall messages given", *_messages(home, server))
    yield _compared("phones of paid Douyin orders", _world_phones(server), _phones(home))


def _compared(name: str, world: Facts, silver: Facts) -> Compared:
    wrong = sum(world.get(key) != silver.get(key) for key in world.keys() | silver.keys())
    return Compared(name, len(world), len(silver), wrong)


def _ms(moment: datetime | None) -> int:
    return 0 if moment is None else round(moment.timestamp() * 1000)


def _of(rows: Iterator[tuple[Any, Any]]) -> Facts:
    """The rows by key; of a key that comes twice, both, which is equal to nothing."""
    found: Facts = {}
    for key, value in rows:
        found[key] = ("twice", found[key], value) if key in found else value
    return found


def _world_orders(server: PlatformServer) -> Facts:
    return {
        (platform, str(order.number)): (order.pay_fen if 0 < order.paid <= moment else 0, moment * 1000)
        for platform, shops in (("douyin", DOUYIN_SHOPS), ("tmall", TMALL_SHOPS))
        for shop in range(len(shops))
        for moment, order in server.data.orders(platform, shop)
    }


def _silver_orders(lake: Path) -> Facts:
    rows = rows_of(lake, "silver.orders", "SELECT platform, order_id, paid_fen, updated_at FROM t")
    return _of(((row["platform"], row["order_id"]), (row["paid_fen"], _ms(row["updated_at"]))) for row in rows)


def _world_refunds(server: PlatformServer) -> Facts:
    return {
        (platform, str(refund.number)): (refund.amount_fen, moment * 1000)
        for platform, shops in (("douyin", DOUYIN_SHOPS), ("tmall", TMALL_SHOPS))
        for shop in range(len(shops))
        for moment, _, refund in server.data.refunds(platform, shop)
    }


def _silver_refunds(lake: Path) -> Facts:
    rows = rows_of(lake, "silver.refunds", "SELECT platform, refund_id, amount_fen, updated_at FROM t")
    return _of(((row["platform"], row["refund_id"]), (row["amount_fen"], _ms(row["updated_at"]))) for row in rows)


def _world_contacts(server: PlatformServer) -> Facts:
    now, ids = server.data.now, server.data.brand.ids
    return {
        (corp.corp_id.lower(), ids.external_userid(corp.corp_id, one.person.index), one.guide_at(now).userid): "active"
        for number, corp in enumerate(CORPS)
        for one in server.wecom.contacts(number)
    }


def _silver_contacts(lake: Path) -> Facts:
    query = "SELECT corp_id, external_userid, userid, status FROM t WHERE status = 'active'"
    rows = rows_of(lake, "silver.contact_follows", query)
    return _of(((row["corp_id"].lower(), row["external_userid"], row["userid"]), row["status"]) for row in rows)


def _world_customers(server: PlatformServer) -> Facts:
    lists = TmallMembers(server.data)
    return {
        entry["ouid"]: (entry["trade_count"], round(float(entry["trade_amount"]) * 100))
        for shop in range(len(TMALL_SHOPS))
        for _, entry in lists.customers(shop)
    }


def _world_douyin(server: PlatformServer) -> Facts:
    rows = [row for shop in range(len(DOUYIN_SHOPS)) for _, row in server.douyin.member_orders(shop)]
    return {row["open_id"]: (None, None) for row in rows}


def _silver_members(lake: Path, programme: str) -> Facts:
    query = f"SELECT member_value, trade_count, trade_fen FROM t WHERE programme = '{programme}'"
    rows = rows_of(lake, "silver.members", query)
    return _of((row["member_value"], (row["trade_count"], row["trade_fen"])) for row in rows)


def _world_hand_overs(server: PlatformServer) -> Facts:
    now, ids = server.data.now, server.data.brand.ids
    return {
        (ids.external_userid(CORPS[one.corp].corp_id, one.person.index), one.guide.userid): 1
        for one in server.data.contacts
        if one.transfer is not None and one.transfer.status == TRANSFER_DONE and 0 < one.transfer.taken_at <= now
    }


def _hand_overs(lake: Path) -> Facts:
    query = "SELECT subject_value, staff_userid FROM t WHERE event = 'transfer_result.done'"
    rows = rows_of(lake, "silver.events", query)
    return _of(((row["subject_value"], row["staff_userid"]), 1) for row in rows)


def _pushed(lake: Path, week: Week) -> tuple[Facts, Facts]:
    """Messages and callbacks that reached the API, each counted once, and the events they became."""
    came = {_key(push) for push in week.sent}
    messages = {
        str(one.get("msg_id") or one.get("msgId"))
        for path, body in came
        if "/douyin/" in path
        for one in orjson.loads(body)
    }
    callbacks = sum("/wecom/" in path for path, _ in came)
    events = _events(lake, "douyin_messages") + _events(lake, "wecom_events")
    return dict.fromkeys(range(len(messages) + callbacks), 1), dict.fromkeys(range(events), 1)


def _messages(home: Path, server: PlatformServer) -> tuple[Facts, Facts]:
    """Messages that were given and those that still wait, and the events they became; of refunds they became rows."""
    queue = server.tmall.queue
    given = {str(message["id"]) for shop in TMALL_SHOPS for message in queue.waiting(shop.app_key)} | queue.confirmed
    refunds = {
        message["id"]
        for payload in _landed(home, "tmall_messages", CONSUME)
        for message in payload["tmc_messages_consume_response"]["messages"]["tmc_message"]
        if message["topic"].startswith("taobao_refund_")
    }
    told = _events(home / "lake", "tmall_messages") + len(refunds)
    return dict.fromkeys(range(len(given)), 1), dict.fromkeys(range(told), 1)


def _events(lake: Path, feed: str) -> int:
    return len(rows_of(lake, "silver.events", f"SELECT event_id FROM t WHERE feed = '{feed}'"))


def _world_phones(server: PlatformServer) -> Facts:
    shops = range(len(DOUYIN_SHOPS))
    orders = [found for shop in shops for found in server.data.orders("douyin", shop)]
    return {str(order.number): 1 for moment, order in orders if 0 < order.paid <= moment}


def _phones(home: Path) -> Facts:
    """Orders whose decryption was answered, in the landing."""
    answers = _landed(home, "douyin_orders", DECRYPT)
    return {info["auth_id"]: 1 for payload in answers for info in payload["data"]["decrypt_infos"]}


def _landed(home: Path, feed: str, method: str) -> Iterator[dict[str, Any]]:
    """Every answer of a method in the landing."""
    for path in sorted((home / "landing" / feed).rglob("*.jsonl")):
        for wrapper in map(orjson.loads, path.read_bytes().splitlines()):
            if wrapper["context"]["method"] == method:
                yield wrapper["payload"]


def main() -> int:
    """Prints two Markdown tables; gives 1 where a fact is missing, double or another."""
    options = _options()
    if options.pull_at is not None:
        sys.stdout.write(orjson.dumps(_pull_at(Path(options.home), options.pull_at)).decode())
        return 0
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    home = Path(options.home or tempfile.mkdtemp(prefix="cdp-bench-pulled-"))
    week, compared = play(home, people=options.people, days=options.days)
    say("| injected | times |\n|---|---|")
    for name, times in sorted(week.injected.items()):
        say(f"| {name} | {times:,} |")
    say("\n| facts | of the world | in silver | missing, double or another |\n|---|---|---|---|")
    for row in compared:
        say(f"| {row.name} | {row.world:,} | {row.silver:,} | {row.wrong} |")
    if not options.home:
        shutil.rmtree(home)
    return int(any(row.wrong for row in compared))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--days", type=int, default=8)
    parser.add_argument("--home", help="keep everything here instead of a temporary folder")
    parser.add_argument("--pull-at", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
