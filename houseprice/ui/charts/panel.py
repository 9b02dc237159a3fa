"""A chart with its sentence and the figures behind it: the three never stand apart."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from houseprice.tables.writer import to_csv

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["download", "in_words", "panel", "spoken"]

# What a chart's own buttons offer: to zoom by a frame, to move, to go back, to save a picture; and
# where points can be picked, to pick them by a frame or by hand.
_UNUSED = ["zoomIn2d", "zoomOut2d", "autoScale2d"]
_ONLY_PICKING = ["select2d", "lasso2d"]


def panel(
    finding: str,
    drawn: go.Figure,
    frame: pd.DataFrame,
    *,
    key: str,
    headers: Mapping[str, str] | None = None,
    picks: bool = False,
) -> tuple[str, ...]:
    """Show what to see, the chart, and a button with its figures.

    Parameters
    ----------
    finding : str
        One sentence, computed from the frame; also the chart's text for those who can't see it.
    drawn : Figure
    frame : DataFrame
        What the chart draws. Where it is empty, that is said instead.
    key : str
        Unique in the app; also names the file.
    headers : mapping of str to str, optional
        Words for the frame's columns, where their own names do not say enough.
    picks : bool
        Let points be picked, by a click or with the chart's own box and lasso.

    Returns
    -------
    tuple of str
        What the picked points stand for: the first of their ``customdata``, each once.
    """
    if frame.empty:
        st.info("There is nothing to draw here. Take a filter back.", icon=":material/query_stats:")
        return ()
    st.markdown(finding.replace("$", "\\$"))
    picked: tuple[str, ...] = ()
    config, alt = _buttons(key, picks=picks), spoken(finding)
    if picks:
        state = st.plotly_chart(drawn, key=key, alt=alt, config=config, on_select="rerun")
        picked = _meant(state.selection.points)
    else:
        st.plotly_chart(drawn, key=key, alt=alt, config=config)
    download("The figures behind this chart", in_words(frame, headers), key=f"{key}_figures")
    return picked


def spoken(finding: str) -> str:
    """A sentence without its marks, for those to whom it is read."""
    return re.sub(r"\*\*|\\(?=[!-/:-@\[-`{-~])", "", finding)


def _buttons(key: str, *, picks: bool) -> dict[str, object]:
    return {
        "displaylogo": False,
        "modeBarButtonsToRemove": _UNUSED if picks else _UNUSED + _ONLY_PICKING,
        "toImageButtonOptions": {"filename": key, "scale": 2},
    }


def _meant(points: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    told = (point.get("customdata") for point in points)
    return tuple(dict.fromkeys(str(data[0]) for data in told if data))


def download(label: str, frame: pd.DataFrame, *, key: str) -> None:
    """A quiet button that gives a frame as a CSV file, made only when it is pressed."""
    st.download_button(
        label,
        lambda: to_csv(frame, neutralise=True, newline="\r\n", bom=True),
        file_name=f"{key}.csv",
        mime="text/csv",
        key=key,
        on_click="ignore",
        type="tertiary",
        icon=":material/download:",
    )


def in_words(frame: pd.DataFrame, headers: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Give a frame the headers that people read ("lower_quarter" is "Lower quarter"), and days."""
    told = headers or {}
    days = {str(name): frame[name].dt.date for name in frame.select_dtypes("datetime")}
    return (
        frame.assign(**days)
        .drop(columns="column", errors="ignore")
        .rename(columns=lambda name: told.get(name, str(name).replace("_", " ").capitalize()))
    )
