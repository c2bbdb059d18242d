"""Scripts for Slurm: a job that starts Ray over its nodes, or an array of jobs without Ray, each with a slice."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.errors import MachineError


@dataclass(frozen=True, kw_only=True, slots=True)
class SlurmJob:
    """What is asked of Slurm."""

    run: tuple[str, ...]
    """Options of `emergence run`."""
    name: str = "emergence"
    """Name of the job."""
    nodes: int = 1
    """Number of nodes of one job."""
    gpus_per_node: int = 0
    """GPUs of each node."""
    cpus_per_node: int | None = None
    """CPUs of each node; None leaves it to the cluster."""
    time: str | None = None
    """Time limit as Slurm writes it, such as `24:00:00`; None leaves it to the cluster."""
    partition: str | None = None
    """Partition; None for the default one."""
    account: str | None = None
    """Account that pays; None for the default one."""
    container: str | None = None
    """Image in which everything runs (pyxis' `--container-image`); None for none."""
    prefetch: bool = False
    """True to fill the mirror that the run names, on the first node, before Ray is started."""
    slices: int | None = None
    """Jobs of an array without Ray; None for one job with Ray."""
    notice_seconds: int = 120
    """Time before the limit at which the job stops, to be put back into the queue."""


def script(job: SlurmJob) -> str:
    """The script for sbatch.

    A job ends before its time limit and puts itself back into the queue, to go on with what is missing. Its ports, its
    token and its temporary folder are its own, so that several jobs may share a node.
    """
    return "".join(f"{line}\n" for line in (*_head(job), *(_array(job) if job.slices else _with_ray(job))))


def submit(path: str) -> str:
    """Give a script to Slurm; what sbatch says.

    Raises:
        MachineError: there is no sbatch here, or it refuses.
    """
    try:
        done = subprocess.run(["sbatch", path], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise MachineError("no sbatch here: submit the script on a login node of the cluster") from error
    if done.returncode:
        raise MachineError(f"sbatch refused {path}: {' '.join(done.stderr.split())}")
    return done.stdout.strip()


def _head(job: SlurmJob) -> Iterator[str]:
    yield "#!/bin/bash"
    yield f"#SBATCH --job-name={job.name}"
    yield f"#SBATCH --nodes={job.nodes}"
    yield "#SBATCH --ntasks-per-node=1"
    wanted = {
        "gpus-per-node": job.gpus_per_node or None,
        "cpus-per-task": job.cpus_per_node,
        "time": job.time,
        "partition": job.partition,
        "account": job.account,
        "array": f"1-{job.slices}" if job.slices else None,
    }
    yield from (f"#SBATCH --{name}={value}" for name, value in wanted.items() if value is not None)
    yield f"#SBATCH --signal=B:USR1@{job.notice_seconds}"
    yield "#SBATCH --requeue"
    yield "#SBATCH --open-mode=append"
    yield f"#SBATCH --output={job.name}-{'%A_%a' if job.slices else '%j'}.log"
    yield "set -u"
    yield "export PYTHONUNBUFFERED=1"


def _array(job: SlurmJob) -> Iterator[str]:
    """Each job of the array answers its slice in one process; results meet in the folder."""
    srun = _srun(job, "--ntasks=1")
    yield from _notice()
    yield f'{srun} emergence run {shlex.join(job.run)} --executor inline --slice "$SLURM_ARRAY_TASK_ID/{job.slices}" &'
    yield "await"
    yield from _end('"${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"')


def _with_ray(job: SlurmJob) -> Iterator[str]:
    """Ray over all nodes of the job, and the run on the first of them."""
    yield from _notice()
    if job.prefetch:
        yield "# models and data sets first, on one node alone"
        yield f"{_srun(job, '--nodes=1', '--ntasks=1')} emergence prepare {shlex.join(job.run)} &"
        yield "await"
        yield 'if [ -n "$again" ] || [ "$code" != 0 ]; then'
        yield from (f"  {line}" for line in _end('"$SLURM_JOB_ID"'))
        yield "fi"
    yield "# ports and folder of this job alone"
    yield "port=$((20000 + SLURM_JOB_ID % 10000 * 4))"
    yield 'folder="${TMPDIR:-/tmp}/emergence-$SLURM_JOB_ID"'
    yield "export RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0"
    yield "RAY_AUTH_TOKEN=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \\n')"
    yield "export RAY_AUTH_TOKEN"
    yield 'first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)'
    one = f'{_srun(job, "--overlap", "--nodes=1", "--ntasks=1")} --nodelist="$first"'
    yield f"ip=$({one} hostname --ip-address | cut -d' ' -f1)"
    yield 'ports="--dashboard-agent-listen-port=$((port + 1)) --metrics-export-port=$((port + 2))"'
    cpus = f" --num-cpus={job.cpus_per_node}" if job.cpus_per_node else ""
    options = f"--block $ports --num-gpus={job.gpus_per_node}{cpus}"
    yield (
        f'{one} ray start --head --node-ip-address="$ip" --port="$port" --temp-dir="$folder" '
        f"--include-dashboard=false {options} &"
    )
    yield "head=$!"
    yield 'until (exec 3<>"/dev/tcp/$ip/$port") 2>/dev/null; do kill -0 "$head" || exit 1; sleep 1; done'
    if job.nodes > 1:
        others = _srun(job, "--overlap", f"--nodes={job.nodes - 1}", f"--ntasks={job.nodes - 1}")
        yield f'{others} --exclude="$first" ray start --address="$ip:$port" {options} &'
        yield "# nodes that come later than this are used as they come"
        yield "sleep 20"
    yield f'{one} emergence run {shlex.join(job.run)} --address "$ip:$port" &'
    yield "await"
    yield from _end('"$SLURM_JOB_ID"')


def _srun(job: SlurmJob, *options: str) -> str:
    container = [f"--container-image={job.container}"] if job.container else []
    return shlex.join(["srun", *options, *container])


def _notice() -> Iterator[str]:
    """What ends a command in time: cells that are being answered come back, and the job queues again."""
    yield "run= again= code=0"
    yield 'finish() { if [ -n "$run" ]; then kill -TERM "$run" 2>/dev/null; fi; }'
    yield "trap 'again=yes; finish' USR1"
    yield "trap finish TERM"
    yield "# wait for the command that was just started; a signal ends wait, and the command a little later"
    yield "await() {"
    yield "  run=$!"
    yield '  if [ -n "$again" ]; then finish; fi'
    yield '  while wait "$run"; code=$?; kill -0 "$run" 2>/dev/null; do :; done'
    yield "}"


def _end(job_id: str) -> Iterator[str]:
    """Queue the job again, if it was told to end, and end all that it started."""
    yield f'if [ -n "$again" ]; then scontrol requeue {job_id}; fi'
    yield "others=$(jobs -p)"
    yield 'if [ -n "$others" ]; then kill $others 2>/dev/null; fi'
    yield 'exit "$code"'


def conflicts(options: Sequence[str]) -> str | None:
    """The first option of a run that the script sets itself; None when there is none."""
    mine = ("--address", "--slice", "--executor")
    return next((text for text in options if text.partition("=")[0].replace("_", "-") in mine), None)
