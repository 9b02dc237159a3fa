"""The live report, also where the backend does not answer in full."""

from functools import partial

import pytest

from houseprice.errors import BackendUnavailable
from houseprice.records.report import live_report
from houseprice.records.track_record import expected_accuracies
from houseprice.tables.sales import load_market
from tests.hamlet import write_hamlet
from tests.unit.records.conftest import ANNE, INFO


class NoList:
    """A server that describes its model and can't list its versions."""

    def info(self):
        return INFO

    def versions(self):
        raise BackendUnavailable("The server does not answer.", reason="refused")


def refuse():
    raise BackendUnavailable("The server can't be reached.", reason="refused")


def test_versions_that_cannot_be_listed_leave_the_accuracy_of_the_one_that_answers():
    known, notes = expected_accuracies(NoList())
    assert list(known) == ["hamlet-1"]
    (note,) = notes
    assert note.startswith("Of other versions than hamlet-1, the expected accuracy is not known: ")
    assert note.endswith("The server does not answer.")


@pytest.mark.parametrize("open_backend", [NoList, refuse])
def test_without_a_whole_backend_the_rest_is_reported_with_what_is_missing_and_why(
    open_backend, database, save_prices, tmp_path
):
    save_prices([1e5, 2e5])
    market = load_market(str(write_hamlet(tmp_path / "hamlet")))
    report = partial(live_report, database, ANNE, market, open_backend)
    found = report()
    assert found.record.requests.n_saved == 2
    assert "The server " in found.notes[0]
    assert found.notes[1:] == ("No alarm was looked for.",)
    assert found.to_dict()["notes"] == list(found.notes)
    assert len(report(person="anne").notes) == 1
