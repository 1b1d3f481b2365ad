// Bytes, texts and digests.

/** The bytes of an array or of a text. */
const bytesOf = (place, what, value) => {
    if (typeof value === 'string') return host.utf8(value.toWellFormed());
    if (!Array.isArray(value) && !(value instanceof Uint8Array)) throw wrong(place, what, 'a string or an array of bytes', value);
    const bytes = Array.from(value);
    const bad = bytes.find((byte) => !(Number.isInteger(byte) && byte >= 0 && byte <= 255));
    if (bad !== undefined) throw wrong(place, `each byte of ${what}`, 'a whole number from 0 to 255', bad);
    return bytes;
};

const digest = (name) => (data) => host.digest(name, bytesOf(`Crypto.${name}`, 'the data', data));

const Crypto = Object.freeze({
    md5: digest('md5'),
    sha1: digest('sha1'),
    sha256: digest('sha256'),
    hmac_sha256(key, data) {
        const place = 'Crypto.hmac_sha256';
        return host.hmac(bytesOf(place, 'the key', key), bytesOf(place, 'the data', data));
    },
});

const encodingOf = (place, encoding) => {
    const name = (check.textIfAny(place, 'the encoding', encoding) ?? 'utf-8').toLowerCase();
    if (!['utf-8', 'utf8', 'ascii', 'us-ascii'].includes(name)) throw wrong(place, 'the encoding', "'utf-8'", encoding);
};

const texts = {
    base64_encode: (data) => host.base64(bytesOf('base64_encode', 'the data', data)),
    base64_decode: (text) => host.fromBase64(check.text('base64_decode', 'the text', text)),
    bytes2hex(bytes, upperCase) {
        const hex = bytesOf('bytes2hex', 'the bytes', bytes).map((byte) => byte.toString(16).padStart(2, '0')).join('');
        return upperCase ? hex.toUpperCase() : hex;
    },
    hex2bytes(hex) {
        if (typeof hex !== 'string' || !/^([0-9a-f]{2})*$/i.test(hex)) throw wrong('hex2bytes', 'the text', 'pairs of hexadecimal digits', hex);
        return (hex.match(/../g) ?? []).map((pair) => parseInt(pair, 16));
    },
    str2bytes(text, encoding) {
        encodingOf('str2bytes', encoding);
        return bytesOf('str2bytes', 'the text', check.text('str2bytes', 'the text', text));
    },
    bytes2str(bytes, encoding) {
        encodingOf('bytes2str', encoding);
        return host.fromUtf8(bytesOf('bytes2str', 'the bytes', bytes));
    },
    uuidgen: () => host.uuid(),
    getLocalTime(zone) {
        const [year, month, ...rest] = host.localTime(check.filledText('getLocalTime', 'the time zone', zone));
        return new Date(year, month - 1, ...rest);
    },
};
