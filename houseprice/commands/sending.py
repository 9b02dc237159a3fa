"""``houseprice predict --whole``: a file sent to a server as it is."""

from __future__ import annotations

from pathlib import Path

import typer

from houseprice.commands.console import read_settings

__all__ = ["refuse_counts", "send_whole"]


def send_whole(source: Path, output: Path | None, interval: float, *, evidence: bool) -> None:
    """Have the server of the settings value a file; its answer is streamed to the output."""
    from houseprice.backend.opening import open_backend
    from houseprice.batch.text.writing import atomic_file

    settings = read_settings()
    if output is None:
        raise typer.BadParameter("it needs a file for the answer (-o).", param_hint="--whole")
    if settings.api_url is None:
        raise typer.BadParameter(
            "there is no server to send the file to. Set HOUSEPRICE_API_URL.",
            param_hint="--whole",
        )
    value_csv = getattr(open_backend(settings), "value_csv", None)
    if value_csv is None:
        raise typer.BadParameter(
            f"a server that speaks {settings.api_protocol} takes no whole files.",
            param_hint="--whole",
        )
    with atomic_file(output) as sink:
        value_csv(source, sink, interval, evidence=evidence)


def refuse_counts(*, strict: bool, resume: bool | None) -> None:
    """Refuse options that would need to look into the answer."""
    if strict or resume is not None:
        raise typer.BadParameter(
            "the server's answer is taken as it comes, so --strict and --resume don't go with it.",
            param_hint="--whole",
        )
