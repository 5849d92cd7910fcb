//! Servers that are already running and take over from one another: drilled by their URL, and left as they were found.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use firedrill::lab::{Executor as _, Lab, ManagedConfig, Topology};
use firedrill_storage::Deployment;
use nix::sys::signal::Signal;

use crate::heal::Place;
use crate::support::docker::text;
use crate::support::{FinishedDrill, drill_by, firedrill, room_for_a_group, signal, unless_held_up, wait_for};

const SOON: Duration = Duration::from_secs(60);

/// The owners' keys.
const FOREIGN: u32 = 500;

/// Servers that play the external ones.
struct Theirs {
    lab: Lab,
    /// The URL of a sentinel, or of a node.
    url: String,
    runtime: tokio::runtime::Runtime,
}

impl Theirs {
    fn start(topology: Topology) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let lab = runtime.block_on(Lab::in_topology(topology, &ManagedConfig::default())).unwrap();
        let named = match lab.access().deployment {
            Deployment::Sentinel { sentinels, .. } => sentinels[1].clone(),
            Deployment::Cluster { nodes } => nodes[1].clone(),
            Deployment::Standalone => panic!("one server alone"),
        };
        let theirs = Self { lab, url: format!("redis://{named}"), runtime };
        theirs.runtime.block_on(async {
            let line = theirs.lab.leaders_line().unwrap();
            for number in 0..FOREIGN {
                let set = redis::cmd("SET").arg(format!("foreign:{number}")).arg(number).clone();
                line.query::<()>(&set).await.unwrap();
            }
        });
        theirs
    }

    fn address(&self) -> &str {
        self.url.strip_prefix("redis://").unwrap()
    }

    /// The keys of everybody, on the servers that lead now.
    fn keys(&self) -> Vec<String> {
        self.runtime.block_on(async {
            let mut all = Vec::new();
            for admin in self.lab.leaders().await.unwrap() {
                all.extend(admin.query::<Vec<String>>(redis::cmd("KEYS").arg("*")).await.unwrap());
            }
            all.sort();
            all
        })
    }

    /// Whether a drill has left nothing, and taken nothing.
    fn is_as_before(&self) {
        let keys = self.keys();
        assert!(keys.len() == FOREIGN as usize && keys.iter().all(|key| key.starts_with("foreign:")), "{keys:?}");
    }

    fn run(&self, place: &Place, scenario: &str, more: &[&str]) -> Output {
        let mut command = self.command(place);
        command.args(["run", scenario, "--out"]).arg(place.folder.path().join("runs")).args(more);
        command.output().unwrap()
    }

    fn command(&self, place: &Place) -> Command {
        let mut command = place.command();
        command.env("FIREDRILL_REDIS", &self.url);
        command
    }

    /// A drill that passes.
    fn drill(&self, place: &Place, scenario: &str, more: &[&str]) -> FinishedDrill {
        unless_held_up(scenario, || drill_by(self.command(place), scenario, more)).expect(0)
    }
}

