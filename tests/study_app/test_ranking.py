"""The Plackett-Luce posterior: published-in-the-specification values, another library, and invariances."""

from __future__ import annotations

import random
import subprocess
import sys

import choix
import numpy as np
import pytest
from choix.opt import Top1Fcts
from scipy.stats import norm

from study_app.statistics import ranking
from study_app.statistics.ranking import (
    DRAWS,
    PRIOR_SD,
    RANKED_WEIGHT,
    Ballot,
    Posterior,
    fit_strengths,
    likelihood_of,
    posterior,
)


def _random_ballots(seed: int, *, item_count: int = 13, votes: int = 30) -> list[Ballot]:
    """Ballots of one to three picks; some of a subset, as experts see."""
    rng = random.Random(seed)
    ballots = []
    for _ in range(votes):
        shown = None if rng.random() < 0.8 else tuple(rng.sample(range(item_count), 4))
        choices = range(item_count) if shown is None else shown
        ballots.append(Ballot(tuple(rng.sample(list(choices), rng.randint(1, 3))), shown))
    return ballots


def _bytes(result: Posterior) -> bytes:
    arrays = (result.mean, result.covariance, result.p_best, result.p_near, result.regret)
    return b"".join(array.tobytes() for array in arrays) + bytes([result.leader])


def test_without_votes_every_item_is_as_likely() -> None:
    result = posterior(13, [])
    assert result.p_best == pytest.approx(np.full(13, 1 / 13), abs=0.01)
    assert result.p_near == pytest.approx(np.full(13, 0.130), abs=0.012)  # 4000 draws: sd 0.005
    assert result.mean.tolist() == [0.0] * 13
    assert result.covariance == pytest.approx(PRIOR_SD**2 * np.eye(13))


def test_eight_single_picks_of_one_item() -> None:
    result = posterior(13, [Ballot((4,))] * 8)
    assert result.mean[4] == pytest.approx(3.5799, abs=5e-5)
    assert result.p_best[4] == pytest.approx(0.953, abs=0.01)
    assert result.leader == 4


def test_eight_equal_rankings_count_as_seven_tenths() -> None:
    result = posterior(13, [Ballot((4, 5, 6))] * 8)
    assert result.p_best[4] == pytest.approx(0.929, abs=0.01)
    assert result.p_near[4] == pytest.approx(0.980, abs=0.01)


def test_two_items_seven_to_three() -> None:
    result = posterior(2, [Ballot((0,))] * 7 + [Ballot((1,))] * 3)
    assert result.mean[0] - result.mean[1] == pytest.approx(0.7674, abs=5e-5)
    assert result.mean.sum() == pytest.approx(0, abs=1e-12)


