"""The program of `docs/platform-simulator.md` runs as it stands, and a home pulls by the documented command."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "platform-simulator.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    """The first block of the page in a language."""
    found = re.search(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


def test_the_documented_program_plays_and_the_documented_command_pulls(tmp_path: Path) -> None:
    home, program = tmp_path / "trial", tmp_path / "play.py"
    program.write_text(block("python"), encoding="utf-8")
    (home / "keys").mkdir(parents=True)
    pull = next(line for line in block("sh").splitlines() if line.startswith("cdp pull")).partition(" &&")[0]
    told = dict(pair.split("=", 1) for pair in block("sh").splitlines()[0].removeprefix("export ").split())
    known = {**os.environ, **told, "CDP_HOME": str(home), "PYTHONPATH": str(ROOT)}
    played = subprocess.Popen(
        [sys.executable, str(program), str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=known, cwd=ROOT
    )
    try:
        assert played.stdout is not None
        assert played.stdout.readline().startswith(b"playing at http://127.0.0.1:")
        asked = [sys.executable, "-m", "pipelines.cli", *pull.split()[1:], "--platform", "douyin"]
        pulled = subprocess.run(asked, env=known, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    finally:
        played.communicate(timeout=30)
    assert (pulled.returncode, played.returncode) == (0, 0), pulled.stderr
    assert re.search(r"^douyin_orders +[1-9]", pulled.stdout, re.MULTILINE)
