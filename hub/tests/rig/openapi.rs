//! The operations of the OpenAPI document, and for each the least that its description lets one say:
//! whatever is tested of all of them is tested of those to come.

use std::collections::BTreeMap;

use hub::people::Permission;
use serde_json::{Map, Value, json};

use super::api::{Answer, Client};

/// One operation.
pub struct Operation {
    pub method: String,
    /// Below `/api/v1`, with names in braces.
    pub path: String,
    pub permission: String,
    /// The names of what its query may say.
    pub query: Vec<String>,
    /// A body that fits its description; none where it takes none.
    pub body: Option<Value>,
    /// Whether its body is a file.
    pub takes_file: bool,
}

/// All there are.
pub fn operations() -> Vec<Operation> {
    let document: Value = serde_json::from_str(hub::http::api::document()).unwrap();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let body = operation.pointer("/requestBody/content/application~1json/schema");
            let file = operation.pointer("/requestBody/content/application~1octet-stream");
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let of_query = parameters.filter(|it| it["in"] == "query");
            let query = of_query.map(|it| it["name"].as_str().unwrap().to_owned()).collect();
            operations.push(Operation {
                method: method.to_uppercase(),
                path: path.strip_prefix("/api/v1").unwrap().to_owned(),
                permission: operation["x-permission"].as_str().unwrap().to_owned(),
                query,
                body: body.map(|schema| sample(&document, schema)),
                takes_file: file.is_some(),
            });
        }
    }
    operations
}

impl Operation {
    /// Its path with these names in the places of the braces; `other` in those of all else.
    pub fn path_of(&self, names: &BTreeMap<&str, String>, other: &str) -> String {
        let mut path = String::new();
        let mut rest = self.path.as_str();
        while let Some((before, behind)) = rest.split_once('{') {
            let (name, after) = behind.split_once('}').unwrap();
            path += before;
            path += names.get(name).map_or(other, String::as_str);
            rest = after;
        }
        path + rest
    }

    /// Asks it of a tenant by this name, with an empty body: what is allowed changes nothing.
    pub fn ask(&self, client: &Client, tenant: &str) -> Answer {
        self.send(client, tenant, self.body.as_ref().map(|_| json!({})))
    }

    /// The same with a body that fits, so that whose it is alone can be what is wrong with it.
    pub fn ask_in_full(&self, client: &Client, tenant: &str) -> Answer {
        self.send(client, tenant, self.body.clone())
    }

    /// Everything but the tenant is called what nothing is called.
    fn send(&self, client: &Client, tenant: &str, body: Option<Value>) -> Answer {
        let path = self.path_of(&[("tenant", tenant.to_owned())].into(), "0123456789abcdef");
        client.send(&self.method, &path, &[("If-Match", "*")], body.as_ref())
    }

    pub fn names_a_tenant(&self) -> bool {
        self.path.contains("{tenant}")
    }

    pub fn permission(&self) -> Option<Permission> {
        self.permission.parse().ok()
    }
}

impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// The least that fits a schema: what has to be there, as its example says it.
fn sample(document: &Value, schema: &Value) -> Value {
    if let Some(to) = schema.get("$ref").and_then(Value::as_str) {
        return sample(document, document.pointer(to.trim_start_matches('#')).unwrap());
    }
    if let Some(example) = schema.get("example") {
        return example.clone();
    }
    for choice in ["oneOf", "anyOf"] {
        if let Some(first) =
            schema.get(choice).and_then(Value::as_array).and_then(|all| all.first())
        {
            return sample(document, first);
        }
    }
    if let Some(parts) = schema.get("allOf").and_then(Value::as_array) {
        let mut whole = Map::new();
        for part in parts {
            whole.extend(sample(document, part).as_object().cloned().unwrap_or_default());
        }
        return whole.into();
    }
    if let Some(first) = schema.get("enum").and_then(Value::as_array).and_then(|all| all.first()) {
        return first.clone();
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds[0].as_str().unwrap_or_default(),
        kind => kind.as_str().unwrap_or_default(),
    };
    match kind {
        "object" => {
            let required = schema["required"].as_array().cloned().unwrap_or_default();
            let mut object = Map::new();
            for name in required.iter().filter_map(Value::as_str) {
                object.insert(name.to_owned(), sample(document, &schema["properties"][name]));
            }
            object.into()
        }
        "array" => match schema["minItems"].as_u64() {
            Some(1..) => json!([sample(document, &schema["items"])]),
            _ => json!([]),
        },
        "integer" | "number" => schema.get("minimum").cloned().unwrap_or(json!(1)),
        "boolean" => json!(false),
        _ => json!("a text"),
    }
}
