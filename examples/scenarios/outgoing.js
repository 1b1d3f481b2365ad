// Calls somebody and has a voice agent speak with them. Whom to call is in the custom data, as JSON. Runs on VoxEngine and with
//
//     antiphon scenario examples/scenarios/outgoing.js --start --call callee.wav --output heard.wav \
//         --custom-data '{"number": "15557654321", "callerid": "15551234567"}' --secret ULTRAVOX_API_KEY=ANTIPHON_API_KEY

require(Modules.Ultravox);

VoxEngine.addEventListener(AppEvents.Started, () => {
    const { number, callerid, sip } = JSON.parse(VoxEngine.customData());
    const call = sip ? VoxEngine.callSIP(sip, { callerid }) : VoxEngine.callPSTN(number, callerid);
    let client;

    const finish = (event) => {
        Logger.write(JSON.stringify(event));
        client?.close();
        VoxEngine.terminate();
    };
    call.addEventListener(CallEvents.Disconnected, finish);
    call.addEventListener(CallEvents.Failed, finish);

    call.addEventListener(CallEvents.Connected, async () => {
        try {
            client = await Ultravox.createWebSocketAPIClient({
                endpoint: Ultravox.HTTPEndpoint.CREATE_CALL,
                authorizations: { 'X-API-Key': VoxEngine.getSecretValue('ULTRAVOX_API_KEY') },
                body: {
                    systemPrompt: 'You call a customer of a bakery about an order that is ready.',
                    firstSpeakerSettings: { agent: { text: 'Hello, this is the bakery. Your order is ready.' } },
                },
                onWebSocketClose: () => call.hangup(),
            });
            VoxEngine.sendMediaBetween(call, client);

            const { Events, WebSocketAPIEvents } = Ultravox;
            for (const event of [...Object.values(Events), ...Object.values(WebSocketAPIEvents)]) {
                client.addEventListener(event, (data) => {
                    Logger.write(JSON.stringify(data));
                    if (event === WebSocketAPIEvents.PlaybackClearBuffer) client.clearMediaBuffer();
                });
            }
        } catch (error) {
            Logger.write(`there is no agent: ${error}`);
            VoxEngine.terminate();
        }
    });
});
