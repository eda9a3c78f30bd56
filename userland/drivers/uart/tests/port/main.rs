//! The port on a model of the chip: every byte arrives, in order, and no interrupt is missed.

#![allow(missing_docs, reason = "a test")]

#[allow(dead_code, reason = "the other test uses the rest")]
mod model;

use std::cell::RefCell;

use model::{Hardware, Model, Wire};
use proptest::prelude::{
    Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use proptest::test_runner::TestCaseError;
use uart::detect::{Chip, detect};
use uart::port::{Port, RECEIVE_ROOM, SEND_ROOM, Served, serve_line};
use uart::registers::{LSR_BREAK, LSR_FRAMING, LSR_PARITY, MSR_CTS};
use uart::settings::{Flow, Settings};

const CHIPS: [Chip; 4] = [Chip::I8250, Chip::I16450, Chip::I16550, Chip::I16550A];

/// What happens, at either end.
#[derive(Clone, Debug)]
enum Step {
    /// The client writes so many bytes.
    Write(usize),
    /// The client reads at most so many bytes.
    Read(usize),
    /// The line takes so many bytes.
    Go(usize),
    /// The other side sends so many bytes, if it may.
    Come(usize),
    /// The other side does not look at RTS.
    Push(usize),
    /// The line is quiet for a while.
    Rest,
    /// The other side takes bytes, or not.
    Clear(bool),
    /// The interrupt, if there was one, reaches the driver.
    Interrupt,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => prop_oneof![0usize..40, 0usize..3000].prop_map(Step::Write),
        3 => prop_oneof![0usize..40, 0usize..5000].prop_map(Step::Read),
        4 => (0usize..40).prop_map(Step::Go),
        4 => prop_oneof![0usize..20, 0usize..3000].prop_map(Step::Come),
        1 => (0usize..40).prop_map(Step::Push),
        1 => Just(Step::Rest),
        2 => any::<bool>().prop_map(Step::Clear),
        6 => Just(Step::Interrupt),
    ]
}

fn flow() -> impl Strategy<Value = Flow> {
    prop_oneof![Just(Flow::None), Just(Flow::Hardware), Just(Flow::Auto)]
}

struct World {
    wire: Wire,
    port: RefCell<Port<Wire>>,
    flow: Flow,
    /// Bytes that the client has written, and of them those that were taken; numbers that count up.
    written: Vec<u8>,
    /// What came, and what was read of it.
    came: Vec<u8>,
    read: Vec<u8>,
    next: u8,
    lost: u64,
}

impl World {
    fn new(chip: Chip, flow: Flow, lines: u8) -> Self {
        let mut wire = Wire::new(Hardware::Chip(chip), lines);
        assert_eq!(detect(&mut wire), Some(chip));
        let settings = Settings { divisor: 3, flow };
        let port = RefCell::new(Port::new(wire.clone(), chip, &settings).expect("memory"));
        assert_eq!(wire.get().divisor, [3, 0]);
        Self {
            wire,
            port,
            flow,
            written: Vec::new(),
            came: Vec::new(),
            read: Vec::new(),
            next: 0,
            lost: 0,
        }
    }

    fn number(&mut self) -> u8 {
        self.next = self.next.wrapping_add(1);
        self.next
    }

