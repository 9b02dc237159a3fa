"""What the tests of the pages share: open a page, select a tab, read texts and charts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parents[2]


def open_page(page: str, **query: Any) -> AppTest:
    """Open a page through the entry script, as a link with these parameters does."""
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60)
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    app.switch_page(page).run()
    assert not app.exception
    return app


def select_tab(app: AppTest, key: str, label: str) -> AppTest:
    app.session_state[key] = label
    app.run()
    assert not app.exception
    return app


def charts(app: AppTest) -> list[dict[str, Any]]:
    return [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]


def metrics(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


def texts(app: AppTest) -> str:
    """All texts of the page without the escapes of Markdown."""
    return _text([*app.main.markdown, *app.main.caption, *app.info, *app.warning, *app.error])


def sidebar_texts(app: AppTest) -> str:
    return _text([*app.sidebar.markdown, *app.sidebar.caption])


def _text(blocks: list[Any]) -> str:
    return "\n".join(str(block.value) for block in blocks).replace("\\", "")
