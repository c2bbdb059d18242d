"""Runs of HELM as found in public: two of its own kind, with the structure of real ones and numbers of our own.

The structure is that of `tests/data/helm/` in evaleval/every_eval_ever, runs of HELM 0.5: one on HellaSwag with
options, one on NarrativeQA with texts and two splits. Each has `run_spec.json` and `stats.json`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PERTURBATIONS = (
    {"name": "robustness", "robustness": True, "fairness": False, "computed_on": "worst"},
    {"name": "fairness", "robustness": False, "fairness": True, "computed_on": "worst"},
)
_ROUND = {"num_train_trials": 1.0, "num_prompt_tokens": 631.5, "num_output_tokens": 1.0, "inference_runtime": 14.875}
_END = {"batch_size": 1.0, "finish_reason_length": 0.0, "finish_reason_unknown": 1.0, "prompt_truncated": 0.0}
_TEXT = {"max_prob": 1.0, "logprob": -2.5, "num_bytes": 2.0, "perplexity": 1.5, "bits_per_byte": 0.25}


def stat(name: str, mean: float | None, split: str, perturbation: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A statistic over one trial; one that nothing was counted for has no mean."""
    about = {"name": name, "split": split, **({"perturbation": perturbation} if perturbation else {})}
    if mean is None:
        return {"name": about, "count": 0, "sum": 0, "sum_squared": 0, "min": None, "max": None}
    same = {"sum": mean, "sum_squared": mean**2, "min": mean, "max": mean, "mean": mean}
    return {"name": about, "count": 1, **same, "variance": 0.0, "stddev": 0.0}


def run_spec(name: str, scenario: str, **adapter: Any) -> dict[str, Any]:
    """The spec of a run that computes the metrics of texts."""
    return {
        "name": name,
        "scenario_spec": {"class_name": f"helm.benchmark.scenarios.{scenario}", "args": {}},
        "adapter_spec": {
            "method": "generation",
            "global_prefix": "",
            "instructions": "",
            "input_prefix": "Question: ",
            "output_prefix": "Answer: ",
            "substitutions": [],
            "max_train_instances": 5,
            "max_eval_instances": 10,
            "num_outputs": 1,
            "num_train_trials": 1,
            "model_deployment": "huggingface/small",
            "model": "lab/small",
            "temperature": 0.0,
            "max_tokens": 100,
            "stop_sequences": ["\n"],
            **adapter,
        },
        "metric_specs": [
            {
                "class_name": "helm.benchmark.metrics.basic_metrics.BasicGenerationMetric",
                "args": {"names": ["exact_match", "quasi_exact_match", "f1_score"]},
            },
            {"class_name": "helm.benchmark.metrics.basic_metrics.BasicReferenceMetric", "args": {}},
            {"class_name": "helm.benchmark.metrics.basic_metrics.InstancesPerSplitMetric", "args": {}},
        ],
        "data_augmenter_spec": {"perturbation_specs": [], "seeds_per_instance": 1},
        "groups": ["hellaswag"],
    }


def options_run(folder: Path, **adapter: Any) -> Path:
    """`stats.json` of a run with four options, ten documents and perturbations."""
    name = "commonsense:dataset=hellaswag,method=multiple_choice_joint,model=lab_small"
    spec = run_spec(name, "commonsense_scenario.HellaSwagScenario", method="multiple_choice_joint", **adapter)
    plain = {**_ROUND, **_END, "num_references": 4.0, "num_train_instances": 5.0, **_TEXT}
    scores = {"exact_match": 0.25, "exact_match@5": 0.75, "quasi_exact_match": 0.5}
    stats = [stat(metric, mean, "valid") for metric, mean in {**plain, **scores}.items()]
    stats += [stat("training_co2_cost", None, "valid"), stat("num_instances", 10.0, "valid")]
    stats += [stat(metric, mean, "valid", one) for one in PERTURBATIONS for metric, mean in scores.items()]
    return _run(folder / name.replace("/", "_"), spec, stats)


def texts_run(folder: Path, **adapter: Any) -> Path:
    """`stats.json` of a run on texts with two splits, whose long documents left no room for demonstrations."""
    name = "narrative_qa:model=lab_small"
    spec = run_spec(name, "narrativeqa_scenario.NarrativeQAScenario", max_eval_instances=5, **adapter)
    stats = []
    for split, score in (("test", 0.375), ("valid", 0.125)):
        plain = {**_ROUND, **_END, "num_references": 2.0, "num_train_instances": 0.25, **_TEXT}
        scores = {"exact_match": 0.0, "quasi_exact_match": 0.0, "f1_score": score}
        stats += [stat(metric, mean, split) for metric, mean in {**plain, **scores}.items()]
        stats.append(stat("num_instances", 4.0 if split == "test" else 1.0, split))
    return _run(folder / name, spec, stats)


def _run(folder: Path, spec: Mapping[str, Any], stats: list[dict[str, Any]]) -> Path:
    folder.mkdir(parents=True)
    (folder / "run_spec.json").write_text(json.dumps(spec))
    (folder / "per_instance_stats.json").write_text("[]")
    path = folder / "stats.json"
    path.write_text(json.dumps(stats))
    return path
