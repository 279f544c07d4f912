"""Addresses on which Tmall asks the merchant about members: signed, answered in time, stored before the answer."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

import anyio
import anyio.to_thread
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import Response

from serving.callbacks import RefusedPush
from serving.clock import Clock
from serving.contract.platforms import TmallApp
from serving.inbox import Inbox
from serving.member_calls import BUSY, MemberCall, MemberDesk, delivery, document, read_call
from serving.member_calls import Request as CallRequest
from serving.member_store import MemberStore
from serving.problems import Problem, refused_push
from serving.runtime import Runtime, answered

ANSWER_SECONDS = 2.0
"""The platform waits a few seconds; an answer that is not ready by then is "ask again"."""

router = APIRouter(prefix="/spi/tmall", include_in_schema=False)


@dataclass(frozen=True)
class Counter:
    """Where member calls are answered: for which apps, by which desk, and where they are kept."""

    apps: tuple[TmallApp, ...]
    desk: MemberDesk
    inbox: Inbox
    wall: Clock


def add_member_desk(app: FastAPI, runtime: Runtime, apps: tuple[TmallApp, ...], inbox: Inbox, wall: Clock) -> None:
    """The app answers the member calls of these apps."""
    desk = MemberDesk(runtime.holder, MemberStore(runtime.settings.home), runtime.identity_key)
    app.state.member_counter = Counter(apps, desk, inbox, wall)
    app.include_router(router)


@router.post("/{app_key}")
@router.post("/{app_key}/{action}")
async def answer_member_call(app_key: str, request: Request, action: str = "") -> Response:
    """The code for a call of the platform; 404 for apps that are not listed, 403 for whatever is not the platform's."""
    counter: Counter = request.app.state.member_counter
    app = next((one for one in counter.apps if one.app_key == app_key), None)
    if app is None:
        raise Problem(404, "nothing is answered here")
    came = CallRequest(dict(request.query_params), dict(request.headers), await request.body())
    now_ms = counter.wall()
    try:
        call = read_call(app, came, action, now_ms=now_ms)
    except RefusedPush as refused:
        raise refused_push(request, refused) from None
    code = BUSY
    with anyio.move_on_after(ANSWER_SECONDS):
        code = await anyio.to_thread.run_sync(_settle, counter, app, call, now_ms, abandon_on_cancel=True)
    return answered(document(call, code))


def _settle(counter: Counter, app: TmallApp, call: MemberCall, now_ms: int) -> str:
    """The code, once the call and its answer are on disk; a call that cannot be kept is to be made again."""
    code = counter.desk.answer(call, now_ms=now_ms)
    try:
        counter.inbox.store(delivery(app, call, code))
    except (OSError, sqlite3.Error):
        return BUSY
    return code
