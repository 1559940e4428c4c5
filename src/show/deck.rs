//! Decks: a network, the two walks through its latent space, and the path from z to ws.
//!
//! Deck A plays. During a fade, the new network plays on deck B; when the fade is over, B becomes A. Both keep walking.
//! Runs on the show's thread; pure.

use std::sync::Arc;

use super::stage::Request;
use crate::latent::classes::Classes;
use crate::latent::layers::{self, Layers, Zone, Zones};
use crate::latent::mapping::{Mapping, Scratch};
use crate::latent::seed::z_from_seed;
use crate::latent::track::{Key, Track, between};
use crate::latent::walk::{self, Walk};
use crate::modulate::Ease;
use crate::network::Network;
use crate::params::{CLASS_KNOBS, Id, MAX_LAYERS, Params, Target, TimeBase, WalkKind};
use crate::patch::track::{KeyEntry, Latent};
use crate::thread::free;

/// Where the knobs of directions lead.
#[derive(Clone, Debug, Default)]
pub struct Leads {
    /// The step `[w_dim]` of each knob `/dir/<n>`.
    pub knobs: Vec<Vec<f32>>,
    /// The rows of named directions, what they reach, and their steps `[w_dim]`.
    pub named: Vec<(Id, Zone, Layers, Vec<f32>)>,
}

/// A track of keys for one network.
#[derive(Clone, Debug, Default)]
struct Keyed {
    /// As they were taken: of w, or of ws.
    keys: Track,
    /// All as ws, if some are.
    layered: Option<Track>,
    /// Which keys are ws.
    are_layered: Vec<bool>,
    /// Whether the track has been taken away: it is left with a glide.
    is_over: bool,
    /// The point of this frame.
    point: Vec<f32>,
    /// Where a glide to a key has begun, and where the track is meanwhile.
    from: Vec<f32>,
    aim: Vec<f32>,
    /// How much of it is seen: 0 the walk, 1 the track.
    share: f64,
}

impl Keyed {
    /// Whether there is a track to be played.
    fn plays(&self) -> bool {
        !self.is_over && !self.keys.keys.is_empty()
    }

    /// The track for this network, one line for each key that does not fit it, and where the seeds are.
    fn new(entries: &[KeyEntry], mapping: &Mapping, classes: &mut Classes) -> (Keyed, Option<String>) {
        let (mut keys, mut are_layered, mut problem) = (Track::default(), Vec::new(), None);
        let (mut w, mut scratch) = (Vec::new(), Scratch::default());
        for (n, entry) in entries.iter().enumerate() {
            let (num_ws, w_dim) = (mapping.num_ws, mapping.w_dim);
            let (rows, is_layered) = if let Latent::Seed(seed) = entry.at {
                classes.map(mapping, &z_from_seed(seed, mapping.z_dim), &mut w, &mut scratch);
                (w.clone(), false)
            } else {
                entry.at.rows().unwrap_or_default()
            };
            let expected = if is_layered { num_ws * w_dim } else { w_dim };
            if rows.len() == expected {
                keys.keys.push(Key { rows, length: entry.length });
                are_layered.push(is_layered);
            } else {
                let line =
                    format!("key {n} has {} numbers, expected w of {w_dim} or ws of {num_ws} x {w_dim}", rows.len());
                problem.get_or_insert(line);
            }
        }
        let layered = are_layered.contains(&true).then(|| keys.clone());
        (Keyed { keys, layered, are_layered, ..Keyed::default() }, problem)
    }
}

/// A place on the track.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Seek {
    /// In its seconds or beats.
    pub time: f64,
    /// While it glides there: the part of the way that is done, eased.
    pub glide: Option<f64>,
}

/// What brings in a network that arrives with its preset, in place of `/network/fade`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Drives {
    /// This many seconds.
    Secs(f64),
    /// The hand that brings in the preset.
    Hand,
}

/// One network, and its position in its latent space.
struct Deck {
    /// What plays: the network, or a blend of it with a second one.
    network: Arc<Network>,
    /// As it is in its file.
    own: Arc<Network>,
    zones: Zones,
    /// Empty until they are found.
    leads: Leads,
    keyed: Keyed,
    walk: Walk,
    /// The second walk, which drives the layers that are mixed.
    other: Walk,
    scratch: Scratch,
    /// `[w_dim]`
    w: Vec<f32>,
    /// `[w_dim]`, of the second walk.
    other_w: Vec<f32>,
    /// `[num_ws, w_dim]`, of the second walk.
    other_ws: Vec<f32>,
    classes: Classes,
}

