//! The rows of the table: every address, its kind and range, and everything else the instrument knows about it.
//!
//! Built-in rows are constants made by `parameters!` ([`Id::Psi`]). Other rows come and go at run time, with an effect, a
//! modulator or a script. A [`Table`] says which rows currently exist; it is immutable and swapped as a whole. An [`Id`]
//! outlives its tables: an event that arrives late still knows its address.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use super::Value;
use super::choice::{
    BendCluster, BendEdge, BendKind, Choice, Codec, Detail, Ease, Fit, InputSize, Keep, Kernel, Layout, NoiseKind,
    Place, RecordWhat, StyleSize, SwapFrom, TempoSource, TimeBase, TrackEnd, TrackTake, TrackWay, WalkKind, Zone,
};

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
    /// One word of `options`; a number selects by position.
    Choice {
        options: &'static [&'static str],
        default: usize,
    },
    Text {
        default: &'static str,
    },
    /// Fires once per write, unless that is 0, false or "off".
    Trigger,
    /// A whole vector of floats, at most `max_len` long.
    Vector {
        max_len: usize,
    },
}

/// How a knob's 0..1 travel maps to the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    Linear,
    /// Finer near the low end: value = min + (max − min)·t².
    Square,
}

/// What a parameter belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The picture: loading a preset resets it to its default unless the preset sets it.
    Picture,
    /// The stage: a preset that does not set it leaves it unchanged.
    Stage,
    /// An action, without state.
    Command,
}

/// What presets do with a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saving {
    /// Read from presets and saved to them.
    Saved,
    /// Read from presets, but never saved.
    ReadOnly,
    /// Not allowed under `[params]`, for this reason.
    Elsewhere(&'static str),
}

/// What untrusted clients may do with a parameter: browsers, and OSC while the port is open to the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remote {
    Allowed,
    /// Allowed, but its effects are written to a file only for a page on this machine.
    NoFiles,
    /// Allowed over a WebSocket from this machine; refused with one line from elsewhere.
    Local,
    /// Refused with one line.
    Refused,
}

/// How many members of a family, or numbers of a vector, the current networks use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Members {
    All,
    /// As many as z has dimensions.
    Z,
    /// As many as w has dimensions.
    W,
    /// As many as w's the network reads: one for each of its layers.
    Layers,
    /// As many as the network has classes.
    Classes,
    /// As many as the style network has styles.
    Styles,
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq)]
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
    /// How many of those the current networks use.
    pub members: Members,
    /// Which of the eight knobs of the default MIDI map (1 to 8) controls it.
    pub knob: Option<u8>,
    /// One line, in plain English.
    pub help: &'static str,
    pub scope: Scope,
    pub saving: Saving,
    /// Waits for the beat while `/quantize` is above 0.
    pub quantized: bool,
    /// Can be mapped by MIDI learn.
    pub learnable: bool,
    pub remote: Remote,
}

