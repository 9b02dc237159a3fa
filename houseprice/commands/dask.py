"""``houseprice predict --dask``: many files, or large ones, valued on a Dask cluster."""

from __future__ import annotations

from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from houseprice.commands.console import Console, read_settings

if TYPE_CHECKING:
    from houseprice.backend.base import Progress
    from houseprice.settings import Settings
    from houseprice.tables.distributed import Job, JobOptions
    from houseprice.tables.scoring import RowCounts

__all__ = ["Dask", "predict_on_cluster"]

Dask = Annotated[
    str | None,
    typer.Option(
        "--dask",
        metavar="ADDRESS",
        help="Let a Dask cluster do the work, such as tcp://scheduler:8786.",
        show_default=False,
    ),
]


def predict_on_cluster(
    console: Console,
    address: str,
    pattern: Path,
    output: Path | None,
    *,
    interval: float,
    evidence_rows: int,
    strict: bool,
) -> None:
    """Value all files of a pattern into a folder; exit with 1 if one could not be valued."""
    from houseprice.cluster import connect
    from houseprice.tables.distributed import Failure, value_on_cluster
    from houseprice.tables.scoring import RowCounts

    settings = read_settings()
    if settings.api_url:
        raise typer.BadParameter(
            "the workers value with the stored model, not by a server. Unset HOUSEPRICE_API_URL.",
            param_hint="--dask",
        )
    jobs = _jobs(pattern, output)
    totals, n_done, failed = RowCounts(), 0, 0
    try:
        with ExitStack() as stack:
            progress = stack.enter_context(console.progress("Connecting"))
            client = stack.enter_context(connect(address))
            terms = _terms(settings, interval, evidence_rows, progress)
            # Closed before the connection is: on Ctrl-C the workers are told to stop.
            coming = stack.enter_context(closing(value_on_cluster(client, terms, jobs, progress)))
            for job, came in coming:
                if isinstance(came, Failure):
                    failed += 1
                    console.warn(f"{job.source}: {came.sentence}")
                    continue
                n_done += 1
                totals += came.counts
                for said in (*came.notes, *(problem.sentence for problem in came.problems)):
                    console.info(f"{job.source}: {said}")
    except KeyboardInterrupt:
        console.warn(
            f"Broken off after {n_done:,} of {len(jobs):,} files. Each result in {output} is "
            "whole: give the files that are missing there once more."
        )
        raise typer.Exit(130) from None
    _report(console, totals, len(jobs), failed)
    if failed or (strict and totals.errors):
        raise typer.Exit(1)


def _jobs(pattern: Path, output: Path | None) -> list[Job]:
    """Refuse, before any work, what can't be valued file by file into a folder."""
    from houseprice.tables.distributed import Job

    if output is None:
        raise typer.BadParameter("with --dask it names the folder of the results.", param_hint="-o")
    files = _files(pattern)
    if not files:
        raise typer.BadParameter(f"no file is called {pattern}.", param_hint="IN.csv")
    folder = output.resolve()
    if folder in {path.parent for path in files}:
        raise typer.BadParameter(
            "it is the folder of the input, which is never written over.", param_hint="-o"
        )
    first: dict[str, Path] = {}
    for path in files:
        other = first.setdefault(path.name, path)
        if other != path:
            raise typer.BadParameter(
                f"{other} and {path} have one name, and so would their results.",
                param_hint="IN.csv",
            )
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise typer.BadParameter(
            f"there can't be a folder {output} ({error.strerror}).", param_hint="-o"
        ) from None
    return [Job(path, path.stat().st_size, folder / path.name) for path in files]


def _files(pattern: Path) -> list[Path]:
    """The files of a pattern, sorted; a file may have the signs of a pattern in its own name."""
    if pattern.is_file():
        return [pattern.resolve()]
    anchor = pattern.anchor or "."
    found = Path(anchor).glob(str(pattern.relative_to(anchor)))
    return sorted({path.resolve() for path in found if path.is_file()})


def _terms(
    settings: Settings, interval: float, evidence_rows: int, progress: Progress
) -> JobOptions:
    """Ask for the model that would answer here, after training one if there is none."""
    from houseprice.market.sales import load_market
    from houseprice.model.store.store import ModelStore
    from houseprice.model.training import ensure_model
    from houseprice.tables.distributed import LIMITS, JobOptions, seal_of

    market = load_market(settings.market)
    manifest = ensure_model(market, ModelStore.from_settings(settings), progress).manifest
    return JobOptions(
        manifest.model_version,
        seal_of(manifest),
        settings.model_dir.resolve(),
        settings.market,
        {name: getattr(settings, name) for name in LIMITS},
        datetime.now(UTC),
        interval=interval,
        evidence_rows=evidence_rows,
    )


def _report(console: Console, totals: RowCounts, n_files: int, failed: int) -> None:
    n_ok = totals.valued - totals.warnings
    console.info(
        f"{n_files - failed:,} of {n_files:,} files, {totals.rows:,} rows: {n_ok:,} ok, "
        f"{totals.warnings:,} with a warning, {totals.errors:,} with an error and no value.",
        files=n_files,
        failed=failed,
        rows=totals.rows,
        ok=n_ok,
        warnings=totals.warnings,
        errors=totals.errors,
    )
    for code, count in totals.errors_by_code.items():
        console.info(f"  {code}: {count:,}")
