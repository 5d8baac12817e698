use serde::de::IgnoredAny;

use super::blocks::is_compact_json;
use super::{is_json, is_json_behind_first, skip_plain};
use crate::protocol::args::check_syntax;

#[track_caller]
fn check(text: &str) {
    let expected = serde_json::from_str::<IgnoredAny>(text).is_ok();
    assert_eq!(is_json(text), expected, "{text:?}");
    assert!(expected || !is_compact_json(text), "{text:?}");
}

/// The same for an array or object without white space, which is found well-formed block by block.
#[track_caller]
fn check_compact(text: &str) {
    let expected = serde_json::from_str::<IgnoredAny>(text).is_ok();
    assert_eq!(is_compact_json(text), expected, "{text:?}");
}

/// So that the text lies across the border of a block, in an array and in an object.
fn check_at_border(text: &str) {
    for before in 52..=63 {
        let before = "x".repeat(before);
        check_compact(&format!("[\"{before}\",{text}]"));
        check_compact(&format!("{{\"{before}\":{text}}}"));
    }
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
fn short_texts_across_the_border_of_a_block_are_judged_as_by_serde_json() {
    let structure = ["[", "]", "{", "}", ",", ":", "\"k\"", "1"];
    check_up_to(&structure, 4, check_at_border);
    let scalars = ["0", "7", "-", "+", ".", "e", "true", "nul", "l", "é"];
    check_up_to(&scalars, 3, check_at_border);
    let strings = ["\\", "\"", "u", "n", "12a", "\u{1f}", "\u{7f}", ","];
    check_up_to(&strings, 3, |text| check_at_border(&format!("\"{text}")));
}

#[test]
fn what_goes_on_for_blocks_is_judged_as_by_serde_json() {
    for length in [1, 2, 55, 60, 61, 62, 63, 64, 65, 66, 127, 128, 129, 200] {
        let digits = "7".repeat(length);
        for number in [
            digits.clone(),
            format!("0{digits}"),
            format!("-{digits}"),
            format!("-0{digits}"),
            format!("{digits}.{digits}"),
            format!("{digits}.{digits}.{digits}"),
            format!("{digits}e-{digits}"),
            format!("{digits}e{digits}.{digits}"),
            format!("-{digits}.{digits}E+{digits}"),
            format!("{digits}-{digits}"),
            format!("{digits}.e{digits}"),
            format!("{digits}."),
            format!("{digits}true"),
            format!("true{digits}"),
        ] {
            check_at_border(&number);
        }
        let escapes = "\\\\".repeat(length);
        for string in [
            format!("\"{digits} {digits}\""),
            format!("\"{digits}\n\""),
            format!("\"{escapes}\""),
            format!("\"{escapes}\\\",\""),
            format!("\"{escapes}\\\""),
            format!("\"{digits}\\u00e9{escapes}\""),
            format!("\"{digits}\\u00g9{escapes}\""),
            format!("{{\"{digits}\":{{\"{escapes}\":0}},\"{digits}\":0}}"),
            format!("{{\"{digits}\",\"{digits}\"}}"),
            format!("[\"{digits}\":\"{digits}\"]"),
        ] {
            check_at_border(&string);
        }
    }
}

#[test]
fn blocks_follow_nesting_for_as_far_as_a_word_goes() {
    let open = |depth: usize, arrays: usize| "[".repeat(arrays) + &"{\"k\":".repeat(depth - arrays);
    let closing = |depth: usize, arrays: usize| "}".repeat(depth - arrays) + &"]".repeat(arrays);
    for depth in [1, 2, 30, 62, 63, 64, 65, 66, 126, 127, 128, 129] {
        for arrays in [0, 1, depth / 2, depth - 1, depth] {
            let text = open(depth, arrays) + "0" + &closing(depth, arrays);
            assert_eq!(is_compact_json(&text), depth < 64, "{text}");
            assert_eq!(is_json(&text), depth <= 64, "{text}");
            // None of these is well-formed, whatever is forgotten of the outer levels.
            for fewer in 1..=depth {
                let text = open(depth, arrays) + "0" + &closing(depth, arrays)[..depth - fewer];
                assert!(!is_compact_json(&text), "{text}");
            }
            check(&(text.clone() + "]"));
            check(&(text.clone() + "}"));
            check(&(text.clone() + ",0"));
            check(&(text.clone() + ",[]"));
            check(&(text + "[]"));
        }
    }
}

#[test]
fn white_space_is_left_to_the_other_way() {
    for space in [" ", "\n", "\t", "\r"] {
        for parts in [["[0,", "0]"], ["[0", "]"], ["", "[0]"], ["[0]", ""]] {
            let [before, behind] = parts;
            assert!(!is_compact_json(&format!("{before}{space}{behind}")));
            let long = format!("[\"{}\",{before}{space}{behind}]", "x".repeat(200));
            check(&long);
            assert!(is_json(&long));
        }
    }
}

#[test]
fn long_texts_with_one_byte_changed_are_judged_as_by_serde_json() {
    let text = r#"["echo",{"id":1234567,"ok":true,"user":"alice-01","none":null,"list":[],"größe":-12.5e+3},[[0,-1,{}],"\"é",false,{"a":{"b":[{"c":"d"},[]]}}],"a,long{string[that:ends]in}another block",0.125,[{"k":"v"}]]"#;
    check_compact(text);
    let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    let ends: Vec<usize> = ends.collect();
    for ends in ends.windows(2) {
        let (before, behind) = (&text[..ends[0]], &text[ends[1]..]);
        check_compact(&format!("{before}{behind}"));
        for character in "[]{}\",:\\ue01.-+tf\u{1}é".chars() {
            check_compact(&format!("{before}{character}{behind}"));
            check_compact(&format!("{before}{character}{}", &text[ends[0]..]));
        }
        check(&format!("{before} {behind}"));
        check(before);
    }
}

/// Random numbers below a limit, the same ones each time.
fn numbers() -> impl FnMut(usize) -> usize {
    let mut random = 1_u64;
    move |limit| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (random >> 33) as usize % limit
    }
}