impl Def {
    const fn new(address: &'static str, kind: Kind) -> Def {
        let one_control = !matches!(kind, Kind::Text { .. } | Kind::Vector { .. });
        let scope = if matches!(kind, Kind::Trigger) { Scope::Command } else { Scope::Picture };
        Def {
            address,
            kind,
            unit: "",
            curve: Curve::Linear,
            smoothing_secs: 0.0,
            count: 1,
            members: Members::All,
            knob: None,
            help: "",
            scope,
            saving: Saving::Saved,
            quantized: false,
            learnable: one_control,
            remote: Remote::Allowed,
        }
    }
    pub const fn float(address: &'static str, min: f64, max: f64, default: f64) -> Def {
        Def::new(address, Kind::Float { min, max, default })
    }
    pub const fn int(address: &'static str, min: i64, max: i64, default: i64) -> Def {
        Def::new(address, Kind::Int { min, max, default })
    }
    pub const fn boolean(address: &'static str, default: bool) -> Def {
        Def::new(address, Kind::Bool { default })
    }
    /// `options` are the [`Choice::WORDS`] of an enum, or the words declared by a file; `default` is a position.
    pub const fn choice(address: &'static str, options: &'static [&'static str], default: usize) -> Def {
        Def::new(address, Kind::Choice { options, default })
    }
    pub const fn text(address: &'static str, default: &'static str) -> Def {
        Def::new(address, Kind::Text { default })
    }
    pub const fn trigger(address: &'static str) -> Def {
        Def::new(address, Kind::Trigger)
    }
    pub const fn vector(address: &'static str, max_len: usize) -> Def {
        Def::new(address, Kind::Vector { max_len })
    }
    pub const fn unit(mut self, unit: &'static str) -> Self {
        self.unit = unit;
        self
    }
    pub const fn square(mut self) -> Self {
        self.curve = Curve::Square;
        self
    }
    pub const fn smooth(mut self, secs: f64) -> Self {
        self.smoothing_secs = secs;
        self
    }
    /// `count` numbered parameters; the address ends in `/<n>`.
    pub const fn family(mut self, count: usize) -> Self {
        self.count = count;
        self
    }
    pub const fn members(mut self, members: Members) -> Self {
        self.members = members;
        self
    }
    pub const fn knob(mut self, n: u8) -> Self {
        self.knob = Some(n);
        self
    }
    pub const fn help(mut self, help: &'static str) -> Self {
        self.help = help;
        self
    }
    pub const fn stage(mut self) -> Self {
        self.scope = Scope::Stage;
        self
    }
    pub const fn command(mut self) -> Self {
        self.scope = Scope::Command;
        self
    }
    pub const fn saving(mut self, saving: Saving) -> Self {
        self.saving = saving;
        self
    }
    pub const fn quantized(mut self) -> Self {
        self.quantized = true;
        self
    }
    pub const fn unlearnable(mut self) -> Self {
        self.learnable = false;
        self
    }
    pub const fn remote(mut self, remote: Remote) -> Self {
        self.remote = remote;
        self
    }
}

/// Number of members of `/z/<n>` and `/w/<n>`.
pub const MAX_DIM: usize = 1024;
/// Shortest and longest time from a key of a track to the next.
pub const KEY_LENGTHS: [f64; 2] = [0.05, 600.0];
/// Number of members of `/psi/<n>`: the most layers of a network.
pub const MAX_LAYERS: usize = 64;
/// The last layer.
const LAST_LAYER: i64 = MAX_LAYERS as i64 - 1;
/// Number of members of `/dir/<n>`.
pub const DIR_KNOBS: usize = 16;
/// How far a direction can be followed, in standard deviations.
pub const DIR_RANGE: [f64; 2] = [-10.0, 10.0];
/// How many `/bend/<n>` there are.
pub const BENDS: usize = 4;
/// Number of members of `/class/mix/<n>`.
pub const CLASS_KNOBS: usize = 32;
/// Number of members of `/style/mix/<n>`.
pub const STYLE_KNOBS: usize = 32;

macro_rules! parameters {
    ($($name:ident = $def:expr;)*) => {
        /// Identifies a row: a built-in one, or one added at run time. Never reused for another row.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct Id(u16);
        /// The numbers of the built-in rows.
        #[repr(u16)]
        enum Row { $($name),* }
        #[allow(non_upper_case_globals, reason = "like the variants of an enum, but extensible at run time")]
        impl Id {
            $(pub const $name: Id = Id(Row::$name as u16);)*
        }
        /// The built-in rows, in display order.
        static BUILT_IN: &[Def] = &[$($def),*];
    };
}

/// Why a preset cannot hold a command.
const NOW: Saving = Saving::Elsewhere("it is a command");

use Def as D;

parameters! {
    Network = D::text("/network", "").quantized().saving(Saving::Elsewhere("write network = \"...\" at the top of the file")).help("network to play: the name of one that ships or is yours, or a path");
    NetworkFade = D::float("/network/fade", 0.0, 60.0, 0.0).unit("s").stage().help("crossfade from one network to the next, both moving; 0 cuts");
    NetworkB = D::text("/network/b", "").quantized().help("second network, of the same shape as /network, whose weights are mixed in: a name or a path; empty for none");
    NetworkMix = D::float("/network/mix", 0.0, 1.0, 0.0).help("from the weights of /network (0) to those of /network/b (1), prepared beside the show");
    NetworkSwap = D::choice("/network/swap", SwapFrom::WORDS, SwapFrom::Off as usize).help("/network/b plays only the layers from this many pixels on, the rest stays /network's; off mixes all layers");
    NetworkSwapWidth = D::float("/network/swap/width", 0.0, 4.0, 0.0).unit("half resolutions").help("how softly /network/b sets in at /network/swap; 0 is between two layers");
    Preset = D::text("/preset", "").command().quantized().saving(Saving::Elsewhere("a preset cannot load another preset")).help("preset to load: a name, a number or a path");
    PresetNext = D::trigger("/preset/next").quantized().help("load the next preset");
    PresetPrev = D::trigger("/preset/prev").quantized().help("load the previous preset");
    PresetSave = D::text("/preset/save", "").command().saving(NOW).remote(Remote::NoFiles).help("save the current settings into the preset, or with a name as a new preset based on it");
    PresetFade = D::float("/preset/fade", 0.0, 300.0, 0.0).square().stage().saving(Saving::ReadOnly).help("how long one preset goes over into the next, in seconds or beats; 0 cuts");
    PresetSync = D::choice("/preset/sync", TimeBase::WORDS, TimeBase::Seconds as usize).stage().saving(Saving::ReadOnly).help("whether /preset/fade counts seconds or beats");
    PresetArm = D::text("/preset/arm", "").command().saving(NOW).help("load a preset for the crossfader, by name or number; without one, none waits any more");
    PresetCross = D::float("/preset/cross", 0.0, 1.0, 0.0).stage().saving(Saving::ReadOnly).help("crossfader: from the end where it is, it brings in the preset of /preset/arm, which plays when it is at the other end");
    PresetRevert = D::trigger("/preset/revert").unlearnable().help("bring the preset back as it was saved; again: as it was before it was saved the last time, and so on");
    Set = D::text("/setlist", "").command().saving(NOW).help("play a set list, by its name or path: next and previous follow it; empty ends it");
    SetGo = D::text("/setlist/go", "").command().quantized().saving(NOW).help("go to an entry of the set list, by its number or preset");
    Keys = D::text("/keyboard", "").command().unlearnable().saving(NOW).remote(Remote::Refused).help("play with the keys of this file, as `latent-jockey keys` lists them; empty brings back the instrument's");
    Quantize = D::float("/quantize", 0.0, 64.0, 0.0).unit("beats").stage().help("presets, seeds and networks change on the next multiple of this many beats; 0 changes at once");
    Seed = D::int("/seed", 0, 4_294_967_295, 0).quantized().help("where the walk starts; numpy's legacy generator, as in every StyleGAN tool");
    SeedNext = D::trigger("/seed/next").quantized().help("next seed");
    SeedPrev = D::trigger("/seed/prev").quantized().help("previous seed");
    Psi = D::float("/psi", -1.0, 2.0, 0.7).smooth(0.08).knob(1).help("truncation psi: 0 is the average picture, 1 the full variety");
    PsiCutoff = D::int("/psi/cutoff", 0, 64, 64).help("truncate only the first n layers");
    PsiLayer = D::float("/psi/<n>", -3.0, 3.0, 0.0).family(MAX_LAYERS).members(Members::Layers).smooth(0.08).help("added to the psi of one layer");
    Class = D::float("/class", 0.0, 9999.0, 0.0).smooth(0.15).help("class of a conditional network, by number or name; values between two integers blend");
    ClassMix = D::float("/class/mix/<n>", 0.0, 1.0, 0.0).family(CLASS_KNOBS).members(Members::Classes).smooth(0.15).help("share of one class, blended in w; /class fills up to a sum of 1, and beyond that the shares are normalised");
    WalkKind = D::choice("/walk/kind", WalkKind::WORDS, WalkKind::Drift as usize).help("how z moves by itself: hold still, drift at random, follow a closed loop, go in lines from seed to seed, or along the keys of /keys");
    WalkSpeed = D::float("/walk/speed", -4.0, 4.0, 0.25).smooth(0.1).knob(2).help("speed of the walk: 1 is about one new picture per second, negative goes backwards, 0 stops");
    WalkRadius = D::float("/walk/radius", 0.0, 2.0, 1.0).smooth(0.15).knob(3).help("how far drift and loop move away from the seed");
    WalkSync = D::choice("/walk/sync", TimeBase::WORDS, TimeBase::Seconds as usize).help("whether /walk/speed is per second or per beat");
    WalkEase = D::choice("/walk/ease", Ease::WORDS, Ease::Smooth as usize).help("easing along a line: even, soft at both ends, or with a rest on each seed");
    WalkGlide = D::float("/walk/glide", 0.0, 20.0, 1.5).unit("s").help("transition time when the seed or the kind of walk changes; 0 cuts");
    WalkRestart = D::trigger("/walk/restart").help("restart both walks from their seeds");
    Z = D::float("/z/<n>", -4.0, 4.0, 0.0).family(MAX_DIM).members(Members::Z).smooth(0.05).help("offset on one dimension of z");
    ZVector = D::vector("/z", MAX_DIM).members(Members::Z).help("offsets on all dimensions of z: a list of floats or a blob of 32-bit floats");
    W = D::float("/w/<n>", -4.0, 4.0, 0.0).family(MAX_DIM).members(Members::W).smooth(0.05).help("offset on one dimension of w, before truncation");
    KeysAdd = D::trigger("/keys/add").remote(Remote::NoFiles).help("keep the latent of this moment as a key at the end of the track, and save the track");
    KeysRemove = D::text("/keys/remove", "").command().saving(NOW).remote(Remote::NoFiles).help("remove a key by its number, from 0; without one, the last");
    KeysMove = D::text("/keys/move", "").command().saving(NOW).remote(Remote::NoFiles).help("move a key in time: its number and the new time, such as 3 12.5; its neighbours stay where they are");
    KeysGoto = D::text("/keys/goto", "").command().quantized().saving(NOW).help("go to a key, by its number from 0, in the time of /keys/glide");
    KeysGlide = D::float("/keys/glide", 0.0, 60.0, 1.0).square().help("how long the way to the key of /keys/goto takes, in seconds or beats, with /keys/ease; 0 jumps");
    KeysFile = D::text("/keys/file", "").remote(Remote::Refused).help("file of the track, such as dusk-keys.toml beside the preset; /keys/add makes one");
    KeysTime = D::float("/keys/time", 0.0, 86_400.0, 0.0).stage().unlearnable().saving(Saving::ReadOnly).help("where on the track it is, in seconds or beats; writing it goes there");
    KeysScrub = D::float("/keys/scrub", 0.0, 1.0, 0.0).smooth(0.03).help("moves the place on the track by this part of its length, for knobs and modulators; at speed 0 it is the place");
    KeysSpeed = D::float("/keys/speed", -8.0, 8.0, 1.0).smooth(0.05).help("speed along the track: negative goes backwards, 0 stops");
    KeysSync = D::choice("/keys/sync", TimeBase::WORDS, TimeBase::Seconds as usize).help("whether the lengths of keys count seconds or beats");
    KeysWay = D::choice("/keys/way", TrackWay::WORDS, TrackWay::Spherical as usize).help("from key to key: straight, on an arc about the mean picture, or on a smooth curve through all");
    KeysEase = D::choice("/keys/ease", Ease::WORDS, Ease::Smooth as usize).help("easing from key to key; a curve has none");
    KeysEnd = D::choice("/keys/end", TrackEnd::WORDS, TrackEnd::Loop as usize).help("at the last key: back to the first, backwards, or stay");
    KeysLength = D::float("/keys/length", KEY_LENGTHS[0], KEY_LENGTHS[1], 4.0).square().help("how long it takes from a new key to the next, in seconds or beats");
    KeysTake = D::choice("/keys/take", TrackTake::WORDS, TrackTake::W as usize).help("what a new key takes: w, which psi, mixing and directions go on moving, or all layers as they are");
    KeysParams = D::text("/keys/params", "").help("addresses of numbers that a new key takes too, with spaces between them");
    MixAmount = D::float("/mix/amount", -1.0, 2.0, 0.0).smooth(0.08).help("style mixing: how far the layers from /mix/from to /mix/to go from the walk to a second one; 0 is off, 1 replaces, beyond that exaggerates");
    MixSeed = D::int("/mix/seed", 0, 4_294_967_295, 1).quantized().help("where the second walk starts");
    MixFrom = D::int("/mix/from", 0, LAST_LAYER, 0).help("first layer that is mixed");
    MixTo = D::int("/mix/to", 0, LAST_LAYER, LAST_LAYER).help("last layer that is mixed");
    MixZone = D::choice("/mix/zone", Zone::WORDS, Zone::Range as usize).help("mixes these layers instead: form (maps up to 8 pixels), texture (up to 32) or colour; range is from /mix/from to /mix/to");
    MixWalkKind = D::choice("/mix/walk/kind", WalkKind::WORDS, WalkKind::Hold as usize).help("how the second walk moves, as /walk/kind; with keys it stands still");
    MixWalkSpeed = D::float("/mix/walk/speed", -4.0, 4.0, 0.25).smooth(0.1).help("speed of the second walk");
    MixWalkRadius = D::float("/mix/walk/radius", 0.0, 2.0, 1.0).smooth(0.15).help("how far drift and loop move away from /mix/seed");
    MixWalkSync = D::choice("/mix/walk/sync", TimeBase::WORDS, TimeBase::Seconds as usize).help("whether /mix/walk/speed is per second or per beat");
    Dir = D::float("/dir/<n>", DIR_RANGE[0], DIR_RANGE[1], 0.0).family(DIR_KNOBS).smooth(0.08).unit("deviations").help("moves along a direction of w that the network was found to have, the strongest first; 1 is one standard deviation");
    NoiseMode = D::choice("/noise/mode", NoiseKind::WORDS, NoiseKind::Const as usize).help("per-layer noise: the network's own, new for every picture, or none");
    NoiseGain = D::float("/noise/gain", 0.0, 4.0, 1.0).square().smooth(0.05).knob(4).help("noise strength");
    NoiseSeed = D::int("/noise/seed", 0, 4_294_967_295, 0).help("seed of the random noise");
    TransformX = D::float("/transform/x", -1.0, 1.0, 0.0).unit("pictures").smooth(0.05).help("StyleGAN3: move the content right");
    TransformY = D::float("/transform/y", -1.0, 1.0, 0.0).unit("pictures").smooth(0.05).help("StyleGAN3: move the content down");
    TransformRotate = D::float("/transform/rotate", -1.0, 1.0, 0.0).unit("turns").smooth(0.05).help("StyleGAN3: rotate the content; exact in configuration R");
    TransformScale = D::float("/transform/scale", 0.25, 4.0, 1.0).smooth(0.05).help("StyleGAN3: scale the content");
    Input = D::text("/input", "").help("picture (PNG, JPEG, WebP), video, or folder of them: a name or a path; or camera, screen, or the address of a stream; empty plays the network alone");
    InputAmount = D::float("/input/amount", 0.0, 1.0, 1.0).smooth(0.15).help("mix of the network's picture (0) and the input (1)");
    InputFit = D::choice("/input/fit", Fit::WORDS, Fit::Cover as usize).help("how the input fills the network's square: whole with black bars, cropped, or whole with mirrored edges");
    InputSize = D::choice("/input/size", InputSize::WORDS, InputSize::Auto as usize).unit("px").help("side of the square that the input is fitted into; auto is the network's, and at least 512");
    InputNext = D::trigger("/input/next").help("next picture or clip of the folder; reloads a single picture");
    InputPrev = D::trigger("/input/prev").help("previous picture or clip of the folder");
    InputEvery = D::float("/input/every", 0.0, 600.0, 0.0).square().help("advance every N seconds or beats; 0 disables");
    InputSync = D::choice("/input/sync", TimeBase::WORDS, TimeBase::Seconds as usize).help("whether /input/every counts seconds or beats");
    InputFade = D::float("/input/fade", 0.0, 20.0, 1.0).unit("s").help("crossfade from one picture to the next; 0 cuts");
    InputDrift = D::float("/input/drift", 0.0, 0.5, 0.0).smooth(0.3).help("how far still pictures zoom and move slowly while they are seen, as a part of their width; 0 leaves them at rest");
    InputTime = D::float("/input/time", 0.0, 86_400.0, 0.0).unit("s").stage().unlearnable().saving(Saving::ReadOnly).help("where the clip is; writing it goes there");
    InputScrub = D::float("/input/scrub", 0.0, 1.0, 0.0).smooth(0.03).help("moves the place in the clip by this part of its length, for knobs and modulators; at speed 0 it is the place");
    InputSpeed = D::float("/input/speed", -8.0, 8.0, 1.0).smooth(0.05).help("speed of the clip: negative plays backward, 0 stops");
    InputBeats = D::float("/input/beats", 0.0, 256.0, 0.0).unit("beats").help("length of the clip in beats of the tempo; 0 plays it in its own time");
    StyleNetwork = D::text("/style/network", "").quantized().help("style network to paint with: a name or a path; empty turns painting off");
    StyleA = D::int("/style/a", 0, 255, 0).help("first style of the network, by its name, a part of it, or its number from 0; numbers past the last wrap around");
    StyleB = D::int("/style/b", 0, 255, 0).help("second style, likewise, to blend with the first");
    StyleBlend = D::float("/style/blend", 0.0, 1.0, 0.0).smooth(0.15).help("blend of the two styles: 0 is a, 1 is b");
    StyleMix = D::float("/style/mix/<n>", 0.0, 1.0, 0.0).family(STYLE_KNOBS).members(Members::Styles).smooth(0.15).help("share of one style, added to a and b; the shares are normalised to a sum of 1");
    StyleAmount = D::float("/style/amount", 0.0, 1.0, 1.0).smooth(0.08).knob(5).help("opacity of the painting over the picture");
    StylePasses = D::int("/style/passes", 0, 8, 1).help("how many times the network paints over its own output per picture; 0 leaves feedback alone");
    StyleFeedback = D::float("/style/feedback", 0.0, 1.0, 0.4).smooth(0.08).knob(6).help("share of the last painting in the next one; at 1 the painting evolves without the picture");
    StyleSize = D::choice("/style/size", StyleSize::WORDS, StyleSize::S256 as usize).unit("px").help("shorter side of the painting; the picture is resized to it first");
    StyleEvery = D::int("/style/every", 1, 16, 1).help("paint every n-th picture and fade between paintings");
    StyleKeep = D::float("/style/keep", 0.0, 1.0, 0.0).smooth(0.08).help("how much of the picture's own colour, or light, the painting keeps");
    StyleKeepWhat = D::choice("/style/keep/what", Keep::WORDS, Keep::Colour as usize).help("whether /style/keep keeps colour or light");
    StyleClean = D::float("/style/clean", 0.0, 1.0, 1.0).smooth(0.15).help("takes the fine weave of 4 pixels, which style networks leave on flat areas, out of the painting; 0 leaves it");
    StyleDark = D::float("/style/dark", 0.0, 1.0, 1.0).smooth(0.15).help("leaves dark, flat parts of the picture unpainted, where style networks make stripes; 0 paints everywhere");
    FeedbackZoom = D::float("/feedback/zoom", 0.5, 1.5, 1.12).unit("a second").smooth(0.15).knob(7).help("zoom of the painting as it feeds back: above 1 zooms in, below 1 out");
    FeedbackRotate = D::float("/feedback/rotate", -180.0, 180.0, 0.0).unit("degrees a second").smooth(0.15).knob(8).help("clockwise rotation of the painting as it feeds back");
    FeedbackX = D::float("/feedback/x", -1.0, 1.0, 0.0).unit("widths a second").smooth(0.15).help("horizontal drift of the painting as it feeds back; positive goes right");
    FeedbackY = D::float("/feedback/y", -1.0, 1.0, 0.0).unit("heights a second").smooth(0.15).help("vertical drift of the painting as it feeds back; positive goes down");
    Macro1 = D::float("/macro/1", 0.0, 1.0, 0.0).help("position of macro 1, which moves /psi unless the preset's [macro] says otherwise");
    Macro2 = D::float("/macro/2", 0.0, 1.0, 0.0).help("position of macro 2, which moves /walk/speed unless the preset's [macro] says otherwise");
    Macro3 = D::float("/macro/3", 0.0, 1.0, 0.0).help("position of macro 3, which moves /walk/radius unless the preset's [macro] says otherwise");
    Macro4 = D::float("/macro/4", 0.0, 1.0, 0.0).help("position of macro 4, which moves /noise/gain unless the preset's [macro] says otherwise");
    Macro5 = D::float("/macro/5", 0.0, 1.0, 0.0).help("position of macro 5, which moves /style/amount unless the preset's [macro] says otherwise");
    Macro6 = D::float("/macro/6", 0.0, 1.0, 0.0).help("position of macro 6, which moves /style/feedback unless the preset's [macro] says otherwise");
    Macro7 = D::float("/macro/7", 0.0, 1.0, 0.0).help("position of macro 7, which moves /feedback/zoom unless the preset's [macro] says otherwise");
    Macro8 = D::float("/macro/8", 0.0, 1.0, 0.0).help("position of macro 8, which moves /feedback/rotate unless the preset's [macro] says otherwise");
    Tempo = D::float("/tempo", 20.0, 400.0, 120.0).unit("bpm").stage().help("beats per minute");
    TempoSource = D::choice("/tempo/source", TempoSource::WORDS, TempoSource::Auto as usize).stage().help("what sets the tempo; auto follows Ableton Link, else a MIDI clock, else the beat that is heard, else taps; timecode counts beats from 00:00:00:00");
    TempoHalf = D::trigger("/tempo/half").help("half the tempo, also of what is heard");
    TempoDouble = D::trigger("/tempo/double").help("twice the tempo, also of what is heard");
    TempoEarlier = D::trigger("/tempo/earlier").help("moves the beat forward by a thirty-second of a beat, so that the next one comes earlier");
    TempoLater = D::trigger("/tempo/later").help("moves the beat back by a thirty-second of a beat");
    TempoBar = D::trigger("/tempo/bar").help("a bar begins at the beat nearest to now");
    Tap = D::trigger("/tap").help("tap the tempo");
    AudioOffset = D::float("/audio/offset", -500.0, 500.0, 0.0).unit("ms").stage().help("how much earlier the picture hears the sound, or later if negative; of live sound, only the beat can be earlier");
    Learn = D::text("/learn", "").command().saving(NOW).remote(Remote::NoFiles).help("map the next control that is moved to this address; without an address, to the parameter that changed last");
    LearnAudio = D::trigger("/learn/audio").unlearnable().help("let the sound move the parameter that changed last: then 1 to 9 choose bass, mid, high, level, kick, snare, hat, onset or beat; the same again ends it");
    LearnCancel = D::trigger("/learn/cancel").unlearnable().help("stop learning");
    LearnUndo = D::trigger("/learn/undo").unlearnable().remote(Remote::NoFiles).help("undo the last learned mapping");
    LearnForget = D::text("/learn/forget", "").command().unlearnable().saving(NOW).remote(Remote::NoFiles).help("remove what a control plays in this preset: the control as in the list of mappings, such as ch 1 cc 18");
    MacroSet = D::text("/macro/set", "").command().saving(NOW).help("what a macro moves, as an entry of [macro]: 3 = \"/psi\"");
    ModAdd = D::text("/mod/add", "").command().saving(NOW).help("add a modulator, as an entry of [mod]: sway = { source = \"sine\", beats = 8, to = \"/psi\" }");
    ModRemove = D::text("/mod/remove", "").command().saving(NOW).help("remove a modulator, by its name");
    Eval = D::text("/eval", "").command().saving(NOW).remote(Remote::Local).help("evaluate live code; a first line such as --@ drift.luau:12 bar gives file, line, and beat or bar to wait for");
    EvalResult = D::text("/eval/result", "").command().saving(NOW).remote(Remote::Refused).help("what came of the last evaluation: its number, then ok and what it printed, or file, line and error");
    EvalUndo = D::trigger("/eval/undo").remote(Remote::Local).help("take back the last evaluation");
    Hush = D::trigger("/hush").help("end everything that live code plays");
    EditorOutput = D::boolean("/editor/output", false).stage().saving(Saving::ReadOnly).help("show the code of the window's editor to the audience too, over the picture on the output window");
    Fit = D::choice("/fit", Layout::WORDS, Layout::Mirror as usize).help("how the picture fills the output: whole with black bars, cropped, whole with mirrored edges, in mirrored sectors, or tiled");
    FitScaler = D::choice("/fit/scaler", Kernel::WORDS, Kernel::Auto as usize).help("how the picture is enlarged: along its edges and sharpened, exactly (Lanczos), or linearly; auto is edge on a graphics card and linear in software");
    FitDetail = D::choice("/fit/detail", Detail::WORDS, Detail::Auto as usize).stage().help("part of the output's width and height at which effects draw while playing; auto is full on a graphics card, and at most 640x360 pixels in a window that is drawn in software; render always draws in full");
    FitSharpness = D::float("/fit/sharpness", 0.0, 1.0, 0.4).smooth(0.08).help("sharpening after enlarging along edges");
    FitX = D::float("/fit/x", -1.0, 1.0, 0.0).unit("pictures").smooth(0.08).help("moves the picture in the output; positive goes left");
    FitY = D::float("/fit/y", -1.0, 1.0, 0.0).unit("pictures").smooth(0.08).help("moves the picture in the output; positive goes up");
    FitZoom = D::float("/fit/zoom", 0.25, 8.0, 1.0).smooth(0.08).help("enlarges the picture in the output");
    FitSectors = D::int("/fit/sectors", 2, 32, 6).help("number of sectors of /fit kaleidoscope");
    FitTurn = D::float("/fit/turn", -1.0, 1.0, 0.0).unit("turns").smooth(0.08).help("rotates the sectors of /fit kaleidoscope");
    FlashLimit = D::boolean("/flash/limit", true).stage().saving(Saving::ReadOnly).help("for photosensitive people: damps the picture where it would flash more than three times a second");
    CaptionShow = D::boolean("/caption/show", false).stage().saving(Saving::ReadOnly).help("words over the picture, for the audience: your own, those of the input, or what the captioner sees in the network's picture");
    CaptionWords = D::text("/caption/words", "").stage().saving(Saving::ReadOnly).help("your own words for /caption/show; empty leaves it to the captioner");
    CaptionInput = D::text("/caption/input", "").stage().unlearnable().saving(Saving::ReadOnly).help("what captions.csv, beside a picture of /input, says of it: shown by /caption/show while /input/amount is above a half; a question mark says that it is a guess");
    CaptionSeen = D::text("/caption/seen", "").stage().unlearnable().saving(Saving::ReadOnly).help("what the captioner sees in the network's picture, while /caption/show is on and /caption/words is empty; a question mark says that it is unsure");
    CaptionEvery = D::float("/caption/every", 0.5, 120.0, 5.0).square().unit("s").stage().saving(Saving::ReadOnly).help("how often the captioner looks");
    CaptionSize = D::float("/caption/size", 0.02, 0.25, 0.06).stage().saving(Saving::ReadOnly).help("height of a line, as a part of the picture's height; long words are set smaller");
    CaptionPlace = D::choice("/caption/place", Place::WORDS, Place::Bottom as usize).stage().saving(Saving::ReadOnly).help("where the words are");
    Palette = D::text("/palette", "ember").unlearnable().help("colours for effects that use a palette: a list such as #0b0410 #d9501e #ffeeb0, or ember, ocean, aurora, neon, mono, rainbow");
    FxAdd = D::text("/fx/add", "").command().unlearnable().saving(NOW).help("add an effect to the end of the chain, by the name of its file");
    FxRemove = D::text("/fx/remove", "").command().unlearnable().saving(NOW).help("remove an effect from the chain");
    FxOrder = D::text("/fx/order", "").command().unlearnable().saving(NOW).help("order of the chain: names of effects, the first one first; those left out follow");
    RecordStart = D::trigger("/record/start").remote(Remote::Local).help("start recording what is shown");
    RecordStop = D::trigger("/record/stop").remote(Remote::Local).help("stop recording, and finish the file");
    RecordFile = D::text("/record/file", "").stage().saving(Saving::ReadOnly).remote(Remote::Refused).help("file of the next recording: .mp4, .mov, .mkv, .webm, .gif, .webp, or a folder for pictures; empty is a new file in your folder of videos");
    RecordCodec = D::choice("/record/codec", Codec::WORDS, Codec::Auto as usize).stage().saving(Saving::ReadOnly).help("codec of the next recording; auto is what the file's ending suggests, h264 for most");
    RecordWhat = D::choice("/record/what", RecordWhat::WORDS, RecordWhat::Output as usize).stage().saving(Saving::ReadOnly).help("what the next recording holds: the output, the network's picture before all effects, or both in a file each");
    RecordTake = D::boolean("/record/take", true).stage().saving(Saving::ReadOnly).help("write a take beside the next recording");
    RecordFps = D::float("/record/fps", 1.0, 240.0, 30.0).unit("per second").stage().saving(Saving::ReadOnly).help("frame rate of the next recording");
    RecordSize = D::text("/record/size", "").stage().saving(Saving::ReadOnly).remote(Remote::Local).help("width and height of the next recording, such as 1920x1080; empty is the output's");
    RecordStatus = D::text("/record/status", "").command().unlearnable().saving(NOW).remote(Remote::Refused).help("time, size, dropped frames and file of the current recording");
    Stream = D::text("/stream", "").command().unlearnable().saving(NOW).remote(Remote::Refused).help("stream what is shown to srt://, udp://, tcp://, rtmp://, rtsp:// or a loopback device such as /dev/video2, with the rate and size of recordings; empty ends it");
    Share = D::text("/share", "").command().unlearnable().saving(NOW).remote(Remote::Local).help("give what is shown to other programs: ndi, spout (Windows) or syphon (macOS), each with a name if you like, such as ndi:Stage; several with commas; empty ends it");
    ShareFps = D::float("/share/fps", 1.0, 240.0, 60.0).unit("per second").stage().saving(Saving::ReadOnly).help("largest number of pictures a second that other programs are given");
    Blackout = D::float("/blackout", 0.0, 1.0, 0.0).smooth(0.03).stage().saving(Saving::ReadOnly).help("fade to black");
    Freeze = D::boolean("/freeze", false).stage().saving(Saving::ReadOnly).help("hold the picture");
    TakeStart = D::text("/take/start", "").command().saving(NOW).remote(Remote::Refused).help("write a take: everything that is played from now on, to be rendered later; with or without a file's name");
    TakeStop = D::trigger("/take/stop").unlearnable().remote(Remote::Refused).help("end the take");
    Snapshot = D::text("/snapshot", "").command().saving(NOW).remote(Remote::Refused).help("save the picture as a PNG that leads back to it when it is played; with or without a file's name");
    SnapshotEvery = D::float("/snapshot/every", 0.0, 86_400.0, 0.0).unit("s").stage().unlearnable().saving(Saving::ReadOnly).remote(Remote::Refused).help("save a snapshot every so many seconds: a time lapse; 0 saves none");
    ErrorRead = D::trigger("/error/read").help("errors have been read: their lines go");
    Panic = D::trigger("/panic").help("back to the preset as it was loaded, with all modulation off");
}

/// The rows of each direction: `/dir/0/from`, `/dir/0/to`, `/dir/0/zone`, then those of the next.
static DIRECTIONS: LazyLock<Vec<Def>> = LazyLock::new(|| {
    let rows = |n: usize| {
        let address = |part: &str| intern(&format!("/dir/{n}/{part}"));
        [
            D::int(address("from"), 0, LAST_LAYER, 0).help("first layer that the direction reaches"),
            D::int(address("to"), 0, LAST_LAYER, LAST_LAYER).help("last layer that the direction reaches"),
            D::choice(address("zone"), Zone::WORDS, Zone::Range as usize)
                .help("reaches these layers instead, as /mix/zone"),
        ]
    };
    (0..DIR_KNOBS).flat_map(rows).collect()
});
/// Rows of a direction.
const DIR_PARTS: usize = 3;
/// The rows of each bend: `/bend/0/kind`, `/bend/0/layer` and so on, then those of the next.
static BEND_ROWS: LazyLock<Vec<Def>> = LazyLock::new(|| {
    let rows = |n: usize| {
        let address = |part: &str| intern(&format!("/bend/{n}/{part}"));
        [
            D::choice(address("kind"), BendKind::WORDS, BendKind::Off as usize)
                .help("what is done to the map of a layer, after the bends before it; off costs nothing"),
            D::int(address("layer"), 0, LAST_LAYER, 2).help("the layer, by its number from 0 or its name such as b8.conv1"),
            D::float(address("amount"), -4.0, 4.0, 0.0).smooth(0.08).help(
                "how much: a factor, what is added, a threshold, turns, widths of the picture, samples, or 0 to 1, as the kind takes it",
            ),
            D::float(address("angle"), -180.0, 180.0, 0.0)
                .unit("degrees")
                .smooth(0.08)
                .help("direction of translate and flip, 0 right, 90 up; counter-clockwise turn of feedback in a second"),
            D::float(address("zoom"), 0.25, 4.0, 1.0).unit("a second").smooth(0.08).help("zoom of feedback"),
            D::choice(address("edge"), BendEdge::WORDS, BendEdge::Zero as usize)
                .help("what comes in from outside when a map moves: nothing, its border, or its other side"),
            D::float(address("share"), 0.0, 1.0, 1.0)
                .smooth(0.08)
                .help("part of the layer's channels that is bent, or of those that cluster or channels choose"),
            D::int(address("seed"), 0, 4_294_967_295, 0).help("which channels /bend/<n>/share takes, and the numbers of noise"),
            D::choice(address("cluster"), BendCluster::WORDS, BendCluster::All as usize)
                .help("bends only channels that draw in the same places: a is the layer's largest cluster of them, e the smallest"),
            D::text(address("channels"), "")
                .help("bends only these channels of the layer, such as 3,8-12; empty leaves it to /bend/<n>/cluster"),
        ]
    };
    (0..BENDS).flat_map(rows).collect()
});
/// Rows of a bend.
pub const BEND_PARTS: usize = 10;
/// The first row of a bend.
const FIRST_BEND: usize = BUILT_IN.len() + DIR_KNOBS * DIR_PARTS;
/// Number of permanent rows.
const PERMANENT: usize = FIRST_BEND + BENDS * BEND_PARTS;

/// The rows added since the program started; never freed, as ids point to them.
static ADDED: boxcar::Vec<&'static Def> = boxcar::Vec::new();

impl Id {
    /// `/macro/1` to `/macro/8`.
    pub const MACROS: [Id; 8] =
        [Id::Macro1, Id::Macro2, Id::Macro3, Id::Macro4, Id::Macro5, Id::Macro6, Id::Macro7, Id::Macro8];

