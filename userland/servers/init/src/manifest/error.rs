//! What is wrong with a manifest.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;
use core::ops::Range;

/// What is wrong with a manifest, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestError {
    /// The line, from 1 on; 0 when it is no line of it.
    pub line: usize,
    /// What stands in that line.
    pub text: String,
    /// What is wrong.
    pub reason: String,
}

impl ManifestError {
    /// At a place of a manifest.
    pub(super) fn at(manifest: &str, place: &Range<usize>, reason: impl fmt::Display) -> Self {
        let mut start = place.start.min(manifest.len());
        while !manifest.is_char_boundary(start) {
            start -= 1;
        }
        let before = manifest.get(..start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let text = manifest.lines().nth(line - 1).unwrap_or_default();
        Self {
            line,
            text: text.trim().into(),
            reason: reason.to_string(),
        }
    }

    /// What the reader of TOML found.
    pub(super) fn of_toml(manifest: &str, error: &toml::de::Error) -> Self {
        let reason = error.message().replace('\n', ", ");
        match error.span() {
            Some(span) => Self::at(manifest, &span, reason),
            None => Self {
                line: 0,
                text: String::new(),
                reason: format!("{reason} ({})", error.to_string().replace('\n', " ").trim()),
            },
        }
    }
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, text, reason } = self;
        match line {
            0 => write!(f, "{reason}"),
            _ => write!(f, "line {line} ({text}): {reason}"),
        }
    }
}

impl core::error::Error for ManifestError {}
