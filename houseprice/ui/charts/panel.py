"""A chart with its caption and the figures behind it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from houseprice.ui.layout import download

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["Chart", "panel", "plain_text", "readable_headers"]


@dataclass(frozen=True)
class Chart:
    """A figure, the frame that it draws, and a caption computed from that frame.

    ``headers`` name columns of the frame for readers where the column name is not enough.
    """

    figure: go.Figure
    frame: pd.DataFrame
    caption: str
    headers: Mapping[str, str] = field(default_factory=dict)


def panel(
    chart: Chart,
    *,
    key: str,
    picks: bool = False,
) -> tuple[str, ...]:
    """Show a chart with its caption and a download of its frame; return the selected points.

    ``key`` is unique in the app and names the downloaded files. With ``picks``, points can be
    selected by a click, a box or a lasso; each is represented by the first of its ``customdata``.
    """
    if chart.frame.empty:
        st.info("There is nothing to draw. Remove a filter.", icon=":material/query_stats:")
        return ()
    st.markdown(chart.caption.replace("$", "\\$"))
    buttons = ["zoomIn2d", "zoomOut2d", "autoScale2d", *([] if picks else ["select2d", "lasso2d"])]
    config = {
        "displaylogo": False,
        "modeBarButtonsToRemove": buttons,
        "toImageButtonOptions": {"filename": key, "scale": 2},
    }
    alt = plain_text(chart.caption)
    selected: tuple[str, ...] = ()
    if picks:
        state = st.plotly_chart(chart.figure, key=key, alt=alt, config=config, on_select="rerun")
        selected = _selected_ids(state.selection.points)
    else:
        st.plotly_chart(chart.figure, key=key, alt=alt, config=config)
    data = readable_headers(chart.frame, chart.headers)
    download("Download the data of this chart", data, key=f"{key}_figures")
    return selected


def plain_text(caption: str) -> str:
    """Remove the Markdown from a caption, for screen readers."""
    return re.sub(r"\*\*|\\(?=[!-/:-@\[-`{-~])", "", caption)


def _selected_ids(points: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    rows = (point.get("customdata") for point in points)
    return tuple(dict.fromkeys(str(row[0]) for row in rows if row))


def readable_headers(frame: pd.DataFrame, headers: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Rename columns for readers ("lower_quarter" -> "Lower quarter"); times become dates."""
    names = headers or {}
    dates = {str(name): frame[name].dt.date for name in frame.select_dtypes("datetime")}
    return (
        frame.assign(**dates)
        .drop(columns="column", errors="ignore")
        .rename(columns=lambda name: names.get(name, str(name).replace("_", " ").capitalize()))
    )
