//! A harness killed at a random moment, by every signal, in every lab and topology: the test counts what is left
//! behind.

use std::collections::BTreeMap;
use std::process::ExitStatus;
use std::time::Duration;

use nix::sys::signal::Signal;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use crate::heal::Place;
use crate::support::docker::{Compose, image, owners, text};
use crate::support::foreign::{ForeignRedis, ServerSnapshot, marked};
use crate::support::toxiproxy::Server;
use crate::support::{machine, signal, wait_for};

const SOON: Duration = Duration::from_secs(60);

/// The number of drills that the loop kills.
const ROUNDS: &str = "FIREDRILL_KILL_ROUNDS";

/// The faults that a random drill may have.
const SERVER_FAULTS: &[&str] = &[
    "kind = \"server.readonly\"",
    "kind = \"server.oom\"",
    "kind = \"server.auth\"",
    "kind = \"server.maxclients\"",
    "kind = \"server.pause\"",
    "kind = \"server.pause\"\nmode = \"write\"",
    "kind = \"server.idle-timeout\"",
    "kind = \"server.noreplicas\"",
    "kind = \"server.script-flush\"",
    "kind = \"server.slow\"\nbusy = \"200ms\"",
    "kind = \"keys.corrupt\"\nshare = \"50%\"",
    "kind = \"keys.delete\"\nshare = \"50%\"",
    "kind = \"proxy.down\"",
    "kind = \"proxy.timeout\"",
    "kind = \"proxy.latency\"\nlatency = \"50ms\"",
    "kind = \"proxy.reset_peer\"",
];

/// The faults that a drill on any topology may have.
const GROUP_FAULTS: &[&str] = &[
    "kind = \"process.kill\"",
    "kind = \"process.stop\"",
    "kind = \"proxy.down\"",
    "kind = \"proxy.latency\"\nlatency = \"50ms\"",
];

const PROCESS_FAULTS: &[&str] = &["kind = \"process.kill\"", "kind = \"process.stop\""];

/// Checks that must not blame the store if a drill's servers are replaced.
const LOST_IN_A_FAILOVER: &[&str] =
    &["lost-writes", "read-your-writes", "monotonic-reads", "stale-reads", "resurrection", "ttl", "double-award"];

/// Where a random drill runs.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Environment {
    /// On an external Redis.
    Foreign,
    /// On the Redis of docker-compose.yml.
    Compose,
    /// On its own child process.
    Managed,
    /// On its own container.
    Docker,
    /// On its own servers in this topology.
    Group(&'static str),
}

/// One per round, shuffled. Containers take the longest.
const ENVIRONMENTS: &[Environment] = &[
    Environment::Foreign,
    Environment::Foreign,
    Environment::Foreign,
    Environment::Compose,
    Environment::Managed,
    Environment::Managed,
    Environment::Docker,
    Environment::Group("tls"),
    Environment::Group("replica"),
    Environment::Group("sentinel"),
    Environment::Group("cluster"),
];

/// How a random drill is ended. With as many ends as environments, the same pairs would come up again and again.
const ENDS: &[&[Signal]] = &[
    &[Signal::SIGKILL],
    &[Signal::SIGKILL],
    &[Signal::SIGKILL],
    &[Signal::SIGINT],
    &[Signal::SIGINT, Signal::SIGINT],
    &[Signal::SIGINT, Signal::SIGINT, Signal::SIGINT],
    &[Signal::SIGINT, Signal::SIGKILL],
    &[Signal::SIGTERM],
    &[Signal::SIGHUP],
    &[Signal::SIGQUIT],
];

/// Hands out each of its cards before any of them comes up again.
struct Deck<T: 'static> {
    cards: &'static [T],
    left: Vec<T>,
}

impl<T: Copy> Deck<T> {
    fn of(cards: &'static [T]) -> Self {
        Self { cards, left: Vec::new() }
    }

    fn draw(&mut self, chance: &mut StdRng) -> T {
        if self.left.is_empty() {
            self.left = self.cards.to_vec();
            self.left.shuffle(chance);
        }
        self.left.pop().unwrap()
    }
}

