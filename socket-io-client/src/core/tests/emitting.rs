//! What is sent when, and what is answered.

use super::*;

#[test]
fn what_is_emitted_before_joining_follows_what_was_missed_and_precedes_connect() {
    let mut rig = Rig::new();
    let socket = rig.socket("/");
    rig.emit(socket, "a", None).expect("it waits");
    rig.connect(socket);
    rig.opened();
    rig.emit(socket, "b", None).expect("it waits");
    rig.check_sent(&["40"]);
    rig.receive(r#"2["early"]"#);
    rig.forget();
    rig.receive(r#"0{"sid":"s"}"#);
    rig.check_sent(&[r#"42["a"]"#, r#"42["b"]"#]);
    rig.check(&["/ event:early[]", "/ connect:s:false"]);
    rig.emit(socket, "c", None).expect("it is sent");
    rig.check_sent(&[r#"42["c"]"#]);
}

#[test]
fn what_waits_is_limited_in_bytes() {
    let mut rig = Rig::new();
    let socket = rig.socket_with("/", |config| config.send_buffer = 20);
    // Longer than allowed, but the first.
    rig.emit(socket, "a long name of an event", Some(1))
        .expect("it waits");
    let full = rig.emit(socket, "b", Some(2));
    assert!(matches!(full, Err(EmitRefused::Full(full)) if full.limit == 20));
    rig.join(socket);
    rig.forget();
    assert_eq!(rig.core.buffered(socket), 0);
    rig.receive("31[]");
    rig.receive("30[]");
    rig.check(&["answer 1:[]"]);
}

#[test]
fn a_connection_that_seems_dead_is_not_written_to() {
    let mut rig = Rig::new();
    let socket = rig.joined("/");
    let emission = rig.emission(socket, "x", None, false);
    let emitted = rig.core.emit(socket, false, emission, None);
    assert!(matches!(emitted, Ok(Emitted::Later)));
    rig.check_sent(&[]);
    rig.closed();
    rig.join(socket);
}

#[test]
fn what_follows_a_buffered_event_is_buffered_too() {
    let mut rig = Rig::new();
    let socket = rig.joined("/");
    let emission = rig.emission(socket, "x", None, false);
    rig.core
        .emit(socket, false, emission, None)
        .expect("it waits");
    rig.emit(socket, "y", None).expect("it waits");
    rig.check_sent(&[]);
    rig.closed();
    rig.wait(SECOND);
    rig.opened();
    rig.forget();
    rig.receive(r#"0{"sid":"s"}"#);
    rig.check_sent(&[r#"42["x"]"#, r#"42["y"]"#]);
}

#[test]
fn acknowledgements_find_their_events() {
    let mut rig = Rig::new();
    let socket = rig.joined("/");
    rig.emit(socket, "x", Some(10)).expect("it is sent");
    rig.emit(socket, "y", Some(11)).expect("it is sent");
    rig.check_sent(&[r#"420["x"]"#, r#"421["y"]"#]);
    rig.receive("31[2]");
    rig.receive("31[3]");
    rig.receive("3[4]");
    rig.receive("39[4]");
    rig.receive("30[]");
    rig.check(&["answer 11:[2]", "answer 10:[]"]);
}

#[test]
fn at_the_end_of_a_connection_only_what_was_sent_is_not_answered() {
    let mut rig = Rig::new();
    let socket = rig.joined("/");
    rig.emit(socket, "sent", Some(1)).expect("it is sent");
    rig.closed();
    rig.check(&[
        "/ disconnect:transport close",
        "no answer 1:disconnected",
        "close:transport close",
    ]);
    rig.emit(socket, "buffered", Some(2)).expect("it waits");
    rig.wait(SECOND);
    rig.failed();
    rig.wait(2 * SECOND);
    rig.opened();
    rig.forget();
    rig.receive(r#"0{"sid":"s"}"#);
    rig.check_sent(&[r#"421["buffered"]"#]);
    rig.receive(r#"31["ok"]"#);
    rig.check(&["/ connect:s:false", r#"answer 2:["ok"]"#]);
}

#[test]
fn who_gives_up_takes_back_what_was_not_sent() {
    let mut rig = Rig::new();
    let socket = rig.socket("/");
    rig.emit(socket, "x", Some(1)).expect("it waits");
    assert_eq!(rig.core.forget(socket, AckId::new(0)), Some(1));
    assert_eq!(rig.core.forget(socket, AckId::new(0)), None);
    assert_eq!(rig.core.buffered(socket), 0);
    rig.join(socket);
    rig.emit(socket, "y", Some(2)).expect("it is sent");
    assert_eq!(rig.core.forget(socket, AckId::new(1)), Some(2));
    rig.receive("31[]");
    rig.check(&[]);
}

#[test]
fn acknowledgements_are_limited() {
    let mut rig = Rig::new();
    let socket = rig.socket_with("/", |config| config.max_acks = 1);
    rig.join(socket);
    rig.emit(socket, "x", Some(1)).expect("it is sent");
    assert_eq!(
        rig.emit(socket, "y", Some(2)),
        Err(EmitRefused::TooManyAcks(1))
    );
}

#[test]
fn who_watches_sees_events_when_they_leave() {
    let mut rig = Rig::new();
    let socket = rig.socket("/");
    let emission = rig.emission(socket, "x", None, true);
    rig.core
        .emit(socket, true, emission, None)
        .expect("it waits");
    rig.check(&[]);
    rig.connect(socket);
    rig.opened();
    rig.forget();
    rig.receive(r#"0{"sid":"s"}"#);
    rig.check(&["/ sent:x", "/ connect:s:false"]);
    let emission = rig.emission(socket, "y", None, true);
    rig.core
        .emit(socket, true, emission, None)
        .expect("it is sent");
    rig.check(&["/ sent:y"]);
}

#[test]
fn an_answer_is_bound_to_its_connection() {
    let mut rig = Rig::new();
    let socket = rig.joined("/");
    let epoch = rig.core.sockets[socket.0].epoch;
    assert!(rig.core.is_current(socket, epoch));
    rig.closed();
    assert!(!rig.core.is_current(socket, epoch));
    rig.wait(SECOND);
    rig.opened();
    assert!(!rig.core.is_current(socket, epoch));
    rig.receive(r#"0{"sid":"s"}"#);
    assert!(!rig.core.is_current(socket, epoch));
}
