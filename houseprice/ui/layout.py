"""What stands around every page: who answers, and what to say when something fails.

What a backend does not offer, said in words where it would stand.

How good the values are, in words, from the metrics that a backend publishes.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta, timezone

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from houseprice.backend.base import BackendInfo, Capability
from houseprice.errors import BackendError, HousePriceError, NotSupported, SettingsError, StoreError
from houseprice.formatting import percent
from houseprice.ui.backend_handle import Outage
from houseprice.ui.session import backend, cached_info, outage, retry

__all__ = [
    "NOT_SUPPORTED",
    "accuracy_sentences",
    "answered_by",
    "as_of_note",
    "as_of_sentence",
    "error_boundary",
    "escape",
    "is_supported",
    "measurement_note",
    "page_frame",
    "provenance",
    "retry_button",
]

logger = logging.getLogger(__name__)


@contextmanager
def page_frame() -> Iterator[None]:
    """Frame a page: who answers in the sidebar, and failures in words."""
    place: DeltaGenerator | None = None
    before: Outage | None = None
    # By itself: a page has to run whatever happened around it, or nobody would be told.
    with error_boundary("frame"):
        _open_backend()
        with st.sidebar:
            if info := cached_info():
                _tell_who_answers(info)
            place = st.empty()
        before = outage()
        if before:
            _tell_that_it_fails(place, before)
    with error_boundary("page"):
        yield
        if place is not None:
            _tell_what_changed(place, before)


@contextmanager
def error_boundary(place: str) -> Iterator[None]:
    """Turn a failure into a sentence here; what it was in detail goes to the log alone.

    Where the backend failed, a button beside it tries again.

    Parameters
    ----------
    place : str
        Name of the place on the page, no two the same.
    """
    try:
        yield
    except NotSupported as error:
        st.info(escape(str(error)), icon=":material/cloud_off:")
    except (BackendError, StoreError) as error:
        logger.warning(
            "the backend failed: %s", error, exc_info=not isinstance(error, BackendError)
        )
        st.error(escape(f"{error}{_when(error)}"), icon=":material/cloud_off:")
        retry_button(place)
    except SettingsError:
        logger.exception("the settings can't be used")
        # Its text quotes a setting, which is not for every visitor.
        st.error(
            "A setting of this app can't be used, so no page can answer. Its log says which.",
            icon=":material/error:",
        )
    except HousePriceError as error:
        logger.exception("a page could not answer")
        st.error(escape(str(error)), icon=":material/error:")
    except Exception:
        number = secrets.token_hex(4)
        logger.exception("a page failed, number %s", number)
        st.error(
            "Something went wrong here, and it is our fault. Reload the page to try again; a house "
            f"that you entered is in its address. The app's log tells more under number {number}.",
            icon=":material/error:",
        )


def retry_button(place: str) -> None:
    """Draw a button that runs the page once more and asks the backend at once."""
    st.button("Try again", key=f"again_{place}", on_click=retry, icon=":material/refresh:")


def _open_backend() -> None:
    try:
        backend()
    except HousePriceError as error:
        # The page says it where the answer would stand; much of a page needs none.
        logger.warning("the backend can't be opened: %s", error)


def _tell_who_answers(info: BackendInfo) -> None:
    st.caption(f"{escape(as_of_sentence(info))}  \n{escape(answered_by(info))}")
    for remark in info.remarks:
        st.caption(f":small[{escape(remark)}]")


def _tell_what_changed(place: DeltaGenerator, before: Outage | None) -> None:
    """What the page asked may have shown that the backend fails, or that it is back."""
    after = outage()
    if after and not before:
        _tell_that_it_fails(place, after)
    elif before and not after:
        place.empty()


def _tell_that_it_fails(place: DeltaGenerator, failing: Outage) -> None:
    with place.container():
        st.markdown(f":small[:orange[{escape(_since(failing))}]]")
        retry_button("sidebar")


def _since(failing: Outage) -> str:
    """Since when it does not answer, by the visitor's own clock where the browser tells it."""
    behind = st.context.timezone_offset
    zone = None if behind is None else timezone(timedelta(minutes=-behind))
    return f"Not answering since {failing.since.astimezone(zone):%H:%M}."


