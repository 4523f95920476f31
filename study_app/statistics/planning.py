"""How many raters does it take? Simulated scenes and raters put through the real rule. Pure.

All constants here are ASSUMPTIONS, none is measured on people: how far the best stands out, how the other
candidates spread, how often raters slip, how long a trial takes. Refit them from a pilot before relying on a plan.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from study_app.statistics.evaluation import Answer, Evaluation, evaluate
from study_app.statistics.rule import Rule

ACCEPTED = ("accept", "accept-equivalent")
WARNING = (
    "These figures come from simulated raters. Gaps, spread, lapses, acceptability and seconds per trial are "
    "assumptions; replace them by those of a pilot."
)


@dataclass(frozen=True)
class Assumptions:
    """What the simulation takes for granted; every default is a guess to be refitted from a pilot."""

    item_count: int = 13
    scenes: int = 500
    # (gap, share): gap = strength of the best minus that of the second, in logit
    gaps: tuple[tuple[float, float], ...] = ((0.4, 0.25), (0.8, 0.25), (1.1, 0.25), (2.0, 0.25))
    spread: float = 0.7  # standard deviation of the strengths of all but the best
    lapse: float = 0.03  # share of answers that are blind guesses
    picks: int = 3  # slots that raters fill
    acceptable: float = 1.0  # share of raters who find their first pick acceptable
    seconds_per_trial: float = 60.0
    trials_per_person: int = 40

    def __post_init__(self) -> None:
        limits: tuple[tuple[str, float, float], ...] = (
            ("item_count", 2, 100),
            ("scenes", 1, 1_000_000),
            ("spread", 0, 10),
            ("lapse", 0, 1),
            ("picks", 1, 3),
            ("acceptable", 0, 1),
            ("seconds_per_trial", 1, 3600),
            ("trials_per_person", 1, 100_000),
        )
        for name, least, most in limits:
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"plan: {name} is {getattr(self, name)}; {least} to {most} expected")
        if self.picks > self.item_count:
            raise ValueError(f"plan: {self.picks} picks of {self.item_count} items; lower picks")
        shares = [share for _, share in self.gaps]
        if not shares or min(shares) <= 0 or min(gap for gap, _ in self.gaps) < 0:
            raise ValueError(f"plan: gaps are {self.gaps}; pairs of a gap >= 0 and a share > 0 expected")


@dataclass(frozen=True)
class Outcome:
    """One simulated scene: how it ended."""

    raters: int  # answers until the rule stopped
    state: str
    shortfall: float  # true strength of the best minus that of the leader


@dataclass(frozen=True)
class Forecast:
    """Many scenes of one gap, or of the whole mix."""

    raters_mean: float  # per scene
    raters_p90: float
    undecided: float  # share of scenes that end at the cap without a verdict
    rejected: float
    wrong: float | None  # share of accepted scenes whose reference is worse than the best by more than delta


@dataclass(frozen=True)
class Plan:
    """What a study would need under these assumptions."""

    assumptions: Assumptions
    rule: Rule
    runs: int  # simulated scenes per gap
    by_gap: tuple[tuple[float, Forecast], ...]
    overall: Forecast
    trials: int  # of all scenes together
    hours: float  # of all raters together
    people: int
    warning: str = WARNING


def plan(assumptions: Assumptions, rule: Rule, *, runs: int = 100, seed: int = 1) -> Plan:
    """Simulate `runs` scenes of each gap and scale up; about 5 ms per simulated scene."""
    if runs < 1:
        raise ValueError(f"plan: runs is {runs}; at least 1 expected")
    outcomes = []
    for number, (gap, _) in enumerate(assumptions.gaps):
        rng = np.random.default_rng((seed, number))
        outcomes.append([simulate_scene(assumptions, rule, gap, rng) for _ in range(runs)])
    gaps = [gap for gap, _ in assumptions.gaps]
    by_gap = [forecast(of_gap, [1.0] * runs, rule.delta) for of_gap in outcomes]
    every = [outcome for of_gap in outcomes for outcome in of_gap]
    overall = forecast(every, [share for _, share in assumptions.gaps for _ in range(runs)], rule.delta)
    trials = math.ceil(overall.raters_mean * assumptions.scenes - 1e-6)  # a sum's rounding is no trial
    return Plan(
        assumptions=assumptions,
        rule=rule,
        runs=runs,
        by_gap=tuple(zip(gaps, by_gap, strict=True)),
        overall=overall,
        trials=trials,
        hours=trials * assumptions.seconds_per_trial / 3600,
        people=_people(assumptions, trials, longest=max(outcome.raters for outcome in every)),
    )


def simulate_scene(assumptions: Assumptions, rule: Rule, gap: float, rng: np.random.Generator) -> Outcome:
    """Let raters answer one after the other until the rule stops."""
    strengths = draw_strengths(assumptions, gap, rng)
    answers = draw_answers(assumptions, strengths, rule.cap, rng)
    look = first_verdict(rule, assumptions.item_count, answers)
    shortfall = float(strengths.max() - strengths[look.leader])
    return Outcome(look.counted + look.cannot_tell, look.state, shortfall)


def draw_strengths(assumptions: Assumptions, gap: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """True strengths of K items in random order: K - 1 from N(0, spread^2), and the best, `gap` above them."""
    others = rng.normal(0, assumptions.spread, assumptions.item_count - 1)
    return rng.permutation(np.append(others, others.max() + gap))


def draw_answers(
    assumptions: Assumptions, strengths: NDArray[np.float64], count: int, rng: np.random.Generator
) -> list[Answer]:
    """Answers of raters who all rank by these strengths plus Gumbel noise (that is Plackett-Luce), or slip."""
    shape = (count, len(strengths))
    noise = rng.gumbel(size=shape)
    slips = rng.random((count, 1)) < assumptions.lapse
    felt = np.where(slips, noise, strengths + noise)
    picks = np.argsort(-felt, axis=1)[:, : assumptions.picks].tolist()
    accepts = (rng.random(count) < assumptions.acceptable).tolist()
    return [
        Answer(number, "choice", tuple(ranking), accept)
        for number, (ranking, accept) in enumerate(zip(picks, accepts, strict=True), start=1)
    ]


def first_verdict(rule: Rule, item_count: int, answers: Sequence[Answer]) -> Evaluation:
    """The look at which a study stops asking: the first that is not "continue", else the last."""
    first = rule.minimum if rule.mode == "posterior" else rule.cap
    for count in range(min(first, len(answers)), len(answers) + 1):
        look = evaluate(rule, item_count, answers[:count])
        if look.state != "continue":
            break
    return look


def forecast(outcomes: Sequence[Outcome], weights: Sequence[float], delta: float) -> Forecast:
    """Sum up simulated scenes, each with its weight."""
    weight = np.array(weights)
    raters = np.array([outcome.raters for outcome in outcomes], dtype=float)
    accepted = np.array([outcome.state in ACCEPTED for outcome in outcomes])
    rejected = np.array([outcome.state == "reject" for outcome in outcomes])
    worse = np.array([outcome.shortfall > delta for outcome in outcomes])
    order = np.argsort(raters, kind="stable")
    reached = np.cumsum(weight[order]) / weight.sum()
    return Forecast(
        raters_mean=float(weight @ raters / weight.sum()),
        raters_p90=float(raters[order][np.searchsorted(reached, 0.9 - 1e-9)]),
        undecided=float(weight @ ~(accepted | rejected) / weight.sum()),
        rejected=float(weight @ rejected / weight.sum()),
        wrong=float(weight @ (accepted & worse) / (weight @ accepted)) if accepted.any() else None,
    )


def _people(assumptions: Assumptions, trials: int, *, longest: int) -> int:
    """Nobody rates a scene twice: the longest scene needs as many people as votes, and nobody has more scenes."""
    return max(longest, math.ceil(trials / min(assumptions.trials_per_person, assumptions.scenes)))
