//! Network bending: operations on the maps between the layers of a network.
//!
//! Source of the idea: Broad, Leymarie and Grierson, "Network Bending: Expressive Manipulation of Deep Generative Models"
//! (2021). A bend works on the output of a layer, after its noise, bias, activation and clamp; whatever reads that map, the next
//! layer and toRGB, reads the bent one. Here is what both engines share: which layers there are, which channels are chosen, and
//! what an operation is in numbers. The engines apply it between two steps of their plans (`cpu/bend.rs`, `gpu/bend.rs`).
//! Nothing here computes pictures or reads a clock.

use std::ops::RangeInclusive;

use super::plan::{BufferId, Op, Plan};
use crate::latent::seed;
pub use crate::params::{BendCluster as Cluster, BendEdge as Edge, BendKind as Kind};

/// How many bends there are.
pub const SLOTS: usize = crate::params::BENDS;
/// The amount of [`Kind::Feedback`] is what stays after one of so many parts of a second.
const FEEDBACK_RATE: f64 = 30.0;
/// Longest time that feedback counts from one picture to the next, in seconds.
const LONGEST_SECS: f32 = 0.5;
/// Largest radius of a disc, and deviation of a blur, in samples.
const MOST_SAMPLES: f32 = 16.0;
/// Smallest zoom.
const LEAST_ZOOM: f64 = 0.01;
/// Normal numbers before they repeat: enough to see no pattern, and few enough to be made between two pictures.
const NORMALS: usize = 1 << 18;
/// Channels that can be told apart, from 0; no network that is known has as many in a layer.
const MOST_CHANNELS: usize = 2048;

/// A set of channels of a layer, by their numbers.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Channels([u64; MOST_CHANNELS / 64]);

impl Channels {
    /// The channels that a text names, by numbers and ranges such as `3, 8-12`; `None` if it is empty. Numbers that no layer has
    /// are passed over.
    ///
    /// # Errors
    /// One line that says what is wrong.
    pub fn parse(text: &str) -> Result<Option<Channels>, String> {
        let (mut channels, mut is_empty) = (Channels::default(), true);
        for word in text.split([',', ' ']).filter(|word| !word.is_empty()) {
            let (from, to) = word.split_once('-').unwrap_or((word, word));
            let (Ok(from), Ok(to)) = (from.parse::<usize>(), to.parse::<usize>()) else {
                return Err(format!("channels are numbers and ranges such as 3,8-12, got {word:?}"));
            };
            channels.insert(from.min(to)..=from.max(to));
            is_empty = false;
        }
        Ok((!is_empty).then_some(channels))
    }

    pub fn insert(&mut self, channels: RangeInclusive<usize>) {
        let last = (*channels.end()).min(MOST_CHANNELS - 1);
        (*channels.start()..=last).for_each(|channel| self.0[channel / 64] |= 1 << (channel % 64));
    }

    pub fn has(&self, channel: usize) -> bool {
        self.0.get(channel / 64).is_some_and(|some| some & (1 << (channel % 64)) != 0)
    }
}

impl std::fmt::Debug for Channels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries((0..MOST_CHANNELS).filter(|channel| self.has(*channel))).finish()
    }
}

/// What decides which channels are bent: as long as it stays, they are the same.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    layer: usize,
    /// The bits of the share.
    share: u32,
    seed: u32,
    among: Option<Channels>,
}

/// One bend.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bend {
    pub kind: Kind,
    /// The number of a layer, see [`layers`]. One that is not there bends nothing.
    pub layer: usize,
    pub amount: f32,
    /// In degrees, counter-clockwise: the direction of [`Kind::Translate`] and [`Kind::Flip`], and the turn of
    /// [`Kind::Feedback`] in a second.
    pub angle: f32,
    /// Of [`Kind::Feedback`], in a second.
    pub zoom: f32,
    pub edge: Edge,
    /// The channels that may be bent; `None` for all.
    pub among: Option<Channels>,
    /// Part of those that are bent, 0 to 1.
    pub share: f32,
    /// Which ones that part is, and the numbers of [`Kind::Noise`].
    pub seed: u32,
}

impl Default for Bend {
    /// Off; all channels.
    fn default() -> Self {
        let (kind, edge) = Default::default();
        Bend { kind, layer: 0, amount: 0.0, angle: 0.0, zoom: 1.0, edge, among: None, share: 1.0, seed: 0 }
    }
}

/// All bends of one picture, done in the order of their slots.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bends {
    pub slots: [Bend; SLOTS],
    /// Another number than in the picture before forgets what [`Kind::Freeze`] and [`Kind::Feedback`] remember.
    pub epoch: u32,
    /// Seconds since the picture before, for [`Kind::Feedback`].
    pub secs: f32,
}

