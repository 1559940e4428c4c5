//! How ports are told apart: by name, by number among ports of one name, and by what the player allows.

/// The name under which the instrument appears among other MIDI programs.
pub(super) const CLIENT: &str = "Latent Jockey";

/// Which ports are opened: all, unless the player says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortRule {
    /// In lower case; empty allows all.
    only: Vec<String>,
    except: Vec<String>,
}

impl PortRule {
    /// Ports whose names hold one of `only` (any, when that is empty) and none of `except`, in any case of letters.
    pub fn new(only: &[String], except: &[String]) -> Self {
        let lower = |names: &[String]| names.iter().map(|name| name.to_lowercase()).collect();
        PortRule { only: lower(only), except: lower(except) }
    }

    /// Whether the port of this name is to be opened. The instrument's own ports never are: what it sends would
    /// come back.
    pub fn allows(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        let holds = |part: &String| name.contains(part);
        !name.starts_with(&CLIENT.to_lowercase())
            && (self.only.is_empty() || self.only.iter().any(holds))
            && !self.except.iter().any(holds)
    }
}

/// A port as it is known when it comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub name: String,
    /// 0 for the first of this name.
    pub number: usize,
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.number {
            0 => f.write_str(&self.name),
            n => write!(f, "{} ({})", self.name, n + 1),
        }
    }
}

/// Names of ports as the system lists them, made into identities, with whatever belongs to each.
pub(super) fn identify<P>(listed: impl Iterator<Item = (String, P)>) -> Vec<(Identity, P)> {
    let mut identified: Vec<(Identity, P)> = Vec::new();
    for (name, port) in listed {
        let name = without_address(&name).to_owned();
        let number = identified.iter().filter(|(id, _)| id.name == name).count();
        identified.push((Identity { name, number }, port));
    }
    identified
}

/// ALSA's port names end in numbers such as ` 20:0`, which change from plug to plug.
fn without_address(name: &str) -> &str {
    let is_number = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    match name.rsplit_once(' ') {
        Some((stem, tail)) if tail.split_once(':').is_some_and(|(a, b)| is_number(a) && is_number(b)) => stem,
        _ => name,
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn names_lose_their_address() {
        for (name, expected) in [
            ("nanoKONTROL2:nanoKONTROL2 MIDI 1 20:0", "nanoKONTROL2:nanoKONTROL2 MIDI 1"),
            ("system:midi_capture_1", "system:midi_capture_1"),
            ("Two words", "Two words"),
            ("a b:1", "a b:1"),
        ] {
            assert_eq!(without_address(name), expected);
        }
    }

    #[test]
    fn ports_are_opened_as_the_player_says() {
        let rule = |only: &[&str], except: &[&str]| {
            let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
            PortRule::new(&owned(only), &owned(except))
        };
        for (only, except, name, expected) in [
            (&[][..], &[][..], "nanoKONTROL2", true),
            (&[], &[], "Latent Jockey:in", false),
            (&["NANO", "apc"], &[], "nanoKONTROL2", true),
            (&["apc"], &[], "nanoKONTROL2", false),
            (&[], &["through"], "Midi Through:Port-0", false),
            (&["midi"], &["through"], "Midi Through:Port-0", false),
        ] {
            assert_eq!(rule(only, except).allows(name), expected, "{name} only {only:?} except {except:?}");
        }
    }
}
