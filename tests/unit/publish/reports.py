"""Believable reports for the tests of the publishers."""

import math
from collections.abc import Sequence

from service.values.episodes import (
    Category,
    Episode,
    EpisodeCount,
    EpisodeLabels,
    EpisodeStream,
    Member,
    Phase,
    Severity,
)
from service.values.records import Partition
from service.values.rejects import Reason
from service.values.reports import (
    ConfigReport,
    DetectorReport,
    ExchangeReport,
    LoopTiming,
    ModelReport,
    PartitionReport,
    PolicyReport,
    ReferenceState,
    Report,
    ServiceReport,
    StreamReport,
    StreamState,
    TopicReport,
    WholeModel,
    WindowReport,
)
from service.values.streams import (
    LATENCY,
    PREDICTION,
    Kind,
    ModelKey,
    Segment,
    StreamKey,
    ValueType,
    in_segment,
)
from service.values.watches import Budget, PolicyLimits, WindowLength

AT = 1_795_429_858.0  # 2026-11-23T10:30:58Z


def window(name="5m", *, psi=0.012, shift=0.02, **changes):
    values = {
        "window": name,
        "values": 6_200,
        "covers_seconds": {"5m": 300.0, "1h": 3600.0, "24h": 86_400.0}.get(name, 300.0),
        "psi": psi,
        "jensen_shannon": round(math.sqrt(psi) / 4, 6),
        "ks": round(abs(shift) * 0.4, 6),
        "wasserstein_sd": abs(shift),
        "mean_shift_sd": shift,
        "quantiles": ((0.05, -1.5), (0.5, 0.25), (0.95, 2.0)),
    }
    return WindowReport(**(values | changes))


def stream(name="income", *, kind=Kind.INPUT, drifted=False, **changes):
    psi, shift = (0.31, 0.41) if drifted else (0.012, 0.02)
    values = {
        "key": StreamKey(kind, name),
        "type": ValueType.NUMERIC,
        "state": StreamState.WATCHED,
        "score": 6.3 if drifted else 0.31,
        "drifted_since_seconds": AT - 660 if drifted else None,
        "missing_total": 12,
        "invalid_total": 0,
        "unseen_total": 0,
        "windows": (window("5m", psi=psi, shift=shift), window("1h", psi=psi / 2, shift=shift / 2)),
        "detectors": (
            DetectorReport("adwin", 6.3 if drifted else 0.31, 1.0, int(drifted)),
            DetectorReport("page_hinkley", 40.0 if drifted else 3.0, 50.0, 0),
        ),
        "summary": "up 0.41 sd, PSI 0.31" if drifted else "",
    }
    return StreamReport(**(values | changes))


def segment(name="NE", *, by="region", predictions=6_200, drifted=False, **changes):
    """The predictions of one segment."""
    key = in_segment(Segment(by, name))
    more = {"key": key, "missing_total": 0, "predictions_total": predictions}
    return stream(drifted=drifted, **(more | changes))


MONTHLY = PolicyLimits("psi", 10, WindowLength("30d", 30 * 86_400.0), 0.10, 0.25)


def policy(distance=0.04, **changes):
    """A stream against ten deciles, monthly, whose window is twelve days old."""
    values = {
        "limits": MONTHLY,
        "distance": distance,
        "expected": 0.0006,
        "values": 52_300,
        "bins": 10,
        "covers_seconds": 12 * 86_400.0,
    }
    return PolicyReport(**(values | changes))


def category(name="state", **changes):
    windows = (window("5m", ks=math.nan, wasserstein_sd=math.nan, quantiles=()),)
    defaults = {"type": ValueType.CATEGORICAL, "windows": windows, "unseen_total": 4}
    return stream(name, **(defaults | changes))


def model(name="credit-risk", version="3", streams: Sequence[StreamReport] = (), **changes):
    values = {
        "key": ModelKey(name, version),
        "team": "retail-credit",
        "tier": 1,
        "runbook": "https://runbooks.example/credit-risk",
        "reference_state": ReferenceState.READY,
        "reference_learned_ratio": 1.0,
        "reference_hash": "9f2c5a7700aa",
        "reference_rows": 1_200_000,
        "reference_created_seconds": AT - 41 * 86_400,
        "predictions_total": 81_220,
        "weight_total": 81_220.0,
        "late_total": 3,
        "rejected_totals": {Reason.MISTYPED: 2},
        "latency_counts": (0, 10, 400, 20_000, 40_000, 18_000, 2_700, 100, 10, 0, 0),
        "latency_sum_seconds": 1_421.5,
        "last_record_seconds": AT - 0.4,
        "watermark_seconds": AT - 4.0,
        "streams": tuple(streams),
        "panes_judged_total": 1_400,
        "budget": Budget(1.0, 30 * 86_400.0, "team"),
        "detectable_shift_sd": 0.16,
        "unjudged_total": 0,
    }
    return ModelReport(**(values | changes))


