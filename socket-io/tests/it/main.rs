//! The server over real sockets, seen by clients that are made by hand. What needs a clock goes over polling in the same process, with the clock paused.

mod acks;
mod authorization;
mod binary;
mod broadcast;
mod closing;
mod cluster;
mod drain;
mod eio3;
mod event_middleware;
mod handlers;
mod health;
mod joining;
mod limits;
mod middleware;
mod namespaces;
mod outgoing;
mod overflow;
mod own_handlers;
mod races;
mod recovery;
mod room_events;
mod rooms;
mod serving;
mod stats;
mod support;
