//! The configuration as its author meets it: defaults, overrides, where values came from, and everything wrong at once.

use std::path::Path;

use antiphon_backends::registry::config::{TranscriptionConfig, TurnDetectionConfig};
use antiphon_server::config::{Config, DEFAULT_FILE, Loaded, Place, Source};

fn read(text: &str, variables: &[(&str, &str)]) -> Result<Loaded, String> {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::parse(Path::new("antiphon.toml"), text, variables).map_err(|errors| errors.to_string())
}

/// Not all backends' settings can be compared, but all can be shown.
#[track_caller]
fn assert_same(left: &Config, right: &Config) {
    assert_eq!(format!("{left:#?}"), format!("{right:#?}"));
}

fn problems(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let errors = read(text, variables).expect_err("the configuration is wrong");
    let mut lines: Vec<String> = errors.lines().map(str::to_owned).collect();
    assert_eq!(
        lines.pop().as_deref(),
        Some("`antiphon config init` writes a file that explains every field")
    );
    lines
}

#[test]
fn an_empty_file_gives_the_defaults() {
    assert_same(&read("", &[]).unwrap().config, &Config::default());
}

#[test]
fn the_file_that_init_writes_changes_nothing_and_shows_the_true_defaults() {
    assert_same(&read(DEFAULT_FILE, &[]).unwrap().config, &Config::default());

    let optional = [
        "public_url",
        "directory",
        "otlp_endpoint",
        "metrics_listen",
        "keep",
        "maximum_bytes",
        "model",
        "url",
        "endpoint",
        "region",
        "access_key_id",
        "secret_access_key",
        "secret_access_key_file",
    ];
    let uncommented: String = DEFAULT_FILE
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(set) if !set.starts_with(' ') && !set.is_empty() => {
                if optional.contains(&set.split(' ').next().unwrap_or_default()) {
                    String::new()
                } else {
                    format!("{set}\n")
                }
            }
            _ => format!("{line}\n"),
        })
        .collect();
    let loaded = read(&uncommented, &[]).unwrap();
    assert_same(&loaded.config, &Config::default());
    // It shows every field that there is, so that all of them have a source now.
    assert!(!loaded.render().contains("# default"), "{}", loaded.render());
}

#[test]
fn the_environment_overrides_the_file_and_the_rendering_says_so() {
    let loaded = read(
        "[server]\nlisten = \"127.0.0.1:1\"\nstrict_fields = true\n",
        &[
            ("ANTIPHON_SERVER__LISTEN", "127.0.0.1:2"),
            ("ANTIPHON_CALLS__MAXIMUM_LIVE", "7"),
            ("ANTIPHON_CALLS__DEFAULT_MODEL", "4"),
            ("ANTIPHON_LOG", "debug"),
            ("ANTIPHON_CONFIG", "elsewhere.toml"),
            ("HOME", "/root"),
        ],
    )
    .unwrap();
    assert_eq!(loaded.config.server.listen.port(), 2);
    assert_eq!(loaded.config.calls.default_model, "4", "a text may look like a number");
    assert_eq!(loaded.config.log.level, "debug");
    assert_eq!(loaded.warnings, []);
    let rendered = loaded.render();
    for line in [
        "server.listen = \"127.0.0.1:2\"  # environment ANTIPHON_SERVER__LISTEN\n",
        "server.strict_fields = true  # antiphon.toml:3\n",
        "server.drain_deadline = \"30s\"  # default\n",
        "calls.maximum_live = 7  # environment ANTIPHON_CALLS__MAXIMUM_LIVE\n",
        "log.level = \"debug\"  # environment ANTIPHON_LOG\n",
    ] {
        assert!(rendered.contains(line), "{line}\n{rendered}");
    }
    let again = read(&rendered, &[]).unwrap();
    assert_same(&again.config, &loaded.config);
}

