import math

import numpy as np
import pytest

from harness.analysis.growth import FORMS, akaike_weights, fit
from tests.builders.curves import X, counts

GRADUAL = tuple(np.rint(200 * (0.25 + 0.75 / (1 + np.exp(-1.5 * (X - 9.0))))).astype(int))


def test_forms_are_weighed_by_their_criterion_and_too_rich_ones_not_at_all() -> None:
    some = counts((GRADUAL[:5],))
    fits = [fit(FORMS[name], some) for name in ("const", "logistic", "logistic-top")]
    share = akaike_weights(fits, 5)
    difference = fits[0].aicc(5)[0] - fits[1].aicc(5)[0]
    assert share.sum(axis=0) == pytest.approx(1.0)
    assert share[1, 0] / share[0, 0] == pytest.approx(math.exp(difference / 2), rel=1e-6)
    assert akaike_weights(fits, 4)[2, 0] == 0.0
