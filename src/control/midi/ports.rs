//! Identifying ports: by name, by number among ports of the same name, and by what the player allows.

/// The name under which the instrument appears among other MIDI programs.
pub(super) const CLIENT: &str = "Latent Jockey";

/// Which ports to open: all, unless the player says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortRule {
    /// In lower case; empty allows all.
    only: Vec<String>,
    except: Vec<String>,
}

impl PortRule {
    /// Ports whose names contain one of `only` (any, if that is empty) and none of `except`, ignoring case.
    pub fn new(only: &[String], except: &[String]) -> Self {
        let lower = |names: &[String]| names.iter().map(|name| name.to_lowercase()).collect();
        PortRule { only: lower(only), except: lower(except) }
    }

    /// Whether to open the port of this name. Never true for the instrument's own ports, as that would make a loop.
    pub fn allows(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        let holds = |part: &String| name.contains(part);
        !name.starts_with(&CLIENT.to_lowercase())
            && (self.only.is_empty() || self.only.iter().any(holds))
            && !self.except.iter().any(holds)
    }
}

/// What identifies a port when it reappears.
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

/// A port as the system lists it.
pub(super) struct Listed<P> {
    pub name: String,
    /// The system's name for it, which may change when the device is plugged in again.
    pub system_id: String,
    pub port: P,
}

/// A recognised port.
#[derive(Debug)]
pub(super) struct Found<P> {
    pub identity: Identity,
    /// Its index in the register: its number in messages.
    pub place: u8,
    pub system_id: String,
    pub port: P,
}

/// Every port ever seen. A number is reserved while its port is gone: unplugging one of two equal controllers does not
/// change the other, and the first gets its old number when it comes back.
#[derive(Debug, Default)]
pub(super) struct Register {
    known: Vec<Known>,
    looks: u64,
}

#[derive(Debug)]
struct Known {
    identity: Identity,
    system_id: String,
    /// The last scan that found it.
    seen: u64,
}

impl Register {
    /// Identifies the ports that the system lists now. A port is the one with the same name and system id; failing that, the
    /// first missing one with its name; failing that, a new one.
    pub fn identify<P>(&mut self, listed: impl IntoIterator<Item = Listed<P>>) -> Vec<Found<P>> {
        self.looks += 1;
        let mut listed: Vec<Listed<P>> = listed.into_iter().collect();
        listed.iter_mut().for_each(|port| port.name = without_address(&port.name).to_owned());
        let mut places: Vec<Option<usize>> = listed
            .iter()
            .map(|port| self.claim(|known| known.identity.name == port.name && known.system_id == port.system_id))
            .collect();
        for (port, place) in listed.iter().zip(&mut places) {
            if place.is_none() {
                *place = self.claim(|known| known.identity.name == port.name).or_else(|| self.enter(&port.name));
            }
        }
        let found = listed.into_iter().zip(places).filter_map(|(port, place)| {
            let known = self.known.get_mut(place?)?;
            known.system_id.clone_from(&port.system_id);
            let (identity, place) = (known.identity.clone(), u8::try_from(place?).ok()?);
            Some(Found { identity, place, system_id: port.system_id, port: port.port })
        });
        found.collect()
    }

    /// The known port with the lowest number that fits and is not taken in this scan.
    fn claim(&mut self, fits: impl Fn(&Known) -> bool) -> Option<usize> {
        let free = self.known.iter().enumerate().filter(|(_, known)| known.seen < self.looks && fits(known));
        let place = free.min_by_key(|(_, known)| known.identity.number)?.0;
        self.known[place].seen = self.looks;
        Some(place)
    }

    /// An index for a new port: a new one, or that of the port that has been gone for longest. `None` if all are in use.
    fn enter(&mut self, name: &str) -> Option<usize> {
        let is_used = |number| self.known.iter().any(|k| k.identity.name == name && k.identity.number == number);
        let number = (0..=self.known.len()).find(|&number| !is_used(number))?;
        let identity = Identity { name: name.to_owned(), number };
        let known = Known { identity, system_id: String::new(), seen: self.looks };
        if self.known.len() <= usize::from(u8::MAX) {
            self.known.push(known);
            return Some(self.known.len() - 1);
        }
        let (place, oldest) = self.known.iter_mut().enumerate().min_by_key(|(_, known)| known.seen)?;
        (oldest.seen < self.looks).then(|| *oldest = known).map(|()| place)
    }
}

/// Pairs inputs and outputs: returns for each output the index of its input in the list. `fits` says whether output and
/// input can be the same controller at all. Of all that fit, those with the same system id belong together (ALSA), then
/// those with the same name and number, then those with a common prefix.
pub(super) fn pair<'a>(
    outputs: &[(&'a Identity, &'a str)],
    inputs: &[(&'a Identity, &'a str)],
    fits: impl Fn(usize, usize) -> bool,
) -> Vec<Option<usize>> {
    let alike = |a: &str, b: &str| a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let mut scores = Vec::new();
    for (o, &(output, output_id)) in outputs.iter().enumerate() {
        for (i, &(input, input_id)) in inputs.iter().enumerate().filter(|&(i, _)| fits(o, i)) {
            let likeness = alike(&output.name, &input.name);
            let score = (output_id == input_id, output == input, likeness, output.number == input.number);
            scores.push((std::cmp::Reverse(score), o, i));
        }
    }
    scores.sort_unstable();
    let mut pairs = vec![None; outputs.len()];
    for (_, output, input) in scores {
        if pairs[output].is_none() && !pairs.contains(&Some(input)) {
            pairs[output] = Some(input);
        }
    }
    pairs
}