impl Bends {
    /// Whether any is on.
    pub fn is_on(&self) -> bool {
        self.slots.iter().any(|bend| bend.kind != Kind::Off)
    }

    /// Whether the next picture depends on this one.
    pub fn remembers(&self) -> bool {
        self.slots.iter().any(|bend| bend.remembers())
    }

    /// Whether pictures move without anything else moving.
    pub fn moves(&self) -> bool {
        self.slots.iter().any(|bend| bend.kind == Kind::Feedback && bend.amount != 0.0)
    }
}

impl Bend {
    fn remembers(&self) -> bool {
        matches!(self.kind, Kind::Freeze | Kind::Feedback)
    }

    /// Whether it needs memory as large as the map, beside scratch memory.
    pub fn has_memory(&self) -> bool {
        self.remembers() || self.kind == Kind::Noise
    }

    /// What is done to a map of this layer. `None` if the map stays as it is.
    pub fn work(&self, layer: &Layer, secs: f32) -> Option<Work> {
        let a = f64::from(self.amount);
        let samples = self.amount.clamp(0.0, MOST_SAMPLES);
        let towards = |angle: f32| (f64::from(angle).to_radians().cos(), f64::from(angle).to_radians().sin());
        let warp = |[m, n]: [[f64; 2]; 2], by: [f64; 2], share: f32| {
            let rows = [(m, by[0], layer.width), (n, by[1], layer.height)];
            let rows = rows.map(|([x, y], by, side)| [x, y, by + (side as f64 - 1.0) / 2.0].map(|x| x as f32));
            Work::Warp(Warp { rows, edge: self.edge }, share)
        };
        let turned = |turns: f64, zoom: f64| {
            let (sin, cos) = (turns.rem_euclid(1.0) * std::f64::consts::TAU).sin_cos();
            let zoom = zoom.max(LEAST_ZOOM);
            [[cos / zoom, -sin / zoom], [sin / zoom, cos / zoom]]
        };
        let is_neutral = match self.kind {
            Kind::Scale | Kind::Zoom => self.amount == 1.0,
            // The squares of smaller ones have no room in 32 bits.
            Kind::Erode | Kind::Dilate | Kind::Blur => samples < 1e-3,
            Kind::Rotate => self.amount.rem_euclid(1.0) == 0.0,
            Kind::Threshold | Kind::Freeze | Kind::Feedback => false,
            Kind::Off => true,
            Kind::Add | Kind::Invert | Kind::Translate | Kind::Flip | Kind::Noise => self.amount == 0.0,
        };
        if is_neutral {
            return None;
        }
        Some(match self.kind {
            Kind::Off => return None,
            Kind::Scale => Work::Linear { gain: self.amount, offset: 0.0 },
            Kind::Add => Work::Linear { gain: 1.0, offset: self.amount },
            Kind::Invert => Work::Linear { gain: (1.0 - 2.0 * a) as f32, offset: self.amount },
            Kind::Threshold => Work::Threshold(self.amount),
            Kind::Rotate => warp(turned(a, 1.0), [0.0; 2], 1.0),
            Kind::Translate => {
                let ((cos, sin), by) = (towards(self.angle), a * layer.unit);
                warp([[1.0, 0.0], [0.0, 1.0]], [-by * cos, by * sin], 1.0)
            }
            Kind::Zoom => warp(turned(0.0, a), [0.0; 2], 1.0),
            Kind::Flip => {
                // Reflected at the line across the direction.
                let (cos, sin) = towards(2.0 * self.angle);
                warp([[-cos, sin], [sin, cos]], [0.0; 2], self.amount)
            }
            Kind::Erode => Work::Disc { radius: samples, is_most: false },
            Kind::Dilate => Work::Disc { radius: samples, is_most: true },
            Kind::Blur => Work::Blur(samples),
            Kind::Noise => Work::AddMemory(self.amount),
            Kind::Freeze => Work::Freeze(self.amount),
            Kind::Feedback => {
                let steps = f64::from(secs.clamp(0.0, LONGEST_SECS)) * FEEDBACK_RATE;
                let turns = f64::from(self.angle) / 360.0 * steps / FEEDBACK_RATE;
                let zoom = f64::from(self.zoom).max(LEAST_ZOOM).powf(steps / FEEDBACK_RATE);
                let kept = if a > 0.0 { a.min(1.0).powf(steps) as f32 } else { 0.0 };
                let Work::Warp(warp, _) = warp(turned(turns, zoom), [0.0; 2], 1.0) else { return None };
                Work::Feedback(warp, kept)
            }
        })
    }

    /// What decides about [`Bend::choose`].
    pub fn choice(&self) -> Choice {
        Choice { layer: self.layer, share: self.share.to_bits(), seed: self.seed, among: self.among }
    }

