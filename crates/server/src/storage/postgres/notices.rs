//! What nodes tell each other through the database: words on one channel, which wake this node's own work or have it look for letters.
//!
//! A word may be missed while the connection is lost, so everything is woken once it is there again, and looks for itself what has
//! happened.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::super::NodeId;
use super::super::sql::Notice;

pub(super) const CHANNEL: &str = "antiphon";
/// What stands before the node that there are letters for.
pub(super) const LETTERS_FOR: &str = "node:";
/// How soon a lost connection is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How long it may be silent before it is asked whether it is still there.
const SILENCE: Duration = Duration::from_secs(30);

/// Who is woken.
pub(super) struct Wakes {
    pub(super) outbox: watch::Sender<()>,
    pub(super) schedule: watch::Sender<()>,
    pub(super) mail: watch::Sender<()>,
    pub(super) node: watch::Receiver<Option<NodeId>>,
}

pub(super) const fn word(notice: Notice) -> &'static str {
    match notice {
        Notice::Outbox => "outbox",
        Notice::Schedule => "schedule",
    }
}

impl Wakes {
    fn hear(&self, said: &str) {
        match [Notice::Outbox, Notice::Schedule].into_iter().find(|notice| word(*notice) == said) {
            Some(Notice::Outbox) => {
                self.outbox.send_replace(());
            }
            Some(Notice::Schedule) => {
                self.schedule.send_replace(());
            }
            None if self.is_for_this_node(said) => {
                self.mail.send_replace(());
            }
            // For another node, or of a later version.
            None => {}
        }
    }

    fn is_for_this_node(&self, said: &str) -> bool {
        let addressee = said.strip_prefix(LETTERS_FOR);
        addressee.is_some_and(|id| self.node.borrow().is_some_and(|node| node.to_string() == id))
    }

    fn hear_all(&self) {
        self.outbox.send_replace(());
        self.schedule.send_replace(());
        self.mail.send_replace(());
    }
}

/// Subscribes, and then hears for ever, by a connection of its own, which is made again whenever it is lost.
pub(super) async fn listen(
    options: PgConnectOptions,
    wakes: Wakes,
) -> Result<impl Future<Output = ()> + Send + 'static, sqlx::Error> {
    let mut listener = subscribe(options.clone()).await?;
    Ok(async move {
        loop {
            hear_until_lost(&mut listener, &wakes).await;
            tracing::warn!("the connection that other nodes are heard by is lost; it is made again");
            listener = loop {
                sleep(RETRY).await;
                match subscribe(options.clone()).await {
                    Ok(listener) => break listener,
                    Err(error) => tracing::debug!(%error, "other nodes cannot be heard"),
                }
            };
            tracing::info!("other nodes are heard again");
            wakes.hear_all();
        }
    })
}

async fn subscribe(options: PgConnectOptions) -> Result<PgListener, sqlx::Error> {
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(SILENCE).connect_with(options).await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.eager_reconnect(false);
    listener.listen(CHANNEL).await?;
    Ok(listener)
}

async fn hear_until_lost(listener: &mut PgListener, wakes: &Wakes) {
    loop {
        match timeout(SILENCE, listener.try_recv()).await {
            Ok(Ok(Some(notification))) => wakes.hear(notification.payload()),
            Ok(Ok(None) | Err(_)) => return,
            Err(_) => {
                let asked = timeout(SILENCE, sqlx::query("SELECT 1").execute(&mut *listener)).await;
                if !matches!(asked, Ok(Ok(_))) {
                    return;
                }
            }
        }
    }
}