impl Deck {
    fn new(network: Arc<Network>, params: &Params) -> Self {
        let z_dim = network.mapping.z_dim;
        Deck {
            zones: network.zones(),
            leads: Leads::default(),
            keyed: Keyed::default(),
            walk: Walk::new(z_dim, walk_settings(params)),
            other: Walk::new(z_dim, other_settings(params)),
            own: network.clone(),
            network,
            scratch: Scratch::default(),
            w: Vec::new(),
            other_w: Vec::new(),
            other_ws: Vec::new(),
            classes: Classes::default(),
        }
    }

    fn step(&mut self, dt: f64, settings: &walk::Settings, others: &walk::Settings) {
        let to = f64::from(u8::from(settings.kind == WalkKind::Keys && self.keyed.plays()));
        let most = if settings.glide_secs > 0.0 { dt / settings.glide_secs } else { 1.0 };
        self.keyed.share += (to - self.keyed.share).clamp(-most, most);
        self.walk.step(dt, settings);
        self.other.step(dt, others);
    }

    /// z with the player's offsets → w → ws `[num_ws, w_dim]`, truncated; some layers mixed with the second walk's.
    fn ws(&mut self, p: &Params, seek: Seek, ws: &mut Vec<f32>) {
        let mapping = &self.network.mapping;
        ws.clear();
        ws.extend_from_slice(self.walk.z());
        offset(ws, p, Id::Z, p.vector(Id::ZVector));
        let share = |index: usize| p.get(Target { id: Id::ClassMix, index: index as u16 }) as f32;
        self.classes.set(p.get(Id::Class), mapping.c_dim, (0..CLASS_KNOBS).map(share));
        self.classes.map(mapping, ws, &mut self.w, &mut self.scratch);
        let share = Ease::Smooth.apply(self.keyed.share) as f32;
        let is_layered = self.keyed.layered.is_some();
        if share > 0.0 {
            self.keyed.place(p, seek, mapping, self.classes.shares());
        }
        if share > 0.0 && !is_layered {
            blend(&mut self.w, &self.keyed.point, share);
        }
        offset(&mut self.w, p, Id::W, &[]);
        mapping.truncate_each_in_class(self.classes.shares(), &self.w, |layer| psi(p, layer), ws);
        let amount = p.get(Id::MixAmount) as f32;
        if amount != 0.0 {
            self.classes.map(mapping, self.other.z(), &mut self.other_w, &mut self.scratch);
            mapping.truncate_each_in_class(
                self.classes.shares(),
                &self.other_w,
                |layer| psi(p, layer),
                &mut self.other_ws,
            );
            let range = Layers { from: p.int(Id::MixFrom) as usize, to: p.int(Id::MixTo) as usize };
            let mixed = self.zones.layers(p.get_choice(Id::MixZone), range);
            layers::mix(ws, &self.other_ws, amount, mixed, mapping.w_dim);
        }
        self.follow_directions(p, ws);
        if share > 0.0 && is_layered {
            blend(ws, &self.keyed.point, share);
        }
    }

    /// After truncation, so that a step keeps its size at any psi.
    fn follow_directions(&self, p: &Params, ws: &mut [f32]) {
        for (n, step) in self.leads.knobs.iter().enumerate() {
            let amount = p.get(Target { id: Id::Dir, index: n as u16 }) as f32;
            if amount != 0.0 {
                let [from, to, zone] = Id::of_direction(n);
                let range = Layers { from: p.int(from) as usize, to: p.int(to) as usize };
                layers::add(ws, step, amount, self.zones.layers(p.get_choice(zone), range));
            }
        }
        for (row, zone, range, step) in &self.leads.named {
            let amount = p.get(*row) as f32;
            if amount != 0.0 {
                layers::add(ws, step, amount, self.zones.layers(*zone, *range));
            }
        }
    }
}

impl Keyed {
    /// Finds the point at a place of the track.
    fn place(&mut self, p: &Params, seek: Seek, mapping: &Mapping, shares: &[f32]) {
        let (way, ease, end) = (p.get_choice(Id::KeysWay), p.get_choice(Id::KeysEase), p.get_choice(Id::KeysEnd));
        if let Some(layered) = &mut self.layered {
            // Keys of w follow psi, those of ws are what they are.
            for ((key, layers), is_layered) in self.keys.keys.iter().zip(&mut layered.keys).zip(&self.are_layered) {
                if !is_layered {
                    mapping.truncate_each_in_class(shares, &key.rows, |layer| psi(p, layer), &mut layers.rows);
                }
            }
        }
        let track = self.layered.as_ref().unwrap_or(&self.keys);
        if let Some(place) = track.place(seek.time, end) {
            track.at(place, way, ease, end, &mapping.w_avg, &mut self.point);
        }
        // Keys may have become those of layers on the way.
        if let Some(part) = seek.glide.filter(|_| self.from.len() == self.point.len()) {
            std::mem::swap(&mut self.point, &mut self.aim);
            between(&self.from, &self.aim, part, way, &mapping.w_avg, &mut self.point);
        }
    }
}

