//! Commands for files and directories.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use files::{Entry as Found, FileError, Files, How, Kind, path};
use tools::date::Date;
use tools::options::Given;
use tools::table::{Table, columns};

use super::{Entry, Failed, Tool, entry, flag};

pub const COMMANDS: &[Entry] = &[
    entry(
        "ls",
        "lists files and directories",
        "[PATH ...]",
        &[
            flag('l', "long", "", "with sizes and times"),
            flag('a', "all", "", "those too whose names begin with a dot"),
            flag('1', "lines", "", "one to a line"),
        ],
        ls,
    ),
    entry(
        "cp",
        "copies files",
        "FROM ... TO",
        &[flag('r', "recursive", "", "directories, too")],
        cp,
    ),
    entry(
        "mv",
        "moves files and directories, or gives them other names",
        "FROM ... TO",
        &[],
        mv,
    ),
    entry(
        "rm",
        "removes files and empty directories",
        "PATH ...",
        &[
            flag('r', "recursive", "", "directories with all that is in them"),
            flag('f', "force", "", "it is no error when there is nothing"),
        ],
        rm,
    ),
    entry(
        "mkdir",
        "makes directories",
        "PATH ...",
        &[flag(
            'p',
            "parents",
            "",
            "with those above, and it is no error when it is there",
        )],
        mkdir,
    ),
    entry(
        "touch",
        "makes empty files where there are none",
        "PATH ...",
        &[],
        touch,
    ),
    entry(
        "cmp",
        "says whether two files are the same, and if not, where they differ first",
        "FILE OTHER",
        &[],
        cmp,
    ),
];

fn text(error: FileError) -> Failed {
    error.to_string()
}

fn some(given: &Given) -> Result<&[String], Failed> {
    match given.arguments.as_slice() {
        [] => Err("a path is missing".into()),
        paths => Ok(paths),
    }
}

fn ls(tool: &mut Tool<'_>, given: &Given) -> Result<u64, Failed> {
    let files = tool.files()?;
    let here = [String::from(".")];
    let paths = match given.arguments.as_slice() {
        [] => here.as_slice(),
        paths => paths,
    };
    let (mut single, mut directories) = (Vec::new(), Vec::new());
    for path in paths {
        match files.stat(path) {
            Ok(info) if info.kind == Kind::Directory => directories.push(path),
            Ok(info) => single.push(Found {
                name: path.clone(),
                info,
            }),
            Err(error) => tool.complain(&error.to_string()),
        }
    }
    let is_headed = directories.len() + usize::from(!single.is_empty()) > 1;
    if !single.is_empty() {
        show(tool, given, &single)?;
    }
    for (index, path) in directories.into_iter().enumerate() {
        if is_headed {
            let gap = if index > 0 || !single.is_empty() {
                "\n"
            } else {
                ""
            };
            tool.out.line(&format!("{gap}{path}:"))?;
        }
        match files.read_dir(path) {
            Ok(mut entries) => {
                entries.retain(|entry| given.has('a') || !entry.name.starts_with('.'));
                show(tool, given, &entries)?;
            }
            Err(error) => tool.complain(&error.to_string()),
        }
    }
    Ok(tool.status)
}

fn show(tool: &mut Tool<'_>, given: &Given, entries: &[Found]) -> Result<(), Failed> {
    let marked = |entry: &Found| match (entry.info.kind, entry.info.is_program) {
        (Kind::Directory, _) => format!("{}/", entry.name),
        (Kind::File, true) => format!("{}*", entry.name),
        (Kind::File, false) => entry.name.clone(),
    };
    if given.has('l') {
        let mut table = Table::new(&["SIZE", "<CHANGED", "<NAME"]);
        for entry in entries {
            let changed = match entry.info.modified {
                0 => String::from("-"),
                ns => Date::of_seconds(ns / 1_000_000_000).to_string(),
            };
            table.row([&entry.info.size, &changed, &marked(entry)]);
        }
        return tool.out.lines(table.lines());
    }
    // Away from a terminal each name has a line, and nothing is added to it.
    if given.has('1') || tool.context.env("COLUMNS").is_none() {
        let names = entries.iter().map(|entry| entry.name.clone());
        return tool.out.lines(names);
    }
    let names: Vec<String> = entries.iter().map(marked).collect();
    let width = tool.columns();
    tool.out.lines(columns(&names, width))
}

/// What is to be copied or moved, and where: into a directory if there is one.
fn pairs(files: &Files, given: &Given) -> Result<Vec<(String, String)>, Failed> {
    let Some((to, from)) = given
        .arguments
        .split_last()
        .filter(|(_, from)| !from.is_empty())
    else {
        return Err("two paths are needed".into());
    };
    let is_directory = is_directory(files, to);
    if from.len() > 1 && !is_directory {
        return Err(format!("{to}: it is not a directory"));
    }
    let to_of = |from: &String| match is_directory {
        true => format!("{to}/{}", path::name(from)),
        false => to.clone(),
    };
    Ok(from
        .iter()
        .map(|from| (from.clone(), to_of(from)))
        .collect())
}

