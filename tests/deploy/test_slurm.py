"""Scripts for Slurm, run with stand-ins for its commands: what they start, and how they end before their limit."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.builders.commands import Emergence

SRUN = """#!/bin/bash
echo "srun $*" >> "$CALLS"
while [ $# -gt 0 ]; do case "$1" in --*) shift;; *) break;; esac; done
exec "$@"
"""
EMERGENCE = """#!/bin/bash
echo "emergence $*" >> "$CALLS"
trap 'echo "emergence SIGTERM" >> "$CALLS"; sleep 0.3; exit 130' TERM
[ "$1 ${PREPARE:-}" != "prepare linger" ] && [ "$1" = prepare ] && exit "$PREPARE"
# a real run lasts longer than the other node takes to join
joined() { grep -q "^ray start --address" "$CALLS"; }
case "$*" in *--address*) for i in $(seq 100); do joined && break; sleep 0.05; done;; esac
[ -z "${LINGER:-}" ] && exit 1
for i in $(seq 600); do sleep 0.05; done
"""
RAY = """#!/bin/bash
echo "ray $*" >> "$CALLS"
case "$*" in *--head*) exec python3 -c "
import socket, sys, time
port = int([a for a in sys.argv if a.startswith('--port=')][0][7:])
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('127.0.0.1', port)); s.listen()
time.sleep(60)" "$@";; esac
exec sleep 60
"""
STANDINS = {
    "srun": SRUN,
    "emergence": EMERGENCE,
    "ray": RAY,
    "scontrol": '#!/bin/bash\necho "scontrol $*" >> "$CALLS"\n[ "$1" = show ] && printf "n1\\nn2\\n"\nexit 0\n',
    "hostname": "#!/bin/bash\necho 127.0.0.1 10.0.0.7\n",
    "sleep": '#!/bin/bash\n[ "$1" = 20 ] || exec /bin/sleep "$1"\n',  # nobody waits for nodes here
}


@pytest.fixture
def slurm(tmp_path: Path) -> dict[str, str]:
    """An environment in which Slurm's commands are stand-ins that write down how they were called."""
    commands = tmp_path / "commands"
    commands.mkdir()
    for name, text in STANDINS.items():
        (commands / name).write_text(text)
        (commands / name).chmod(0o755)
    job = {
        "SLURM_JOB_ID": "4242",
        "SLURM_JOB_NODELIST": "n[1-2]",
        "SLURM_ARRAY_JOB_ID": "77",
        "SLURM_ARRAY_TASK_ID": "3",
    }
    return {**os.environ, **job, "PATH": f"{commands}:{os.environ['PATH']}", "CALLS": str(tmp_path / "calls.txt")}


def calls(slurm: dict[str, str], beginning: str) -> list[str]:
    path = Path(slurm["CALLS"])
    return [line for line in path.read_text().splitlines() if line.startswith(beginning)] if path.exists() else []


