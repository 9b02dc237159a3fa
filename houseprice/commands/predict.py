"""``houseprice predict``: a file of houses in, the same file with values out.

On this computer in one or several processes, on a server (``--whole``), or many files on a Dask
cluster (``--dask``).
"""

from __future__ import annotations

import gzip
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from houseprice.commands.console import Console, Dask, MarketName, Quiet, read_settings, use_market
from houseprice.commands.predict_cluster import value_files
from houseprice.commands.records import author_here, log_training, open_database
from houseprice.formatting import plural
from houseprice.tables.processes import n_processors, start_server

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

    from houseprice.backend.base import Backend
    from houseprice.progress import Progress
    from houseprice.settings import Settings
    from houseprice.tables.reader import CsvFile
    from houseprice.tables.saving import TableSaver
    from houseprice.tables.scoring import RowCounts, ScoringOptions
    from houseprice.tables.streaming import StreamResult

EVIDENCE_ROWS = 10_000
"""Rows up to which evidence is given by default: it takes about a millisecond per row."""
PARALLEL_ROWS = 100_000
"""Rows from which several processes pay by default: starting them takes some seconds."""
PARALLEL_BYTES = 20_000_000
"""Bytes from which a file is likely to have as many rows."""

_SEPARATORS = {".csv": "", ".txt": "", ".tsv": "\t"}
_COLUMNAR = (".xlsx", ".parquet")

Source = Annotated[
    Path,
    typer.Argument(
        metavar="IN.csv",
        help="Houses, one per row: CSV, Excel, OpenDocument or Parquet, also compressed by gzip. "
        "With --dask also a pattern of names, such as 'in/*.csv'.",
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="OUT.csv",
        help="The ending names the format: .csv, .txt, .tsv (each also with .gz), .xlsx or "
        ".parquet. By default standard output. With --dask the folder of the results.",
    ),
]
Interval = Annotated[
    float, typer.Option(min=0.5, max=0.95, help="Share of prices that a range should hold.")
]
Evidence = Annotated[
    bool | None,
    typer.Option(
        "--evidence/--no-evidence",
        help="Give the most similar sales and the features that move each value most. By default "
        f"for files of up to {EVIDENCE_ROWS:,} rows, because it takes about a millisecond per row.",
        show_default=False,
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Processes that value at the same time, if the result goes to a file (-o). By default "
        f"one per processor for files of more than {PARALLEL_ROWS:,} rows, otherwise one.",
        show_default=False,
    ),
]
Resume = Annotated[
    bool | None,
    typer.Option(
        "--resume/--no-resume",
        help="Continue from the finished chunks of an interrupted run, or remove them.",
        show_default=False,
    ),
]
Whole = Annotated[
    bool,
    typer.Option(
        "--whole",
        help="Send the whole file to the server, with all its columns, instead of only those that "
        "a valuation needs.",
    ),
]
MappingFile = Annotated[
    Path | None,
    typer.Option(
        "--map",
        metavar="FILE",
        help='A mapping of the columns, as TOML: [columns] "their header" = "OurColumn", and '
        '[values] OurColumn = "unknown" or another value for all rows.',
        show_default=False,
    ),
]
AsOf = Annotated[
    datetime | None,
    typer.Option(
        "--as-of",
        formats=["%Y-%m-%d"],
        metavar="DATE",
        help="Valuation date of rows without a date of sale, such as 2014-10-13; by default the "
        "end of the sales.",
        show_default=False,
    ),
]
EscapeFormulas = Annotated[
    bool,
    typer.Option(
        "--escape-formulas",
        help="Put an apostrophe before each cell that a spreadsheet might run as a formula. A "
        "workbook (.xlsx) always has it.",
    ),
]
Save = Annotated[
    bool,
    typer.Option("--save", help="Save the valuation of each row: houseprice records lists them."),
]
Reference = Annotated[
    str | None,
    typer.Option(
        "--reference",
        metavar="COLUMN",
        help="With --save, the column of your own numbers of the houses; by default one that is "
        "called reference, ref, case or id. A later sale finds the value by it.",
        show_default=False,
    ),
]
Note = Annotated[
    str,
    typer.Option(
        "--note", metavar="TEXT", help="With --save, a note that all rows get.", show_default=False
    ),
]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with 1 if a row has no value.")]


