//! Wrong arguments, generated from the table: for every call and each of its arguments, everything that is not of the
//! argument's kind, while all other arguments are right. Each must give the right error and change nothing.
//!
//! So calls that would end the caller are safe to make: they are never made with right arguments only.

use core::sync::atomic::AtomicU64;

use sys::abi::call::{Argument, Kind, Output};
use sys::abi::{CALLS, Call, Error, Handle, ObjectType, PAGE_SIZE, Rights, USER_END};
use sys::{Context, call};

use crate::world::{State, World};
use crate::{Report, expect};

/// What registers hold that a call does not take.
const NOISE: u64 = 0xdead_beef_dead_beef;
/// Right content for memory that a call reads: the log has no empty lines.
const TEXT: &[u8] = b"\n";
/// Memory that calls write to.
static ROOM: [AtomicU64; 8192] = [const { AtomicU64::new(0) }; 8192];
/// A page that can be read but not written to.
static CONSTANT: [u64; 64] = [1; 64];

/// Addresses at which nothing can be read or written.
const BAD_ADDRESSES: [u64; 16] = [
    0,
    8,
    PAGE_SIZE,
    0x10_0000,
    USER_END - PAGE_SIZE,
    USER_END,
    USER_END + 8,
    0x8000_0000_0000,
    0x0100_0000_0000_0000,
    0x8000_0000_0000_0000,
    0xffff_7fff_ffff_fff8,
    0xffff_8000_0000_0000,
    0xffff_c100_0000_0000,
    0xffff_ffff_8000_0000,
    u64::MAX - 0xfff,
    u64::MAX - 7,
];

/// A call that is being made with wrong arguments.
struct Subject<'a> {
    call: &'a Call,
    good: [u64; 6],
    world: &'a World,
    place: &'a [u64; 64],
}

/// Makes every call with every wrong argument.
pub fn all(report: &mut Report<'_>, context: &Context) {
    let world = match World::new(context) {
        Ok(world) => world,
        Err(error) => return report.check(false, format_args!("no world: {error}")),
    };
    let place = [0u64; 64];
    let before = report.passed + report.failed;
    for call in CALLS {
        let subject = Subject::new(call, &world, &place);
        let mut register = 0;
        for argument in call.arguments {
            subject.argument(report, register, *argument);
            register += argument.kind.registers();
        }
        if let Output::Structure(structure) = call.output {
            subject.place(report, register, structure.fields.len() as u64);
        }
    }
    report.check(
        report.passed + report.failed > before + 1000,
        format_args!("hardly a wrong argument was tried"),
    );
    let end = world.end();
    expect!(report, end, Ok(()), "the exception after all wrong calls");
}

impl<'a> Subject<'a> {
    fn new(call: &'a Call, world: &'a World, place: &'a [u64; 64]) -> Self {
        let mut good = [NOISE; 6];
        let mut register = 0;
        for argument in call.arguments {
            good[register] = match argument.kind {
                Kind::Handle { object, .. }
                | Kind::OptionalHandle { object, .. }
                | Kind::HandleAndRights { object } => world.handle(object).0,
                Kind::AnyHandle { .. } | Kind::Consumed => world.handle(ObjectType::Event).0,
                Kind::Bytes { .. } | Kind::Text { .. } => {
                    good[register + 1] = TEXT.len() as u64;
                    TEXT.as_ptr() as u64
                }
                Kind::Room { max } => {
                    good[register + 1] = max;
                    ROOM.as_ptr() as u64
                }
                Kind::Page => 0x50_0000,
                // Something can be read there in the child.
                Kind::Address => world.page_of_child(),
                Kind::Size => PAGE_SIZE,
                Kind::Bits { bits } => bits.first().map_or(0, |bit| bit.1),
                Kind::Below(_) => 0,
                Kind::Choice { first, .. } => first,
                Kind::Tag => 0,
                Kind::Rights | Kind::Value => 1,
            };
            register += argument.kind.registers();
        }
        if matches!(call.output, Output::Structure(_)) {
            good[register] = place.as_ptr() as u64;
        }
        Self {
            call,
            good,
            world,
            place,
        }
    }

    /// Makes the call with a wrong value in a register; `None` wants any error that the table lists.
    fn refused(&self, report: &mut Report<'_>, register: usize, value: u64, wanted: Option<Error>) {
        let mut registers = self.good;
        registers[register] = value;
        self.refused_with(report, registers, wanted);
    }

