"""The manifest of a version: what the model is, and whether it may be used here.

A model is only loaded by the software that wrote it: scikit-learn guarantees nothing between two of
its releases (user guide, "Model persistence"), nor do two states of our own code.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

import houseprice
from houseprice.errors import StoreError
from houseprice.files import read_regular
from houseprice.market.contract import Contract
from houseprice.market.sales import Market
from houseprice.model.store.signing import Keys
from houseprice.model.study import HELD_OUT_FILE

RETRAIN = "Train a new model: houseprice train."

_ROLL_BACK = (
    "Roll back to an earlier version (houseprice models rollback) or train a new one "
    "(houseprice train)."
)
_CHECKSUM = "manifest_sha256"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileEntry(_Frozen):
    """Checksum and size, in bytes, of one file of a version."""

    sha256: str
    size: int


class Manifest(_Frozen):
    """What is stored about a version; `model_version` is also the name of its folder.

    `code_sha256` and `libraries` are the software that wrote the model, `as_of` is the date of its
    values, `rows` the number of sales. `metrics` are measured on held-out sales: shares between 0
    and 1, money in the market's currency. A `preliminary` model learned from a sample of the sales,
    until that of all sales replaces it. `files` are all other files of the version. `signature`
    covers everything else, with the key of the id `signing_key`.
    """

    model_version: str
    package_version: str
    code_sha256: str
    libraries: dict[str, str]
    market_name: str
    market_title: str
    contract_sha256: str
    data_sha256: str
    as_of: date | None
    rows: int
    preliminary: bool = False
    metrics: dict[str, float]
    created_at: AwareDatetime
    files: dict[str, FileEntry]
    signing_key: str | None = None
    signature: str | None = None

    def to_json(self) -> bytes:
        """Serialize the manifest with a checksum of itself."""
        data = self.model_dump(mode="json")
        data[_CHECKSUM] = _checksum(data)
        return json.dumps(data, indent=2, ensure_ascii=False).encode()

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a manifest that is complete and unchanged; a StoreError says why it is not."""
        name = path.parent.name
        data: dict[str, Any] = {}
        try:
            data = json.loads(read_regular(path))
            intact = data.pop(_CHECKSUM) == _checksum(data) and data["model_version"] == name
        except OSError as error:
            raise StoreError(
                f"The manifest of model version {name} can't be read ({error.strerror}). {RETRAIN}"
            ) from None
        except (ValueError, LookupError, AttributeError, TypeError):
            intact = False
        if not intact:
            raise StoreError(
                f"The manifest of model version {name} is damaged or was changed after it was "
                f"saved. {_ROLL_BACK}"
            )
        try:
            return cls.model_validate(data)
        except ValidationError:
            raise StoreError(
                f"Model version {name} was saved by a release of houseprice with other manifest "
                f"fields. {RETRAIN}"
            ) from None

    def check_versions(self) -> None:
        """Raise a StoreError if other software wrote the model."""
        why = software_difference(self.package_version, self.code_sha256, self.libraries)
        if why:
            raise StoreError(f"Model version {self.model_version} {why}")

    def check_contract(self, contract: Contract) -> None:
        """Raise a StoreError if the model was trained on another contract."""
        if self.contract_sha256 != contract.sha256:
            raise StoreError(
                f"Model version {self.model_version} was trained on another contract than the one "
                f"of {contract.market.title}. {RETRAIN}"
            )

    def check_data(self, market: Market) -> None:
        """Raise a StoreError if the model was trained on other sales."""
        if self.data_sha256 != data_sha256(market):
            raise StoreError(
                f"Model version {self.model_version} was trained on other sales than those in "
                f"{market.sales_path}. {RETRAIN}"
            )

    def check_file(self, name: str, data: bytes) -> None:
        """Raise a StoreError if a file is not, byte for byte, what was saved."""
        if self.files.get(name) != file_entry(data):
            raise StoreError(
                f"{name} of model version {self.model_version} is damaged or was changed after it "
                f"was saved, so it was not loaded. {_ROLL_BACK}"
            )

    def check_signature(self, keys: Keys) -> None:
        """Raise a StoreError unless a trusted key signed the manifest, if one is required."""
        keys.check(self.model_version, _signed_content(self), self.signing_key, self.signature)

    def signed(self, keys: Keys) -> Self:
        """Return the manifest with a signature, if there is a signing key."""
        unsigned = self.model_copy(update={"signing_key": keys.signing_id})
        return unsigned.model_copy(update={"signature": keys.sign(_signed_content(unsigned))})

    def check_can_sign_again(self, keys: Keys) -> None:
        """Raise a StoreError unless the manifest was signed with these keys, or neither has any."""
        if self.signing_key != keys.signing_id:
            raise StoreError(
                f"Nothing can be added to model version {self.model_version}: it was signed with "
                "another key, or with none. Add it where the version was trained."
            )
        keys.own().check(
            self.model_version, _signed_content(self), self.signing_key, self.signature
        )

    def is_comparable(self, other: Manifest) -> bool:
        """Whether both versions have held-out values of the same market."""
        return HELD_OUT_FILE in self.files and self.market_name == other.market_name


