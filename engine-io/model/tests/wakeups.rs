//! The scenarios of `engine-io/src/model`, in two thousand orders each, which are the same in every run; `MODEL_ORDERS` says how many for longer runs.

use engine_io_model::model;
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, FailurePersistence, Runner};

const SEED: u64 = 1;
const ORDERS: usize = 1_000;
/// How often a thread is overtaken in the middle of something, in orders that are chosen for that.
const DEPTH: usize = 4;

fn run(scheduler: impl Scheduler + 'static, scenario: fn()) {
    let mut config = Config::new();
    // Its default is too little for what the connection has on the stack.
    config.stack_size = 1 << 18;
    config.silence_warnings = true;
    // The seed tells more than a list of a thousand switches.
    config.failure_persistence = FailurePersistence::None;
    Runner::new(scheduler, config).run(scenario);
}

fn check(scenario: fn()) {
    let orders = std::env::var("MODEL_ORDERS").map(|orders| orders.parse());
    let orders = orders.map_or(ORDERS, |orders| orders.expect("a number"));
    run(RandomScheduler::new_from_seed(SEED, orders), scenario);
    run(PctScheduler::new_from_seed(SEED, DEPTH, orders), scenario);
}

#[test]
fn senders_write_past_the_owner() {
    check(model::senders_write_past_the_owner);
}

#[test]
fn echoes_meet_broadcasts() {
    check(model::echoes_meet_broadcasts);
}

#[test]
fn closing_lets_everything_leave() {
    check(model::closing_lets_everything_leave);
}

#[test]
fn polling_carries_both_ways() {
    check(model::polling_carries_both_ways);
}

#[test]
fn upgrades_lose_nothing() {
    check(model::upgrades_lose_nothing);
}
