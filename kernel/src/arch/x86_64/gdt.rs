//! Segments, the task-state segment and the stacks of the three interrupts that cannot trust the running one.
//!
//! The order of the segments is what SYSCALL and SYSRET demand (Intel SDM vol. 3A, 5.8.8): kernel code, kernel
//! data; user data, user code.

use core::mem::offset_of;

use kirq::{Permissions, PortSet};
use x86_64::VirtAddr;
use x86_64::instructions::segmentation::{CS, DS, ES, FS, GS, SS, Segment};
use x86_64::instructions::tables::load_tss;
use x86_64::structures::gdt::{Descriptor, GlobalDescriptorTable, SegmentSelector};
use x86_64::structures::tss::TaskStateSegment;

use super::percpu::PerCpu;

/// Kernel code selector.
pub const KERNEL_CODE: u16 = 0x08;
/// Kernel data selector.
pub const KERNEL_DATA: u16 = 0x10;
/// User data selector, with its privilege level.
pub const USER_DATA: u16 = 0x1b;
/// User code selector, with its privilege level.
pub const USER_CODE: u16 = 0x23;

/// IST slot (from 0) of the non-maskable interrupt.
pub const IST_NMI: u16 = 0;
/// IST slot (from 0) of the double fault.
pub const IST_DOUBLE_FAULT: u16 = 1;
/// IST slot (from 0) of the machine check.
pub const IST_MACHINE_CHECK: u16 = 2;

const IST_STACK_SIZE: usize = 8192;

/// An interrupt stack. Its last 16 bytes hold the address of the CPU's own area: the entry code of these
/// interrupts finds it there, whatever the GS base holds at that moment.
#[repr(C, align(16))]
struct IstStack([u8; IST_STACK_SIZE]);

/// The task-state segment with the bitmap of I/O ports, as the CPU reads them.
#[repr(C)]
struct Task {
    tss: TaskStateSegment,
    permissions: Permissions,
}

/// Offset of the bitmap in the segment.
const PERMISSIONS: usize = offset_of!(Task, permissions);
/// Bytes of the segment.
const TASK_LEN: usize = PERMISSIONS + Permissions::LEN;

/// What the CPU's table registers point to.
pub struct Tables {
    gdt: GlobalDescriptorTable,
    task: Task,
    /// Which version of a process's ports the bitmap has; 0: none.
    version: u64,
    stacks: [IstStack; 3],
}

impl Tables {
    /// Empty tables, to be loaded in their final place.
    pub const fn new() -> Self {
        Self {
            gdt: GlobalDescriptorTable::new(),
            task: Task {
                tss: TaskStateSegment::new(),
                permissions: Permissions::none(),
            },
            version: 0,
            stacks: [const { IstStack([0; IST_STACK_SIZE]) }; 3],
        }
    }

    /// Fills the tables and loads them into this CPU.
    ///
    /// # Safety
    /// Once, on the owning CPU; `self` must never move again.
    pub unsafe fn load(&'static mut self, owner: &'static PerCpu) {
        for (slot, stack) in self.stacks.iter_mut().enumerate() {
            let pointer_at = IST_STACK_SIZE - 16;
            let address = core::ptr::from_ref(owner) as u64;
            stack.0[pointer_at..pointer_at + 8].copy_from_slice(&address.to_ne_bytes());
            let top = VirtAddr::from_ptr(stack.0.as_ptr()) + pointer_at as u64;
            self.task.tss.interrupt_stack_table[slot] = top;
        }
        let code = self.gdt.append(Descriptor::kernel_code_segment());
        let data = self.gdt.append(Descriptor::kernel_data_segment());
        let user_data = self.gdt.append(Descriptor::user_data_segment());
        let user_code = self.gdt.append(Descriptor::user_code_segment());
        debug_assert_eq!(
            (code.0, data.0, user_data.0, user_code.0),
            (KERNEL_CODE, KERNEL_DATA, USER_DATA, USER_CODE)
        );
        self.deny_ports();
        let tss = self.gdt.append(task_segment(&self.task));
        self.gdt.load();
        // SAFETY: the selectors are of the table that was loaded just now; the stacks of the TSS are ours.
        unsafe {
            CS::set_reg(code);
            SS::set_reg(data);
            DS::set_reg(SegmentSelector::NULL);
            ES::set_reg(SegmentSelector::NULL);
            FS::set_reg(SegmentSelector::NULL);
            GS::set_reg(SegmentSelector::NULL);
            load_tss(tss);
        }
    }

    /// Sets the stack that an interrupt from user mode starts on.
    #[inline(always)]
    pub fn set_kernel_stack(&mut self, top: u64) {
        // SAFETY: an address of the stack pool, or 0: both are canonical.
        self.task.tss.privilege_stack_table[0] = unsafe { VirtAddr::new_unsafe(top) };
    }

    /// Lets user mode use no ports: a bitmap that begins beyond the segment's end allows none (Intel SDM vol. 1, 19.5.2).
    pub fn deny_ports(&mut self) {
        self.task.tss.iomap_base = TASK_LEN as u16;
    }

    /// Lets user mode use the ports of a set, and no others. Sets of the same version, which is not 0, are the same.
    pub fn allow_ports<const N: usize>(&mut self, set: &PortSet<N>, version: u64) {
        if self.version != version {
            self.task.permissions.load(set);
            self.version = version;
        }
        self.task.tss.iomap_base = PERMISSIONS as u16;
    }
}

/// The descriptor of a task-state segment with its bitmap (Intel SDM vol. 3A, figure 8-4).
fn task_segment(task: &'static Task) -> Descriptor {
    const PRESENT_TASK: u64 = 0x89 << 40;
    let base = core::ptr::from_ref(task) as u64;
    let low =
        (TASK_LEN as u64 - 1) | (base & 0xff_ffff) << 16 | PRESENT_TASK | (base >> 24 & 0xff) << 56;
    Descriptor::SystemSegment(low, base >> 32)
}
