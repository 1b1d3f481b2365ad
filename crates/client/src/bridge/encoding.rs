//! How a stream of audio is coded between two units: the encodings of Voximplant's media streams (bridges.md 12.4).

use std::fmt;
use std::str::FromStr;

use antiphon_audio::{G711, SampleRate};

/// How a stream is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// G.711 A-law: 8000 Hz, one byte a sample.
    Alaw,
    /// 16-bit linear, 16000 Hz.
    Pcm16,
    /// 16-bit linear, 8000 Hz.
    Pcm8,
    /// G.711 µ-law: 8000 Hz, one byte a sample.
    Ulaw,
}

/// A word that is no encoding that this side can do. Whoever chose it chooses another.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the encoding {0:?} is not supported; choose one of PCM8, PCM16, ALAW, ULAW")]
pub struct UnsupportedEncoding(pub String);

impl Encoding {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Alaw, Self::Pcm16, Self::Pcm8, Self::Ulaw];

    /// Samples per second.
    #[must_use]
    pub const fn rate(self) -> SampleRate {
        match self {
            Self::Alaw | Self::Pcm8 | Self::Ulaw => SampleRate::PHONE,
            Self::Pcm16 => SampleRate::EAR,
        }
    }

    /// The law of its bytes, where it is not linear.
    #[must_use]
    pub const fn law(self) -> Option<G711> {
        match self {
            Self::Alaw => Some(G711::ALaw),
            Self::Ulaw => Some(G711::MuLaw),
            Self::Pcm16 | Self::Pcm8 => None,
        }
    }

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alaw => "ALAW",
            Self::Pcm16 => "PCM16",
            Self::Pcm8 => "PCM8",
            Self::Ulaw => "ULAW",
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Encoding {
    type Err = UnsupportedEncoding;

    fn from_str(word: &str) -> Result<Self, UnsupportedEncoding> {
        Self::ALL
            .into_iter()
            .find(|encoding| encoding.as_str().eq_ignore_ascii_case(word.trim()))
            .ok_or_else(|| UnsupportedEncoding(word.chars().take(40).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoding_has_its_word_and_opus_is_refused_with_the_choice_there_is() {
        for encoding in Encoding::ALL {
            assert_eq!(encoding.to_string().to_lowercase().parse(), Ok(encoding));
        }
        assert_eq!(
            "OPUS".parse::<Encoding>().expect_err("it is not supported").to_string(),
            "the encoding \"OPUS\" is not supported; choose one of PCM8, PCM16, ALAW, ULAW"
        );
    }
}
