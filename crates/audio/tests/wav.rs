//! WAV files as the world writes them are read, and what is written is readable by others, at any moment.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

use std::cell::Cell;
use std::io::{self, Cursor, Seek, SeekFrom, Write};
use std::rc::Rc;

use antiphon_audio::{Channels, SampleRate, Wav, WavError, WavWriter};
use hound::{SampleFormat, WavSpec};

const RATE: SampleRate = SampleRate::EAR;

/// A file made of chunks, with RIFF head; every chunk's length is what is really there.
fn riff(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut body = b"WAVE".to_vec();
    for (id, content) in chunks {
        body.extend(*id);
        body.extend((content.len() as u32).to_le_bytes());
        body.extend(*content);
        body.resize(body.len().next_multiple_of(2), 0);
    }
    let mut file = b"RIFF".to_vec();
    file.extend((body.len() as u32).to_le_bytes());
    file.extend(body);
    file
}

/// A plain `fmt ` chunk at 8 kHz.
fn format(tag: u16, channels: u16, bytes_per_instant: u16, bits: u16) -> Vec<u8> {
    let mut chunk = Vec::new();
    chunk.extend(tag.to_le_bytes());
    chunk.extend(channels.to_le_bytes());
    chunk.extend(8_000u32.to_le_bytes());
    chunk.extend((8_000 * u32::from(bytes_per_instant)).to_le_bytes());
    chunk.extend(bytes_per_instant.to_le_bytes());
    chunk.extend(bits.to_le_bytes());
    chunk
}

fn with_hound<S: hound::Sample>(
    channels: u16,
    bits: u16,
    format: SampleFormat,
    samples: impl IntoIterator<Item = S>,
) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    let spec = WavSpec { channels, sample_rate: 16_000, bits_per_sample: bits, sample_format: format };
    let mut writer = hound::WavWriter::new(&mut file, spec).unwrap();
    for sample in samples {
        writer.write_sample(sample).unwrap();
    }
    writer.finalize().unwrap();
    file.into_inner()
}

fn read(file: &[u8]) -> Wav {
    Wav::read(file).unwrap()
}

fn read_by_hound(file: &[u8]) -> Vec<i16> {
    hound::WavReader::new(file).unwrap().into_samples().map(Result::unwrap).collect()
}

#[test]
fn every_width_of_integers_and_floats_is_read_at_full_scale() {
    let expected = [0, i16::MIN, 16_384];
    let files = [
        with_hound(1, 8, SampleFormat::Int, [0i32, -128, 64]),
        with_hound(1, 16, SampleFormat::Int, [0i32, -32_768, 16_384]),
        with_hound(1, 24, SampleFormat::Int, [0i32, -8_388_608, 4_194_304]),
        with_hound(1, 32, SampleFormat::Int, [0i32, i32::MIN, 1 << 30]),
        with_hound(1, 32, SampleFormat::Float, [0.0f32, -1.0, 0.5]),
        riff(&[
            (b"fmt ", &format(3, 1, 8, 64)),
            (b"data", &[0.0f64, -1.0, 0.5].map(f64::to_le_bytes).concat()),
        ]),
    ];
    for file in files {
        assert_eq!(read(&file).samples, expected);
    }
}

#[test]
fn floats_beyond_full_scale_saturate_and_what_is_no_number_is_silent() {
    let file = with_hound(1, 32, SampleFormat::Float, [7.5f32, -7.5, f32::NAN, f32::INFINITY]);
    assert_eq!(read(&file).samples, [i16::MAX, i16::MIN, 0, i16::MAX]);
}

