//! The table of parameters: every address that can be played, defined once.
//!
//! The OSC namespace, the MIDI targets, the presets, the HUD, `latent-jockey params` and the README's table
//! all read [`TABLE`]. [`Params`] holds the values of a running show. A parameter's *effective* value is its
//! base (what a knob, OSC or preset set, smoothed) plus its modulation, clamped to its range.
//!
//! Nothing here does I/O or reads a clock. Writes are coerced where the intent is clear and refused otherwise.

use std::collections::HashMap;
use std::sync::OnceLock;

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

/// What a writer sends. Coerced to the parameter's kind by [`Params::write`].
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Float(f64),
    Int(i64),
    Bool(bool),
    Text(String),
    List(Vec<f32>),
    /// No argument at all.
    Nothing,
    /// A knob's travel from 0 to 1, laid over the range by the parameter's curve.
    Travel(f64),
}

impl Value {
    fn as_number(&self) -> Option<f64> {
        let number = match self {
            Value::Float(x) => *x,
            Value::Int(i) => *i as f64,
            Value::Bool(b) => f64::from(u8::from(*b)),
            Value::Text(s) => s.trim().parse().ok()?,
            Value::List(v) => f64::from(*v.first()?),
            Value::Travel(t) => *t,
            Value::Nothing => return None,
        };
        number.is_finite().then_some(number)
    }

    /// As a switch; `None` for what is neither on nor off.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Text(s) => match s.trim().to_ascii_lowercase().as_str() {
                "true" | "on" | "yes" => Some(true),
                "false" | "off" | "no" => Some(false),
                other => other.parse::<f64>().ok().filter(|x| x.is_finite()).map(|x| x != 0.0),
            },
            Value::Travel(t) => Some(*t >= 0.5),
            other => other.as_number().map(|x| x != 0.0),
        }
    }
}

/// Numbers that came as 32-bit floats, or out of a sum of short ones, with as few digits as they were meant with: 0.8, not
/// 0.800000011920929 or 0.8000000000000002. All others stay as they are.
pub fn short(x: f64) -> f64 {
    let narrow = x as f32;
    if f64::from(narrow) == x { narrow.to_string().parse().unwrap_or(x) } else { without_residue(x) }
}

/// Six digits behind the point, where there are no others but for rounding.
fn without_residue(x: f64) -> f64 {
    let rounded = (x * 1e6).round() / 1e6;
    if (rounded - x).abs() <= 1e-12 * x.abs() { rounded } else { x }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            // As `short` has it, without a string in between: this is shown while playing.
            Value::Float(x) if f64::from(*x as f32) == *x => write!(f, "{}", *x as f32),
            Value::Float(x) => write!(f, "{}", without_residue(*x)),
            Value::Int(i) => write!(f, "{i}"),
            Value::Bool(b) => write!(f, "{b}"),
            Value::Text(s) => write!(f, "{s:?}"),
            Value::List(v) => write!(f, "a list of {}", v.len()),
            Value::Travel(t) => write!(f, "{:.0}%", t * 100.0),
            Value::Nothing => f.write_str("nothing"),
        }
    }
}

/// A write that made no sense. The parameter keeps its value.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum WriteError {
    #[error("{target} takes {expected}, got {found}")]
    Nonsense { target: Target, expected: String, found: String },
}

/// What an accepted write did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    Changed,
    /// The value was there already, or a trigger was released.
    Unchanged,
    Fired,
}

/// One number of the running show.
#[derive(Clone, Copy, Debug)]
struct Cell {
    /// What was written last.
    base: f64,
    /// The base as it is after smoothing.
    smoothed: f64,
    modulation: f64,
}

/// The values of a running show.
///
/// Writes go to the base; [`Params::step`] moves the smoothed values towards it. `set_modulation` is for LFOs,
/// audio and scripts and never touches the base.
#[derive(Clone, Debug)]
pub struct Params {
    cells: Vec<Cell>,
    /// First cell of each id.
    first: Vec<usize>,
    texts: HashMap<Id, String>,
    vectors: HashMap<Id, Vec<f32>>,
    fired: Vec<Id>,
    /// Cells whose smoothed value has not arrived yet.
    moving: Vec<(Target, usize)>,
}