#[test]
fn everything_wrong_is_reported_at_once_with_line_field_and_remedy() {
    let text = "\
[server]
lisen = \"127.0.0.1:1\"
max_body_bytes = 10
drain_deadline = \"soon\"

[log]
format = \"xml\"

[calls]
default_sample_rate = 12345
maximum_live = -1

[teapot]
short = true
";
    let found = problems(text, &[("ANTIPHON_SERVER__PUBLIC_URL", "voice.example.com")]);
    let expected = [
        "antiphon.toml:2: server.lisen: unknown field `lisen`, expected one of `listen`, `public_url`",
        "environment ANTIPHON_SERVER__PUBLIC_URL: server.public_url: \"voice.example.com\" is not a public URL; write where",
        "antiphon.toml:4: server.drain_deadline: \"soon\" is not a length of time; write a whole number and a unit",
        "antiphon.toml:7: log.format: unknown variant `xml`, expected `json` or `text`",
        "antiphon.toml:11: calls.maximum_live: invalid value: integer `-1`",
        "antiphon.toml:13: teapot: unknown field `teapot`, expected one of `server`",
        "antiphon.toml:3: server.max_body_bytes: 10 bytes leaves no room for a request; write at least 1024",
        "antiphon.toml:10: calls.default_sample_rate: 12345 is not a supported sample rate; choose one of 8000",
    ];
    for line in expected {
        assert!(found.iter().any(|problem| problem.starts_with(line)), "{line}\n{found:#?}");
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
}

#[test]
fn broken_toml_is_named_by_its_line() {
    let found = problems("[server]\nlisten = \"127.0.0.1:1\n", &[]);
    assert!(found[0].starts_with("antiphon.toml:2: this is not TOML: "), "{found:?}");
}

#[test]
fn numbers_beyond_all_ranges_are_named_like_others_that_are_wrong() {
    for number in ["1e999", "-1e999", "99999999999999999999999999", "-99999999999999999999999999"] {
        for section in
            ["[connections]\nmaximum", "[models.a]\ntype = \"scripted\"\npace", "[voices.a]\nspeed"]
        {
            let found = problems(&format!("{section} = {number}\n"), &[]);
            assert!(found[0].starts_with("antiphon.toml:"), "{number}: {found:?}");
        }
    }
}

#[test]
fn a_missing_file_says_what_to_do() {
    let error = Config::load(Some(Path::new("/nonexistent/antiphon.toml")), []).unwrap_err().to_string();
    assert!(error.contains("/nonexistent/antiphon.toml cannot be read"), "{error}");
}

#[test]
fn unknown_variables_are_warned_about_and_harm_nothing() {
    let loaded = read("", &[("ANTIPHON_SERVER__LISEN", "x"), ("ANTIPHON_PORT", "80")]).unwrap();
    assert_same(&loaded.config, &Config::default());
    let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert!(warnings[0].starts_with("environment ANTIPHON_PORT: no such setting"), "{warnings:?}");
    assert!(
        warnings[1].starts_with("environment ANTIPHON_SERVER__LISEN: server.lisen: unknown field"),
        "{warnings:?}"
    );
    assert_eq!(loaded.source("server.listen"), Source::Default);
}

#[test]
fn keys_are_checked_where_they_stand_and_never_shown() {
    let key = "abcd1234.0123456789abcdef0123456789abcdef";
    let text = format!(
        "[[auth.api_keys]]\nname = \"good\"\nkey = \"{key}\"\n\
         [[auth.api_keys]]\nname = \"twice\"\nkey = \"{key}\"\nsha256 = \"00\"\n\
         [[auth.api_keys]]\nname = \"shape\"\nkey = \"hunter2\"\n"
    );
    let found = problems(&text, &[]);
    assert_eq!(
        found,
        [
            "antiphon.toml:4: auth.api_keys[1]: key \"twice\": exactly one of key, key_file and sha256 says what the key is; this one has 2",
            "antiphon.toml:8: auth.api_keys[2]: key \"shape\": an API key is 8 letters or digits, a dot, and 32 letters or digits",
        ]
    );

    let nameless =
        format!("[[auth.api_keys]]\nname = \"a\"\nkey = \"{key}\"\n[[auth.api_keys]]\nkey = \"{key}\"\n");
    assert_eq!(problems(&nameless, &[]), ["antiphon.toml:4: auth.api_keys[1]: missing field `name`"]);

    let variable = format!("[{{ name = \"a\", key = \"{key}\" }}]");
    let loaded = read("", &[("ANTIPHON_AUTH__API_KEYS", &variable)]).unwrap();
    assert_eq!(loaded.config.auth.api_keys.len(), 1);
    assert!(!loaded.render().contains(key), "{}", loaded.render());
    assert!(!format!("{loaded:?}").contains(key));
}

#[test]
fn backends_are_read_shown_and_built() {
    let text = "\
[models.qwen]
type = \"openai\"
base_url = \"http://127.0.0.1:9/v1\"
model = \"qwen3-8b\"

[voices.hum]
type = \"scripted\"

[transcription]
type = \"none\"

[calls]
default_model = \"qwen\"
";
    let loaded = read(text, &[("ANTIPHON_CALLS__DEFAULT_VOICE", "hum")]).unwrap();
    let rendered = loaded.render();
    assert!(rendered.contains("models.qwen.model = \"qwen3-8b\"  # antiphon.toml:4\n"), "{rendered}");
    assert!(rendered.contains("transcription.type = \"none\"  # antiphon.toml:10\n"), "{rendered}");
    assert_same(&read(&rendered, &[]).unwrap().config, &loaded.config);
    let backends = loaded.config.build_backends().unwrap();
    assert_eq!((&*backends.default_model, &*backends.default_voice), ("qwen", "hum"));

    let missing = read(text, &[("ANTIPHON_CALLS__DEFAULT_VOICE", "nova")]).unwrap();
    let error = missing.config.build_backends().err().unwrap().to_string();
    assert!(
        error.starts_with("calls.default_voice: there is no \"nova\"; choose one of hum, kal"),
        "{error}"
    );
}

#[test]
fn what_is_wrong_in_a_backend_is_found_at_its_table() {
    let found = problems("[models.a]\ntype = \"openai\"\nbase = 1\n[models.b]\ntype = \"oracle\"\n", &[]);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[0].starts_with("antiphon.toml:1: models.a: unknown field `base`, expected one of `base_url`"),
        "{found:?}"
    );
    assert!(found[1].contains("models.b") && found[1].contains("unknown variant `oracle`"), "{found:?}");
}

