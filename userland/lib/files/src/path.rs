//! Paths: names between slashes. Pure text; what there is, file services tell.

use alloc::string::String;
use core::fmt;

use protocols::PATH_MAX;

/// Why a text is no path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {
    /// It is empty.
    Empty,
    /// It is longer than [`PATH_MAX`] bytes.
    TooLong,
    /// It has a control character in it.
    Character,
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("an empty path names nothing"),
            Self::TooLong => write!(f, "a path has {PATH_MAX} bytes at most"),
            Self::Character => f.write_str("a path cannot have control characters"),
        }
    }
}

impl core::error::Error for PathError {}

/// The absolute path that a path means, seen from a directory, which is absolute: one slash between names, no `.`, no `..`, none at the end.
/// Above the root is the root.
///
/// # Errors
/// Why it is none.
pub fn normalise(directory: &str, path: &str) -> Result<String, PathError> {
    if path.is_empty() {
        return Err(PathError::Empty);
    }
    if path.chars().any(char::is_control) {
        return Err(PathError::Character);
    }
    let mut whole = String::new();
    let base = if path.starts_with('/') { "" } else { directory };
    for name in base.split('/').chain(path.split('/')) {
        match name {
            "" | "." => {}
            ".." => whole.truncate(whole.rfind('/').unwrap_or(0)),
            name => {
                whole.push('/');
                whole.push_str(name);
            }
        }
    }
    if whole.is_empty() {
        whole.push('/');
    }
    match whole.len() > PATH_MAX {
        true => Err(PathError::TooLong),
        false => Ok(whole),
    }
}

/// The last name of a path; empty for the root.
pub fn name(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    path.rsplit('/').next().unwrap_or_default()
}

/// The directory that holds what an absolute path names.
pub fn parent(path: &str) -> &str {
    match path.rfind('/') {
        None | Some(0) => "/",
        Some(slash) => path.get(..slash).unwrap_or("/"),
    }
}

/// What remains of an absolute path within a directory, itself a path within: `/` for the directory.
pub fn within<'a>(path: &'a str, directory: &str) -> Option<&'a str> {
    match path.strip_prefix(directory)? {
        "" => Some("/"),
        rest => rest.starts_with('/').then_some(rest),
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_are_made_absolute() {
        let cases = [
            ("/", "a", "/a"),
            ("/tmp", "a/./b//c/", "/tmp/a/b/c"),
            ("/tmp", "/x/../y", "/y"),
            ("/tmp/a", "../../../b", "/b"),
            ("/tmp", ".", "/tmp"),
            ("/", "..", "/"),
            ("/", "...", "/..."),
        ];
        for (directory, path, whole) in cases {
            assert_eq!(normalise(directory, path), Ok(whole.into()), "{path}");
        }
        assert_eq!(normalise("/", ""), Err(PathError::Empty));
        assert_eq!(normalise("/", "a\0b"), Err(PathError::Character));
        assert_eq!(normalise("/", &"x".repeat(255)), Err(PathError::TooLong));
        assert!(normalise("/", &"x".repeat(254)).is_ok());
    }

    #[test]
    fn paths_are_taken_apart() {
        assert_eq!((name("/a/b"), parent("/a/b")), ("b", "/a"));
        assert_eq!((name("/a"), parent("/a")), ("a", "/"));
        assert_eq!((name("/"), parent("/")), ("", "/"));
        assert_eq!(within("/boot", "/boot"), Some("/"));
        assert_eq!(within("/boot/a", "/boot"), Some("/a"));
        assert_eq!(within("/booting", "/boot"), None);
    }

    proptest! {
        #[test]
        fn names_are_counted_as_in_a_stack(
            directory in vec("[a-c]{1,3}", 0..4),
            steps in vec(prop_oneof!["[a-c]{1,3}", Just(".".to_owned()), Just("..".to_owned()), Just(String::new())], 1..10),
            is_absolute in any::<bool>(),
        ) {
            let mut stack = if is_absolute { Vec::new() } else { directory.clone() };
            for step in &steps {
                match step.as_str() {
                    "" | "." => {}
                    ".." => drop(stack.pop()),
                    name => stack.push(name.to_owned()),
                }
            }
            let path = format!("{}{}", if is_absolute { "/" } else { "./" }, steps.join("/"));
            let whole = normalise(&format!("/{}", directory.join("/")), &path);
            prop_assert_eq!(whole, Ok(format!("/{}", stack.join("/"))));
        }

        #[test]
        fn what_is_normal_stays(path in any::<String>()) {
            if let Ok(whole) = normalise("/", &path) {
                prop_assert_eq!(normalise("/elsewhere", &whole), Ok(whole.clone()));
                prop_assert!(whole.len() <= PATH_MAX && whole.starts_with('/'));
                prop_assert!(whole == "/" || !whole.ends_with('/'));
                let names = whole.split('/').skip(1);
                prop_assert!(whole == "/" || names.clone().all(|name| !matches!(name, "" | "." | "..")));
            }
        }
    }
}
