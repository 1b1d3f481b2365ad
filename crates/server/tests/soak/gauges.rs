//! What a process holds, and how that goes with the number of calls.

/// One look.
pub(crate) struct Sample {
    pub(crate) calls: usize,
    /// Resident, in bytes.
    pub(crate) memory: usize,
    pub(crate) descriptors: usize,
    pub(crate) tasks: usize,
}

impl Sample {
    pub(crate) fn take(calls: usize) -> Self {
        let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux tells of memory");
        let pages: usize = statm.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).unwrap();
        Self {
            calls,
            memory: pages * rustix::param::page_size(),
            descriptors: std::fs::read_dir("/proc/self/fd").expect("Linux tells of descriptors").count(),
            tasks: tokio::runtime::Handle::current().metrics().num_alive_tasks(),
        }
    }
}

/// How much a figure grows with each call: the slope of the straight line that fits best.
pub(crate) fn slope(samples: &[Sample], figure: fn(&Sample) -> usize) -> f64 {
    let points: Vec<(f64, f64)> =
        samples.iter().map(|sample| (sample.calls as f64, figure(sample) as f64)).collect();
    let count = points.len() as f64;
    let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
    let covariance: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let variance: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    covariance / variance
}

#[test]
fn the_slope_is_that_of_a_line() {
    let sample = |calls, memory| Sample { calls, memory, descriptors: 7, tasks: 0 };
    let samples = [sample(0, 100), sample(10, 350), sample(20, 580), sample(30, 850)];
    let found = slope(&samples, |sample| sample.memory);
    assert!((found - 24.8).abs() < 0.01, "{found}");
    assert!(slope(&samples, |sample| sample.descriptors).abs() < 1e-9);
}
