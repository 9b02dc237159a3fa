"""Ed25519 signatures over the manifests of versions, and so over all of their files.

A checksum proves that a file is what was saved; only a signature proves who saved it. A version is
signed at training, where the private key is; loading it needs the public key alone. A signature
does not prove that a version is the newest: a user with write access to the folder can activate an
older one that is signed as well.
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

_ALTERNATIVE = "or use a version that is: houseprice models lists them."


@dataclass(frozen=True)
class Keys:
    """The private key that signs new versions, and the raw public keys that are trusted.

    Without a private key versions are saved unsigned; without trusted keys every version may be
    loaded.
    """

    signing: Ed25519PrivateKey | None = None
    trusted: tuple[bytes, ...] = ()

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Read the keys from the settings, which must trust what they sign."""
        private = None
        if settings.signing_key is not None:
            from cryptography.hazmat.primitives.asymmetric import ed25519

            (seed,) = decode_keys(settings.signing_key)
            private = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
        trusted = () if settings.trusted_keys is None else decode_keys(settings.trusted_keys)
        if private is not None and trusted and _public(private) not in trusted:
            raise SettingsError(
                "HOUSEPRICE_TRUSTED_KEYS does not contain the public key of HOUSEPRICE_SIGNING_KEY "
                f"(key {key_id(_public(private))}), so a model trained here could not be loaded "
                "here. Add that key, or remove one of the two settings."
            )
        return cls(private, trusted)

    @property
    def signing_id(self) -> str | None:
        """The id of the signing key."""
        return None if self.signing is None else key_id(_public(self.signing))

    def own(self) -> Keys:
        """Return keys that trust only what was signed with the signing key, if there is one."""
        return NO_KEYS if self.signing is None else Keys(trusted=(_public(self.signing),))

    def sign(self, content: bytes) -> str | None:
        """Sign the content of a manifest; None without a key."""
        if self.signing is None:
            return None
        return base64.b64encode(self.signing.sign(content)).decode()

    def check(
        self, version: str, content: bytes, signing_key: str | None, signature: str | None
    ) -> None:
        """Raise a StoreError unless a trusted key signed this content of a manifest."""
        if not self.trusted:
            return
        if signing_key is None or signature is None:
            raise StoreError(
                f"Model version {version} is not signed, and HOUSEPRICE_TRUSTED_KEYS requires a "
                "signature, so it was not loaded. Train one where HOUSEPRICE_SIGNING_KEY is set, "
                f"{_ALTERNATIVE}"
            )
        key = next((key for key in self.trusted if key_id(key) == signing_key), None)
        if key is None:
            raise StoreError(
                f"Model version {version} is signed with a key ({signing_key[:16]!r}) that "
                "HOUSEPRICE_TRUSTED_KEYS does not contain, so it was not loaded. Add that key if "
                f"you trust its owner, {_ALTERNATIVE}"
            )
        if not _is_valid(key, signature, content):
            raise StoreError(
                f"The signature of model version {version} does not match its content: it was "
                "changed after it was signed, so it was not loaded. Copy it again from where it "
                f"was trained, {_ALTERNATIVE}"
            )

    def check_can_sign(self) -> None:
        """Raise a StoreError if a version that is trained here could not be loaded here."""
        if self.trusted and self.signing is None:
            raise StoreError(
                "No model can be trained here: HOUSEPRICE_TRUSTED_KEYS requires signed models, and "
                "HOUSEPRICE_SIGNING_KEY is not set. Train where that key is, copy the folder of "
                "the version into HOUSEPRICE_MODEL_DIR and activate it: houseprice models activate."
            )


NO_KEYS = Keys()


def key_id(public: bytes) -> str:
    """Return the id of a raw public key, for messages and manifests."""
    return hashlib.sha256(public).hexdigest()[:16]


def generate_key_pair() -> tuple[str, str]:
    """Generate a private and a public key, as ``HOUSEPRICE_SIGNING_KEY`` and ``_TRUSTED_KEYS``."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.generate()
    pair = private.private_bytes_raw(), _public(private)
    return base64.b64encode(pair[0]).decode(), base64.b64encode(pair[1]).decode()


def _public(private: Ed25519PrivateKey) -> bytes:
    return private.public_key().public_bytes_raw()


def _is_valid(public: bytes, signature: str, content: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        signed = base64.b64decode(signature, validate=True)
        Ed25519PublicKey.from_public_bytes(public).verify(signed, content)
    except (InvalidSignature, ValueError):
        return False
    return True
