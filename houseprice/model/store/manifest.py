"""What a stored model says of itself, and whether it may be trusted here.

The software that shapes an artefact: only the same reads back what was written.

scikit-learn promises nothing between any two of its releases (user guide, "Model persistence"), and
neither do we between two states of our own code.
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
from houseprice.market.contract import Contract
from houseprice.market.sales import Market
from houseprice.model.store.signing import Keys
from houseprice.model.study import STUDY_FILE

__all__ = [
    "FileEntry",
    "Manifest",
    "code_sha256",
    "data_sha256",
    "file_facts",
    "installed_libraries",
    "software_difference",
]

COMPARED_PARTS = {"scikit-learn": 3, "python": 2, "numpy": 2, "pandas": 2, "pydantic": 2}
"""How many parts of the version must agree."""

_SHAPING = ("market", "model")
_ROOT = Path(__file__).parents[2]


def installed_libraries() -> dict[str, str]:
    """Return the versions of Python and of the libraries that shape an artefact."""
    installed = {name: version(name) for name in COMPARED_PARTS if name != "python"}
    return {"python": platform.python_version(), **installed}


@cache
def code_sha256() -> str:
    """Return the checksum of our own code whose objects are in an artefact.

    The version of the package alone would not do: between two releases the code changes under the
    same version, and a model of the old code fails in ways that nobody can explain.
    """
    sums = [
        f"{path.relative_to(_ROOT).as_posix()} {hashlib.sha256(path.read_bytes()).hexdigest()}"
        for wing in _SHAPING
        for path in sorted((_ROOT / wing).rglob("*.py"))
    ]
    return hashlib.sha256("\n".join(sums).encode()).hexdigest()


def software_difference(package_version: str, code: str, libraries: dict[str, str]) -> str | None:
    """Say how the software that made an artefact differs from this one, and what to do.

    Returns
    -------
    str or None
        The end of a sentence that starts with the artefact's name; None if there is no difference
        that matters.
    """
    here = {"houseprice": houseprice.__version__, **installed_libraries()}
    there = {**libraries, "houseprice": package_version}
    for name, mine in here.items():
        theirs = there.get(name, "unknown")
        parts = COMPARED_PARTS.get(name)
        if theirs.split(".")[:parts] != mine.split(".")[:parts]:
            return (
                f"was made with {name} {theirs}, and this is {name} {mine}. "
                f"Train a new one (houseprice train), or install {name} {theirs}."
            )
    if code != code_sha256():
        return (
            "was made by another state of the code of this version. "
            "Train a new one: houseprice train."
        )
    return None


_SEAL = "manifest_sha256"


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileEntry(_Facts):
    """Checksum and size, in bytes, of one file of a version."""

    sha256: str
    size: int


class Manifest(_Facts):
    """The facts of one model version.

    Attributes
    ----------
    model_version : str
        ``<market>-<package version>-<number>``, also the name of the version's folder.
    package_version : str
    code_sha256 : str
        Checksum of our own code that shapes the artefact.
    libraries : dict of str to str
        Versions of Python and of the libraries that shape the artefact.
    market_name, market_title : str
    contract_sha256, data_sha256 : str
        Checksums of the contract and of the file of sales.
    as_of : date
        The date that values stand for.
    rows : int
        Sales that the model learned from.
    metrics : dict of str to float
        Accuracy on sales that the model did not see, shares between 0 and 1, money in the market's
        currency. A metric without a number is left out.
    created_at : datetime
        In UTC.
    files : dict of str to FileFacts
        Every other file of the version.
    signing_key, signature : str, optional
        The short name of the key that all the facts above were signed with, and the signature.
    """

    model_version: str
    package_version: str
    code_sha256: str
    libraries: dict[str, str]
    market_name: str
    market_title: str
    contract_sha256: str
    data_sha256: str
    as_of: date
    rows: int
    metrics: dict[str, float]
    created_at: AwareDatetime
    files: dict[str, FileEntry]
    signing_key: str | None = None
    signature: str | None = None

    def to_json(self) -> bytes:
        """Write the manifest with a checksum of itself."""
        facts = self.model_dump(mode="json")
        return json.dumps({**facts, _SEAL: _seal(facts)}, indent=2, ensure_ascii=False).encode()

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a manifest.

        Raises
        ------
        StoreError
            If it is missing, incomplete, or not as it was written.
        """
        name = path.parent.name
        facts: dict[str, Any] = {}
        try:
            facts = json.loads(path.read_bytes())
            sealed = facts.pop(_SEAL) == _seal(facts) and facts["model_version"] == name
        except OSError as error:
            raise StoreError(
                f"Model version {name} has no manifest that can be read ({error.strerror}). "
                "Train a new one: houseprice train."
            ) from None
        except (ValueError, LookupError, AttributeError, TypeError):
            sealed = False
        if not sealed:
            raise StoreError(
                f"The manifest of model version {name} is damaged or was changed after it was "
                "saved. Go back to an earlier version (houseprice models rollback) or train a new "
                "one (houseprice train)."
            )
        try:
            return cls.model_validate(facts)
        except ValidationError:
            raise StoreError(
                f"Model version {name} was saved by a release of houseprice that keeps other "
                "facts. Train a new one: houseprice train."
            ) from None

    def check_versions(self) -> None:
        """Refuse a model that other versions of the software wrote.

        Raises
        ------
        StoreError
            Naming the versions and what to do.
        """
        why = software_difference(self.package_version, self.code_sha256, self.libraries)
        if why:
            raise StoreError(f"Model version {self.model_version} {why}")

    def check_contract(self, contract: Contract) -> None:
        """Refuse a model that learned by another contract.

        Raises
        ------
        StoreError
        """
        if self.contract_sha256 != contract.sha256:
            raise StoreError(
                f"Model version {self.model_version} was trained on another contract than the one "
                f"of {contract.market.title}. Train a new one: houseprice train."
            )

    def check_data(self, market: Market) -> None:
        """Refuse a model that learned from other sales.

        Raises
        ------
        StoreError
        """
        if self.data_sha256 != data_sha256(market):
            raise StoreError(
                f"Model version {self.model_version} was trained on other sales than those in "
                f"{market.sales_path}. Train a new one: houseprice train."
            )

    def signed(self, keys: Keys) -> Self:
        """Return the manifest with a signature, if there is a key to sign with."""
        named = self.model_copy(update={"signing_key": keys.signing_id})
        return named.model_copy(update={"signature": keys.sign(_statement(named))})

    def check_signature(self, keys: Keys) -> None:
        """Refuse a version that nobody whom we trust has signed as it is.

        Raises
        ------
        StoreError
        """
        keys.check(self.model_version, _statement(self), self.signing_key, self.signature)

    def has_study(self, other: Manifest) -> bool:
        """Whether this version, of the same market as the other, was saved with a study."""
        return STUDY_FILE in self.files and self.market_name == other.market_name

    def check_file(self, name: str, data: bytes) -> None:
        """Refuse a file that is not, byte for byte, what was saved.

        Raises
        ------
        StoreError
        """
        if self.files.get(name) != file_facts(data):
            raise StoreError(
                f"{name} of model version {self.model_version} is damaged or was changed after it "
                "was saved, so it was not opened. Go back to an earlier version (houseprice models "
                "rollback) or train a new one (houseprice train)."
            )


def file_facts(data: bytes) -> FileEntry:
    """Return checksum and size of a file's content."""
    return FileEntry(sha256=hashlib.sha256(data).hexdigest(), size=len(data))


def data_sha256(market: Market) -> str:
    """Return the checksum of the file of sales."""
    return hashlib.sha256(market.sales_path.read_bytes()).hexdigest()


def _seal(facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(_canonical(facts)).hexdigest()


def _statement(manifest: Manifest) -> bytes:
    """What is signed: every fact in one form, under a name that nothing else signed has."""
    facts = manifest.model_dump(mode="json", exclude={"signature"})
    return b"houseprice model manifest 1\n" + _canonical(facts)


def _canonical(facts: Mapping[str, Any]) -> bytes:
    return json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()
