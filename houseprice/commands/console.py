"""How a command talks: results to standard output, all else to standard error."""

from __future__ import annotations

import logging
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

__all__ = ["AsJson", "Console", "Quiet", "Seed", "read_settings"]

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON, for programs.")]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Show no progress and no messages but errors.")
]
Seed = Annotated[int, typer.Option(min=0, help="Start of the random numbers.")]

logger = logging.getLogger(COMMAND_LOGGER)


@dataclass(frozen=True)
class Console:
    """What a command may show besides its result.

    Attributes
    ----------
    quiet : bool
        Say nothing but errors.
    bars : bool
        Draw progress bars; otherwise long work says a line now and then.
    patience_s : float
        Seconds from one such line to the next.
    """

    quiet: bool
    bars: bool
    patience_s: float = 5.0

    @classmethod
    def from_context(cls, context: typer.Context, *, quiet: bool = False) -> Console:
        """Take the manner from the options; no bars where nobody looks, or a program reads."""
        return cls(quiet, not context.obj["log_json"] and sys.stderr.isatty())

    def info(self, message: str, **facts: object) -> None:
        """Say a sentence to the user; the facts stand beside it in a JSON log."""
        if not self.quiet:
            logger.info(message, extra=facts)

    def warn(self, message: str) -> None:
        """Say what needs the user's attention, quiet or not."""
        logger.warning(message)

    @contextmanager
    def progress(self, words: str) -> Iterator[Callable[[float, str], None]]:
        """Show how far long work is, and forget it when the work is done."""
        if self.quiet or not self.bars:
            yield self._now_and_then()
            return
        from rich import console, progress

        columns = (
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.TaskProgressColumn(),
            progress.TimeElapsedColumn(),
        )
        with progress.Progress(
            *columns, console=console.Console(stderr=True), transient=True
        ) as bar:
            task = bar.add_task(words, total=1.0)
            yield lambda share, now: bar.update(task, completed=share, description=now)

    def _now_and_then(self) -> Callable[[float, str], None]:
        due = monotonic() + self.patience_s

        def tell(share: float, words: str) -> None:
            nonlocal due
            if monotonic() >= due:
                due = monotonic() + self.patience_s
                self.info(f"{words} ({share:.0%})")

        return tell


def read_settings() -> Settings:
    """Read the environment; a value that makes no sense is a wrong call."""
    from houseprice import settings
    from houseprice.errors import SettingsError

    try:
        return settings.read_settings()
    except SettingsError as error:
        raise typer.BadParameter(str(error)) from None
