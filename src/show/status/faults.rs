//! What went wrong, until it works again or somebody has read it. Pure.

use crate::show::loads::Kind;

/// How many are kept; of more, the oldest goes.
const MOST: usize = 6;

/// What an error is about. Of each there is one line, the newest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    Load(Kind),
    /// What draws the picture.
    Drawing,
    Modulation,
    Saving,
    Learning,
    Recording,
    Streaming,
    Sharing,
    Take,
    /// A value that no parameter takes.
    Refused,
    /// A device, or a part of one, by its name.
    Device(String),
}

impl From<Kind> for About {
    fn from(kind: Kind) -> Self {
        About::Load(kind)
    }
}

/// The errors, the newest at the end.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    about: Vec<About>,
    /// Of each.
    lines: Vec<String>,
}

impl Faults {
    /// In the place of an older one about the same.
    pub fn add(&mut self, about: About, line: &str) {
        self.mend(&about);
        if self.lines.len() == MOST {
            self.about.remove(0);
            self.lines.remove(0);
        }
        self.about.push(about);
        self.lines.push(line.to_owned());
    }

    /// It works again.
    pub fn mend(&mut self, about: &About) {
        if let Some(at) = self.about.iter().position(|known| known == about) {
            self.about.remove(at);
            self.lines.remove(at);
        }
    }

    /// They have been read. False if there were none.
    pub fn clear(&mut self) -> bool {
        self.about.clear();
        !std::mem::take(&mut self.lines).is_empty()
    }

    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// What is said about something.
    pub fn of(&self, about: &About) -> Option<&str> {
        let at = self.about.iter().position(|known| known == about)?;
        self.lines.get(at).map(String::as_str)
    }

    /// Takes over what another show has said about devices, which stay as they are.
    pub fn take_devices(&mut self, old: &mut Faults) {
        for (about, line) in old.about.drain(..).zip(old.lines.drain(..)) {
            if matches!(about, About::Device(_)) {
                self.add(about, &line);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_thing_the_newest_is_kept_until_it_is_mended() {
        let device = |name: &str| About::Device(name.to_owned());
        let mut faults = Faults::default();
        faults.add(About::Saving, "no room");
        faults.add(device("pads"), "pads are gone");
        faults.add(About::Saving, "still no room");
        assert_eq!(faults.lines(), ["pads are gone", "still no room"]);
        faults.mend(&device("keys"));
        faults.mend(&About::Saving);
        assert_eq!((faults.lines().len(), faults.of(&device("pads"))), (1, Some("pads are gone")));
        (0..20).for_each(|number| faults.add(device(&number.to_string()), "gone"));
        assert_eq!(faults.lines().len(), MOST);
        assert!(faults.clear() && !faults.clear());
    }

    #[test]
    fn another_show_has_the_same_devices() {
        let (mut old, mut new) = (Faults::default(), Faults::default());
        old.add(About::Device("audio".to_owned()), "no sound");
        old.add(About::Saving, "no room");
        new.take_devices(&mut old);
        assert_eq!(new.lines(), ["no sound"]);
    }
}
