//! What the machine has.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use abi::device::{self, DeviceResource};
use abi::resource;
use tools::number::{percent, seconds};
use tools::options::Given;
use tools::table::Table;

use super::{Entry, Failed, Tool, entry};

pub const COMMANDS: &[Entry] = &[
    entry(
        "devices",
        "lists the devices that the firmware names, with what they use",
        "",
        &[],
        devices,
    ),
    entry(
        "cpus",
        "lists the processors and what they have done",
        "",
        &[],
        cpus,
    ),
];

fn text(bytes: &[u8]) -> String {
    String::from(String::from_utf8_lossy(bytes).trim_end_matches('\0'))
}

fn shown(resource: &DeviceResource) -> String {
    let last = resource
        .start
        .saturating_add(resource.len.saturating_sub(1));
    match resource.kind {
        resource::PORTS => format!("ports {:#x}-{last:#x}", resource.start),
        resource::MEMORY => format!("memory {:#x}-{last:#x}", resource.start),
        resource::LINES => {
            let is_level = resource.flags & device::LEVEL != 0;
            format!(
                "line {}{}",
                resource.start,
                if is_level { " (level)" } else { "" }
            )
        }
        kind => format!("kind {kind}: {:#x}-{last:#x}", resource.start),
    }
}

fn devices(tool: &mut Tool<'_>, _: &Given) -> Result<u64, Failed> {
    let mut table = Table::new(&["<ID", "<UID", "<PATH", "<USES"]);
    for index in 0.. {
        let device = match sys::call::system_device(tool.system()?.handle(), index) {
            Ok(device) => device,
            Err(abi::Error::NotReady) => break,
            Err(error) => return Err(format!("device {index}: {error}")),
        };
        let mut uses: Vec<String> = device.resources().map(|one| shown(&one)).collect();
        if device.left_out > 0 {
            uses.push(format!("and {} more", device.left_out));
        }
        table.row([
            &text(&device.hid()),
            &text(&device.uid()),
            &text(&device.path()),
            &uses.join(", "),
        ]);
    }
    tool.out.lines(table.lines())?;
    Ok(0)
}

fn cpus(tool: &mut Tool<'_>, _: &Given) -> Result<u64, Failed> {
    let system = tool.system()?;
    let statistics = system.statistics().map_err(|error| format!("{error}"))?;
    let mut table = Table::new(&[
        "CPU",
        "BUSY s",
        "BUSY %",
        "SWITCHES",
        "INTERRUPTS",
        "RUNNABLE",
    ]);
    for number in 0..statistics.processors {
        let usage = system
            .processor(number)
            .map_err(|error| format!("processor {number}: {error}"))?;
        table.row([
            &number,
            &seconds(usage.busy),
            &percent(usage.busy, usage.now),
            &usage.switches,
            &usage.interrupts,
            &usage.runnable,
        ]);
    }
    tool.out.lines(table.lines())?;
    Ok(0)
}
