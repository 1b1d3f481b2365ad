//! A body as its frames: bare bytes, a JSON value a line, the data of server-sent events, or one JSON value in all.
//!
//! Pure: bytes may be cut anywhere, within a character too. It must not know what frames mean.

use serde_json::Value;

/// Bytes of one JSON frame: two minutes of 48 kHz audio in base64, and room.
const LONGEST: usize = 24 * 1024 * 1024;

/// How a body is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Not at all: it is audio.
    Bytes,
    /// A JSON value a line; the lines may be those of server-sent events.
    Lines,
    /// One JSON value, over any number of lines.
    Whole,
}

/// One frame.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Frame {
    Bytes(Vec<u8>),
    Json(Value),
}

/// A body under way.
#[derive(Debug)]
pub(crate) struct Frames {
    framing: Framing,
    /// The line, or the value, that has not ended yet.
    begun: Vec<u8>,
}

impl Frames {
    pub(crate) fn new(framing: Framing) -> Self {
        Self { framing, begun: Vec::new() }
    }

    /// What these bytes complete.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Frame>, String> {
        match self.framing {
            Framing::Bytes => return Ok(vec![Frame::Bytes(bytes.to_vec())]),
            Framing::Whole => {
                self.begun.extend_from_slice(bytes);
                self.bounded()?;
                return Ok(Vec::new());
            }
            Framing::Lines => {}
        }
        let mut frames = Vec::new();
        let mut lines = bytes.split(|byte| matches!(byte, b'\n' | b'\r'));
        let last = lines.next_back().unwrap_or_default();
        for line in lines {
            self.begun.extend_from_slice(line);
            self.bounded()?;
            frames.extend(read(&self.begun)?);
            self.begun.clear();
        }
        self.begun.extend_from_slice(last);
        self.bounded()?;
        Ok(frames)
    }

    /// What the end of the body completes.
    pub(crate) fn finish(&mut self) -> Result<Vec<Frame>, String> {
        let begun = std::mem::take(&mut self.begun);
        match self.framing {
            Framing::Bytes => Ok(Vec::new()),
            Framing::Lines => Ok(read(&begun)?.into_iter().collect()),
            Framing::Whole => json(&begun).map(|json| vec![Frame::Json(json)]),
        }
    }

    fn bounded(&self) -> Result<(), String> {
        if self.begun.len() > LONGEST {
            return Err(format!("sent more than {} MiB in one piece", LONGEST / 1024 / 1024));
        }
        Ok(())
    }
}

/// A line's value. Empty lines, comments and the other fields of server-sent events have none.
fn read(line: &[u8]) -> Result<Option<Frame>, String> {
    let line = line.trim_ascii();
    let data = match line.strip_prefix(b"data:") {
        Some(data) => data.trim_ascii_start(),
        None => line,
    };
    let is_value = data.first().is_some_and(|first| matches!(first, b'{' | b'['));
    let other_field =
        [b":".as_slice(), b"event:", b"id:", b"retry:"].iter().any(|field| line.starts_with(field));
    if data.is_empty() || data == b"[DONE]" || !is_value && other_field {
        return Ok(None);
    }
    json(data).map(|json| Some(Frame::Json(json)))
}

fn json(bytes: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(bytes).map_err(|error| {
        let beginning: String = String::from_utf8_lossy(bytes).chars().take(80).collect();
        format!("sent something that is no JSON ({error}): {beginning}")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn framed(framing: Framing, body: &[u8], size: usize) -> Vec<Frame> {
        let mut frames = Frames::new(framing);
        let mut all = Vec::new();
        for part in body.chunks(size) {
            all.extend(frames.push(part).unwrap());
        }
        all.extend(frames.finish().unwrap());
        all
    }

    #[test]
    fn lines_and_events_are_read_in_parts_of_any_size() {
        let lines = "{\"a\":\"é\"}\r\n\n{\"b\":2}";
        let events =
            ": hello\nevent: chunk\nid: 7\ndata: {\"a\":\"é\"}\n\n:\ndata:{\"b\":2}\r\n\r\ndata: [DONE]\n\n";
        let wanted = [Frame::Json(json!({"a": "é"})), Frame::Json(json!({"b": 2}))];
        for size in 1..=events.len() {
            assert_eq!(framed(Framing::Lines, lines.as_bytes(), size), wanted, "lines in parts of {size}");
            assert_eq!(framed(Framing::Lines, events.as_bytes(), size), wanted, "events in parts of {size}");
        }
    }

    #[test]
    fn a_whole_value_may_have_many_lines() {
        let body = "{\n  \"audioContent\":\n \"AAAA\"\n}\n";
        for size in 1..=body.len() {
            let frames = framed(Framing::Whole, body.as_bytes(), size);
            assert_eq!(frames, [Frame::Json(json!({"audioContent": "AAAA"}))]);
        }
    }

    #[test]
    fn what_is_no_json_is_shown() {
        let error = Frames::new(Framing::Lines).push(b"<html>502</html>\n").unwrap_err();
        assert!(error.contains("<html>502"), "{error}");
        assert!(Frames::new(Framing::Whole).finish().is_err());
    }
}
