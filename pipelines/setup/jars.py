"""The Delta jars Spark loads by path: fetched once into the cache, checked against pinned digests at every start.

`python -m pipelines.setup.jars` fetches what is missing. Ivy inside pyspark does the fetching, so the machine's own
Java proxy settings and DEFAULT_ARTIFACT_REPOSITORY apply; its home lies in the cache folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from xml.sax.saxutils import quoteattr

from pipelines.errors import CdpError, ExitCode
from pipelines.setup.java import java_home

GROUP = "io.delta"
VERSION = "4.4.0"
PINS = Path(__file__).with_name("jars.sha256")
FETCH_SECONDS = 240

# Spark brings these itself; a second copy on the class path would shadow its own versions.
_BROUGHT_BY_SPARK = ("org.*:*", "com.*:*", "javax.*:*", "commons-*:*", "io.unitycatalog:*", "io.airlift:*")


def pinned() -> dict[str, str]:
    """The SHA-256 digest of every jar by file name, in class-path order."""
    lines = (line.split() for line in PINS.read_text(encoding="ascii").splitlines() if line.strip())
    return {name: digest for digest, name in lines}


def cache_folder() -> Path:
    """Where fetched things are kept: $CDP_CACHE, else `.cache` of the checkout, else the user's cache folder."""
    if configured := os.environ.get("CDP_CACHE"):
        return Path(configured)
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "pyproject.toml").is_file():
        return checkout / ".cache"
    return Path.home() / ".cache" / "oneid-cdp"


def digest(path: Path) -> str:
    """The SHA-256 digest of a file, in hex."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def broken(folder: Path) -> list[str]:
    """What is wrong with the jars of a folder, one sentence per jar; empty when all are as pinned."""
    faults: list[str] = []
    for name, expected in pinned().items():
        path = folder / name
        if not path.is_file():
            faults.append(f"{name} is missing")
        elif digest(path) != expected:
            faults.append(f"{name} differs from its pinned digest")
    return faults


def jar_paths(cache: Path | None = None) -> list[Path]:
    """The five Delta jars, verified, in class-path order.

    Raises CdpError (usage) when one is missing or differs from its pinned digest.
    """
    folder = (cache or cache_folder()) / "jars"
    if faults := broken(folder):
        raise CdpError(
            ExitCode.USAGE,
            f"The Delta jars are not usable: {', '.join(faults)}",
            where=str(folder),
            hint="Run: make install (or python -m pipelines.setup.jars)",
        )
    return [folder / name for name in pinned()]


def fetch_jars(cache: Path | None = None) -> list[Path]:
    """The five Delta jars are in the cache and verified; nothing is fetched when they already are.

    Raises CdpError: storage (6) when no repository can be reached, integrity (4) when a fetched jar is not as pinned.
    """
    cache = cache or cache_folder()
    if broken(cache / "jars"):
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="fetch-") as scratch:
            _install(_resolve(Path(scratch)), cache / "jars")
    return jar_paths(cache)


def _resolve(scratch: Path) -> Path:
    """The folder with the jars as Ivy fetched them: first from the remote repository alone, then by Spark's own chain.

    Spark's chain looks into the user's local Maven repository and fails on a half-downloaded artifact there, so it
    comes second; it helps machines whose only source is that local repository.
    """
    settings = scratch / "ivysettings.xml"
    settings.write_text(_ivy_settings(os.environ.get("DEFAULT_ARTIFACT_REPOSITORY")), encoding="utf-8")
    attempts = (("remote", [f"spark.jars.ivySettings={settings}"]), ("chain", list[str]()))
    last = ""
    for name, extra in attempts:
        home = scratch / name
        last = _run_ivy([f"spark.jars.ivy={home}", *extra], scratch)
        if len(list(home.glob("jars/*.jar"))) >= len(pinned()):
            return home / "jars"
    raise CdpError(
        ExitCode.STORAGE,
        f"The Delta jars could not be fetched: {_reason(last)}",
        where=", ".join(_coordinates()),
        hint="Check the network, the Java proxy settings or DEFAULT_ARTIFACT_REPOSITORY, or copy the jars named in "
        f"{PINS} into {cache_folder() / 'jars'}",
    )


def _ivy_settings(repository: str | None) -> str:
    """Ivy settings with the default remote repository alone, or the one the machine names."""
    root = f" root={quoteattr(repository)}" if repository else ""
    resolver = f'<ibiblio name="remote" m2compatible="true"{root}/>'
    return f'<ivysettings><settings defaultResolver="remote"/><resolvers>{resolver}</resolvers></ivysettings>\n'


def _coordinates() -> list[str]:
    """Maven coordinates of the pinned jars."""
    return [f"{GROUP}:{name.removesuffix(f'-{VERSION}.jar')}:{VERSION}" for name in pinned()]


def _run_ivy(settings: list[str], scratch: Path) -> str:
    """What Spark's launcher said while it resolved the packages for a program that does nothing."""
    program = scratch / "nothing.py"
    program.write_text("", encoding="utf-8")
    spark = find_spec("pyspark")
    if spark is None or spark.origin is None:
        raise CdpError(ExitCode.USAGE, "pyspark is not installed", where=sys.executable, hint="Run: make install")
    excludes = f"spark.jars.excludes={','.join(_BROUGHT_BY_SPARK)}"
    options = [part for setting in (*settings, excludes, "spark.ui.enabled=false") for part in ("--conf", setting)]
    command = [str(Path(spark.origin).parent / "bin" / "spark-submit"), "--packages", ",".join(_coordinates())]
    environment = os.environ | {
        "JAVA_HOME": str(java_home()),
        "SPARK_HOME": str(Path(spark.origin).parent),
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    process = subprocess.Popen(
        [*command, *options, str(program)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )
    try:
        return process.communicate(timeout=FETCH_SECONDS)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        return f"no answer within {FETCH_SECONDS} seconds"


def _reason(output: str) -> str:
    """The line of the launcher's output that says most about a failure."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for mark in ("unresolved dependency", "Server access error", "Exception"):
        if hits := [line for line in lines if mark in line]:
            return hits[0][:300]
    return lines[-1][:300] if lines else "no output"


def _install(fetched: Path, folder: Path) -> None:
    """The fetched jars that match their pins lie in the folder, each moved there whole."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, expected in pinned().items():
        source = fetched / f"{GROUP}_{name}"
        if not source.is_file() or digest(source) != expected:
            raise CdpError(
                ExitCode.INTEGRITY,
                f"The fetched jar {name} is not the pinned one",
                where=str(PINS),
                hint="Check the repository the machine uses; nothing was installed",
            )
    for name in pinned():
        partial = folder / f".{name}.part"
        shutil.copyfile(fetched / f"{GROUP}_{name}", partial)
        partial.replace(folder / name)


def main() -> int:
    """Fetches the jars and says where they are; the exit code is that of the refusal, if any."""
    try:
        paths = fetch_jars()
    except CdpError as error:
        sys.stderr.write(f"{error.message}\n{error.hint}\n{json.dumps(error.as_json())}\n")
        return int(error.code)
    sys.stdout.write(f"{len(paths)} Delta jars verified in {paths[0].parent}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
