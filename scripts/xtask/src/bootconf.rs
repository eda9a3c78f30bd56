//! Makes the `limine.conf` of an image from the template at the root of the repository, and the
//! kernel's command line that goes into it.

use crate::error::{Error, Result};

/// Which loader the shim takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Loader {
    /// Limine where its binary was found, the shim's own otherwise
    #[default]
    Auto,
    /// the shim loads the kernel itself
    Shim,
    /// the shim chainloads Limine
    Limine,
    /// Limine is the boot program itself, there is no shim
    LimineOnly,
}

impl Loader {
    /// The value of `shim_loader`.
    pub fn key(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Shim => "shim",
            Self::Limine | Self::LimineOnly => "limine",
        }
    }
}

/// The command line handed to the kernel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KernelLine {
    words: Vec<String>,
}

impl KernelLine {
    /// Adds a finished word or several, as the developer wrote them.
    pub fn raw(&mut self, words: &str) -> Result<&mut Self> {
        check(words)?;
        if !words.trim().is_empty() {
            self.words.push(words.trim().to_owned());
        }
        Ok(self)
    }

    /// Adds `key="value"`.
    pub fn quoted(&mut self, key: &str, value: &str) -> Result<&mut Self> {
        check(value)?;
        if value.contains('"') {
            return Err(Error::Input(format!(
                "the command {value:?} holds a double quote, which the kernel's command line \
                 cannot carry: use single quotes or another way to say it"
            )));
        }
        self.words.push(format!("{key}=\"{value}\""));
        Ok(self)
    }

    /// Adds `key="value"` with every character that a command line cannot carry, and every `%`, as `%` and the two hexadecimal
    /// digits of each of its bytes.
    pub fn escaped(&mut self, key: &str, value: &str) -> Result<&mut Self> {
        let mut text = String::new();
        for character in value.chars() {
            if matches!(character, '%' | '"' | '$' | '\0'..='\x1f' | '\x7f') {
                text.push_str(&format!("%{:02x}", u32::from(character)));
            } else {
                text.push(character);
            }
        }
        self.quoted(key, &text)
    }

    /// The line as text.
    pub fn text(&self) -> String {
        self.words.join(" ")
    }
}

/// A value in limine.conf ends with its line, and `${` starts a macro.
fn check(text: &str) -> Result<()> {
    if text.contains(['\n', '\r', '\0']) {
        return Err(Error::Input(format!(
            "{text:?} holds a line break, which limine.conf cannot carry: separate commands with ';'"
        )));
    }
    if text.contains("${") {
        return Err(Error::Input(format!(
            "{text:?} holds '${{', which starts a macro in limine.conf: leave it out"
        )));
    }
    Ok(())
}

/// A file below `/boot`, and what the boot loader shall find in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hashed {
    /// Its name.
    pub name: String,
    /// The BLAKE2b hash of its contents, in hexadecimal digits.
    pub hash: String,
}

/// Fills in the template. `keys` are more lines of the kernel's entry; `modules` are the boot modules.
pub fn render(
    template: &str,
    loader: Loader,
    line: &KernelLine,
    keys: &[&str],
    kernel: &Hashed,
    modules: &[Hashed],
) -> Result<String> {
    // Old and new versions of Limine have different keys for the kernel's path.
    for (word, count) in [
        ("@LOADER@", 1),
        ("@KERNEL@", 2),
        ("@CMDLINE@", 1),
        ("@MODULES@", 1),
    ] {
        let lines = template.lines().filter(|line| !is_comment(line));
        if lines.filter(|line| line.contains(word)).count() != count {
            return Err(Error::Input(format!(
                "limine.conf must hold {word} {count} times outside of comments"
            )));
        }
    }
    let mut out = String::new();
    for text in template.lines() {
        if is_comment(text) {
            continue;
        }
        if text.trim() == "@MODULES@" {
            let indent = text.split('@').next().unwrap_or_default();
            for key in keys {
                out.push_str(&format!("{indent}{key}\n"));
            }
            for module in modules {
                let Hashed { name, .. } = module;
                out.push_str(&format!(
                    "{indent}module_path: {}\n{indent}module_cmdline: {name}\n",
                    path(module)
                ));
            }
            continue;
        }
        out.push_str(
            &text
                .replace("@LOADER@", loader.key())
                .replace("@KERNEL@", &path(kernel))
                .replace("@CMDLINE@", &line.text()),
        );
        out.push('\n');
    }
    Ok(out)
}

/// Where a file is, and what it must be.
fn path(file: &Hashed) -> String {
    format!("boot():/boot/{}#{}", file.name, file.hash)
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

#[cfg(test)]
mod tests {
    use super::{Hashed, KernelLine, Loader, render};
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    const TEMPLATE: &str = include_str!("../../../limine.conf");

    fn file(name: &str) -> Hashed {
        Hashed {
            name: name.into(),
            hash: name[..1].into(),
        }
    }

    #[test]
    fn the_committed_template_renders() {
        let mut line = KernelLine::default();
        line.quoted("cmd", "hello; hello")
            .unwrap()
            .raw("ktest")
            .unwrap();
        let conf = render(
            TEMPLATE,
            Loader::Shim,
            &line,
            &["paging_mode: 5level"],
            &file("kernel"),
            &[file("hello"), file("exit")],
        )
        .unwrap();
        assert!(conf.contains("shim_loader: shim\n"), "{conf}");
        assert!(
            conf.contains("    cmdline: cmd=\"hello; hello\" ktest\n"),
            "{conf}"
        );
        assert!(
            conf.contains("    module_path: boot():/boot/exit#e\n    module_cmdline: exit\n"),
            "{conf}"
        );
        assert!(conf.contains(" path: boot():/boot/kernel#k\n"), "{conf}");
        assert!(
            conf.contains(" kernel_path: boot():/boot/kernel#k\n"),
            "{conf}"
        );
        assert!(conf.contains("\n    paging_mode: 5level\n"), "{conf}");
        assert!(!conf.contains('@'), "{conf}");
    }

    proptest! {
        #[test]
        fn any_line_goes_through_escaped(line in "[ -~\n\r\täß€]{0,60}") {
            let mut words = KernelLine::default();
            words.escaped("shell", &line).unwrap();
            let text = words.text();
            let value = kboot::cmdline::CommandLine::new(&text).get("shell").unwrap_or_default();
            let mut bytes = Vec::new();
            let mut parts = value.split('%');
            bytes.extend(parts.next().unwrap_or_default().bytes());
            for part in parts {
                bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
                bytes.extend(part[2..].bytes());
            }
            prop_assert_eq!(String::from_utf8(bytes).unwrap(), line);
        }

        #[test]
        fn a_command_stays_on_its_line_or_is_refused(command in "[ -~\n\r]{0,60}") {
            let mut line = KernelLine::default();
            let refused = line.quoted("cmd", &command).is_err();
            let must_refuse = command.contains(['\n', '\r', '"']) || command.contains("${");
            prop_assert_eq!(refused, must_refuse);
            if !refused {
                let conf = render(TEMPLATE, Loader::Auto, &line, &[], &file("kernel"), &[]).unwrap();
                let expected = format!("    cmdline: cmd=\"{command}\"");
                prop_assert!(conf.lines().any(|l| l == expected));
            }
        }
    }
}
