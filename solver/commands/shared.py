"""What the commands share: exit statuses, common options, loading catalogs and printing."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from solver.errors import TierwattError

if TYPE_CHECKING:
    from solver.catalog import Catalog

SOLVED, OTHER, BAD_INPUT, NO_DESIGN, STOPPED = 0, 1, 2, 3, 4

Catalogs = Annotated[
    list[Path] | None,
    typer.Option("--catalog", metavar="DIR", help="Catalog folder; later ones override rows of earlier ones, and one "
                 "without schema.csv lies over the catalogs that come with the program."),
]  # fmt: skip
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]
StudyFile = Annotated[Path, typer.Argument(metavar="STUDY", help="Study in TOML.")]


def _close_stdout() -> None:
    """Leave nothing that Python would try to flush into a closed pipe at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def say(text: str) -> None:
    """Print a result; a reader who has seen enough is no error.

    Raises
    ------
    TierwattError
        If it cannot be written for another reason.
    """
    try:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        _close_stdout()
    except OSError as error:
        _close_stdout()
        raise TierwattError(f"the result cannot be printed: {error.strerror}") from None


def load_parts(folders: list[Path] | None) -> Catalog:
    """Load the catalog."""
    from solver.catalog import load_catalog

    return load_catalog(*folders_of(folders))


def folders_of(folders: list[Path] | None) -> list[Path]:
    """Catalog folders; a first one without a data dictionary lies over the one that comes with the program."""
    from solver.catalog import default_folder
    from solver.tables import SCHEMA_FILE

    given = list(folders or [])
    if not given or (given[0].is_dir() and not (given[0] / SCHEMA_FILE).is_file()):
        given.insert(0, default_folder())
    return given