    /// The row, even after it has left the table.
    pub fn def(self) -> &'static Def {
        let row = usize::from(self.0);
        if row >= PERMANENT {
            return ADDED.get(row - PERMANENT).expect("only `Id::of` makes ids, after storing the row");
        }
        if row >= FIRST_BEND {
            return &BEND_ROWS[row - FIRST_BEND];
        }
        BUILT_IN.get(row).unwrap_or_else(|| &DIRECTIONS[row - BUILT_IN.len()])
    }

    /// `/dir/<n>/from`, `/dir/<n>/to` and `/dir/<n>/zone`.
    pub fn of_direction(n: usize) -> [Id; DIR_PARTS] {
        let first = BUILT_IN.len() + n.min(DIR_KNOBS - 1) * DIR_PARTS;
        std::array::from_fn(|part| Id((first + part) as u16))
    }

    /// `/bend/<n>/kind`, `layer`, `amount`, `angle`, `zoom`, `edge`, `share`, `seed`, `cluster` and `channels`.
    pub fn of_bend(n: usize) -> [Id; BEND_PARTS] {
        let first = FIRST_BEND + n.min(BENDS - 1) * BEND_PARTS;
        std::array::from_fn(|part| Id((first + part) as u16))
    }

    /// The bend that this is a row of.
    pub fn bend(self) -> Option<usize> {
        let row = usize::from(self.0);
        (FIRST_BEND..PERMANENT).contains(&row).then(|| (row - FIRST_BEND) / BEND_PARTS)
    }