    /// Marks the channels that are bent: `⌊share·n + ½⌋` of the n that may be, those with the smallest of C uniform numbers of
    /// numpy's legacy generator, one for each channel. A larger share only adds channels. `order` is scratch memory.
    pub fn choose(&self, chosen: &mut [f32], order: &mut Vec<(f64, usize)>) {
        let is_among = |channel: usize| self.among.as_ref().is_none_or(|among| among.has(channel));
        let most = (0..chosen.len()).filter(|channel| is_among(*channel)).count();
        let count = (f64::from(self.share.clamp(0.0, 1.0)) * most as f64 + 0.5).floor() as usize;
        if count >= most {
            let marks = chosen.iter_mut().enumerate();
            return marks.for_each(|(channel, chosen)| *chosen = f32::from(u8::from(is_among(channel))));
        }
        order.clear();
        let mut uniform = seed::uniform(self.seed);
        let numbered = (0..chosen.len()).map(|channel| (uniform(), channel));
        order.extend(numbered.filter(|(_, channel)| is_among(*channel)));
        order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        chosen.fill(0.0);
        order[..count].iter().for_each(|(_, channel)| chosen[*channel] = 1.0);
    }
}

/// Where the samples of a moved map come from: sample (x, y) from `rows·(x − c, y − c, 1)`, c the middle, read bilinearly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Warp {
    pub rows: [[f32; 3]; 2],
    pub edge: Edge,
}

/// What a bend does to a map, in numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Work {
    /// gain·x + offset
    Linear { gain: f32, offset: f32 },
    /// x > a ? 1 : 0
    Threshold(f32),
    /// x + a·m, m the memory.
    AddMemory(f32),
    /// x + a·(m − x)
    Freeze(f32),
    /// x + a·(warp(x) − x)
    Warp(Warp, f32),
    /// y = x + a·(warp(m) − x), and m = y.
    Feedback(Warp, f32),
    /// The most or the least of a disc; between two whole radii, a mix of both.
    Disc { radius: f32, is_most: bool },
    /// The deviation in samples.
    Blur(f32),
}

/// The samples on each side of row `dy` of a disc, `√(radius² − dy²)` rounded half to even.
pub fn half_width(radius: i32, dy: i32) -> i32 {
    f64::from(radius * radius - dy * dy).sqrt().round_ties_even() as i32
}

/// Samples on each side that a blur reads.
pub fn reach(deviation: f32) -> i32 {
    (3.0 * deviation).ceil() as i32
}

/// A layer that can be bent.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Such as `b8.conv1`.
    pub name: String,
    /// The step of the plan that writes the map.
    pub step: usize,
    pub out: BufferId,
    pub channels: usize,
    pub height: usize,
    pub width: usize,
    /// The picture's width, in samples of the map. In StyleGAN3 maps are larger than the picture.
    pub unit: f64,
    /// Of the layer.
    pub clamp: Option<f32>,
}

/// The layers of a plan that can be bent, in order: convolution layers; the gated ones of FastGAN, which end its layers. A
/// layer whose map is the picture is none, and style networks have none.
pub fn layers(plan: &Plan) -> Vec<Layer> {
    let is_gated = plan.steps.iter().any(|step| matches!(step.op, Op::Gated(_)));
    let (mut layers, mut rate) = (Vec::new(), 0.0);
    for (step, at) in plan.steps.iter().zip(0..) {
        let out = step.op.out();
        let map = plan.get(out);
        let clamp = match &step.op {
            Op::Fourier(op) => {
                rate = f64::from(op.sampling_rate);
                continue;
            }
            Op::Filtered(op) => {
                rate *= op.up as f64 / op.down as f64;
                op.clamp
            }
            Op::Synthesis(op) if !is_gated => op.clamp,
            Op::Gated(_) => None,
            _ => continue,
        };
        if plan.output == Some(out) {
            continue;
        }
        let unit = if rate > 0.0 { rate } else { map.width as f64 };
        let (channels, height, width) = (map.channels, map.height, map.width);
        layers.push(Layer { name: step.name.clone(), step: at, out, channels, height, width, unit, clamp });
    }
    layers
}

