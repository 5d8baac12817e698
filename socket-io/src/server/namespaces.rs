//! The list of namespaces: which there are, how they come into being and how they go.

use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use engine_io::Text;
use parking_lot::{Mutex, RwLock};
use regex_lite::Regex;

use super::SocketIo;
use super::candidate::{self, Candidate, Decide};
use super::error::{Failure, HandlerError};
use super::family::{Family, Rule};
use super::handlers::push;
use super::log::Brief;
use super::namespace::Namespace;
use super::path::{ParamList, PathPattern};
use super::refusal::Refusal;
use crate::panic::{Panic, caught};

/// How many bytes the name of a namespace may have that is made for a client: such names are kept.
const MAX_NAME: usize = 1024;

type Hook = Arc<dyn Fn(&Namespace) + Send + Sync>;

#[derive(Default)]
pub(crate) struct Namespaces {
    by_name: RwLock<HashMap<Text, Namespace>>,
    families: RwLock<Arc<[Arc<Family>]>>,
    /// How many were made for clients and not named by the program since. Changed with the list locked.
    made: AtomicUsize,
    /// Those that nobody was in when somebody could still come back; the one that was left first is in front.
    lingering: Mutex<VecDeque<Namespace>>,
    created: RwLock<Arc<[Hook]>>,
    removed: RwLock<Arc<[Hook]>>,
}

/// What the list says about a name that a client wants to join.
enum Entrance {
    /// It counts as entered.
    Open(Namespace),
    /// Somebody has made it in this moment, and the hooks are being told.
    Opening(Namespace),
    Unknown,
}

/// # Namespaces
impl SocketIo {
    /// The namespace of that name, which exists from now on. A missing leading slash is added; `""` is `/`.
    ///
    /// If the name is new and belongs to a family ([`of_path`](Self::of_path), [`of_regex`](Self::of_regex), [`of_matching`](Self::of_matching)), the namespace
    /// is a child like one that a client asked for, but stays when it is empty. A function given to [`of_async`](Self::of_async) is not asked.
    ///
    /// # Panics
    ///
    /// If the name has a comma, which the protocol cannot carry.
    pub fn of(&self, name: &str) -> Namespace {
        let name = with_slash(name);
        let namespaces = &self.0.namespaces;
        if let Some(known) = namespaces.by_name.read().get(&*name) {
            namespaces.keep(known);
            return known.clone();
        }
        assert!(
            !name.contains(','),
            "the name of a namespace cannot have a comma: {name:?}"
        );
        let name = Text::from(&*name);
        // Patterns and adapters are the user's, so they are asked without a lock.
        let fresh = match namespaces.family_of(&name) {
            Some((family, params)) => family.parent.child(name.clone(), params),
            None => Namespace::new(name.clone(), self.0.config.clone()),
        };
        fresh.keep();
        let mut by_name = namespaces.by_name.write();
        match by_name.entry(name) {
            Entry::Occupied(known) => {
                let known = known.get().clone();
                namespaces.keep(&known);
                drop(by_name);
                fresh.close();
                return known;
            }
            Entry::Vacant(vacant) => {
                vacant.insert(fresh.clone());
                fresh.join_family();
            }
        }
        drop(by_name);
        self.announce(&fresh);
        fresh
    }

    /// Namespaces whose names have parameters, such as `/project/{id}/room/{room}`; handlers get these as [`Params`](crate::Params).
    ///
    /// A parameter stands for at least one character of one segment, between what else is in it (`/project-{id}`). Names are text and not URLs: nothing is
    /// decoded, case counts. A doubled brace is the character itself. A missing leading slash is added.
    ///
    /// What is returned is the parent of a family. Nobody joins it. Its children come into being when a client asks for a name that belongs to it, and go when
    /// the last socket has left and none may [come back](crate::SocketIoBuilder::recovery) (see
    /// [`cleanup_empty_child_namespaces`](crate::SocketIoBuilder::cleanup_empty_child_namespaces)). They have its middlewares and handlers, also those added later; one that handlers are added to by itself keeps what its parent has at that time, and goes its own way from there.
    /// What is sent by the parent goes to all [`children`](Namespace::children).
    ///
    /// Families of all kinds are asked in the order of their registration, after the names given to [`of`](Self::of). A name of more than 1024 bytes belongs
    /// to none, and there may be [so many](crate::SocketIoBuilder::max_child_namespaces) children.
    ///
    /// ```
    /// # let io = socket_io::SocketIo::builder().build();
    /// use socket_io::{Params, Socket};
    ///
    /// let rooms = io.of_path("/project/{id}/room/{room}").on_connect(
    ///     async |socket: Socket, Params((id, room)): Params<(u32, String)>| println!("{} is in {room} of {id}", socket.id()),
    /// );
    /// rooms.emit("news", "for the rooms of all projects")?;
    /// # Ok::<_, socket_io::EmitError>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If the pattern makes no sense: braces without partner, a parameter without a name or with the name of another one, two in one segment, a comma.
    pub fn of_path(&self, pattern: &str) -> Namespace {
        let pattern = with_slash(pattern);
        let path = PathPattern::parse(&pattern)
            .unwrap_or_else(|error| panic!("invalid pattern {pattern:?}: {error}"));
        self.add_family(&pattern, Rule::Path(path))
    }

