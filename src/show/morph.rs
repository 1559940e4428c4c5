//! The way from one preset into the next: `/preset/fade` in time, or `/preset/cross` by hand.
//!
//! A preset that is faded into plays as a whole at once: its modulators, effects and mappings are there, its code runs. What
//! can be seen of that is taken back and then let in bit by bit: numbers go from where they were to the preset's along
//! their knobs, an effect or a modulator that only one of the two has fades by its mix or depth, and what cannot be divided
//! changes half-way. The new network fades in for as long.
//!
//! What a hand or code touches meanwhile belongs to it from then on. Pure: the time is the show's, in seconds or beats, so a
//! take repeats it. A frame of it allocates nothing.

use std::borrow::Cow;
use std::collections::HashMap;

use super::Show;
use super::deck::Drives;
use super::loads::{self, From, LoadRequest, Named, Place, PresetQuery};
use crate::control::mapping::macros::number_of;
use crate::control::{Source, Write, clock};
use crate::modulate::modulator::PREFIX;
use crate::modulate::{Ease, Modulator};
use crate::params::{Choice, Def, Id, Kind, Params, Scope, Target, TimeBase, Value};
use crate::patch::effects::EffectEntry;
use crate::patch::preset::Preset;
use crate::patch::set::Fade;
use crate::screen::chain::MOST_LINKS;

/// The walk glides from one to the other by itself: they change at once, unless a hand leads.
const WALKED: [Id; 4] = [Id::Seed, Id::WalkKind, Id::WalkEase, Id::WalkSync];
/// They govern how a change is made, and change at once.
const AT_ONCE: [Id; 6] =
    [Id::TempoSource, Id::Quantize, Id::NetworkFade, Id::PresetFade, Id::PresetSync, Id::PresetCross];

/// A number on its way, in travel.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Number {
    target: Target,
    from: f64,
    to: f64,
    /// What it is in the end.
    value: f64,
}

/// What moves a change on.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Drive {
    /// So far, of so much; and the beat of the last frame.
    Time { done: f64, fade: Fade, beat: f64, switch_at: f64 },
    /// `/preset/cross`, from this end to the other.
    Hand { from: f64 },
}

/// A change on its way.
#[derive(Debug)]
struct Running {
    drive: Drive,
    numbers: Vec<Number>,
    /// Whole numbers, switches and choices, which change half-way.
    switches: Vec<(Target, f64)>,
    /// Names that are loaded half-way.
    texts: Vec<Write>,
    has_switched: bool,
    /// `/z`: where it comes from, and where it goes.
    vector: Option<[Vec<f32>; 2]>,
    /// Kept for its capacity.
    list: Value,
    /// What is set at the end: effects that the preset has switched off.
    finals: Vec<(Target, f64)>,
}

/// A preset that waits for the crossfader.
#[derive(Debug)]
struct Armed {
    preset: Preset,
    number: Option<usize>,
    /// Where the crossfader was when it was free for it.
    from: Option<f64>,
}

/// The change from one preset to the next.
#[derive(Debug, Default)]
pub struct Morph {
    running: Option<Running>,
    /// Effects and modulators of the last preset, which go at the end.
    effects: Vec<String>,
    modulators: Vec<Modulator>,
    armed: Option<Armed>,
    /// How long the next preset that arrives fades, in place of `/preset/fade`.
    next: Option<Fade>,
    /// How long the preset's network fades when it arrives, if `/network/fade` does not say.
    network_secs: Option<f64>,
    /// While a preset is being put in: names are held back, and this chain plays.
    holds: bool,
    held: Vec<Write>,
    chain: Option<Vec<EffectEntry>>,
}

/// What was played before.
struct Before {
    numbers: HashMap<Target, f64>,
    vector: Vec<f32>,
    chain: Vec<EffectEntry>,
    modulators: Vec<Modulator>,
}

impl Morph {
    /// Modulators of the last preset that still fade out.
    pub fn modulators(&self) -> &[Modulator] {
        &self.modulators
    }

    /// Forgets those that fade out whose names are taken by these, which were added meanwhile.
    pub fn keep_modulators_beside(&mut self, playing: &[Modulator]) {
        self.modulators.retain(|old| playing.iter().all(|modulator| modulator.name != old.name));
    }

