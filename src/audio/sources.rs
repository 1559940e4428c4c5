//! Sources of live sound: what can be recorded on this machine.

use std::fmt;

use cpal::traits::{DeviceTrait, HostTrait};
use cpal::{Device, HostId};

/// Something that can be recorded.
pub struct Source {
    pub device: Device,
    /// Identifies it between runs: `pulseaudio:club.monitor`.
    pub id: String,
    /// What the system calls it.
    pub name: String,
    /// Whether it is what this computer plays.
    pub is_monitor: bool,
    /// Whether the system takes it when nothing is chosen.
    pub is_default: bool,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name == self.id || self.name.is_empty() {
            write!(f, "{}", self.id)?;
        } else {
            write!(f, "{} ({})", self.name, self.id)?;
        }
        if self.is_monitor && !self.id.ends_with(".monitor") { write!(f, ", what this computer plays") } else { Ok(()) }
    }
}

/// Every source, what this computer plays first. Sound systems that do not run are left out.
pub fn sources() -> Vec<Source> {
    quietly();
    let mut found: Vec<Source> = hosts().into_iter().flat_map(of_host).collect();
    // A sound server owns the cards: its sources are these cards by better names.
    if found.iter().any(|source| !source.id.starts_with("alsa:")) {
        found.retain(|source| !source.id.starts_with("alsa:"));
    }
    found.sort_by_key(|source| !source.is_monitor);
    found
}

/// Keeps ALSA from writing to the terminal on behalf of this thread.
pub(super) fn quietly() {
    #[cfg(target_os = "linux")]
    if let Ok(output) = alsa::Output::local_error_handler() {
        drop(output);
    }
}

/// Sound systems, the most convenient first.
pub(super) fn hosts() -> Vec<HostId> {
    let mut hosts = cpal::available_hosts();
    let rank = |host: &HostId| ["pulseaudio", "jack"].iter().position(|name| host.to_string() == *name).unwrap_or(9);
    hosts.sort_by_key(rank);
    hosts
}

fn of_host(id: HostId) -> Vec<Source> {
    let Ok(host) = cpal::host_from_id(id) else { return Vec::new() };
    let default = host.default_input_device().and_then(|device| device.id().ok());
    let Ok(devices) = host.devices() else { return Vec::new() };
    devices
        .filter_map(|device| {
            let device_id = device.id().ok()?;
            let is_default = default.as_ref() == Some(&device_id);
            let id = device_id.to_string();
            let plays_only = !device.supports_input();
            // Windows and macOS record what a device plays from that device.
            let can_loop = cfg!(any(windows, target_os = "macos")) && device.supports_output();
            if is_nonsense(&id) || plays_only && !can_loop {
                return None;
            }
            let name = device.to_string();
            let is_monitor = plays_only || id.ends_with(".monitor") || name.starts_with("Monitor of ");
            Some(Source { device, id, name, is_monitor, is_default })
        })
        .collect()
}

/// Whether this is listed as an input but is none: ALSA's plug-ins, and JACK's playback.
fn is_nonsense(id: &str) -> bool {
    match id.split_once(':') {
        Some(("alsa", name)) => {
            !["default", "hw:", "plughw:", "pulse", "pipewire"].iter().any(|real| name.starts_with(real))
        }
        Some(("jack", name)) => name.contains("output"),
        _ => false,
    }
}

/// Which source a player wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// What the system takes when nothing is chosen.
    Default,
    /// Whose id or name contains this, whatever the case.
    Named(String),
}

impl Wanted {
    /// Picks one of `sources` (id, name, whether it is the default): an exact match before a part, and the default
    /// before others.
    fn pick<'a>(&self, sources: impl Iterator<Item = (&'a str, &'a str, bool)> + Clone) -> Option<usize> {
        match self {
            Wanted::Default => sources.clone().position(|(_, _, is_default)| is_default),
            Wanted::Named(wanted) => {
                let wanted = wanted.to_lowercase();
                let exact =
                    |(id, name, _): (&str, &str, bool)| id.to_lowercase() == wanted || name.to_lowercase() == wanted;
                let part = |(id, name, _): (&str, &str, bool)| {
                    id.to_lowercase().contains(&wanted) || name.to_lowercase().contains(&wanted)
                };
                sources.clone().position(exact).or_else(|| sources.clone().position(part))
            }
        }
    }

    /// Finds the source on this machine.
    ///
    /// # Errors
    /// One line: what was looked for, and what there is.
    pub fn find(&self) -> Result<Source, String> {
        let mut all = sources();
        match self.pick(all.iter().map(|source| (&*source.id, &*source.name, source.is_default))) {
            Some(at) => Ok(all.swap_remove(at)),
            None if all.is_empty() => Err("no sound input on this machine".to_owned()),
            None => {
                let known = all.iter().map(|source| source.id.as_str()).collect::<Vec<_>>().join(", ");
                Err(match self {
                    Wanted::Default => format!("no default sound input; there are {known}"),
                    Wanted::Named(name) => format!("no sound input called {name:?}; there are {known}"),
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_found_by_a_part_of_its_name() {
        let sources = [
            ("pulseaudio:club.monitor", "Monitor of Club", false),
            ("pulseaudio:usb", "Scarlett 2i2", true),
            ("pulseaudio:usb2", "Scarlett 2i2 second", false),
        ];
        let pick = |wanted: Wanted| wanted.pick(sources.iter().copied());
        let named = |name: &str| pick(Wanted::Named(name.to_owned()));
        assert_eq!(pick(Wanted::Default), Some(1));
        assert_eq!(named("scarlett"), Some(1));
        assert_eq!(named("Scarlett 2i2 second"), Some(2));
        assert_eq!(named("pulseaudio:usb"), Some(1), "an exact match comes first");
        assert_eq!(named("monitor"), Some(0));
        assert_eq!(named("nothing"), None);
        assert_eq!(Wanted::Default.pick([("a", "a", false)].into_iter()), None);
    }

    #[test]
    fn what_is_no_input_is_left_out() {
        let table = [
            ("alsa:null", true),
            ("alsa:speexrate", true),
            ("alsa:default", false),
            ("alsa:hw:CARD=0,DEV=0", false),
            ("jack:output", true),
            ("jack:input", false),
            ("pulseaudio:x.monitor", false),
        ];
        for (id, expected) in table {
            assert_eq!(is_nonsense(id), expected, "{id}");
        }
    }
}
