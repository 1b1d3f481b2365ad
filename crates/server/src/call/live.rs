//! TEMPORARY: calls are kept and never run. It stands for the calls in progress until they are there, with what the HTTP
//! interface uses of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use antiphon_api::realtime::ClientMessage;
use antiphon_api::rest::calls::{CallMedium, StartCallRequest, WebRtcMedium};
use antiphon_api::{CallId, WireDuration};
use antiphon_backends::registry::Backends;
use uuid::Uuid;

use crate::config;
use crate::storage::{AccountId, Storage, StorageError, StoredCall};

/// The calls in progress. Cheap to clone.
#[derive(Clone)]
pub struct Calls {
    storage: Storage,
    limits: config::Calls,
    stopping: Arc<AtomicBool>,
    #[expect(dead_code, reason = "calls are not run yet")]
    backends: Backends,
}

/// What a creation is asked for beside its body.
#[derive(Debug, Clone)]
pub struct CreateOptions {
    /// Whether the agent is made to greet when nothing else makes it speak first.
    pub greeting_prompt: bool,
    /// The call whose properties and messages the new one starts from.
    pub prior_call: Option<CallId>,
    /// Fields of the body that mean nothing here, for the call's events.
    pub ignored_fields: Vec<String>,
}

/// Why a call is not created.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// A field asks for what cannot be: the caller changes it.
    #[error("{field}: {message}")]
    Invalid {
        /// The field's dotted path.
        field: String,
        /// What is wrong and what would be right.
        message: String,
    },
    /// The prior call does not exist.
    #[error("there is no such prior call")]
    NoPriorCall,
    /// There are as many calls as there may be: the caller tries again.
    #[error("there are as many calls as there may be")]
    Capacity {
        /// When.
        retry_after: Duration,
    },
    /// The server is stopping: the caller tries again, perhaps elsewhere.
    #[error("the server is stopping")]
    Stopping,
    /// The call could not be kept.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// The call is not joined yet, or has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the call is not active")]
pub struct NotActive;

impl Calls {
    /// No calls yet.
    pub fn new(storage: Storage, limits: config::Calls, backends: Backends) -> Self {
        Self { storage, limits, stopping: Arc::default(), backends }
    }

    /// Creates a call.
    pub async fn create(
        &self,
        account: AccountId,
        mut request: StartCallRequest,
        options: CreateOptions,
    ) -> Result<StoredCall, CreateError> {
        if self.stopping.load(Ordering::Relaxed) {
            return Err(CreateError::Stopping);
        }
        if let Some(prior) = options.prior_call {
            let prior = self.storage.calls.find(prior).await?.filter(|prior| prior.account == account);
            prior.ok_or(CreateError::NoPriorCall)?;
        }
        let too_long = request
            .max_duration
            .and_then(WireDuration::to_std)
            .is_some_and(|duration| duration > self.limits.maximum_duration);
        if too_long {
            return Err(CreateError::Invalid {
                field: "maxDuration".to_owned(),
                message: format!(
                    "is more than this server allows, {} s",
                    self.limits.maximum_duration.as_secs()
                ),
            });
        }
        request.medium.get_or_insert(CallMedium::WebRtc(WebRtcMedium::default()));
        let call = StoredCall {
            id: CallId::new(Uuid::new_v4()),
            account,
            created: jiff::Timestamp::now().into(),
            joined: None,
            ended: None,
            client_version: None,
            greeting_prompt: options.greeting_prompt,
            request,
        };
        self.storage.calls.insert(&call).await?;
        Ok(call)
    }

    /// Says something to a call in progress.
    pub async fn request(&self, _call: CallId, _message: ClientMessage) -> Result<(), NotActive> {
        std::future::ready(Err(NotActive)).await
    }

    /// Whether the call is in progress.
    pub fn is_live(&self, _call: CallId) -> bool {
        false
    }

    /// Takes no more calls and ends those in progress, at the latest after `deadline`.
    pub async fn shut_down(&self, _deadline: Duration) {
        self.stopping.store(true, Ordering::Relaxed);
        std::future::ready(()).await;
    }
}
