"""What our own server says through its doors, where it and this computer differ."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from houseprice.backend.base import Backend
from houseprice.market.sales import Market, read_rows
from tests.doors import PROTOCOLS, through_door


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_house_that_only_the_server_refuses_costs_itself_alone(
    protocol: str, url: str, here: Backend, hamlet: Market
) -> None:
    rows = read_rows(hamlet.sample_path)
    rows.loc[2, "size"] = "5"
    # Here a smaller house is legal than over there.
    size = hamlet.contract.fields["size"].model_copy(update={"range": (1, 1_000)})
    wider = hamlet.contract.model_copy(update={"fields": {**hamlet.contract.fields, "size": size}})
    theirs = through_door(url, protocol, wider).value(rows).valuations
    ours = here.value(rows).valuations
    assert theirs["reason_codes"].iloc[2] == "refused_by_server"
    assert pd.isna(ours["predicted_price"].iloc[2])
    np.testing.assert_allclose(theirs["predicted_price"], ours["predicted_price"], rtol=1e-9)


def test_a_door_tells_the_version_of_the_model_or_nothing(door: Backend, here: Backend) -> None:
    assert door.info().model_version in (here.info().model_version, "")
