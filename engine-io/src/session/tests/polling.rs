//! The GET and the POST: one of each at a time.

use super::*;

#[test]
fn a_parked_get_waits_until_something_is_sent() {
    let mut session = parked_server();
    send(&mut session, "hi").unwrap();
    assert_eq!(payload(&mut session), Some("4hi".into()));
    send(&mut session, "there").unwrap();
    assert_eq!(payload(&mut session), None, "the GET is answered already");
}

#[test]
fn a_get_is_answered_at_once_with_all_that_is_queued() {
    let mut session = server(Transport::Polling);
    send(&mut session, "a").unwrap();
    session.send([Frame::binary(b"hi")].iter()).unwrap();
    send(&mut session, "c").unwrap();
    session.handle_get().unwrap();
    assert_eq!(payload(&mut session), Some("4a|baGk=|4c".into()));
    assert_eq!(session.buffered(), 0);
}

#[test]
fn a_second_get_closes_the_session_and_the_first_learns_it() {
    let mut session = parked_server();
    assert_eq!(session.handle_get(), Err(Overlap));
    check_closed(&mut session, CloseReason::TransportError);
    assert_eq!(payload(&mut session), Some("1".into()));
    assert_eq!(payload(&mut session), None);
}

#[test]
fn gets_that_follow_each_other_do_not_overlap() {
    let mut session = server(Transport::Polling);
    for _ in 0..3 {
        assert_eq!(session.handle_get(), Ok(()));
        send(&mut session, "hi").unwrap();
        assert_eq!(payload(&mut session), Some("4hi".into()));
    }
}

#[test]
fn a_second_post_closes_the_session() {
    let mut session = parked_server();
    assert_eq!(session.handle_post(), Ok(()));
    assert_eq!(session.handle_post(), Err(Overlap));
    check_closed(&mut session, CloseReason::TransportError);
    assert_eq!(payload(&mut session), Some("1".into()));
}

#[test]
fn posts_that_follow_each_other_do_not_overlap() {
    let mut session = parked_server();
    for _ in 0..3 {
        assert_eq!(session.handle_post(), Ok(()));
        assert_eq!(receive(&mut session, 1, "4hi"), Some("hi".into()));
        session.handle_post_done();
    }
    assert_eq!(session.state(), ReadyState::Open);
}

#[test]
fn a_get_and_a_post_may_be_under_way_together() {
    let mut session = parked_server();
    session.handle_post().unwrap();
    send(&mut session, "hi").unwrap();
    assert_eq!(payload(&mut session), Some("4hi".into()));
    session.handle_post_done();
    assert_eq!(session.state(), ReadyState::Open);
}

#[test]
fn an_aborted_get_closes_the_session() {
    let mut session = parked_server();
    session.handle_get_done();
    check_closed(&mut session, CloseReason::TransportError);
    assert_eq!(payload(&mut session), None);
}

#[test]
fn an_aborted_post_closes_the_session() {
    let mut session = parked_server();
    session.handle_post().unwrap();
    session.handle_transport_closed(CloseReason::TransportError);
    check_closed(&mut session, CloseReason::TransportError);
    assert_eq!(payload(&mut session), Some("1".into()));
}

#[test]
fn a_client_has_one_get_at_a_time() {
    let mut session = client(Transport::Polling);
    assert!(session.poll_get());
    session.handle_get().unwrap();
    assert!(!session.poll_get());
    assert_eq!(receive(&mut session, 1, "4hi"), Some("hi".into()));
    session.handle_get_done();
    assert!(session.poll_get());
    assert_eq!(session.state(), ReadyState::Open);
}

#[test]
fn a_client_has_one_post_at_a_time() {
    let mut session = client(Transport::Polling);
    send(&mut session, "a").unwrap();
    assert_eq!(payload(&mut session), Some("4a".into()));
    send(&mut session, "b").unwrap();
    send(&mut session, "c").unwrap();
    assert_eq!(payload(&mut session), None);
    session.handle_post_done();
    assert_eq!(payload(&mut session), Some("4b|4c".into()));
    session.handle_post_done();
    assert_eq!(payload(&mut session), None, "nothing to say");
}

#[test]
fn a_failed_request_closes_the_client() {
    let mut session = client(Transport::Polling);
    session.handle_get().unwrap();
    session.handle_get_done();
    session.handle_transport_closed(CloseReason::TransportError);
    check_closed(&mut session, CloseReason::TransportError);
}

#[test]
fn a_session_on_websocket_neither_polls_nor_posts() {
    for session in &mut both(Transport::WebSocket) {
        send(session, "hi").unwrap();
        assert!(!session.poll_get());
        assert_eq!(payload(session), None);
        assert_eq!(frames(session), ["4hi"]);
    }
}

#[test]
fn a_session_on_polling_has_no_frames_for_a_websocket() {
    for session in &mut both(Transport::Polling) {
        send(session, "hi").unwrap();
        assert_eq!(frames(session), [""; 0]);
    }
}