def predict(  # noqa: PLR0913, PLR0917 - a parameter for each option
    context: typer.Context,
    source: Source,
    output: Output = None,
    interval: Interval = 0.9,
    evidence: Evidence = None,
    jobs: Jobs = None,
    resume: Resume = None,
    whole: Whole = False,
    mapping: MappingFile = None,
    as_of: AsOf = None,
    escape_formulas: EscapeFormulas = False,
    save: Save = False,
    reference: Reference = None,
    note: Note = "",
    dask: Dask = None,
    strict: Strict = False,
    market_name: MarketName = None,
    quiet: Quiet = False,
) -> None:
    """Value each house of a CSV file of any size.

    Every row is in the output once, in order: your columns first and unchanged, then the value with
    its range, or the reason why there is none. Separator, encoding and line endings are those of
    your file. The output is complete or not written at all; until then, finished chunks of a large
    one are kept in a hidden folder next to it.
    """
    use_market(market_name)
    console = Console.from_context(context, quiet=quiet)
    day = as_of.date() if as_of else None
    _check_saving(save=save, texts=(reference, note), elsewhere=whole or dask is not None)
    if dask is not None:
        if jobs is not None or resume is not None or whole or mapping or escape_formulas:
            raise typer.BadParameter(
                "--jobs, --resume, --whole, --map and --escape-formulas are for work without a "
                "cluster.",
                param_hint="--dask",
            )
        max_rows = EVIDENCE_ROWS if evidence is None else sys.maxsize if evidence else 0
        counts, n_files, failed = value_files(
            console, dask, source, output, interval, max_rows, day
        )
        files = f"{n_files - failed:,} of {n_files:,} files, {counts.rows:,} rows"
        _report_counts(console, files, counts, files=n_files, failed=failed)
        if failed or (strict and counts.errors):
            raise typer.Exit(1)
        return
    _check_paths(source, output, resume=resume)
    if whole:
        if strict or resume is not None or mapping or escape_formulas:
            raise typer.BadParameter(
                "the file is sent as it is and the answer not read, so --strict, --resume, --map "
                "and --escape-formulas can't be used with it.",
                param_hint="--whole",
            )
        if output is not None and output.suffix.lower() in (".gz", *_COLUMNAR):
            raise typer.BadParameter("the server answers with a CSV file.", param_hint="-o")
        _send_whole(source, output, interval, evidence=bool(evidence), as_of=day)
        return
    request = _Request(
        source, output, interval, evidence, jobs, mapping, day, resume, escape_formulas,
        save, reference, note,
    )  # fmt: skip
    result = _value_here(console, request)
    for each in result.notes:
        console.info(each)
    for problem in result.problems:
        console.info(problem.sentence, code=problem.code)
    _report_counts(console, plural(result.counts.rows, "row"), result.counts)
    if strict and result.counts.errors:
        raise typer.Exit(1)


def _check_saving(*, save: bool, texts: tuple[str | None, str], elsewhere: bool) -> None:
    """Refuse, before any work, texts to save without ``--save``, or rows that others value."""
    from houseprice.records.texts import text_fault

    if any(texts) and not save:
        raise typer.BadParameter("add --save.", param_hint="--reference / --note")
    if save and elsewhere:
        raise typer.BadParameter(
            "only rows that this computer values are saved: leave out --dask and --whole.",
            param_hint="--save",
        )
    if fault := text_fault("note", texts[1].strip()):
        raise typer.BadParameter(fault, param_hint="--note")


def _check_paths(source: Path, output: Path | None, *, resume: bool | None) -> None:
    """Refuse, before any work, a missing input, or an output that can't be written."""
    if not source.is_file():
        raise typer.BadParameter(f"there is no file {source}.", param_hint="IN.csv")
    if output is None:
        return
    _refuse_ending(output)
    if resume is not None and output.suffix.lower() in (".gz", *_COLUMNAR):
        raise typer.BadParameter(
            "only a .csv, .txt or .tsv result can be resumed.", param_hint="--resume"
        )
    if output.exists():
        if output.samefile(source):
            raise typer.BadParameter(
                "it is the same file as the input, which is never overwritten.", param_hint="-o"
            )
        if not output.is_file():
            raise typer.BadParameter(f"{output} is not an ordinary file.", param_hint="-o")
    elif not output.resolve().parent.is_dir():
        raise typer.BadParameter(f"there is no folder {output.resolve().parent}.", param_hint="-o")


