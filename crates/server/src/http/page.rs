//! Pages of lists (protocol.md 7.14): what a cursor says, and the absolute URLs of the pages around one.

use antiphon_api::{CallId, Page, Timestamp};
use axum::http::Uri;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::error::ApiError;
use crate::config::PublicUrl;
use crate::storage::{CallPlace, Direction, MessagePlace, Slice, Window};

/// Items on a page if the request does not say; the api crate bounds what it may say.
const DEFAULT_SIZE: u32 = 100;

/// A place in a list, as text inside a cursor.
pub(super) trait Place: Clone {
    fn write(self) -> String;
    fn read(text: &str) -> Option<Self>;
}

impl Place for CallPlace {
    fn write(self) -> String {
        format!("{}.{}", self.created.unix_micros(), self.id)
    }

    fn read(text: &str) -> Option<Self> {
        let (created, id) = text.split_once('.')?;
        let created = Timestamp::from_unix_micros(created.parse().ok()?).ok()?;
        Some(Self { created, id: id.parse::<CallId>().ok()? })
    }
}

impl Place for MessagePlace {
    fn write(self) -> String {
        self.0.to_string()
    }

    fn read(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }
}

/// An item's place in a list that is at hand as a whole, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Index(usize);

impl Place for Index {
    fn write(self) -> String {
        self.0.to_string()
    }

    fn read(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }
}

/// The part of a list that `cursor` and `pageSize` ask for.
pub(super) fn window<K: Place>(cursor: Option<&str>, page_size: Option<u32>) -> Result<Window<K>, ApiError> {
    let limit = page_size.unwrap_or(DEFAULT_SIZE);
    let Some(cursor) = cursor else {
        return Ok(Window { after: None, direction: Direction::Forward, limit });
    };
    let (direction, after) = read_cursor(cursor).ok_or_else(|| {
        ApiError::field("cursor", "is not one of this list; follow \"next\" and \"previous\" as they are")
    })?;
    Ok(Window { after: Some(after), direction, limit })
}

/// The part of a whole list in memory that `window` asks for.
pub(super) fn part<T, K: Place + Ord>(list: Vec<(K, T)>, window: &Window<K>) -> Slice<(K, T)> {
    let limit = usize::try_from(window.limit).unwrap_or(usize::MAX);
    let count = list.len();
    let (from, to) = match (window.direction, window.after.clone()) {
        (Direction::Forward, after) => {
            let from = after.map_or(0, |after| list.partition_point(|(place, _)| *place <= after));
            (from, count.min(from.saturating_add(limit)))
        }
        (Direction::Backward, after) => {
            let to = after.map_or(count, |after| list.partition_point(|(place, _)| *place < after));
            (to.saturating_sub(limit), to)
        }
    };
    let more = match window.direction {
        Direction::Forward => to < count,
        Direction::Backward => from > 0,
    };
    Slice { items: list.into_iter().take(to).skip(from).collect(), more }
}

/// The page that holds `slice`, which lies where `window` asked. `uri` is the request's; its other parameters are kept.
pub(super) fn page<T, K: Place>(
    public_url: &PublicUrl,
    uri: &Uri,
    window: &Window<K>,
    slice: Slice<(K, T)>,
    total: impl Into<Option<u64>>,
) -> Page<T> {
    let link = |direction, place: Option<K>| place.map(|place| url(public_url, uri, direction, place));
    let first = slice.items.first().map(|(place, _)| place.clone());
    let last = slice.items.last().map(|(place, _)| place.clone());
    let (more_before, more_behind) = match window.direction {
        // Whoever goes on from a place has come past it.
        Direction::Forward => (window.after.is_some(), slice.more),
        Direction::Backward => (slice.more, window.after.is_some()),
    };
    Page {
        next: link(Direction::Forward, last.filter(|_| more_behind)),
        previous: link(Direction::Backward, first.filter(|_| more_before)),
        results: slice.items.into_iter().map(|(_, item)| item).collect(),
        total: total.into(),
    }
}

fn url<K: Place>(public_url: &PublicUrl, uri: &Uri, direction: Direction, place: K) -> String {
    let kept =
        uri.query().unwrap_or("").split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("cursor="));
    let cursor = format!("cursor={}", write_cursor(direction, place));
    let query: Vec<&str> = kept.chain([cursor.as_str()]).collect();
    public_url.rest(&format!("{}?{}", uri.path(), query.join("&")))
}

fn write_cursor<K: Place>(direction: Direction, place: K) -> String {
    let way = match direction {
        Direction::Backward => 'b',
        Direction::Forward => 'f',
    };
    URL_SAFE_NO_PAD.encode(format!("{way}{}", place.write()))
}

fn read_cursor<K: Place>(cursor: &str) -> Option<(Direction, K)> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    if let Some(place) = text.strip_prefix('f') {
        return Some((Direction::Forward, K::read(place)?));
    }
    Some((Direction::Backward, K::read(text.strip_prefix('b')?)?))
}

/// The items of a list that is at hand as a whole, each with its place.
pub(super) fn numbered<T>(items: Vec<T>) -> Vec<(Index, T)> {
    items.into_iter().enumerate().map(|(at, item)| (Index(at), item)).collect()
}
