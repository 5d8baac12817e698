//! Options, in the words of the official client.

use std::error::Error;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use serde_json::Value as Json;
use socket_io_client::{
    ClientConfig, ClientTls, Cookies, Jitter, Manager, ManagerBuilder, Parser, Proxy, Reconnect,
    SocketBuilder, Transport,
};

/// How long an acknowledgement may take where events are repeated and nothing is said about it.
const ACK_TIMEOUT: Duration = Duration::from_secs(10);

/// Where a manager is made, the official client takes 0 for "not given"; later it is 0.
const ZERO_IS_DEFAULT: [&str; 3] = [
    "reconnectionAttempts",
    "reconnectionDelay",
    "reconnectionDelayMax",
];

fn millis(json: &Json) -> Option<Duration> {
    let seconds = json.as_f64()?.max(0.0) / 1000.0;
    Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

fn pairs(json: &Json) -> impl Iterator<Item = (&String, String)> {
    let object = json.as_object().into_iter().flatten();
    object.map(|(key, value)| {
        let text = value.as_str().map(str::to_owned);
        (key, text.unwrap_or_else(|| value.to_string()))
    })
}

/// The options of the connection.
pub(crate) fn manager(url: &str, opts: &Json) -> Result<ManagerBuilder, Box<dyn Error>> {
    let mut waits = opts.clone();
    for name in ZERO_IS_DEFAULT {
        if waits[name] == 0 {
            waits[name] = Json::Null;
        }
    }
    let mut builder = Manager::builder(url).reconnect(reconnect(Reconnect::default(), &waits));
    if let Some(timeout) = millis(&opts["timeout"]) {
        builder = builder.connect_timeout(timeout);
    } else if opts["timeout"] == false {
        builder = builder.connect_timeout(None);
    }
    if opts["parser"] == "msgpack" {
        builder = builder.parser(Parser::message_pack());
    }
    let mut engine = Ok(());
    let builder = builder.engine(|config| match change_engine(config.clone(), opts) {
        Ok(changed) => changed,
        Err(error) => {
            engine = Err(error);
            config
        }
    });
    engine.map(|()| builder)
}

fn change_engine(mut engine: ClientConfig, opts: &Json) -> Result<ClientConfig, Box<dyn Error>> {
    if let Some(names) = opts["transports"].as_array() {
        let names = names.iter().filter_map(Json::as_str);
        engine = engine.transports(names.filter_map(Transport::from_name));
    }
    if let Some(upgrade) = opts["upgrade"].as_bool() {
        engine = engine.upgrade(upgrade);
    }
    if let Some(all) = opts["tryAllTransports"].as_bool() {
        engine = engine.try_all_transports(all);
    }
    if let Some(remember) = opts["rememberUpgrade"].as_bool() {
        engine = engine.remember_upgrade(remember);
    }
    for (name, value) in pairs(&opts["query"]) {
        engine = engine.query(name, value);
    }
    for (name, value) in pairs(&opts["headers"]) {
        engine = engine.header(
            HeaderName::try_from(name.as_str())?,
            HeaderValue::try_from(value)?,
        );
    }
    if let Some(path) = opts["path"].as_str() {
        engine = engine.path(path);
    }
    if opts["withCredentials"] == true {
        engine = engine.cookies(Cookies::PerConnection);
    }
    if let Some(proxy) = opts["proxy"].as_str() {
        engine = engine.proxy(Proxy::new(proxy)?);
    }
    let accepts_all = opts["rejectUnauthorized"] == false;
    if accepts_all || opts["ca"].is_string() {
        let mut tls = ClientTls::builder();
        if accepts_all {
            tls = tls.danger_accept_invalid_certificates();
        }
        if let Some(file) = opts["ca"].as_str() {
            tls = tls.root_certificates(std::fs::read(file)?);
        }
        engine = engine.tls(tls.build()?);
    }
    Ok(engine)
}

/// How lost connections are made again.
pub(crate) fn reconnect(mut reconnect: Reconnect, opts: &Json) -> Reconnect {
    if let Some(enabled) = opts["reconnection"].as_bool() {
        reconnect = reconnect.enabled(enabled);
    }
    if let Some(attempts) = opts["reconnectionAttempts"].as_u64() {
        reconnect = reconnect.attempts(u32::try_from(attempts).ok());
    }
    if let Some(delay) = millis(&opts["reconnectionDelay"]) {
        reconnect = reconnect.delay(delay);
    }
    if let Some(delay) = millis(&opts["reconnectionDelayMax"]) {
        reconnect = reconnect.delay_max(delay);
    }
    if let Some(factor) = opts["randomizationFactor"].as_f64() {
        reconnect = reconnect.jitter(Jitter::Factor(factor));
    }
    reconnect
}

/// The options of a socket.
pub(crate) fn socket(mut builder: SocketBuilder, opts: &Json) -> SocketBuilder {
    if !opts["auth"].is_null() {
        builder = builder.auth(&opts["auth"]);
    }
    let ack_timeout = millis(&opts["ackTimeout"]);
    if let Some(retries) = opts["retries"].as_u64() {
        let retries = u32::try_from(retries).unwrap_or(u32::MAX);
        builder = builder.retries(retries, ack_timeout.unwrap_or(ACK_TIMEOUT));
    } else if let Some(timeout) = ack_timeout {
        builder = builder.ack_timeout(timeout);
    }
    builder
}

/// The time that a command gives an acknowledgement.
pub(crate) fn timeout(command: &Json) -> Option<Duration> {
    millis(&command["timeout"])
}
