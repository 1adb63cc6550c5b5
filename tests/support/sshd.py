"""An sshd of one's own on loopback: own keys, unprivileged port, own configuration."""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

RECIPE = "install it: apt-get install -y --no-install-recommends openssh-server openssh-client"


def missing_part() -> str:
    """Return why no server can be started here; empty when it can."""
    for name in ("ssh", "ssh-keygen"):
        if shutil.which(name) is None:
            return f"{name} is absent; {RECIPE}"
    if not Path("/usr/sbin/sshd").exists():
        return f"/usr/sbin/sshd is absent; {RECIPE}"
    if os.geteuid() == 0 and not _can_make(Path("/run/sshd")):
        return "/run/sshd cannot be made"
    return ""


def _can_make(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return True


class Sshd:
    """A server under a folder; `argv` gives the ssh line that runs a command through it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("hostkey", "userkey"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
        shutil.copy(folder / "userkey.pub", folder / "authorized_keys")
        (folder / "authorized_keys").chmod(0o600)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        config = folder / "sshd_config"
        config.write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder}/hostkey\n"
            f"AuthorizedKeysFile {folder}/authorized_keys\nPidFile {folder}/sshd.pid\nPasswordAuthentication no\n"
            "UsePAM no\nStrictModes no\nPermitRootLogin prohibit-password\nAcceptEnv TERM COLORTERM LANG LC_* XDG_*\n",
            encoding="ascii",
        )
        self._process = subprocess.Popen(
            ["/usr/sbin/sshd", "-D", "-f", str(config), "-E", str(folder / "sshd.log")],
            stdin=subprocess.DEVNULL,
        )
        self._wait_until_it_listens()

    def argv(self, command: str, *, port: int | None = None) -> list[str]:
        """Return the ssh line that runs a command on a terminal, by default straight, else through a proxy's port."""
        user = os.environ.get("USER") or os.environ.get("LOGNAME") or "root"
        return [
            "ssh", "-tt", "-p", str(port or self.port), "-i", str(self.folder / "userkey"), "-F", "/dev/null",
            "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
            f"{user}@127.0.0.1", command,
        ]  # fmt: skip

    def stop(self) -> None:
        """End the server; sessions end with their lines."""
        self._process.terminate()
        self._process.wait(timeout=10)

    def _wait_until_it_listens(self) -> None:
        end = time.monotonic() + 10
        while time.monotonic() < end:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            if self._process.poll() is not None:
                break
        raise RuntimeError(f"sshd did not start: {(self.folder / 'sshd.log').read_text(encoding='utf-8')}")
