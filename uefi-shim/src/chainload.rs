//! Starts Limine, which then reads the same configuration file.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::vec::Vec;
use core::convert::Infallible;

use shim_core::Error;
use shim_core::config::Switch;
use uefi::CString16;
use uefi::boot::{self, LoadImageSource};
use uefi::proto::BootPolicy;
use uefi::proto::device_path::DevicePath;
use uefi::proto::device_path::build::{DevicePathBuilder, media::FilePath};

use crate::console::Console;
use crate::files::{Found, borrow};

/// The error if Limine is demanded and not there.
pub fn missing() -> Error {
    Error::File {
        path: "boot():/EFI/limine/BOOTX64.EFI".to_owned(),
        reason: "limine.conf says \"shim_loader: limine\", but Limine is not there".to_owned(),
    }
}

/// Starts Limine; comes back only if that is not possible or Limine itself comes back.
pub fn start(console: &mut Console, limine: &Found, quiet: Switch) -> Result<Infallible, Error> {
    if quiet == Switch::No {
        console.say(&format!("starting Limine from {}", limine.path));
    }
    let fail = |what: &str, status: uefi::Status| Error::File {
        path: format!("boot():{}", limine.path),
        reason: format!(
            "the firmware cannot {what} it ({status}); if Secure Boot is on, it must be signed"
        ),
    };
    let name = CString16::try_from(limine.path.replace('/', "\\").as_str())
        .map_err(|_| fail("name", uefi::Status::INVALID_PARAMETER))?;
    let volume =
        borrow::<DevicePath>(limine.volume).map_err(|error| fail("find", error.status()))?;
    let mut storage = Vec::new();
    let mut builder = DevicePathBuilder::with_vec(&mut storage);
    for node in volume.node_iter() {
        builder = builder
            .push(&node)
            .map_err(|_| fail("name", uefi::Status::INVALID_PARAMETER))?;
    }
    let path = builder
        .push(&FilePath { path_name: &name })
        .and_then(DevicePathBuilder::finalize)
        .map_err(|_| fail("name", uefi::Status::INVALID_PARAMETER))?;
    let source = LoadImageSource::FromDevicePath {
        device_path: path,
        boot_policy: BootPolicy::ExactMatch,
    };
    let image = boot::load_image(boot::image_handle(), source)
        .map_err(|error| fail("load", error.status()))?;
    drop(volume);
    match boot::start_image(image) {
        Ok(()) => Err(fail("keep running", uefi::Status::SUCCESS)),
        Err(error) => Err(fail("run", error.status())),
    }
}
