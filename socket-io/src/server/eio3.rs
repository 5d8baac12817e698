//! What is different for clients of Socket.IO 1 and 2, which speak revision 3 of Engine.IO.
//!
//! | step | on the wire |
//! |---|---|
//! | the connection is open: it joins `/` by itself | server: `40` |
//! | the client joins a namespace; the query is what it has to say for itself | client: `40/adm?token=x,` server: `40/adm,` |
//! | a middleware refuses it, with data or without | server: `44/adm,{"code":401}`, `44/adm,"not authorized"` |
//! | the namespace does not exist | server: `44/nope,{"message":"Invalid namespace"}` |
//!
//! Clients make their socket ids themselves out of the session id: `<sid>` in `/`, `/adm#<sid>` in `/adm`.
//!
//! Source: Socket.IO protocol, revision 4, and the reference's `client.ts` and `namespace.ts`.

use engine_io::{Sid, Text};

use crate::adapter::SocketId;
use crate::protocol::{Object, RawJson, Value};
use crate::refusal::Refusal;

/// The name of a namespace without its query.
pub(crate) fn namespace(name: &str) -> &str {
    name.split_once('?').map_or(name, |(name, _)| name)
}

/// What the query of a namespace says, as an object of strings; of equal names the last one counts.
pub(crate) fn auth(name: &str) -> Option<RawJson> {
    let (_, query) = name.split_once('?')?;
    let pairs = form_urlencoded::parse(query.as_bytes()).into_owned();
    RawJson::from_data(&Value::Object(pairs.collect::<Object>())).ok()
}

/// The id that the client expects to have.
pub(crate) fn socket_id(namespace: &Text, sid: &Sid) -> SocketId {
    match namespace.as_str() {
        "/" => SocketId::new(sid),
        other => SocketId::new(&format!("{other}#{sid}")),
    }
}

/// The payload of a middleware's refusal: the data, or the message where JavaScript would take the data for none.
pub(crate) fn payload(refusal: &Refusal) -> Value {
    let data = refusal.data().and_then(|data| {
        let data = RawJson::new(data.into()).ok()?;
        data.parse::<Value>().ok()
    });
    match data {
        None | Some(Value::Null | Value::Bool(false)) => refusal.message().into(),
        Some(Value::String(text)) if text.is_empty() => refusal.message().into(),
        Some(Value::Number(number)) if number.as_f64() == 0.0 => refusal.message().into(),
        Some(data) => data,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_of_a_namespace_is_its_auth_payload() {
        for (name, bare, json) in [
            ("/q", "/q", None),
            ("/q?", "/q", Some("{}")),
            ("/q?token=abc", "/q", Some(r#"{"token":"abc"}"#)),
            (
                "/q?b=%C3%A9+1&a&b=2&__proto__=x",
                "/q",
                Some(r#"{"b":"2","a":"","__proto__":"x"}"#),
            ),
            ("/q?a=1?b", "/q", Some(r#"{"a":"1?b"}"#)),
            ("/", "/", None),
        ] {
            assert_eq!(namespace(name), bare);
            let auth = auth(name);
            assert_eq!(auth.as_ref().map(RawJson::as_str), json, "{name}");
        }
    }

    #[test]
    fn ids_are_made_of_the_session_s() {
        let sid = Sid::from("WLg4cEUyytlCwBTHAAAA");
        assert_eq!(&*socket_id(&"/".into(), &sid), "WLg4cEUyytlCwBTHAAAA");
        let id = socket_id(&"/chat".into(), &sid);
        assert_eq!(&*id, "/chat#WLg4cEUyytlCwBTHAAAA");
    }

    #[test]
    fn a_refusal_is_its_data_or_else_its_message() {
        for (data, expected) in [
            (r#"{"code":401}"#, r#"{"code":401}"#),
            ("[1]", "[1]"),
            ("5", "5"),
            ("true", "true"),
            (r#""data""#, r#""data""#),
            ("null", r#""no""#),
            ("false", r#""no""#),
            ("0", r#""no""#),
            ("-0.0", r#""no""#),
            (r#""""#, r#""no""#),
        ] {
            let data = RawJson::new(data.into()).unwrap();
            let refusal = Refusal::new("no").with_data(&data).unwrap();
            let json = serde_json::to_string(&payload(&refusal)).unwrap();
            assert_eq!(json, expected);
        }
        assert_eq!(payload(&Refusal::new("no")), Value::from("no"));
    }
}
