"""When a burn-rate alert must fire and reset: the theory that a run is measured against.

Two questions, two answers. `predict` and `predict_shape` need no data: they take the shape of a
fault and tell when each branch fires, before anything is broken. `recompute` needs the raw counters
of a run and tells when Prometheus must have seen each branch fire and reset, over the history it
really held. Neither looks at a burn-rate rule or an alert, so a broken rule cannot hide behind its
own prediction.

This module is the door; the rooms behind it are `shape`, `timing`, `prediction` and
`recomputation`.
"""

from scoring.counters import CounterSeries
from scoring.prediction import (
    BranchPrediction,
    Prediction,
    limit,
    lowest_ratio,
    predict,
    predict_shape,
    shortest_fault,
)
from scoring.recomputation import Recomputed, RecomputedBranch, recompute
from scoring.shape import ErrorShape
from scoring.timing import Timing

__all__ = [
    "BranchPrediction",
    "CounterSeries",
    "Prediction",
    "Recomputed",
    "RecomputedBranch",
    "ErrorShape",
    "Timing",
    "limit",
    "lowest_ratio",
    "predict",
    "predict_shape",
    "recompute",
    "shortest_fault",
]
