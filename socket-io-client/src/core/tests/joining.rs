//! Credentials, the server's answer, recovery.

use super::*;

#[test]
fn a_second_wish_to_connect_sends_nothing() {
    let mut rig = Rig::new();
    let socket = rig.socket("/");
    rig.connect(socket);
    rig.connect(socket);
    rig.opened();
    rig.connect(socket);
    rig.check_sent(&["40"]);
    rig.receive(r#"0{"sid":"a"}"#);
    rig.connect(socket);
    rig.receive(r#"0{"sid":"b"}"#);
    rig.check_sent(&[]);
    rig.check(&["open engine:0", "open", "/ connect:a:false"]);
}

#[test]
fn credentials_are_asked_for_each_time() {
    let mut rig = Rig::new();
    let socket = rig.socket("/");
    rig.auth = Some(r#"{"token":1}"#);
    rig.connect(socket);
    rig.opened();
    rig.check_sent(&[r#"40{"token":1}"#]);
    rig.receive(r#"0{"sid":"a"}"#);
    rig.closed();
    rig.auth = Some(r#"{"token":2}"#);
    rig.wait(SECOND);
    rig.opened();
    rig.check_sent(&[r#"40{"token":2}"#]);
}

#[test]
fn credentials_that_come_too_late_are_not_used() {
    let mut rig = Rig::new();
    let socket = rig.socket("/");
    rig.connect(socket);
    rig.core.handle_opened();
    let epoch = rig.core.sockets[socket.0].epoch;
    rig.core.disconnect(socket);
    rig.core.handle_auth(rig.now, 0.0, socket, epoch, Ok(None));
    rig.core.connect(rig.now, socket);
    rig.core.handle_opened();
    rig.core.handle_auth(rig.now, 0.0, socket, epoch, Ok(None));
    assert!(rig.core.poll_send().is_none());
    assert_eq!(rig.core.phase(socket), Phase::Authorizing);
}

#[test]
fn credentials_that_cannot_be_had_are_asked_for_again() {
    let mut rig = Rig::new();
    rig.joined("/foo");
    let socket = rig.socket("/");
    rig.auth = Some("[1]");
    rig.connect(socket);
    rig.check(&[r#"/ connect_error:credentials have to be an object, such as {"token":"x"}"#]);
    rig.auth = Some("{}");
    rig.wait(SECOND);
    rig.check_sent(&["40{}"]);
    assert!(rig.core.is_open());
}

#[test]
fn a_server_that_owes_the_answer_gets_another_connection() {
    let mut rig = Rig::new();
    rig.joined("/foo");
    let socket = rig.socket("/");
    rig.connect(socket);
    rig.forget();
    rig.wait(45 * SECOND);
    let reason = "disconnect:transport error";
    rig.check(&[
        "/ connect_error:timeout",
        "close engine",
        &format!("/foo {reason}"),
        "close:transport error",
    ]);
    rig.wait(SECOND);
    rig.opened();
    rig.check_sent(&["40/foo,", "40"]);
}

#[test]
fn a_confirmation_without_an_id_is_none() {
    let mut rig = Rig::new();
    let socket = rig.socket("/");
    for answer in ["0", "0{}", r#"0{"sid":null}"#, r#"0{"sid":""}"#] {
        rig.connect(socket);
        rig.opened();
        rig.forget();
        rig.receive(answer);
        rig.check(&[
            "close engine",
            "close:forced close",
            "/ connect_error:no id",
        ]);
    }
}

#[test]
fn a_confirmation_without_an_id_may_come_before_it_was_asked_for() {
    let mut rig = Rig::new();
    let socket = rig.socket("/");
    rig.connect(socket);
    rig.forget();
    rig.core.handle_opened();
    rig.receive("0");
    rig.check(&[
        "open",
        "close engine",
        "close:forced close",
        "/ connect_error:no id",
    ]);
    rig.check_sent(&[]);
}

#[test]
fn a_refusal_may_be_a_bare_message() {
    let mut rig = Rig::new();
    rig.joined("/foo");
    let socket = rig.socket("/");
    rig.connect(socket);
    rig.receive(r#"4"no""#);
    rig.check(&["/ refused:no:None"]);
    // One that was not asked for is none.
    rig.receive(r#"4/foo,{"message":"no"}"#);
    rig.receive(r#"4{"message":"no"}"#);
    rig.check(&[]);
}

#[test]
fn who_leaves_before_the_answer_is_not_in_the_namespace_afterwards() {
    let mut rig = Rig::new();
    rig.joined("/foo");
    let socket = rig.socket("/");
    rig.connect(socket);
    rig.core.disconnect(socket);
    rig.check_sent(&["40"]);
    rig.receive(r#"0{"sid":"a"}"#);
    rig.check_sent(&["41"]);
    // The same for one that is not there any more.
    rig.connect(socket);
    rig.core.remove(socket);
    rig.check_sent(&["40"]);
    rig.receive(r#"0{"sid":"b"}"#);
    rig.check_sent(&["41"]);
    // One who has been refused has not joined.
    rig.receive(r#"4{"message":"no"}"#);
    rig.check_sent(&[]);
    rig.check(&[]);
    assert!(rig.core.is_open());
}

#[test]
fn sockets_join_in_the_order_in_which_they_were_told_to() {
    let mut rig = Rig::new();
    let first = rig.joined("/");
    rig.joined("/foo");
    rig.core.disconnect(first);
    rig.join(first);
    rig.closed();
    rig.check(&[
        "/foo disconnect:transport close",
        "/ disconnect:transport close",
        "close:transport close",
    ]);
    rig.wait(SECOND);
    rig.opened();
    rig.check_sent(&["40/foo,", "40"]);
}

#[test]
fn who_has_not_joined_is_told_what_broke_the_connection() {
    let mut rig = Rig::new();
    rig.joined("/foo");
    let socket = rig.socket("/");
    rig.connect(socket);
    rig.forget();
    let reason = DisconnectReason::TransportError;
    rig.core
        .handle_closed(rig.now, rig.random, reason, Some("400"));
    rig.check(&[
        "/ connect_error",
        "/foo disconnect:transport error",
        "/ disconnect:transport error",
        "close:transport error",
    ]);
}

#[test]
fn the_connection_is_lost_before_the_answer() {
    let mut rig = Rig::new();
    let socket = rig.socket("/");
    rig.connect(socket);
    rig.opened();
    rig.forget();
    rig.closed();
    rig.check(&["/ disconnect:transport close", "close:transport close"]);
}

#[test]
fn a_recovered_connection_continues_where_it_was() {
    let mut rig = Rig::new();
    let socket = rig.socket("/");
    rig.auth = Some(r#"{"token":1}"#);
    rig.connect(socket);
    rig.opened();
    rig.receive(r#"0{"sid":"a","pid":"p"}"#);
    rig.receive(r#"2["x",1,"o1"]"#);
    rig.receive(r#"2["y",2]"#);
    rig.closed();
    rig.wait(SECOND);
    rig.forget();
    rig.opened();
    rig.check_sent(&[r#"40{"token":1,"pid":"p","offset":"o1"}"#]);
    rig.receive(r#"2["missed","o2"]"#);
    rig.check(&["open", "reconnect:1"]);
    rig.receive(r#"0{"sid":"a","pid":"p"}"#);
    rig.check(&[r#"/ event:missed["o2"]"#, "/ connect:a:true"]);
    assert!(rig.core.recovered(socket));
    // A server that has forgotten begins anew.
    rig.closed();
    rig.wait(SECOND);
    rig.opened();
    rig.check_sent(&[r#"40{"token":1,"pid":"p","offset":"o2"}"#]);
    rig.receive(r#"0{"sid":"b","pid":"q"}"#);
    rig.closed();
    rig.wait(SECOND);
    rig.forget();
    rig.opened();
    rig.check_sent(&[r#"40{"token":1,"pid":"q"}"#]);
    assert!(!rig.core.recovered(socket));
}

#[test]
fn credentials_of_these_names_win() {
    let mut rig = Rig::new();
    let socket = rig.socket("/");
    rig.auth = Some(r#"{"pid":"mine"}"#);
    rig.connect(socket);
    rig.opened();
    rig.receive(r#"0{"sid":"a","pid":"p"}"#);
    rig.receive(r#"2["x","o1"]"#);
    rig.closed();
    rig.wait(SECOND);
    rig.forget();
    rig.opened();
    rig.check_sent(&[r#"40{"pid":"mine","offset":"o1"}"#]);
}

#[test]
fn a_server_without_recovery_gives_strings_no_meaning() {
    let mut rig = Rig::new();
    rig.joined("/");
    rig.receive(r#"2["x","text"]"#);
    rig.closed();
    rig.wait(SECOND);
    rig.forget();
    rig.opened();
    rig.check_sent(&["40"]);
}

#[test]
fn events_before_the_confirmation_are_limited() {
    let mut rig = Rig::new();
    let socket = rig.socket("/");
    rig.connect(socket);
    rig.opened();
    rig.forget();
    for _ in 0..3 {
        rig.receive(r#"2["x"]"#);
    }
    rig.check(&[]);
    rig.receive(r#"2["x"]"#);
    rig.check(&[
        "close engine",
        "/ disconnect:parse error",
        "close:parse error",
    ]);
    // They belonged to the connection that is gone.
    rig.wait(SECOND);
    rig.opened();
    rig.forget();
    rig.receive(r#"0{"sid":"a"}"#);
    rig.check(&["/ connect:a:false"]);
}

#[test]
fn what_is_for_nobody_is_ignored() {
    let mut rig = Rig::new();
    let socket = rig.joined("/");
    for packet in [
        r#"2/other,["x"]"#,
        "1/other,",
        r#"0/other,{"sid":"x"}"#,
        "37[]",
        "2",
    ] {
        rig.receive(packet);
    }
    rig.check(&[]);
    rig.core.disconnect(socket);
    rig.forget();
    rig.receive(r#"2["late"]"#);
    rig.check(&[]);
}

#[test]
fn a_socket_that_nobody_holds_is_forgotten() {
    let mut rig = Rig::new();
    let socket = rig.joined("/");
    let foo = rig.joined("/foo");
    rig.emit(foo, "x", Some(7)).expect("it is sent");
    rig.forget();
    rig.core.remove(foo);
    rig.settle();
    assert_eq!(rig.sent, ["41/foo,"]);
    assert!(rig.core.find("/foo").is_none() && rig.core.find("/") == Some(socket));
    rig.receive(r#"2/foo,["late"]"#);
    rig.core.remove(socket);
    assert!(rig.core.is_closed());
}
