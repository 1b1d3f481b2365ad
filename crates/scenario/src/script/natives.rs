//! What the prelude is given from outside JavaScript: the session's desk, bytes and digests, the time of a place.

use std::cell::RefCell;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD};
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{Timestamp, tz::TimeZone};
use md5::Md5;
use rquickjs::{Ctx, Exception, Function, Object, Result};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use super::{Budget, Desk, Fault, Line};

/// Base64 as people write it: with padding or without.
const LIBERAL: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The object that the prelude knows as `host`.
pub(super) fn host<'js>(
    ctx: &Ctx<'js>,
    custom_data: &str,
    desk: &Rc<RefCell<dyn Desk>>,
    budget: &Rc<Budget>,
) -> Result<Object<'js>> {
    let host = Object::new(ctx.clone())?;
    host.set("customData", custom_data)?;

    let asked = Rc::clone(desk);
    let ask = move |ctx: Ctx<'js>, question: String| -> Result<Option<String>> {
        let answer = asked.borrow_mut().ask(&question).map_err(|why| refuse(&ctx, &why))?;
        Ok(answer.map(|answer| answer.to_string()))
    };
    host.set("ask", Function::new(ctx.clone(), ask)?)?;

    let logged = Rc::clone(desk);
    host.set(
        "log",
        Function::new(ctx.clone(), move |ctx: Ctx<'js>, who: String, text: String| {
            let line = if who == "note" { Line::Note(text) } else { Line::Script(text) };
            logged.borrow_mut().log(line).map_err(|why| refuse(&ctx, &why))
        })?,
    )?;

    let told = Rc::clone(desk);
    host.set(
        "fault",
        Function::new(ctx.clone(), move |text: String| {
            told.borrow_mut().fault(Fault::of_text(text));
        })?,
    )?;

    let keeper = Rc::clone(desk);
    host.set("secret", Function::new(ctx.clone(), move |name: String| keeper.borrow().secret(&name))?)?;

    let budget = Rc::clone(budget);
    host.set("begin", Function::new(ctx.clone(), move || budget.begin())?)?;

    host.set("utf8", Function::new(ctx.clone(), |text: String| text.into_bytes())?)?;
    host.set(
        "fromUtf8",
        Function::new(ctx.clone(), |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned())?,
    )?;
    host.set("base64", Function::new(ctx.clone(), |bytes: Vec<u8>| STANDARD.encode(bytes))?)?;
    host.set(
        "fromBase64",
        Function::new(ctx.clone(), |ctx: Ctx<'js>, text: String| {
            let packed: String = text.chars().filter(|sign| !sign.is_whitespace()).collect();
            LIBERAL
                .decode(packed)
                .map_err(|error| refuse(&ctx, &format!("base64_decode: the text is no Base64: {error}")))
        })?,
    )?;
    host.set(
        "digest",
        Function::new(ctx.clone(), |name: String, bytes: Vec<u8>| match name.as_str() {
            "md5" => hex(&Md5::digest(bytes)),
            "sha1" => hex(&Sha1::digest(bytes)),
            _ => hex(&Sha256::digest(bytes)),
        })?,
    )?;
    host.set(
        "hmac",
        Function::new(ctx.clone(), |key: Vec<u8>, bytes: Vec<u8>| {
            let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("any length makes a key");
            mac.update(&bytes);
            hex(&mac.finalize().into_bytes())
        })?,
    )?;
    host.set("uuid", Function::new(ctx.clone(), || uuid::Uuid::new_v4().to_string())?)?;
    host.set(
        "localTime",
        Function::new(ctx.clone(), |ctx: Ctx<'js>, zone: String| {
            let zone = TimeZone::get(&zone).map_err(|_| {
                refuse(
                    &ctx,
                    &format!("getLocalTime: there is no time zone {zone:?}; write one as in 'Europe/London'"),
                )
            })?;
            let there = Timestamp::now().to_zoned(zone).datetime();
            Ok::<_, rquickjs::Error>(vec![
                i32::from(there.year()),
                i32::from(there.month()),
                i32::from(there.day()),
                i32::from(there.hour()),
                i32::from(there.minute()),
                i32::from(there.second()),
                i32::from(there.millisecond()),
            ])
        })?,
    )?;
    Ok(host)
}

fn refuse(ctx: &Ctx<'_>, why: &str) -> rquickjs::Error {
    Exception::throw_message(ctx, why)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
