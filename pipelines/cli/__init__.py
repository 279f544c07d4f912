"""The command line: `cdp`."""

from __future__ import annotations

from pipelines.cli.app import main

__all__ = ["main"]
