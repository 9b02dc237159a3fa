"""Entry of the app: page settings and navigation. Run with ``make run`` or ``streamlit run``."""

import streamlit as st

from houseprice.ui.layout import page_frame
from houseprice.ui.session import may, may_make_markets
from houseprice.ui.visitor import has_sign_in

# The pages are one folder down on purpose: Streamlit shows each file directly in pages/ as a page
# of its own, without this navigation and frame.
PAGES = {
    "": [
        st.Page("pages/start/home.py", title="Home", icon=":material/home:", default=True),
    ],
    "Value": [
        st.Page(
            "pages/value/house.py",
            title="Value a house",
            icon=":material/real_estate_agent:",
            url_path="house",
        ),
        st.Page("pages/value/csv.py", title="Value a CSV", icon=":material/table:", url_path="csv"),
    ],
    "The market": [
        st.Page(
            "pages/market/explore.py",
            title="Explore the sales",
            icon=":material/query_stats:",
            url_path="explore",
        ),
        st.Page(
            "pages/market/drivers.py",
            title="What drives price",
            icon=":material/bar_chart:",
            url_path="drivers",
        ),
        st.Page(
            "pages/model/card.py",
            title="Model performance",
            icon=":material/verified:",
            url_path="model",
        ),
    ],
}

if may_make_markets():
    PAGES["The market"].append(
        st.Page(
            "pages/market/yours.py",
            title="Your market",
            icon=":material/add_home_work:",
            url_path="yours",
        )
    )

if may("save"):
    PAGES["Records"] = [
        st.Page(
            "pages/records/saved.py",
            title="Saved valuations",
            icon=":material/bookmark:",
            url_path="saved",
        )
    ]
if may("see track record"):
    PAGES.setdefault("Records", []).extend(
        [
            st.Page(
                "pages/records/track_record.py",
                title="Track record",
                icon=":material/fact_check:",
                url_path="track_record",
            ),
            st.Page(
                "pages/records/privacy.py",
                title="Privacy",
                icon=":material/shield_person:",
                url_path="privacy",
            ),
        ]
    )
if has_sign_in() and may("change roles"):
    PAGES.setdefault("Records", []).append(
        st.Page(
            "pages/records/people.py",
            title="People",
            icon=":material/group:",
            url_path="people",
        )
    )

st.set_page_config(page_title="houseprice", page_icon="🏠", layout="wide")
page = st.navigation(PAGES)
with page_frame():
    page.run()
