//! The scenarios in `examples/simulate`.

use std::path::Path;

use antiphon_server::simulation::{Options, Run, Scenario, find, run_all, simulate};

fn scenarios() -> Vec<Scenario> {
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/simulate");
    let files = find(&[library]).unwrap();
    assert!(files.len() >= 12, "{files:?}");
    files.iter().map(|file| Scenario::read(file).unwrap_or_else(|error| panic!("{error}"))).collect()
}

fn complain(run: &Run) {
    assert!(run.passed(), "{} #{}: {:#?}\n{:#?}", run.scenario, run.repetition, run.failures, run.moments);
}

#[test]
fn every_scenario_of_the_library_passes() {
    for scenario in scenarios() {
        complain(&simulate(&scenario, 0, 0));
    }
}

#[test]
fn small_differences_of_time_change_nothing_that_is_expected() {
    let mut runs = 0;
    run_all(&scenarios(), Options { repeat: 20, seed: 7, jobs: 2 }, |run| {
        complain(&run);
        runs += 1;
    });
    assert_eq!(runs, scenarios().len() * 20);
}

#[test]
fn equal_runs_are_equal() {
    for scenario in scenarios() {
        for repetition in 0..3 {
            let (one, two) = (simulate(&scenario, repetition, 1), simulate(&scenario, repetition, 1));
            assert_eq!(one.moments, two.moments, "{}", scenario.name);
        }
    }
}
