"""The e-detector, pane by pane, against the same written plainly: one stream, no arrays."""

from itertools import pairwise
from math import exp, inf, lgamma, log

import numpy as np
import pytest

from detectors.change.e_detector import CellCounts, EDetector, EDetectorParameters
from detectors.change.ragged import Ragged

OFFSETS = np.array([0, 2, 7, 10])
REFERENCE = np.array([5000, 500, 1000, 2000, 3000, 1500, 0, 100, 9900, 0])
LEVEL, KAPPA, ONSETS, PRIOR, FROZEN, BLIND = 14.8, 3000.0, 14, 0.5, 30_000.0, 50.0


class Plainly:
    """One stream. An onset is a list of its age, the counts since, its shares and its mass."""

    def __init__(self, reference):
        self.pool = [float(count) for count in reference]
        self.onsets = []
        self.phi = 1.0
        self.held = False

    def update(self, counts, phi, learned):
        """Evidence, alarm, and how many panes ago the change began."""
        self.rescale(self.phi / phi)
        self.phi = phi
        seen = [count / phi for count in counts]
        weights = [held + min(max(held, PRIOR / 10), PRIOR) for held in self.pool]
        mass = sum(weights)
        self.open([weight / mass for weight in weights], mass)
        for onset in self.onsets:
            onset[1] = [a + b for a, b in zip(onset[1], seen, strict=True)]
        factors = [self.factor(*onset[1:], learned) for onset in self.onsets]
        evidence, since, best = 0.0, 0, None
        if max(factors) > -inf:
            best = self.onsets[factors.index(max(factors))]
            evidence = max(0.0, log(sum(exp(f - max(factors)) for f in factors)) + max(factors))
            since = best[0]
        alarm = sum(seen) > 0 and evidence > LEVEL
        if alarm and not self.held:
            self.held = True
            self.pool = [without_prior(share * best[3]) for share in best[2]]
        if not self.held and sum(self.pool) < FROZEN:
            self.pool = [a + b for a, b in zip(self.pool, seen, strict=True)]
        return evidence, alarm, since

    def rescale(self, ratio):
        self.pool = [held * ratio for held in self.pool]
        for onset in self.onsets:
            onset[1] = [count * ratio for count in onset[1]]
            onset[3] *= ratio

    def open(self, shares, mass):
        for onset in self.onsets:
            onset[0] += 1
        new = [1, [0.0] * len(shares), shares, mass]
        if len(self.onsets) < ONSETS:
            self.onsets.append(new)
            return
        by_age = sorted(self.onsets, key=lambda onset: onset[0])
        ages = [1, *(onset[0] for onset in by_age)]
        ratios = [ages[i + 2] / ages[i] for i in range(len(ages) - 2)]
        dropped = by_age[ratios.index(min(ratios))]
        self.onsets = [new if onset is dropped else onset for onset in self.onsets]

    def factor(self, counts, shares, mass, learned):
        known = min(learned, mass)
        if known < BLIND:
            return -inf
        kappa = min(KAPPA, known)
        k = min(50.0, kappa / 10)
        return density(counts, shares, k) - density(counts, shares, kappa)


def density(counts, shares, mass):
    cells = zip(counts, shares, strict=True)
    total = sum(lgamma(mass * share + count) - lgamma(mass * share) for count, share in cells)
    return total + lgamma(mass) - lgamma(mass + sum(counts))


def without_prior(weight):
    if weight >= 2 * PRIOR:
        return weight - PRIOR
    return max(0.0, weight - PRIOR / 10 if weight < PRIOR / 5 else weight / 2)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_evidence_alarms_and_onsets_are_those_of_the_plain_one(seed):
    """A change in the second stream, then other dispersions, wander that blinds, and a recovery."""
    rng = np.random.default_rng(seed)
    cells = Ragged(OFFSETS)
    parameters = EDetectorParameters(LEVEL, KAPPA, ONSETS, FROZEN, PRIOR)
    detector = EDetector(cells, REFERENCE, parameters)
    plain = [Plainly(REFERENCE[a:b]) for a, b in pairwise(OFFSETS.tolist())]
    weights = REFERENCE + PRIOR
    normal = weights / cells.spread(cells.total(weights))
    changed = normal + np.array([0, 0, 0, 0.2, -0.2, 0, 0, 0, 0, 0])
    alarms = 0
    for pane in range(160):
        shares = changed if 60 <= pane < 90 else normal
        counts = rng.poisson(200 * shares * (pane % 17 > 0))
        phi = np.array([1.0, 2.0, 1.5]) if pane >= 40 else np.ones(3)
        learned = np.array([inf, 900.0, 40.0 if 100 <= pane < 120 else 2e4])
        if pane == 110:  # the first two are well again
            detector.reset(np.array([True, True, False]))
            for stream in plain[:2]:
                stream.onsets = [[*onset[:3], 0.0] for onset in stream.onsets]
                stream.held = False
        verdict = detector.update(CellCounts(counts, phi, learned))
        for stream, one in enumerate(plain):
            mine = counts[OFFSETS[stream] : OFFSETS[stream + 1]]
            evidence, alarm, since = one.update(mine.tolist(), phi[stream], learned[stream])
            assert verdict.evidence[stream] == pytest.approx(evidence, rel=1e-9, abs=1e-9)
            assert verdict.alarm[stream] == alarm
            assert verdict.onset_panes[stream] == since
            alarms += alarm
    assert alarms > 5