#[test]
fn channels_are_mixed_down_or_picked() {
    let stereo = read(&with_hound(2, 16, SampleFormat::Int, [100i16, 300, -32_768, -32_768, 7, 0]));
    assert_eq!((stereo.rate_hz, stereo.channels), (16_000, 2));
    assert_eq!(stereo.mono(), [200, -32_768, 3]);
    assert_eq!(stereo.channel(0), [100, -32_768, 7]);
    assert_eq!(stereo.channel(1), [300, -32_768, 0]);
    assert_eq!(stereo.channel(2), [0i16; 0]);

    let six = read(&with_hound(6, 24, SampleFormat::Int, [256i32 * 60, 0, 0, 0, 0, 0]));
    assert_eq!(six.mono(), [10]);
}

#[test]
fn other_chunks_odd_lengths_and_unknown_rates_are_no_obstacle() {
    let file = riff(&[
        (b"JUNK", &[1, 2, 3]),
        (b"fmt ", &format(1, 1, 2, 16)),
        (b"LIST", b"INFOsoft"),
        (b"data", &[1, 0, 2, 0]),
        (b"id3 ", &[9; 20]),
    ]);
    assert_eq!(read(&file).samples, [1, 2]);
}

#[test]
fn a_data_length_that_was_never_filled_in_means_to_the_end() {
    let whole = riff(&[(b"fmt ", &format(1, 1, 2, 16)), (b"data", &[1, 0, 2, 0, 3, 0])]);
    for length in [0, 0x7fff_ffff, 0xffff_ffff] {
        let mut file = whole.clone();
        file[40..44].copy_from_slice(&u32::to_le_bytes(length));
        assert_eq!(read(&file).samples, [1, 2, 3], "{length:#x}");
    }
    let cut_off_within_a_sample = &whole[..whole.len() - 1];
    assert_eq!(read(cut_off_within_a_sample).samples, [1, 2]);
}

#[test]
fn an_empty_file_is_not_filled_with_the_chunks_behind_it() {
    let file = riff(&[(b"fmt ", &format(1, 1, 2, 16)), (b"data", &[]), (b"LIST", b"INFOsoft")]);
    assert_eq!(read(&file).samples, [0i16; 0]);
}

#[test]
fn the_bytes_per_instant_may_be_missing_and_padding_is_left_out() {
    let missing = riff(&[(b"fmt ", &format(1, 1, 0, 16)), (b"data", &[1, 0])]);
    assert_eq!(read(&missing).samples, [1]);
    let twenty_four_in_four_bytes = riff(&[(b"fmt ", &format(1, 1, 4, 24)), (b"data", &[0, 0, 5, 0])]);
    assert_eq!(read(&twenty_four_in_four_bytes).samples, [5]);
}

#[test]
fn what_cannot_be_read_says_what_to_do() {
    let complaint = |file: &[u8]| Wav::read(file).unwrap_err().to_string();
    assert!(
        complaint(b"ID3 mp3").starts_with("not a WAV file, it does not start with a RIFF header; convert")
    );
    assert!(complaint(&riff(&[])).contains("ends before its audio begins"));
    assert!(complaint(&riff(&[(b"data", &[1, 0])])).contains("audio comes before its format"));
    assert!(complaint(&riff(&[(b"fmt ", &[1, 0])])).contains("format is cut off"));
    assert!(complaint(&riff(&[(b"fmt ", &format(1, 0, 2, 16))])).contains("no channel or no rate"));

    let mu_law = riff(&[(b"fmt ", &format(7, 1, 1, 8)), (b"data", &[0xff])]);
    assert!(matches!(Wav::read(&mu_law[..]), Err(WavError::Unsupported { tag: 7, bits: 8 })));
}

#[test]
fn no_cut_and_no_flipped_byte_makes_the_reader_panic() {
    let file = with_hound(2, 24, SampleFormat::Int, 0..20);
    for cut in 0..file.len() {
        drop(Wav::read(&file[..cut]));
    }
    for at in 0..68 {
        for byte in [0, 1, 3, 0x7f, 0xff] {
            let mut broken = file.clone();
            broken[at] = byte;
            drop(Wav::read(&broken[..]));
        }
    }
}