    /// Whether it is `/bend/<n>/channels`.
    pub fn is_channels(self) -> bool {
        self.bend().is_some_and(|n| Id::of_bend(n)[BEND_PARTS - 1] == self)
    }

    /// The built-in rows.
    fn built_in() -> impl Iterator<Item = Id> {
        (0..PERMANENT as u16).map(Id)
    }

    pub fn is_built_in(self) -> bool {
        usize::from(self.0) < PERMANENT
    }

    /// Its index among all rows that ever existed.
    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }

    /// The inverse of [`Id::index`], for numbers that came from it.
    pub(super) fn from_index(index: usize) -> Id {
        Id(index as u16)
    }

    /// The id of a row: equal rows have equal ids. `None` after 65,536 different rows.
    fn of(def: &Def) -> Option<Id> {
        static ADDING: Mutex<()> = Mutex::new(());
        let _one_at_a_time = ADDING.lock().unwrap_or_else(PoisonError::into_inner);
        let row = match ADDED.iter().find(|(_, known)| **known == def) {
            Some((row, _)) => row,
            None if PERMANENT + ADDED.count() <= usize::from(u16::MAX) => ADDED.push(Box::leak(Box::new(*def))),
            None => return None,
        };
        u16::try_from(PERMANENT + row).ok().map(Id)
    }
}

