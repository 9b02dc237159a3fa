"""What a server that gives bare values can't answer, said in words."""

from __future__ import annotations

from typing import NoReturn

from houseprice.errors import NotOffered

__all__ = ["BareValues", "not_offered"]


class BareValues:
    """The part of :class:`houseprice.backend.base.Backend` that is more than values.

    Every method raises NotOffered.
    """

    def explain(self, *_args: object, **_names: object) -> NoReturn:
        """No reasons."""
        not_offered("reasons for its values")

    def comparables(self, *_args: object, **_names: object) -> NoReturn:
        """No comparable sales."""
        not_offered("comparable sales")

    def what_if(self, *_args: object, **_names: object) -> NoReturn:
        """No effect of a change."""
        not_offered("the effect of a change")

    def effect(self, *_args: object, **_names: object) -> NoReturn:
        """No price along a field."""
        not_offered("the price along a field")

    def importance(self) -> NoReturn:
        """No importance of fields."""
        not_offered("the importance of fields")

    def card(self) -> NoReturn:
        """No model card."""
        not_offered("a model card")

    def versions(self) -> NoReturn:
        """No versions."""
        not_offered("other versions of its model")

    def study(self, *_args: object, **_names: object) -> NoReturn:
        """No study."""
        not_offered("a study of its model")


def not_offered(what: str) -> NoReturn:
    """Raise the error that says what the server lacks, and who has it."""
    raise NotOffered(
        f"The server that answers does not give {what}. Set HOUSEPRICE_API_URL to a server of "
        "houseprice, or leave it empty to use the model of this computer.",
        reason="not_offered",
    )