/// `values += share·(other − values)`
fn blend(values: &mut [f32], other: &[f32], share: f32) {
    values.iter_mut().zip(other).for_each(|(x, y)| *x = if share == 1.0 { *y } else { *x + share * (y - *x) });
}

/// The psi of a layer.
fn psi(p: &Params, layer: usize) -> f32 {
    let common = if (layer as i64) < p.int(Id::PsiCutoff) { p.get(Id::Psi) } else { 1.0 };
    let own = if layer < MAX_LAYERS { p.get(Target { id: Id::PsiLayer, index: layer as u16 }) } else { 0.0 };
    (common + own) as f32
}

/// Adds the player's offsets: of single dimensions (`family`), and of a whole vector.
fn offset(values: &mut [f32], params: &Params, family: Id, vector: &[f32]) {
    for (index, value) in values.iter_mut().enumerate().take(family.def().count) {
        *value += params.get(Target { id: family, index: index as u16 }) as f32;
    }
    values.iter_mut().zip(vector).for_each(|(value, offset)| *value += offset);
}

fn walk_settings(p: &Params) -> walk::Settings {
    let per_second = p.get_choice::<TimeBase>(Id::WalkSync).per_second(p.get(Id::Tempo));
    walk::Settings {
        kind: p.get_choice(Id::WalkKind),
        seed: p.int(Id::Seed) as u32,
        speed: p.get(Id::WalkSpeed) * per_second,
        radius: p.get(Id::WalkRadius),
        ease: p.get_choice(Id::WalkEase),
        glide_secs: p.get(Id::WalkGlide),
    }
}

/// Of the second walk. Its easing and its glides are those of the first.
fn other_settings(p: &Params) -> walk::Settings {
    let per_second = p.get_choice::<TimeBase>(Id::MixWalkSync).per_second(p.get(Id::Tempo));
    walk::Settings {
        kind: p.get_choice(Id::MixWalkKind),
        seed: p.int(Id::MixSeed) as u32,
        speed: p.get(Id::MixWalkSpeed) * per_second,
        radius: p.get(Id::MixWalkRadius),
        ease: p.get_choice(Id::WalkEase),
        glide_secs: p.get(Id::WalkGlide),
    }
}

/// The playing network, and the one fading in.
pub struct Decks {
    a: Deck,
    b: Option<Deck>,
    /// From A (0) to B (1).
    fade: f64,
    drives: Option<Drives>,
    /// How far the hand is, 0 to 1, if it brings in a preset.
    by_hand: Option<f64>,
    /// How long the next glide of the walk takes at least, in seconds.
    glide_secs: f64,
    /// Where on the track.
    seek: Seek,
    /// Counts networks; a request says which it is for.
    generation: u64,
}

impl Decks {
    pub fn new(network: Arc<Network>, params: &Params) -> Self {
        let a = Deck::new(network, params);
        Decks {
            a,
            b: None,
            fade: 0.0,
            drives: None,
            by_hand: None,
            glide_secs: 0.0,
            seek: Seek::default(),
            generation: 0,
        }
    }

    /// The same network at the start of its walks.
    pub fn anew(&self, params: &Params) -> Self {
        let newest = self.newest();
        let mut decks = Decks::new(newest.network.clone(), params);
        decks.generation = self.generation;
        decks.a.own = newest.own.clone();
        decks.a.leads = newest.leads.clone();
        decks.a.keyed = newest.keyed.clone();
        decks
    }

    fn newest(&self) -> &Deck {
        self.b.as_ref().unwrap_or(&self.a)
    }

    /// The playing network, or the one fading in; a blend, where a second one is mixed in.
    pub fn network(&self) -> &Arc<Network> {
        &self.newest().network
    }

    /// The same as it is in its file.
    pub fn own_network(&self) -> &Arc<Network> {
        &self.newest().own
    }

    /// Which network the next request is for.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Plays a different network from the next request: at once, or with a fade. In the middle of a fade, fades from deck B.
    pub fn change(&mut self, network: Arc<Network>, params: &Params, fades: bool) {
        let deck = Deck::new(network, params);
        if let Some(b) = self.b.take() {
            self.play_alone(b);
        }
        if fades {
            self.b = Some(deck);
        } else {
            self.play_alone(deck);
        }
        self.fade = 0.0;
        self.generation += 1;
    }

