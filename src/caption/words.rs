//! Words for what was seen: a recurrent network that looks at the cells, one word after another, and a search for the best sentence.
//!
//! `v` are the cells, `h` the state. With the word before, a step is
//! `a = softmax(v q / √D)` of `q = query(h)`, `c = Σ a v`, `h' = GRU([embed(word), c], h)`, `logits = out([h', c])`.

use super::dense;
use super::features::{CELLS, CHANNELS, Features};
use crate::latent::mapping::FullyConnected;
use crate::network::NetworkError;
use crate::network::checkpoint::Checkpoint;

use super::Caption;

/// `format` in the file's metadata.
pub const FORMAT: &str = "caption-gru-1";
/// The first words of the list.
const END: usize = 0;
const START: usize = 1;
const UNKNOWN: usize = 2;
/// Sentences that are followed at once.
const WIDTH: usize = 4;
/// Most words of a sentence, with its end.
const LONGEST: usize = 16;
/// Long sentences are less probable: their sums are divided by their length to this power.
const LENGTH_POWER: f64 = 0.7;
/// Most words, and most numbers of a word or of the state, that a file may have.
const MOST: usize = 1 << 16;

/// The network that speaks.
#[derive(Debug)]
pub struct Speaker {
    words: Vec<String>,
    /// Cells to `v`.
    see: FullyConnected,
    /// `[CELLS, width]`
    places: Vec<f32>,
    init: FullyConnected,
    query: FullyConnected,
    /// `[words, width]`
    embed: Vec<f32>,
    input: FullyConnected,
    state: FullyConnected,
    out: FullyConnected,
}

/// A sentence that is being followed.
struct Beam {
    sum: f64,
    words: Vec<usize>,
    h: Vec<f32>,
}

impl Speaker {
    /// Reads the layers below `decoder` and the list of words.
    ///
    /// # Errors
    /// When the list is missing, or a tensor is missing, of another shape or not finite.
    pub(super) fn read(checkpoint: &Checkpoint) -> Result<Speaker, NetworkError> {
        let broken = |reason: String| NetworkError::Format { path: checkpoint.path.clone(), reason };
        let list =
            checkpoint.metadata.get("words").ok_or_else(|| broken("no list of words in its metadata".to_owned()))?;
        let words: Vec<String> =
            serde_json::from_str(list).map_err(|error| broken(format!("its list of words: {error}")))?;
        if !(UNKNOWN + WIDTH..MOST).contains(&words.len()) {
            return Err(broken(format!("expected {} to {MOST} words, found {}", UNKNOWN + WIDTH, words.len())));
        }
        let at = checkpoint.root().at("decoder");
        let [width, _] = at.at("vis").shape_of_rank("weight")?;
        let [hidden, _] = at.at("init").shape_of_rank("weight")?;
        let pair = ["weight", "bias"];
        Ok(Speaker {
            see: dense(&at.at("vis"), pair, [width, CHANNELS])?,
            places: at.get("pos", &[CELLS, width])?,
            init: dense(&at.at("init"), pair, [hidden, width])?,
            query: dense(&at.at("query"), pair, [width, hidden])?,
            embed: at.at("embed").get("weight", &[words.len(), width])?,
            input: dense(&at.at("gru"), ["weight_ih", "bias_ih"], [3 * hidden, 2 * width])?,
            state: dense(&at.at("gru"), ["weight_hh", "bias_hh"], [3 * hidden, hidden])?,
            out: dense(&at.at("out"), pair, [words.len(), hidden + width])?,
            words,
        })
    }

    /// Numbers of a cell and of a word.
    pub fn width(&self) -> usize {
        self.see.outputs
    }

    /// A word of the list.
    pub fn word(&self, index: usize) -> &str {
        self.words.get(index).map_or("", String::as_str)
    }

    /// The cells `v` `[CELLS, width]`, and the first state.
    pub fn begin(&self, seen: &Features) -> (Vec<f32>, Vec<f32>) {
        let (width, mut row, mut cells) = (self.width(), Vec::new(), Vec::new());
        for (cell, place) in self.places.chunks_exact(width).enumerate() {
            self.see.apply(&seen.cell(cell), &mut row);
            cells.extend(row.iter().zip(place).map(|(x, place)| (x + place).tanh()));
        }
        let mean: Vec<f32> = (0..width).map(|i| cells[i..].iter().step_by(width).sum::<f32>() / CELLS as f32).collect();
        let mut h = Vec::new();
        self.init.apply(&mean, &mut h);
        h.iter_mut().for_each(|x| *x = x.tanh());
        (cells, h)
    }

