// Does everything wrong that can be done wrong, to show what comes of it: each mistake gets an error that names it, and the session
// ends in order, with an exit code that tells. Runs with
//
//     antiphon scenario examples/scenarios/misuse.js --call caller.wav --secret ULTRAVOX_API_KEY=ANTIPHON_API_KEY

require(Modules.Ultravox);

VoxEngine.addEventListener(AppEvents.Terminating, () => Logger.write('terminating'));
VoxEngine.addEventListener(AppEvents.Terminated, () => Logger.write('terminated'));

VoxEngine.addEventListener(AppEvents.CallAlerting, async ({ call }) => {
    call.answer();
    const client = await Ultravox.createWebSocketAPIClient({
        endpoint: Ultravox.HTTPEndpoint.CREATE_CALL,
        authorizations: { 'X-API-Key': VoxEngine.getSecretValue('ULTRAVOX_API_KEY') },
        body: {},
    });

    const flood = () => {
        for (let n = 0; n < 1000; n++) setTimeout(() => {}, 60000);
    };
    const mistakes = {
        'an event that is none': () => call.addEventListener(CallEvents.Conected, () => {}),
        'a handler that is none': () => call.addEventListener(CallEvents.Connected, 'handler'),
        'a unit that is none': () => VoxEngine.sendMediaBetween(call, 'client'),
        'a call with itself': () => call.sendMediaTo(call),
        'a number that is a number': () => VoxEngine.callPSTN(15551234567),
        'an address that is none': () => VoxEngine.callSIP('somebody'),
        'a message that is a text': () => client.userTextMessage('hello'),
        'a result that is missing': () => client.clientToolResult(),
        'headers that are a text': () => call.answer('headers'),
        'a code that is none': () => call.reject(20),
        'digits that are none': () => call.sendDigits('hello'),
        'a delay that is none': () => setTimeout(() => {}, NaN),
        'code as a handler': () => setTimeout('VoxEngine.terminate()', 1000),
        'a flood of timers': flood,
        'too much custom data': () => VoxEngine.customData('x'.repeat(201)),
        'a conference': () => VoxEngine.createConference(),
        'a voice of the platform': () => call.say('hello'),
        'a request to nowhere': () => Net.httpRequestAsync(),
        'a request for ever': () => Net.httpRequestAsync('https://example.com/', { timeout: 3600 }),
        'an endpoint that is none': () => Ultravox.createWebSocketAPIClient({ endpoint: 'Everything' }),
        'an agent without a name': () => Ultravox.createWebSocketAPIClient({ endpoint: Ultravox.HTTPEndpoint.CREATE_AGENT_CALL }),
        'a file': () => import('/etc/passwd'),
        'another module': () => import('os'),
    };

    let answered = 0;
    for (const [name, mistake] of Object.entries(mistakes)) {
        try {
            await mistake();
            Logger.write(`${name}: no error`);
        } catch (error) {
            answered += 1;
            Logger.write(`${name}: ${error}`);
        }
    }
    Logger.write(`${answered} of ${Object.keys(mistakes).length} mistakes were answered with an error`);

    // Nobody catches this one: it is told, and the session goes on.
    Promise.reject(new Error('rejected and left alone'));

    // Nor this one, which ends the session.
    client.addEventListener(Ultravox.WebSocketAPIEvents.State, () => {
        throw new Error('thrown by a handler');
    });
});
