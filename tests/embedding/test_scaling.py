import numpy as np
import pytest
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

from netopt.embedding.scaling import Scaling, read_scaling
from netopt.errors import InputError

DATA = np.random.default_rng(0).normal(size=(40, 3)) * [1.0, 50.0, 0.01] + [5.0, -3.0, 0.0]


@pytest.mark.parametrize(
    "scaler",
    [
        StandardScaler(),
        StandardScaler(with_mean=False),
        StandardScaler(with_std=False),
        MinMaxScaler(),
        MinMaxScaler(feature_range=(-2.0, 3.0)),
        MaxAbsScaler(),
        RobustScaler(),
        RobustScaler(with_centering=False, with_scaling=False),
    ],
    ids=str,
)
def test_a_scaler_does_what_scikit_learn_does(scaler) -> None:
    scaling = read_scaling(scaler.fit(DATA), 3, "input_scaling")
    np.testing.assert_allclose(scaling.scale(DATA), scaler.transform(DATA), atol=1e-12)
    np.testing.assert_allclose(scaling.unscale(scaler.transform(DATA)), DATA, atol=1e-10)


@pytest.mark.parametrize(
    ("scaling", "words"),
    [
        (StandardScaler(), "not fitted"),
        (MinMaxScaler(clip=True).fit(DATA), "clips"),
        (StandardScaler().fit(DATA[:, :2]), "3 finite numbers"),
        (np.eye(3), "pass \\(offset, factor\\)"),
        ((0.0, [1.0, 0.0, 1.0]), "zero at entry 1"),
        ((np.inf, 1.0), "offset of input_scaling"),
    ],
)
def test_what_is_not_an_affine_scaling_is_refused(scaling, words) -> None:
    with pytest.raises(InputError, match=words):
        read_scaling(scaling, 3, "input_scaling")


def test_no_scaling_and_scalings_pass_through() -> None:
    np.testing.assert_array_equal(read_scaling(None, 3, "x").scale(DATA), DATA)
    given = Scaling(np.ones(3), np.full(3, 2.0))
    np.testing.assert_array_equal(read_scaling(given, 3, "x").scale(DATA), (DATA - 1.0) / 2.0)
