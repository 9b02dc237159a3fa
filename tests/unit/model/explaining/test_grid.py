import numpy as np

from houseprice.model.what_if import effect_grid


def test_curves_are_drawn_at_round_numbers_within_the_known_values(hamlet):
    values = effect_grid(hamlet.contract.fields["size"], np.linspace(41.3, 298.7, 400))
    assert len(values) <= 30
    assert values[0] >= 41.3
    assert values[-1] <= 298.7
    np.testing.assert_array_equal(values % 10, 0)


def test_levels_and_few_counts_are_all_looked_at(hamlet):
    fields = hamlet.contract.fields
    np.testing.assert_array_equal(effect_grid(fields["grade"], np.array([3.0, 0, 0, 1])), [0, 1, 3])
    np.testing.assert_array_equal(effect_grid(fields["beds"], np.array([5.0, np.nan, 2])), [2, 5])
