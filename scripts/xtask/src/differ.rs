//! Where two files differ: in which section of a program, at which byte, and what stands there.

use std::fs;
use std::path::Path;

use object::{Object, ObjectSection};

/// How many bytes around the first difference are shown.
const SHOWN: usize = 16;

/// What is different between two files; nothing if they are equal.
pub fn compare(first: &Path, second: &Path) -> Option<String> {
    let (a, b) = match (fs::read(first), fs::read(second)) {
        (Ok(a), Ok(b)) => (a, b),
        (Err(_), Err(_)) => return Some("neither can be read".into()),
        (Err(_), Ok(_)) => return Some("only the second build has it".into()),
        (Ok(_), Err(_)) => return Some("only the first build has it".into()),
    };
    describe(&a, &b)
}

/// The same of two contents.
pub fn describe(a: &[u8], b: &[u8]) -> Option<String> {
    if a == b {
        return None;
    }
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let count = a.iter().zip(b).filter(|(a, b)| a != b).count() + a.len().abs_diff(b.len());
    let mut text = format!(
        "{} and {} bytes, {count} of them not equal; first at {same:#x}",
        a.len(),
        b.len()
    );
    if let Some(section) = section_at(a, same) {
        text.push_str(&format!(", in section {section}"));
    }
    for side in [a, b] {
        text.push_str(&format!("\n    {}", line(side, same)));
    }
    for (name, ours, theirs) in sections(a, b) {
        let state = match theirs {
            None => "is only in the first",
            Some(theirs) if theirs != ours => "differs",
            Some(_) => continue,
        };
        text.push_str(&format!("\n    section {name} {state}"));
    }
    Some(text)
}

/// The bytes around `at` in hexadecimal digits and as text.
fn line(data: &[u8], at: usize) -> String {
    let start = at.saturating_sub(SHOWN / 2).min(data.len());
    let shown = data.get(start..).unwrap_or_default();
    let shown = shown.get(..SHOWN).unwrap_or(shown);
    let digits: Vec<String> = shown.iter().map(|byte| format!("{byte:02x}")).collect();
    let text: String = shown
        .iter()
        .map(|&byte| match byte {
            b' '..=b'~' => char::from(byte),
            _ => '.',
        })
        .collect();
    format!("{start:#010x}: {} |{text}|", digits.join(" "))
}

/// The section of a program that holds the byte at `at` of its file.
fn section_at(data: &[u8], at: usize) -> Option<String> {
    let file = object::File::parse(data).ok()?;
    let at = u64::try_from(at).ok()?;
    file.sections()
        .find(|section| {
            section
                .file_range()
                .is_some_and(|(start, size)| (start..start.saturating_add(size)).contains(&at))
        })
        .and_then(|section| section.name().ok().map(str::to_owned))
}

/// The name of a section, its bytes, and those of the section of that name in another program.
type Pair<'a> = (String, &'a [u8], Option<&'a [u8]>);

/// The sections of a program, with those of the same name of another.
fn sections<'a>(a: &'a [u8], b: &'a [u8]) -> Vec<Pair<'a>> {
    let (Ok(a), Ok(b)) = (object::File::parse(a), object::File::parse(b)) else {
        return Vec::new();
    };
    a.sections()
        .filter_map(|section| {
            let name = section.name().ok()?.to_owned();
            let other = b
                .section_by_name(&name)
                .and_then(|section| section.data().ok());
            Some((name, section.data().ok()?, other))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::describe;
    use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

    #[test]
    fn the_section_is_named() {
        let file = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let parsed = object::File::parse(&*file).unwrap();
        let section = object::Object::section_by_name(&parsed, ".rodata").unwrap();
        let (start, _) = object::ObjectSection::file_range(&section).unwrap();
        let mut other = file.clone();
        other[start as usize + 3] ^= 1;
        let report = describe(&file, &other).unwrap();
        assert!(report.contains("1 of them not equal"), "{report}");
        assert!(report.contains("in section .rodata"), "{report}");
        assert!(report.contains("section .rodata differs"), "{report}");
        assert!(!report.contains("section .text differs"), "{report}");
    }

    proptest! {
        #[test]
        fn equal_and_only_equal_contents_have_no_report(
            a in prop::collection::vec(0_u8..2, 0..5), b in prop::collection::vec(0_u8..2, 0..5)
        ) {
            prop_assert_eq!(describe(&a, &b).is_none(), a == b);
        }

        #[test]
        fn the_first_difference_is_found(start in prop::collection::vec(any::<u8>(), 0..40), rest in any::<u8>()) {
            let ends = [vec![1, rest], vec![2]].map(|end| [start.clone(), end].concat());
            let report = describe(&ends[0], &ends[1]).unwrap();
            let place = format!("first at {:#x}", start.len());
            prop_assert!(report.contains(&place));
        }
    }
}
