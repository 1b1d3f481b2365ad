//! The plain values: text, numbers, lists, maps, free JSON.

use std::collections::BTreeMap;

use serde_json::{Number, Value};

use super::{FromJson, JsonObject, Reader, Source, quoted};

/// Says what was wanted and what came instead, without repeating the value: it may be a secret.
pub(crate) fn mismatch(wanted: &str, value: &Value) -> String {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    format!("must be {wanted}, not {found}")
}

impl FromJson for String {
    fn from_json(value: &Value, reader: &mut Reader) -> Option<Self> {
        let text = value.as_str();
        if text.is_none() {
            reader.fault(mismatch("a string", value));
        }
        text.map(Self::from)
    }
}

impl FromJson for bool {
    fn from_json(value: &Value, reader: &mut Reader) -> Option<Self> {
        match value {
            Value::Bool(value) => Some(*value),
            Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
            Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                reader.fault(mismatch("true or false", value));
                None
            }
        }
    }
}

impl FromJson for f64 {
    fn from_json(value: &Value, reader: &mut Reader) -> Option<Self> {
        let number = match value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.parse().ok().filter(|number: &Self| number.is_finite()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        if number.is_none() {
            reader.fault(mismatch("a number", value));
        }
        number
    }
}

macro_rules! whole_number {
    ($($integer:ty),*) => {$(
        impl FromJson for $integer {
            fn from_json(value: &Value, reader: &mut Reader) -> Option<Self> {
                let whole = match value {
                    Value::Number(number) => whole(number),
                    Value::String(text) => text
                        .parse::<i128>()
                        .ok()
                        .or_else(|| whole(&Number::from_f64(text.parse().ok()?)?)),
                    Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
                };
                let Some(whole) = whole else {
                    reader.fault(match value {
                        Value::Number(number) => format!("{number} is not a whole number"),
                        Value::String(text) => format!("{} is not a whole number", quoted(text)),
                        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
                            mismatch("a whole number", value)
                        }
                    });
                    return None;
                };
                let fitting = Self::try_from(whole).ok();
                if fitting.is_none() {
                    reader.fault(format!("must be from {} to {}", Self::MIN, Self::MAX));
                }
                fitting
            }
        }
    )*};
}
whole_number!(i32, i64, u16, u32, u64);

fn whole(number: &Number) -> Option<i128> {
    /// Below this every whole number has its own f64.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    number.as_i128().or_else(|| {
        let float = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < EXACT)?;
        #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
        Some(float as i128)
    })
}

impl FromJson for Value {
    fn from_json(value: &Value, _: &mut Reader) -> Option<Self> {
        Some(value.clone())
    }

    /// Null is a value where any value is welcome.
    fn is_unset(_: &Value) -> bool {
        false
    }

    fn if_absent() -> Option<Self> {
        Some(Self::Null)
    }
}

impl FromJson for JsonObject {
    fn from_json(value: &Value, reader: &mut Reader) -> Option<Self> {
        let object = value.as_object();
        if object.is_none() {
            reader.fault(mismatch("an object", value));
        }
        object.cloned()
    }

    fn if_absent() -> Option<Self> {
        Some(Self::new())
    }
}

impl<T: FromJson> FromJson for Box<T> {
    fn from_json(value: &Value, reader: &mut Reader) -> Option<Self> {
        T::from_json(value, reader).map(Self::new)
    }

    fn if_absent() -> Option<Self> {
        T::if_absent().map(Self::new)
    }

    fn is_unset(value: &Value) -> bool {
        T::is_unset(value)
    }

    fn is_left_out(&self) -> bool {
        T::is_left_out(self)
    }
}

impl<T: FromJson> FromJson for Option<T> {
    fn from_json(value: &Value, reader: &mut Reader) -> Option<Self> {
        Some(if Self::is_unset(value) { None } else { T::from_json(value, reader) })
    }

    fn if_absent() -> Option<Self> {
        Some(None)
    }

    fn is_unset(value: &Value) -> bool {
        value.is_null() || T::is_unset(value)
    }

    fn is_left_out(&self) -> bool {
        self.is_none()
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    fn from_json(value: &Value, reader: &mut Reader) -> Option<Self> {
        let items = match value {
            Value::Array(items) => items.as_slice(),
            Value::String(_) if reader.source() == Source::RequestQuery => std::slice::from_ref(value),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
                reader.fault(mismatch("a list", value));
                return None;
            }
        };
        let problems = reader.problem_count();
        let read = |(index, item)| reader.at(index, |reader: &mut Reader| T::from_json(item, reader));
        let read: Self = items.iter().enumerate().filter_map(read).collect();
        // Without what could not be read it is another list, of which nothing more shall be said.
        let lacks_any = read.len() < items.len() && reader.problem_count() > problems;
        (!lacks_any).then_some(read)
    }

    fn if_absent() -> Option<Self> {
        Some(Self::new())
    }

    fn is_left_out(&self) -> bool {
        self.is_empty()
    }
}

impl<T: FromJson> FromJson for BTreeMap<String, T> {
    fn from_json(value: &Value, reader: &mut Reader) -> Option<Self> {
        let Value::Object(object) = value else {
            reader.fault(mismatch("an object", value));
            return None;
        };
        let read = |(key, item): (&String, &Value)| {
            let item = reader.at_key(key, |reader| T::from_json(item, reader))?;
            Some((key.clone(), item))
        };
        Some(object.iter().filter(|(_, item)| !T::is_unset(item)).filter_map(read).collect())
    }

    fn if_absent() -> Option<Self> {
        Some(Self::new())
    }

    fn is_left_out(&self) -> bool {
        self.is_empty()
    }
}
