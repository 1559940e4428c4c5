//! Profiles: what real controllers send, what their controls do by default, and how their lights follow.
//!
//! A profile is a TOML file. Those that ship are built into the program; a file with the same name in a stronger place
//! replaces one. A controller is recognised by its port name. Reading a profile opens no port.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::motor::Motor;
use super::ports::is_secondary;
use crate::control::mapping::parse_control;
use crate::control::mapping::{Control, ControlSpec, MappingError, MidiEntry, MidiOptions, Relative, Takeover};
use crate::file::sources::{self, Sources};
use crate::file::text::{self, TextError};
use crate::params::Table;

/// Where the bundled profiles are.
const BUNDLED: &str = "built-in:/controllers";

/// What is wrong with a profile.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    #[error("cannot read the controller profile {}: {source}", path.display())]
    Read { path: PathBuf, source: TextError },
    #[error("the controller profile {name}: {reason}")]
    Wrong { name: String, reason: String },
}

/// A controller.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// Its name on screen.
    pub name: String,
    /// Its port names contain one of these, in lower case.
    ports: Vec<String>,
    /// Ports whose names contain one of these do not match.
    except: Vec<String>,
    /// Messages to send when it appears.
    pub hello: Vec<Vec<u8>>,
    /// Messages to send when the show ends.
    pub goodbye: Vec<Vec<u8>>,
    pub controls: Vec<ProfileControl>,
}

/// One knob, fader, pad or button.
#[derive(Clone, Debug, PartialEq)]
pub struct ProfileControl {
    /// As printed on it, or numbered: `knob 3`.
    pub name: String,
    pub sends: ControlSpec,
    /// What it controls unless a preset says otherwise.
    pub plays: Option<MidiEntry>,
    /// How to read it, whatever it controls: a motor fader jumps.
    pub takeover: Option<Takeover>,
    pub relative: Option<Relative>,
    pub light: Option<Light>,
    /// The note that it holds while touched.
    pub touch: Option<ControlSpec>,
}

/// A light, ring or motor that shows a parameter's value.
#[derive(Clone, Debug, PartialEq)]
pub struct Light {
    /// The message that sets it, on one channel: a note, a controller or pitch bend.
    pub sends: ControlSpec,
    /// The values from one end of the travel to the other; `None` sends the travel itself.
    levels: Option<Vec<u8>>,
    /// When its control plays nothing, and when the show ends.
    dark: u16,
    /// Whether it is a motor that moves its control.
    motor: bool,
}

impl Light {
    /// The value at a travel of 0 to 1: 7 bits, or 14 for pitch bend.
    pub fn at(&self, travel: f64) -> u16 {
        let travel = travel.clamp(0.0, 1.0);
        match &self.levels {
            Some(levels) => {
                let level = (travel * levels.len() as f64) as usize;
                levels.get(level.min(levels.len() - 1)).copied().unwrap_or(0).into()
            }
            None if self.sends.control == Control::Bend => (travel * 16_383.0).round() as u16,
            None => (travel * 127.0).round() as u16,
        }
    }

    /// The value that turns it off; `None` for motors and rings that show the travel, which stay where they are.
    pub fn off(&self) -> Option<u16> {
        self.levels.as_ref().map(|_| self.dark)
    }

    /// The bytes that show a value.
    pub fn bytes(&self, value: u16) -> [u8; 3] {
        let channel = self.sends.channel.unwrap_or(0);
        let low = (value & 0x7f) as u8;
        match self.sends.control {
            Control::Note(note) => [0x90 | channel, note, low],
            Control::Cc(controller) => [0xb0 | channel, controller, low],
            _ => [0xe0 | channel, low, (value >> 7 & 0x7f) as u8],
        }
    }
}

/// The known profiles.
#[derive(Clone, Debug, Default)]
pub struct Profiles {
    known: Vec<(String, Arc<Profile>)>,
    /// The files, and what they held.
    files: Vec<PathBuf>,
    sources: Sources,
}

impl Profiles {
    /// The profiles in these files: of two with the same name, the first that is right. A broken file is reported and
    /// skipped.
    pub fn load(files: &[PathBuf]) -> (Self, Vec<ProfileError>) {
        let ((profiles, problems), sources) = sources::observe(|| Profiles::read(files));
        (Profiles { files: files.to_vec(), sources, ..profiles }, problems)
    }