#[test]
fn changed_texts_are_judged_as_by_serde_json() {
    let corpus = [
        r#"["echo",{"id":1234567,"ok":true,"user":"alice-01","none":null,"list":[]}]"#,
        r#" [ "e" , { "a" : [ 1.5e+10 , -0.0 , "\u00e9\n" ] , "b" : { } } , false ] "#,
        r#"["größe",[[[{"x":{"y":[{}]}}]]],"\ud83d\ude00 \\ \" /",12345678901234567890]"#,
    ];
    let mut next = numbers();
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

#[test]
fn changed_arrays_of_many_blocks_are_judged_as_by_serde_json() {
    let items = [
        r#"{"id":1234567,"ok":true,"user":"alice-01"}"#,
        r#"{"é
":{},"list":[[],[{}],null]}"#,
        r#"-12.5e+3"#,
        r#""größe\"""#,
        "0",
        "false",
    ];
    const CHARACTERS: &[u8] = b"[]{}\",:\\ue01.-+tf\x01x";
    let mut next = numbers();
    for _ in 0..20_000 {
        let count = 1 + next(20);
        let items: Vec<&str> = (0..count).map(|_| items[next(items.len())]).collect();
        let text = format!("[{}]", items.join(","));
        check_compact(&text);
        let mut text: Vec<char> = text.chars().collect();
        for _ in 0..1 + next(2) {
            // The first byte decides whether it is asked at all.
            let at = 1 + next(text.len() - 1);
            let character = char::from(CHARACTERS[next(CHARACTERS.len())]);
            match next(3) {
                0 => text[at] = character,
                1 => text.insert(at, character),
                _ if text.len() > 2 => drop(text.remove(at)),
                _ => {}
            }
        }
        check_compact(&text.into_iter().collect::<String>());
    }
}

#[test]
fn what_is_behind_the_first_value_is_judged_as_with_it() {
    let parts = ["[", "]", "{}", ",", "\"k\"", "1", " ", "\u{1}"];
    check_up_to(&parts, 5, |behind| {
        let whole = serde_json::from_str::<IgnoredAny>(&format!("[\"name\",{behind}"));
        // White space at the end, or too much of all, is left to others.
        if is_json_behind_first(behind) {
            assert!(whole.is_ok(), "{behind:?}");
        } else {
            assert!(whole.is_err() || behind.ends_with(' '), "{behind:?}");
        }
    });
    let long = format!("\"{}\"]", "x".repeat(100));
    assert!(!is_json_behind_first(&long));
}

#[test]
fn plain_text_ends_at_the_first_byte_that_is_none() {
    for end in ["", "\"", "\\n", "\u{0}", "\u{1f}\""] {
        for length in 0..100 {
            for plain in ["x", "\u{7f}", "é", "😀", "!", "#", "[", "]", " "] {
                let text = plain.repeat(length) + end;
                assert_eq!(skip_plain(text.as_bytes()), end.as_bytes(), "{text:?}");
            }
        }
    }
}
