//! What JavaScript accepts and serde_json by itself does not, and what both refuse.

use serde::Deserialize;

use super::*;

fn both(json: &str) -> [RawArgs; 2] {
    [
        args(&format!("2[\"e\",{json}]"), &[]),
        args(&format!("51-[\"e\",{json}]"), &[&[1]]),
    ]
}

#[test]
fn half_surrogate_pairs_become_replacement_characters() {
    for (json, expected) in [
        (r#""\ud83d""#, "\u{fffd}"),
        (r#""\ude00""#, "\u{fffd}"),
        (r#""a\ud83db""#, "a\u{fffd}b"),
        (r#""\ud83d\n""#, "\u{fffd}\n"),
        (r#""\ud83d\u0041""#, "\u{fffd}A"),
        (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
        (r#""\ude00\ud83d""#, "\u{fffd}\u{fffd}"),
        (r#""\uD83D\uDE00""#, "😀"),
    ] {
        for args in both(json) {
            assert_eq!(args.validate(), Ok(()));
            assert_eq!(args.parse_first::<String>().as_deref(), Ok(expected));
            assert_eq!(args.parse_first::<Value>(), Ok(expected.into()));
            assert_eq!(
                args.parse::<(String, Option<i32>)>(),
                Ok((expected.into(), None))
            );
            assert_eq!(args.json(), Some(json), "raw text keeps the escape");
        }
    }
    let auth = RawJson::new(r#"{"a":"\ud83d"}"#.into()).unwrap();
    let parsed: Value = auth.parse().unwrap();
    assert_eq!(parsed.get("a"), Some(&"\u{fffd}".into()));
}

#[test]
fn numbers_out_of_range_are_read_as_javascript_does() {
    for args in both("1e400,-1e400,99999999999999999999,1e-400") {
        let expected = (f64::INFINITY, f64::NEG_INFINITY, 1e20, 0.0);
        assert_eq!(args.parse(), Ok(expected));
        let values: Vec<Value> = args.parse().unwrap();
        assert_eq!(values[0].as_f64(), Some(f64::INFINITY));
        let encoded = encode_event("/", "e", None, &values, 10).unwrap();
        assert_eq!(text(&encoded), r#"42["e",[null,null,1e+20,0.0]]"#);
    }
}

#[test]
fn the_last_of_repeated_keys_wins() {
    for args in both(r#"{"a":1,"b":2,"a":3,"c":4,"b":5,"a":6}"#) {
        let Ok(Value::Object(object)) = args.parse_first() else {
            panic!("an object should be read");
        };
        let entries: Vec<_> = object
            .iter()
            .map(|(key, value)| (key, value.as_i64()))
            .collect();
        assert_eq!(entries, [("a", Some(6)), ("b", Some(5)), ("c", Some(4))]);
    }
}

#[test]
fn many_keys_are_not_expensive() {
    let entries: Vec<String> = (0..50_000)
        .map(|key| format!("\"{}\":{key}", key % 40_000))
        .collect();
    let json = format!("{{{}}}", entries.join(","));
    for args in both(&json) {
        let value: Value = args.parse_first().unwrap();
        assert_eq!(value.as_object().map(Object::len), Some(40_000));
        assert_eq!(value.get("9999"), Some(&49_999.into()));
    }
}

#[test]
fn depth_is_limited_without_using_the_stack() {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only its shape matters")]
    struct Nested(Vec<Self>);

    let arrays = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let objects = |depth: usize| format!("{}1{}", "{\"num\":".repeat(depth), "}".repeat(depth));
    let marks = |depth: usize| {
        format!(
            "{}1{}",
            "{\"_placeholder\":".repeat(depth),
            "}".repeat(depth)
        )
    };
    for json in [arrays(10_000), objects(10_000), marks(10_000)] {
        let [plain, binary] = both(&json);
        for args in [&plain, &binary] {
            let deep = |result| matches!(result, Err(ArgsError::Syntax(_)));
            assert!(deep(args.parse_first::<Value>().map(drop)));
            assert!(deep(args.parse_first::<serde_json::Value>().map(drop)));
            assert!(deep(args.parse::<(Nested,)>().map(drop)) || !json.starts_with('['));
            // Whoever ignores an argument does not mind.
            assert_eq!(args.parse::<()>(), Ok(()));
        }
        assert_eq!(plain.validate(), Ok(()));
        assert!(matches!(binary.validate(), Err(ArgsError::Syntax(_))));
        let encoded = encode_event("/", "e", None, &plain, 10).unwrap();
        assert_eq!(text(&encoded), format!("42[\"e\",{json}]"));
    }
    let limit = usize::from(MAX_DEPTH) - 1;
    for json in [arrays(limit), objects(limit)] {
        for args in both(&json) {
            assert!(args.parse_first::<Value>().is_ok());
        }
    }
    for args in both(&arrays(limit + 1)) {
        assert!(args.parse_first::<Value>().is_err());
    }
    let deep = format!("0{{\"a\":{}}}", arrays(10_000));
    let Packet::Connect {
        auth: Some(auth), ..
    } = packet(&deep, &[])
    else {
        panic!("a connect packet should be decoded");
    };
    assert!(matches!(auth.parse::<Value>(), Err(ArgsError::Syntax(_))));
}
