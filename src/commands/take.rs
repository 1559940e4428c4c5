//! `take`: what a take holds, whether it can be rendered here, and copies of the files that it needs.

use std::path::PathBuf;

use crate::record::take::Take;

#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Print a take as text: the time of each frame in which something entered, and what
    Dump(Which),
    /// Check that every file that a take needs is there, and unchanged
    Check(Which),
    /// Copy the files that a take needs into a folder beside it, so that it can be rendered elsewhere
    Bundle(Which),
}

#[derive(Debug, clap::Args)]
struct Which {
    /// The take
    #[arg(value_parser = super::path())]
    file: PathBuf,
}

pub fn run(options: &Options) -> anyhow::Result<()> {
    match &options.what {
        What::Dump(which) => dump(&Take::read(&which.file)?),
        What::Check(which) => {
            let take = Take::read(&which.file)?;
            take.locate()?;
            let tracks = take.files.iter().filter(|used| used.sound);
            tracks.filter_map(|used| take.find(used).err()).for_each(|line| warn!("without its sound: {line}"));
            say!("{}", summary(&take));
        }
        What::Bundle(which) => {
            let take = Take::read(&which.file)?;
            let (count, folder) = (take.bundle()?, take.bundled().display().to_string());
            say!("{folder}: {count} file{}", if count == 1 { "" } else { "s" });
        }
    }
    Ok(())
}

/// One line.
fn summary(take: &Take) -> String {
    let secs = take.secs();
    let drawn = take.frames[take.start..].iter().filter(|frame| frame.is_drawn).count();
    format!(
        "{}: {}:{:05.2}, {} frames, {drawn} drawn on the {} engine, {} files; version {}{}",
        take.path.display(),
        secs as u64 / 60,
        secs % 60.0,
        take.frames.len() - take.start,
        take.header.engine,
        take.files.len(),
        take.header.program,
        if take.is_cut { "; the last line was cut off" } else { "" },
    )
}

fn dump(take: &Take) {
    report!("{}", summary(take));
    report!("preset {}", take.header.preset);
    for used in &take.files {
        report!("file {} {} bytes {}", used.path, used.bytes, used.hash);
    }
    let to_start: f64 = take.frames[..=take.start].iter().map(|frame| frame.dt).sum();
    let mut at = -to_start;
    for (i, frame) in take.frames.iter().enumerate() {
        at += frame.dt;
        let Some(more) = &frame.more else { continue };
        let time = format!("{at:10.3} frame {i}");
        more.heard.iter().for_each(|(path, secs)| report!("{time} heard {} at {secs:.2} s", path.display()));
        more.size.iter().for_each(|size| report!("{time} size {}x{}", size[0], size[1]));
        more.sources.texts.iter().for_each(|(path, text)| {
            report!("{time} text {} ({} bytes)", path.display(), text.len());
        });
        more.events.iter().for_each(|event| report!("{time} {event}"));
        more.news.iter().for_each(|news| report!("{time} {}", serde_json::json!(news)));
        more.landed.iter().for_each(|landed| report!("{time} {}", serde_json::json!(landed)));
    }
}
