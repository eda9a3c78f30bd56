use super::keys::Key;
use super::path::{FilePath, HashCheck, Volume, parse_guid};
use super::{Config, Loader, PagingLevels, Resolution, Switch, Timeout};
use crate::error::Error;
use proptest::prelude::{Strategy, any, prop, prop_assert, prop_assert_eq, proptest};

const EXAMPLE: &str = "\
# a comment
timeout: 0
SERIAL: yes
${WHERE}=boot():/boot
shim_loader: shim
/+Systems
    comment: all of them
//jsix on ${ARCH}
    protocol: limine
    kernel_path: ${WHERE}/kernel
    cmdline: cmd=\"hello; hello\" log=info
    module_path: ${WHERE}/hello
    module_cmdline: hello
    module_path: ${WHERE}/other
    resolution: 1024x768
    paging_mode: 4level
    kaslr: no
/other
    protocol: linux
";

#[test]
fn the_example_is_understood() {
    let config = Config::parse(EXAMPLE);
    assert_eq!(config.warnings, []);
    assert_eq!(config.globals.timeout, Timeout::Seconds(0));
    assert_eq!(config.globals.serial, Switch::Yes);
    assert_eq!(config.globals.loader, Loader::Shim);
    assert_eq!(config.visible(), [0, 1, 2]);
    // The first entry is a directory and stands for what is in it.
    let entry = config.choose(1).unwrap();
    assert_eq!(entry, config.choose(2).unwrap());
    assert_eq!(entry.title, "jsix on x86-64");
    assert_eq!(entry.kernel_path.as_deref(), Some("boot():/boot/kernel"));
    assert_eq!(entry.cmdline, "cmd=\"hello; hello\" log=info");
    assert_eq!(entry.modules.len(), 2);
    assert_eq!(
        (
            entry.modules[0].cmdline.as_str(),
            entry.modules[1].cmdline.as_str()
        ),
        ("hello", "")
    );
    assert_eq!(
        entry.resolution,
        Some(Resolution {
            width: 1024,
            height: 768,
            bpp: 32
        })
    );
    assert_eq!(
        (entry.max_paging, entry.min_paging),
        (Some(PagingLevels::Four), Some(PagingLevels::Four))
    );
    assert_eq!(entry.kaslr, Some(Switch::No));
    assert_eq!(
        config.choose(4),
        Err(Error::NoSuchEntry { index: 4, count: 3 })
    );
    assert_eq!(
        config.choose(0),
        Err(Error::NoSuchEntry { index: 0, count: 3 })
    );
}

#[test]
fn unknown_and_broken_lines_are_warnings_with_their_line() {
    let text =
        "frobnicate: 1\n/a\nnonsense\n///b\nkaslr: maybe\n${undefined}x: 2\ncmdline: ${open\n";
    let config = Config::parse(text);
    let lines: Vec<usize> = config.warnings.iter().map(|warning| warning.line).collect();
    assert_eq!(lines, [1, 3, 4, 5, 6, 6, 7]);
    assert!(
        config.warnings[0]
            .to_string()
            .contains("limine.conf line 1: the option \"frobnicate\"")
    );
    assert_eq!(config.entries[1].depth, 2);
}

#[test]
fn options_of_limine_pass_without_a_word() {
    let text =
        "term_font: boot():/font\ninterface_branding: x\nremember_last_entry: yes\nwallpaper: y\n";
    assert_eq!(Config::parse(text).warnings, []);
}