    /// Deck A's network goes, with all its memory.
    fn play_alone(&mut self, deck: Deck) {
        free(std::mem::replace(&mut self.a, deck));
    }

    /// Plays another blend of the newest network from the next request. Walks, directions and fades go on.
    pub fn exchange(&mut self, network: Arc<Network>) {
        free(std::mem::replace(&mut self.b.as_mut().unwrap_or(&mut self.a).network, network));
        self.generation += 1;
    }

    /// The track of keys from now on, for all networks that play. One line if a key does not fit the newest. With `at_once`, it is
    /// seen without a glide.
    pub fn set_track(&mut self, entries: &[KeyEntry], params: &Params, at_once: bool) -> Option<String> {
        let mut problem = None;
        for deck in std::iter::once(&mut self.a).chain(&mut self.b) {
            if entries.is_empty() && !at_once {
                deck.keyed.is_over = true;
                continue;
            }
            // Where it is going: how far it has got depends on when the track was read.
            deck.classes.set(params.base(Id::Class), deck.network.mapping.c_dim, std::iter::empty());
            let (share, from) = (deck.keyed.share, std::mem::take(&mut deck.keyed.from));
            let point = std::mem::take(&mut deck.keyed.point);
            (deck.keyed, problem) = Keyed::new(entries, &deck.network.mapping, &mut deck.classes);
            (deck.keyed.from, deck.keyed.point) = (from, point);
            let is_played = params.get_choice::<WalkKind>(Id::WalkKind) == WalkKind::Keys && !entries.is_empty();
            deck.keyed.share = if at_once { f64::from(u8::from(is_played)) } else { share };
        }
        problem
    }

    /// Where on the track the next picture is.
    pub fn seek(&mut self, seek: Seek) {
        self.seek = seek;
    }

    /// A glide to a key begins where the track is now. False if it is not seen: then there is no way to go.
    pub fn begin_glide(&mut self) -> bool {
        for deck in std::iter::once(&mut self.a).chain(&mut self.b) {
            deck.keyed.from.clone_from(&deck.keyed.point);
        }
        let keyed = &self.newest().keyed;
        keyed.share > 0.0 && !keyed.point.is_empty()
    }

    /// The latent of the newest network now: w `[w_dim]` before truncation, and ws `[num_ws, w_dim]`.
    pub fn latent(&mut self, params: &Params) -> [Vec<f32>; 2] {
        let (seek, mut ws) = (self.seek, Vec::new());
        let deck = self.b.as_mut().unwrap_or(&mut self.a);
        deck.ws(params, seek, &mut ws);
        [deck.w.clone(), ws]
    }

    /// The directions of a network have been found.
    pub fn set_leads(&mut self, network: &Arc<Network>, leads: &Leads) {
        for deck in std::iter::once(&mut self.a).chain(&mut self.b) {
            if Arc::ptr_eq(&deck.own, network) {
                deck.leads = leads.clone();
            }
        }
    }

    /// Whether those of the playing network have been found.
    pub fn has_leads(&self) -> bool {
        !self.newest().leads.knobs.is_empty()
    }

    /// What brings in the network that was just changed to.
    pub fn set_drive(&mut self, drives: Option<Drives>) {
        self.drives = drives;
    }

    /// How far the hand is, 0 to 1, if it brings in a preset.
    pub fn follow(&mut self, by_hand: Option<f64>) {
        self.by_hand = by_hand;
    }

    /// If the walk turns in the next step, it glides for this many seconds at least.
    pub fn glide_over(&mut self, secs: f64) {
        self.glide_secs = secs;
    }

    /// Restarts the walks.
    pub fn restart(&mut self) {
        let deck = self.b.as_mut().unwrap_or(&mut self.a);
        deck.walk.restart();
        deck.other.restart();
    }

    /// Advances by `dt` seconds. True when a fade has just ended and the old network is no longer needed.
    pub fn step(&mut self, dt: f64, params: &Params) -> bool {
        let (mut settings, mut others) = (walk_settings(params), other_settings(params));
        let glide_secs = std::mem::take(&mut self.glide_secs);
        for settings in [&mut settings, &mut others] {
            settings.glide_secs = settings.glide_secs.max(glide_secs);
        }
        self.a.step(dt, &settings, &others);
        let Some(b) = &mut self.b else { return false };
        b.step(dt, &settings, &others);
        let after = |secs: f64| if secs > 0.0 { (self.fade + dt / secs).min(1.0) } else { 1.0 };
        self.fade = match self.drives {
            // Where the hand has let go, it has arrived.
            Some(Drives::Hand) => self.by_hand.unwrap_or(1.0),
            Some(Drives::Secs(secs)) => after(secs),
            None => after(params.get(Id::NetworkFade)),
        };
        let Some(b) = self.b.take_if(|_| self.fade >= 1.0) else { return false };
        self.play_alone(b);
        true
    }