#[test]
fn what_is_written_reads_back_here_and_elsewhere() {
    let mut file = Cursor::new(Vec::new());
    let mut writer = WavWriter::new(&mut file, RATE, Channels::Stereo).unwrap();
    writer.write(&[1, -1, 2, -2]).unwrap();
    writer.write(&[]).unwrap();
    writer.write(&[i16::MAX, i16::MIN]).unwrap();
    writer.finish().unwrap();

    let file = file.into_inner();
    let expected = [1, -1, 2, -2, i16::MAX, i16::MIN];
    assert_eq!(read(&file), Wav { rate_hz: 16_000, channels: 2, samples: expected.to_vec() });
    assert_eq!(read_by_hound(&file), expected);
}

#[test]
fn half_a_stereo_instant_is_refused() {
    let mut file = Cursor::new(Vec::new());
    let mut writer = WavWriter::new(&mut file, RATE, Channels::Stereo).unwrap();
    assert_eq!(writer.write(&[1, 2, 3]).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    writer.finish().unwrap();
    assert_eq!(read_by_hound(&file.into_inner()), [0i16; 0]);
}

/// A disk that loses power: it ignores everything from one write on.
struct Crashing {
    disk: Cursor<Vec<u8>>,
    writes_left: usize,
}

impl Write for Crashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.writes_left == 0 {
            return Ok(bytes.len());
        }
        self.writes_left -= 1;
        self.disk.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Crashing {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.disk.seek(to)
    }
}

#[test]
fn a_crash_at_any_write_leaves_a_file_that_plays_what_was_flushed() {
    // The header, then two writes for each flush: the audio and the header anew.
    let writes_of = |flushes: usize| 1 + 2 * flushes;
    for writes in 1..=writes_of(3) {
        let mut file = Crashing { disk: Cursor::new(Vec::new()), writes_left: writes };
        let mut writer = WavWriter::new(&mut file, RATE, Channels::Mono).unwrap();
        for flushed in 1..=3 {
            writer.write(&[flushed; 100]).unwrap();
            writer.flush().unwrap();
        }
        drop(writer);

        let survived = read_by_hound(&file.disk.into_inner());
        let flushes = (writes - 1) / 2;
        let expected: Vec<i16> = (1..=flushes as i16).flat_map(|flushed| [flushed; 100]).collect();
        assert_eq!(survived, expected, "after {writes} writes");
    }
}

#[test]
fn the_file_is_flushed_by_itself_before_much_is_waiting() {
    let mut file = Cursor::new(Vec::new());
    let mut writer = WavWriter::new(&mut file, RATE, Channels::Mono).unwrap();
    writer.write(&[5; 100_000]).unwrap();
    // A crash: not even dropped.
    std::mem::forget(writer);
    let survived = read_by_hound(&file.into_inner()).len();
    assert!(100_000 - survived <= 32_768, "{survived} of 100000 samples survived");
}

/// A disk that is full until somebody makes room.
struct Full {
    disk: Cursor<Vec<u8>>,
    full: Rc<Cell<bool>>,
}

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.full.get() { Err(io::ErrorKind::StorageFull.into()) } else { self.disk.write(bytes) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Full {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.disk.seek(to)
    }
}

#[test]
fn a_full_disk_is_reported_and_nothing_taken_is_lost_once_there_is_room() {
    let full = Rc::new(Cell::new(false));
    let mut file = Full { disk: Cursor::new(Vec::new()), full: Rc::clone(&full) };
    let mut writer = WavWriter::new(&mut file, RATE, Channels::Mono).unwrap();
    writer.write(&[1; 32_768]).unwrap();
    full.set(true);
    for _ in 0..5 {
        assert_eq!(writer.write(&[2; 10]).unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
    full.set(false);
    writer.write(&[3; 10]).unwrap();
    writer.finish().unwrap();

    let expected = [vec![1; 32_768], vec![3; 10]].concat();
    assert_eq!(read_by_hound(&file.disk.into_inner()), expected);
}
