"""The reference of the contract is that of its types."""

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_reference_is_up_to_date():
    """Write it with: python docs/reference.py."""
    page = (ROOT / "docs" / "contract.md").read_text(encoding="utf-8")
    assert page == runpy.run_path(str(ROOT / "docs" / "reference.py"))["reference"]()
