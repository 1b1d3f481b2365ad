//! From a configuration to backends, and what is said when that does not work.

use antiphon_backends::registry::Backends;
use antiphon_backends::registry::config::BackendsConfig;
use antiphon_backends::text_to_speech::provider::Provider;

fn build(toml: &str) -> Result<Backends, String> {
    let config: BackendsConfig = toml::from_str(toml).map_err(|error| error.to_string())?;
    Backends::build(&config).map_err(|error| error.to_string())
}

fn refused(toml: &str, parts: &[&str]) {
    let Err(error) = build(toml) else { panic!("{toml} was accepted") };
    for part in parts {
        assert!(error.contains(part), "{part} in {error}");
    }
}

#[test]
fn nothing_configured_is_everything_offline() {
    let backends = build("").expect("the defaults work");
    assert_eq!(&*backends.default_model, "demo");
    assert!(!backends.models["demo"].capabilities().audio);
    assert_eq!(&*backends.default_voice, "kal");
    assert!(backends.voices["kal"].capabilities().word_times);
}

#[test]
fn everything_can_be_configured() {
    let backends = build(
        r#"
        default_model = "qwen"
        default_voice = "nova"
        [models.qwen]
        type = "openai"
        base_url = "http://localhost:8080/v1"
        model = "qwen3"
        audio = true
        extra = { chat_template_kwargs = { enable_thinking = false } }
        fallbacks = ["claude", "other"]
        audio_history = "all"
        omit = ["temperature"]
        [models.claude]
        type = "anthropic"
        base_url = "http://localhost:8081/v1"
        model = "claude-x"
        [models.other]
        type = "scripted"
        fallbacks = ["demo"]
        [voices.nova]
        type = "openai"
        base_url = "https://localhost/v1"
        model = "tts-1"
        voice = "nova"
        response_format = "wav"
        sample_rate = 22050
        [voices.hum]
        type = "scripted"
        word_times = false
        [voices.built-in]
        type = "flite"
        [transcription]
        type = "deepgram"
        base_url = "ws://localhost:8001/v1"
        [transcription.fallback]
        type = "openai"
        base_url = "http://localhost:8000/v1"
        model = "whisper-1"
        [voice_activity]
        type = "scripted"
        "#,
    )
    .expect("a good configuration");
    assert!(backends.models["qwen"].capabilities().audio);
    assert_eq!(backends.models.len(), 4);
    assert_eq!(backends.models["qwen"].capabilities().clips, 64);
    assert!(backends.models["qwen"].capabilities().warm_up, "nobody bills where there is no key");
    assert_eq!(backends.voices["nova"].capabilities().sample_rate.hz(), 22_050);
    assert!(!backends.voices["hum"].capabilities().word_times);
    assert_eq!(backends.voices.len(), 4);
    assert!(backends.speech_to_text.is_some());
    assert!(
        build("[transcription]\ntype = \"none\"").expect("a good configuration").speech_to_text.is_none()
    );
}

#[test]
fn voices_of_providers_stand_side_by_side_and_in_for_each_other() {
    let key = std::env::temp_dir().join(format!("antiphon-key-{}", std::process::id()));
    std::fs::write(&key, "key\n").expect("a temporary file");
    let backends = build(&format!(
        r#"
        default_voice = "rachel"
        [voices.rachel]
        type = "eleven_labs"
        voice_id = "21m00"
        speed = 1.1
        fallbacks = ["charon", "kal"]
        [voices.charon]
        type = "google"
        voice_id = "en-US-Chirp3-HD-Charon"
        [voices.hum]
        type = "scripted"
        fallbacks = ["rachel"]
        [voice_providers]
        fallbacks = ["kal"]
        cool_down_ms = 1000
        [voice_providers.elevenlabs]
        api_key_file = {key:?}
        [voice_providers.google]
        api_key_file = {key:?}
        base_url = "http://localhost:9000/google"
        "#
    ));
    let backends = backends.expect("a good configuration");
    std::fs::remove_file(&key).expect("the file is there");
    assert_eq!(backends.voices["rachel"].capabilities().sample_rate.hz(), 24_000);
    assert_eq!(backends.voice_definitions.len(), 2);
    assert!(backends.voice_providers.has_key(Provider::ElevenLabs));
    assert!(!backends.voice_providers.has_key(Provider::Lmnt));
}

