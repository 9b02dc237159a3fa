"""The people with a role, giving roles, and the log of who saw and changed what."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

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
    titles = {"person": "Person", "role": "Role", "since": "Since", "given_by": "Given by"}
    _show(people(records()), titles, key="people", alt="The people with a role")
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
    _show(
        found.assign(
            action=found["action"].str.replace("_", " "), detail=found["detail"].map(detail_text)
        ),
        {"created_at": "When", "person": "Person", "action": "Action", "subject": "Subject",
         "detail": "Detail", "market": "Market"},
        key="access_log",
        alt="Who saw, exported, deleted and changed what, newest first",
        data=found,
    )  # fmt: skip
    if len(found) == LOG_ROWS:
        st.caption(f"The newest {LOG_ROWS:,}; the command `houseprice records log` lists all.")


def _show(
    found: pd.DataFrame,
    titles: Mapping[str, str],
    *,
    key: str,
    alt: str,
    data: pd.DataFrame | None = None,
) -> None:
    """Show columns of a table under their titles, times in the zone of the visitor."""
    shown, columns = found[[*titles]].copy(), dict[str, ColumnConfig | str]()
    for name, title in titles.items():
        if isinstance(shown[name].dtype, pd.DatetimeTZDtype):
            shown[name] = shown[name].dt.tz_convert(visitor_zone())
            columns[title] = st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm")
    for title in ("Person", "Subject"):
        columns[title] = st.column_config.TextColumn(width="medium")
    show_table(shown.rename(columns=titles), key=key, alt=alt, columns=columns, data=data)


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