    fn refused_with(&self, report: &mut Report<'_>, registers: [u64; 6], wanted: Option<Error>) {
        let number = self.call.number as u64;
        let shown = sys::abi::format_call(number, registers);
        let before = self.world.state();
        let result = call::raw(number, registers);
        let after = self.world.state();
        match wanted {
            Some(error) => expect!(report, result, Err(error), "{shown}"),
            None => report.check(result.is_err(), format_args!("{shown} succeeds")),
        }
        let is_listed = |error| self.call.errors().any(|listed| listed == error);
        let is_known = result.is_ok() || result.is_err_and(is_listed);
        report.check(
            is_known,
            format_args!("{shown} returns {result:x?}, which the table does not list"),
        );
        let is_same = matches!((&before, &after), (Ok(before), Ok(after)) if before == after);
        let changed: (Option<State>, Option<State>) = (before.ok(), after.ok());
        report.check(is_same, format_args!("{shown} changed {changed:x?}"));
    }

    fn argument(&self, report: &mut Report<'_>, register: usize, argument: Argument) {
        let invalid = Some(Error::InvalidArgument);
        match argument.kind {
            Kind::Handle { object, rights } => {
                self.bad_handles(report, register);
                self.refused(report, register, 0, Some(Error::BadHandle));
                self.wrong_types(report, register, object);
                self.missing_rights(report, register, self.world.handle(object), rights);
            }
            Kind::OptionalHandle { object, rights } => {
                self.bad_handles(report, register);
                self.wrong_types(report, register, object);
                self.missing_rights(report, register, self.world.handle(object), rights);
            }
            Kind::HandleAndRights { object } => {
                self.bad_handles(report, register);
                self.refused(report, register, 0, Some(Error::BadHandle));
                self.wrong_types(report, register, object);
            }
            Kind::AnyHandle { rights } => {
                self.bad_handles(report, register);
                self.refused(report, register, 0, Some(Error::BadHandle));
                for object in ObjectType::ALL {
                    let handle = self.world.handle(*object);
                    self.missing_rights(report, register, handle, rights);
                }
            }
            Kind::Consumed => {
                self.bad_handles(report, register);
                self.refused(report, register, 0, Some(Error::BadHandle));
            }
            Kind::Bytes { max } | Kind::Text { max } => self.memory(report, register, max),
            Kind::Room { max } => self.room(report, register, max),
            Kind::Page => {
                for page in [1, 8, PAGE_SIZE - 1, PAGE_SIZE + 1, USER_END - 1] {
                    self.refused(report, register, page, invalid);
                }
                self.beyond_user_space(report, register);
            }
            Kind::Address => self.beyond_user_space(report, register),
            Kind::Size => {
                for size in [1, 8, PAGE_SIZE - 1, PAGE_SIZE + 1, 1 << 63 | 1, u64::MAX] {
                    self.refused(report, register, size, invalid);
                }
                // Longer than any area can be.
                for size in [1 << 62, 1 << 63, 0u64.wrapping_sub(PAGE_SIZE)] {
                    self.refused(report, register, size, None);
                }
            }
            Kind::Bits { bits } => {
                let known = bits.iter().fold(0, |known, bit| known | bit.1);
                for bit in (0..64).map(|bit| 1 << bit).filter(|bit| bit & known == 0) {
                    self.refused(report, register, bit, invalid);
                    self.refused(report, register, self.good[register] | bit, invalid);
                }
                self.refused(report, register, u64::MAX, invalid);
            }
            Kind::Below(count) => {
                let numbers = [count, count + 1, 1 << 8, 1 << 32, 1 << 63, u64::MAX];
                for number in numbers.into_iter().filter(|number| *number >= count) {
                    self.refused(report, register, number, invalid);
                }
            }
            Kind::Choice { first, end } => {
                let numbers = [end, end + 1, 1 << 8, 1 << 32, 1 << 63, u64::MAX];
                let before = first.checked_sub(1);
                for number in numbers.into_iter().chain(before) {
                    self.refused(report, register, number, invalid);
                }
            }
            // Every word is right.
            Kind::Tag => {
                for tag in [
                    65,
                    0xff,
                    1 << 12 | 65,
                    1 << 8,
                    3 << 8 | 2,
                    9 << 8 | 9,
                    u64::MAX,
                ] {
                    self.refused(report, register, tag, invalid);
                }
            }
            Kind::Rights | Kind::Value => {}
        }
    }

