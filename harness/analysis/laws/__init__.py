"""Which published law do these numbers follow? Pure functions from columns of numbers to laws, for notebooks.

| from | to | fit |
|---|---|---|
| scale | loss or error rate | `fit_power_law`, `fit_power_law_with_floor`, `fit_broken_power_law` |
| parameters and tokens | loss | `fit_chinchilla_law`, `fit_compute_loss_law`, `fit_overtraining_law` |
| loss | accuracy of one task, average error | `fit_task_accuracy_law`, `fit_average_error_law` |
| benchmark scores, or log compute | score of another task | `fit_observational_law`, `fit_sigmoid_law` |
| compute or loss | where a score leaves chance | `fit_hinge`, `fit_hinge_in_loss`, `loss_threshold`, `collapse` |
| scale and documents of tuning | where a score leaves chance, and would without tuning | `fit_tuning_law` |
| many samples per document | pass rates too small for one sample | `pass_rates`, `pass_until`, `fit_pass_rate_law` |

No verdict needs any of these; `emergence forecast` uses the power law with a floor.
"""

from harness.analysis.laws.exposure import fit_hinge
from harness.analysis.laws.loss_thresholds import collapse, fit_hinge_in_loss, loss_threshold, pooled_r2
from harness.analysis.laws.observational import (
    fit_imputer,
    fit_observational_law,
    fit_sigmoid_law,
    principal_components,
)
from harness.analysis.laws.overtraining import fit_average_error_law, fit_overtraining_law
from harness.analysis.laws.power_laws import (
    FEWEST_SIZES_FOR_A_BREAK,
    fit_broken_power_law,
    fit_power_law,
    fit_power_law_with_floor,
)
from harness.analysis.laws.rare_abilities import (
    fit_pass_rate_law,
    pass_rate_curvature,
    pass_rates,
    pass_until,
    probability_of_none_correct,
)
from harness.analysis.laws.tuning_amounts import fit_tuning_law
from harness.analysis.laws.two_steps import (
    accuracy_doubts,
    fit_chinchilla_law,
    fit_compute_loss_law,
    fit_task_accuracy_law,
    settled_checkpoints,
)
from harness.analysis.laws.types import (
    AverageErrorLaw,
    BrokenPowerLaw,
    ChinchillaLaw,
    Collapse,
    Components,
    ComputeLossLaw,
    Curvature,
    Hinge,
    Imputer,
    ObservationalLaw,
    OvertrainingLaw,
    PassRateLaw,
    PassUntil,
    SigmoidLaw,
    TaskAccuracyLaw,
    Threshold,
    TuningLaw,
)

__all__ = [
    "FEWEST_SIZES_FOR_A_BREAK",
    "AverageErrorLaw",
    "BrokenPowerLaw",
    "ChinchillaLaw",
    "Collapse",
    "Components",
    "ComputeLossLaw",
    "Curvature",
    "Hinge",
    "Imputer",
    "ObservationalLaw",
    "OvertrainingLaw",
    "PassRateLaw",
    "PassUntil",
    "SigmoidLaw",
    "TaskAccuracyLaw",
    "Threshold",
    "TuningLaw",
    "accuracy_doubts",
    "collapse",
    "fit_average_error_law",
    "fit_broken_power_law",
    "fit_chinchilla_law",
    "fit_compute_loss_law",
    "fit_hinge",
    "fit_hinge_in_loss",
    "fit_imputer",
    "fit_observational_law",
    "fit_overtraining_law",
    "fit_pass_rate_law",
    "fit_power_law",
    "fit_power_law_with_floor",
    "fit_sigmoid_law",
    "fit_task_accuracy_law",
    "fit_tuning_law",
    "loss_threshold",
    "pass_rate_curvature",
    "pass_rates",
    "pass_until",
    "pooled_r2",
    "principal_components",
    "probability_of_none_correct",
    "settled_checkpoints",
]
