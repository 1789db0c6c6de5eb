# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the debugging scripts share: `irqshift decode` as a server of words, and what /proc says of a VMM's KVM files.

The program is $IRQSHIFT, else the one in the build folder beside the scripts, else the one that was installed with
them, else the one in PATH.
"""
import json
import os
import re
import shutil
import subprocess


class DecodeError(Exception):
    pass


def find_irqshift():
    here = os.path.dirname(os.path.realpath(__file__))
    named = os.environ.get("IRQSHIFT")
    if named:
        return named
    for path in ("../build/irqshift", "../../bin/irqshift"):
        path = os.path.normpath(os.path.join(here, path))
        if os.access(path, os.X_OK):
            return path
    path = shutil.which("irqshift")
    if not path:
        raise DecodeError("no irqshift in PATH: build it, or name it in IRQSHIFT")
    return path


class Decoder:
    """The ioctls by number and name, and the words for their arguments."""

    def __init__(self):
        program = find_irqshift()
        try:
            listed = subprocess.run([program, "decode", "--list", "--json"], stdout=subprocess.PIPE, check=True)
            table = json.loads(listed.stdout)
            # of its own session: what a terminal sends to its foreground goes to the script alone
            self.server = subprocess.Popen([program, "decode", "--batch"], stdin=subprocess.PIPE,
                                           stdout=subprocess.PIPE, text=True, start_new_session=True)
        except (OSError, ValueError, subprocess.CalledProcessError) as e:
            raise DecodeError(f"{program} does not decode: {e}") from e
        self.by_number = {io["request"]: io for io in table["ioctls"]}
        self.by_name = {io["name"]: io for io in table["ioctls"]}
        self.msrs = table["msrs"]

    def text(self, name, data=b"", result=None, before=None):
        """Lines for the bytes at the third argument; with `before`, for what differs from those."""
        words = [name, "-" if result is None else str(result), data.hex() or "-"]
        if before is not None:
            words.append(before.hex())
        lines = []
        try:
            self.server.stdin.write(" ".join(words) + "\n")
            self.server.stdin.flush()
            for line in self.server.stdout:
                line = line.rstrip("\n")
                if line == ".":
                    return lines
                lines.append("  not decoded: " + line[2:] if line.startswith("? ") else line)
        except OSError as e:
            raise DecodeError(f"irqshift decode: {e}") from e
        raise DecodeError("irqshift decode ended")

    def close(self):
        self.server.stdin.close()
        self.server.stdout.close()
        self.server.wait()


def argument_size(io, head):
    """Bytes of an argument, by its first word where entries follow."""
    return io["size"] + (int.from_bytes(head[:4], "little") * io["entry"] if io["entry"] else 0)


def kvm_file(pid, fd):
    """What of KVM a descriptor of a process is: "vm", "vcpu 3", "kvm" for /dev/kvm; None for something else."""
    try:
        link = os.readlink(f"/proc/{pid}/fd/{fd}")
    except OSError:
        return None
    vcpu = re.match(r"anon_inode:\[?kvm-vcpu:(\d+)", link)
    if vcpu:
        return f"vcpu {vcpu[1]}"
    if re.match(r"anon_inode:\[?kvm-vm", link):
        return "vm"
    return "kvm" if link == "/dev/kvm" else None


def kvm_files(pid):
    """All descriptors of a process that are KVM's, as (fd, what) by rising number."""
    try:
        numbers = sorted(int(name) for name in os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return []
    return [(fd, what) for fd in numbers if (what := kvm_file(pid, fd))]