impl Default for Params {
    fn default() -> Self {
        let (mut cells, mut first) = (Vec::new(), Vec::new());
        let (mut texts, mut vectors) = (HashMap::new(), HashMap::new());
        for id in Id::all() {
            first.push(cells.len());
            let default = id.def().default_number().unwrap_or(0.0);
            match id.def().kind {
                Kind::Text { default } => drop(texts.insert(id, default.to_owned())),
                Kind::Vector { max_len } => drop(vectors.insert(id, Vec::with_capacity(max_len))),
                _ => {}
            }
            let cell = Cell { base: default, smoothed: default, modulation: 0.0 };
            cells.extend(std::iter::repeat_n(cell, id.def().count));
        }
        Params { cells, first, texts, vectors, fired: Vec::with_capacity(64), moving: Vec::with_capacity(MAX_DIM) }
    }
}

impl Params {
    fn cell(&self, target: Target) -> usize {
        self.first[target.id as usize] + usize::from(target.index).min(target.id.def().count - 1)
    }

    /// Writes the base value, coerced to the parameter's kind: a float for an int is rounded, an int for a float
    /// is widened, a numeric string is parsed, numbers are clamped to the range.
    ///
    /// # Errors
    /// [`WriteError::Nonsense`] when no meaning can be found (text for a number, NaN, an unknown choice); the
    /// parameter keeps its value.
    pub fn write(&mut self, target: Target, value: &Value) -> Result<Written, WriteError> {
        let def = target.id.def();
        let nonsense = |expected: String| WriteError::Nonsense { target, expected, found: value.to_string() };
        let number = match def.kind {
            Kind::Float { min, max, .. } => match value {
                Value::Travel(t) if t.is_finite() => Some(def.from_travel(*t)),
                other => other.as_number().map(|x| x.clamp(min, max)),
            },
            Kind::Int { min, max, .. } => match value {
                Value::Travel(t) if t.is_finite() => Some(def.from_travel(*t).round()),
                other => other.as_number().map(|x| x.round().clamp(min as f64, max as f64)),
            },
            Kind::Bool { .. } => match value {
                Value::Nothing => Some(1.0 - self.cells[self.cell(target)].base),
                other => other.as_bool().map(|b| f64::from(u8::from(b))),
            },
            Kind::Choice { options, .. } => match value {
                Value::Text(s) => options
                    .iter()
                    .position(|o| o.eq_ignore_ascii_case(s.trim()))
                    .map(|i| i as f64)
                    .or_else(|| value.as_number().filter(|&x| x >= 0.0 && x < options.len() as f64).map(f64::trunc)),
                Value::Travel(t) if t.is_finite() => {
                    Some((t * options.len() as f64).floor().clamp(0.0, options.len() as f64 - 1.0))
                }
                other => other.as_number().map(|x| x.round()).filter(|&x| x >= 0.0 && x < options.len() as f64),
            },
            Kind::Text { .. } => {
                let text = match value {
                    Value::Text(s) => s.clone(),
                    Value::Int(i) => i.to_string(),
                    Value::Float(x) if x.is_finite() => format!("{}", x.round()),
                    Value::Nothing => String::new(),
                    _ => return Err(nonsense(def.expects())),
                };
                let slot = self.texts.entry(target.id).or_default();
                // Writing the same name again is a wish to load it again.
                *slot = text;
                self.fired.push(target.id);
                return Ok(Written::Changed);
            }
            Kind::Trigger => {
                let pressed = match value {
                    Value::Nothing => true,
                    other => other.as_bool().ok_or_else(|| nonsense(def.expects()))?,
                };
                if !pressed {
                    return Ok(Written::Unchanged);
                }
                if self.fired.len() < self.fired.capacity() {
                    self.fired.push(target.id);
                }
                return Ok(Written::Fired);
            }
            Kind::Vector { max_len } => {
                let slot = self.vectors.entry(target.id).or_default();
                match value {
                    Value::List(list) if list.iter().all(|x| x.is_finite()) => {
                        slot.clear();
                        slot.extend(list.iter().take(max_len));
                    }
                    Value::Nothing => slot.clear(),
                    Value::Float(_) | Value::Int(_) if value.as_number().is_some() => {
                        slot.clear();
                        slot.extend(value.as_number().map(|x| x as f32));
                    }
                    _ => return Err(nonsense(def.expects())),
                }
                return Ok(Written::Changed);
            }
        };
        let number = number.ok_or_else(|| nonsense(def.expects()))?;
        let i = self.cell(target);
        let cell = &mut self.cells[i];
        if cell.base == number {
            return Ok(Written::Unchanged);
        }
        cell.base = number;
        if def.smoothing_secs > 0.0 {
            if !self.moving.iter().any(|&(_, m)| m == i) {
                self.moving.push((target, i));
            }
        } else {
            cell.smoothed = number;
        }
        Ok(Written::Changed)
    }