impl std::fmt::Debug for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Id({})", self.def().address)
    }
}

/// Interns a string of a run-time row. Equal strings are stored once, until the program ends.
pub fn intern(text: &str) -> &'static str {
    static KEPT: Mutex<Option<HashSet<&'static str>>> = Mutex::new(None);
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let kept = kept.get_or_insert_default();
    match kept.get(text) {
        Some(known) => known,
        None => {
            let new: &'static str = Box::leak(text.into());
            kept.insert(new);
            new
        }
    }
}

/// One parameter, or one member of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    pub id: Id,
    /// The `<n>` of a family, otherwise 0.
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

/// Why rows cannot be added. The table is unchanged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    #[error("{address} is already used by another parameter")]
    Taken { address: &'static str },
    #[error("\"{address}\" cannot be a parameter: {reason}")]
    Row { address: &'static str, reason: &'static str },
    #[error("cannot add {address}: too many different parameters since the start")]
    Full { address: &'static str },
}

/// The existing rows. Immutable: adding or removing rows makes a new table.
#[derive(Clone, Debug)]
pub struct Table {
    ids: Vec<Id>,
    /// By address, or for a family by the part before `<n>`.
    by_address: HashMap<&'static str, Id>,
    /// By [`Id::index`].
    has: Vec<bool>,
    version: u64,
}

impl PartialEq for Table {
    fn eq(&self, other: &Self) -> bool {
        self.version == other.version || self.ids == other.ids
    }
}

impl Table {
    /// The permanent rows.
    pub fn built_in() -> &'static Arc<Table> {
        static TABLE: LazyLock<Arc<Table>> = LazyLock::new(|| Arc::new(Table::of(Id::built_in().collect(), 0)));
        &TABLE
    }

    fn of(ids: Vec<Id>, version: u64) -> Table {
        let by_address = ids.iter().map(|id| (stem(id.def().address), *id)).collect();
        let mut has = vec![false; ids.iter().map(|id| id.index() + 1).max().unwrap_or(0)];
        ids.iter().for_each(|id| has[id.index()] = true);
        Table { ids, by_address, has, version }
    }

    /// This table without some rows and with others appended, in one step. Built-in rows stay; existing rows are not added
    /// twice.
    ///
    /// # Errors
    /// When an address is in use or malformed, or a default is out of range.
    pub fn changed(&self, without: &[Id], with: &[Def]) -> Result<Arc<Table>, TableError> {
        static VERSIONS: AtomicU64 = AtomicU64::new(1);
        let mut ids: Vec<Id> =
            self.ids.iter().copied().filter(|id| id.is_built_in() || !without.contains(id)).collect();
        let mut taken: HashSet<&str> = ids.iter().map(|id| stem(id.def().address)).collect();
        for def in with {
            if ids.iter().any(|id| id.def() == def) {
                continue;
            }
            check(def).map_err(|reason| TableError::Row { address: def.address, reason })?;
            if !taken.insert(stem(def.address)) {
                return Err(TableError::Taken { address: def.address });
            }
            ids.push(Id::of(def).ok_or(TableError::Full { address: def.address })?);
        }
        Ok(Arc::new(Table::of(ids, VERSIONS.fetch_add(1, Ordering::Relaxed))))
    }

    /// This table with `rows` appended.
    ///
    /// # Errors
    /// As [`Table::changed`].
    pub fn with(&self, rows: &[Def]) -> Result<Arc<Table>, TableError> {
        self.changed(&[], rows)
    }

    /// This table without these rows; built-in ones stay.
    pub fn without(&self, ids: &[Id]) -> Arc<Table> {
        self.changed(ids, &[]).expect("removing rows cannot fail")
    }

    /// Unique to this table.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The rows in order: the built-in ones, then the others in order of addition.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = Id> + ExactSizeIterator + '_ {
        self.ids.iter().copied()
    }

    pub fn iter(&self) -> impl Iterator<Item = &'static Def> + '_ {
        self.ids.iter().map(|id| id.def())
    }

    pub fn len(&self) -> usize {
        self.ids.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    pub fn has(&self, id: Id) -> bool {
        self.has_index(id.index())
    }

    pub(super) fn has_index(&self, index: usize) -> bool {
        self.has.get(index).copied().unwrap_or(false)
    }

    /// Every parameter and every member of the families, in order.
    pub fn targets(&self) -> impl Iterator<Item = Target> + '_ {
        self.ids().flat_map(|id| (0..id.def().count).map(move |index| Target { id, index: index as u16 }))
    }

    /// The row with exactly this address, with `<n>` for a family.
    pub fn row(&self, address: &str) -> Option<Id> {
        self.by_address.get(stem(address)).copied().filter(|id| id.def().address == address)
    }

    /// `id`, or the row that has its address now: after an effect is edited, what controlled its old row controls the new one.
    pub fn current(&self, id: Id) -> Option<Id> {
        if self.has(id) { Some(id) } else { self.row(id.def().address) }
    }

    /// The target of an address such as `/psi` or `/z/3`; a leading `/latent-jockey` is ignored.
    /// `None` if the table has no such address. One or two hash look-ups; does not allocate.
    pub fn resolve(&self, address: &str) -> Option<Target> {
        let address = address.strip_prefix("/latent-jockey").filter(|rest| rest.starts_with('/')).unwrap_or(address);
        let (head, last) = address.split_at(address.rfind('/')? + 1);
        let is_number = !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit());
        let Some(&id) = self.by_address.get(head).filter(|_| is_number) else {
            let id = *self.by_address.get(address)?;
            return (!id.def().is_family()).then(|| id.into());
        };
        let index: usize = last.parse().ok()?;
        (index < id.def().count).then_some(Target { id, index: index as u16 })
    }

    /// The address most similar to `address`, for error messages.
    pub fn nearest(&self, address: &str) -> Option<&'static str> {
        nearest_of(address, self.iter().map(|def| def.address))
    }
}

