"""Proof tests 1 and 2 in small (study.md, section 12): a crowd at a real server that is killed three times."""

from __future__ import annotations

import pytest

from tests.study_app.raters_load import LoadForm, run_load

SMALL = LoadForm(
    raters=24,
    scenes=5,
    cap=18,
    workers=2,
    kills=("worker", "before-reply", "server"),  # each kind once
)


@pytest.mark.timeout(300)  # half a minute on two free cores
def test_acknowledged_votes_survive_kills(tmp_path):
    outcome = run_load(SMALL, tmp_path, f"sqlite:///{tmp_path / 'catalog.sqlite'}")
    report = "\n".join(outcome.lines())
    assert not outcome.missing, report
    assert outcome.live == outcome.expected == SMALL.scenes * SMALL.cap, report
    assert outcome.uncounted == 0, report
    assert outcome.most_over_cap == 0, report
    assert outcome.kills == len(SMALL.kills), report
    assert {status for status in outcome.statuses if status >= 500} <= {503}, report