    /// The files that they were read from.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// What the files held.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    fn read(files: &[PathBuf]) -> (Self, Vec<ProfileError>) {
        let mut profiles = Profiles::default();
        let mut problems = Vec::new();
        for file in files {
            let name = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            if profiles.known.iter().any(|(known, _)| *known == name) {
                continue;
            }
            let read = text::read(file)
                .map_err(|source| ProfileError::Read { path: file.clone(), source })
                .and_then(|text| Profile::parse(&name, &text));
            match read {
                Ok(profile) => profiles.known.push((name, Arc::new(profile))),
                Err(error) => problems.push(error),
            }
        }
        (profiles, problems)
    }

    /// The bundled profiles.
    pub fn shipped() -> Self {
        Profiles::load(&bundled()).0
    }

    /// The profile of the controller at a port. Of several, the one that matches more of the name.
    pub fn of_port(&self, port: &str) -> Option<&Arc<Profile>> {
        let port = port.to_lowercase();
        let known = self.known.iter().filter_map(|(_, profile)| Some((profile.knows(&port)?, profile)));
        known.max_by_key(|(letters, _)| *letters).map(|(_, profile)| profile)
    }

    /// All profiles, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Profile>> {
        self.known.iter().map(|(_, profile)| profile)
    }
}

fn bundled() -> Vec<PathBuf> {
    crate::file::list(Path::new(BUNDLED)).unwrap_or_default()
}

/// The file format.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    ports: Vec<String>,
    #[serde(default)]
    except: Vec<String>,
    #[serde(default)]
    hello: Vec<String>,
    #[serde(default)]
    goodbye: Vec<String>,
    controls: Vec<Group>,
}

/// Controls of one kind: one per channel and number.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    name: String,
    /// `cc`, `note`, `bend`, ...
    sends: String,
    /// 1 to 16; any if omitted.
    channels: Option<Numbers>,
    numbers: Option<Numbers>,
    /// Their targets, in order; an empty string for none.
    #[serde(default)]
    plays: Vec<MidiOptions>,
    takeover: Option<Takeover>,
    relative: Option<Relative>,
    light: Option<FileLight>,
    touch: Option<Sends>,
}

/// Messages, one per channel and number; omitted fields are taken from the group.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sends {
    sends: Option<String>,
    channels: Option<Numbers>,
    numbers: Option<Numbers>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileLight {
    sends: Option<String>,
    channels: Option<Numbers>,
    numbers: Option<Numbers>,
    levels: Option<Vec<u8>>,
    #[serde(default)]
    off: u16,
    /// Whether it is a motor fader. Pitch bend is one by default.
    motor: Option<bool>,
}

/// `7`, `[7, 9]` or `"0-7"`.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Numbers {
    One(u16),
    List(Vec<u16>),
    Range(String),
}

impl Numbers {
    fn list(&self) -> Result<Vec<u16>, String> {
        match self {
            Numbers::One(n) => Ok(vec![*n]),
            Numbers::List(list) => Ok(list.clone()),
            Numbers::Range(text) => {
                let ends =
                    text.split_once('-').and_then(|(a, b)| Some((a.trim().parse().ok()?, b.trim().parse().ok()?)));
                let (first, last): (u16, u16) =
                    ends.ok_or_else(|| format!("\"{text}\" is not a range such as \"0-7\""))?;
                Ok((first..=last).collect())
            }
        }
    }
}

impl Sends {
    /// The controls in order: all numbers of each channel. Omitted fields are taken from `default`.
    fn specs(&self, default: Option<&Sends>) -> Result<Vec<ControlSpec>, String> {
        let kind = self.sends.as_deref().or(default.and_then(|d| d.sends.as_deref()));
        let kind = kind.ok_or("a control must say what it sends: sends = \"cc\"")?;
        let list = |own: &Option<Numbers>, default: Option<&Option<Numbers>>| -> Result<Vec<Option<u16>>, String> {
            match own.as_ref().or(default.and_then(Option::as_ref)) {
                Some(numbers) => Ok(numbers.list()?.into_iter().map(Some).collect()),
                None => Ok(vec![None]),
            }
        };
        let channels = list(&self.channels, default.map(|d| &d.channels))?;
        let numbers = list(&self.numbers, default.map(|d| &d.numbers))?;
        let each = channels.iter().flat_map(|&channel| numbers.iter().map(move |&number| (channel, number)));
        each.map(|(channel, number)| {
            let channel = channel.map_or_else(String::new, |channel| format!("ch {channel} "));
            let number = number.map_or_else(String::new, |number| format!(" {number}"));
            parse_control(&format!("{channel}{kind}{number}")).map_err(|error| error.to_string())
        })
        .collect()
    }
}