    /// How long the next preset that arrives fades.
    pub fn set_next(&mut self, fade: Option<Fade>) {
        self.next = fade;
    }

    /// A preset is put in without a fade.
    pub fn interrupt(&mut self) {
        if !self.holds {
            self.cut();
        }
    }

    /// Forgets the change in progress: something else is played.
    pub fn cut(&mut self) {
        (self.running, self.network_secs) = (None, None);
        self.effects.clear();
        self.modulators.clear();
    }

    /// The chain to play with a preset that has this one.
    pub fn chain(&mut self, own: &[EffectEntry]) -> Vec<EffectEntry> {
        self.chain.take().unwrap_or_else(|| own.to_vec())
    }

    /// Holds back the names that would load something while a preset is put in.
    pub fn hold(&mut self, writes: Vec<Write>) -> Vec<Write> {
        if !self.holds {
            return writes;
        }
        let is_held = |write: &Write| {
            let def = write.target.id.def();
            // The second network belongs to the first, which comes at once.
            matches!(def.kind, Kind::Text { .. }) && def.scope == Scope::Picture && write.target.id != Id::NetworkB
        };
        let (held, rest) = writes.into_iter().partition(is_held);
        self.held = held;
        rest
    }

    /// Whether a name other than the one that plays waits for the middle of a fade.
    pub fn brings(&self, id: Id, params: &Params) -> bool {
        let texts = self.running.iter().flat_map(|running| &running.texts);
        let playing = params.text(id);
        let mut others = self.held.iter().chain(texts).filter(|write| write.target.id == id);
        others.any(|write| !matches!(&write.value, Value::Text(text) if text == playing))
    }

    /// What was written by a hand or by code is not moved any more.
    pub fn let_go(&mut self, target: Target) {
        let Some(running) = &mut self.running else { return };
        running.numbers.retain(|number| number.target != target);
        running.switches.retain(|(switched, _)| *switched != target);
        running.finals.retain(|(last, _)| *last != target);
        running.texts.retain(|write| write.target != target);
        if target.id == Id::ZVector {
            running.vector = None;
        }
    }

    /// How a network fades in: with the hand that brings in its preset, or for as long as that if `/network/fade` does not
    /// say.
    pub fn network_drive(&self, place: &Place, params: &Params) -> Option<Drives> {
        if !matches!(place, Place::File(_)) {
            return None;
        }
        match self.by_hand(params) {
            Some(_) => Some(Drives::Hand),
            None if params.get(Id::NetworkFade) > 0.0 => None,
            None => self.network_secs.filter(|secs| *secs > 0.0).map(Drives::Secs),
        }
    }

    /// How far a change by hand is, 0 to 1.
    pub fn by_hand(&self, params: &Params) -> Option<f64> {
        match self.running.as_ref()?.drive {
            Drive::Hand { from } => Some(progress(from, params.base(Id::PresetCross))),
            Drive::Time { .. } => None,
        }
    }

    /// How far the change is, 0 to 1; `None` if nothing changes.
    pub fn progress(&self, params: &Params) -> Option<f64> {
        match self.running.as_ref()?.drive {
            Drive::Hand { from } => Some(progress(from, params.base(Id::PresetCross))),
            Drive::Time { done, fade, .. } => Some((done / fade.length).clamp(0.0, 1.0)),
        }
    }

    /// The preset that waits for the crossfader.
    pub fn armed(&self) -> Option<&Preset> {
        self.armed.as_ref().map(|armed| &armed.preset)
    }

    /// Whether something is loaded ahead for it.
    pub fn prepares(&self) -> bool {
        self.armed.is_some() || self.running.as_ref().is_some_and(|running| !running.texts.is_empty())
    }

