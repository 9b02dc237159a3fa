"""What drives price: how much each fact matters, and what changing one does."""

import streamlit as st

from houseprice.ui import charts_fields, findings_fields
from houseprice.ui.charts import axis_title
from houseprice.ui.panel import panel
from houseprice.ui.session import backend, market

MOST = 15
UNITS = ("Percent", "Money")

contract = market().contract
currency = contract.market.price.currency
table = backend().importance()

st.title("What drives price")
st.markdown(
    "Which facts the values rest on most, and what changing one of them does. Both describe how "
    "the model values homes here. They are no proof that one thing causes another."
)

st.header("How much each fact matters", anchor=False)
unit = st.segmented_control(
    "Show in", UNITS, default=UNITS[0], required=True, key="unit", bind="query-params"
)
in_money = unit == "Money"
ordered = table.sort_values(
    "importance_money" if in_money else "importance_pct", ascending=False, ignore_index=True
)
panel(
    findings_fields.importance_finding(ordered, contract, in_money),
    charts_fields.importance(ordered.head(MOST), contract, in_money),
    ordered,
    key="importance",
    headers={
        "label": "Fact",
        "importance_pct": "Further off without it (% of the price)",
        "spread_pct": "Spread (% of the price)",
        "importance_money": f"Further off without it ({currency})",
        "spread_money": f"Spread ({currency})",
    },
)
with st.expander(f"All {len(table)} facts in a table"):
    money = f"{contract.market.price.symbol}%,d"
    st.dataframe(
        ordered.drop(columns="column"),
        hide_index=True,
        key="importance_table",
        alt="Importance of every fact",
        column_config={
            "label": st.column_config.TextColumn("Fact"),
            "importance_pct": st.column_config.NumberColumn("Further off", format="%.2f %%"),
            "spread_pct": st.column_config.NumberColumn("Spread", format="%.2f %%"),
            "importance_money": st.column_config.NumberColumn("Further off", format=money),
            "spread_money": st.column_config.NumberColumn("Spread ", format=money),
        },
    )
st.caption(
    "**How it is measured.** Sales are valued by a model that had not seen them. Then one fact is "
    "dealt out anew among these homes, so that it says nothing, and they are valued again. How "
    "much further the values are from the sale prices is what the fact is worth knowing. The thin "
    "line is how much that varies between five sets of sales. Facts that say the same share what "
    "they are worth, so each looks smaller than the two together."
)

st.header("What changing one fact does", anchor=False)
labels = list(table["label"])
columns = dict(zip(labels, table["column"], strict=True))
chosen = st.selectbox(
    "The fact to change", labels, key="effect_of", bind="query-params", persist_state="session"
)
fact = contract.fields[columns[chosen]]
st.caption(fact.help)
curve = backend().effect(fact.column)
panel(
    findings_fields.effect_finding(curve, fact, contract),
    charts_fields.effect(curve, fact, contract),
    curve.drop(columns="value") if fact.levels else curve,
    key="effect",
    headers={
        "value": axis_title(fact),
        "label": fact.label if fact.levels else "In words",
        "price": f"Average value ({currency})",
        "low": f"One home in ten is below ({currency})",
        "high": f"One home in ten is above ({currency})",
    },
)
st.caption(
    "**How it is measured.** Homes of the market are valued again and again, each time with this "
    "one fact changed and all else as it is. The line is the average value; the band holds the "
    "middle 80 % of the homes. Some of the homes made so could hardly exist: read the shape, not "
    "the last digits."
)