/// The address without the `<n>` of a family.
fn stem(address: &str) -> &str {
    address.strip_suffix("<n>").unwrap_or(address)
}

/// Checks a row to be added.
fn check(def: &Def) -> Result<(), &'static str> {
    let stem = stem(def.address);
    let path = stem.strip_suffix('/').filter(|_| def.is_family()).unwrap_or(stem);
    let mut names = path.split('/');
    if names.next() != Some("") || names.clone().count() < 2 {
        return Err("it is not in a folder such as /fx/NAME");
    }
    if path.starts_with("/latent-jockey/") || path.starts_with("/get/") {
        return Err("that folder is reserved");
    }
    if path.len() > MAX_ADDRESS || names.clone().any(str::is_empty) {
        return Err("the address has an empty part or is too long");
    }
    if path.bytes().any(|b| !b.is_ascii_graphic() || b"#*,?[]{}<>\"".contains(&b)) {
        return Err("an OSC address may only contain letters, digits and plain punctuation");
    }
    if names.next_back().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit())) {
        return Err("its last part is a number, like a member of a family");
    }
    if def.is_family() != (def.count > 1) || def.count > MAX_DIM {
        return Err("a family ends in /<n> and has 2 to 1024 members");
    }
    match def.kind {
        Kind::Choice { options: [], .. } => return Err("it has no words to choose from"),
        Kind::Text { .. } | Kind::Trigger | Kind::Vector { .. } if def.is_family() => {
            return Err("only numbers and switches can be families");
        }
        Kind::Vector { max_len } if max_len > MAX_DIM => return Err("a vector has at most 1024 numbers"),
        _ => {}
    }
    let (min, max) = def.range();
    let sane = min.is_finite() && max.is_finite() && min < max || matches!(def.kind, Kind::Choice { .. }) && min == max;
    if !sane || def.default_number().is_some_and(|x| !(min..=max).contains(&x)) {
        return Err("its range is empty, or its default is out of range");
    }
    Ok(())
}

