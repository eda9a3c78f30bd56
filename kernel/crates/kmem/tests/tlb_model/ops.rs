//! What the model's processors can be told to do, and where.

use kaddr::{LARGE, PAGE_SIZE, VirtAddr, VirtRange};
use kmem::pt::{Flags, Protection};
use ktestkit::Access;
use proptest::prelude::{Just, Strategy, any, prop, prop_oneof};

pub const CPUS: usize = 4;
pub const SPACES: usize = 4;

/// Small pages: more than are forgotten one by one.
const SMALL_PAGES: u64 = 40;
const SMALL_START: u64 = 0x4000_0000;
/// Two large pages, side by side.
const LARGE_START: u64 = SMALL_START + LARGE;
const LARGE_PAGES: u64 = 2;
/// The parts of large pages that are looked at.
const PARTS: [u64; 4] = [0, 1, 300, 511];
/// A few pages under another entry of the top-level table.
const FAR_START: u64 = 0x1234_4000_0000;
const FAR_PAGES: u64 = 3;
const KERNEL_START: u64 = 0xffff_c100_0000_0000;
const KERNEL_PAGES: u64 = 5;

/// All that is mapped in the kernel's half.
pub const KERNEL: VirtRange = VirtRange::new(
    VirtAddr::new(KERNEL_START),
    VirtAddr::new(KERNEL_START + KERNEL_PAGES * PAGE_SIZE),
);

/// What is mapped in a new space.
pub fn at_first() -> [VirtRange; 3] {
    [
        pages(SMALL_START, 0, SMALL_PAGES),
        pages(LARGE_START, 0, LARGE_PAGES * 512),
        pages(FAR_START, 0, FAR_PAGES),
    ]
}

fn pages(start: u64, first: u64, count: u64) -> VirtRange {
    let start = start + first * PAGE_SIZE;
    VirtRange::new(
        VirtAddr::new(start),
        VirtAddr::new(start + count * PAGE_SIZE),
    )
}

/// The pages that the model looks at, by address; those of the kernel's half come last.
pub fn watched() -> Vec<VirtAddr> {
    let small = pages(SMALL_START, 0, SMALL_PAGES).pages();
    let parts = (0..LARGE_PAGES)
        .flat_map(|page| PARTS.map(|part| pages(LARGE_START + page * LARGE, part, 1).start));
    let far = pages(FAR_START, 0, FAR_PAGES).pages();
    small
        .map(|page| page.start())
        .chain(parts)
        .chain(far.chain(KERNEL.pages()).map(|page| page.start()))
        .collect()
}

/// What an edit does with its range.
#[derive(Clone, Copy, Debug)]
pub enum Edit {
    /// Maps all that is not mapped in it: to what another space has there, if told to and there is something.
    Map {
        protection: Protection,
        is_shared: bool,
    },
    Unmap,
    Protect(Protection),
}

/// What a processor does next.
#[derive(Clone, Debug)]
pub enum Act {
    /// The next step of what it is at; if it is at nothing, it serves.
    Go,
    /// Carries out one of the requests that it got, if it may just now.
    Serve(usize),
    /// Uses pages, whatever else it is at: a processor may do so at any time, on speculation.
    Touch {
        first: usize,
        count: usize,
        access: Access,
    },
    /// Begins to load a space.
    Switch(usize),
    /// Goes on to run a thread of the kernel.
    Lazy,
    /// Begins to change a space.
    Edit {
        space: usize,
        range: VirtRange,
        edit: Edit,
    },
    /// Begins to change the kernel's half.
    EditKernel { range: VirtRange, edit: Edit },
    /// Begins to destroy a space; a new one takes its place.
    Retire(usize),
}

/// More steps than anything takes while nobody else does anything.
pub const MANY: usize = 12;

#[derive(Clone, Debug)]
pub struct Step {
    pub cpu: usize,
    pub act: Act,
    /// How many further steps the processor does before another one comes; with [`MANY`] others answer at once.
    pub more: usize,
}

