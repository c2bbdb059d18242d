"""Files of Every Eval Ever as found in public: each has the structure of a real one, with numbers of our own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

NAME = "f3a1c0de-4b2e-4c1a-9f6d-1b7e5a2c8d40"
"""Name of the files, a UUID."""


def leaderboard_record(**changes: Any) -> dict[str, Any]:
    """Schema 0.2.0, as its adapter of the Open LLM Leaderboard writes it.

    Structure of `tests/data/98ea850e-7019-4728-a558-8b1819ec47c2.json` in evaleval/every_eval_ever: no library, numbers
    among the details of the model, metrics without a name, neither shots nor documents.
    """

    def entry(name: str, repo: str, score: float, what: str = "Accuracy") -> dict[str, Any]:
        return {
            "evaluation_name": name,
            "source_data": {"dataset_name": name, "source_type": "hf_dataset", "hf_repo": repo},
            "metric_config": {
                "evaluation_description": f"{what} on {name}",
                "lower_is_better": False,
                "score_type": "continuous",
                "min_score": 0.0,
                "max_score": 1.0,
            },
            "score_details": {"score": score},
        }

    return {
        "schema_version": "0.2.0",
        "evaluation_id": "hfopenllm_v2/lab_small-8B/1770682486.623709",
        "retrieved_timestamp": "1770682486.623709",
        "source_metadata": {
            "source_name": "HF Open LLM v2",
            "source_type": "documentation",
            "source_organization_name": "Hugging Face",
            "evaluator_relationship": "third_party",
        },
        "model_info": {
            "name": "small-8B",
            "id": "lab/small-8B",
            "developer": "lab",
            "inference_platform": "unknown",
            "additional_details": {
                "precision": "bfloat16",
                "architecture": "LlamaForCausalLM",
                "params_billions": 8.25,
            },
        },
        "evaluation_results": [
            entry("IFEval", "google/IFEval", 0.4375),
            entry("MATH Level 5", "DigitalLearningGmbH/MATH-lighteval", 0.0625, what="Exact Match"),
        ],
        **changes,
    }


def converted_record(**changes: Any) -> dict[str, Any]:
    """Schema 0.3.0, as its converter of lm-eval writes it (`every_eval_ever/converters/lm_eval`).

    A metric has its description alone, shots stand in a text, a filter stands behind the name of the evaluation.
    """
    details = {"deployment_type": "unknown", "model_availability": "unknown", "num_parameters": "70426624"}
    config = {"evaluation_description": "exact_match (filter: strict-match)", "lower_is_better": False}
    return {
        "schema_version": "0.3.0",
        "evaluation_id": "gsm8k/lab/small/1772366400",
        "evaluation_timestamp": "1772366400",
        "retrieved_timestamp": "1772366401",
        "source_metadata": {
            "source_name": "lm-evaluation-harness",
            "source_type": "evaluation_run",
            "source_organization_name": "",
            "evaluator_relationship": "first_party",
        },
        "eval_library": {"name": "lm_eval", "version": "0.4.9"},
        "model_info": {
            "name": "lab/small",
            "id": "lab/small",
            "developer": "lab",
            "inference_engine": {"name": "transformers"},
            "additional_details": {**details, "dtype": "torch.float16", "revision": "step2000"},
        },
        "evaluation_results": [
            {
                "evaluation_name": "gsm8k/strict-match",
                "source_data": {
                    "dataset_name": "gsm8k",
                    "source_type": "hf_dataset",
                    "hf_repo": "openai/gsm8k",
                    "hf_split": "test",
                },
                "evaluation_timestamp": "1772366400",
                "metric_config": {**config, "score_type": "continuous", "min_score": 0.0, "max_score": 1.0},
                "score_details": {
                    "score": 0.5,
                    "uncertainty": {"standard_error": {"value": 0.25, "method": "bootstrap"}, "num_samples": 4},
                },
                "generation_config": {
                    "generation_args": {"temperature": 0.0, "max_tokens": 256},
                    "additional_details": {"until": '["\\n"]', "num_fewshot": "5"},
                },
            }
        ],
        **changes,
    }


def sample_row(number: int, *, score: float, **changes: Any) -> dict[str, Any]:
    """A row of a sample file, as the converter of lm-eval writes it: the result is named, and has no id."""
    answer = f"answer {number}"
    return {
        "schema_version": "0.3.0",
        "evaluation_id": "gsm8k/lab/small/1772366400",
        "model_id": "lab/small",
        "evaluation_name": "gsm8k/strict-match",
        "sample_id": str(number),
        "sample_hash": f"{number:064x}",
        "interaction_type": "single_turn",
        "input": {"raw": f"Q{number}", "formatted": None, "reference": [str(number)], "choices": None},
        "output": {"raw": [answer], "reasoning_trace": None},
        "messages": None,
        "answer_attribution": [
            {
                "turn_idx": 0,
                "source": "output.raw",
                "extracted_value": answer,
                "extraction_method": "strict-match",
                "is_terminal": True,
            }
        ],
        "evaluation": {"score": score, "is_correct": score == 1.0},
        "metadata": {"doc_hash": f"{number + 10:064x}", "prompt_hash": f"{number + 20:064x}", "filter": "strict-match"},
        **changes,
    }


def record_file(folder: Path, record: Mapping[str, Any], rows: Sequence[Mapping[str, Any]] = ()) -> Path:
    """The aggregate file of a record, and the sample file beside it, which it names with its hash."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{NAME}.json"
    if rows:
        content = "".join(json.dumps(row) + "\n" for row in rows).encode()
        (folder / f"{NAME}_samples.jsonl").write_bytes(content)
        named = {
            "format": "jsonl",
            "file_path": f"data/lab-runs/lab/small/{NAME}_samples.jsonl",
            "hash_algorithm": "sha256",
            "checksum": hashlib.sha256(content).hexdigest(),
            "total_rows": len(rows),
        }
        record = {**record, "detailed_evaluation_results": named}
    path.write_text(json.dumps(record))
    return path
