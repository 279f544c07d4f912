"""`cdp` on storage that is full from a place of the run on: `python -m tests.bench.full_disk PLACE run ...`."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable
from typing import Any

from pipelines import publish as publishing
from pipelines.cli import main
from pipelines.store.local import LocalLake


def fill_up(place: str) -> None:
    """The storage is full: in bronze, amid the stitcher's tables, in gold, or while publishing."""

    def full(*_: object, **__: object) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    def full_for(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        return lambda self, table, *rest, **more: (full if table.name == name else real)(self, table, *rest, **more)

    if place == "bronze":
        LocalLake.append_once = full_for("shop_orders", LocalLake.append_once)  # type: ignore[method-assign]
    elif place == "stitch":
        LocalLake._apply = full_for("oneids", LocalLake._apply)  # type: ignore[method-assign]
    elif place == "gold":
        LocalLake._apply = full_for("fact_order_line", LocalLake._apply)  # type: ignore[method-assign]
    elif place == "manifest":
        publishing.sync_folder = full
    elif place == "pointer":
        publishing.stage_pointer = full


if __name__ == "__main__":
    fill_up(sys.argv.pop(1))
    main()
