"""calibration: bounds against an independent source, thresholds on devices, verdicts and their reasons"""

import json
import math

import numpy as np
import pytest

from deepnb.calibration import (
    LEAST,
    SCOPE,
    SIDES,
    Calibration,
    Found,
    balanced_weights,
    count_false_alarms,
    crossfit_false_alarms,
    device_peaks,
    fit_calibration,
    fit_platt,
    found_table,
    scope_note,
    threshold_from,
    upper95,
)
from deepnb.core import ChoiceError, ProtocolError
from deepnb.reading import FalseAlarm, Verdict


@pytest.fixture
def calibration():
    found = (
        Found(0, "untouched", 60, 100),
        Found(128, "untouched", 1, LEAST - 1),
        Found(256, "untouched", 9, 10),
        Found(0, "jpeg75", 30, 100),
        Found(0, "half", 0, 0),
    )
    return Calibration(0.5, 0.25, 2.0, FalseAlarm(0, 40, upper95(0, 40)), found)


def test_upper95_is_the_beta_quantile():
    beta = pytest.importorskip("scipy.stats").beta
    for n in (1, 2, 7, 40, 333, 5000):
        for k in {0, min(1, n - 1), n // 3, n - 1}:
            assert upper95(k, n) == pytest.approx(beta.ppf(0.95, k + 1, n - k), rel=1e-6)
    assert upper95(2, 2) == upper95(0, 0) == 1


def test_upper95_rises_with_alarms_and_falls_with_trials():
    assert all(upper95(k, 50) < upper95(k + 1, 50) for k in range(50))
    assert all(upper95(2, n) > upper95(2, n + 1) for n in range(2, 80))
    for k, n in ((-1, 3), (4, 3)):
        with pytest.raises(ValueError, match="k <= n"):
            upper95(k, n)


@pytest.mark.parametrize("most", [0, 0.01, 0.05, 0.3, 1])
@pytest.mark.parametrize("seed", range(5))
def test_a_threshold_lets_at_most_its_share_of_devices_pass_and_is_the_lowest_such(most, seed):
    rng = np.random.default_rng(seed)
    devices = rng.integers(0, 60, 300).astype(str)
    scores = rng.normal(size=300)
    threshold = threshold_from(scores, devices, most=most)
    alarms = count_false_alarms(scores, devices, threshold=threshold)
    assert alarms.n == len(set(devices)) and alarms.k <= most * alarms.n
    lower = np.nextafter(threshold, -np.inf)
    assert count_false_alarms(scores, devices, threshold=lower).k > most * alarms.n or most == 1


def test_a_device_has_one_vote_however_many_pictures():
    scores, devices = [3.0] * 50 + [0.0, 0.1], ["one"] * 50 + ["two", "three"]
    assert device_peaks(scores, devices) == {"one": 3.0, "two": 0.0, "three": 0.1}
    assert count_false_alarms(scores, devices, threshold=1).k == 1


def test_crossfit_counts_every_device_once_and_sees_the_one_that_stands_out():
    scores, devices = list(np.linspace(-2, -1, 20)) + [5.0], [f"d{i}" for i in range(21)]
    found = crossfit_false_alarms(scores, devices)
    assert found.false_alarm.n == 21 and found.false_alarm.k >= 1
    assert found == crossfit_false_alarms(scores, devices)
    with pytest.raises(ProtocolError, match="2 devices"):
        crossfit_false_alarms([1.0], ["a"])


@pytest.mark.parametrize("a, b", [(1.0, 0.0), (0.25, -1.0), (4.0, 3.0)])
def test_platt_recovers_a_line_that_was_hidden(a, b):
    rng = np.random.default_rng(1)
    logit = rng.normal(0, 2, 40000)
    labels = (rng.random(40000) < 1 / (1 + np.exp(-logit))).astype(int)
    slope, intercept = fit_platt((logit - b) / a, labels)
    assert slope == pytest.approx(a, rel=0.05)
    assert slope * (0 - b) / a + intercept == pytest.approx(0, abs=0.1)


def test_platt_does_not_run_away_on_classes_that_separate_or_that_are_uneven():
    slope, intercept = fit_platt([-1.0, -0.9, 0.9, 1.0], [0, 0, 1, 1])
    assert 0 < slope < 100 and abs(intercept) < 1
    labels = np.array([1] * 5 + [0] * 995)
    slope, intercept = fit_platt(labels * 2.0 + np.linspace(-1, 1, 1000), labels)
    p = 1 / (1 + np.exp(-(slope * (labels * 2.0) + intercept)))
    assert p[0] > 0.6 and p[-1] < 0.4


@pytest.mark.parametrize(
    "scores, labels, word", [([1, 2], [0, 0], "both classes"), ([2, 1, 3, 0], [0, 1, 0, 1], "rise")]
)
def test_platt_refuses_in_words(scores, labels, word):
    with pytest.raises(ProtocolError, match=word):
        fit_platt(scores, labels)


def test_weights_balance_classes_and_damp_big_groups():
    weights = balanced_weights([1] * 4 + [0] * 5, ["a"] * 4 + ["b"] * 4 + ["c"])
    assert weights[:4].sum() == pytest.approx(0.5) and weights[4:].sum() == pytest.approx(0.5)
    assert weights[4:8].sum() == pytest.approx(2 * weights[8])


def test_found_table_counts_each_big_picture_once_in_its_range():
    sides = [100, 128, 200, 256, 511, 512, 4000]
    table = found_table(np.ones(7), sides, ["untouched"] * 7, threshold=0)
    assert [(f.side, f.k, f.n) for f in table] == [(0, 6, 6), (128, 2, 2), (256, 2, 2), (512, 2, 2)]
    assert [f.side for f in table][1:] == list(SIDES)
    assert all(f.k == 0 for f in found_table(np.zeros(7), sides, ["half"] * 7, threshold=0))


@pytest.mark.parametrize(
    "score, side, scope, verdict, codes",
    [
        (2.1, 128, (), Verdict.generated, ()),
        (2.0, 128, (), Verdict.cannot_say, ("between",)),
        (-0.4, 128, (), Verdict.cannot_say, ("between",)),
        (-0.5, 128, (), Verdict.no_trace, ()),
        (9.0, 127, (), Verdict.cannot_say, ("small",)),
        (9.0, 127, ("flat",), Verdict.cannot_say, ("small", "flat")),
        (9.0, 500, ("flat", "flat"), Verdict.cannot_say, ("flat",)),
        (math.nan, 500, (), Verdict.cannot_say, ()),
    ],
)
def test_verdicts_and_their_reasons(calibration, score, side, scope, verdict, codes):
    assert calibration.decide(score, side, scope=scope) == (verdict, codes)


def test_verdicts_rise_with_the_score(calibration):
    rank = {Verdict.no_trace: 0, Verdict.cannot_say: 1, Verdict.generated: 2}
    ranks = [rank[calibration.decide(s, 300)[0]] for s in np.linspace(-9, 9, 200)]
    assert ranks == sorted(ranks) and set(ranks) == {0, 1, 2}
    probabilities = [calibration.probability(s) for s in np.linspace(-5000, 5000, 99)]
    assert probabilities == sorted(probabilities) and (probabilities[0], probabilities[-1]) == (0, 1)


def test_a_threshold_under_even_odds_leaves_no_grey_zone(calibration):
    low = Calibration(1.0, -3.0, 1.0, calibration.false_alarm)
    assert low.even == low.threshold
    assert low.decide(1.0, 300)[0] == Verdict.no_trace


def test_found_shares_fall_back_to_the_whole_treatment_and_admit_not_knowing(calibration):
    assert calibration.found_share(300) == 0.9
    assert calibration.found_share(200) == 0.6  # too few of its own
    assert calibration.found_share(5000) == 0.6  # none of its own
    assert calibration.found_share(300, jpeg_quality=70) == 0.3
    assert calibration.found_share(300, jpeg_quality=88) is None
    assert calibration.found_share(300, reduced=True) is None
    assert calibration.found_share(64) is None


def test_calibration_survives_json(calibration):
    text = json.dumps(calibration.to_json())
    assert Calibration.from_json(text) == calibration == Calibration.from_json(json.loads(text))


def test_every_code_has_a_reason_and_unknown_ones_are_refused(calibration):
    for code in SCOPE:
        assert scope_note(code).message.endswith(".") and scope_note(code).what_helps
    with pytest.raises(ChoiceError, match="small"):
        calibration.decide(0, 300, scope=("smal",))


def test_fitting_needs_cameras_and_both_classes():
    parts = {"short_sides": [300, 300], "treatments": ["untouched"] * 2}
    with pytest.raises(ProtocolError, match="camera"):
        fit_calibration([1.0, 0.0], [1, 0], devices=["", ""], **parts)
    with pytest.raises(ProtocolError, match="both classes"):
        fit_calibration([1.0, 0.0], [0, 0], devices=["a", "b"], **parts)
