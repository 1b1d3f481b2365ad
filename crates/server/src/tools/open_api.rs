//! An OpenAPI document to tools: one for each operation (protocol.md 6.1).
//!
//! Reads OpenAPI 3 in JSON or YAML. What has no place in a tool (cookies, bodies that are no JSON object, files) is refused with the
//! operation's name if it is required, and left out otherwise. Bounded in operations and, by `schema`, in what references unfold to.

use antiphon_api::endpoint::Method;
use antiphon_api::json::{JsonObject, Source, from_value};
use antiphon_api::rest::tools::ToolRequest;
use serde_json::{Map, Value, json};

use super::schema;

/// Operations in one document.
const OPERATIONS: usize = 200;
/// Characters of a tool's name.
const NAME: usize = 40;
const METHODS: [(&str, Method); 7] = [
    ("get", Method::Get),
    ("put", Method::Put),
    ("post", Method::Post),
    ("delete", Method::Delete),
    ("options", Method::Options),
    ("head", Method::Head),
    ("patch", Method::Patch),
];

/// The tools of a document, or why there are none.
pub(crate) fn tools(document: &[u8]) -> Result<Vec<ToolRequest>, String> {
    let document = parse(document)?;
    let version = document.get("openapi").and_then(Value::as_str).unwrap_or_default();
    if !version.starts_with("3.") {
        return Err("is no OpenAPI document of version 3; it needs \"openapi\": \"3...\"".to_owned());
    }
    let paths = document.get("paths").and_then(Value::as_object).cloned().unwrap_or_default();
    let mut tools = Vec::new();
    for (path, item) in &paths {
        let item = followed(item, &document)?;
        for (word, method) in METHODS {
            let Some(operation) = item.get(word) else { continue };
            if tools.len() == OPERATIONS {
                return Err(format!("has more than {OPERATIONS} operations; split it"));
            }
            let place = format!("{} {path}", word.to_uppercase());
            let tool = Operation { document: &document, path, item: &item, operation, method }.tool();
            tools.push(tool.map_err(|why| format!("{place}: {why}"))?);
        }
    }
    if tools.is_empty() {
        return Err("has no operations".to_owned());
    }
    Ok(tools)
}

fn parse(document: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(document).map_err(|_| "is no UTF-8 text".to_owned())?;
    match serde_json::from_str(text) {
        Ok(document) => Ok(document),
        // JSON is told as such: its errors are better there.
        Err(error) if text.trim_start().starts_with('{') => Err(format!("is no JSON: {error}")),
        Err(_) => serde_saphyr::from_str(text)
            .map_err(|error| format!("is neither JSON nor YAML: {}", error.without_snippet())),
    }
}

/// What a reference into the document leads to, or the value itself. References to references are followed, a few times.
fn followed(value: &Value, document: &Value) -> Result<Value, String> {
    let mut value = value;
    for _ in 0..8 {
        let Some(Value::String(reference)) = value.get("$ref") else { return Ok(value.clone()) };
        let target = reference.strip_prefix('#').and_then(|pointer| document.pointer(pointer));
        value = target.ok_or_else(|| format!("refers to {reference:?}, which is not in the document"))?;
    }
    Err("refers to itself".to_owned())
}

struct Operation<'d> {
    document: &'d Value,
    path: &'d str,
    item: &'d Value,
    operation: &'d Value,
    method: Method,
}