impl Profile {
    /// Parses and checks a profile.
    ///
    /// # Errors
    /// With what is wrong, and in which control.
    pub fn parse(name: &str, text: &str) -> Result<Self, ProfileError> {
        let wrong = |reason: String| ProfileError::Wrong { name: name.to_owned(), reason };
        let file: File = toml::from_str(text).map_err(|error| wrong(error.to_string().trim_end().to_owned()))?;
        if file.ports.iter().all(|port| port.trim().is_empty()) {
            return Err(wrong("it names no ports".to_owned()));
        }
        let mut controls: Vec<ProfileControl> = Vec::new();
        for group in &file.controls {
            for control in group.read().map_err(|reason| wrong(format!("{}: {reason}", group.name)))? {
                if let Some(other) = controls.iter().find(|other| other.sends == control.sends) {
                    return Err(wrong(format!("{} and {} both send {}", other.name, control.name, control.sends)));
                }
                controls.push(control);
            }
        }
        let lower = |names: Vec<String>| names.into_iter().map(|name| name.to_lowercase()).collect();
        let hex =
            |lines: Vec<String>| lines.iter().map(|line| bytes(line)).collect::<Result<Vec<_>, _>>().map_err(wrong);
        Ok(Profile {
            name: file.name,
            ports: lower(file.ports),
            except: lower(file.except),
            hello: hex(file.hello)?,
            goodbye: hex(file.goodbye)?,
            controls,
        })
    }

    /// How many characters of a port's name, in lower case, match; `None` if it is a different controller. The second and
    /// further ports of a controller are others, unless `ports` names one of them.
    fn knows(&self, port: &str) -> Option<usize> {
        if self.except.iter().any(|other| port.contains(other)) {
            return None;
        }
        let names = |known: &&String| {
            !known.is_empty() && port.contains(*known) && (is_secondary(known) || !is_secondary(port))
        };
        self.ports.iter().filter(names).map(String::len).max()
    }

    /// Its entries of the map.
    pub fn entries(&self) -> Vec<MidiEntry> {
        self.controls.iter().filter_map(|control| control.plays.clone()).collect()
    }

    /// The control that sends this.
    pub fn control(&self, sends: &ControlSpec) -> Option<&ProfileControl> {
        self.controls.iter().find(|control| sends.covers(&control.sends) || control.sends.covers(sends))
    }

    /// Its motor faders.
    pub(super) fn motors(&self) -> impl Iterator<Item = Motor> {
        let moved = self.controls.iter().filter(|control| control.light.as_ref().is_some_and(|light| light.motor));
        moved.map(|control| Motor::new(control.sends, control.touch))
    }

    /// Whether it has any lights or motors.
    pub fn has_lights(&self) -> bool {
        !self.hello.is_empty() || self.controls.iter().any(|control| control.light.is_some())
    }
}

impl Group {
    fn read(&self) -> Result<Vec<ProfileControl>, String> {
        let own =
            Sends { sends: Some(self.sends.clone()), channels: self.channels.clone(), numbers: self.numbers.clone() };
        let sends = own.specs(None)?;
        let count = sends.len();
        if self.plays.len() > count {
            return Err(format!("{count} controls cannot play {} parameters", self.plays.len()));
        }
        let of_each = |what: &str, specs: Vec<ControlSpec>| {
            let found = specs.len();
            if found == count { Ok(specs) } else { Err(format!("{count} controls, but {found} {what}")) }
        };
        let touches = match &self.touch {
            Some(touch) => Some(of_each("of touch", touch.specs(Some(&own))?)?),
            None => None,
        };
        let lights = match &self.light {
            Some(light) => Some(of_each("lights", light.specs(&own)?)?),
            None => None,
        };
        let mut controls = Vec::new();
        for (i, &spec) in sends.iter().enumerate() {
            controls.push(ProfileControl {
                name: if count == 1 { self.name.clone() } else { format!("{} {}", self.name, i + 1) },
                sends: spec,
                plays: self.entry(i, spec).map_err(|error| error.to_string())?,
                takeover: self.takeover,
                relative: self.relative,
                light: match (&self.light, &lights) {
                    (Some(light), Some(specs)) => Some(light.of(specs[i])?),
                    _ => None,
                },
                touch: touches.as_ref().map(|specs| specs[i]),
            });
        }
        Ok(controls)
    }

