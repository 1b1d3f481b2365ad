//! Small differences between repetitions of a scenario, the same for the same seed.

use std::time::Duration;

/// How much a repetition stretches or shortens what people and backends take, at most.
const SPREAD: f64 = 0.2;

/// Stretches and shortens lengths of time.
#[derive(Debug, Clone)]
pub(super) enum Jitter {
    /// Everything takes as long as it is said to.
    None,
    /// Everything takes a little more or less: a generator in this state says how much.
    Seeded(u64),
}

impl Jitter {
    /// The differences of a repetition of the scenario called `name`. The first repetition has none.
    pub(super) fn new(seed: u64, name: &str, repetition: u32) -> Self {
        if repetition == 0 {
            return Self::None;
        }
        // FNV-1a, so that the scenarios of one run differ from each other.
        let name = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self::Seeded(seed ^ name ^ u64::from(repetition).rotate_left(32))
    }

    /// A length of time of about `duration`.
    pub(super) fn vary(&mut self, duration: Duration) -> Duration {
        let Self::Seeded(state) = self else { return duration };
        // SplitMix64 (Steele, Lea, Flood 2014).
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = *state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let from_zero_to_one = (mixed >> 11) as f64 / (1_u64 << 53) as f64;
        duration.mul_f64(1.0 + SPREAD * (2.0 * from_zero_to_one - 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn varied(seed: u64, name: &str, repetition: u32) -> Vec<Duration> {
        let mut jitter = Jitter::new(seed, name, repetition);
        (0..50).map(|_| jitter.vary(Duration::from_secs(1))).collect()
    }

    #[test]
    fn the_first_repetition_is_exact_and_the_others_are_reproducible() {
        assert!(varied(7, "a", 0).iter().all(|duration| *duration == Duration::from_secs(1)));
        assert_eq!(varied(7, "a", 1), varied(7, "a", 1));
        assert_ne!(varied(7, "a", 1), varied(7, "a", 2));
        assert_ne!(varied(7, "a", 1), varied(8, "a", 1));
        assert_ne!(varied(7, "a", 1), varied(7, "b", 1));
    }

    #[test]
    fn the_differences_are_bounded() {
        let (least, most) = (Duration::from_millis(800), Duration::from_millis(1_200));
        assert!(varied(1, "a", 1).iter().all(|duration| (least..=most).contains(duration)));
    }
}
