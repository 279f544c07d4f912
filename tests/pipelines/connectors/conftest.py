"""What all tests of the pull clients share."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flushing to disk is left out: it proves nothing here and waits for whatever else the machine writes."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