/// One drill, and when it is killed.
#[derive(Debug)]
struct Round {
    environment: Environment,
    /// Whether its proxy is on an external Toxiproxy server.
    remote: bool,
    faults: Vec<String>,
    /// Each signal, and the time since the previous one.
    sent: Vec<(Duration, Signal)>,
}

impl Round {
    fn drawn(chance: &mut StdRng, environment: Environment, end: &[Signal]) -> Self {
        let known = match environment {
            Environment::Foreign | Environment::Compose => SERVER_FAULTS.to_vec(),
            Environment::Managed | Environment::Docker => [SERVER_FAULTS, PROCESS_FAULTS].concat(),
            Environment::Group(_) => GROUP_FAULTS.to_vec(),
        };
        let faults = (0..chance.random_range(1..=3)).map(|_| {
            let kind = known[chance.random_range(0..known.len())];
            let (at, lasting) = (chance.random_range(0..1_500), chance.random_range(300..2_500));
            format!("{kind}\nat = \"{at}ms\"\nfor = \"{lasting}ms\"")
        });
        let faults = faults.collect();
        // Servers that announce their own addresses cannot have a proxy on an external server.
        let remote = chance.random_bool(0.4) && !matches!(environment, Environment::Group(_));
        let first = if matches!(environment, Environment::Docker | Environment::Group(_)) { 5_000 } else { 3_500 };
        // Later signals arrive while the first one is being handled.
        let after =
            |number: usize| Duration::from_millis(chance.random_range(0..if number == 0 { first } else { 200 }));
        let sent = (0..end.len()).map(after).zip(end.iter().copied()).collect();
        Self { environment, remote, faults, sent }
    }

    /// Its arguments on the command line.
    fn arguments(&self, toxiproxy: &Server) -> Vec<String> {
        let mut words = match self.environment {
            Environment::Foreign | Environment::Compose | Environment::Managed => Vec::new(),
            Environment::Docker => ["--lab", "docker", "--image", image()].map(str::to_owned).to_vec(),
            // What a failover loses is not the point here.
            Environment::Group(topology) => {
                let checks = LOST_IN_A_FAILOVER.iter().map(|check| format!("checks.{check}=report"));
                let set = std::iter::once(format!("lab.topology={topology}")).chain(checks);
                set.flat_map(|change| ["--set".to_owned(), change]).collect()
            }
        };
        if self.remote {
            words.extend(["--toxiproxy".to_owned(), toxiproxy.url()]);
        }
        words
    }

    /// Starts the drill, sends its signals while it runs, and waits for its end. Returns its pid, how it ended, and the
    /// signals that it got.
    fn carry_out(&self, place: &Place, redis: &str, mark: &str, toxiproxy: &Server) -> (u32, ExitStatus, String) {
        let faults: Vec<&str> = self.faults.iter().map(String::as_str).collect();
        let mut drill = place.start_with(&faults, redis, mark, &self.arguments(toxiproxy));
        let mut got = Vec::new();
        for (after, sent) in &self.sent {
            // The moment is the point, so do not wait for anything.
            std::thread::sleep(*after);
            if drill.try_wait().unwrap().is_some() {
                break;
            }
            signal(&drill, *sent);
            got.push(sent.as_str());
        }
        let ended = wait_for(&format!("the harness's end: {self:?}"), SOON, || drill.try_wait().unwrap());
        (drill.id(), ended, if got.is_empty() { "before the signal".to_owned() } else { got.join(" ") })
    }
}

/// What was found after the drills, in numbers.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    /// Drills that were refused, so that no signal hit them.
    refused: usize,
    /// Processes of a drill that outlived it.
    orphans: usize,
    /// Drills that ended on their own but left a journal.
    unhealed: usize,
    /// Runs of `firedrill heal` that did not exit with 0.
    failed_heals: usize,
    /// Journals, folders, containers, proxies, and the drill's keys left after `firedrill heal`.
    leftovers: usize,
    /// Settings, users and roles of the external Redis that changed.
    changed_settings: usize,
    /// Foreign keys that changed.
    touched_keys: u64,
}

/// The external systems, and their original state.
struct Others {
    redis: Vec<(ForeignRedis, ServerSnapshot)>,
    toxiproxy: Server,
    proxies: serde_json::Value,
}

