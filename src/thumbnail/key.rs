//! What a thumbnail shows. Pure.

use std::path::PathBuf;

/// Longest name, in bytes.
const LONGEST: usize = 1000;

/// What a thumbnail shows. Names are looked up as the show does; one with a slash is a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// A preset, by its name or file: what the audience sees some seconds after it has begun.
    Preset(String),
    /// A style of a style network, from 0, over a sample picture.
    Style { network: String, style: usize },
    /// A network, by its name or file: a good picture of it.
    Network(String),
    /// The picture of a seed at psi 0.7.
    Seed { network: String, seed: u32 },
    /// The picture of a key of a track, from 0; the track by its file.
    Track { network: String, file: PathBuf, number: usize },
}

impl Key {
    /// Of what comes from other programs: `preset/NAME`, `network/NAME`, `style/NETWORK/N`, `seed/NETWORK/N`, decoded. Names
    /// only: `None` for paths, and for whatever else is not of this form.
    pub fn from_address(address: &str) -> Option<Key> {
        let mut parts = address.split('/');
        let (kind, name) = (parts.next()?, parts.next()?);
        let number = parts.next();
        if parts.next().is_some() || name.is_empty() || is_path(name) {
            return None;
        }
        let name = name.to_owned();
        // Not `+1`.
        let key = match (kind, number) {
            ("preset", None) => Key::Preset(name),
            ("network", None) => Key::Network(name),
            ("style", Some(style)) => Key::Style { network: name, style: whole(style)? as usize },
            ("seed", Some(seed)) => Key::Seed { network: name, seed: whole(seed)? },
            _ => return None,
        };
        key.is_sensible().then_some(key)
    }

    /// The preset's or network's.
    pub fn name(&self) -> &str {
        match self {
            Key::Preset(name) | Key::Network(name) => name,
            Key::Style { network, .. } | Key::Seed { network, .. } | Key::Track { network, .. } => network,
        }
    }

    /// Whether it may be anything at all.
    pub(super) fn is_sensible(&self) -> bool {
        !self.name().is_empty() && self.name().len() <= LONGEST && !self.name().contains('\0')
    }
}

/// A number in digits alone.
fn whole(text: &str) -> Option<u32> {
    text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether a name is a path, or one of what is built in.
pub(super) fn is_path(name: &str) -> bool {
    name.contains(['/', '\\'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_names_and_never_paths() {
        let network = || "painters8".to_owned();
        for (address, key) in [
            ("preset/1-vortex", Key::Preset("1-vortex".into())),
            ("preset/übung 3", Key::Preset("übung 3".into())),
            ("preset/..", Key::Preset("..".into())),
            ("network/painters8", Key::Network(network())),
            ("style/painters8/7", Key::Style { network: network(), style: 7 }),
            ("seed/painters8/4294967295", Key::Seed { network: network(), seed: u32::MAX }),
        ] {
            assert_eq!(Key::from_address(address), Some(key), "{address}");
        }
        for wrong in [
            "",
            "preset",
            "preset/",
            "preset//etc/passwd",
            "preset/../../secret",
            "preset/a\\b",
            "preset/C:\\secret.toml",
            "preset/a/",
            "preset/a/1",
            "preset/a/x",
            "network/built-in:/networks/painters8.safetensors",
            "network/a/b",
            "style/painters8",
            "style/painters8/x",
            "style/painters8/-1",
            "style/painters8/+1",
            "style/painters8/",
            "style/painters8/1/",
            "seed/painters8/4294967296",
            "seed/painters8/1.5",
            "other/a",
            "preset/a\0b",
        ] {
            assert_eq!(Key::from_address(wrong), None, "{wrong}");
        }
        assert_eq!(Key::from_address(&format!("preset/{}", "x".repeat(2000))), None);
    }
}