    /// Namespaces whose names match a regular expression; a family as in [`of_path`](Self::of_path). Handlers get the named groups as
    /// [`Params`](crate::Params).
    ///
    /// As with `test` in JavaScript, the expression may match anywhere in the name: `^` and `$` say where it begins and ends. The syntax is that of the crate
    /// `regex-lite`: `\d`, `\w`, `\s` and `(?i)` mean ASCII, and there are neither look-around nor back-references, so that matching takes time proportional
    /// to the length of the name.
    ///
    /// ```
    /// # let io = socket_io::SocketIo::builder().build();
    /// use socket_io::Params;
    ///
    /// io.of_regex(r"^/dyn-(?<number>\d+)$").on("number", async |Params(number): Params<u64>| number);
    /// ```
    ///
    /// # Panics
    ///
    /// If the expression is invalid.
    pub fn of_regex(&self, expression: &str) -> Namespace {
        let regex = Regex::new(expression)
            .unwrap_or_else(|error| panic!("invalid expression {expression:?}: {error}"));
        self.add_family(expression, Rule::Regex(regex))
    }

    /// Namespaces whose names a function accepts; a family as in [`of_path`](Self::of_path). A panic is a no, and reported.
    ///
    /// ```
    /// # let io = socket_io::SocketIo::builder().build();
    /// io.of_matching(|name| name.starts_with("/project-"))
    ///     .on_connect(async |socket: socket_io::Socket| println!("{}", socket.namespace().name()));
    /// ```
    pub fn of_matching(&self, accept: impl Fn(&str) -> bool + Send + Sync + 'static) -> Namespace {
        self.add_family("", Rule::Function(Box::new(accept)))
    }

    /// Namespaces that an asynchronous function accepts; a family as in [`of_path`](Self::of_path). It takes what its argument types say, see
    /// [`FromCandidate`](crate::FromCandidate), and returns a `bool`, or a `Result` of one: an error is a no, like a panic, and both are reported.
    ///
    /// It decides whether there is such a namespace, not who may join: once the namespace is there, others join without the function being asked. Who may
    /// join, a [middleware](Namespace::middleware) says. While it decides, the client counts as [joining](crate::SocketIoBuilder::max_joining), and
    /// everything else on its connection goes on. When the client goes, the future is dropped.
    ///
    /// ```
    /// # let io = socket_io::SocketIo::builder().build();
    /// # async fn is_known(document: &str) -> std::io::Result<bool> { Ok(document == "/document/1") }
    /// use socket_io::NamespaceName;
    ///
    /// io.of_async(async |NamespaceName(name): NamespaceName| is_known(&name).await);
    /// ```
    pub fn of_async<A>(&self, decide: impl Decide<A>) -> Namespace {
        self.add_family("", Rule::Decision(candidate::erase(decide)))
    }

    fn add_family(&self, name: &str, rule: Rule) -> Namespace {
        let parent = Namespace::parent(name.into(), self.0.config.clone());
        let family = Family {
            rule,
            parent: parent.clone(),
        };
        push(&mut self.0.namespaces.families.write(), Arc::new(family));
        parent
    }

    /// Calls a function for each namespace that comes into being from now on, by [`of`](Self::of) or by a client's wish; parents of families are none. No lock
    /// is held meanwhile, and no client is in the namespace before the function has returned, so that middlewares and handlers can be added: the namespace's
    /// own, not those of its family.
    ///
    /// The function is called where the namespace is made, in the task of a connection or by whoever calls `of`, so it must not block. A panic is logged.
    ///
    /// ```
    /// # let io = socket_io::SocketIo::builder().build();
    /// io.on_new_namespace(|namespace| println!("{} is there", namespace.name()));
    /// io.on_namespace_removed(|namespace| println!("{} is gone", namespace.name()));
    /// ```
    pub fn on_new_namespace(&self, hook: impl Fn(&Namespace) + Send + Sync + 'static) {
        let hook: Hook = Arc::new(hook);
        push(&mut self.0.namespaces.created.write(), hook);
    }

