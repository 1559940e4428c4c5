//! Decks: a network, the walk through its latent space, and the path from z to ws.
//!
//! Deck A plays. During a fade, the new network plays on deck B; when the fade is over, B becomes A. Both keep walking.
//! Runs on the show's thread; pure.

use std::sync::Arc;

use super::stage::Request;
use crate::latent::mapping::{Scratch, blend_classes};
use crate::latent::walk::{self, Walk};
use crate::network::Network;
use crate::params::{Id, Params, Target, TimeBase};

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
    network: Arc<Network>,
    walk: Walk,
    scratch: Scratch,
    /// `[w_dim]`
    w: Vec<f32>,
    /// `[c_dim]`
    class: Vec<f32>,
}

impl Deck {
    fn new(network: Arc<Network>, settings: walk::Settings) -> Self {
        let walk = Walk::new(network.mapping.z_dim, settings);
        Deck { network, walk, scratch: Scratch::default(), w: Vec::new(), class: Vec::new() }
    }

    /// z with the player's offsets → w → ws `[num_ws, w_dim]`, truncated.
    fn ws(&mut self, p: &Params, ws: &mut Vec<f32>) {
        let mapping = &self.network.mapping;
        ws.clear();
        ws.extend_from_slice(self.walk.z());
        offset(ws, p, Id::Z, p.vector(Id::ZVector));
        blend_classes(p.get(Id::Class), mapping.c_dim, &mut self.class);
        mapping.map(ws, &self.class, &mut self.w, &mut self.scratch);
        offset(&mut self.w, p, Id::W, &[]);
        let cutoff = p.int(Id::PsiCutoff) as usize;
        mapping.truncate_in_class(&self.class, &self.w, p.get(Id::Psi) as f32, cutoff, ws);
    }
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
    /// Counts networks; a request says which it is for.
    generation: u64,
}

impl Decks {
    pub fn new(network: Arc<Network>, params: &Params) -> Self {
        let a = Deck::new(network, walk_settings(params));
        Decks { a, b: None, fade: 0.0, drives: None, by_hand: None, glide_secs: 0.0, generation: 0 }
    }

    fn newest(&self) -> &Deck {
        self.b.as_ref().unwrap_or(&self.a)
    }

    /// The playing network, or the one fading in.
    pub fn network(&self) -> &Arc<Network> {
        &self.newest().network
    }

    /// Which network the next request is for.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Plays a different network from the next request: at once, or with a fade. In the middle of a fade, fades from deck B.
    pub fn change(&mut self, network: Arc<Network>, params: &Params, fades: bool) {
        let deck = Deck::new(network, walk_settings(params));
        if let Some(b) = self.b.take() {
            self.a = b;
        }
        if fades {
            self.b = Some(deck);
        } else {
            self.a = deck;
        }
        self.fade = 0.0;
        self.generation += 1;
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
        self.b.as_mut().unwrap_or(&mut self.a).walk.restart();
    }

    /// Advances by `dt` seconds. True when a fade has just ended and the old network is no longer needed.
    pub fn step(&mut self, dt: f64, params: &Params) -> bool {
        let mut settings = walk_settings(params);
        settings.glide_secs = settings.glide_secs.max(std::mem::take(&mut self.glide_secs));
        self.a.walk.step(dt, &settings);
        let Some(b) = &mut self.b else { return false };
        b.walk.step(dt, &settings);
        let after = |secs: f64| if secs > 0.0 { (self.fade + dt / secs).min(1.0) } else { 1.0 };
        self.fade = match self.drives {
            // Where the hand has let go, it has arrived.
            Some(Drives::Hand) => self.by_hand.unwrap_or(1.0),
            Some(Drives::Secs(secs)) => after(secs),
            None => after(params.get(Id::NetworkFade)),
        };
        let Some(b) = self.b.take_if(|_| self.fade >= 1.0) else { return false };
        self.a = b;
        true
    }

    /// The decks' part of a request.
    pub fn fill(&mut self, params: &Params, request: &mut Request) {
        request.generation = self.generation;
        match &mut self.b {
            Some(b) => {
                b.ws(params, &mut request.ws);
                self.a.ws(params, &mut request.ws_before);
                request.fade = self.fade as f32;
            }
            None => {
                self.a.ws(params, &mut request.ws);
                request.ws_before.clear();
                request.fade = 1.0;
            }
        }
    }
}

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