    /// Starts a frame: forgets the triggers of the last one.
    pub fn begin(&mut self) {
        self.fired.clear();
    }

    /// Lets the smoothed values follow their bases for `dt` seconds.
    pub fn step(&mut self, dt: f64) {
        let cells = &mut self.cells;
        self.moving.retain(|&(target, i)| {
            let cell = &mut cells[i];
            let follow = 1.0 - (-dt / target.id.def().smoothing_secs).exp();
            cell.smoothed += (cell.base - cell.smoothed) * follow;
            let arrived = (cell.base - cell.smoothed).abs() < 1e-6 * (1.0 + cell.base.abs());
            if arrived {
                cell.smoothed = cell.base;
            }
            !arrived
        });
    }

    /// Smoothed values jump to their bases: at the start of a show and when a preset is loaded.
    pub fn settle(&mut self) {
        for (_, i) in self.moving.drain(..) {
            self.cells[i].smoothed = self.cells[i].base;
        }
    }

    /// Writes the table's default to every number and vector, so that smoothed ones glide back; texts stay, and `except`.
    pub fn write_defaults(&mut self, except: &[Id]) {
        for id in Id::all().filter(|id| !except.contains(id)) {
            let Some(default) = id.def().default_number() else { continue };
            for index in 0..id.def().count as u16 {
                let target = Target { id, index };
                if self.base(target) != default {
                    // A default is always of the parameter's own kind.
                    let _ = self.write(target, &Value::Float(default));
                }
            }
        }
        self.vectors.values_mut().for_each(Vec::clear);
    }

    /// Keeps a text without asking for anything to be done: the name of what plays by now.
    pub fn set_text(&mut self, id: Id, text: &str) {
        if let Some(slot) = self.texts.get_mut(&id) {
            text.clone_into(slot);
        }
    }

    /// What LFOs, audio and scripts add to a number; 0 takes it away.
    pub fn set_modulation(&mut self, target: Target, amount: f64) {
        let i = self.cell(target);
        self.cells[i].modulation = if amount.is_finite() { amount } else { 0.0 };
    }

    pub fn clear_modulation(&mut self) {
        self.cells.iter_mut().for_each(|c| c.modulation = 0.0);
    }

    /// The effective value: smoothed base plus modulation, clamped to the range.
    pub fn get(&self, target: impl Into<Target>) -> f64 {
        let target = target.into();
        let cell = &self.cells[self.cell(target)];
        let (min, max) = target.id.def().range();
        (cell.smoothed + cell.modulation).clamp(min, max)
    }

    /// The effective value of a whole number or a choice (its position).
    pub fn int(&self, id: Id) -> i64 {
        self.get(id).round() as i64
    }

    pub fn bool(&self, id: Id) -> bool {
        self.get(id) >= 0.5
    }

