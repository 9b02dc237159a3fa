"""Value houses with the generated client: ``python generated.py HOST:PORT HOUSES``."""

from __future__ import annotations

import csv
import io
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from town_client import Client
from town_client.api.model import model
from town_client.api.records import outcomes
from town_client.api.values import valuations, value_csv
from town_client.models import (
    House,
    OutcomesOut,
    OutcomesRequest,
    Sale,
    ValuationOut,
    ValuationRequest,
    ValuationsOut,
)
from town_client.types import File


def main(address: str, houses: list[dict[str, Any]]) -> None:
    client = Client(base_url=f"http://{address}", raise_on_unexpected_status=True)
    rows = [House.from_dict({**house, "reference": f"py {n}"}) for n, house in enumerate(houses)]
    result = valuations.sync(client=client, body=ValuationRequest(rows=rows, save=True))
    assert isinstance(result, ValuationsOut)
    entries = [entry for entry in result.valuations if isinstance(entry, ValuationOut)]
    assert [entry.reference for entry in entries] == [f"py {n}" for n in range(len(houses))]
    assert entries[0].price_low < entries[0].predicted_price < entries[0].price_high
    assert model.sync(client=client).model_version == result.model_version
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    sale = Sale(sold_on=tomorrow, price=entries[1].predicted_price, reference="py 1")
    added = outcomes.sync(client=client, body=OutcomesRequest(rows=[sale]))
    assert isinstance(added, OutcomesOut)
    assert [(each.state, each.record) for each in added.outcomes] == [
        ("matched", entries[1].record)
    ]
    table = "".join(
        ",".join(map(str, line)) + "\n" for line in (houses[0], *(h.values() for h in houses))
    )
    response = value_csv.sync_detailed(client=client, body=File(io.BytesIO(table.encode())))
    assert response.status_code == 200
    valued = csv.DictReader(response.content.decode("utf-8-sig").splitlines())
    sys.stdout.write(f"{json.dumps([entry.predicted_price for entry in entries])}\n")
    sys.stdout.write(f"{json.dumps([float(row['predicted_price']) for row in valued])}\n")


if __name__ == "__main__":
    main(sys.argv[1], json.loads(Path(sys.argv[2]).read_text("utf-8")))
