//! Connections that several lanes share: each sends without waiting for the replies to those before it (pipelining).
//!
//! The lanes of a worker join in bundles of `pipeline` lanes. A bundle has one line to each server. A lane appends its request
//! to what the line is about to send, and a ticket to those that wait for a reply. The line's task sends everything in one go,
//! reads what there is, and gives each reply to the ticket at the head, as Redis replies in the order of the requests.
//! A line that is cut, or that sends what is no reply, is never used again.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::future::{Future, poll_fn};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::super::attempts::Attempts;
use super::connection::{FIRST_BUFFER, Failure, Reply, send};
use super::dialler::Node;
use super::resp::{Parsed, Value, parse};
use super::setup::{Answer, Setup, Trouble};
use super::wire::Wire;
use crate::history::Cause;
use crate::target::{Observation, Operation};

thread_local! {
    /// The bundles of this worker's lanes, with the number of their target.
    static BUNDLES: RefCell<Vec<(u64, Weak<Bundle>)>> = const { RefCell::new(Vec::new()) };
}

/// Lanes that share their connections.
pub(super) struct Bundle {
    setup: Arc<Setup>,
    members: Cell<u32>,
    /// By the number of the server.
    lines: RefCell<HashMap<usize, Way>>,
}

/// The current line to a server, and when the next one may be opened.
#[derive(Default)]
struct Way {
    line: Option<Rc<Line>>,
    attempts: Rc<RefCell<Attempts>>,
}

impl Bundle {
    /// The bundle that the next lane of this thread joins.
    pub(super) fn join(setup: &Arc<Setup>) -> Rc<Self> {
        BUNDLES.with_borrow_mut(|bundles| {
            bundles.retain(|(_, bundle)| bundle.strong_count() > 0);
            let has_room = |bundle: &Rc<Bundle>| bundle.members.get() < setup.pipeline;
            let mut mine = bundles.iter().filter(|(target, _)| *target == setup.number);
            if let Some(bundle) = mine.find_map(|(_, bundle)| bundle.upgrade().filter(has_room)) {
                bundle.members.set(bundle.members.get() + 1);
                return bundle;
            }
            let bundle = Rc::new(Self { setup: Arc::clone(setup), members: Cell::new(1), lines: RefCell::default() });
            bundles.push((setup.number, Rc::downgrade(&bundle)));
            bundle
        })
    }

    /// A lane that leaves makes room for another.
    pub(super) fn leave(&self) {
        self.members.set(self.members.get() - 1);
    }

    /// Opens the line to `node` if there is none, and waits until it is open or cannot be opened.
    pub(super) async fn prepare(&self, number: usize, node: &Arc<Node>) {
        let line = self.line(number, node);
        poll_fn(|context| line.poll_opened(context)).await;
    }

    /// Sends `request`, which carries out `op` at the server of this number, and waits for what its reply says.
    pub(super) async fn call(
        &self,
        number: usize,
        node: &Arc<Node>,
        request: &[u8],
        op: &Operation,
        seen: &mut Observation,
        ticket: &mut Rc<Ticket>,
    ) -> Result<Answer, Trouble> {
        let line = self.line(number, node);
        if Rc::strong_count(ticket) > 1 {
            // The lane gave up an operation whose reply may still come.
            *ticket = Rc::default();
        }
        line.enqueue(request, *op, ticket);
        line.nudge();
        let pending = Pending { line: &line, ticket };
        let result = poll_fn(|context| pending.ticket.poll(context)).await;
        std::mem::swap(seen, &mut pending.ticket.seen.borrow_mut());
        result
    }

    /// The line for the next operation: the current one, unless it has had its share or was lost.
    fn line(&self, number: usize, node: &Arc<Node>) -> Rc<Line> {
        let mut lines = self.lines.borrow_mut();
        let way = lines.entry(number).or_default();
        let limit = self.setup.reconnect_after;
        if let Some(line) = way.line.as_ref().filter(|line| !line.is_over() && line.carried.get() < limit) {
            return Rc::clone(line);
        }
        if let Some(line) = way.line.take() {
            line.retire();
        }
        let line = Rc::new(Line::default());
        let (setup, node, attempts) = (Arc::clone(&self.setup), Arc::clone(node), Rc::clone(&way.attempts));
        // It ends with its line, which ends with its bundle, and with the runtime at the latest.
        tokio::task::spawn_local(run(Rc::clone(&line), setup, node, attempts));
        way.line = Some(Rc::clone(&line));
        line
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        for way in self.lines.borrow().values() {
            if let Some(line) = &way.line {
                line.retire();
            }
        }
    }
}

