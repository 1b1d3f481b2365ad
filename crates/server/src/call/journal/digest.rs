//! The running digest of everything a conversation has said: two runs with equal digests said the same so far.
//!
//! FNV-1a with 64 bits over the bytes of every output (draft-eastlake-fnv, parameters of section 5). It is chained over the whole
//! call, so that a difference shows in all digests after it. It guards against accidents, not against forgers.

use antiphon_engine::Output;

use super::UserText;
use super::bytes::Writer;
use super::codec::Put as _;

const BASIS: u64 = 0xCBF2_9CE4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01B3;

#[derive(Debug)]
pub(super) struct Digest {
    state: u64,
    scratch: Writer,
}

impl Digest {
    pub(super) fn new(user_text: UserText) -> Self {
        Self { state: BASIS, scratch: Writer::new(user_text) }
    }

    pub(super) fn add(&mut self, output: &Output) {
        self.scratch.bytes.clear();
        output.put(&mut self.scratch);
        for byte in &self.scratch.bytes {
            self.state = (self.state ^ u64::from(*byte)).wrapping_mul(PRIME);
        }
    }

    /// The digest so far.
    pub(super) fn value(&self) -> u32 {
        let [low, high] = [self.state, self.state >> 32].map(|half| half.to_le_bytes());
        let folded = std::array::from_fn(|index| low[index] ^ high[index]);
        u32::from_le_bytes(folded)
    }
}