def _refuse_ending(output: Path) -> None:
    """Refuse an ending that names a format that is not written; a name without one is CSV."""
    ending, is_zipped = _ending(output)
    endings = {"", *_SEPARATORS} if is_zipped else {"", *_SEPARATORS, *_COLUMNAR}
    if ending not in endings:
        raise typer.BadParameter(
            f"{output.name}: {ending} files are not written. Use .csv, .txt, .tsv, .csv.gz, .xlsx "
            "or .parquet.",
            param_hint="-o",
        )


def _report_counts(console: Console, rows: str, counts: RowCounts, **fields: int) -> None:
    n_ok = counts.valued - counts.warnings
    console.info(
        f"{rows}: {n_ok:,} ok, {counts.warnings:,} with a warning, {counts.errors:,} with an "
        "error and no value.",
        **fields,
        rows=counts.rows,
        ok=n_ok,
        warnings=counts.warnings,
        errors=counts.errors,
    )
    for code, count in counts.errors_by_code.items():
        console.info(f"  {code}: {count:,}")


class _Request(NamedTuple):
    """A file to value on this computer; None is the default of an option."""

    path: Path
    output: Path | None
    interval: float
    evidence: bool | None
    jobs: int | None
    mapping_path: Path | None
    as_of: date | None
    resume: bool | None
    escape_formulas: bool
    save: bool
    reference: str | None
    note: str


def _value_here(console: Console, request: _Request) -> StreamResult:
    """Value a file into another, or to standard output."""
    path, output, jobs = request.path, request.output, request.jobs
    settings = read_settings()
    ending = output.suffix.lower() if output else ""
    if jobs is None and n_processors() == 1:
        jobs = 1
    if output and jobs != 1 and not settings.api_url and path.stat().st_size > PARALLEL_BYTES:
        # Before this process imports its own packages, which takes as long.
        start_server("houseprice.tables.parallel")
    from houseprice.backend.factory import open_backend
    from houseprice.backend.remote.transport import REQUEST_ROWS
    from houseprice.tables.mapping import NO_MAPPING, ColumnMapping
    from houseprice.tables.parallel import FileOptions, ModelReference, WorkerPool, value_to_file
    from houseprice.tables.reader import CHUNK_ROWS, open_csv
    from houseprice.tables.sales import load_market
    from houseprice.tables.saving import SaveOptions, TableSaver
    from houseprice.tables.streaming import value_stream

    with console.progress(f"Reading {path.name}") as progress:
        market = load_market(settings=settings)
        mapping = (
            ColumnMapping.load(request.mapping_path, market.contract)
            if request.mapping_path
            else NO_MAPPING
        )
        with open_csv(path, path.name, settings, market.contract, mapping=mapping) as source:
            source.layout = replace(
                source.layout, output_separator=_output_separator(output, source.layout.separator)
            )
            backend = open_backend(settings, market, progress, on_trained=log_training)
            for remark in backend.info().remarks if settings.api_url else ():
                console.info(remark)
            # A server may stop at any time: a chunk is what one request values.
            chunk_rows = REQUEST_ROWS if settings.api_url else CHUNK_ROWS
            is_small = source.layout.most_rows <= EVIDENCE_ROWS
            save_options = saver = None
            if request.save:
                save_options = SaveOptions.of(
                    source.layout.header,
                    market.contract,
                    reference=request.reference,
                    note=request.note,
                )
                saver = TableSaver(open_database(), author_here())
            options = FileOptions(
                interval=request.interval,
                evidence=_wants_evidence(backend, request.evidence, is_small),
                valued_at=datetime.now(UTC),
                as_of=request.as_of,
                escape_formulas=request.escape_formulas,
                save=save_options,
                rows=chunk_rows,
                resume=request.resume,
                mapping=mapping.to_toml(),
                saver=saver,
            )
            is_one_file = ending in (".gz", *_COLUMNAR)
            if output is None or is_one_file or source.layout.most_rows <= chunk_rows:
                with _open_result(output) as out:
                    if ending in _COLUMNAR:
                        result = _value_whole(
                            source, backend, out, options, ending, progress, saver
                        )
                    else:
                        result = value_stream(
                            source, backend, out, options, progress=progress, saver=saver
                        )
            else:
                n_jobs = _n_jobs(source, settings, jobs)
                model = ModelReference.of(settings, backend.info().model_version)
                try:
                    result = value_to_file(
                        source,
                        path,
                        output,
                        backend,
                        options,
                        pool=WorkerPool(model, n_jobs) if n_jobs > 1 else None,
                        progress=progress,
                        report=console.info,
                    )
                except KeyboardInterrupt:
                    console.warn("Interrupted. Finished chunks are kept: continue with --resume.")
                    raise typer.Exit(130) from None
    if saver is not None:
        assert save_options is not None
        console.info(
            f"{plural(saver.n_saved, 'row')} saved{save_options.columns_used}. houseprice records "
            "lists them.",
            saved=saver.n_saved,
        )
    if request.evidence is None and not is_small:
        console.info(
            f"The file has more than {EVIDENCE_ROWS:,} lines, so the most similar sales and the "
            "features that move each value most were left out. Request them with --evidence."
        )
    return result


