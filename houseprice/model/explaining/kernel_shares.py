"""What each field contributes to the kernel machine's opinion: Shapley values without sampling."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from houseprice.model.explaining.coalitions import Coalitions, Game, multilinear_weights
from houseprice.model.learning.kernel import RelevanceKernelRegressor

__all__ = ["KernelShares"]

Floats = NDArray[np.float64]

_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(3)
_CHANCES = tuple(zip((0.5 * (_POINTS + 1.0)).tolist(), (0.5 * _WEIGHTS).tolist(), strict=True))


class KernelShares:
    """Shapley values of a Gaussian kernel expansion.

    The Shapley value of a field is its expected gain when it joins a random set of fields that
    already are the house's instead of the base's, where each has joined with chance q, averaged
    over q from 0 to 1 (Owen 1972, "Multilinear extensions of games"). Three Gauss points do for q.
    Inside the expectation each column of the design is taken as normal with the mean and variance
    that it has under chance q: for these, the expected kernel is again a Gaussian in closed form,
    ``prod (1 + 2 g v)**-0.5 exp(-g (m - s)**2 / (1 + 2 g v))``. A field's gain is what its change
    of the means and variances does to that. Mean and variance are exact also for columns made from
    several fields; left out is only that the columns of one field move together. The shares add up
    to the change of the prediction but for the three points (about 3e-6 in log price).

    Parameters
    ----------
    member : fitted RelevanceKernelRegressor
    coalitions : Coalitions
        Of the design that the member sees.
    """

    def __init__(self, member: RelevanceKernelRegressor, coalitions: Coalitions) -> None:
        self._clip, self._gamma = member.clip, member.gamma
        self._relevance: Floats = member.relevance_
        self._weights: Floats = member.dual_coef_
        vectors = member.support_vectors_
        self._powers = np.ascontiguousarray(np.concatenate([vectors, vectors**2], axis=1))
        self._owners = coalitions.owners

    def of(
        self, design: Floats, base_design: Floats, games: Sequence[tuple[Game, Floats]]
    ) -> Floats:
        """Return the shares in log price, shape (n_houses, n_fields).

        Parameters
        ----------
        design, base_design : ndarray of shape (n_houses, n_columns) and (n_columns,)
        games : what :meth:`Coalitions.values` gave for them
        """
        start = self._seen(base_design)
        step = self._seen(design) - start
        played = [(game, self._seen(values, game.column)) for game, values in games]
        shares = np.zeros((len(design), self._owners.shape[1]))
        for chance, weight in _CHANCES:
            mean = start + chance * step
            variance = chance * (1.0 - chance) * step**2
            gains = []
            for game, values in played:
                likely, joining = multilinear_weights(len(game.fields), chance)
                squares = values**2
                middle = likely @ values
                mean[:, game.column] = middle
                variance[:, game.column] = np.maximum(likely @ squares - middle**2, 0.0)
                gain = joining @ values
                gains.append((game, gain, joining @ squares - 2.0 * middle * gain))
            by_mean, by_variance = self._slopes(mean, variance)
            by_mean *= weight
            by_variance *= weight
            own = by_mean * step + by_variance * (1.0 - 2.0 * chance) * step**2
            shares += own @ self._owners
            for game, of_mean, of_variance in gains:
                c = game.column
                shares[:, game.fields] += (
                    by_mean[:, c] * of_mean + by_variance[:, c] * of_variance
                ).T
        return shares

    def _slopes(self, mean: Floats, variance: Floats) -> tuple[Floats, Floats]:
        """Differentiate the expected prediction by the mean and variance of each column."""
        n_columns = mean.shape[1]
        widening = 1.0 + 2.0 * self._gamma * variance
        narrow = self._gamma / widening
        straight = narrow * mean
        kernel = np.concatenate([2.0 * straight, -narrow], axis=1) @ self._powers.T
        kernel -= ((straight * mean).sum(axis=1) + 0.5 * np.log(widening).sum(axis=1))[:, None]
        np.exp(kernel, out=kernel)
        kernel *= self._weights
        total = kernel.sum(axis=1, keepdims=True)
        moments = kernel @ self._powers
        first, second = moments[:, :n_columns], moments[:, n_columns:]
        by_mean = 2.0 * narrow * (first - mean * total)
        away = mean * (mean * total - 2.0 * first) + second
        return by_mean, 2.0 * narrow**2 * away - narrow * total

    def _seen(self, design: Floats, column: int | slice = slice(None)) -> Floats:
        seen: Floats = np.clip(design, -self._clip, self._clip) * self._relevance[column]
        return seen
