//! Lists that come in pages, as streams.
//!
//! Owns where the next page is. The key never leaves the server's origin, whatever `next` says.

use std::collections::VecDeque;

use antiphon_api::Page;
use antiphon_api::endpoint::{Endpoint, NoBody};
use antiphon_api::json::FromJson;
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use reqwest::Url;
use serde::Serialize;

use super::answer::answer_to;
use super::error::RestError;
use super::{Client, method};

impl Client {
    /// The pages of a list, one request each, as long as they are asked for. Ends with the first error.
    ///
    /// The URL of the next page is followed as it is. Should it lead to another origin, as behind a proxy that the server does not
    /// know of, then the same page is asked for where this client's server is.
    pub fn pages<E, T>(
        &self,
        _endpoint: E,
        path: &E::Path,
        query: &E::Query,
    ) -> impl Stream<Item = Result<Page<T>, RestError>> + Send + use<E, T>
    where
        E: Endpoint<Body = NoBody, Response = Page<T>>,
        T: FromJson + Serialize + Send,
    {
        let first = self.address::<E>(path, query);
        let next = Some(first.clone());
        stream::try_unfold((self.clone(), next), move |(client, next)| {
            let first = first.clone();
            async move {
                let Some(here) = next else { return Ok(None) };
                let page: Page<T> = client.page::<E, T>(&here).await?;
                let next = page.next.as_deref().map(|next| following(&first, next)).transpose()?;
                if next.as_ref() == Some(&here) {
                    return Err(RestError::Circle);
                }
                Ok(Some((page, (client, next))))
            }
        })
    }

    /// The items of a list, page after page, as long as they are asked for. Ends with the first error.
    ///
    /// ```no_run
    /// use antiphon_api::rest::agents::{ListAgents, ListAgentsQuery};
    /// use futures::TryStreamExt as _;
    ///
    /// # async fn list(client: antiphon_client::rest::Client) -> Result<(), antiphon_client::rest::RestError> {
    /// let mut agents = std::pin::pin!(client.items(ListAgents, &(), &ListAgentsQuery::default()));
    /// while let Some(agent) = agents.try_next().await? {
    ///     println!("{} {}", agent.agent_id, agent.name);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn items<E, T>(
        &self,
        endpoint: E,
        path: &E::Path,
        query: &E::Query,
    ) -> impl Stream<Item = Result<T, RestError>> + Send + use<E, T>
    where
        E: Endpoint<Body = NoBody, Response = Page<T>>,
        T: FromJson + Serialize + Send,
    {
        let pages = self.pages(endpoint, path, query);
        pages.map_ok(|page| stream::iter(VecDeque::from(page.results)).map(Ok)).try_flatten()
    }

    async fn page<E, T>(&self, url: &Url) -> Result<Page<T>, RestError>
    where
        E: Endpoint<Response = Page<T>>,
        T: FromJson + Serialize,
    {
        let mut attempts = self.retries.attempts(E::METHOD);
        loop {
            match answer_to(self.http.request(method(E::METHOD), url.clone())).await {
                Err(error) if attempts.again(&error).await => {}
                outcome => return outcome?.parsed(),
            }
        }
    }
}

/// The URL that `next` means to somebody whose first page was at `first`.
fn following(first: &Url, next: &str) -> Result<Url, RestError> {
    let next = first.join(next).map_err(|_| RestError::Circle)?;
    if next.origin() == first.origin() {
        return Ok(next);
    }
    let mut here = first.clone();
    here.set_query(next.query());
    Ok(here)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_where_it_says_but_never_elsewhere() {
        let first = Url::parse("http://h:8080/x/api/calls?search=a").unwrap();
        for (next, url) in [
            ("http://h:8080/x/api/calls?cursor=1", "http://h:8080/x/api/calls?cursor=1"),
            ("http://h:8080/other?cursor=1", "http://h:8080/other?cursor=1"),
            ("?cursor=1", "http://h:8080/x/api/calls?cursor=1"),
            ("https://h:8080/x/api/calls?cursor=1", "http://h:8080/x/api/calls?cursor=1"),
            ("http://h.evil.example/steal?cursor=1&a=b", "http://h:8080/x/api/calls?cursor=1&a=b"),
            ("//evil.example/steal", "http://h:8080/x/api/calls"),
        ] {
            assert_eq!(following(&first, next).unwrap().as_str(), url, "{next}");
        }
    }
}
