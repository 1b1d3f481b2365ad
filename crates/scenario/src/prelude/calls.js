// Calls: what comes in, what goes out, and what happens on them.

const CALL_EVENTS = [
    'AudioStarted', 'Connected', 'Disconnected', 'Failed', 'FirstAudioPacketReceived', 'FirstVideoPacketReceived',
    'InfoReceived', 'MessageReceived', 'MicStatusChange', 'OffHold', 'OnHold', 'PlaybackFinished', 'PlaybackReady',
    'PlaybackStarted', 'PushSent', 'ReInviteAccepted', 'ReInviteReceived', 'ReInviteRejected', 'RecordError',
    'RecordStarted', 'RecordStopped', 'Ringing', 'StateChanged', 'Statistics', 'ToneDetected', 'ToneReceived',
    'TransferComplete', 'TransferFailed', 'VideoTrackCreated', 'VoicemailToneDetected', 'VoicemailToneNotDetected',
];
const CallEvents = Object.freeze(Object.fromEntries(CALL_EVENTS.map((name) => [name, `Call.${name}`])));

const calls = new Map();

let happened;

class Call extends Unit {
    #about;
    #state;
    #customData;

    constructor(about) {
        super('call', about.id, Object.values(CallEvents));
        this.#about = about;
        this.#state = about.incoming ? 'ALERTING' : 'PROGRESSING';
        this.#customData = about.custom_data ?? '';
        calls.set(about.id, this);
    }

    state() { return this.#state; }
    incoming() { return this.#about.incoming; }
    callerid() { return this.#about.callerid; }
    displayName() { return this.#about.display_name; }
    number() { return this.#about.number; }
    clientType() { return this.#about.client_type; }
    headers() { return { ...this.#about.headers }; }
    vi_audio() { return true; }

    customData(text) {
        if (text === undefined) return this.#customData;
        this.#customData = check.text('call.customData', 'the data', text);
        return undefined;
    }

    answer(headers, parameters) {
        const place = 'call.answer';
        check.objectIfAny(place, 'parameters', parameters);
        const extra = check.texts(place, 'headers', headers);
        this.#incomingOnly(place);
        if (this.#is(place, 'ALERTING', 'PROGRESSING')) ask(place, { do: 'answer', call: this.id(), headers: extra });
    }

    hangup(headers) {
        const place = 'call.hangup';
        const extra = check.texts(place, 'headers', headers);
        if (this.#is(place, 'ALERTING', 'PROGRESSING', 'CONNECTED')) ask(place, { do: 'hangup', call: this.id(), headers: extra });
    }

    reject(code, headers) {
        const place = 'call.reject';
        this.#incomingOnly(place);
        check.number(place, 'the code', code, 300, 699);
        const extra = check.texts(place, 'headers', headers);
        if (this.#is(place, 'ALERTING', 'PROGRESSING')) ask(place, { do: 'reject', call: this.id(), code, headers: extra });
    }

    decline(code, headers) {
        this.reject(code, headers);
    }

    ring(headers) {
        const place = 'call.ring';
        check.texts(place, 'headers', headers);
        this.#incomingOnly(place);
        if (this.#is(place, 'ALERTING')) ask(place, { do: 'ring', call: this.id() });
    }

    startEarlyMedia(headers) {
        const place = 'call.startEarlyMedia';
        check.texts(place, 'headers', headers);
        this.#incomingOnly(place);
        if (this.#is(place, 'ALERTING', 'PROGRESSING')) {
            this.#state = 'PROGRESSING';
            ask(place, { do: 'early_media', call: this.id() });
        }
    }

    handleTones(flag) {
        const place = 'call.handleTones';
        check.flag(place, 'the argument', flag);
        ask(place, { do: 'handle_tones', call: this.id(), on: flag });
    }

    sendDigits(digits) {
        const place = 'call.sendDigits';
        check.filledText(place, 'the digits', digits);
        if (!/^[0-9*#A-Da-d,pPwW ]{1,100}$/.test(digits)) {
            throw new TypeError(`${place}: the digits must be at most 100 of 0-9, *, #, A-D, and p for a pause, not ${kind(digits)}`);
        }
        if (this.#is(place, 'CONNECTED')) ask(place, { do: 'send_digits', call: this.id(), digits });
    }

    #incomingOnly(place) {
        if (!this.#about.incoming) throw new Error(`${place}: this call goes out, so the other side does that`);
    }

    /** A call may change its state at any moment, so that is no error of the scenario. */
    #is(place, ...states) {
        const fits = states.includes(this.#state);
        if (!fits) note(`${place}: the call is ${this.#state}, so nothing is done`);
        return fits;
    }

    static {
        happened = (id, name, fields) => {
            const call = calls.get(id);
            if (call === undefined) return;
            if (name === 'Connected') call.#state = 'CONNECTED';
            if (name === 'Disconnected' || name === 'Failed') {
                call.#state = 'TERMINATED';
                calls.delete(id);
            }
            const event = CallEvents[name];
            emit(call, event, { call, name: event, id, ...fields });
        };
    }
}

/** What a call can do at Voximplant and not here: an error that says so, since silence would be worse. */
for (const name of [
    'say', 'startPlayback', 'stopPlayback', 'record', 'stopRecording', 'transferTo', 'sendInfo', 'sendMessage', 'notify',
    'reInvite', 'acceptReInvite', 'rejectReInvite', 'handleMicStatus', 'handleBlindTransfer', 'handleVoicemail', 'detectProgressTone',
    'addPlaceholder', 'startVideoRecording',
]) {
    Call.prototype[name] = function () {
        throw new Error(`call.${name} is not supported here; see docs/scenarios.md for what is`);
    };
}
