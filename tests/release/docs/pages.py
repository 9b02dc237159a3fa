"""The pages for people: their blocks of code, their headings and where they lead."""

import re
import textwrap
from dataclasses import dataclass

_FENCE = re.compile(r"(?P<indent>\s*)(?P<ticks>`{3,}|~{3,})\s*(?P<language>[\w+-]*).*")
_NOT_RUN = re.compile(r"\s*<!--\s*not run:(?P<reason>.*)-->\s*")
_LINK = re.compile(r"\]\(\s*<?(?P<target>[^)\s>]+)>?[^)]*\)")
_HEADING = re.compile(r"#{1,6}\s+(?P<text>.*?)\s*#*")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes
    ----------
    page : str
        Path of its page, from the top of the project.
    line : int
        Of the page, counted from 1, where the fence opens.
    language, text : str
    reason : str or None
        Why it is not run; None if it is.
    """

    page: str
    line: int
    language: str
    text: str
    reason: str | None

    @property
    def place(self):
        """Where to look."""
        return f"{self.page}:{self.line}"


def page_paths(root):
    """Return the pages that tell people what to type."""
    paths = [root / "README.md", root / "SECURITY.md", *sorted((root / "docs").rglob("*.md"))]
    return [path.relative_to(root).as_posix() for path in paths if path.is_file()]


def read_pages(root):
    """Return the text of each page by its path."""
    return {page: (root / page).read_text(encoding="utf-8") for page in page_paths(root)}


def blocks(page, text):
    """Return the fenced blocks of a page in order."""
    found, lines = [], text.splitlines()
    rest = iter(enumerate(lines, start=1))
    for number, line in rest:
        fence = _FENCE.fullmatch(line)
        if fence is None:
            continue
        body = []
        for _, inner in rest:
            if inner.strip() == fence["ticks"]:
                break
            body.append(inner)
        before = _NOT_RUN.fullmatch(lines[number - 2]) if number > 1 else None
        reason = before["reason"].strip() if before else None
        content = textwrap.dedent("\n".join(body)) + "\n"
        found.append(Block(page, number, fence["language"], content, reason))
    return found


def links(text):
    """Yield where the links of a page lead."""
    for line in _prose(text):
        for link in _LINK.finditer(re.sub(r"`[^`]*`", "", line)):
            yield link["target"]


def anchors(text):
    """Return the names that a link can end in: those that GitHub gives to headings."""
    headings = filter(None, map(_HEADING.fullmatch, _prose(text)))
    return {
        re.sub(r"[^\w\- ]", "", heading["text"].lower()).replace(" ", "-") for heading in headings
    }


def _prose(text):
    ticks = None
    for line in text.splitlines():
        fence = _FENCE.fullmatch(line)
        if ticks is None and fence is None:
            yield line
        elif ticks is None and fence is not None:
            ticks = fence["ticks"]
        elif line.strip() == ticks:
            ticks = None
