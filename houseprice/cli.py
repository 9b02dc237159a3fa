"""The command ``houseprice``: results to standard output or -o, messages to standard error.

Exit status: 0 fine, 1 the work failed, 2 the call was wrong.
"""

from __future__ import annotations

import errno
import logging
import os
import signal
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

import houseprice
from houseprice import logs
from houseprice.commands.check_server import check_server
from houseprice.commands.evaluate import evaluate
from houseprice.commands.fetch import fetch
from houseprice.commands.init import check, extend, init
from houseprice.commands.models import models, train
from houseprice.commands.outcomes import decide, outcomes, restore, retrain, unsure
from houseprice.commands.predict import predict
from houseprice.commands.records import records
from houseprice.commands.serve import app, serve
from houseprice.commands.track_record import (
    evidence,
    fairness,
    report,
    respond,
    review,
    sample,
)
from houseprice.errors import HousePriceError

_OUTPUT_ERRORS = (errno.ENOSPC, errno.EPIPE, errno.EBADF, errno.EIO)

logger = logging.getLogger(logs.COMMAND_LOGGER)

cli = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="House values with honest ranges, learned from a market that is described as data.",
    epilog="Settings are read from HOUSEPRICE_* variables, such as HOUSEPRICE_MODEL_DIR.",
)
for command in (init, check, extend, fetch, train, evaluate, predict, app, serve, check_server):
    cli.command()(command)
for record_command in (
    outcomes, unsure, decide, retrain, restore, report, respond, sample, review, fairness, evidence,
):  # fmt: skip
    records.command()(record_command)
cli.add_typer(models, name="models")
cli.add_typer(records, name="records")


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"houseprice {houseprice.__version__}")
        raise typer.Exit


@cli.callback()
def configure(
    context: typer.Context,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", "-v", help="Log every step, and show the traceback of an error."),
    ] = False,
    log_json: Annotated[
        bool, typer.Option("--log-json", help="Write messages as JSON, one object per line.")
    ] = False,
    _: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """House values with honest ranges, learned from a market that is described as data."""
    logs.configure(verbose=verbose, as_json=log_json)
    context.obj = {"log_json": log_json}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command, by default with the arguments of the process, and exit.

    A :class:`HousePriceError` is printed as one sentence; with --verbose, with its traceback. A
    signal to terminate is an exception here, so that temporary files are removed.
    """
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        try:
            cli(arguments, prog_name="houseprice")
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except HousePriceError as error:
        logger.error("%s", error, exc_info=logger.isEnabledFor(logging.DEBUG))  # noqa: TRY400
        sys.exit(1)
    except OSError as error:
        if error.errno not in _OUTPUT_ERRORS or error.filename is not None:
            raise
        is_verbose = logger.isEnabledFor(logging.DEBUG)
        logger.exception("The output can't be written (%s).", error.strerror, exc_info=is_verbose)
        # What is left in the buffer is dropped, or Python would try to write it once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