#[test]
fn an_error_in_a_voice_names_the_field_and_the_remedy() {
    let voice = "[voices.v]\ntype = \"lmnt\"\nvoice_id = \"leah\"";
    refused(voice, &["voices.v", "there is no key for LMNT", "api_key_env", "[voice_providers.lmnt]"]);
    refused("[voices.v]\ntype = \"lmnt\"", &["voices.v.voice_id", "set the provider's id"]);
    refused("[voices.v]\ntype = \"lmnt\"\nvoice_id = \"x\"\nspeed = 3", &["voices.v.speed", "0.25 to 2"]);
    refused("[voices.v]\ntype = \"lmnt\"\nvoice_id = \"x\"\nspeeed = 1", &["speeed"]);
    refused("[voices.v]\ntype = \"flite\"\nspeed = 1", &["speed"]);
    refused(
        "[voices.v]\ntype = \"flite\"\nfallbacks = [\"w\"]",
        &["voices.v.fallbacks", "kal", "[voices.w]"],
    );
    refused(
        "[voices.v]\ntype = \"flite\"\nfallbacks = [\"v\"]",
        &["voices.v.fallbacks", "stand in for itself"],
    );
    refused("[voice_providers]\nfallbacks = [\"w\"]", &["voice_providers.fallbacks", "kal"]);
    refused("[voice_providers.google]\nbase_url = \"localhost\"", &["voice_providers.google.base_url"]);
    refused("[voice_providers.acme]\nbase_url = \"http://h\"", &["acme", "eleven_labs"]);
}

#[test]
fn an_error_names_the_field_and_the_remedy() {
    let model = |rest: &str| format!("[models.m]\ntype = \"openai\"\nmodel = \"x\"\n{rest}");
    refused(&model("base_url = \"localhost\""), &["models.m.base_url", "http://localhost:8080/v1"]);
    refused(
        &model("base_url = \"http://h\"\napi_key_env = \"ANTIPHON_NO_SUCH_KEY\""),
        &["models.m.api_key_env", "ANTIPHON_NO_SUCH_KEY", "set it"],
    );
    refused(
        &model("base_url = \"http://h\"\napi_key_file = \"/nowhere/key\""),
        &["models.m.api_key_file", "/nowhere/key"],
    );
    refused(
        &model("base_url = \"http://h\"\napi_key_file = \"/dev/null\""),
        &["models.m.api_key_file", "empty"],
    );
    refused(
        &model("base_url = \"http://h\"\napi_key_file = \"a\"\napi_key_env = \"B\""),
        &["models.m.api_key_env", "keep one"],
    );
    refused(&model("base_url = \"http://h\"\naudio = true\naudio_turns = 0"), &["models.m.audio_turns"]);
    refused(&model("base_url = \"http://h\"\ntemprature = 1"), &["temprature"]);
    refused(
        &model("base_url = \"http://h\"\nfallbacks = [\"other\"]"),
        &["models.m.fallbacks", "other", "demo", "[models.other]"],
    );
    refused(&model("base_url = \"http://h\"\nfallbacks = [\"m\"]"), &["models.m.fallbacks", "once"]);
    refused(
        &model("base_url = \"http://h\"\nfallbacks = [\"demo\", \"demo\"]"),
        &["models.m.fallbacks", "once"],
    );
    refused(&model("base_url = \"http://h\"\naudio_history = \"some\""), &["some", "last_k"]);
    refused(
        "[models.c]\ntype = \"anthropic\"\nmodel = \"claude-x\"",
        &["models.c.api_key_env", "api_key_file"],
    );
    refused("[transcription]\ntype = \"deepgram\"", &["transcription.api_key_env", "api_key_file"]);
    refused(
        "[transcription]\ntype = \"openai\"\nbase_url = \"http://h\"\nmodel = \"m\"\n[transcription.fallback]\ntype = \"deepgram\"",
        &["transcription.fallback.api_key_env"],
    );
    refused("default_model = \"gpt\"", &["default_model", "demo", "[models.gpt]"]);
    refused("default_voice = \"anna\"", &["default_voice", "kal", "[voices.anna]"]);
    refused(
        "[models.m]\ntype = \"scripted\"\nscript = \"/nowhere.yaml\"",
        &["models.m.script", "/nowhere.yaml"],
    );
    refused("[models.m]\ntype = \"magic\"", &["magic", "openai"]);
    refused(
        "[voices.v]\ntype = \"openai\"\nbase_url = \"http://h\"\nmodel = \"m\"\nvoice = \"v\"\nsample_rate = 11025",
        &["voices.v.sample_rate", "24000"],
    );
    refused(
        "[transcription]\ntype = \"pocketsphinx\"\nprogram = \"/nowhere/pocketsphinx\"",
        &["transcription", "apt install pocketsphinx pocketsphinx-en-us", "type = \"none\""],
    );
}

#[cfg(not(feature = "smart-turn"))]
#[test]
fn a_binary_without_smart_turn_says_so() {
    refused(
        "[turn_detection]\ntype = \"smart_turn\"\nmodel = \"smart-turn-v3.2-cpu.onnx\"",
        &["turn_detection.type", "this binary was built without smart-turn", "--features smart-turn"],
    );
}

#[cfg(not(feature = "whisper-local"))]
#[test]
fn a_binary_without_whisper_says_so() {
    refused(
        "[transcription]\ntype = \"whisper\"\nmodel = \"ggml-base.en.bin\"",
        &["transcription.type", "this binary was built without whisper", "--features whisper-local"],
    );
}
