"""The people with a role, giving roles, and the log of who saw and changed what."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import streamlit as st

from houseprice.records.ledger import Author, log_event
from houseprice.records.people import (
    MAX_PERSON_CHARS,
    access_log,
    detail_text,
    log_view,
    people,
    set_role,
)
from houseprice.records.roles import ROLES, normalize_person
from houseprice.ui.layout import error_boundary, escape, show_table, visitor_zone
from houseprice.ui.session import records
from houseprice.ui.visitor import has_sign_in

LOG_ROWS = 1_000
"""Events that the page shows; `houseprice records log` has all of them."""
_NONE = "no role"


def show_people(author: Author) -> None:
    """Draw the people with a role, and the form that gives one."""
    found = people(records())
    shown = found.assign(since=found["since"].dt.tz_convert(visitor_zone()))
    shown.columns = ["Person", "Role", "Since", "Given by"]
    show_table(
        shown,
        key="people",
        alt="The people with a role",
        columns={
            "Person": st.column_config.TextColumn(width="medium"),
            "Since": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm"),
        },
    )
    with st.form("give_role", clear_on_submit=True), error_boundary("give_role_error"):
        person = st.text_input(
            "Person",
            key="role_person",
            max_chars=MAX_PERSON_CHARS,
            placeholder="E-mail address, or the name that their side bar shows",
        )
        role = st.segmented_control(
            "Role", [*ROLES, _NONE], default="valuer", required=True, key="role_name"
        )
        if st.form_submit_button("Give the role", icon=":material/person_add:"):
            given = next((each for each in ROLES if each == role), None)
            set_role(records(), author, person, given)
            st.toast(f"{escape(normalize_person(person))}: {role}.", icon=":material/person:")
            st.rerun()


def show_log() -> None:
    """Draw the newest events, and their download."""
    found = access_log(records(), limit=LOG_ROWS)
    shown = found[["created_at", "person", "action", "subject", "detail", "market"]].copy()
    shown["created_at"] = shown["created_at"].dt.tz_convert(visitor_zone())
    shown["detail"] = shown["detail"].map(detail_text)
    shown.columns = ["When", "Who", "Action", "Subject", "Detail", "Market"]
    show_table(
        shown,
        key="access_log",
        alt="Who saw, exported, deleted and changed what, newest first",
        columns={
            "When": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm:ss"),
            "Who": st.column_config.TextColumn(width="medium"),
            "Subject": st.column_config.TextColumn(width="medium"),
        },
        data=found,
    )
    if len(found) == LOG_ROWS:
        st.caption(f"The newest {LOG_ROWS:,}; the command `houseprice records log` lists all.")


def log_view_of_others(author: Author, page: str) -> None:
    """Log that the visitor sees what others saved, where people sign in."""
    if has_sign_in():
        log_view(records(), author, page)


def logged_export(
    author: Author, what: str, read: Callable[[], pd.DataFrame]
) -> Callable[[], pd.DataFrame]:
    """Return a download for ``layout.download`` that is in the log once it was read."""
    database = records()

    def export() -> pd.DataFrame:
        found = read()
        log_event(database, author, "export", what, {"rows": len(found)})
        return found

    return export
