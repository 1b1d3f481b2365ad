//! SIP and accounts at telephony providers, in SQL.

use antiphon_api::SipRegistrationId;
use antiphon_api::rest::sip::SipSettings;
use futures::FutureExt;

use super::super::{
    AccountId, Pending, Provider, ProviderSettings, StorageError, StoredRegistration, TelephonyStore,
};
use super::owned::{Order, Owned};
use super::{Alone, Reading, Row, Store, to_json};

const REGISTRATIONS: Owned<(StoredRegistration, u64)> = Owned::new("sip_registrations", "id", registration);

impl TelephonyStore for Store {
    fn sip_settings(&self, account: AccountId) -> Pending<'_, Option<(SipSettings, u64)>> {
        async move {
            let row = sqlx::query("SELECT * FROM sip_settings WHERE account_id = $1")
                .bind(account.to_string())
                .fetch_optional(&self.pool)
                .await?;
            let Some(row) = row else { return Ok(None) };
            let row = Reading::new(&row, "sip_settings", "account_id")?;
            Ok(Some((row.json("settings")?, row.version("version")?)))
        }
        .boxed()
    }

    fn put_sip_settings<'a>(
        &'a self,
        account: AccountId,
        settings: &'a SipSettings,
        version: Option<u64>,
    ) -> Pending<'a, bool> {
        async move {
            let query = match version {
                None => sqlx::query(
                    "INSERT INTO sip_settings (account_id, settings, version) VALUES ($1, $2, 0) \
                     ON CONFLICT (account_id) DO NOTHING",
                ),
                Some(_) => sqlx::query(
                    "UPDATE sip_settings SET settings = $2, version = version + 1 \
                     WHERE account_id = $1 AND version = $3",
                ),
            };
            let query = query.bind(account.to_string()).bind(to_json(settings));
            let query = match version {
                None => query,
                Some(version) => query.bind(version.cast_signed()),
            };
            Ok(query.execute(&self.pool).await?.rows_affected() == 1)
        }
        .boxed()
    }

    fn insert_registration<'a>(
        &'a self,
        registration: &'a StoredRegistration,
        most: u32,
    ) -> Pending<'a, bool> {
        async move {
            let mut transaction = self.begin_alone(Alone::Account(registration.account)).await?;
            if REGISTRATIONS.count(&mut *transaction, registration.account).await? >= u64::from(most) {
                return Ok(false);
            }
            sqlx::query(
                "INSERT INTO sip_registrations (id, account_id, created_us, settings, version) \
                 VALUES ($1, $2, $3, $4, 0)",
            )
            .bind(registration.id.to_string())
            .bind(registration.account.to_string())
            .bind(registration.created.unix_micros())
            .bind(to_json(&registration.settings))
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await?;
            Ok(true)
        }
        .boxed()
    }

    fn find_registration(
        &self,
        account: AccountId,
        id: SipRegistrationId,
    ) -> Pending<'_, Option<(StoredRegistration, u64)>> {
        REGISTRATIONS.find(&self.pool, account, id).boxed()
    }

    fn registrations(&self, account: AccountId) -> Pending<'_, Vec<StoredRegistration>> {
        async move {
            let registrations = REGISTRATIONS.all(&self.pool, account, Order::NewestFirst).await?;
            Ok(registrations.into_iter().map(|(registration, _)| registration).collect())
        }
        .boxed()
    }

    fn update_registration<'a>(
        &'a self,
        registration: &'a StoredRegistration,
        version: u64,
    ) -> Pending<'a, bool> {
        async move {
            let updated = sqlx::query(
                "UPDATE sip_registrations SET settings = $4, version = version + 1 \
                 WHERE id = $1 AND account_id = $2 AND version = $3",
            )
            .bind(registration.id.to_string())
            .bind(registration.account.to_string())
            .bind(version.cast_signed())
            .bind(to_json(&registration.settings))
            .execute(&self.pool)
            .await?;
            Ok(updated.rows_affected() == 1)
        }
        .boxed()
    }

    fn delete_registration(&self, account: AccountId, id: SipRegistrationId) -> Pending<'_, bool> {
        async move { Ok(REGISTRATIONS.delete(&self.pool, account, id).await?.is_some()) }.boxed()
    }

    fn provider_settings(
        &self,
        account: AccountId,
        provider: Provider,
    ) -> Pending<'_, Option<(ProviderSettings, u64)>> {
        async move {
            let row = sqlx::query("SELECT * FROM telephony_settings WHERE account_id = $1 AND provider = $2")
                .bind(account.to_string())
                .bind(provider.word())
                .fetch_optional(&self.pool)
                .await?;
            let Some(row) = row else { return Ok(None) };
            let row = Reading::new(&row, "telephony_settings", "account_id")?;
            let settings = match provider {
                Provider::Plivo => ProviderSettings::Plivo(row.json("settings")?),
                Provider::Telnyx => ProviderSettings::Telnyx(row.json("settings")?),
                Provider::Twilio => ProviderSettings::Twilio(row.json("settings")?),
            };
            Ok(Some((settings, row.version("version")?)))
        }
        .boxed()
    }

    fn set_provider_settings<'a>(
        &'a self,
        account: AccountId,
        settings: &'a ProviderSettings,
    ) -> Pending<'a, ()> {
        async move {
            sqlx::query(
                "INSERT INTO telephony_settings (account_id, provider, settings, version) \
                 VALUES ($1, $2, $3, 0) ON CONFLICT (account_id, provider) \
                 DO UPDATE SET settings = excluded.settings, version = telephony_settings.version + 1",
            )
            .bind(account.to_string())
            .bind(settings.provider().word())
            .bind(document(settings))
            .execute(&self.pool)
            .await?;
            Ok(())
        }
        .boxed()
    }

    fn update_provider_settings<'a>(
        &'a self,
        account: AccountId,
        settings: &'a ProviderSettings,
        version: u64,
    ) -> Pending<'a, bool> {
        async move {
            let updated = sqlx::query(
                "UPDATE telephony_settings SET settings = $4, version = version + 1 \
                 WHERE account_id = $1 AND provider = $2 AND version = $3",
            )
            .bind(account.to_string())
            .bind(settings.provider().word())
            .bind(version.cast_signed())
            .bind(document(settings))
            .execute(&self.pool)
            .await?;
            Ok(updated.rows_affected() == 1)
        }
        .boxed()
    }

    fn delete_provider_settings(&self, account: AccountId, provider: Provider) -> Pending<'_, bool> {
        async move {
            let deleted =
                sqlx::query("DELETE FROM telephony_settings WHERE account_id = $1 AND provider = $2")
                    .bind(account.to_string())
                    .bind(provider.word())
                    .execute(&self.pool)
                    .await?;
            Ok(deleted.rows_affected() == 1)
        }
        .boxed()
    }
}

fn document(settings: &ProviderSettings) -> String {
    match settings {
        ProviderSettings::Plivo(settings) => to_json(settings),
        ProviderSettings::Telnyx(settings) => to_json(settings),
        ProviderSettings::Twilio(settings) => to_json(settings),
    }
}

fn registration(row: &Row) -> Result<(StoredRegistration, u64), StorageError> {
    let row = Reading::new(row, "sip_registrations", "id")?;
    let registration = StoredRegistration {
        id: row.text("id")?,
        account: AccountId(row.text("account_id")?),
        created: row.time("created_us")?,
        settings: row.json("settings")?,
    };
    Ok((registration, row.version("version")?))
}
