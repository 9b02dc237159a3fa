"""A market's folder made of downloaded files: complete and valid, or not there at all.

The new folder is filled under a hidden name next to its target and renamed at the end, so a kill at
any moment leaves either the previous folder or the complete new one.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import shutil
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from houseprice.errors import FetchError, MarketError
from houseprice.files import sync_folder
from houseprice.formatting import list_some
from houseprice.market.contract import CONTRACT_FILE, Contract, load_contract
from houseprice.market.kaggle import STALL_TIMEOUT_S, download
from houseprice.market.metadata import KaggleFile, KaggleSource
from houseprice.market.sales import load_market, read_rows
from houseprice.market.validation import validate

_STALE_S = 3600
"""Age from which a hidden folder is left over from a killed run."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FetchedFile:
    """One file of the new market: its name, its name at the source, its size and checksum."""

    name: str
    came_as: str
    rows: int
    columns: int
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class FetchResult:
    """A downloaded market, with notes on what is unusual about its files."""

    folder: Path
    contract: Contract
    sales: FetchedFile
    sample: FetchedFile
    notes: tuple[str, ...]


def default_folder(contract: Contract) -> Path:
    """Return the folder that a market is fetched to by default, in the working folder."""
    return Path(f"{contract.market.name}-kaggle")


def fetch_market(
    market: Path,
    folder: Path,
    progress: Callable[[float, str], None],
    *,
    replace: bool = False,
    stall_timeout_s: float = STALL_TIMEOUT_S,
) -> FetchResult:
    """Download the sales of a market, and create a folder with its contract and files.

    `market` is a folder with the contract; it needs no sales. A FetchError if the files can't
    be downloaded, do not match the contract, or can't be written; a MarketError if the contract
    can't be used.
    """
    contract = load_contract(market)
    source = _source(market / CONTRACT_FILE, contract)
    metadata = contract.market
    names = (CONTRACT_FILE, metadata.sales, metadata.sample)
    with atomic_folder(folder, names, replace=replace) as (new, scratch):
        progress(0.0, "Downloading from Kaggle")
        files = download(source, scratch, lambda text: progress(0.1, text), stall_timeout_s)
        progress(0.7, "Checking the files")
        (new / CONTRACT_FILE).write_bytes((market / CONTRACT_FILE).read_bytes())
        sales, sales_rows = _move(files, source.sales, new / metadata.sales)
        sample, sample_rows = _move(files, source.sample, new / metadata.sample)
        notes = (
            *_check(source.sales, sales_rows, {metadata.id, metadata.price.column}, contract),
            *_check(source.sample, sample_rows, {metadata.id}, contract),
        )
        progress(0.8, "Loading the market")
        notes = (*notes, *_check_market(new, source, sample_rows))
    logger.info("fetched %s and %s of %s", sales.came_as, sample.came_as, source.competition)
    return FetchResult(folder.resolve(), contract, sales, sample, notes)


def _source(file: Path, contract: Contract) -> KaggleSource:
    metadata = contract.market
    if metadata.kaggle is None:
        raise FetchError(
            f"The market {metadata.title} can't be fetched: its contract names no source "
            f"({file}: market.kaggle)."
        )
    names = {CONTRACT_FILE, metadata.sales, metadata.sample}
    if len(names) < 3 or any(Path(name).name != name for name in names):
        raise MarketError(file, "market.sales", "sales and sample must be names of two files")
    return metadata.kaggle


def _move(
    files: dict[str, Path], expected: KaggleFile, target: Path
) -> tuple[FetchedFile, pd.DataFrame]:
    """Move a downloaded file to its target and read it."""
    data = files[expected.file].read_bytes()
    target.write_bytes(data)
    try:
        rows = read_rows(target)
    except (ValueError, UnicodeDecodeError):
        raise FetchError(
            f"The downloaded {expected.file} is not a CSV file, or is damaged: run this again."
        ) from None
    digest = hashlib.sha256(data).hexdigest()
    return FetchedFile(target.name, expected.file, *rows.shape, len(data), digest), rows


