"""Every command that a page tells people to type does what it says, in the order of the page."""

import os
import shutil
from pathlib import Path

import pytest

from tests.release.docs.pages import Block, blocks, read_pages
from tests.release.docs.session import Session, copy_of_the_project

ROOT = Path(__file__).parents[3]
SECONDS = 400  # for a page; one trains a model, which takes minutes on a busy machine

PAGES: dict[str, list[Block]] = {
    page: [block for block in blocks(page, text) if block.language == "sh"]
    for page, text in read_pages(ROOT).items()
}
RUN = {
    page: to_run
    for page, all_blocks in PAGES.items()
    if (to_run := [block for block in all_blocks if block.reason is None])
}


@pytest.fixture
def session(model_dir, tmp_path):
    """A shell in a copy of the project, whose user has a trained model and nothing else."""
    for program in ("bash", "curl"):
        if shutil.which(program) is None:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{program} is not here")
    home = tmp_path / "home"
    shutil.copytree(model_dir, home / ".cache" / "houseprice" / "models")
    return Session(copy_of_the_project(ROOT, tmp_path / "houseprice"), home)


@pytest.mark.parametrize("path", RUN)  # Playwright has a fixture of the name "page"
def test_the_commands_of_a_page_work(path, session):
    wrong = session.run(RUN[path], SECONDS)
    if wrong is not None:
        pytest.fail(f"{path}: {wrong}", pytrace=False)