def file_entry(data: bytes) -> FileEntry:
    """Return checksum and size of the content of a file."""
    return FileEntry(sha256=hashlib.sha256(data).hexdigest(), size=len(data))


def data_sha256(market: Market) -> str:
    """Return the checksum of the sales file."""
    return hashlib.sha256(market.sales_path.read_bytes()).hexdigest()


def _checksum(data: Mapping[str, Any]) -> str:
    return hashlib.sha256(_canonical(data)).hexdigest()


def _signed_content(manifest: Manifest) -> bytes:
    # The prefix keeps a signature from being valid for anything but a manifest.
    content = manifest.model_dump(mode="json", exclude={"signature"})
    return b"houseprice model manifest 1\n" + _canonical(content)


def _canonical(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data, sort_keys=True, separators=(",", ":")).encode()


_COMPARED_PARTS = {"scikit-learn": 3, "python": 2, "numpy": 2, "pandas": 2, "pydantic": 2}
"""How many parts of the version must be equal."""

_PACKAGES = ("market", "model")
_ROOT = Path(__file__).parents[2]


def software_difference(package_version: str, code: str, libraries: dict[str, str]) -> str | None:
    """Describe how the software that wrote a model differs from this one, and what to do.

    The result is the end of a sentence that starts with the model's name; None if nothing that
    matters is different. A model of another release of houseprice is always refused.
    """
    here = {"houseprice": houseprice.__version__, **installed_libraries()}
    there = {**libraries, "houseprice": package_version}
    for name, ours in here.items():
        theirs = there.get(name, "unknown")
        parts = _COMPARED_PARTS.get(name)
        if theirs.split(".")[:parts] != ours.split(".")[:parts]:
            return (
                f"was made with {name} {theirs}, and this is {name} {ours}. "
                f"Train a new one (houseprice train), or install {name} {theirs}."
            )
    if code != code_sha256():
        return f"was made by another state of the code of this version. {RETRAIN}"
    return None


def installed_libraries() -> dict[str, str]:
    """Return the versions of Python and of the libraries whose objects are in a model file."""
    installed = {name: version(name) for name in _COMPARED_PARTS if name != "python"}
    return {"python": platform.python_version(), **installed}


@cache
def code_sha256() -> str:
    """Return the checksum of our own code whose objects are in a model file.

    Between two releases the code changes under the same version, and a model of the old code would
    fail with errors that say nothing of the cause.
    """
    sums = [
        f"{path.relative_to(_ROOT).as_posix()} {hashlib.sha256(path.read_bytes()).hexdigest()}"
        for package in _PACKAGES
        for path in sorted((_ROOT / package).rglob("*.py"))
    ]
    return hashlib.sha256("\n".join(sums).encode()).hexdigest()