    /// What is saved while a change is on its way: where it leads.
    pub fn settled<'a>(&self, params: &'a Params) -> Cow<'a, Params> {
        let Some(running) = &self.running else { return Cow::Borrowed(params) };
        let mut settled = params.clone();
        let numbers = running.numbers.iter().map(|number| (number.target, number.value));
        for (target, value) in numbers.chain(running.switches.iter().copied()).chain(running.finals.iter().copied()) {
            // Each is a value that its row has had.
            let _ = settled.write(target, &Value::Float(value));
        }
        for write in &running.texts {
            if let Value::Text(text) = &write.value {
                settled.set_text(write.target.id, text);
            }
        }
        if let Some([_, to]) = &running.vector {
            let _ = settled.write(Id::ZVector.into(), &Value::List(to.clone()));
        }
        Cow::Owned(settled)
    }

    /// The chain without effects that only fade out.
    pub fn staying(&self, chain: &[EffectEntry]) -> Vec<EffectEntry> {
        chain.iter().filter(|entry| !self.effects.contains(&entry.name)).cloned().collect()
    }

    /// One line about what changes, or waits for the crossfader.
    pub fn line(&self, params: &Params, playing: &str) -> Option<String> {
        if let Some(progress) = self.progress(params) {
            return Some(format!("{playing} fades in: {:.0} %", 100.0 * progress));
        }
        Some(format!("{} waits for the crossfader", self.armed.as_ref()?.preset.name))
    }
}

/// How far the crossfader is on its way `from` the end that it was nearer to, 0 to 1.
fn progress(from: f64, cross: f64) -> f64 {
    let way = if from < 0.5 { (cross - from) / (1.0 - from) } else { (from - cross) / from };
    way.clamp(0.0, 1.0)
}

/// Writes a number's way: `eased` is 0 to 1.
fn place(number: &Number, eased: f64, params: &mut Params) {
    let def = number.target.id.def();
    let value = match eased {
        x if x >= 1.0 => number.value,
        x => def.from_travel(number.from + (number.to - number.from) * x),
    };
    // The row may be gone with its effect.
    let _ = params.write(number.target, &Value::Float(value));
}

/// The chain of a preset with the effects of the last one that it has not, each behind the one that it followed.
fn joined(chain: &[EffectEntry], before: &[EffectEntry]) -> (Vec<EffectEntry>, Vec<String>) {
    let (mut all, mut leaving) = (chain.to_vec(), Vec::new());
    let mut at = 0;
    for entry in before {
        match all.iter().position(|known| known.name == entry.name) {
            Some(known) => at = known + 1,
            None if all.len() < MOST_LINKS => {
                all.insert(at, entry.clone());
                leaving.push(entry.name.clone());
                at += 1;
            }
            None => {}
        }
    }
    (all, leaving)
}

/// Whether a row belongs to an effect of this name.
fn is_of_effect(def: &Def, name: &str) -> bool {
    def.address.strip_prefix("/fx/").and_then(|rest| rest.strip_prefix(name)).is_some_and(|rest| rest.starts_with('/'))
}

impl Show {
    /// Plays a preset that was requested, at once or with a fade.
    pub(super) fn go_to_preset(&mut self, query: &PresetQuery, preset: Preset, number: Option<usize>) {
        let reverts = match query.from {
            From::Saved { back, .. } => Some(back),
            _ => None,
        };
        let asked = self.morph.next.take();
        let fade = if reverts.is_some() { Fade::default() } else { asked.unwrap_or_else(|| self.fade_into(&preset)) };
        self.presets.forget_learned();
        let beat = self.controls.clock().beat();
        if reverts.is_none() {
            self.setlist.landed(&preset.path);
        }
        if fade.length > 0.0 {
            // Half-way; where beats count, on the first one after it.
            let half = fade.length / 2.0;
            let on_beat = ((beat + half).ceil() - beat).min(fade.length);
            let switch_at = if fade.unit == TimeBase::Beats { on_beat } else { half };
            self.morph_into(preset, number, Drive::Time { done: 0.0, fade, beat, switch_at });
        } else {
            self.play_preset(preset, number, |def| def.scope != Scope::Stage);
        }
        if let Some(back) = reverts {
            let line = self.presets.reverted(back);
            self.status.notice(line);
        }
    }

    /// How long a preset fades in: as it says itself, or as is set.
    fn fade_into(&self, preset: &Preset) -> Fade {
        let own = |id: Id| preset.params.iter().rev().find(|(target, _)| *target == id.into()).map(|(_, value)| value);
        let length = match own(Id::PresetFade) {
            Some(Value::Float(length)) => *length,
            _ => self.params.get(Id::PresetFade),
        };
        let unit = match own(Id::PresetSync) {
            Some(Value::Text(word)) => TimeBase::from_word(word).unwrap_or_default(),
            _ => self.params.get_choice::<TimeBase>(Id::PresetSync),
        };
        Fade { length, unit }
    }

