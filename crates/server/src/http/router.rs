//! Every route there is.

use std::time::Duration;

use antiphon_api::endpoint::{Endpoint, Method};
use antiphon_api::rest::accounts::{
    ListAccounts, ListInvoices, ReadAccount, ReadBilling, ReadBillingUsage, ReadCallUsage, ReadConcurrency,
    ReadTtsKeys, UpdateTtsKeys,
};
use antiphon_api::rest::agents::{
    CreateAgent, DeleteAgent, ListAgentCalls, ListAgentUsage, ListAgents, ReadAgent, StartAgentCall,
    UpdateAgent,
};
use antiphon_api::rest::api_keys::{
    CreateApiKey, DeleteApiKey, ListApiKeys, ReadApiKey, ReplaceApiKey, UpdateApiKey,
};
use antiphon_api::rest::call_throttles::{
    CreateThrottle, DeleteThrottle, ListThrottles, ReadThrottle, ReplaceThrottle, UpdateThrottle,
};
use antiphon_api::rest::calls::{
    CreateCall, DeleteCall, ListCallEvents, ListCallMessages, ListCallStages, ListCallTools, ListCalls,
    ListStageMessages, ListStageTools, ReadCall, ReadCallRecording, ReadCallSipLogs, ReadCallStage,
    ReadMessageAudio, SendDataMessage,
};
use antiphon_api::rest::corpora::{
    CreateCorpus, CreateCorpusSource, CreateCorpusUpload, DeleteCorpus, DeleteCorpusSource, ListCorpora,
    ListCorpusDocuments, ListCorpusSources, PatchCorpus, PatchCorpusSource, QueryCorpus, ReadCorpus,
    ReadCorpusDocument, ReadCorpusSource, ReplaceCorpus, ReplaceCorpusSource,
};
use antiphon_api::rest::deleted_calls::{ListDeletedCalls, ReadDeletedCall};
use antiphon_api::rest::models::ListModels;
use antiphon_api::rest::scheduled_batches::{
    CreateBatch, DeleteBatch, ListBatches, ListCreatedCalls, ListScheduledCalls, ReadBatch, UpdateBatch,
};
use antiphon_api::rest::schema::ReadSchema;
use antiphon_api::rest::sip::{
    CreateSipRegistration, DeleteSipRegistration, ListSipRegistrations, ReadSipConfig, ReadSipRegistration,
    UpdateSipConfig, UpdateSipRegistration,
};
use antiphon_api::rest::telephony_configs::{
    AnswerTelephonyProvider, ReadAccountTelephonyConfig, UpdateAccountTelephonyConfig,
};
use antiphon_api::rest::tools::{
    CreateTool, DeleteTool, ListToolHistory, ListTools, ReadTool, TestTool, UpdateTool,
};
use antiphon_api::rest::voices::{
    CreateVoice, DeleteVoice, ListVoices, PreviewVoice, ReadVoice, ReadVoicePreview, ReplaceVoice,
    UpdateVoice,
};
use antiphon_api::rest::webhooks::{
    CreateWebhook, DeleteWebhook, ListWebhookDeliveries, ListWebhooks, ReadWebhook, ReplaceWebhook,
    UpdateWebhook,
};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::http::{HeaderName, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, get, on};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{Any, CorsLayer};

use super::error::ApiError;
use super::telephony_configs::{Place, Plivo, Telnyx, Twilio};
use super::{
    Http, accounts, agents, api_keys, auth, call_throttles, calls, corpora, corpus_uploads, deleted_calls,
    health, join, models, schema, sip, slow_bodies, telephony_configs, tools, trace, voice_preview, voices,
    webhooks,
};

/// All routes, and what surrounds them. A request's body has `body_timeout` to come.
pub(crate) fn router(http: Http, body_timeout: Duration) -> Router {
    surround(routes().router, &http, body_timeout).with_state(http)
}

