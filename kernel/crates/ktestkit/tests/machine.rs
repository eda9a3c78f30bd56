//! The fake machine behaves like a processor, down to what it forgets and what it does not.

use kaddr::{Frame, PhysAddr, PhysRange, VirtAddr};
use ktestkit::{Access, CpuId, Fault, GlobalPages, Kept, Machine, Mode, PagingLevels};

const ROOT: u64 = 0x1000;
const CPU: CpuId = CpuId(0);
const OTHER: CpuId = CpuId(1);
const PRESENT: u64 = 1;
const WRITE: u64 = 2;
const USER: u64 = 4;
const GLOBAL: u64 = 0x100;
const LARGE: u64 = 0x80;
const NX: u64 = 1 << 63;

/// A machine whose tables at 0x1000 to 0x4000 lead to the 512 entries at 0x4000, for addresses
/// from 0 on; entry 1 of the table at 0x3000 maps 2 MiB.
fn machine() -> Machine {
    let ram = PhysRange::new(PhysAddr::new(0x1000), PhysAddr::new(0x40_0000));
    let mut machine = Machine::new(2, PagingLevels::Four, [ram]);
    for table in 1..=4 {
        machine
            .memory
            .fill(Frame::from_number(table).expect("a frame"), 0);
    }
    for table in 1..=3 {
        let next = ((table + 1) * 0x1000) | PRESENT | WRITE | USER;
        machine.memory.write(PhysAddr::new(table * 0x1000), next);
    }
    set(
        &mut machine,
        0x3008,
        0x20_0000 | PRESENT | WRITE | LARGE | NX,
    );
    for cpu in machine.cpus() {
        machine.load_root(cpu, Frame::from_number(1).expect("a frame"));
    }
    machine
}

fn set(machine: &mut Machine, entry: u64, value: u64) {
    machine.memory.write(PhysAddr::new(entry), value);
}

fn read(machine: &mut Machine, cpu: CpuId, address: u64) -> Result<u64, Fault> {
    machine
        .translate(cpu, VirtAddr::new(address), Access::Read, Mode::Kernel)
        .map(u64::from)
}

#[test]
fn a_walk_finds_small_and_large_pages() {
    let mut machine = machine();
    set(&mut machine, 0x4010, 0x9000 | PRESENT);
    assert_eq!(read(&mut machine, CPU, 0x2123), Ok(0x9123));
    assert_eq!(read(&mut machine, CPU, 0x3000), Err(Fault::NotPresent));
    assert_eq!(read(&mut machine, CPU, 0x31_2345), Ok(0x31_2345));
    assert_eq!(
        read(&mut machine, CPU, 0x8000_0000_0000),
        Err(Fault::NotCanonical)
    );
    set(&mut machine, 0x3010, 0x1000 | PRESENT | LARGE | 0x2000);
    assert_eq!(read(&mut machine, CPU, 0x40_0000), Err(Fault::Reserved));
}

#[test]
fn rights_are_those_of_all_levels_together() {
    let mut machine = machine();
    set(&mut machine, 0x4000, 0x9000 | PRESENT | WRITE | USER);
    let mut access = |access, mode| {
        machine
            .translate(CPU, VirtAddr::new(0), access, mode)
            .map(u64::from)
    };
    assert_eq!(access(Access::Write, Mode::User), Ok(0x9000));
    assert_eq!(access(Access::Execute, Mode::User), Ok(0x9000));
    set(&mut machine, 0x3000, 0x4000 | PRESENT | USER | NX);
    machine.invalidate(CPU, VirtAddr::new(0));
    let mut access = |access, mode| {
        machine
            .translate(CPU, VirtAddr::new(0), access, mode)
            .map(u64::from)
    };
    assert_eq!(access(Access::Read, Mode::User), Ok(0x9000));
    assert_eq!(access(Access::Write, Mode::Kernel), Err(Fault::Protection));
    assert_eq!(
        access(Access::Execute, Mode::Kernel),
        Err(Fault::Protection)
    );
    set(&mut machine, 0x1000, 0x2000 | PRESENT | WRITE);
    machine.invalidate(CPU, VirtAddr::new(0));
    let user = machine.translate(CPU, VirtAddr::new(0), Access::Read, Mode::User);
    assert_eq!(user, Err(Fault::Protection));
}

#[test]
fn a_translation_is_kept_until_it_is_invalidated() {
    let mut machine = machine();
    set(&mut machine, 0x4000, 0x9000 | PRESENT);
    assert_eq!(read(&mut machine, CPU, 0), Ok(0x9000));
    assert_eq!(read(&mut machine, OTHER, 0), Ok(0x9000));
    set(&mut machine, 0x4000, 0);
    assert_eq!(read(&mut machine, CPU, 0), Ok(0x9000));
    assert_eq!(machine.stale().len(), 2);
    machine.invalidate(CPU, VirtAddr::new(0x7));
    assert_eq!(read(&mut machine, CPU, 0), Err(Fault::NotPresent));
    let stale = machine.stale();
    assert_eq!(stale.len(), 1);
    assert_eq!(stale[0].cpu, OTHER);
    assert_eq!(stale[0].truth, Err(Fault::NotPresent));
}

