//! Strings: `"a\"b\n\u0001"`.

/// Bytes that are looked at together, which the compiler does in a few instructions.
const BLOCK: usize = 32;

/// Appends the text as a JSON string, escaped as `JSON.stringify` does.
pub(in crate::protocol) fn write_string(output: &mut Vec<u8>, text: &str) {
    output.reserve(text.len() + 2);
    output.push(b'"');
    let (blocks, rest) = text.as_bytes().split_at(text.len() - text.len() % BLOCK);
    for block in blocks.chunks_exact(BLOCK) {
        if block
            .iter()
            .fold(false, |any, &byte| any | is_escaped(byte))
        {
            block.iter().for_each(|&byte| write_byte(output, byte));
        } else {
            output.extend_from_slice(block);
        }
    }
    if rest.iter().any(|&byte| is_escaped(byte)) {
        rest.iter().for_each(|&byte| write_byte(output, byte));
    } else {
        output.extend_from_slice(rest);
    }
    output.push(b'"');
}

const fn is_escaped(byte: u8) -> bool {
    (byte < b' ') | (byte == b'"') | (byte == b'\\')
}

fn write_byte(output: &mut Vec<u8>, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let letter = match byte {
        b'"' | b'\\' => byte,
        0x8 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        0xc => b'f',
        b'\r' => b'r',
        0..=0x1f => {
            output.extend_from_slice(b"\\u00");
            output.push(DIGITS[usize::from(byte >> 4)]);
            output.push(DIGITS[usize::from(byte & 0xf)]);
            return;
        }
        _ => {
            output.push(byte);
            return;
        }
    };
    output.extend_from_slice(&[b'\\', letter]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_written_as_serde_json_does() {
        let mut texts: Vec<String> = (0..=0x100)
            .filter_map(char::from_u32)
            .map(Into::into)
            .collect();
        texts.push(String::new());
        for length in 1..=3 * BLOCK {
            for special in ['"', '\n', 'é', '😀', '\u{7f}'] {
                let mut text = "x".repeat(length);
                text.insert(length / 2, special);
                text.push(special);
                texts.push(text);
            }
        }
        for text in texts {
            let mut output = Vec::new();
            write_string(&mut output, &text);
            assert_eq!(
                String::from_utf8(output).ok(),
                serde_json::to_string(&text).ok()
            );
        }
    }
}
