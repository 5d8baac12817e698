//! The order of events that the reference was observed to have, and the ends of reconnecting.

use super::*;

#[test]
fn an_unreachable_server() {
    let mut rig = Rig::with(|config| config.reconnect.attempts = Some(2));
    let socket = rig.socket("/");
    rig.connect(socket);
    rig.check(&["open engine:0"]);
    rig.failed();
    rig.check(&["/ connect_error", "error"]);
    rig.wait(SECOND);
    rig.check(&["reconnect_attempt:1", "open engine:1"]);
    rig.failed();
    rig.check(&["/ connect_error", "error", "reconnect_error"]);
    rig.wait(2 * SECOND);
    rig.check(&["reconnect_attempt:2", "open engine:2"]);
    rig.failed();
    rig.check(&[
        "/ connect_error",
        "error",
        "reconnect_failed",
        "reconnect_error",
    ]);
    assert_eq!(rig.core.deadline(), None);
    // It begins anew when it is asked to.
    rig.core.open(rig.now, true);
    rig.check(&["open engine:0"]);
}

#[test]
fn a_lost_connection_with_two_namespaces() {
    let mut rig = Rig::new();
    rig.joined("/");
    rig.joined("/foo");
    rig.closed();
    rig.check(&[
        "/ disconnect:transport close",
        "/foo disconnect:transport close",
        "close:transport close",
    ]);
    rig.wait(SECOND);
    rig.check(&["reconnect_attempt:1", "open engine:1"]);
    rig.opened();
    rig.check(&["open", "reconnect:1"]);
    rig.check_sent(&["40", "40/foo,"]);
    rig.receive(r#"0{"sid":"s2"}"#);
    rig.receive(r#"0/foo,{"sid":"f2"}"#);
    rig.check(&["/ connect:s2:false", "/foo connect:f2:false"]);
}

#[test]
fn the_server_makes_one_of_two_leave() {
    let mut rig = Rig::new();
    let socket = rig.joined("/");
    rig.joined("/foo");
    rig.receive("1");
    rig.check(&["/ disconnect:io server disconnect"]);
    assert!(rig.core.is_open() && rig.core.phase(socket) == Phase::Inactive);
}

#[test]
fn the_server_makes_the_last_one_leave() {
    let mut rig = Rig::new();
    rig.joined("/");
    rig.receive("1");
    rig.check(&[
        "close engine",
        "close:forced close",
        "/ disconnect:io server disconnect",
    ]);
    assert_eq!(rig.core.deadline(), None);
}

#[test]
fn the_last_one_leaves() {
    let mut rig = Rig::new();
    let socket = rig.joined("/");
    let foo = rig.joined("/foo");
    rig.core.disconnect(socket);
    rig.check_sent(&["41"]);
    rig.check(&["/ disconnect:io client disconnect"]);
    rig.core.disconnect(foo);
    rig.check_sent(&["41/foo,"]);
    rig.check(&[
        "close engine",
        "close:forced close",
        "/foo disconnect:io client disconnect",
    ]);
    assert!(rig.core.is_closed());
    // It is no news that it has left.
    rig.core.disconnect(foo);
    rig.check(&[]);
}

#[test]
fn the_server_refuses_the_last_one() {
    let mut rig = Rig::new();
    let socket = rig.socket("/");
    rig.connect(socket);
    rig.opened();
    rig.forget();
    rig.receive(r#"4{"message":"no","data":7}"#);
    rig.check(&[
        "close engine",
        "close:forced close",
        "/ refused:no:Some(Number(7))",
    ]);
    assert_eq!(rig.core.phase(socket), Phase::Inactive);
}

#[test]
fn leaving_while_the_connection_is_being_made() {
    let mut rig = Rig::new();
    let socket = rig.socket("/");
    rig.connect(socket);
    rig.forget();
    rig.core.disconnect(socket);
    rig.check(&["close engine", "close:forced close"]);
    // What was under way does not matter any more.
    rig.opened();
    rig.failed();
    rig.check(&[]);
    assert!(rig.core.is_closed() && rig.core.deadline().is_none());
}

#[test]
fn leaving_during_a_wait_ends_it() {
    let mut rig = Rig::new();
    let socket = rig.joined("/");
    rig.closed();
    rig.forget();
    rig.core.disconnect(socket);
    rig.check(&["close:forced close"]);
    assert_eq!(rig.core.deadline(), None);
    rig.connect(socket);
    rig.check(&["open engine:0"]);
}

#[test]
fn no_more_reconnecting_during_a_wait_ends_it_and_a_connection_can_be_asked_for() {
    let mut rig = Rig::new();
    let socket = rig.joined("/");
    rig.closed();
    rig.forget();
    let mut config = rig.core.reconnect_config().clone();
    config.enabled = false;
    rig.core.set_reconnect(config);
    assert_eq!(rig.core.deadline(), None);
    rig.core.open(rig.now, true);
    rig.check(&["open engine:0"]);
    rig.opened();
    rig.receive(r#"0{"sid":"s2"}"#);
    rig.check(&["open", "/ connect:s2:false"]);
    rig.closed();
    rig.check(&["/ disconnect:transport close", "close:transport close"]);
    assert_eq!(
        (rig.core.deadline(), rig.core.phase(socket)),
        (None, Phase::Waiting)
    );
}

#[test]
fn a_connection_that_is_not_made_in_time_has_failed() {
    let mut rig = Rig::new();
    let socket = rig.socket("/");
    rig.connect(socket);
    rig.forget();
    rig.wait(20 * SECOND);
    rig.check(&["close engine", "/ connect_error", "error"]);
    rig.wait(SECOND);
    rig.check(&["reconnect_attempt:1", "open engine:1"]);
}

#[test]
fn a_failure_of_what_was_asked_for_by_hand_is_not_retried() {
    let mut rig = Rig::new();
    rig.core.open(rig.now, false);
    rig.failed();
    rig.check(&["open engine:0", "error"]);
    assert_eq!(rig.core.deadline(), None);
}

#[test]
fn what_is_no_socket_io_ends_the_connection_and_it_is_made_again() {
    let mut rig = Rig::new();
    rig.joined("/");
    rig.core.handle_parse_error(rig.now, rig.random);
    rig.check(&[
        "close engine",
        "/ disconnect:parse error",
        "close:parse error",
    ]);
    rig.wait(SECOND);
    rig.check(&["reconnect_attempt:1", "open engine:1"]);
    rig.opened();
    rig.receive(r#"0{"sid":"s"}"#);
    rig.forget();
    // Arguments are checked before anybody sees them.
    rig.receive(r#"2["x",}]"#);
    rig.check(&[
        "close engine",
        "/ disconnect:parse error",
        "close:parse error",
    ]);
}

#[test]
fn an_outage_of_hours_is_tried_every_few_seconds() {
    let mut rig = Rig::with(|config| config.reconnect.jitter = Jitter::Factor(0.5));
    let socket = rig.joined("/");
    rig.closed();
    for attempt in 1..=1200_u32 {
        rig.forget();
        rig.random = f64::from(attempt % 97) / 97.0;
        let wait = rig.core.deadline().expect("it goes on") - rig.now;
        let least = (SECOND / 2 * 2_u32.saturating_pow(attempt.min(9) - 1)).min(5 * SECOND / 2);
        assert!(
            wait >= least && wait <= 5 * SECOND,
            "{wait:?} before attempt {attempt}"
        );
        rig.wait(wait);
        rig.settle();
        assert_eq!(rig.trace[0], format!("reconnect_attempt:{attempt}"));
        rig.failed();
    }
    rig.forget();
    let wait = rig.core.deadline().expect("it goes on") - rig.now;
    rig.wait(wait);
    rig.opened();
    rig.check(&[
        "reconnect_attempt:1201",
        "open engine:1201",
        "open",
        "reconnect:1201",
    ]);
    assert_eq!(
        rig.core.phase(socket),
        Phase::Connecting(Some(rig.now + 45 * SECOND))
    );
    // The next outage begins with the first wait.
    rig.random = 0.0;
    rig.closed();
    rig.forget();
    rig.wait(SECOND);
}

#[test]
fn closing_the_manager_ends_every_socket() {
    let mut rig = Rig::new();
    let socket = rig.joined("/");
    rig.core.close();
    rig.check(&[
        "close engine",
        "/ disconnect:forced close",
        "close:forced close",
    ]);
    assert_eq!(
        (rig.core.phase(socket), rig.core.deadline()),
        (Phase::Inactive, None)
    );
    rig.join(socket);
    rig.closed();
    rig.forget();
    rig.core.close();
    rig.check(&["close:forced close"]);
    assert_eq!(rig.core.deadline(), None);
}

#[test]
fn no_time_is_too_long_to_wait() {
    let forever = Duration::MAX;
    let mut rig = Rig::with(|config| {
        config.connect_timeout = Some(forever);
        (config.reconnect.delay, config.reconnect.delay_max) = (forever, forever);
    });
    let socket = rig.socket_with("/", |config| {
        config.join_timeout = Some(forever);
        config.retries = Some(Retries {
            retries: 1,
            ack_timeout: forever,
        });
    });
    let years = |rig: &mut Rig| {
        rig.settle();
        let deadline = rig.core.deadline().expect("something is due");
        assert!(deadline - rig.now > 1000 * 3600 * SECOND);
    };
    rig.connect(socket);
    years(&mut rig);
    rig.opened();
    years(&mut rig);
    rig.receive(r#"0{"sid":"s"}"#);
    let id = rig.core.next_ack_id(socket);
    let emission = rig.emission(socket, "a", Some(id), false);
    let emitted = rig
        .core
        .emit_repeatedly(rig.now, socket, emission, id, None);
    assert_eq!(emitted, Ok(()));
    years(&mut rig);
    rig.closed();
    years(&mut rig);
}
