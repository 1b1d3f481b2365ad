//! Mends JSON that a model wrote wrongly, where only one thing can be meant: code fences around it, commas before a closing
//! bracket, missing or surplus brackets at the end, an object written as a text. What was cut off in the middle of a text is not mended,
//! since nobody knows how it went on. Knows nothing of what the JSON is for.

use serde_json::Value;

/// The JSON object that a text means. None if it is not clear.
pub(super) fn object(text: &str) -> Option<Value> {
    let text = without_fence(text.trim());
    if text.is_empty() {
        return Some(Value::Object(Default::default()));
    }
    let value = serde_json::from_str(text).ok().or_else(|| serde_json::from_str(&balanced(text)?).ok())?;
    match value {
        Value::Object(_) => Some(value),
        // Written twice: a text that holds the object.
        Value::String(inner) => serde_json::from_str(&inner).ok().filter(Value::is_object),
        Value::Null => Some(Value::Object(Default::default())),
        Value::Array(_) | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn without_fence(text: &str) -> &str {
    let inner = text.strip_prefix("```").and_then(|text| text.strip_suffix("```"));
    inner.map_or(text, |inner| inner.strip_prefix("json").unwrap_or(inner).trim())
}

/// The text with its brackets closed, without commas before closing ones, and without surplus closing ones at its end.
fn balanced(text: &str) -> Option<String> {
    let mut mended = String::with_capacity(text.len() + 8);
    let mut open = Vec::new();
    let (mut in_text, mut escaped) = (false, false);
    for (at, character) in text.char_indices() {
        if in_text {
            in_text = escaped || character != '"';
            escaped = !escaped && character == '\\';
            mended.push(character);
            continue;
        }
        match character {
            '"' => in_text = true,
            '{' => open.push('}'),
            '[' => open.push(']'),
            '}' | ']' => match open.pop() {
                Some(expected) if expected == character => {}
                Some(_) => return None,
                // Everything is closed: what follows may only be more of the same.
                None => {
                    let only_more = |c: char| c == '}' || c == ']' || c.is_whitespace();
                    return text[at..].chars().all(only_more).then_some(mended);
                }
            },
            ',' => {
                let next = text[at + 1..].trim_start().chars().next();
                if matches!(next, None | Some('}' | ']')) {
                    continue;
                }
            }
            _ => {}
        }
        mended.push(character);
    }
    if in_text {
        return None;
    }
    mended.extend(open.iter().rev());
    Some(mended)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_can_mean_only_one_thing_is_mended() {
        for (text, meant) in [
            ("", json!({})),
            ("null", json!({})),
            (r#"{"a":1}"#, json!({"a": 1})),
            (r#"{"a":1,}"#, json!({"a": 1})),
            (r#"{"a":[1,2,],"b":{"c":2,},}"#, json!({"a": [1, 2], "b": {"c": 2}})),
            (r#"{"a":{"b":[1"#, json!({"a": {"b": [1]}})),
            (r#"{"a":1,"#, json!({"a": 1})),
            (r#"{"a":1}}}"#, json!({"a": 1})),
            ("```json\n{\"a\":1}\n```", json!({"a": 1})),
            (r#""{\"a\":1}""#, json!({"a": 1})),
            (r#"{"a":",}"}"#, json!({"a": ",}"})),
            (r#"{"a":"\"}","b":"\\",}"#, json!({"a": "\"}", "b": "\\"})),
        ] {
            assert_eq!(object(text), Some(meant), "{text}");
        }
    }

    #[test]
    fn what_is_not_clear_is_left_alone() {
        for text in [
            "{",
            "x",
            "[1]",
            "7",
            r#"{"a":"cut o"#,
            r#"{"a":"#,
            r#"{"a""#,
            r#"{"a":1]"#,
            r#"{"a":1} {"b":2}"#,
            r#"{"a":1}} x"#,
        ] {
            // An open brace alone is an empty object whose end is missing.
            let meant = (text == "{").then(|| json!({}));
            assert_eq!(object(text), meant, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken(text in ".{0,200}") {
            let _ = object(&text);
        }

        #[test]
        fn what_lacks_only_closing_brackets_means_the_same(keys in prop::collection::vec("[a-z]{1,4}", 1..6)) {
            let value = keys.iter().rev().fold(json!({}), |inner, key| json!({key: [inner]}));
            let text = value.to_string();
            for end in 0..=keys.len() {
                prop_assert_eq!(object(&text[..text.len() - end]), Some(value.clone()));
            }
        }
    }
}