    /// Plays a preset so that nothing is seen of it yet, and lets it in from then on.
    fn morph_into(&mut self, preset: Preset, number: Option<usize>, drive: Drive) {
        let before = self.before();
        let base = self.base().to_owned();
        self.morph.cut();
        let has = |name: &str| preset.modulators.iter().any(|modulator| modulator.name == name);
        self.morph.modulators = before.modulators.iter().filter(|old| !has(&old.name)).cloned().collect();
        let (chain, leaving) = joined(&preset.effects, &before.chain);
        (self.morph.chain, self.morph.effects) = (Some(chain), leaving);
        self.morph.holds = true;
        self.play_preset(preset, number, |def| def.scope != Scope::Stage);
        self.morph.holds = false;
        let mut texts = std::mem::take(&mut self.morph.held);
        // What plays already from the same place is not loaded again.
        if self.base() == base {
            texts.retain(
                |write| !matches!(&write.value, Value::Text(text) if text == self.params.text(write.target.id)),
            );
        }
        let mut running = Running {
            drive,
            numbers: Vec::new(),
            switches: Vec::new(),
            texts,
            has_switched: false,
            vector: None,
            list: Value::List(Vec::with_capacity(crate::params::MAX_DIM)),
            finals: Vec::new(),
        };
        self.join_effects(&before, &mut running);
        self.join_modulators(&before, &mut running);
        self.take_back(&before, &mut running);
        for write in &running.texts {
            self.prepare(write);
        }
        let secs = match drive {
            Drive::Time { fade, .. } => fade.length / fade.unit.per_second(self.params.get(Id::Tempo)),
            Drive::Hand { .. } => 0.0,
        };
        self.morph.network_secs = Some(secs);
        if secs > 0.0 {
            self.decks.glide_over(secs);
        }
        self.morph.running = Some(running);
        self.place_morph(0.0, 0.0);
    }

    /// What plays, before the next preset comes.
    fn before(&self) -> Before {
        let is_number = |target: &Target| target.id.def().default_number().is_some();
        let table = self.params.table();
        let numbers = table.targets().filter(is_number).map(|target| (target, self.params.base(target))).collect();
        let mut modulators = self.edits.applied(&self.presets.playing().modulators);
        modulators.extend(self.morph.modulators.iter().cloned());
        if self.modulation.is_off() {
            modulators.clear();
        }
        let (vector, chain) = (self.params.vector(Id::ZVector).to_vec(), self.effects.wanted().to_vec());
        Before { numbers, vector, chain, modulators }
    }

    /// Lets the effects of the last preset fade out, and the new ones in.
    fn join_effects(&mut self, before: &Before, running: &mut Running) {
        let new = self.presets.playing().effects.clone();
        let knobs = |show: &Show, name: &str| {
            let row = |word: &str| show.params.table().row(&format!("/fx/{name}/{word}")).map(Target::from);
            Some((row("enabled")?, row("mix")?))
        };
        let of = |target: Target| before.numbers.get(&target).copied();
        for entry in &before.chain {
            let Some((enabled, mix)) = knobs(self, &entry.name) else { continue };
            let (Some(was_on), Some(was)) = (of(enabled), of(mix)) else { continue };
            let leaves = self.morph.effects.contains(&entry.name);
            if was_on >= 0.5 && (leaves || self.params.base(enabled) < 0.5) {
                // It goes on as it was, and fades out.
                let to = self.params.base(mix);
                self.set_number(enabled, 1.0);
                self.fade_number(mix, (was, 0.0), running);
                running.finals.extend((!leaves).then_some([(enabled, 0.0), (mix, to)]).into_iter().flatten());
            }
        }
        for entry in &new {
            let Some((enabled, mix)) = knobs(self, &entry.name) else { continue };
            let same = before.chain.iter().find(|old| old.name == entry.name && old.source == entry.source);
            let was_on = same.is_some() && of(enabled).is_some_and(|on| on >= 0.5);
            if !was_on && self.params.base(enabled) >= 0.5 {
                let to = self.params.base(mix);
                self.fade_number(mix, (0.0, to), running);
                // There is nothing of it to be seen yet.
                running.finals.push((enabled, 1.0));
            }
        }
    }

