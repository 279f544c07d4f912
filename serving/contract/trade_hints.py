"""Which messages of Tmall make their trade worth pulling: the same for those that are pulled and for those pushed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from serving.contract.decoding import object_of
from serving.contract.pull_queue import Hint

HINTING_TOPICS = ("taobao_trade_", "taobao_refund_")


def trade_hints(app_key: str, messages: Iterable[object], sellers: Sequence[str] = ()) -> Iterator[Hint]:
    """A message about a trade or its refund that names no buyer makes the trade worth pulling.

    `sellers`: those of the app; a message that names none is about the only one.
    """
    for message in messages:
        if not isinstance(message, Mapping):
            continue
        content = object_of(message.get("content"))
        tid = content.get("tid")
        seller = content.get("seller_nick") or message.get("user_nick") or (sellers[0] if len(sellers) == 1 else "")
        about_trade = str(message.get("topic", "")).startswith(HINTING_TOPICS)
        if about_trade and tid and seller and not (content.get("buyer_open_uid") or content.get("ouid")):
            yield Hint("tmall", app_key, "order", str(tid), str(seller))


def messages_of(document: object) -> Sequence[object]:
    """The messages of an HTTP answer, of a list, or the single one.

    >>> messages_of({"tmc_messages_consume_response": {"messages": {"tmc_message": [{"id": 1}]}}})
    [{'id': 1}]
    >>> messages_of([{"id": 1}]), messages_of({"id": 1}), messages_of({"tmc_messages_consume_response": {}})
    ([{'id': 1}], [{'id': 1}], [])
    """
    if isinstance(document, list):
        return document
    if not isinstance(document, Mapping) or "tmc_messages_consume_response" not in document:
        return [document]
    response = document["tmc_messages_consume_response"]
    nested = response.get("messages") if isinstance(response, Mapping) else None
    found = nested.get("tmc_message") if isinstance(nested, Mapping) else None
    return found if isinstance(found, list) else [found] if found else []
