//! Each target with some thousands of inputs. `FUZZ_RUNS` says how many times as many (default 1), `FUZZ_SEED` which.

use std::io::{self, Write as _};

use super::mutation::Mutation;
use super::{Requests, Wire};

/// Runs a target on its seeds and on inputs made of them; says how often.
fn fuzz(name: &str, seeds: &[Vec<u8>], runs: usize, mut target: impl FnMut(&[u8])) {
    let variable = |name| std::env::var(name).ok().map(|value| value.parse::<u64>().expect("a whole number"));
    let times = usize::try_from(variable("FUZZ_RUNS").unwrap_or(1)).unwrap();
    let seed = variable("FUZZ_SEED").unwrap_or(1);
    let mut mutation = Mutation::new(seeds, seed);
    for seed in seeds {
        run(name, seed, &mut target);
    }
    for _ in 0..runs * times {
        let input = mutation.next();
        run(name, &input, &mut target);
    }
    // Not by way of what the test prints, which is shown of tests that fail alone.
    let (runs, seeds) = (seeds.len() + runs * times, seeds.len());
    writeln!(io::stderr(), "fuzzed {name}: {runs} runs from {seeds} seeds, FUZZ_SEED={seed}").unwrap();
}

fn run(name: &str, input: &[u8], target: &mut impl FnMut(&[u8])) {
    /// Says which input it was, if the target panics.
    struct Culprit<'a>(&'a str, &'a [u8]);
    impl Drop for Culprit<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                println!("{} fails on \"{}\"", self.0, self.1.escape_ascii());
            }
        }
    }
    let _culprit = Culprit(name, input);
    target(input);
}

fn texts(seeds: &[&str]) -> Vec<Vec<u8>> {
    seeds.iter().map(|seed| seed.as_bytes().to_vec()).collect()
}

#[test]
fn client_messages() {
    let seeds = texts(&[
        r#"{"type":"ping","timestamp":1763600000.123}"#,
        r#"{"type":"user_text_message","text":"hello","urgency":"soon"}"#,
        r#"{"type":"input_text_message","text":"hello"}"#,
        r#"{"type":"set_output_medium","medium":"voice"}"#,
        r#"{"type":"client_tool_result","invocationId":"x","result":"{\"a\":1}","agentReaction":"speaks","responseType":"tool-response"}"#,
        r#"{"type":"client_tool_result","invocationId":"x","errorType":"implementation-error","errorMessage":"no","updateCallState":{"a":[1]}}"#,
        r#"{"type":"forced_agent_message","content":"Hi","uninterruptible":true,"urgency":"immediate"}"#,
        r#"{"type":"hang_up","message":"bye"}"#,
    ]);
    fuzz("client messages", &seeds, 20_000, super::client_message);
}

#[test]
fn server_messages() {
    let seeds = texts(&[
        r#"{"type":"call_started","callId":"00000000-0000-4000-8000-000000000001"}"#,
        r#"{"type":"state","state":"listening"}"#,
        r#"{"type":"transcript","role":"agent","medium":"voice","text":null,"delta":"hel","final":false,"ordinal":3}"#,
        r#"{"type":"client_tool_invocation","toolName":"f","invocationId":"x","parameters":{"a":{"b":[null]}}}"#,
        r#"{"type":"pong","timestamp":18446744073709551615}"#,
        r#"{"type":"debug","message":"x"}"#,
        r#"{"type":"playback_clear_buffer"}"#,
    ]);
    fuzz("server messages", &seeds, 20_000, super::server_message);
}

#[test]
fn templates() {
    let seeds = texts(&[
        "Hello {{name}}, {{{name}}} and {{&name}}.",
        "{{#list}}{{.}}, {{/list}}{{^list}}none{{/list}}{{! nothing }}",
        "{{deep.er.name}} {{#deep}}{{#er}}{{name}}{{/er}}{{/deep}}",
        "{{#a}}{{#a}}{{#a}}x{{/a}}{{/a}}{{/a}}\0{\"a\":[1,2,3]}",
        "{{> partial}} {{=<% %>=}}",
    ]);
    fuzz("templates", &seeds, 20_000, super::template);
}