/// Whether a port's name says that it is not the first of its device, in the naming of Windows (`MIDIIN2 (..)`), Linux
/// (`.. MIDI 2`) or manufacturers (`.. Port 2`).
pub(super) fn is_secondary(name: &str) -> bool {
    let name = name.to_lowercase();
    let is_further = |rest: &str| {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        rest[..digits].parse::<u8>().is_ok_and(|number| number > 1)
    };
    let first_of = |word: &str| name.strip_prefix(word).is_some_and(is_further);
    let last_of = |word: &str| {
        let number = name.rsplit_once(word).map(|(_, number)| number);
        number.is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit()) && is_further(number))
    };
    first_of("midiin") || first_of("midiout") || last_of(" midi ") || last_of(" port ")
}

/// ALSA's port names end in numbers such as ` 20:0`, which change when a device is plugged in again.
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

    /// Scans ports, each given as `name@system id`, and returns `name number:place` for each.
    fn look(register: &mut Register, ports: &[&str]) -> String {
        let listed = ports.iter().map(|port| {
            let (name, system_id) = port.split_once('@').unwrap();
            Listed { name: name.to_owned(), system_id: system_id.to_owned(), port: () }
        });
        let found = register.identify(listed);
        let shown = found.iter().map(|found| format!("{}:{}", found.identity, found.place));
        shown.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn equal_controllers_keep_their_numbers() {
        let mut register = Register::default();
        for (ports, expected) in [
            (&["nano 20:0@20:0", "nano 24:0@24:0", "apc 28:0@28:0"][..], "nano:0, nano (2):1, apc:2"),
            // The first is unplugged: the second is unchanged.
            (&["nano 24:0@24:0", "apc 28:0@28:0"], "nano (2):1, apc:2"),
            (&["nano 24:0@24:0", "nano 32:0@32:0"], "nano (2):1, nano:0"),
            // The whole hub is unplugged, and comes back with different numbers, or in reverse order.
            (&[], ""),
            (&["nano 40:0@40:0"], "nano:0"),
            (&["nano 40:0@40:0", "nano 44:0@44:0"], "nano:0, nano (2):1"),
            (&[], ""),
            (&["nano 44:0@44:0", "nano 40:0@40:0"], "nano (2):1, nano:0"),
            // A third one is plugged in between two scans.
            (&["nano 48:0@48:0", "nano 44:0@44:0", "nano 40:0@40:0"], "nano (3):3, nano (2):1, nano:0"),
        ] {
            assert_eq!(look(&mut register, ports), expected, "{ports:?}");
        }
    }

    #[test]
    fn places_do_not_run_out() {
        let mut register = Register::default();
        let (mut numbers, nano) = (Vec::new(), "nano@nano");
        for i in 0..1000 {
            let name = format!("program-{i}@{i}");
            numbers.push(look(&mut register, &[nano, &name]));
        }
        assert!(numbers.iter().all(|found| found.starts_with("nano:0, program-")), "{numbers:?}");
        assert_eq!(numbers[254..257], ["nano:0, program-254:255", "nano:0, program-255:1", "nano:0, program-256:2"]);
        let many: Vec<String> = (0..300).map(|i| format!("many-{i}@{i}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(look(&mut register, &many).split(", ").count(), 256);
    }

    #[test]
    fn inputs_and_outputs_of_a_controller_belong_together() {
        for (what, outputs, inputs, expected) in [
            ("one name", &["apc@1"][..], &["apc@2"][..], &[Some(0)][..]),
            ("ALSA", &["apc@20:0", "apc@24:0"], &["apc@24:0", "apc@20:0"], &[Some(1), Some(0)]),
            ("JACK", &["APC:in@a", "APC-01:in@b"], &["APC-01:out@c", "APC:out@d"], &[Some(1), Some(0)]),
            ("one is gone", &["APC-01:in@b"], &["APC:out@d", "APC-01:out@c"], &[Some(1)]),
            ("two kinds", &["Platform M@1", "X-Touch@2"], &["X-Touch@3", "Platform M@4"], &[Some(1), Some(0)]),
            ("no input", &["APC@1", "APC@2"], &["APC@3"], &[Some(0), None]),
            ("others", &["APC@1"], &["forbidden@1"], &[None]),
        ] {
            let read = |ports: &[&str]| {
                let mut register = Register::default();
                let listed = ports.iter().map(|port| {
                    let (name, system_id) = port.split_once('@').unwrap();
                    Listed { name: name.to_owned(), system_id: system_id.to_owned(), port: () }
                });
                register.identify(listed.collect::<Vec<_>>())
            };
            let (outputs, inputs) = (read(outputs), read(inputs));
            fn names(found: &[Found<()>]) -> Vec<(&Identity, &str)> {
                found.iter().map(|found| (&found.identity, found.system_id.as_str())).collect()
            }
            let fits = |_, input: usize| inputs[input].identity.name != "forbidden";
            assert_eq!(pair(&names(&outputs), &names(&inputs), fits), expected, "{what}");
        }
    }

    #[test]
    fn second_ports_are_known_by_their_names() {
        for (name, expected) in [
            ("MIDIIN2 (Launch Control XL)", true),
            ("MIDIOUT3 (X)", true),
            ("MIDIIN1 (X)", false),
            ("X:X MIDI 2", true),
            ("X:X MIDI 12", true),
            ("X:X MIDI 1", false),
            ("MCU Pro USB v3.1 Port 2", true),
            ("nanoKONTROL2", false),
            ("Midi Through:Midi Through Port-0", false),
            ("X MIDI 2 Y", false),
            ("midiin", false),
            ("MIDIIN99999999999 (X)", false),
        ] {
            assert_eq!(is_secondary(name), expected, "{name}");
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