    /// Calls a function for each namespace that was forgotten because the last socket has left, before the `on_disconnect` handlers of that socket; if a client
    /// may still [come back](crate::SocketIoBuilder::recovery) then, up to half a minute after its time has passed. As for the rest, see [`on_new_namespace`](Self::on_new_namespace); by then there may be another namespace of that name.
    pub fn on_namespace_removed(&self, hook: impl Fn(&Namespace) + Send + Sync + 'static) {
        let hook: Hook = Arc::new(hook);
        push(&mut self.0.namespaces.removed.write(), hook);
    }

    /// The namespaces that exist now, in no order: those that were given to [`of`](Self::of), and those that somebody joined.
    pub fn namespaces(&self) -> Vec<Namespace> {
        self.0.namespaces.by_name.read().values().cloned().collect()
    }

    // For connections.

    /// The namespace that a client wants to join, if it is there. It counts as entered.
    pub(crate) fn enter(&self, name: &str) -> Option<Namespace> {
        match self.0.namespaces.enter(name) {
            Entrance::Open(namespace) => Some(namespace),
            _ => None,
        }
    }

    /// The namespace that a client wants to join, made if a family has it. It counts as entered, and does not if this future is dropped.
    pub(crate) async fn settle(self, candidate: Candidate) -> Result<Namespace, Refusal> {
        loop {
            match self.0.namespaces.enter(&candidate.name) {
                Entrance::Open(namespace) => return Ok(namespace),
                Entrance::Opening(namespace) => namespace.opened().await,
                Entrance::Unknown => {
                    let accepted = self.ask_families(&candidate).await;
                    let Some((family, params)) = accepted else {
                        return Err(Refusal::new("Invalid namespace"));
                    };
                    if let Some(child) = self.create(&family, &candidate, params)? {
                        return Ok(child);
                    }
                }
            }
        }
    }

    async fn ask_families(&self, candidate: &Candidate) -> Option<(Arc<Family>, ParamList)> {
        if candidate.name.len() > MAX_NAME {
            return None;
        }
        let families = self.0.namespaces.families.read().clone();
        for family in families.iter() {
            match family.rule.decide(candidate).await {
                Ok(Some(params)) => return Some((family.clone(), params)),
                Ok(None) => {}
                Err(failure) => self.report_candidate(candidate, failure),
            }
        }
        None
    }

    /// Makes a child for a client, unless another one was faster.
    fn create(
        &self,
        family: &Family,
        candidate: &Candidate,
        params: ParamList,
    ) -> Result<Option<Namespace>, Refusal> {
        let namespaces = &self.0.namespaces;
        let max = self.0.config.max_child_namespaces;
        let check_room = || match namespaces.made.load(Ordering::Relaxed) < max {
            true => Ok(()),
            false => Err(Refusal::new("too many namespaces")),
        };
        if check_room().is_err() {
            self.forget_lingering();
        }
        check_room()?;
        // Making an adapter is the user's part.
        let fresh = caught(|| family.parent.child(candidate.name.clone(), params));
        let fresh = fresh.map_err(|panic| {
            self.report_candidate(candidate, panic.into());
            Refusal::new("Invalid namespace")
        })?;
        let mut by_name = namespaces.by_name.write();
        match by_name.entry(candidate.name.clone()) {
            Entry::Occupied(_) => {
                drop(by_name);
                fresh.close();
                return Ok(None);
            }
            Entry::Vacant(vacant) => {
                if let Err(refusal) = check_room() {
                    drop(by_name);
                    fresh.close();
                    return Err(refusal);
                }
                namespaces.made.fetch_add(1, Ordering::Relaxed);
                fresh.enter();
                fresh.join_family();
                vacant.insert(fresh.clone());
            }
        }
        drop(by_name);
        self.announce(&fresh);
        Ok(Some(fresh))
    }

    fn report_candidate(&self, candidate: &Candidate, failure: Failure) {
        let error = HandlerError {
            namespace: candidate.name.clone(),
            socket: None,
            event: Text::from_static("connection"),
            failure,
        };
        self.report(&candidate.connection, &error);
    }

