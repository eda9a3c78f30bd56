//! Four processors that change, load and use address spaces at the same time, each with its own memory of translations.
//!
//! The tables are edited by `kmem::pt`, and what is forgotten is decided by `kmem::tlb` and `ksync::Residency`, as in the
//! kernel. The order of steps is the kernel's, and any other processor may do any step between two of them. No processor
//! may ever reach a frame that was given back, or use a right that was taken away, once the change is complete; and what
//! is allowed must succeed. Then the kernel is given mistakes, all of which the model has to find.

mod edit;
mod fault;
mod jobs;
mod load;
mod memory;
mod ops;
mod serve;
mod system;
#[path = "../common/window.rs"]
mod window;

use fault::Fault;
use kmem::tlb::SLOTS;
use ops::Program;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use system::System;

const CASES: u32 = 160;
/// Fewer than there are spaces, so that slots change hands.
const FEW: usize = 2;

fn run(with_pcid: usize, fault: Option<Fault>, program: &Program) -> Result<(), TestCaseError> {
    let mut system = System::new(with_pcid, program.spaces, fault);
    for step in &program.steps {
        system.step(step.cpu % program.cpus, step)?;
    }
    system.settle();
    // All that is kept anywhere is looked at once more.
    for cpu in 0..program.cpus {
        system.touch_all(cpu)?;
        for place in 0..program.spaces {
            system.load(cpu, system.live[place]);
            system.touch_all(cpu)?;
        }
    }
    Ok(())
}

/// Runs the same programs each time; returns what the first one that fails says.
fn try_all(with_pcid: usize, fault: Option<Fault>) -> Option<String> {
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        // A mistake that was found need not be shown in its smallest form; one of the kernel should be.
        max_shrink_iters: if fault.is_some() { 0 } else { 4096 },
        ..Config::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::XorShift);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let result = runner.run(&ops::program(), |program| run(with_pcid, fault, &program));
    match result {
        Ok(()) => None,
        Err(TestError::Fail(reason, _)) if fault.is_some() => Some(reason.to_string()),
        Err(error) => Some(error.to_string()),
    }
}

fn holds(with_pcid: usize) {
    if let Some(failure) = try_all(with_pcid, None) {
        panic!("{failure}");
    }
}

#[test]
fn no_old_translation_is_used_without_pcids() {
    holds(0);
}

#[test]
fn no_old_translation_is_used_with_pcids_for_all_spaces() {
    holds(SLOTS);
}

#[test]
fn no_old_translation_is_used_with_fewer_pcids_than_spaces() {
    holds(FEW);
}

/// Whether what failed is what the model is about.
fn is_stale_use(failure: &Option<String>) -> bool {
    failure
        .as_ref()
        .is_some_and(|failure| failure.contains("a processor"))
}

/// The model must find this mistake with these numbers of PCIDs.
fn is_found(fault: Fault, numbers_of_pcids: &[usize]) {
    for with_pcid in numbers_of_pcids {
        let failure = try_all(*with_pcid, Some(fault));
        assert!(
            is_stale_use(&failure),
            "{fault:?} with {with_pcid} PCIDs: {failure:?}"
        );
    }
}

macro_rules! found {
    ($($name:ident: $fault:ident $numbers_of_pcids:expr;)*) => {$(
        #[test]
        fn $name() {
            is_found(Fault::$fault, &$numbers_of_pcids);
        }
    )*};
}

found! {
    asking_all_users_but_one_is_found: OneUserNotAsked [0, FEW, SLOTS];
    reading_the_users_before_the_change_is_found: UsersReadBeforeChange [0, SLOTS];
    freeing_before_all_have_answered_is_found: FreedBeforeAnswers [0, SLOTS];
    answering_before_forgetting_is_found: AnsweredBeforeDone [0, SLOTS];
    forgetting_one_page_too_few_is_found: OnePageShort [0, SLOTS];
    stepping_through_large_pages_as_small_is_found: SmallSteps [0, SLOTS];
    taking_rights_without_a_flush_is_found: ProtectNotFlushed [0, SLOTS];
    becoming_a_user_after_the_load_is_found: EnteredAfterLoad [0, SLOTS];
    leaving_before_the_load_is_found: LeftBeforeLoad [0, SLOTS];
    leaving_on_going_lazy_is_found: LazyLeaves [0, SLOTS];
    destroying_a_lazily_loaded_space_is_found: RetiredWithoutAsking [0, SLOTS];
    // Mistakes that need PCIDs to do harm, or do little without.
    not_counting_a_change_is_found: NotCounted [FEW, SLOTS];
    reading_the_generation_too_early_is_found: GenerationReadBeforeEnter [SLOTS];
    serving_between_decision_and_load_is_found: ServedWhileLoading [SLOTS];
    reusing_a_slot_without_a_flush_is_found: SlotReusedUnflushed [FEW];
    trusting_a_slot_that_is_behind_is_found: OldSlotTrusted [FEW, SLOTS];
    kernel_tables_known_under_other_pcids_are_found: KernelTablesKnown [FEW, SLOTS];
}
