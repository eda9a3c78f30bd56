use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use protocols::files::{Answer, FileAnswer, FileRequest, How, Kind, Request};
use protocols::{BYTES_MAX, Fault};

use crate::{FileReply, Limits, OPEN_OF_CLIENT, PAGE, Service};

const LIMITS: Limits = Limits {
    bytes: 256 * 1024,
    file: 64 * 1024,
    nodes: 40,
};

/// What a path is, in the model: bytes of a file, or a directory.
type Model = BTreeMap<String, Option<Vec<u8>>>;

#[derive(Clone, Debug)]
enum Step {
    Ask(Request),
    Open(String, How),
    File(usize, FileRequest),
    Close(usize),
}

/// An open file in the model: a path, or the bytes of one that was removed.
#[derive(Clone, Debug)]
struct Open {
    number: u64,
    path: Option<String>,
    orphan: Vec<u8>,
    can_write: bool,
}

fn parent(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) | None => "",
        Some(slash) => &path[..slash],
    }
}

fn is_directory(model: &Model, path: &str) -> bool {
    path.is_empty() || model.get(path) == Some(&None)
}

fn children<'a>(model: &'a Model, path: &str) -> Vec<&'a String> {
    model.keys().filter(|key| parent(key) == path).collect()
}

/// What is said of a path that is not there.
fn missing(model: &Model, path: &str) -> Option<Fault> {
    let mut at = String::new();
    for name in path.split('/').skip(1) {
        match (at.is_empty(), model.get(&at)) {
            (true, _) | (_, Some(None)) => {}
            (_, Some(Some(_))) => return Some(Fault::NotDirectory),
            (_, None) => return Some(Fault::NotFound),
        }
        at = format!("{at}/{name}");
    }
    (!model.contains_key(path)).then_some(Fault::NotFound)
}

fn path() -> impl Strategy<Value = String> {
    vec("[a-c]", 1..4).prop_map(|names| format!("/{}", names.join("/")))
}

fn step() -> impl Strategy<Value = Step> {
    let how = prop_oneof![
        Just(How::Read),
        Just(How::Write),
        Just(How::Create),
        Just(How::Append),
        Just(How::New)
    ];
    let offset = prop_oneof![0..3 * PAGE, 0..70_000u64, Just(u64::MAX)];
    let file = prop_oneof![
        (0..3 * PAGE, 0..480u32).prop_map(|(offset, len)| FileRequest::Read { offset, len }),
        (offset, vec(any::<u8>(), 0..480))
            .prop_map(|(offset, bytes)| FileRequest::Write { offset, bytes }),
        (0..70_000u64).prop_map(|size| FileRequest::Truncate { size }),
        Just(FileRequest::Info),
        Just(FileRequest::Map),
    ];
    prop_oneof![
        2 => path().prop_map(|path| Step::Ask(Request::MakeDirectory { path })),
        2 => path().prop_map(|path| Step::Ask(Request::Remove { path })),
        2 => (path(), path()).prop_map(|(from, to)| Step::Ask(Request::Rename { from, to })),
        1 => path().prop_map(|path| Step::Ask(Request::Stat { path })),
        5 => (path(), how).prop_map(|(path, how)| Step::Open(path, how)),
        8 => (0..8usize, file).prop_map(|(index, request)| Step::File(index, request)),
        2 => (0..8usize).prop_map(Step::Close),
    ]
}

fn write(bytes: &mut Vec<u8>, offset: u64, more: &[u8]) -> bool {
    let offset = if offset == u64::MAX {
        bytes.len()
    } else {
        offset as usize
    };
    let end = offset + more.len();
    if end as u64 > LIMITS.file {
        return false;
    }
    if more.is_empty() {
        return true;
    }
    bytes.resize(bytes.len().max(end), 0);
    bytes[offset..end].copy_from_slice(more);
    true
}