/// Longest address of an added row, in bytes: patterns match addresses up to this length.
const MAX_ADDRESS: usize = 120;

/// The table as seen by threads other than the show's; reading takes no lock.
#[derive(Clone, Debug)]
pub struct SharedTable(Arc<arc_swap::ArcSwap<Table>>);

impl Default for SharedTable {
    /// The built-in rows.
    fn default() -> Self {
        SharedTable(Arc::new(arc_swap::ArcSwap::new(Table::built_in().clone())))
    }
}

impl SharedTable {
    /// The newest published table.
    pub fn get(&self) -> arc_swap::Guard<Arc<Table>> {
        self.0.load()
    }

    /// Publishes `table` to the other threads, if it has changed.
    pub fn publish(&self, table: &Arc<Table>) {
        if self.get().version() != table.version() {
            self.0.store(table.clone());
        }
    }
}

/// The candidate most similar to `word`, if any is close enough to be a plausible typo.
pub fn nearest_of<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .map(|c| (strsim::damerau_levenshtein(word, c), c))
        .min_by_key(|&(distance, _)| distance)
        .filter(|&(distance, c)| distance <= (c.len().max(word.len()) / 2).max(2))
        .map(|(_, c)| c)
}

impl Def {
    /// Whether it is a family of numbered parameters.
    pub fn is_family(&self) -> bool {
        self.address.ends_with("<n>")
    }

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

