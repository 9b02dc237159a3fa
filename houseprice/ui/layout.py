"""The frame of every page: error handling, tabs, the backend in the sidebar, texts about it."""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta, timezone
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlencode

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.elements.lib.column_types import ColumnConfig

from houseprice.backend.base import BackendInfo, Capability
from houseprice.errors import BackendError, HousePriceError, NotSupported, SettingsError, StoreError
from houseprice.formatting import percent, without_links
from houseprice.market.parsing import shorten
from houseprice.tables.writer import to_csv
from houseprice.ui.session import (
    MARKET,
    NEXT_MARKET,
    Outage,
    backend,
    cached_info,
    forget_market,
    market_name,
    market_names,
    market_title,
    outage,
    retry,
    role,
    settings,
    study_of,
)
from houseprice.ui.visitor import has_sign_in, sign_in, sign_in_providers, visitor

logger = logging.getLogger(__name__)

Option = TypeVar("Option")
Read = TypeVar("Read")

# What depends on the elements and the client of Streamlit: one style sheet and one script.
_STYLE = Path(__file__).with_name("style.css")
_SCRIPT = f"<script>{Path(__file__).with_name('client.js').read_text()}</script>"

NOT_SUPPORTED: Mapping[Capability, str] = {
    "range": "This server gives values without a range or a confidence.",
    "evidence": "This server gives no reasons and no comparables for the houses of a table.",
    "explain": "This server does not explain its values.",
    "comparables": "This server does not find comparables.",
    "what_if": "This server does not report the uncertainty of the difference of two values.",
    "effect": "This server does not report the effect of a single field on the value.",
    "next_facts": "This server does not report which fields would narrow a range.",
    "importance": "This server does not report feature importance.",
    "card": "This server does not have a model card.",
    "study": "This server does not have a study of its model.",
}


@contextmanager
def page_frame() -> Iterator[None]:
    """Wrap a page: the backend in the sidebar, and errors as messages."""
    outage_slot: DeltaGenerator | None = None
    before: Outage | None = None
    st.html(_STYLE)
    # Its own boundary: the page runs even if the frame fails.
    with error_boundary("frame"):
        with st.sidebar:
            _show_visitor()
        _choose_market()
        try:
            backend()
        except HousePriceError as error:
            # The page shows the error in place of the value; much of a page needs no backend.
            logger.warning("the backend can't be opened: %s", error)
        with st.sidebar:
            st.html(_SCRIPT, unsafe_allow_javascript=True, width=1)
            if info := cached_info():
                st.caption(f"{escape(as_of_sentence(info))}  \n{escape(answered_by(info))}")
                for remark in info.remarks:
                    st.caption(f":small[{escape(remark)}]")
            outage_slot = st.empty()
        before = outage()
        if before:
            _show_outage(outage_slot, before)
    with error_boundary("page"):
        yield
        # What the calls of the page revealed: that the backend fails, or works again.
        after = outage()
        if outage_slot is not None:
            if after and not before:
                _show_outage(outage_slot, after)
            elif before and not after:
                outage_slot.empty()


def _show_visitor() -> None:
    """Show who is signed in, or let the visitor sign in, where people can."""
    if not has_sign_in():
        return
    with error_boundary("sign_in"):
        person = visitor()
        if person is None:
            for provider in sign_in_providers():
                label = "Sign in" if provider == "default" else f"Sign in with {provider}"
                if st.button(label, key=f"sign_in_{provider}", icon=":material/login:"):
                    sign_in(provider)
            return
        st.text(person)
        st.caption(f"Signed in, {role() or 'without a role: an owner can give one to this name'}.")
        st.button("Sign out", key="sign_out", icon=":material/logout:", on_click=st.logout)


def _choose_market() -> None:
    """Let the visitor choose a market, if there are several."""
    names = market_names()
    titles = [market_title(name) for name in names]
    for title in st.query_params.get_all(MARKET):
        if title not in titles:
            message = f"There is no market «{shorten(title)}» here: this is {titles[0]}."
            st.warning(
                f"Part of the link could not be read. {escape(message)}", icon=":material/link_off:"
            )
    if NEXT_MARKET in st.session_state:
        st.session_state[MARKET] = st.session_state.pop(NEXT_MARKET)
    if len(names) < 2:
        return
    with st.sidebar:
        st.selectbox(
            "Market",
            names,
            format_func=market_title,
            key=MARKET,
            bind="query-params",
            persist_state="session",
            on_change=forget_market,
        )


def _show_outage(slot: DeltaGenerator, current: Outage) -> None:
    text = f"Not answering since {current.since.astimezone(visitor_zone()):%H:%M}."
    with slot.container():
        st.markdown(f":small[:orange[{escape(text)}]]")
        retry_button("sidebar")