fn cp(tool: &mut Tool<'_>, given: &Given) -> Result<u64, Failed> {
    let files = tool.files()?;
    for (from, to) in pairs(&files, given)? {
        if let Err(error) = copy(&files, &from, &to, given.has('r')) {
            tool.complain(&error);
        }
    }
    Ok(tool.status)
}

/// Copies a file, or with `is_deep` a directory and all that is in it.
fn copy(files: &Files, from: &str, to: &str, is_deep: bool) -> Result<(), Failed> {
    if files.stat(from).map_err(text)?.kind == Kind::File {
        return files.copy(from, to).map(drop).map_err(text);
    }
    if !is_deep {
        return Err(format!("{from}: it is a directory; -r copies it"));
    }
    let whole_from = files.absolute(from).map_err(text)?;
    let whole_to = files.absolute(to).map_err(text)?;
    if path::within(&whole_to, &whole_from).is_some() {
        return Err(format!("{to}: it is within {from}"));
    }
    let mut left = Vec::from([(String::from(from), String::from(to))]);
    while let Some((from, to)) = left.pop() {
        match files.make_directory(&to) {
            Err(error) if !is_directory(files, &to) => return Err(text(error)),
            _ => {}
        }
        for entry in files.read_dir(&from).map_err(text)? {
            let inner = (
                format!("{from}/{}", entry.name),
                format!("{to}/{}", entry.name),
            );
            match entry.info.kind {
                Kind::Directory => left.push(inner),
                Kind::File => {
                    files.copy(&inner.0, &inner.1).map_err(text)?;
                }
            }
        }
    }
    Ok(())
}

fn mv(tool: &mut Tool<'_>, given: &Given) -> Result<u64, Failed> {
    let files = tool.files()?;
    for (from, to) in pairs(&files, given)? {
        if let Err(error) = files.rename(&from, &to) {
            tool.complain(&error.to_string());
        }
    }
    Ok(tool.status)
}

fn rm(tool: &mut Tool<'_>, given: &Given) -> Result<u64, Failed> {
    let files = tool.files()?;
    for path in some(given)? {
        let result = match given.has('r') {
            true => remove_all(&files, path),
            false => files.remove(path),
        };
        match result {
            Err(error) if !(given.has('f') && error.is_not_found()) => {
                tool.complain(&error.to_string());
            }
            _ => {}
        }
    }
    Ok(tool.status)
}

/// Removes all that is in a directory, then the directory.
fn remove_all(files: &Files, path: &str) -> Result<(), FileError> {
    let mut left = Vec::from([String::from(path)]);
    while let Some(path) = left.last().cloned() {
        let inner = match files.stat(&path)?.kind {
            Kind::Directory => files.read_dir(&path)?,
            Kind::File => Vec::new(),
        };
        if inner.is_empty() {
            files.remove(&path)?;
            left.pop();
        }
        left.extend(inner.iter().map(|entry| format!("{path}/{}", entry.name)));
    }
    Ok(())
}

fn mkdir(tool: &mut Tool<'_>, given: &Given) -> Result<u64, Failed> {
    let files = tool.files()?;
    let with_parents = given.has('p');
    for path in some(given)? {
        let whole = files.absolute(path).map_err(text)?;
        let mut paths = Vec::from([whole.as_str()]);
        while with_parents
            && let Some(last) = paths.last()
            && path::parent(last) != "/"
        {
            paths.push(path::parent(last));
        }
        while let Some(path) = paths.pop() {
            match files.make_directory(path) {
                Err(error) if !(with_parents && is_directory(&files, path)) => {
                    tool.complain(&error.to_string());
                    break;
                }
                _ => {}
            }
        }
    }
    Ok(tool.status)
}

fn is_directory(files: &Files, path: &str) -> bool {
    files
        .stat(path)
        .is_ok_and(|info| info.kind == Kind::Directory)
}

fn touch(tool: &mut Tool<'_>, given: &Given) -> Result<u64, Failed> {
    let files = tool.files()?;
    for path in some(given)? {
        if let Err(error) = files.open(path, How::Append) {
            tool.complain(&error.to_string());
        }
    }
    Ok(tool.status)
}

fn cmp(tool: &mut Tool<'_>, given: &Given) -> Result<u64, Failed> {
    let [one, other] = given.arguments.as_slice() else {
        return Err("two files are needed".into());
    };
    let files = tool.files()?;
    let bytes = files.read(one).map_err(text)?;
    let others = files.read(other).map_err(text)?;
    if bytes == others {
        return Ok(0);
    }
    let same = bytes
        .iter()
        .zip(&others)
        .take_while(|(one, other)| one == other);
    let (same, line) = same.fold((0, 1), |(same, line), (byte, _)| {
        (same + 1, line + u64::from(*byte == b'\n'))
    });
    tool.out.line(&format!(
        "{one} {other}: they differ at byte {same}, line {line}"
    ))?;
    Ok(1)
}