def test_a_flat_prior_gives_the_log_odds() -> None:
    result = posterior(2, [Ballot((0,))] * 7 + [Ballot((1,))] * 3, prior_sd=1000)
    assert result.mean[0] - result.mean[1] == pytest.approx(np.log(7 / 3), abs=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_choix_where_all_ballots_weigh_one(seed: int) -> None:
    ballots = _random_ballots(seed, votes=20)
    stages = []
    for ballot in ballots:
        left = list(range(13) if ballot.shown is None else ballot.shown)
        for pick in ballot.picks:
            left.remove(pick)
            stages.append((pick, tuple(left)))
    alpha = 1 / (2 * PRIOR_SD**2)
    theirs = choix.opt_top1(13, stages, alpha=alpha, tol=1e-12)
    # Its optimiser stops at gradients of about 1e-8: one Newton step more, by its own derivatives.
    slopes = Top1Fcts(stages, alpha)
    theirs = theirs - np.linalg.solve(slopes.hessian(theirs), slopes.gradient(theirs))
    ours, _ = fit_strengths(13, ballots, ranked_weight=1.0)
    assert ours - ours.mean() == pytest.approx(theirs - theirs.mean(), abs=5e-9)


@pytest.mark.parametrize("seed", range(3))
def test_gradient_and_precision_against_finite_differences(seed: int) -> None:
    likelihood = likelihood_of(6, _random_ballots(seed, item_count=6), ranked_weight=RANKED_WEIGHT)
    point = np.random.default_rng(seed).normal(size=6)
    gradient, precision = likelihood.gradient_and_precision(point)
    h = 1e-5
    for item in range(6):
        shift = h * np.eye(6)[item]
        slope = (likelihood.log_posterior(point + shift) - likelihood.log_posterior(point - shift)) / (2 * h)
        above, below = (likelihood.gradient_and_precision(point + sign * shift)[0] for sign in (1, -1))
        assert gradient[item] == pytest.approx(slope, abs=1e-7)  # differences of sums of about 100
        assert precision[item] == pytest.approx((below - above) / (2 * h), abs=1e-7)


def test_the_mode_has_no_gradient_and_its_covariance_inverts_the_precision() -> None:
    ballots = _random_ballots(7)
    result = posterior(13, ballots)
    likelihood = likelihood_of(13, ballots, ranked_weight=RANKED_WEIGHT)
    gradient, precision = likelihood.gradient_and_precision(result.mean)
    assert np.abs(gradient).max() < 1e-9
    assert result.covariance @ precision == pytest.approx(np.eye(13), abs=1e-10)


@pytest.mark.parametrize("seed", range(10))
def test_shuffled_ballots_give_equal_bytes(seed: int) -> None:
    ballots = _random_ballots(seed)
    shuffled = random.Random(seed + 1).sample(ballots, len(ballots))
    reordered = [Ballot(one.picks, one.shown and tuple(reversed(one.shown))) for one in shuffled]
    assert _bytes(posterior(13, reordered)) == _bytes(posterior(13, ballots))


def test_shares_are_whole_numbers_of_draws_and_belong_together() -> None:
    result = posterior(13, _random_ballots(3))
    assert (result.p_best * DRAWS).tolist() == np.round(result.p_best * DRAWS).tolist()
    assert result.p_best.sum() == pytest.approx(1)
    assert (result.p_near >= result.p_best).all()
    assert (result.regret >= 0).all()
    assert result.leader == result.p_best.argmax()


def test_draws_follow_the_posterior() -> None:
    """Two items: the difference is normal, so P(best), P(near) and the regret have closed forms."""
    result = posterior(2, [Ballot((0,))] * 7 + [Ballot((1,))] * 3, delta=0.5)
    difference = result.mean[0] - result.mean[1]
    contrast = np.array([1.0, -1.0])
    spread = np.sqrt(contrast @ result.covariance @ contrast)
    assert result.p_best[0] == pytest.approx(norm.cdf(difference / spread), abs=0.02)
    assert result.p_near[0] == pytest.approx(norm.cdf((difference + 0.5) / spread), abs=0.02)
    shortfall = spread * norm.pdf(difference / spread) - difference * norm.cdf(-difference / spread)
    assert result.regret[0] == pytest.approx(shortfall, abs=0.02)


@pytest.mark.parametrize(
    "ballots",
    [
        [Ballot((0,))] * 1000,
        [Ballot((0, 1, 2))] * 1000,
        [Ballot((k % 13, (k + 1) % 13)) for k in range(1000)],
        [Ballot((0,), (0, 1))] * 500 + [Ballot((1,), (1, 2))] * 500 + [Ballot((2,), (2, 3))] * 500,
        [Ballot((0,), (0, 1))] * 500 + [Ballot((1,))] * 2,
    ],
)
def test_extreme_ballots_converge(ballots: list[Ballot]) -> None:
    mean, _ = fit_strengths(13, ballots)
    gradient, _ = likelihood_of(13, ballots, ranked_weight=RANKED_WEIGHT).gradient_and_precision(mean)
    assert np.abs(gradient).max() < 1e-6


def test_no_convergence_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranking, "MOST_STEPS", 3)
    with pytest.raises(ArithmeticError, match="13 items: no convergence in 3 Newton steps"):
        fit_strengths(13, [Ballot((4,))] * 8)


def test_another_process_draws_the_same() -> None:
    code = (
        "from study_app.statistics.ranking import *; import sys; r = posterior(5, [Ballot((2, 1)), Ballot((2,))]);"
        "sys.stdout.write((r.mean.tobytes() + r.p_best.tobytes() + r.regret.tobytes()).hex())"
    )
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    here = posterior(5, [Ballot((2,)), Ballot((2, 1))])
    assert other.stdout == (here.mean.tobytes() + here.p_best.tobytes() + here.regret.tobytes()).hex()


@pytest.mark.parametrize(
    ("ballot", "message"),
    [
        (Ballot(()), "one to 3 different items"),
        (Ballot((1, 1)), "one to 3 different items"),
        (Ballot((0, 1, 2, 3)), "one to 3 different items"),
        (Ballot((5,)), "not all among 5 items"),
        (Ballot((-1,)), "not all among 5 items"),
        (Ballot((1,), (2, 3)), "not all among 5 items"),
        (Ballot((1,), (1, 7)), "not all among 5 items"),
    ],
)
def test_impossible_ballots_are_named(ballot: Ballot, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        posterior(5, [ballot])


def test_nothing_to_rank() -> None:
    with pytest.raises(ValueError, match="at least one item"):
        posterior(0, [])