def visitor_zone() -> timezone | None:
    """Return the time zone of the visitor's clock; None where the browser does not report it."""
    offset = st.context.timezone_offset
    return None if offset is None else timezone(timedelta(minutes=-offset))


@contextmanager
def error_boundary(key: str) -> Iterator[None]:
    """Show an error as a message in this place; its details go to the log only.

    An error of the backend comes with a button to retry. ``key`` is unique on the page.
    """
    try:
        yield
    except NotSupported as error:
        st.info(escape(str(error)), icon=":material/cloud_off:")
    except (BackendError, StoreError) as error:
        is_expected = isinstance(error, BackendError)
        logger.warning("the backend failed: %s", error, exc_info=not is_expected)
        st.error(escape(f"{error}{_retry_hint(error)}"), icon=":material/cloud_off:")
        retry_button(key)
    except SettingsError:
        logger.exception("the settings can't be used")
        # Its message quotes a setting, which may be secret.
        st.error(
            "A setting of this app is invalid, so no page can be shown. The app's log has the "
            "details.",
            icon=":material/error:",
        )
    except HousePriceError as error:
        logger.exception("a page failed with a known error")
        st.error(escape(str(error)), icon=":material/error:")
    except Exception:
        reference = secrets.token_hex(4)
        logger.exception("a page failed, reference %s", reference)
        st.error(
            "Something went wrong, and it is our fault. Reload the page to try again; a house that "
            f"you entered is in its address. The app's log has the details under {reference}.",
            icon=":material/error:",
        )


def _retry_hint(error: HousePriceError) -> str:
    """When to retry, if the backend says so and the message of the error does not."""
    seconds = getattr(error, "retry_after", None)
    if not seconds or f"{seconds:.0f} s" in str(error):
        return ""
    return f" Retry in {seconds:.0f} s."


def retry_button(key: str) -> None:
    """Draw a button that reruns the page and calls the backend at once."""
    st.button("Try again", key=f"again_{key}", on_click=retry, icon=":material/refresh:")


def download(label: str, frame: pd.DataFrame | Callable[[], pd.DataFrame], *, key: str) -> None:
    """Show a download button for a frame; the CSV is written only when the button is clicked."""
    st.download_button(
        label,
        lambda: to_csv(
            frame() if callable(frame) else frame, escape_formulas=True, newline="\r\n", bom=True
        ),
        file_name=f"{key}.csv",
        mime="text/csv",
        key=key,
        on_click="ignore",
        type="tertiary",
        icon=":material/download:",
    )


def upload_table(
    label: str, read: Callable[[bytes, str], Read], *, key: str, help_text: str
) -> Read | None:
    """Draw an upload; return what ``read`` makes of content and name, once for each file."""
    file = st.file_uploader(
        label, max_upload_size=settings().max_upload_mb, key=key, help=help_text
    )
    if file is None:
        return None
    data = file.getvalue()
    source = hashlib.sha256(data).hexdigest(), file.name
    kept: tuple[tuple[str, str], Read] | None = st.session_state.get(f"{key}_read")
    if kept is None or kept[0] != source:
        kept = source, read(data, file.name)
        st.session_state[f"{key}_read"] = kept
    return kept[1]


def show_link(parameters: Mapping[str, str | Sequence[str]], content: str) -> None:
    """Show a link to this page behind a button; ``content`` says in a word what it opens."""
    with st.popover("Share", icon=":material/share:", key="share", on_change="rerun") as popover:
        if not popover.open:
            return
        url = st.context.url
        if url is None:
            st.markdown(f"Copy the address of this page from your browser: it has the {content}.")
            return
        st.markdown(f"This link opens the same {content}. Copy it with the button in its corner.")
        st.code(link_to(url, parameters), language=None, wrap_lines=True)
        st.caption(f"The link itself contains the {content}; nothing is stored.")


def link_to(url: str, parameters: Mapping[str, str | Sequence[str]]) -> str:
    """Return the URL of a page with query parameters in place of those that it has."""
    base = url.partition("#")[0].partition("?")[0]
    if (name := market_name()) is not None:
        parameters = {MARKET: market_title(name), **parameters}
    return f"{base}?{urlencode(parameters, doseq=True)}" if parameters else base


def choose(
    label: str,
    options: Sequence[str],
    key: str,
    default: str | None = None,
    help_text: str | None = None,
) -> str:
    """Draw a select box whose choice is in the URL and kept on other pages."""
    return st.selectbox(
        label,
        options,
        index=options.index(default) if default in options else 0,
        key=key,
        help=help_text,
        bind="query-params",
        persist_state="session",
    )


