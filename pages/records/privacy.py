"""Privacy: what is kept, where, how long, and how to delete it."""

from pathlib import Path

import streamlit as st

# The page is a chapter of the documentation, which is installed beside the pages.
st.markdown((Path(__file__).parents[2] / "docs" / "privacy.md").read_text(encoding="utf-8"))
