//! Who runs the commands of `--cmd`: the kernel by itself, or the shell, with all services.

use crate::bootconf::KernelLine;
use crate::error::Result;
use crate::workspace::Workspace;

/// Who runs commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runner {
    /// The kernel, from boot modules.
    Kernel,
    /// The shell, which `srv.init` starts.
    Shell,
}

/// A suite of the program `test`, which is bare otherwise, that needs the system.
const WITH_SYSTEM: [&str; 2] = ["test", "supervision"];

/// What the shell understands and the kernel does not.
const OPERATORS: [char; 9] = ['|', '&', '<', '>', '$', '(', '`', '#', '\n'];

impl Runner {
    /// The kernel where it can run all of the commands: programs that need no service, and its own words.
    pub fn of(workspace: &Workspace, cmd: &str) -> Self {
        let is_bare = |name: &str| {
            let mut programs = workspace.programs.iter();
            programs.any(|program| program.bare && program.name == name)
        };
        let fits = !cmd.contains(OPERATORS)
            && kboot::cmdline::commands(cmd).all(|command| {
                let mut words = command.words();
                let first = words.next().unwrap_or_default();
                let second = words.next().unwrap_or_default();
                first.starts_with('@') || (is_bare(first) && [first, second] != WITH_SYSTEM)
            });
        if fits { Self::Kernel } else { Self::Shell }
    }

    /// Puts the commands where this runner finds them.
    pub fn put(self, line: &mut KernelLine, cmd: &str) -> Result<()> {
        match self {
            Self::Kernel => line.quoted("cmd", cmd)?,
            Self::Shell => line.escaped("shell", cmd)?,
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Runner;
    use crate::workspace::{Program, Workspace};

    #[test]
    fn the_kernel_runs_what_it_can() {
        let program = |name: &str, bare| Program {
            name: name.into(),
            package: name.into(),
            folder: "bin",
            bare,
            links: Vec::new(),
        };
        let workspace = Workspace {
            root: "/r".into(),
            target: "/t".into(),
            programs: vec![
                program("hello", true),
                program("test", true),
                program("6s", false),
            ],
        };
        for cmd in [
            "hello",
            "hello; test vm",
            "@all hello ; @restart",
            "",
            "test kernel long",
        ] {
            assert_eq!(Runner::of(&workspace, cmd), Runner::Kernel, "{cmd}");
        }
        for cmd in [
            "ls",
            "hello; ls",
            "6s",
            "test supervision",
            "hello > /tmp/x",
            "hello | wc",
            "hello &",
            "hello $x",
        ] {
            assert_eq!(Runner::of(&workspace, cmd), Runner::Shell, "{cmd}");
        }
    }
}