/// All routes.
fn routes() -> Routes {
    let router = Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/calls/{call_id}", get(join::join))
        .route("/calls/{call_id}/server_web_socket", get(join::join))
        .route("/calls/{call_id}/telephony", get(join::join))
        .route(corpus_uploads::ROUTE, corpus_uploads::route());
    #[cfg(feature = "echo-route")]
    let router = router.route("/echo", get(super::echo::echo));
    let routes = Routes { router, served: Vec::new() };
    let routes = endpoint::<CreateCall, _>(routes, calls::create::create);
    let routes = endpoint::<ListCalls, _>(routes, calls::list::list);
    let routes = endpoint::<ReadCall, _>(routes, calls::read::read);
    let routes = endpoint::<DeleteCall, _>(routes, calls::delete::delete);
    let routes = endpoint::<ListCallMessages, _>(routes, calls::messages::messages);
    let routes = endpoint::<ListCallEvents, _>(routes, calls::events::events);
    let routes = endpoint::<SendDataMessage, _>(routes, calls::send_data_message::send);
    let routes = endpoint::<ReadCallRecording, _>(routes, calls::recording::recording);
    let routes = endpoint::<ListCallTools, _>(routes, calls::tools::tools);
    let routes = endpoint::<ListCallStages, _>(routes, calls::stages::stages);
    let routes = endpoint::<ReadCallStage, _>(routes, calls::stages::read::read);
    let routes = endpoint::<ListStageMessages, _>(routes, calls::stages::messages::messages);
    let routes = endpoint::<ListStageTools, _>(routes, calls::stages::tools::tools);
    let routes = endpoint::<ReadMessageAudio, _>(routes, calls::stages::messages::audio::audio);
    let routes = endpoint::<CreateTool, _>(routes, tools::create::create);
    let routes = endpoint::<ListTools, _>(routes, tools::list::list);
    let routes = endpoint::<ReadTool, _>(routes, tools::read::read);
    let routes = endpoint::<UpdateTool, _>(routes, tools::update::update);
    let routes = endpoint::<DeleteTool, _>(routes, tools::delete::delete);
    let routes = endpoint::<ListToolHistory, _>(routes, tools::history::history);
    let routes = endpoint::<TestTool, _>(routes, tools::test::test);
    let routes = endpoint::<CreateAgent, _>(routes, agents::create::create);
    let routes = endpoint::<ListAgents, _>(routes, agents::list::list);
    let routes = endpoint::<ListAgentUsage, _>(routes, agents::usage::usage);
    let routes = endpoint::<ReadAgent, _>(routes, agents::read::read);
    let routes = endpoint::<UpdateAgent, _>(routes, agents::update::update);
    let routes = endpoint::<DeleteAgent, _>(routes, agents::delete::delete);
    let routes = endpoint::<StartAgentCall, _>(routes, agents::calls::create::create);
    let routes = endpoint::<ListAgentCalls, _>(routes, agents::calls::list::list);
    let routes = endpoint::<CreateCorpus, _>(routes, corpora::create::create);
    let routes = endpoint::<ListCorpora, _>(routes, corpora::list::list);
    let routes = endpoint::<ReadCorpus, _>(routes, corpora::read::read);
    let routes = endpoint::<ReplaceCorpus, _>(routes, corpora::update::replace);
    let routes = endpoint::<PatchCorpus, _>(routes, corpora::update::patch);
    let routes = endpoint::<DeleteCorpus, _>(routes, corpora::delete::delete);
    let routes = endpoint::<QueryCorpus, _>(routes, corpora::query::query);
    let routes = endpoint::<CreateCorpusUpload, _>(routes, corpora::uploads::create);
    let routes = endpoint::<CreateCorpusSource, _>(routes, corpora::sources::create::create);
    let routes = endpoint::<ListCorpusSources, _>(routes, corpora::sources::list::list);
    let routes = endpoint::<ReadCorpusSource, _>(routes, corpora::sources::read::read);
    let routes = endpoint::<ReplaceCorpusSource, _>(routes, corpora::sources::update::replace);
    let routes = endpoint::<PatchCorpusSource, _>(routes, corpora::sources::update::patch);
    let routes = endpoint::<DeleteCorpusSource, _>(routes, corpora::sources::delete::delete);
    let routes = endpoint::<ListCorpusDocuments, _>(routes, corpora::sources::documents::list::list);
    let routes = endpoint::<ReadCorpusDocument, _>(routes, corpora::sources::documents::read::read);
    let routes = endpoint::<ListDeletedCalls, _>(routes, deleted_calls::list::list);
    let routes = endpoint::<ReadDeletedCall, _>(routes, deleted_calls::read::read);
    let routes = endpoint::<ListModels, _>(routes, models::list::list);
    let routes = endpoint::<CreateVoice, _>(routes, voices::create::create);
    let routes = endpoint::<ListVoices, _>(routes, voices::list::list);
    let routes = endpoint::<ReadVoice, _>(routes, voices::read::read);
    let routes = endpoint::<ReplaceVoice, _>(routes, voices::replace::replace);
    let routes = endpoint::<UpdateVoice, _>(routes, voices::update::update);
    let routes = endpoint::<DeleteVoice, _>(routes, voices::delete::delete);
    let routes = endpoint::<PreviewVoice, _>(routes, voice_preview::preview);
    let routes = endpoint::<ReadVoicePreview, _>(routes, voices::preview::preview);
    let routes = endpoint::<ListAccounts, _>(routes, accounts::list::list);
    let routes = endpoint::<ReadAccount, _>(routes, accounts::read::read);
    let routes = endpoint::<ReadBilling, _>(routes, accounts::billing::read);
    let routes = endpoint::<ReadBillingUsage, _>(routes, accounts::billing::usage::usage);
    let routes = endpoint::<ReadCallUsage, _>(routes, accounts::usage::calls::calls);
    let routes = endpoint::<ReadConcurrency, _>(routes, accounts::usage::concurrency::concurrency);
    let routes = endpoint::<CreateThrottle, _>(routes, call_throttles::create::create);
    let routes = endpoint::<ListThrottles, _>(routes, call_throttles::list::list);
    let routes = endpoint::<ReadThrottle, _>(routes, call_throttles::read::read);
    let routes = endpoint::<ReplaceThrottle, _>(routes, call_throttles::replace::replace);
    let routes = endpoint::<UpdateThrottle, _>(routes, call_throttles::update::update);
    let routes = endpoint::<DeleteThrottle, _>(routes, call_throttles::delete::delete);
    let routes = endpoint::<CreateBatch, _>(routes, agents::scheduled_batches::create::create);
    let routes = endpoint::<ListBatches, _>(routes, agents::scheduled_batches::list::list);
    let routes = endpoint::<ReadBatch, _>(routes, agents::scheduled_batches::read::read);
    let routes = endpoint::<UpdateBatch, _>(routes, agents::scheduled_batches::update::update);
    let routes = endpoint::<DeleteBatch, _>(routes, agents::scheduled_batches::delete::delete);
    let routes =
        endpoint::<ListCreatedCalls, _>(routes, agents::scheduled_batches::created_calls::created_calls);
    let routes = endpoint::<ListScheduledCalls, _>(
        routes,
        agents::scheduled_batches::scheduled_calls::scheduled_calls,
    );
    let routes = endpoint::<ReadCallSipLogs, _>(routes, calls::sip_logs::sip_logs);
    let routes = endpoint::<ReadSipConfig, _>(routes, sip::read::read);
    let routes = endpoint::<UpdateSipConfig, _>(routes, sip::update::update);
    let routes = endpoint::<CreateSipRegistration, _>(routes, sip::registrations::create::create);
    let routes = endpoint::<ListSipRegistrations, _>(routes, sip::registrations::list::list);
    let routes = endpoint::<ReadSipRegistration, _>(routes, sip::registrations::read::read);
    let routes = endpoint::<UpdateSipRegistration, _>(routes, sip::registrations::update::update);
    let routes = endpoint::<DeleteSipRegistration, _>(routes, sip::registrations::delete::delete);
    let routes = provider::<Plivo>(routes);
    let routes = provider::<Telnyx>(routes);
    let routes = provider::<Twilio>(routes);
    let routes = endpoint::<ReadAccountTelephonyConfig, _>(routes, accounts::telephony_config::read::read);
    let routes =
        endpoint::<UpdateAccountTelephonyConfig, _>(routes, accounts::telephony_config::update::update);
    let routes = endpoint::<AnswerTelephonyProvider, _>(routes, agents::telephony_xml::telephony_xml);
    let routes = endpoint::<ListInvoices, _>(routes, accounts::billing::invoices::invoices);
    let routes = endpoint::<ReadTtsKeys, _>(routes, accounts::tts_keys::read);
    let routes = endpoint::<UpdateTtsKeys, _>(routes, accounts::tts_keys::update);
    let routes = endpoint::<CreateApiKey, _>(routes, api_keys::create::create);
    let routes = endpoint::<ListApiKeys, _>(routes, api_keys::list::list);
    let routes = endpoint::<ReadApiKey, _>(routes, api_keys::read::read);
    let routes = endpoint::<ReplaceApiKey, _>(routes, api_keys::update::replace);
    let routes = endpoint::<UpdateApiKey, _>(routes, api_keys::update::update);
    let routes = endpoint::<DeleteApiKey, _>(routes, api_keys::delete::delete);
    let routes = endpoint::<CreateWebhook, _>(routes, webhooks::create::create);
    let routes = endpoint::<ListWebhooks, _>(routes, webhooks::list::list);
    let routes = endpoint::<ReadWebhook, _>(routes, webhooks::read::read);
    let routes = endpoint::<ReplaceWebhook, _>(routes, webhooks::replace::replace);
    let routes = endpoint::<UpdateWebhook, _>(routes, webhooks::update::update);
    let routes = endpoint::<DeleteWebhook, _>(routes, webhooks::delete::delete);
    let routes = endpoint::<ListWebhookDeliveries, _>(routes, webhooks::deliveries::deliveries);
    endpoint::<ReadSchema, _>(routes, schema::read)
}

