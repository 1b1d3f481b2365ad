//! G.711, the coding of telephone audio: one byte a sample, 8000 samples a second (ITU-T G.711).
//!
//! Owns the two laws. Rates, frames and who uses which are others' business.

/// How a sample becomes a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum G711 {
    /// A-law, as in Europe: PCMA.
    ALaw,
    /// µ-law, as in North America and Japan: PCMU.
    MuLaw,
}

/// What µ-law adds before it takes the logarithm.
const BIAS: i32 = 0x84;
/// The loudest sample that µ-law can say.
const MU_LAW_CLIP: i32 = 32_635;

static A_LAW: [i16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = a_law_sample(byte as u8);
        byte += 1;
    }
    table
};
static MU_LAW: [i16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = mu_law_sample(byte as u8);
        byte += 1;
    }
    table
};

impl G711 {
    /// The byte of no sound.
    #[must_use]
    pub const fn silence(self) -> u8 {
        match self {
            Self::ALaw => 0xd5,
            Self::MuLaw => 0xff,
        }
    }

    /// The byte of a sample.
    #[must_use]
    pub const fn encode(self, sample: i16) -> u8 {
        match self {
            Self::ALaw => a_law_byte(sample),
            Self::MuLaw => mu_law_byte(sample),
        }
    }

    /// The sample of a byte.
    #[must_use]
    pub fn decode(self, byte: u8) -> i16 {
        match self {
            Self::ALaw => A_LAW[usize::from(byte)],
            Self::MuLaw => MU_LAW[usize::from(byte)],
        }
    }

    /// Appends the bytes of `samples` to `bytes`. Allocates only where `bytes` must grow.
    pub fn write(self, samples: &[i16], bytes: &mut Vec<u8>) {
        bytes.extend(samples.iter().map(|sample| self.encode(*sample)));
    }

    /// Appends the samples of `bytes` to `samples`. Allocates only where `samples` must grow.
    pub fn read(self, bytes: &[u8], samples: &mut Vec<i16>) {
        samples.extend(bytes.iter().map(|byte| self.decode(*byte)));
    }
}

const fn mu_law_sample(byte: u8) -> i16 {
    let byte = !byte;
    let magnitude = ((((byte & 0x0f) as i32) << 3) + BIAS) << ((byte & 0x70) >> 4);
    (if byte & 0x80 == 0 { magnitude - BIAS } else { BIAS - magnitude }) as i16
}

const fn mu_law_byte(sample: i16) -> u8 {
    let (sign, magnitude) = if sample < 0 { (0x80, -(sample as i32)) } else { (0, sample as i32) };
    let magnitude = if magnitude > MU_LAW_CLIP { MU_LAW_CLIP } else { magnitude } + BIAS;
    // The bias makes bit 7 the lowest that can be the highest one.
    let segment = 24 - (magnitude as u32).leading_zeros();
    let step = ((magnitude >> (segment + 3)) & 0x0f) as u8;
    !(sign | ((segment as u8) << 4) | step)
}

const fn a_law_sample(byte: u8) -> i16 {
    let byte = byte ^ 0x55;
    let step = ((byte & 0x0f) as i32) << 4;
    let magnitude = match (byte & 0x70) >> 4 {
        0 => step + 0x008,
        segment => (step + 0x108) << (segment - 1),
    };
    (if byte & 0x80 == 0 { -magnitude } else { magnitude }) as i16
}

const fn a_law_byte(sample: i16) -> u8 {
    // 13 bits; below zero the steps begin at -1.
    let (sign, magnitude) =
        if sample < 0 { (0x55, !(sample as i32) >> 3) } else { (0xd5, sample as i32 >> 3) };
    let bits = 32 - (magnitude as u32).leading_zeros();
    let segment = bits.saturating_sub(5);
    let step = magnitude >> if segment < 2 { 1 } else { segment };
    ((segment << 4) as u8 | (step & 0x0f) as u8) ^ sign
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_become_the_bytes_of_the_recommendation() {
        for (sample, mu_law, a_law, from_mu_law, from_a_law) in [
            (0, 0xff, 0xd5, 0, 8),
            (100, 0xf2, 0xd3, 104, 104),
            (-100, 0x72, 0x53, -104, -104),
            (1_000, 0xce, 0xfa, 988, 1_008),
            (-1_000, 0x4e, 0x7a, -988, -1_008),
            (8_031, 0xa0, 0x8a, 7_932, 8_064),
            (32_767, 0x80, 0xaa, 32_124, 32_256),
            (-32_768, 0x00, 0x2a, -32_124, -32_256),
        ] {
            assert_eq!((G711::MuLaw.encode(sample), G711::ALaw.encode(sample)), (mu_law, a_law), "{sample}");
            assert_eq!(
                (G711::MuLaw.decode(mu_law), G711::ALaw.decode(a_law)),
                (from_mu_law, from_a_law),
                "{sample}"
            );
        }
        assert_eq!((G711::MuLaw.encode(0), G711::ALaw.encode(0)), (0xff, 0xd5));
        assert_eq!((G711::MuLaw.silence(), G711::ALaw.silence()), (0xff, 0xd5));
    }

    #[test]
    fn what_is_decoded_is_encoded_as_it_was() {
        for byte in 0..=u8::MAX {
            assert_eq!(G711::ALaw.encode(G711::ALaw.decode(byte)), byte);
            // µ-law has two zeros.
            let again = if byte == 0x7f { 0xff } else { byte };
            assert_eq!(G711::MuLaw.encode(G711::MuLaw.decode(byte)), again);
        }
    }

    #[test]
    fn no_sample_is_further_off_than_half_a_step() {
        for law in [G711::ALaw, G711::MuLaw] {
            let mut before = law.decode(law.encode(i16::MIN));
            for sample in i16::MIN..=i16::MAX {
                let heard = law.decode(law.encode(sample));
                assert!(heard >= before, "{law:?} is not monotonous at {sample}");
                before = heard;
                let off = (i32::from(heard) - i32::from(sample)).abs();
                assert!(
                    off <= i32::from(sample).abs() / 32 + 16 || sample.unsigned_abs() > 32_000,
                    "{law:?} {sample}: {heard}"
                );
            }
        }
    }
}
