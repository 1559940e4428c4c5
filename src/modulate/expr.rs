//! Expressions of signals: `0.7 + 0.3 * sine(8)`, as trees that scripts build and [`Program`]s that run every frame.
//!
//! An [`Expr`] is immutable and cheap to clone. It knows the interval of its values, so that `range` can map whatever it
//! is applied to. A [`Program`] is an expression lowered to a flat list of operations with room for its state: running it
//! allocates nothing.

mod program;

use std::sync::Arc;

pub use program::{Frame, Program};

use super::lfo::Wave;
use super::pattern::{Atom, Pattern};
use super::signals::SignalId;
use crate::params::Target;

/// Maximum number of nodes of an expression.
pub const MAX_NODES: usize = 256;

/// Why an expression cannot be built or run.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ExprError {
    #[error("the expression is too large: more than {MAX_NODES} parts")]
    TooLarge,
    #[error("the pattern has the word {word:?}, which is not a number here")]
    Word { word: String },
}

/// A number over time.
#[derive(Clone, Debug)]
pub struct Expr {
    node: Arc<Node>,
    /// The interval of its values.
    low: f64,
    high: f64,
    /// The number of nodes.
    size: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unary {
    Neg,
    Abs,
    Floor,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Pow,
    Mod,
    Min,
    Max,
    /// 1 where the left is above the right, otherwise 0.
    Above,
}

#[derive(Debug)]
enum Node {
    Const(f64),
    /// A named signal, 0 to 1 by convention.
    Signal(SignalId),
    /// The effective value of a parameter.
    Param(Target),
    /// The beat of the show.
    Beat,
    Wave {
        wave: Wave,
        period: Expr,
        phase: f64,
        seed: Option<u64>,
        is_bipolar: bool,
    },
    /// The pattern's cycle in beats, and the number of each of its values; NaN for a word.
    Pattern {
        pattern: Pattern,
        beats: f64,
        numbers: Arc<[f64]>,
    },
    Unary(Unary, Expr),
    Binary(Binary, Expr, Expr),
    /// Time constant in seconds.
    Smooth(Expr, f64),
    /// Rises in `attack` seconds, falls to a twentieth in `release`.
    Env {
        of: Expr,
        attack: f64,
        release: f64,
    },
    Quantize(Expr, f64),
    /// At beat t, its value is that of the inner expression at `scale`·t − `shift`.
    Time {
        of: Expr,
        scale: f64,
        shift: f64,
    },
}

impl Unary {
    fn apply(self, x: f64) -> f64 {
        match self {
            Unary::Neg => -x,
            Unary::Abs => x.abs(),
            Unary::Floor => x.floor(),
        }
    }
}

impl Binary {
    fn apply(self, a: f64, b: f64) -> f64 {
        match self {
            Binary::Add => a + b,
            Binary::Sub => a - b,
            Binary::Mul => a * b,
            Binary::Div => a / b,
            Binary::Pow => a.powf(b),
            Binary::Mod => a.rem_euclid(b),
            Binary::Min => a.min(b),
            Binary::Max => a.max(b),
            Binary::Above => f64::from(u8::from(a > b)),
        }
    }

    /// The interval of the result, from the corners of the operands' intervals.
    fn interval(self, a: [f64; 2], b: [f64; 2]) -> [f64; 2] {
        match self {
            Binary::Above => [0.0, 1.0],
            Binary::Mod => [0.0, b[1].max(0.0)],
            // Between, the result may go to infinity.
            Binary::Div if b[0] <= 0.0 && b[1] >= 0.0 => [0.0, 1.0],
            Binary::Pow if a[0] < 0.0 && b[0] == b[1] && b[0].rem_euclid(2.0) == 0.0 => {
                [0.0, a[0].abs().max(a[1].abs()).powf(b[0])]
            }
            _ => corners(&[[0, 0], [0, 1], [1, 0], [1, 1]].map(|[i, j]| self.apply(a[i], b[j]))),
        }
    }
}

fn corners(values: &[f64]) -> [f64; 2] {
    let fold = |f: fn(f64, f64) -> f64, start| values.iter().copied().filter(|x| x.is_finite()).fold(start, f);
    let (low, high) = (fold(f64::min, f64::INFINITY), fold(f64::max, f64::NEG_INFINITY));
    if low <= high { [low, high] } else { [0.0, 1.0] }
}

impl Expr {
    fn new(node: Node, [low, high]: [f64; 2], size: usize) -> Expr {
        Expr { node: Arc::new(node), low, high, size }
    }

