"""Whether the amounts of a million simulated orders equal the world's books to the fen, per platform, shop and day.

Run: `python -m bench.books` (200,000 people over 90 days, about a million orders); it simulates the brand, brings its
orders and refunds into silver in two runs, of which the second merges into the first, and compares every business day
of every shop: orders paid, fen paid, fen given back. Exits 1 where one differs.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from datetime import date
from pathlib import Path

from bench._brand import business_day, make_brand, say, settings_of
from pipelines.cli.common import cluster_session
from pipelines.clock import stopwatch
from pipelines.evaluate import compare_books
from pipelines.runner import RunRequest, run_pipeline

FEEDS = (
    *("douyin_orders", "douyin_refunds", "douyin_messages", "tmall_trades", "tmall_refunds", "tmall_messages"),
    *("shop_orders", "orders_file"),
)
JOBS = ("s1_bronze", "s2_silver")


def main() -> int:
    """Prints a Markdown table; gives 1 where an amount differs."""
    options = _options()
    home = Path(options.home or tempfile.mkdtemp(prefix="cdp-bench-books-"))
    settings = settings_of(home)
    make_brand(home, options.people, options.days)
    for folder in settings.landing.iterdir():
        if folder.name not in FEEDS:
            shutil.rmtree(folder)
    last = date.fromisoformat(max(path.name for path in settings.landing.glob("*/????-??-??")))
    middle = business_day(options.days * 2 // 3)
    watch = stopwatch()
    with cluster_session(settings) as cluster:
        for first, end in ((business_day(0), middle), (middle, last)):
            run_pipeline(cluster, settings, RunRequest(first.isoformat(), end.isoformat(), only=JOBS), say)
    say(f"{watch():.1f} s")
    books = compare_books(home, home / "truth")
    say("| platform | orders | paid, fen | given back, fen | business days of its shops | of these wrong |")
    say("|---|---|---|---|---|---|")
    for row in books:
        sums = " | ".join(f"{row[f'{name}_lake']:,}" for name in ("orders", "paid_fen", "refunded_fen"))
        say(f"| {row['platform']} | {sums} | {row['days']:,} | {row['days_wrong']} |")
    if not options.home:
        shutil.rmtree(home)
    return int(any(row["days_wrong"] for row in books))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--people", type=int, default=200_000)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--home", help="keep everything here instead of a temporary folder")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
