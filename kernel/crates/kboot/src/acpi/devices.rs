//! The devices that the firmware's AML names: what no bus tells of itself.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::str::FromStr;

use ::acpi::Handler;
use ::acpi::aml::namespace::{AmlName, NamespaceLevelKind};
use ::acpi::aml::object::Object;
use ::acpi::aml::{AmlError, Interpreter};

use super::resources::{Resource, eisa_id, resources};

/// `_STA`: the device is there (ACPI 6.5, 6.3.7).
const PRESENT: u64 = 1 << 0;

/// A device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its identifier.
    pub hid: String,
    /// What tells it from others with this identifier; may be empty.
    pub uid: String,
    /// Its resources.
    pub resources: Vec<Resource>,
}

/// The names of all devices, in the order of the tree.
///
/// # Errors
/// When the tree cannot be walked.
pub fn names<H: Handler>(interpreter: &Interpreter<H>) -> Result<Vec<AmlName>, AmlError> {
    let mut names = Vec::new();
    interpreter.namespace.lock().traverse(|name, level| {
        if level.kind == NamespaceLevelKind::Device {
            names.push(name.clone());
        }
        Ok(true)
    })?;
    Ok(names)
}

/// A device, if it is there and has an identifier.
///
/// # Errors
/// When its AML fails.
pub fn device<H: Handler>(
    interpreter: &Interpreter<H>,
    name: &AmlName,
) -> Result<Option<Device>, AmlError> {
    let evaluate = |what: &str| {
        let path = AmlName::from_str(what)?.resolve(name)?;
        interpreter.evaluate_if_present(path, Vec::new())
    };
    let is_present = match evaluate("_STA")? {
        Some(status) => match &*status {
            Object::Integer(status) => status & PRESENT != 0,
            _ => false,
        },
        None => true,
    };
    if !is_present {
        return Ok(None);
    }
    let hid = match evaluate("_HID")? {
        Some(hid) => match &*hid {
            Object::Integer(number) => {
                eisa_id(*number).map(|id| id.iter().copied().map(char::from).collect::<String>())
            }
            Object::String(text) => Some(text.clone()),
            _ => None,
        },
        None => None,
    };
    let Some(hid) = hid else {
        return Ok(None);
    };
    let uid = match evaluate("_UID")? {
        Some(uid) => match &*uid {
            Object::Integer(number) => number.to_string(),
            Object::String(text) => text.clone(),
            _ => String::new(),
        },
        None => String::new(),
    };
    let found = match evaluate("_CRS")? {
        Some(current) => match &*current {
            Object::Buffer(bytes) => resources(bytes).collect(),
            _ => Vec::new(),
        },
        None => Vec::new(),
    };
    Ok(Some(Device {
        hid,
        uid,
        resources: found,
    }))
}
