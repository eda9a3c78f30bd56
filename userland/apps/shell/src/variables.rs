//! The shell's variables.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::string::String;

/// The most bytes of all names and values together.
const BYTES_MAX: usize = 256 * 1024;

#[derive(Clone, Debug, Default)]
struct Variable {
    value: String,
    is_exported: bool,
}

/// The shell's variables, by name; those that are exported are seen by programs. A clone costs nothing until one of the two changes.
#[derive(Clone, Debug, Default)]
pub struct Variables {
    all: Rc<BTreeMap<String, Variable>>,
    bytes: usize,
}

impl Variables {
    /// The value of one.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all.get(name).map(|variable| variable.value.as_str())
    }

    /// Sets one; whether it is exported stays. Not when there is no room: then this is false.
    #[must_use]
    pub fn set(&mut self, name: &str, value: &str) -> bool {
        let before = self.all.get(name);
        let freed = before.map_or(0, |variable| name.len() + variable.value.len());
        if before.is_some_and(|variable| variable.value == value) {
            return true;
        }
        let bytes = self.bytes - freed + name.len() + value.len();
        if bytes > BYTES_MAX {
            return false;
        }
        self.bytes = bytes;
        let all = Rc::make_mut(&mut self.all);
        all.entry(name.into()).or_default().value = value.into();
        true
    }

    /// Exports one, which is there from then on.
    pub fn export(&mut self, name: &str) {
        if self.get(name).is_none() && !self.set(name, "") {
            return;
        }
        if let Some(variable) = Rc::make_mut(&mut self.all).get_mut(name) {
            variable.is_exported = true;
        }
    }

    /// Forgets one.
    pub fn unset(&mut self, name: &str) {
        if let Some(variable) = Rc::make_mut(&mut self.all).remove(name) {
            self.bytes -= name.len() + variable.value.len();
        }
    }

    /// All, in order.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.all.iter();
        all.map(|(name, variable)| (name.as_str(), variable.value.as_str()))
    }

    /// Those that are exported, in order.
    pub fn exported(&self) -> impl Iterator<Item = (&str, &str)> {
        let exported = self.all.iter().filter(|(_, variable)| variable.is_exported);
        exported.map(|(name, variable)| (name.as_str(), variable.value.as_str()))
    }

    /// Those that are not exported, in order.
    pub fn own(&self) -> impl Iterator<Item = (&str, &str)> {
        let own = self
            .all
            .iter()
            .filter(|(_, variable)| !variable.is_exported);
        own.map(|(name, variable)| (name.as_str(), variable.value.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_exports_are_told() {
        let mut variables = Variables::default();
        assert!(variables.set("A", "1") && variables.set("A", "2"));
        variables.export("B");
        assert!(variables.set("B", "3"));
        assert_eq!(
            variables.all().collect::<Vec<_>>(),
            [("A", "2"), ("B", "3")]
        );
        assert_eq!(variables.exported().collect::<Vec<_>>(), [("B", "3")]);
        assert_eq!(variables.own().collect::<Vec<_>>(), [("A", "2")]);
        let before = variables.clone();
        assert!(variables.set("A", "x") && before.get("A") == Some("2"));
        assert!(!variables.set("C", &"x".repeat(BYTES_MAX)));
        variables.unset("A");
        variables.unset("B");
        assert_eq!((variables.get("A"), variables.bytes), (None, 0));
    }
}
