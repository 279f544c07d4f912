"""Composed landing lines of several feeds, and the run around them, for tests of the ingest jobs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from identity import Policy
from pipelines.clock import fixed_clock
from pipelines.jobs.landing import Batch, landing_batches
from pipelines.jobs.worker import WorkerSetup
from pipelines.keys import Keys
from pipelines.settings import Settings
from pipelines.sources.config import load_sources
from tests.pipelines.sources.public_domain import DOUYIN_ORDER, changed

if TYPE_CHECKING:
    import pytest

    from pipelines.jobs.context import RunContext
    from pipelines.store.lake import Lake

ROOT = Path(__file__).resolve().parents[3]
KEYS = Keys("11" * 32, "22" * 32, "33" * 32)
POLICY = Policy.load(ROOT / "conf" / "identity.yaml")
SOURCES = load_sources(ROOT / "conf")
DAY1, DAY2, DAY3 = "2025-01-01", "2025-01-02", "2025-01-03"
PHONE = "13912345678"
NAME = "某某"
CORP = "ww0000000000000001"
SHOP = {"platform": "douyin", "app_key": "7000001", "shop_id": "4463798"}

Files = Mapping[str, list[str]]
"""Landing lines by path below the landing folder."""


def line(payload: Any, **context: Any) -> str:
    """A wrapped landing line."""
    return json.dumps({"context": context, "payload": payload}, ensure_ascii=False)


def order(number: int, day: str, *, status: int = 2, updated: int = 1735700731, **changes: Any) -> str:
    """A page with one Douyin order in a state."""
    changes = {"order_id": f"69{number:017d}", "order_status": status, "update_time": updated} | changes
    page = {"code": 10000, "msg": "success", "data": {"shop_order_list": [changed(DOUYIN_ORDER, **changes)]}}
    return line(page, **SHOP, method="order.searchList", received_at=f"{day}T23:00:00+08:00")


def error_answer(day: str) -> str:
    """An error answer of Douyin."""
    answer = {"code": 50002, "msg": "busy", "sub_code": "isv.busy", "sub_msg": "busy", "data": None}
    return line(answer, **SHOP, method="order.searchList", received_at=f"{day}T22:00:00+08:00")


def decrypted(number: int, phone: str, day: str, *, err_no: int = 0) -> str:
    """The decrypted phone of a Douyin order; `err_no` is the error of this one element."""
    info = {"auth_id": f"69{number:017d}", "cipher_text": "$$x$1$$", "decrypt_text": phone, "data_type": 3}
    info |= {"is_virtual_tel": False, "expire_time": 0, "phone_no_a": "", "phone_no_b": "", "err_no": err_no}
    answer = {"err_no": 0, "message": "success", "data": {"decrypt_infos": [info]}}
    return line(answer, **SHOP, method="order.batchDecrypt", received_at=f"{day}T23:30:00+08:00")


def consent(number: int, day: str, status: str = "granted") -> str:
    """A consent of a member."""
    subject = {"namespace": "member_id", "scope": "brandA", "value": f"K{number}"}
    at = f"{day}T10:00:00+08:00"
    stated = {"consent_id": f"n{number}", "subject": subject, "purpose": "marketing", "status": status}
    return line(stated | {"at": at, "source": "crm"}, brand="brandA", received_at=at)


def guide(userid: str, day: str) -> str:
    """A guide with name and store."""
    stated = {"corp_id": CORP, "userid": userid, "name": NAME, "store_id": "S1", "store_name": "示例店"}
    stated |= {"region": "华东", "status": "active", "hired_at": 1697990400000, "left_at": None}
    return line(stated, corp_id=CORP, brand="brandA", received_at=f"{day}T01:00:00+08:00")


def registration(number: int, phone: str) -> str:
    """A bare observation of a CRM that a member verified a phone."""
    ids = [
        {"namespace": "member_id", "scope": "brandA", "value": f"K{number}"},
        {"namespace": "phone", "value": phone, "role": "verified"},
    ]
    stated = {"observation_id": f"crm-{number}", "source": "crm", "kind": "link", "event_time": 1722853252000}
    return json.dumps(stated | {"ids": ids, "attributes": {"name": NAME}}, ensure_ascii=False)


def listing(chat: str, members: list[str], received: str) -> str:
    """A full listing of a customer group."""
    listed = [
        {"userid": member, "type": 2, "join_time": 1729590589, "join_scene": 3, "name": NAME} for member in members
    ]
    group = {"chat_id": chat, "name": "福利群", "owner": "g1", "create_time": 1724986823, "member_list": listed}
    answer = {"errcode": 0, "errmsg": "ok", "group_chat": group}
    context = {"platform": "wecom", "corp_id": CORP, "open_platform_id": "op_brand_01"}
    return line(answer, **context, method="externalcontact/groupchat/get", received_at=received)


def land(home: Path, files: Files) -> None:
    """The lines lie in landing; a path is `<feed>/<day>/<file>`."""
    for path, lines in files.items():
        target = home / "landing" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("".join(f"{text}\n" for text in lines), encoding="utf-8")


def write_gold_only(patch: pytest.MonkeyPatch, *tables: str) -> None:
    """Runs write these tables of the star schema alone: on a cluster each further one costs seconds."""
    from pipelines.jobs import s6_gold

    patch.setattr(s6_gold, "PARTS", {name: s6_gold.PARTS[name] for name in tables})
    patch.setattr(s6_gold, "AGGREGATES", {})


def worker_setup(staging: Path) -> WorkerSetup:
    """What a task of a test is sent."""
    return WorkerSetup(str(staging), POLICY, KEYS, {"shop": "demo_key"}, SOURCES, 1 << 20)


def run_context(
    lake: Lake, home: Path, days: tuple[str, ...], *, batches: tuple[Batch, ...] | None = None, **known: Any
) -> RunContext:
    """A run over the days, with everything that lies in landing unless batches are given."""
    from pipelines.jobs.context import RunContext

    found = landing_batches(home / "landing", days, frozenset()) if batches is None else batches
    given: dict[str, Any] = {
        "lake": lake,
        "cluster": lambda: lake,
        "settings": Settings(home=home, conf=ROOT / "conf"),  # type: ignore[call-arg]  # the rest has defaults
        "keys": KEYS,
        "policy": POLICY,
        "setup": worker_setup(home / "staging"),
        "run_id": "r000001-2025-01-01",
        "first": min(days),
        "last": max(days),
        "as_of": max(days),
        "clock": fixed_clock("2025-01-04T00:00:00+08:00"),
        "say": lambda text: None,
        "batches": found,
    }
    return RunContext(**(given | known))