def choose_option(
    label: str,
    options: Sequence[Option],
    default: Option,
    key: str,
    format_option: Callable[[Option], str] = str,
) -> Option:
    """Draw a segmented control whose choice is in the URL and shared by the tabs."""
    return st.segmented_control(
        label,
        options,
        default=default,
        format_func=format_option,
        required=True,
        key=key,
        bind="query-params",
        persist_state="session",
    )


def show_table(
    frame: pd.DataFrame,
    *,
    key: str,
    alt: str,
    columns: Mapping[str, ColumnConfig | str] | None = None,
    data: pd.DataFrame | None = None,
) -> None:
    """Show a table with a description for screen readers, and a download of ``data``."""
    st.dataframe(frame, hide_index=True, column_config=columns, placeholder="", key=key, alt=alt)
    if data is not None:
        download("Download this table", data, key=f"{key}_figures")


def show_tabs(
    tabs: Mapping[str, Callable[[], None]], *, key: str, former_labels: Mapping[str, str]
) -> None:
    """Draw tabs by label and run only the open one; ``key`` is also its URL parameter.

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


def is_supported(info: BackendInfo, capability: Capability) -> bool:
    """Return whether the backend has a capability; if not, show a message."""
    if capability in info.capabilities:
        return True
    st.info(NOT_SUPPORTED[capability], icon=":material/cloud_off:")
    return False


@st.fragment(run_every=2)
def show_missing_study(version: str) -> None:
    """Show the progress of a study that is not complete, and run the page again when it is."""
    study = study_of(version)
    if study.is_complete:
        st.rerun()
    elif study.progress is None:
        st.info(
            "The study of this version is not computed yet. It is computed when the app starts, or "
            "by the command `houseprice models study`.",
            icon=":material/model_training:",
        )
    else:
        st.progress(
            study.progress,
            text=f"The study is being computed ({percent(study.progress, 0)}). The page shows it "
            "when it is done.",
        )


def as_of_sentence(info: BackendInfo) -> str:
    """The date of the values and the sales behind them, as far as the backend reports them."""
    sales = f"{info.n_sales:,} sales" if info.n_sales else "sales"
    if info.as_of is None:
        return f"Values from {sales} in {info.market_title}, without an as-of date."
    return f"Values as of {info.as_of:%B %Y}, from {sales} in {info.market_title}."


def answered_by(info: BackendInfo) -> str:
    """The model and the backend that give the values."""
    model = f"Model {info.model_version}, answered" if info.model_version else "Answered"
    return f"{model} by {info.backend}."


def provenance(info: BackendInfo) -> str:
    """The date, sales, model and backend behind a value."""
    return f"{as_of_sentence(info)} {answered_by(info)} An estimate, not an appraisal."


def as_of_note(info: BackendInfo | None) -> str:
    """The date of the values as a list item in Markdown; "" without a backend."""
    if info is None:
        return ""
    if info.as_of is None:
        return "- Values have **no as-of date**.\n"
    return f"- Values are **as of {info.as_of:%B %Y}**, the end of the sales, not as of today.\n"


def accuracy_sentences(metrics: Mapping[str, float]) -> list[str]:
    """Describe the most important metrics (``model.metrics``, as shares) that are given."""
    sentences = []
    if "median_ape" in metrics:
        error = percent(metrics["median_ape"])
        sentences.append(f"Median absolute error **{error}**: half of the values are closer.")
    within = [
        f"{percent(metrics[f'within_{limit}'], 0)} of the values are within {limit} %"
        for limit in (10, 20)
        if f"within_{limit}" in metrics
    ]
    if within:
        sentences.append(f"{' and '.join(within)} of the sale price.")
    if "coverage_90" in metrics:
        sentences.append(
            f"The 90 % range contains **{percent(metrics['coverage_90'])}** of the sale prices."
        )
    return sentences


def measurement_note(info: BackendInfo) -> str:
    """The model that the metrics belong to, and how they were measured."""
    model = f"Model {info.model_version}" if info.model_version else "The model of the server"
    trained = f", trained {info.trained_at:%d %B %Y}" if info.trained_at else ""
    if not info.metrics:
        return f"{model}{trained}. This server does not report the accuracy of its values."
    return (
        f"{model}{trained}. Measured by cross-validation: each sale was valued by a model fitted "
        "on the others."
    )


_MARKDOWN = frozenset(r"\`*_{}[]()#+-!$:<>|~&.")


def escape(text: str) -> str:
    """Escape Markdown in text of users or servers: no image, link or formula is rendered."""
    text = without_links(" ".join(text.split()))
    return "".join(f"\\{mark}" if mark in _MARKDOWN else mark for mark in text)
