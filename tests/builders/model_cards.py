"""Files beside a model of the Hugging Face hub.

The structure is that of two published ones, whose names and numbers are others here: README.md of a model that the Open
LLM Leaderboard wrote its scores into, and `eval_results.yaml` of huggingface/hub-docs.
"""

from __future__ import annotations

from pathlib import Path

README = """---
license: apache-2.0
language:
- en
model-index:
- name: small
  results:
  - task:
      type: text-generation
      name: Text Generation
    dataset:
      name: arc_easy (25-Shot)
      type: lab/arc
      config: ARC-Easy
      split: test
      args:
        num_few_shot: 25
    metrics:
    - type: acc_norm
      value: 61.35
      name: normalized accuracy
      verified: false
    source:
      url: https://huggingface.co/spaces/lab/leaderboard?query=lab/small
      name: Open LLM Leaderboard
  - task:
      type: text-generation
      name: Text Generation
    dataset:
      name: sciq (0-Shot)
      type: lab/sciq
    metrics:
    - type: acc_norm
      value: 0.9
      name: normalized accuracy
    source:
      url: https://huggingface.co/spaces/lab/leaderboard?query=lab/small
      name: Open LLM Leaderboard
---

# Small

A model.
"""

EVAL_RESULTS = """- dataset:
    id: lab/gpqa                  # Required
    task_id: gpqa_diamond
    revision: 5503434ddd753f426f4b38109466949a1217c2bb
  value: 0.412
  verifyToken: eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9
  date: "2025-01-15"
  source:
    url: https://huggingface.co/spaces/lab/gpqa
    name: Eval traces
    user: lab
  notes: "no-tools"
"""


def readme(folder: Path, text: str = README) -> Path:
    """The README.md of a model."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "README.md"
    path.write_text(text)
    return path


def eval_results(folder: Path, text: str = EVAL_RESULTS) -> Path:
    """A file of `.eval_results` of a model."""
    path = folder / ".eval_results" / "gpqa.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path
