//! The rows of the table: addresses, kinds, ranges, and what is said of each.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::Value;

/// What a parameter holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// A number from `min` to `max`; writes outside are clamped.
    Float {
        min: f64,
        max: f64,
        default: f64,
    },
    /// A whole number from `min` to `max`; writes are rounded and clamped.
    Int {
        min: i64,
        max: i64,
        default: i64,
    },
    Bool {
        default: bool,
    },
    /// One word of `options`; a number picks by position.
    Choice {
        options: &'static [&'static str],
        default: usize,
    },
    Text {
        default: &'static str,
    },
    /// Fires once for each write that is not 0, false or "off".
    Trigger,
    /// A whole vector of floats, at most `max_len` long.
    Vector {
        max_len: usize,
    },
}

/// How a knob's 0..1 travel is laid over the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    Linear,
    /// Fine near the low end: value = min + (max − min)·t².
    Square,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Def {
    /// OSC address. A family of numbered parameters ends in `/<n>`.
    pub address: &'static str,
    pub kind: Kind,
    pub unit: &'static str,
    pub curve: Curve,
    /// Time constant of the smoothing in seconds; 0 follows at once.
    pub smoothing_secs: f64,
    /// For families `/z/<n>`: how many there are (n = 0..count). 1 otherwise.
    pub count: usize,
    /// Which of the eight knobs of the default MIDI map (1 to 8) plays it.
    pub knob: Option<u8>,
    pub help: &'static str,
}