def started(script: Path, slurm: dict[str, str]) -> subprocess.Popen[str]:
    """The script, as soon as it has begun the run."""
    job = subprocess.Popen(["bash", script], env=slurm, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    for _ in range(300):
        if calls(slurm, "emergence run"):
            return job
        time.sleep(0.05)
    raise TimeoutError(job.communicate()[0])


@pytest.mark.processes
def test_an_array_runs_slices_and_queues_again_before_its_limit(
    emergence: Emergence, slurm: dict[str, str], tmp_path: Path
) -> None:
    script = tmp_path / "array.sh"
    assert emergence("slurm", "--array", "16", "-o", script, "--", "--suite", "qa", "--results", "my results").code == 0
    job = started(script, {**slurm, "LINGER": "yes"})
    job.send_signal(signal.SIGUSR1)
    said, _ = job.communicate(timeout=20)
    assert job.returncode == 130, said
    assert calls(slurm, "emergence") == [
        "emergence run --suite qa --results my results --executor inline --slice 3/16",
        "emergence SIGTERM",
    ]
    assert calls(slurm, "scontrol") == ["scontrol requeue 77_3"]
    assert "#SBATCH --array=1-16" in script.read_text().splitlines()


@pytest.mark.processes
def test_a_job_starts_ray_over_its_nodes_and_ends_as_the_run_does(
    emergence: Emergence, slurm: dict[str, str], tmp_path: Path
) -> None:
    script = tmp_path / "job.sh"
    options = ("--nodes", "2", "--gpus-per-node", "8", "--time", "24:00:00", "--container", "img:1")
    assert emergence("slurm", *options, "-o", script, "--", "--suite", "qa").code == 0
    job = started(script, slurm)
    said, _ = job.communicate(timeout=20)
    assert job.returncode == 1, said
    port = 20000 + 4242 * 4
    head, other = calls(slurm, "ray start")
    assert f"--head --node-ip-address=127.0.0.1 --port={port} --temp-dir=" in head
    assert "/emergence-4242 " in head
    assert "--num-gpus=8" in head
    assert other.startswith(f"ray start --address=127.0.0.1:{port} --block")
    assert calls(slurm, "emergence") == [f"emergence run --suite qa --address 127.0.0.1:{port}"]
    assert all("--container-image=img:1" in call for call in calls(slurm, "srun"))
    assert calls(slurm, "scontrol requeue") == []
    assert {"#SBATCH --nodes=2", "#SBATCH --gpus-per-node=8", "#SBATCH --time=24:00:00", "#SBATCH --requeue"} <= {
        *script.read_text().splitlines()
    }


@pytest.mark.processes
@pytest.mark.parametrize("fails", [False, True])
def test_models_are_downloaded_on_one_node_before_ray_is_started(
    emergence: Emergence, slurm: dict[str, str], tmp_path: Path, *, fails: bool
) -> None:
    script = tmp_path / "job.sh"
    run = ("--suite", "qa", "--mirror", "/shared/my mirror")
    assert emergence("slurm", "--nodes", "2", "--prefetch", "-o", script, "--", *run).code == 0
    job = subprocess.Popen(["bash", script], env={**slurm, "PREPARE": "3" if fails else "0"}, stderr=subprocess.PIPE)
    _, said = job.communicate(timeout=20)
    assert job.returncode == (3 if fails else 1), said
    did = [line for line in Path(slurm["CALLS"]).read_text().splitlines() if not line.startswith("srun")]
    assert did[0] == "emergence prepare --suite qa --mirror /shared/my mirror"
    if fails:
        assert len(did) == 1
    else:
        assert any(line.startswith("ray start --head") for line in did[1:])
        assert did[-1].startswith("emergence run --suite qa --mirror /shared/my mirror --address")


@pytest.mark.processes
def test_a_download_that_takes_too_long_queues_again(
    emergence: Emergence, slurm: dict[str, str], tmp_path: Path
) -> None:
    script = tmp_path / "job.sh"
    assert emergence("slurm", "--prefetch", "-o", script, "--", "--suite", "qa", "--mirror", "m").code == 0
    job = subprocess.Popen(["bash", script], env={**slurm, "LINGER": "yes", "PREPARE": "linger"})
    for _ in range(300):
        if calls(slurm, "emergence prepare"):
            break
        time.sleep(0.05)
    job.send_signal(signal.SIGUSR1)
    assert job.wait(timeout=20) == 130
    assert calls(slurm, "scontrol") == ["scontrol requeue 4242"]
    assert calls(slurm, "ray") == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--prefetch", "--", "--suite", "qa"), "--prefetch: expected --mirror DIR among the options"),
        (
            ("--prefetch", "--array", "4", "--", "--suite", "qa", "--mirror", "m"),
            "run this first, where there is a network: emergence prepare --suite qa --mirror m",
        ),
        (
            ("--array", "4", "--nodes", "2", "--", "--suite", "qa"),
            "--array 4 --nodes 2: jobs of an array have one node",
        ),
        (("--", "--suite", "qa", "--address=auto"), "--address=auto: the script sets it"),
        (("--", "--suit", "qa"), "No such option: --suit"),
        (("--name", "a\nb", "--", "--suite", "qa"), "expected letters, digits and -:._/"),
        (("--submit", "--", "--suite", "qa"), "--submit: expected -o FILE too"),
    ],
)
def test_what_would_fail_in_the_queue_is_refused_now(emergence: Emergence, options: tuple[str, ...], said: str) -> None:
    done = emergence("slurm", *options)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_without_slurm_submitting_is_one_line(
    emergence: Emergence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = emergence("slurm", "--submit", "-o", tmp_path / "job.sh", "--", "--suite", "qa")
    assert (done.code, done.err) == (2, "error: no sbatch here: submit the script on a login node of the cluster\n")
    assert (tmp_path / "job.sh").exists()


def test_sbatch_gets_the_script(emergence: Emergence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sbatch").write_text('#!/bin/sh\necho "Submitted batch job 12 for $1"\n')
    (tmp_path / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    done = emergence("slurm", "--submit", "-o", tmp_path / "job.sh", "--", "--suite", "qa")
    assert (done.code, done.err) == (0, f"Submitted batch job 12 for {tmp_path}/job.sh\n")
