"""A link that carries a house: only the facts that differ from how the form opens."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

import streamlit as st

from houseprice.market.contract import Contract

__all__ = ["link", "parameters", "show_link"]


def parameters(
    row: Mapping[str, object], opening: Mapping[str, object], contract: Contract
) -> dict[str, str]:
    """The house as the address of its page holds it: levels in words, the opening left out.

    Parameters
    ----------
    row, opening : mapping of str to object
        By column, as the form holds them.
    contract : Contract
    """
    told = {}
    for column, field in contract.fields.items():
        value = row[column]
        if value != opening[column] and value is not None:
            told[column] = (
                field.labels[field.codes.index(str(value))] if field.levels else f"{value}"
            )
    return told


def link(
    address: str, row: Mapping[str, object], opening: Mapping[str, object], contract: Contract
) -> str:
    """The address of a page with a house in it."""
    bare = address.partition("#")[0].partition("?")[0]
    told = urlencode(parameters(row, opening, contract))
    return f"{bare}?{told}" if told else bare


def show_link(row: Mapping[str, object], opening: Mapping[str, object], contract: Contract) -> None:
    """Show the link behind a button, with the browser's own way to copy it."""
    with st.popover("Share", icon=":material/share:", key="share", on_change="rerun") as shared:
        if not shared.open:
            return
        address = st.context.url
        if address is None:
            st.markdown("Copy the address of this page from your browser: it carries the house.")
            return
        differing = len(parameters(row, opening, contract))
        facts = "1 fact" if differing == 1 else f"{differing} facts"
        st.markdown(
            "Whoever opens this link sees the same house."
            if differing
            else "This is the typical house, so the link is that of the empty form."
        )
        st.code(link(address, row, opening, contract), language=None, wrap_lines=True)
        st.caption(
            f"The link itself holds the house ({facts} that differ from the typical house); "
            "it is stored nowhere. The button in its corner copies it."
        )
