//! What RFC 6455 says about frames, as a table: what arrives, and what comes of it.
//!
//! The table is that of the Autobahn test suite, as far as it is about frames and not about speed, with payloads that are packets of Engine.IO. It is read twice:
//! here over real sockets, and by the unit tests of `connection`, where every case is cut into reads at every place.

/// A message may have so many bytes.
pub(crate) const MAX: usize = 100_000;

pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;
pub(crate) const FIN: u8 = 0x80;
pub(crate) const RSV1: u8 = 0x40;
const RSV2: u8 = 0x20;
const RSV3: u8 = 0x10;

/// How the length is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Shortest,
    /// Behind a 126.
    Two,
    /// Behind a 127.
    Eight,
    /// This length behind a 127, and no payload.
    Announced(u64),
}

/// A frame. Whether it is masked depends on who sends it.
#[derive(Clone, Debug)]
pub(crate) struct Raw {
    pub(crate) first: u8,
    payload: Vec<u8>,
    form: Form,
    /// Masked if it must not be, and the other way round.
    wrongly_masked: bool,
}

impl Raw {
    pub(crate) fn new(first: u8, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            first,
            payload: payload.into(),
            form: Form::Shortest,
            wrongly_masked: false,
        }
    }

    fn form(self, form: Form) -> Self {
        Self { form, ..self }
    }

    fn wrongly_masked(self) -> Self {
        Self {
            wrongly_masked: true,
            ..self
        }
    }

    /// The bytes that a client or a server sends.
    pub(crate) fn bytes(&self, is_client: bool) -> Vec<u8> {
        const MASK: [u8; 4] = [0x12, 0xf4, 0, 0x81];
        let masked = is_client != self.wrongly_masked;
        let length = self.payload.len();
        let bit = if masked { 0x80 } else { 0 };
        let mut bytes = vec![self.first];
        match (self.form, length) {
            (Form::Shortest, 0..=125) => bytes.push(bit | length as u8),
            (Form::Shortest, 126..=0xffff) | (Form::Two, _) => {
                bytes.push(bit | 126);
                bytes.extend((length as u16).to_be_bytes());
            }
            (Form::Shortest | Form::Eight, _) => {
                bytes.push(bit | 127);
                bytes.extend((length as u64).to_be_bytes());
            }
            (Form::Announced(length), _) => {
                bytes.push(bit | 127);
                bytes.extend(length.to_be_bytes());
            }
        }
        if masked {
            bytes.extend(MASK);
            let masked = self.payload.iter().zip(MASK.into_iter().cycle());
            bytes.extend(masked.map(|(byte, mask)| byte ^ mask));
        } else {
            bytes.extend(&self.payload);
        }
        bytes
    }
}

/// A message that arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Arrived {
    Text(String),
    Binary(Vec<u8>),
}

/// How it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It does not.
    Open,
    /// The peer's close frame is answered with this code.
    Answered(Option<u16>),
    /// The peer is told this code.
    Violation(u16),
}

pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) frames: Vec<Raw>,
    pub(crate) messages: Vec<Arrived>,
    /// What the pings are answered with.
    pub(crate) pongs: Vec<Vec<u8>>,
    pub(crate) end: End,
}

impl Case {
    pub(crate) fn bytes(&self, is_client: bool) -> Vec<u8> {
        let frames = self.frames.iter();
        frames.flat_map(|frame| frame.bytes(is_client)).collect()
    }
}

pub(crate) fn case(
    name: impl Into<String>,
    frames: impl Into<Vec<Raw>>,
    messages: &[Arrived],
    end: End,
) -> Case {
    Case {
        name: name.into(),
        frames: frames.into(),
        messages: messages.to_vec(),
        pongs: Vec::new(),
        end,
    }
}

pub(crate) fn text(text: impl Into<String>) -> Arrived {
    Arrived::Text(text.into())
}

/// Text in one frame.
pub(crate) fn whole(payload: impl Into<Vec<u8>>) -> Raw {
    Raw::new(FIN | TEXT, payload)
}

