"""What stands around every page: who answers, and what to say when something fails."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from houseprice.errors import HousePriceError
from houseprice.ui.session import backend

__all__ = ["sidebar", "told_in_words"]

logger = logging.getLogger(__name__)


def sidebar() -> None:
    """Say quietly who answers, and what the values stand on."""
    about = backend().about()
    with st.sidebar:
        st.caption(
            f"Sales in {about.market_title}, values as of {about.as_of:%B %Y}.  \n"
            f"Model {about.model_version}, answered by {about.backend}."
        )


@contextmanager
def told_in_words() -> Iterator[None]:
    """Turn a failure into a sentence on the page; what it was in detail goes to the log alone."""
    try:
        yield
    except HousePriceError as error:
        logger.exception("a page could not answer")
        st.error(str(error), icon=":material/error:")
    except Exception:
        number = secrets.token_hex(4)
        logger.exception("a page failed, number %s", number)
        st.error(
            "Something went wrong here, and it is our fault. Reload the page to try again; a house "
            f"that you entered is in its address. The app's log tells more under number {number}.",
            icon=":material/error:",
        )
