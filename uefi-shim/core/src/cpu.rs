//! The processor features that the system needs, and a check that names each missing one.
//!
//! The list is x86-64-v2 plus what the kernel builds upon (NX, APIC, PGE, PAT, SYSCALL, FXSR).
//! Bits are those of the Intel SDM volume 2, instruction CPUID, and the AMD APM volume 3.

use alloc::string::String;

use crate::error::Error;

/// The answer of one CPUID leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Leaf {
    /// Register EAX.
    pub eax: u32,
    /// Register EBX.
    pub ebx: u32,
    /// Register ECX.
    pub ecx: u32,
    /// Register EDX.
    pub edx: u32,
}

/// The CPUID instruction.
pub trait Cpuid {
    /// Executes CPUID for a leaf and a subleaf.
    fn leaf(&self, leaf: u32, subleaf: u32) -> Leaf;

    /// Executes CPUID if the processor has the leaf; all bits are clear otherwise.
    fn checked(&self, leaf: u32, subleaf: u32) -> Leaf {
        let highest = self.leaf(leaf & 0x8000_0000, 0).eax;
        if highest < leaf {
            Leaf::default()
        } else {
            self.leaf(leaf, subleaf)
        }
    }
}

#[derive(Clone, Copy)]
enum Register {
    Ecx1,
    Edx1,
    EcxExt,
    EdxExt,
}

/// A feature that must be there: name, register, bit.
const REQUIRED: &[(&str, Register, u32)] = &[
    ("FPU", Register::Edx1, 0),
    ("TSC", Register::Edx1, 4),
    ("MSR", Register::Edx1, 5),
    ("PAE", Register::Edx1, 6),
    ("CX8", Register::Edx1, 8),
    ("APIC", Register::Edx1, 9),
    ("PGE", Register::Edx1, 13),
    ("CMOV", Register::Edx1, 15),
    ("PAT", Register::Edx1, 16),
    ("MMX", Register::Edx1, 23),
    ("FXSR", Register::Edx1, 24),
    ("SSE", Register::Edx1, 25),
    ("SSE2", Register::Edx1, 26),
    ("SSE3", Register::Ecx1, 0),
    ("SSSE3", Register::Ecx1, 9),
    ("CX16", Register::Ecx1, 13),
    ("SSE4.1", Register::Ecx1, 19),
    ("SSE4.2", Register::Ecx1, 20),
    ("POPCNT", Register::Ecx1, 23),
    ("LAHF-SAHF", Register::EcxExt, 0),
    ("SYSCALL", Register::EdxExt, 11),
    ("NX", Register::EdxExt, 20),
    ("LM", Register::EdxExt, 29),
];

/// Checks for every required feature.
///
/// # Errors
/// [`Error::CpuFeatures`] with the names of all that are missing.
pub fn check(cpuid: &impl Cpuid) -> Result<(), Error> {
    let basic = cpuid.checked(1, 0);
    let extended = cpuid.checked(0x8000_0001, 0);
    let mut missing = String::new();
    for (name, register, bit) in REQUIRED {
        let value = match register {
            Register::Ecx1 => basic.ecx,
            Register::Edx1 => basic.edx,
            Register::EcxExt => extended.ecx,
            Register::EdxExt => extended.edx,
        };
        if value & (1 << bit) == 0 {
            if !missing.is_empty() {
                missing.push_str(", ");
            }
            missing.push_str(name);
        }
    }
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Error::CpuFeatures { missing })
    }
}

/// Features that are used where they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Optional {
    /// Page tables may have five levels.
    pub la57: bool,
    /// Pages of 1 GiB.
    pub huge_pages: bool,
    /// The local APIC has an x2APIC mode.
    pub x2apic: bool,
    /// RDRAND is there.
    pub rdrand: bool,
    /// Memory type range registers are there.
    pub mtrr: bool,
    /// Bits of a physical address.
    pub physical_bits: u8,
}

impl Optional {
    /// Asks the processor.
    pub fn detect(cpuid: &impl Cpuid) -> Self {
        let basic = cpuid.checked(1, 0);
        let bits = cpuid.checked(0x8000_0008, 0).eax & 0xff;
        Self {
            la57: cpuid.checked(7, 0).ecx & (1 << 16) != 0,
            huge_pages: cpuid.checked(0x8000_0001, 0).edx & (1 << 26) != 0,
            x2apic: basic.ecx & (1 << 21) != 0,
            rdrand: basic.ecx & (1 << 30) != 0,
            mtrr: basic.edx & (1 << 12) != 0,
            physical_bits: match u8::try_from(bits) {
                Ok(bits) if (32..=52).contains(&bits) => bits,
                _ => 36,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Cpuid, Error, Leaf, Optional, REQUIRED, Register, check};
    use proptest::prelude::{any, proptest};

    /// A processor with all features except the listed ones.
    struct Without(Vec<usize>);

    impl Cpuid for Without {
        fn leaf(&self, leaf: u32, _: u32) -> Leaf {
            let mut answer = Leaf {
                eax: u32::MAX,
                ebx: u32::MAX,
                ecx: u32::MAX,
                edx: u32::MAX,
            };
            for index in &self.0 {
                let (_, register, bit) = REQUIRED[*index];
                match (leaf, register) {
                    (1, Register::Ecx1) | (0x8000_0001, Register::EcxExt) => {
                        answer.ecx &= !(1 << bit)
                    }
                    (1, Register::Edx1) | (0x8000_0001, Register::EdxExt) => {
                        answer.edx &= !(1 << bit)
                    }
                    _ => {}
                }
            }
            answer
        }
    }

    /// A processor that has no extended leaves.
    struct Ancient;

    impl Cpuid for Ancient {
        fn leaf(&self, leaf: u32, _: u32) -> Leaf {
            match leaf {
                0 => Leaf {
                    eax: 1,
                    ..Leaf::default()
                },
                // Asked for a leaf that it lacks, a processor repeats another one.
                _ => Leaf {
                    eax: 1,
                    ebx: u32::MAX,
                    ecx: u32::MAX,
                    edx: u32::MAX,
                },
            }
        }
    }

    proptest! {
        #[test]
        fn exactly_the_missing_features_are_named(missing: Vec<proptest::sample::Index>) {
            let mut missing: Vec<usize> = missing.iter().map(|index| index.index(REQUIRED.len())).collect();
            missing.sort_unstable();
            missing.dedup();
            let names: Vec<&str> = missing.iter().map(|index| REQUIRED[*index].0).collect();
            match check(&Without(missing)) {
                Ok(()) => assert!(names.is_empty()),
                Err(Error::CpuFeatures { missing }) => assert_eq!(missing, names.join(", ")),
                Err(other) => panic!("{other}"),
            }
        }

        #[test]
        fn a_highest_leaf_bounds_what_is_asked(leaf in any::<u32>()) {
            let answer = Ancient.checked(leaf, 0);
            assert_eq!(answer == Leaf::default(), leaf > 1);
        }
    }

    #[test]
    fn a_processor_without_extended_leaves_lacks_nx() {
        let Err(Error::CpuFeatures { missing }) = check(&Ancient) else {
            panic!("must be refused")
        };
        assert_eq!(missing, "LAHF-SAHF, SYSCALL, NX, LM");
        assert_eq!(Optional::detect(&Ancient).physical_bits, 36);
    }
}
