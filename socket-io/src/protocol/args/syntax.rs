//! Whether a text is JSON, found out in one pass that builds nothing: what is passed on unparsed has to be well-formed all the same.
//!
//! What this finds well-formed, serde_json does, too: that is how the tests know. It may give up on what is in order, so the other one has the last word.

mod blocks;

/// How deep it follows arrays and objects, on the stack.
const DEPTH: u8 = 64;
/// Bytes of a string that are looked at together where it is long, which the compiler does in a few instructions.
const BLOCK: usize = 32;

/// Whether the text is one JSON value, with nothing but white space around it. False for one that is nested deeper than [`DEPTH`], too.
pub(super) fn is_json(text: &str) -> bool {
    (is_long(text) && blocks::is_compact_json(text)) || is_value(text.as_bytes())
}

/// Whether the text is what comes behind the first value of an array and its comma. False for much that is in order.
pub(super) fn is_json_behind_first(text: &str) -> bool {
    if is_long(text) {
        return false;
    }
    let rest = next(text.as_bytes()).and_then(|(first, rest)| items_end(first, rest, DEPTH));
    rest.is_some_and(<[u8]>::is_empty)
}

fn is_long(text: &str) -> bool {
    text.len() > blocks::LONG
}

/// Of one JSON value, byte by byte.
fn is_value(text: &[u8]) -> bool {
    let rest = next(text).and_then(|(first, rest)| value_end(first, rest, DEPTH));
    rest.is_some_and(|rest| next(rest).is_none())
}

/// What comes behind the value that begins with this byte, as in all of the following.
fn value_end(first: u8, rest: &[u8], depth: u8) -> Option<&[u8]> {
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
    let (first, rest) = next(rest)?;
    if first == b']' {
        return Some(rest);
    }
    items_end(first, rest, depth)
}

/// Of an array from one of its values on, which begins with this byte.
#[inline]
fn items_end(mut first: u8, mut rest: &[u8], depth: u8) -> Option<&[u8]> {
    loop {
        let (delimiter, behind) = next(value_end(first, rest, depth)?)?;
        match delimiter {
            b',' => (first, rest) = next(behind)?,
            b']' => return Some(behind),
            _ => return None,
        }
    }
}

/// Of an object whose bracket has been read.
fn object_end(rest: &[u8], depth: u8) -> Option<&[u8]> {
    let (mut first, mut rest) = next(rest)?;
    if first == b'}' {
        return Some(rest);
    }
    while first == b'"' {
        let (b':', value) = next(string_end(rest)?)? else {
            return None;
        };
        let (value, behind) = next(value)?;
        let (delimiter, behind) = next(value_end(value, behind, depth)?)?;
        match delimiter {
            b',' => (first, rest) = next(behind)?,
            b'}' => return Some(behind),
            _ => return None,
        }
    }
    None
}

/// The first byte that is no white space, and what comes behind it.
#[inline]
fn next(mut rest: &[u8]) -> Option<(u8, &[u8])> {
    loop {
        let (&byte, behind) = rest.split_first()?;
        // Most bytes are told by one comparison.
        if byte > b' ' || !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
            return Some((byte, behind));
        }
        rest = behind;
    }
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
    loop {
        rest = match skip_plain(rest).split_first()? {
            (b'"', behind) => return Some(behind),
            (b'\\', behind) => escape_end(behind)?,
            _ => return None,
        };
    }
}

/// What comes behind the plain text of a string: a quote, a backslash, a control character, or nothing.
pub(in crate::protocol) fn skip_plain(mut rest: &[u8]) -> &[u8] {
    let mut words = 0;
    while let Some((word, behind)) = rest.split_first_chunk() {
        let special = special(word);
        if special != 0 {
            let plain = special.trailing_zeros() as usize / 8;
            return rest.get(plain..).unwrap_or_default();
        }
        rest = behind;
        words += 1;
        if words == 4 {
            rest = skip_blocks(rest);
        }
    }
    // The last bytes of the text.
    while let Some((b' '..=b'!' | b'#'..=b'[' | b']'.., behind)) = rest.split_first() {
        rest = behind;
    }
    rest
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
    let rest = match first {
        b'0' => behind,
        b'1'..=b'9' => skip_digits(behind),
        _ => return None,
    };
    fraction_end(rest)
}

/// Of a number whose integer has been read.
#[inline]
fn fraction_end(mut rest: &[u8]) -> Option<&[u8]> {
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
mod tests;
