# SPDX-License-Identifier: LGPL-2.1-or-later
"""gdb commands that show the irqchip of a VMM that gdb has attached to:

    gdb -nx -p PID -x irqchip-gdb.py

    irqshift vms           the KVM descriptors of the process
    irqshift lapic [N]     the LAPIC of vCPU N, of all without N
    irqshift events [N]    its pending and injected events
    irqshift msrs [N]      TSC, TSC deadline, and what else of MSRs belongs to interrupts
    irqshift ioapic        the IOAPIC
    irqshift pic           the two PICs
    irqshift pit           the PIT
    irqshift get IOCTL [N] any KVM_GET_* that `irqshift decode --list` has

KVM answers only to the process that owns the VM, so the ioctl is made by the thread that gdb has selected: at a system
call instruction that it or another thread just came from, stepped over once, with nothing else of the process
running. No symbols are needed. The buffer is on its stack, below the red zone; registers and bytes are put back.

gdb took all threads out of KVM_RUN when it attached, and lets the process go on when it detaches. If a seccomp filter of
the process forbids an ioctl to one thread, select another (`thread N`).
"""
import contextlib
import os
import struct
import sys

import gdb

sys.dont_write_bytecode = True  # not beside the scripts
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from irqshift_decode import DecodeError, Decoder, argument_size, kvm_files  # noqa: E402

NR_IOCTL = 16
SIGTRAP, SIGSTOP = 5, 19
RED_ZONE = 128
SYSCALL = b"\x0f\x05"
CHIPS = {"pic": (0, 1), "ioapic": (2,)}
MSR_HEAD = 8


@contextlib.contextmanager
def quiet():
    """gdb before 12 says where a step ended, whatever it is told."""
    name = "suppress-cli-notifications"
    try:
        before = gdb.parameter(name)
    except RuntimeError:
        before = None
    if before is not None:
        gdb.execute(f"set {name} on")
    yield
    if before is not None:
        gdb.execute(f"set {name} {'on' if before else 'off'}")


class Borrowed:
    """The selected thread, about to make system calls for us. Everything is put back at the end of the `with`."""

    REGISTERS = ("rax", "rdi", "rsi", "rdx", "rcx", "r11", "rip")

    def __init__(self, size):
        self.size = (size + 15) & ~15
        self.inferior = gdb.selected_inferior()

    @staticmethod
    def get(name):
        return int(gdb.parse_and_eval(f"(unsigned long)${name}")) & (1 << 64) - 1

    @staticmethod
    def set(name, value):
        gdb.execute(f"set ${name} = {value:#x}", to_string=True)

    def instruction(self):
        """Address of a system call instruction: before the place where a thread waits in one."""
        chosen = gdb.selected_thread()
        try:
            for thread in [chosen] + list(self.inferior.threads()):
                thread.switch()
                at = self.get("rip") - len(SYSCALL)
                try:
                    if bytes(self.inferior.read_memory(at, len(SYSCALL))) == SYSCALL:
                        return at
                except gdb.MemoryError:
                    pass
        finally:
            chosen.switch()
        raise gdb.GdbError("no thread of the process is in a system call: continue and interrupt it once")

    def buffer(self):
        """Room on the stack that is there already: gdb's writes do not make a stack grow."""
        sp = self.get("rsp")
        at = (sp - RED_ZONE - self.size) & ~15
        try:
            self.inferior.read_memory(at, self.size)
        except gdb.MemoryError:
            raise gdb.GdbError("no room on the stack of this thread: select another (`thread N`)") from None
        return at

    @staticmethod
    def no_signal():
        """One that gdb holds for the thread would be delivered first, and its handler would be cut off."""
        try:
            number = int(gdb.parse_and_eval("$_siginfo.si_signo"))
        except gdb.error:
            return
        if number not in (0, SIGTRAP, SIGSTOP):
            raise gdb.GdbError(f"the thread has stopped with signal {number}, which it has not taken yet: continue and "
                               "interrupt it, or select another (`thread N`)")

    def __enter__(self):
        if gdb.selected_thread() is None or not gdb.selected_thread().is_stopped():
            raise gdb.GdbError("no stopped thread is selected")
        self.no_signal()
        gdb.newest_frame().select()
        self.at = self.instruction()
        self.arg = self.buffer()
        self.locking = gdb.parameter("scheduler-locking")
        gdb.execute("set scheduler-locking on", to_string=True)
        self.bytes = bytes(self.inferior.read_memory(self.arg, self.size))
        self.saved = {name: self.get(name) for name in self.REGISTERS + ("orig_rax",)}
        return self

    def __exit__(self, *failure):
        self.inferior.write_memory(self.arg, self.bytes)
        for name in self.REGISTERS:
            self.set(name, self.saved[name])
        # last, as gdb forgets an interrupted system call when rip is written: the kernel goes on with it by this
        self.set("orig_rax", self.saved["orig_rax"])
        gdb.execute(f"set scheduler-locking {self.locking}", to_string=True)

    def ioctl(self, fd, request, data):
        """Returns its result (-errno) and the bytes after it."""
        self.inferior.write_memory(self.arg, data)
        for name, value in (("rip", self.at), ("rax", NR_IOCTL), ("rdi", fd), ("rsi", request), ("rdx", self.arg),
                            ("orig_rax", (1 << 64) - 1)):
            self.set(name, value)
        with quiet():
            gdb.execute("stepi", to_string=True)
        if self.get("rip") != self.at + len(SYSCALL):
            raise gdb.GdbError("a signal came first, nothing was asked: continue and interrupt the process, or select "
                               "another thread (`thread N`)")
        result = self.get("rax")
        result -= (1 << 64) if result >> 63 else 0
        return result, bytes(self.inferior.read_memory(self.arg, len(data)))