    fn checked(node: Node, interval: [f64; 2], size: usize) -> Result<Expr, ExprError> {
        if size > MAX_NODES { Err(ExprError::TooLarge) } else { Ok(Expr::new(node, interval, size)) }
    }

    pub fn number(x: f64) -> Expr {
        Expr::new(Node::Const(x), [x, x], 1)
    }

    /// A named signal from outside, 0 to 1.
    pub fn signal(id: SignalId) -> Expr {
        Expr::new(Node::Signal(id), [0.0, 1.0], 1)
    }

    /// The effective value of a parameter.
    pub fn param(target: Target) -> Expr {
        let (low, high) = target.id.def().range();
        Expr::new(Node::Param(target), [low, high], 1)
    }

    /// The beat of the show.
    pub fn beat() -> Expr {
        Expr::new(Node::Beat, [0.0, 1.0], 1)
    }

    /// A wave with a period in beats, which may vary. Sine, triangle and smooth noise go from −1 to 1, the others from 0 to
    /// 1. Without a seed, random waves take one from what they are bound to.
    ///
    /// # Errors
    /// When the expression is too large.
    pub fn wave(wave: Wave, period: Expr, phase: f64, seed: Option<u64>) -> Result<Expr, ExprError> {
        let is_bipolar = matches!(wave, Wave::Sine | Wave::Triangle | Wave::SmoothRandom);
        let size = period.size + 1;
        let interval = [if is_bipolar { -1.0 } else { 0.0 }, 1.0];
        Expr::checked(Node::Wave { wave, period, phase, seed, is_bipolar }, interval, size)
    }

    /// A pattern whose cycle is this many beats long. Its words must get numbers with [`Expr::with_words`].
    pub fn pattern(pattern: Pattern, beats: f64) -> Expr {
        let number = |value: &Atom| match value {
            Atom::Number(x) => *x,
            Atom::Word(_) => f64::NAN,
        };
        let numbers: Arc<[f64]> = pattern.values().iter().map(number).collect();
        let interval = corners(&numbers);
        Expr::new(Node::Pattern { pattern, beats, numbers }, interval, 1)
    }

    /// # Errors
    /// When the expression is too large.
    pub fn unary(op: Unary, x: &Expr) -> Result<Expr, ExprError> {
        if let Some(number) = x.as_number() {
            return Ok(Expr::number(op.apply(number)));
        }
        let (a, b) = (op.apply(x.low), op.apply(x.high));
        let low = if op == Unary::Abs && x.low < 0.0 && x.high > 0.0 { 0.0 } else { a.min(b) };
        Expr::checked(Node::Unary(op, x.clone()), [low, a.max(b)], x.size + 1)
    }

    /// # Errors
    /// When the expression is too large.
    pub fn binary(op: Binary, a: &Expr, b: &Expr) -> Result<Expr, ExprError> {
        if let (Some(a), Some(b)) = (a.as_number(), b.as_number()) {
            return Ok(Expr::number(op.apply(a, b)));
        }
        let interval = op.interval([a.low, a.high], [b.low, b.high]);
        Expr::checked(Node::Binary(op, a.clone(), b.clone()), interval, a.size + b.size + 1)
    }

