//! Looks for what nobody may read: Redis's password in everything that the drill leaves behind, and the content of
//! sessions in a Redis whose store encrypts. The password itself is never written: a finding names only the place.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use firedrill_reports::Run;
use firedrill_reports::run::{Check, CheckVerdict, Offence, RUN_FILE};
use firedrill_reports::text;
use firedrill_storage::{Policy, SessionData as _, TriviaSession};

use crate::lab::{Lab, LabError, RedisUrl};
use crate::plan::Plan;
use crate::targets::EncryptionSpec;

/// The name of the check.
const NAME: &str = "secrets";

/// A shorter password is found by chance, so it is not looked for.
const SHORTEST: usize = 8;

/// How many places are named.
const NAMED: usize = 20;

/// How many stored sessions are looked at, per server.
const VALUES: usize = 200;

/// How much of a file is looked at at once.
const PIECE: usize = 1 << 20;

/// Something that must not be readable.
struct Needle {
    /// What it is, for messages.
    what: &'static str,
    /// Every form in which it may be written.
    forms: Vec<Vec<u8>>,
    /// Whether a form begins with this byte.
    begins: [bool; 256],
}

/// What to look for in a drill.
pub(super) struct Secrets {
    needles: Vec<Needle>,
    /// The beginnings of a session's content, if the store encrypts.
    content: Option<Needle>,
}

/// What was seen of the stored sessions.
pub(super) struct Stored {
    /// How many were looked at.
    looked_at: u64,
    /// How many are in plain text.
    plain: u64,
}

impl Secrets {
    /// The secrets of a drill whose target reaches Redis at `url`.
    pub(super) fn of(plan: &Plan, url: &RedisUrl) -> Self {
        let long = |password: &&str| password.len() >= SHORTEST;
        let of_redis = url.password().filter(long).map(|password| {
            let mut forms = forms(password);
            forms.extend(url.written_password().map(String::into_bytes));
            Needle::new("the password of Redis", forms)
        });
        let sentinel = url.sentinel().credentials.as_ref().map(|login| login.password.as_str());
        let of_sentinels = sentinel.filter(long).map(|word| Needle::new("the password of the sentinels", forms(word)));
        let needles = of_redis.into_iter().chain(of_sentinels).collect();
        let store = &plan.scenario.store;
        let encrypts = store.encryption != EncryptionSpec::Always(false) && store.policy != Policy::Memory;
        Self { needles, content: encrypts.then(content) }
    }

    /// Looks at sessions in the Redis of `lab`; `None` if they may be there in plain text.
    pub(super) async fn stored(&self, lab: &Lab) -> Option<Result<Stored, LabError>> {
        match &self.content {
            None => None,
            Some(content) => Some(stored(content, lab).await),
        }
    }

    /// Looks through `run`, its files in `dir`, and what was seen of the stored sessions; `None` if the drill has no secret.
    pub(super) fn look(&self, run: &Run, dir: &Path, stored: Option<Result<Stored, LabError>>) -> Option<Check> {
        self.all().next()?;
        let mut found = Found::default();
        match serde_json::to_value(run) {
            Ok(record) => self.in_record(RUN_FILE, &record, &mut found),
            Err(error) => found.unseen.push(format!("the record could not be read: {error}")),
        }
        self.in_files(dir, &mut found);
        match stored {
            Some(Ok(Stored { looked_at, plain })) => {
                found.examined += looked_at;
                if plain > 0 {
                    let share = format!("{plain} of {}", text::counted(looked_at, "stored session"));
                    found.places.push(format!("Redis holds sessions in plain text: {share}"));
                }
            }
            Some(Err(error)) => found.unseen.push(format!("the stored sessions could not be read: {error}")),
            None => {}
        }
        Some(found.into_check())
    }

    fn all(&self) -> impl Iterator<Item = &Needle> {
        self.needles.iter().chain(&self.content)
    }

    /// Looks through every text of the record.
    fn in_record(&self, place: &str, value: &serde_json::Value, found: &mut Found) {
        match value {
            serde_json::Value::String(text) => self.in_text(text, place, found),
            serde_json::Value::Array(items) => {
                items.iter().enumerate().for_each(|(at, item)| self.in_record(&format!("{place}[{at}]"), item, found));
            }
            serde_json::Value::Object(fields) => {
                for (name, value) in fields {
                    self.in_record(&format!("{place}.{name}"), value, found);
                }
            }
            _ => {}
        }
    }

