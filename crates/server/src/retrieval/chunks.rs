//! From a document's text to the passages that queries find: a few paragraphs each, under their headings, with a little of what was
//! before. Pure.

use unicode_segmentation::UnicodeSegmentation as _;

/// Words that a passage has, if there are as many under one heading: it ends with the paragraph that reaches this.
const ENOUGH: usize = 200;
/// Words that no passage exceeds, but for what is repeated.
const MOST: usize = 300;
/// Words of a passage that the next one under the same heading repeats, in whole sentences.
const REPEATED: usize = 40;
/// Signs that count as a word where a language does not separate its words.
const SIGNS: usize = 6;

/// A part of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chunk {
    /// The headings that it stands under, from the outermost.
    pub(super) headings: Vec<String>,
    pub(super) text: String,
}

/// Splits a text. `headed` says that `#` signs mean headings, but for those in fenced code.
pub(super) fn chunks(text: &str, headed: bool) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let mut headings: Vec<(usize, String)> = Vec::new();
    let (mut start, mut at, mut fenced) = (0, 0, false);
    for line in text.split_inclusive('\n') {
        fenced ^= line.trim_start().starts_with("```");
        if let Some((level, title)) = heading(line).filter(|_| headed && !fenced) {
            split(&text[start..at], &headings, &mut chunks);
            headings.retain(|(other, _)| *other < level);
            headings.push((level, title));
            start = at + line.len();
        }
        at += line.len();
    }
    split(&text[start..], &headings, &mut chunks);
    if chunks.is_empty() && !text.trim().is_empty() {
        // Nothing but headings.
        split(text, &[], &mut chunks);
    }
    chunks
}

fn heading(line: &str) -> Option<(usize, String)> {
    let level = line.bytes().take_while(|byte| *byte == b'#').count();
    let title = line.get(level..)?.strip_prefix(' ')?.trim().trim_end_matches('#').trim_end();
    ((1..=6).contains(&level) && !title.is_empty()).then(|| (level, title.chars().take(300).collect()))
}

/// Splits what stands under one heading.
fn split(text: &str, headings: &[(usize, String)], chunks: &mut Vec<Chunk>) {
    let mut pieces: Vec<(&str, usize)> = Vec::new();
    let mut size = 0;
    // Of the pieces, those that the passage before has, too.
    let mut repeated = 0;
    let mut give = |pieces: &[(&str, usize)]| {
        let text: String = pieces.iter().map(|(piece, _)| *piece).collect();
        if !text.trim().is_empty() {
            let headings = headings.iter().map(|(_, title)| title.clone()).collect();
            chunks.push(Chunk { headings, text: text.trim().to_owned() });
        }
    };
    for sentence in text.split_sentence_bounds().flat_map(bearable) {
        let words = weight(sentence);
        let ends_paragraph =
            pieces.last().is_some_and(|(last, _)| last.trim_matches([' ', '\t', '\r']) == "\n");
        if pieces.len() > repeated && (size + words > MOST || (size >= ENOUGH && ends_paragraph)) {
            give(&pieces);
            let mut kept = 0;
            let from = pieces.iter().rposition(|(_, words)| {
                kept += words;
                kept > REPEATED
            });
            pieces.drain(..from.map_or(0, |from| from + 1).min(pieces.len()));
            size = pieces.iter().map(|(_, words)| words).sum();
            repeated = pieces.len();
        }
        pieces.push((sentence, words));
        size += words;
    }
    if pieces.len() > repeated {
        give(&pieces);
    }
}

/// A sentence, or what is left of one that is longer than a passage: as many words at a time as it may have.
fn bearable(sentence: &str) -> Vec<&str> {
    if weight(sentence) <= MOST {
        return vec![sentence];
    }
    let mut pieces = Vec::new();
    let (mut start, mut size) = (0, 0);
    for (at, word) in sentence.split_word_bound_indices() {
        let signs = if word.trim().is_empty() { 0 } else { word.chars().count().max(SIGNS) };
        if size > 0 && size + signs > MOST * SIGNS {
            pieces.push(&sentence[start..at]);
            (start, size) = (at, 0);
        }
        size += signs;
    }
    pieces.push(&sentence[start..]);
    // A single word may still be longer than everything.
    pieces.into_iter().flat_map(cut).collect()
}

