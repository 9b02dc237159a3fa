"""Tabs of which only the open one runs, with the open tab in the URL."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from houseprice.ui.layout import error_boundary

__all__ = ["show_tabs"]


def show_tabs(
    tabs: Mapping[str, Callable[[], None]], *, key: str, former_labels: Mapping[str, str]
) -> None:
    """Draw tabs by label and run the open one; ``key`` is also the name of the URL parameter.

    ``former_labels`` maps labels of earlier releases to those of today, for saved links.
    """
    label = former_labels.get(st.query_params.get(key, ""))
    if label:
        # Streamlit reads the parameter before the script runs, so only the state can be corrected.
        st.session_state[key] = label
        del st.query_params[key]
    containers = st.tabs(list(tabs), key=key, on_change="rerun", bind="query-params")
    for (label, show), container in zip(tabs.items(), containers, strict=True):
        if container.open:
            with container, error_boundary(f"{key}_{label}"):
                show()
