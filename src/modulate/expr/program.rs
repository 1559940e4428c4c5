//! An expression lowered to a flat list of operations on a stack.

use super::{Binary, Expr, ExprError, Node, Unary};
use crate::modulate::lfo::Wave;
use crate::modulate::pattern::{Atom, Player};
use crate::modulate::{SignalId, Signals, Time};
use crate::params::{Params, Target};

/// Time constant with which a wave slides back onto the beat after its period has changed.
const SLIDE_SECS: f64 = 0.3;
/// Number of frames that a delay remembers.
const DELAY_FRAMES: usize = 1024;
/// The largest delay in beats of what comes from outside.
pub const MAX_DELAY_BEATS: f64 = 64.0;

/// What a program reads in a frame.
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    pub time: Time,
    pub signals: &'a Signals,
    pub params: &'a Params,
}

#[derive(Clone, Debug)]
enum Op {
    Const(f64),
    Signal(SignalId),
    Param(Target),
    Beat {
        scale: f64,
        shift: f64,
    },
    /// A period in real beats; state: how far it is off the beat, in cycles, and its last period.
    Wave {
        wave: Wave,
        period: f64,
        start: f64,
        seed: u64,
        is_bipolar: bool,
        state: usize,
    },
    /// Takes its period in beats from the stack; state: its position in cycles, and the last beat.
    FreeWave {
        wave: Wave,
        scale: f64,
        phase: f64,
        seed: u64,
        is_bipolar: bool,
        state: usize,
    },
    /// State: the value held.
    Pattern {
        cell: usize,
        scale: f64,
        shift: f64,
        is_pulse: bool,
        state: usize,
    },
    Unary(Unary),
    Binary(Binary),
    Smooth {
        secs: f64,
        state: usize,
    },
    /// State: the level, and the peak that it rises to.
    Env {
        attack: f64,
        release: f64,
        state: usize,
    },
    Quantize(f64),
    Delay {
        line: usize,
        beats: f64,
    },
}

/// A pattern that plays, and the number of each of its values.
#[derive(Clone, Debug)]
struct Cell {
    player: Player,
    numbers: std::sync::Arc<[f64]>,
}

/// The last frames of a value: a ring of beats and values.
#[derive(Clone, Debug, Default)]
struct Line {
    frames: Vec<[f64; 2]>,
    next: usize,
}

/// An expression that runs: one number per frame.
#[derive(Clone, Debug)]
pub struct Program {
    ops: Vec<Op>,
    states: Vec<f64>,
    cells: Vec<Cell>,
    lines: Vec<Line>,
    /// Whether a step of a pattern began in this frame.
    has_onset: bool,
    /// Whether a pattern has not played anything yet.
    is_silent: bool,
}

/// What lowering knows on the way down.
#[derive(Clone, Copy)]
struct Way {
    scale: f64,
    shift: f64,
    is_pulse: bool,
}

impl Program {
    /// Lowers an expression. `salt` is the seed of its random waves and patterns that have none of their own.
    ///
    /// # Errors
    /// When a word of a pattern has no number.
    pub fn new(expr: &Expr, salt: u64) -> Result<Program, ExprError> {
        let (cells, lines) = (Vec::new(), Vec::new());
        let mut program =
            Program { ops: Vec::new(), states: Vec::new(), cells, lines, has_onset: false, is_silent: false };
        program.lower(expr, Way { scale: 1.0, shift: 0.0, is_pulse: false }, salt)?;
        Ok(program)
    }

    fn state(&mut self, initial: &[f64]) -> usize {
        self.states.extend_from_slice(initial);
        self.states.len() - initial.len()
    }

