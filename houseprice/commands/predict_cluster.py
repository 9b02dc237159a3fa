"""``houseprice predict --dask``: many files, valued by the workers of a Dask cluster."""

from __future__ import annotations

from contextlib import ExitStack, closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from houseprice.commands.console import Console, read_settings
from houseprice.commands.records import log_training

if TYPE_CHECKING:
    from houseprice.progress import Progress
    from houseprice.settings import Settings
    from houseprice.tables.distributed import ClusterOptions, FileJob
    from houseprice.tables.scoring import RowCounts

_TEXT_ENDINGS = {"", ".csv", ".txt", ".tsv"}


def value_files(
    console: Console,
    address: str,
    pattern: Path,
    output: Path | None,
    interval: float,
    max_evidence_rows: int,
    as_of: date | None,
) -> tuple[RowCounts, int, int]:
    """Value all files of a pattern into a folder; return the counts, the files and the failures."""
    from houseprice.cluster import connect
    from houseprice.tables.distributed import Failure, value_on_cluster
    from houseprice.tables.scoring import RowCounts

    settings = read_settings()
    if settings.api_url:
        raise typer.BadParameter(
            "the workers value with the stored model, not by a server. Unset HOUSEPRICE_API_URL.",
            param_hint="--dask",
        )
    jobs = _file_jobs(pattern, output)
    counts, n_done, n_failed = RowCounts(), 0, 0
    try:
        with ExitStack() as stack:
            progress = stack.enter_context(console.progress("Connecting"))
            client = stack.enter_context(connect(address))
            options = _cluster_options(settings, interval, max_evidence_rows, as_of, progress)
            outcomes = value_on_cluster(client, options, jobs, progress)
            # Closed before the connection, so that Ctrl-C cancels the tasks of the workers.
            for job, outcome in stack.enter_context(closing(outcomes)):
                if isinstance(outcome, Failure):
                    n_failed += 1
                    console.warn(f"{job.source}: {outcome.sentence}")
                    continue
                n_done += 1
                counts += outcome.counts
                for note in (*outcome.notes, *(each.sentence for each in outcome.problems)):
                    console.info(f"{job.source}: {note}")
    except KeyboardInterrupt:
        console.warn(
            f"Interrupted after {n_done:,} of {len(jobs):,} files. Each result in {output} is "
            "complete: run the command again for the files that are missing there."
        )
        raise typer.Exit(130) from None
    return counts, len(jobs), n_failed


def _file_jobs(pattern: Path, output: Path | None) -> list[FileJob]:
    """Refuse, before any work, files that can't be valued one by one into the output folder."""
    from houseprice.tables.distributed import FileJob

    if output is None:
        raise typer.BadParameter("with --dask it names the folder of the results.", param_hint="-o")
    files = _matching_files(pattern)
    if not files:
        raise typer.BadParameter(f"no file matches {pattern}.", param_hint="IN.csv")
    folder = output.resolve()
    if folder in {each.parent.resolve() for path in files for each in (path, path.resolve())}:
        raise typer.BadParameter(
            "it is the folder of the input, which is never overwritten.", param_hint="-o"
        )
    by_name: dict[str, Path] = {}
    for path in files:
        other = by_name.setdefault(_csv_name(path), path)
        if other != path:
            raise typer.BadParameter(
                f"the results of {other} and {path} would have the same name.",
                param_hint="IN.csv",
            )
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise typer.BadParameter(
            f"the folder {output} can't be created ({error.strerror}).", param_hint="-o"
        ) from None
    return [FileJob(path, path.stat().st_size, folder / name) for name, path in by_name.items()]


def _csv_name(path: Path) -> str:
    """Return the name of the result of a file, which is CSV and not compressed."""
    name = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    is_text = name.suffix.lower() in _TEXT_ENDINGS
    return name.name if is_text else f"{name.name}.csv"


def _matching_files(pattern: Path) -> list[Path]:
    """Return the files of a pattern, sorted; the name of a file may itself look like a pattern."""
    if pattern.is_file():
        return [pattern.absolute()]
    anchor = pattern.anchor or "."
    matches = Path(anchor).glob(str(pattern.relative_to(anchor)))
    return sorted({path.absolute() for path in matches if path.is_file()})


def _cluster_options(
    settings: Settings,
    interval: float,
    max_evidence_rows: int,
    as_of: date | None,
    progress: Progress,
) -> ClusterOptions:
    """Refer to the model that would answer here, after training one if there is none."""
    from houseprice.model.store.store import ModelStore
    from houseprice.model.training import ensure_model
    from houseprice.tables.distributed import ClusterOptions
    from houseprice.tables.parallel import ModelReference
    from houseprice.tables.sales import load_market

    market = load_market(settings=settings)
    store = ModelStore.from_settings(settings)
    manifest = ensure_model(market, store, progress, on_trained=log_training).manifest
    model = ModelReference.of(settings, manifest.model_version, manifest)
    return ClusterOptions(model, datetime.now(UTC), interval, max_evidence_rows, as_of=as_of)