/// What the model says to a request that changes names; it is changed if that is done.
fn ask(model: &mut Model, opens: &mut [Open], request: &Request) -> Result<(), Fault> {
    match request {
        Request::MakeDirectory { path } => {
            match missing(model, path) {
                None => return Err(Fault::Exists),
                Some(Fault::NotFound) if is_directory(model, parent(path)) => {}
                Some(fault) => return Err(fault),
            }
            model.insert(path.clone(), None);
        }
        Request::Remove { path } => {
            if let Some(fault) = missing(model, path) {
                return Err(fault);
            }
            if !children(model, path).is_empty() {
                return Err(Fault::NotEmpty);
            }
            orphan(model, opens, path);
        }
        Request::Rename { from, to } => {
            if let Some(fault) = missing(model, from) {
                return Err(fault);
            }
            match missing(model, to) {
                Some(Fault::NotFound) if !is_directory(model, parent(to)) => {
                    return Err(Fault::NotFound);
                }
                Some(Fault::NotDirectory) => return Err(Fault::NotDirectory),
                _ => {}
            }
            if from == to {
                return Ok(());
            }
            let from_is_directory = is_directory(model, from);
            if from_is_directory && to.starts_with(&format!("{from}/")) {
                return Err(Fault::InvalidArgument);
            }
            match (model.get(to), from_is_directory) {
                (None, _) | (Some(Some(_)), false) => {}
                (Some(Some(_)), true) => return Err(Fault::NotDirectory),
                (Some(None), false) => return Err(Fault::IsDirectory),
                (Some(None), true) if children(model, to).is_empty() => {}
                (Some(None), true) => return Err(Fault::NotEmpty),
            }
            if model.contains_key(to) {
                orphan(model, opens, to);
            }
            let inside = |path: &str| path == from || path.starts_with(&format!("{from}/"));
            let moved: Vec<String> = model.keys().filter(|key| inside(key)).cloned().collect();
            for path in moved {
                let what = model.remove(&path).expect("it is there");
                let new = format!("{to}{}", &path[from.len()..]);
                for open in opens.iter_mut() {
                    if open.path.as_ref() == Some(&path) {
                        open.path = Some(new.clone());
                    }
                }
                model.insert(new, what);
            }
        }
        _ => {
            let Request::Stat { path } = request else {
                unreachable!("not asked");
            };
            if let Some(fault) = missing(model, path) {
                return Err(fault);
            }
        }
    }
    Ok(())
}