    fn lower(&mut self, expr: &Expr, way: Way, salt: u64) -> Result<(), ExprError> {
        let Way { scale, shift, is_pulse } = way;
        // Random waves in one expression differ from each other.
        let own_seed = salt.wrapping_add(0x9e37_79b9 * self.ops.len() as u64);
        match &*expr.node {
            Node::Const(x) => self.ops.push(Op::Const(*x)),
            Node::Signal(id) => self.live(Op::Signal(*id), way),
            Node::Param(target) => self.live(Op::Param(*target), way),
            Node::Beat => self.ops.push(Op::Beat { scale, shift }),
            Node::Wave { wave, period, phase, seed, is_bipolar } => {
                let (wave, seed, is_bipolar) = (*wave, seed.unwrap_or(own_seed), *is_bipolar);
                match period.as_number() {
                    Some(beats) => {
                        let beats = positive(beats);
                        let state = self.state(&[0.0, beats / scale]);
                        let start = phase - shift / beats;
                        self.ops.push(Op::Wave { wave, period: beats / scale, start, seed, is_bipolar, state });
                    }
                    None => {
                        self.lower(period, way, salt)?;
                        let state = self.state(&[f64::NAN, f64::NAN]);
                        self.ops.push(Op::FreeWave { wave, scale, phase: *phase, seed, is_bipolar, state });
                    }
                }
            }
            Node::Pattern { pattern, beats, numbers } => {
                if let Some(i) = numbers.iter().position(|x| x.is_nan()) {
                    let word = match &pattern.values()[i] {
                        Atom::Word(word) => word.clone(),
                        Atom::Number(x) => x.to_string(),
                    };
                    return Err(ExprError::Word { word });
                }
                let beats = positive(*beats);
                let state = self.state(&[f64::NAN]);
                let player = Player::new(pattern.clone(), own_seed);
                self.cells.push(Cell { player, numbers: numbers.clone() });
                let (scale, shift) = (scale / beats, shift / beats);
                self.ops.push(Op::Pattern { cell: self.cells.len() - 1, scale, shift, is_pulse, state });
            }
            Node::Unary(op, x) => {
                self.lower(x, way, salt)?;
                self.ops.push(Op::Unary(*op));
            }
            Node::Binary(op, a, b) => {
                self.lower(a, way, salt)?;
                self.lower(b, way, salt)?;
                self.ops.push(Op::Binary(*op));
            }
            Node::Smooth(x, secs) => {
                self.lower(x, way, salt)?;
                let state = self.state(&[f64::NAN]);
                self.ops.push(Op::Smooth { secs: *secs, state });
            }
            Node::Env { of, attack, release } => {
                self.lower(of, Way { is_pulse: true, ..way }, salt)?;
                let state = self.state(&[0.0, 0.0]);
                self.ops.push(Op::Env { attack: attack.max(0.0), release: release.max(0.0), state });
            }
            Node::Quantize(x, step) => {
                self.lower(x, way, salt)?;
                self.ops.push(Op::Quantize(*step));
            }
            Node::Time { of, scale: by, shift: late } => {
                let by = positive(*by);
                self.lower(of, Way { scale: scale * by, shift: shift * by + late, is_pulse }, salt)?;
            }
        }
        Ok(())
    }

    /// Something from outside: it can only be late.
    fn live(&mut self, op: Op, way: Way) {
        self.ops.push(op);
        let beats = way.shift / way.scale;
        if beats > 0.0 {
            self.lines.push(Line { frames: Vec::with_capacity(DELAY_FRAMES), next: 0 });
            self.ops.push(Op::Delay { line: self.lines.len() - 1, beats: beats.min(MAX_DELAY_BEATS) });
        }
    }

    /// Continues from where another program of the same shape is: with other numbers, a wave does not jump.
    pub fn go_on_from(&mut self, other: &Program) {
        let kind = |op: &Op| std::mem::discriminant(op);
        if self.ops.len() != other.ops.len() || !self.ops.iter().zip(&other.ops).all(|(a, b)| kind(a) == kind(b)) {
            return;
        }
        self.states.clone_from(&other.states);
        for (line, old) in self.lines.iter_mut().zip(&other.lines) {
            line.frames.extend_from_slice(&old.frames);
            line.next = old.next;
        }
        for (cell, old) in self.cells.iter_mut().zip(&other.cells) {
            cell.player.go_on_from(&old.player);
        }
    }

    /// Whether a step of a pattern began in the last frame.
    pub fn has_onset(&self) -> bool {
        self.has_onset
    }

    /// Whether a pattern in it has not played anything yet: there is no value then.
    pub fn is_silent(&self) -> bool {
        self.is_silent
    }

