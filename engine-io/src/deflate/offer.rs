//! Offers and the answer to them, in the header `Sec-WebSocket-Extensions`.
//!
//! | offered | answered, behind `permessage-deflate; server_no_context_takeover; client_no_context_takeover` |
//! |---|---|
//! | `permessage-deflate`, with `client_max_window_bits`, `server_no_context_takeover` or `client_no_context_takeover` | nothing more |
//! | `permessage-deflate; server_max_window_bits=10` | `; server_max_window_bits=10` |
//! | `permessage-deflate; server_max_window_bits=10, permessage-deflate` | the same: the first of several offers that is valid |
//! | `permessage-deflate; server_max_window_bits=7`, or with anything else that is unknown, twice there or malformed | declined: the next offer is looked at |
//!
//! Source: RFC 7692, sections 5 and 7.1; for the syntax RFC 6455, section 9.1.

use super::{Agreed, DeflateConfig};

const NAME: &str = "permessage-deflate";
const ANSWER: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

impl DeflateConfig {
    /// What is agreed on and answered, given the values of the header; `None` without a valid offer.
    pub(crate) fn answer<'a>(
        self,
        headers: impl Iterator<Item = &'a str>,
    ) -> Option<(Agreed, String)> {
        let offer = headers
            .flat_map(|value| Parts::new(value, b','))
            .find_map(Offer::parse)?;
        let answer = match offer.server_window {
            Some(bits) => format!("{ANSWER}; server_max_window_bits={bits}"),
            None => ANSWER.into(),
        };
        let agreed = Agreed::new(self, offer.server_window.unwrap_or(15))?;
        Some((agreed, answer))
    }
}

impl DeflateConfig {
    /// What a client offers.
    pub(crate) fn offer(self) -> &'static str {
        ANSWER
    }

    /// What is agreed on by a server's answer to that; `None` without an answer.
    ///
    /// # Errors
    ///
    /// When the answer is none to that offer: the connection is of no use, since each side would read the other wrong.
    pub(crate) fn accept<'a>(
        self,
        mut headers: impl Iterator<Item = &'a str>,
    ) -> Result<Option<Agreed>, InvalidAnswer> {
        let Some(header) = headers.next() else {
            return Ok(None);
        };
        let mut parts = Parts::new(header, b',');
        let answer = parts.next().and_then(Offer::parse);
        match (answer, parts.next(), headers.next()) {
            // A window was not offered to be limited for us; the server's may be as small as it likes.
            (Some(answer), None, None) if answer.server_no_context && !answer.client_window => {
                Ok(Agreed::new(self, 15))
            }
            _ => Err(InvalidAnswer),
        }
    }
}

/// A server agreed on what was not offered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct InvalidAnswer;

/// An offer, or the answer to one, which has the same form.
struct Offer {
    server_window: Option<u8>,
    server_no_context: bool,
    /// `client_max_window_bits` is there.
    client_window: bool,
}

impl Offer {
    fn parse(offer: &str) -> Option<Self> {
        let mut parts = Parts::new(offer, b';').map(str::trim);
        if !parts.next()?.eq_ignore_ascii_case(NAME) {
            return None;
        }
        let mut seen = [false; 4];
        let mut server_window = None;
        for part in parts {
            let (name, value) = match part.split_once('=') {
                Some((name, value)) => (name.trim_end(), Some(unquoted(value.trim_start())?)),
                None => (part, None),
            };
            let parameter = match (name, value) {
                ("server_no_context_takeover", None) => 0,
                ("client_no_context_takeover", None) => 1,
                // A hint only: what a client may use, its decompressor takes.
                ("client_max_window_bits", None) => 2,
                ("client_max_window_bits", Some(value)) => {
                    window_bits(value)?;
                    2
                }
                ("server_max_window_bits", Some(value)) => {
                    server_window = Some(window_bits(value)?);
                    3
                }
                _ => return None,
            };
            if std::mem::replace(&mut seen[parameter], true) {
                return None;
            }
        }
        Some(Self {
            server_window,
            server_no_context: seen[0],
            client_window: seen[2],
        })
    }
}

/// A number from 8 to 15, without leading zeros.
fn window_bits(value: &str) -> Option<u8> {
    let digits = value.bytes().all(|byte| byte.is_ascii_digit()) && !value.starts_with('0');
    let bits = value.parse().ok().filter(|_| digits)?;
    (8..=15).contains(&bits).then_some(bits)
}

/// A value may stand in quotes; none that is valid has anything to escape.
fn unquoted(value: &str) -> Option<&str> {
    match value.strip_prefix('"') {
        Some(value) => value.strip_suffix('"'),
        None => Some(value),
    }
}

/// The parts of a list; in quotes, a separator is none.
struct Parts<'a> {
    rest: Option<&'a str>,
    separator: u8,
}

