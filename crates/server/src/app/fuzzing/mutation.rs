//! Inputs made from seeds: bytes turned, cut, repeated, exchanged for others and for what is known to be odd. The same number gives
//! the same input, so that what fails can be tried again.

/// What breaks things: ends of ranges, cut and odd characters, and what JSON, TOML, URLs and templates are made of.
const ODD: [&[u8]; 46] = [
    b"",
    b"\0",
    b"\n",
    b"\r\n",
    b"\x7f",
    b"\x80",
    b"\xff",
    b"\xff\xff\xff\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    "€".as_bytes(),
    "\u{202e}".as_bytes(),
    "👩‍👩‍👧‍👦".as_bytes(),
    b"0",
    b"-1",
    b"1e308",
    b"-0.0",
    b"9223372036854775808",
    b"18446744073709551616",
    b"0.1e-400",
    b"null",
    b"true",
    b"[]",
    b"{}",
    b"\"\"",
    b"\"\\u0000\"",
    b"\"\\ud800\"",
    b"[[[[[[[[",
    b"{\"a\":",
    b",",
    b":",
    b"\"",
    b"{{",
    b"}}",
    b"{{#a}}",
    b"{{/a}}",
    b"{{{",
    b"%00",
    b"%ff",
    b"../",
    b"?",
    b"&a[]=",
    b"=",
    b"P1Y",
    b"99999999999999s",
    b"https://[::1]:99999/",
];

/// A stream of inputs.
pub(super) struct Mutation<'a> {
    seeds: &'a [Vec<u8>],
    state: u64,
}

impl<'a> Mutation<'a> {
    pub(super) fn new(seeds: &'a [Vec<u8>], seed: u64) -> Self {
        Self { seeds, state: seed }
    }

    /// The next input: a seed with a few changes.
    pub(super) fn next(&mut self) -> Vec<u8> {
        let mut input = self.seed().to_vec();
        for _ in 0..=self.below(6) {
            self.change(&mut input);
        }
        // A page is enough to be odd in.
        input.truncate(1 << 16);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let (from, to) = self.span(input.len());
        match self.below(9) {
            0 if !input.is_empty() => {
                let at = self.below(input.len());
                input[at] ^= 1 << self.below(8);
            }
            1 if !input.is_empty() => {
                let at = self.below(input.len());
                input[at] = self.random().to_le_bytes()[0];
            }
            2 => drop(input.drain(from..to)),
            3 => {
                let piece = input[from..to].to_vec();
                for _ in 0..self.below(4) {
                    input.splice(to..to, piece.iter().copied());
                }
            }
            4 => {
                let other = self.seed();
                let (start, end) = self.span(other.len());
                input.splice(from..to, other[start..end].iter().copied());
            }
            5 => input.truncate(from),
            6 => self.exchange_value(input),
            _ => {
                let odd = ODD[self.below(ODD.len())];
                let to = if self.below(2) == 0 { from } else { to };
                input.splice(from..to, odd.iter().copied());
            }
        }
    }

    /// What stands behind a colon, up to the next comma or bracket, becomes something else: another value in JSON.
    fn exchange_value(&mut self, input: &mut Vec<u8>) {
        let colons: Vec<usize> = (0..input.len()).filter(|at| input[*at] == b':').collect();
        if colons.is_empty() {
            return;
        }
        let from = colons[self.below(colons.len())] + 1;
        let length = input[from..].iter().position(|byte| b",}]".contains(byte)).unwrap_or(0);
        let odd = ODD[self.below(ODD.len())];
        input.splice(from..from + length, odd.iter().copied());
    }

    fn seed(&mut self) -> &'a [u8] {
        let nth = self.below(self.seeds.len());
        &self.seeds[nth]
    }

    /// A stretch of so many bytes, short ones more often.
    fn span(&mut self, length: usize) -> (usize, usize) {
        let from = self.below(length + 1);
        let most = if self.below(4) == 0 { length - from } else { (length - from).min(8) };
        (from, from + self.below(most + 1))
    }

    fn below(&mut self, end: usize) -> usize {
        (self.random() % (end.max(1) as u64)) as usize
    }

    /// SplitMix64.
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