    /// Values that never were handles, and handles that are none any more; all but 0.
    fn bad_handles(&self, report: &mut Report<'_>, register: usize) {
        let good = Handle(self.good[register]);
        let closed = self.world.closed();
        report.check(closed.is_ok(), format_args!("no closed handle: {closed:?}"));
        let values = [
            closed.unwrap_or(Handle(u64::MAX)),
            Handle::new(good.index(), good.generation().wrapping_add(1)),
            Handle::new(good.index(), 0),
            Handle::new(good.index() | 1 << 31, good.generation()),
            Handle::new(0x00ff_ffff, 1),
            Handle(1 << 63),
            Handle(TEXT.as_ptr() as u64),
            Handle(u64::MAX),
        ];
        for value in values.into_iter().filter(|value| value.0 != 0) {
            self.refused(report, register, value.0, Some(Error::BadHandle));
        }
    }

    fn wrong_types(&self, report: &mut Report<'_>, register: usize, object: ObjectType) {
        for other in ObjectType::ALL.iter().filter(|other| **other != object) {
            let handle = self.world.handle(*other);
            self.refused(report, register, handle.0, Some(Error::WrongType));
        }
    }

    fn missing_rights(
        &self,
        report: &mut Report<'_>,
        register: usize,
        handle: Handle,
        needed: Rights,
    ) {
        if needed == Rights::NONE {
            return;
        }
        for missing in [needed, Rights::ALL] {
            match self.world.weak(handle, missing) {
                Ok(weak) => {
                    self.refused(report, register, weak.0, Some(Error::AccessDenied));
                    let closed = call::handle_close(weak);
                    expect!(report, closed, Ok(()), "the weak handle after its use");
                }
                Err(error) => report.check(false, format_args!("no weak handle: {error}")),
            }
        }
    }

    /// An address and a length that a call reads.
    fn memory(&self, report: &mut Report<'_>, register: usize, max: u64) {
        let bad = Some(Error::BadAddress);
        let end = self.world.page_end();
        let mut with = |address: u64, len: u64, wanted| {
            let mut registers = self.good;
            registers[register] = address;
            registers[register + 1] = len;
            self.refused_with(report, registers, wanted);
        };
        for address in BAD_ADDRESSES {
            for len in [1, 2, max] {
                with(address, len, bad);
            }
        }
        for (address, len) in [
            (end - 1, 2),
            (end - 8, 16),
            (end, 1),
            (u64::MAX, 1),
            (USER_END - 1, 2),
        ] {
            with(address, len, bad);
        }
        let good = self.good[register];
        for len in [
            max + 1,
            1 << 31,
            1 << 32,
            1 << 32 | 1,
            1 << 47,
            1 << 63,
            u64::MAX - good,
            u64::MAX,
        ] {
            with(good, len, Some(Error::InvalidArgument));
        }
    }

    /// An address and a length that a call writes to. It may find something else wrong before it writes.
    fn room(&self, report: &mut Report<'_>, register: usize, max: u64) {
        let mut with = |address: u64, len: u64, wanted| {
            let mut registers = self.good;
            registers[register] = address;
            registers[register + 1] = len;
            self.refused_with(report, registers, wanted);
        };
        let end = self.world.page_end();
        let constant = CONSTANT.as_ptr() as u64;
        for address in BAD_ADDRESSES.into_iter().chain([end, end - 1, constant]) {
            with(address, max, None);
        }
        let good = self.good[register];
        for len in [
            max + 1,
            1 << 31,
            1 << 32,
            1 << 32 | 1,
            1 << 47,
            1 << 63,
            u64::MAX - good,
            u64::MAX,
        ] {
            with(good, len, Some(Error::InvalidArgument));
        }
        let untouched = CONSTANT
            .iter()
            .all(|word| core::hint::black_box(*word) == 1);
        report.check(untouched, format_args!("constants were written to"));
    }

    /// An address that a call writes a structure to.
    fn place(&self, report: &mut Report<'_>, register: usize, words: u64) {
        let bad = Some(Error::BadAddress);
        for address in BAD_ADDRESSES {
            self.refused(report, register, address, bad);
        }
        let place = self.place.as_ptr() as u64;
        for offset in [1, 2, 4, 7] {
            self.refused(report, register, place + offset, bad);
        }
        // Good but for the last word, then for the last half of it.
        let end = self.world.page_end();
        self.refused(report, register, end - words * 8 + 8, bad);
        self.refused(report, register, end - words * 8 + 4, bad);
        self.refused(report, register, USER_END - 8, bad);
        self.refused(report, register, CONSTANT.as_ptr() as u64, bad);
        let untouched = CONSTANT
            .iter()
            .all(|word| core::hint::black_box(*word) == 1);
        report.check(untouched, format_args!("constants were written to"));
    }

    fn beyond_user_space(&self, report: &mut Report<'_>, register: usize) {
        for address in BAD_ADDRESSES
            .into_iter()
            .filter(|address| *address > USER_END)
        {
            self.refused(report, register, address, Some(Error::InvalidArgument));
        }
    }
}