/// A short drill in this topology.
fn scenario(place: &Place, topology: &str, length: &str, faults: &str) -> String {
    // A failover may lose what was not replicated yet.
    let checks = ["lost-writes", "read-your-writes", "monotonic-reads", "stale-reads", "resurrection", "double-award"];
    let checks: String = checks.iter().map(|check| format!("{check} = \"report\"\n")).collect();
    let phase = if faults.is_empty() { "all" } else { "during" };
    let text = format!(
        "name = \"group\"\nabout = \"x\"\n[lab]\ntopology = \"{topology}\"\n[[load]]\nrate = \"200/s\"\nfor = \"{length}\"\n\
         sessions = 40\npayload = \"1KB\"\nmix = {{ create = 1, read = 6, append = 3 }}\n{faults}\n\
         [checks]\n{checks}ttl = \"report\"\nuser-index = \"report\"\n[steady]\nfor = \"500ms\"\n[gates]\n\"{phase}.errors\" = \"<= 5%\"\n"
    );
    let file = place.folder.path().join("group.toml");
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

/// The sentinels must go on seeing a primary that only the drill's own store cannot reach.
#[test]
fn a_deployment_with_sentinels_is_drilled_by_the_url_of_one_of_them() {
    let _room = room_for_a_group();
    let (theirs, place) = (Theirs::start(Topology::Sentinel), Place::new());
    let doctor = firedrill().arg("doctor").env("FIREDRILL_REDIS", &theirs.url).output().unwrap();
    let said = text(&doctor);
    assert_eq!(doctor.status.code(), Some(0), "{said}");
    assert!(said.contains("3 sentinels and 2 servers: --set lab.topology=sentinel"), "{said}");

    let alone = theirs.run(&place, "redis-outage", &[]);
    assert_eq!(alone.status.code(), Some(2), "{}", text(&alone));
    assert!(text(&alone).contains("is a sentinel, and lab.topology is \"standalone\""), "{}", text(&alone));

    let cut = "[[fault]]\nkind = \"proxy.down\"\nat = \"800ms\"\nfor = \"600ms\"";
    let file = scenario(&place, "sentinel", "4s", cut);
    let other = theirs.run(&place, &file, &["--redis-master", "nobody"]);
    assert_eq!(other.status.code(), Some(2), "{}", text(&other));
    assert!(text(&other).contains("watches `drill`, and not `nobody`"), "{}", text(&other));

    let leading = theirs.runtime.block_on(theirs.lab.leading()).unwrap();
    let faults = theirs.drill(&place, &file, &["--redis-master", "drill"]).run().faults;
    assert!(faults[0].bit, "{faults:?}");
    assert_eq!(theirs.runtime.block_on(theirs.lab.leading()).unwrap(), leading, "their sentinels have noticed it");
    theirs.is_as_before();
    assert!(place.journals().is_empty());
}

#[test]
fn a_cluster_is_drilled_by_the_url_of_a_node_and_fails_over_only_if_it_is_named() {
    let _room = room_for_a_group();
    let (theirs, place) = (Theirs::start(Topology::Cluster), Place::new());
    let both = "[[fault]]\nkind = \"proxy.timeout\"\nat = \"600ms\"\nfor = \"500ms\"\n\
                [[fault]]\nkind = \"cluster.failover\"\nat = \"1500ms\"\nfor = \"500ms\"";
    let file = scenario(&place, "cluster", "3500ms", both);
    let refused = theirs.run(&place, &file, &[]);
    let allow = format!("--allow-server-faults {}", theirs.address());
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
    assert!(text(&refused).contains("cluster.failover") && text(&refused).contains(&allow), "{}", text(&refused));
    theirs.is_as_before();

    let faults = theirs.drill(&place, &file, &["--allow-server-faults", theirs.address()]).run().faults;
    assert!(faults.iter().all(|fault| fault.bit), "{faults:?}");
    theirs.is_as_before();
    assert!(place.journals().is_empty());

    let moved = scenario(&place, "cluster", "2s", "[[fault]]\nkind = \"cluster.restart\"\nat = \"1s\"\nfor = \"1s\"");
    let refused = theirs.run(&place, &moved, &["--allow-server-faults", theirs.address()]);
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
    assert!(text(&refused).contains("cluster.restart needs a redis-server that the drill runs itself"));
}

/// From the record on the servers, and from the journal.
#[test]
fn what_a_killed_drill_has_left_in_a_cluster_is_found_on_every_node_and_removed() {
    let _room = room_for_a_group();
    let (theirs, first, second) = (Theirs::start(Topology::Cluster), Place::new(), Place::new());
    let file = scenario(&first, "cluster", "60s", "");
    let mut command = first.command();
    command.args(["run", &file, "--out"]).arg(first.folder.path().join("runs")).env("FIREDRILL_REDIS", &theirs.url);
    let mut drill = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for("its sessions", SOON, || (theirs.keys().len() > FOREIGN as usize + 40).then_some(()));
    let busy = theirs.run(&second, &scenario(&second, "cluster", "2s", ""), &[]);
    assert_eq!(busy.status.code(), Some(4), "{}", text(&busy));
    assert!(text(&busy).contains(&format!("pid {}", drill.id())), "{}", text(&busy));
    signal(&drill, Signal::SIGKILL);
    drill.wait().unwrap();

    let healed = second.heal(Some(&theirs.url));
    assert_eq!(healed.status.code(), Some(0), "{}", text(&healed));
    assert!(text(&healed).contains("keys under firedrill:"), "{}", text(&healed));
    theirs.is_as_before();
    let again = first.heal(None);
    assert_eq!((again.status.code(), first.journals().len()), (Some(0), 0), "{}", text(&again));
}
