//! The command line: options, logging, and the one place that prints an error and exits.

use std::process::ExitCode;

use clap::Parser;
use latent_jockey::commands::{self, bench, convert, doctor, generate, inspect, params, play, render, style};
use latent_jockey::show::printable;

/// An instrument for playing generative networks on stage.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Play live: a window, every MIDI port, OSC on UDP 9000 (this is what no command does)
    Play(play::Options),
    /// Write a preset as a video or PNGs, offline, always the same
    Render(render::Options),
    /// Still pictures of seeds, and a contact sheet
    Generate(generate::Options),
    /// Let a style network paint a picture over and over, and see where it goes
    Style(style::Options),
    /// What a network file holds, and whether it will play
    Inspect(inspect::Options),
    /// Write a network as one .safetensors file that opens at once
    Convert(convert::Options),
    /// Time per picture and from knob to picture
    Bench(bench::Options),
    /// What works on this machine, and what to do about the rest
    Doctor,
    /// The table of parameters
    Params(params::Options),
}

fn main() -> ExitCode {
    quiet_drivers();
    let command = Cli::parse().command;
    // Playing decides for itself: the window brings its own log.
    if !matches!(command, None | Some(Command::Play(_))) {
        commands::log();
    }
    let result = match command {
        None => play::run(&play::Options::default()),
        Some(Command::Play(options)) => play::run(&options),
        Some(Command::Render(options)) => render::run(&options),
        Some(Command::Generate(options)) => generate::run(&options),
        Some(Command::Style(options)) => style::run(&options),
        Some(Command::Inspect(options)) => inspect::run(&options),
        Some(Command::Convert(options)) => convert::run(&options),
        Some(Command::Bench(options)) => bench::run(&options),
        Some(Command::Doctor) => doctor::run(),
        Some(Command::Params(options)) => params::run(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// Mesa's layer that chooses among cards asks Wayland, and prints an error each time where nobody is logged in.
fn quiet_drivers() {
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        // SAFETY: there is no other thread yet.
        unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    }
}

/// Prints an error with its causes on one line; a cause that the line tells already is not told again.
#[allow(clippy::print_stderr, reason = "the one place that prints an error")]
fn fail(error: &anyhow::Error) -> ExitCode {
    let mut line = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !line.contains(&cause) {
            line = format!("{line}: {cause}");
        }
    }
    // A preset tells several mistakes, a line each.
    let lines: Vec<String> = line.lines().map(printable).collect();
    eprintln!("latent-jockey: {}", lines.join("\n"));
    ExitCode::FAILURE
}
