//! The modules that a kernel names itself, beside those of the configuration.

use alloc::string::String;
use alloc::vec::Vec;

use crate::error::RequestFault;
use crate::requests::{FIELDS_OFFSET, Kind, Requests, get_word};

/// Flag: the boot fails without the module.
const REQUIRED: u64 = 1;
/// Flag: the module is compressed; dropped from the protocol.
const COMPRESSED: u64 = 2;
/// More than this is taken for a damaged image.
const MAX_MODULES: u64 = 1024;
/// Strings in the image are cut off here.
const MAX_STRING: usize = 4096;

/// Whether the boot fails without a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// It fails.
    Required,
    /// It goes on.
    Optional,
}

/// A module that the kernel names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InternalModule {
    /// Its path, relative to the directory of the kernel.
    pub path: String,
    /// Its command line.
    pub cmdline: String,
    /// Whether it must be there.
    pub need: Need,
}

/// Reads the internal modules of a kernel's module request.
///
/// # Errors
/// The request points outside of the image, or wants a module decompressed.
pub fn internal(
    requests: &Requests,
    image: &[u8],
    virtual_base: u64,
) -> Result<Vec<InternalModule>, RequestFault> {
    let Some(request) = requests
        .find(Kind::Module)
        .filter(|request| request.revision >= 1)
    else {
        return Ok(Vec::new());
    };
    let fault = RequestFault::InternalModule;
    let offset = |pointer: u64| usize::try_from(pointer.checked_sub(virtual_base)?).ok();
    let field = |at: Option<usize>, index: usize| get_word(image, at?.checked_add(index)?);
    let own = Some(request.offset.saturating_add(FIELDS_OFFSET));
    let count = field(own, 0).ok_or(fault.clone())?;
    if count > MAX_MODULES {
        return Err(fault);
    }
    let mut modules = Vec::new();
    let mut entry = if count == 0 {
        None
    } else {
        field(own, 8).and_then(offset)
    };
    for _ in 0..count {
        let module = field(entry, 0).and_then(offset);
        let text = |index| {
            field(module, index).and_then(|pointer| {
                if pointer == 0 {
                    Some(String::new())
                } else {
                    string(image, offset(pointer)?)
                }
            })
        };
        let (Some(path), Some(cmdline), Some(flags)) = (text(0), text(8), field(module, 16)) else {
            return Err(fault);
        };
        if flags & COMPRESSED != 0 {
            return Err(RequestFault::CompressedModule { path });
        }
        let need = if flags & REQUIRED != 0 {
            Need::Required
        } else {
            Need::Optional
        };
        modules.push(InternalModule {
            path,
            cmdline,
            need,
        });
        entry = entry.and_then(|entry| entry.checked_add(8));
    }
    Ok(modules)
}

fn string(image: &[u8], at: usize) -> Option<String> {
    let rest = image.get(at..)?;
    let end = rest.iter().take(MAX_STRING).position(|byte| *byte == 0)?;
    Some(String::from_utf8_lossy(rest.get(..end)?).into_owned())
}

/// Joins the directory of the kernel and the path of an internal module.
pub fn beside(kernel: &str, module: &str) -> String {
    let directory = kernel
        .rsplit_once('/')
        .map_or("", |(directory, _)| directory);
    let mut parts: Vec<&str> = Vec::new();
    for part in directory.split('/').chain(module.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    let mut path = String::new();
    for part in parts {
        path.push('/');
        path.push_str(part);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::beside;
    use proptest::prelude::proptest;

    #[test]
    fn modules_are_found_beside_the_kernel() {
        assert_eq!(beside("/boot/kernel", "a/b"), "/boot/a/b");
        assert_eq!(beside("/boot/kernel", "../b"), "/b");
        assert_eq!(beside("/kernel", "../../b"), "/b");
        assert_eq!(beside("/boot/x/kernel", "./b//c"), "/boot/x/b/c");
    }

    proptest! {
        #[test]
        fn no_path_leaves_the_volume(kernel in "[a./]{0,12}", module in "[b./]{0,12}") {
            let path = beside(&kernel, &module);
            assert!(path.is_empty() || path.starts_with('/'));
            assert!(path.split('/').all(|part| part != ".."));
        }
    }
}