    /// Lets new modulators deepen, and those that only the last preset had flatten.
    fn join_modulators(&mut self, before: &Before, running: &mut Running) {
        let depth = |show: &Show, modulator: &Modulator| {
            show.params.table().row(&format!("{PREFIX}{}/depth", modulator.name)).map(Target::from)
        };
        for old in self.morph.modulators.clone() {
            let Some(depth) = depth(self, &old) else { continue };
            let was = before.numbers.get(&depth).copied().unwrap_or(0.0);
            self.fade_number(depth, (was, 0.0), running);
        }
        for new in self.presets.playing().modulators.clone() {
            let Some(depth) = depth(self, &new) else { continue };
            if !before.modulators.iter().any(|old| old.has_source_of(&new)) {
                let to = self.params.base(depth);
                self.fade_number(depth, (0.0, to), running);
            }
        }
    }

    fn set_number(&mut self, target: Target, value: f64) {
        // Numbers of rows that are there.
        let _ = self.params.write(target, &Value::Float(value));
    }

    fn fade_number(&mut self, target: Target, (from, value): (f64, f64), running: &mut Running) {
        let def = target.id.def();
        running.numbers.retain(|number| number.target != target);
        running.numbers.push(Number { target, from: def.to_travel(from), to: def.to_travel(value), value });
    }

    /// Sets what the preset has changed back to where it was, and notes where it goes.
    fn take_back(&mut self, before: &Before, running: &mut Running) {
        let faded: Vec<Target> = running.numbers.iter().map(|number| number.target).collect();
        let is_by_hand = matches!(running.drive, Drive::Hand { .. });
        let is_set = |target: &Target| running.finals.iter().any(|(set, _)| set == target);
        let mut changed = Vec::new();
        for target in self.params.table().targets() {
            let Some(&from) = before.numbers.get(&target) else { continue };
            let to = self.params.base(target);
            let is_at_once = AT_ONCE.contains(&target.id) || WALKED.contains(&target.id) && !is_by_hand;
            // A macro goes with its first target.
            let macros = self.controls.mapping().macros().entries();
            let follows = number_of(target.id).is_some_and(|number| !macros[number].to.is_empty());
            if from != to && !is_at_once && !follows && !faded.contains(&target) && !is_set(&target) {
                changed.push((target, from, to));
            }
        }
        for (target, from, to) in changed {
            let def = target.id.def();
            self.set_number(target, from);
            // What leaves stays as it was.
            let leaves = self.morph.effects.iter().any(|name| is_of_effect(def, name))
                || self.morph.modulators.iter().any(|old| def.address.starts_with(&format!("{PREFIX}{}/", old.name)));
            if leaves {
                continue;
            }
            match def.kind {
                Kind::Float { .. } => self.fade_number(target, (from, to), running),
                _ => running.switches.push((target, to)),
            }
        }
        let vector = self.params.vector(Id::ZVector).to_vec();
        if vector != before.vector {
            running.vector = Some([before.vector.clone(), vector]);
        }
    }

    /// Moves the change on by one frame.
    pub(super) fn step_morph(&mut self, dt: f64) {
        self.begin_by_hand();
        let now = self.controls.clock().beat();
        let per_second = TimeBase::Beats.per_second(self.params.get(Id::Tempo));
        let cross = self.params.base(Id::PresetCross);
        let Some(running) = &mut self.morph.running else { return };
        let (so_far, switches, is_over) = match &mut running.drive {
            Drive::Time { done, fade, beat, switch_at } => {
                let passed = now - std::mem::replace(beat, now);
                *done += match fade.unit {
                    TimeBase::Seconds => dt,
                    TimeBase::Beats => clock::counted(passed, dt * per_second),
                };
                ((*done / fade.length).min(1.0), *done >= *switch_at, *done >= fade.length)
            }
            Drive::Hand { from } => {
                let so_far = progress(*from, cross);
                (so_far, so_far >= 0.5, so_far >= 1.0)
            }
        };
        let is_by_hand = matches!(running.drive, Drive::Hand { .. });
        let eased = if is_by_hand { so_far } else { Ease::Smooth.apply(so_far) };
        self.place_morph(eased, so_far);
        if switches || is_over {
            self.switch_morph();
        }
        if is_over {
            self.end_morph();
        }
    }

