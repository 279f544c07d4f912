"""Addresses the platforms push to: checked, stored, then answered. Without accounts in `keys/platforms.yaml`: 404."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import PlainTextResponse, Response

from serving.callbacks import (
    RefusedPush,
    douyin_open_delivery,
    douyin_shop_delivery,
    wecom_delivery,
    wecom_echo,
)
from serving.clock import Clock
from serving.contract.platforms import Platforms, read_platforms
from serving.inbox import Delivery, Inbox
from serving.member_calls import Request as CallRequest
from serving.member_calls import message_delivery
from serving.problems import Problem, refused_push
from serving.routers.tmall import add_member_desk
from serving.runtime import answered
from serving.settings import ServingSettings

# The platforms' own documents say what these addresses take; they are no part of this API's.
router = APIRouter(prefix="/webhooks", include_in_schema=False)


@dataclass(frozen=True)
class Receivers:
    """The accounts whose pushes are taken, where they go, and what time it is."""

    platforms: Platforms
    inbox: Inbox
    wall: Clock


def add_receivers(app: FastAPI, settings: ServingSettings, wall: Clock) -> None:
    """The app takes pushes for the accounts of the home; ConfigRefusedError for a file of another form."""
    folder: Path = settings.keys_dir or settings.home / "keys"
    platforms = read_platforms(folder) or Platforms()
    inbox = Inbox(settings.home, wall)
    app.state.receivers = Receivers(platforms, inbox, wall)
    app.include_router(router)
    add_member_desk(app, app.state.runtime, platforms.tmall, inbox, wall)


def receivers_of(request: Request) -> Receivers:
    """The receivers of the process that answers the request."""
    receivers: Receivers = request.app.state.receivers
    return receivers


Taken = Annotated[Receivers, Depends(receivers_of)]


@router.get("/wecom/{receiver}")
async def check_wecom(receiver: str, request: Request, receivers: Taken) -> Response:
    """The decrypted echo text, which proves to WeCom that the keys are right."""
    apps = _accounts(receivers.platforms.wecom, "receive_id", receiver)
    return PlainTextResponse(_checked(request, lambda: wecom_echo(apps, request.query_params, now_ms=receivers.wall())))


@router.post("/wecom/{receiver}")
async def receive_wecom(receiver: str, request: Request, receivers: Taken) -> Response:
    """`success` once the callback is on disk."""
    apps = _accounts(receivers.platforms.wecom, "receive_id", receiver)
    body = await request.body()
    now_ms = receivers.wall()
    await _store(receivers, _checked(request, lambda: wecom_delivery(apps, request.query_params, body, now_ms=now_ms)))
    return PlainTextResponse("success")


@router.post("/douyin/shop/{app_key}")
async def receive_douyin_shop(app_key: str, request: Request, receivers: Taken) -> Response:
    """The answer the shop platform takes for success, once its messages are on disk."""
    app = _account(receivers.platforms.douyin, "app_key", app_key)
    body, signature = await request.body(), request.headers.get("event-sign", "")
    await _store(receivers, _checked(request, lambda: douyin_shop_delivery(app, signature, body)))
    return answered({"code": 0, "msg": "success"})


@router.post("/douyin/open/{client_key}")
async def receive_douyin_open(client_key: str, request: Request, receivers: Taken) -> Response:
    """The challenge when the platform checks the address, else an empty success once the webhook is on disk."""
    app = _account(receivers.platforms.douyin_open, "client_key", client_key)
    body, headers = await request.body(), request.headers
    signature, message_id = headers.get("x-douyin-signature", ""), headers.get("msg-id", "")[:128]
    told = _checked(request, lambda: douyin_open_delivery(app, signature, body, message_id=message_id))
    if not isinstance(told, Delivery):
        return answered(told)
    await _store(receivers, told)
    return answered({"err_no": 0, "err_tips": "success"})


@router.post("/tmall/{app_key}")
async def receive_tmall(app_key: str, request: Request, receivers: Taken) -> Response:
    """`success` once the messages that a listener at Tmall's socket passes on are on disk."""
    app = _account(receivers.platforms.tmall, "app_key", app_key)
    came = CallRequest(dict(request.query_params), dict(request.headers), await request.body())
    now_ms = receivers.wall()
    await _store(receivers, _checked(request, lambda: message_delivery(app, came, now_ms=now_ms)))
    return answered({"code": 0, "msg": "success"})


def _account(accounts: tuple[Any, ...], name: str, asked: str) -> Any:
    return _accounts(accounts, name, asked)[0]


def _accounts(accounts: tuple[Any, ...], name: str, asked: str) -> tuple[Any, ...]:
    """Every account of this name; there may be several apps of one."""
    found = tuple(account for account in accounts if getattr(account, name) == asked)
    if not found:
        raise Problem(404, "nothing is received here")
    return found


def _checked(request: Request, read: Callable[[], Any]) -> Any:
    try:
        return read()
    except RefusedPush as refused:
        raise refused_push(request, refused) from None


async def _store(receivers: Receivers, delivery: Delivery) -> None:
    try:
        await anyio.to_thread.run_sync(receivers.inbox.store, delivery)
    except (OSError, sqlite3.Error):
        raise Problem(503, "the push could not be stored; send it again") from None
