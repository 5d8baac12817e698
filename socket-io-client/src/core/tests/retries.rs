//! Sending until there is an acknowledgement.

use super::*;

fn rig() -> (Rig, Key) {
    let mut rig = Rig::new();
    let socket = rig.socket_with("/", |config| {
        config.retries = Some(Retries {
            retries: 3,
            ack_timeout: SECOND,
        });
    });
    (rig, socket)
}

impl Rig {
    fn repeat(&mut self, key: Key, name: &str, tag: u32) {
        let id = self.core.next_ack_id(key);
        let emission = self.emission(key, name, Some(id), false);
        let taken = self
            .core
            .emit_repeatedly(self.now, key, emission, id, Some(tag));
        taken.expect("there is room");
        self.settle();
    }
}

#[test]
fn packets_are_sent_one_after_the_other() {
    let (mut rig, socket) = rig();
    rig.join(socket);
    for (n, name) in ["a", "b", "c"].into_iter().enumerate() {
        rig.repeat(socket, name, n as u32);
    }
    rig.check_sent(&[r#"420["a"]"#]);
    // Whatever it is, it is an acknowledgement.
    rig.receive(r#"30["foo"]"#);
    rig.check_sent(&[r#"421["b"]"#]);
    rig.receive("31[]");
    rig.check_sent(&[r#"422["c"]"#]);
    rig.receive(r#"32[{"error":1}]"#);
    rig.check(&[
        r#"answer 0:["foo"]"#,
        "answer 1:[]",
        r#"answer 2:[{"error":1}]"#,
    ]);
    assert_eq!(rig.core.deadline(), None);
}

#[test]
fn a_packet_is_given_up_after_so_many_tries_and_the_next_one_has_its_turn() {
    let (mut rig, socket) = rig();
    rig.join(socket);
    rig.repeat(socket, "a", 1);
    rig.repeat(socket, "b", 2);
    for _ in 0..3 {
        rig.check_sent(&[r#"420["a"]"#]);
        rig.wait(SECOND);
    }
    rig.check_sent(&[r#"420["a"]"#]);
    rig.check(&[]);
    rig.wait(SECOND);
    rig.check(&["no answer 1:timeout"]);
    rig.check_sent(&[r#"421["b"]"#]);
}

#[test]
fn packets_wait_for_the_connection() {
    let (mut rig, socket) = rig();
    rig.repeat(socket, "a", 1);
    rig.check_sent(&[]);
    rig.connect(socket);
    rig.opened();
    rig.check_sent(&["40"]);
    rig.receive(r#"0{"sid":"s"}"#);
    rig.check_sent(&[r#"420["a"]"#]);
}

#[test]
fn a_lost_connection_is_a_failed_try() {
    let (mut rig, socket) = rig();
    rig.join(socket);
    rig.repeat(socket, "a", 1);
    for _ in 0..3 {
        rig.closed();
        rig.wait(SECOND);
        rig.opened();
        rig.forget();
        rig.receive(r#"0{"sid":"s"}"#);
        rig.check_sent(&[r#"420["a"]"#]);
    }
    rig.forget();
    rig.closed();
    rig.check(&[
        "/ disconnect:transport close",
        "no answer 1:disconnected",
        "close:transport close",
    ]);
}

#[test]
fn a_late_acknowledgement_of_an_earlier_try_counts_once() {
    let (mut rig, socket) = rig();
    rig.join(socket);
    rig.repeat(socket, "a", 1);
    rig.wait(SECOND);
    rig.forget();
    rig.receive("30[1]");
    rig.receive("30[2]");
    rig.check(&["answer 1:[1]"]);
}

#[test]
fn who_does_not_wait_any_more_has_it_sent_all_the_same() {
    let (mut rig, socket) = rig();
    rig.repeat(socket, "a", 1);
    assert_eq!(rig.core.forget(socket, AckId::new(0)), Some(1));
    rig.connect(socket);
    rig.opened();
    rig.receive(r#"0{"sid":"s"}"#);
    rig.check_sent(&["40", r#"420["a"]"#]);
    rig.forget();
    rig.receive("30[]");
    rig.check(&[]);
    assert_eq!(rig.core.deadline(), None);
}

#[test]
fn what_waits_is_limited_in_bytes() {
    let (mut rig, socket) = rig();
    let mut refused = None;
    for _ in 0..1000 {
        let id = rig.core.next_ack_id(socket);
        let emission = rig.emission(socket, "event", Some(id), false);
        let taken = rig
            .core
            .emit_repeatedly(rig.now, socket, emission, id, None);
        refused = refused.or_else(|| taken.err());
    }
    assert!(matches!(refused, Some(EmitRefused::Full(full)) if full.limit == 1000));
}
