"""Tables of OpenEuroLLM's evaluations: the columns are those that `oellm collect` and `oellm schedule` write.

The first table is as the tests of its users have it (chrF in percent beside shares, the model a path on a disk), the
second as a plan with two programs gives it.
"""

from __future__ import annotations

from pathlib import Path

COLLECTED = """\
model_name,task,n_shot,performance,metric_name
/scratch/me/small,flores200:swe_Latn-eng_Latn,0,42.5,chrf++
/scratch/me/small,global_mgsm_de,0,0.25,"exact_match,flexible-extract"
/scratch/me/small,arc_easy,0,0.375,"acc,none"
lab/large,arc_easy,unknown,0.5,"acc,none"
lab/large,arc_easy,10,0.625,"acc,none"
lab/large,arc_easy,10,0.75,"acc_norm,none"
"""
JOBS = """\
model_path,task_path,n_shot,eval_suite
/scratch/me/small,arc_easy,0,lm_eval
lab/large,arc_easy,10,lighteval
lab/large,hellaswag,10,lm_eval
"""
SIZES = ("--params", "small=70M", "--params", "large=1B")
DOCUMENTS = ("--documents", "flores200:swe_Latn-eng_Latn=1012", "--documents", "global_mgsm_de=250")


def oellm_table(folder: Path, *, collected: str = COLLECTED, jobs: str | None = None) -> Path:
    """The collected table, and the plan beside it where there is one."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "eval_results.csv"
    path.write_text(collected)
    if jobs is not None:
        (folder / "jobs.csv").write_text(jobs)
    return path
