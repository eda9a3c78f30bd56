//! The table of boots: one machine, one command line, what it must print and how it must end.

use crate::bootconf::Loader;
use crate::kernel::Kernel;
use crate::qemu::args::Chipset;

/// A boot.
#[derive(Debug, Clone)]
pub struct Case {
    /// The name, after `qemu/`.
    pub name: &'static str,
    /// Which kernel.
    pub kernel: Kernel,
    /// Which loader.
    pub loader: Loader,
    /// Commands to run.
    pub cmd: Option<&'static str>,
    /// Files for the boot archive, from the root of the repository, and where: then the system runs, with all services.
    pub add: &'static [(&'static str, &'static str)],
    /// More lines of its entry in limine.conf.
    pub keys: &'static [&'static str],
    /// More words of the kernel's command line.
    pub words: &'static str,
    /// Processors.
    pub smp: u32,
    /// Memory.
    pub memory_mib: u32,
    /// CPU model.
    pub cpu: &'static str,
    /// Chipset.
    pub chipset: Chipset,
    /// More arguments for QEMU.
    pub extra: &'static [&'static str],
    /// What the log must hold.
    pub expect: Vec<Expect>,
    /// How it must end.
    pub want: Want,
    /// Time limit: generous, since other boots share the processors.
    pub limit_s: u64,
    /// What the machine must have for this.
    pub need: Need,
}

