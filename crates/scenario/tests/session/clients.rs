//! Clients of voice agents: what is asked of the server, when events are told, what is sent.

use antiphon_scenario::{Cause, ClientId, Command, Notice, Target, Unit};
use serde_json::{Value, json};

use crate::stand::Stand;

/// A scenario that begins with a client, `client`, of parameters `parameters`, and goes on with `rest`.
fn with_client(parameters: &str, rest: &str) -> String {
    format!(
        "require(Modules.Ultravox);
         VoxEngine.addEventListener(AppEvents.Started, async () => {{
             const client = await Ultravox.createWebSocketAPIClient({parameters});
             {rest}
         }});"
    )
}

const CREATE: &str = "{endpoint: Ultravox.HTTPEndpoint.CREATE_CALL}";

fn refused(parameters: &str) -> String {
    let source = format!(
        "require(Modules.Ultravox);
         Ultravox.createWebSocketAPIClient({parameters}).catch((error) => Logger.write(String(error)));"
    );
    let stand = Stand::started(&source);
    assert_eq!(stand.errors(), [""; 0]);
    stand.said()[0].to_owned()
}

#[test]
fn each_endpoint_asks_for_its_own() {
    let source = with_client(
        "{endpoint: Ultravox.HTTPEndpoint.CREATE_AGENT_CALL, pathParameters: {agent_id: 'a-1'},
          authorizations: {'X-API-Key': 'k'}, queryParameters: {strict: true, n: 2}, body: {templateContext: {shop: 'x'}},
          privacy: true, statistics: false, trace: true}",
        "",
    );
    let Command::CreateClient { request, .. } = Stand::started(&source).command() else { panic!() };
    let body = json!({"templateContext": {"shop": "x"}});
    assert_eq!(request.target, Target::CreateAgentCall { agent: "a-1".to_owned(), body });
    assert_eq!(request.headers, [("X-API-Key".to_owned(), "k".to_owned())].into());
    let query = [("n".to_owned(), "2".to_owned()), ("strict".to_owned(), "true".to_owned())];
    assert_eq!(request.query, query.into());
    assert_eq!(
        format!("{request:?}"),
        "ClientRequest { target: \"CreateAgentCall\", .. }",
        "no key is shown"
    );

    let source = with_client("{endpoint: Ultravox.HTTPEndpoint.JOIN_CALL, joinUrl: 'wss://h/calls/1'}", "");
    let Command::CreateClient { request, .. } = Stand::started(&source).command() else { panic!() };
    assert_eq!(request.target, Target::JoinCall { join_url: "wss://h/calls/1".to_owned() });
}

#[test]
fn wrong_parameters_reject_the_promise_with_the_field_and_the_remedy() {
    let at = "TypeError: Ultravox.createWebSocketAPIClient: ";
    for (parameters, problem) in [
        ("", "parameters must be an object, not undefined"),
        ("{}", "endpoint must be one of Ultravox.HTTPEndpoint, not undefined"),
        ("{endpoint: 'Create'}", "endpoint must be one of Ultravox.HTTPEndpoint, not the string \"Create\""),
        (
            "{endpoint: 'CreateAgentCall'}",
            "pathParameters.agent_id must be a string that is not empty, not undefined",
        ),
        ("{endpoint: 'JoinCall'}", "joinUrl must be a string that is not empty, not undefined"),
        (
            "{endpoint: 'CreateCall', authorizations: 'key'}",
            "authorizations must be an object, not the string \"key\"",
        ),
        (
            "{endpoint: 'CreateCall', authorizations: {a: {}}}",
            "authorizations.a must be a string, not an object",
        ),
        ("{endpoint: 'CreateCall', body: '{}'}", "body must be an object, not the string \"{}\""),
        ("{endpoint: 'CreateCall', body: []}", "body must be an object, not an array"),
        ("{endpoint: 'CreateCall', onWebSocketClose: 1}", "onWebSocketClose must be a function, not 1"),
        ("{endpoint: 'CreateCall', privacy: 'yes'}", "privacy must be true or false, not the string \"yes\""),
    ] {
        assert_eq!(refused(parameters), format!("{at}{problem}"));
    }
    let circular =
        refused("(() => { const body = {}; body.me = body; return {endpoint: 'CreateCall', body}; })()");
    assert!(circular.starts_with(&format!("{at}the value cannot be written as JSON: ")), "{circular}");
}