    fn entry(&self, i: usize, spec: ControlSpec) -> Result<Option<MidiEntry>, MappingError> {
        let Some(options) = self.plays.get(i).filter(|options| !options.to.is_empty()) else { return Ok(None) };
        let mut options = options.clone();
        options.takeover = options.takeover.or(self.takeover);
        options.relative = options.relative.or(self.relative);
        MidiEntry::new(&spec.to_string(), &options, Table::built_in()).map(Some)
    }
}

impl FileLight {
    fn specs(&self, control: &Sends) -> Result<Vec<ControlSpec>, String> {
        let own = Sends { sends: self.sends.clone(), channels: self.channels.clone(), numbers: self.numbers.clone() };
        let mut specs = own.specs(Some(control))?;
        specs.iter_mut().for_each(|spec| spec.channel = spec.channel.or(Some(0)));
        Ok(specs)
    }

    fn of(&self, sends: ControlSpec) -> Result<Light, String> {
        if !matches!(sends.control, Control::Note(_) | Control::Cc(_) | Control::Bend) {
            return Err(format!("a light is set by a note, cc or bend, not by {sends}"));
        }
        let levels = self.levels.clone();
        if levels.as_ref().is_some_and(|levels| levels.is_empty() || levels.iter().any(|&level| level > 127)) {
            return Err("levels are one or more numbers from 0 to 127".to_owned());
        }
        let motor = self.motor.unwrap_or(sends.control == Control::Bend && levels.is_none());
        Ok(Light { sends, levels, dark: self.off.min(127), motor })
    }
}

/// One MIDI message in hexadecimal.
fn bytes(line: &str) -> Result<Vec<u8>, String> {
    let bytes: Option<Vec<u8>> = line.split_whitespace().map(|word| u8::from_str_radix(word, 16).ok()).collect();
    let wrong = || format!("\"{line}\" is not a MIDI message in hexadecimal, such as \"F0 7E 7F 06 01 F7\"");
    bytes.filter(|bytes| is_message(bytes)).ok_or_else(wrong)
}