#[test]
fn the_examples_in_the_file_that_init_writes_are_right() {
    let (_, backends) = DEFAULT_FILE.split_once("# Language models").unwrap();
    let is_example = |line: &&str| {
        line.starts_with('[') || line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '))
    };
    let examples: Vec<&str> =
        backends.lines().filter_map(|line| line.strip_prefix("# ")).filter(is_example).collect();
    let config = read(&examples.join("\n"), &[]).unwrap().config;
    assert_eq!(config.models.keys().collect::<Vec<_>>(), ["bakery", "claude", "qwen"]);
    assert_eq!(config.voices.keys().collect::<Vec<_>>(), ["hum", "lessac", "nova", "rachel"]);
}

#[test]
fn the_example_of_whisper_in_that_file_is_right() {
    let (_, example) = DEFAULT_FILE.split_once("#     [transcription]\n").unwrap();
    let (example, _) = example.split_once("\n\n").unwrap();
    let example = example.replace("#     ", "");
    let config = read(&format!("[transcription]\n{example}\n"), &[]).unwrap().config;
    let TranscriptionConfig::Whisper(config) = config.transcription else { panic!("another type") };
    assert_eq!((config.model.to_str(), config.threads.get()), (Some("ggml-base.en.bin"), 1));
}

#[test]
fn the_example_of_a_turn_detector_in_that_file_is_right() {
    let (_, example) = DEFAULT_FILE.split_once("# [turn_detection]\n").unwrap();
    let (example, _) = example.split_once("\n\n").unwrap();
    let example = example.replace("# ", "");
    let config = read(&format!("[turn_detection]\n{example}"), &[]).unwrap().config;
    let TurnDetectionConfig::SmartTurn(config) = config.turn_detection else { panic!("another type") };
    assert_eq!(config.model.to_str(), Some("smart-turn-v3.2-cpu.onnx"));
}

#[test]
fn a_collectors_headers_come_from_the_environment_and_are_never_shown() {
    let loaded = read(
        "[telemetry]\notlp_endpoint = \"https://collector.example:4318\"\n",
        &[("ANTIPHON_TELEMETRY__OTLP_HEADERS__AUTHORIZATION", "Bearer sesame")],
    )
    .unwrap();
    assert_eq!(loaded.config.telemetry.otlp_headers["authorization"].expose(), "Bearer sesame");
    assert!(!loaded.render().contains("sesame"), "{}", loaded.render());
    assert!(!format!("{loaded:?}").contains("sesame"));

    for (text, complaint) in [
        ("otlp_endpoint = \"localhost:4318\"", "is no http or https address"),
        ("otlp_endpoint = \"http://localhost:4318/v1/traces\"", "leave out /v1/traces"),
        ("otlp_headers = { \"a b\" = \"c\" }", "is no name of an HTTP header"),
        ("otlp_headers = { a = \"b\\nc\" }", "cannot be sent in an HTTP header"),
        ("service_name = \" \"", "is empty"),
    ] {
        let found = problems(&format!("[telemetry]\n{text}\n"), &[]);
        assert!(found.len() == 1 && found[0].contains(complaint), "{text}: {found:?}");
    }
}

#[test]
fn what_follows_calls_is_bounded_and_a_summarys_model_has_to_be_there() {
    for (text, problem) in [
        ("[webhooks]\nkeep_log = \"1s\"", "webhooks.keep_log: must be at least"),
        ("[summaries]\nwait = \"1h\"", "summaries.wait: must be at most"),
        ("[summaries]\ntimeout = \"0s\"", "summaries.timeout: must be between"),
        ("[summaries]\nconcurrency = 0", "summaries.concurrency: must be between"),
        ("[summaries]\nmodel = \"qwen\"", "summaries.model: there is no model \"qwen\""),
    ] {
        let found = problems(&format!("{text}\n"), &[]);
        assert!(found.len() == 1 && found[0].contains(problem), "{found:?}");
    }
    let models = "[models.qwen]\ntype = \"openai\"\nbase_url = \"http://localhost:1/v1\"\nmodel = \"q\"\n\
                  [models.bakery]\ntype = \"scripted\"\n";
    for (enabled, sums_up) in [("auto", [true, false, false]), ("always", [true; 3]), ("never", [false; 3])] {
        let text = format!("{models}[summaries]\nenabled = \"{enabled}\"\nmodel = \"qwen\"\n");
        let Config { summaries, models, .. } = read(&text, &[]).unwrap().config;
        let found = ["qwen", "bakery", "demo"].map(|model| summaries.sums_up(model, &models));
        assert_eq!(found, sums_up, "{enabled}");
    }
}

