//! The way out for voices at addresses of users: a question, and an answer that is heard while it arrives.

use antiphon_backends::text_to_speech::exchange::{Answer, Exchange, Question, retry_after};
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;

use super::{Outbound, OutboundError, Request, error, host};

impl Exchange for Outbound {
    fn put(&self, question: Question) -> BoxFuture<'static, Result<Answer, String>> {
        let outbound = self.clone();
        let Question { url, headers, body } = question;
        async move {
            let request = Request { method: Method::POST, url, headers, body: Some(body) };
            let response =
                outbound.follow(request).await.map_err(|error| format!("is not heard: {error}"))?;
            let content_type = response.headers().get(CONTENT_TYPE);
            let host = host(response.url());
            let broken = move |why| OutboundError::Broken { host: host.clone(), why }.to_string();
            Ok(Answer {
                status: response.status().as_u16(),
                content_type: content_type.and_then(|value| value.to_str().ok()).map(str::to_owned),
                retry_after: retry_after(response.headers()),
                body: response.bytes_stream().map_err(move |error| broken(error::chain(&error))).boxed(),
            })
        }
        .boxed()
    }
}