def episode(id_="credit-risk-20261123-1020", **changes):
    """A drift of income that lasts, a ticket for its team."""
    moved = EpisodeStream(
        kind=Kind.INPUT,
        name="income",
        source="bureau-feed",
        score=6.3,
        peak=6.4,
        since_seconds=AT - 600,
        onset_seconds=AT - 660,
        words="up 0.41 sd, PSI 0.31; share of [52k, 61k) from 10 % to 27 %",
    )
    values = {
        "id": id_,
        "sequence": 2,
        "phase": Phase.ESCALATED,
        "category": Category.DRIFT,
        "kind": "input",
        "model": "credit-risk",
        "version": "3",
        "team": "retail-credit",
        "tier": 1,
        "severity": Severity.TICKET,
        "source": "bureau-feed",
        "onset_seconds": AT - 660,
        "started_seconds": AT - 600,
        "updated_seconds": AT - 60,
        "ended_seconds": None,
        "ended_because": "",
        "score": 6.3,
        "peak": 6.4,
        "told_score": 6.3,
        "streams": (moved,),
        "streams_total": 1,
        "members": (),
        "upstream": "",
        "cause": "inputs_and_score",
        "likely": "the inputs changed and the score followed.",
        "words": f"income {moved.words}; 1 more: bureau_score",
        "backlog": False,
        "evidence": None,
    }
    return Episode(**(values | changes))


def episode_count(started=1, real=0, false=0, **changes):
    labels = {
        "model": "credit-risk",
        "version": "3",
        "kind": "input",
        "severity": Severity.TICKET,
        "team": "retail-credit",
    }
    return EpisodeCount(EpisodeLabels(**(labels | changes)), started, real, false)


def upstream(id_="bureau-feed-20261123-1020", **changes):
    """Two models that drift on one source."""
    members = (
        Member("credit-risk", "3", 1, "retail-credit", "credit-risk-20261123-1020", AT - 600),
        Member("fraud", "7", 1, "payments", "fraud-20261123-1021", AT - 540),
    )
    values = {
        "category": Category.UPSTREAM,
        "kind": "upstream",
        "model": "",
        "version": "",
        "severity": Severity.PAGE,
        "members": members,
        "words": "2 models drifted within 1 min: credit-risk v3, fraud v7; income 6.3 x",
    }
    return episode(id_, **(values | changes))


def whole(name="credit-risk", team="retail-credit", *, due=False, tier=1):
    """A model whatever its versions."""
    silent = {1: Severity.PAGE, 2: Severity.TICKET}.get(tier, Severity.LOG)
    stale = Severity.TICKET if tier == 1 else Severity.LOG
    return WholeModel(name, team, due, {Category.SILENT: silent, Category.STALE: stale})


def service(**changes):
    values = {
        "version": "0.1.0",
        "revision": "4c6eaf5",
        "config_hash": "77ab12",
        "started_seconds": AT - 3 * 86_400,
        "ready": True,
        "not_ready_because": "",
        "checkpoint_last_success_seconds": AT - 7.0,
        "checkpoint_bytes": 38_000_000,
        "checkpoint_failures_total": 0,
        "checkpoint_fallbacks_total": 0,
        "out_of_range_total": 0,
        "dead_letters_total": 14,
        "dead_letters_failed_total": 0,
        "state_free_bytes": 21_000_000_000,
        "state_size_bytes": 76_000_000,
        "absent_topics": {"ml.late": "topic ml.late does not exist: create it"},
        "warnings": ("topic ml.late does not exist: create it",),
        "episode_options": " --config anchorwatch.yaml",
        "role": "judge",
        "external_url": "https://anchorwatch.example",
        "checkpoint_counts": (0, 3, 40, 5, 0, 1, 0, 0, 0, 0, 0, 0),
        "checkpoint_sum_seconds": 2.75,
        "state_reloads_total": 2,
        "exchange": ExchangeReport(0, {"damaged": 1}, 0),
        "config": ConfigReport(
            hash="77ab12",
            files={"anchorwatch.yaml": True, "models.d/churn.yaml": False},
            is_taken_up=False,
            success_seconds=AT - 7200.0,
        ),
        "timings": (
            LoopTiming("poll", 812.5, 90_000, 0.51),
            LoopTiming("decode", 401.25, 90_000, 0.08),
            LoopTiming("judge", 60.0, 4_320, 0.2),
        ),
    }
    return ServiceReport(**(values | changes))


