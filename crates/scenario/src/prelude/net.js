// Requests over HTTP and timers: what brings things from outside at another time.

const requests = new Map();

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'];

const requestHeaders = (place, headers) => {
    if (!Array.isArray(headers)) return Object.entries(check.texts(place, 'headers', headers));
    return headers.map((line, index) => {
        const cut = check.text(place, `headers[${index}]`, line).indexOf(':');
        if (cut < 1) throw wrong(place, `headers[${index}]`, 'of the form "Name: value"', line);
        return [line.slice(0, cut).trim(), line.slice(cut + 1).trim()];
    });
};

/** The body of a request: a text, bytes, or an object, which is a form. */
const requestBody = (place, data) => {
    if (data === undefined || data === null) return undefined;
    if (typeof data === 'string') return { text: data.toWellFormed() };
    if (Array.isArray(data) || data instanceof Uint8Array) return { base64: host.base64(bytesOf(place, 'postData', data)) };
    if (isObject(data)) return { form: Object.entries(check.texts(place, 'postData', data)) };
    throw wrong(place, 'postData', 'a string, an array of bytes or an object', data);
};

const beginRequest = (place, url, options, done) => {
    check.filledText(place, 'the URL', url);
    const given = check.objectIfAny(place, 'options', options);
    const method = (check.textIfAny(place, 'method', given.method) ?? 'GET').toUpperCase();
    if (!METHODS.includes(method)) throw wrong(place, 'method', `one of ${METHODS.join(', ')}`, given.method);
    const within = (name, most) => (given[name] === undefined || given[name] === null
        ? most
        : check.number(place, name, given[name], 0.001, most));
    const raw = given.rawOutput === undefined || given.rawOutput === null ? false : check.flag(place, 'rawOutput', given.rawOutput);
    const id = ask(place, {
        do: 'request',
        url,
        method,
        headers: requestHeaders(place, given.headers),
        params: Object.entries(check.texts(place, 'params', given.params)),
        body: requestBody(place, given.postData),
        timeout_ms: Math.ceil(within('timeout', 90) * 1000),
        connect_timeout_ms: Math.ceil(within('connectionTimeout', 6) * 1000),
        raw,
    });
    requests.set(id, done);
};

const Net = Object.freeze({
    async httpRequestAsync(url, options) {
        return new Promise((resolve) => beginRequest('Net.httpRequestAsync', url, options, resolve));
    },
    httpRequest(url, callback, options) {
        const place = 'Net.httpRequest';
        check.fn(place, 'the callback', callback);
        beginRequest(place, url, options, (answer) => run(callback, answer));
    },
});

/** What a scenario is given: the answer of a server, or why there is none, with a code that is not positive. */
const answered = (id, answer) => {
    const done = requests.get(id);
    if (done === undefined) return;
    requests.delete(id);
    const { code, text, base64, headers, error } = answer;
    const result = {
        code,
        headers: headers.map(([key, value]) => ({ key, value })),
        raw_headers: headers.map(([key, value]) => `${key}: ${value}`).join('\r\n'),
    };
    if (text !== undefined) result.text = text;
    if (error !== undefined) result.error = error;
    // An array of bytes takes many times the room of the text, so it is made for those who ask for it.
    const data = () => (base64 === undefined ? bytesOf('data', 'the text', text ?? '') : host.fromBase64(base64));
    Object.defineProperty(result, 'data', { get: data, enumerable: false, configurable: true });
    done(result);
};

const timers = new Map();

const startTimer = (place, repeat) => (handler, delay, ...args) => {
    check.fn(place, 'the handler', handler);
    const milliseconds = delay === undefined || delay === null ? 0 : Number(delay);
    if (!(milliseconds >= 0 && milliseconds <= 2 ** 31)) throw wrong(place, 'the delay', 'a number of milliseconds', delay);
    const id = ask(place, { do: 'timer', delay_ms: Math.floor(milliseconds), repeat });
    timers.set(id, { handler, args, repeat });
    return id;
};

const stopTimer = (id) => {
    if (timers.delete(id)) ask('clearTimeout', { do: 'clear_timer', timer: id });
};

const rang = (id) => {
    const timer = timers.get(id);
    if (timer === undefined) return;
    if (!timer.repeat) timers.delete(id);
    run(timer.handler, ...timer.args);
};
