//! Events that are kept for ever, and going on where an earlier run of the program has stopped.

use super::*;

fn rig(retries: Option<Retries>) -> (Rig, Key) {
    let mut rig = Rig::new();
    let socket = rig.socket_with("/", |config| {
        config.keeps = true;
        config.retries = retries;
    });
    (rig, socket)
}

fn restless() -> Option<Retries> {
    Some(Retries {
        retries: 1,
        ack_timeout: SECOND,
    })
}

impl Rig {
    fn keep(&mut self, key: Key, name: &str, tag: u32) -> AckId {
        let id = self.core.next_ack_id(key);
        let emission = self.emission(key, name, Some(id), false);
        self.core.keep(self.now, key, emission, id, tag);
        self.settle();
        id
    }
}

#[test]
fn a_kept_event_is_sent_until_it_is_acknowledged() {
    let (mut rig, socket) = rig(None);
    let id = rig.keep(socket, "a", 1);
    rig.keep(socket, "b", 2);
    rig.join(socket);
    for tries in 1..=100 {
        assert_eq!(rig.core.tries(socket, id), tries);
        rig.wait(10 * SECOND);
        rig.check_sent(&[r#"420["a"]"#]);
    }
    for _ in 0..20 {
        rig.closed();
        let pause = rig.core.deadline().expect("it reconnects") - rig.now;
        rig.wait(pause);
        rig.opened();
        rig.forget();
        rig.receive(r#"0{"sid":"s"}"#);
        rig.check_sent(&[r#"420["a"]"#]);
    }
    rig.forget();
    rig.receive(r#"30["receipt"]"#);
    rig.check(&[r#"answer 1:["receipt"]"#]);
    rig.check_sent(&[r#"421["b"]"#]);
}

#[test]
fn kept_and_repeated_events_stand_in_one_line() {
    let (mut rig, socket) = rig(restless());
    rig.join(socket);
    rig.keep(socket, "a", 1);
    let id = rig.core.next_ack_id(socket);
    let emission = rig.emission(socket, "b", Some(id), false);
    let now = rig.now;
    let taken = rig.core.emit_repeatedly(now, socket, emission, id, Some(2));
    taken.expect("there is room");
    rig.keep(socket, "c", 3);
    rig.check_sent(&[r#"420["a"]"#]);
    rig.receive("30[]");
    rig.check_sent(&[r#"421["b"]"#]);
    rig.wait(SECOND);
    rig.wait(SECOND);
    rig.check_sent(&[r#"421["b"]"#, r#"422["c"]"#]);
    for _ in 0..5 {
        rig.wait(SECOND);
    }
    rig.check(&["answer 1:[]", "no answer 2:timeout"]);
}

#[test]
fn kept_events_do_not_count_in_the_buffer_of_the_others() {
    let (mut rig, socket) = rig(restless());
    for tag in 0..100 {
        rig.keep(socket, "a long name of an event", tag);
    }
    let id = rig.core.next_ack_id(socket);
    let emission = rig.emission(socket, "other", Some(id), false);
    let now = rig.now;
    let taken = rig.core.emit_repeatedly(now, socket, emission, id, None);
    assert_eq!(taken, Ok(()));
}

#[test]
fn an_event_that_is_withdrawn_makes_way_for_the_next_one() {
    let (mut rig, socket) = rig(None);
    let ids = ["a", "b", "c"].map(|name| rig.keep(socket, name, 0));
    rig.join(socket);
    rig.forget();
    assert_eq!(rig.core.withdraw(rig.now, socket, ids[1]), Some(0));
    rig.check_sent(&[]);
    assert_eq!(rig.core.withdraw(rig.now, socket, ids[0]), Some(0));
    rig.check_sent(&[r#"422["c"]"#]);
    assert_eq!(rig.core.withdraw(rig.now, socket, ids[0]), None);
    // A late acknowledgement of what was withdrawn is nobody's.
    rig.receive("30[]");
    rig.check(&[]);
    rig.wait(10 * SECOND);
}

#[test]
fn a_socket_that_is_gone_leaves_its_kept_events_unanswered() {
    let (mut rig, socket) = rig(None);
    rig.keep(socket, "a", 1);
    rig.core.remove(socket);
    rig.check(&["no answer 1:disconnected"]);
}

fn catching_up(config: &mut SocketConfig) {
    let rule = |event: &'static str, argument| Rule {
        event: Text::from_static(event),
        argument,
        name: "seen".into(),
    };
    config.catch_up = Some(Box::new(CatchUp {
        rules: vec![rule("message", 1), rule("edit", 0)],
        ..CatchUp::default()
    }));
}

#[test]
fn a_socket_goes_on_where_an_earlier_run_has_stopped() {
    let mut rig = Rig::new();
    let socket = rig.socket_with("/", catching_up);
    let recovery = Recovery {
        pid: "p".into(),
        offset: Some("o".into()),
    };
    let marks = [
        ("seen".to_owned(), 7.into()),
        ("other".to_owned(), 1.into()),
    ];
    rig.core.restore(socket, Some(recovery), marks.into(), 5);
    assert_eq!(rig.core.next_ack_id(socket), AckId::new(5));
    rig.connect(socket);
    rig.opened();
    // Marks that nobody counts any more are not shown.
    rig.check_sent(&[r#"40{"pid":"p","offset":"o","seen":7}"#]);
    rig.forget();
    rig.receive(r#"2["message","x",8,"o2"]"#);
    rig.receive(r#"0{"sid":"s","pid":"p"}"#);
    rig.check(&[r#"/ event:message["x",8,"o2"]"#, "/ connect:s:true"]);
    rig.closed();
    rig.wait(SECOND);
    rig.opened();
    rig.check_sent(&[r#"40{"pid":"p","offset":"o2","seen":8}"#]);
}

#[test]
fn the_server_is_told_how_far_its_events_were_read() {
    let mut rig = Rig::new();
    rig.auth = Some(r#"{"token":"t"}"#);
    let socket = rig.socket_with("/", catching_up);
    rig.join(socket);
    for event in [
        r#"2["message","x",8]"#,
        r#"2["edit","9"]"#,
        // None of these says anything.
        r#"2["message","x"]"#,
        r#"2["message","x",{"n":10}]"#,
        r#"2["message","x",null]"#,
        r#"2["other","x",10]"#,
    ] {
        rig.receive(event);
    }
    rig.closed();
    rig.wait(SECOND);
    rig.opened();
    rig.check_sent(&[r#"40{"token":"t","seen":"9"}"#]);
}

#[test]
fn credentials_of_the_users_own_take_precedence() {
    let mut rig = Rig::new();
    rig.auth = Some(r#"{"seen":0}"#);
    let socket = rig.socket_with("/", catching_up);
    rig.join(socket);
    rig.receive(r#"2["edit",9]"#);
    rig.closed();
    rig.wait(SECOND);
    rig.opened();
    rig.check_sent(&[r#"40{"seen":0}"#]);
}
