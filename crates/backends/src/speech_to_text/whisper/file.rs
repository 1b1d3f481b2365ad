//! A model's file, looked through before whisper.cpp reads it, which trusts what it reads.
//!
//! Owns the format (whisper.cpp, `models/convert-pt-to-ggml.py`): a header, mel filters, a vocabulary, tensors. It must not know
//! what the tensors are for.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

/// Of all files of this format, little endian.
const MAGIC: u32 = 0x6767_6d6c;
const GGUF: u32 = u32::from_le_bytes(*b"GGUF");
/// Bytes of a word or of a tensor's name.
const LONGEST_NAME: i32 = 1_024;

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    /// It ends too early.
    #[error("is cut off: it ends within {0}; get it again")]
    CutOff(String),
    /// Another format of the same family.
    #[error("is a GGUF file, and whisper.cpp reads its older format, ggml")]
    Gguf,
    /// Something else.
    #[error("is no ggml model")]
    NoModel,
    /// A model of the same format that does something else, or a damaged one.
    #[error("is no Whisper model, or damaged: {0}")]
    Other(String),
}

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Model {
    /// Whether it knows other languages than English.
    pub(super) multilingual: bool,
}

/// Looks a file through, without reading its numbers.
pub(super) fn look_through(path: &Path) -> Result<Model, Problem> {
    let file = File::open(path).map_err(Problem::Unreadable)?;
    let length = file.metadata().map_err(Problem::Unreadable)?.len();
    Reader { file: BufReader::with_capacity(1 << 16, file), at: 0, length }.model()
}

struct Reader {
    file: BufReader<File>,
    at: u64,
    length: u64,
}

impl Reader {
    fn model(&mut self) -> Result<Model, Problem> {
        match self.number("its first bytes").map(i32::cast_unsigned) {
            Ok(MAGIC) => {}
            Ok(GGUF) => return Err(Problem::Gguf),
            Ok(_) | Err(Problem::CutOff(_)) => return Err(Problem::NoModel),
            Err(problem) => return Err(problem),
        }
        let vocabulary = self.header()?;
        self.filters()?;
        self.vocabulary(vocabulary)?;
        let mut tensors = 0_u32;
        while self.at < self.length {
            self.tensor()?;
            tensors += 1;
        }
        if tensors == 0 {
            return Err(Problem::CutOff("its tensors".to_owned()));
        }
        Ok(Model { multilingual: vocabulary > 51_864 })
    }

    /// The size of the vocabulary.
    fn header(&mut self) -> Result<i32, Problem> {
        let within = |name: &str, value: i32, allowed: &[std::ops::RangeInclusive<i32>]| {
            if allowed.iter().any(|range| range.contains(&value)) {
                Ok(value)
            } else {
                Err(Problem::Other(format!("its {name} is {value}")))
            }
        };
        // English only; with the first languages; with Cantonese. Whatever is special is found by counting from these.
        let vocabulary = within("vocabulary", self.number("its header")?, &[51_864..=51_866])?;
        for name in ["audio context", "audio width", "audio heads", "audio layers"] {
            within(name, self.number("its header")?, &[1..=8_192])?;
        }
        for name in ["text context", "text width", "text heads", "text layers"] {
            within(name, self.number("its header")?, &[1..=8_192])?;
        }
        within("mel bands", self.number("its header")?, &[80..=80, 128..=128])?;
        // Thousands say which generation of quantization.
        within("kind of numbers", self.number("its header")?, &[0..=1, 2..=3, 7..=25, 1_000..=9_999])?;
        Ok(vocabulary)
    }

    fn filters(&mut self) -> Result<(), Problem> {
        let (bands, bins) = (self.number("its filters")?, self.number("its filters")?);
        if !(1..=1_024).contains(&bands) || !(1..=8_192).contains(&bins) {
            return Err(Problem::Other(format!("its filters are {bands} by {bins}")));
        }
        self.skip(u64::from(bands.unsigned_abs()) * u64::from(bins.unsigned_abs()) * 4, "its filters")
    }

    fn vocabulary(&mut self, most: i32) -> Result<(), Problem> {
        let count = self.number("its vocabulary")?;
        if !(0..=most).contains(&count) {
            return Err(Problem::Other(format!("it lists {count} words of {most}")));
        }
        let mut blank = false;
        for _ in 0..count {
            blank |= self.name("its vocabulary")? == b" ";
        }
        // The decoder looks it up and ends the process where there is none.
        if !blank {
            return Err(Problem::Other("its vocabulary has no blank".to_owned()));
        }
        Ok(())
    }

    fn tensor(&mut self) -> Result<(), Problem> {
        let (dimensions, name, kind) = (
            self.number("a tensor's header")?,
            self.number("a tensor's header")?,
            self.number("a tensor's header")?,
        );
        if !(1..=4).contains(&dimensions) || !(1..=LONGEST_NAME).contains(&name) {
            return Err(Problem::Other(format!(
                "a tensor has {dimensions} dimensions and a name of {name} bytes"
            )));
        }
        let mut elements = 1_u64;
        for _ in 0..dimensions {
            let size = u64::try_from(self.number("a tensor's header")?).unwrap_or(0);
            elements = elements.saturating_mul(size);
        }
        let mut bytes = vec![0; name.unsigned_abs() as usize];
        self.read(&mut bytes, "a tensor's header")?;
        let name = String::from_utf8_lossy(&bytes).into_owned();
        let (block, per_block) = layout(kind)
            .ok_or_else(|| Problem::Other(format!("the numbers of {name} are of kind {kind}")))?;
        self.skip((elements / per_block).saturating_mul(block), &name)
    }

    fn name(&mut self, what: &str) -> Result<Vec<u8>, Problem> {
        let length = self.number(what)?;
        if !(0..=LONGEST_NAME).contains(&length) {
            return Err(Problem::Other(format!("a word of {what} has {length} bytes")));
        }
        let mut name = vec![0; length.unsigned_abs() as usize];
        self.read(&mut name, what)?;
        Ok(name)
    }

    fn number(&mut self, what: &str) -> Result<i32, Problem> {
        let mut bytes = [0; 4];
        self.read(&mut bytes, what)?;
        Ok(i32::from_le_bytes(bytes))
    }

    fn read(&mut self, bytes: &mut [u8], what: &str) -> Result<(), Problem> {
        self.at += bytes.len() as u64;
        self.file.read_exact(bytes).map_err(|error| {
            if error.kind() == io::ErrorKind::UnexpectedEof {
                Problem::CutOff(what.to_owned())
            } else {
                Problem::Unreadable(error)
            }
        })
    }

    fn skip(&mut self, bytes: u64, what: &str) -> Result<(), Problem> {
        if bytes > self.length.saturating_sub(self.at) {
            return Err(Problem::CutOff(what.to_owned()));
        }
        self.at += bytes;
        // It is within the file, so it fits.
        self.file.seek_relative(bytes.cast_signed()).map_err(Problem::Unreadable)
    }
}

/// Bytes of a block, and numbers in it, by the kind of a tensor's numbers (`ggml_type`).
const fn layout(kind: i32) -> Option<(u64, u64)> {
    Some(match kind {
        0 => (4, 1),
        1 => (2, 1),
        2 => (18, 32),
        3 => (20, 32),
        6 => (22, 32),
        7 => (24, 32),
        8 => (34, 32),
        10 => (84, 256),
        11 => (110, 256),
        12 => (144, 256),
        13 => (176, 256),
        14 => (210, 256),
        _ => return None,
    })
}