/// Something about the log.
#[derive(Debug, Clone, Copy)]
pub enum Expect {
    /// It holds this text.
    Text(&'static str),
    /// A line matches this regular expression.
    Pattern(&'static str),
    /// It does not hold this text.
    Never(&'static str),
}

/// How a boot must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// Powered off with status 0.
    PowerOff,
    /// Restarted.
    Restart,
    /// A command ended with this status.
    Status(u8),
    /// A kernel panic.
    Panic,
    /// The kernel was never started.
    Refusal,
}

/// What a boot needs that not every machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing.
    Nothing,
    /// Limine's binary.
    Limine,
    /// This major version of QEMU, for the thing named.
    Qemu(u32, &'static str),
}

use Expect::{Never, Pattern, Text};

/// What makes a boot loader choose five levels of page tables.
const FIVE_LEVELS: &[&str] = &["paging_mode: 5level"];

/// What `hello` prints.
pub const GREETING: Expect = Text("hello from user mode");

/// A boot of `hello` on one processor.
pub fn hello(name: &'static str) -> Case {
    Case {
        name,
        kernel: Kernel::Jsix,
        loader: Loader::Shim,
        cmd: Some("hello"),
        add: &[],
        keys: &[],
        words: "",
        smp: 1,
        memory_mib: 256,
        cpu: "max,-monitor",
        chipset: Chipset::Q35,
        extra: &[],
        expect: vec![
            GREETING,
            Never("KERNEL PANIC"),
            Never(" WARN "),
            Never(" ERROR "),
        ],
        want: Want::PowerOff,
        limit_s: 120,
        need: Need::Nothing,
    }
}

/// A suite of the program `test`. It provokes faults, so that errors in the log mean nothing.
fn suite(name: &'static str, cmd: &'static str, smp: u32, memory_mib: u32) -> Case {
    Case {
        cmd: Some(cmd),
        smp,
        memory_mib,
        expect: vec![Never("KERNEL PANIC"), Never("FAILED")],
        limit_s: 400,
        ..hello(name)
    }
}

fn smp(name: &'static str, smp: u32, up: &'static str) -> Case {
    let mut case = hello(name);
    case.smp = smp;
    case.expect.push(Text(up));
    case
}

/// The in-kernel tests.
fn ktest(name: &'static str, smp: u32) -> Case {
    Case {
        smp,
        cmd: None,
        words: "ktest",
        limit_s: 240,
        expect: vec![
            Pattern(r"^(.* )?[1-9]\d* passed, 0 failed"),
            Never("KERNEL PANIC"),
        ],
        ..hello(name)
    }
}

/// A CPU without a feature that jsix needs: a sentence instead of a kernel.
fn refusal(name: &'static str, cpu: &'static str, feature: Expect) -> Case {
    Case {
        cpu,
        expect: vec![feature, Never("hello from user mode")],
        want: Want::Refusal,
        limit_s: 90,
        ..hello(name)
    }
}

/// A kernel broken on purpose on two processors: a report with names, from both.
fn crash(name: &'static str, words: &'static str, expect: &[Expect]) -> Case {
    let mut all = vec![
        Pattern(r"^\*\*\* KERNEL PANIC on cpu\d+"),
        Text("*** END PANIC"),
        Pattern(r"^  #\d+ 0x[0-9a-f]{16} kernel::.* at kernel/src/.*:\d+"),
        Text("backtrace of cpu0"),
        Text("backtrace of cpu1"),
        Never("no symbol"),
        Never("did not stop"),
    ];
    all.extend_from_slice(expect);
    Case {
        smp: 2,
        words,
        expect: all,
        want: Want::Panic,
        ..hello(name)
    }
}

/// All boots, the long ones first: they keep the workers busy evenly.
pub fn all() -> Vec<Case> {
    let x2apic = Need::Qemu(9, "x2APIC");
    vec![
        Case {
            limit_s: 240,
            ..smp("smp-64", 64, "64 of 64 processors up")
        },
        ktest("ktest-4", 4),
        ktest("ktest-2", 2),
        ktest("ktest-1", 1),
        Case {
            cpu: "Nehalem",
            memory_mib: 64,
            ..ktest("ktest-64-mib-nehalem", 4)
        },
        Case {
            limit_s: 180,
            ..smp("smp-16", 16, "16 of 16 processors up")
        },
        Case {
            cpu: "max,+x2apic",
            need: x2apic,
            limit_s: 600,
            extra: &[
                "-machine",
                "q35,kernel-irqchip=split",
                "-device",
                "intel-iommu,intremap=on",
            ],
            ..smp("smp-288-x2apic", 288, "288 of 288 processors up")
        },
        Case {
            cpu: "max,+x2apic",
            words: "log=debug",
            need: x2apic,
            expect: vec![GREETING, Text("local APIC by x2APIC registers")],
            ..smp("x2apic", 4, "4 of 4 processors up")
        },
        smp("smp-1", 1, "1 of 1 processors up"),
        smp("smp-2", 2, "2 of 2 processors up"),
        smp("smp-4", 4, "4 of 4 processors up"),
        Case {
            cmd: Some("@all hello"),
            ..smp("hello-everywhere", 4, "4 of 4 processors up")
        },
        Case {
            loader: Loader::Limine,
            need: Need::Limine,
            ..smp("limine", 4, "4 of 4 processors up")
        },
        Case {
            memory_mib: 64,
            ..hello("memory-64")
        },
        Case {
            memory_mib: 4096,
            ..hello("memory-4096")
        },
        Case {
            chipset: Chipset::Pc,
            ..smp("pc", 2, "2 of 2 processors up")
        },
        Case {
            cpu: "Nehalem",
            ..smp("cpu-nehalem", 2, "2 of 2 processors up")
        },
        Case {
            cpu: "Haswell",
            ..smp("cpu-haswell", 2, "2 of 2 processors up")
        },
        // QEMU's default CPU, brought up to x86-64-v2.
        Case {
            cpu: "qemu64,+ssse3,+sse4.1,+sse4.2,+popcnt",
            ..hello("cpu-qemu64-v2")
        },
        Case {
            cpu: "max",
            ..smp("cpu-max", 2, "2 of 2 processors up")
        },
        Case {
            cpu: "max,-monitor,+la57",
            keys: FIVE_LEVELS,
            expect: vec![GREETING, Text("5-level paging")],
            ..smp("paging-5-level", 4, "4 of 4 processors up")
        },
        Case {
            cpu: "max,-monitor,+la57",
            keys: FIVE_LEVELS,
            loader: Loader::Limine,
            need: Need::Limine,
            expect: vec![GREETING, Text("5-level paging")],
            ..hello("paging-5-level-limine")
        },
        Case {
            cpu: "max,-la57",
            ..hello("paging-4-level")
        },
        Case {
            loader: Loader::Limine,
            need: Need::Limine,
            cpu: "max,-la57",
            ..hello("paging-4-level-limine")
        },
        // A processor in the firmware's list that never answers.
        Case {
            words: "ghostcpu=77",
            smp: 2,
            expect: vec![
                GREETING,
                Text("the processor with APIC id 77 did not start; it is left out"),
                Text("2 of 2 processors up"),
                Never("KERNEL PANIC"),
            ],
            ..hello("silent-processor")
        },
        // Every system call, with arguments good and bad.
        Case {
            cmd: Some("abi"),
            expect: vec![
                Pattern(r"abi: [1-9]\d* passed, 0 failed"),
                Never("KERNEL PANIC"),
            ],
            ..hello("abi")
        },
        Case {
            cmd: Some("@all abi"),
            smp: 4,
            expect: vec![
                Pattern(r"abi: [1-9]\d* passed, 0 failed"),
                Never("KERNEL PANIC"),
            ],
            ..hello("abi-everywhere")
        },
        suite("vm-1", "test vm", 1, 256),
        suite("vm-2", "test vm", 2, 256),
        suite("vm-4", "test vm", 4, 512),
        suite("handles-1", "test handles", 1, 256),
        suite("handles-4", "test handles", 4, 512),
        suite("stress-1", "stress 5 1", 1, 256),
        suite("stress-4", "stress 10 4", 4, 512),
        suite("fuzz-1", "fuzz --calls 20000 --seed 1", 1, 256),
        suite("fuzz-4", "fuzz --calls 60000 --seed 4", 4, 512),
        suite("spawned-1", "spawned", 1, 256),
        suite("spawned-4", "spawned", 4, 512),
        suite("kernel-1", "test kernel", 1, 256),
        suite("kernel-2", "test kernel", 2, 256),
        suite("kernel-4", "test kernel", 4, 512),
        suite("runtime-1", "runtime", 1, 256),
        suite("runtime-4", "runtime", 4, 512),
        suite("vectors-1", "test vectors", 1, 256),
        suite("vectors-2", "test vectors", 2, 256),
        suite("vectors-4", "test vectors", 4, 512),
        // Without AVX; with FXSAVE; with XSAVE alone.
        Case {
            cpu: "Nehalem",
            ..suite("vectors-nehalem", "test vectors", 2, 256)
        },
        Case {
            cpu: "max,-monitor,-xsave",
            ..suite("vectors-fxsave", "test vectors", 2, 256)
        },
        Case {
            cpu: "max,-monitor,-xsaveopt",
            ..suite("vectors-xsave", "test vectors", 2, 256)
        },
        suite("vm-64-mib", "test vm", 2, 64),
        suite("vm-stress-1", "test stress 10", 1, 256),
        suite("vm-stress-4", "test stress 60", 4, 512),
        // With free memory poisoned.
        Case {
            kernel: Kernel::JsixChecked,
            ..suite("vm-checked", "test vm; test stress 5", 2, 256)
        },
        // With the order of locks checked, too.
        Case {
            kernel: Kernel::JsixChecked,
            ..suite("kernel-checked", "test kernel; stress 5 2", 4, 512)
        },
        Case {
            kernel: Kernel::JsixChecked,
            ..ktest("ktest-checked", 2)
        },
        // A thousand programs that take all memory there is, one after the other.
        suite("hog-1000", "test hog 1000", 2, 64),
        Case {
            words: "maxcpus=2",
            ..smp("maxcpus", 4, "2 of 4 processors up")
        },
        Case {
            words: "fb=off",
            ..hello("no-framebuffer")
        },
        // What can be tried of it here: QEMU's translator has no PCIDs.
        Case {
            words: "nopcid",
            expect: vec![
                GREETING,
                Text("PCIDs: not used, the command line says so"),
                Never("KERNEL PANIC"),
            ],
            ..hello("nopcid")
        },
        Case {
            // 72 MiB a processor.
            words: "trace=switch,nonsense trace-events=1048576",
            smp: 4,
            memory_mib: 256,
            expect: vec![
                GREETING,
                Text("trace: there is no kind 'nonsense' of events; all are recorded"),
                Pattern(r"trace: no memory for [123] of 4 processors, which record nothing"),
                Text("{{{trace:"),
            ],
            ..hello("trace-without-memory")
        },
        Case {
            words: "trace=off",
            expect: vec![GREETING, Never("trace:")],
            ..hello("trace-off")
        },
        Case {
            cmd: Some("hello; @restart"),
            want: Want::Restart,
            ..hello("restart")
        },
        Case {
            chipset: Chipset::Pc,
            cmd: Some("hello; @restart"),
            want: Want::Restart,
            ..hello("restart-pc")
        },
        refusal(
            "refuses-without-nx",
            "qemu64,-nx,+ssse3,+sse4.1,+sse4.2,+popcnt",
            Pattern(r"\bNX\b"),
        ),
        refusal(
            "refuses-without-sse4.2",
            "max,-sse4.2",
            Pattern(r"(?i)\bsse4\.2\b"),
        ),
        refusal("refuses-below-v2", "qemu64", Pattern(r"(?i)\bssse3\b")),
        crash(
            "crash-panic",
            "crash=panic",
            &[Text("on purpose"), Pattern("kernel::crash::crash at ")],
        ),
        crash(
            "crash-page-fault",
            "crash=page-fault",
            &[
                Text("page fault in the kernel: writing 0xffffc2ff00001000"),
                Pattern("kernel::crash::page_fault at "),
            ],
        ),
        crash(
            "crash-double-fault",
            "crash=double-fault",
            &[Pattern("(?i)double fault")],
        ),
        crash(
            "crash-stack-overflow",
            "crash=stack-overflow",
            &[
                Text("kernel stack overflow"),
                Pattern("kernel::crash::stack_overflow at "),
            ],
        ),
        crash(
            "crash-logger",
            "crash=logger",
            &[Text("inside the logger, on purpose")],
        ),
        crash(
            "crash-user",
            "crash=user",
            &[
                Text("on purpose"),
                Pattern(r"^  #0 0x0000000000[0-9a-f]+ spin::\S+ at userland/"),
            ],
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::{Expect, all};

    #[test]
    fn names_are_unique_and_patterns_compile() {
        let all = || all().into_iter().chain(super::super::system::cases());
        let mut names: Vec<&str> = all().map(|case| case.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        for case in all() {
            for expect in &case.expect {
                if let Expect::Pattern(pattern) = expect {
                    regex::Regex::new(pattern).unwrap();
                }
            }
        }
    }
}
