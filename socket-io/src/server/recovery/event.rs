//! An event in the log of a namespace.

use std::collections::HashSet;

use engine_io::{Message, Text};

use super::offset::Offset;
use crate::adapter::Target;
use crate::protocol::Encoded;
use crate::server::packet::message;

/// An event that is kept for clients that are away: the finished packet, which it shares with those who got it at once, and whom it was for.
#[derive(Clone, Debug)]
pub struct LoggedEvent {
    namespace: Text,
    offset: Offset,
    target: Target,
    packet: Encoded,
}

impl LoggedEvent {
    /// An event as a [`SessionStore`](crate::SessionStore) has kept it; `None` if there are no messages.
    pub fn new(
        namespace: &str,
        offset: Offset,
        target: Target,
        messages: &[Message],
    ) -> Option<Self> {
        let frames = messages.iter().map(Message::to_frame);
        Some(Self {
            namespace: namespace.into(),
            offset,
            target,
            packet: Encoded::from_frames(frames)?,
        })
    }

    pub(crate) fn sent(namespace: Text, offset: Offset, target: Target, packet: Encoded) -> Self {
        Self {
            namespace,
            offset,
            target,
            packet,
        }
    }

    /// The namespace in which it was sent.
    pub fn namespace(&self) -> &Text {
        &self.namespace
    }

    /// Its place in the log of that namespace.
    pub fn offset(&self) -> Offset {
        self.offset
    }

    /// Whom it was for. An event for one client is for the room that is named like its id.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The messages of the packet, offset included, as the parser of this server writes them: to be kept as they are.
    pub fn messages(&self) -> Vec<Message> {
        self.packet.frames().map(message).collect()
    }

    pub(crate) fn packet(&self) -> &Encoded {
        &self.packet
    }

    /// Whether it was for a client in these rooms.
    pub(crate) fn is_for(&self, rooms: &HashSet<&str>) -> bool {
        let Target {
            rooms: included,
            except,
        } = &self.target;
        let in_any =
            |list: &[crate::adapter::Room]| list.iter().any(|room| rooms.contains(&**room));
        (included.is_empty() || in_any(included)) && !in_any(except)
    }

    /// What it takes in memory, roughly.
    pub(super) fn size(&self) -> usize {
        let rooms = self.target.rooms.iter().chain(&self.target.except);
        let names = rooms.map(|room| room.len() + size_of::<crate::adapter::Room>());
        size_of::<Self>() + self.packet.size() + names.sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Binary;
    use crate::protocol::Outgoing;

    #[test]
    fn an_event_survives_being_stored() {
        let data = (1, Binary::from(&b"\x01\x02"[..]));
        let outgoing = Outgoing::new("news", &data, 10).unwrap();
        let offset = Offset::new(1, 2);
        let packet = outgoing.encode_with_offset("/adm", &offset.to_string());
        let mut target = Target::default();
        target.rooms.push("room".into());
        let event = LoggedEvent::sent("/adm".into(), offset, target, packet);
        let messages = event.messages();
        assert_eq!(
            messages,
            [
                Message::from(r#"51-/adm,["news",1,{"_placeholder":true,"num":0},"AAAAAAABC"]"#),
                Message::from(vec![1, 2])
            ]
        );
        let stored = LoggedEvent::new("/adm", offset, event.target().clone(), &messages).unwrap();
        assert_eq!(stored.packet(), event.packet());
        assert_eq!(
            (stored.namespace(), stored.offset()),
            (event.namespace(), offset)
        );
        assert!(LoggedEvent::new("/", offset, Target::default(), &[]).is_none());
    }

    #[test]
    fn an_event_is_for_the_rooms_it_was_sent_to() {
        let packet = Outgoing::new("e", &(), 0).unwrap().encode("/", None);
        for (rooms, except, mine, expected) in [
            (&[][..], &[][..], &["me"][..], true),
            (&["a"], &[], &["me"], false),
            (&["a", "b"], &[], &["me", "b"], true),
            (&["me"], &[], &["me"], true),
            (&[], &["me"], &["me"], false),
            (&["a"], &["b"], &["me", "a", "b"], false),
            (&["a"], &["c"], &["me", "a", "b"], true),
        ] {
            let list = |names: &[&str]| names.iter().map(|&name| name.into()).collect();
            let target = Target {
                rooms: list(rooms),
                except: list(except),
            };
            let offset = Offset::new(0, 1);
            let event = LoggedEvent::sent("/".into(), offset, target, packet.clone());
            let mine = mine.iter().copied().collect();
            assert_eq!(
                event.is_for(&mine),
                expected,
                "{rooms:?} {except:?} {mine:?}"
            );
        }
    }
}
