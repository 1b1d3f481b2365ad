//! A tiny Whisper, made for tests: it has the architecture and the file format of the real ones, and weights that are worked out
//! instead of learnt. It tells sound from silence by its loudness, says five words for whatever it hears, and stops.

/// The words that it says.
pub(crate) const SAYS: &str = "amber basket candle daisy ember";

const WIDTH: i32 = 64;
const HEADS: i32 = 1;
const POSITIONS: i32 = 1_500;
const TEXT_POSITIONS: i32 = 448;
const MELS: i32 = 80;
const BINS: i32 = 201;
/// The first of its words in the vocabulary, and where the blank is in real ones.
const WORDS: i32 = 1_000;
const BLANK: i32 = 220;

/// Channels: how loud it is, a one beside it, whether there is sound, and one for each of the tokens that it says.
const LOUD: usize = 0;
const ONE: usize = 1;
const SOUND: usize = 2;
const TURN: usize = 8;
/// So much larger than the rest that it is all that is left after a normalization.
const LARGE: f32 = 1_000.0;

/// What kind of model is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Made {
    /// Whether it knows other languages than English.
    pub(crate) multilingual: bool,
    /// Layers of its encoder, which do nothing and take time.
    pub(crate) layers: i32,
    /// Whether it says its first word again and again, and never stops.
    pub(crate) looping: bool,
}

impl Default for Made {
    fn default() -> Self {
        Self { multilingual: false, layers: 1, looping: false }
    }
}

impl Made {
    /// The bytes of its file.
    pub(crate) fn file(self) -> Vec<u8> {
        let mut file = Writer(Vec::new());
        let vocabulary = 51_864 + i32::from(self.multilingual);
        file.number(0x6767_6d6c);
        for value in
            [vocabulary, POSITIONS, WIDTH, HEADS, self.layers, TEXT_POSITIONS, WIDTH, HEADS, 1, MELS, 1]
        {
            file.number(value);
        }
        file.number(MELS);
        file.number(BINS);
        for band in 0..MELS {
            for bin in 0..BINS {
                file.single(if bin * MELS / BINS == band { 0.02 } else { 0.0 });
            }
        }
        let words = 50_256 + i32::from(self.multilingual);
        file.number(words);
        for id in 0..words {
            let said = SAYS.split(' ').nth(usize::try_from(id - WORDS).unwrap_or(usize::MAX));
            let word = match said {
                Some(word) => format!(" {word}"),
                None if id == BLANK => " ".to_owned(),
                None => format!("~{id}"),
            };
            file.number(word.len() as i32);
            file.0.extend(word.bytes());
        }
        self.encoder(&mut file);
        self.decoder(&mut file, vocabulary);
        file.0
    }

    fn encoder(self, file: &mut Writer) {
        let width = WIDTH as usize;
        file.floats("encoder.positional_embedding", &[WIDTH, POSITIONS], |_| {});
        // Silence is -1.5 in all bands, and nothing else is as low.
        file.halves("encoder.conv1.weight", &[3, MELS, WIDTH], |values| {
            let taps = 3 * MELS as usize;
            values[LOUD * taps..(LOUD + 1) * taps].fill(1.0 / taps as f32);
        });
        file.floats("encoder.conv1.bias", &[1, WIDTH], |values| values[LOUD] = 2.0);
        file.halves("encoder.conv2.weight", &[3, WIDTH, WIDTH], |values| {
            values[LOUD * 3 * width + LOUD * 3 + 1] = 1.0;
        });
        file.floats("encoder.conv2.bias", &[1, WIDTH], |values| values[ONE] = 1.0);
        file.normalization("encoder.ln_post");
        for layer in 0..self.layers {
            let block = format!("encoder.blocks.{layer}");
            file.feed_forward(&block);
            file.attention(&format!("{block}.attn"), |_| {}, |_| {});
        }
    }

