"""The tab that retrains a market's model with later prices, and goes back to the one before."""

from __future__ import annotations

from typing import Any

import streamlit as st

from houseprice.errors import MarketError
from houseprice.formatting import join_words
from houseprice.market.sales import Market
from houseprice.model.gate import GateResult
from houseprice.model.standards import format_metric, metric_label
from houseprice.model.store.store import ModelStore
from houseprice.records.ledger import Author
from houseprice.records.outcomes import sold_houses
from houseprice.records.people import log_change
from houseprice.tables.retraining import (
    DataVersion,
    check_can_change,
    data_versions,
    restore,
    retrain,
)
from houseprice.tables.sales import load_market
from houseprice.ui.layout import error_boundary, escape, visitor_zone
from houseprice.ui.session import records, settings

_DONE = "record_retrained"


def show_retraining(who: Author, market: Market) -> None:
    """Draw the buttons that retrain and go back, each behind a confirmation."""
    try:
        check_can_change(market.folder)
    except MarketError as error:
        st.info(escape(str(error)), icon=":material/model_training:")
        return
    st.markdown(
        "The later prices are added to the sales of the market, and a model is trained on both. It "
        "is used only if it is not significantly less accurate than the model in use. The sales "
        "and the model before are kept."
    )
    kept = data_versions(market.folder)
    found = st.container()  # above the buttons, whose popovers would cover it
    with st.container(horizontal=True):
        with st.popover("Retrain", icon=":material/model_training:", key="record_retrain"):
            st.markdown("This takes up to a few minutes. Leaving the page cancels it.")
            wants_training = st.button("Retrain now", key="record_retrain_now")
        wants_restoring = False
        if kept:
            with st.popover("Go back", icon=":material/undo:", key="record_restore"):
                st.markdown(escape(_version_sentence(kept[-1])))
                wants_restoring = st.button("Go back now", key="record_restore_now")
    if wants_training:
        with found, error_boundary("retraining"):
            _retrain(who, market)
    if wants_restoring:
        with found, error_boundary("restoring"):
            _restore(who, market)
    if done := st.session_state.pop(_DONE, None):
        found.success(escape(done), icon=":material/check:")


def _version_sentence(version: DataVersion) -> str:
    until = f"{version.replaced_at.astimezone(visitor_zone()):%d %B %Y, %H:%M}"
    return (
        f"{version.sales_file} and {version.model or 'no model'}, in use until {until}, are used "
        "again. What is in use now is kept, so that you can go forward again."
    )


def _retrain(who: Author, market: Market) -> None:
    bar = st.progress(0.0, text="Reading the sales")

    def show_progress(share: float, text: str) -> None:
        bar.progress(min(share, 1.0), text=f"{text}…")

    try:
        result = retrain(
            load_market(market.folder, settings()),  # a command may have changed it
            ModelStore.from_settings(settings()),
            settings(),
            sold_houses(records(), who.market),
            progress=show_progress,
        )
    finally:
        bar.empty()
    change = "retrained" if result.is_in_use else "not retrained"
    found = f"{' '.join(result.summaries)} {result.live.sentence}"
    if result.is_in_use:
        st.cache_resource.clear()
    log_change(settings(), who, "market", who.market, change, result.to_dict())
    if result.is_in_use:
        log_change(settings(), who, "model", result.challenger, "activated")
        _show_again(f"{result.challenger} is in use. {found}")
    st.warning(
        escape(
            f"The model in use stays: {_failures(result.gate, market)}. {found} To use "
            f"{result.challenger} anyway: houseprice records retrain --accept-worse."
        ),
        icon=":material/block:",
    )


def _failures(gate: GateResult, market: Market) -> str:
    """Return what the new model failed."""
    symbol = market.contract.market.price.symbol
    failed = [
        f"{metric_label(check.metric)} {format_metric(check.metric, check.value, symbol)}"
        for check in gate.conditions
        if not check.passed
    ]
    if not gate.comparison.passed:
        failed.append("mean absolute error larger than that of the model in use")
    return f"the new one does not pass ({join_words(failed)})"


def _restore(who: Author, market: Market) -> None:
    version = restore(market.folder, ModelStore.from_settings(settings()))
    st.cache_resource.clear()
    detail: dict[str, Any] = {"sales_file": version.sales_file, "model": version.model}
    log_change(settings(), who, "market", who.market, "restored", detail)
    if version.model is not None:
        log_change(settings(), who, "model", version.model, "activated")
    _show_again(f"{version.sales_file} and {version.model or 'no model'} are in use.")


def _show_again(done: str) -> None:
    """Show the market and its model as they are now, with what was done."""
    st.session_state[_DONE] = done
    st.rerun()
