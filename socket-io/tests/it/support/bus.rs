//! A cluster within one process: servers whose adapters tell each other everything in messages. What the crate offers to adapters is all that is used here.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use futures_util::StreamExt;
use socket_io::protocol::Event;
use socket_io::{
    Adapter, Args, Broadcast, EventPacket, FetchError, FetchSockets, Flags, MemoryAdapter,
    Namespace, Outcome, RawArgs, RemoteAnswers, RemoteSocket, Room, Socket, SocketDetails,
    SocketId, Target, Value, WeakNamespace,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, timeout_at};

/// What servers tell each other. Where it is a question, its number is repeated in the answers.
#[derive(Clone, Debug)]
enum Message {
    Broadcast(Wanted, Words, Option<String>),
    Ask(Wanted, Words, u64, Duration),
    Join(Wanted, Vec<Room>),
    Leave(Wanted, Vec<Room>),
    Disconnect(Wanted, bool),
    Fetch(Wanted, u64),
    ServerEvent(Words, Option<u64>),
    // Answers.
    Reached(u64, usize),
    Answer(u64, Value),
    ClientLost(u64),
    Sockets(u64, Vec<String>),
    ServerAnswer(u64, Option<Value>),
}

/// Name and arguments of an event, with binary data in place.
type Words = (String, Vec<Value>);
type Wanted = (Target, Flags);

#[derive(Debug)]
struct Node {
    number: u64,
    namespace: String,
    inbox: UnboundedSender<(u64, Message)>,
    is_deaf: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Bus {
    nodes: Mutex<Vec<Node>>,
    numbers: AtomicU64,
}

impl Bus {
    pub(crate) fn adapter(self: &Arc<Self>) -> BusAdapter {
        BusAdapter(Arc::new(Inner {
            bus: self.clone(),
            number: self.number(),
            local: MemoryAdapter::default(),
            namespace: OnceLock::new(),
            questions: Mutex::default(),
        }))
    }

    fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// The server that was made last hears nothing any more, and nobody knows that.
    pub(crate) fn deafen_last(&self) {
        let mut nodes = self.nodes.lock().unwrap();
        nodes.last_mut().unwrap().is_deaf = true;
    }

    fn tell(&self, from: u64, wanted: impl Fn(&Node) -> bool, message: &Message) -> usize {
        let nodes = self.nodes.lock().unwrap();
        let others = nodes.iter().filter(|node| wanted(node));
        let told = others.map(|node| {
            if !node.is_deaf {
                // Its task may have ended.
                let _ = node.inbox.send((from, message.clone()));
            }
        });
        told.count()
    }
}

#[derive(Debug)]
pub(crate) struct BusAdapter(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bus: Arc<Bus>,
    number: u64,
    local: MemoryAdapter,
    namespace: OnceLock<WeakNamespace>,
    questions: Mutex<HashMap<u64, Question>>,
}

#[derive(Clone, Debug)]
enum Question {
    Answers(RemoteAnswers),
    Sockets(UnboundedSender<Vec<String>>),
}

fn words(event: &Event) -> Words {
    let Args(values) = event.args.parse().unwrap();
    (event.name.to_string(), values)
}

fn choice(namespace: &Namespace, (target, flags): Wanted) -> Broadcast {
    let all = namespace.all().local().compress(!flags.uncompressed);
    let mut chosen = all.to(target.rooms).except(target.except);
    if flags.volatile {
        chosen = chosen.volatile();
    }
    if let Some(policy) = flags.overflow {
        chosen = chosen.overflow(policy);
    }
    chosen
}

impl Inner {
    fn namespace(&self) -> Option<Namespace> {
        self.namespace.get()?.upgrade()
    }

    /// Tells all other servers, and how many those are.
    fn publish(&self, flags: Flags, message: impl FnOnce() -> Message) -> usize {
        if flags.local {
            return 0;
        }
        let Some(namespace) = self.namespace() else {
            return 0;
        };
        let other =
            |node: &Node| node.number != self.number && node.namespace == **namespace.name();
        self.bus.tell(self.number, other, &message())
    }

    fn ask(&self, question: Question) -> u64 {
        let number = self.bus.number();
        self.questions.lock().unwrap().insert(number, question);
        number
    }