#[test]
fn telephony() {
    let seeds = texts(&[
        "application/x-www-form-urlencoded\nhttps://a.example:443/api/x?a=b\nc2lnbmF0dXJl\n123\nCallSid=CA1&From=%2B49&To=sip%3Aa%40b",
        "application/json\nhttp://a.example/?bodySHA256=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\nAAAA,BBBB\n1763600000\n{\"data\":{\"a\":[1]},\"a\":{\"b\":{\"c\":\"d\"}}}",
        "\nwss://[::1]:80/\n\n\n{\"a\":1}",
    ]);
    fuzz("telephony forms", &seeds, 10_000, super::telephony);
}

#[test]
fn configurations() {
    let mut seeds = vec![crate::config::DEFAULT_FILE.as_bytes().to_vec()];
    // The same with every line in force.
    seeds.push(crate::config::DEFAULT_FILE.replace("\n#", "\n").into_bytes());
    seeds.extend(texts(&[
        "[server]\nlisten = \"127.0.0.1:0\"\npublic_url = \"https://a.example\"\ndrain_deadline = \"5m\"\n",
        "[models.a]\ntype = \"openai\"\nurl = \"http://127.0.0.1:1/v1\"\nmodel = \"m\"\nfallbacks = [\"b\"]\n[models.b]\ntype = \"scripted\"\nscript = \"x\"\n",
        "[[auth.api_keys]]\nname = \"k\"\nsha256 = \"00\"\n[outbound]\nallow = [\"10.0.0.0/8\", \"*.internal\"]\n",
        "[connections]\nmaximum = 5\nheader_timeout = \"1s\"\n[limits]\nrequests_per_second = 4294967295\n",
        "[voices.v]\ntype = \"generic\"\nurl = \"http://127.0.0.1\"\n[transcription]\ntype = \"deepgram\"\n",
    ]));
    fuzz("configurations", &seeds, 3_000, super::config);
}

#[test]
fn journals() {
    let mut seeds = vec![crate::call::journal::of_nothing()];
    let contents = seeds[0][crate::call::journal::contents_from()..].to_vec();
    let length = u16::try_from(contents.len()).unwrap().to_le_bytes();
    seeds.push([&[1], &length[..], &contents].concat());
    for entries in [&[0_u8; 40][..], &[1; 60], &[7, 1, 3, 0, 0, 0, 0, 1, 2, 3, 4, 5]] {
        seeds.push([&[1], &length[..], &contents, entries].concat());
    }
    fuzz("journals", &seeds, 20_000, super::journal);
}

#[test]
fn wav_files() {
    let header = |channels: u8, bits: u8| {
        [
            b"RIFF\x64\0\0\0WAVEfmt \x10\0\0\0\x01\0".to_vec(),
            vec![channels, 0, 0x80, 0x3e, 0, 0, 0, 0x7d, 0, 0, channels * bits / 8, 0, bits, 0],
            b"data\x10\0\0\x000123456789abcdef".to_vec(),
        ]
        .concat()
    };
    fuzz("WAV files", &[header(1, 16), header(2, 16), header(1, 8)], 20_000, super::wav);
}

#[test]
fn audio() {
    let seeds =
        vec![vec![3; 900], (0..=255).cycle().take(2_000).collect(), vec![0, 7, 1, 255, 0, 128, 127, 3]];
    fuzz("audio in frames of any size", &seeds, 1_500, super::audio);
}

#[test]
fn frames() {
    let hello = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    let seeds = vec![
        [&[0, 255][..], hello, hello].concat(),
        [&[0, 1][..], b"\x82\xfe\x01\x00\0\0\0\0", &[5; 256]].concat(),
        [&[0, 7][..], b"\x01\x83\0\0\0\0abc\x89\x80\0\0\0\0\x80\x82\0\0\0\0de\x88\x82\0\0\0\0\x03\xe8"].concat(),
        b"\x81\x2c{\"type\":\"user_text_message\",\"text\":\"hello\"}\x82\x04abcd\x89\x02hi\x8a\x00\x88\x02\x03\xe8".to_vec(),
        b"\x01\x02{\"\x00\x01a\x80\x04\":1}\x02\x00\x80\x00\x81\x00".to_vec(),
    ];
    let wire = Wire::default();
    fuzz("WebSocket frames", &seeds, 3_000, |data| wire.run(data));
}

#[test]
fn requests() {
    let server = Requests::default();
    fuzz("requests", &Requests::seeds(), 3_000, |data| server.run(data));
}
