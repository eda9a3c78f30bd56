"""gdb commands that know jsix: processors, threads, page tables, symbols of programs.

Load with `gdb -x scripts/gdb/jsix.py`, or let `scripts/run --gdb` print the whole command. Nothing
here changes the target's state. The names of kernel structures stand in one place, the accessors
of PerCpu and Thread below; docs/debugging.md has the tour.
"""

import os
import re

import gdb

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MODULE = "kernel::arch::x86_64::percpu"

# The name that builds give the repository, wherever it lies (scripts/xtask/src/remap.rs).
gdb.execute(f"set substitute-path /jsix/ {ROOT}/")


def elf(name):
    """The ELF file of the kernel or a program, with debug information."""
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
    return os.path.join(target, "bare", "x86_64-unknown-none", "release", name)


def scalar(value):
    """What lies inside of a newtype, an atomic or a cell: its only field, and so on inwards."""
    while value.type.strip_typedefs().code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION):
        fields = [f for f in value.type.strip_typedefs().fields() if f.type.sizeof > 0]
        if len(fields) != 1:
            raise gdb.GdbError(f"{value.type} is no plain value")
        value = value[fields[0]]
    return value


def pointed(value):
    """The target of a pointer, wrapped or not; None for null."""
    pointer = scalar(value)
    return None if int(pointer) == 0 else pointer.dereference()


def text(value):
    """A kernel::boot::Text."""
    size = int(value["len"])
    content = value["bytes"]
    return "".join(chr(int(content[i])) for i in range(min(size, 64)))


class Thread:
    """A kernel::sched::thread::Thread."""

    STATES = {0: "runnable", 1: "blocked", 2: "woken"}

    def __init__(self, value):
        self.value = value
        self.address = int(value.address)
        self.id = int(value["id"])
        self.name = text(value["name"])
        self.state = self.STATES.get(int(scalar(value["wake"]["state"])), "?")
        self.saved_stack = int(scalar(value["saved_stack"]))

    def line(self, note):
        stack = "" if note == "running" else f"  saved stack {self.saved_stack:#x}"
        return f"thread {self.id:<3} {self.name:<16} {self.state:<9} {note}{stack}"


class PerCpu:
    """A kernel::arch::x86_64::percpu::PerCpu."""

    def __init__(self, value):
        self.value = value
        self.address = int(value.address)
        self.index = int(value["index"])
        self.apic_id = int(scalar(value["apic_id"]))
        self.interrupts = int(scalar(value["interrupts"]))
        self.online = bool(int(scalar(value["queue"]["online"])))
        self.load = int(scalar(value["queue"]["load"]))

    def current(self):
        """The running thread."""
        thread = pointed(self.value["current"])
        return None if thread is None else Thread(thread)

    def idle(self):
        """The thread that runs when nothing else does."""
        thread = pointed(self.value["queue"]["idle"])
        return None if thread is None else Thread(thread)

    def waiting(self):
        """The threads in the run queue that do not run."""
        return [Thread(t) for t in thread_pointers(self.value["queue"]["ready"])]


def thread_pointers(value):
    """Every distinct thread that a structure points to, and those that follow them in a run queue's lists."""
    found = {}

    def visit(value, depth):
        kind = value.type.strip_typedefs()
        if depth > 24:
            return
        if kind.code == gdb.TYPE_CODE_PTR:
            if str(kind.target()).endswith("thread::Thread") and int(value) != 0:
                found.setdefault(int(value), value.dereference())
        elif kind.code == gdb.TYPE_CODE_STRUCT and kind.name and kind.name.startswith("alloc::vec::Vec<"):
            size = int(scalar(value["len"]))
            element = kind.template_argument(0)
            start = vec_start(value["buf"])
            if start and size < 4096:
                items = gdb.Value(start).cast(element.pointer())
                for i in range(size):
                    visit(items[i], depth + 1)
        elif kind.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION):
            for field in kind.fields():
                if field.type.sizeof == 0 or getattr(field, "artificial", False):
                    continue
                try:
                    visit(value[field], depth + 1)
                except gdb.error:
                    pass
        elif kind.code == gdb.TYPE_CODE_ARRAY:
            low, high = kind.range()
            for i in range(low, min(high, 64) + 1):
                visit(value[i], depth + 1)

    visit(value, 0)
    seen = 0
    while seen < len(found):
        thread = list(found.values())[seen]
        seen += 1
        visit(thread["node"]["next"], 0)
    return list(found.values())


def vec_start(value):
    """The address in a RawVec: the first pointer inside of it."""
    kind = value.type.strip_typedefs()
    if kind.code == gdb.TYPE_CODE_PTR:
        return int(value)
    if kind.code == gdb.TYPE_CODE_STRUCT:
        for field in kind.fields():
            if field.type.sizeof:
                start = vec_start(value[field])
                if start:
                    return start
    return 0


def cpus():
    """All per-CPU areas."""
    count = int(scalar(gdb.parse_and_eval(f"{MODULE}::COUNT")))
    if count == 0:
        raise gdb.GdbError("the kernel has not set up its processors yet: go on to a later place")
    table = gdb.parse_and_eval(f"{MODULE}::CPUS")
    return [PerCpu(pointed(table[i])) for i in range(count)]


def here(cpus):
    """gdb's threads are the virtual CPUs: which is which, by the GS bases."""
    places = {}
    selected = gdb.selected_thread()
    for thread in gdb.selected_inferior().threads():
        thread.switch()
        frame = gdb.newest_frame()
        bases = []
        for register in ("gs_base", "k_gs_base"):
            try:
                bases.append(int(frame.read_register(register)) & (1 << 64) - 1)
            except (gdb.error, ValueError):
                pass
        for cpu in cpus:
            if cpu.address in bases:
                places[cpu.index] = (thread.num, frame.pc(), frame.name() or "?")
    if selected:
        selected.switch()
    return places