const fn def(address: &'static str, kind: Kind) -> Def {
    Def { address, kind, unit: "", curve: Curve::Linear, smoothing_secs: 0.0, count: 1, knob: None, help: "" }
}
const fn float(address: &'static str, min: f64, max: f64, default: f64) -> Def {
    def(address, Kind::Float { min, max, default })
}
const fn int(address: &'static str, min: i64, max: i64, default: i64) -> Def {
    def(address, Kind::Int { min, max, default })
}
const fn boolean(address: &'static str, default: bool) -> Def {
    def(address, Kind::Bool { default })
}
const fn choice(address: &'static str, options: &'static [&'static str], default: usize) -> Def {
    def(address, Kind::Choice { options, default })
}
const fn text(address: &'static str, default: &'static str) -> Def {
    def(address, Kind::Text { default })
}
const fn trigger(address: &'static str) -> Def {
    def(address, Kind::Trigger)
}
const fn vector(address: &'static str, max_len: usize) -> Def {
    def(address, Kind::Vector { max_len })
}

impl Def {
    const fn unit(mut self, unit: &'static str) -> Self {
        self.unit = unit;
        self
    }
    const fn square(mut self) -> Self {
        self.curve = Curve::Square;
        self
    }
    const fn smooth(mut self, secs: f64) -> Self {
        self.smoothing_secs = secs;
        self
    }
    const fn family(mut self, count: usize) -> Self {
        self.count = count;
        self
    }
    const fn knob(mut self, n: u8) -> Self {
        self.knob = Some(n);
        self
    }
    const fn help(mut self, help: &'static str) -> Self {
        self.help = help;
        self
    }
}

/// Largest z or w dimension that `/z/<n>` and `/w/<n>` reach.
pub const MAX_DIM: usize = 1024;
/// How many styles `/style/mix/<n>` reaches.
pub const STYLE_KNOBS: usize = 32;

macro_rules! parameters {
    ($($name:ident = $def:expr;)*) => {
        /// Names a row of [`TABLE`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum Id { $($name),* }
        /// Every parameter, in the order in which it is printed.
        pub static TABLE: &[Def] = &[$($def),*];
        const IDS: &[Id] = &[$(Id::$name),*];
    };
}

parameters! {
    Network = text("/network", "").help("load a network: a name in presets/networks or a path");
    NetworkFade = float("/network/fade", 0.0, 60.0, 0.0).unit("s").help("how long one network fades into the next, both moving on; 0 cuts");
    Preset = text("/preset", "").help("load a preset: a name in presets, a path, or its number in the list");
    PresetNext = trigger("/preset/next").help("the next preset");
    PresetPrev = trigger("/preset/prev").help("the preset before");
    PresetSave = text("/preset/save", "").help("save what plays: into the playing preset, or with a name as a new one made from it");
    Quantize = float("/quantize", 0.0, 64.0, 0.0).unit("beats").help("presets, seeds and networks wait for the next multiple of so many beats; 0 changes at once");
    Seed = int("/seed", 0, 4_294_967_295, 0).help("where the walk starts: numpy's legacy generator, as in every StyleGAN tool");
    SeedNext = trigger("/seed/next").help("go on to the next seed");
    SeedPrev = trigger("/seed/prev").help("go back to the seed before");
    Psi = float("/psi", -1.0, 2.0, 0.7).smooth(0.08).knob(1).help("truncation psi: 0 is the average picture, 1 the whole variety");
    PsiCutoff = int("/psi/cutoff", 0, 64, 64).help("truncate only the first so many layers");
    Class = float("/class", 0.0, 9999.0, 0.0).smooth(0.15).help("class of a conditional network; between two whole numbers it blends");
    WalkKind = choice("/walk/kind", &["hold", "drift", "loop", "line"], 1).help("how z moves when nobody touches it: hold still, drift at random, a closed loop, lines from seed to seed");
    WalkSpeed = float("/walk/speed", -4.0, 4.0, 0.25).smooth(0.1).knob(2).help("speed of the walk: 1 is a new picture about every second, negative goes back, 0 stands still");
    WalkRadius = float("/walk/radius", 0.0, 2.0, 1.0).smooth(0.15).knob(3).help("how far drift and loop stray from the seed");
    WalkSync = choice("/walk/sync", &["seconds", "beats"], 0).help("what the speed counts by");
    WalkEase = choice("/walk/ease", &["linear", "smooth", "hold"], 1).help("easing along a line: even, soft at both ends, or resting on each seed");
    WalkGlide = float("/walk/glide", 0.0, 20.0, 1.5).unit("s").help("how long a change of seed or kind of walk takes; 0 cuts");
    WalkRestart = trigger("/walk/restart").help("put the walk back to its start");
    Z = float("/z/<n>", -4.0, 4.0, 0.0).family(MAX_DIM).smooth(0.05).help("offset on one dimension of z");
    ZVector = vector("/z", MAX_DIM).help("the offsets of all dimensions at once: a list of floats or a blob of 32-bit floats");
    W = float("/w/<n>", -4.0, 4.0, 0.0).family(MAX_DIM).smooth(0.05).help("offset on one dimension of w, before truncation");
    NoiseMode = choice("/noise/mode", &["const", "random", "none"], 0).help("per-layer noise: the network's own, new in every picture, or none");
    NoiseGain = float("/noise/gain", 0.0, 4.0, 1.0).square().smooth(0.05).knob(4).help("strength of the noise");
    NoiseSeed = int("/noise/seed", 0, 4_294_967_295, 0).help("where random noise starts");
    TransformX = float("/transform/x", -1.0, 1.0, 0.0).unit("pictures").smooth(0.05).help("StyleGAN3: move the content to the right");
    TransformY = float("/transform/y", -1.0, 1.0, 0.0).unit("pictures").smooth(0.05).help("StyleGAN3: move the content down");
    TransformRotate = float("/transform/rotate", -1.0, 1.0, 0.0).unit("turns").smooth(0.05).help("StyleGAN3: turn the content; exact in configuration R");
    TransformScale = float("/transform/scale", 0.25, 4.0, 1.0).smooth(0.05).help("StyleGAN3: enlarge the content");
    Input = text("/input", "").help("play a picture, or a folder of them (PNG, JPEG): a name in presets/pictures or a path; empty plays the network alone");
    InputAmount = float("/input/amount", 0.0, 1.0, 1.0).smooth(0.15).help("how much of the input is mixed with the network's picture: 0 is the network alone, 1 the input alone");
    InputFit = choice("/input/fit", &["contain", "cover", "mirror"], 1).help("how the input fills the square of the network's picture: whole with black sides, cropped, or whole with mirrored sides");
    InputNext = trigger("/input/next").help("the next picture of the folder; a single one is read again");
    InputPrev = trigger("/input/prev").help("the picture before");
    InputEvery = float("/input/every", 0.0, 600.0, 0.0).square().help("go on to the next picture of the folder after so many; 0 stays");
    InputSync = choice("/input/sync", &["seconds", "beats"], 0).help("what /input/every counts by");
    InputFade = float("/input/fade", 0.0, 20.0, 1.0).unit("s").help("how long one picture fades into the next; 0 cuts");
    StyleNetwork = text("/style/network", "").help("paint with a style network: a name in presets/networks or a path; empty paints nothing");
    StyleA = int("/style/a", 0, 255, 0).help("the first style of the network, counted from 0; beyond the last it starts again");
    StyleB = int("/style/b", 0, 255, 0).help("the second style, to blend with the first");
    StyleBlend = float("/style/blend", 0.0, 1.0, 0.0).smooth(0.15).help("between the styles: 0 is a, 1 is b");
    StyleMix = float("/style/mix/<n>", 0.0, 1.0, 0.0).family(STYLE_KNOBS).smooth(0.15).help("share of one style, added to a and b; the shares are brought to a sum of 1");
    StyleAmount = float("/style/amount", 0.0, 1.0, 1.0).smooth(0.08).knob(5).help("how much of the painting is seen over the picture");
    StylePasses = int("/style/passes", 0, 8, 1).help("how often the network paints over its own output in each picture; 0 is feedback alone");
    StyleFeedback = float("/style/feedback", 0.0, 1.0, 0.4).smooth(0.08).knob(6).help("share of the last painting in what is painted next; 1 leaves the picture and travels on alone");
    StyleSize = choice("/style/size", &["128", "192", "256", "384", "512"], 2).unit("px").help("shorter side of the painting; the picture is resized to it first");
    StyleEvery = int("/style/every", 1, 16, 1).help("paint only each n-th picture and fade between the paintings");
    StyleKeep = float("/style/keep", 0.0, 1.0, 0.0).smooth(0.08).help("how much of the picture's own colour, or light, stays in the painting");
    StyleKeepWhat = choice("/style/keep/what", &["colour", "light"], 0).help("what /style/keep keeps");
    FeedbackZoom = float("/feedback/zoom", 0.5, 1.5, 1.12).unit("a second").smooth(0.15).knob(7).help("how the last painting grows as it comes back: above 1 flies in, below 1 out, 1 stands");
    FeedbackRotate = float("/feedback/rotate", -180.0, 180.0, 0.0).unit("degrees a second").smooth(0.15).knob(8).help("how the last painting turns as it comes back, clockwise");
    FeedbackX = float("/feedback/x", -1.0, 1.0, 0.0).unit("widths a second").smooth(0.15).help("how the last painting slides to the right as it comes back");
    FeedbackY = float("/feedback/y", -1.0, 1.0, 0.0).unit("heights a second").smooth(0.15).help("how the last painting slides down as it comes back");
    Tempo = float("/tempo", 20.0, 400.0, 120.0).unit("bpm").help("beats per minute");
    Tap = trigger("/tap").help("tap the tempo");
    Learn = text("/learn", "").help("the next control that is moved plays this address; without one, the parameter that moved last");
    LearnCancel = trigger("/learn/cancel").help("learn nothing after all");
    LearnUndo = trigger("/learn/undo").help("take back what was learned last");
    Fit = choice("/fit", &["contain", "cover", "mirror"], 2).help("how the picture fills the window: whole with black sides, cropped, or whole with mirrored sides");
    Blackout = float("/blackout", 0.0, 1.0, 0.0).smooth(0.03).help("fade to black");
    Freeze = boolean("/freeze", false).help("hold the picture");
    Panic = trigger("/panic").help("back to the preset as it was loaded, all modulation off");
}

impl Id {
    pub fn def(self) -> &'static Def {
        &TABLE[self as usize]
    }
    pub fn all() -> impl Iterator<Item = Id> {
        IDS.iter().copied()
    }
}