fn cut(mut piece: &str) -> Vec<&str> {
    let mut cuts = Vec::new();
    while let Some((at, _)) = piece.char_indices().nth(MOST * SIGNS * 2) {
        let (first, rest) = piece.split_at(at);
        cuts.push(first);
        piece = rest;
    }
    cuts.push(piece);
    cuts
}

/// How many words a text counts for.
fn weight(text: &str) -> usize {
    text.split_whitespace().count().max(text.chars().count() / (SIGNS + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentences(from: usize, to: usize) -> String {
        (from..to).map(|n| format!("This is the sentence with the number {n}. ")).collect()
    }

    #[test]
    fn what_stands_under_a_heading_stays_together_and_knows_it() {
        let text = "Before.\n# Bread\nWe bake.\n## Rye\nDark.\n\n```\n# no heading\n```\n## Spelt ##\nOld.\n# Hours\n## Weekdays\n7-18";
        let found: Vec<(String, String)> =
            chunks(text, true).into_iter().map(|chunk| (chunk.headings.join(">"), chunk.text)).collect();
        let expected = [
            ("", "Before."),
            ("Bread", "We bake."),
            ("Bread>Rye", "Dark.\n\n```\n# no heading\n```"),
            ("Bread>Spelt", "Old."),
            ("Hours>Weekdays", "7-18"),
        ];
        assert_eq!(found, expected.map(|(headings, text)| (headings.to_owned(), text.to_owned())));
        assert_eq!(chunks(text, false).len(), 1);
        assert_eq!(chunks("# Only\n## Headings\n", true)[0].text, "# Only\n## Headings");
        assert_eq!(chunks(" \n\n", true), []);
    }

    #[test]
    fn a_long_text_is_split_between_sentences_and_the_last_ones_are_repeated() {
        let chunks = chunks(&sentences(0, 200), false);
        assert!(chunks.len() > 4);
        for chunk in &chunks[..chunks.len() - 1] {
            assert!((ENOUGH..=MOST + REPEATED).contains(&weight(&chunk.text)), "{}", weight(&chunk.text));
            assert!(chunk.text.starts_with("This") && chunk.text.ends_with('.'));
        }
        for pair in chunks.windows(2) {
            let last = pair[0].text.rsplit("This").next().unwrap();
            assert!(pair[1].text.contains(last.trim()), "{last} is not repeated");
        }
        let joined: String = chunks.iter().map(|chunk| chunk.text.as_str()).collect();
        assert!((0..200).all(|n| joined.contains(&format!("number {n}."))), "nothing is lost");
    }

    #[test]
    fn a_passage_that_has_enough_ends_with_its_paragraph() {
        let text = format!("{}\n\n{}", sentences(0, 30), sentences(30, 60));
        let chunks = chunks(&text, false);
        assert!(chunks[0].text.ends_with("number 29."), "{}", chunks[0].text);
    }

    #[test]
    fn what_has_no_sentences_or_words_is_split_all_the_same() {
        for text in
            ["x".repeat(100_000), "漢字".repeat(20_000), "word ".repeat(10_000), "\n".repeat(10_000) + "a"]
        {
            let chunks = chunks(&text, true);
            assert!(!chunks.is_empty());
            assert!(chunks.iter().all(|chunk| chunk.text.chars().count() <= 2 * MOST * SIGNS * 3));
            let signs: usize =
                chunks.iter().map(|chunk| chunk.text.chars().filter(|c| !c.is_whitespace()).count()).sum();
            assert!(signs >= text.chars().filter(|c| !c.is_whitespace()).count(), "nothing is lost");
        }
    }
}