#[test]
fn collapsed_directories_hide_their_entries() {
    let config = Config::parse("/a\n//b\n///c\n//d\n/+e\n//f\n");
    assert_eq!(config.visible(), [0, 4, 5]);
    assert_eq!(config.choose(1).unwrap().title, "c");
    assert_eq!(Config::parse("timeout: 1\n").choose(1), Err(Error::NoEntry));
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_do_no_harm() {
    let config = Config::parse_bytes(b"\xef\xbb\xbftimeout: 7\r\n/a\r\nprotocol: limine\r\n");
    assert_eq!(config.globals.timeout, Timeout::Seconds(7));
    assert_eq!(config.entries[0].protocol.as_deref(), Some("limine"));
    assert_eq!(config.warnings, []);
}

#[test]
fn both_forms_of_paths_are_understood() {
    let path = |text: &str| FilePath::parse(text).map(|path| (path.volume, path.path));
    assert_eq!(path("boot():/a/b"), Ok((Volume::Boot, "/a/b".into())));
    assert_eq!(path("boot:///a/b"), Ok((Volume::Boot, "/a/b".into())));
    assert_eq!(
        path("boot://2/a/b"),
        Ok((Volume::BootPartition(2), "/a/b".into()))
    );
    assert_eq!(
        path("boot(2):/a"),
        Ok((Volume::BootPartition(2), "/a".into()))
    );
    assert_eq!(
        path("fslabel(ROOT):/a"),
        Ok((Volume::Label("ROOT".into()), "/a".into()))
    );
    for wrong in [
        "",
        "/a",
        "boot()",
        "boot():/",
        "boot(0):/a",
        "hdd(1:1):/a",
        "tftp():/a",
        "x():/a",
        "boot():/a#12",
        "guid(1):/a",
    ] {
        assert!(matches!(path(wrong), Err(Error::BadPath { .. })), "{wrong}");
    }
}

#[test]
fn a_guid_has_the_byte_order_of_gpt() {
    let guid = parse_guid("c12a7328-f81f-11d2-ba4b-00a0c93ec93b").unwrap();
    assert_eq!(
        guid,
        [
            0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0, 0xa0, 0xc9, 0x3e, 0xc9,
            0x3b
        ]
    );
}

#[test]
fn a_hash_is_that_of_blake2b_512() {
    // RFC 7693, appendix A: BLAKE2b-512 of "abc".
    let hash = "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1\
                7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923";
    let path = FilePath::parse(&format!("boot():/abc#{hash}")).unwrap();
    assert_eq!(path.path, "/abc");
    assert_eq!(path.verify(b"abc"), HashCheck::Matches);
    assert_eq!(path.verify(b"abd"), HashCheck::Differs);
    assert_eq!(
        FilePath::parse("boot():/abc").unwrap().verify(b"abc"),
        HashCheck::NotAsked
    );
}

fn values() -> impl Strategy<Value = String> {
    "[ -~]{0,20}".prop_filter("no macros", |text| !text.contains("${"))
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        Config::parse_bytes(&bytes);
    }

    #[test]
    fn any_text_of_our_characters_is_read(text in "([/+#$:{}=a \n]|timeout|protocol|\\$\\{){0,60}") {
        let config = Config::parse(&text);
        let lines = text.split('\n').count();
        for warning in &config.warnings {
            prop_assert!((1..=lines).contains(&warning.line));
        }
        for number in 0..=config.visible().len() + 1 {
            let chosen = config.choose(number);
            prop_assert_eq!(chosen.is_ok(), (1..=config.visible().len()).contains(&number));
        }
        // An entry is never more than one level below the one before it.
        for pair in config.entries.windows(2) {
            prop_assert!(pair[1].depth <= pair[0].depth + 1);
        }
    }

    #[test]
    fn what_is_written_is_read_back(titles in prop::collection::vec("[A-Za-z0-9 ]{1,10}[A-Za-z]", 1..8), cmdline in values()) {
        let mut text = String::new();
        for title in &titles {
            text += &format!("/{title}\n    protocol: limine\n    cmdline: {cmdline}\n    kernel_path: boot():/{title}\n");
        }
        let config = Config::parse(&text);
        prop_assert_eq!(config.entries.len(), titles.len());
        prop_assert_eq!(&config.warnings, &[]);
        for (entry, title) in config.entries.iter().zip(&titles) {
            prop_assert_eq!(entry.title.as_str(), title.trim());
            prop_assert_eq!(&entry.cmdline, cmdline.trim());
            prop_assert_eq!(&entry.kernel_path, &Some(format!("boot():/{title}")));
        }
    }

    #[test]
    fn a_macro_is_its_text(name in "[A-Z]{1,8}", value in values(), before in values()) {
        let text = format!("${{{name}}}={value}\n/a\ncmdline: x{before}${{{name}}}x\n");
        let config = Config::parse(&text);
        prop_assert_eq!(&config.entries[0].cmdline, &format!("x{before}{value}x"));
    }

    #[test]
    fn names_count_in_any_case(upper: bool, index: usize) {
        let names = ["timeout", "kernel_path", "path", "module_string", "randomize_hhdm_base"];
        let name = names[index % names.len()];
        let name = if upper { name.to_uppercase() } else { name.to_owned() };
        prop_assert!(Key::from_name(&name).is_some());
    }

    #[test]
    fn any_path_is_read(text in "\\PC{0,40}") {
        if let Ok(path) = FilePath::parse(&text) {
            prop_assert!(path.path.starts_with('/') && path.path.len() > 1);
        }
    }
}