def report(models: Sequence[ModelReport] = (), **changes):
    values = {
        "at_seconds": AT,
        "caught_up": True,
        "models": tuple(models),
        "topics": (
            TopicReport("decisions", 812_334, 723_900, 88_420, {Reason.MALFORMED: 14}),
            TopicReport("kserve", 91_220, 91_220, 0, {}),
        ),
        "partitions": (
            PartitionReport(Partition("decisions", 0), 406_167, 0, 0.0),
            PartitionReport(Partition("decisions", 1), 406_167, 120, 1.5),
            PartitionReport(Partition("kserve", 0), 91_220, 0, math.nan),
        ),
        "partitions_missing": {"kserve": 1},
        "service": service(),
        "read_through_seconds": AT - 1.5,
    }
    return Report(**(values | changes))


def empty(**changes):
    """A service that has just started: no model, no topic, nothing known yet."""
    fresh = service(checkpoint_last_success_seconds=math.nan, timings=())
    values = {"topics": (), "partitions": (), "partitions_missing": {}, "service": fresh,
              "read_through_seconds": math.nan}  # fmt: skip
    return report(**(values | changes))


def believable():
    """Six models: drifted, steady twice, muted, learning, and one without a reference."""
    credit = model(
        streams=(
            stream("income", drifted=True, source="bureau-feed"),
            stream("bureau_score", drifted=True, score=2.1, source="bureau-feed",
                   drifted_since_seconds=AT - 540, summary="down 0.2 sd, PSI 0.09"),
            stream("age", score=0.4),
            stream("postcode", hidden=True),
            category("state"),
            category("has_card", type=ValueType.BOOLEAN, score=0.11, unseen_total=0),
            stream("prediction", kind=PREDICTION.kind, score=0.83, missing_total=0),
            stream("latency", kind=LATENCY.kind, score=0.2, missing_total=0),
        ),
        unknown_features=("score_x",),
        absent_features=("inquiries",),
    )  # fmt: skip
    steady = (stream("amount", score=0.3), category("merchant", score=0.05))
    held = (
        stream("amount", score=0.3, policy=policy(0.14)),
        category("merchant", score=0.05, policy=policy(bins=8)),
    )
    learning = model(
        "kyc-doc", "1", team="onboarding", tier=2, runbook="", reference_hash="",
        reference_state=ReferenceState.LEARNING, reference_learned_ratio=0.42, reference_rows=4_200,
        reference_created_seconds=math.nan,
        streams=(
            stream("pages", state=StreamState.LEARNING, score=math.nan, windows=(), detectors=()),
        ),
    )  # fmt: skip
    bare = model(
        "aml-v2", "2024-11", team="", tier=3, runbook="", reference_hash="", reference_rows=0,
        reference_state=ReferenceState.NONE, reference_learned_ratio=0.0,
        reference_created_seconds=math.nan, last_record_seconds=math.nan,
        watermark_seconds=math.nan, predictions_total=0, latency_counts=(0,) * 11,
        latency_sum_seconds=0.0,
    )  # fmt: skip
    return report(
        (
            credit,
            model("fraud", "7", held, team="payments", predictions_total=52_300_118,
                  policy=MONTHLY),
            model("savings-churn", "2", steady, team="retail", tier=2,
                  segments=(segment("NE"), segment("__other__", predictions=75_020, score=0.7))),
            learning,
            model("marketing", "11", (stream("spend", state=StreamState.MUTED, drifted=True,
                                             muted_until_seconds=AT + 86_400),
                                      *steady), team="crm", tier=3),
            bare,
        ),
        partitions=(
            PartitionReport(Partition("decisions", 0), 406_167, 0, 0.0),
            PartitionReport(Partition("decisions", 1), 406_167, 120, 1.5),
            PartitionReport(Partition("kserve", 0), 91_220, 0, 0.0),
        ),
        episodes=(
            episode(),
            episode("fraud-20261122-0900", model="fraud", version="7", team="payments",
                    score=0.0, ended_seconds=AT - 80_000, ended_because="recovered",
                    words="amount down 0.2 sd, PSI 0.05"),
            episode("aml-v2-20261123-1000", model="aml-v2", version="2024-11", team="",
                    severity=Severity.LOG, words="country has drifted"),
        ),
        episode_counts=(episode_count(3, 1, 1), episode_count(0, kind="output")),
        whole_models=(whole(), whole("fraud", "payments", due=True), whole("kyc-doc", due=None,
                                                                        team="onboarding", tier=2)),
    )  # fmt: skip


def fleet(models, streams, **changes):
    """Many models of many streams each, two windows and two detectors a stream."""
    one = tuple(stream(f"feature_{j}", score=0.1 + j / 100) for j in range(streams))
    return report([model(f"model-{i}", "1", one) for i in range(models)], **changes)