/// How far a line has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Stage {
    #[default]
    Opening,
    Open,
    /// It takes no further requests and ends with the last reply.
    Retiring,
    /// It takes nothing and gives nothing any more.
    Over,
}

/// A connection under way, open, or lost.
#[derive(Default)]
struct Line {
    /// What the lanes have not sent yet.
    outgoing: RefCell<Vec<u8>>,
    waiting: RefCell<VecDeque<Rc<Ticket>>>,
    stage: Cell<Stage>,
    /// Whether a lane waited for a reply for as long as it was willing to.
    given_up: Cell<bool>,
    /// Bytes that were appended to `outgoing` so far, and bytes that were sent.
    queued: Cell<u64>,
    sent: Cell<u64>,
    carried: Cell<u64>,
    task: RefCell<Option<Waker>>,
    /// Lanes that wait for the line to be open.
    expecting: RefCell<Vec<Waker>>,
}

impl Line {
    fn is_over(&self) -> bool {
        matches!(self.stage.get(), Stage::Retiring | Stage::Over) || self.given_up.get()
    }

    fn enqueue(&self, request: &[u8], op: Operation, ticket: &Rc<Ticket>) {
        self.outgoing.borrow_mut().extend_from_slice(request);
        ticket.op.set(Some(op));
        ticket.at.set(self.queued.get());
        ticket.seen.borrow_mut().clear();
        self.queued.set(self.queued.get() + request.len() as u64);
        self.carried.set(self.carried.get() + 1);
        self.waiting.borrow_mut().push_back(Rc::clone(ticket));
    }

    fn nudge(&self) {
        if let Some(task) = self.task.borrow().as_ref() {
            task.wake_by_ref();
        }
    }

    fn retire(&self) {
        if self.stage.get() != Stage::Over {
            self.stage.set(Stage::Retiring);
        }
        self.nudge();
    }

    fn opened(&self) {
        if self.stage.get() == Stage::Opening {
            self.stage.set(Stage::Open);
        }
        self.expecting.borrow_mut().drain(..).for_each(Waker::wake);
    }

    fn poll_opened(&self, context: &Context<'_>) -> Poll<()> {
        if self.stage.get() != Stage::Opening {
            return Poll::Ready(());
        }
        self.expecting.borrow_mut().push(context.waker().clone());
        Poll::Pending
    }

    /// Ends the line: nothing that was sent will be answered, and what was not sent never will be.
    fn end(&self, of_sent: Trouble, of_unsent: Trouble) {
        self.stage.set(Stage::Over);
        let sent = self.sent.get();
        let waiting = std::mem::take(&mut *self.waiting.borrow_mut());
        for ticket in waiting {
            let trouble = if ticket.at.get() < sent { &of_sent } else { &of_unsent };
            ticket.settle(Err(trouble.clone()));
        }
        self.expecting.borrow_mut().drain(..).for_each(Waker::wake);
    }
}

/// An operation that waits for its reply. A lane uses its ticket again and again.
#[derive(Default)]
pub(super) struct Ticket {
    op: Cell<Option<Operation>>,
    /// Where its request begins in all that the line sends.
    at: Cell<u64>,
    seen: RefCell<Observation>,
    result: Cell<Option<Result<Answer, Trouble>>>,
    waker: RefCell<Option<Waker>>,
}

impl Ticket {
    fn settle(&self, result: Result<Answer, Trouble>) {
        self.result.set(Some(result));
        if let Some(waker) = self.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }

    fn poll(&self, context: &Context<'_>) -> Poll<Result<Answer, Trouble>> {
        if let Some(result) = self.result.take() {
            return Poll::Ready(result);
        }
        attend(&mut self.waker.borrow_mut(), context);
        Poll::Pending
    }
}

/// Stores the waker; polling again with the same one costs only a comparison.
fn attend(waker: &mut Option<Waker>, context: &Context<'_>) {
    if !waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
        *waker = Some(context.waker().clone());
    }
}

/// A lane's interest in a ticket. A lane that leaves before the reply, at its deadline, gives up the line if its own reply is
/// the next one: a line that was silent for so long may be dead.
struct Pending<'l> {
    line: &'l Line,
    ticket: &'l Rc<Ticket>,
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        let next = self.line.waiting.borrow().front().is_some_and(|front| Rc::ptr_eq(front, self.ticket));
        if next {
            self.line.given_up.set(true);
            self.line.nudge();
        }
    }
}

