//! The URL that is really connected to: the call's join URL and what the client wants (protocol.md 1.3).

use reqwest::Url;

use crate::tls::Authorities;

/// What a client asks for when it joins. All of it is optional.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// `apiVersion`; only 1 is known.
    pub api_version: Option<u32>,
    /// `experimentalMessages`: the experimental messages to be sent, such as `debug`.
    pub experimental_messages: Vec<String>,
    /// `clientVersion`: what the Call resource then says about the client.
    pub client_version: Option<String>,
    /// Whose certificates the server may have beside those that the machine trusts.
    pub authorities: Option<Authorities>,
    /// `rejoin`: whether to come back to the call when the connection is lost without a word, as often and for as long as the server
    /// waits. An extension, which the server must have switched on; one that has not takes no notice. The message
    /// [`Rejoined`](antiphon_api::realtime::Rejoined) then says what was lost.
    pub rejoin: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            api_version: Some(1),
            experimental_messages: Vec::new(),
            client_version: Some(concat!("rust_", env!("CARGO_PKG_VERSION")).to_owned()),
            authorities: None,
            rejoin: false,
        }
    }
}

/// A text that is not a join URL. Whoever has it copies the whole `joinUrl` of the created call. The text is not repeated, since
/// a join URL is what permits to join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a join URL; copy the whole joinUrl of the created call, from ws:// or wss:// on")]
pub struct JoinUrlError;

impl Options {
    /// The join URL with what is asked for appended. What it already says of the same kind gives way.
    pub(super) fn url(&self, join_url: &str) -> Result<Url, JoinUrlError> {
        let mut url = Url::parse(join_url.trim()).map_err(|_| JoinUrlError)?;
        let scheme = match url.scheme() {
            "http" | "ws" => "ws",
            "https" | "wss" => "wss",
            _ => return Err(JoinUrlError),
        };
        url.set_scheme(scheme).map_err(|()| JoinUrlError)?;
        url.set_fragment(None);

        let ours = [
            ("apiVersion", self.api_version.map(|version| version.to_string())),
            (
                "experimentalMessages",
                Some(self.experimental_messages.join(",")).filter(|messages| !messages.is_empty()),
            ),
            ("clientVersion", self.client_version.clone()),
            ("rejoin", self.rejoin.then(|| "0".to_owned())),
        ];
        let is_ours = |key: &str| ours.iter().any(|(name, value)| value.is_some() && key == *name);
        let kept: Vec<(String, String)> = url
            .query_pairs()
            .filter(|(key, _)| !is_ours(key))
            .map(|(key, value)| (key.into_owned(), value.into_owned()))
            .collect();
        let mine = ours.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?)));
        url.set_query(None);
        if !kept.is_empty() || self.asks() {
            url.query_pairs_mut().extend_pairs(kept).extend_pairs(mine);
        }
        Ok(url)
    }

    fn asks(&self) -> bool {
        self.api_version.is_some()
            || self.client_version.is_some()
            || !self.experimental_messages.is_empty()
            || self.rejoin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Options = Options {
        api_version: None,
        experimental_messages: Vec::new(),
        client_version: None,
        authorities: None,
        rejoin: false,
    };

    fn check(options: &Options, join_url: &str, expected: &str) {
        assert_eq!(options.url(join_url).unwrap().as_str(), expected);
    }

    #[test]
    fn what_is_asked_for_is_appended() {
        let options = Options {
            experimental_messages: vec!["debug".into(), "other".into()],
            client_version: Some("rust_1:my app".into()),
            ..Options::default()
        };
        check(
            &options,
            "wss://voice.example/calls/1/server_web_socket",
            "wss://voice.example/calls/1/server_web_socket?apiVersion=1&experimentalMessages=debug%2Cother&clientVersion=rust_1%3Amy+app",
        );
    }

    #[test]
    fn what_the_join_url_says_stays_unless_it_is_asked_for_anew() {
        check(&NOTHING, "ws://h/calls/1", "ws://h/calls/1");
        check(&NOTHING, "ws://h/calls/1?token=a%20b&apiVersion=7", "ws://h/calls/1?token=a+b&apiVersion=7");
        check(
            &Options { api_version: Some(1), ..NOTHING },
            "ws://h/calls/1?apiVersion=7&token=x",
            "ws://h/calls/1?token=x&apiVersion=1",
        );
    }

    #[test]
    fn http_counts_as_websocket() {
        check(&NOTHING, "http://h:8080/calls/1", "ws://h:8080/calls/1");
        check(&NOTHING, " https://h/calls/1#here ", "wss://h/calls/1");
    }

    #[test]
    fn what_is_no_join_url_is_refused_without_being_repeated() {
        for text in ["", "voice.example/calls/secret", "ftp://h/secret", "ws://"] {
            let error = NOTHING.url(text).expect_err(text);
            assert!(!error.to_string().contains("secret"));
        }
    }
}