impl Operation<'_> {
    fn tool(&self) -> Result<ToolRequest, String> {
        let mut parameters = self.parameters()?;
        parameters.extend(self.body()?);
        let name = self.name();
        let texts = [self.operation.get("description"), self.operation.get("summary")];
        let description = texts.into_iter().flatten().find_map(Value::as_str);
        let mut definition = json!({
            "modelToolName": name,
            "dynamicParameters": parameters,
            "http": {"baseUrlPattern": format!("{}{}", self.server()?, self.path), "httpMethod": self.method.as_str()},
        });
        if let Some(description) = description {
            definition["description"] = json!(description);
        }
        let options = self.security()?;
        if !options.is_empty() {
            definition["requirements"] = json!({"httpSecurityOptions": {"options": options}});
        }
        let request = json!({"name": name, "definition": definition});
        from_value::<ToolRequest>(&request, Source::RequestBody)
            .map(|parsed| parsed.value)
            .map_err(|error| error.to_string())
    }

    /// The operation's id, or its method and path, in the letters that a model may use.
    fn name(&self) -> String {
        let id = self.operation.get("operationId").and_then(Value::as_str).filter(|id| !id.is_empty());
        let raw =
            id.map_or_else(|| format!("{}{}", self.method.as_str().to_lowercase(), self.path), str::to_owned);
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let name: String = raw.chars().map(|c| if fits(c) { c } else { '_' }).take(NAME).collect();
        name.trim_matches('_').to_owned()
    }

    fn server(&self) -> Result<String, String> {
        let of = |value: &Value| value.get("servers").and_then(|servers| servers.get(0)).cloned();
        let server = of(self.operation).or_else(|| of(self.item)).or_else(|| of(self.document));
        let server = server.ok_or("the document names no server; add one under \"servers\"")?;
        let mut url = server.get("url").and_then(Value::as_str).unwrap_or_default().to_owned();
        for (name, variable) in server.get("variables").and_then(Value::as_object).into_iter().flatten() {
            let default = variable.get("default").and_then(Value::as_str).unwrap_or_default();
            url = url.replace(&format!("{{{name}}}"), default);
        }
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(format!("the server's URL {url:?} is not absolute; write it with https://"));
        }
        Ok(url.trim_end_matches('/').to_owned())
    }

    /// Parameters of the path item and of the operation, whose own come first.
    fn parameters(&self) -> Result<Vec<Value>, String> {
        let listed = |value: &Value| value.get("parameters").and_then(Value::as_array).cloned();
        let own = listed(self.operation).unwrap_or_default();
        let shared = listed(self.item).unwrap_or_default();
        let mut seen: Vec<(String, String)> = Vec::new();
        let mut parameters = Vec::new();
        for parameter in own.iter().chain(&shared) {
            let parameter = followed(parameter, self.document)?;
            let text = |key: &str| parameter.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            let (name, place) = (text("name"), text("in"));
            if seen.contains(&(name.clone(), place.clone())) {
                continue;
            }
            let required = parameter.get("required") == Some(&Value::Bool(true));
            let location = match place.as_str() {
                "path" => "PARAMETER_LOCATION_PATH",
                "query" => "PARAMETER_LOCATION_QUERY",
                // These are the request's own, and OpenAPI ignores them as parameters.
                "header" if ["accept", "content-type", "authorization"].contains(&&*name.to_lowercase()) => {
                    continue;
                }
                "header" => "PARAMETER_LOCATION_HEADER",
                _ if required => {
                    return Err(format!("the parameter {name:?} is in a {place:?}, which a tool has not"));
                }
                _ => continue,
            };
            let in_content = || parameter.pointer("/content/application~1json/schema");
            let schema = parameter.get("schema").or_else(in_content).cloned().unwrap_or_else(|| json!({}));
            let schema = self
                .schema(&schema, parameter.get("description"))
                .map_err(|why| format!("the schema of {name:?} {why}"))?;
            parameters
                .push(json!({"name": name, "location": location, "schema": schema, "required": required}));
            seen.push((name, place));
        }
        Ok(parameters)
    }

    /// The members of a JSON object as body.
    fn body(&self) -> Result<Vec<Value>, String> {
        let Some(body) = self.operation.get("requestBody") else { return Ok(Vec::new()) };
        let body = followed(body, self.document)?;
        let kinds = body.get("content").and_then(Value::as_object).cloned().unwrap_or_default();
        let is_json = |kind: &str| kind.starts_with("application/json") || kind.contains("+json");
        let schema = kinds.iter().find(|(kind, _)| is_json(kind)).and_then(|(_, media)| media.get("schema"));
        let required = body.get("required") == Some(&Value::Bool(true));
        let schema = schema.map(|schema| self.schema(schema, None)).transpose();
        let schema = schema.map_err(|why| format!("the body's schema {why}"))?;
        let object = schema.and_then(|schema| {
            let mut members = Members::default();
            members.collect(&schema);
            (!members.properties.is_empty()).then_some(members)
        });
        let Some(members) = object else {
            if required {
                return Err("the body is no JSON object with known members, which a tool needs".to_owned());
            }
            return Ok(Vec::new());
        };
        let parameter = |(name, schema): (String, Value)| {
            let required = required && members.required.contains(&name);
            json!({"name": name, "location": "PARAMETER_LOCATION_BODY", "schema": schema, "required": required})
        };
        Ok(members.properties.into_iter().map(parameter).collect())
    }

    /// A schema that stands for itself, with a description if it has none.
    fn schema(&self, schema: &Value, description: Option<&Value>) -> Result<JsonObject, String> {
        let schema = schema::inlined(schema, self.document)?;
        let Value::Object(mut schema) = schema else { return Ok(Map::new()) };
        if let Some(description @ Value::String(_)) = description {
            schema.entry("description").or_insert_with(|| description.clone());
        }
        Ok(schema)
    }

    fn security(&self) -> Result<Vec<Value>, String> {
        let wanted = self.operation.get("security").or_else(|| self.document.get("security"));
        let mut options = Vec::new();
        for way in wanted.and_then(Value::as_array).into_iter().flatten() {
            let mut requirements = Map::new();
            for name in way.as_object().into_iter().flatten().map(|(name, _)| name) {
                let scheme =
                    self.document.pointer("/components/securitySchemes").and_then(|all| all.get(name));
                let scheme = followed(
                    scheme.ok_or_else(|| format!("there is no security scheme {name:?}"))?,
                    self.document,
                )?;
                let text = |key: &str| scheme.get(key).and_then(Value::as_str).unwrap_or_default();
                let requirement = match (text("type"), text("in")) {
                    ("apiKey", "query") => json!({"queryApiKey": {"name": text("name")}}),
                    ("apiKey", "header") => json!({"headerApiKey": {"name": text("name")}}),
                    ("http", _) => {
                        let word = text("scheme");
                        let mut letters = word.chars();
                        let first = letters.next().map(|c| c.to_ascii_uppercase());
                        let word: String = first.into_iter().chain(letters).collect();
                        json!({"httpAuth": {"scheme": word}})
                    }
                    ("oauth2" | "openIdConnect", _) => json!({"httpAuth": {"scheme": "Bearer"}}),
                    (kind, _) => return Err(format!("security of the type {kind:?} is not supported")),
                };
                requirements.insert(name.clone(), requirement);
            }
            options.push(json!({"requirements": requirements}));
        }
        Ok(options)
    }
}

/// The members of an object, over all that it is made of.
#[derive(Default)]
struct Members {
    properties: Map<String, Value>,
    required: Vec<String>,
}

impl Members {
    fn collect(&mut self, schema: &JsonObject) {
        for (name, schema) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            // What only comes back is nothing to send.
            if schema.get("readOnly") != Some(&Value::Bool(true)) {
                self.properties.insert(name.clone(), schema.clone());
            }
        }
        let required = schema.get("required").and_then(Value::as_array);
        self.required.extend(required.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned));
        for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            if let Value::Object(part) = part {
                self.collect(part);
            }
        }
    }
}