/// A message in fragments.
pub(crate) fn fragments(opcode: u8, parts: &[&[u8]]) -> Vec<Raw> {
    let last = parts.len() - 1;
    let parts = parts.iter().enumerate();
    parts
        .map(|(index, part)| {
            let opcode = if index == 0 { opcode } else { CONTINUATION };
            let fin = if index == last { FIN } else { 0 };
            Raw::new(fin | opcode, *part)
        })
        .collect()
}

pub(crate) fn cases() -> Vec<Case> {
    [
        lengths(),
        pings(),
        reserved(),
        fragmentation(),
        utf8(),
        closing(),
        masking(),
        limits(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn lengths() -> Vec<Case> {
    let mut cases = Vec::new();
    for length in [
        1, 2, 124, 125, 126, 127, 128, 255, 256, 65_534, 65_535, 65_536, 65_537,
    ] {
        let payload = "4".repeat(length);
        let frames = [whole(payload.clone()), whole("4")];
        let messages = [text(payload), text("4")];
        let name = format!("text of {length} bytes");
        cases.push(case(name, frames, &messages, End::Open));
    }
    for length in [0, 1, 125, 126, 127, 65_535, 65_536] {
        let payload = vec![0xfe; length];
        let frames = [Raw::new(FIN | BINARY, payload.clone()), whole("4")];
        let messages = [Arrived::Binary(payload), text("4")];
        let name = format!("binary of {length} bytes");
        cases.push(case(name, frames, &messages, End::Open));
    }
    // A sender has to use the shortest form; nobody refuses the others.
    for length in [1, 125, 126, 1000] {
        for form in [Form::Two, Form::Eight] {
            let payload = "4".repeat(length);
            let frames = [whole(payload.clone()).form(form), whole("4")];
            let messages = [text(payload), text("4")];
            let name = format!("{length} bytes in the form {form:?}");
            cases.push(case(name, frames, &messages, End::Open));
        }
    }
    cases
}

fn pings() -> Vec<Case> {
    let mut cases = Vec::new();
    let alive = [text("4alive")];
    for payload in [
        &b""[..],
        b"hello",
        &[0, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0, 0xff],
        &[0xfe; 125],
    ] {
        let ping = Raw::new(FIN | PING, payload);
        let name = format!("a ping of {} bytes", payload.len());
        cases.push(Case {
            pongs: vec![payload.to_vec()],
            ..case(name, [ping, whole("4alive")], &alive, End::Open)
        });
    }
    let numbers: Vec<_> = (0..10_u8).map(|number| vec![number; 3]).collect();
    let pings = numbers.iter();
    let mut frames: Vec<_> = pings
        .map(|number| Raw::new(FIN | PING, number.clone()))
        .collect();
    frames.push(whole("4alive"));
    cases.push(Case {
        pongs: numbers,
        ..case("ten pings at once", frames, &alive, End::Open)
    });
    for payload in [&b""[..], b"nobody asked"] {
        let frames = [Raw::new(FIN | PONG, payload), whole("4alive")];
        cases.push(case("an unsolicited pong", frames, &alive, End::Open));
    }
    for opcode in [CLOSE, PING, PONG] {
        let frames = [
            whole("4alive"),
            Raw::new(FIN | opcode, [b'x'; 126]),
            whole("4"),
        ];
        let name = format!("a control frame {opcode} of 126 bytes");
        cases.push(case(name, frames, &alive, End::Violation(1002)));
        let frames = [
            whole("4alive"),
            Raw::new(opcode, ""),
            Raw::new(FIN | CONTINUATION, ""),
        ];
        let name = format!("a fragmented control frame {opcode}");
        cases.push(case(name, frames, &alive, End::Violation(1002)));
    }
    cases
}

fn reserved() -> Vec<Case> {
    let mut cases = Vec::new();
    for bits in 1..8_u8 {
        for opcode in [TEXT, BINARY, CLOSE, PING, PONG, CONTINUATION] {
            let frame = Raw::new(FIN | bits << 4 | opcode, "4x");
            let name = format!("reserved bits {bits:03b} with opcode {opcode}");
            let frames = [whole("4before"), frame, whole("4after")];
            cases.push(case(name, frames, &[text("4before")], End::Violation(1002)));
        }
    }
    // Also in the middle of a message, which is no place where RSV1 may begin one.
    for bit in [RSV1, RSV2, RSV3] {
        for (name, second) in [("fragment", CONTINUATION), ("ping", PING)] {
            let frames = [
                Raw::new(TEXT, "4frag"),
                Raw::new(FIN | bit | second, "ment"),
            ];
            let name = format!("reserved bit {bit:#x} on a later {name}");
            cases.push(case(name, frames, &[], End::Violation(1002)));
        }
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        for payload in ["", "4x"] {
            let frames = [
                whole("4before"),
                Raw::new(FIN | opcode, payload),
                whole("4after"),
            ];
            let name = format!("reserved opcode {opcode}, {} bytes", payload.len());
            cases.push(case(name, frames, &[text("4before")], End::Violation(1002)));
        }
    }
    cases
}

fn fragmentation() -> Vec<Case> {
    let ping = || Raw::new(FIN | PING, "there?");
    let mut cases = Vec::new();
    for (name, parts) in [
        ("two fragments", &[&b"4frag"[..], b"ment"][..]),
        (
            "fragments of a byte",
            &[b"4", b"f", b"r", b"a", b"g", b"m", b"e", b"n", b"t"],
        ),
        ("an empty first fragment", &[b"", b"4frag", b"ment"]),
        (
            "empty fragments everywhere",
            &[b"", b"", b"4fr", b"", b"agment", b"", b""],
        ),
    ] {
        let frames = fragments(TEXT, parts);
        let messages = [text("4fragment"), text("4")];
        let together = [frames.clone(), vec![whole("4")]].concat();
        cases.push(case(name, together, &messages, End::Open));
        let between: Vec<_> = frames
            .iter()
            .flat_map(|frame| [frame.clone(), ping()])
            .collect();
        cases.push(Case {
            pongs: vec![b"there?".to_vec(); frames.len()],
            ..case(
                format!("{name}, with pings"),
                between,
                &messages[..1],
                End::Open,
            )
        });
        let binary = fragments(BINARY, parts);
        let messages = [Arrived::Binary(b"4fragment".into())];
        cases.push(case(
            format!("binary: {name}"),
            binary,
            &messages,
            End::Open,
        ));
    }
    let before = || whole("4before");
    let first = || Raw::new(TEXT, "4x");
    for (name, wrong) in [
        (
            "a continuation of nothing",
            vec![Raw::new(CONTINUATION, "x")],
        ),
        (
            "a last fragment of nothing",
            vec![Raw::new(FIN | CONTINUATION, "x")],
        ),
        (
            "an empty continuation of nothing",
            vec![Raw::new(FIN | CONTINUATION, "")],
        ),
        (
            "text inside a fragmented message",
            vec![first(), whole("4y")],
        ),
        (
            "binary inside a fragmented message",
            vec![first(), Raw::new(FIN | BINARY, "y")],
        ),
        (
            "a second first fragment",
            vec![first(), Raw::new(TEXT, "4y")],
        ),
    ] {
        let frames = [vec![before()], wrong].concat();
        cases.push(case(name, frames, &[text("4before")], End::Violation(1002)));
    }
    // What came before a broken rule counts, pongs included.
    cases.push(Case {
        pongs: vec![b"there?".to_vec()],
        ..case(
            "a message and a ping before the broken rule",
            [before(), ping(), Raw::new(FIN | 3, "")],
            &[text("4before")],
            End::Violation(1002),
        )
    });
    cases
}

/// Texts that are UTF-8: the shortest and the longest of each length, what is next to surrogates, what is no character.
pub(crate) const UTF8: &[&str] = &[
    "κόσμε",
    "\0",
    "\u{7f}",
    "\u{80}",
    "\u{7ff}",
    "\u{800}",
    "\u{d7ff}",
    "\u{e000}",
    "\u{fffd}",
    "\u{fffe}",
    "\u{ffff}",
    "\u{fdd0}",
    "\u{10000}",
    "\u{1fffe}",
    "\u{10ffff}",
    "a\u{20ac}b\u{1f600}c",
];

/// Bytes that are not.
pub(crate) const NOT_UTF8: &[(&str, &[u8])] = &[
    ("a continuation alone", b"\x80"),
    ("the last continuation alone", b"\xbf"),
    ("a start of two alone", b"\xc3"),
    ("a start of three without its end", b"\xe2\x82"),
    ("a start of four without its end", b"\xf0\x9f\x98"),
    ("a start of two before a letter", b"\xc3x"),
    ("a start of three before a letter", b"\xe2\x82x"),
    ("a start of four before a letter", b"\xf0\x9f\x98x"),
    ("an overlong NUL", b"\xc0\x80"),
    ("an overlong slash of two", b"\xc0\xaf"),
    ("an overlong slash of three", b"\xe0\x80\xaf"),
    ("an overlong slash of four", b"\xf0\x80\x80\xaf"),
    ("the longest overlong of two", b"\xc1\xbf"),
    ("the longest overlong of three", b"\xe0\x9f\xbf"),
    ("the longest overlong of four", b"\xf0\x8f\xbf\xbf"),
    ("the first surrogate", b"\xed\xa0\x80"),
    ("the last surrogate", b"\xed\xbf\xbf"),
    ("a pair of surrogates", b"\xed\xa1\x8c\xed\xbe\xb4"),
    ("above U+10FFFF", b"\xf4\x90\x80\x80"),
    ("a start of four above all", b"\xf5\x80\x80\x80"),
    ("five bytes", b"\xf8\x88\x80\x80\x80"),
    ("six bytes", b"\xfc\x84\x80\x80\x80\x80"),
    ("0xfe", b"\xfe"),
    ("0xff", b"\xff"),
    (
        "surrogates within text",
        b"\xce\xba\xe1\xbd\xb9\xed\xa0\x80edited",
    ),
];

fn utf8() -> Vec<Case> {
    let mut cases = Vec::new();
    for good in UTF8 {
        let payload = format!("4{good}");
        let messages = [text(&payload), text("4")];
        let name = format!("text {good:?}");
        let frames = [whole(payload.clone()), whole("4")];
        cases.push(case(&name, frames, &messages, End::Open));
        let bytes: Vec<_> = payload.as_bytes().chunks(1).collect();
        let frames = [fragments(TEXT, &bytes), vec![whole("4")]].concat();
        cases.push(case(
            format!("{name} in bytes"),
            frames,
            &messages,
            End::Open,
        ));
    }
    for (name, bad) in NOT_UTF8 {
        let payload = [b"4", *bad].concat();
        let before = [text("4before")];
        let frames = [whole("4before"), whole(payload.clone()), whole("4after")];
        cases.push(case(*name, frames, &before, End::Violation(1007)));
        let bytes: Vec<_> = payload.chunks(1).collect();
        let frames = [vec![whole("4before")], fragments(TEXT, &bytes)].concat();
        let name = format!("{name}, in bytes");
        cases.push(case(name, frames, &before, End::Violation(1007)));
    }
    cases
}

fn closing() -> Vec<Case> {
    let last = || whole("4last");
    let messages = [text("4last")];
    let code = |code: u16, reason: &[u8]| [&code.to_be_bytes(), reason].concat();
    let mut cases = Vec::new();
    let mut add = |name: String, payload: Vec<u8>, end| {
        // Nothing counts behind a close frame.
        let frames = [
            last(),
            Raw::new(FIN | CLOSE, payload),
            whole("4after"),
            Raw::new(FIN | PING, "after"),
        ];
        cases.push(case(name, frames, &messages, end));
    };
    add(
        "a close without a code".into(),
        Vec::new(),
        End::Answered(None),
    );
    for number in [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 3999, 4000, 4999,
    ] {
        let name = format!("a close with {number}");
        add(name, code(number, b""), End::Answered(Some(number)));
    }
    for number in [
        0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535,
    ] {
        let name = format!("a close with {number}, which nobody may send");
        add(name, code(number, b""), End::Violation(1002));
    }
    for reason in ["bye", "κόσμε", &"x".repeat(123)] {
        let name = format!("a close with a reason of {} bytes", reason.len());
        add(
            name,
            code(1000, reason.as_bytes()),
            End::Answered(Some(1000)),
        );
    }
    add("a close of one byte".into(), vec![3], End::Violation(1002));
    for (name, bad) in NOT_UTF8 {
        let name = format!("a close whose reason is {name}");
        add(name, code(1000, bad), End::Violation(1007));
    }
    let frames = [
        last(),
        Raw::new(TEXT, "4fragment"),
        Raw::new(FIN | CLOSE, code(1001, b"")),
    ];
    cases.push(case(
        "a close inside a fragmented message",
        frames,
        &messages,
        End::Answered(Some(1001)),
    ));
    let frames = [
        last(),
        Raw::new(FIN | CLOSE, code(1000, b"")),
        Raw::new(FIN | CLOSE, code(1001, b"")),
    ];
    cases.push(case(
        "a second close",
        frames,
        &messages,
        End::Answered(Some(1000)),
    ));
    cases
}

fn masking() -> Vec<Case> {
    let frames = [
        ("text", vec![whole("4x").wrongly_masked()]),
        ("empty text", vec![whole("").wrongly_masked()]),
        ("binary", vec![Raw::new(FIN | BINARY, "x").wrongly_masked()]),
        ("a ping", vec![Raw::new(FIN | PING, "x").wrongly_masked()]),
        ("a pong", vec![Raw::new(FIN | PONG, "x").wrongly_masked()]),
        ("a close", vec![Raw::new(FIN | CLOSE, "").wrongly_masked()]),
        (
            "a first fragment",
            vec![Raw::new(TEXT, "4").wrongly_masked()],
        ),
        (
            "a later fragment",
            vec![
                Raw::new(TEXT, "4"),
                Raw::new(FIN | CONTINUATION, "x").wrongly_masked(),
            ],
        ),
    ];
    frames
        .into_iter()
        .map(|(name, wrong)| {
            let frames = [vec![whole("4before")], wrong].concat();
            let name = format!("{name}, masked by a server or not by a client");
            case(name, frames, &[text("4before")], End::Violation(1002))
        })
        .collect()
}

fn limits() -> Vec<Case> {
    let before = || whole("4before");
    let most = vec![b'4'; MAX];
    let (half, other) = most.split_at(MAX / 2);
    let mut cases = Vec::new();
    let fits = String::from_utf8(most.clone()).unwrap_or_default();
    for (name, frames) in [
        ("one frame", vec![whole(&most[..])]),
        ("fragments", fragments(TEXT, &[half, other])),
        (
            "fragments, the last empty",
            fragments(TEXT, &[half, other, b""]),
        ),
    ] {
        let messages = [text("4before"), text(&fits), text("4")];
        let frames = [vec![before()], frames, vec![whole("4")]].concat();
        let name = format!("as much as a message may have, in {name}");
        cases.push(case(name, frames, &messages, End::Open));
    }
    let less = &most[1..];
    let messages = [text("4before"), text(&fits[1..])];
    let name = "a byte less than a message may have".to_owned();
    cases.push(case(
        name,
        vec![before(), whole(less)],
        &messages,
        End::Open,
    ));
    for (name, frames) in [
        ("one frame", vec![whole([&most[..], b"4"].concat())]),
        (
            "its announcement",
            vec![whole("").form(Form::Announced(MAX as u64 + 1))],
        ),
        (
            "the announcement of far more",
            vec![Raw::new(FIN | BINARY, "").form(Form::Announced(1 << 40))],
        ),
        (
            "the announcement of more than there can be",
            vec![Raw::new(FIN | BINARY, "").form(Form::Announced(u64::MAX))],
        ),
        ("fragments", fragments(TEXT, &[half, other, b"4"])),
        (
            "fragments, the last large",
            fragments(BINARY, &[b"4", &most]),
        ),
    ] {
        let frames = [vec![before()], frames].concat();
        let name = format!("more than a message may have, in {name}");
        cases.push(case(name, frames, &[text("4before")], End::Violation(1009)));
    }
    cases
}
