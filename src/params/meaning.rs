//! What the networks that play make of a number: how many values it has, and what they are called.
//!
//! `/style/a` goes from 0 to 255 for any network; with eight painters it goes from 0 to 7, and 3 is `monet-water-lilies`.

use std::sync::Arc;

use super::{Def, Id, Kind, nearest_of};

/// Most names in a message.
const MAX_NAMED: usize = 6;

/// The values of one number, from 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Meaning {
    pub id: Id,
    /// How many there are; numbers past them wrap around or are clamped, as the parameter's help says.
    pub count: usize,
    /// Their names in order; empty when they have none.
    pub words: Arc<[String]>,
    /// The network that gives them these names, as messages call it.
    pub of: Arc<str>,
}

impl Meaning {
    /// The row with the range that the networks leave it.
    pub fn limit(&self, def: &Def) -> Def {
        let last = self.count.saturating_sub(1);
        let kind = match def.kind {
            // A range is never empty.
            _ if last == 0 => def.kind,
            Kind::Int { min, max, default } => {
                let max = max.min(last as i64);
                Kind::Int { min, max, default: default.min(max) }
            }
            Kind::Float { min, max, default } => {
                let max = max.min(last as f64);
                Kind::Float { min, max, default: default.min(max) }
            }
            kind => kind,
        };
        Def { kind, ..*def }
    }

    /// The number of a name, or of a part of one: `starry` for `van-gogh-starry-night`. Large and small letters are alike.
    pub fn number(&self, word: &str) -> Option<usize> {
        number_of_word(&self.words, word)
    }
}

/// Names for a message about a word that is none of them: the most similar one first, and how many are left out.
pub fn told_names(words: &[String], word: &str) -> String {
    let near = nearest_of(word, words.iter().map(String::as_str));
    let others = words.iter().map(String::as_str).filter(|known| Some(*known) != near);
    let told: Vec<&str> = near.into_iter().chain(others).take(MAX_NAMED).collect();
    match words.len() - told.len() {
        0 => told.join(", "),
        more => format!("{} and {more} more", told.join(", ")),
    }
}

/// As [`Meaning::number`], among these names.
pub fn number_of_word(words: &[String], word: &str) -> Option<usize> {
    let word = word.trim().to_lowercase();
    if word.is_empty() {
        return None;
    }
    let find = |is_it: &dyn Fn(&str) -> bool| words.iter().position(|known| is_it(&known.to_lowercase()));
    find(&|known| known == word).or_else(|| find(&|known| known.contains(&word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(id: Id, count: usize) -> Meaning {
        Meaning { id, count, words: Arc::new([]), of: Arc::default() }
    }

    #[test]
    fn a_range_follows_the_network_and_is_never_empty() {
        let range = |count| meaning(Id::StyleA, count).limit(Id::StyleA.def()).range();
        assert_eq!(
            [range(26), range(8), range(1), range(0), range(1000)],
            [25.0, 7.0, 255.0, 255.0, 255.0].map(|max| (0.0, max))
        );
        let class = meaning(Id::Class, 10).limit(Id::Class.def());
        assert_eq!(class.range(), (0.0, 9.0));
    }

    #[test]
    fn a_part_of_a_name_is_enough() {
        let words = ["starry", "van-gogh-Starry-Night", "kiss"].map(str::to_owned);
        let found = ["Starry", "night", "KISS ", "", "scream"].map(|word| number_of_word(&words, word));
        assert_eq!(found, [Some(0), Some(1), Some(2), None, None]);
    }

    #[test]
    fn a_message_names_the_most_similar_and_counts_the_rest() {
        let words: Vec<String> = (0..8).map(|i| format!("style-{i}")).collect();
        assert_eq!(told_names(&words[..2], "scream"), "style-0, style-1");
        assert_eq!(told_names(&words, "stile-7"), "style-7, style-0, style-1, style-2, style-3, style-4 and 2 more");
    }
}
