"""What a training will need, before it starts: memory, time, whether it fits, and what would make it fit."""

from core.estimate.need import Estimate, Estimator

__all__ = ["Estimate", "Estimator"]
