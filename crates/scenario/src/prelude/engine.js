// VoxEngine itself: the session, its events, calls that go out.

const AppEvents = Object.freeze({
    CallAlerting: 'Application.CallAlerting',
    Started: 'Application.Started',
    Terminating: 'Application.Terminating',
    Terminated: 'Application.Terminated',
    HttpRequest: 'Application.HttpRequest',
    WebSocket: 'AppEvents.NewWebSocketConnection',
    NewWebSocketFailed: 'Application.OnNewWebSocketFailed',
});

const app = new Emitter('VoxEngine', Object.values(AppEvents));

const MOST_CUSTOM_DATA = 200;
let customData = host.customData;

const utf8Length = (text) => {
    let bytes = 0;
    for (const sign of text) {
        const code = sign.codePointAt(0);
        bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    }
    return bytes;
};

/** Begins a call that goes out. */
const dial = (place, network, number, given) => {
    const about = {
        network,
        number,
        callerid: check.textIfAny(place, 'callerid', given.callerid) ?? '',
        display_name: check.textIfAny(place, 'displayName', given.displayName) ?? '',
        custom_data: check.textIfAny(place, 'customData', given.customData) ?? '',
        headers: check.texts(place, 'headers', given.headers ?? given.extraHeaders),
        user: check.textIfAny(place, 'authUser', given.authUser),
        password: check.textIfAny(place, 'password', given.password),
    };
    const id = ask(place, { do: 'dial', ...about });
    return new Call({ ...about, id, incoming: false, client_type: network });
};

const VoxEngine = {
    addEventListener: (event, handler) => app.addEventListener(event, handler),
    removeEventListener: (event, handler) => app.removeEventListener(event, handler),

    terminate() {
        ask('VoxEngine.terminate', { do: 'terminate' });
    },

    customData(text) {
        if (text === undefined) return customData;
        const place = 'VoxEngine.customData';
        check.text(place, 'the data', text);
        const bytes = utf8Length(text);
        if (bytes > MOST_CUSTOM_DATA) {
            throw new RangeError(`${place}: the data must be at most ${MOST_CUSTOM_DATA} bytes, not ${bytes}`);
        }
        customData = text;
        return undefined;
    },

    sendMediaBetween(one, other) {
        const place = 'VoxEngine.sendMediaBetween';
        reference(place, one);
        reference(place, other);
        one.sendMediaTo(other);
        other.sendMediaTo(one);
    },

    stopMediaBetween(one, other) {
        const place = 'VoxEngine.stopMediaBetween';
        reference(place, one);
        reference(place, other);
        one.stopMediaTo(other);
        other.stopMediaTo(one);
    },

    callPSTN(number, callerid, parameters) {
        const place = 'VoxEngine.callPSTN';
        check.filledText(place, 'the number', number);
        return dial(place, 'pstn', number, { callerid, ...check.objectIfAny(place, 'parameters', parameters) });
    },

    // The second argument is an object; before, it was the caller's id, with the display name and others behind it.
    callSIP(to, parameters, displayName, password, authUser, headers) {
        const place = 'VoxEngine.callSIP';
        check.filledText(place, 'the address', to);
        if (!/^sips?:[^@\s]+(@[^@\s]+)?$/i.test(to)) {
            throw wrong(place, 'the address', 'a SIP address such as sip:name@example.com', to);
        }
        const given = typeof parameters === 'string'
            ? { callerid: parameters, displayName, password, authUser, headers }
            : check.objectIfAny(place, 'parameters', parameters);
        return dial(place, 'sip', to, given);
    },

    callUser(parameters, callerid) {
        const place = 'VoxEngine.callUser';
        const given = typeof parameters === 'string'
            ? { username: parameters, callerid }
            : check.object(place, 'parameters', parameters);
        check.filledText(place, 'username', given.username);
        return dial(place, 'user', given.username, given);
    },

    getSecretValue(name) {
        check.text('VoxEngine.getSecretValue', 'the name', name);
        return host.secret(name) ?? undefined;
    },
};

for (const name of [
    'callConference', 'callConferenceUser', 'callUserDirect', 'callWhatsappUser', 'createASR', 'createAMD', 'createConference',
    'createRecorder', 'createSequencePlayer', 'createTTSPlayer', 'createToneScriptPlayer', 'createURLPlayer',
    'createWebSocket', 'allowWebSocketConnections', 'destroyConference', 'easyProcess', 'enqueueACDRequest', 'enqueueTask',
    'forwardCallToPSTN', 'forwardCallToSIP', 'forwardCallToUser', 'forwardCallToUserDirect', 'playSoundAndHangup',
]) {
    VoxEngine[name] = () => {
        throw new Error(`VoxEngine.${name} is not supported here; see docs/scenarios.md for what is`);
    };
}
Object.freeze(VoxEngine);

const Logger = Object.freeze({
    write(message) {
        let text;
        try {
            text = typeof message === 'string' ? message : isObject(message) || Array.isArray(message) ? stringify(message) : String(message);
        } catch {
            text = 'a message that cannot be written as text';
        }
        host.log('script', String(text).slice(0, 15000).toWellFormed());
    },
    hideTones(flag) {
        check.flag('Logger.hideTones', 'the argument', flag);
        ask('Logger.hideTones', { do: 'hide_tones', on: flag });
    },
});

const MODULES = {
    ACD: 'acd', AI: 'ai', AMD: 'amd', ASR: 'asr', AvatarEngine: 'avatarengine', CallList: 'calllist', Cartesia: 'cartesia',
    Conference: 'conference', Deepgram: 'deepgram', ElevenLabs: 'elevenlabs', Gemini: 'gemini', Grok: 'grok', IVR: 'ivr',
    OpenAI: 'openai', Player: 'player', Recorder: 'recorder', Silero: 'silero', SmartQueue: 'smartqueue', StreamingAgent: 'streamingagent',
    Ultravox: 'ultravox', ApplicationStorage: 'applicationstorage', PushService: 'pushservice', WebSocket: 'websocket',
};
const Modules = new Proxy(Object.freeze(MODULES), {
    get(modules, name) {
        if (typeof name !== 'string' || name in modules) return modules[name];
        noteOnce(`Modules.${name} is no module that is known here`);
        return name.toLowerCase();
    },
});

const require = (module) => {
    check.filledText('require', 'the module', module);
    if (module === MODULES.Ultravox) {
        defined.Ultravox = Ultravox;
    } else {
        noteOnce(`require: the module ${kind(module)} does nothing here; only Modules.Ultravox is supported`);
    }
};
