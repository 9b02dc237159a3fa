"""The markets in the folder of the settings: to download, and to delete."""

from __future__ import annotations

import io
import shutil
import zipfile
from functools import partial
from pathlib import Path

import streamlit as st

from houseprice.market.contract import CONTRACT_FILE
from houseprice.ui.layout import escape
from houseprice.ui.session import MARKET, forget_market, market_title, settings

__all__ = ["show_own_markets"]


def show_own_markets() -> None:
    """List the markets that were made here, each with its download and its deletion."""
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
            with st.popover("Delete", icon=":material/delete:", key=f"delete_{folder.name}"):
                st.markdown("Its sales and its contract are deleted from this computer.")
                st.button(
                    "Delete it",
                    key=f"really_delete_{folder.name}",
                    on_click=_delete,
                    args=(folder,),
                )


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
