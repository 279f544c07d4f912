"""`cdp dag`: what schedulers run, exported."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from pipelines.cli.common import JsonOption, show
from pipelines.errors import ConfigurationError

dag_app = typer.Typer(help="What schedulers run, for Airflow or Dagster.", no_args_is_help=True)


def mount(app: typer.Typer) -> None:
    """The commands are part of the app."""
    app.add_typer(dag_app, name="dag")


@dag_app.callback()
def dag() -> None:
    """What schedulers run, for Airflow or Dagster."""


@dag_app.command("export")
def dag_export(
    form: Annotated[
        Literal["json", "mermaid", "airflow", "dagster"], typer.Option("--format", help="What to write.")
    ] = "json",
    output: Annotated[
        Path | None, typer.Option("--output", help="Folder of the scheduler's definitions (airflow, dagster).")
    ] = None,
    pull: Annotated[
        bool, typer.Option("--pull/--no-pull", help="Whether the day begins with `cdp pull`, or all feeds are files.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Write the schedules with their commands, or ready definitions for a scheduler."""
    from pipelines.orchestration.export import as_json as plan_json
    from pipelines.orchestration.export import as_mermaid, write_definitions

    if form in ("json", "mermaid"):
        text = plan_json(pull=pull) if form == "json" else as_mermaid()
        show({"format": form, "text": text}, as_json=as_json and form != "json", text=text.rstrip("\n"))
        return
    if output is None:
        raise ConfigurationError(
            f"--format {form} writes files and needs a folder", where="--output", hint="name the scheduler's folder"
        )
    paths = [str(path) for path in write_definitions(output, form, pull=pull)]
    show({"files": paths}, as_json=as_json, text="\n".join(paths))