def files(kind, number=None):
    found = [(fd, what) for fd, what in kvm_files(gdb.selected_inferior().pid)
             if what.split()[0] == kind and (number is None or what == f"{kind} {number}")]
    if not found:
        raise gdb.GdbError("the process has no " + {"vm": "VM", "vcpu": "vCPU"}[kind] +
                           ("" if number is None else f" {number}"))
    return found


def errno_text(result):
    return f"{-result} ({os.strerror(-result)})"


class Irqshift(gdb.Command):
    __doc__ = __doc__

    def __init__(self):
        super().__init__("irqshift", gdb.COMMAND_DATA)
        self.decoder = None

    def complete(self, _text, _word):
        return [name for name in self.ACTIONS if name.startswith(_text)]

    def show(self, fd, what, name, given=None):
        """Make the ioctl on one descriptor and print what it gave."""
        io = self.decoder.by_name[name]
        given = given or bytes(io["size"])
        with Borrowed(len(given)) as thread:
            result, data = thread.ioctl(fd, io["request"], given)
        print(f"{what}, fd {fd}: {name}" + (f": {errno_text(result)}" if result < 0 else ""))
        if result >= 0:
            print("\n".join("  " + line for line in self.decoder.text(name, data, result)))

    def vms(self, _number):
        pid = gdb.selected_inferior().pid
        for fd, what in kvm_files(pid):
            print(f"fd {fd:<4} {'/dev/kvm' if what == 'kvm' else what}")
        if sum(what == "vm" for _, what in kvm_files(pid)) > 1:
            print("more than one VM: the kernel does not say to which of them a vCPU belongs")

    def of_vcpus(self, name, number, given=None):
        for fd, what in files("vcpu", number):
            self.show(fd, what, name, given)

    def lapic(self, number):
        self.of_vcpus("KVM_GET_LAPIC", number)

    def events(self, number):
        self.of_vcpus("KVM_GET_VCPU_EVENTS", number)

    def msrs(self, number):
        """One by one: KVM_GET_MSRS ends at the first that this KVM does not have."""
        io = self.decoder.by_name["KVM_GET_MSRS"]
        for fd, what in files("vcpu", number):
            had = []
            with Borrowed(argument_size(io, struct.pack("<I", 1))) as thread:
                for msr in self.decoder.msrs:
                    given = struct.pack("<IIIIQ", 1, 0, msr["index"], 0, 0)
                    result, data = thread.ioctl(fd, io["request"], given)
                    had += [data[MSR_HEAD:]] if result == 1 else []
            print(f"{what}, fd {fd}: KVM_GET_MSRS, {len(had)} of {len(self.decoder.msrs)}")
            data = struct.pack("<II", len(had), 0) + b"".join(had)
            print("\n".join("  " + line for line in self.decoder.text(io["name"], data, len(had))))

    def chips(self, which, number):
        no_number(number)
        for fd, what in files("vm"):
            for chip in CHIPS[which]:
                size = self.decoder.by_name["KVM_GET_IRQCHIP"]["size"]
                self.show(fd, what, "KVM_GET_IRQCHIP", struct.pack("<I", chip) + bytes(size - 4))

    def pic(self, number):
        self.chips("pic", number)

    def ioapic(self, number):
        self.chips("ioapic", number)

    def pit(self, number):
        no_number(number)
        for fd, what in files("vm"):
            self.show(fd, what, "KVM_GET_PIT2")

    def any(self, name, number):
        io = self.decoder.by_name.get(name)
        if not io or not name.startswith("KVM_GET_") or io["arg"] != "out":
            names = [n for n, i in self.decoder.by_name.items() if n.startswith("KVM_GET_") and i["arg"] == "out"]
            raise gdb.GdbError(f"{name}: it is none of these: {' '.join(names)}")
        for fd, what in files(io["target"], number):
            self.show(fd, what, name)

    ACTIONS = {"vms": vms, "lapic": lapic, "events": events, "msrs": msrs, "ioapic": ioapic, "pic": pic, "pit": pit,
               "get": any}

    def invoke(self, argument, _from_tty):
        words = gdb.string_to_argv(argument)
        action = words.pop(0) if words else ""
        names = [words.pop(0)] if action == "get" and words else []
        if action not in self.ACTIONS or len(words) > 1 or words and not words[0].isdigit() or \
                len(names) != (action == "get"):
            raise gdb.GdbError("irqshift " + " | ".join(self.ACTIONS) + " (`help irqshift` says more)")
        if not gdb.selected_inferior().pid:
            raise gdb.GdbError("attach to a VMM first: gdb -p PID")
        try:
            self.decoder = self.decoder or Decoder()
            self.ACTIONS[action](self, *names, int(words[0]) if words else None)
        except DecodeError as e:
            raise gdb.GdbError(str(e)) from e


def no_number(number):
    if number is not None:
        raise gdb.GdbError("of the VM, not of a vCPU: no number")


Irqshift()