    /// Tells of a namespace that is in the list now, and lets clients in.
    fn announce(&self, namespace: &Namespace) {
        if namespace.name() != "/" {
            tell(&self.0.namespaces.created, "on_new_namespace", namespace);
        }
        namespace.open();
    }

    /// A socket has left; a namespace that was made for a client is forgotten once nobody is in it, nor may come back to it.
    pub(crate) fn exit(&self, namespace: &Namespace) {
        if !namespace.exit() {
            return;
        }
        let recovery = self.0.config.recovery.as_ref();
        let Some(recovery) = recovery.filter(|_| namespace.is_awaited()) else {
            return self.forget(namespace);
        };
        let mut lingering = self.0.namespaces.lingering.lock();
        // The caller has a handle, so that nothing is dropped here.
        lingering.retain(|known| !known.is(namespace));
        lingering.push_back(namespace.clone());
        let surplus = if lingering.len() > recovery.config.max_empty_namespaces {
            // One that somebody is in again comes back here by itself.
            let used = lingering.iter().position(|known| !known.is_unused());
            lingering.remove(used.unwrap_or(0))
        } else {
            None
        };
        drop(lingering);
        if let Some(surplus) = surplus {
            self.forget(&surplus);
        }
    }

    /// Makes room: of the namespaces that nobody is in, the one that was left first goes, though somebody may come back to it.
    fn forget_lingering(&self) {
        let mut lingering = self.0.namespaces.lingering.lock();
        let unused = lingering.iter().position(Namespace::is_unused);
        let first = unused.and_then(|index| lingering.remove(index));
        drop(lingering);
        if let Some(first) = first {
            self.forget(&first);
        }
    }

    /// Forgets the namespaces that nobody has come back to in time.
    pub(crate) fn forget_abandoned(&self) {
        let mut lingering = self.0.namespaces.lingering.lock();
        let (awaited, abandoned) = std::mem::take(&mut *lingering)
            .into_iter()
            .partition::<VecDeque<_>, _>(Namespace::is_awaited);
        *lingering = awaited;
        drop(lingering);
        for namespace in abandoned {
            self.forget(&namespace);
        }
    }

    /// Others may have come in the meantime, or have forgotten it already and made another one of that name.
    pub(crate) fn forget(&self, namespace: &Namespace) {
        let namespaces = &self.0.namespaces;
        let mut by_name = namespaces.by_name.write();
        let known = by_name.get(namespace.name());
        if !namespace.is_unused() || !known.is_some_and(|known| known.is(namespace)) {
            return;
        }
        // The caller has a handle, so that nothing is dropped here.
        by_name.remove(namespace.name());
        namespace.leave_family();
        namespaces.made.fetch_sub(1, Ordering::Relaxed);
        if by_name.len() < by_name.capacity() / 8 {
            by_name.shrink_to_fit();
        }
        drop(by_name);
        tell(&namespaces.removed, "on_namespace_removed", namespace);
        namespace.close();
    }
}

impl Namespaces {
    fn enter(&self, name: &str) -> Entrance {
        match self.by_name.read().get(name) {
            Some(known) if known.is_open() => {
                known.enter();
                Entrance::Open(known.clone())
            }
            Some(known) => Entrance::Opening(known.clone()),
            None => Entrance::Unknown,
        }
    }

    /// The program has named it, so it stays. Called with the list locked.
    fn keep(&self, namespace: &Namespace) {
        if namespace.keep() {
            self.made.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// The first family that a name belongs to.
    fn family_of(&self, name: &Text) -> Option<(Arc<Family>, ParamList)> {
        let families = self.families.read().clone();
        families.iter().find_map(|family| {
            let accepted = family.rule.accept(name).unwrap_or_else(|failure| {
                let reason = failure.to_string();
                tracing::error!(name: "hook_panicked", target: "socket_io", hook = "of_matching", reason = %Brief(&reason));
                None
            });
            Some((family.clone(), accepted?))
        })
    }
}

fn tell(hooks: &RwLock<Arc<[Hook]>>, name: &str, namespace: &Namespace) {
    let hooks = hooks.read().clone();
    for hook in hooks.iter() {
        if let Err(Panic(message)) = caught(|| hook(namespace)) {
            tracing::error!(name: "hook_panicked", target: "socket_io", hook = name, reason = %Brief(&message));
        }
    }
}

fn with_slash(name: &str) -> Cow<'_, str> {
    if name.starts_with('/') {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(format!("/{name}"))
    }
}
