//! Searches of simulated targets whose knees are known.
#![allow(clippy::unwrap_used)]

use firedrill_capacity::{Count, Knee, Measured, Objective, Search, Second, Settings, Subject, Trial};
use rand::{RngExt, SeedableRng};
use rand_distr::{Binomial, Distribution, Normal, Poisson};
use rand_xoshiro::Xoshiro256PlusPlus;

/// How the share of slow requests depends on the rate. The share allowed is 1 %, reached at the knee.
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// One server with random service times: P(T > 5 ms) = e^(−(μ−λ)·5 ms) (M/M/1), and a backlog above μ.
    Queue,
    /// Fast up to saturation; above it, the backlog grows.
    Cliff,
    /// The share rises with the fourth power of the rate; the target never saturates.
    Slope,
    /// At the knee, half of the requests suddenly take long; the target never saturates.
    Jump,
}

const SHAPES: [Shape; 4] = [Shape::Queue, Shape::Cliff, Shape::Slope, Shape::Jump];

/// A target that is only figures.
struct Simulated {
    shape: Shape,
    knee: f64,
    /// What the generator delivers.
    ceiling: f64,
    /// Seconds in which a neighbour takes the processor, as a share.
    neighbours: f64,
    /// What seconds have in common with those before them.
    mood: f64,
    rng: Xoshiro256PlusPlus,
}

/// The deviation of a second's share of slow requests, and how much of it lasts to the next second.
const MOOD: (f64, f64) = (0.35, 0.5);

impl Simulated {
    fn new(shape: Shape, knee: f64, seed: u64) -> Self {
        let rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        Self { shape, knee, ceiling: 200_000.0, neighbours: 0.01, mood: 0.0, rng }
    }

    /// The long-run share of slow requests, and the rate above which the backlog grows.
    fn truth(&self, rate: f64) -> (f64, f64) {
        match self.shape {
            Shape::Queue => {
                let most = self.knee + 100f64.ln() / 0.005;
                ((-(most - rate).max(0.0) * 0.005).exp(), most)
            }
            Shape::Cliff => (if rate < self.knee { 0.000_5 } else { 0.2 }, self.knee),
            Shape::Slope => ((0.01 * (rate / self.knee).powi(4)).min(1.0), f64::INFINITY),
            Shape::Jump => (if rate < self.knee { 0.001 } else { 0.5 }, f64::INFINITY),
        }
    }

    fn run(&mut self, trial: Trial) -> Measured {
        let (slow, most) = match trial.subject {
            Subject::Target => self.truth(trial.rate),
            Subject::Nothing => (if trial.rate < self.ceiling { 0.0 } else { 1.0 }, self.ceiling),
        };
        let (deviation, lasts) = MOOD;
        let fresh = Normal::new(0.0, deviation * (1.0 - lasts * lasts).sqrt()).unwrap();
        let mut seconds = Vec::new();
        for _ in 0..trial.seconds {
            self.mood = lasts * self.mood + fresh.sample(&mut self.rng);
            let noise = (self.mood - deviation * deviation / 2.0).exp();
            let burst = if self.rng.random::<f64>() < self.neighbours { self.rng.random::<f64>() * 0.3 } else { 0.0 };
            let of = Poisson::new(trial.rate).unwrap().sample(&mut self.rng) as u64;
            let over = Binomial::new(of, (slow * noise + burst).min(1.0)).unwrap().sample(&mut self.rng);
            seconds.push(Second { counts: vec![Count { of, over }] });
        }
        let planned: u64 = seconds.iter().map(|second| second.counts[0].of).sum();
        let throughput = trial.rate.min(most);
        let base = trial.rate * 0.001;
        let samples = trial.seconds * 4;
        let growth = (trial.rate - most).max(0.0) / 4.0;
        let backlog =
            (0..samples).map(|n| Poisson::new(base).unwrap().sample(&mut self.rng) + growth * f64::from(n)).collect();
        Measured {
            seconds,
            planned,
            started: planned,
            backlog,
            throughput,
            response: 0.001,
            in_flight: throughput * 0.001 * (1.0 + self.rng.random_range(-0.02..0.02)),
            by_generator: false,
        }
    }
}

fn settings() -> Settings {
    Settings::of(vec![Objective { name: "p99 <= 5ms".to_owned(), allowed: 0.01 }])
}

fn search(target: &mut Simulated, settings: Settings, seed: u64) -> Search {
    let mut search = Search::new(settings, seed);
    while let Some(trial) = search.next_trial() {
        let measured = target.run(trial);
        search.tell(measured);
    }
    search
}

/// How many of `searches` found which share of what.
#[derive(Debug, Default)]
struct Tally {
    below: u32,
    above: u32,
    answered: u32,
    narrow: u32,
    seconds: u32,
}

impl Tally {
    fn covered(&self) -> u32 {
        self.answered - self.below - self.above
    }
}

fn tally(shape: Shape, searches: u32, first_seed: u64) -> Tally {
    let mut tally = Tally::default();
    for seed in (first_seed..).take(searches as usize) {
        let mut draw = Xoshiro256PlusPlus::seed_from_u64(seed ^ 0x5eed);
        let knee = (draw.random_range(2_000f64.ln()..60_000f64.ln())).exp();
        let done = search(&mut Simulated::new(shape, knee, seed), settings(), seed);
        let of_target = done.steps().iter().filter(|step| step.subject == Subject::Target);
        tally.seconds += of_target.map(|step| step.seconds()).sum::<u32>();
        let answer = done.answer().knee;
        let Knee::At { low, high, .. } = answer else {
            println!("{shape:?}, knee {knee:.0}, seed {seed}: {answer:?}");
            continue;
        };
        tally.answered += 1;
        tally.below += u32::from(knee < low);
        tally.above += u32::from(knee > high);
        tally.narrow += u32::from((high - low) / (high + low) <= 0.05);
    }
    tally
}

fn coverage(searches: u32) {
    let mut covered = 0;
    for shape in SHAPES {
        let each = searches / SHAPES.len() as u32;
        let tally = tally(shape, each, 1);
        println!("{shape:?}: covered {}, {tally:?}, {} s of load each", tally.covered(), tally.seconds / each);
        assert!(tally.answered * 50 >= each * 49, "{shape:?}: {tally:?}");
        assert!(f64::from(tally.covered()) >= 0.80 * f64::from(each), "{shape:?}: {tally:?}");
        covered += tally.covered();
    }
    println!("covered {covered} of {searches}");
    assert!(f64::from(covered) >= 0.9 * f64::from(searches), "{covered} of {searches}");
}

#[test]
fn the_interval_covers_the_knee_of_every_shape_in_nine_of_ten_searches() {
    coverage(200);
}

#[test]
#[ignore = "a minute; prints the coverage that docs/capacity.md cites"]
fn a_thousand_searches() {
    coverage(1_000);
}