fn user_range() -> impl Strategy<Value = VirtRange> {
    let small = (0..SMALL_PAGES, 1..=SMALL_PAGES)
        .prop_map(|(first, count)| pages(SMALL_START, first, count.min(SMALL_PAGES - first)));
    let one = (0..SMALL_PAGES).prop_map(|first| pages(SMALL_START, first, 1));
    let large = (0..LARGE_PAGES).prop_map(|page| pages(LARGE_START + page * LARGE, 0, 512));
    let part = (0..LARGE_PAGES, prop::sample::select(PARTS.to_vec()))
        .prop_map(|(page, part)| pages(LARGE_START + page * LARGE, part, 1));
    let far = (0..FAR_PAGES, 1..=FAR_PAGES)
        .prop_map(|(first, count)| pages(FAR_START, first, count.min(FAR_PAGES - first)));
    prop_oneof![
        4 => small,
        2 => one,
        1 => large,
        2 => Just(pages(LARGE_START, 0, 1024)),
        1 => part,
        1 => far,
    ]
}

fn kernel_range() -> impl Strategy<Value = VirtRange> {
    prop_oneof![
        2 => Just(KERNEL),
        1 => (0..KERNEL_PAGES).prop_map(|first| pages(KERNEL_START, first, 1)),
    ]
}

fn edit(protections: &'static [Protection]) -> impl Strategy<Value = Edit> {
    let protection = || prop::sample::select(protections);
    prop_oneof![
        3 => (protection(), any::<bool>())
            .prop_map(|(protection, is_shared)| Edit::Map { protection, is_shared }),
        3 => Just(Edit::Unmap),
        3 => protection().prop_map(Edit::Protect),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    const USER: &[Protection] = &[
        Protection::USER_DATA,
        Protection::USER_READ,
        Protection::USER_CODE,
    ];
    const KERNEL: &[Protection] = &[Protection::KERNEL_DATA, Protection::KERNEL_READ];
    let access = prop::sample::select(vec![Access::Read, Access::Write, Access::Execute]);
    let count = prop_oneof![1 => 1_usize..4, 1 => Just(64_usize)];
    prop_oneof![
        8 => Just(Act::Go),
        3 => any::<usize>().prop_map(Act::Serve),
        8 => (any::<usize>(), count, access)
            .prop_map(|(first, count, access)| Act::Touch { first, count, access }),
        8 => (0..SPACES).prop_map(Act::Switch),
        1 => Just(Act::Lazy),
        8 => (0..SPACES, user_range(), edit(USER))
            .prop_map(|(space, range, edit)| Act::Edit { space, range, edit }),
        2 => (kernel_range(), edit(KERNEL)).prop_map(|(range, edit)| Act::EditKernel { range, edit }),
        1 => (0..SPACES).prop_map(Act::Retire),
    ]
}

/// Steps of the first few processors with the first few spaces: the fewer, the more they get in each other's way.
#[derive(Clone, Debug)]
pub struct Program {
    pub cpus: usize,
    pub spaces: usize,
    pub steps: Vec<Step>,
}

pub fn program() -> impl Strategy<Value = Program> {
    // Few steps, or all that it takes.
    let more = prop_oneof![1 => 0_usize..4, 1 => Just(MANY)];
    let step = (0..CPUS, act(), more).prop_map(|(cpu, act, more)| Step { cpu, act, more });
    let steps = prop::collection::vec(step, 30..120);
    (2..=CPUS, 1..=SPACES, steps).prop_map(|(cpus, spaces, steps)| Program {
        cpus,
        spaces,
        steps,
    })
}

/// Whether pages with these flags may be used like this, in the mode that their half is used in.
pub fn allows(flags: Flags, access: Access) -> bool {
    match access {
        Access::Read => true,
        Access::Write => flags.contains(Flags::WRITE),
        Access::Execute => flags.contains(Flags::EXECUTE),
    }
}