/// Takes a path out of the model; those who have it open keep its bytes.
fn orphan(model: &mut Model, opens: &mut [Open], path: &str) {
    let bytes = model.remove(path).flatten().unwrap_or_default();
    // All of them see the same bytes: the first one keeps them, the others name it.
    for open in opens.iter_mut() {
        if open.path.as_deref() == Some(path) {
            open.path = None;
            open.orphan = bytes.clone();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn it_does_what_the_model_does(steps in vec(step(), 0..80)) {
        let mut service = Service::new(LIMITS);
        let mut model = Model::new();
        let mut opens: Vec<Open> = Vec::new();
        for step in steps {
            match step {
                Step::Ask(request) => {
                    let expected = ask(&mut model, &mut opens, &request);
                    let got = service.ask(1, &request, 1).map(drop);
                    prop_assert_eq!(got, expected, "{:?}", request);
                }
                Step::Open(path, how) => {
                    let got = service.ask(1, &Request::Open { path: path.clone(), how }, 1);
                    let expected = match (missing(&model, &path), how) {
                        (None, How::New) => Err(Fault::Exists),
                        (None, _) if is_directory(&model, &path) => Err(Fault::IsDirectory),
                        (Some(Fault::NotFound), How::Create | How::Append | How::New) => {
                            match is_directory(&model, parent(&path)) {
                                true => Ok(()),
                                false => Err(Fault::NotFound),
                            }
                        }
                        (Some(fault), _) => Err(fault),
                        (None, _) => Ok(()),
                    };
                    // Removed and open files of the model do not share bytes: one is open at most.
                    prop_assert_eq!(got.as_ref().map(drop).map_err(|fault| *fault), expected);
                    if let Ok((Answer::Info(info), Some(number))) = got {
                        if !model.contains_key(&path) || how == How::Create {
                            model.insert(path.clone(), Some(Vec::new()));
                        }
                        let size = model[&path].as_ref().map_or(0, Vec::len);
                        prop_assert_eq!((info.kind, info.size), (Kind::File, size as u64));
                        if opens.iter().any(|open| open.path.as_ref() == Some(&path)) {
                            service.close(number);
                        } else {
                            opens.push(Open { number, path: Some(path), orphan: Vec::new(), can_write: how != How::Read });
                        }
                    }
                }
                Step::File(index, request) => {
                    let Some(open) = opens.get_mut(index) else {
                        continue;
                    };
                    let bytes = match &open.path {
                        Some(path) => model.get_mut(path).and_then(Option::as_mut).expect("a file"),
                        None => &mut open.orphan,
                    };
                    let size = bytes.len() as u64;
                    let got = service.file(open.number, &request, 1);
                    match (request, got) {
                        (FileRequest::Read { offset, len }, Ok(FileReply::Answer(FileAnswer::Bytes(got)))) => {
                            let from = bytes.len().min(offset as usize);
                            let to = bytes.len().min(offset as usize + len as usize);
                            prop_assert_eq!(&got[..], &bytes[from..to]);
                        }
                        (FileRequest::Write { .. } | FileRequest::Truncate { .. }, Err(Fault::AccessDenied)) => {
                            prop_assert!(!open.can_write);
                        }
                        (FileRequest::Write { offset, bytes: more }, Ok(FileReply::Answer(FileAnswer::Done { size }))) => {
                            prop_assert!(open.can_write && write(bytes, offset, &more));
                            prop_assert_eq!(size, bytes.len() as u64);
                        }
                        (FileRequest::Write { offset, bytes: more }, Err(Fault::NoRoom)) => {
                            prop_assert!(!write(&mut bytes.clone(), offset, &more));
                        }
                        (FileRequest::Truncate { size }, Ok(_)) => bytes.resize(size as usize, 0),
                        (FileRequest::Truncate { size }, Err(Fault::NoRoom)) => {
                            prop_assert!(size > LIMITS.file);
                        }
                        (FileRequest::Info, Ok(FileReply::Answer(FileAnswer::Info(info)))) => {
                            prop_assert_eq!(info.size, size);
                        }
                        (FileRequest::Map, Ok(FileReply::Map(_, info, content))) => {
                            let mut all = vec![0; bytes.len().next_multiple_of(PAGE as usize)];
                            for (offset, page) in content.iter() {
                                all[offset as usize..][..page.len()].copy_from_slice(page);
                            }
                            let (own, rest) = all.split_at(bytes.len());
                            prop_assert_eq!((info.size, own), (size, &bytes[..]));
                            prop_assert!(rest.iter().all(|byte| *byte == 0));
                        }
                        (request, got) => prop_assert!(false, "{:?}: {:?}", request, got),
                    }
                }
                Step::Close(index) => {
                    if index < opens.len() {
                        service.close(opens.swap_remove(index).number);
                    }
                }
            }
        }
        // The names are those of the model.
        for path in model.keys().filter(|path| is_directory(&model, path)).map(String::as_str).chain([""]) {
            let request = Request::List { path: if path.is_empty() { "/".into() } else { path.into() }, after: String::new() };
            let Ok((Answer::Entries(entries), _)) = service.ask(1, &request, 1) else {
                return Err(TestCaseError::fail("no list"));
            };
            let names: Vec<String> = entries.into_iter().map(|entry| format!("{path}/{}", entry.name)).collect();
            let expected: Vec<String> = children(&model, path).into_iter().cloned().collect();
            prop_assert_eq!(names, expected);
        }
        // With everything closed and removed, nothing is kept.
        for open in &opens {
            service.close(open.number);
        }
        for path in model.keys().rev() {
            let removed = service.ask(1, &Request::Remove { path: path.clone() }, 1);
            prop_assert!(removed.is_ok());
        }
        prop_assert_eq!(service.tree().bytes(), Service::new(LIMITS).tree().bytes());
    }

    #[test]
    fn a_flood_is_refused_in_time(count in 100..400usize, long in "[a-z]{1,40}") {
        let mut service = Service::new(LIMITS);
        for index in 0..count {
            let request = Request::Open { path: format!("/{long}{index}"), how: How::Create };
            if let Ok((_, Some(number))) = service.ask(1, &request, 1) {
                for place in 0..20 {
                    let request = FileRequest::Write { offset: place * PAGE, bytes: vec![1; 480] };
                    let _ = service.file(number, &request, 1);
                }
            }
            prop_assert!(service.tree().bytes() <= LIMITS.bytes && service.open_files() <= 1024);
        }
        // The list comes in pieces that fit, and is whole.
        let mut names = 0;
        let mut after = String::new();
        loop {
            let request = Request::List { path: "/".into(), after };
            let Ok((answer, _)) = service.ask(1, &request, 1) else {
                return Err(TestCaseError::fail("no list"));
            };
            let mut room = [0; BYTES_MAX];
            prop_assert!(protocols::encode(&Ok::<_, Fault>(&answer), &mut room).is_ok());
            let Answer::Entries(entries) = answer else {
                return Err(TestCaseError::fail("no entries"));
            };
            let Some(last) = entries.last() else {
                break;
            };
            after = last.name.clone();
            names += entries.len();
        }
        let Ok((Answer::Info(info), _)) = service.ask(1, &Request::Stat { path: "/".into() }, 1) else {
            return Err(TestCaseError::fail("no root"));
        };
        prop_assert_eq!(names as u64, info.size);
    }

    #[test]
    fn one_client_leaves_room_for_another(is_large in any::<bool>()) {
        let mut service = Service::new(LIMITS);
        // It takes all that it gets: files, or bytes of files.
        for index in 0..200 {
            let request = Request::Open { path: format!("/{index}"), how: How::Create };
            let Ok((_, Some(number))) = service.ask(1, &request, 1) else { continue };
            for place in 0..if is_large { 16 } else { 0 } {
                let request = FileRequest::Write { offset: place * PAGE, bytes: vec![1; 480] };
                let _ = service.file(number, &request, 1);
            }
        }
        prop_assert!(service.tree().bytes_of(1) <= LIMITS.bytes_of_client());
        let mut made = 0;
        while made < LIMITS.nodes / 8 {
            let request = Request::Open { path: format!("/other{made}"), how: How::New };
            let (_, number) = service.ask(2, &request, 1).unwrap();
            let request = FileRequest::Write { offset: 0, bytes: vec![1; 480] };
            prop_assert!(service.file(number.unwrap(), &request, 1).is_ok());
            made += 1;
        }
        // What the first one had is given back to it.
        for index in 0..200 {
            let _ = service.ask(2, &Request::Remove { path: format!("/{index}") }, 1);
        }
        for number in 1..500 {
            service.close(number);
        }
        prop_assert_eq!(service.tree().bytes_of(1), 0);
    }

    #[test]
    fn a_client_has_so_many_files_open_and_no_more(extra in 1..20usize) {
        let mut service = Service::new(LIMITS);
        let request = Request::Open { path: "/a".into(), how: How::Append };
        let mut open = || service.ask(1, &request, 1).map(|(_, number)| number.unwrap());
        let numbers: Vec<u64> = (0..OPEN_OF_CLIENT).map(|_| open().unwrap()).collect();
        for _ in 0..extra {
            prop_assert_eq!(open(), Err(Fault::NoRoom));
        }
        prop_assert!(service.ask(2, &request, 1).is_ok());
        for number in numbers.iter().take(extra) {
            service.close(*number);
        }
        for _ in 0..extra {
            prop_assert!(service.ask(1, &request, 1).is_ok());
        }
        prop_assert_eq!(service.ask(1, &request, 1).map(drop), Err(Fault::NoRoom));
    }

    #[test]
    fn any_path_is_answered(path in any::<String>(), other in "[./a\n]{0,8}") {
        let mut service = Service::new(LIMITS);
        for path in [path, other] {
            let _ = service.ask(1, &Request::MakeDirectory { path: path.clone() }, 1);
            let _ = service.ask(1, &Request::Rename { from: path.clone(), to: "/x".into() }, 1);
            let _ = service.ask(1, &Request::Rename { from: "/x".into(), to: path.clone() }, 1);
            let _ = service.ask(1, &Request::Open { path: path.clone(), how: How::Append }, 1);
            let _ = service.ask(1, &Request::List { path: path.clone(), after: "a".into() }, 1);
            let _ = service.ask(1, &Request::Remove { path }, 1);
        }
        let removed = service.ask(1, &Request::Remove { path: "/".into() }, 1);
        prop_assert!(removed.is_err());
    }
}
