//! The state of the boot processor at entry, and how the kernel itself is mapped.

use super::{conf, note, yes};
use crate::entry::Saved;
use crate::hardware::{control, gdt, inb, rdmsr, segments};
use crate::layout;
use crate::report::memory::kind_at;
use crate::requests::{ADDRESS, ENTRY_POINT, HHDM, PAGING_MODE, REVISION, STACK, STACK_SIZE};
use crate::walk::{entry, hhdm, levels, memory_type, translate};

/// Prints it.
pub fn report() {
    registers();
    stack();
    descriptors();
    paging();
    image();
    interrupts();
}

fn registers() {
    let saved = Saved::get();
    let zero = saved.iter().take(15).all(|register| *register == 0);
    conf!(
        "entry: by the request {}, general registers zero {}",
        ENTRY_POINT.get_response().map_or(99, |r| r.revision()),
        yes(zero)
    );
    let flags = saved[16];
    conf!(
        "flags: IF {}, DF {}, VM {}",
        flags >> 9 & 1,
        flags >> 10 & 1,
        flags >> 17 & 1
    );
    let (cr0, _, cr4) = control();
    conf!(
        "CR0: PE {}, WP {}, PG {}, CD {}, NW {}, EM {}, TS {}",
        cr0 & 1,
        cr0 >> 16 & 1,
        cr0 >> 31 & 1,
        cr0 >> 30 & 1,
        cr0 >> 29 & 1,
        cr0 >> 2 & 1,
        cr0 >> 3 & 1
    );
    conf!("CR4: PAE {}, LA57 {}", cr4 >> 5 & 1, cr4 >> 12 & 1);
    note!("CR0 {cr0:#x}, CR4 {cr4:#x}, flags {flags:#x}");
    let efer = rdmsr(0xc000_0080);
    conf!(
        "EFER: LME {}, LMA {}, NXE {}",
        efer >> 8 & 1,
        efer >> 10 & 1,
        efer >> 11 & 1
    );
    conf!("PAT: {:012x}", rdmsr(0x277) & 0xffff_ffff_ffff);
}

fn stack() {
    let top = Saved::get()[15];
    // SAFETY: the protocol puts a return address at the top of the stack.
    let return_address = unsafe { (top as *const u64).read() };
    conf!(
        "stack: return address {return_address}, alignment {}",
        (top + 8) % 16
    );
    let bottom = top + 8 - STACK_SIZE;
    let mut good = top >= hhdm();
    let mut at = bottom;
    while at < top {
        let map = translate(at);
        good &= map.is_some_and(|map| {
            map.write && map.phys == at - hhdm() && kind_at(map.phys) == Some(5)
        });
        at += 0x1000;
    }
    conf!(
        "stack: response {}, asked for {STACK_SIZE:#x} bytes, all of it in loader memory {}",
        STACK
            .get_response()
            .map_or(99, |response| response.revision()),
        yes(good)
    );
}

fn descriptors() {
    let (base, limit) = gdt();
    let phys = translate(base).map(|map| map.phys);
    conf!(
        "GDT: direct map {}, loader memory {}, at least seven entries {}",
        yes(phys == Some(base - hhdm())),
        yes(phys.and_then(kind_at) == Some(5)),
        yes(limit >= 55)
    );
    for index in 0..7_u64 {
        // SAFETY: the limit was printed; the protocol promises these entries.
        let raw = unsafe { ((base + index * 8) as *const u64).read() };
        let limit = (raw & 0xffff) | (raw >> 32 & 0xf_0000);
        let address = (raw >> 16 & 0xff_ffff) | (raw >> 32 & 0xff00_0000);
        let kind = raw >> 40 & 0xff;
        // The accessed bit is the processor's, and long mode ignores base and limit.
        let long = index >= 5;
        conf!(
            "GDT {index}: base {:#x}, limit {:#x}, present {}, privilege {}, code {}, read or write {}, D {}, L {}, G {}",
            if long { 0 } else { address },
            if long { 0 } else { limit },
            kind >> 7,
            kind >> 5 & 3,
            kind >> 3 & 1,
            kind >> 1 & 1,
            if long { 0 } else { raw >> 54 & 1 },
            if index == 5 { raw >> 53 & 1 } else { 0 },
            if long { 0 } else { raw >> 55 & 1 }
        );
    }
    conf!("segments: {:x?}", segments());
}

