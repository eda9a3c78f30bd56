//! Programs: where they are found, and what processes made of them are given.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use abi::{Error, Rights};
use files::Kind;
use shell::grants::{self, Grant};
use spawn::{Builder, Child};
use sys::channel::Channel;
use sys::object::Owned;

use super::console::{ENDED, FAULTED};
use super::launch::NOT_STARTED;
use super::shell::Shell;

/// The program of this shell.
pub const SHELL: &str = "/boot/bin/6s";
/// The status when a command is not there.
const NOT_FOUND: u64 = 127;

/// A program that was found.
pub struct Program {
    /// Its file.
    bytes: Vec<u8>,
    pub path: String,
    /// For the shell: the script that it is to run.
    script: Option<String>,
}

/// The ends of channels that a program is given.
#[derive(Default)]
pub struct Ends {
    pub input: Option<Rc<Channel>>,
    pub output: Option<Rc<Channel>>,
    pub error: Option<Rc<Channel>>,
}

impl Shell {
    /// The program of this shell itself.
    pub fn itself(&self) -> Result<Program, (String, u64)> {
        let bytes = self.files.read(SHELL);
        let bytes = bytes.map_err(|error| (format!("{error}"), NOT_STARTED))?;
        Ok(Program {
            bytes,
            path: SHELL.into(),
            script: None,
        })
    }

    /// The program of a command; for a script that is the shell, and the script's path.
    pub fn find(&self, name: &str) -> Result<Program, (String, u64)> {
        let paths: Vec<String> = match name.contains('/') {
            true => Vec::from([String::from(name)]),
            false => {
                let path = self.value("PATH");
                let parts = path.split(':').filter(|part| !part.is_empty());
                parts.map(|part| format!("{part}/{name}")).collect()
            }
        };
        for path in paths {
            match self.files.stat(&path) {
                Ok(info) if info.kind == Kind::Directory && name.contains('/') => {
                    return Err((format!("{name}: it is a directory"), NOT_STARTED));
                }
                Ok(info) if info.kind == Kind::Directory => continue,
                Ok(_) => {}
                Err(error) if error.is_not_found() => continue,
                Err(error) => return Err((format!("{error}"), NOT_STARTED)),
            }
            let bytes = self.files.read(&path);
            let bytes = bytes.map_err(|error| (format!("{error}"), NOT_STARTED))?;
            if bytes.starts_with(b"\x7fELF") {
                return Ok(Program {
                    bytes,
                    path,
                    script: None,
                });
            }
            return Ok(Program {
                script: Some(path),
                ..self.itself()?
            });
        }
        Err((format!("{name}: there is no such command"), NOT_FOUND))
    }

    /// Makes a process of a program.
    pub fn spawn(
        &self,
        name: &str,
        program: &Program,
        arguments: &[String],
        environment: &[(String, String)],
        ends: &Ends,
    ) -> Result<Child, String> {
        let script = program.script.as_deref();
        let own_name = match script {
            Some(_) => "6s",
            None => files::path::name(name),
        };
        let grant = match script {
            None if !name.contains('/') => grants::of(name),
            None => grants::PLAIN,
            Some(_) => grants::of("6s"),
        };
        let mut builder = Builder::new(own_name, &program.bytes);
        builder = builder.arguments(script);
        builder = builder.arguments(arguments.iter().map(String::as_str));
        for (name, value) in environment {
            builder = builder.env(name, value);
        }
        for (name, handle) in self.granted(grant)? {
            builder = builder.handle(name, handle);
        }
        let owned = |handles: [abi::Handle; 4]| handles.map(Owned::from_raw);
        let no_end = |error: Error| format!("{name}: no channel: {error}");
        if let Some(channel) = &ends.input {
            builder = builder.bundle("stdin", owned(channel.reader().map_err(no_end)?));
        }
        if let Some(channel) = &ends.output {
            builder = builder.bundle("stdout", owned(channel.writer().map_err(no_end)?));
        }
        if let Some(channel) = &ends.error {
            builder = builder.bundle("stderr", owned(channel.writer().map_err(no_end)?));
        }
        let builder = builder
            .on_exit(&self.event, ENDED)
            .on_exception(&self.event, FAULTED);
        builder.spawn().map_err(|error| format!("{error}"))
    }

    /// The handles that a grant means.
    fn granted(&self, grant: Grant) -> Result<Vec<(&'static str, Owned)>, String> {
        let mut handles = Vec::new();
        let directory = self.directory.narrow(grant.services);
        handles.push((
            "directory",
            directory.map_err(|failure| format!("no way to the services: {failure}"))?,
        ));
        let machine = &self.machine;
        let log = Self::again(machine.log.as_ref(), Rights::LOG_WRITE)
            .or_else(|| Self::again(machine.system.as_ref(), Rights::LOG_WRITE));
        handles.extend(log.map(|log| ("log", log)));
        if grant.system != Rights::NONE {
            let system = Self::again(machine.system.as_ref(), grant.system);
            handles.extend(system.map(|system| ("system", system)));
        }
        if grant.has_resources {
            let rights = Rights::INSPECT.union(Rights::USE);
            for (name, owned) in [
                ("memory", &machine.memory),
                ("ports", &machine.ports),
                ("lines", &machine.lines),
            ] {
                let again = Self::again(owned.as_ref(), rights);
                handles.extend(again.map(|handle| (name, handle)));
            }
        }
        Ok(handles)
    }
}