class Connect(gdb.Command):
    """jsix-connect PORT: load the kernel's symbols and attach to a waiting `scripts/run --gdb`."""

    def __init__(self):
        super().__init__("jsix-connect", gdb.COMMAND_RUNNING)

    def invoke(self, argument, from_tty):
        port = argument.strip() or "1234"
        kernel = elf("kernel")
        if not os.path.exists(kernel):
            raise gdb.GdbError(f"{kernel} does not exist: build it with scripts/run --gdb")
        gdb.execute("set architecture i386:x86-64", to_string=True)
        gdb.execute("set language rust")
        gdb.execute(f"file {kernel}", to_string=True)
        gdb.execute(f"target remote 127.0.0.1:{port}", to_string=True)
        print(f"connected; symbols of {kernel}")
        print("the kernel is not loaded yet: set hardware breakpoints (hbreak), then continue")


class Program(gdb.Command):
    """jsix-program NAME: add the symbols of a user program. All are linked at the same address, so
    those of one program at a time are right."""

    loaded = None

    def __init__(self):
        super().__init__("jsix-program", gdb.COMMAND_FILES)

    def invoke(self, argument, from_tty):
        path = elf(argument.strip())
        if not argument.strip() or not os.path.exists(path):
            raise gdb.GdbError(f"there is no program {path}")
        if Program.loaded:
            gdb.execute(f"remove-symbol-file {Program.loaded}", to_string=True)
        gdb.execute(f"add-symbol-file {path}", to_string=True)
        Program.loaded = path
        print(f"added the symbols of {path}")


class Cpus(gdb.Command):
    """jsix-cpus: every processor, what it runs and where."""

    def __init__(self):
        super().__init__("jsix-cpus", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        all_cpus = cpus()
        places = here(all_cpus)
        for cpu in all_cpus:
            thread = cpu.current()
            name = f"{thread.name} (thread {thread.id})" if thread else "no thread"
            vcpu, pc, function = places.get(cpu.index, ("-", 0, "?"))
            state = "online" if cpu.online else "offline"
            print(
                f"cpu{cpu.index}: {state}, apic {cpu.apic_id:#x}, area {cpu.address:#x}, "
                f"{cpu.interrupts} interrupts, {cpu.load} runnable"
            )
            print(f"    runs {name}; gdb thread {vcpu} at {pc:#x} {function}")


class Threads(gdb.Command):
    """jsix-threads: the threads that run or wait to run on each processor, and its idle thread."""

    def __init__(self):
        super().__init__("jsix-threads", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        for cpu in cpus():
            print(f"cpu{cpu.index}:")
            current, idle = cpu.current(), cpu.idle()
            seen = set()
            if current:
                print("    " + current.line("running"))
                seen.add(current.address)
            for thread in cpu.waiting():
                if thread.address not in seen:
                    print("    " + thread.line("waiting"))
                    seen.add(thread.address)
            if idle and idle.address not in seen:
                print("    " + idle.line("idle"))


def register(name):
    """A control register of the selected CPU, as a number; QEMU describes it as flags."""
    value = gdb.selected_frame().read_register(name)
    return int(value.cast(gdb.selected_inferior().architecture().integer_type(64, False)))


def read_physical(address):
    """A word of physical memory, through QEMU's monitor."""
    answer = gdb.execute(f"monitor xp /1gx {address:#x}", to_string=True)
    match = re.search(r":\s*0x([0-9a-f]+)", answer)
    if not match:
        raise gdb.GdbError(f"QEMU cannot read physical address {address:#x}: {answer.strip()}")
    return int(match.group(1), 16)


class PageTable(gdb.Command):
    """jsix-pt ADDRESS: walk the page tables of the selected CPU (AMD64 manual vol. 2, 5.3)."""

    ADDRESS = 0x000F_FFFF_FFFF_F000
    FLAGS = [(0, "present"), (1, "write"), (2, "user"), (3, "write-through"), (4, "no-cache"),
             (5, "accessed"), (6, "dirty"), (8, "global"), (63, "no-execute")]

    def __init__(self):
        super().__init__("jsix-pt", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        if not argument.strip():
            raise gdb.GdbError("say which address: jsix-pt ADDRESS")
        address = int(gdb.parse_and_eval(argument)) & (1 << 64) - 1
        levels = 5 if register("cr4") & 1 << 12 else 4
        table = register("cr3") & self.ADDRESS
        print(f"{address:#018x}: {levels} levels from {table:#x}")
        for level in range(levels, 0, -1):
            index = address >> (12 + 9 * (level - 1)) & 0x1FF
            entry = read_physical(table + 8 * index)
            flags = " ".join(name for bit, name in self.FLAGS if entry >> bit & 1)
            print(f"  level {level} [{index:3}] {entry:#018x} {flags}")
            if not entry & 1:
                print("  not mapped")
                return
            if level == 1 or (level <= 3 and entry & 1 << 7):
                size = 1 << (12 + 9 * (level - 1))
                # In a large page's entry bit 12 is PAT, below the address (figure 5-24).
                base = entry & self.ADDRESS & ~(size - 1)
                print(f"  -> {base + (address & size - 1):#x}, a page of {size >> 10} KiB")
                return
            table = entry & self.ADDRESS


for command in (Connect, Program, Cpus, Threads, PageTable):
    command()
