//! How well a passage fits a query, the same for all databases: by its words (BM25), by its meaning (the cosine of two vectors), and
//! by both. Pure.
//!
//! By words: every word of the query weighs `ln(1 + (N - n + 0.5) / (n + 0.5))`, where `n` of the corpus's `N` passages have it; a
//! word that none has weighs like one that a single passage has. A passage gets of each weight the share
//! `f / (f + 1.2 * (0.25 + 0.75 * length / average))`, where it has the word `f` times. The sum of its shares over the sum of the weights
//! is its score: from 0, no word in common, towards 1, every word again and again. With vectors, the score is 0.7 times the cosine
//! (0 if negative) and 0.3 times that.
//!
//! In a large corpus, passages are found by the rarer words of a query; its common ones count where these are found.

use std::collections::HashMap;

use rust_stemmers::{Algorithm, Stemmer};
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;
use unicode_segmentation::UnicodeSegmentation as _;

/// Words of a query that are looked for; of more, the first.
const MOST_WORDS: usize = 24;
/// The longest word that is kept as it is; of a longer one, the beginning.
const LONGEST_WORD: usize = 40;
/// How soon more of one word helps no more, and how much a passage's length matters: the usual constants of BM25, and those of FTS5.
const K1: f64 = 1.2;
const B: f64 = 0.75;
/// Of corpora with this many passages or more, words that more than half of them have are not looked for if there are others: they
/// tell next to nothing and cost most.
const LARGE: u64 = 1_000;
/// Passages are found by the rarest words of a query, as long as no more than this have them all counted together; by the rarest one
/// in any case.
const FINDING: u64 = 5_000;
/// What meaning counts beside words.
const MEANING: f64 = 0.7;
/// How many of the best by their rarer words are looked at where common ones, or the meaning, count too.
pub(crate) const CANDIDATES: u32 = 200;

/// The words of a text as they are compared: without case and accents, and by their stems, as if they were English.
pub(crate) fn words(text: &str) -> Vec<String> {
    let stemmer = Stemmer::create(Algorithm::English);
    text.unicode_words()
        .filter_map(|word| {
            let plain: String = word
                .nfkd()
                .filter(|sign| !is_combining_mark(*sign))
                .flat_map(char::to_lowercase)
                .filter(|sign| sign.is_alphanumeric())
                .take(LONGEST_WORD)
                .collect();
            (!plain.is_empty()).then(|| stemmer.stem(&plain).into_owned())
        })
        .collect()
}

/// The words of a query that are looked for, each once.
pub(super) fn sought(words: &[String]) -> Vec<&str> {
    let mut sought: Vec<&str> = Vec::new();
    for word in words {
        if sought.len() < MOST_WORDS && !sought.contains(&word.as_str()) {
            sought.push(word);
        }
    }
    sought
}

/// A word of a query, and what a passage gets for it at most.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Weighed<'w> {
    pub(super) word: &'w str,
    /// How many passages have it.
    pub(super) passages: u64,
    /// The best score that it alone can give.
    pub(super) weight: f64,
}

/// What each word counts in a corpus of so many passages. Words that none of them has are left out.
pub(super) fn weighed<'w>(total: u64, counted: &[(&'w str, u64)]) -> Vec<Weighed<'w>> {
    let tells = |passages: u64| total < LARGE || passages * 2 <= total;
    let any_tells = counted.iter().any(|(_, passages)| *passages > 0 && tells(*passages));
    let counted: Vec<_> =
        counted.iter().copied().filter(|(_, passages)| !any_tells || tells(*passages)).collect();
    let weight = |passages: u64| {
        let passages = passages.max(1) as f64;
        (1.0 + (total as f64 - passages + 0.5) / (passages + 0.5)).ln()
    };
    let sum: f64 = counted.iter().map(|(_, passages)| weight(*passages)).sum();
    let found = counted.into_iter().filter(|(_, passages)| *passages > 0);
    found.map(|(word, passages)| Weighed { word, passages, weight: weight(passages) / sum }).collect()
}

