//! Which part of a file a request wants: one range of bytes (RFC 9110, 14). Anything fancier is answered with the whole, as the
//! standard allows.

use std::ops::Range;

use axum::http::{HeaderMap, header};

/// What is wanted of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it.
    Whole,
    /// This part, which is there.
    Part(Range<u64>),
    /// A part that is not there.
    Nothing,
}

/// What the headers of a request want of a file of `size` bytes.
pub(super) fn wanted(headers: &HeaderMap, size: u64) -> Wanted {
    // Without a validator to compare, a condition on one is never met.
    if headers.contains_key(header::IF_RANGE) {
        return Wanted::Whole;
    }
    let range = headers.get(header::RANGE).and_then(|range| range.to_str().ok()).and_then(parse);
    match range {
        None => Wanted::Whole,
        Some(Part::From(first, _)) if first >= size => Wanted::Nothing,
        Some(Part::From(first, last)) => {
            Wanted::Part(first..last.map_or(size, |last| size.min(last.saturating_add(1))))
        }
        Some(Part::Last(0)) => Wanted::Nothing,
        Some(Part::Last(_)) if size == 0 => Wanted::Nothing,
        Some(Part::Last(count)) => Wanted::Part(size.saturating_sub(count)..size),
    }
}

enum Part {
    /// From this byte on, to that one included.
    From(u64, Option<u64>),
    /// So many bytes at the end.
    Last(u64),
}

fn parse(text: &str) -> Option<Part> {
    let (first, last) = text.trim().strip_prefix("bytes=")?.trim().split_once('-')?;
    let number = |text: &str| -> Option<u64> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten()
    };
    match (first, last) {
        ("", count) => Some(Part::Last(number(count)?)),
        (first, "") => Some(Part::From(number(first)?, None)),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(Part::From(first, Some(last)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(range: &str) -> Wanted {
        wanted(&HeaderMap::from_iter([(header::RANGE, range.parse().unwrap())]), 100)
    }

    #[test]
    fn one_range_is_a_part() {
        assert_eq!(of("bytes=0-0"), Wanted::Part(0..1));
        assert_eq!(of("bytes=10-19"), Wanted::Part(10..20));
        assert_eq!(of("bytes=90-"), Wanted::Part(90..100));
        assert_eq!(of("bytes=-30"), Wanted::Part(70..100));
        assert_eq!(of("bytes=50-18446744073709551615"), Wanted::Part(50..100));
        assert_eq!(of("bytes=-500"), Wanted::Part(0..100));
    }

    #[test]
    fn a_range_behind_the_end_is_nothing() {
        assert_eq!(of("bytes=100-"), Wanted::Nothing);
        assert_eq!(of("bytes=-0"), Wanted::Nothing);
    }

    #[test]
    fn what_is_not_one_range_means_the_whole() {
        for range in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=5-4",
            "bytes=0-1,3-4",
            "bytes=+1-2",
            "items=0-1",
            "bytes=99999999999999999999-",
        ] {
            assert_eq!(of(range), Wanted::Whole, "{range:?}");
        }
        let mut headers = HeaderMap::from_iter([(header::RANGE, "bytes=0-1".parse().unwrap())]);
        headers.insert(header::IF_RANGE, "\"tag\"".parse().unwrap());
        assert_eq!(wanted(&headers, 100), Wanted::Whole);
        assert_eq!(wanted(&HeaderMap::new(), 100), Wanted::Whole);
    }
}
