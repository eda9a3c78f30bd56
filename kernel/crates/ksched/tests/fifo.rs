//! A list of threads that wait, against a plain one.

use ksched::{Fifo, Link, Linked};
use proptest::prelude::*;

/// A thread of the tests: a number and a link, which live as long as the tests do.
#[derive(Clone, Copy)]
struct Thread(&'static (usize, Link<Thread>));

impl Linked for Thread {
    fn link(&self) -> &Link<Self> {
        &self.0.1
    }
}

proptest! {
    #[test]
    fn those_who_wait_are_there_in_their_order(
        ops in proptest::collection::vec((0usize..8, 0..5), 0..100),
    ) {
        let all: Vec<_> = (0..8)
            .map(|number| Thread(Box::leak(Box::new((number, Link::new())))))
            .collect();
        let mut list = Fifo::new();
        let mut model: Vec<usize> = Vec::new();
        for (number, what) in ops {
            match (model.iter().position(|&here| here == number), what) {
                (_, 0) => {
                    let first = (!model.is_empty()).then(|| model.remove(0));
                    prop_assert_eq!(list.pop().map(|thread: Thread| thread.0.0), first);
                }
                (Some(place), 1 | 2) => {
                    list.remove(all[number]);
                    model.remove(place);
                }
                (None, 3 | 4) => {
                    list.push(all[number]);
                    model.push(number);
                }
                _ => {}
            }
            let mut found = Vec::new();
            let mut next = list.first();
            while let Some(thread) = next {
                found.push(thread.0.0);
                next = list.after(thread);
            }
            prop_assert_eq!(&found, &model);
            prop_assert_eq!(list.is_empty(), model.is_empty());
        }
    }
}
