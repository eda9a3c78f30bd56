//! Commands about what the shell itself keeps: variables, aliases, arguments, the current directory.

use alloc::format;
use alloc::string::{String, ToString};

use shell::interpret::{self, Flow};
use shell::syntax::is_name;

use super::Output;
use crate::program::run::plain_words;
use crate::program::shell::Shell;

pub fn cd(shell: &mut Shell, arguments: &[String], output: &mut Output) -> u64 {
    let path = match arguments.first().map(String::as_str) {
        None => shell.value("HOME"),
        Some("-") => shell.value("OLDPWD"),
        Some(path) => path.into(),
    };
    let before = String::from(shell.files.current());
    if let Err(error) = shell.files.set_current(&path) {
        return output.fail(&error.to_string());
    }
    let now = String::from(shell.files.current());
    let is_set = shell.variables.set("OLDPWD", &before) && shell.variables.set("PWD", &now);
    if !is_set {
        return output.fail("the variables have no room");
    }
    shell.variables.export("PWD");
    if arguments.first().is_some_and(|path| path == "-") {
        output.line(&now);
    }
    0
}

pub fn pwd(shell: &mut Shell, _: &[String], output: &mut Output) -> u64 {
    output.line(shell.files.current());
    0
}

pub fn export(shell: &mut Shell, arguments: &[String], output: &mut Output) -> u64 {
    if arguments.is_empty() {
        for (name, value) in shell.variables.exported() {
            output.line(&format!("{name}={value}"));
        }
    }
    for argument in arguments {
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (argument.as_str(), None),
        };
        if !is_name(name) {
            return output.fail(&format!("export: '{name}' is no name"));
        }
        if value.is_some_and(|value| !shell.variables.set(name, value)) {
            return output.fail("export: the variables have no room");
        }
        shell.variables.export(name);
    }
    0
}

pub fn set(shell: &mut Shell, arguments: &[String], output: &mut Output) -> u64 {
    if arguments.is_empty() {
        for (name, value) in shell.variables.all() {
            output.line(&format!("{name}={value}"));
        }
        return 0;
    }
    let is_marked = arguments.first().is_some_and(|first| first == "--");
    shell.arguments = arguments.iter().skip(is_marked.into()).cloned().collect();
    0
}

pub fn shift(shell: &mut Shell, arguments: &[String], output: &mut Output) -> u64 {
    let count = arguments.first().map_or(Ok(1), |text| text.parse());
    match count {
        Ok(count) if count <= shell.arguments.len() => {
            shell.arguments.drain(..count);
            0
        }
        _ => output.fail("shift: there are not so many arguments"),
    }
}

pub fn unset(shell: &mut Shell, arguments: &[String], _: &mut Output) -> u64 {
    let (is_function, names) = match arguments.split_first() {
        Some((first, names)) if first == "-f" => (true, names),
        _ => (false, arguments),
    };
    for name in names {
        match is_function {
            true => {
                shell.state.forget(name);
            }
            false => shell.variables.unset(name),
        }
    }
    0
}

pub fn alias(shell: &mut Shell, arguments: &[String], output: &mut Output) -> u64 {
    if arguments.is_empty() {
        for (name, text) in &shell.aliases {
            output.line(&format!("{name}={text}"));
        }
    }
    for argument in arguments {
        let Some((name, text)) = argument.split_once('=') else {
            match shell.aliases.get(argument) {
                Some(text) => output.line(&format!("{argument}={text}")),
                None => return output.fail(&format!("alias: there is no '{argument}'")),
            }
            continue;
        };
        if name.is_empty() || plain_words(text).is_none() {
            return output.fail(&format!("alias: '{text}' is no plain command"));
        }
        shell.aliases.insert(name.into(), text.into());
    }
    0
}

pub fn unalias(shell: &mut Shell, arguments: &[String], _: &mut Output) -> u64 {
    for name in arguments {
        shell.aliases.remove(name);
    }
    0
}

pub fn history(shell: &mut Shell, _: &[String], output: &mut Output) -> u64 {
    let editor = shell.editor.as_ref();
    for (index, line) in editor
        .into_iter()
        .flat_map(|editor| editor.history().lines())
        .enumerate()
    {
        output.line(&format!("{:5}  {line}", index + 1));
    }
    0
}

pub fn source(shell: &mut Shell, arguments: &[String], output: &mut Output) -> u64 {
    let Some((file, rest)) = arguments.split_first() else {
        return output.fail("a file is missing");
    };
    let before = match rest.is_empty() {
        true => None,
        false => Some(core::mem::replace(&mut shell.arguments, rest.to_vec())),
    };
    let name = shell.name.clone();
    shell.state.calls += 1;
    let status = interpret::within(shell, |shell| shell.run_file(file));
    shell.state.calls -= 1;
    shell.name = name;
    if shell.state.flow == Some(Flow::Return) {
        shell.state.flow = None;
    }
    if let Some(before) = before {
        shell.arguments = before;
    }
    status
}
