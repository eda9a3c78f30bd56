//! Memory is short: large pages that are hardly used give some back, whoever needs it.

use alloc::format;
use alloc::string::String;

use kaddr::PAGE_SIZE;
use kmem::vma::LARGE_PAGES;
use ksync::Arc;

use super::frames::Chain;
use super::tools::Account as Held;
use super::{Outcome, check};
use crate::arch::current::{percpu, shootdown, usercopy};
use crate::mm::{self, Purpose};
use crate::vm::{Access, Account, AddressSpace, NewArea, Rights, VmArea};

/// Large pages that there are.
const LARGES: u64 = 4;
/// The page of each that is used.
const USED: u64 = 5;
/// Where they are mapped.
const BASE: u64 = 0x4000_0000;
/// Where small pages are mapped, not fit for large ones.
const OTHER: u64 = 0x8000_1000;
/// Small pages that are needed: more than one large page has to give.
const NEEDED: u64 = 900;
/// What a limit leaves beside the large pages; page tables take a part of it. Large pages are only given while 256 pages are left.
const LEFT: u64 = 256 + 64;

fn text(error: impl core::fmt::Debug) -> String {
    format!("{error:?}")
}

/// Pages are still to be had when all frames are taken.
pub fn frames_run_out() -> Outcome {
    let before = Held::now();
    let mut chain = Chain::new();
    let outcome = Account::new(u64::MAX, None)
        .map_err(text)
        .and_then(|account| {
            let test = Pressure::new(account.clone(), account)?;
            while let Some(frame) = mm::allocate(Purpose::User) {
                chain.push(frame);
            }
            test.run()
        });
    while let Some(frame) = chain.pop() {
        mm::free(frame, Purpose::User);
    }
    let split = outcome?;
    before.check_same()?;
    Ok(format!("{split} of {LARGES} large pages were split"))
}

/// Pages are still to be had when an account is full: areas of all accounts below it help.
pub fn account_is_full() -> Outcome {
    let before = Held::now();
    let split = {
        let limit = LARGES * LARGE_PAGES + LEFT;
        let above = Account::new(limit, None).map_err(text)?;
        let below = || Account::new(limit, Some(above.clone())).map_err(text);
        Pressure::new(below()?, below()?)?.run()?
    };
    before.check_same()?;
    Ok(format!("{split} of {LARGES} large pages were split"))
}

struct Pressure {
    space: AddressSpace,
    large: Arc<VmArea>,
    small: Arc<VmArea>,
}

impl Pressure {
    /// Large pages for one account, of each of which a page is used, and an area without pages for the other.
    fn new(large: Arc<Account>, small: Arc<Account>) -> Result<Self, String> {
        let space = AddressSpace::new(large.clone()).map_err(text)?;
        let rights = Rights::READ | Rights::WRITE;
        let map = |base, pages, account| {
            let area = VmArea::new(NewArea::Open { pages }, account).map_err(text)?;
            space
                .map(Some(base), pages * PAGE_SIZE, &area, 0, rights, rights)
                .map_err(text)?;
            Ok::<_, String>(area)
        };
        let large = map(BASE, LARGES * LARGE_PAGES, large)?;
        let small = map(OTHER, NEEDED, small)?;
        for index in 0..LARGES {
            let place = place(index);
            space.resolve(BASE + place, Access::Write).map_err(text)?;
            large
                .write(place, &(index + 1).to_le_bytes())
                .map_err(text)?;
        }
        check!(
            large.info().large == WHOLE,
            "{:#x} bytes in large pages, {} frames free",
            large.info().large,
            mm::statistics().free
        );
        Ok(Self {
            space,
            large,
            small,
        })
    }

    /// Needs small pages; what is used of the large ones stays. Returns how many of these were split.
    fn run(&self) -> Result<u64, String> {
        for page in 0..NEEDED {
            self.space
                .resolve(OTHER + page * PAGE_SIZE, Access::Write)
                .map_err(|error| format!("page {page}: {error:?}"))?;
        }
        let info = self.large.info();
        let split = (WHOLE - info.large) / PAGE_SIZE / LARGE_PAGES;
        check!(
            (2..LARGES).contains(&split),
            "{split} large pages were split"
        );
        check!(
            info.committed == WHOLE - split * (LARGE_PAGES - 1) * PAGE_SIZE,
            "{:#x} bytes are left",
            info.committed
        );
        check!(
            self.small.info().committed == NEEDED * PAGE_SIZE,
            "small pages were lost"
        );
        for index in 0..LARGES {
            self.space
                .resolve(BASE + place(index), Access::Read)
                .map_err(text)?;
        }
        // Interrupts stay off: another thread would load other tables.
        x86_64::instructions::interrupts::without_interrupts(|| {
            // SAFETY: interrupts are off; the space is retired when it is dropped.
            unsafe { shootdown::activate(percpu::current(), self.space.tlb()) };
            for index in 0..LARGES {
                let mut word = [0; 8];
                let is_read = usercopy::read(BASE + place(index), &mut word).is_ok();
                let found = u64::from_le_bytes(word);
                check!(
                    is_read && found == index + 1,
                    "{found:#x} is in large page {index}"
                );
            }
            Ok(split)
        })
    }
}

/// Bytes of the large pages.
const WHOLE: u64 = LARGES * LARGE_PAGES * PAGE_SIZE;

/// Where the word that is used in a large page lies in the area.
fn place(index: u64) -> u64 {
    (index * LARGE_PAGES + USED) * PAGE_SIZE
}
