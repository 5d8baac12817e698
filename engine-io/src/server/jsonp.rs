//! JSONP: polling by script elements, for pages of other origins in browsers without CORS.
//!
//! Answers are `___eio[<j>]("<payload>");`, bodies of POSTs are forms with the payload in the field `d`, in which line breaks are escaped.

use bytes::Bytes;
use http::Response;

use crate::text::Text;

/// Makes the payload of a response a script.
pub(crate) fn wrap(response: &mut Response<Bytes>, index: &str) {
    let payload = String::from_utf8_lossy(response.body());
    let json = serde_json::to_string(&payload).expect("text always serializes");
    // Two characters that JSON allows in strings and old scripts do not.
    let json = json
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029");
    *response.body_mut() = format!("___eio[{index}]({json});").into();
}

/// The payload in the form of a POST; `None` without the field.
pub(crate) fn payload(form: &[u8]) -> Option<Text> {
    let (_, data) = form_urlencoded::parse(form)
        .filter(|(name, _)| name == "d")
        .last()?;
    // A line break is `\n` as two characters, and what was those two characters has one more backslash.
    let mut payload = String::with_capacity(data.len());
    let mut rest = &*data;
    while let Some(position) = rest.find('\\') {
        payload.push_str(&rest[..position]);
        rest = &rest[position..];
        let (read, written) = if rest.starts_with("\\\\n") {
            (3, "\\n")
        } else if rest.starts_with("\\n") {
            (2, "\n")
        } else {
            (1, "\\")
        };
        payload.push_str(written);
        rest = &rest[read..];
    }
    payload.push_str(rest);
    Some(payload.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_a_script() {
        let mut response = Response::new(Bytes::from("4a\"\u{2028}"));
        wrap(&mut response, "12");
        assert_eq!(response.body(), "___eio[12](\"4a\\\"\\u2028\");");
    }

    #[test]
    fn line_breaks_of_a_form_are_restored() {
        for (form, expected) in [
            ("d=4a%5Cnb", "4a\nb"),
            ("d=4a%5C%5Cnb", "4a\\nb"),
            ("d=4a%5Cb", "4a\\b"),
            ("d=4a+b", "4a b"),
        ] {
            assert_eq!(payload(form.as_bytes()).unwrap(), expected, "{form}");
        }
        assert_eq!(payload(b"x=4a"), None);
    }
}
