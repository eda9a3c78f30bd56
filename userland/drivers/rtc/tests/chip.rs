//! The clock on a model of the chip: the date that was set comes back, and none is torn.

#![allow(missing_docs, reason = "a test")]

use std::cell::RefCell;
use std::rc::Rc;

use proptest::prelude::{Strategy, any, prop, prop_assert, prop_assert_eq, proptest};
use rtc::chip::{Chip, Trouble};
use rtc::registers as r;
use time::{Date, Month, OffsetDateTime};

/// Where the century is, on most PCs.
const CENTURY: u8 = 0x32;

/// A chip that counts in one of four ways. Each access to it takes a while.
struct Model {
    memory: [u8; 128],
    /// The date that it has, in seconds.
    now: u64,
    has_century: bool,
    /// Accesses until it counts next, and while it is about to.
    until: u32,
    pause: u32,
}

/// For so many accesses it says that it is about to count.
const UPDATING: u32 = 8;

impl Model {
    fn is(&self, bit: u8) -> bool {
        self.memory[usize::from(r::B)] & bit != 0
    }

    fn put(&mut self, register: u8, number: u8) {
        let value = if self.is(r::B_BINARY) {
            number
        } else {
            number / 10 * 16 + number % 10
        };
        self.memory[usize::from(register)] = value;
    }

    fn get(&self, register: u8, mask: u8) -> u8 {
        let value = self.memory[usize::from(register)] & mask;
        if self.is(r::B_BINARY) {
            value
        } else {
            value / 16 * 10 + value % 16
        }
    }

    /// Writes the registers.
    fn show(&mut self) {
        let date = OffsetDateTime::from_unix_timestamp(self.now as i64).expect("a date");
        self.put(r::SECONDS, date.second());
        self.put(r::MINUTES, date.minute());
        if self.is(r::B_24_HOURS) {
            self.put(r::HOURS, date.hour());
        } else {
            self.put(
                r::HOURS,
                [12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11][usize::from(date.hour() % 12)],
            );
            if date.hour() >= 12 {
                self.memory[usize::from(r::HOURS)] |= r::HOURS_PM;
            }
        }
        self.put(r::WEEKDAY, date.weekday().number_from_sunday());
        self.put(r::DAY, date.day());
        self.put(r::MONTH, u8::from(date.month()));
        self.put(r::YEAR, (date.year() % 100) as u8);
        if self.has_century {
            self.put(CENTURY, (date.year() / 100) as u8);
        }
    }

    /// Reads the registers, as they were set.
    fn take(&mut self) {
        let mut hour = self.get(r::HOURS, 0x7f);
        if !self.is(r::B_24_HOURS) {
            let pm = self.memory[usize::from(r::HOURS)] & r::HOURS_PM != 0;
            hour = hour % 12 + if pm { 12 } else { 0 };
        }
        let century = if self.has_century {
            i32::from(self.get(CENTURY, 0xff))
        } else {
            20
        };
        let year = century * 100 + i32::from(self.get(r::YEAR, 0xff));
        let month = Month::try_from(self.get(r::MONTH, 0xff)).expect("a month");
        let date = Date::from_calendar_date(year, month, self.get(r::DAY, 0xff)).expect("a date");
        let minute = self.get(r::MINUTES, 0xff);
        let time = date
            .with_hms(hour, minute, self.get(r::SECONDS, 0xff))
            .expect("a time")
            .assume_utc();
        assert_eq!(
            self.get(r::WEEKDAY, 0xff),
            time.weekday().number_from_sunday()
        );
        self.now = time.unix_timestamp() as u64;
    }

    /// Time goes by.
    fn access(&mut self) {
        if self.is(r::B_SET) {
            return;
        }
        self.until = match self.until {
            0 => {
                self.now += 1;
                self.show();
                self.memory[usize::from(r::C)] |= r::C_SECOND;
                self.pause
            }
            left => left - 1,
        };
    }
}

#[derive(Clone)]
struct Wire(Rc<RefCell<Model>>);

impl r::Registers for Wire {
    fn read(&mut self, register: u8) -> u8 {
        let model = &mut *self.0.borrow_mut();
        model.access();
        let is_about = !model.is(r::B_SET) && model.until < UPDATING;
        let value = &mut model.memory[usize::from(register)];
        match register {
            r::A if is_about => *value | r::A_UPDATING,
            r::C => std::mem::take(value),
            _ => *value,
        }
    }

    fn write(&mut self, register: u8, value: u8) {
        let model = &mut *self.0.borrow_mut();
        model.access();
        let was_set = model.is(r::B_SET);
        model.memory[usize::from(register)] = value;
        if was_set && !model.is(r::B_SET) {
            model.take();
        }
    }
}