    /// The chosen word; empty for an `id` that is no choice.
    pub fn choice(&self, id: Id) -> &'static str {
        match id.def().kind {
            Kind::Choice { options, .. } => options[(self.int(id).max(0) as usize).min(options.len() - 1)],
            _ => "",
        }
    }

    pub fn text(&self, id: Id) -> &str {
        self.texts.get(&id).map_or("", String::as_str)
    }

    pub fn vector(&self, id: Id) -> &[f32] {
        self.vectors.get(&id).map_or(&[], Vec::as_slice)
    }

    /// The written value, without smoothing and modulation.
    pub fn base(&self, target: impl Into<Target>) -> f64 {
        self.cells[self.cell(target.into())].base
    }

    /// Where the base lies on a knob's 0..1 travel.
    pub fn travel(&self, target: impl Into<Target>) -> f64 {
        let target = target.into();
        target.id.def().to_travel(self.base(target))
    }

    /// Triggers and texts that were written since the frame began, in order.
    pub fn fired(&self) -> &[Id] {
        &self.fired
    }

    /// The base as a value: what `/dump` sends and what a preset saves. `None` for triggers.
    pub fn value(&self, target: impl Into<Target>) -> Option<Value> {
        let target = target.into();
        Some(match target.id.def().kind {
            Kind::Float { .. } => Value::Float(self.base(target)),
            Kind::Int { .. } => Value::Int(self.base(target) as i64),
            Kind::Bool { .. } => Value::Bool(self.base(target) >= 0.5),
            Kind::Choice { options, .. } => Value::Text(options[self.base(target) as usize].to_owned()),
            Kind::Text { .. } => Value::Text(self.text(target.id).to_owned()),
            Kind::Vector { .. } => Value::List(self.vector(target.id).to_vec()),
            Kind::Trigger => return None,
        })
    }
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
    fn writes_are_coerced_where_the_intent_is_clear() {
        let float = |v: f64| Value::Float(v);
        let text = |s: &str| Value::Text(s.to_owned());
        let table: &[(Id, Value, Option<f64>)] = &[
            (Id::Psi, float(0.5), Some(0.5)),
            (Id::Psi, Value::Int(1), Some(1.0)),
            (Id::Psi, text(" 0.25 "), Some(0.25)),
            (Id::Psi, Value::Bool(true), Some(1.0)),
            (Id::Psi, Value::List(vec![0.5, 9.0]), Some(0.5)),
            (Id::Psi, float(99.0), Some(2.0)),
            (Id::Psi, float(f64::NAN), None),
            (Id::Psi, text("much"), None),
            (Id::Psi, Value::Nothing, None),
            (Id::Psi, Value::Travel(0.0), Some(-1.0)),
            (Id::Seed, float(84.6), Some(85.0)),
            (Id::Seed, float(-3.0), Some(0.0)),
            (Id::Freeze, float(1.0), Some(1.0)),
            (Id::Freeze, text("true"), Some(1.0)),
            (Id::Freeze, text("perhaps"), None),
            (Id::WalkKind, text("LOOP"), Some(2.0)),
            (Id::WalkKind, float(3.0), Some(3.0)),
            (Id::WalkKind, Value::Int(4), None),
            (Id::WalkKind, text("keys"), None),
        ];
        for (id, value, expected) in table {
            let mut params = Params::default();
            let before = params.base(*id);
            let written = params.write((*id).into(), value);
            assert_eq!(written.is_ok(), expected.is_some(), "{id:?} {value:?}: {written:?}");
            assert_eq!(params.base(*id), expected.unwrap_or(before), "{id:?} {value:?}");
        }
    }

    #[test]
    fn a_smoothed_value_arrives_and_modulation_is_clamped() {
        let mut params = Params::default();
        params.write(Id::Psi.into(), &Value::Float(1.5)).expect("a number");
        params.step(0.01);
        let soon = params.get(Id::Psi);
        assert!(soon > 0.7 && soon < 1.0, "{soon}");
        for _ in 0..200 {
            params.step(0.01);
        }
        assert_eq!(params.get(Id::Psi), 1.5);
        params.set_modulation(Id::Psi.into(), 9.0);
        assert_eq!((params.get(Id::Psi), params.base(Id::Psi)), (2.0, 1.5));
        params.clear_modulation();
        assert_eq!(params.get(Id::Psi), 1.5);
    }

    #[test]
    fn triggers_fire_once_a_press() {
        let mut params = Params::default();
        for (value, fires) in
            [(Value::Nothing, 1), (Value::Float(1.0), 2), (Value::Float(0.0), 2), (Value::Bool(true), 3)]
        {
            params.write(Id::SeedNext.into(), &value).expect("a press");
            assert_eq!(params.fired().len(), fires);
        }
        params.begin();
        assert!(params.fired().is_empty());
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
