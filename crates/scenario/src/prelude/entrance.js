// What scenarios find, and how the session gets in.

Object.assign(defined, texts, {
    require, Modules, VoxEngine, AppEvents, CallEvents, Logger, Net, Crypto,
    WebSocketAudioEncoding: Object.freeze(Object.fromEntries(ENCODINGS.map((name) => [name, name]))),
    setTimeout: startTimer('setTimeout', false),
    setInterval: startTimer('setInterval', true),
    clearTimeout: stopTimer,
    clearInterval: stopTimer,
});

/** Each thing that a session can tell, and what it means to the scenario. */
const MEANINGS = {
    started: ({ event }) => emit(app, AppEvents.Started, { name: AppEvents.Started, ...event }),
    alerting({ about, event }) {
        const call = new Call(about);
        emit(app, AppEvents.CallAlerting, { call, name: AppEvents.CallAlerting, ...event });
    },
    terminating: () => emit(app, AppEvents.Terminating, { name: AppEvents.Terminating }),
    terminated: () => emit(app, AppEvents.Terminated, { name: AppEvents.Terminated }),
    call: ({ call, name, fields }) => happened(call, name, fields),
    client_opened: ({ client, web_socket }) => opened(client, web_socket),
    client_refused: ({ client, why }) => refused(client, why),
    client_closed: ({ client, code, reason, was_clean }) => closed(client, code, reason, was_clean),
    client_event({ client, name, fields }) {
        const known = clients.get(client);
        if (known !== undefined) emit(known, name, { client: known, ...fields });
    },
    answered: ({ request, answer }) => answered(request, answer),
    timer: ({ timer }) => rang(timer),
};

const dispatch = (text) => {
    const told = parse(text);
    MEANINGS[told.tell](told);
};

return { dispatch, describe };
