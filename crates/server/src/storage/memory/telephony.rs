//! SIP and accounts at telephony providers, in memory.

use antiphon_api::SipRegistrationId;
use antiphon_api::rest::sip::SipSettings;

use super::super::{AccountId, Pending, Provider, ProviderSettings, StoredRegistration, TelephonyStore};
use super::{Contents, Memory};

impl TelephonyStore for Memory {
    fn sip_settings(&self, account: AccountId) -> Pending<'_, Option<(SipSettings, u64)>> {
        self.at_once(|contents| Ok(contents.sip_settings.get(&account).cloned()))
    }

    fn put_sip_settings<'a>(
        &'a self,
        account: AccountId,
        settings: &'a SipSettings,
        version: Option<u64>,
    ) -> Pending<'a, bool> {
        self.at_once(|contents| {
            let known = contents.sip_settings.get(&account).map(|(_, version)| *version);
            if known == version {
                let next = version.map_or(0, |version| version + 1);
                contents.sip_settings.insert(account, (settings.clone(), next));
            }
            Ok(known == version)
        })
    }

    fn insert_registration<'a>(
        &'a self,
        registration: &'a StoredRegistration,
        most: u32,
    ) -> Pending<'a, bool> {
        self.at_once(|contents| {
            let fits = contents.own_registrations(registration.account).count() < most as usize;
            if fits {
                contents.sip_registrations.push((registration.clone(), 0));
            }
            Ok(fits)
        })
    }

    fn find_registration(
        &self,
        account: AccountId,
        id: SipRegistrationId,
    ) -> Pending<'_, Option<(StoredRegistration, u64)>> {
        self.at_once(|contents| {
            Ok(contents.own_registrations(account).find(|(known, _)| known.id == id).cloned())
        })
    }

    fn registrations(&self, account: AccountId) -> Pending<'_, Vec<StoredRegistration>> {
        self.at_once(|contents| {
            let mut own: Vec<_> =
                contents.own_registrations(account).map(|(known, _)| known.clone()).collect();
            own.sort_by_key(|known| std::cmp::Reverse((known.created, known.id)));
            Ok(own)
        })
    }

    fn update_registration<'a>(
        &'a self,
        registration: &'a StoredRegistration,
        version: u64,
    ) -> Pending<'a, bool> {
        self.at_once(|contents| {
            let same = |(known, at): &&mut (StoredRegistration, u64)| {
                known.id == registration.id && known.account == registration.account && *at == version
            };
            let known = contents.sip_registrations.iter_mut().find(same);
            Ok(known.map(|known| *known = (registration.clone(), version + 1)).is_some())
        })
    }

    fn delete_registration(&self, account: AccountId, id: SipRegistrationId) -> Pending<'_, bool> {
        self.at_once(|contents| {
            let before = contents.sip_registrations.len();
            contents.sip_registrations.retain(|(known, _)| known.id != id || known.account != account);
            Ok(contents.sip_registrations.len() < before)
        })
    }

    fn provider_settings(
        &self,
        account: AccountId,
        provider: Provider,
    ) -> Pending<'_, Option<(ProviderSettings, u64)>> {
        self.at_once(|contents| Ok(contents.provider_settings.get(&(account, provider)).cloned()))
    }

    fn set_provider_settings<'a>(
        &'a self,
        account: AccountId,
        settings: &'a ProviderSettings,
    ) -> Pending<'a, ()> {
        self.at_once(|contents| {
            let key = (account, settings.provider());
            let next = contents.provider_settings.get(&key).map_or(0, |(_, version)| version + 1);
            contents.provider_settings.insert(key, (settings.clone(), next));
            Ok(())
        })
    }

    fn update_provider_settings<'a>(
        &'a self,
        account: AccountId,
        settings: &'a ProviderSettings,
        version: u64,
    ) -> Pending<'a, bool> {
        self.at_once(|contents| {
            let known = contents.provider_settings.get_mut(&(account, settings.provider()));
            let same = known.filter(|(_, at)| *at == version);
            Ok(same.map(|known| *known = (settings.clone(), version + 1)).is_some())
        })
    }

    fn delete_provider_settings(&self, account: AccountId, provider: Provider) -> Pending<'_, bool> {
        self.at_once(|contents| Ok(contents.provider_settings.remove(&(account, provider)).is_some()))
    }
}

impl Contents {
    fn own_registrations(&self, account: AccountId) -> impl Iterator<Item = &(StoredRegistration, u64)> {
        self.sip_registrations.iter().filter(move |(known, _)| known.account == account)
    }
}