    /// The other side sends a byte; then the interrupt has time to be served, as the line is slow.
    fn come(&mut self) {
        let byte = self.number();
        let before = self.wire.get().lost;
        self.wire.get().come(byte, 0);
        if self.wire.get().lost == before {
            self.came.push(byte);
        }
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Write(count) => {
                let bytes: Vec<u8> = (0..count).map(|_| self.number()).collect();
                let taken = self.port.borrow_mut().send(&bytes);
                assert!(taken == count || self.port.borrow().send_room() == 0 || taken > 0);
                self.written.extend(&bytes[..taken]);
            }
            Step::Read(count) => {
                let mut buffer = vec![0; count];
                let count = self.port.borrow_mut().receive(&mut buffer);
                self.read.extend(&buffer[..count]);
            }
            Step::Go(count) => self.wire.get().go(count),
            Step::Come(count) => {
                for _ in 0..count {
                    if !self.wire.get().is_ready() {
                        break;
                    }
                    self.come();
                    self.interrupt();
                }
            }
            Step::Push(count) => {
                for _ in 0..count {
                    self.come();
                }
            }
            Step::Rest => self.wire.get().rest(),
            Step::Clear(is_clear) => {
                let lines = if is_clear { MSR_CTS } else { 0 };
                self.wire.get().set_lines(lines);
            }
            Step::Interrupt => self.interrupt(),
        }
    }

    /// Tells the driver of an edge. Afterwards the line is low, or it never rises again.
    fn interrupt(&mut self) {
        if std::mem::take(&mut self.wire.get().edge) {
            while serve_line(std::iter::once(&self.port)) == Served::Again {}
            assert!(!self.wire.get().is_high(), "the line stays high");
        }
    }

    /// All that can move moves.
    fn finish(&mut self) {
        self.take(&Step::Clear(true));
        for _ in 0..4 * (SEND_ROOM + RECEIVE_ROOM) {
            self.take(&Step::Interrupt);
            self.take(&Step::Go(1));
            self.take(&Step::Rest);
            self.take(&Step::Read(100));
            if self.is_at_rest() {
                break;
            }
        }
    }

    fn is_at_rest(&self) -> bool {
        self.wire.get().is_at_rest() && self.port.borrow().waiting() == 0
    }

    fn check(&mut self, is_overwriting: bool) -> Result<(), TestCaseError> {
        prop_assert_eq!(&self.wire.get().sent, &self.written);
        prop_assert!(self.port.borrow_mut().is_drained());
        let counts = self.port.borrow().counts();
        prop_assert_eq!(counts.received, self.read.len() as u64);
        prop_assert_eq!(counts.sent, self.written.len() as u64);
        prop_assert_eq!(counts.overruns > 0, self.wire.get().lost > 0);
        prop_assert!(counts.overruns <= self.wire.get().lost);
        // Without a FIFO, the byte that comes too early replaces the other one.
        if !is_overwriting || self.wire.get().lost == 0 {
            prop_assert_eq!(&self.read, &self.came);
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn every_byte_arrives_in_order(
        chip in prop::sample::select(&CHIPS[..]), flow in flow(), cts in any::<bool>(),
        steps in prop::collection::vec(step(), 0..60)
    ) {
        let mut world = World::new(chip, flow, if cts { MSR_CTS } else { 0 });
        for step in &steps {
            world.take(step);
        }
        world.finish();
        world.check(chip != Chip::I16550A)?;
    }

    /// With somebody at the other side who looks at RTS, and a driver that is told in time, nothing is lost at all.
    #[test]
    fn with_flow_control_nothing_is_lost(
        chip in prop::sample::select(&CHIPS[..]), steps in prop::collection::vec(step(), 0..60)
    ) {
        let mut world = World::new(chip, Flow::Hardware, MSR_CTS);
        for step in steps.iter().filter(|step| !matches!(step, Step::Push(_))) {
            world.take(step);
        }
        world.finish();
        prop_assert_eq!(world.wire.get().lost, 0);
        world.check(false)?;
    }

    /// What is told to wait waits, but for the bytes that the chip has already.
    #[test]
    fn nothing_is_sent_against_the_other_side(count in 1usize..SEND_ROOM, went in 0usize..64) {
        let mut world = World::new(Chip::I16550A, Flow::Auto, MSR_CTS);
        world.take(&Step::Write(count));
        for _ in 0..went {
            world.take(&Step::Go(1));
            world.take(&Step::Interrupt);
        }
        world.take(&Step::Clear(false));
        world.take(&Step::Interrupt);
        let before = world.wire.get().sent.len();
        prop_assert!(world.port.borrow().is_held());
        for _ in 0..2 * SEND_ROOM {
            world.take(&Step::Go(1));
            world.take(&Step::Interrupt);
        }
        prop_assert!(world.wire.get().sent.len() <= before + 16);
        world.finish();
        world.check(false)?;
    }

    /// Two ports on one line whose edges only are told.
    #[test]
    fn ports_that_share_a_line(steps in prop::collection::vec((any::<bool>(), step()), 0..60)) {
        let mut worlds = [
            World::new(Chip::I16550A, Flow::Auto, MSR_CTS),
            World::new(Chip::I16450, Flow::Auto, MSR_CTS),
        ];
        let mut was_high = false;
        let mut share = |worlds: &[World; 2]| {
            let is_high = |world: &World| world.wire.get().is_high();
            let level = worlds.iter().any(is_high);
            if level && !was_high {
                while serve_line(worlds.iter().map(|world| &world.port)) == Served::Again {}
                assert!(!worlds.iter().any(is_high), "the line stays high");
            }
            was_high = worlds.iter().any(is_high);
        };
        for (which, step) in &steps {
            match step {
                Step::Interrupt => share(&worlds),
                // A line that rises and falls again is told as an edge: it is served then.
                Step::Come(count) => {
                    for _ in 0..*count {
                        let world = &mut worlds[usize::from(*which)];
                        if world.wire.get().is_ready() {
                            world.come();
                        }
                        share(&worlds);
                    }
                }
                step => {
                    worlds[usize::from(*which)].take(step);
                    share(&worlds);
                }
            }
        }
        for world in &mut worlds {
            world.take(&Step::Clear(true));
        }
        for _ in 0..4 * (SEND_ROOM + RECEIVE_ROOM) {
            share(&worlds);
            for world in &mut worlds {
                world.take(&Step::Go(1));
                world.take(&Step::Rest);
                world.take(&Step::Read(100));
            }
            if worlds.iter().all(World::is_at_rest) {
                break;
            }
        }
        worlds[0].check(false)?;
        worlds[1].check(true)?;
    }
}

#[test]
fn what_is_no_port_is_not_found() {
    for hardware in [Hardware::Absent, Hardware::Memory] {
        assert_eq!(detect(&mut Wire::new(hardware, 0)), None, "{hardware:?}");
    }
}

#[test]
fn a_cable_without_cts_is_sent_by() {
    let mut world = World::new(Chip::I16550A, Flow::Auto, 0);
    world.take(&Step::Write(100));
    world.take(&Step::Go(16));
    world.take(&Step::Interrupt);
    assert_eq!(world.wire.get().sent.len(), 16);
    let mut world = World::new(Chip::I16550A, Flow::Hardware, 0);
    world.take(&Step::Write(100));
    world.take(&Step::Go(16));
    assert_eq!(world.wire.get().sent.len(), 0);
    assert_eq!(world.flow, Flow::Hardware);
}

#[test]
fn errors_are_counted_with_their_bytes() {
    let mut world = World::new(Chip::I16550A, Flow::Auto, MSR_CTS);
    for (byte, errors) in [
        (1, 0),
        (2, LSR_PARITY),
        (0, LSR_BREAK | LSR_FRAMING),
        (4, LSR_FRAMING),
        (5, 0),
    ] {
        world.wire.get().come(byte, errors);
        // Looking at the line for another reason must not take an error from its byte.
        world.port.borrow_mut().send(b"x");
        world.wire.get().go(1);
    }
    world.wire.get().rest();
    world.interrupt();
    let mut buffer = [0; 8];
    let count = world.port.borrow_mut().receive(&mut buffer);
    assert_eq!(buffer[..count], [1, 2, 4, 5]);
    let counts = world.port.borrow().counts();
    assert_eq!((counts.damaged, counts.breaks, counts.overruns), (2, 1, 0));
}

/// A port that was pulled out reads as ones: the driver is told, instead of going on for ever.
#[test]
fn a_port_that_goes_away_ends_nothing() {
    let world = World::new(Chip::I16550A, Flow::Auto, MSR_CTS);
    *world.wire.get() = Model::new(Hardware::Absent, 0);
    // All causes read as none.
    assert!(matches!(
        world.port.borrow_mut().serve(),
        Served::Idle { had_cause: false }
    ));
    assert_eq!(world.lost, 0);
}
