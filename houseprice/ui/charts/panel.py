"""A chart with its caption and the figures behind it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd
import streamlit as st

from houseprice.ui.layout import download

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True)
class Chart:
    """A figure, the frame that it draws, and a caption computed from that frame.

    ``headers`` name columns of the frame for readers where the column name is not enough.
    """

    figure: go.Figure
    frame: pd.DataFrame
    caption: str
    headers: Mapping[str, str] = field(default_factory=dict)


def panel(chart: Chart, *, key: str, picks: bool = False) -> tuple[str, ...]:
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
    on_select: Literal["rerun", "ignore"] = "rerun" if picks else "ignore"
    st.plotly_chart(chart.figure, key=key, alt=alt, config=config, on_select=on_select)
    data = readable_headers(chart.frame, chart.headers)
    download("Download the data of this chart", data, key=f"{key}_figures")
    return selected_marks(key) if picks else ()


def sparkline(values: pd.Series, mark: Literal["bar", "line"], alt: str) -> None:
    """Draw a small chart without axes; that of a metric has no text for screen readers."""
    axes: dict[str, Any] = {
        "x": {"field": "position", "type": "ordinal", "axis": None},
        "y": {"field": "value", "type": "quantitative", "axis": None},
    }
    axes["y"]["scale"] = {"zero": mark == "bar"}
    data = pd.DataFrame({"position": range(len(values)), "value": values.to_numpy()})
    spec = {
        "mark": {"type": mark, "aria": False},
        "encoding": axes,
        "config": {"view": {"stroke": None}},
    }
    st.vega_lite_chart(data, spec, height=60, alt=alt)


def plain_text(caption: str) -> str:
    """Remove the Markdown from a caption, for screen readers."""
    return re.sub(r"\*\*|\\(?=[!-/:-@\[-`{-~])", "", caption)


def selected_marks(key: str) -> tuple[str, ...]:
    """Return what the selected points of a panel represent; it can be asked before the panel."""
    if key not in st.session_state:
        return ()
    rows = (point.get("customdata") for point in st.session_state[key].selection.points)
    # The client sends a row of numbers as an object with the positions as its keys.
    first = (row["0"] if isinstance(row, Mapping) else row[0] for row in rows if row)
    return tuple(dict.fromkeys(map(str, first)))


def readable_headers(frame: pd.DataFrame, headers: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Rename columns for readers ("lower_quarter" -> "Lower quarter"); times become dates."""
    names = headers or {}
    blank = [name for name in ("location", "place") if name in frame and not frame[name].any()]
    dates = {str(name): frame[name].dt.date for name in frame.select_dtypes("datetime")}
    return (
        frame.assign(**dates)
        .drop(columns=["column", *blank], errors="ignore")
        .rename(columns=lambda name: names.get(name, str(name).replace("_", " ").capitalize()))
    )
