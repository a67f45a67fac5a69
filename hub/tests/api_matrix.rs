//! Every role, at every operation of the OpenAPI document, towards its own and others' tenants,
//! against the running hub: what the table of permissions and the document say is what happens.

use hub::people::{Permission, PermissionSet};
use serde_json::{Value, json};
use storage::Role;

use crate::rig::api::{Answer, Api, Client};
use crate::rig::site::Plan;

struct Operation {
    method: String,
    path: String,
    permission: String,
    /// What the document says a body may be.
    body: Option<Value>,
}

fn operations() -> Vec<Operation> {
    let document: Value = serde_json::from_str(hub::http::api::document()).unwrap();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            operations.push(Operation {
                method: method.to_uppercase(),
                path: path.strip_prefix("/api/v1").unwrap().to_owned(),
                permission: operation["x-permission"].as_str().unwrap().to_owned(),
                body: operation
                    .pointer("/requestBody/content/application~1json/schema")
                    .map(|schema| filled(schema, &document)),
            });
        }
    }
    operations
}

/// The least that fits a schema of the document.
fn filled(schema: &Value, document: &Value) -> Value {
    if let Some(place) = schema["$ref"].as_str() {
        return filled(document.pointer(place.trim_start_matches('#')).unwrap(), document);
    }
    if let Some(example) = schema.get("example") {
        return example.clone();
    }
    if let Some(first) = schema["enum"].get(0) {
        return first.clone();
    }
    let choices = ["allOf", "oneOf", "anyOf"];
    if let Some(first) = choices.iter().find_map(|kind| schema[kind].get(0)) {
        return filled(first, document);
    }
    match schema["type"].as_str().or_else(|| schema["type"][0].as_str()) {
        Some("string") => json!("a"),
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        Some("boolean") => json!(true),
        Some("array") => json!([]),
        _ => {
            let required = schema["required"].as_array().into_iter().flatten();
            let named = required.map(|name| name.as_str().unwrap());
            let fields =
                named.map(|name| (name.to_owned(), filled(&schema["properties"][name], document)));
            Value::Object(fields.collect())
        }
    }
}

impl Operation {
    /// Of a tenant by this name, with an empty body: what is allowed changes nothing.
    fn ask(&self, client: &Client, tenant: &str) -> Answer {
        self.send(client, tenant, self.body.as_ref().map(|_| json!({})))
    }

    /// The same with a body that fits, so that whose it is alone can be what is wrong with it.
    fn ask_in_full(&self, client: &Client, tenant: &str) -> Answer {
        self.send(client, tenant, self.body.clone())
    }

    /// Everything but the tenant is called what nothing is called.
    fn send(&self, client: &Client, tenant: &str, body: Option<Value>) -> Answer {
        let mut path = String::new();
        let mut rest = self.path.as_str();
        while let Some((before, behind)) = rest.split_once('{') {
            let (name, after) = behind.split_once('}').unwrap();
            let value = if name == "tenant" { tenant } else { "0123456789abcdef" };
            path += before;
            path += value;
            rest = after;
        }
        path += rest;
        client.send(&self.method, &path, &[("If-Match", "*")], body.as_ref())
    }

    fn names_a_tenant(&self) -> bool {
        self.path.contains("{tenant}")
    }

    fn permission(&self) -> Option<Permission> {
        self.permission.parse().ok()
    }
}

impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

fn code(answer: &Answer) -> String {
    let problem: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    problem["code"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn each_role_may_what_the_table_says_in_its_tenant_and_nothing_else() {
    let api = Api::of(Plan::boards(2).tenants(2).set("https", "requests_per_caller_s", 0).set(
        "https",
        "requests_per_source_s",
        0,
    ));
    let operations = operations();
    let anybody = api.anybody().with("x-hub-csrf", "1");
    for operation in operations.iter().filter(|it| it.permission != "public") {
        let answer = operation.ask(&anybody, "tenant-0");
        assert_eq!(answer.status, 401, "{operation} answers anybody: {}", answer.text());
    }
    let mut judged = 0;
    for role in Role::ALL {
        let scopes: &[Option<&str>] = match role {
            Role::PlatformAdmin => &[None],
            Role::TenantAdmin => &[Some("tenant-1")],
            _ => &[None, Some("tenant-1")],
        };
        for scope in scopes {
            let name = format!("{role}-{}", scope.unwrap_or("everywhere"));
            let grant = scope.map_or(role.to_string(), |tenant| format!("{role}@{tenant}"));
            let client = api.program_of(&name, &[&grant]);
            for operation in &operations {
                judge(operation, &client, role, *scope);
                judged += 1;
            }
        }
    }
    assert!(judged > 12 * 10, "{judged}");
    let mut api = api;
    api.hub.assert_alive();
}

fn judge(operation: &Operation, client: &Client, role: Role, scope: Option<&str>) {
    let what = |answer: &Answer| {
        let at = scope.unwrap_or("everywhere");
        format!("{role} of {at}: {operation}: {} {}", answer.status, answer.text())
    };
    let Some(permission) = operation.permission() else {
        if operation.permission == "signed-in" {
            let answer = operation.ask(client, "tenant-9");
            assert_ne!(answer.status, 401, "{}", what(&answer));
            assert!(answer.status < 500, "{}", what(&answer));
        }
        return;
    };
    // Who may is asked about what is not there, so that nothing changes; who may not, about what is.
    match (PermissionSet::of(role).has(permission), scope) {
        (false, _) => {
            let answer = operation.ask(client, "tenant-1");
            assert_eq!(
                (answer.status, code(&answer).as_str()),
                (403, "forbidden"),
                "{}",
                what(&answer)
            );
        }
        (true, None) => {
            let answer = operation.ask(client, "tenant-9");
            assert!(![401, 403].contains(&answer.status), "{}", what(&answer));
            assert!(answer.status < 500, "{}", what(&answer));
        }
        (true, Some(_)) => {
            if operation.names_a_tenant() {
                let others = operation.ask_in_full(client, "tenant-0");
                let nobodys = operation.ask_in_full(client, "tenant-9");
                assert_eq!(others.status, 404, "{}", what(&others));
                assert_eq!(others.text().replace("tenant-0", "tenant-9"), nobodys.text());
            }
            let answer = operation.ask(client, "tenant-9");
            assert!(answer.status != 401 && answer.status < 500, "{}", what(&answer));
        }
    }
}
