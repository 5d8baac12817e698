//! Whether a text is JSON, found out in one pass that builds nothing: what is passed on unparsed has to be well-formed all the same.
//!
//! What this finds well-formed, serde_json does, too: that is how the tests know. It may give up on what is in order, so the other one has the last word.

/// How deep it follows arrays and objects, on the stack.
const DEPTH: u8 = 64;
/// Bytes of a string that are looked at together where it is long, which the compiler does in a few instructions.
const BLOCK: usize = 32;

/// Whether the text is one JSON value, with nothing but white space around it. False for one that is nested deeper than [`DEPTH`], too.
pub(super) fn is_json(text: &str) -> bool {
    let value = skip_space(text.as_bytes());
    value_end(value, DEPTH).is_some_and(|rest| skip_space(rest).is_empty())
}

/// What comes behind the value at the start, as in all of the following.
fn value_end(value: &[u8], depth: u8) -> Option<&[u8]> {
    let (&first, rest) = value.split_first()?;
    match first {
        b'"' => string_end(rest),
        b'{' => object_end(rest, depth.checked_sub(1)?),
        b'[' => array_end(rest, depth.checked_sub(1)?),
        b'-' => {
            let (&digit, rest) = rest.split_first()?;
            number_end(digit, rest)
        }
        b'0'..=b'9' => number_end(first, rest),
        b't' => rest.strip_prefix(b"rue"),
        b'f' => rest.strip_prefix(b"alse"),
        b'n' => rest.strip_prefix(b"ull"),
        _ => None,
    }
}

/// Of an array whose bracket has been read.
fn array_end(rest: &[u8], depth: u8) -> Option<&[u8]> {
    let mut rest = skip_space(rest);
    if let Some((b']', rest)) = rest.split_first() {
        return Some(rest);
    }
    loop {
        rest = skip_space(value_end(rest, depth)?);
        match rest.split_first()? {
            (b',', behind) => rest = skip_space(behind),
            (b']', behind) => return Some(behind),
            _ => return None,
        }
    }
}

/// Of an object whose bracket has been read.
fn object_end(rest: &[u8], depth: u8) -> Option<&[u8]> {
    let mut rest = skip_space(rest);
    if let Some((b'}', rest)) = rest.split_first() {
        return Some(rest);
    }
    loop {
        let (b'"', key) = rest.split_first()? else {
            return None;
        };
        let (b':', value) = skip_space(string_end(key)?).split_first()? else {
            return None;
        };
        rest = skip_space(value_end(skip_space(value), depth)?);
        match rest.split_first()? {
            (b',', behind) => rest = skip_space(behind),
            (b'}', behind) => return Some(behind),
            _ => return None,
        }
    }
}

#[inline]
fn skip_space(mut rest: &[u8]) -> &[u8] {
    while let Some((b' ' | b'\n' | b'\r' | b'\t', behind)) = rest.split_first() {
        rest = behind;
    }
    rest
}

/// Of a string whose opening quote has been read.
#[inline]
fn string_end(rest: &[u8]) -> Option<&[u8]> {
    // Most strings are shorter than two words.
    if let Some((first, behind)) = rest.split_first_chunk() {
        let special = special(first);
        let rest = if special != 0 {
            rest.get(special.trailing_zeros() as usize / 8..)?
        } else {
            behind
        };
        if let Some((b'"', behind)) = rest.split_first() {
            return Some(behind);
        }
        return long_string_end(rest);
    }
    long_string_end(rest)
}

fn long_string_end(mut rest: &[u8]) -> Option<&[u8]> {
    let mut words = 0;
    loop {
        while let Some((word, behind)) = rest.split_first_chunk() {
            let special = special(word);
            if special != 0 {
                rest = rest.get(special.trailing_zeros() as usize / 8..)?;
                break;
            }
            rest = behind;
            words += 1;
            if words == 4 {
                rest = skip_blocks(rest);
            }
        }
        let (&byte, behind) = rest.split_first()?;
        rest = match byte {
            b'"' => return Some(behind),
            b'\\' => escape_end(behind)?,
            0..=0x1f => return None,
            // One of the last bytes of the text.
            _ => behind,
        };
    }
}