    fn question(&self, number: u64) -> Option<Question> {
        self.questions.lock().unwrap().get(&number).cloned()
    }

    fn answers(&self, number: u64, tell: impl FnOnce(RemoteAnswers)) {
        if let Some(Question::Answers(answers)) = self.question(number) {
            tell(answers);
        }
    }

    async fn run(self: Arc<Self>, mut inbox: UnboundedReceiver<(u64, Message)>) {
        while let Some((from, message)) = inbox.recv().await {
            let Some(namespace) = self.namespace() else {
                return;
            };
            let (bus, number) = (self.bus.clone(), self.number);
            let reply = move |message: Message| {
                bus.tell(number, |node| node.number == from, &message);
            };
            self.handle(&namespace, message, reply);
        }
    }

    fn handle(
        &self,
        namespace: &Namespace,
        message: Message,
        reply: impl Fn(Message) + Send + 'static,
    ) {
        match message {
            Message::Broadcast(wanted, (event, args), latest) => {
                let chosen = choice(namespace, wanted);
                let chosen = match latest {
                    Some(key) => chosen.latest(&key),
                    None => chosen,
                };
                chosen.emit(&event, &Args(args)).unwrap();
            }
            Message::Ask(wanted, (event, args), number, time) => {
                let chosen = choice(namespace, wanted).timeout(time);
                let mut asked = chosen.emit_with_ack::<Value>(&event, &Args(args));
                reply(Message::Reached(number, asked.pending()));
                tokio::spawn(async move {
                    while let Some((_, answer)) = asked.next().await {
                        reply(match answer {
                            Ok(answer) => Message::Answer(number, answer),
                            Err(_) => Message::ClientLost(number),
                        });
                    }
                });
            }
            Message::Join(wanted, rooms) => choice(namespace, wanted).join(rooms),
            Message::Leave(wanted, rooms) => choice(namespace, wanted).leave(rooms),
            Message::Disconnect(wanted, false) => choice(namespace, wanted).disconnect(),
            Message::Disconnect(wanted, true) => choice(namespace, wanted).disconnect_all(),
            Message::Fetch(wanted, number) => {
                let sockets = choice(namespace, wanted).sockets();
                let json = |socket| serde_json::to_string(&SocketDetails::of(socket)).unwrap();
                reply(Message::Sockets(number, sockets.iter().map(json).collect()));
            }
            Message::ServerEvent((event, args), number) => {
                let namespace = namespace.clone();
                tokio::spawn(async move {
                    let args = RawArgs::from_data(&Args(args)).unwrap();
                    let answer = namespace.receive_server_event(&event, args).await;
                    if let Some(number) = number {
                        let answer = answer.map(|args| args.parse_first().unwrap());
                        reply(Message::ServerAnswer(number, answer));
                    }
                });
            }
            Message::Reached(number, clients) => {
                self.answers(number, |answers| answers.reached(clients));
            }
            Message::Answer(number, value) => {
                let args = RawArgs::from_data(&(value,)).unwrap();
                self.answers(number, |answers| answers.answer(args));
            }
            Message::ClientLost(number) => self.answers(number, |answers| answers.client_lost()),
            Message::ServerAnswer(number, Some(value)) => {
                let args = RawArgs::from_data(&(value,)).unwrap();
                self.answers(number, |answers| {
                    answers.reached(1);
                    answers.answer(args);
                });
            }
            Message::ServerAnswer(number, None) => {
                self.answers(number, |answers| answers.server_lost());
            }
            Message::Sockets(number, list) => {
                if let Some(Question::Sockets(waiting)) = self.question(number) {
                    let _ = waiting.send(list);
                }
            }
        }
    }
}

impl Adapter for BusAdapter {
    fn start(&self, namespace: &Namespace) {
        self.0.local.start(namespace);
        let (inbox, messages) = unbounded_channel();
        self.0.bus.nodes.lock().unwrap().push(Node {
            number: self.0.number,
            namespace: namespace.name().to_string(),
            inbox,
            is_deaf: false,
        });
        self.0.namespace.set(namespace.downgrade()).unwrap();
        tokio::spawn(self.0.clone().run(messages));
    }