@contextmanager
def _open_result(output: Path | None) -> Iterator[SupportsWrite[bytes]]:
    """Open what the result is written to; a file is complete or does not exist."""
    from houseprice.errors import HousePriceError
    from houseprice.tables.writer import atomic_file

    if output is None:
        if sys.stdout is None:
            raise HousePriceError("Standard output is closed. Name a file for the result with -o.")
        yield typer.get_binary_stream("stdout")
        return
    with atomic_file(output) as file:
        if output.suffix.lower() == ".gz":
            with gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0) as zipped:
                yield zipped
        else:
            yield file


def _ending(output: Path) -> tuple[str, bool]:
    """Return the ending that names a format, and whether .gz follows it."""
    is_zipped = output.suffix.lower() == ".gz"
    return (output.with_suffix("") if is_zipped else output).suffix.lower(), is_zipped


def _output_separator(output: Path | None, separator: str) -> str:
    """Return the separator that an ending names; that of the file where it names none."""
    ending = _ending(output)[0] if output else ""
    if ending == ".csv" and separator == "\t":
        return ","
    return _SEPARATORS.get(ending, "")


def _value_whole(
    source: CsvFile,
    backend: Backend,
    out: SupportsWrite[bytes],
    options: ScoringOptions,
    ending: str,
    progress: Progress,
    saver: TableSaver | None,
) -> StreamResult:
    """Value a file into a workbook or a Parquet file, in memory."""
    from houseprice.tables.excel import to_excel
    from houseprice.tables.parquet import to_parquet
    from houseprice.tables.scoring import ScoredTable, value_rows
    from houseprice.tables.streaming import StreamResult
    from houseprice.tables.table import table_output

    table = next(source.chunks(sys.maxsize, sys.maxsize))
    columns = table_output(table)
    valued = value_rows(table, columns, backend, options, progress)
    scored = ScoredTable.of(table, columns, valued)
    contract = source.contract
    assert contract is not None
    data = to_excel(scored, contract) if ending == ".xlsx" else to_parquet(scored)
    if saver is not None:
        saver.add(valued.records)
    out.write(data)
    of_table = tuple(problem for problem in valued.problems if problem.row is None)
    return StreamResult(scored.summary, of_table, scored.notes)


def _wants_evidence(backend: Backend, evidence: bool | None, is_small: bool) -> bool:
    if evidence is None:
        return is_small and "evidence" in backend.info().capabilities
    return evidence


def _n_jobs(source: CsvFile, settings: Settings, jobs: int | None) -> int:
    """Choose the number of processes; one if only this process has the text or asks a server."""
    from houseprice.tables.reader import CHUNK_ROWS

    if settings.api_url or source.path is None:
        return 1
    n_rows = source.layout.most_rows
    n_jobs = jobs or (n_processors() if n_rows > PARALLEL_ROWS else 1)
    return min(n_jobs, math.ceil(n_rows / CHUNK_ROWS))


def _send_whole(
    path: Path, output: Path | None, interval: float, *, evidence: bool, as_of: date | None
) -> None:
    """Let the server of the settings value a file; its answer is streamed to the output."""
    from houseprice.backend.factory import open_backend
    from houseprice.tables.sales import load_market
    from houseprice.tables.writer import atomic_file

    settings = read_settings()
    if output is None:
        raise typer.BadParameter("it needs a file for the answer (-o).", param_hint="--whole")
    if settings.api_url is None:
        raise typer.BadParameter(
            "there is no server to send the file to. Set HOUSEPRICE_API_URL.",
            param_hint="--whole",
        )
    value_csv = getattr(open_backend(settings, load_market(settings=settings)), "value_csv", None)
    if value_csv is None:
        raise typer.BadParameter(
            f"a server with the protocol {settings.api_protocol} takes no whole files.",
            param_hint="--whole",
        )
    with atomic_file(output) as sink:
        value_csv(path, sink, interval, evidence=evidence, as_of=as_of)
