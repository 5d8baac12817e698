//! Messages that replace each other while they wait.

use super::*;

fn key(name: &str) -> LatestKey {
    LatestKey::new(0, name)
}

/// Sends a message of these texts, a frame each.
fn send_latest(session: &mut Session, key: &LatestKey, texts: &[&str]) -> Result<bool, SendError> {
    let frames: Vec<_> = texts.iter().map(|text| Frame::message(text)).collect();
    session.send_latest(key, frames.iter())
}

/// Everything queued as its text: what the transport of the session would carry.
fn rest(session: &mut Session) -> Vec<String> {
    if session.transport() == Transport::WebSocket {
        return frames(session);
    }
    if !session.has_get() {
        session.handle_get().unwrap();
    }
    let body = payload(session).unwrap_or_default();
    body.split_terminator('|').map(Into::into).collect()
}

#[test]
fn a_newer_message_takes_the_place_of_the_one_that_waits() {
    for transport in [Transport::Polling, Transport::WebSocket] {
        let mut session = server(transport);
        assert_eq!(send_latest(&mut session, &key("a"), &["a1"]), Ok(false));
        send(&mut session, "between").unwrap();
        assert_eq!(send_latest(&mut session, &key("b"), &["b1"]), Ok(false));
        assert_eq!(send_latest(&mut session, &key("a"), &["a2"]), Ok(true));
        assert_eq!(send_latest(&mut session, &key("a"), &["a3"]), Ok(true));
        assert_eq!(rest(&mut session), ["4a3", "4between", "4b1"]);
        session.handle_written(MAX);
        assert_eq!(session.buffered(), 0);
        assert_eq!(send_latest(&mut session, &key("a"), &["a4"]), Ok(false));
        assert_eq!(rest(&mut session), ["4a4"]);
        assert_eq!(session.counters().replaced, 2);
    }
}

#[test]
fn keys_of_different_scopes_are_different() {
    let mut session = server(Transport::WebSocket);
    for scope in [1, 2] {
        let key = LatestKey::new(scope, "a");
        let sent = send_latest(&mut session, &key, &[&scope.to_string()]);
        assert_eq!(sent, Ok(false));
    }
    assert_eq!(frames(&mut session), ["41", "42"]);
}

#[test]
fn each_key_has_its_turn_however_often_the_others_change() {
    let mut session = server(Transport::WebSocket);
    let keys = ["a", "b", "c", "d"];
    let mut left = String::new();
    for round in 0..100 {
        for name in keys {
            send_latest(&mut session, &key(name), &[&format!("{name}{round}")]).unwrap();
        }
        let frame = session.poll_frame().unwrap();
        left.push(frame.packet()[1].into());
        assert!(frame.packet().ends_with(round.to_string().as_bytes()));
    }
    assert_eq!(left, "abcd".repeat(25));
}

#[test]
fn the_frames_of_a_message_are_replaced_together() {
    let mut session = server(Transport::WebSocket);
    let a = key("a");
    for (texts, buffered) in [
        (&["header", "one"][..], 9 + 6),
        (&["alone"], 8),
        (&["header", "one", "two", "three"], 9 + 6 + 6 + 8),
    ] {
        send_latest(&mut session, &a, texts).unwrap();
        assert_eq!(session.buffered(), buffered);
    }
    send(&mut session, "behind").unwrap();
    assert_eq!(
        frames(&mut session),
        ["4header", "4one", "4two", "4three", "4behind"]
    );
}

#[test]
fn a_message_that_has_begun_to_leave_stays_whole() {
    let mut session = server(Transport::WebSocket);
    let a = key("a");
    send_latest(&mut session, &a, &["old header", "old"]).unwrap();
    send(&mut session, "between").unwrap();
    assert_eq!(session.poll_frame().unwrap().packet(), b"4old header");
    assert_eq!(send_latest(&mut session, &a, &["header", "new"]), Ok(false));
    assert_eq!(
        frames(&mut session),
        ["4old", "4between", "4header", "4new"]
    );
}

#[test]
fn a_message_of_which_a_part_was_posted_stays_whole() {
    let mut session = client(Transport::Polling);
    let a = key("a");
    send_latest(&mut session, &a, &["old header", "old"]).unwrap();
    assert_eq!(
        limited_payload(&mut session, 12).as_deref(),
        Some("4old header")
    );
    assert_eq!(send_latest(&mut session, &a, &["header", "new"]), Ok(false));
    session.handle_post_done();
    assert_eq!(payload(&mut session).as_deref(), Some("4old|4header|4new"));
    session.handle_post_done();
    assert_eq!(session.buffered(), 0);
}