    fn place_morph(&mut self, eased: f64, so_far: f64) {
        let Some(running) = &mut self.morph.running else { return };
        for number in &running.numbers {
            place(number, eased, &mut self.params);
        }
        if let (Some([from, to]), Value::List(list)) = (&running.vector, &mut running.list) {
            let at = |numbers: &[f32], i: usize| numbers.get(i).copied().unwrap_or(0.0);
            list.clear();
            list.extend((0..from.len().max(to.len())).map(|i| {
                let (from, to) = (at(from, i), at(to, i));
                from + (to - from) * eased as f32
            }));
            if so_far >= 1.0 {
                list.truncate(to.len());
            }
            let _ = self.params.write(Id::ZVector.into(), &running.list);
        }
    }

    /// Changes what cannot be divided.
    fn switch_morph(&mut self) {
        let Some(running) = &mut self.morph.running else { return };
        if std::mem::replace(&mut running.has_switched, true) {
            return;
        }
        let (switches, texts) = (std::mem::take(&mut running.switches), std::mem::take(&mut running.texts));
        for (target, value) in switches {
            self.set_number(target, value);
        }
        self.write_all(texts);
    }

    /// The preset is there as a whole.
    fn end_morph(&mut self) {
        let Some(running) = self.morph.running.take() else { return };
        for (target, value) in running.finals {
            self.set_number(target, value);
        }
        let chain = self.morph.staying(self.effects.wanted());
        self.morph.effects.clear();
        self.want_effects(chain);
        if !self.morph.modulators.is_empty() {
            self.morph.modulators.clear();
            let was_off = self.modulation.is_off();
            self.play_modulators();
            if was_off {
                self.modulation.clear(&mut self.params);
            }
        }
    }

    /// Loads the preset that `/preset/arm` names, so that the crossfader can bring it in; nothing disarms.
    pub(super) fn arm_preset(&mut self) {
        let named: Named = self.named(Id::PresetArm);
        if !named.name.trim().is_empty() {
            return self.loads.request(LoadRequest::Armed(PresetQuery { from: From::Named(named), by: 0 }));
        }
        self.loads.cancel(loads::Kind::Armed);
        self.status.mended(loads::Kind::Armed);
        self.morph.armed = None;
    }

    /// The preset that was to be armed has been read.
    pub(super) fn armed(&mut self, preset: Preset, number: Option<usize>) {
        self.prepare_preset(&preset);
        self.params.set_text(Id::PresetArm, &preset.name);
        self.status.notice(format!("{} is armed: /preset/cross brings it in", preset.name));
        self.morph.armed = Some(Armed { preset, number, from: None });
    }

    /// Begins to bring in the armed preset once the crossfader moves.
    fn begin_by_hand(&mut self) {
        let cross = self.params.base(Id::PresetCross);
        let is_free = !self.morph.running.as_ref().is_some_and(|running| matches!(running.drive, Drive::Hand { .. }));
        let Some(armed) = self.morph.armed.as_mut().filter(|_| is_free) else { return };
        let from = *armed.from.get_or_insert(cross);
        if progress(from, cross) > 0.0
            && let Some(Armed { preset, number, .. }) = self.morph.armed.take()
        {
            self.params.set_text(Id::PresetArm, "");
            self.presets.forget_learned();
            self.setlist.landed(&preset.path);
            self.morph_into(preset, number, Drive::Hand { from });
        } else if progress(from, cross) == 0.0
            && let Some(armed) = &mut self.morph.armed
        {
            // Towards its end first: the way to the other one begins there.
            armed.from = Some(if from < 0.5 { from.min(cross) } else { from.max(cross) });
        }
    }

    /// The preset that waits for the crossfader, by its name.
    pub fn armed_preset(&self) -> Option<&str> {
        self.morph.armed().map(|preset| preset.name.as_str())
    }

    /// How far the change from the last preset to the one that plays is, 0 to 1; `None` if nothing changes.
    pub fn fading(&self) -> Option<f64> {
        self.morph.progress(&self.params)
    }

    /// A write of the preset to a parameter that was changed in its file.
    pub(super) fn reloaded(&mut self, writes: Vec<Write>) {
        for write in &writes {
            debug_assert!(write.source == Source::Preset);
            self.morph.let_go(write.target);
        }
        self.write_all(writes);
    }
}
