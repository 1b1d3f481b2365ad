//! What every database must do for SIP and accounts at telephony providers. Each function is one story on an empty store.

use std::collections::BTreeMap;

use antiphon_api::rest::sip::{AgentAllowance, FallbackHandler, SipRegistrationRequest, SipSettings};
use antiphon_api::rest::telephony_configs::{PlivoSettings, TelnyxSettings, TwilioSettings};
use antiphon_api::{AgentId, Secret, SipRegistrationId};
use antiphon_server::storage::{AccountId, Provider, ProviderSettings, Storage, StoredRegistration};
use uuid::Uuid;

use crate::contract::{account, at};

const STRANGER: AccountId = AccountId(Uuid::from_u128(77));

pub(crate) async fn sip_settings_change_unless_another_change_came_first(storage: &Storage) {
    let account = account(storage).await;
    let telephony = &storage.telephony;
    assert_eq!(telephony.sip_settings(account).await.unwrap(), None);
    let settings = SipSettings {
        allowed_cidr_ranges: vec!["203.0.113.0/24".to_owned()],
        allow_all_agents: true,
        allowed_agents: vec![AgentAllowance {
            agent_id: AgentId::new(Uuid::from_u128(5)),
            to_user_pattern: Some("^desk$".to_owned()),
        }],
        fallback_handler: Some(FallbackHandler {
            url: "https://example.com/fallback".to_owned(),
            secrets: Some(vec![Secret::new("s3cret")]),
        }),
    };
    assert!(telephony.put_sip_settings(account, &settings, None).await.unwrap());
    assert!(!telephony.put_sip_settings(account, &settings, None).await.unwrap(), "it is there meanwhile");
    assert_eq!(telephony.sip_settings(account).await.unwrap(), Some((settings.clone(), 0)));
    assert_eq!(telephony.sip_settings(STRANGER).await.unwrap(), None);

    let changed = SipSettings { fallback_handler: None, ..settings };
    assert!(telephony.put_sip_settings(account, &changed, Some(0)).await.unwrap());
    assert!(!telephony.put_sip_settings(account, &changed, Some(0)).await.unwrap());
    assert_eq!(telephony.sip_settings(account).await.unwrap(), Some((changed, 1)));
}

pub(crate) async fn registrations_are_kept_changed_and_deleted_by_their_account(storage: &Storage) {
    let account = account(storage).await;
    let registration = |number: u128| StoredRegistration {
        id: SipRegistrationId::new(Uuid::from_u128(number)),
        account,
        created: at(i64::try_from(number).unwrap()),
        settings: SipRegistrationRequest {
            username: format!("desk{number}"),
            password: Secret::new("s3cret"),
            proxy: "sip.example.com".to_owned(),
            outbound_proxy: None,
            auth_user: Some("auth".to_owned()),
        },
    };
    let telephony = &storage.telephony;
    let (first, second) = (registration(1), registration(2));
    assert!(telephony.insert_registration(&first, 2).await.unwrap());
    assert!(telephony.insert_registration(&second, 2).await.unwrap());
    assert!(!telephony.insert_registration(&registration(3), 2).await.unwrap());
    assert_eq!(telephony.registrations(account).await.unwrap(), [second.clone(), first.clone()]);
    assert_eq!(telephony.registrations(STRANGER).await.unwrap(), []);
    assert_eq!(telephony.find_registration(STRANGER, first.id).await.unwrap(), None);
    assert!(!telephony.delete_registration(STRANGER, first.id).await.unwrap());

    let mut changed = first.clone();
    changed.settings.outbound_proxy = Some("edge.example.com:5061".to_owned());
    assert!(telephony.update_registration(&changed, 0).await.unwrap());
    assert!(!telephony.update_registration(&first, 0).await.unwrap(), "it was changed meanwhile");
    assert!(
        !telephony.update_registration(&StoredRegistration { account: STRANGER, ..first }, 1).await.unwrap()
    );
    assert_eq!(telephony.find_registration(account, changed.id).await.unwrap(), Some((changed.clone(), 1)));

    assert!(telephony.delete_registration(account, changed.id).await.unwrap());
    assert!(!telephony.delete_registration(account, changed.id).await.unwrap());
    assert_eq!(telephony.registrations(account).await.unwrap(), [second]);
}

pub(crate) async fn each_provider_has_settings_of_its_own(storage: &Storage) {
    let account = account(storage).await;
    let telephony = &storage.telephony;
    let mapping: BTreeMap<_, _> = [("From".to_owned(), "user.phone_number".to_owned())].into();
    let twilio = TwilioSettings {
        call_creation_allowed_agent_ids: vec![AgentId::new(Uuid::from_u128(5))],
        call_creation_allow_all_agents: false,
        request_context_mapping: mapping.clone(),
        account_sid: "AC0123".to_owned(),
        auth_token: Secret::new("s3cret"),
    };
    let telnyx = TelnyxSettings {
        call_creation_allowed_agent_ids: Vec::new(),
        call_creation_allow_all_agents: true,
        request_context_mapping: BTreeMap::new(),
        account_sid: "a".to_owned(),
        application_sid: "b".to_owned(),
        api_key: Secret::new("s3cret"),
        public_key: Secret::new("key"),
    };
    let plivo = PlivoSettings {
        call_creation_allowed_agent_ids: Vec::new(),
        call_creation_allow_all_agents: false,
        request_context_mapping: mapping,
        auth_id: "MA".to_owned(),
        auth_token: Secret::new("s3cret"),
    };
    let all = [
        ProviderSettings::Twilio(twilio.clone()),
        ProviderSettings::Telnyx(telnyx),
        ProviderSettings::Plivo(plivo),
    ];
    for settings in &all {
        telephony.set_provider_settings(account, settings).await.unwrap();
    }
    for settings in &all {
        let kept = telephony.provider_settings(account, settings.provider()).await.unwrap();
        assert_eq!(kept, Some((settings.clone(), 0)));
        assert_eq!(telephony.provider_settings(STRANGER, settings.provider()).await.unwrap(), None);
    }
    let changed = ProviderSettings::Twilio(TwilioSettings { auth_token: Secret::new("other"), ..twilio });
    assert!(telephony.update_provider_settings(account, &changed, 0).await.unwrap());
    assert!(!telephony.update_provider_settings(account, &all[0], 0).await.unwrap());
    assert!(!telephony.update_provider_settings(STRANGER, &all[0], 1).await.unwrap());
    telephony.set_provider_settings(account, &changed).await.unwrap();
    let kept = telephony.provider_settings(account, Provider::Twilio).await.unwrap();
    assert_eq!(kept, Some((changed, 2)));
    assert!(!telephony.delete_provider_settings(STRANGER, Provider::Twilio).await.unwrap());
    assert!(telephony.delete_provider_settings(account, Provider::Twilio).await.unwrap());
    assert!(!telephony.delete_provider_settings(account, Provider::Twilio).await.unwrap());
    assert_eq!(telephony.provider_settings(account, Provider::Twilio).await.unwrap(), None);
    assert!(telephony.provider_settings(account, Provider::Plivo).await.unwrap().is_some());
}
