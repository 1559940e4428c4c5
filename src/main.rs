//! The command line: options, logging, and the one place that prints an error and exits.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser};
use latent_jockey::commands::{
    self, bench, caption, completions, convert, directions, doctor, eval, explore, favourites, generate, inspect, keys,
    man, params, play, project, render, shader, slides, style, take, thumbnails,
};
use latent_jockey::show::printable;

/// An instrument for playing generative networks on stage.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100, args_conflicts_with_subcommands = true)]
#[command(
    after_help = "Without a command it plays the first preset, and takes the options of `play`, such as --fullscreen."
)]
#[command(override_usage = "latent-jockey [OPTIONS OF play]\n       latent-jockey <COMMAND>")]
// `play --help` lists them.
#[command(mut_args(|option| option.hide(true)))]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    settings: Box<play::Settings>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Play live: a window, every MIDI port, OSC on UDP 9000 (the default command)
    Play(Box<play::Options>),
    /// Render a preset or a take offline to a video or PNGs, reproducibly
    Render(render::Options),
    /// Render stills from seeds, with a contact sheet
    Generate(generate::Options),
    /// Show in which directions a network's picture changes most, and let them have names
    Directions(directions::Options),
    /// Caption pictures, in a table that you may edit
    Caption(caption::Options),
    /// Make a slide show in one file of HTML, with captions, from a folder or from seeds
    Slides(slides::Options),
    /// Browse a network's pictures, artifacts first or by likeness, and star them; or sort them on a sheet
    Explore(explore::Options),
    /// Make a walk, a slide show or PNGs of the pictures that were starred
    Favourites(favourites::Options),
    /// Find the latent whose picture is most like a photograph
    Project(project::Options),
    /// Repaint a picture over and over with a style network, and measure where it goes
    Style(style::Options),
    /// Show what a network file holds, and whether it will play
    Inspect(inspect::Options),
    /// Convert a network to a single .safetensors file that loads fast
    Convert(convert::Options),
    /// Send live code to a running instrument, from an editor or a shell
    Eval(eval::Options),
    /// Measure the time per picture, and from knob or sound to picture
    Bench(bench::Options),
    /// Check what works on this machine, and how to fix what does not
    Doctor(doctor::Options),
    /// Check effects (.wgsl), for editors and CI
    Shader(shader::Options),
    /// List what keys do, and check your own
    Keys(keys::Options),
    /// Print the table of parameters
    Params(params::Options),
    /// Look into takes, and make them complete
    Take(take::Options),
    /// Print what a shell needs to complete this command line
    Completions(completions::Options),
    /// Print the manual page, or write those of all commands
    Man(man::Options),
    /// Draw small pictures of presets, styles and networks, for a show beside this process
    #[command(hide = true)]
    Thumbnails(thumbnails::Options),
}

