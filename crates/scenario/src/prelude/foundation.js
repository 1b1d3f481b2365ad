// What every part of the prelude works with: errors that name the place and the remedy, listeners, media units.
// The prelude is one function; what it does not put on `globalThis` no scenario can reach.

const stringify = JSON.stringify;
const parse = JSON.parse;
const defined = globalThis;

/** What a value is, in words for an error. */
const kind = (value) => {
    if (value === undefined) return 'undefined';
    if (value === null) return 'null';
    if (Array.isArray(value)) return 'an array';
    switch (typeof value) {
        case 'string': return `the string ${stringify(value.length > 40 ? `${value.slice(0, 40)}...` : value)}`;
        case 'number': case 'boolean': return String(value);
        case 'function': return 'a function';
        case 'object': return 'an object';
        default: return `a ${typeof value}`;
    }
};

const wrong = (place, what, must, value) => new TypeError(`${place}: ${what} must be ${must}, not ${kind(value)}`);

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Checks of arguments; each gives the value back. */
const check = {
    text(place, what, value) {
        if (typeof value !== 'string') throw wrong(place, what, 'a string', value);
        return value;
    },
    filledText(place, what, value) {
        if (typeof value !== 'string' || value.trim() === '') throw wrong(place, what, 'a string that is not empty', value);
        return value;
    },
    textIfAny(place, what, value) {
        return value === undefined || value === null ? undefined : check.text(place, what, value);
    },
    fn(place, what, value) {
        if (typeof value !== 'function') throw wrong(place, what, 'a function', value);
        return value;
    },
    flag(place, what, value) {
        if (typeof value !== 'boolean') throw wrong(place, what, 'true or false', value);
        return value;
    },
    object(place, what, value) {
        if (!isObject(value)) throw wrong(place, what, 'an object', value);
        return value;
    },
    objectIfAny(place, what, value) {
        return value === undefined || value === null ? {} : check.object(place, what, value);
    },
    /** An object of texts; numbers and booleans count as the texts that they print as. */
    texts(place, what, value) {
        const texts = {};
        for (const [key, one] of Object.entries(check.objectIfAny(place, what, value))) {
            if (one === undefined || one === null) continue;
            if (typeof one === 'object' || typeof one === 'function') throw wrong(place, `${what}.${key}`, 'a string', one);
            texts[key] = String(one);
        }
        return texts;
    },
    number(place, what, value, least, most) {
        if (typeof value !== 'number' || !(value >= least && value <= most)) {
            throw wrong(place, what, `a number from ${least} to ${most}`, value);
        }
        return value;
    },
};

/** JSON of anything that a scenario hands over. Texts that are no Unicode are mended, cycles are an error that says so. */
const encode = (place, value) => {
    try {
        return stringify(value, (_, inner) => (typeof inner === 'string' ? inner.toWellFormed() : inner));
    } catch (error) {
        throw new TypeError(`${place}: the value cannot be written as JSON: ${error.message}`);
    }
};

/** Asks the session for something; an Error if it refuses. */
const ask = (place, question) => {
    const answer = host.ask(encode(place, question));
    return answer === undefined ? undefined : parse(answer);
};

const note = (text) => host.log('note', text);
const noted = new Set();
/** A note that is worth making once. */
const noteOnce = (text) => {
    if (noted.size < 1000 && !noted.has(text)) {
        noted.add(text);
        note(text);
    }
};

/** An error in words: what it is and where it happened. */
const describe = (error) => {
    try {
        if (error instanceof Error) {
            const stack = typeof error.stack === 'string' ? error.stack : '';
            const lines = stack.split('\n').filter((line) => line.trim() !== '' && !line.includes('<voxengine>'));
            return [`${error.name}: ${error.message}`, ...lines.slice(0, 8)].join('\n').slice(0, 4000).toWellFormed();
        }
        const text = isObject(error) ? stringify(error) : String(error);
        return `thrown: ${String(text).slice(0, 4000)}`.toWellFormed();
    } catch {
        return 'thrown: something that cannot be shown';
    }
};

/** Runs a function of the scenario. What it throws is an error of the scenario and keeps nothing else from running. */
const run = (handler, ...args) => {
    host.begin();
    try {
        handler(...args);
    } catch (error) {
        host.fault(describe(error));
    }
};

let emit;

/** What has listeners. `name` is how errors call it. */
class Emitter {
    #name;
    #events;
    #listeners = new Map();

    constructor(name, events) {
        this.#name = name;
        this.#events = new Set(events);
    }

    addEventListener(event, handler) {
        const place = `${this.#name}.addEventListener`;
        if (typeof event !== 'string') {
            throw new TypeError(`${place}: the event must be a string, not ${kind(event)}; is its name spelt right?`);
        }
        check.fn(place, `the handler of ${event}`, handler);
        if (!this.#events.has(event)) noteOnce(`${place}: nothing is ever called ${kind(event)} here`);
        const handlers = this.#listeners.get(event) ?? [];
        if (!handlers.includes(handler)) handlers.push(handler);
        this.#listeners.set(event, handlers);
    }

    removeEventListener(event, handler) {
        const place = `${this.#name}.removeEventListener`;
        check.text(place, 'the event', event);
        if (handler === undefined) {
            this.#listeners.delete(event);
            return;
        }
        check.fn(place, 'the handler', handler);
        const handlers = (this.#listeners.get(event) ?? []).filter((one) => one !== handler);
        this.#listeners.set(event, handlers);
    }

    static {
        // Nobody but the prelude makes things happen.
        emit = (emitter, event, fields) => {
            for (const handler of [...(emitter.#listeners.get(event) ?? [])]) run(handler, { ...fields });
        };
    }
}

const ENCODINGS = ['PCM8', 'PCM16', 'ALAW', 'ULAW', 'OPUS'];

let reference;

/** What gives and takes sound: calls and clients. */
class Unit extends Emitter {
    #id;
    #what;

    constructor(what, id, events) {
        super(what, events);
        this.#what = what;
        this.#id = id;
    }

    id() {
        return this.#id;
    }

    toJSON() {
        return { id: this.#id };
    }

    sendMediaTo(unit, parameters) {
        const place = `${this.#what}.sendMediaTo`;
        const to = reference(place, unit);
        if (unit === this) throw new TypeError(`${place}: the unit must be another one than this ${this.#what}`);
        const given = check.objectIfAny(place, 'parameters', parameters);
        const tag = check.textIfAny(place, 'parameters.tag', given.tag);
        const encoding = check.textIfAny(place, 'parameters.encoding', given.encoding);
        if (encoding !== undefined && !ENCODINGS.includes(encoding)) {
            throw wrong(place, 'parameters.encoding', `one of ${ENCODINGS.join(', ')}`, encoding);
        }
        const custom = given.customParameters;
        if (custom !== undefined && custom !== null) check.object(place, 'parameters.customParameters', custom);
        ask(place, { do: 'send_media', from: reference(place, this), to, tag, encoding, custom_parameters: custom ?? undefined });
    }

    stopMediaTo(unit) {
        const place = `${this.#what}.stopMediaTo`;
        ask(place, { do: 'stop_media', from: reference(place, this), to: reference(place, unit) });
    }

    static {
        reference = (place, unit) => {
            if (!(isObject(unit) && #what in unit)) throw wrong(place, 'the unit', 'a call or a client', unit);
            return { [unit.#what]: unit.#id };
        };
    }
}
