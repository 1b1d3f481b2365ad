//! Which models are configured, in words for people, and how to get one running that hears.

use std::sync::Arc;

use antiphon_backends::language_model::LanguageModel;
use antiphon_backends::registry::Backends;
use antiphon_backends::registry::config::ModelConfig;

use crate::config::Config;
use crate::probes::Book;

/// A configured model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configured {
    /// The name that calls choose it by.
    pub name: String,
    /// Whether calls that name none get it.
    pub default: bool,
    /// What kind of model it is, and where.
    pub kind: String,
    /// How it takes the user's speech.
    pub hearing: &'static str,
    /// Who is asked when it fails.
    pub fallbacks: Vec<String>,
    /// What was found out about it, in a few words.
    pub known: String,
}

/// All configured models.
#[must_use]
pub fn configured(config: &Config, backends: &Backends) -> Vec<Configured> {
    let book = Book::of(&config.storage);
    let describe = |(name, model): (&Arc<str>, &Arc<dyn LanguageModel>)| {
        let section = config.models.get(&**name);
        let subject = backends.subjects.iter().find(|subject| subject.name == *name);
        let findings = subject.and_then(|subject| book.find(subject));
        let deaf = findings.is_some_and(|findings| !findings.hears());
        Configured {
            name: name.to_string(),
            default: *name == backends.default_model,
            kind: match section {
                None => "the built-in script".to_owned(),
                Some(ModelConfig::Scripted(_)) => "a script".to_owned(),
                Some(ModelConfig::Openai(model)) => format!("{} at {}", model.model, model.base_url),
                Some(ModelConfig::Anthropic(model)) => format!("{} at {}", model.model, model.base_url),
            },
            hearing: match (model.capabilities().audio, deaf) {
                (true, false) => "hears",
                (true, true) => "reads (takes no audio)",
                (false, _) => "reads",
            },
            fallbacks: section.map(|section| section.standby().fallbacks.to_vec()).unwrap_or_default(),
            known: match (subject, findings) {
                (None, _) => String::new(),
                (Some(_), None) => "not tried out; see `antiphon doctor`".to_owned(),
                (Some(_), Some(findings)) if findings.thinks => "thinks before it speaks".to_owned(),
                (Some(_), Some(findings)) => format!("first token {} ms", findings.first_token_ms),
            },
        }
    };
    backends.models.iter().map(describe).collect()
}

/// How to get a model running that hears: the commands, and the section of the configuration.
pub const LOCAL: &str = r#"A model that hears the user, on your own machine (Ultravox):

  with llama.cpp (CPU or a small GPU; the first start downloads the model and its audio part):

    llama-server -hf ggml-org/ultravox-v0_5-llama-3_2-1b-GGUF --jinja -c 16384 -np 2 --port 8081

    better, with 8 GB of memory for it:
    llama-server -hf ggml-org/ultravox-v0_5-llama-3_1-8b-GGUF --jinja -c 16384 -np 2 --port 8081

  with vLLM (a GPU with 24 GB):

    vllm serve fixie-ai/ultravox-v0_5-llama-3_1-8b --trust-remote-code --max-model-len 8192 \
      --limit-mm-per-prompt '{"audio":32}' --enable-prefix-caching \
      --enable-auto-tool-choice --tool-call-parser llama3_json --chat-template-content-format string --port 8081

  and in antiphon.toml:

    [calls]
    default_model = "ultravox"

    [models.ultravox]
    type = "openai"
    base_url = "http://127.0.0.1:8081/v1"
    model = "ultravox"              # vLLM: "fixie-ai/ultravox-v0_5-llama-3_1-8b"
    audio = true
    # vLLM can hear the whole conversation again without being sent it again:
    # audio_history = "all"
    # audio_ids = true

A model that reads, behind a recognizer (here Ollama):

    ollama pull qwen3:8b

    [models.qwen]
    type = "openai"
    base_url = "http://127.0.0.1:11434/v1"
    model = "qwen3:8b"
    extra = { reasoning_effort = "none" }

  and a recognizer for it: Whisper in this process (binaries built with --features whisper-local; a model of whisper.cpp):

    wget https://huggingface.co/ggerganov/whisper.cpp/resolve/main/ggml-base.en.bin

    [transcription]
    type = "whisper"
    model = "ggml-base.en.bin"

Then: antiphon doctor
"#;
