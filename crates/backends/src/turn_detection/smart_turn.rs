//! The judge that listens: a smart-turn v3 model, run on the CPU.
//!
//! The model (Pipecat's smart-turn, BSD-2-Clause) is a Whisper encoder with a head that says how complete the last eight seconds
//! sound. Its file is the operator's: none is in the repository or in the binary. Owns the file's loading and checking, and the
//! threads that judgements run on. It must not know what a call makes of a judgement.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rten::{Model, RunOptions, ThreadPool};
use rten_tensor::NdTensor;
use rten_tensor::prelude::*;
use tracing::error;

use super::TurnDetector;
use super::log_mel::{FRAMES, LogMel, MELS};

/// How operators come by a model.
const REMEDY: &str = "give the path of smart-turn-v3.2-cpu.onnx, which the Python package pipecat-ai carries: `pip download --no-deps \
                      pipecat-ai==1.14.0`, then `unzip -j pipecat_ai-*.whl '*/smart-turn-v3.2-cpu.onnx'`";

/// A smart-turn model, ready.
pub struct SmartTurn {
    model: Model,
    log_mel: LogMel,
    /// Threads that wait for a judgement, one in each pool: rten would use all cores for one.
    idle: Mutex<Vec<Arc<ThreadPool>>>,
}

/// A file that is no smart-turn model. The operator has to give another.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("{} cannot be read: {source}; {REMEDY}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no ONNX model, or one that cannot be run here.
    #[error("{} is no model that can be run: {reason}; {REMEDY}", path.display())]
    NoModel {
        /// The file.
        path: PathBuf,
        /// What the runtime said.
        reason: String,
    },
    /// The model does something else.
    #[error("{} is no smart-turn v3 model: {problem}; {REMEDY}", path.display())]
    OtherModel {
        /// The file.
        path: PathBuf,
        /// What it does instead.
        problem: String,
    },
}

impl SmartTurn {
    /// Loads the model from this ONNX file, and has it judge a second of silence: that shows whether it is the right one, and the
    /// first judgement of a call does not wait for memory. Takes about a tenth of a second.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        let file =
            std::fs::read(path).map_err(|source| LoadError::Unreadable { path: path.to_owned(), source })?;
        let model = Model::load(file)
            .map_err(|error| LoadError::NoModel { path: path.to_owned(), reason: error.to_string() })?;
        let detector = Self { model, log_mel: LogMel::new(), idle: Mutex::default() };
        match detector.judge(&[0; 16_000]) {
            Ok(_) => Ok(detector),
            Err(problem) => Err(LoadError::OtherModel { path: path.to_owned(), problem }),
        }
    }

    /// The model's answer, or what is wrong with the model.
    fn judge(&self, samples: &[i16]) -> Result<f32, String> {
        let features = NdTensor::from_data([1, MELS, FRAMES], self.log_mel.features(samples));
        let threads = self.idle().pop().unwrap_or_else(|| Arc::new(ThreadPool::with_num_threads(1)));
        let options = RunOptions::default().with_thread_pool(Some(Arc::clone(&threads)));
        let answer = self.model.run_one(features.into(), Some(options));
        // A model that panics does not come here: its threads end with it.
        self.idle().push(threads);
        let answer = answer.map_err(|error| error.to_string())?;
        let shape = answer.shape().to_vec();
        let answer = answer.into_tensor::<f32>().ok_or("it does not answer with a number")?;
        match answer.to_vec()[..] {
            [probability] if (0.0..=1.0).contains(&probability) => Ok(probability),
            [number] => Err(format!("it answers {number}, which is no probability")),
            _ => Err(format!("it answers with numbers in the shape {shape:?} instead of one")),
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Arc<ThreadPool>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TurnDetector for SmartTurn {
    fn end_of_turn(&self, samples: &[i16]) -> f32 {
        self.judge(samples).unwrap_or_else(|problem| {
            error!("the turn detector has no opinion: {problem}");
            f32::NAN
        })
    }
}

impl fmt::Debug for SmartTurn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmartTurn").finish_non_exhaustive()
    }
}
