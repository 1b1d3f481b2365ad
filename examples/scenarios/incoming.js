// A call comes in and a voice agent answers it. Runs on VoxEngine and with
//
//     antiphon scenario examples/scenarios/incoming.js --call caller.wav --output answer.wav --secret ULTRAVOX_API_KEY=ANTIPHON_API_KEY

require(Modules.Ultravox);

const AGENT = {
    systemPrompt: 'You answer the phone of a bakery. Be brief and friendly.',
    firstSpeakerSettings: { agent: { text: 'Hello, this is the bakery. How can I help you?' } },
};

VoxEngine.addEventListener(AppEvents.CallAlerting, async ({ call }) => {
    let client;

    const finish = () => {
        client?.close();
        VoxEngine.terminate();
    };

    call.answer();
    call.addEventListener(CallEvents.Disconnected, finish);
    call.addEventListener(CallEvents.Failed, finish);

    try {
        client = await Ultravox.createWebSocketAPIClient({
            endpoint: Ultravox.HTTPEndpoint.CREATE_CALL,
            authorizations: { 'X-API-Key': VoxEngine.getSecretValue('ULTRAVOX_API_KEY') },
            pathParameters: {},
            queryParameters: {},
            body: AGENT,
            onWebSocketClose: (event) => {
                Logger.write(JSON.stringify(event));
                // The agent has hung up, so the caller has nobody to speak with.
                call.hangup();
            },
        });

        VoxEngine.sendMediaBetween(call, client);

        const { Events, WebSocketAPIEvents } = Ultravox;
        for (const event of [
            Events.WebSocketMediaStarted,
            Events.WebSocketMediaEnded,
            WebSocketAPIEvents.ConnectorInformation,
            WebSocketAPIEvents.HTTPResponse,
            WebSocketAPIEvents.State,
            WebSocketAPIEvents.Transcript,
            WebSocketAPIEvents.ClientToolInvocation,
            WebSocketAPIEvents.DataConnectionToolInvocation,
            WebSocketAPIEvents.Debug,
            WebSocketAPIEvents.Unknown,
            WebSocketAPIEvents.WebSocketError,
        ]) {
            client.addEventListener(event, (data) => Logger.write(JSON.stringify(data)));
        }
        // The caller has interrupted the agent: what was not heard yet is not to be heard any more.
        client.addEventListener(WebSocketAPIEvents.PlaybackClearBuffer, (event) => {
            Logger.write(JSON.stringify(event));
            client.clearMediaBuffer();
        });
    } catch (error) {
        Logger.write(`there is no agent: ${error}`);
        VoxEngine.terminate();
    }
});