    /// The next state, and the log-probability of each word, after this word.
    pub fn step(&self, cells: &[f32], h: &[f32], word: usize) -> (Vec<f32>, Vec<f32>) {
        let (width, hidden) = (self.width(), h.len());
        let (mut query, mut gi, mut gh, mut logits) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        self.query.apply(h, &mut query);
        let scale = (width as f32).sqrt();
        let dot = |cell: &[f32]| cell.iter().zip(&query).map(|(a, b)| a * b).sum::<f32>() / scale;
        let mut attention: Vec<f32> = cells.chunks_exact(width).map(dot).collect();
        log_softmax(&mut attention);
        let mut seen = vec![0.0; width];
        for (share, cell) in attention.iter().zip(cells.chunks_exact(width)) {
            let share = share.exp();
            seen.iter_mut().zip(cell).for_each(|(sum, x)| *sum += share * x);
        }
        let x: Vec<f32> = self.embed[word * width..][..width].iter().chain(&seen).copied().collect();
        self.input.apply(&x, &mut gi);
        self.state.apply(h, &mut gh);
        let sigmoid = |x: f32| 1.0 / (1.0 + (-x).exp());
        let next: Vec<f32> = (0..hidden)
            .map(|i| {
                let (reset, keep) = (sigmoid(gi[i] + gh[i]), sigmoid(gi[hidden + i] + gh[hidden + i]));
                let new = (gi[2 * hidden + i] + reset * gh[2 * hidden + i]).tanh();
                (1.0 - keep) * new + keep * h[i]
            })
            .collect();
        let both: Vec<f32> = next.iter().chain(&seen).copied().collect();
        self.out.apply(&both, &mut logits);
        log_softmax(&mut logits);
        (next, logits)
    }

    /// The best sentence of a beam search.
    pub fn speak(&self, seen: &Features) -> Caption {
        let (cells, h) = self.begin(seen);
        let mut live = vec![Beam { sum: 0.0, words: vec![START], h }];
        let mut finished: Vec<Beam> = Vec::new();
        for _ in 0..LONGEST {
            let mut next = Vec::new();
            for beam in &live {
                let last = beam.words.last().copied().unwrap_or(START);
                let (h, mut log_probabilities) = self.step(&cells, &beam.h, last);
                // They are never said; what they would have had is lost.
                (log_probabilities[START], log_probabilities[UNKNOWN]) = (f32::NEG_INFINITY, f32::NEG_INFINITY);
                for word in best(&log_probabilities) {
                    let words = beam.words.iter().copied().chain([word]).collect();
                    let sum = beam.sum + f64::from(log_probabilities[word]);
                    next.push(Beam { sum, words, h: h.clone() });
                }
            }
            next.sort_by(|a, b| b.sum.total_cmp(&a.sum));
            live.clear();
            for beam in next.into_iter().take(2 * WIDTH) {
                if beam.words.last() == Some(&END) {
                    finished.push(beam);
                } else if live.len() < WIDTH {
                    live.push(beam);
                }
            }
            if finished.len() >= WIDTH || live.is_empty() {
                break;
            }
        }
        let score = |beam: &Beam| beam.sum / (beam.words.len() as f64).powf(LENGTH_POWER);
        // Of equals the first.
        let best = finished.into_iter().rev().max_by(|a, b| score(a).total_cmp(&score(b)));
        let best = best.or_else(|| live.into_iter().next());
        let (sum, words) = best.map_or((0.0, Vec::new()), |beam| (beam.sum, beam.words));
        let said: Vec<&str> = words.iter().filter(|word| **word > UNKNOWN).map(|word| self.word(*word)).collect();
        Caption { text: said.join(" "), log_probability: sum, mean: sum / (said.len() + 1) as f64 }
    }
}

/// The [`WIDTH`] most probable words, best first; of equals the first.
fn best(log_probabilities: &[f32]) -> Vec<usize> {
    let mut best: Vec<usize> = Vec::with_capacity(WIDTH + 1);
    for (word, x) in log_probabilities.iter().enumerate() {
        if best.len() < WIDTH || best.last().is_some_and(|last| *x > log_probabilities[*last]) {
            let place = best.partition_point(|other| log_probabilities[*other] >= *x);
            best.insert(place, word);
            best.truncate(WIDTH);
        }
    }
    best
}

/// x - ln Σ exp(x)
fn log_softmax(x: &mut [f32]) {
    let most = x.iter().fold(f32::NEG_INFINITY, |most, x| most.max(*x));
    let sum: f64 = x.iter().map(|x| f64::from(x - most).exp()).sum();
    let less = most + sum.ln() as f32;
    x.iter_mut().for_each(|x| *x -= less);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_words_come_in_order_and_of_equals_the_first() {
        assert_eq!(best(&[-3.0, -1.0, -2.0, -1.0, -9.0, -0.5, -2.0]), [5, 1, 3, 2]);
        assert_eq!(best(&[f32::NEG_INFINITY; 5]), [0, 1, 2, 3]);
    }

    #[test]
    fn probabilities_add_up_to_one() {
        let mut x = [1.0f32, 10.0, 9.0, -5.0];
        log_softmax(&mut x);
        assert!((x.iter().map(|x| f64::from(*x).exp()).sum::<f64>() - 1.0).abs() < 1e-5);
    }
}
