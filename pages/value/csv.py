"""Value a CSV: a table of houses goes up, and comes back with a value or a reason in each row."""

import streamlit as st

from houseprice.formatting import duration
from houseprice.tables.reader import MAX_UPLOAD_SECONDS
from houseprice.tables.records import MAX_COLUMNS
from houseprice.tables.table import template
from houseprice.ui.charts.panel import download
from houseprice.ui.csv.result_tabs import show_downloads, show_tabs
from houseprice.ui.csv.results import column_guide, show_summary
from houseprice.ui.csv.summary import together
from houseprice.ui.csv.upload import (
    UPLOAD,
    answer,
    answer_again,
    answer_upload,
    forget_removed,
    sample,
    upload_result,
)
from houseprice.ui.layout import escape, retry_button
from houseprice.ui.session import market, settings, typical

contract = market().contract
needed = [field.label for field in contract.fields.values() if field.required]

st.title("Value a CSV")
st.markdown(
    "Upload a table of houses, one a row, as your spreadsheet saves it. It comes back with a value "
    "beside each house, and its range, or with the reason why there is none."
)

# Said where there is a server to send anything to.
sent = " The server that values gets no column of your own." if settings().api_url else ""

left, right = st.columns(2, gap="large")
with left:
    st.markdown(
        "**1. Make a table.** The template has every column, with a typical house as an example. "
        "What you don't know may stay blank, and columns of your own, such as an address, may "
        "stand in it."
    )
    download("Template (CSV)", template(contract, typical()), key="houses_template")
    n_sample = sample().n_houses
    tried = n_sample > 0 and st.button(
        f"Try it with {n_sample:,} houses", key="csv_sample", icon=":material/play_arrow:"
    )
with right:
    st.markdown(
        "**2. Upload it.** The table is valued, shown to nobody else, and forgotten soon "
        f"after you leave.{sent}"
    )
    upload = st.file_uploader(
        "Your table (CSV, Excel or Parquet)",
        max_upload_size=settings().max_upload_mb,
        key=UPLOAD,
        on_change=forget_removed,
        help=f"Up to {settings().max_rows:,} houses and {MAX_COLUMNS:,} columns, as CSV "
        "with commas, semicolons or tabs (also packed as .csv.gz), as Excel or as Parquet. At most "
        f"{duration(MAX_UPLOAD_SECONDS)} are spent on one table.",
    )
    work = st.container()

with st.expander("What each column means, and what to write into it"):
    guide = column_guide(contract)
    st.dataframe(guide, hide_index=True, key="csv_guide", alt="Every column with its legal values")
    download("This list (CSV)", guide, key="columns_of_a_house")

with work:
    if tried:
        answer(sample().data, market().sample_path.name)
    elif st.session_state.get(f"again_{UPLOAD}"):
        answer_again()
    else:
        answer_upload(upload)

result = upload_result()
if result is None:
    st.info(
        f"Nothing here yet. A house needs {escape(', '.join(needed))}; with everything else blank "
        "it still gets a value, with a wider range.",
        icon=":material/table:",
    )
elif result.scored is None or result.table is None or result.info is None:
    st.error(escape(result.failure or ""), icon=":material/error:")
    if result.data is not None:
        st.caption(f"{escape(result.name)} is kept: there is no need to upload it again.")
        retry_button(UPLOAD)
else:
    total = together(result.table, result.scored, result.info, contract)
    show_summary(result.scored, total, result.name, contract, result.info)
    if result.mended:
        cells = "1 cell was" if result.mended == 1 else f"{result.mended:,} cells were"
        st.caption(f"{cells} mended here since the upload. Download the table to keep them.")
    show_downloads(result.table, result.scored, result.name, contract)
    show_tabs(result.table, result.scored, result.info, market())