#[test]
fn a_shared_database_comes_from_the_environment_and_its_password_is_never_shown() {
    let url = ("ANTIPHON_STORAGE__URL", "postgres://antiphon:hunter2@db.example.com/antiphon");
    let loaded = read("[storage]\nconnections = 20\ndirectory = \".\"\n", &[url]).unwrap();
    assert_eq!(loaded.config.storage.url.as_ref().unwrap().expose(), url.1);
    assert!(
        !loaded.render().contains("hunter2") && loaded.render().contains("[redacted]"),
        "{}",
        loaded.render()
    );
    assert!(!format!("{:?}", loaded.config).contains("hunter2"));
    assert_eq!(loaded.config.storage.file("voices"), Path::new("./voices"));
    let other = read("", &[(url.0, "postgres://antiphon:other@db.example.com/antiphon")]).unwrap().config;
    let differing = other.difference(&loaded.config).needs_restart;
    assert!(differing.contains(&"storage.url".to_owned()), "{differing:?}");

    let wrong = problems("[storage]\npath = \"calls.db\"\nconnections = 0\n", &[url]);
    assert_eq!(wrong.len(), 2, "{wrong:?}");
    assert!(wrong.iter().any(|line| line.contains("storage.path") && line.contains("storage.directory")));
    assert!(wrong.iter().any(|line| line.contains("storage.connections") && line.contains("1 to 1000")));
    let wrong = problems("[storage]\nurl = \"mysql://root:hunter2@localhost/x\"\n", &[]);
    assert!(wrong[0].contains("storage.url") && !wrong[0].contains("hunter2"), "{wrong:?}");
}

#[test]
fn where_objects_lie_is_a_bucket_or_a_directory_and_the_secret_is_never_shown() {
    let text = "[objects]\nurl = \"s3://box/a/b/\"\nendpoint = \"http://127.0.0.1:9000\"\naccess_key_id = \"AKID\"\n";
    let loaded = read(text, &[("ANTIPHON_OBJECTS__SECRET_ACCESS_KEY", "sesame")]).unwrap();
    let objects = &loaded.config.objects;
    let place = Place::Bucket { bucket: "box".to_owned(), prefix: "a/b".to_owned() };
    assert_eq!(objects.place(), Ok(Some(place)));
    assert_eq!(objects.secret().unwrap().unwrap().expose(), "sesame");
    assert!(!loaded.render().contains("sesame") && !format!("{loaded:?}").contains("sesame"));
    let shared = read("[objects]\nurl = \"file:///mnt/shared/a%20b\"", &[]).unwrap().config.objects;
    assert_eq!(shared.place(), Ok(Some(Place::Directory("/mnt/shared/a b".into()))));
    assert_eq!(read("", &[]).unwrap().config.objects.place(), Ok(None));

    for (text, complaint) in [
        ("url = \"/mnt/shared\"", "objects.url: is no place for objects"),
        ("url = \"s3:///a\"", "objects.url: is no place for objects"),
        ("url = \"https://box.s3.amazonaws.com\"", "objects.url: is no place for objects"),
        ("url = \"s3://me:sesame@box\"", "objects.url: holds credentials"),
        ("url = \"s3://box?region=x\"", "objects.url: holds more than a bucket"),
        ("region = \"eu-central-1\"", "objects.region: means something for a bucket only"),
        ("url = \"s3://box\"\nendpoint = \"minio:9000\"", "objects.endpoint: is no http or https address"),
        (
            "url = \"s3://box\"\nendpoint = \"http://minio/box\"",
            "objects.endpoint: is no http or https address",
        ),
        ("url = \"s3://box\"\naccess_key_id = \"AKID\"", "objects.access_key_id: has no secret beside it"),
        ("url = \"s3://box\"\nsecret_access_key = \"sesame\"", "objects.access_key_id: is missing"),
        (
            "url = \"s3://box\"\naccess_key_id = \"AKID\"\nsecret_access_key_file = \"/nowhere\"",
            "objects.secret_access_key_file: cannot be read",
        ),
    ] {
        let found = problems(&format!("[objects]\n{text}\n"), &[]);
        assert!(found.len() == 1 && found[0].contains(complaint), "{text}: {found:?}");
        assert!(!found[0].contains("sesame"), "{found:?}");
    }
}