impl<'a> Parts<'a> {
    fn new(list: &'a str, separator: u8) -> Self {
        Self {
            rest: Some(list),
            separator,
        }
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let list = self.rest.take()?;
        let (mut quoted, mut escaped) = (false, false);
        let end = list.bytes().position(|byte| {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = quoted,
                b'"' => quoted = !quoted,
                byte => return byte == self.separator && !quoted,
            }
            false
        });
        // The separator is a character of one byte.
        let Some((part, rest)) = end.and_then(|end| list.split_at_checked(end)) else {
            return Some(list);
        };
        self.rest = rest.get(1..);
        Some(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(headers: &[&str]) -> Option<(u64, String)> {
        let (agreed, answer) = DeflateConfig::default().answer(headers.iter().copied())?;
        let extra = answer.strip_prefix(ANSWER).unwrap();
        Some((agreed.window(), extra.to_owned()))
    }

    #[test]
    fn the_first_valid_offer_is_answered() {
        for (headers, window, extra) in [
            // Browsers and `ws`.
            (
                &["permessage-deflate; client_max_window_bits"][..],
                32_768,
                "",
            ),
            (&["permessage-deflate"], 32_768, ""),
            (
                &["permessage-deflate; client_no_context_takeover; server_no_context_takeover"],
                32_768,
                "",
            ),
            (
                &["permessage-deflate; client_max_window_bits=8"],
                32_768,
                "",
            ),
            (
                &["permessage-deflate; server_max_window_bits=15"],
                32_768,
                "; server_max_window_bits=15",
            ),
            (
                &["permessage-deflate;server_max_window_bits=8"],
                256,
                "; server_max_window_bits=8",
            ),
            (
                &["permessage-deflate ; server_max_window_bits = \"10\""],
                1024,
                "; server_max_window_bits=10",
            ),
            (&["Permessage-Deflate"], 32_768, ""),
            // Several, in one header or in two.
            (
                &["permessage-deflate; server_max_window_bits=9, permessage-deflate"],
                512,
                "; server_max_window_bits=9",
            ),
            (
                &["permessage-deflate; server_max_window_bits=99, permessage-deflate"],
                32_768,
                "",
            ),
            (
                &[
                    "permessage-deflate; new, x-webkit-deflate-frame",
                    "permessage-deflate; server_max_window_bits=12",
                ],
                4096,
                "; server_max_window_bits=12",
            ),
            (
                &[
                    "x; y=\"a, permessage-deflate; new\", permessage-deflate; server_max_window_bits=11",
                ],
                2048,
                "; server_max_window_bits=11",
            ),
            (&["", "permessage-deflate"], 32_768, ""),
        ] {
            assert_eq!(
                answer(headers),
                Some((window, extra.to_owned())),
                "{headers:?}"
            );
        }
    }

    #[test]
    fn invalid_offers_are_declined() {
        for header in [
            "",
            ",",
            ";",
            "x-webkit-deflate-frame",
            "permessage-deflate2",
            "permessage-deflate;",
            "permessage-deflate; ;",
            "permessage-deflate; unknown",
            "permessage-deflate; unknown=1",
            "permessage-deflate; server_no_context_takeover=true",
            "permessage-deflate; client_no_context_takeover=",
            "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
            "permessage-deflate; client_max_window_bits; client_max_window_bits=10",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10",
            "permessage-deflate; server_max_window_bits=7",
            "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; server_max_window_bits=010",
            "permessage-deflate; server_max_window_bits=+10",
            "permessage-deflate; server_max_window_bits=-10",
            "permessage-deflate; server_max_window_bits=1000",
            "permessage-deflate; server_max_window_bits=ten",
            "permessage-deflate; server_max_window_bits=\"10",
            "permessage-deflate; server_max_window_bits=1\\0",
            "permessage-deflate; client_max_window_bits=7",
            "permessage-deflate; client_max_window_bits=",
            "\"permessage-deflate",
            "x=\"é\\\", permessage-deflate",
        ] {
            assert_eq!(answer(&[header]), None, "{header:?}");
        }
    }

    #[test]
    fn a_client_accepts_what_it_offered() {
        let accept = |headers: &[&str]| {
            let agreed = DeflateConfig::default().accept(headers.iter().copied());
            agreed.map(|agreed| agreed.is_some())
        };
        assert_eq!(accept(&[]), Ok(false));
        for answer in [
            ANSWER,
            "permessage-deflate; server_no_context_takeover",
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=10",
        ] {
            assert_eq!(accept(&[answer]), Ok(true), "{answer}");
        }
        for answer in [
            "",
            "permessage-deflate",
            "permessage-deflate; client_no_context_takeover",
            "permessage-deflate; server_no_context_takeover; client_max_window_bits=10",
            "permessage-deflate; server_no_context_takeover; new",
            "x-webkit-deflate-frame",
            "permessage-deflate; server_no_context_takeover, permessage-deflate",
        ] {
            assert_eq!(accept(&[answer]), Err(InvalidAnswer), "{answer}");
        }
        assert_eq!(accept(&[ANSWER, ANSWER]), Err(InvalidAnswer));
    }
}
