//! The heap, and mapped memory.

use alloc::vec::Vec;

use sys::abi::area::{READ, WRITE};
use sys::heap;
use sys::object::{Process, VmArea};
use sys::random::Random;
use sys::{Context, thread};

use crate::checks::Outcome;
use crate::{check, same};

const MIB: usize = 1 << 20;

pub fn heap_grows_and_shrinks(_: &Context) -> Outcome {
    let mut all = Vec::new();
    let before = heap::mapped();
    for round in 0..40usize {
        let mut piece: Vec<u8> = Vec::new();
        let wanted = (round + 1) * 50_000;
        check!(piece.try_reserve_exact(wanted).is_ok(), "round {round}");
        piece.resize(wanted, round as u8);
        all.push(piece);
    }
    let most = heap::mapped();
    check!(most >= before + 40 * MIB as u64 / 2, "{most} bytes mapped");
    for (round, piece) in all.iter().enumerate() {
        check!(
            piece.iter().all(|byte| *byte == round as u8),
            "piece {round}"
        );
    }
    drop(all);
    let after = heap::mapped();
    check!(
        after <= before + 2 * MIB as u64,
        "{after} bytes left of {most}"
    );
    Ok(())
}

/// Takes and gives back in random order; whether all content was right.
fn churn(seed: u64) -> bool {
    let mut random = Random::new(seed);
    let mut all: Vec<(u8, Vec<u8>)> = Vec::new();
    for _ in 0..3000 {
        let byte = random.any() as u8;
        match random.below(4) {
            0 if !all.is_empty() => {
                let index = random.below(all.len() as u64) as usize;
                let (byte, piece) = all.swap_remove(index);
                if !piece.iter().all(|other| *other == byte) {
                    return false;
                }
            }
            1 if !all.is_empty() => {
                let index = random.below(all.len() as u64) as usize;
                let len = random.below(5000) as usize;
                let (byte, piece) = &mut all[index];
                piece.resize(len, *byte);
                piece.shrink_to_fit();
            }
            _ => {
                let len = random.below(2000) as usize;
                all.push((byte, alloc::vec![byte; len]));
            }
        }
    }
    all.iter()
        .all(|(byte, piece)| piece.iter().all(|other| other == byte))
}

pub fn heap_of_many_threads(_: &Context) -> Outcome {
    let mut threads = Vec::new();
    for seed in 0..4 {
        threads.push(thread::spawn(move || churn(seed))?);
    }
    for thread in threads {
        same!(thread.join(), Ok(true));
    }
    Ok(())
}

pub fn heap_says_no(_: &Context) -> Outcome {
    let own = Process::own();
    let info = own.info()?;
    let mut huge: Vec<u8> = Vec::new();
    check!(huge.try_reserve(1 << 60).is_err(), "an exbibyte");
    check!(
        huge.try_reserve(1 << 40).is_err() || huge.capacity() != 0,
        "a tebibyte"
    );
    drop(huge);
    // What is left works.
    let mut small: Vec<u64> = Vec::new();
    check!(small.try_reserve(1000).is_ok(), "small");
    same!(own.info()?.handles, info.handles);
    Ok(())
}

pub fn mappings_copy(_: &Context) -> Outcome {
    let area = VmArea::open(8192)?;
    let one = area.map(READ | WRITE)?;
    let other = area.map_part(4096, 4096, READ)?;
    same!(one.write(4090, b"0123456789"), 10);
    let mut buffer = [0; 8];
    same!(other.read(0, &mut buffer), 8);
    same!(&buffer, b"6789\0\0\0\0");
    same!(one.write(8190, b"abc"), 2);
    same!(one.write(u64::MAX, b"abc"), 0);
    same!(other.read_u32(2), None);
    same!(other.read_u16(4096), None);
    check!(one.write_u64(8184, 7), "the last word");
    same!(other.read_u64(4088), Some(7));
    let copy = area.snapshot()?.map(READ)?;
    one.write_u8(0, 9);
    same!(copy.read_u8(0), Some(0));
    Ok(())
}
