"""Output of the commands: results to standard output, everything else to standard error."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import typer

from houseprice.logs import COMMAND_LOGGER

if TYPE_CHECKING:
    from houseprice.settings import Settings

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON, for programs.")]
Dask = Annotated[
    str | None,
    typer.Option(
        "--dask",
        metavar="ADDRESS",
        help="Let a Dask cluster do the work, such as tcp://scheduler:8786.",
        show_default=False,
    ),
]
MarketName = Annotated[
    str | None,
    typer.Option(
        "--market",
        metavar="NAME",
        help="The market: a name or a folder; by default HOUSEPRICE_MARKET.",
        show_default=False,
    ),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Show no progress and no messages but errors.")
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the random numbers.")]

logger = logging.getLogger(COMMAND_LOGGER)


@dataclass(frozen=True)
class Console:
    """Messages and progress of a command.

    Without ``bars``, long work writes a line every ``interval_s`` seconds; ``quiet`` suppresses
    progress and all messages but warnings and errors.
    """

    quiet: bool
    bars: bool
    interval_s: float = 5.0

    @classmethod
    def from_context(cls, context: typer.Context, *, quiet: bool = False) -> Console:
        """Configure it by the options; no bars where the output is not a terminal."""
        return cls(quiet, not context.obj["log_json"] and sys.stderr.isatty())

    def info(self, message: str, **fields: object) -> None:
        """Write a message unless quiet; a JSON log also has the fields."""
        if not self.quiet:
            logger.info(message, extra=fields)

    def warn(self, message: str) -> None:
        """Write a warning, even if quiet."""
        logger.warning(message)

    @contextmanager
    def progress(self, description: str) -> Iterator[Callable[[float, str], None]]:
        """Show the progress of long work, and remove it at the end."""
        if self.quiet or not self.bars:
            yield self._periodic()
            return
        from rich import console, progress

        columns = (
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.TaskProgressColumn(),
            progress.TimeElapsedColumn(),
        )
        stderr = console.Console(stderr=True)
        with progress.Progress(*columns, console=stderr, transient=True) as bar:
            task = bar.add_task(description, total=1.0)
            yield lambda share, step: bar.update(task, completed=share, description=step)

    def _periodic(self) -> Callable[[float, str], None]:
        due = monotonic() + self.interval_s

        def report(share: float, description: str) -> None:
            nonlocal due
            if monotonic() >= due:
                due = monotonic() + self.interval_s
                self.info(f"{description} ({share:.0%})")

        return report


def use_market(name: str | None) -> None:
    """Make a market that of this process, and of those that it starts."""
    if name is not None:
        os.environ["HOUSEPRICE_MARKET"] = name


def read_settings() -> Settings:
    """Read the settings; an invalid one is a wrong call (exit status 2)."""
    from houseprice import settings
    from houseprice.errors import SettingsError

    try:
        return settings.read_settings()
    except SettingsError as error:
        raise typer.BadParameter(str(error)) from None