/// The task of a line: opens it, and then sends and receives until it ends.
async fn run(line: Rc<Line>, setup: Arc<Setup>, node: Arc<Node>, attempts: Rc<RefCell<Attempts>>) {
    let due = attempts.borrow().due();
    due.await;
    let opening = setup.dialler.open(&node);
    let wire = match opening.await {
        Ok(connection) => {
            *attempts.borrow_mut() = Attempts::default();
            connection.into_wire()
        }
        Err(cause) => {
            attempts.borrow_mut().failed();
            setup.doubt();
            return line.end(Trouble::Unsent(cause), Trouble::Unsent(cause));
        }
    };
    line.opened();
    let failure = carry(&line, wire, &setup).await;
    setup.doubt();
    line.end(Trouble::Failed(failure), Trouble::Unsent(Cause::ConnectionLost));
}

/// Sends what there is, and receives what comes. Returns when the line is over.
fn carry<'l>(line: &'l Line, wire: Wire, setup: &'l Setup) -> impl Future<Output = Failure> + 'l {
    let mut traffic = Traffic {
        wire,
        sending: Vec::new(),
        sent: 0,
        buffer: vec![0; FIRST_BUFFER],
        from: 0,
        to: 0,
        needed: 1,
        values: Vec::new(),
    };
    poll_fn(move |context| {
        attend(&mut line.task.borrow_mut(), context);
        if line.given_up.get() {
            return Poll::Ready(Failure::Lost);
        }
        if let Err(failure) = traffic.send(line, context).and_then(|()| traffic.receive(line, context, setup)) {
            return Poll::Ready(failure);
        }
        let done = line.stage.get() == Stage::Retiring && line.waiting.borrow().is_empty();
        if done { Poll::Ready(Failure::Lost) } else { Poll::Pending }
    })
}

/// What is on its way on a line.
struct Traffic {
    wire: Wire,
    sending: Vec<u8>,
    sent: usize,
    /// What was received and not read lies in `from..to`.
    buffer: Vec<u8>,
    from: usize,
    to: usize,
    /// How many bytes the reply at `from` has at least.
    needed: usize,
    values: Vec<Value>,
}

impl Traffic {
    fn send(&mut self, line: &Line, context: &mut Context<'_>) -> Result<(), Failure> {
        loop {
            if self.sent == self.sending.len() {
                self.sending.clear();
                self.sent = 0;
                std::mem::swap(&mut self.sending, &mut line.outgoing.borrow_mut());
            }
            let before = self.sent;
            let sent = send(&mut self.wire, context, &self.sending, &mut self.sent);
            line.sent.set(line.sent.get() + (self.sent - before) as u64);
            match sent {
                Poll::Ready(Err(_)) => return Err(Failure::Lost),
                Poll::Ready(Ok(())) if !line.outgoing.borrow().is_empty() => {}
                Poll::Ready(Ok(())) | Poll::Pending => return Ok(()),
            }
        }
    }

    fn receive(&mut self, line: &Line, context: &mut Context<'_>, setup: &Setup) -> Result<(), Failure> {
        loop {
            self.make_room();
            match self.wire.poll_bytes(context, &mut self.buffer[self.to..]) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Ok(0) | Err(_)) => return Err(Failure::Lost),
                Poll::Ready(Ok(bytes)) => self.to += bytes,
            }
            self.hand_out(line, setup)?;
        }
    }

    /// Room for what the reply at `from` lacks, and more.
    fn make_room(&mut self) {
        if self.from == self.to {
            (self.from, self.to) = (0, 0);
        }
        if self.from + self.needed >= self.buffer.len() || self.to == self.buffer.len() {
            self.buffer.copy_within(self.from..self.to, 0);
            (self.from, self.to) = (0, self.to - self.from);
            if self.needed >= self.buffer.len() {
                self.buffer.resize(self.needed + 1, 0);
            }
        }
    }

    /// Gives each whole reply to the operation that it answers.
    fn hand_out(&mut self, line: &Line, setup: &Setup) -> Result<(), Failure> {
        while self.to - self.from >= self.needed {
            let bytes = &self.buffer[self.from..self.to];
            let end = match parse(bytes, &mut self.values) {
                Parsed::Whole(end) => end,
                Parsed::Part(needed) => {
                    self.needed = needed;
                    return Ok(());
                }
                Parsed::Malformed => return Err(Failure::NotRedis),
            };
            let ticket = line.waiting.borrow_mut().pop_front().ok_or(Failure::NotRedis)?;
            if let Some(op) = ticket.op.take() {
                let reply = Reply::new(&self.values, &bytes[..end]);
                let answer = setup.answer(&op, &reply, &mut ticket.seen.borrow_mut());
                if answer.is_demoted() {
                    line.stage.set(Stage::Retiring);
                }
                ticket.settle(Ok(answer));
            }
            self.from += end;
            self.needed = 1;
        }
        Ok(())
    }
}