/// Routes, and which endpoints they serve.
struct Routes {
    router: Router<Http>,
    served: Vec<(Method, &'static str)>,
}

/// The routes of one telephony provider's configuration.
fn provider<P: Place>(routes: Routes) -> Routes {
    let routes = endpoint::<P::Create, _>(routes, telephony_configs::create::create::<P>);
    let routes = endpoint::<P::Read, _>(routes, telephony_configs::read::read::<P>);
    let routes = endpoint::<P::Update, _>(routes, telephony_configs::update::update::<P>);
    endpoint::<P::Delete, _>(routes, telephony_configs::delete::delete::<P>)
}

/// What holds for all routes: ids and spans around everything, then CORS, then panics, then limits.
fn surround(routes: Router<Http>, http: &Http, body_timeout: Duration) -> Router<Http> {
    routes
        .fallback(async || ApiError::new(StatusCode::NOT_FOUND, "there is nothing at this path"))
        .method_not_allowed_fallback(async || {
            ApiError::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "this path does not take this method; see the header Allow",
            )
        })
        .layer(DefaultBodyLimit::max(http.server.max_body_bytes))
        .layer(from_fn_with_state(body_timeout, slow_bodies::hold_to_time))
        .layer(CatchPanicLayer::custom(trace::panicked))
        .layer(cors(http.server.cors_api_key))
        .layer(from_fn_with_state(http.calls.metrics().clone(), trace::trace))
}

