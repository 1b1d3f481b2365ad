// The module of the voice agents: clients of calls at a server of the Ultravox API.

const HTTP_ENDPOINT = Object.freeze({ CREATE_CALL: 'CreateCall', CREATE_AGENT_CALL: 'CreateAgentCall', JOIN_CALL: 'JoinCall' });

const Events = Object.freeze({
    WebSocketMediaStarted: 'Ultravox.Events.WebSocketMediaStarted',
    WebSocketMediaEnded: 'Ultravox.Events.WebSocketMediaEnded',
});

const WEB_SOCKET_API_EVENTS = [
    'Unknown', 'HTTPResponse', 'State', 'Transcript', 'ClientToolInvocation', 'DataConnectionToolInvocation', 'Debug',
    'PlaybackClearBuffer', 'WebSocketError', 'ConnectorInformation',
];
const WebSocketAPIEvents = Object.freeze(
    Object.fromEntries(WEB_SOCKET_API_EVENTS.map((name) => [name, `Ultravox.WebSocketAPI.${name}`])),
);

const CLIENT_EVENTS = [...Object.values(Events), ...Object.values(WebSocketAPIEvents)];

const clients = new Map();

let speak, opened, refused, closed;

class WebSocketAPIClient extends Unit {
    #webSocketId;
    #onClose;
    #settle;
    #listened = false;
    #closed = false;

    constructor(id, onClose, settle) {
        super('client', id, CLIENT_EVENTS);
        this.#webSocketId = id;
        this.#onClose = onClose;
        this.#settle = settle;
        clients.set(id, this);
    }

    webSocketId() {
        return this.#webSocketId;
    }

    addEventListener(event, handler) {
        super.addEventListener(event, handler);
        if (!this.#listened) {
            // Until somebody listens, what happens is kept.
            this.#listened = true;
            ask('client.addEventListener', { do: 'listen', client: this.id() });
        }
    }

    close() {
        if (!this.#closed) ask('client.close', { do: 'close_client', client: this.id() });
    }

    clearMediaBuffer(parameters) {
        const place = 'client.clearMediaBuffer';
        const given = check.objectIfAny(place, 'parameters', parameters);
        const tag = check.textIfAny(place, 'parameters.tag', given.tag);
        if (!this.#closed) ask(place, { do: 'clear_media', client: this.id(), tag });
    }

    static {
        speak = (client, method, type, message) => {
            const place = `client.${method}`;
            const given = check.object(place, 'the message', message);
            if (given.type !== undefined) check.filledText(place, 'type', given.type);
            if (client.#closed) {
                note(`${place}: the connection is closed, so nothing is sent`);
                return;
            }
            ask(place, { do: 'send_message', client: client.id(), message: { ...given, type: given.type ?? type } });
        };
        opened = (id, webSocketId) => {
            const client = clients.get(id);
            if (client === undefined) return;
            client.#webSocketId = webSocketId;
            client.#settle.resolve(client);
        };
        refused = (id, why) => {
            const client = clients.get(id);
            if (client === undefined) return;
            client.#closed = true;
            clients.delete(id);
            client.#settle.reject(new Error(why));
        };
        closed = (id, code, reason, wasClean) => {
            const client = clients.get(id);
            if (client === undefined) return;
            client.#closed = true;
            clients.delete(id);
            if (client.#onClose !== undefined) run(client.#onClose, { websocket: client, code, reason, wasClean });
        };
    }
}

for (const [method, type] of Object.entries({
    inputTextMessage: 'input_text_message',
    userTextMessage: 'user_text_message',
    forcedAgentMessage: 'forced_agent_message',
    setOutputMedium: 'set_output_medium',
    clientToolResult: 'client_tool_result',
    dataConnectionToolResult: 'data_connection_tool_result',
    hangUp: 'hang_up',
})) {
    WebSocketAPIClient.prototype[method] = function (message) {
        // Hanging up needs no words.
        speak(this, method, type, method === 'hangUp' ? message ?? {} : message);
    };
}

const createWebSocketAPIClient = async (parameters) => {
    const place = 'Ultravox.createWebSocketAPIClient';
    const given = check.object(place, 'parameters', parameters);
    const endpoint = given.endpoint;
    if (!Object.values(HTTP_ENDPOINT).includes(endpoint)) {
        throw wrong(place, 'endpoint', 'one of Ultravox.HTTPEndpoint', endpoint);
    }
    const question = {
        do: 'create_client',
        endpoint,
        headers: check.texts(place, 'authorizations', given.authorizations),
        query: check.texts(place, 'queryParameters', given.queryParameters),
        body: check.objectIfAny(place, 'body', given.body),
    };
    const path = check.texts(place, 'pathParameters', given.pathParameters);
    if (endpoint === HTTP_ENDPOINT.CREATE_AGENT_CALL) {
        question.agent = check.filledText(place, 'pathParameters.agent_id', path.agent_id ?? path.agentId);
    }
    if (endpoint === HTTP_ENDPOINT.JOIN_CALL) {
        question.join_url = check.filledText(place, 'joinUrl', given.joinUrl);
    }
    const onClose = given.onWebSocketClose ?? undefined;
    if (onClose !== undefined) check.fn(place, 'onWebSocketClose', onClose);
    for (const name of ['privacy', 'statistics', 'trace']) {
        if (given[name] !== undefined && given[name] !== null) check.flag(place, name, given[name]);
    }
    const id = ask(place, question);
    return new Promise((resolve, reject) => {
        new WebSocketAPIClient(id, onClose, { resolve, reject });
    });
};

const Ultravox = Object.freeze({ HTTPEndpoint: HTTP_ENDPOINT, Events, WebSocketAPIEvents, createWebSocketAPIClient });
