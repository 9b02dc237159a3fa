"""A market of one's own in the browser: made of sales, extended, renamed, downloaded, deleted."""

from __future__ import annotations

import hashlib
import io
import shutil
import zipfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pandas as pd
import streamlit as st

from houseprice.errors import PriceNotFound
from houseprice.files import temporary_folder
from houseprice.formatting import plural
from houseprice.market.contract import CONTRACT_FILE
from houseprice.market.draft.contract import market_name, write_market
from houseprice.market.draft.draft import USES, Draft, draft_market
from houseprice.market.fields import KINDS
from houseprice.market.problems import Problem
from houseprice.tables.extension import Extension, extend_market, set_market_key
from houseprice.tables.sales import read_sales
from houseprice.ui.layout import error_boundary, escape, show_table
from houseprice.ui.session import MARKET, NEXT_MARKET, forget_market, market_title, settings
from houseprice.ui.visitor import visitor

_UPLOAD = "market_sales"
_USE_NAMES = {
    "id": "key of the sale",
    "property_id": "key of the house",
    "sale_date": "date of sale",
    "sale_year": "year of sale",
    "sale_month": "month of sale",
    "location": "area of the market",
    "area": "living area",
    "built": "year built",
}
_NAMES = [_USE_NAMES.get(use, use) for use in USES]


@dataclass(frozen=True)
class _Upload:
    """An uploaded file of sales; ``drafts`` are the drafted markets by their price column."""

    name: str
    data: bytes
    digest: str
    rows: pd.DataFrame
    unread: tuple[Problem, ...]
    drafts: dict[str | None, Draft] = field(default_factory=dict)


def show_new_market() -> None:
    """Draw the upload, the table of guesses, and the button that makes the market."""
    file = st.file_uploader(
        "Your sales: CSV, Excel, Parquet or OpenDocument",
        max_upload_size=settings().max_upload_mb,
        key=_UPLOAD,
    )
    if file is None:
        return
    upload = _read(file.name, file.getvalue())
    try:
        draft = _draft(upload)
    except PriceNotFound as error:
        st.warning(escape(str(error)), icon=":material/help:")
        st.selectbox(
            "Column of the price", list(upload.rows.columns), index=None, key=_price_key(upload)
        )
        return
    st.markdown(
        f"**{plural(len(upload.rows), 'row')}.** This is what each column is taken for. Change "
        "what is wrong: a column that is left out is not learned from."
    )
    draft = _edit(upload, draft)
    title = st.text_input("Name of the town", _title(upload.name), key="market_title")
    currency = st.text_input(
        "Currency", draft.currency, key="market_currency", placeholder="USD, EUR, …", max_chars=3
    )
    if st.button("Make the market", icon=":material/add_home_work:"):
        _make(upload, draft, title.strip() or _title(upload.name), currency.strip())


def _read(name: str, data: bytes) -> _Upload:
    """Read an upload, once for each file."""
    key = hashlib.sha256(data).hexdigest()
    kept: dict[str, _Upload] = st.session_state.setdefault("market_upload", {})
    if key not in kept:
        with temporary_folder() as folder, st.spinner("Looking at the columns"):
            file = folder / Path(name).name
            file.write_bytes(data)
            rows, unread = read_sales(file, None, settings())
        kept.clear()
        kept[key] = _Upload(Path(name).name, data, key, rows, tuple(unread))
    return kept[key]


def _draft(upload: _Upload) -> Draft:
    """Guess what the columns are, once for each choice of the price."""
    price: str | None = st.session_state.get(_price_key(upload))
    if price not in upload.drafts:
        named = {} if price is None else {"price": price}
        upload.drafts[price] = draft_market(upload.rows, named)
    return upload.drafts[price]


def _price_key(upload: _Upload) -> str:
    return f"market_price_{upload.digest}"


def _edit(upload: _Upload, draft: Draft) -> Draft:
    """Show the guesses to be changed, and return the draft as it is changed."""
    guesses = draft.guesses
    table = pd.DataFrame(
        {
            "Column": [guess.column for guess in guesses],
            "Taken for": [_USE_NAMES.get(guess.use, guess.use) for guess in guesses],
            "Kind": [guess.kind for guess in guesses],
            "Why": [guess.reason for guess in guesses],
            "How sure": [guess.sure for guess in guesses],
            "Check": [guess.check for guess in guesses],
            "Examples": [_examples(upload.rows[guess.column]) for guess in guesses],
        }
    )
    edited = st.data_editor(
        table,
        hide_index=True,
        height="content",
        disabled=["Column", "Why", "How sure", "Check", "Examples"],
        column_config={
            "Taken for": st.column_config.SelectboxColumn(options=_NAMES, required=True),
            "Kind": st.column_config.SelectboxColumn(options=list(KINDS)),
        },
        key="market_guesses",
    )
    uses = dict(zip(edited["Column"], (USES[_NAMES.index(name)] for name in edited["Taken for"]),
                    strict=True))  # fmt: skip
    kinds = {
        name: next((each for each in KINDS if each == kind), None)
        for name, kind in zip(edited["Column"], edited["Kind"], strict=True)
    }
    return draft.edited(uses, kinds)


