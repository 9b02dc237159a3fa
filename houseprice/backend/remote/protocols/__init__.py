"""What servers of other makers speak, a module each; the client's side of it."""

from __future__ import annotations

from houseprice.backend.remote.protocols.inputs import Inputs
from houseprice.backend.remote.protocols.mlflow import Mlflow
from houseprice.backend.remote.protocols.oip import OpenInference
from houseprice.backend.remote.protocols.regression import Regression
from houseprice.backend.remote.protocols.reply import JsonTransport, Reply, Speech, Table
from houseprice.errors import SettingsError

__all__ = ["JsonTransport", "Reply", "Speech", "Table", "speech_of"]


def speech_of(protocol: str, model: str) -> Speech:
    """Find a protocol by its name in the settings.

    Parameters
    ----------
    protocol : {"regression", "inputs", "mlflow", "oip"}
    model : str
        The model's name on a server that holds several.
    """
    match protocol:
        case "regression":
            return Regression()
        case "inputs":
            return Inputs()
        case "mlflow":
            return Mlflow()
        case "oip":
            return OpenInference(model)
    raise SettingsError(f"HOUSEPRICE_API_PROTOCOL: there is no protocol {protocol!r}.")
