//! Starting a controller and a keyboard that are there, that are not, and that are broken.

use crate::model::{Faults, Model};
use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, prop_assume, proptest};
use ps2::{Set, StartError, start};

/// The longest that starting may take, in milliseconds.
const LIMIT: u64 = 20_000;

fn started(faults: Faults) -> (Result<ps2::Started, StartError>, Model) {
    let mut model = Model::new(faults);
    let result = start(&mut model);
    (result, model)
}

fn harmless() -> impl Strategy<Value = Faults> {
    (
        0..3_u8,
        any::<bool>(),
        0..20_u8,
        0..100_u64,
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            |(resends, never_translates, left_over, delay, has_mouse, is_silent_after_reset)| {
                Faults {
                    resends,
                    never_translates,
                    left_over,
                    delay,
                    has_mouse,
                    is_silent_after_reset,
                    ..Faults::default()
                }
            },
        )
}

proptest! {
    #[test]
    fn a_keyboard_that_is_only_odd_is_started(faults in harmless()) {
        let (result, model) = started(faults);
        let set = if faults.never_translates { Set::Two } else { Set::One };
        prop_assert_eq!(result.map(|started| started.set), Ok(set));
        // It fires, and the mouse does not.
        prop_assert_eq!(model.configuration & 0x33, 0x21);
        prop_assert!(model.is_enabled);
        prop_assert_eq!(model.set, 2);
        prop_assert_eq!(model.repeat, 0x22);
        prop_assert!(model.now < LIMIT, "{} ms", model.now);
    }

    #[test]
    fn whatever_is_broken_starting_ends(
        mut faults in harmless(), flags in any::<[bool; 4]>(), tests in any::<[Option<u8>; 3]>(), resends in any::<u8>(), left_over in any::<u8>()
    ) {
        [faults.has_no_controller, faults.has_no_keyboard, faults.is_stuck, faults.overflows] = flags;
        [faults.controller_test, faults.port_test, faults.keyboard_test] = tests;
        (faults.resends, faults.left_over) = (resends, left_over);
        let (result, model) = started(faults);
        prop_assert!(model.now < LIMIT, "{} ms", model.now);
        if faults.has_no_controller {
            prop_assert_eq!(result, Err(StartError::NoController));
        }
        if let Err(error) = result {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn what_a_part_says_of_itself_is_told(code in 1..=0xff_u8) {
        let (result, _) = started(Faults { port_test: Some(code), ..Faults::default() });
        prop_assert_eq!(result, Err(StartError::Port(code)));
        prop_assume!(code != 0x55);
        let (result, _) = started(Faults { controller_test: Some(code), ..Faults::default() });
        prop_assert_eq!(result.map(|started| started.controller_test), Ok(Some(code)));
        prop_assume!(code != 0xaa);
        let (result, _) = started(Faults { keyboard_test: Some(code), ..Faults::default() });
        prop_assert_eq!(result, Err(StartError::Keyboard(code)));
    }
}

#[test]
fn without_a_keyboard_there_is_none() {
    let (result, _) = started(Faults {
        has_no_keyboard: true,
        ..Faults::default()
    });
    assert_eq!(result, Err(StartError::NoKeyboard));
}

#[test]
fn a_controller_that_does_nothing_is_none() {
    let (result, _) = started(Faults {
        is_stuck: true,
        ..Faults::default()
    });
    assert_eq!(result, Err(StartError::NoController));
    let (result, _) = started(Faults {
        overflows: true,
        ..Faults::default()
    });
    assert_eq!(result, Err(StartError::NoController));
}
