"""Which Java runs Spark: found and checked before any JVM is started."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from pipelines.errors import CdpError, ExitCode

SUPPORTED = (17, 21)
"""Major versions of Java that Spark 4.2 runs on."""

INSTALL_HINT = "Install it with: sudo apt-get install openjdk-17-jre-headless (or set JAVA_HOME to a Java 17)"
_JVM_FOLDER = Path("/usr/lib/jvm")
_VERSION = re.compile(r'version "(\d+)')
_PROBE_SECONDS = 30


def parse_major(banner: str) -> int | None:
    """The major version named in the banner of `java -version`; None when it names none.

    >>> parse_major('openjdk version "17.0.15" 2025-04-15'), parse_major("command not found")
    (17, None)
    """
    match = _VERSION.search(banner)
    return int(match.group(1)) if match else None


def probe(java: Path) -> int | None:
    """The major version of a `java` program that carries the vector module Spark loads; None when it does not run."""
    command = [str(java), "--add-modules", "jdk.incubator.vector", "-version"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PROBE_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_major(done.stderr) if done.returncode == 0 else None


def candidates(java_home: str | None, jvm_folder: Path = _JVM_FOLDER) -> list[Path]:
    """The `java` programs worth trying, best first: JAVA_HOME, the PATH, then the system's folder of Javas."""
    found: list[Path] = []
    if java_home:
        found.append(Path(java_home) / "bin" / "java")
    on_path = shutil.which("java")
    if on_path:
        found.append(Path(on_path).resolve())
    found.extend(home / "bin" / "java" for home in sorted(jvm_folder.glob("*")) if (home / "bin" / "java").is_file())
    return found


def choose_java(programs: Iterable[Path]) -> Path:
    """The home folder of the first program that is a supported Java.

    Raises CdpError (usage) that names what was found and how to install a Java when none is.
    """
    seen: list[str] = []
    for program in programs:
        major = probe(program)
        if major in SUPPORTED:
            return program.parent.parent
        seen.append(f"{program} ({f'version {major}' if major else 'does not run with jdk.incubator.vector'})")
    found = "; ".join(dict.fromkeys(seen)) or "no java at all"
    allowed = " or ".join(str(version) for version in SUPPORTED)
    raise CdpError(ExitCode.USAGE, f"Spark needs Java {allowed}, found: {found}", where="java", hint=INSTALL_HINT)


def java_home() -> Path:
    """The home folder of the Java that Spark will run on; JAVA_HOME wins when it is a supported one."""
    return choose_java(candidates(os.environ.get("JAVA_HOME")))


def main() -> int:
    """Says which Java Spark will run on; without a suitable one the exit code is that of the refusal."""
    try:
        home = java_home()
    except CdpError as error:
        sys.stderr.write(f"{error.message}\n{error.hint}\n{json.dumps(error.as_json())}\n")
        return int(error.code)
    sys.stdout.write(f"{home}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
