//! Manifests that are right, and what is said of those that are not.

use std::format;
use std::string::String;

use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};

use super::*;
use crate::supervise::Policy;

const ALL: &str = r#"
[[service]]
name = "logger"
program = "/srv/srv.logger"
grants = ["system.log_read"]
provides = ["logger"]

[[service]]
name = "uart"
program = "/drv/drv.uart"
arguments = ["--speed", "115200"]
environment = { LOG = "debug" }
grants = ["system.log_write", "device:PNP0501", "ports:0x3f8-0x3ff", "lines:isa4", "lines:20", "memory:0x1000-0x1fff", "framebuffer", "ports"]
provides = ["terminal.serial", "terminal.serial2"]
uses = ["logger", "files.*"]
after = ["logger"]
restart = { policy = "on-failure", delay = "50 ms", delay_max = "1 s", limit = 100, window = "1 min", steady = "2 s" }
ready_timeout = "3 s"
stop_timeout = "500ms"
console = "serial"
memory_limit = "16 MiB"

[[service]]
name = "console"
program = "/bin/6s"
arguments = ["-c", "{line}"]
when = "command"
ends_system = true
after = ["uart"]
may = ["stop", "restart"]

[[service]]
name = "shell"
program = "/bin/6s"
when = "interactive"
ready = "told"
after = ["uart", "console"]
"#;

#[test]
fn all_keys_are_read() {
    let services = parse(ALL, Mode::Command).unwrap();
    let names: Vec<&str> = services
        .iter()
        .map(|service| service.name.as_str())
        .collect();
    assert_eq!(names, ["logger", "uart", "console"]);
    let uart = &services[1];
    assert_eq!(uart.arguments, ["--speed", "115200"]);
    assert_eq!(uart.environment, [("LOG".into(), "debug".into())]);
    assert_eq!(
        uart.grants,
        [
            Grant::System(SystemRight(abi::Rights::LOG_WRITE)),
            Grant::Device("PNP0501".into()),
            Grant::Ports(Some(Range {
                start: 0x3f8,
                len: 8
            })),
            Grant::Lines(Lines::Isa(4)),
            Grant::Lines(Lines::Number(20)),
            Grant::Memory(Some(Range {
                start: 0x1000,
                len: 0x1000
            })),
            Grant::Framebuffer,
            Grant::Ports(None),
        ]
    );
    let restart = &uart.rules.restart;
    assert_eq!(restart.policy, Policy::OnFailure);
    assert_eq!((restart.delay, restart.limit), (50_000_000, 100));
    assert_eq!(
        (restart.delay_max, restart.window),
        (1_000_000_000, 60_000_000_000)
    );
    assert_eq!(uart.rules.after, [0]);
    assert_eq!(uart.rules.stop_timeout, 500_000_000);
    assert_eq!(uart.memory_limit, Some(16 << 20));
    assert_eq!(uart.console, abi::console::SERIAL);
    assert!(!uart.rules.is_ready_at_start && !uart.tells_ready);
    let console = &services[2];
    assert!(console.may.control && console.may.stop_all && console.rules.ends_system);
    assert!(console.rules.is_ready_at_start);

    let services = parse(ALL, Mode::Interactive).unwrap();
    // What is not there now is not waited for.
    assert_eq!(services[2].rules.after, [1]);
    assert!(services[2].tells_ready);
}

/// A manifest of one service with these lines, and what is said of it.
fn said(lines: &str) -> String {
    let text = format!("[[service]]\nname = \"a\"\nprogram = \"/bin/a\"\n{lines}\n");
    let error = parse(&text, Mode::Command).expect_err(lines);
    assert!(error.line >= 2, "{error}");
    format!("{error}")
}