    /// Looks through every file in `dir`; the record has been looked through text by text.
    fn in_files(&self, dir: &Path, found: &mut Found) {
        let files = match std::fs::read_dir(dir) {
            Ok(files) => files.filter_map(Result::ok).filter(|file| file.file_type().is_ok_and(|kind| kind.is_file())),
            Err(error) => return found.unseen.push(format!("the run's folder could not be read: {error}")),
        };
        for file in files.filter(|file| file.file_name() != RUN_FILE) {
            let name = file.file_name().to_string_lossy().into_owned();
            if let Err(error) = self.in_file(&file.path(), &name, found) {
                found.unseen.push(format!("{name} could not be read: {error}"));
            }
        }
    }

    /// Looks through a file piece by piece: a history may be larger than memory.
    fn in_file(&self, path: &Path, name: &str, found: &mut Found) -> std::io::Result<()> {
        let mut file = File::open(path)?;
        let mut wanted: Vec<&Needle> = self.all().collect();
        let overlap = wanted.iter().map(|needle| needle.longest()).max().unwrap_or(0);
        let (mut piece, mut line) = (Vec::with_capacity(PIECE + overlap), 1);
        found.examined += 1;
        while (&mut file).take(PIECE as u64).read_to_end(&mut piece)? > 0 {
            let lines = |until: usize| piece[..until].iter().filter(|byte| **byte == b'\n').count();
            wanted.retain(|needle| match needle.position(&piece) {
                Some(at) => {
                    found.places.push(format!("{} is in {name}, line {}", needle.what, line + lines(at)));
                    false
                }
                None => true,
            });
            let done = piece.len().saturating_sub(overlap);
            line += lines(done);
            piece.drain(..done);
        }
        Ok(())
    }

    fn in_text(&self, text: &str, place: &str, found: &mut Found) {
        found.examined += 1;
        let here = self.all().filter(|needle| needle.position(text.as_bytes()).is_some());
        found.places.extend(here.map(|needle| format!("{} is in {place}", needle.what)));
    }
}

impl Needle {
    fn new(what: &'static str, forms: Vec<Vec<u8>>) -> Self {
        let begins = std::array::from_fn(|byte| forms.iter().any(|form| form.first() == Some(&(byte as u8))));
        Self { what, forms, begins }
    }

