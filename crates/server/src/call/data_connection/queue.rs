//! What is on its way to the data connection: bounded in number and in bytes. The call never waits for room.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::super::leg::CloseCode;
use super::super::recording::places::{Entry, What};

/// Things that may wait: ten seconds of both sides of the call.
const ITEMS: usize = 1_024;
/// Of these, what is kept free for the end.
const RESERVED: usize = 1;
/// Bytes that may wait: a minute of the agent at 48 kHz, sent at once, and some more.
const BYTES: usize = 6 * 1024 * 1024;

/// Something for the data connection.
#[derive(Debug)]
pub(super) enum Item {
    /// The end: nothing follows.
    Close(CloseCode),
    /// The request to run a tool, as long as somebody waits for it.
    Invocation(Utf8Bytes, Weak<()>),
    Message(Utf8Bytes),
    /// Something that is heard in the call.
    Sound(Entry),
}

/// There is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

/// The call's end.
#[derive(Debug)]
pub(super) struct Queue {
    items: mpsc::Sender<Item>,
    bytes: Arc<AtomicUsize>,
}

/// The line's end.
#[derive(Debug)]
pub(super) struct Outgoing {
    items: mpsc::Receiver<Item>,
    bytes: Arc<AtomicUsize>,
}

pub(super) fn queue() -> (Queue, Outgoing) {
    let (sender, receiver) = mpsc::channel(ITEMS);
    let bytes = Arc::new(AtomicUsize::new(0));
    (Queue { items: sender, bytes: Arc::clone(&bytes) }, Outgoing { items: receiver, bytes })
}

impl Queue {
    /// Hands something over. A line that is gone takes everything.
    pub(super) fn put(&self, item: Item) -> Result<(), Full> {
        let bytes = item.bytes();
        if self.items.capacity() <= RESERVED || self.bytes.load(Ordering::Relaxed) + bytes > BYTES {
            return if self.items.is_closed() { Ok(()) } else { Err(Full) };
        }
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        match self.items.try_send(item) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => {
                self.bytes.fetch_sub(bytes, Ordering::Relaxed);
                Ok(())
            }
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.bytes.fetch_sub(bytes, Ordering::Relaxed);
                Err(Full)
            }
        }
    }

    /// Hands the end over, for which there is always room.
    pub(super) fn close(&self, code: CloseCode) {
        let _ = self.items.try_send(Item::Close(code));
    }

    /// Whether there is room for more than a few things.
    pub(super) fn has_room(&self) -> bool {
        self.items.capacity() > ITEMS / 2 && self.bytes.load(Ordering::Relaxed) < BYTES / 2
    }
}

impl Outgoing {
    /// The next thing to send; `None` when the call broke. Cancel-safe. Nobody gets a tool's invocation that nobody waits for.
    pub(super) async fn next(&mut self) -> Option<Item> {
        loop {
            let item = self.items.recv().await?;
            self.bytes.fetch_sub(item.bytes(), Ordering::Relaxed);
            if item.is_wanted() {
                return Some(item);
            }
        }
    }
}

impl Item {
    fn is_wanted(&self) -> bool {
        match self {
            Self::Invocation(_, waiting) => waiting.strong_count() > 0,
            Self::Close(_) | Self::Message(_) | Self::Sound(_) => true,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Close(_) => 0,
            Self::Invocation(text, _) | Self::Message(text) => text.len(),
            Self::Sound(Entry { what: What::Audio { audio, .. }, .. }) => audio.len(),
            Self::Sound(Entry { what: What::Cut { .. } | What::End, .. }) => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(length: usize) -> Item {
        Item::Message("x".repeat(length).into())
    }

    #[tokio::test]
    async fn what_finds_no_room_is_refused_and_the_end_always_finds_some() {
        let (queue, mut outgoing) = queue();
        for _ in RESERVED..ITEMS {
            assert_eq!(queue.put(message(1)), Ok(()));
        }
        assert_eq!(queue.put(message(1)), Err(Full));
        assert!(!queue.has_room());
        queue.close(CloseCode::Normal);
        for _ in RESERVED..ITEMS {
            assert!(matches!(outgoing.next().await, Some(Item::Message(_))));
        }
        assert!(matches!(outgoing.next().await, Some(Item::Close(CloseCode::Normal))));
        assert!(queue.has_room());
    }

    #[tokio::test]
    async fn bytes_are_bounded_and_given_back() {
        let (queue, mut outgoing) = queue();
        assert_eq!(queue.put(message(BYTES)), Ok(()));
        assert_eq!(queue.put(message(1)), Err(Full));
        outgoing.next().await;
        assert_eq!(queue.put(message(BYTES)), Ok(()));
    }

    #[tokio::test]
    async fn a_line_that_is_gone_takes_everything() {
        let (queue, outgoing) = queue();
        drop(outgoing);
        for _ in 0..=ITEMS {
            assert_eq!(queue.put(message(BYTES)), Ok(()));
        }
    }

    #[tokio::test]
    async fn an_invocation_that_nobody_waits_for_is_not_sent() {
        let (queue, mut outgoing) = queue();
        let (kept, given_up) = (Arc::new(()), Arc::new(()));
        queue.put(Item::Invocation("given up".into(), Arc::downgrade(&given_up))).unwrap();
        queue.put(Item::Invocation("kept".into(), Arc::downgrade(&kept))).unwrap();
        drop(given_up);
        assert!(matches!(outgoing.next().await, Some(Item::Invocation(text, _)) if text == "kept"));
    }
}
