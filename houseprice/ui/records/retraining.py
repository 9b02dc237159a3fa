"""The tab that retrains a market's model with later prices, and goes back to the one before."""

from __future__ import annotations

from typing import NoReturn

import streamlit as st

from houseprice.errors import MarketError
from houseprice.formatting import join_words, percent
from houseprice.market.sales import Market
from houseprice.model.standards import format_limit, format_metric, metric_label
from houseprice.model.store.store import ModelStore
from houseprice.records.ledger import Author
from houseprice.records.outcomes import sold_houses
from houseprice.tables.retraining import (
    DataVersion,
    Retraining,
    check_can_change,
    data_versions,
    log_restoration,
    log_retraining,
    restore,
    retrain,
    use_challenger,
)
from houseprice.tables.sales import load_market
from houseprice.ui.layout import error_boundary, escape, visitor_zone
from houseprice.ui.session import records, settings

_DONE, _REFUSED = "record_retrained", "record_refused"


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
    refused: Retraining | None = st.session_state.get(_REFUSED)
    if refused and refused.market.folder.name != market.folder.resolve().name:
        refused = None
    found = st.container()  # above the buttons, whose popovers would cover it
    wants_training = wants_acceptance = wants_restoring = False
    with st.container(horizontal=True):
        with st.popover("Retrain", icon=":material/model_training:", key="record_retrain"):
            st.markdown("This takes up to a few minutes. Leaving the page cancels it.")
            wants_training = st.button("Retrain now", key="record_retrain_now")
        if refused:
            label = f"Use {refused.challenger} anyway"
            with st.popover(label, icon=":material/warning:", key="record_accept"):
                st.markdown(escape(_worse_sentence(refused, market)))
                wants_acceptance = st.button(label, key="record_accept_now")
        if kept:
            with st.popover("Go back", icon=":material/undo:", key="record_restore"):
                st.markdown(escape(_version_sentence(kept[-1])))
                wants_restoring = st.button("Go back now", key="record_restore_now")
    if wants_training:
        with found, error_boundary("retraining"):
            _retrain(who, market)
    elif wants_acceptance and refused:
        with found, error_boundary("retraining"):
            del st.session_state[_REFUSED]
            result = use_challenger(market.folder, ModelStore.from_settings(settings()), refused)
            _finish(who, result, is_new=False)
    elif wants_restoring:
        with found, error_boundary("restoring"):
            version = restore(market.folder, ModelStore.from_settings(settings()))
            st.cache_resource.clear()
            log_restoration(settings(), who, version)
            _show_again(version.sentence)
    elif refused:
        found.warning(escape(_worse_sentence(refused, market)), icon=":material/block:")
    if done := st.session_state.pop(_DONE, None):
        found.success(escape(done), icon=":material/check:")


def _version_sentence(version: DataVersion) -> str:
    until = f"{version.replaced_at.astimezone(visitor_zone()):%-d %B %Y, %H:%M}"
    return (
        f"{version.sentence} They were in use until {until}. What is in use now is kept, so that "
        "you can go forward again."
    )


def _retrain(who: Author, market: Market) -> None:
    st.session_state.pop(_REFUSED, None)
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
    _finish(who, result)


def _finish(who: Author, result: Retraining, *, is_new: bool = True) -> None:
    """Log a retraining, and show the page again with what became of it."""
    if result.is_in_use:
        st.cache_resource.clear()
    else:
        st.session_state[_REFUSED] = result
    log_retraining(settings(), who, result, is_new=is_new)
    if not result.is_in_use:
        st.rerun()
    before = f" To return to {result.champion}: Go back." if result.champion else ""
    found = f"{' '.join(result.summaries)} {result.live.sentence}"
    _show_again(f"{result.sentence}{before} {found}")


def _worse_sentence(result: Retraining, market: Market) -> str:
    """Return which model answers, and how much worse the new one is."""
    symbol, gate = market.contract.market.price.symbol, result.gate
    failed = [
        f"{metric_label(check.metric)} {format_metric(check.metric, check.value, symbol)} "
        f"({format_limit(check.metric, check.limit, symbol)})"
        for check in gate.conditions
        if not check.passed
    ]
    compared = gate.comparison
    if not compared.passed and compared.difference is not None:
        low, high = (percent(end or 0.0, 2) for end in (compared.low, compared.high))
        failed.append(f"mean absolute error {percent(compared.difference, 2)} of the price larger "
                      f"than that of the model in use (95 % interval {low} to {high})")  # fmt: skip
    answers = f"{result.champion} still answers" if result.champion else "No model is in use"
    return (
        f"{answers}: {result.challenger} is less accurate than required: {join_words(failed)}. "
        f"{' '.join(result.summaries)} {result.live.sentence}"
    )


def _show_again(done: str) -> NoReturn:
    """Show the market and its model as they are now, with what was done."""
    st.session_state[_DONE] = done
    st.rerun()
