//! Arguments as JSON: binary data is `{"$bin":"<base64>"}`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json, json};
use socket_io_client::Value;

/// What a command says, as an argument.
pub(crate) fn to_value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => Value::Number(number.clone().into()),
        Json::String(text) => Value::String(text.clone()),
        Json::Array(items) => Value::Array(items.iter().map(to_value).collect()),
        Json::Object(object) => {
            let binary = object.get("$bin").and_then(Json::as_str);
            let bytes = binary.and_then(|text| STANDARD.decode(text).ok());
            match bytes.filter(|_| object.len() == 1) {
                Some(bytes) => Value::Binary(bytes.into()),
                None => {
                    let items = object
                        .iter()
                        .map(|(key, value)| (key.clone(), to_value(value)));
                    Value::Object(items.collect())
                }
            }
        }
    }
}

/// An argument, to be told.
pub(crate) fn from_value(value: &Value) -> Json {
    match value {
        Value::Binary(bytes) => json!({"$bin": STANDARD.encode(bytes)}),
        Value::Array(items) => items.iter().map(from_value).collect(),
        Value::Object(object) => {
            let items = object.iter();
            let items = items.map(|(key, value)| (key.to_owned(), from_value(value)));
            Json::Object(items.collect::<Map<_, _>>())
        }
        other => serde_json::to_value(other).unwrap_or_default(),
    }
}

pub(crate) fn from_values(values: &[Value]) -> Json {
    values.iter().map(from_value).collect()
}
