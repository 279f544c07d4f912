"""The brand's accounts as things to pull: sources by window, and details by number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pipelines.clock import Clock
from pipelines.connectors.calls import CallerOf
from pipelines.connectors.douyin import DouyinShopClient, douyin_clients
from pipelines.connectors.douyin_members import member_order_sources
from pipelines.connectors.douyin_phones import KIND as PHONE
from pipelines.connectors.douyin_phones import Owe
from pipelines.connectors.errors import TerminalError
from pipelines.connectors.sink import Part
from pipelines.connectors.source import Source
from pipelines.connectors.tmall import TmallShopClient, tmall_clients
from pipelines.connectors.tmall_members import member_sources
from pipelines.connectors.tmall_messages import MessageQueue, message_queue
from pipelines.connectors.wecom import wecom_client
from pipelines.connectors.wecom_activity import activity_sources
from serving.contract.platforms import Platforms
from serving.contract.pull_queue import Hint, enqueue

Detail = Callable[[Hint, Part], None]


@dataclass(frozen=True)
class Detailer:
    """How the details of one kind are fetched, and the feed they belong to."""

    feed: str
    fetch: Detail


@dataclass
class Accounts:
    """Every source in the order it is pulled; `queues` of messages; `detailers` by platform, account and kind."""

    sources: list[Source] = field(default_factory=list)
    queues: list[MessageQueue] = field(default_factory=list)
    detailers: dict[tuple[str, str, str], Detailer] = field(default_factory=dict)


@dataclass(frozen=True)
class Folders:
    """The home, whose queue keeps what a call must leave for later, and the landing, which tells what was asked."""

    home: Path
    landing: Path


def open_accounts(
    folders: Folders, platforms: Platforms, caller_of: CallerOf, clock: Clock, *, only: frozenset[str]
) -> Accounts:
    """The accounts that can be pulled; `only` names platforms, without any all of them."""
    accounts = Accounts()
    if not only or "douyin" in only:
        _add_douyin(accounts, platforms, caller_of, clock, owe=partial(enqueue, folders.home))
    if not only or "tmall" in only:
        _add_tmall(accounts, platforms, caller_of, clock)
    if not only or "wecom" in only:
        _add_wecom(accounts, platforms, caller_of, folders)
    return accounts


def _add_douyin(accounts: Accounts, platforms: Platforms, caller_of: CallerOf, clock: Clock, *, owe: Owe) -> None:
    for app in platforms.douyin:
        clients = douyin_clients(app, caller_of, platforms.endpoints.douyin, clock, owe=owe)
        accounts.sources += [source for one in clients for source in (*one.sources(), *member_order_sources(one))]
        by_shop = {client.shop_id: client for client in clients}
        kinds = {"order": DouyinShopClient.detail, **({PHONE: DouyinShopClient.phone} if app.decrypt else {})}
        for kind, fetch in kinds.items():
            detail = _of_shop(by_shop, fetch)
            accounts.detailers["douyin", app.app_key, kind] = Detailer("douyin_orders", detail)


def _of_shop(by_shop: Mapping[str, DouyinShopClient], ask: Callable[[DouyinShopClient, str, Part], None]) -> Detail:
    """The order of the hint's shop; of a message that names none, of whichever shop of the app knows it."""

    def fetch(hint: Hint, part: Part) -> None:
        clients = [by_shop[hint.place]] if hint.place in by_shop else [] if hint.place else [*by_shop.values()]
        refused = TerminalError("douyin", "order.orderDetail", "the shop of the hint is not in platforms.yaml")
        for client in clients:
            try:
                ask(client, hint.object_id, part)
            except TerminalError as error:
                refused = error
            else:
                return
        raise refused

    return fetch


def _add_tmall(accounts: Accounts, platforms: Platforms, caller_of: CallerOf, clock: Clock) -> None:
    for app in platforms.tmall:
        clients = tmall_clients(app, caller_of, platforms.endpoints.tmall, clock)
        accounts.sources += [source for one in clients for source in (*one.sources(), *member_sources(one))]
        if app.message_group:
            accounts.queues.append(message_queue(app, caller_of, platforms.endpoints.tmall, clock))
        by_seller = {client.shop.seller_nick: client for client in clients}
        accounts.detailers["tmall", app.app_key, "order"] = Detailer("tmall_trades", _trade(by_seller))


def _trade(by_seller: Mapping[str, TmallShopClient]) -> Detail:
    def fetch(hint: Hint, part: Part) -> None:
        client = by_seller.get(hint.place)
        if client is None:
            raise TerminalError("tmall", "taobao.trade.fullinfo.get", "the seller of the hint is not in platforms.yaml")
        client.detail(hint.object_id, part)

    return fetch


def _add_wecom(accounts: Accounts, platforms: Platforms, caller_of: CallerOf, folders: Folders) -> None:
    """Corps whose secret is known; a service provider's suite has tokens of another kind and only gets callbacks.

    Of several apps of a corp the first pulls what every app is shown, and each what none before it names: a corp's
    mark is one.
    """
    taken: set[str] = set()
    for corp in platforms.wecom:
        if corp.secret is None or corp.suite_id:
            continue
        client = wecom_client(corp, caller_of, platforms.endpoints.wecom, owe=partial(enqueue, folders.home))
        found = [
            source
            for source in (*client.sources(), *activity_sources(client, folders.landing))
            if source.key not in taken
        ]
        taken |= {source.key for source in found}
        accounts.sources += found
        for kind, feed, fetch in (
            ("contact", "wecom_contacts", client.contact),
            ("group", "wecom_group_chats", client.group),
        ):
            accounts.detailers.setdefault(("wecom", corp.corp_id, kind), Detailer(feed, _by_id(fetch)))


def _by_id(fetch: Callable[[str, Part], None]) -> Detail:
    return lambda hint, part: fetch(hint.object_id, part)
