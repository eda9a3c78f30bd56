//! The archive against a tree of the test's own, and against damage.

use std::collections::{BTreeMap, BTreeSet};
use std::{format, vec};

use proptest::prelude::{
    Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};

use super::*;
use crate::files::{Reply, answer, answer_open};
use protocols::files::{Answer, FileAnswer, FileRequest, How, Request};

/// A tar file of these files and links.
fn tar(files: &BTreeMap<String, Vec<u8>>, links: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, data) in files {
        let mut header = tar::Header::new_ustar();
        header.set_path(path).unwrap();
        header.set_mode(if path.contains("bin") { 0o555 } else { 0o444 });
        header.set_size(data.len() as u64);
        header.set_cksum();
        builder.append(&header, data.as_slice()).unwrap();
    }
    for (path, target) in links {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_path(path).unwrap();
        header.set_link_name(target).unwrap();
        header.set_size(0);
        header.set_cksum();
        builder.append(&header, std::io::empty()).unwrap();
    }
    builder.into_inner().unwrap()
}

fn names(archive: &Archive, path: &str, after: &str) -> Vec<std::string::String> {
    let list = archive.list(path, after).unwrap();
    list.map(|(name, _)| name.into()).collect()
}

#[test]
fn links_lead_to_files() {
    let files = [
        ("bin/tools".to_owned(), vec![1, 2, 3]),
        ("top".to_owned(), vec![4]),
    ]
    .into();
    let links = [
        ("bin/ls", "tools"),
        ("bin/dir", "ls"),
        ("sh", "/bin/tools"),
        ("bin/up", "../top"),
        ("bin/gone", "nothing"),
        ("bin/out", "../../top"),
        ("bin/circle", "circle"),
    ];
    let archive = Archive::new(tar(&files, &links)).unwrap();
    for path in ["/bin/tools", "/bin/ls", "/bin/dir", "/sh"] {
        assert_eq!(archive.read(path), Ok(&[1, 2, 3][..]), "{path}");
        assert!(archive.find(path).unwrap().info().is_program);
    }
    assert_eq!(archive.read("/bin/up"), Ok(&[4][..]));
    let mut left_out = archive.left_out().to_vec();
    left_out.sort();
    assert_eq!(left_out, ["/bin/circle", "/bin/gone", "/bin/out"]);
    assert_eq!(archive.find("/bin/ls/x"), Err(Fault::NotDirectory));
    assert_eq!(archive.read("/bin"), Err(Fault::IsDirectory));
    assert_eq!(archive.find("/no"), Err(Fault::NotFound));
}

#[test]
fn names_that_begin_alike_are_listed_once_each() {
    let paths = ["a.b", "a-b/c", "a/x", "a/y/z", "a0/x", "b"];
    let files = paths
        .iter()
        .map(|path| ((*path).to_owned(), vec![]))
        .collect();
    let archive = Archive::new(tar(&files, &[])).unwrap();
    assert_eq!(names(&archive, "/", ""), ["a", "a-b", "a.b", "a0", "b"]);
    assert_eq!(names(&archive, "/a", ""), ["x", "y"]);
    assert_eq!(names(&archive, "/a", "x"), ["y"]);
}