fn is_message(bytes: &[u8]) -> bool {
    let data = |bytes: &[u8]| bytes.iter().all(|&byte| byte < 0x80);
    match bytes {
        [0xf0, inner @ .., 0xf7] => data(inner),
        [0xc0..=0xdf, inner] => *inner < 0x80,
        [0x80..=0xbf | 0xe0..=0xef, inner @ ..] => inner.len() == 2 && data(inner),
        _ => false,
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn every_bundled_profile_is_valid() {
        let (profiles, problems) = Profiles::load(&bundled());
        assert!(problems.is_empty(), "{problems:?}");
        assert!(profiles.known.len() >= 12, "{}", profiles.known.len());
        for (name, profile) in &profiles.known {
            let entries = profile.entries();
            assert!(entries.len() >= 8, "{name} plays {} parameters", entries.len());
            let names: std::collections::HashSet<_> = profile.controls.iter().map(|control| &control.name).collect();
            assert_eq!(names.len(), profile.controls.len(), "{name}: a name twice");
            for control in &profile.controls {
                assert!(control.name.len() <= 24, "{name}: {} is too long for the HUD", control.name);
                let Some(light) = &control.light else { continue };
                for travel in [-1.0, 0.0, 0.5, 1.0, 2.0] {
                    let bytes = light.bytes(light.at(travel));
                    assert!(is_message(&bytes), "{name}: {} is lit by {bytes:x?}", control.name);
                }
            }
            for port in &profile.ports {
                let known = Profiles::shipped().of_port(&format!("{}:{} MIDI 1", port.to_uppercase(), port)).cloned();
                assert_eq!(known.as_deref().map(|known| &known.name), Some(&profile.name), "{port}");
            }
        }
    }

    #[test]
    fn controllers_are_known_by_their_ports() {
        let profiles = Profiles::shipped();
        for (port, expected) in [
            ("nanoKONTROL2:nanoKONTROL2 nanoKONTROL2 _ CTRL", Some("nanoKONTROL2")),
            ("X-TOUCH MINI:X-TOUCH MINI MIDI 1", Some("X-Touch Mini")),
            ("X-Touch:X-Touch MIDI 1", Some("Mackie Control")),
            ("APC mini mk2:APC mini mk2 Control", Some("APC mini mk2")),
            ("APC mini mk2:APC mini mk2 Notes", None),
            ("APC MINI:APC MINI MIDI 1", Some("APC mini")),
            ("Midi Through:Midi Through Port-0", None),
            ("Midi Fighter Twister", Some("MIDI Fighter Twister")),
            // One port of a controller, under Linux, macOS and Windows.
            ("Launch Control XL:Launch Control XL Launch Contro", Some("Launch Control XL")),
            ("Launch Control XL:Launch Control XL MIDI 1", Some("Launch Control XL")),
            ("Launch Control XL:Launch Control XL MIDI 2", None),
            ("Launch Control XL:Launch Control XL HUI", None),
            ("Launch Control XL HUI", None),
            ("Launch Control XL", Some("Launch Control XL")),
            ("MIDIIN2 (Launch Control XL)", None),
            ("MIDIOUT2 (Launch Control XL)", None),
            ("a2j:Launch Control XL [24] (capture): Launch Control XL HUI", None),
            ("APC mini mk2", Some("APC mini mk2")),
            ("MIDIIN2 (APC mini mk2)", None),
            ("X-Touch:X-Touch X-TOUCH_INT", Some("Mackie Control")),
            ("X-Touch:X-Touch X-TOUCH_EXT", None),
            ("X-Touch EXT", None),
            ("X-Touch-Ext:X-Touch-Ext MIDI 1", Some("Mackie Control")),
            ("MCU Pro USB v3.1 Port 1", Some("Mackie Control")),
            ("MCU Pro USB v3.1 Port 2", None),
            ("nanoKONTROL2 SLIDER/KNOB", Some("nanoKONTROL2")),
        ] {
            assert_eq!(profiles.of_port(port).map(|profile| profile.name.as_str()), expected, "{port}");
        }
    }

    #[test]
    fn a_broken_profile_is_reported_and_the_bundled_one_stays() {
        let folder = std::env::temp_dir().join(format!("latent-jockey-profiles-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let control = "[[controls]]\nname = 'k'\nsends = 'cc'\nnumbers = ";
        for (file, text) in [
            ("nanokontrol2.toml", "name = 3".to_owned()),
            ("midimix.toml", format!("name = 'Mine'\nports = ['MIDI Mix']\n{control}[1, 2]\nplays = ['', '/psi']")),
            ("twice.toml", format!("name = 'a'\nports = ['a']\n{control}[1, 1]")),
            ("many.toml", format!("name = 'a'\nports = ['a']\n{control}1\nplays = ['/psi', '/psi']")),
            ("lights.toml", format!("name = 'a'\nports = ['a']\n{control}1\nlight = {{ numbers = [1, 2] }}")),
            ("hex.toml", format!("name = 'a'\nports = ['a']\nhello = ['F0 1']\n{control}1")),
            ("unknown.toml", format!("name = 'a'\nports = ['a']\n{control}1\nplays = ['/psy']")),
            ("key.toml", format!("name = 'a'\nports = ['a']\n{control}1\nlgiht = 1")),
        ] {
            std::fs::write(folder.join(file), text).unwrap();
        }
        let own = crate::file::list(&folder).unwrap();
        let (profiles, problems) = Profiles::load(&[own, bundled()].concat());
        let told: Vec<String> = problems.iter().map(|error| error.to_string().replace('\n', " ")).collect();
        let expected = ["hex", "key", "lights", "many", "nanokontrol2", "twice", "unknown"];
        assert_eq!(told.len(), expected.len(), "{told:#?}");
        for (told, (name, reason)) in told.iter().zip(expected.iter().zip([
            "not a MIDI message in hexadecimal",
            "lgiht",
            "1 controls, but 2 lights",
            "1 controls cannot play 2 parameters",
            "invalid type",
            "both send cc 1",
            "did you mean \"/psi\"?",
        ])) {
            assert!(told.contains(name) && told.contains(reason), "{name}: {told}");
        }
        let name = |port: &str| profiles.of_port(port).map(|profile| profile.name.clone());
        assert_eq!(name("nanoKONTROL2").as_deref(), Some("nanoKONTROL2"));
        assert_eq!(name("MIDI Mix").as_deref(), Some("Mine"));
        let mine = profiles.of_port("MIDI Mix").unwrap();
        assert_eq!(mine.entries().len(), 1);
        assert_eq!(mine.controls[1].name, "k 2");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
