//! `scripts/screenshot`: boots, runs a command or types some, and keeps the framebuffer as a small PNG.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::bench::Tools;
use crate::bootconf::KernelLine;
use crate::build::{self, Scope};
use crate::cli::ScreenshotArgs;
use crate::command_line::Runner;
use crate::error::{Error, Result};
use crate::firmware;
use crate::kernel::Kernel;
use crate::person::{PROMPT, Person};
use crate::prepare::{Image, Programs, Recipe};
use crate::qemu::Qemu;
use crate::qemu::args::Spec;
use crate::qemu::machine::{Event, Machine};
use crate::run::INTERRUPTED;
use crate::screen_text;
use crate::workspace::Workspace;

/// How long boot and command may take.
const LIMIT: Duration = Duration::from_secs(120);

/// Boots, and writes what the screen shows: at power-off after `--cmd`, or when what was typed has come to its end.
pub fn screenshot(args: &ScreenshotArgs) -> Result<()> {
    let workspace = Workspace::load()?;
    let qemu = Qemu::find()?;
    let firmware = firmware::find(&qemu.path)?;
    let scope = Scope {
        kernels: &[Kernel::Jsix],
        shim: true,
    };
    build::build(&workspace, &scope)?;
    let tools = Tools {
        workspace: &workspace,
        qemu: &qemu,
        firmware: &firmware,
    };
    let picture = match args.keys.as_slice() {
        [] => at_the_end(tools, args)?,
        lines => at_the_prompt(tools, args, lines)?,
    };
    write_png(&args.file, &picture)?;
    println!(
        "{}: {} x {}",
        args.file.display(),
        picture.width,
        picture.height
    );
    if args.text {
        print!("{}", screen_text::joined(&picture));
    }
    Ok(())
}

/// Types lines at the prompt on the screen; the picture is of the screen when it shows what the last one is waited for.
fn at_the_prompt(tools: Tools<'_>, args: &ScreenshotArgs, lines: &[String]) -> Result<Picture> {
    let spec = Spec {
        cpus: args.smp,
        ..Spec::default()
    };
    let mut person = Person::sit_down(tools, &spec, None)?;
    for line in lines {
        person.until_line(PROMPT)?;
        person.run(line)?;
    }
    match &args.until {
        None => person.until_line(PROMPT)?,
        Some(text) => person.until(&format!("{text:?}"), |lines| {
            lines.iter().any(|line| line.contains(text))
        })?,
    }
    person
        .into_picture()
        .ok_or_else(|| Error::tool("the machine", "has shown nothing"))
}

/// Runs `--cmd`; the picture is of the screen at power-off.
fn at_the_end(tools: Tools<'_>, args: &ScreenshotArgs) -> Result<Picture> {
    let mut line = KernelLine::default();
    let runner = Runner::of(tools.workspace, &args.cmd);
    runner.put(&mut line, &args.cmd)?;
    let mut recipe = Recipe::jsix(line);
    if runner == Runner::Shell {
        recipe.programs = Programs::System(Vec::new());
    }
    let image = Image::write(tools.workspace, &recipe)?;
    let spec = Spec {
        cpus: args.smp,
        // At power-off the machine stops and keeps its screen.
        extra: vec!["-no-shutdown".into()],
        ..Spec::default()
    };
    let mut machine = Machine::start(tools.qemu, &spec, tools.firmware, image.disk())?;
    wait(&machine, |message| message["event"] == "SHUTDOWN")?;
    let raw = image.folder().join("screen.ppm");
    machine.command(
        "screendump",
        &json!({"filename": raw.display().to_string()}),
    );
    // Events may come in between; the answer to the command is the next one.
    wait(&machine, |message| {
        message.get("return").is_some() || message.get("error").is_some()
    })?;
    machine.kill();
    let data = fs::read(&raw).map_err(Error::io("read", &raw))?;
    parse_ppm(&data).ok_or_else(|| Error::tool("QEMU", "wrote a screen dump that is no PPM file"))
}

fn wait(machine: &Machine, wanted: impl Fn(&Value) -> bool) -> Result<()> {
    let end = Instant::now() + LIMIT;
    let mut negotiated = false;
    while Instant::now() < end && !INTERRUPTED.load(Ordering::Relaxed) {
        match machine.events.recv_timeout(Duration::from_millis(100)) {
            // The answer to the capabilities' negotiation is not ours.
            Ok(Event::Control(message))
                if !negotiated
                    && message["return"] == json!({})
                    && message.get("event").is_none()
                    && !wanted(&message) =>
            {
                negotiated = true;
            }
            Ok(Event::Control(message)) if wanted(&message) => return Ok(()),
            Ok(Event::SerialClosed) => break,
            Ok(Event::Control(_) | Event::Serial(_)) | Err(_) => {}
        }
    }
    Err(Error::tool(
        "the machine",
        "did not come to its power-off; scripts/run shows what it prints",
    ))
}