/// The words that find passages, rarest first, and those that count only in what is found.
pub(super) fn finding<'a, 'w>(weighed: &'a mut [Weighed<'w>]) -> (&'a [Weighed<'w>], &'a [Weighed<'w>]) {
    weighed.sort_by_key(|word| word.passages);
    let mut all = 0;
    let finding = weighed.iter().enumerate().take_while(|(at, word)| {
        all += word.passages;
        *at == 0 || all <= FINDING
    });
    let finding = finding.count();
    weighed.split_at(finding)
}

/// The share of a word's weight that a passage gets which has it `times` times.
pub(super) fn share(times: f64, length: f64, average: f64) -> f64 {
    times / (times + K1 * (1.0 - B + B * length / average))
}

/// What FTS5's `bm25` gives for one word alone, divided by that share: its own weight, which is not ours, and its sign.
pub(super) fn fts5_factor(total: u64, passages: u64) -> f64 {
    let (total, passages) = (total as f64, passages as f64);
    let weight = ((total - passages + 0.5) / (passages + 0.5)).ln();
    let weight = if weight <= 0.0 { 1e-6 } else { weight };
    -weight * (K1 + 1.0)
}

/// The score of a passage that fits so well by its words and so well by its meaning.
pub(super) fn combined(words: f64, cosine: f64) -> f64 {
    MEANING * cosine.clamp(0.0, 1.0) + (1.0 - MEANING) * words
}

/// The best passages by words and meaning, the best first: of those that fit by their words, with their scores, and of all that have
/// vectors, with their cosines.
pub(super) fn with_meaning(
    words: Vec<(i64, f64)>,
    cosines: Vec<(i64, f64)>,
    limit: usize,
) -> Vec<(i64, f64)> {
    let mut words: HashMap<i64, f64> = words.into_iter().collect();
    let both = |(key, cosine): (i64, f64)| (key, combined(words.remove(&key).unwrap_or(0.0), cosine));
    let mut scores: Vec<_> = cosines.into_iter().map(both).filter(|(_, score)| *score > 0.0).collect();
    scores.extend(words.into_iter().map(|(key, words)| (key, combined(words, 0.0))));
    keep_best(&mut scores, limit);
    scores
}

/// Keeps so many of the best, the best first.
pub(super) fn keep_best(scores: &mut Vec<(i64, f64)>, limit: usize) {
    let order = |a: &(i64, f64), b: &(i64, f64)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    // The few that are wanted of thousands are picked before they are ordered.
    if scores.len() > limit {
        scores.select_nth_unstable_by(limit, order);
        scores.truncate(limit);
    }
    scores.sort_unstable_by(order);
}

/// A vector of length 1, which is written in a quarter of its memory: one byte a dimension, and what they are multiples of.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Meaning {
    step: f32,
    /// Each within a byte. It is compared with thousands, and as wide as their products it takes half of the time.
    steps: Vec<i16>,
}

impl Meaning {
    /// The direction of a vector; none of one that has none.
    pub(super) fn of(vector: &[f32]) -> Option<Self> {
        let length = vector.iter().map(|part| part * part).sum::<f32>().sqrt();
        let most = vector.iter().fold(0.0_f32, |most, part| most.max(part.abs()));
        if !length.is_normal() || !most.is_normal() {
            return None;
        }
        let steps = vector.iter().map(|part| (part / most * 127.0).round() as i16).collect();
        Some(Self { step: most / 127.0 / length, steps })
    }

    /// How many bytes one of so many dimensions has.
    pub(super) const fn size(dimensions: usize) -> usize {
        dimensions + size_of::<f32>()
    }