fn clock(mode: u8, has_century: bool, now: u64, pause: u32) -> (Wire, Chip<Wire>) {
    let mut model = Model {
        memory: [0; 128],
        now,
        has_century,
        until: pause,
        pause,
    };
    model.memory[usize::from(r::B)] = mode;
    model.memory[usize::from(r::D)] = r::D_VALID;
    model.show();
    let wire = Wire(Rc::new(RefCell::new(model)));
    let chip = Chip::new(wire.clone(), has_century.then_some(CENTURY));
    (wire, chip)
}

fn mode() -> impl Strategy<Value = u8> {
    prop::sample::select(vec![
        0,
        r::B_BINARY,
        r::B_24_HOURS,
        r::B_BINARY | r::B_24_HOURS,
    ])
}

/// The begins of 2000 and 2100, and of 10000.
const Y2000: u64 = 946_684_800;
const Y2100: u64 = 4_102_444_800;
const Y10000: u64 = 253_402_300_800;

proptest! {
    #[test]
    fn what_is_set_comes_back(mode in mode(), now in Y2000..Y2100, to in Y2000..Y2100, later in 0u64..Y10000 - 100) {
        let (wire, mut chip) = clock(mode, false, now, 10_000);
        prop_assert_eq!(chip.read(), Ok(now));
        prop_assert_eq!(chip.set(to), Ok(()));
        prop_assert_eq!(wire.0.borrow().now, to);
        prop_assert_eq!(chip.read(), Ok(to));
        if !(Y2000..Y2100).contains(&later) {
            prop_assert_eq!(chip.set(later), Err(Trouble::Range));
        }
        let (wire, mut chip) = clock(mode, true, now, 10_000);
        prop_assert_eq!(chip.set(later), Ok(()));
        prop_assert_eq!(wire.0.borrow().now, later);
        prop_assert_eq!(chip.read(), Ok(later));
        // It counts in its way as before.
        prop_assert_eq!(wire.0.borrow().memory[usize::from(r::B)], mode);
    }

    /// However fast the clock is: what is read is the date at some time between the begin and the end of reading.
    #[test]
    fn no_date_is_torn(mode in mode(), now in Y2000..Y2100 - 10_000, pause in UPDATING..60, tries in 1usize..50) {
        let (wire, mut chip) = clock(mode, false, now, pause);
        for _ in 0..tries {
            let before = wire.0.borrow().now;
            match chip.read() {
                Ok(read) => prop_assert!((before..=wire.0.borrow().now).contains(&read)),
                Err(trouble) => prop_assert_eq!(trouble, Trouble::Updating),
            }
        }
    }

    #[test]
    fn whatever_is_there_is_a_date_or_none(memory in prop::collection::vec(any::<u8>(), 128), has_century in any::<bool>()) {
        let (wire, mut chip) = clock(0, has_century, Y2000, 10_000);
        wire.0.borrow_mut().memory.copy_from_slice(&memory);
        let _ = chip.read();
    }

    #[test]
    fn any_number_can_be_asked_for(to in any::<u64>(), has_century in any::<bool>()) {
        let (wire, mut chip) = clock(r::B_24_HOURS, has_century, Y2000, 10_000);
        let most = if has_century { Y10000 } else { Y2100 };
        if to >= most {
            prop_assert_eq!(chip.set(to), Err(Trouble::Range));
            prop_assert_eq!(wire.0.borrow().now, Y2000);
        }
    }
}

#[test]
fn an_empty_battery_and_a_clock_that_hangs_are_told() {
    let (wire, mut chip) = clock(r::B_24_HOURS, false, Y2000, 10_000);
    wire.0.borrow_mut().memory[usize::from(r::D)] = 0;
    assert_eq!(chip.read(), Err(Trouble::Battery));
    let (wire, mut chip) = clock(r::B_24_HOURS, false, Y2000, 10_000);
    wire.0.borrow_mut().memory[usize::from(r::A)] = r::A_UPDATING;
    assert_eq!(chip.read(), Err(Trouble::Updating));
    wire.0.borrow_mut().memory[usize::from(r::A)] = 0;
    wire.0.borrow_mut().memory[usize::from(r::MONTH)] = 0x1a;
    assert!(matches!(chip.read(), Err(Trouble::NoDate(_))));
}

#[test]
fn seconds_are_told_once_each() {
    let (wire, mut chip) = clock(r::B_24_HOURS | 1 << 6, false, Y2000, 20);
    chip.interrupt_each_second();
    let mode = wire.0.borrow().memory[usize::from(r::B)];
    assert_eq!(mode, r::B_24_HOURS | r::B_EACH_SECOND);
    let mut counted = 0;
    let before = wire.0.borrow().now;
    for _ in 0..100 {
        counted += u64::from(chip.has_counted());
    }
    assert_eq!(counted, wire.0.borrow().now - before);
    chip.be_quiet();
    assert_eq!(wire.0.borrow().memory[usize::from(r::B)], r::B_24_HOURS);
}