fn paging() {
    match PAGING_MODE.get_response() {
        Some(response) => conf!(
            "paging mode: revision {}, five levels {}",
            response.revision(),
            yes(response.mode() == limine::paging::Mode::FIVE_LEVEL)
        ),
        None => conf!("paging mode: none"),
    }
    conf!("paging: {} levels", levels());
    let root = control().1;
    let lower = (0..256)
        .filter(|index| entry(root, *index) & 1 != 0)
        .count();
    conf!("paging: entries of the lower half {lower}");
    conf!(
        "paging: top table in loader memory {}",
        yes(kind_at(root & !0xfff) == Some(5))
    );
    let response = HHDM.get_response();
    conf!(
        "direct map: revision {}, higher half {}, aligned to 1 GiB {}",
        response.map_or(99, limine::response::HhdmResponse::revision),
        yes(hhdm() >> 63 == 1),
        yes(hhdm().is_multiple_of(1 << 30))
    );
    note!("direct map: {:#x}", hhdm());
}

fn image() {
    let Some(address) = ADDRESS.get_response() else {
        conf!("kernel address: none");
        return;
    };
    let (virt, phys) = (address.virtual_base(), address.physical_base());
    conf!(
        "kernel address: revision {}, virtual base right {}, at or above -2 GiB {}, physical base aligned {}",
        address.revision(),
        yes(virt == layout::start()),
        yes(virt >= 0xffff_ffff_8000_0000),
        yes(phys % 0x1000 == 0)
    );
    note!("kernel address: virtual {virt:#x}, physical {phys:#x}");
    for (name, start, end) in layout::parts() {
        let mut flags = None;
        let (mut same, mut contiguous, mut kernel) = (true, true, true);
        let mut at = start;
        while at < end {
            let map = translate(at);
            let now = map.map(|map| (map.write, map.execute, map.user, memory_type(map.pat)));
            same &= flags.is_none() || flags == Some(now);
            flags = Some(now);
            contiguous &= map.is_some_and(|map| map.phys == phys + (at - virt));
            kernel &= map.is_some_and(|map| kind_at(map.phys) == Some(6));
            at += 0x1000;
        }
        if let Some(Some((write, execute, user, kind))) = flags {
            conf!(
                "kernel {name}: write {}, execute {}, user {}, memory type {kind}, all pages the same {}, contiguous {}, kernel memory {}",
                yes(write),
                yes(execute),
                yes(user),
                yes(same),
                yes(contiguous),
                yes(kernel)
            );
        } else {
            conf!("kernel {name}: not mapped");
        }
    }
    let beyond = translate(layout::end() + 0x1000).is_some();
    conf!("kernel: mapped beyond its end {}", yes(beyond));
}

fn interrupts() {
    conf!("8259: masks {:02x} {:02x}", inb(0x21), inb(0xa1));
    if REVISION > 2 {
        // The registers of the IOAPIC are not in the direct map.
        return;
    }
    let select = (hhdm() + 0xfec0_0000) as *mut u32;
    let window = (hhdm() + 0xfec0_0010) as *mut u32;
    // SAFETY: the first IOAPIC of a PC is there, and base revision 2 maps it.
    unsafe {
        select.write_volatile(1);
        let inputs = (window.read_volatile() >> 16 & 0xff) + 1;
        let mut open = 0;
        for input in 0..inputs {
            select.write_volatile(0x10 + 2 * input);
            let low = window.read_volatile();
            open += u32::from(low >> 8 & 7 <= 1 && low >> 16 & 1 == 0);
        }
        conf!("IOAPIC: {inputs} inputs, open {open}");
    }
}