    /// `a` where `x` is 0, `b` where it is 1.
    ///
    /// # Errors
    /// When the expression is too large.
    pub fn lerp(a: &Expr, b: &Expr, x: &Expr) -> Result<Expr, ExprError> {
        let way = Expr::binary(Binary::Mul, &Expr::binary(Binary::Sub, b, a)?, x)?;
        let mut expr = Expr::binary(Binary::Add, a, &way)?;
        if x.low >= 0.0 && x.high <= 1.0 {
            (expr.low, expr.high) = (a.low.min(b.low), a.high.max(b.high));
        }
        Ok(expr)
    }

    /// Maps the interval of its values to `low`..`high`.
    ///
    /// # Errors
    /// When the expression is too large.
    pub fn range(&self, low: &Expr, high: &Expr) -> Result<Expr, ExprError> {
        let width = self.high - self.low;
        if width <= 0.0 || !width.is_finite() {
            return Ok(low.clone());
        }
        let shifted = Expr::binary(Binary::Sub, self, &Expr::number(self.low))?;
        let mut unit = Expr::binary(Binary::Mul, &shifted, &Expr::number(1.0 / width))?;
        (unit.low, unit.high) = (0.0, 1.0);
        Expr::lerp(low, high, &unit)
    }

    /// Limits its values.
    ///
    /// # Errors
    /// When the expression is too large.
    pub fn clip(&self, low: f64, high: f64) -> Result<Expr, ExprError> {
        let below = Expr::binary(Binary::Min, self, &Expr::number(high))?;
        Expr::binary(Binary::Max, &below, &Expr::number(low))
    }

    /// Follows with a time constant in seconds.
    ///
    /// # Errors
    /// When the expression is too large.
    pub fn smooth(&self, secs: f64) -> Result<Expr, ExprError> {
        self.outer(|of| Node::Smooth(of, secs.max(0.0)))
    }

    /// Rises to each peak, or to each step of a pattern, in `attack` seconds; then falls to a twentieth in `release`.
    ///
    /// # Errors
    /// When the expression is too large.
    pub fn env(&self, attack: f64, release: f64) -> Result<Expr, ExprError> {
        let env = self.outer(|of| Node::Env { of, attack, release })?;
        Ok(Expr { low: env.low.min(0.0), high: env.high.max(0.0), ..env })
    }

    /// Rounds to multiples of `step`.
    ///
    /// # Errors
    /// When the expression is too large.
    pub fn quantize(&self, step: f64) -> Result<Expr, ExprError> {
        self.outer(|of| Node::Quantize(of, step))
    }

    /// `scale` times as fast, and `shift` beats late. What comes from outside can only be late.
    ///
    /// # Errors
    /// When the expression is too large.
    pub fn time(&self, scale: f64, shift: f64) -> Result<Expr, ExprError> {
        self.outer(|of| Node::Time { of, scale, shift })
    }

    fn outer(&self, node: impl FnOnce(Expr) -> Node) -> Result<Expr, ExprError> {
        if self.as_number().is_some() {
            return Ok(self.clone());
        }
        Expr::checked(node(self.clone()), [self.low, self.high], self.size + 1)
    }

    /// The number, if it does not vary.
    pub fn as_number(&self) -> Option<f64> {
        match *self.node {
            Node::Const(x) => Some(x),
            _ => None,
        }
    }

    /// The interval of its values.
    pub fn interval(&self) -> [f64; 2] {
        [self.low, self.high]
    }

    /// The pattern, if it is nothing else than one with other timing.
    pub fn as_pattern(&self) -> Option<&Pattern> {
        match &*self.node {
            Node::Pattern { pattern, .. } => Some(pattern),
            Node::Time { of, .. } => of.as_pattern(),
            _ => None,
        }
    }

    /// The signal, if it is nothing else.
    pub fn as_signal(&self) -> Option<SignalId> {
        match *self.node {
            Node::Signal(id) => Some(id),
            _ => None,
        }
    }