/// Marks the bytes that are no plain text of a string, from the lowest bit up: control characters, quotes and backslashes. Above the first one, others may be
/// marked as well.
#[inline]
fn special(word: &[u8; 8]) -> u64 {
    const fn all(byte: u8) -> u64 {
        u64::from_ne_bytes([byte; 8])
    }
    let word = u64::from_le_bytes(*word);
    let control = word.wrapping_sub(all(0x20));
    let quote = (word ^ all(b'"')).wrapping_sub(all(1));
    let backslash = (word ^ all(b'\\')).wrapping_sub(all(1));
    // Where a byte was too small to subtract from, and no byte of a longer character, its highest bit is set now.
    (control | quote | backslash) & !word & all(0x80)
}

fn skip_blocks(mut rest: &[u8]) -> &[u8] {
    while let Some((block, behind)) = rest.split_first_chunk::<BLOCK>() {
        // Not `any`: looking at all bytes is faster than stopping.
        let special = block.iter().fold(false, |any, &byte| {
            any | (byte < b' ') | (byte == b'"') | (byte == b'\\')
        });
        if special {
            break;
        }
        rest = behind;
    }
    rest
}

/// Of an escape whose backslash has been read.
fn escape_end(rest: &[u8]) -> Option<&[u8]> {
    let (byte, behind) = rest.split_first()?;
    match byte {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(behind),
        b'u' => {
            let (digits, behind) = behind.split_first_chunk::<4>()?;
            digits.iter().all(u8::is_ascii_hexdigit).then_some(behind)
        }
        _ => None,
    }
}

/// Of a number whose first digit has been read.
#[inline]
fn number_end(first: u8, behind: &[u8]) -> Option<&[u8]> {
    let mut rest = match first {
        b'0' => behind,
        b'1'..=b'9' => skip_digits(behind),
        _ => return None,
    };
    if let Some((b'.', behind)) = rest.split_first() {
        rest = digits_end(behind)?;
    }
    if let Some((b'e' | b'E', behind)) = rest.split_first() {
        rest = match behind.split_first() {
            Some((b'+' | b'-', behind)) => digits_end(behind)?,
            _ => digits_end(behind)?,
        };
    }
    Some(rest)
}

/// Of one digit or more.
#[inline]
fn digits_end(rest: &[u8]) -> Option<&[u8]> {
    match rest.split_first() {
        Some((b'0'..=b'9', behind)) => Some(skip_digits(behind)),
        _ => None,
    }
}

#[inline]
fn skip_digits(mut rest: &[u8]) -> &[u8] {
    while let Some((b'0'..=b'9', behind)) = rest.split_first() {
        rest = behind;
    }
    rest
}

#[cfg(test)]
mod tests {
    use serde::de::IgnoredAny;

    use super::super::check_syntax;
    use super::is_json;

    #[track_caller]
    fn check(text: &str) {
        let expected = serde_json::from_str::<IgnoredAny>(text).is_ok();
        assert_eq!(is_json(text), expected, "{text:?}");
    }

    /// Calls `check` with every sequence of so many of the parts.
    fn check_all(parts: &[&str], length: usize, text: &mut String, check: &mut impl FnMut(&str)) {
        if length == 0 {
            return check(text);
        }
        for part in parts {
            let end = text.len();
            text.push_str(part);
            check_all(parts, length - 1, text, check);
            text.truncate(end);
        }
    }

    fn check_up_to(parts: &[&str], length: usize, mut check: impl FnMut(&str)) {
        for length in 0..=length {
            check_all(parts, length, &mut String::new(), &mut check);
        }
    }

    #[test]
    fn all_short_texts_are_judged_as_by_serde_json() {
        let structure = ["[", "]", "{", "}", ",", ":", "\"k\"", "1", " "];
        check_up_to(&structure, 5, check);
        let numbers = ["0", "7", "-", "+", ".", "e", "E", " ", "\u{0}"];
        check_up_to(&numbers, 5, check);
        let words = [
            "tru", "e", "fals", "nul", "l", "t", "\n", "\t", "\r", "\u{b}", "é",
        ];
        check_up_to(&words, 4, check);
    }

