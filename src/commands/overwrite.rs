//! `--overwrite`: one rule for every command that writes files. What is there stays, unless the player says that it may go.
//!
//! What a command goes on with is its own and in nobody's way: a rendering in pieces, the passes of a style network, the rows
//! of a table.

use std::path::Path;

use anyhow::{Context, bail, ensure};

use crate::params::Codec;
use crate::record::{self, frames};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::Args)]
pub struct Overwrite {
    /// Replace files that are there already
    #[arg(long)]
    overwrite: bool,
}

impl Overwrite {
    pub(super) fn is_on(self) -> bool {
        self.overwrite
    }

    /// Checks that none of these files is lost if it is written.
    ///
    /// # Errors
    /// With the first one that is there. Devices and pipes lose nothing.
    pub(super) fn check<P: AsRef<Path>>(self, files: impl IntoIterator<Item = P>) -> anyhow::Result<()> {
        for file in files {
            let file = file.as_ref();
            ensure!(self.overwrite || !file.is_file(), "{} already exists; --overwrite replaces it", file.display());
        }
        Ok(())
    }

    /// Checks the same of what a rendering to `out` writes: a video, or frames in a folder. Frames that it has begun itself
    /// are no hindrance.
    ///
    /// # Errors
    /// With the file, or with the folder and the last frame in it; and when `out` is neither.
    pub(super) fn check_rendering(self, out: &Path, codec: Codec, is_begun: bool) -> anyhow::Result<()> {
        let (place, kind) = record::destination(out, codec)?;
        let Some(kind) = kind else { return self.check([place]) };
        if self.overwrite || is_begun || !place.is_dir() {
            return Ok(());
        }
        match frames::last(&place, kind).with_context(|| format!("cannot read {}", place.display()))? {
            0 => Ok(()),
            last => bail!("{} already holds frames up to {last}; --overwrite replaces them", place.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_there_stays_unless_it_may_go() {
        let folder = std::env::temp_dir().join(format!("latent-jockey-overwrite-{}", std::process::id()));
        fs::create_dir_all(folder.join("frames")).unwrap();
        let (careful, willing) = (Overwrite::default(), Overwrite { overwrite: true });
        let file = folder.join("a.png");
        assert!(careful.check([&file, &folder]).is_ok(), "nothing is there but the folder");
        fs::write(&file, "").unwrap();
        let told = careful.check([&folder.join("b.png"), &file]).unwrap_err().to_string();
        assert_eq!(told, format!("{} already exists; --overwrite replaces it", file.display()));
        assert!(willing.check([&file]).is_ok());

        let pictures = folder.join("frames");
        let render = |rule: Overwrite, codec, is_begun| rule.check_rendering(&pictures, codec, is_begun);
        assert!(render(careful, Codec::Auto, false).is_ok(), "an empty folder");
        fs::write(pictures.join("frame_000012.png"), "").unwrap();
        let told = render(careful, Codec::Auto, false).unwrap_err().to_string();
        let holds = format!("{} already holds frames up to 12; --overwrite replaces them", pictures.display());
        assert_eq!(told, holds);
        assert!(render(willing, Codec::Auto, false).is_ok() && render(careful, Codec::Auto, true).is_ok());
        assert!(render(careful, Codec::Exr, false).is_ok(), "other pictures");
        // As a video is named that goes there.
        assert!(careful.check_rendering(&folder.join("x.avi"), Codec::Auto, false).is_err());
        fs::remove_dir_all(folder).unwrap();
    }
}
