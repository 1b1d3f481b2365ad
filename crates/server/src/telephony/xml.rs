//! The answers that let a provider stream a call here (protocol.md 7.6.1).

use std::fmt::Write as _;

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// TwiML for Twilio's Media Streams, both ways.
pub(crate) fn twilio(join_url: &str) -> String {
    format!("{HEAD}<Response><Connect><Stream url=\"{}\"/></Connect></Response>", escaped(join_url))
}

/// TeXML for Telnyx's media streaming, both ways. Only one codec is announced, so that both have to be the same.
pub(crate) fn telnyx(join_url: &str) -> String {
    format!(
        "{HEAD}<Response><Connect><Stream url=\"{}\" bidirectionalMode=\"rtp\" codec=\"L16\" \
         bidirectionalCodec=\"L16\" bidirectionalSamplingRate=\"16000\"/></Connect></Response>",
        escaped(join_url)
    )
}

/// XML for Plivo's audio streams, both ways.
pub(crate) fn plivo(join_url: &str) -> String {
    format!(
        "{HEAD}<Response><Stream keepCallAlive=\"true\" bidirectional=\"true\" \
         contentType=\"audio/x-l16;rate=16000\">{}</Stream></Response>",
        escaped(join_url)
    )
}

/// A text as XML has it, in an attribute or between tags.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            c if c.is_control() => write!(escaped, "&#{};", u32::from(c)).expect("a string takes any text"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_provider_is_told_where_to_stream_in_its_own_words() {
        let url = "wss://voice.example.org/calls/abc/telephony?a=1&b=\"2\"";
        let escaped = "wss://voice.example.org/calls/abc/telephony?a=1&amp;b=&quot;2&quot;";
        for (answer, body) in [
            (twilio(url), format!("<Response><Connect><Stream url=\"{escaped}\"/></Connect></Response>")),
            (
                telnyx(url),
                format!(
                    "<Response><Connect><Stream url=\"{escaped}\" bidirectionalMode=\"rtp\" codec=\"L16\" \
                     bidirectionalCodec=\"L16\" bidirectionalSamplingRate=\"16000\"/></Connect></Response>"
                ),
            ),
            (
                plivo(url),
                format!(
                    "<Response><Stream keepCallAlive=\"true\" bidirectional=\"true\" \
                     contentType=\"audio/x-l16;rate=16000\">{escaped}</Stream></Response>"
                ),
            ),
        ] {
            assert_eq!(answer, format!("{HEAD}{body}"));
        }
    }
}
