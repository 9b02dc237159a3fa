"""What a page shows, to look for words in."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

__all__ = ["sidebar", "words"]


def words(app: AppTest) -> str:
    """All that the page says, as it is read: without the marks of Markdown's escapes."""
    blocks = [*app.main.markdown, *app.main.caption, *app.info, *app.warning, *app.error]
    return _read(blocks)


def sidebar(app: AppTest) -> str:
    """All that the sidebar says."""
    return _read([*app.sidebar.markdown, *app.sidebar.caption])


def _read(blocks: list) -> str:
    return "\n".join(str(block.value) for block in blocks).replace("\\", "")