    /// Whether it is the beat itself.
    pub fn is_beat(&self) -> bool {
        matches!(*self.node, Node::Beat)
    }

    /// This expression with every reading of `target` replaced by a number.
    ///
    /// # Errors
    /// Never larger, so none in practice.
    pub fn with_now(&self, target: Target, now: f64) -> Result<Expr, ExprError> {
        self.rebuilt(&mut |node| match node {
            Node::Param(read) if *read == target => Ok(Some(Expr::number(now))),
            _ => Ok(None),
        })
    }

    /// This expression with numbers for the words of its patterns.
    ///
    /// # Errors
    /// [`ExprError::Word`] for the first word that has none.
    pub fn with_words(&self, number_of: &mut dyn FnMut(&str) -> Option<f64>) -> Result<Expr, ExprError> {
        self.rebuilt(&mut |node| {
            let Node::Pattern { pattern, beats, .. } = node else { return Ok(None) };
            let number = |value: &Atom| match value {
                Atom::Number(x) => Ok(*x),
                Atom::Word(word) => number_of(word).ok_or_else(|| ExprError::Word { word: word.clone() }),
            };
            let numbers = pattern.values().iter().map(number).collect::<Result<Arc<[f64]>, ExprError>>()?;
            let interval = corners(&numbers);
            Ok(Some(Expr::new(Node::Pattern { pattern: pattern.clone(), beats: *beats, numbers }, interval, 1)))
        })
    }

    /// This pattern with each value's position in [`Pattern::values`] instead of the value.
    ///
    /// # Errors
    /// Never larger, so none in practice.
    pub fn with_positions(&self) -> Result<Expr, ExprError> {
        self.rebuilt(&mut |node| {
            let Node::Pattern { pattern, beats, .. } = node else { return Ok(None) };
            let numbers: Arc<[f64]> = (0..pattern.values().len()).map(|i| i as f64).collect();
            let interval = corners(&numbers);
            Ok(Some(Expr::new(Node::Pattern { pattern: pattern.clone(), beats: *beats, numbers }, interval, 1)))
        })
    }

    /// A copy in which `change` has replaced leaves.
    fn rebuilt(&self, change: &mut dyn FnMut(&Node) -> Result<Option<Expr>, ExprError>) -> Result<Expr, ExprError> {
        if let Some(changed) = change(&self.node)? {
            return Ok(changed);
        }
        let same = |a: &Expr, b: &Expr| Arc::ptr_eq(&a.node, &b.node);
        let expr = match &*self.node {
            Node::Wave { wave, period, phase, seed, .. } => {
                let changed = period.rebuilt(change)?;
                if same(&changed, period) {
                    return Ok(self.clone());
                }
                Expr::wave(*wave, changed, *phase, *seed)?
            }
            Node::Unary(op, x) => {
                let changed = x.rebuilt(change)?;
                if same(&changed, x) {
                    return Ok(self.clone());
                }
                Expr::unary(*op, &changed)?
            }
            Node::Binary(op, a, b) => {
                let (left, right) = (a.rebuilt(change)?, b.rebuilt(change)?);
                if same(&left, a) && same(&right, b) {
                    return Ok(self.clone());
                }
                Expr::binary(*op, &left, &right)?
            }
            Node::Smooth(x, secs) => x.rebuilt(change)?.smooth(*secs)?,
            Node::Env { of, attack, release } => of.rebuilt(change)?.env(*attack, *release)?,
            Node::Quantize(x, step) => x.rebuilt(change)?.quantize(*step)?,
            Node::Time { of, scale, shift } => of.rebuilt(change)?.time(*scale, *shift)?,
            Node::Const(_) | Node::Signal(_) | Node::Param(_) | Node::Beat | Node::Pattern { .. } => self.clone(),
        };
        Ok(expr)
    }
}

#[cfg(test)]
mod test;