#[test]
fn a_server_that_refuses_rejects_the_promise() {
    let source = "require(Modules.Ultravox);
        Ultravox.createWebSocketAPIClient({endpoint: 'CreateCall'})
            .then(() => Logger.write('opened'), (error) => Logger.write(`${error instanceof Error} ${error.message}`));";
    let mut stand = Stand::started(source);
    stand.tell(Notice::ClientRefused { client: ClientId::new(1), why: "HTTP status 400: no".to_owned() });
    assert_eq!(stand.said(), ["true HTTP status 400: no"]);
}

#[test]
fn nothing_is_lost_before_somebody_listens() {
    let source = with_client(
        CREATE,
        "await Net.httpRequestAsync('https://example.com/');
         client.addEventListener(Ultravox.WebSocketAPIEvents.State, (event) => Logger.write(JSON.stringify(event)));
         client.addEventListener(Ultravox.WebSocketAPIEvents.HTTPResponse, (event) => Logger.write(JSON.stringify(event)));",
    );
    let mut stand = Stand::started(&source);
    stand.api_event(1, "HTTPResponse", json!({"code": 201, "text": {"callId": "c"}}));
    stand.opened(1);
    stand.api_event(1, "State", json!({"state": "idle"}));
    assert_eq!(stand.said(), [""; 0]);
    stand.answered(1, 200, "ok");
    let client = json!({"id": "client-1"});
    assert_eq!(
        stand.told(),
        [
            json!({"client": client, "data": {"customEvent": "HTTPResponse", "payload": {"code": 201, "text": {"callId": "c"}}}}),
            json!({"client": client, "data": {"customEvent": "State", "payload": {"state": "idle"}}}),
        ]
    );
}

#[test]
fn a_client_that_nobody_listens_to_keeps_a_thousand_events() {
    let source = with_client(
        "{endpoint: 'CreateCall', onWebSocketClose: (event) => Logger.write(JSON.stringify(event))}",
        "setTimeout(() => client.addEventListener(Ultravox.WebSocketAPIEvents.Debug, ({data}) => Logger.write(data.payload.n)), 1000);",
    );
    let mut stand = Stand::started(&source);
    stand.opened(1);
    for n in 0..1_500 {
        stand.api_event(1, "Debug", json!({"n": n}));
    }
    stand.wait_ms(1_000);
    let seen: Vec<u32> = stand.said().iter().map(|line| line.parse().unwrap()).collect();
    assert_eq!(seen, (500..1_500).collect::<Vec<_>>());

    stand.closed(1);
    let closed = stand.told().pop().unwrap();
    assert_eq!(
        closed,
        json!({"websocket": {"id": "client-1"}, "code": 1000, "reason": "Normal connection close", "wasClean": true})
    );
    stand.api_event(1, "Debug", json!({"n": 9_999}));
    assert_eq!(stand.said().len(), 1_001, "nothing follows the end");
}

#[test]
fn media_events_have_their_own_shape() {
    let source = with_client(
        CREATE,
        "for (const event of Object.values(Ultravox.Events)) client.addEventListener(event, (data) => Logger.write(JSON.stringify(data)));",
    );
    let mut stand = Stand::started(&source);
    stand.opened(1);
    let started = json!({"tag": "", "encoding": "PCM16", "customParameters": null});
    let ended = json!({"tag": "", "mediaInfo": {"duration": 2.5}});
    for (name, fields) in [("WebSocketMediaStarted", &started), ("WebSocketMediaEnded", &ended)] {
        stand.tell(Notice::ClientEvent {
            client: ClientId::new(1),
            name: format!("Ultravox.Events.{name}"),
            fields: fields.clone(),
        });
    }
    let with_client = |mut fields: Value| {
        fields["client"] = json!({"id": "client-1"});
        fields
    };
    assert_eq!(stand.told(), [with_client(started), with_client(ended)]);
}

