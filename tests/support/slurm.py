"""A Slurm of one node of one's own: munged, slurmctld and slurmd, everything under a folder, ended by process id."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

RECIPE = "as root: apt-get install -y --no-install-recommends slurm-wlm munge"
_PATIENCE_S = 20.0
_PARTS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "sinfo")


def missing_part() -> str:
    """Return why no Slurm can be started here; empty when one can."""
    for name in _PARTS:
        if _found(name) is None:
            return f"{name} is absent; {RECIPE}"
    if os.geteuid() != 0:
        return f"its daemons need root; {RECIPE}"
    return ""


def _found(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Slurm:
    """A running Slurm; `conf` goes into SLURM_CONF of everything that talks to it."""

    def __init__(self, folder: Path, *, n_cpus: int = 2) -> None:
        self.folder = folder
        self.conf = folder / "slurm.conf"
        self._processes: list[subprocess.Popen[bytes]] = []
        folder.mkdir(parents=True)
        try:
            self._start(n_cpus)
        except BaseException:
            self.stop()
            raise

    def tell(self, *words: str) -> str:
        """Return what one of Slurm's tools prints."""
        environment = os.environ | {"SLURM_CONF": str(self.conf)}
        done = subprocess.run(words, capture_output=True, text=True, env=environment, timeout=30, check=False)
        return done.stdout if done.returncode == 0 else ""

    def jobs(self) -> tuple[str, ...]:
        """Return the ids of jobs that wait or run."""
        return tuple(self.tell("squeue", "--noheader", "--format=%i").split())

    def running_jobs(self) -> tuple[str, ...]:
        """Return the ids of jobs that run."""
        return tuple(self.tell("squeue", "--noheader", "--states=R", "--format=%i").split())

    def stop(self) -> None:
        """End everything that was started, jobs first."""
        if self.jobs():
            self.tell("scancel", *self.jobs())
            end = time.monotonic() + _PATIENCE_S
            while self.jobs() and time.monotonic() < end:
                time.sleep(0.1)
        for process in reversed(self._processes):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _start(self, n_cpus: int) -> None:
        place, name = self.folder, socket.gethostname()
        key = place / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        self._run(
            "munged",
            "--foreground",
            "--force",
            f"--key-file={key}",
            f"--socket={place}/munge.socket",
            f"--pid-file={place}/munge.pid",
            f"--log-file={place}/munged.log",
            f"--seed-file={place}/munge.seed",
        )
        self._until((place / "munge.socket").exists, "munged listens")
        for one in ("state", "spool"):
            (place / one).mkdir()
        lines = {
            "ClusterName": "test",
            "SlurmctldHost": f"{name}(127.0.0.1)",
            "SlurmUser": "root",
            "SlurmdUser": "root",
            "AuthType": "auth/munge",
            "AuthInfo": f"socket={place}/munge.socket",
            "CredType": "cred/munge",
            "SlurmctldPort": _free_port(),
            "SlurmdPort": _free_port(),
            "StateSaveLocation": place / "state",
            "SlurmdSpoolDir": place / "spool",
            "SlurmctldPidFile": place / "slurmctld.pid",
            "SlurmdPidFile": place / "slurmd.pid",
            "SlurmctldLogFile": place / "slurmctld.log",
            "SlurmdLogFile": place / "slurmd.log",
            "ProctrackType": "proctrack/linuxproc",
            "TaskPlugin": "task/none",
            "SelectType": "select/cons_tres",
            "SelectTypeParameters": "CR_Core",
            "SwitchType": "switch/none",
            "MpiDefault": "none",
            "ReturnToService": 2,
            "AccountingStorageType": "accounting_storage/none",
            "JobCompType": "jobcomp/none",
            "KillWait": 2,
            "SchedulerParameters": "sched_interval=1,batch_sched_delay=0",
        }
        text = "".join(f"{key}={value}\n" for key, value in lines.items())
        # More CPUs than the machine may have: workers of tests wait more than they compute.
        text += f"NodeName={name} NodeAddr=127.0.0.1 CPUs={n_cpus} RealMemory=2000 State=UNKNOWN\n"
        text += "PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP\n"
        self.conf.write_text(text + "SlurmdParameters=config_overrides\n", encoding="ascii")
        self._run("slurmctld", "-D", "-f", str(self.conf))
        self._run("slurmd", "-D", "-f", str(self.conf))
        self._until(lambda: "idle" in self.tell("sinfo", "--noheader", "--format=%T"), "the node is idle")

    def _run(self, name: str, *words: str) -> None:
        log = (self.folder / f"{name}.out").open("wb")
        environment = os.environ | {"SLURM_CONF": str(self.conf)}
        program = _found(name)
        assert program is not None
        with log:
            self._processes.append(
                subprocess.Popen(
                    [program, *words],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=environment,
                    start_new_session=True,
                )
            )

    def _until(self, condition: "object", what: str) -> None:
        end = time.monotonic() + _PATIENCE_S
        while not condition():  # type: ignore[operator]  # a plain callable
            fallen = [one for one in self._processes if one.poll() is not None]
            if fallen or time.monotonic() > end:
                logs = "\n".join(one.read_text(errors="replace")[-1500:] for one in self.folder.glob("*.out"))
                raise RuntimeError(f"not reached: {what}\n{logs}")
            time.sleep(0.05)


@contextlib.contextmanager
def running_slurm(folder: Path) -> Iterator[Slurm]:
    """Run a Slurm for a while, known to this process and its children."""
    slurm = Slurm(folder)
    before = os.environ.get("SLURM_CONF")
    os.environ["SLURM_CONF"] = str(slurm.conf)
    try:
        yield slurm
    finally:
        if before is None:
            os.environ.pop("SLURM_CONF", None)
        else:
            os.environ["SLURM_CONF"] = before
        slurm.stop()