/// One parameter, or one member of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    pub id: Id,
    /// The `<n>` of a family, else 0.
    pub index: u16,
}

impl From<Id> for Target {
    fn from(id: Id) -> Self {
        Target { id, index: 0 }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let address = self.id.def().address;
        match address.strip_suffix("<n>") {
            Some(stem) => write!(f, "{stem}{}", self.index),
            None => f.write_str(address),
        }
    }
}

/// The target of an address such as `/psi` or `/z/3`; a leading `/latent-jockey` is ignored.
/// `None` when the table has no such address. Does not allocate.
pub fn resolve(address: &str) -> Option<Target> {
    static BY_ADDRESS: OnceLock<HashMap<&'static str, Id>> = OnceLock::new();
    let table =
        BY_ADDRESS.get_or_init(|| IDS.iter().map(|&id| (id.def().address.trim_end_matches("<n>"), id)).collect());
    let address = address.strip_prefix("/latent-jockey").filter(|rest| rest.starts_with('/')).unwrap_or(address);
    if let Some(&id) = table.get(address).filter(|id| id.def().count == 1) {
        return Some(id.into());
    }
    let digits = address.rfind('/')? + 1;
    let id = *table.get(&address[..digits])?;
    let number = &address[digits..];
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let index: usize = number.parse().ok()?;
    (index < id.def().count).then_some(Target { id, index: index as u16 })
}