#[test]
fn each_sender_says_its_type_unless_the_message_does() {
    let senders = [
        ("inputTextMessage", "input_text_message"),
        ("userTextMessage", "user_text_message"),
        ("forcedAgentMessage", "forced_agent_message"),
        ("setOutputMedium", "set_output_medium"),
        ("clientToolResult", "client_tool_result"),
        ("dataConnectionToolResult", "data_connection_tool_result"),
        ("hangUp", "hang_up"),
    ];
    let calls: String =
        senders.iter().map(|(method, _)| format!("client.{method}({{x: {{y: [1]}}}});")).collect();
    let rest = format!(
        "{calls} client.inputTextMessage({{type: 'user_text_message', text: 'a\\ud800b'}}); client.hangUp();"
    );
    let mut stand = Stand::started(&with_client(CREATE, &rest));
    stand.commands();
    stand.opened(1);
    let sent: Vec<Value> = stand
        .commands()
        .into_iter()
        .map(|command| match command {
            Command::SendMessage { message, .. } => message,
            other => panic!("{other:?}"),
        })
        .collect();
    let mut expected: Vec<Value> =
        senders.iter().map(|(_, name)| json!({"x": {"y": [1]}, "type": name})).collect();
    expected.push(json!({"type": "user_text_message", "text": "a\u{fffd}b"}));
    expected.push(json!({"type": "hang_up"}));
    assert_eq!(sent, expected);
}

#[test]
fn a_closed_client_says_nothing_more_and_that_is_no_error() {
    let source = with_client(
        "{endpoint: 'CreateCall', onWebSocketClose: ({websocket}) => {
            websocket.userTextMessage({text: 'x'}); websocket.close(); websocket.clearMediaBuffer();
         }}",
        "Logger.write(`${client.id()} ${client.webSocketId()}`); client.close();",
    );
    let mut stand = Stand::started(&source);
    stand.commands();
    stand.opened(1);
    assert_eq!(stand.command(), Command::CloseClient { client: ClientId::new(1) });
    stand.closed(1);
    assert_eq!(stand.commands(), []);
    assert_eq!(stand.said(), ["client-1 socket-1"]);
    assert_eq!(stand.errors(), [""; 0]);
    assert!(
        stand.notes()[0].contains("client.userTextMessage: the connection is closed"),
        "{:?}",
        stand.notes()
    );
}

#[test]
fn two_clients_send_to_each_other_with_tags_and_parameters() {
    let source = "require(Modules.Ultravox);
        const make = () => Ultravox.createWebSocketAPIClient({endpoint: 'CreateCall'});
        (async () => {
            const [one, other] = await Promise.all([make(), make()]);
            one.sendMediaTo(other, {tag: 'left', encoding: WebSocketAudioEncoding.ULAW, customParameters: {a: 1}});
            one.stopMediaTo(other);
            other.clearMediaBuffer({tag: 'left'});
            VoxEngine.stopMediaBetween(one, other);
        })();";
    let mut stand = Stand::started(source);
    stand.commands();
    stand.opened(2);
    stand.opened(1);
    let (one, other) = (Unit::Client(ClientId::new(1)), Unit::Client(ClientId::new(2)));
    let stop = |from: &Unit, to: &Unit| Command::StopMedia { from: from.clone(), to: to.clone() };
    assert_eq!(
        stand.commands(),
        [
            Command::SendMedia {
                from: one.clone(),
                to: other.clone(),
                tag: Some("left".to_owned()),
                encoding: Some("ULAW".to_owned()),
                custom_parameters: Some(json!({"a": 1})),
            },
            stop(&one, &other),
            Command::ClearMedia { client: ClientId::new(2), tag: Some("left".to_owned()) },
            stop(&one, &other),
            stop(&other, &one),
        ]
    );
}

#[test]
fn an_event_that_is_removed_is_not_heard() {
    let source = with_client(
        CREATE,
        "const {State, Debug} = Ultravox.WebSocketAPIEvents;
         const one = () => Logger.write('one'), other = () => Logger.write('other');
         client.addEventListener(State, one); client.addEventListener(State, other); client.addEventListener(State, one);
         client.addEventListener(Debug, one);
         client.removeEventListener(State, one); client.removeEventListener(Debug);",
    );
    let mut stand = Stand::started(&source);
    stand.opened(1);
    stand.api_event(1, "State", json!({}));
    stand.api_event(1, "Debug", json!({}));
    assert_eq!(stand.said(), ["other"]);
}

#[test]
fn a_session_that_ends_closes_its_clients() {
    let mut stand = Stand::started(&with_client(CREATE, "VoxEngine.terminate();"));
    stand.commands();
    stand.opened(1);
    assert_eq!(stand.command(), Command::CloseClient { client: ClientId::new(1) });
    assert_eq!(stand.outcome().unwrap().cause, Cause::Terminated);
}
