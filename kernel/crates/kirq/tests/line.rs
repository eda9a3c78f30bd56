//! Lines with a device, an I/O APIC and a driver around them: nothing is lost, and nobody is told twice.

use kirq::{IrqError, Line, MOST_UNACKNOWLEDGED, Step, Trigger};
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
enum Op {
    /// The device has something to do.
    Raise,
    /// An interrupt that the I/O APIC has sent arrives.
    Arrive,
    /// The driver, which was told, looks after the device.
    Serve,
    /// The driver acknowledges.
    Acknowledge,
    /// The driver wants to be told no more, or again.
    Bind(bool),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        6 => Just(Op::Raise),
        6 => Just(Op::Arrive),
        4 => Just(Op::Serve),
        4 => Just(Op::Acknowledge),
        1 => any::<bool>().prop_map(Op::Bind),
    ];
    proptest::collection::vec(op, 0..400)
}

/// A device with work, the input of an I/O APIC, and a driver.
struct Model {
    line: Line,
    trigger: Trigger,
    is_masked: bool,
    /// Interrupts that were sent and have not arrived; levels are not sent again until the end of one.
    sent: u32,
    /// What the driver has not seen.
    work: u32,
    is_bound: bool,
    /// The driver was told and has not acknowledged.
    told: bool,
    /// Interrupts that have arrived and were not acknowledged.
    arrived: u32,
}

impl Model {
    fn new(trigger: Trigger) -> Self {
        Self {
            line: Line::new(trigger),
            trigger,
            is_masked: true,
            sent: 0,
            work: 0,
            is_bound: false,
            told: false,
            arrived: 0,
        }
    }

    /// A level that is there is sent when the input is open.
    fn look_at_the_level(&mut self) {
        if self.trigger == Trigger::Level && !self.is_masked && self.work != 0 && self.sent == 0 {
            self.sent = 1;
        }
    }

    fn follow(&mut self, step: Step) {
        if let Some(is_masked) = step.mask {
            assert_ne!(is_masked, self.is_masked, "the input is so already");
            self.is_masked = is_masked;
        }
        assert_eq!(self.line.is_masked(), self.is_masked);
        assert!(self.is_bound || self.is_masked, "nobody wants to know");
        if step.signal {
            assert!(self.is_bound, "nobody is to be told");
            self.told = true;
        }
        self.look_at_the_level();
    }

    fn act(&mut self, op: Op) {
        match op {
            Op::Raise => {
                self.work += 1;
                if self.trigger == Trigger::Edge && !self.is_masked {
                    self.sent += 1;
                }
                self.look_at_the_level();
            }
            Op::Arrive if self.sent != 0 => {
                self.sent -= 1;
                self.arrived += 1;
                let told = self.told;
                let step = self.line.fire();
                assert!(!(told && step.signal), "told again without acknowledging");
                self.follow(step);
                if self.trigger == Trigger::Level && self.is_bound {
                    assert!(self.is_masked, "the level would fire again at once");
                }
            }
            Op::Serve if self.told => self.work = 0,
            Op::Acknowledge => match self.line.acknowledge() {
                Ok((count, step)) => {
                    let most = match self.trigger {
                        Trigger::Level => 1,
                        Trigger::Edge => MOST_UNACKNOWLEDGED,
                    };
                    assert_eq!(count, self.arrived.min(most));
                    self.told = false;
                    self.arrived = u32::from(count > 1);
                    self.follow(step);
                }
                Err(error) => {
                    assert_eq!((error, self.arrived), (IrqError::NotFired, 0));
                    assert!(!self.told, "told of nothing");
                }
            },
            Op::Bind(is_bound) => {
                self.is_bound = is_bound;
                let step = self.line.bind(is_bound);
                self.follow(step);
            }
            Op::Arrive | Op::Serve => {}
        }
    }

    /// The driver does what drivers do until nothing happens any more.
    fn settle(&mut self) {
        for _ in 0..10 * MOST_UNACKNOWLEDGED {
            self.act(Op::Arrive);
            if self.told {
                self.act(Op::Serve);
                self.act(Op::Acknowledge);
            }
        }
    }
}

proptest! {
    #[test]
    fn no_level_is_lost(ops in ops()) {
        let mut model = Model::new(Trigger::Level);
        for op in ops {
            model.act(op);
        }
        model.act(Op::Bind(true));
        model.settle();
        prop_assert_eq!((model.work, model.told, model.is_masked), (0, false, false));
    }

    #[test]
    fn no_edge_is_lost(ops in ops(), burst in 0u32..3 * MOST_UNACKNOWLEDGED) {
        let mut model = Model::new(Trigger::Edge);
        // What comes while nobody wants to know is not promised.
        model.act(Op::Bind(true));
        for op in ops.into_iter().filter(|op| !matches!(op, Op::Bind(_))) {
            model.act(op);
        }
        for _ in 0..burst {
            model.act(Op::Raise);
            model.act(Op::Arrive);
        }
        model.settle();
        prop_assert_eq!((model.work, model.told, model.is_masked), (0, false, false));
        prop_assert_eq!(model.line.fired(), 0);
    }

    #[test]
    fn edges_with_all_bindings_tell_nobody_in_vain(ops in ops()) {
        let mut model = Model::new(Trigger::Edge);
        for op in ops {
            model.act(op);
        }
    }
}

/// A device that floods a line is stopped, and what it did meanwhile is seen.
#[test]
fn a_flood_of_edges_is_masked() {
    let mut model = Model::new(Trigger::Edge);
    model.act(Op::Bind(true));
    for _ in 0..MOST_UNACKNOWLEDGED {
        assert!(!model.is_masked);
        model.act(Op::Raise);
        model.act(Op::Arrive);
    }
    assert!(model.is_masked);
    // The driver has looked; then another edge comes, which the mask holds back.
    model.act(Op::Serve);
    model.act(Op::Raise);
    model.act(Op::Acknowledge);
    assert!(!model.is_masked && model.told, "it is to look once more");
    model.act(Op::Serve);
    model.act(Op::Acknowledge);
    assert_eq!((model.work, model.told), (0, false));
}

#[test]
fn who_comes_anew_is_told_of_what_was_not_acknowledged() {
    for trigger in [Trigger::Level, Trigger::Edge] {
        let mut line = Line::new(trigger);
        assert_eq!(line.bind(true).mask, Some(false));
        assert!(line.fire().signal);
        assert!(!line.bind(false).signal);
        assert!(line.bind(true).signal);
        assert_eq!(line.acknowledge().map(|(count, _)| count), Ok(1));
        assert!(!line.bind(true).signal);
    }
}
