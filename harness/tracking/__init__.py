"""Trackers of experiments (TensorBoard, Weights & Biases, MLflow, Trackio) that follow a run.

Each is an extra, and works in a process of its own (`worker`), which a `Follower` of the run talks to and gives up on
when it fails or hangs: whatever becomes of a tracker, the run stays what it is.
"""

from harness.tracking.asked import TRACKERS, AskedTracker, asked_trackers
from harness.tracking.follower import Follower
from harness.tracking.following import Followers
from harness.tracking.messages import EndOfTracking, Scored, StartOfTracking
from harness.tracking.series import Series

__all__ = [
    "TRACKERS",
    "AskedTracker",
    "EndOfTracking",
    "Follower",
    "Followers",
    "Scored",
    "Series",
    "StartOfTracking",
    "asked_trackers",
]