#[test]
fn it_waits_across_the_upgrade() {
    let mut session = server(Transport::Polling);
    let a = key("a");
    send_latest(&mut session, &a, &["1"]).unwrap();
    session.handle_candidate(at(0));
    receive_on_candidate(&mut session, 0, "2probe");
    assert_eq!(send_latest(&mut session, &a, &["2"]), Ok(true));
    receive_on_candidate(&mut session, 0, "5");
    assert_eq!(send_latest(&mut session, &a, &["3"]), Ok(true));
    assert_eq!(frames(&mut session), ["43"]);
}

#[test]
fn a_slow_peer_of_a_changing_value_does_not_fill_its_outbox() {
    for transport in [Transport::Polling, Transport::WebSocket] {
        let mut session = limited_server(transport, 100);
        for round in 1_000..11_000 {
            for name in ["a", "b", "c"] {
                send_latest(&mut session, &key(name), &[&round.to_string()]).unwrap();
            }
            assert!(session.buffered() <= 3 * 8);
        }
        assert_eq!(rest(&mut session), ["410999"; 3]);
    }
}

#[test]
fn what_does_not_fit_leaves_the_older_message_where_it_is() {
    let mut session = limited_server(Transport::WebSocket, 20);
    let a = key("a");
    send(&mut session, "1234567").unwrap();
    send_latest(&mut session, &a, &["12345"]).unwrap();
    let full = SendError::Full {
        buffered: 18,
        limit: 20,
    };
    assert_eq!(send_latest(&mut session, &a, &["12345678"]), Err(full));
    assert_eq!(send_latest(&mut session, &key("b"), &[""]), Err(full));
    assert_eq!(send_latest(&mut session, &a, &["1234567"]), Ok(true));
    assert_eq!(session.buffered(), 20);
    // Beyond the limit, as short as the older one is short enough.
    session
        .send_reserved([Frame::message("bye")].iter())
        .unwrap();
    assert_eq!(send_latest(&mut session, &a, &["7654321"]), Ok(true));
    assert_eq!(frames(&mut session), ["41234567", "47654321", "4bye"]);
}

#[test]
fn an_end_forgets_what_waits() {
    let mut session = server(Transport::WebSocket);
    send_latest(&mut session, &key("a"), &["1"]).unwrap();
    session.abort();
    let sent = send_latest(&mut session, &key("a"), &["2"]);
    assert_eq!(sent, Err(SendError::Closed));
    assert_eq!(session.drained(), Some(Err(CloseReason::ForcedClose)));
    assert_eq!(session.poll_frame(), None);
}

/// Against a list of messages that is searched from the front.
#[test]
fn any_mix_leaves_as_in_a_simple_list() {
    struct Waiting {
        key: Option<LatestKey>,
        frames: Vec<Frame>,
    }
    let size = |frames: &[Frame]| frames.iter().map(Frame::len).sum::<usize>();
    let mut replacements = 0;
    for seed in 0..500 {
        let _on_failure = OnFailure(seed);
        let mut random = Random::new(seed);
        let mut session = limited_server(Transport::WebSocket, 400);
        let mut list: Vec<Waiting> = Vec::new();
        let mut writing = 0;
        for step in 0..300 {
            let buffered = session.buffered();
            if random.chance(35) {
                let popped = session.poll_frame();
                let expected = list.first_mut().map(|first| {
                    first.key = None;
                    first.frames.remove(0)
                });
                list.retain(|waiting| !waiting.frames.is_empty());
                writing += popped.as_ref().map_or(0, Frame::len);
                assert_eq!(popped, expected);
            } else if random.chance(20) {
                let written = random.below(writing as u64 + 1) as usize;
                session.handle_written(written);
                writing -= written;
            } else {
                let frames: Vec<_> = (0..1 + random.below(3))
                    .map(|_| {
                        let padding = "x".repeat(random.below(30) as usize);
                        Frame::message(&format!("{step}{padding}"))
                    })
                    .collect();
                let key = random
                    .chance(60)
                    .then(|| LatestKey::new(random.below(3), "k"));
                let older = key
                    .as_ref()
                    .and_then(|key| list.iter_mut().find(|old| old.key.as_ref() == Some(key)));
                let older_size = older.as_ref().map_or(0, |older| size(&older.frames));
                let others = buffered - older_size;
                let fits = others == 0
                    || others + size(&frames) <= 400
                    || older.is_some() && size(&frames) <= older_size;
                let sent = match &key {
                    Some(key) => session.send_latest(key, frames.iter()),
                    None => session.send(frames.iter()).map(|()| false),
                };
                if !fits {
                    let limit = 400;
                    assert_eq!(sent, Err(SendError::Full { buffered, limit }));
                } else {
                    assert_eq!(sent, Ok(older.is_some()));
                    match older {
                        Some(older) => {
                            replacements += 1;
                            older.frames = frames;
                        }
                        None => list.push(Waiting { key, frames }),
                    }
                }
            }
            let queued: usize = list.iter().map(|waiting| size(&waiting.frames)).sum();
            assert_eq!(session.buffered(), queued + writing);
        }
    }
    assert!(replacements > 5_000, "{replacements}");
}
