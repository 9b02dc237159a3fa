"""Who made a version: Ed25519 signatures over its manifest, and so over all of its files.

A checksum proves that a file is what was saved; only a signature proves who saved it. A version is
signed where the private key is, at training; whoever opens it needs the public key alone. What that
does not prove is that a version is the newest: whoever may write to the folder can let an older one
answer, if it is signed as well.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from houseprice.errors import SettingsError, StoreError
from houseprice.settings import Settings, decode_keys

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["NO_KEYS", "Keys", "generate_key_pair", "key_id"]

_INSTEAD = "or take a version that is: houseprice models lists them."


@dataclass(frozen=True)
class Keys:
    """What versions are signed with here, and whose signatures count.

    Attributes
    ----------
    signing : Ed25519PrivateKey, optional
        Without it versions are saved unsigned.
    trusted : tuple of bytes
        Raw public keys. If there are none, every version may be opened.
    """

    signing: Ed25519PrivateKey | None = None
    trusted: tuple[bytes, ...] = ()

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Take the keys from the settings.

        Raises
        ------
        SettingsError
            If what is signed here would be refused here.
        """
        private = None
        if settings.signing_key is not None:
            from cryptography.hazmat.primitives.asymmetric import ed25519

            (seed,) = decode_keys(settings.signing_key)
            private = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
        trusted = () if settings.trusted_keys is None else decode_keys(settings.trusted_keys)
        if private is not None and trusted and _public(private) not in trusted:
            raise SettingsError(
                "HOUSEPRICE_TRUSTED_KEYS does not hold the public key of HOUSEPRICE_SIGNING_KEY "
                f"(key {key_id(_public(private))}), so a model trained here would be refused here. "
                "Add that key, or leave one of the two settings out."
            )
        return cls(private, trusted)

    @property
    def signing_id(self) -> str | None:
        """The short name of the key that signs here."""
        return None if self.signing is None else key_id(_public(self.signing))

    def sign(self, statement: bytes) -> str | None:
        """Sign what a manifest says; None without a key."""
        if self.signing is None:
            return None
        return base64.b64encode(self.signing.sign(statement)).decode()

    def check(
        self, version: str, statement: bytes, signing_key: str | None, signature: str | None
    ) -> None:
        """Refuse a version that nobody whom we trust has signed as it is.

        Parameters
        ----------
        version : str
            Its name.
        statement : bytes
            What its manifest says.
        signing_key, signature : str, optional
            The short name of a key, and what was signed with it.

        Raises
        ------
        StoreError
            Saying what to do.
        """
        if not self.trusted:
            return
        if signing_key is None or signature is None:
            raise StoreError(
                f"Model version {version} is not signed, and HOUSEPRICE_TRUSTED_KEYS asks for a "
                "signature, so it was not opened. Train one where HOUSEPRICE_SIGNING_KEY is set, "
                f"{_INSTEAD}"
            )
        key = next((key for key in self.trusted if key_id(key) == signing_key), None)
        if key is None:
            raise StoreError(
                f"Model version {version} is signed with a key ({signing_key[:16]!r}) that "
                "HOUSEPRICE_TRUSTED_KEYS does not hold, so it was not opened. Add that key if you "
                f"trust its owner, {_INSTEAD}"
            )
        if not _is_good(key, signature, statement):
            raise StoreError(
                f"The signature of model version {version} is not of what it holds: it was changed "
                "after it was signed, so it was not opened. Fetch it again from where it was "
                f"trained, {_INSTEAD}"
            )

    def check_can_sign(self) -> None:
        """Refuse to make a version that would not be opened here.

        Raises
        ------
        StoreError
        """
        if self.trusted and self.signing is None:
            raise StoreError(
                "No model is trained here: HOUSEPRICE_TRUSTED_KEYS asks for signed ones, and there "
                "is no HOUSEPRICE_SIGNING_KEY. Train where that key is, copy the folder of the "
                "version into HOUSEPRICE_MODEL_DIR, and let it answer: houseprice models activate."
            )


NO_KEYS = Keys()


def key_id(public: bytes) -> str:
    """Return the short name of a raw public key, for people and manifests."""
    return hashlib.sha256(public).hexdigest()[:16]


def generate_key_pair() -> tuple[str, str]:
    """Make a key.

    Returns
    -------
    private, public : str
        For ``HOUSEPRICE_SIGNING_KEY`` and for ``HOUSEPRICE_TRUSTED_KEYS``.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.generate()
    pair = private.private_bytes_raw(), _public(private)
    return base64.b64encode(pair[0]).decode(), base64.b64encode(pair[1]).decode()


def _public(private: Ed25519PrivateKey) -> bytes:
    return private.public_key().public_bytes_raw()


def _is_good(public: bytes, signature: str, statement: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        signed = base64.b64decode(signature, validate=True)
        Ed25519PublicKey.from_public_bytes(public).verify(signed, statement)
    except (InvalidSignature, ValueError):
        return False
    return True
