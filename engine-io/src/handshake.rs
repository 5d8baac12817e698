//! The data of the open packet.
//!
//! `0{"sid":"WLg4cEUyytlCwBTHAAAA","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::packet::Packet;
use crate::transport::Transport;

/// What the server tells the client when a session opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Handshake {
    /// The session's id.
    pub sid: String,
    /// Transports that the client may move to; ones that this crate does not know are left out.
    #[serde(deserialize_with = "known_transports")]
    pub upgrades: Vec<Transport>,
    /// Time between two pings of the server.
    #[serde(with = "milliseconds")]
    pub ping_interval: Duration,
    /// Time within which the peer must be heard after a ping.
    #[serde(with = "milliseconds")]
    pub ping_timeout: Duration,
    /// The largest request body and WebSocket message that the server takes, in bytes; 0 when it did not say.
    #[serde(default)]
    pub max_payload: u64,
}

impl Handshake {
    /// The open packet that carries this data.
    pub fn to_packet(&self) -> Packet {
        let json = serde_json::to_string(self).expect("plain fields always serialize");
        Packet::Open(json.into())
    }

    /// Reads the data of an open packet.
    ///
    /// # Errors
    ///
    /// When the text is not the JSON of a handshake.
    pub fn parse(json: &str) -> Result<Self, HandshakeError> {
        serde_json::from_str(json).map_err(|error| HandshakeError(error.to_string()))
    }
}

/// The data of an open packet is not what the protocol says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandshakeError(String);

impl std::fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "invalid handshake: {}", self.0)
    }
}

impl std::error::Error for HandshakeError {}

fn known_transports<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<Transport>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    Ok(names
        .iter()
        .filter_map(|name| Transport::from_name(name))
        .collect())
}

mod milliseconds {
    use super::*;

    pub(super) fn serialize<S: Serializer>(
        duration: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handshake() -> Handshake {
        Handshake {
            sid: "lv_VI97HAXpY6yYWAAAC".into(),
            upgrades: vec![Transport::WebSocket],
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            max_payload: 1_000_000,
        }
    }

    #[test]
    fn the_open_packet_has_the_reference_s_fields_in_its_order() {
        let frame = handshake().to_packet().to_frame();
        let expected = r#"0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
        assert_eq!(std::str::from_utf8(frame.packet()), Ok(expected));
        assert_eq!(Handshake::parse(&expected[1..]), Ok(handshake()));
    }

    #[test]
    fn unknown_upgrades_and_a_missing_payload_limit_are_tolerated() {
        let json = r#"{"sid":"x","upgrades":["webtransport","websocket"],"pingInterval":1,"pingTimeout":2,"more":3}"#;
        let handshake = Handshake::parse(json).unwrap();
        assert_eq!(handshake.upgrades, [Transport::WebSocket]);
        assert_eq!(handshake.max_payload, 0);
    }

    #[test]
    fn what_is_no_handshake_is_refused() {
        for json in ["", "[]", "{}", r#"{"sid":1}"#] {
            assert!(Handshake::parse(json).is_err(), "{json}");
        }
    }
}
