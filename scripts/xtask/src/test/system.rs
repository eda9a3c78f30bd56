//! Boots that are about how commands end, and of the system with manifests of its own: what `srv.init` makes of services.

use super::cases::Expect::{Never, Pattern, Text};
use super::cases::{Case, Expect, GREETING, Want, hello};

/// Where the system looks for its manifest.
const MANIFEST: &str = "/boot/etc/services.toml";

/// All of them.
pub fn cases() -> Vec<Case> {
    vec![
        Case {
            cmd: Some("exit 7"),
            expect: vec![Never("KERNEL PANIC")],
            want: Want::Status(7),
            ..hello("exit-status")
        },
        Case {
            cmd: Some("exit 3; hello"),
            expect: vec![GREETING],
            want: Want::Status(3),
            ..hello("exit-status-is-the-last-that-is-not-zero")
        },
        Case {
            cmd: None,
            words: "cmd=no-such-program",
            expect: vec![Text("there is no program 'no-such-program'")],
            want: Want::Status(62),
            ..hello("unknown-program")
        },
        Case {
            cmd: Some("echo \"a  b\" 100%; $x"),
            add: &[("userland/servers/init/tests/lives.toml", MANIFEST)],
            smp: 2,
            expect: vec![
                Text("argument 1: echo \"a  b\" 100%; $x"),
                Text("nobody was not started: /bin/no-such-program: not found"),
                Pattern(r"crash \(process \d+\) crashed: page fault of thread \d+, reading 0x0"),
                Pattern(r"  #0 0x[0-9a-f]+ .*(read|crash)"),
                Text("crasher is started again in 20 ms"),
                Text("crasher is started again in 40 ms"),
                Text("crasher has ended too often and is not started again"),
                Pattern(r"last ended with status 7"),
                Never("never"),
                Never("KERNEL PANIC"),
            ],
            want: Want::Status(7),
            ..hello("init-lives")
        },
        Case {
            cmd: Some("test supervision --kills 40"),
            smp: 2,
            expect: vec![
                Pattern(r"^supervision: 40 kills, --seed \d+ does the same again"),
                Pattern(r"^supervision uart: ok, killed \d+ times, and back"),
                Pattern(r"^supervision more files: ok, \d+ rounds, and \d+ in which"),
                Pattern(r"^supervision leak check: ok, "),
                Pattern(r"^supervision: 15 passed, 0 failed"),
                Never("KERNEL PANIC"),
            ],
            limit_s: 300,
            ..hello("supervision")
        },
        Case {
            cmd: Some("6s /boot/test/shell"),
            // As it is there anyway: with a file of its own the system runs with all services.
            add: &[("userland/archive/test/shell", "/boot/test/shell")],
            smp: 2,
            expect: vec![
                Pattern(r"shell: \d+ passed, 0 failed"),
                Never("KERNEL PANIC"),
            ],
            limit_s: 400,
            ..hello("shell-script")
        },
        Case {
            cmd: Some("ls"),
            add: &[("userland/servers/init/tests/wrong.toml", MANIFEST)],
            expect: vec![
                Pattern(
                    r#"services.toml, line 6 \(grants = \["system.everything"\]\): "system.everything" is nothing that can be granted"#,
                ),
                Never("KERNEL PANIC"),
            ],
            want: Want::Status(1),
            ..hello("init-wrong-manifest")
        },
    ]
    .into_iter()
    .chain(commands())
    .collect()
}

/// What somebody types who looks after the machine. (`&&` makes it a line for the shell.)
fn commands() -> Vec<Case> {
    let line = |name, cmd, expect: Vec<Expect>| Case {
        cmd: Some(cmd),
        smp: 4,
        memory_mib: 512,
        expect: [expect, vec![Never("KERNEL PANIC"), Never("FAILED")]].concat(),
        limit_s: 400,
        ..hello(name)
    };
    vec![
        Case {
            want: Want::Status(7),
            ..line(
                "system-poweroff",
                "echo bye && poweroff --status 7; echo never",
                vec![Text("bye"), Never("\nnever")],
            )
        },
        Case {
            want: Want::Restart,
            ..line(
                "system-reboot",
                "echo again && reboot; echo never",
                vec![Text("again"), Never("\nnever")],
            )
        },
        line(
            "system-date",
            "date -s '2030-05-06 07:08' && date && touch /tmp/a && ls -l /tmp",
            vec![
                Pattern(r"^Mon 2030-05-06 07:0[89]:\d\d UTC"),
                Pattern(r" 0  2030-05-06 07:0\S* +a"),
            ],
        ),
        line(
            "system-trace",
            "trace start -k call && echo one | wc -l && trace stop && trace show | grep -c Call && trace -k switch -e 100 10ms | head -n 3",
            vec![
                Pattern(r"^[1-9]\d*\s*$"),
                Pattern(r"^ +\d+\.\d{9} Switch +thread \d+"),
            ],
        ),
        line(
            "system-test",
            "test kernel && echo all was well",
            vec![
                Pattern(r"^kernel: 1\d\d passed, 0 failed"),
                Text("all was well"),
            ],
        ),
        line(
            "system-stress",
            "stress 5 && echo all was well",
            vec![
                Pattern(r"^leak check: nothing was lost, \d+ handles before"),
                Text("all was well"),
            ],
        ),
        line(
            "system-fuzz",
            "fuzz --calls 20000 && echo all was well",
            vec![
                Pattern(r"^round 4 of 4: 2\d{4} calls"),
                Text("leak check: nothing was lost"),
                Text("all was well"),
            ],
        ),
        line(
            "system-bench",
            "bench ipc && echo all was well",
            vec![
                Pattern(r"^call-1 \d+ \d+ \d+"),
                Pattern(r"^event-thread \d+ \d+ \d+"),
                Text("all was well"),
            ],
        ),
        line(
            "system-services",
            "test-services clock && test-services files && test-services logger && echo all was well",
            vec![
                Text("all was well"),
                Text("burst: 100000 lines in"),
                Never("left out"),
            ],
        ),
    ]
}