def _check(
    expected: KaggleFile, rows: pd.DataFrame, extra: set[str], contract: Contract
) -> list[str]:
    """Raise if columns or rows are missing; return a note on unknown columns."""
    names = [*sorted(extra), *contract.columns]
    missing = [name for name in names if name not in rows.columns]
    if missing:
        raise FetchError(
            f"The downloaded {expected.file} lacks columns of the contract: {list_some(missing)}. "
            "Either the file has changed, or another file came in its place."
        )
    if len(rows) != expected.rows:
        raise FetchError(
            f"The downloaded {expected.file} has {len(rows):,} rows instead of {expected.rows:,}: "
            "it is incomplete, or it was changed at Kaggle. Run this again; if it was changed, "
            "correct market.kaggle in the contract."
        )
    unknown = [str(name) for name in rows.columns if name not in names]
    if not unknown:
        return []
    return [f"{expected.file} has columns that the contract does not name: {list_some(unknown)}."]


def _check_market(folder: Path, source: KaggleSource, sample: pd.DataFrame) -> list[str]:
    """Raise if the market can't be loaded; return a note on invalid houses of the sample."""
    try:
        market = load_market(folder)
    except MarketError as error:
        where = f" ({error.key})" if error.key else ""
        raise FetchError(
            f"The downloaded {source.sales.file} breaks the contract{where}: {error.reason}"
        ) from None
    for row, reason in market.set_aside[["row", "reason"]].head(1).itertuples(index=False):
        raise FetchError(
            f"The downloaded {source.sales.file} breaks the contract (row {row}): {reason}"
        )
    contract = market.contract
    invalid = int((~validate(sample, contract).valid).sum())
    if not invalid:
        return []
    return [f"{invalid:,} of the houses in {source.sample.file} have errors and can't be valued."]


@contextmanager
def atomic_folder(
    target: Path, names: Collection[str], *, replace: bool = False
) -> Iterator[tuple[Path, Path]]:
    """Yield an empty folder that becomes ``target`` when the block ends, and a scratch folder.

    An existing target is replaced if it is empty or, with ``replace``, if it has only files of
    these names; otherwise, or if it can't be written, a FetchError is raised. A link is
    followed.
    """
    final = target.resolve()
    backup = final.with_name(f".{final.name}.before")
    draft = final.with_name(f".{final.name}.fetching-{secrets.token_hex(6)}")
    try:
        if backup.exists() and not final.exists():  # killed between two renames
            backup.rename(final)
        _check_replaceable(target, final, names, replace=replace)
        final.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale_drafts(final)
        try:
            new, scratch = draft / "market", draft / "scratch"
            for folder in (draft, new, scratch):
                folder.mkdir()
            yield new, scratch
            for path in (*new.iterdir(), new):
                sync_folder(path)
            # Somebody else may have created the target in the meantime.
            _check_replaceable(target, final, names, replace=replace)
            _swap(new, final, backup)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise FetchError(
            f"{target} can't be written ({error.strerror}): free some space, or choose another "
            "folder with -o."
        ) from error


def _check_replaceable(target: Path, final: Path, names: Collection[str], *, replace: bool) -> None:
    if not final.exists():
        return
    if not final.is_dir():
        raise FetchError(f"{target} is not a folder: choose another one with -o.")
    existing = {path.name for path in final.iterdir()}
    if existing and not replace:
        raise FetchError(
            f"{target} exists already: choose another folder with -o, or replace it with --force."
        )
    others = sorted(existing - set(names))
    if others:
        raise FetchError(
            f"{target} is not replaced, because it has other files, such as {others[0]}: choose "
            "another folder with -o."
        )


def _swap(new: Path, final: Path, backup: Path) -> None:
    """Rename the new folder to its final name; move a previous one away, and back on failure."""
    shutil.rmtree(backup, ignore_errors=True)
    if final.exists():
        final.rename(backup)
    try:
        new.rename(final)
    except OSError:
        if backup.exists():
            backup.rename(final)
        raise
    sync_folder(final.parent)
    shutil.rmtree(backup, ignore_errors=True)


def _remove_stale_drafts(final: Path) -> None:
    for draft in final.parent.glob(f".{final.name}.fetching-*"):
        if time.time() - draft.lstat().st_mtime > _STALE_S:
            shutil.rmtree(draft, ignore_errors=True)
