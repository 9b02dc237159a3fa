"""The valuation model: a price, an honest range, and how sure it is."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.utils.validation import check_is_fitted

from houseprice.market.contract import Contract
from houseprice.market.validation import Domain
from houseprice.model.blend import BlendRegressor, difficulty_features, make_regressor
from houseprice.model.conformal import Fold, calibrate, check_level, fit_folds, log_prices_of
from houseprice.model.features import to_matrix
from houseprice.progress import Progress

__all__ = ["Progress", "ValuationModel"]

Floats = NDArray[np.float64]

_FSD_LEVEL = 0.68
_VALUE_COLUMNS = pd.Index(
    ["predicted_price", "price_low", "price_high", "interval", "fsd", "confidence"]
)


class ValuationModel(RegressorMixin, BaseEstimator):
    """Value houses: price, range at any level from 50 to 95 %, and confidence.

    Parameters
    ----------
    contract : Contract
        The market's contract; houses are clean houses of this contract.
    regressor : BlendRegressor, optional
        From houses to log price; by default that of :mod:`houseprice.model.blend`.
    n_folds : int
        Folds that the range is learned from; the model is fitted once more on all sales.
    random_state : int

    Attributes
    ----------
    regressor_ : fitted on all sales.
    range_ : ConformalRange
    domain_ : Domain
        What the sales covered.
    out_of_fold_ : DataFrame of shape (n_sales, 4)
        ``fold``, ``log_price`` and ``difficulty`` (both foretold without the sale), and the
        ``blank_spread`` of its unknown facts.
    blank_cost_ : BlankCost
        What it costs when a field is not known.
    folds_ : list of Fold
        For :func:`houseprice.model.importance.permutation_importance`. Not kept in a
        pickle: a stored model answers without them, and is a sixth of the size.
    """

    def __init__(
        self,
        contract: Contract,
        regressor: BlendRegressor | None = None,
        n_folds: int = 10,
        random_state: int = 0,
    ) -> None:
        self.contract = contract
        self.regressor = regressor
        self.n_folds = n_folds
        self.random_state = random_state

    def fit(
        self, houses: pd.DataFrame, prices: ArrayLike, progress: Progress | None = None
    ) -> Self:
        """Fit on clean houses and their prices.

        Parameters
        ----------
        houses : DataFrame of shape (n_sales, n_fields)
        prices : array of shape (n_sales,)
            In the market's currency.
        progress : callable, optional
            Called with the share done (0 to 1) and what is being done.

        Raises
        ------
        ModelError
            If there are too few sales, or a price is no positive number.
        """
        y = log_prices_of(houses, prices, self.n_folds)
        houses = houses.reset_index(drop=True)
        tell = progress or _silent
        steps = self.n_folds + 1
        self.domain_ = Domain.fit(houses, self.contract)
        unfitted = self._unfitted()
        self.folds_: list[Fold] = []
        tell(0.0, f"Learning from sales, part 1 of {steps}")
        self.regressor_ = clone(unfitted).fit(houses, y)
        tell(0.95 / steps, f"Learning from sales, part 2 of {steps}")
        # What all sales show to break a sign is left out of the folds too: asking is what is slow.
        unfitted.set_params(ignored=tuple(self.regressor_.excluded_fields_))
        for fold in fit_folds(unfitted, houses, y, self.n_folds, self.random_state):
            self.folds_.append(fold)
            done = len(self.folds_) + 1
            words = f"Learning from sales, part {min(done + 1, steps)} of {steps}"
            tell(0.95 * done / steps, words)
        tell(0.95, "Learning how far values can be off")
        learned = calibrate(self.folds_, self.regressor_, houses, y, self.random_state)
        self.range_, self.imputation_variance_, self.out_of_fold_ = learned
        tell(1.0, "Learned")
        return self

    def predict(self, houses: pd.DataFrame | Floats) -> Floats:
        """Return the predicted price of each clean house, in money."""
        check_is_fitted(self, "regressor_")
        return self._legal(np.exp(self.regressor_.predict(houses)))

    def value(self, houses: pd.DataFrame | Floats, interval: float = 0.9) -> pd.DataFrame:
        """Value houses with a range and a confidence.

        Parameters
        ----------
        houses : DataFrame of shape (n_houses, n_fields)
            Clean houses; unknown facts are taken as typical, and widen the range.
        interval : float
            Level of the range, from 0.5 to 0.95.

        Returns
        -------
        DataFrame of shape (n_houses, 6)
            predicted_price, price_low, price_high (money), interval, fsd (half the 68 % range over
            the price: the forecast standard deviation of the trade) and confidence (100 (1 - fsd)).

        Raises
        ------
        ModelError
            If the level is outside 0.5 to 0.95.
        """
        check_is_fitted(self, "regressor_")
        check_level(interval)
        matrix = to_matrix(houses, self.contract)
        blanks = self.imputation_variance_.spread(matrix)
        design = self.regressor_.design(matrix)
        opinions = self.regressor_.member_predictions(design)
        log_price = self.regressor_.blend(opinions)
        difficulty = self.range_.difficulty(difficulty_features(log_price, opinions, design))
        price = self._legal(np.exp(log_price))
        low, high = self._limits(log_price, *self.range_.reach(difficulty, blanks, interval))
        low68, high68 = self._limits(log_price, *self.range_.reach(difficulty, blanks, _FSD_LEVEL))
        fsd = (high68 - low68) / (2.0 * price)
        confidence = 100.0 * np.clip(1.0 - fsd, 0.0, 1.0)
        level = np.full(len(price), interval)
        # One block: a house alone would wait longer for six columns than for their figures.
        return pd.DataFrame(
            np.column_stack([price, low, high, level, fsd, confidence]),
            columns=_VALUE_COLUMNS,
            index=houses.index if isinstance(houses, pd.DataFrame) else None,
        )

    def held_out_values(self, interval: float = 0.9) -> pd.DataFrame:
        """Return what each sale was valued at by models that had not seen it.

        Returns
        -------
        DataFrame of shape (n_sales, 3)
            predicted_price, price_low, price_high.
        """
        check_is_fitted(self, "regressor_")
        log_price = self.out_of_fold_["log_price"].to_numpy()
        low, high = self._limits(log_price, *self.range_.held_out_reach(interval))
        price = self._legal(np.exp(log_price))
        return pd.DataFrame({"predicted_price": price, "price_low": low, "price_high": high})

    def _limits(self, log_price: Floats, below: Floats, above: Floats) -> tuple[Floats, Floats]:
        return self._legal(np.exp(log_price - below)), self._legal(np.exp(log_price + above))

    def _legal(self, price: Floats) -> Floats:
        return np.clip(price, *self.contract.market.price.range)

    def _unfitted(self) -> BlendRegressor:
        if self.regressor is None:
            return make_regressor(self.contract, self.random_state)
        fresh: BlendRegressor = clone(self.regressor)
        return fresh

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = dict(super().__getstate__())
        state.pop("folds_", None)
        return state


def _silent(share: float, words: str) -> None:
    """Tell nobody."""