    fn add(&self, socket: &Socket) {
        self.0.local.add(socket);
    }

    fn remove(&self, id: &SocketId) {
        self.0.local.remove(id);
    }

    fn join(&self, id: &SocketId, rooms: &[Room]) {
        self.0.local.join(id, rooms);
    }

    fn leave(&self, id: &SocketId, room: &str) {
        self.0.local.leave(id, room);
    }

    fn rooms(&self, id: &SocketId) -> Vec<Room> {
        self.0.local.rooms(id)
    }

    fn socket(&self, id: &str) -> Option<Socket> {
        self.0.local.socket(id)
    }

    fn sockets(&self, target: &Target) -> Vec<Socket> {
        self.0.local.sockets(target)
    }

    fn len(&self) -> usize {
        self.0.local.len()
    }

    fn room_sizes(&self) -> Vec<(Room, usize)> {
        self.0.local.room_sizes()
    }

    fn room_size(&self, room: &str) -> usize {
        self.0.local.room_size(room)
    }

    fn broadcast(
        &self,
        packet: &EventPacket<'_>,
        target: &Target,
        flags: Flags,
        told: &mut dyn FnMut(&SocketId, Outcome),
    ) {
        self.0.publish(flags, || {
            let latest = packet.latest().map(str::to_owned);
            let words = words(packet.event().unwrap());
            Message::Broadcast((target.clone(), flags), words, latest)
        });
        self.0.local.broadcast(packet, target, flags, told);
    }

    fn broadcast_with_ack(
        &self,
        packet: &EventPacket<'_>,
        target: &Target,
        flags: Flags,
        answers: RemoteAnswers,
    ) {
        let number = self.0.ask(Question::Answers(answers.clone()));
        let (wanted, words) = ((target.clone(), flags), words(packet.event().unwrap()));
        let ask = Message::Ask(wanted, words, number, answers.time());
        answers.expect_servers(self.0.publish(flags, || ask));
    }

    fn join_all(&self, target: &Target, rooms: &[Room], flags: Flags) {
        let wanted = (target.clone(), flags);
        self.0
            .publish(flags, || Message::Join(wanted, rooms.to_vec()));
        self.0.local.join_all(target, rooms, flags);
    }

    fn leave_all(&self, target: &Target, rooms: &[Room], flags: Flags) {
        let wanted = (target.clone(), flags);
        self.0
            .publish(flags, || Message::Leave(wanted, rooms.to_vec()));
        self.0.local.leave_all(target, rooms, flags);
    }

    fn disconnect(&self, target: &Target, close: bool, flags: Flags) {
        let wanted = (target.clone(), flags);
        self.0.publish(flags, || Message::Disconnect(wanted, close));
        self.0.local.disconnect(target, close, flags);
    }

    fn fetch_sockets<'a>(
        &'a self,
        target: &'a Target,
        flags: Flags,
        time: Duration,
    ) -> FetchSockets<'a> {
        Box::pin(async move {
            let deadline = Instant::now() + time;
            let mut found = self.0.local.fetch_sockets(target, flags, time).await?;
            let (sender, mut answers) = unbounded_channel();
            let number = self.0.ask(Question::Sockets(sender));
            let wanted = (target.clone(), flags);
            let mut missing = self.0.publish(flags, || Message::Fetch(wanted, number));
            let namespace = self.0.namespace().expect("its method is being called");
            while missing > 0 {
                let Ok(Some(list)) = timeout_at(deadline, answers.recv()).await else {
                    break;
                };
                missing -= 1;
                for json in list {
                    let details = serde_json::from_str(&json).unwrap();
                    found.push(RemoteSocket::elsewhere(&namespace, details));
                }
            }
            self.0.questions.lock().unwrap().remove(&number);
            match missing {
                0 => Ok(found),
                missing => Err(FetchError::new(found, missing)),
            }
        })
    }

    fn server_side_emit(&self, event: &Event, answers: Option<RemoteAnswers>) {
        let number = answers
            .clone()
            .map(|answers| self.0.ask(Question::Answers(answers)));
        let event = Message::ServerEvent(words(event), number);
        let asked = self.0.publish(Flags::default(), || event);
        if let Some(answers) = answers {
            answers.expect_servers(asked);
        }
    }
}
