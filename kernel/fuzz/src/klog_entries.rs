//! Entry points for the parsers of log text.

use klog::{Filter, markup};

/// A line of console output: what is found in it is found again when written.
pub fn markup(data: &[u8]) {
    let Ok(line) = std::str::from_utf8(data) else {
        return;
    };
    let mut end = 0;
    for found in markup::parse_all(line) {
        assert!(end <= found.range.start && found.range.end <= line.len());
        end = found.range.end;
        let again = found.frame.to_string();
        assert_eq!(
            markup::parse(&again).map(|found| found.frame),
            Some(found.frame)
        );
    }
}

/// The value of the `log` option.
pub fn log_filter(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (filter, _) = Filter::parse(text, log::LevelFilter::Info);
    for target in text.split([',', '=']) {
        assert!(filter.level(target) <= filter.max_level());
    }
}