    /// The decks' part of a request.
    pub fn fill(&mut self, params: &Params, request: &mut Request) {
        request.generation = self.generation;
        match &mut self.b {
            Some(b) => {
                b.ws(params, self.seek, &mut request.ws);
                self.a.ws(params, self.seek, &mut request.ws_before);
                request.fade = self.fade as f32;
            }
            None => {
                self.a.ws(params, self.seek, &mut request.ws);
                request.ws_before.clear();
                request.fade = 1.0;
            }
        }
    }
}

#[cfg(test)]
mod agrees;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::stylegan2;
    use crate::params::Value;

    fn network(resolution: usize) -> Arc<Network> {
        Arc::new(stylegan2::random(resolution, 256, 16, 8, 0))
    }

    fn request(decks: &mut Decks, params: &Params) -> Request {
        let mut request = Request::default();
        decks.fill(params, &mut request);
        request
    }

    #[test]
    fn a_network_that_fades_in_plays_on_deck_b_until_it_becomes_a() {
        let mut params = Params::default();
        params.write(Id::NetworkFade.into(), &Value::Float(2.0)).unwrap();
        params.settle();
        let mut decks = Decks::new(network(16), &params);
        let alone = request(&mut decks, &params);
        assert_eq!((alone.fade, alone.generation, alone.ws_before.len()), (1.0, 0, 0));
        let comes = network(8);
        decks.change(comes.clone(), &params, true);
        assert!(Arc::ptr_eq(decks.network(), &comes), "the newest is what plays");
        assert!(!decks.step(0.5, &params));
        let both = request(&mut decks, &params);
        assert_eq!((both.fade, both.generation), (0.25, 1));
        assert!(both.ws_before.len() > both.ws.len(), "each has the ws of its own network");
        assert!(!decks.step(1.0, &params) && decks.step(0.5, &params), "it ends once");
        let after = request(&mut decks, &params);
        assert_eq!((after.fade, after.ws_before.len(), after.ws.len()), (1.0, 0, both.ws.len()));
        assert!(!decks.step(0.5, &params));
    }

    #[test]
    fn a_network_fades_in_for_as_long_as_its_preset_or_with_the_hand() {
        let params = Params::default();
        let mut decks = Decks::new(network(16), &params);
        decks.change(network(8), &params, true);
        decks.set_drive(Some(Drives::Secs(4.0)));
        assert!(!decks.step(1.0, &params));
        assert_eq!(request(&mut decks, &params).fade, 0.25);
        assert!(decks.step(3.0, &params));
        decks.change(network(16), &params, true);
        decks.set_drive(Some(Drives::Hand));
        for at in [0.0, 0.75, 0.5] {
            decks.follow(Some(at));
            assert!(!decks.step(9.0, &params));
            assert_eq!(f64::from(request(&mut decks, &params).fade), at);
        }
        decks.follow(None);
        assert!(decks.step(0.1, &params), "it is there");
    }

    #[test]
    fn a_network_that_has_gone_is_freed_elsewhere() {
        let params = Params::default();
        let first = network(16);
        let gone = Arc::downgrade(&first);
        let mut decks = Decks::new(first, &params);
        decks.change(network(8), &params, false);
        crate::thread::finish_freeing();
        assert_eq!(gone.strong_count(), 0);
    }

    #[test]
    fn a_cut_and_a_third_network_leave_one_deck_to_fade_from() {
        let mut params = Params::default();
        params.write(Id::NetworkFade.into(), &Value::Float(2.0)).unwrap();
        let [first, second, third] = [16, 8, 32].map(network);
        let mut decks = Decks::new(first, &params);
        decks.change(second.clone(), &params, true);
        decks.step(0.5, &params);
        decks.change(third.clone(), &params, true);
        assert!(Arc::ptr_eq(&decks.a.network, &second) && Arc::ptr_eq(decks.network(), &third));
        assert_eq!(decks.fade, 0.0);
        decks.change(second.clone(), &params, false);
        assert!(decks.b.is_none() && Arc::ptr_eq(decks.network(), &second));
        assert_eq!(decks.generation(), 3);
    }
}