/// Adds an endpoint at its own path and method.
fn endpoint<E: Endpoint, T: 'static>(mut routes: Routes, handler: impl Handler<T, Http>) -> Routes {
    let method = match E::METHOD {
        Method::Delete => MethodFilter::DELETE,
        Method::Get => MethodFilter::GET,
        Method::Head => MethodFilter::HEAD,
        Method::Options => MethodFilter::OPTIONS,
        Method::Patch => MethodFilter::PATCH,
        Method::Post => MethodFilter::POST,
        Method::Put => MethodFilter::PUT,
    };
    routes.router = routes.router.route(E::PATH, on(method, handler));
    routes.served.push((E::METHOD, E::PATH));
    routes
}

/// Browsers of any origin may use the API with the header that says it is unsafe; with the other one only if the operator wants
/// that (protocol.md A-66).
fn cors(api_key: bool) -> CorsLayer {
    let mut headers = vec![HeaderName::from_static(auth::UNSAFE_API_KEY), axum::http::header::CONTENT_TYPE];
    if api_key {
        headers.push(HeaderName::from_static(auth::API_KEY));
    }
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([
            axum::http::Method::DELETE,
            axum::http::Method::GET,
            axum::http::Method::PATCH,
            axum::http::Method::POST,
            axum::http::Method::PUT,
        ])
        .allow_headers(headers)
        .expose_headers([axum::http::header::RETRY_AFTER, trace::REQUEST_ID])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use antiphon_api::rest::operations::operations;

    use super::routes;

    #[test]
    fn what_is_served_is_what_is_documented() {
        let named = |(method, path): (antiphon_api::endpoint::Method, &str)| format!("{method} {path}");
        let served: BTreeSet<String> = routes().served.into_iter().map(named).collect();
        let documented: BTreeSet<String> =
            operations().iter().map(|operation| named((operation.method, operation.path))).collect();
        assert_eq!(served, documented, "an endpoint has its line here and in antiphon_api::rest::operations");
    }
}