/// Fills the noise of a slot, `[C, H, W]`: normal numbers of numpy's legacy generator, again from the start after 262,144.
/// `normals` is scratch memory.
pub fn fill_noise(seed: u32, count: usize, normals: &mut Vec<f32>, mut put: impl FnMut(usize, f32)) {
    normals.resize(count.min(NORMALS), 0.0);
    seed::fill_from_seed(seed, normals);
    (0..count).for_each(|at| put(at, normals[at % NORMALS]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::stylegan2;

    #[test]
    fn layers_are_numbered_as_convolutions() {
        let names = |plan: &Plan| layers(plan).into_iter().map(|layer| layer.name).collect::<Vec<_>>();
        let plan = stylegan2::random(16, 64, 8, 16, 0).plan;
        assert_eq!(names(&plan), ["b4.conv1", "b8.conv0", "b8.conv1", "b16.conv0", "b16.conv1"]);
        let plan = crate::network::stylegan3::random(crate::network::stylegan3::Config::T, 64, 1024, 32, 16).plan;
        let layers = layers(&plan);
        assert!(layers.iter().enumerate().all(|(i, layer)| layer.name.starts_with(&format!("L{i}_"))));
        assert_eq!(layers.len(), 14, "the last one is the picture");
        assert!(layers.iter().all(|layer| layer.unit <= layer.width as f64));
    }

    #[test]
    fn what_changes_nothing_is_left_out() {
        let plan = stylegan2::random(16, 64, 8, 16, 0).plan;
        let layer = &layers(&plan)[2];
        let work = |kind, amount| Bend { kind, amount, ..Bend::default() }.work(layer, 0.0);
        for (kind, neutral) in [
            (Kind::Off, 0.5),
            (Kind::Scale, 1.0),
            (Kind::Add, 0.0),
            (Kind::Invert, 0.0),
            (Kind::Rotate, -2.0),
            (Kind::Translate, 0.0),
            (Kind::Zoom, 1.0),
            (Kind::Flip, 0.0),
            (Kind::Erode, -1.0),
            (Kind::Dilate, 0.0),
            (Kind::Blur, 0.0),
            (Kind::Noise, 0.0),
        ] {
            assert_eq!(work(kind, neutral), None, "{kind:?}");
            assert!(kind == Kind::Off || work(kind, 0.5).is_some(), "{kind:?}");
        }
    }

    #[test]
    fn feedback_does_not_depend_on_the_frame_rate() {
        let plan = stylegan2::random(16, 64, 8, 16, 0).plan;
        let layer = &layers(&plan)[2];
        let bend = Bend { kind: Kind::Feedback, amount: 0.7, zoom: 2.0, angle: 40.0, ..Bend::default() };
        let after = |secs| match bend.work(layer, secs) {
            Some(Work::Feedback(warp, kept)) => (warp.rows[0][0].hypot(warp.rows[1][0]), kept),
            other => panic!("{other:?}"),
        };
        let (zoom, kept) = after(1.0 / 30.0);
        assert!((kept - 0.7).abs() < 1e-6);
        let (half_zoom, half_kept) = after(1.0 / 60.0);
        assert!((half_kept * half_kept - kept).abs() < 1e-6 && (half_zoom * half_zoom - zoom).abs() < 1e-6);
        assert_eq!(after(9.0), after(LONGEST_SECS), "a pause is not made up for");
    }

    #[test]
    fn a_larger_share_only_adds_channels() {
        let chosen = |share| {
            let (mut chosen, mut order) = (vec![0.5; 32], Vec::new());
            Bend { share, seed: 3, ..Bend::default() }.choose(&mut chosen, &mut order);
            chosen
        };
        let of = |chosen: &[f32]| (0..32).filter(|c| chosen[*c] == 1.0).collect::<Vec<_>>();
        // The numbers are numpy's: see the fixtures of bending.
        assert_eq!(of(&chosen(0.25)), [6, 7, 8, 10, 16, 18, 23, 27]);
        assert_eq!(of(&chosen(0.5)), [2, 6, 7, 8, 9, 10, 13, 16, 18, 19, 20, 22, 23, 26, 27, 28]);
        assert!(of(&chosen(0.0)).is_empty() && of(&chosen(1.0)).len() == 32);
    }

    #[test]
    fn some_channels_are_chosen_by_their_numbers_and_a_share_of_those() {
        let chosen = |text: &str, share| {
            let (mut chosen, mut order) = (vec![0.5; 32], Vec::new());
            Bend { among: Channels::parse(text).unwrap(), share, seed: 3, ..Bend::default() }
                .choose(&mut chosen, &mut order);
            (0..32).filter(|channel| chosen[*channel] == 1.0).collect::<Vec<_>>()
        };
        assert_eq!(chosen("7,28-30 , 5", 1.0), [5, 7, 28, 29, 30]);
        assert_eq!(chosen("30-28", 1.0), [28, 29, 30]);
        assert_eq!(chosen("30-99999999, 2050", 1.0), [30, 31], "there are no others");
        // Those of half of all channels come first.
        assert_eq!(chosen("3-8", 0.5), [6, 7, 8]);
        assert_eq!(chosen("3-8", 0.0), [0; 0]);
        assert_eq!(chosen(" , ", 1.0).len(), 32, "no numbers: all");
        for wrong in ["a", "3-", "-3", "1-2-3", "1.5"] {
            let line = Channels::parse(wrong).unwrap_err();
            assert_eq!(line, format!("channels are numbers and ranges such as 3,8-12, got {wrong:?}"));
        }
    }
}
