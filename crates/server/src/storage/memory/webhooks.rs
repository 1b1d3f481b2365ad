//! Webhooks in memory.

use antiphon_api::{AgentId, WebhookId};

use super::super::{
    AccountId, Pending, Slice, StoredWebhook, WebhookHealth, WebhookPlace, WebhookStore, Window,
};
use super::{Memory, nonsense_about, slice};

impl WebhookStore for Memory {
    fn insert_webhook<'a>(&'a self, webhook: &'a StoredWebhook, most: u32) -> Pending<'a, bool> {
        self.at_once(|contents| {
            if contents.webhooks.contains_key(&webhook.id) {
                return Err(nonsense_about("webhooks", &webhook.id, "the id is taken"));
            }
            if contents.webhooks_of(webhook.account, None).count() >= most as usize {
                return Ok(false);
            }
            let kept = StoredWebhook { health: WebhookHealth::default(), version: 0, ..webhook.clone() };
            contents.webhooks.insert(webhook.id, kept);
            Ok(true)
        })
    }

    fn find_webhook(&self, id: WebhookId) -> Pending<'_, Option<StoredWebhook>> {
        self.at_once(|contents| Ok(contents.webhooks.get(&id).cloned()))
    }

    fn webhooks(
        &self,
        account: AccountId,
        agent: Option<AgentId>,
        window: Window<WebhookPlace>,
    ) -> Pending<'_, Slice<StoredWebhook>> {
        self.at_once(|contents| {
            let mut webhooks: Vec<(WebhookPlace, &StoredWebhook)> =
                contents.webhooks_of(account, agent).map(|webhook| (webhook.place(), webhook)).collect();
            webhooks.sort_by(|(a, _), (b, _)| b.cmp(a));
            let (own, behind) = match &window.after {
                None => (0, 0),
                Some(after) => (
                    webhooks.partition_point(|(place, _)| place > after),
                    webhooks.partition_point(|(place, _)| place >= after),
                ),
            };
            Ok(slice(&webhooks, &window, own..behind).map(|(_, webhook)| StoredWebhook::clone(webhook)))
        })
    }

    fn count_webhooks(&self, account: AccountId, agent: Option<AgentId>) -> Pending<'_, u64> {
        self.at_once(|contents| Ok(contents.webhooks_of(account, agent).count() as u64))
    }

    fn update_webhook<'a>(&'a self, webhook: &'a StoredWebhook) -> Pending<'a, bool> {
        self.at_once(|contents| {
            let same = |known: &&mut StoredWebhook| {
                known.account == webhook.account && known.version == webhook.version
            };
            let Some(known) = contents.webhooks.get_mut(&webhook.id).filter(same) else { return Ok(false) };
            let (health, version) = (std::mem::take(&mut known.health), known.version + 1);
            *known = StoredWebhook { health, version, created: known.created, ..webhook.clone() };
            Ok(true)
        })
    }

    fn delete_webhook(&self, account: AccountId, id: WebhookId) -> Pending<'_, bool> {
        self.at_once(|contents| {
            let is_own = contents.webhooks.get(&id).is_some_and(|webhook| webhook.account == account);
            Ok(is_own && contents.webhooks.remove(&id).is_some())
        })
    }
}

impl super::Contents {
    fn webhooks_of(
        &self,
        account: AccountId,
        agent: Option<AgentId>,
    ) -> impl Iterator<Item = &StoredWebhook> {
        let own = self.webhooks.values().filter(move |webhook| webhook.account == account);
        own.filter(move |webhook| agent.is_none() || webhook.agent == agent)
    }
}
