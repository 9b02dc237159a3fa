"""The page and the files of an evidence pack: sections, tables, and how their cells are written.

The page loads nothing and runs nothing.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import pandas as pd

if TYPE_CHECKING:
    from jinja2 import Template

PAGE = "evidence.html"
MAX_SHOWN_ROWS = 40
"""Rows of a table on the page; its file has all."""
_HASH = re.compile("[0-9a-f]{64}")

_RIGHT = ("Value", "95 % interval", "Interval", "Expected", "Median error", "Within 10 %",
          "Coverage", "Expected", "Bias", "Accepted", "Reviews", "Share",
          "Adjusted p-value")  # fmt: skip
"""Columns of texts that are numbers."""

Kind = Literal["number", "time", "hash", ""]
"""What a cell of the page is: its class in the style sheet."""


class _PageTable(NamedTuple):
    """Columns and cells of a table, each with its kind, and a note."""

    columns: list[tuple[str, Kind]]
    rows: list[list[tuple[str, Kind]]]
    note: str


@dataclass(frozen=True)
class EvidenceTable:
    """A table of the pack, whole in the file ``name``.csv.

    The page shows ``shown``, which has texts, or by default the first rows of the table; nothing of
    it if ``shown`` is empty.
    """

    name: str
    title: str
    frame: pd.DataFrame
    shown: pd.DataFrame | None = None

    @property
    def on_page(self) -> _PageTable:
        """The table of the page."""
        frame = self.frame if self.shown is None else self.shown
        kinds = [_kind(frame[name]) for name in frame]
        rows = [
            [
                (text, "hash" if _HASH.fullmatch(text) else kind)
                for text, kind in zip(map(_cell, row), kinds, strict=True)
            ]
            for row in frame.head(MAX_SHOWN_ROWS).itertuples(index=False)
        ]
        note = ""
        if len(frame) > MAX_SHOWN_ROWS:
            note = f" (the first {MAX_SHOWN_ROWS} of {len(frame):,} rows)"
        return _PageTable(list(zip(map(str, frame.columns), kinds, strict=True)), rows, note)


@dataclass(frozen=True)
class Section:
    """A section of the page: sentences, then Markdown, then tables."""

    key: str
    title: str
    sentences: Sequence[str]
    tables: Sequence[EvidenceTable] = ()
    markdown: str = ""

    @property
    def filled_tables(self) -> list[EvidenceTable]:
        """The tables that have rows."""
        return [table for table in self.tables if len(table.frame)]


@dataclass(frozen=True)
class Evidence:
    """The content of an evidence pack."""

    title: str
    subtitle: str
    answers: Sequence[tuple[str, str, Sequence[Section]]]
    """Each point of the rule: its title, the answer, and the sections with the details."""
    sections: Sequence[Section] = field(default=())

    def files(self) -> dict[str, bytes]:
        """Return the content of the files by name: the page, and the tables."""
        files = {PAGE: _template().render(evidence=self).encode()}
        for table in self.tables:
            files[f"tables/{table.name}.csv"] = table.frame.to_csv(index=False).encode()
        return files

    @property
    def tables(self) -> list[EvidenceTable]:
        """The tables of all sections."""
        return [table for section in self.sections for table in section.filled_tables]

    def write(self, folder: Path) -> list[Path]:
        """Write the files into a folder, and return their paths."""
        paths = []
        for name, content in self.files().items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            paths.append(path)
        return paths

    def to_zip(self) -> bytes:
        """Return the files as one archive."""
        buffer = BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in self.files().items():
                archive.writestr(name, content)
        return buffer.getvalue()


NOT_SHOWN = pd.DataFrame()
"""For a table that is a file only."""


def _kind(column: pd.Series) -> Kind:
    if pd.api.types.is_datetime64_any_dtype(column):
        return "time"
    return "number" if pd.api.types.is_numeric_dtype(column) or column.name in _RIGHT else ""


def _cell(value: object) -> str:
    if value is None or value is pd.NaT or value is pd.NA:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1_000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


@cache
def _template() -> Template:
    from jinja2 import Environment
    from markdown_it import MarkdownIt

    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["markdown"] = markdown.render
    return environment.from_string(
        Path(__file__).with_name("evidence_page.html.j2").read_text(encoding="utf-8")
    )