    /// The value in this frame; may be NaN or infinite. `stack` is scratch space. Does not allocate, except for a pattern
    /// with more events in this cycle than in the ones before, and for a deeper stack than ever.
    pub fn step(&mut self, frame: &Frame, stack: &mut Vec<f64>) -> f64 {
        stack.clear();
        (self.has_onset, self.is_silent) = (false, false);
        let Frame { time, signals, params } = *frame;
        let Program { ops, states, cells, lines, .. } = self;
        for op in ops.iter() {
            let value = match op {
                Op::Const(x) => *x,
                Op::Signal(id) => signals.get(*id),
                Op::Param(target) => params.get(*target),
                Op::Beat { scale, shift } => time.beat * scale - shift,
                Op::Wave { wave, period, start, seed, is_bipolar, state } => {
                    let offset = on_the_beat(&mut states[*state..*state + 2], *period, &time);
                    polar(wave.at(time.beat / period + start + offset, *seed), *is_bipolar)
                }
                Op::FreeWave { wave, scale, phase, seed, is_bipolar, state } => {
                    let period = positive(stack.pop().unwrap_or(1.0)) / scale;
                    let [at, last] = [states[*state], states[state + 1]];
                    let at = if at.is_nan() { time.beat / period } else { at + (time.beat - last) / period };
                    (states[*state], states[state + 1]) = (at, time.beat);
                    polar(wave.at(at + phase, *seed), *is_bipolar)
                }
                Op::Pattern { cell, scale, shift, is_pulse, state } => {
                    let Cell { player, numbers } = &mut cells[*cell];
                    let (value, is_onset) = player.at(time.beat * scale - shift);
                    let value = value.and_then(|value| numbers.get(value).copied());
                    self.has_onset |= is_onset;
                    states[*state] = value.unwrap_or(states[*state]);
                    if *is_pulse {
                        value.filter(|_| is_onset).unwrap_or(0.0)
                    } else {
                        self.is_silent |= states[*state].is_nan();
                        states[*state]
                    }
                }
                Op::Unary(op) => op.apply(stack.pop().unwrap_or(0.0)),
                Op::Binary(op) => {
                    let b = stack.pop().unwrap_or(0.0);
                    op.apply(stack.pop().unwrap_or(0.0), b)
                }
                Op::Smooth { secs, state } => {
                    let to = stack.pop().unwrap_or(0.0);
                    let from = states[*state];
                    let follow = if *secs > 0.0 { 1.0 - (-time.dt / secs).exp() } else { 1.0 };
                    let at = if from.is_finite() && to.is_finite() { from + (to - from) * follow } else { to };
                    states[*state] = at;
                    at
                }
                Op::Env { attack, release, state } => {
                    let input = stack.pop().unwrap_or(0.0);
                    envelope(&mut states[*state..*state + 2], input, [*attack, *release], time.dt)
                }
                Op::Quantize(step) => (stack.pop().unwrap_or(0.0) / step).round() * step,
                Op::Delay { line, beats } => lines[*line].at(time.beat, stack.pop().unwrap_or(0.0), *beats),
            };
            stack.push(value);
        }
        stack.pop().unwrap_or(0.0)
    }
}

/// A period that can be divided by.
fn positive(x: f64) -> f64 {
    if x.is_finite() { x.max(1e-3) } else { 1.0 }
}

fn polar(unit: f64, is_bipolar: bool) -> f64 {
    if is_bipolar { 2.0 * unit - 1.0 } else { unit }
}

/// How far a wave is off the beat, in cycles. When its period changes, it continues from where it is, then slides back.
fn on_the_beat(state: &mut [f64], period: f64, time: &Time) -> f64 {
    let [offset, last] = state else { return 0.0 };
    if *last != period {
        *offset += time.beat / *last - time.beat / period;
        *last = period;
    } else if *offset != 0.0 {
        // Whole cycles stay: they make no difference, except to the random waves, which must not jump.
        let rest = (*offset - offset.round()) * (-time.dt / SLIDE_SECS).exp();
        *offset = offset.round() + if rest.abs() < 1e-6 { 0.0 } else { rest };
    }
    *offset
}

/// Rises to each peak of the input, then falls.
fn envelope(state: &mut [f64], input: f64, [attack, release]: [f64; 2], dt: f64) -> f64 {
    let [level, peak] = state else { return 0.0 };
    if input.is_finite() && input > level.max(*peak) {
        *peak = input;
    }
    if *peak > *level {
        *level += if attack > 0.0 { *peak * dt / attack } else { *peak };
        if *level >= *peak {
            (*level, *peak) = (*peak, 0.0);
        }
    } else {
        // e⁻³ is a twentieth.
        *level *= if release > 0.0 { (-3.0 * dt / release).exp() } else { 0.0 };
    }
    *level
}

impl Line {
    /// Remembers a value, and returns the one of `beats` ago; before that, the oldest.
    fn at(&mut self, beat: f64, value: f64, beats: f64) -> f64 {
        let frame = [beat, value];
        if self.frames.len() < DELAY_FRAMES {
            self.frames.push(frame);
        } else {
            self.frames[self.next] = frame;
        }
        self.next = (self.next + 1) % DELAY_FRAMES;
        let count = self.frames.len();
        // From the newest to the oldest; beats may have jumped, so no bisection.
        let frame_at = |i: usize| self.frames[(self.next + DELAY_FRAMES - 1 - i) % DELAY_FRAMES];
        let wanted = beat - beats;
        let mut newer = frame;
        for i in 1..count {
            let older = frame_at(i);
            if older[0] <= wanted {
                let width = newer[0] - older[0];
                let t = if width > 0.0 { (wanted - older[0]) / width } else { 0.0 };
                return older[1] + (newer[1] - older[1]) * t.clamp(0.0, 1.0);
            }
            newer = older;
        }
        newer[1]
    }
}