fn main() -> ExitCode {
    quiet_drivers();
    let Cli { command, settings } = parse(std::env::args_os()).unwrap_or_else(|error| error.exit());
    // `play` sets up logging itself: the window brings its own.
    if !matches!(command, None | Some(Command::Play(_))) {
        commands::log();
    }
    let result = match command {
        None => play::play(None, &settings),
        Some(Command::Play(options)) => play::run(&options),
        Some(Command::Render(options)) => render::run(&options),
        Some(Command::Generate(options)) => generate::run(&options),
        Some(Command::Directions(options)) => directions::run(&options),
        Some(Command::Caption(options)) => caption::run(&options),
        Some(Command::Slides(options)) => slides::run(&options),
        Some(Command::Explore(options)) => explore::run(&options),
        Some(Command::Favourites(options)) => favourites::run(&options),
        Some(Command::Project(options)) => project::run(&options),
        Some(Command::Style(options)) => style::run(&options),
        Some(Command::Inspect(options)) => inspect::run(&options),
        Some(Command::Convert(options)) => convert::run(&options),
        Some(Command::Eval(options)) => eval::run(&options),
        Some(Command::Bench(options)) => bench::run(&options),
        Some(Command::Doctor(options)) => doctor::run(&options),
        Some(Command::Shader(options)) => shader::run(&options),
        Some(Command::Keys(options)) => keys::run(&options),
        Some(Command::Params(options)) => params::run(&options),
        Some(Command::Take(options)) => take::run(&options),
        Some(Command::Completions(options)) => {
            completions::run(&options, Cli::command());
            Ok(())
        }
        Some(Command::Man(options)) => man::run(&options, Cli::command()),
        Some(Command::Thumbnails(options)) => thumbnails::run(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// Parses the command line. Whoever names a preset without the word `play` is told the whole line.
fn parse(words: impl IntoIterator<Item = OsString>) -> clap::error::Result<Cli> {
    Cli::try_parse_from(words).map_err(|mut error| {
        let line = match error.get(ContextKind::InvalidSubcommand) {
            Some(ContextValue::String(word)) if error.kind() == ErrorKind::InvalidSubcommand => play::line(word),
            _ => None,
        };
        if let Some(line) = line {
            error.remove(ContextKind::SuggestedSubcommand);
            let tip = format!("to play it: latent-jockey {line}").into();
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
        }
        error
    })
}

/// Mesa's device-select layer asks Wayland, and prints an error each time if nobody is logged in.
fn quiet_drivers() {
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        // SAFETY: no other thread is running yet.
        unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    }
}

/// Prints an error and its causes on one line, skipping causes that the line already contains.
fn fail(error: &anyhow::Error) -> ExitCode {
    let mut line = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !line.contains(&cause) {
            line = format!("{line}: {cause}");
        }
    }
    // A preset can report several mistakes, one per line.
    let lines: Vec<String> = line.lines().map(printable).collect();
    // Nobody may be reading.
    let _ = writeln!(std::io::stderr(), "latent-jockey: {}", lines.join("\n"));
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;
    use clap_complete::Shell;

    use super::*;

    fn commands() -> Vec<String> {
        let program = Cli::command();
        let shown = program.get_subcommands().filter(|command| !command.is_hide_set());
        shown.map(|command| command.get_name().to_owned()).collect()
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    fn parse(words: &str) -> Result<Cli, String> {
        let words = std::iter::once("latent-jockey").chain(words.split_whitespace());
        super::parse(words.map(OsString::from)).map_err(|error| error.to_string())
    }

    #[test]
    fn without_a_command_it_plays_with_the_options_of_play() {
        for words in ["", "--fullscreen", "--fullscreen 1 --audio default --seed 7", "--headless --seconds 2"] {
            let cli = parse(words).unwrap_or_else(|error| panic!("{words}: {error}"));
            let found = format!("{:?}", cli.settings);
            let Some(Command::Play(play)) = parse(&format!("play {words}")).unwrap().command else { panic!("{words}") };
            assert!(cli.command.is_none() && format!("{play:?}").contains(&found), "{words}: {found}");
        }
    }

    #[test]
    fn a_wrong_word_or_option_gets_its_suggestion() {
        for (words, told) in [
            ("rendr", "'render'"),
            ("exlore flowers128", "'explore'"),
            ("--fulscreen", "'--fullscreen'"),
            ("play --fulscreen", "'--fullscreen'"),
            ("--headless render 1", "'render'"),
            ("--audio-silent", "--audio <"),
            ("9", "play it: latent-jockey play 9\n"),
            ("Vortex --fullscreen", "play it: latent-jockey play Vortex\n"),
            ("Cargo.toml", "play it: latent-jockey play Cargo.toml\n"),
            ("flowers128", "play it: latent-jockey play --network flowers128\n"),
        ] {
            let error = parse(words).err().unwrap_or_else(|| panic!("{words} is accepted"));
            assert!(error.contains(told), "{words}: {error}");
        }
        let help = Cli::command().render_long_help().to_string();
        assert!(help.contains("options of `play`") && !help.contains("--headless"), "{help}");
    }

    #[test]
    fn every_shell_completes_every_command() {
        for shell in Shell::value_variants() {
            let script = completions::script(*shell, Cli::command());
            for word in commands().iter().map(String::as_str).chain(["--headless", "--audio", "--report"]) {
                // Fish writes options without their dashes.
                let word = if *shell == Shell::Fish { word.trim_start_matches('-') } else { word };
                assert!(script.contains(word), "{shell}: {word}");
            }
            assert!(!script.contains("thumbnails"), "{shell}: a hidden command");
        }
    }

    #[test]
    fn every_command_has_a_manual_page_which_the_first_one_names() {
        let pages = man::pages(Cli::command()).unwrap();
        let page = |name: &str| pages.iter().find(|page| page.name == name).unwrap_or_else(|| panic!("no page {name}"));
        let first = &page("latent-jockey").text;
        assert!(first.contains("LATENT_JOCKEY_HOME"), "{first}");
        for command in commands() {
            // In roff a hyphen is escaped.
            let name = format!("latent-jockey-{command}");
            assert!(first.contains(&name.replace('-', "\\-")), "{name}: {first}");
            assert!(page(&name).text.contains(".SH SYNOPSIS"), "{name}");
        }
        assert!(page("latent-jockey-take-bundle").text.contains("Copy the files"));
        assert!(pages.iter().all(|page| !page.name.contains("thumbnails") && !page.name.ends_with("help")));
        assert!(!first.contains("thumbnails"), "{first}");
    }
}
