//! From words to arguments: variables, the home directory, patterns of file names.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::pattern::{self, Symbol};
use crate::syntax::{Part, Word};

/// What words can stand for.
pub trait World {
    /// The value of a variable or a parameter.
    fn variable(&self, name: &str) -> Option<String>;
    /// The arguments of the script, `$1` and on.
    fn arguments(&self) -> Vec<String>;
    /// The names in a directory, empty when there is none. An empty path is the current one.
    fn entries(&self, directory: &str) -> Vec<String>;
}

/// At most so many names come from one word, so that a pattern cannot take all memory.
const NAMES_MAX: usize = 4096;

/// The arguments that words stand for.
pub fn words(words: &[Word], world: &dyn World) -> Vec<String> {
    let fields = words.iter().flat_map(|word| fields(word, world));
    fields.flat_map(|field| names(&field, world)).collect()
}

/// What a word stands for as one piece, patterns left as they are: for assignments and files of redirections.
pub fn single(word: &Word, world: &dyn World) -> String {
    let mut text = String::new();
    for part in &word.0 {
        match part {
            Part::Text(more) | Part::Quoted(more) => text.push_str(more),
            Part::Home => text.push_str(&home(world)),
            Part::Variable { name, .. } => text.push_str(&value(name, world)),
        }
    }
    text
}

fn home(world: &dyn World) -> String {
    world.variable("HOME").unwrap_or_else(|| String::from("/"))
}

fn value(name: &str, world: &dyn World) -> String {
    match name {
        "@" | "*" => world.arguments().join(" "),
        "#" => format!("{}", world.arguments().len()),
        _ => match name.parse::<usize>() {
            Ok(index @ 1..) => {
                let mut arguments = world.arguments();
                match index <= arguments.len() {
                    true => arguments.swap_remove(index - 1),
                    false => String::new(),
                }
            }
            _ => world.variable(name).unwrap_or_default(),
        },
    }
}

/// The fields that a word falls into.
fn fields(word: &Word, world: &dyn World) -> Vec<Vec<Symbol>> {
    let mut fields = Vec::new();
    let mut field: Option<Vec<Symbol>> = None;
    for part in &word.0 {
        match part {
            Part::Text(text) => push(&mut field, text, false),
            Part::Quoted(text) => push(&mut field, text, true),
            Part::Home => push(&mut field, &home(world), true),
            Part::Variable {
                name,
                is_quoted: true,
            } if name == "@" => {
                for (index, argument) in world.arguments().iter().enumerate() {
                    if index > 0 {
                        fields.extend(field.take());
                    }
                    push(&mut field, argument, true);
                }
            }
            Part::Variable {
                name,
                is_quoted: true,
            } => push(&mut field, &value(name, world), true),
            Part::Variable {
                name,
                is_quoted: false,
            } => {
                for character in value(name, world).chars() {
                    match character.is_whitespace() {
                        true => fields.extend(field.take()),
                        false => push(&mut field, character.encode_utf8(&mut [0; 4]), false),
                    }
                }
            }
        }
    }
    fields.extend(field);
    fields
}

/// Adds to a field, which is there from then on, if only as an empty one.
fn push(field: &mut Option<Vec<Symbol>>, text: &str, is_quoted: bool) {
    let symbols = text.chars().map(|character| Symbol {
        character,
        is_quoted,
    });
    field.get_or_insert_default().extend(symbols);
}

/// The names of files that a field means, in order; the field itself if it is no pattern, or there are none.
fn names(field: &[Symbol], world: &dyn World) -> Vec<String> {
    let plain = |symbols: &[Symbol]| symbols.iter().map(|symbol| symbol.character).collect();
    if !pattern::is_pattern(field) {
        return Vec::from([plain(field)]);
    }
    let mut found: Vec<String> = Vec::from([String::new()]);
    let mut components = field.split(|symbol| symbol.character == '/').peekable();
    while let Some(component) = components.next() {
        let mut next = Vec::new();
        for directory in &found {
            if !pattern::is_pattern(component) {
                // Whether it is there, only the directory tells; the last one must be.
                let name: String = plain(component);
                let is_there = components.peek().is_some()
                    || name.is_empty()
                    || world.entries(directory).contains(&name);
                if is_there {
                    next.push(format!("{directory}{name}"));
                }
                continue;
            }
            // Names that begin with a dot are meant only by patterns that do, too.
            let shows_hidden = component
                .first()
                .is_some_and(|first| first.character == '.');
            let entries = world.entries(directory).into_iter().filter(|name| {
                shows_hidden == name.starts_with('.') && pattern::matches(component, name)
            });
            next.extend(entries.map(|name| format!("{directory}{name}")));
        }
        next.truncate(NAMES_MAX);
        if components.peek().is_some() {
            next.iter_mut().for_each(|path| path.push('/'));
        }
        found = next;
    }
    found.sort();
    match found.is_empty() {
        true => Vec::from([plain(field)]),
        false => found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::parse;

    struct Fixed;

    impl World for Fixed {
        fn variable(&self, name: &str) -> Option<String> {
            match name {
                "A" => Some("one  two".into()),
                "P" => Some("*.rs".into()),
                "HOME" => Some("/h o".into()),
                "?" => Some("3".into()),
                _ => None,
            }
        }

        fn arguments(&self) -> Vec<String> {
            vec!["x y".into(), "z".into()]
        }

        fn entries(&self, directory: &str) -> Vec<String> {
            let names: &[&str] = match directory {
                "" => &["b.rs", "a.rs", ".hidden", "src", "x y.rs"],
                "src/" | "/src/" => &["m.rs", "n.c"],
                "/" => &["src", "tmp"],
                _ => &[],
            };
            names.iter().map(|name| (*name).into()).collect()
        }
    }

    fn expanded(line: &str) -> Vec<String> {
        let script = parse(line).expect("it has a meaning");
        words(&script.0[0].first.commands[0].words, &Fixed)
    }

    #[test]
    fn variables_fall_into_fields_unless_quoted() {
        assert_eq!(expanded("e $A"), ["e", "one", "two"]);
        assert_eq!(expanded("e \"$A\""), ["e", "one  two"]);
        assert_eq!(expanded("e x${A}y"), ["e", "xone", "twoy"]);
        assert_eq!(expanded("e $NONE \"$NONE\" ''"), ["e", "", ""]);
        assert_eq!(expanded("e ~ ~/x \"~\""), ["e", "/h o", "/h o/x", "~"]);
        assert_eq!(expanded("e $? $# $1 $2 $3"), ["e", "3", "2", "x", "y", "z"]);
        assert_eq!(expanded("e a\"$@\"b"), ["e", "ax y", "zb"]);
        assert_eq!(expanded("e \"$*\""), ["e", "x y z"]);
    }

    #[test]
    fn patterns_become_names() {
        assert_eq!(expanded("e *.rs"), ["e", "a.rs", "b.rs", "x y.rs"]);
        assert_eq!(expanded("e $P"), ["e", "a.rs", "b.rs", "x y.rs"]);
        assert_eq!(expanded("e '*'.rs \\*"), ["e", "*.rs", "*"]);
        assert_eq!(expanded("e */*.rs /*/n.?"), ["e", "src/m.rs", "/src/n.c"]);
        assert_eq!(expanded("e .h*"), ["e", ".hidden"]);
        assert_eq!(expanded("e *.none"), ["e", "*.none"]);
        assert_eq!(expanded("e */none"), ["e", "*/none"]);
    }
}
