//! What the wording of the user's speech says about it: whether it only says "I am listening", and whether it leaves a sentence
//! open.
//!
//! Small lists of English, applied to transcripts; what is in no list decides nothing. Knows nothing of time or turns.

/// Sounds and words by which a listener says "go on" (after the list in Ward and Tsukahara, "Prosodic features which cue
/// back-channel responses in English and Japanese", 2000, with spellings that recognizers use).
const BACKCHANNELS: [&str; 31] = [
    "ah", "aha", "alright", "cool", "er", "erm", "good", "great", "hm", "hmm", "huh", "mhm", "mm", "mmhm",
    "mmhmm", "mmm", "nice", "oh", "ok", "okay", "ooh", "really", "right", "sure", "uh", "uhhuh", "um", "wow",
    "ya", "yeah", "yep",
];
/// The most words that a backchannel has: "oh yeah, okay, right".
const BACKCHANNEL_WORDS: usize = 4;
/// Second halves of backchannels that are written as two words.
const SECOND_HALVES: [&str; 4] = ["hm", "hmm", "huh", "see"];

/// Words after which a sentence goes on: conjunctions, articles, prepositions, fillers.
const OPEN_ENDS: [&str; 43] = [
    "a", "about", "an", "and", "at", "because", "but", "by", "er", "erm", "for", "from", "hmm", "if", "in",
    "into", "is", "like", "mm", "my", "of", "or", "our", "so", "that", "the", "their", "then", "to", "uh",
    "um", "until", "was", "well", "when", "where", "which", "who", "with", "your", "plus", "cause", "than",
];
/// Numbers as recognizers write them.
const DIGITS: [&str; 12] =
    ["zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "double"];
/// From this many digits on, the user dictates, and the next group may come.
const DICTATED: usize = 3;

/// Whether this is only a sign of listening, or nothing at all.
#[must_use]
pub fn is_backchannel(text: &str) -> bool {
    let mut count = 0;
    let mut before = String::new();
    for word in words(text) {
        count += 1;
        let second = SECOND_HALVES.contains(&&*word) && matches!(&*before, "mm" | "uh" | "i" | "mhm");
        // "I see" is one; "I" before anything else is the beginning of something.
        if before == "i" && !second || !(BACKCHANNELS.contains(&&*word) || second || word == "i") {
            return false;
        }
        before = word;
    }
    count <= BACKCHANNEL_WORDS && before != "i"
}

/// Whether a speaker who stopped here surely goes on: in the middle of a sentence, with a filler, or while dictating a number.
#[must_use]
pub fn is_unfinished(text: &str) -> bool {
    let text = text.trim_end();
    let closed = text.ends_with(['.', '!', '?']) && !text.ends_with("...");
    let words: Vec<String> = words(text).collect();
    let Some(last) = words.last() else { return false };
    let digits =
        words.iter().rev().map(|word| digits_in(word)).take_while(|digits| *digits > 0).sum::<usize>();
    digits >= DICTATED || (!closed && OPEN_ENDS.contains(&&**last))
}

fn digits_in(word: &str) -> usize {
    if word.bytes().all(|byte| byte.is_ascii_digit()) {
        word.len()
    } else {
        usize::from(DIGITS.contains(&word))
    }
}

/// The words in lower case and without punctuation; "uh-huh" is one.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split_whitespace()
        .map(|word| {
            word.chars().filter(|c| c.is_alphanumeric() || *c == '\'').collect::<String>().to_lowercase()
        })
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_of_listening_are_backchannels() {
        for text in [
            "",
            "Mm-hmm.",
            "mm hmm",
            "Uh-huh",
            "uh huh",
            "Yeah.",
            "okay, right",
            "Oh, I see",
            "I see",
            "Okay okay",
        ] {
            assert!(is_backchannel(text), "{text:?}");
        }
    }

    #[test]
    fn words_that_want_something_are_not() {
        for text in [
            "Stop.",
            "yeah but",
            "no",
            "wait",
            "okay, and what does it cost",
            "I",
            "yes",
            "right right right right right",
        ] {
            assert!(!is_backchannel(text), "{text:?}");
        }
    }

    #[test]
    fn open_sentences_fillers_and_dictation_go_on() {
        for text in [
            "I would like a",
            "Tuesday and",
            "well, um",
            "my number is 0 1 7",
            "it's five five two",
            "4711",
            "so...",
        ] {
            assert!(is_unfinished(text), "{text:?}");
        }
    }

    #[test]
    fn complete_sentences_do_not() {
        for text in ["", "Two, please.", "What is it about?", "I will take the five", "at 5", "yes"] {
            assert!(!is_unfinished(text), "{text:?}");
        }
    }
}