def _examples(cells: pd.Series) -> str:
    known = cells[cells.astype(str).str.strip() != ""]
    return ", ".join(known.drop_duplicates().head(3).astype(str))


def _make(upload: _Upload, draft: Draft, title: str, currency: str) -> None:
    """Write the folder, and go to the new market, whose first visit trains its model."""
    folder = settings().markets / market_name(title)
    with temporary_folder() as scratch, st.spinner("Checking the sales"):
        file = scratch / upload.name
        file.write_bytes(upload.data)
        market = write_market(
            draft, upload.rows, upload.unread, file, folder, title=title, currency=currency
        )
    if len(market.set_aside):
        st.toast(f"{plural(len(market.set_aside), 'sale')} set aside: see Explore, Data quality.")
    _log_change(folder, "made")
    _show_home(folder)


def _title(name: str) -> str:
    return name.partition(".")[0].replace("_", " ").strip().capitalize() or "My town"


def show_own_markets() -> None:
    """List the markets that were made here, each with what can be done with it."""
    folders = sorted(path.parent for path in settings().markets.glob(f"*/{CONTRACT_FILE}"))
    if not folders:
        return
    st.subheader("Your markets")
    for folder in folders:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{escape(market_title(folder.name))}**")
            st.download_button(
                "Download the folder",
                partial(_zipped, folder),
                file_name=f"{folder.name}.zip",
                mime="application/zip",
                key=f"download_{folder.name}",
                on_click="ignore",
                icon=":material/download:",
            )
            key = f"extend_{folder.name}"
            adding = st.popover("Add sales", icon=":material/playlist_add:", key=key)
            with adding, error_boundary(f"{key}_error"):
                _show_extension(folder)
            key = f"rename_{folder.name}"
            renaming = st.popover("Rename", icon=":material/edit:", key=key)
            with renaming, error_boundary(f"{key}_error"):
                _show_rename(folder)
            with st.popover("Delete", icon=":material/delete:", key=f"delete_{folder.name}"):
                st.markdown("Its sales and its contract are deleted from this computer.")
                st.button(
                    "Delete it",
                    key=f"really_delete_{folder.name}",
                    on_click=_delete,
                    args=(folder,),
                )


def _show_extension(folder: Path) -> None:
    """Draw the upload of more sales, and what is new about them before they are written."""
    file = st.file_uploader(
        "More sales, with the columns of this market",
        max_upload_size=settings().max_upload_mb,
        key=f"more_{folder.name}",
    )
    if file is None:
        return
    extension = _extension(folder, file.name, file.getvalue())
    st.markdown(
        f"**{extension.summary}** Sales are known by their key or, without one, if all cells are "
        "the same. The file before is kept."
    )
    if len(extension.set_aside):
        rows = extension.set_aside[["id", "reason"]]
        show_table(rows, key=f"set_aside_{folder.name}", alt="The sales that are set aside")
    if st.button("Add them and train", key=f"really_extend_{folder.name}"):
        extension.write()
        _log_change(folder, "extended")
        st.cache_resource.clear()
        _show_home(folder)


def _extension(folder: Path, name: str, data: bytes) -> Extension:
    """Compare an upload with the sales of a market, once for each file."""
    key = folder.name, hashlib.sha256(data).hexdigest()
    kept: dict[tuple[str, str], Extension] = st.session_state.setdefault("market_extension", {})
    if key not in kept:
        with temporary_folder() as scratch, st.spinner("Comparing the sales"):
            file = scratch / Path(name).name
            file.write_bytes(data)
            extension = extend_market(folder, file, settings())
        kept.clear()
        kept[key] = extension
    return kept[key]


def _show_rename(folder: Path) -> None:
    title = st.text_input(
        "Name of the town", market_title(folder.name), key=f"title_{folder.name}"
    ).strip()
    st.caption("The model is trained again, because its card has the name.")
    if st.button("Rename it", key=f"really_rename_{folder.name}", disabled=not title):
        set_market_key(folder, "title", title)
        _log_change(folder, "renamed")
        st.cache_resource.clear()
        _show_home(folder)


def _show_home(folder: Path) -> None:
    """Go to the home of a market that is new or has changed; its first visit trains its model."""
    forget_market()
    st.session_state[NEXT_MARKET] = folder.name
    st.switch_page("pages/start/home.py")


def _log_change(folder: Path, change: str) -> None:
    from houseprice.records.ledger import Author
    from houseprice.records.people import log_change

    author = Author(visitor() or "a visitor", folder.name, "form")
    log_change(settings(), author, "market", folder.name, change)


def _zipped(folder: Path) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.iterdir()):
            if path.is_file():
                archive.write(path, f"{folder.name}/{path.name}")
    return content.getvalue()


def _delete(folder: Path) -> None:
    if st.session_state.get(MARKET) == folder.name:
        forget_market()
        st.session_state.pop(MARKET, None)
    shutil.rmtree(folder)
    _log_change(folder, "deleted")