    /// The length of its longest form.
    fn longest(&self) -> usize {
        self.forms.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// Where one of its forms begins first.
    fn position(&self, bytes: &[u8]) -> Option<usize> {
        let here = |at: &usize| self.forms.iter().any(|form| bytes[*at..].starts_with(form));
        (0..bytes.len()).filter(|at| self.begins[usize::from(bytes[*at])]).find(here)
    }
}

/// `password` as it is, within a JSON text, and within anything that was encoded in Base64.
fn forms(password: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![password.as_bytes().to_vec()];
    forms.extend(serde_json::to_string(password).ok().map(|quoted| quoted.trim_matches('"').as_bytes().to_vec()));
    for ahead in 0..3 {
        // Three bytes are four characters, so what is encoded before it shifts the characters by one of three steps. The
        // first and the last of them may depend on its neighbours.
        let shifted = [&[0_u8; 3][..ahead], password.as_bytes()].concat();
        let (from, to) = ((ahead * 8).div_ceil(6), shifted.len() * 8 / 6);
        forms.extend([STANDARD_NO_PAD, URL_SAFE_NO_PAD].map(|alphabet| alphabet.encode(&shifted)[from..to].into()));
    }
    forms.sort_unstable();
    forms.dedup();
    forms
}

/// How the content of a session begins, and each of its items: field names that no session of a drill is without.
fn content() -> Needle {
    let opener = TriviaSession::SPLICE.map_or("\"answers\":[", |splice| splice.opener);
    Needle::new("a session's content", vec![opener.into(), b"{\"question\":".to_vec()])
}

async fn stored(content: &Needle, lab: &Lab) -> Result<Stored, LabError> {
    let mut seen = Stored { looked_at: 0, plain: 0 };
    for value in lab.session_values(VALUES).await? {
        seen.looked_at += 1;
        seen.plain += u64::from(content.position(&value).is_some());
    }
    Ok(seen)
}

/// What was found, and what could not be looked at.
#[derive(Default)]
struct Found {
    examined: u64,
    places: Vec<String>,
    unseen: Vec<String>,
}

impl Found {
    fn into_check(self) -> Check {
        let (verdict, summary) = match (self.places.first(), self.unseen.first()) {
            (Some(first), _) => {
                (CheckVerdict::Invalid, format!("{}: {first}", text::counted(self.places.len() as u64, "place")))
            }
            (None, Some(unseen)) => (CheckVerdict::Unknown, format!("cannot tell: {unseen}")),
            (None, None) => {
                (CheckVerdict::Valid, format!("{}, none of them with a secret", text::counted(self.examined, "thing")))
            }
        };
        let offence = |text: &String| Offence {
            session: String::new(),
            operations: Vec::new(),
            at_ms: None,
            text: text.clone(),
            cause: String::new(),
        };
        Check {
            name: NAME.to_owned(),
            about: "nobody can read Redis's password, or an encrypted session's content".to_owned(),
            verdict,
            counts: true,
            examined: self.examined,
            offences: self.places.len() as u64,
            sessions: 0,
            summary,
            causes: Vec::new(),
            samples: self.places.iter().take(NAMED).map(offence).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use firedrill_reports::run::Refusal;

    use super::*;
    use crate::scenario::{Source, parse};

    const PASSWORD: &str = "s3cr#t+pass/word";

    fn secrets(url: &str) -> Secrets {
        let text = "name = \"x\"\nabout = \"y\"\n[[load]]\nrate = \"9/s\"\nfor = \"5s\"\n".to_owned();
        let scenario = parse(&Source { name: "x.toml".to_owned(), text }, &[]).unwrap();
        Secrets::of(&Plan::of(scenario, 1).unwrap(), &url.parse().unwrap())
    }

    fn of_password() -> Secrets {
        secrets("redis://app:s3cr%23t%2Bpass%2Fword@127.0.0.1:6379")
    }

    #[test]
    fn a_password_is_found_as_it_is_and_in_every_encoding() {
        let secrets = of_password();
        let finds = |text: &str| secrets.needles[0].position(text.as_bytes());
        assert_eq!(finds(&format!("AUTH app {PASSWORD}")), Some(9));
        assert_eq!(finds("redis://app:s3cr%23t%2Bpass%2Fword@127.0.0.1"), Some(12));
        for before in ["", "a", "ab", "app:"] {
            let encoded = STANDARD.encode(format!("{before}{PASSWORD} and more"));
            assert!(finds(&encoded).is_some(), "{before}: {encoded}");
        }
        assert_eq!(finds("s3cr#t+pass/wor, redis://app:***@127.0.0.1"), None);
    }

    #[test]
    fn a_finding_names_the_places_and_never_the_password() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("session-server.log"), format!("one\ntwo {PASSWORD}\n")).unwrap();
        std::fs::write(folder.path().join(RUN_FILE), PASSWORD).unwrap();
        let answer = format!("ERR cannot reach redis://app:{PASSWORD}@host");
        let run = Run { refusals: vec![Refusal { code: "ERR".to_owned(), answer, count: 1 }], ..Run::default() };
        let check = of_password().look(&run, folder.path(), None).unwrap();
        assert_eq!((check.verdict, check.offences), (CheckVerdict::Invalid, 2));
        let places: Vec<&str> = check.samples.iter().map(|sample| sample.text.as_str()).collect();
        assert_eq!(
            places,
            [
                "the password of Redis is in run.json.refusals[0].answer",
                "the password of Redis is in session-server.log, line 2"
            ]
        );
        assert!(!format!("{check:?}").contains(PASSWORD));
        let clean = of_password().look(&Run::default(), tempfile::tempdir().unwrap().path(), None).unwrap();
        assert_eq!(clean.verdict, CheckVerdict::Valid, "{clean:?}");
    }

    #[test]
    fn a_drill_without_a_secret_and_one_with_a_password_that_words_contain_have_no_such_check() {
        let folder = tempfile::tempdir().unwrap();
        for url in ["redis://127.0.0.1", "redis://:redis@127.0.0.1"] {
            assert_eq!(secrets(url).look(&Run::default(), folder.path(), None), None, "{url}");
        }
    }

    #[test]
    fn what_could_not_be_looked_at_is_unknown() {
        let check = of_password().look(&Run::default(), Path::new("/nonexistent/run"), None).unwrap();
        assert_eq!(check.verdict, CheckVerdict::Unknown);
        assert!(check.summary.starts_with("cannot tell: the run's folder could not be read"), "{}", check.summary);
    }
}
