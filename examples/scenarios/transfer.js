// A voice agent answers, and when it calls its tool `transferToColleague`, the caller is handed over to a colleague's telephone.
// The agent stays until the colleague has answered. Runs on VoxEngine and with
//
//     antiphon scenario examples/scenarios/transfer.js --call caller.wav --answer colleague.wav --output heard.wav \
//         --custom-data 15557654321 --secret ULTRAVOX_API_KEY=ANTIPHON_API_KEY

require(Modules.Ultravox);

const TOOL = 'transferToColleague';
const RING_FOR = 30000;

VoxEngine.addEventListener(AppEvents.CallAlerting, async ({ call, callerid }) => {
    let client;
    let colleague;

    const finish = () => {
        client?.close();
        VoxEngine.terminate();
    };

    const transfer = () => {
        colleague = VoxEngine.callPSTN(VoxEngine.customData() || '15557654321', callerid);
        const watchdog = setTimeout(() => colleague.hangup(), RING_FOR);
        colleague.addEventListener(CallEvents.Connected, () => {
            clearTimeout(watchdog);
            client.close();
            VoxEngine.sendMediaBetween(call, colleague);
        });
        colleague.addEventListener(CallEvents.Failed, ({ code, reason }) => {
            Logger.write(`the colleague does not answer: ${code} ${reason}`);
            clearTimeout(watchdog);
            colleague = undefined;
            client.userTextMessage({ text: '(The colleague does not answer. Offer to call back.)' });
        });
        colleague.addEventListener(CallEvents.Disconnected, finish);
    };

    call.addEventListener(CallEvents.Disconnected, finish);
    call.addEventListener(CallEvents.Failed, finish);
    call.answer();

    try {
        client = await Ultravox.createWebSocketAPIClient({
            endpoint: Ultravox.HTTPEndpoint.CREATE_CALL,
            authorizations: { 'X-API-Key': VoxEngine.getSecretValue('ULTRAVOX_API_KEY') },
            body: {
                systemPrompt: `You answer the phone. Call ${TOOL} when the caller wants to speak with a person.`,
                selectedTools: [{ temporaryTool: { modelToolName: TOOL, description: 'Hands the caller over to a person.', client: {} } }],
            },
            onWebSocketClose: () => {
                // The agent has hung up by itself.
                if (colleague === undefined) call.hangup();
            },
        });
    } catch (error) {
        Logger.write(`there is no agent: ${error}`);
        finish();
        return;
    }
    VoxEngine.sendMediaBetween(call, client);

    client.addEventListener(Ultravox.WebSocketAPIEvents.Transcript, ({ data }) => Logger.write(JSON.stringify(data.payload)));
    client.addEventListener(Ultravox.WebSocketAPIEvents.PlaybackClearBuffer, () => client.clearMediaBuffer());
    client.addEventListener(Ultravox.WebSocketAPIEvents.ClientToolInvocation, ({ data: { payload } }) => {
        if (payload.toolName !== TOOL || colleague !== undefined) return;
        client.clientToolResult({ invocationId: payload.invocationId, result: 'You are being connected.' });
        transfer();
    });
});