    #[test]
    fn strings_are_judged_as_by_serde_json_wherever_they_begin_and_end() {
        let parts = ["\"", "\\", "u", "n", "0", "dF", "\u{1f}", "é😀", "\u{7f}"];
        check_up_to(&parts, 4, |text| check(&format!("\"{text}")));
        check_up_to(&parts, 3, |text| {
            for before in [3, 7, 8, 9, 31, 70] {
                let before = "x".repeat(before);
                for behind in ["\"", "\", \"longer than a word\"]", "tail of eight\""] {
                    check(&format!("[\"{before}{text}{behind}"));
                }
            }
        });
        for length in 0..200 {
            let plain = "\u{80}".repeat(length);
            for end in ["\"", "\n\"", "\u{1f}", "\\\"", "\\u12G4\"", "\\uD83D\""] {
                check(&format!("\"{plain}{end}"));
                check(&format!("[\"{plain}{end},\"and so on, and so on\"]"));
            }
        }
    }

    #[test]
    fn numbers_of_any_length_are_judged_as_by_serde_json() {
        for length in 1..40 {
            let digits = "9".repeat(length);
            for text in [
                digits.clone(),
                format!("[-{digits}.{digits}e-{digits},{digits}]"),
                format!("[0{digits}]"),
                format!("{digits}x{digits}"),
                format!("{digits}.{digits}:{digits}"),
                format!("[{digits}/{digits}]"),
                format!("[{digits}é{digits}]"),
            ] {
                check(&text);
            }
        }
    }

    #[test]
    fn nesting_is_followed_for_as_far_as_the_stack_goes() {
        for depth in [65, 100_000] {
            let text = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
            assert!(!is_json(&text) && check_syntax(&text).is_ok());
            assert!(!is_json(&text[1..]) && check_syntax(&text[1..]).is_err());
        }
        for depth in [1, 2, 63, 64] {
            let kinds = (0..depth).map(|level| level % 3 == 0);
            let open: String = kinds
                .clone()
                .map(|array| if array { "[" } else { "{\"k\":" })
                .collect();
            let closing: Vec<_> = kinds
                .rev()
                .map(|array| if array { "]" } else { "}" })
                .collect();
            check(&format!("{open}0{}", closing.concat()));
            check(&format!("{open}0{}", closing[1..].concat()));
            check(&format!("{open}0{}]", closing.concat()));
            let mut wrong = closing.clone();
            for level in [0, depth / 2, depth - 1] {
                wrong[level] = if wrong[level] == "]" { "}" } else { "]" };
                check(&format!("{open}0{}", wrong.concat()));
            }
        }
    }

    #[test]
    fn changed_texts_are_judged_as_by_serde_json() {
        let corpus = [
            r#"["echo",{"id":1234567,"ok":true,"user":"alice-01","none":null,"list":[]}]"#,
            r#" [ "e" , { "a" : [ 1.5e+10 , -0.0 , "\u00e9\n" ] , "b" : { } } , false ] "#,
            r#"["größe",[[[{"x":{"y":[{}]}}]]],"\ud83d\ude00 \\ \" /",12345678901234567890]"#,
        ];
        let mut random = 1_u64;
        let mut next = |limit: usize| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (random >> 33) as usize % limit
        };
        const CHARACTERS: &[u8] = b"[]{}\",:\\ue0123456789.-+tfn \n\x01x";
        for round in 0..60_000 {
            let mut text: Vec<char> = corpus[round % corpus.len()].chars().collect();
            for _ in 0..1 + next(3) {
                let at = next(text.len());
                let character = char::from(CHARACTERS[next(CHARACTERS.len())]);
                match next(3) {
                    0 => text[at] = character,
                    1 => text.insert(at, character),
                    _ => drop(text.remove(at)),
                }
            }
            check(&text.into_iter().collect::<String>());
        }
    }
}