proptest! {
    #[test]
    fn the_tree_is_that_of_the_files(
        files in prop::collection::btree_map("[a-c]{0,2}x(/[ab0-]{1,2}){0,3}", prop::collection::vec(any::<u8>(), 0..700), 1..12)
    ) {
        // Nothing is both file and folder.
        let is_folder = |path: &String| files.keys().any(|other| other.starts_with(&format!("{path}/")));
        let files: BTreeMap<_, _> = files.iter().filter(|(path, _)| !is_folder(path)).map(|(path, data)| (path.clone(), data.clone())).collect();
        let archive = Archive::new(tar(&files, &[])).unwrap();
        prop_assert!(archive.left_out().is_empty());
        // What every folder holds, by the paths alone.
        let mut folders: BTreeMap<String, BTreeSet<String>> = [(String::from("/"), BTreeSet::new())].into();
        for (path, data) in &files {
            let path = format!("/{path}");
            prop_assert_eq!(archive.read(&path), Ok(data.as_slice()));
            for (at, _) in path.match_indices('/') {
                let folder = if at == 0 { "/" } else { &path[..at] };
                let name = path[at + 1..].split('/').next().unwrap();
                folders.entry(folder.into()).or_default().insert(name.into());
            }
        }
        for (folder, expected) in folders {
            prop_assert_eq!(archive.find(&folder), Ok(Entry::Directory(expected.len() as u64)));
            let found: BTreeSet<String> = names(&archive, &folder, "").into_iter().collect();
            prop_assert_eq!(&found, &expected);
            // Page by page, as clients ask.
            let mut pages = Vec::new();
            let mut after = String::new();
            loop {
                let next = archive.list(&folder, &after).unwrap().next();
                let Some(name) = next.map(|(name, _)| String::from(name)) else { break };
                pages.push(name.clone());
                after = name;
                prop_assert!(pages.len() <= expected.len(), "{:?}", pages);
            }
            prop_assert_eq!(pages.into_iter().collect::<BTreeSet<_>>(), expected);
        }
    }

    #[test]
    fn a_damaged_archive_is_an_error_or_an_archive(
        size in 0..3000_usize, damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6), packed in any::<bool>(),
        cut in prop_oneof![Just(None), any::<prop::sample::Index>().prop_map(Some)],
    ) {
        let files = [("bin/a".to_owned(), vec![7; size]), ("b".to_owned(), vec![8; 10])].into();
        let mut data = tar(&files, &[("c", "b")]);
        if packed {
            data = ruzstd::encoding::compress_to_vec(data.as_slice(), ruzstd::encoding::CompressionLevel::Fastest);
        }
        for (index, value) in damage {
            let at = index.index(data.len());
            data[at] = value;
        }
        if let Some(cut) = cut {
            data.truncate(cut.index(data.len() + 1));
        }
        let data = if packed { decompress(data.as_slice()).ok() } else { Some(data) };
        if let Some(archive) = data.and_then(|data| Archive::new(data).ok()) {
            let _ = archive.find("/bin/a");
            let _ = archive.list("/", "").map(Iterator::count);
        }
    }

    #[test]
    fn what_was_compressed_comes_back(data in prop::collection::vec(any::<u8>(), 0..5000), repeat in 1..40_usize) {
        let data = data.repeat(repeat);
        let packed = ruzstd::encoding::compress_to_vec(data.as_slice(), ruzstd::encoding::CompressionLevel::Fastest);
        prop_assert!(decompress(packed.as_slice()).unwrap() == data);
    }
}

proptest! {
    /// As a client does it: page by page, piece by piece, within what a message takes.
    #[test]
    fn clients_read_all_of_it(files in prop::collection::btree_map("d/[a-z]{1,90}", prop::collection::vec(any::<u8>(), 0..2000), 1..20)) {
        let archive = Archive::new(tar(&files, &[])).unwrap();
        let mut found = Vec::new();
        loop {
            let after = found.last().cloned().unwrap_or_default();
            let reply = answer(&archive, &Request::List { path: "/d".into(), after });
            let Ok(Reply::Answer(Answer::Entries(entries))) = reply else { panic!("{reply:?}") };
            if entries.is_empty() {
                break;
            }
            found.extend(entries.iter().map(|entry| entry.name.clone()));
            let mut room = [0; protocols::BYTES_MAX];
            let encoded: Result<_, Fault> = Ok(Answer::Entries(entries));
            prop_assert!(protocols::encode(&encoded, &mut room).is_ok());
        }
        prop_assert_eq!(found.len(), files.len());
        for (path, data) in &files {
            let open = Request::Open { path: format!("/{path}"), how: How::Read };
            let Ok(Reply::Open { number, info }) = answer(&archive, &open) else { panic!() };
            prop_assert_eq!(info.size, data.len() as u64);
            let mut read = Vec::new();
            loop {
                let request = FileRequest::Read { offset: read.len() as u64, len: u32::MAX };
                let Ok(FileAnswer::Bytes(bytes)) = answer_open(&archive, number, &request) else { panic!() };
                if bytes.is_empty() {
                    break;
                }
                read.extend(bytes);
            }
            prop_assert!(&read == data);
        }
    }
}

#[test]
fn nothing_can_be_changed() {
    let files = [("d/f".to_owned(), vec![1])].into();
    let archive = Archive::new(tar(&files, &[])).unwrap();
    let path = || String::from("/d/f");
    let open = |how| answer(&archive, &Request::Open { path: path(), how });
    assert_eq!(open(How::Write), Err(Fault::ReadOnly));
    assert_eq!(open(How::New), Err(Fault::Exists));
    let new = Request::Open {
        path: "/d/g".into(),
        how: How::New,
    };
    assert_eq!(answer(&archive, &new), Err(Fault::ReadOnly));
    let (from, to) = (path(), "/x".into());
    for request in [
        Request::Remove { path: path() },
        Request::Rename { from, to },
        Request::MakeDirectory { path: "/x".into() },
    ] {
        assert_eq!(answer(&archive, &request), Err(Fault::ReadOnly));
    }
    let list = Request::List {
        path: path(),
        after: String::new(),
    };
    assert_eq!(answer(&archive, &list), Err(Fault::NotDirectory));
    let number = usize::MAX;
    assert_eq!(
        answer_open(&archive, number, &FileRequest::Info),
        Err(Fault::NotFound)
    );
}