/// What a screen shows.
pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Three bytes a pixel.
    pub(crate) pixels: Vec<u8>,
}

/// A binary PPM of 8 bits a channel.
pub(crate) fn parse_ppm(data: &[u8]) -> Option<Picture> {
    let mut at = 0;
    let mut word = || {
        let rest = data.get(at..)?;
        let start = rest.iter().position(|byte| !byte.is_ascii_whitespace())?;
        let len = rest
            .get(start..)?
            .iter()
            .position(u8::is_ascii_whitespace)?;
        at += start + len;
        std::str::from_utf8(rest.get(start..start + len)?).ok()
    };
    if word()? != "P6" {
        return None;
    }
    let width: u32 = word()?.parse().ok()?;
    let height: u32 = word()?.parse().ok()?;
    if word()? != "255" {
        return None;
    }
    let size = usize::try_from(width)
        .ok()?
        .checked_mul(height.try_into().ok()?)?
        .checked_mul(3)?;
    let pixels = data.get(at + 1..)?.get(..size)?.to_vec();
    Some(Picture {
        width,
        height,
        pixels,
    })
}

/// A text screen has few colours: a palette keeps the file small.
fn write_png(path: &Path, picture: &Picture) -> Result<()> {
    let mut colours: BTreeMap<[u8; 3], u8> = BTreeMap::new();
    let mut indices = Vec::with_capacity(picture.pixels.len() / 3);
    let mut fits = true;
    for pixel in picture.pixels.chunks_exact(3) {
        let colour = [pixel[0], pixel[1], pixel[2]];
        let next = colours.len();
        let index = match (colours.get(&colour), u8::try_from(next)) {
            (Some(&index), _) => index,
            (None, Ok(index)) => {
                colours.insert(colour, index);
                index
            }
            (None, Err(_)) => {
                fits = false;
                break;
            }
        };
        indices.push(index);
    }
    let file = File::create(path).map_err(Error::io("create", path))?;
    let mut encoder = png::Encoder::new(BufWriter::new(file), picture.width, picture.height);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    let pixels = if fits {
        let mut palette = vec![0; colours.len() * 3];
        for (colour, index) in &colours {
            let start = usize::from(*index) * 3;
            if let Some(place) = palette.get_mut(start..start + 3) {
                place.copy_from_slice(colour);
            }
        }
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_palette(palette);
        &indices
    } else {
        encoder.set_color(png::ColorType::Rgb);
        &picture.pixels
    };
    encoder
        .write_header()
        .and_then(|mut writer| writer.write_image_data(pixels))
        .map_err(|e| Error::tool("png", format!("could not write {}: {e}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::{Picture, parse_ppm, write_png};
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};

    proptest! {
        #[test]
        fn a_screen_dump_comes_back_from_the_png(
            width in 1_u32..20, height in 1_u32..20, seed in any::<u8>(), many in any::<bool>()
        ) {
            let count = (width * height) as usize;
            let pixels: Vec<u8> = (0..count * 3)
                .map(|i| if many { (i * 7 + usize::from(seed)) as u8 } else { seed & 1 })
                .collect();
            let mut ppm = format!("P6\n{width} {height}\n255\n").into_bytes();
            ppm.extend(&pixels);
            let picture = parse_ppm(&ppm).unwrap();
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("a.png");
            write_png(&path, &picture).unwrap();

            let mut decoder = png::Decoder::new(std::io::BufReader::new(std::fs::File::open(&path).unwrap()));
            decoder.set_transformations(png::Transformations::EXPAND);
            let mut reader = decoder.read_info().unwrap();
            let mut out = vec![0; reader.output_buffer_size().unwrap()];
            reader.next_frame(&mut out).unwrap();
            prop_assert_eq!(out, pixels);
        }

        #[test]
        fn other_bytes_are_refused_without_a_panic(data in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut ppm = b"P6 ".to_vec();
            ppm.extend(&data);
            let picture: Option<Picture> = parse_ppm(&ppm);
            prop_assert_eq!(picture.is_some_and(|p| p.pixels.is_empty() && p.width * p.height > 0), false);
        }
    }
}
