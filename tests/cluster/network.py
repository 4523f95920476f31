"""Hosts on one switch, as network namespaces of Linux: each has a name, an address and a cable that can be pulled.

All of it lives in namespaces of this program alone (network, mounts, processes), so nothing of the machine's own
network is touched, and nothing is left however the program ends.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

# TEST-NET-1 of RFC 5737: addresses that no real network has.
HEAD_ADDRESS = "192.0.2.1"
SWITCH = "switch"
PRIVATE = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
INSIDE = "TESTS_CLUSTER_INSIDE"
# The name of a host is what the builder writes into its records, so each needs one of its own.
NAMED = 'echo "$0" > /proc/sys/kernel/hostname && exec "$@"'


def missing() -> str:
    """Why this machine cannot be divided into hosts; '' if it can."""
    if sys.platform != "linux":
        return "network namespaces are a thing of Linux"
    if os.geteuid() != 0:
        return "making network namespaces takes root; run it as root, e.g. in a container with --privileged"
    for program in ("ip", "unshare"):
        if shutil.which(program) is None:
            return f"the program {program} is not here: install Debian's iproute2 and util-linux"
    tried = subprocess.run(
        [*PRIVATE, "ip", "link", "add", "cable", "type", "veth"], capture_output=True, text=True
    )
    return f"this machine makes no namespaces ({tried.stderr.strip()})" if tried.returncode else ""


def is_inside() -> bool:
    """Whether this process has its namespaces already."""
    return INSIDE in os.environ


def run_inside(command: Sequence[str]) -> int:
    """Run a command in namespaces of its own, all of whose processes end with it; its exit status."""
    return subprocess.run([*PRIVATE, *command], env={**os.environ, INSIDE: "1"}, check=False).returncode


@dataclass(frozen=True)
class Host:
    """One host of the switch: the name, the address, and the switch's end of its cable."""

    name: str
    address: str
    port: str

    def command(self, *arguments: object) -> list[str]:
        """A command as it is run on this host."""
        here = ["ip", "netns", "exec", self.name, "unshare", "--uts", "sh", "-c", NAMED, self.name]
        return [*here, *map(str, arguments)]

    def pull_cable(self) -> None:
        """Cut the host off: it gets and sends nothing any more, and nobody is told."""
        _ip("link", "set", self.port, "down")

    def plug_cable(self) -> None:
        """Let it be reached again."""
        _ip("link", "set", self.port, "up")


def make_hosts(*names: str) -> tuple[Host, ...]:
    """A switch, which this process is connected to as HEAD_ADDRESS, and hosts on it; needs `run_inside`."""
    os.makedirs("/run/netns", exist_ok=True)
    # Not in the folder that all see: a name there would stay.
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run/netns"], check=True)
    _ip("link", "set", "lo", "up")
    _ip("link", "add", SWITCH, "type", "bridge")
    _ip("address", "add", f"{HEAD_ADDRESS}/24", "dev", SWITCH)
    _ip("link", "set", SWITCH, "up")
    return tuple(_make_host(name, number) for number, name in enumerate(names, 2))


def _make_host(name: str, number: int) -> Host:
    host = Host(name, f"192.0.2.{number}", f"port{number}")
    _ip("netns", "add", name)
    _ip("link", "add", host.port, "type", "veth", "peer", "name", "eth0", "netns", name)
    _ip("link", "set", host.port, "master", SWITCH)
    _ip("-n", name, "address", "add", f"{host.address}/24", "dev", "eth0")
    for device in ("lo", "eth0"):
        _ip("-n", name, "link", "set", device, "up")
    host.plug_cable()
    return host


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