#[test]
fn tables_are_kept_too() {
    let mut machine = machine();
    set(&mut machine, 0x4000, 0x9000 | PRESENT);
    set(&mut machine, 0x4008, 0xa000 | PRESENT);
    assert_eq!(read(&mut machine, CPU, 0), Ok(0x9000));
    let table = Frame::from_number(4).expect("a frame");
    assert!(machine.is_cached_table(table));
    // The table is cut off, but the processor still walks it for a page it has not seen.
    set(&mut machine, 0x3000, 0);
    assert_eq!(read(&mut machine, CPU, 0x1000), Ok(0xa000));
    assert_eq!(read(&mut machine, OTHER, 0x1000), Err(Fault::NotPresent));
    machine.invalidate(CPU, VirtAddr::new(0x5000));
    assert!(!machine.is_cached_table(table));
}

#[test]
fn global_pages_survive_a_change_of_tables() {
    let mut machine = machine();
    set(&mut machine, 0x4000, 0x9000 | PRESENT | GLOBAL);
    set(&mut machine, 0x4008, 0xa000 | PRESENT);
    assert_eq!(read(&mut machine, CPU, 0), Ok(0x9000));
    assert_eq!(read(&mut machine, CPU, 0x1000), Ok(0xa000));
    set(&mut machine, 0x4000, 0);
    set(&mut machine, 0x4008, 0);
    machine.load_root(CPU, Frame::from_number(ROOT >> 12).expect("a frame"));
    assert_eq!(read(&mut machine, CPU, 0), Ok(0x9000));
    assert_eq!(read(&mut machine, CPU, 0x1000), Err(Fault::NotPresent));
    machine.flush(CPU, GlobalPages::Drop);
    assert_eq!(read(&mut machine, CPU, 0), Err(Fault::NotPresent));
}

#[test]
fn a_write_marks_the_entry_also_after_a_read() {
    let mut machine = machine();
    set(&mut machine, 0x4000, 0x9000 | PRESENT | WRITE);
    let root = Frame::from_number(1).expect("a frame");
    assert_eq!(read(&mut machine, CPU, 0), Ok(0x9000));
    let leaf = machine.walk(root, VirtAddr::new(0)).expect("mapped");
    assert!(leaf.accessed && !leaf.dirty);
    let written = machine.translate(CPU, VirtAddr::new(8), Access::Write, Mode::Kernel);
    assert_eq!(written, Ok(PhysAddr::new(0x9008)));
    assert!(machine.walk(root, VirtAddr::new(0)).expect("mapped").dirty);
}

#[test]
fn a_pcid_keeps_translations_apart_until_its_tables_are_loaded_again() {
    let mut machine = machine();
    set(&mut machine, 0x4000, 0x9000 | PRESENT);
    set(&mut machine, 0x4008, 0xa000 | PRESENT | GLOBAL);
    let root = Frame::from_number(1).expect("a frame");
    machine.load_root_with(CPU, root, 1, Kept::Forget);
    assert_eq!(read(&mut machine, CPU, 0), Ok(0x9000));
    assert_eq!(read(&mut machine, CPU, 0x1000), Ok(0xa000));
    set(&mut machine, 0x4000, 0);
    set(&mut machine, 0x4008, 0);
    // Under another PCID the page is looked up afresh; the global one is there under all.
    machine.load_root_with(CPU, root, 2, Kept::Forget);
    assert_eq!(read(&mut machine, CPU, 0), Err(Fault::NotPresent));
    assert_eq!(read(&mut machine, CPU, 0x1000), Ok(0xa000));
    // What is invalidated now is the global page; under PCID 1 all is as before.
    machine.invalidate(CPU, VirtAddr::new(0));
    machine.invalidate(CPU, VirtAddr::new(0x1000));
    assert_eq!(read(&mut machine, CPU, 0x1000), Err(Fault::NotPresent));
    machine.load_root_with(CPU, root, 1, Kept::Use);
    assert_eq!(read(&mut machine, CPU, 0), Ok(0x9000));
    assert_eq!(machine.stale().len(), 1);
    machine.load_root_with(CPU, root, 1, Kept::Forget);
    assert_eq!(read(&mut machine, CPU, 0), Err(Fault::NotPresent));
    assert_eq!(machine.stale(), vec![]);
}

#[test]
fn tables_are_known_under_the_pcid_that_they_were_seen_with() {
    let mut machine = machine();
    set(&mut machine, 0x4000, 0x9000 | PRESENT | GLOBAL);
    set(&mut machine, 0x4008, 0xa000 | PRESENT | GLOBAL);
    let root = Frame::from_number(1).expect("a frame");
    machine.load_root_with(CPU, root, 1, Kept::Forget);
    assert_eq!(read(&mut machine, CPU, 0), Ok(0x9000));
    set(&mut machine, 0x3000, 0);
    machine.load_root_with(CPU, root, 2, Kept::Forget);
    machine.invalidate(CPU, VirtAddr::new(0));
    assert_eq!(read(&mut machine, CPU, 0), Err(Fault::NotPresent));
    // A table on the way to a global page is not global.
    machine.load_root_with(CPU, root, 1, Kept::Use);
    assert_eq!(read(&mut machine, CPU, 0x1000), Ok(0xa000));
    machine.flush(CPU, GlobalPages::Drop);
    assert_eq!(read(&mut machine, CPU, 0x1000), Err(Fault::NotPresent));
}
