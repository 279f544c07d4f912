"""Tmall messages (TMC) by the HTTP call: taken, landed, then confirmed, until none is left.

What is not confirmed the platform gives again, so a pull that is killed loses nothing and may land a message twice. It
keeps messages for a day: an app that was not asked for longer has a gap, which only the pulls by window heal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from pipelines.clock import Clock
from pipelines.connectors.calls import Answer, Caller, CallerOf
from pipelines.connectors.errors import TerminalError
from pipelines.connectors.marks import Marks
from pipelines.connectors.sink import Sink
from pipelines.connectors.tmall import PLATFORM, judge, signed_form
from pipelines.connectors.windows import DAY, Window
from serving.contract.platforms import TmallApp
from serving.contract.pull_queue import enqueue
from serving.contract.trade_hints import messages_of, trade_hints

CONSUME, CONFIRM = "taobao.tmc.messages.consume", "taobao.tmc.messages.confirm"
FEED = "tmall_messages"
AT_ONCE = 200
MOST_ROUNDS = 5_000
"""Rounds of one drain; a platform that still gives messages then gives the same ones again and again."""

KEPT_SECONDS = DAY


@dataclass(frozen=True)
class MessageQueue:
    """The messages of one app, for all its sellers."""

    app: TmallApp
    caller: Caller
    endpoint: str
    clock: Clock

    @property
    def key(self) -> str:
        """Its name among the marks."""
        return f"{PLATFORM}/messages/{self.app.app_key}"

    def drain(self, home: Path, sink: Sink, marks: Marks) -> int:
        """Every message that waits is in the landing and confirmed, and what it hints at is on the queue of pulls."""
        now = self.clock() // 1000
        mark = marks.of(self.key)
        if mark is not None and now - mark > KEPT_SECONDS:
            marks.lose(self.key, Window(mark, now - KEPT_SECONDS))
        total = 0
        for _ in range(MOST_ROUNDS):
            answer = self._call(CONSUME, {"group_name": self.app.message_group, "quantity": str(AT_ONCE)})
            messages = _messages(answer)
            if not messages:
                marks.reach(self.key, now)
                return total
            ids = [str(message.get("id", "")) for message in messages]
            with sink.part(FEED, f"{self.key}-{hashlib.sha256(','.join(ids).encode()).hexdigest()[:16]}") as part:
                part.add(self._context(), answer.raw, records=len(messages))
            enqueue(home, list(trade_hints(self.app.app_key, messages, [shop.seller_nick for shop in self.app.shops])))
            self._call(CONFIRM, {"group_name": self.app.message_group, "s_message_ids": ",".join(ids)})
            total += len(messages)
        raise TerminalError(PLATFORM, CONSUME, "the same messages come again and again", hint="look at the group")

    def _call(self, method: str, params: Mapping[str, str]) -> Answer:
        def build() -> httpx.Request:
            return httpx.Request(
                "POST", self.endpoint, data=signed_form(self.app, method, params, now=self.clock() // 1000)
            )

        return self.caller.ask(method, build)

    def _context(self) -> dict[str, object]:
        return {"platform": PLATFORM, "app_key": self.app.app_key, "brand": self.app.brand, "method": CONSUME}


def message_queue(app: TmallApp, caller_of: CallerOf, endpoint: str, clock: Clock) -> MessageQueue:
    """The queue of an app."""
    return MessageQueue(app, caller_of(PLATFORM, judge, app.calls_per_second), endpoint, clock)


def _messages(answer: Answer) -> Sequence[Mapping[str, Any]]:
    return [message for message in messages_of(answer.value) if isinstance(message, Mapping) and "id" in message]