    fn decoder(self, file: &mut Writer, vocabulary: i32) {
        let width = WIDTH as usize;
        let more = i32::from(self.multilingual);
        let (end, no_speech, begin) = (50_256 + more, 50_361 + more, 50_363 + more);
        let words = SAYS.split(' ').count() as i32;
        // In order: the time at the beginning, the words, the time at the end, the end.
        let mut says = vec![begin];
        says.extend(WORDS..WORDS + if self.looping { 1 } else { words });
        if !self.looping {
            says.extend([begin + POSITIONS, end]);
        }
        // A model for several languages is told the language and the task first.
        let first = if self.multilingual { 2 } else { 0 };
        file.floats("decoder.positional_embedding", &[WIDTH, TEXT_POSITIONS], |values| {
            for (position, channels) in values.chunks_mut(width).enumerate() {
                let turn = position.saturating_sub(first).min(says.len() - 1);
                channels[TURN + turn] = LARGE;
            }
        });
        file.halves("decoder.token_embedding.weight", &[WIDTH, vocabulary], |values| {
            for (turn, token) in says.iter().enumerate() {
                values[*token as usize * width + TURN + turn] = 20.0;
            }
            values[no_speech as usize * width + SOUND] = -40.0;
        });
        file.normalization("decoder.ln");
        let block = "decoder.blocks.0";
        file.feed_forward(block);
        file.attention(&format!("{block}.attn"), |_| {}, |_| {});
        // All positions of the encoder alike: whether they are louder than one.
        file.attention(
            &format!("{block}.cross_attn"),
            |value| {
                value[SOUND * width + LOUD] = LARGE / 3.0;
                value[SOUND * width + ONE] = -LARGE / 3.0;
            },
            |out| out[SOUND * width + SOUND] = 1.0,
        );
    }
}

struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, value: i32) {
        self.0.extend(value.to_le_bytes());
    }

    fn single(&mut self, value: f32) {
        self.0.extend(value.to_le_bytes());
    }

    fn header(&mut self, name: &str, sizes: &[i32], kind: i32) -> Vec<f32> {
        self.number(sizes.len() as i32);
        self.number(name.len() as i32);
        self.number(kind);
        sizes.iter().for_each(|size| self.number(*size));
        self.0.extend(name.bytes());
        vec![0.0; sizes.iter().product::<i32>() as usize]
    }

    fn floats(&mut self, name: &str, sizes: &[i32], fill: impl FnOnce(&mut [f32])) {
        let mut values = self.header(name, sizes, 0);
        fill(&mut values);
        values.into_iter().for_each(|value| self.single(value));
    }

    fn halves(&mut self, name: &str, sizes: &[i32], fill: impl FnOnce(&mut [f32])) {
        let mut values = self.header(name, sizes, 1);
        fill(&mut values);
        self.0.extend(values.into_iter().flat_map(|value| half(value).to_le_bytes()));
    }

    fn normalization(&mut self, name: &str) {
        self.floats(&format!("{name}.weight"), &[WIDTH], |values| values.fill(1.0));
        self.floats(&format!("{name}.bias"), &[WIDTH], |_| {});
    }

    /// One that does nothing.
    fn feed_forward(&mut self, block: &str) {
        self.normalization(&format!("{block}.mlp_ln"));
        self.halves(&format!("{block}.mlp.0.weight"), &[WIDTH, 4 * WIDTH], |_| {});
        self.floats(&format!("{block}.mlp.0.bias"), &[4 * WIDTH], |_| {});
        self.halves(&format!("{block}.mlp.2.weight"), &[4 * WIDTH, WIDTH], |_| {});
        self.floats(&format!("{block}.mlp.2.bias"), &[WIDTH], |_| {});
    }

    /// One that attends to everything alike.
    fn attention(&mut self, name: &str, value: impl FnOnce(&mut [f32]), out: impl FnOnce(&mut [f32])) {
        self.normalization(&format!("{name}_ln"));
        self.halves(&format!("{name}.query.weight"), &[WIDTH, WIDTH], |_| {});
        self.floats(&format!("{name}.query.bias"), &[WIDTH], |_| {});
        self.halves(&format!("{name}.key.weight"), &[WIDTH, WIDTH], |_| {});
        self.halves(&format!("{name}.value.weight"), &[WIDTH, WIDTH], value);
        self.floats(&format!("{name}.value.bias"), &[WIDTH], |_| {});
        self.halves(&format!("{name}.out.weight"), &[WIDTH, WIDTH], out);
        self.floats(&format!("{name}.out.bias"), &[WIDTH], |_| {});
    }
}

/// The nearest half towards zero, for what is neither tiny nor huge.
fn half(value: f32) -> u16 {
    if value == 0.0 {
        return 0;
    }
    let bits = value.to_bits();
    let exponent = (bits >> 23 & 0xff) as i32 - 127 + 15;
    assert!((1..31).contains(&exponent), "{value} is no half");
    (bits >> 16 & 0x8000) as u16 | (exponent as u16) << 10 | (bits >> 13 & 0x3ff) as u16
}
