"""Value a CSV: upload a table of houses, get it back with a value or a reason for every row."""

import streamlit as st

from houseprice.formatting import duration, join_words
from houseprice.tables.reader import MAX_UPLOAD_SECONDS
from houseprice.tables.records import MAX_COLUMNS
from houseprice.ui.csv.mapping import show_mapping
from houseprice.ui.csv.results import show_result
from houseprice.ui.csv.upload import (
    UPLOAD_KEY,
    FailedUpload,
    choose_as_of,
    column_guide,
    discard_removed,
    example,
    process_upload,
    retry_upload,
    sample,
    upload_result,
    value_bytes,
    value_mapped,
)
from houseprice.ui.layout import download, escape, retry_button, show_table
from houseprice.ui.session import market, settings

contract = market().contract
required = [field.label for field in contract.fields.values() if field.required]

st.title("Value a CSV")
st.markdown(
    "Upload a table with one house per row. Download the same table with a value and a range for "
    "every house, or with the reason why a house has no value."
)

left, right = st.columns(2, gap="large")
with left:
    st.markdown(
        "**1. Prepare a table.** The template has every column and a typical house as an example. "
        "Leave blank what you do not know. You can keep columns of your own, such as an address."
    )
    download("Download the template (CSV)", example(), key="houses_template")
    sample_data, n_sample = sample()
    use_sample = st.button(
        f"Try it with {n_sample:,} houses", key="csv_sample", icon=":material/play_arrow:"
    )
with right:
    server_note = (
        " The server that values the houses does not receive columns of your own."
        if settings().api_url
        else ""
    )
    st.markdown(
        "**2. Upload it.** The table is visible only to you and is discarded soon after you leave "
        f"the app.{server_note}"
    )
    upload = st.file_uploader(
        "Your table (CSV, Excel or Parquet)",
        max_upload_size=settings().max_upload_mb,
        key=UPLOAD_KEY,
        on_change=discard_removed,
        help=f"Up to {settings().max_rows:,} houses and {MAX_COLUMNS:,} columns: CSV "
        "with commas, semicolons or tabs (also .csv.gz), Excel (.xlsx, .xls), OpenDocument (.ods) "
        "or Parquet. The time limit is "
        f"{duration(MAX_UPLOAD_SECONDS)} per table.",
    )
    choose_as_of()
    progress_area = st.container()

with st.expander("Columns and accepted values", on_change="rerun") as accepted:
    if accepted.open:
        guide = column_guide()
        alt = "Each column with its accepted values"
        show_table(guide, key="columns_of_a_house", alt=alt, data=guide)

with progress_area:
    if use_sample:
        value_bytes(sample_data, market().sample_path.name)
    elif st.session_state.get(f"again_{UPLOAD_KEY}"):
        retry_upload()
    elif not value_mapped():
        process_upload(upload)

result = upload_result()
if result is None:
    needed = f"Required: {escape(join_words(required))}. All other" if required else "All"
    st.info(
        f"Upload a table to see the result here. {needed} columns can be blank; the fewer are "
        "known, the wider is the range of a value.",
        icon=":material/table:",
    )
elif isinstance(result, FailedUpload):
    st.error(escape(result.message), icon=":material/error:")
    if result.data is not None:
        st.caption(f"{escape(result.name)} is kept, so you do not have to upload it again.")
        retry_button(UPLOAD_KEY)
    show_mapping(result, contract)
else:
    show_mapping(result, contract)
    show_result(result, market())