impl Others {
    fn new(redis: Vec<ForeignRedis>) -> Self {
        let toxiproxy = Server::start();
        let redis = redis.into_iter().map(|foreign| {
            let before = foreign.snapshot();
            (foreign, before)
        });
        Self { redis: redis.collect(), proxies: toxiproxy.snapshot(), toxiproxy }
    }

    /// Looks for everything that a drill of `pid` in `place` could have left after `firedrill heal`.
    fn look(&mut self, place: &Place, pid: u32, found: &mut Found) {
        found.leftovers += place.journals().len();
        found.leftovers += std::fs::read_dir(place.temp()).unwrap().count();
        found.leftovers += owners().iter().filter(|owner| owner.pid == pid).count();
        let proxies = self.toxiproxy.snapshot();
        found.leftovers += usize::from(proxies != self.proxies);
        self.proxies = proxies;
        for (foreign, before) in &mut self.redis {
            found.leftovers += foreign.ask::<usize>(&["EXISTS", "firedrill:drill", "firedrill:lease"]);
            let now = foreign.snapshot();
            found.changed_settings += before.settings_changed(&now);
            found.touched_keys += before.keys_touched(&now);
            *before = now;
        }
    }
}

/// For a long night: `FIREDRILL_KILL_ROUNDS=300 cargo test --workspace --test labs -- --nocapture random_moments`.
#[test]
fn a_harness_killed_at_random_moments_leaves_no_orphan_no_setting_and_no_foreign_key_touched() {
    let _machine = machine();
    let rounds: usize = std::env::var(ROUNDS).map_or(ENVIRONMENTS.len(), |text| text.parse().unwrap());
    let seed: u64 = rand::random::<u32>().into();
    println!("seed {seed}, {rounds} rounds");
    let mut chance = StdRng::seed_from_u64(seed);
    let compose = Compose::up("kills");
    let mut others = Others::new(vec![ForeignRedis::start(), ForeignRedis::at(&compose.url())]);
    let (mut grounds, mut ends) = (Deck::of(ENVIRONMENTS), Deck::of(ENDS));
    let (mut found, mut where_, mut how) = (Found::default(), BTreeMap::<_, u64>::new(), BTreeMap::<_, u64>::new());
    for round in 0..rounds {
        let (environment, end) = (grounds.draw(&mut chance), ends.draw(&mut chance));
        let drawn = Round::drawn(&mut chance, environment, end);
        let (place, mark) = (Place::new(), format!("{seed}-{round}"));
        let redis = match environment {
            Environment::Foreign => others.redis[0].0.url.clone(),
            Environment::Compose => others.redis[1].0.url.clone(),
            _ => "managed".to_owned(),
        };
        let (pid, ended, got) = drawn.carry_out(&place, &redis, &mark, &others.toxiproxy);
        println!("round {round}: {got}, {ended}: {drawn:?}");
        *where_.entry(format!("{environment:?}")).or_default() += 1;
        *how.entry(got).or_default() += 1;

        let before = format!("{found:?}");
        // 2: the scenario; 4: the machine. Any other drill that ended before its signal was finished, and may have left
        // something.
        found.refused += usize::from(matches!(ended.code(), Some(2 | 4)));
        // The kernel ends a dead harness's children, but not at the same moment.
        let begun = std::time::Instant::now();
        while !marked(&mark).is_empty() && begun.elapsed() < SOON {
            std::thread::sleep(Duration::from_millis(20));
        }
        found.orphans += marked(&mark).len();
        found.unhealed += usize::from(ended.code().is_some() && !place.journals().is_empty());
        let url = if environment == Environment::Compose { &others.redis[1].0.url } else { &others.redis[0].0.url };
        let healed = place.heal(Some(url));
        found.failed_heals += usize::from(healed.status.code() != Some(0));
        others.look(&place, pid, &mut found);
        if format!("{found:?}") != before {
            println!("FOUND in round {round}: {found:?}\n{}", text(&healed));
        }
    }
    println!("{rounds} drills: {found:?}\nwhere {where_:#?}\nended by {how:#?}");
    assert_eq!(found, Found::default());
}