    pub(super) fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.step.to_le_bytes());
        bytes.extend(self.steps.iter().map(|step| step.to_le_bytes()[0]));
    }

    /// The cosine of the angle between this and one that was written; none if that is of other dimensions.
    pub(super) fn cosine(&self, written: &[u8]) -> Option<f64> {
        let (step, steps) = written.split_first_chunk::<4>()?;
        if steps.len() != self.steps.len() {
            return None;
        }
        let product: i32 = self
            .steps
            .iter()
            .zip(steps)
            .map(|(own, other)| i32::from(*own) * i32::from(other.cast_signed()))
            .sum();
        Some(f64::from(product) * f64::from(self.step) * f64::from(f32::from_le_bytes(*step)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_compared_without_case_accents_endings_and_signs() {
        assert_eq!(words("Opening HOURS, opened!"), ["open", "hour", "open"]);
        assert_eq!(words("Café (naïve) don't"), ["cafe", "naiv", "dont"]);
        assert_eq!(words("営業時間"), ["営", "業", "時", "間"]);
        assert_eq!(words(" -- \u{0} ,"), [""; 0]);
        assert_eq!(words(&"x".repeat(100))[0].len(), LONGEST_WORD);
    }

    #[test]
    fn rare_words_count_more_and_all_of_them_together_one() {
        let weighed = weighed(100, &[("rare", 1), ("common", 40), ("unknown", 0)]);
        assert_eq!(weighed.iter().map(|w| w.word).collect::<Vec<_>>(), ["rare", "common"]);
        assert!(weighed[0].weight > 3.0 * weighed[1].weight);
        let sum: f64 = weighed.iter().map(|w| w.weight).sum();
        assert!((sum + weighed[0].weight - 1.0).abs() < 1e-9, "an unknown word counts like a rare one");
    }

    #[test]
    fn words_that_tell_nothing_are_looked_for_only_if_there_is_nothing_else() {
        let names = |total, counted: &[(&'static str, u64)]| {
            weighed(total, counted).into_iter().map(|w| w.word).collect::<Vec<_>>()
        };
        assert_eq!(names(10_000, &[("the", 9_000), ("refund", 80)]), ["refund"]);
        assert_eq!(names(10_000, &[("the", 9_000), ("unknown", 0)]), ["the"]);
        assert_eq!(names(100, &[("the", 90), ("refund", 8)]), ["the", "refund"]);
    }

    #[test]
    fn common_words_of_large_corpora_find_nothing_by_themselves() {
        let split = |counted: &[(&'static str, u64)]| {
            let mut weighed = weighed(10_000, counted);
            let (finding, weighing) = finding(&mut weighed);
            [finding, weighing].map(|words| words.iter().map(|w| w.word).collect::<Vec<_>>())
        };
        let counted = [("hotel", 4_500), ("refund", 80), ("room", 3_000), ("policy", 900)];
        assert_eq!(split(&counted), [vec!["refund", "policy", "room"], vec!["hotel"]]);
        assert_eq!(split(&[("hotel", 4_900), ("room", 4_800)]), [vec!["room"], vec!["hotel"]]);
        assert_eq!(split(&[("hotel", 9_000)]), [vec!["hotel"], vec![]]);
        assert_eq!(split(&[]), [Vec::<&str>::new(), Vec::new()]);
    }

    #[test]
    fn a_direction_takes_a_byte_a_dimension_and_keeps_its_angle() {
        let (a, b) = ([3.0, 0.1, -0.2, 0.9], [0.5, 0.4, 2.0, -1.0]);
        let exact = {
            let product: f32 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
            let length = |v: &[f32; 4]| v.iter().map(|part| part * part).sum::<f32>().sqrt();
            f64::from(product / length(&a) / length(&b))
        };
        let mut bytes = Vec::new();
        Meaning::of(&b).unwrap().write(&mut bytes);
        assert_eq!(bytes.len(), Meaning::size(4));
        let cosine = Meaning::of(&a).unwrap().cosine(&bytes).unwrap();
        assert!((cosine - exact).abs() < 0.01, "{cosine} {exact}");
        assert_eq!(Meaning::of(&a[..3]).unwrap().cosine(&bytes), None);
        assert_eq!(Meaning::of(&[0.0; 4]), None);
        assert_eq!(Meaning::of(&[f32::NAN, 1.0]), None);
    }
}
