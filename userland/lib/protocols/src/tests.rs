//! Whatever bytes arrive, decoding gives a request or an error; and what was encoded comes back.

use proptest::prelude::{Just, Strategy, any, prop, prop_assert_eq, prop_oneof, proptest};

use super::*;

/// All protocols read these bytes without a panic; a request that they are is written as bytes that mean the same.
fn read_by_all(bytes: &[u8]) {
    fn read<P: Protocol>(bytes: &[u8])
    where
        P::Request: core::fmt::Debug + PartialEq,
        P::Answer: core::fmt::Debug + PartialEq,
    {
        fn again<T: Serialize + DeserializeOwned + core::fmt::Debug + PartialEq>(value: T) {
            let mut room = [0; 8 * BYTES_MAX];
            let bytes = encode(&value, &mut room).expect("it came from fewer bytes");
            assert_eq!(decode::<T>(bytes).as_ref(), Ok(&value));
        }
        if let Ok(request) = decode::<P::Request>(bytes) {
            again(request);
        }
        if let Ok(answer) = decode::<Result<P::Answer, Fault>>(bytes) {
            again(answer);
        }
    }
    read::<clock::Clock>(bytes);
    read::<directory::Directory>(bytes);
    read::<files::Files>(bytes);
    read::<files::OpenFile>(bytes);
    read::<keyboard::Keyboard>(bytes);
    read::<logger::Logger>(bytes);
    read::<power::Power>(bytes);
    read::<services::Services>(bytes);
    read::<terminal::Terminal>(bytes);
}

fn file_request() -> impl Strategy<Value = files::Request> {
    let path = "[a-z/]{0,40}";
    let how = prop_oneof![Just(files::How::Read), Just(files::How::New)];
    prop_oneof![
        (path, how).prop_map(|(path, how)| files::Request::Open { path, how }),
        (path, path).prop_map(|(path, after)| files::Request::List { path, after }),
        (path, path).prop_map(|(from, to)| files::Request::Rename { from, to }),
    ]
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..BYTES_MAX)) {
        read_by_all(&bytes);
    }

    #[test]
    fn bytes_that_look_right_at_first_are_read_without_a_panic(
        first in 0u8..8, mut rest in prop::collection::vec(prop_oneof![0u8..4, any::<u8>()], 0..64)
    ) {
        rest.insert(0, first);
        read_by_all(&rest);
    }

    #[test]
    fn requests_come_back(request in file_request()) {
        let mut room = [0; BYTES_MAX];
        let bytes = encode(&request, &mut room).map_err(|error| proptest::test_runner::TestCaseError::fail(format!("{error:?}")))?;
        prop_assert_eq!(decode(bytes), Ok(request));
    }

    #[test]
    fn a_byte_too_many_is_malformed(request in file_request()) {
        let mut room = [0; BYTES_MAX + 1];
        let len = encode(&request, &mut room[..BYTES_MAX]).map_or(0, <[u8]>::len);
        prop_assert_eq!(decode::<files::Request>(&room[..=len]), Err(WireError::Malformed));
    }
}

#[test]
fn what_does_not_fit_is_too_long() {
    let request = files::FileRequest::Write {
        offset: 0,
        bytes: vec![0; 2 * BYTES_MAX],
    };
    let mut room = [0; BYTES_MAX];
    assert_eq!(encode(&request, &mut room), Err(WireError::TooLong));
}

#[test]
fn the_most_that_is_written_at_once_fits() {
    let request = files::FileRequest::Write {
        offset: u64::MAX,
        bytes: vec![0xff; files::IO_MAX],
    };
    let mut room = [0; BYTES_MAX];
    assert!(encode(&request, &mut room).is_ok());
}