    /// The value of a parameter that has not been set; `None` for a trigger.
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

    /// Describes the accepted values.
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
        let table = Table::built_in();
        for id in table.ids() {
            for index in [0, id.def().count as u16 - 1] {
                let target = Target { id, index };
                assert_eq!(table.resolve(&target.to_string()), Some(target));
                assert_eq!(table.resolve(&format!("/latent-jockey{target}")), Some(target));
            }
            assert_eq!(table.row(id.def().address), Some(id));
        }
        for wrong in
            ["", "/", "/z/", "/z/1024", "/z/-1", "/z/+1", "/z/1/2", "/z/<n>", "/nothing", "psi", "/latent-jockey"]
        {
            assert_eq!(table.resolve(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn every_row_has_help_and_a_default_in_range() {
        let mut addresses: Vec<_> = Table::built_in().iter().map(|d| d.address).collect();
        addresses.sort_unstable();
        assert!(addresses.windows(2).all(|w| w[0] != w[1]), "an address twice");
        for def in Table::built_in().iter() {
            assert!(!def.help.is_empty(), "{}", def.address);
            let (min, max) = def.range();
            assert!(def.default_number().is_none_or(|d| min <= d && d <= max), "{}", def.address);
            assert_eq!(def.is_family(), def.count > 1);
        }
    }

    #[test]
    fn travel_goes_there_and_back() {
        for def in Table::built_in().iter().filter(|d| d.default_number().is_some()) {
            for t in [0.0, 0.25, 1.0] {
                assert!((def.to_travel(def.from_travel(t)) - t).abs() < 1e-9, "{}", def.address);
            }
        }
    }

    const SIDES: Def = Def::int("/fx/table/sides", 1, 12, 6);

    #[test]
    fn rows_come_and_go_and_keep_their_ids() {
        let built_in = Table::built_in();
        let gains = Def::float("/fx/table/gain/<n>", 0.0, 1.0, 0.5).family(4);
        let more = built_in.with(&[SIDES, gains]).unwrap();
        let sides = more.row("/fx/table/sides").unwrap();
        assert_eq!(more.len(), built_in.len() + 2);
        assert_eq!(more.ids().map(|id| id.def().address).nth(built_in.len()), Some("/fx/table/sides"));
        assert_eq!(more.resolve("/latent-jockey/fx/table/sides"), Some(sides.into()));
        assert_eq!(
            more.resolve("/fx/table/gain/3").map(|target| target.to_string()),
            Some("/fx/table/gain/3".to_owned())
        );
        assert_eq!(more.resolve("/fx/table/gain/4"), None);
        assert_eq!(built_in.resolve("/fx/table/sides"), None, "the old table is unchanged");
        assert_ne!(more.version(), built_in.version());

        let fewer = more.without(&[sides, Id::Psi]);
        assert!(!fewer.has(sides) && fewer.has(Id::Psi), "built-in rows stay");
        assert_eq!((sides.def(), sides.is_built_in()), (&SIDES, false), "an id outlives its row");
        assert_eq!(fewer.with(&[SIDES]).unwrap().row("/fx/table/sides"), Some(sides), "the same row has the same id");

        let edited = Def::int("/fx/table/sides", 1, 24, 6);
        let table = more.changed(&[sides], &[edited]).unwrap();
        let new = table.current(sides).unwrap();
        assert!(new != sides && *new.def() == edited && !table.has(sides));
        assert_eq!(fewer.current(sides), None);
    }

    #[test]
    fn invalid_rows_are_refused() {
        let table = Table::built_in().with(&[SIDES]).unwrap();
        assert!(table.with(&[SIDES]).is_ok(), "an existing row is not added twice");
        let taken = Def::float("/fx/table/sides", 0.0, 1.0, 0.0);
        assert_eq!(table.with(&[taken]), Err(TableError::Taken { address: "/fx/table/sides" }));
        assert!(table.with(&[Def::float("/z/<n>", 0.0, 1.0, 0.0).family(3)]).is_err());
        for wrong in [
            Def::float("/get", 0.0, 1.0, 0.0),
            Def::float("/get/a", 0.0, 1.0, 0.0),
            Def::float("fx/a", 0.0, 1.0, 0.0),
            Def::float("/fx//a", 0.0, 1.0, 0.0),
            Def::float("/fx/a b", 0.0, 1.0, 0.0),
            Def::float("/fx/a*", 0.0, 1.0, 0.0),
            Def::float("/fx/7", 0.0, 1.0, 0.0),
            Def::float("/fx/a", 1.0, 0.0, 0.5),
            Def::float("/fx/a", 0.0, f64::NAN, 0.5),
            Def::float("/fx/a", 0.0, 1.0, 2.0),
            Def::float("/fx/a/<n>", 0.0, 1.0, 0.0),
            Def::float("/fx/a", 0.0, 1.0, 0.0).family(4),
            Def::choice("/fx/a", &[], 0),
            Def::text("/fx/a/<n>", "").family(4),
        ] {
            let error = table.with(&[wrong]).map(|_| wrong).unwrap_err();
            assert!(matches!(error, TableError::Row { .. } | TableError::Taken { .. }), "{error}");
        }
    }

    #[test]
    fn equal_strings_are_stored_once() {
        assert!(std::ptr::eq(intern("/fx/table/kept"), intern(&String::from("/fx/table/kept"))));
    }
}