#[test]
fn errors_name_the_line_and_what_is_wrong_there() {
    for (lines, expected) in [
        (
            "grants = [\"system.fly\"]",
            "line 4 (grants = [\"system.fly\"]): \"system.fly\" is nothing",
        ),
        (
            "grants = [\"ports:0x10000\"]",
            "nothing that can be granted",
        ),
        ("grants = [\"ports:9-8\"]", "nothing that can be granted"),
        ("grants = [\"lines:isa16\"]", "nothing that can be granted"),
        (
            "memory_limit = \"16 MB\"",
            "line 4 (memory_limit = \"16 MB\"): \"16 MB\" is no size",
        ),
        ("stop_timeout = \"soon\"", "is no time"),
        ("stop_timeout = \"99999999999 min\"", "is no time"),
        ("after = [\"b\"]", "there is no service b"),
        ("after = [\"a\"]", "a circle"),
        ("uses = [\"*x\"]", "is no name"),
        ("uses = [\"\"]", "is no name"),
        ("provides = [\"services\"]", "provided by another"),
        ("provides = [\"x\", \"a b\"]", "is no name"),
        (
            "colour = \"red\"",
            "line 4 (colour = \"red\"): unknown field `colour`",
        ),
        ("when = \"sometimes\"", "unknown variant `sometimes`"),
        ("restart = { limit = -1 }", "line 4"),
        ("ready = \"registered\"", "it provides nothing"),
        ("may = [\"fly\"]", "unknown variant `fly`"),
        ("restart = ", "line 4"),
        (
            "[[service]]\nname = \"a\"\nprogram = \"/bin/b\"",
            "line 5 (name = \"a\"): there is a service a already",
        ),
        (
            "[[service]]\nname = \"b\"\nprogram = \"b\"",
            "is no path in the archive",
        ),
        (
            "provides = [\"x\"]\n[[service]]\nname = \"b\"\nprogram = \"/b\"\nprovides = [\"x\"]",
            "line 8",
        ),
        ("[[service]]\nname = \"b\"", "missing field `program`"),
    ] {
        let said = said(lines);
        assert!(said.contains(expected), "{lines}: {said}");
    }
    assert_eq!(parse("", Mode::Command), Ok(Vec::new()));
    assert!(parse("x = 1", Mode::Command).is_err());
}

proptest! {
    #[test]
    fn any_text_is_a_manifest_or_an_error(text in r#"(\[\[service\]\]\n|name = "[a-c.]{1,2}"\n|program = "/a"\n|after = \["[a-c]"\]\n|[ -~\n]{0,10}){0,12}"#) {
        if let Err(error) = parse(&text, Mode::Command) {
            let text = format!("{error}");
            prop_assert!(!text.is_empty());
        }
    }

    #[test]
    fn who_is_after_whom_has_no_circle_or_is_refused(edges in prop::collection::vec((0..6_usize, 0..6_usize), 0..12)) {
        let mut text = String::new();
        for service in 0..6 {
            let after = edges.iter().filter(|(from, _)| *from == service).map(|(_, to)| format!("\"s{to}\", ")).collect::<String>();
            text.push_str(&format!("[[service]]\nname = \"s{service}\"\nprogram = \"/x\"\nafter = [{after}]\n"));
        }
        // By reachability: who can be reached from itself.
        let mut reach = [[false; 6]; 6];
        for (from, to) in &edges {
            reach[*from][*to] = true;
        }
        for middle in 0..6 {
            for from in 0..6 {
                for to in 0..6 {
                    reach[from][to] |= reach[from][middle] && reach[middle][to];
                }
            }
        }
        let circle = (0..6).any(|service| reach[service][service]);
        prop_assert_eq!(parse(&text, Mode::Command).is_err(), circle);
    }
}

#[test]
fn the_manifest_of_the_system_is_right() {
    const SYSTEM: &str = include_str!("../../../../archive/etc/services.toml");
    for mode in [Mode::Command, Mode::Interactive] {
        let services = parse(SYSTEM, mode).unwrap();
        let ends = services
            .iter()
            .filter(|service| service.rules.ends_system)
            .count();
        assert_eq!(ends == 1, mode == Mode::Command);
        // Nobody waits for what nobody provides.
        let provided: Vec<&String> = services
            .iter()
            .flat_map(|service| &service.provides)
            .collect();
        for name in services.iter().flat_map(|service| &service.uses) {
            let own = [FILES_BOOT, protocols::services::NAME];
            let known = provided.iter().map(|name| name.as_str()).chain(own);
            let fits = known
                .into_iter()
                .any(|known| crate::directory::matches(name, known));
            assert!(fits, "{name}");
        }
    }
}
