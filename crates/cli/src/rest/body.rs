//! The body of a request from the command line: a file, and single fields that are set over it.

use std::io::Read as _;
use std::path::PathBuf;

use antiphon_api::endpoint::Payload;
use antiphon_api::json::{Invalid, JsonObject};
use anyhow::Context as _;
use serde_json::Value;

use crate::exit::misuse;

/// The longest list that `--set` makes room in.
const LONGEST_LIST: usize = 1_000;

/// Where a body comes from.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Body")]
pub(super) struct Body {
    /// A file with the JSON body; - reads it from the standard input.
    #[arg(long, short, value_name = "FILE|-")]
    file: Option<PathBuf>,
    /// A field of the body: `name=Anna`, `callTemplate.voice=kal`, `a.list[0].on=true`. What is JSON is taken as JSON, all else as text, so
    /// that the text 7 is written '"7"'. FIELD=@FILE takes the text of a file. May be repeated.
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    fields: Vec<String>,
}

impl Body {
    /// Whether the command line says anything.
    pub(super) fn is_given(&self) -> bool {
        self.file.is_some() || !self.fields.is_empty()
    }

    /// Refuses a command line that says nothing.
    pub(super) fn insist(&self) -> anyhow::Result<()> {
        if !self.is_given() {
            return Err(misuse("nothing is to be changed; say what with --set FIELD=VALUE or --file FILE"));
        }
        Ok(())
    }

    /// The body as JSON, begun with `beginning` if there is no file.
    pub(super) fn value(&self, beginning: Value) -> anyhow::Result<Value> {
        let mut value = match &self.file {
            None => beginning,
            Some(path) => {
                let text = read(path)?;
                serde_json::from_str(&text)
                    .map_err(|error| misuse(format!("{} is not JSON: {error}", path.display())))?
            }
        };
        for field in &self.fields {
            set(&mut value, field)?;
        }
        Ok(value)
    }

    /// The body as what the endpoint takes. A field that means nothing is a mistake.
    pub(super) fn read<B: Payload>(&self) -> anyhow::Result<B> {
        typed(&self.value(Value::Object(JsonObject::new()))?)
    }
}

/// JSON as what an endpoint takes.
pub(super) fn typed<B: Payload>(value: &Value) -> anyhow::Result<B> {
    let parsed = B::from_request(value.to_string().as_bytes()).map_err(|invalid| wrong(&invalid))?;
    match parsed.ignored.as_slice() {
        [] => Ok(parsed.value),
        ignored => Err(misuse(format!(
            "the body has fields that mean nothing: {}; leave them out",
            ignored.join(", ")
        ))),
    }
}

/// All that is wrong with a request, a line each.
pub(super) fn wrong(invalid: &Invalid) -> anyhow::Error {
    let problems: Vec<String> = invalid.problems().iter().map(|problem| format!("\n  {problem}")).collect();
    misuse(format!("the request makes no sense:{}", problems.concat()))
}

fn read(path: &PathBuf) -> anyhow::Result<String> {
    if path.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("cannot read the standard input")?;
        return Ok(text);
    }
    std::fs::read_to_string(path).map_err(|error| misuse(format!("cannot read {}: {error}", path.display())))
}

/// Sets one field, and makes the objects and lists that it lies in.
fn set(value: &mut Value, field: &str) -> anyhow::Result<()> {
    let (path, text) = field
        .split_once('=')
        .filter(|(path, _)| !path.is_empty())
        .ok_or_else(|| misuse(format!("--set {field:?} must be FIELD=VALUE, such as name=Anna")))?;
    let new = match text.strip_prefix('@') {
        Some(file) => Value::String(read(&PathBuf::from(file))?),
        None => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())),
    };
    let mut place = value;
    for step in path.split('.') {
        place = descend(place, step).ok_or_else(|| {
            misuse(format!(
                "--set {path:?} leads nowhere at {step:?}; write a.b for a field and a[0] for an item"
            ))
        })?;
    }
    *place = new;
    Ok(())
}

/// The field of an object that `step` names, or within it the item: `tools[0]`.
fn descend<'v>(value: &'v mut Value, step: &str) -> Option<&'v mut Value> {
    let (key, items) = step.split_once('[').map_or((step, None), |(key, items)| (key, Some(items)));
    if value.is_null() {
        *value = Value::Object(JsonObject::new());
    }
    if key.is_empty() {
        return None;
    }
    let mut place = value.as_object_mut()?.entry(key).or_insert(Value::Null);
    let Some(items) = items else { return Some(place) };
    for item in items.strip_suffix(']')?.split("][") {
        let at: usize = item.parse().ok().filter(|at| *at < LONGEST_LIST)?;
        if place.is_null() {
            *place = Value::Array(Vec::new());
        }
        let list = place.as_array_mut()?;
        if list.len() <= at {
            list.resize(at + 1, Value::Null);
        }
        place = &mut list[at];
    }
    Some(place)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn after(value: Value, fields: &[&str]) -> Result<Value, String> {
        let fields = fields.iter().map(|field| (*field).to_owned()).collect();
        Body { file: None, fields }.value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn fields_are_set_over_what_is_there() {
        assert_eq!(
            after(
                json!({"name": "A", "callTemplate": {"voice": "kal", "temperature": 1}}),
                &[
                    "name=Anna Maria",
                    "callTemplate.temperature=0.5",
                    "callTemplate.selectedTools[1].toolName=hangUp",
                    "callTemplate.medium={\"webRtc\": {}}",
                    "phone=\"0041\"",
                    "equation=a=b",
                    "gone=null",
                ]
            ),
            Ok(json!({
                "name": "Anna Maria",
                "callTemplate": {
                    "voice": "kal", "temperature": 0.5, "selectedTools": [null, {"toolName": "hangUp"}],
                    "medium": {"webRtc": {}},
                },
                "phone": "0041", "equation": "a=b", "gone": null,
            }))
        );
    }

    #[test]
    fn a_path_that_leads_nowhere_is_refused() {
        for (field, why) in [
            ("name", "must be FIELD=VALUE"),
            ("=x", "must be FIELD=VALUE"),
            ("name.first=x", "leads nowhere at \"first\""),
            ("list[x]=1", "leads nowhere"),
            ("list[0=1", "leads nowhere"),
            ("list[99999999]=1", "leads nowhere"),
            ("a..b=1", "leads nowhere at \"\""),
            ("prompt=@no/such/file", "cannot read no/such/file"),
        ] {
            let error = after(json!({"name": "A"}), &[field]).unwrap_err();
            assert!(error.contains(why), "{field}: {error}");
        }
    }
}
