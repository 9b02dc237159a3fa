"""A market's folder with sales as they are given out: downloaded, checked, and then there at once.

The new folder is made under a hidden name beside its place and renamed when all is proven, so a
kill at any moment leaves what was there before, or all of the new.

A folder that appears whole or not at all, and takes another one's place without losing it.
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
from houseprice.market.contract import (
    CONTRACT_FILE,
    Contract,
    KaggleFile,
    KaggleSource,
    load_contract,
)
from houseprice.market.kaggle import PATIENCE_S, download
from houseprice.market.sales import load_market, read_rows
from houseprice.market.validation import validate

__all__ = ["FetchResult", "FetchedFile", "atomic_folder", "default_folder", "fetch_market"]

_LEFT_OVER_S = 3600
"""A draft of this age belongs to nobody any more."""


@contextmanager
def atomic_folder(
    place: Path, names: Collection[str], *, replace: bool = False
) -> Iterator[tuple[Path, Path]]:
    """Give two empty folders: what is in the first takes the place when the block ends well.

    Parameters
    ----------
    place : Path
        Where the new folder is to be. A link is followed.
    names : collection of str
        What will be in it. A folder with anything else in it is never replaced.
    replace : bool
        Whether a folder with these names in it may be replaced. An empty one always may.

    Yields
    ------
    tuple of Path
        The folder to fill, and one for what is needed meanwhile; the same disk as the place.

    Raises
    ------
    FetchError
        If the place is taken, or can't be written to.
    """
    target = place.resolve()
    kept = target.with_name(f".{target.name}.before")
    draft = target.with_name(f".{target.name}.fetching-{secrets.token_hex(6)}")
    try:
        if kept.exists() and not target.exists():  # killed between two renames
            kept.rename(target)
        _refuse_taken(place, target, names, replace=replace)
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_left_overs(target)
        try:
            made, beside = draft / "market", draft / "meanwhile"
            for folder in (draft, made, beside):
                folder.mkdir()
            yield made, beside
            _write_through(made)
            _refuse_taken(place, target, names, replace=replace)  # it may have come meanwhile
            _swap(made, target, kept)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise FetchError(
            f"{place} can't be written ({error.strerror}): make room, or name another folder "
            "with -o."
        ) from error


def _refuse_taken(place: Path, target: Path, names: Collection[str], *, replace: bool) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise FetchError(f"{place} is no folder: name another place with -o.")
    there = {path.name for path in target.iterdir()}
    if there and not replace:
        raise FetchError(
            f"{place} is there already: name another folder with -o, or replace it with --force."
        )
    others = sorted(there - set(names))
    if others:
        raise FetchError(
            f"{place} holds what was not fetched, {others[0]} for one, and is not replaced: name "
            "another folder with -o."
        )


def _swap(made: Path, target: Path, kept: Path) -> None:
    """Put a folder in its place; what was there is put aside first, and back if that fails."""
    shutil.rmtree(kept, ignore_errors=True)
    if target.exists():
        target.rename(kept)
    try:
        made.rename(target)
    except OSError:
        if kept.exists():
            kept.rename(target)
        raise
    sync_folder(target.parent)
    shutil.rmtree(kept, ignore_errors=True)


def _write_through(folder: Path) -> None:
    for path in (*folder.iterdir(), folder):
        sync_folder(path)


def _remove_left_overs(target: Path) -> None:
    for draft in target.parent.glob(f".{target.name}.fetching-*"):
        if time.time() - draft.lstat().st_mtime > _LEFT_OVER_S:
            shutil.rmtree(draft, ignore_errors=True)


logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FetchedFile:
    """One file of the new market: its name, its name at the source, and its content in figures."""

    name: str
    came_as: str
    rows: int
    columns: int
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class FetchResult:
    """A market that was fetched and opened.

    Attributes
    ----------
    folder : Path
        Absolute.
    contract : Contract
    sales, sample : FetchedFile
    notes : tuple of str
        What is odd about them and no reason to refuse them, in sentences.
    """

    folder: Path
    contract: Contract
    sales: FetchedFile
    sample: FetchedFile
    notes: tuple[str, ...]


def default_folder(contract: Contract) -> Path:
    """Where a market is fetched to if nobody says where, in the working folder."""
    return Path(f"{contract.market.name}-kaggle")


def fetch_market(
    market: Path,
    folder: Path,
    progress: Callable[[float, str], None],
    *,
    replace: bool = False,
    patience_s: float = PATIENCE_S,
) -> FetchResult:
    """Download the sales of a market and make a market's folder of them.

    Parameters
    ----------
    market : Path
        A folder with the contract; sales need not be there.
    folder : Path
        The folder to make.
    progress : callable
        Told the share done and what is being done.
    replace : bool
        Take the place of a market's folder that is there.
    patience_s : float
        Seconds without a byte after which to give up.

    Raises
    ------
    FetchError
        If the files can't be had, are not as the contract says, or can't be put there.
    MarketError
        If the contract can't be used.
    """
    contract = load_contract(market)
    source = _source(market / CONTRACT_FILE, contract)
    ours = contract.market
    names = (CONTRACT_FILE, ours.sales, ours.sample)
    with atomic_folder(folder, names, replace=replace) as (made, beside):
        progress(0.0, "Downloading from Kaggle")
        found = download(source, beside, lambda words: progress(0.1, words), patience_s)
        progress(0.7, "Checking the files")
        (made / CONTRACT_FILE).write_bytes((market / CONTRACT_FILE).read_bytes())
        sales, sales_rows = _taken(found, source.sales, made / ours.sales)
        sample, sample_rows = _taken(found, source.sample, made / ours.sample)
        notes = (
            *_compare(source.sales, sales_rows, {ours.id, ours.price.column}, contract),
            *_compare(source.sample, sample_rows, {ours.id}, contract),
        )
        progress(0.8, "Opening the market")
        notes = (*notes, *_opened(made, source, sample_rows))
    logger.info("fetched %s and %s of %s", sales.came_as, sample.came_as, source.competition)
    return FetchResult(folder.resolve(), contract, sales, sample, notes)


def _source(file: Path, contract: Contract) -> KaggleSource:
    ours = contract.market
    if ours.kaggle is None:
        raise FetchError(
            f"The market {ours.title} can't be fetched: its contract names no place to get it "
            f"from ({file}: market.kaggle)."
        )
    names = {CONTRACT_FILE, ours.sales, ours.sample}
    if len(names) < 3 or any(Path(name).name != name for name in names):
        raise MarketError(file, "market.sales", "sales and sample must be names of two files")
    return ours.kaggle


def _taken(
    found: dict[str, Path], asked: KaggleFile, place: Path
) -> tuple[FetchedFile, pd.DataFrame]:
    """Move a download to its place and read it."""
    data = found[asked.file].read_bytes()
    place.write_bytes(data)
    try:
        rows = read_rows(place)
    except (ValueError, UnicodeDecodeError):
        raise FetchError(
            f"What came as {asked.file} is no CSV file, or a damaged one: run this again."
        ) from None
    digest = hashlib.sha256(data).hexdigest()
    return FetchedFile(place.name, asked.file, *rows.shape, len(data), digest), rows


def _compare(asked: KaggleFile, rows: pd.DataFrame, own: set[str], contract: Contract) -> list[str]:
    """Refuse a file that lacks columns or rows; tell of columns that nobody knows."""
    wanted = [*sorted(own), *contract.columns]
    missing = [name for name in wanted if name not in rows.columns]
    if missing:
        raise FetchError(
            f"What came as {asked.file} lacks columns that the contract names: {_few(missing)}. "
            "Either it is no longer the file that the contract describes, or something else came "
            "in its place."
        )
    if len(rows) != asked.rows:
        raise FetchError(
            f"What came as {asked.file} has {len(rows):,} rows and should have {asked.rows:,}: it "
            "is not whole, or it was changed at Kaggle. Run this again; if it was changed, "
            "correct market.kaggle in the contract."
        )
    unknown = [str(name) for name in rows.columns if name not in wanted]
    if not unknown:
        return []
    return [f"{asked.file} has columns that the contract does not name: {_few(unknown)}."]


def _opened(made: Path, source: KaggleSource, sample: pd.DataFrame) -> list[str]:
    """Prove that the market can be learned from, and look through the houses to value."""
    try:
        contract = load_market(made).contract
    except MarketError as error:
        where = f" ({error.key})" if error.key else ""
        raise FetchError(
            f"What came as {source.sales.file} breaks the contract{where}: {error.reason}"
        ) from None
    wrong = int((~validate(sample, contract).valid).sum())
    if not wrong:
        return []
    return [f"{wrong:,} of the houses in {source.sample.file} have faults and can't be valued."]


def _few(names: list[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
