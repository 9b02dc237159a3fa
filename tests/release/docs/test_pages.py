"""What the pages say exists: commands, options, files, links; and what is not run has a reason."""

import re
from pathlib import Path

import pytest

from houseprice.settings import Settings
from tests.release.docs.commands import Offered, commands, wrong_with
from tests.release.docs.pages import Block, anchors, blocks, links, read_pages

ROOT = Path(__file__).parents[3]
PAGES = read_pages(ROOT)
BLOCKS = [block for page, text in PAGES.items() for block in blocks(page, text)]
SHELL = [block for block in BLOCKS if block.language == "sh"]
OFFERED = Offered.by(ROOT)
NAMED = re.compile(r"(?<![\w./:-])((?:[\w.-]+/)+[\w.-]*\w|[\w-]+\.(?:md|py|toml|ini|yml|yaml))")


def variables(text):
    return set(re.findall(r"\bHOUSEPRICE_[A-Z_]*[A-Z]\b", text))


def place(block):
    return block.place


def test_there_are_pages_with_commands():
    assert {block.page for block in SHELL} >= {"README.md", "docs/api.md", "docs/evaluation.md"}


def test_what_is_typed_stands_in_blocks_that_are_run():
    """Another language, or an indented block, would go by the test of the commands."""
    others = [block.place for block in BLOCKS if block.language in {"bash", "console", "shell"}]
    indented = [
        f"{page}: {line.strip()}"
        for page, text in PAGES.items()
        for line in text.splitlines()
        if re.match(r"( {4}|\t)\s*(\S*/)?(houseprice|make|pip|tox|docker|curl|dask) \S", line)
        and line not in "\n".join(block.text for block in blocks(page, text))
    ]
    assert others + indented == []


@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if block.reason is not None], ids=place
)
def test_what_is_not_run_has_a_reason_that_leads_somewhere(block):
    assert block.language == "sh", "only blocks of sh are run"
    assert block.reason
    named = NAMED.findall(block.reason)
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("block", SHELL, ids=place)
def test_a_block_asks_for_what_there_is(block):
    faults = [wrong_with(words, OFFERED) for words in commands(block.text)]
    assert [fault for fault in faults if fault] == []


@pytest.mark.parametrize("path", PAGES)  # Playwright has a fixture of the name "page"
def test_links_lead_to_pages_and_headings(path):
    lost = []
    for link in links(PAGES[path]):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (ROOT / path).parent / file if file else ROOT / path
        known = (
            anchors(target.read_text(encoding="utf-8")) if anchor and target.is_file() else {anchor}
        )
        if not target.exists() or anchor not in {"", *known}:
            lost.append(link)
    assert lost == []


def test_every_variable_that_a_page_names_is_read_somewhere():
    """By our settings, or by a file that sets up a deployment."""
    known = {f"HOUSEPRICE_{name.upper()}" for name in Settings.model_fields}
    for path in [ROOT / "compose.yaml", ROOT / "Dockerfile", *(ROOT / "deploy").rglob("*")]:
        if path.is_file():
            known |= variables(path.read_text(encoding="utf-8"))
    unknown = {page: variables(text) - known for page, text in PAGES.items()}
    assert {page: names for page, names in unknown.items() if names} == {}


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("houseprice train --seed 3", None),
        (".venv/bin/houseprice models rollback && make train", None),
        ("HOUSEPRICE_MARKET=x .venv/bin/python -m houseprice predict a.csv -o b.csv", None),
        ("houseprice trian", "houseprice has no command trian"),
        ("houseprice models rolback", "houseprice models has no command rolback"),
        ("echo a | houseprice predict - --interval=0.8 --nonsense", "has no option --nonsense"),
        ("PORT=1 make rnu", "no target rnu"),
        ("tox -e py311,nothing", "tox has no environment nothing"),
        ("pip install houseprice", None),
    ],
)
def test_a_slip_in_a_command_is_found(line, fault):
    faults = [found for words in commands(line) if (found := wrong_with(words, OFFERED))]
    assert len(faults) == (fault is not None)
    assert fault is None or fault in faults[0]


def test_a_block_is_read_with_its_place_and_its_reason():
    text = (
        "# A\n\n<!-- not run: too long -->\n```sh\nmake x\n```\n\n1. b\n\n   ```sh\n   ls\n   ```\n"
    )
    assert blocks("a.md", text) == [
        Block("a.md", 4, "sh", "make x\n", "too long"),
        Block("a.md", 10, "sh", "ls\n", None),
    ]
