//! `man`: the manual pages, made from the same definitions as `--help`.

use std::io;
use std::path::PathBuf;

use anyhow::Context;
use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::overwrite::Overwrite;
use crate::patch::folders::{HOME_VARIABLE, PRESETS_VARIABLE};

#[derive(Debug, clap::Args)]
pub struct Options {
    /// Write the pages of all commands into this folder, instead of printing the first one
    #[arg(long, value_name = "DIR", value_parser = super::path())]
    out: Option<PathBuf>,
    #[command(flatten)]
    overwrite: Overwrite,
}

/// Prints the first page, or writes all of them; `program` is the whole command line.
///
/// # Errors
/// When the folder cannot be written to.
pub fn run(options: &Options, program: Command) -> anyhow::Result<()> {
    let pages = pages(program)?;
    let Some(folder) = &options.out else {
        pages.first().into_iter().for_each(|page| report!("{}", page.text.trim_end()));
        return Ok(());
    };
    // Pages of another version are the command's own.
    let is_own = |file: &PathBuf| std::fs::read_to_string(file).is_ok_and(|text| text.contains(".TH latent-jockey"));
    let files = pages.iter().map(|page| folder.join(format!("{}.1", page.name)));
    options.overwrite.check(files.filter(|file| !is_own(file)))?;
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for page in &pages {
        let file = folder.join(format!("{}.1", page.name));
        std::fs::write(&file, &page.text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    say!("wrote {} pages to {}", pages.len(), folder.display());
    Ok(())
}

/// A page of section 1.
pub struct Page {
    /// Without the section: `latent-jockey-play`.
    pub name: String,
    /// In roff.
    pub text: String,
}

/// The page of the program, then one for each command that is not hidden.
///
/// # Errors
/// None in practice: the pages are written to memory.
pub fn pages(program: Command) -> io::Result<Vec<Page>> {
    // `help` explains the others; it has nothing to say in a page of its own.
    let mut program = program.disable_help_subcommand(true);
    program.build();
    let mut pages = vec![page(&program, &surroundings())?];
    add_commands(&program, &mut pages)?;
    Ok(pages)
}

fn add_commands(program: &Command, pages: &mut Vec<Page>) -> io::Result<()> {
    for command in program.get_subcommands().filter(|command| !command.is_hide_set()) {
        pages.push(page(command, &Roff::new())?);
        add_commands(command, pages)?;
    }
    Ok(())
}

fn page(command: &Command, end: &Roff) -> io::Result<Page> {
    let mut text = Vec::new();
    Man::new(command.clone()).render(&mut text)?;
    end.to_writer(&mut text)?;
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    Ok(Page { name, text: String::from_utf8_lossy(&text).into_owned() })
}

/// What `--help` does not tell: files, variables, and what the program returns.
fn surroundings() -> Roff {
    let mut roff = Roff::new();
    let mut section = |title: &str, entries: &[(&str, &str)]| {
        roff.control("SH", [title]);
        for (term, text) in entries {
            roff.control("TP", []);
            roff.text([bold(*term)]).text([roman(*text)]);
        }
    };
    section(
        "FILES",
        &[
            (
                "~/.config/latent-jockey",
                "Your own presets, and in it networks, pictures, controllers and fx. \
              macOS: ~/Library/Application Support/latent-jockey. Windows: %APPDATA%\\latent-jockey.",
            ),
            ("presets", "In the working directory: the same for one show. Its presets are the whole list."),
            (
                "../share/latent-jockey",
                "Seen from the program: the same, installed for everybody. What ships is inside the program.",
            ),
        ],
    );
    section(
        "ENVIRONMENT",
        &[
            (HOME_VARIABLE, "Your own folder, if it is another."),
            (PRESETS_VARIABLE, "The folder of the show, if it is another than presets in the working directory."),
            ("WGPU_ADAPTER_NAME", "A part of the name of the graphics card to use; doctor lists them."),
            ("WGPU_BACKEND", "vulkan, metal or dx12."),
            ("RUST_LOG", "What is logged to standard error: debug, info, warn."),
        ],
    );
    section(
        "EXIT STATUS",
        &[("0", "It did what was asked."), ("1", "It could not, and says why."), ("2", "The command line is wrong.")],
    );
    roff
}
