"""The command ``houseprice``: results to standard output or -o, messages to standard error.

Exit status: 0 fine, 1 the work failed, 2 the call was wrong.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

import houseprice
from houseprice import logs
from houseprice.commands.evaluate import evaluate
from houseprice.commands.fetch import fetch
from houseprice.commands.models import models, train
from houseprice.commands.predict import predict
from houseprice.commands.serve import app, serve
from houseprice.errors import HousePriceError

__all__ = ["cli", "main"]

logger = logging.getLogger(logs.COMMAND_LOGGER)

cli = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="House values with honest ranges, learned from a market that is described as data.",
    epilog="Settings come from HOUSEPRICE_* variables, such as HOUSEPRICE_MODEL_DIR.",
)
for command in (fetch, train, evaluate, predict, app, serve):
    cli.command()(command)
cli.add_typer(models, name="models")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"houseprice {houseprice.__version__}")
        raise typer.Exit


@cli.callback()
def manners(
    context: typer.Context,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Tell what is done, and trace an error.")
    ] = False,
    log_json: Annotated[
        bool, typer.Option("--log-json", help="Messages as JSON, an object a line.")
    ] = False,
    _: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """House values with honest ranges, learned from a market that is described as data."""
    logs.configure(verbose=verbose, as_json=log_json)
    context.obj = {"log_json": log_json}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command, by default with the arguments of the process, and exit.

    A failure that we raise on purpose is told in its one sentence; with --verbose, with its trace.
    """
    try:
        cli(arguments, prog_name="houseprice")
    except HousePriceError as error:
        logger.error("%s", error, exc_info=logger.isEnabledFor(logging.DEBUG))  # noqa: TRY400
        sys.exit(1)
