"""A small market, a backend that values its houses with one formula, and spreadsheets."""

import io
import zipfile
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest

from houseprice.backend.base import (
    CAPABILITIES,
    VALUATION_COLUMNS,
    BackendInfo,
    Progress,
    ValuationResult,
)
from houseprice.market.contract import Contract, load_contract
from houseprice.market.validation import validate
from houseprice.settings import Settings
from tests.hamlet import write_hamlet

TEXT_CELL = '<table:table-cell office:value-type="string"><text:p>{}</text:p></table:table-cell>'


def open_document(rows: list[list[str]]) -> bytes:
    """A spreadsheet of cells as XML."""
    lines = (f"<table:table-row>{''.join(row)}</table:table-row>" for row in rows)
    names = "".join(
        f' xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for name in ("office", "table", "text", "calcext")
    )
    content = (
        f"<office:document-content{names}><office:body><office:spreadsheet>"
        f'<table:table table:name="Homes">{"".join(lines)}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", content)
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
    return data.getvalue()


class LinearBackend:
    """A backend that values a square metre at 1,000.125, and records its calls."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self.calls: list[pd.DataFrame] = []
        self.evidence: list[bool] = []
        self.capabilities = CAPABILITIES

    def info(self) -> BackendInfo:
        day = datetime(2021, 1, 1, tzinfo=UTC)
        return BackendInfo(
            "this test",
            "hamlet-1",
            "0",
            "Hamlet",
            date(2020, 12, 31),
            day,
            240,
            capabilities=self.capabilities,
        )

    def value(
        self,
        rows: pd.DataFrame,
        *,
        interval: float = 0.9,
        evidence: bool = False,
        progress: Progress | None = None,
    ) -> ValuationResult:
        self.calls.append(rows)
        self.evidence.append(evidence)
        checked = validate(rows, self.contract)
        price = np.where(checked.valid, checked.houses["size"] * 1000.125, np.nan)
        warned = {p.row for p in checked.problems if p.severity == "warning"}
        frame = pd.DataFrame(index=range(len(rows)), columns=list(VALUATION_COLUMNS), dtype=object)
        frame["row"] = np.arange(1, len(rows) + 1)
        frame["status"] = [
            "error" if not valid else "warning" if row + 1 in warned else "ok"
            for row, valid in enumerate(checked.valid)
        ]
        frame["predicted_price"] = price
        frame["price_low"], frame["price_high"] = price * 0.9, price * 1.1
        frame["interval"] = np.where(checked.valid, interval, np.nan)
        frame["fsd"] = np.where(checked.valid, 0.0612345, np.nan)
        frame["confidence"] = np.where(checked.valid, 93.87655, np.nan)
        frame["reason_codes"] = frame["message"] = ""
        frame["comparables"] = frame["top_drivers"] = [()] * len(rows)
        frame["model_version"] = np.where(checked.valid, "hamlet-1", "")
        frame["valued_at"] = np.where(checked.valid, "2021-01-01T00:00:00+00:00", "")
        if progress:
            progress(1.0, "done")
        return ValuationResult(frame, checked.problems)


@pytest.fixture(scope="session")
def contract(tmp_path_factory):
    return load_contract(write_hamlet(tmp_path_factory.mktemp("hamlet")))


@pytest.fixture
def backend(contract):
    return LinearBackend(contract)


@pytest.fixture(scope="session")
def limits():
    return Settings()
