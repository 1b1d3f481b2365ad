//! Server-sent events (WHATWG HTML, 9.2.6): from the bytes of a body to the data of its events.
//!
//! Pure: bytes may be cut anywhere. It must not know what the data means.

/// Bytes of one event; more is none.
const EVENT_LIMIT: usize = 1024 * 1024;

/// A stream of events as it arrives.
#[derive(Debug, Default)]
pub(crate) struct EventStream {
    /// The bytes of a line that has not ended yet.
    line: Vec<u8>,
    /// Whether the last line ended with a carriage return, so that a line feed now belongs to that end.
    after_return: bool,
    /// The data lines of an event that has not ended yet.
    data: Vec<u8>,
}

/// An event without an end.
#[derive(Debug, thiserror::Error)]
#[error("sent an event without an end")]
pub(crate) struct Endless;

impl EventStream {
    /// Takes the next bytes and adds the data of the events that end in them.
    pub(crate) fn push(&mut self, bytes: &[u8], events: &mut Vec<Vec<u8>>) -> Result<(), Endless> {
        for &byte in bytes {
            match byte {
                b'\n' if self.after_return => self.after_return = false,
                b'\n' | b'\r' => {
                    self.after_return = byte == b'\r';
                    self.end_line(events);
                }
                _ => {
                    self.after_return = false;
                    self.line.push(byte);
                }
            }
            if self.line.len() + self.data.len() > EVENT_LIMIT {
                return Err(Endless);
            }
        }
        Ok(())
    }

    /// Takes the end of the body.
    pub(crate) fn end(&mut self, events: &mut Vec<Vec<u8>>) {
        if !self.line.is_empty() {
            self.end_line(events);
        }
        self.dispatch(events);
    }

    fn end_line(&mut self, events: &mut Vec<Vec<u8>>) {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            self.dispatch(events);
        } else if let Some(data) = line.strip_prefix(b"data:") {
            if !self.data.is_empty() {
                self.data.push(b'\n');
            }
            self.data.extend_from_slice(data.strip_prefix(b" ").unwrap_or(data));
        } else if line.starts_with(b"{") {
            // An error that is no event, in the middle of a stream.
            self.data = line;
        }
        // Everything else is a comment that keeps the connection alive, or a field that carries nothing here.
    }

    fn dispatch(&mut self, events: &mut Vec<Vec<u8>>) {
        let data = std::mem::take(&mut self.data);
        if !data.is_empty() {
            events.push(data);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_without_an_end_is_given_up() {
        let mut events = Vec::new();
        let mut stream = EventStream::default();
        assert!(stream.push(&vec![b'x'; 2 * EVENT_LIMIT], &mut events).is_err());
        assert_eq!(events, Vec::<Vec<u8>>::new());
    }

    #[test]
    fn every_way_to_end_a_line_counts_once() {
        let mut events = Vec::new();
        let mut stream = EventStream::default();
        stream.push(b"data: a\r\ndata:b\r\r: comment\n\ndata: c\n\n", &mut events).unwrap();
        stream.push(b"data: d", &mut events).unwrap();
        stream.end(&mut events);
        assert_eq!(events, [b"a\nb".to_vec(), b"c".to_vec(), b"d".to_vec()]);
    }
}