def _when(error: HousePriceError) -> str:
    """When to come back, where the backend says it and the error's own sentence does not."""
    seconds = getattr(error, "retry_after", None)
    if not seconds or f"{seconds:.0f} s" in str(error):
        return ""
    return f" It asks to wait {seconds:.0f} s."


NOT_SUPPORTED: Mapping[Capability, str] = {
    "range": "This server gives no range and no confidence, only a value.",
    "evidence": "This server names no reasons and no comparable sales for the houses of a table.",
    "explain": "This server gives no reasons for its values.",
    "comparables": "This server finds no comparable sales.",
    "what_if": "This server does not say how sure the difference between two values is.",
    "effect": "This server does not say what another value of one fact would do.",
    "importance": "This server does not say how much each fact matters.",
    "card": "This server gives no model card.",
    "study": "This server gives no study of its model.",
}
"""A sentence for each capability that a backend may lack."""


def is_supported(info: BackendInfo, capability: Capability) -> bool:
    """Whether the backend offers something; if not, the page says so here."""
    if capability in info.capabilities:
        return True
    st.info(NOT_SUPPORTED[capability], icon=":material/cloud_off:")
    return False


def accuracy_sentences(metrics: Mapping[str, float]) -> list[str]:
    """Say the metrics that people ask for, the typical error first; what is not there is not said.

    Parameters
    ----------
    metrics : mapping of str to float
        By the names of :mod:`houseprice.model.metrics`; shares between 0 and 1.
    """
    said = []
    if "median_ape" in metrics:
        error = percent(metrics["median_ape"])
        said.append(f"**Half of the values** are within **{error}** of the sale price.")
    within = [
        f"{percent(metrics[f'within_{limit}'], 0)} are within {limit} %"
        for limit in (10, 20)
        if f"within_{limit}" in metrics
    ]
    if within:
        said.append(f"{' and '.join(within)}.".replace("are", "of the values are", 1))
    if "coverage_90" in metrics:
        said.append(
            "A range is given with each value, and is meant to hold the sale price in 90 % of "
            f"cases. **It held it in {percent(metrics['coverage_90'])}.**"
        )
    return said


def measurement_note(info: BackendInfo) -> str:
    """Say which model the accuracy is of, and what it was measured on, as far as it is told."""
    model = f"Model {info.model_version}" if info.model_version else "The model of the server"
    trained = f", trained {info.trained_at:%d %B %Y}" if info.trained_at else ""
    if not info.metrics:
        return f"{model}{trained}. This server does not say how good its values are."
    return (
        f"{model}{trained}. Measured on sales that the model had not seen: each was valued by a "
        "model fitted on the others."
    )


def as_of_note(info: BackendInfo | None) -> str:
    """Say which day the values stand for; nothing while nobody answers."""
    if info is None:
        return ""
    if info.as_of is None:
        return (
            "- The server does not say **which day** its values stand for. They are not today's "
            "prices.\n"
        )
    return (
        f"- Values stand for **{info.as_of:%B %Y}**, the end of the sales. They are not today's "
        "prices.\n"
    )


def as_of_sentence(info: BackendInfo) -> str:
    """The date of the values and the sales behind them, as far as the backend reports them."""
    sales = f"{info.n_sales:,} sales" if info.n_sales else "sales"
    if info.as_of is None:
        return f"Values from {sales} in {info.market_title}; the server reports no as-of date."
    return f"Values as of {info.as_of:%B %Y}, from {sales} in {info.market_title}."


def answered_by(info: BackendInfo) -> str:
    """The model and the backend that give the values."""
    model = f"Model {info.model_version}, answered" if info.model_version else "Answered"
    return f"{model} by {info.backend}."


def provenance(info: BackendInfo) -> str:
    """The date, sales, model and backend behind a value."""
    return f"{as_of_sentence(info)} {answered_by(info)} An estimate, not an appraisal."


_MARKDOWN = frozenset(r"\`*_{}[]()#+-!$:<>|~&.")


def escape(text: str) -> str:
    """Escape Markdown in text of users or servers: no image, link or formula is rendered."""
    return "".join(f"\\{mark}" if mark in _MARKDOWN else mark for mark in " ".join(text.split()))