/// The address of the table most like `address`, for error messages.
pub fn nearest(address: &str) -> Option<&'static str> {
    nearest_of(address, TABLE.iter().map(|d| d.address))
}

/// The candidate most like `word`, if any is near enough to be a plausible slip.
pub fn nearest_of<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .map(|c| (strsim::damerau_levenshtein(word, c), c))
        .min_by_key(|&(distance, _)| distance)
        .filter(|&(distance, c)| distance <= (c.len().max(word.len()) / 2).max(2))
        .map(|(_, c)| c)
}

impl Def {
    /// Smallest and largest number; a switch is 0 to 1, a choice its positions.
    pub fn range(&self) -> (f64, f64) {
        match self.kind {
            Kind::Float { min, max, .. } => (min, max),
            Kind::Int { min, max, .. } => (min as f64, max as f64),
            Kind::Choice { options, .. } => (0.0, options.len() as f64 - 1.0),
            _ => (0.0, 1.0),
        }
    }

    /// The default of a number, switch or choice (its position).
    pub fn default_number(&self) -> Option<f64> {
        match self.kind {
            Kind::Float { default, .. } => Some(default),
            Kind::Int { default, .. } => Some(default as f64),
            Kind::Bool { default } => Some(f64::from(u8::from(default))),
            Kind::Choice { default, .. } => Some(default as f64),
            Kind::Text { .. } | Kind::Trigger | Kind::Vector { .. } => None,
        }
    }

    /// What a parameter that nobody sets holds; `None` for a trigger, which holds nothing.
    pub fn default_value(&self) -> Option<Value> {
        match self.kind {
            Kind::Text { default } => Some(Value::Text(default.to_owned())),
            Kind::Vector { .. } => Some(Value::Nothing),
            _ => self.default_number().map(Value::Float),
        }
    }

    /// The value at `travel` 0..1 of a knob.
    pub fn from_travel(&self, travel: f64) -> f64 {
        let (min, max) = self.range();
        let t = travel.clamp(0.0, 1.0);
        let t = if self.curve == Curve::Square { t * t } else { t };
        min + (max - min) * t
    }

    /// The knob position 0..1 of a value; the inverse of [`Def::from_travel`].
    pub fn to_travel(&self, value: f64) -> f64 {
        let (min, max) = self.range();
        let t = ((value - min) / (max - min)).clamp(0.0, 1.0);
        if self.curve == Curve::Square { t.sqrt() } else { t }
    }

    /// In words what may be written.
    pub fn expects(&self) -> String {
        match self.kind {
            Kind::Float { min, max, .. } => format!("a number from {min} to {max}"),
            Kind::Int { min, max, .. } => format!("a whole number from {min} to {max}"),
            Kind::Bool { .. } => "on or off".to_owned(),
            Kind::Choice { options, .. } => format!("one of {}", options.join(", ")),
            Kind::Text { .. } => "a name".to_owned(),
            Kind::Trigger => "nothing, or 1".to_owned(),
            Kind::Vector { max_len } => format!("a list of at most {max_len} numbers"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_resolve_to_themselves() {
        for id in Id::all() {
            for index in [0, id.def().count as u16 - 1] {
                let target = Target { id, index };
                assert_eq!(resolve(&target.to_string()), Some(target));
                assert_eq!(resolve(&format!("/latent-jockey{target}")), Some(target));
            }
        }
        for wrong in
            ["", "/", "/z/", "/z/1024", "/z/-1", "/z/+1", "/z/1/2", "/z/<n>", "/nothing", "psi", "/latent-jockey"]
        {
            assert_eq!(resolve(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn every_row_has_help_and_a_default_in_range() {
        let mut addresses: Vec<_> = TABLE.iter().map(|d| d.address).collect();
        addresses.sort_unstable();
        assert!(addresses.windows(2).all(|w| w[0] != w[1]), "an address twice");
        for def in TABLE {
            assert!(!def.help.is_empty(), "{}", def.address);
            let (min, max) = def.range();
            assert!(def.default_number().is_none_or(|d| min <= d && d <= max), "{}", def.address);
            assert_eq!(def.address.ends_with("<n>"), def.count > 1);
        }
    }

    #[test]
    fn travel_goes_there_and_back() {
        for def in TABLE.iter().filter(|d| d.default_number().is_some()) {
            for t in [0.0, 0.25, 1.0] {
                assert!((def.to_travel(def.from_travel(t)) - t).abs() < 1e-9, "{}", def.address);
            }
        }
    }
}
